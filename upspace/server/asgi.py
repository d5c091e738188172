"""The door for every other server, and for tests in one process: ASGI 3 with lifespan."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from upspace.server.app import App
from upspace.server.http import Request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiDoor:
    """An ASGI application over `open_app`, which is awaited at start-up; the app's store is closed at shutdown.

    Servers and tests that send no lifespan events open the app with the first request.
    """

    def __init__(self, open_app: Callable[[], Awaitable[App]]) -> None:
        self._open_app = open_app
        self._app: App | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One connection scope of ASGI 3."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, send)
        else:
            raise ValueError(f"upspace speaks HTTP only, not {scope['type']}")

    async def _respond(self, scope: Message, send: Send) -> None:
        app = await self._opened()
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        query = scope["query_string"].decode("latin-1")
        response = await app.respond(Request(scope["method"], scope["path"], query, headers.get))
        raw_headers = [(name.encode(), value.encode()) for name, value in response.headers]
        raw_headers.append((b"content-length", b"%d" % len(response.body)))
        await send({"type": "http.response.start", "status": response.status, "headers": raw_headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})

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

    async def _opened(self) -> App:
        if self._app is None:
            self._app = await self._open_app()
        return self._app
