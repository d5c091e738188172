"""The door for Granian: RSGI scopes to requests, replies to the socket."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from upspace.server.app import App, build_app
from upspace.server.http import Request
from upspace.server.settings import Settings
from upspace.store import open_store

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol
    from granian.rsgi import Scope


# A client that sends more than this to an endpoint without parameters in the body has to connect anew.
_BODY_READ_OFF_BYTES = 1 << 20


class RsgiDoor:
    """An RSGI application. The store is opened when a worker starts and closed when it stops.

    `on_ready` is called when the worker accepts connections, `on_stopped` when all is answered and closed.
    """

    def __init__(
        self,
        settings: Settings,
        on_ready: Callable[[], None] | None = None,
        on_stopped: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._on_stopped = on_stopped
        self._app: App

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        store = loop.run_until_complete(open_store(self._settings.store))
        self._app = build_app(store, self._settings)
        if self._on_ready is not None:
            loop.call_soon(self._on_ready)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._app.service.store.close())
        if self._on_stopped is not None:
            self._on_stopped()

    async def __rsgi__(self, scope: "Scope", protocol: "RSGIHTTPProtocol") -> None:
        header = scope.headers.get
        if scope.method not in ("GET", "HEAD") or header("content-length"):
            await _read_off(protocol)
        response = await self._app.respond(Request(scope.method, scope.path, scope.query_string, header))
        protocol.response_bytes(response.status, response.headers, response.body)


async def _read_off(protocol: "RSGIHTTPProtocol") -> None:
    """Read a body that nobody wants: left unread, it would cost the client its connection, and perhaps the reply."""
    size = 0
    async for chunk in protocol:
        size += len(chunk)
        if size > _BODY_READ_OFF_BYTES:
            return
