"""The door for every other server, and for tests in one process: ASGI 3 with lifespan."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from upspace.server.app import App
from upspace.server.http import BODY_MAX_BYTES, Request

if TYPE_CHECKING:
    from upspace.server.control.station import ControlledApp

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiDoor:
    """An ASGI application over `open_app`, which is awaited at start-up; the app's store is closed at shutdown.

    Servers and tests that send no lifespan events open the app with the first request.
    """

    def __init__(self, open_app: "Callable[[], Awaitable[App | ControlledApp]]") -> None:
        self._open_app = open_app
        self._app: App | ControlledApp | None = None
        # Opening may take a while, and two requests may be the first.
        self._opening = asyncio.Lock()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One connection scope of ASGI 3."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)
        else:
            raise ValueError(f"upspace speaks HTTP only, not {scope['type']}")

    async def _respond(self, scope: Message, receive: Receive, send: Send) -> None:
        app = self._app or await self._opened()
        headers: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in scope["headers"]:
            headers[name.decode("latin-1")].append(value.decode("latin-1"))
        query = scope["query_string"].decode("latin-1")
        peer = scope["client"][0] if scope.get("client") else ""
        body = await _read_body(receive)

        def header(name: str) -> str | None:
            return headers[name][0] if name in headers else None

        response = await app.respond(
            Request(scope["method"], scope["path"], query, header, headers.__getitem__, body, peer)
        )
        if response.manner is not None and response.manner.reset:
            # No server offers more: who calls in process gets this, uvicorn closes the connection after an HTTP 500.
            raise ConnectionResetError("a fault asked for")
        raw_headers = [(name.encode(), value.encode()) for name, value in response.headers]
        raw_headers.append((b"content-length", b"%d" % len(response.body)))
        await send({"type": "http.response.start", "status": response.status, "headers": raw_headers})
        manner = response.manner
        if manner is None or scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})
            return
        for number, piece in enumerate(manner.pieces(response.body)):
            if number:
                await asyncio.sleep(manner.drip_pause_s)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if manner.cut_at is None:
            await send({"type": "http.response.body", "body": b""})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self._opened()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self._app is not None:
                    await self._app.service.store.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _opened(self) -> "App | ControlledApp":
        async with self._opening:
            if self._app is None:
                self._app = await self._open_app()
        return self._app


async def _read_body(receive: Receive) -> bytes | None:
    """The body; None if it is larger than any may be, or if the client left before its end."""
    chunks = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > BODY_MAX_BYTES:
            return None
        more = message.get("more_body", False)
    return b"".join(chunks)
