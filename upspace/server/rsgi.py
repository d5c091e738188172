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


class RsgiDoor:
    """An RSGI application. The store is opened when a worker starts and closed when it stops."""

    def __init__(self, settings: Settings, on_ready: Callable[[], None] | None = None) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._app: App

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        store = loop.run_until_complete(open_store(self._settings.store))
        self._app = build_app(store, self._settings)
        if self._on_ready is not None:
            loop.call_soon(self._on_ready)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._app.service.store.close())

    async def __rsgi__(self, scope: "Scope", protocol: "RSGIHTTPProtocol") -> None:
        request = Request(scope.method, scope.path, scope.query_string, scope.headers.get)
        status, headers, body = await self._app.respond(request)
        protocol.response_bytes(status, headers, body)
