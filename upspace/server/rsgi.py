"""The door for Granian: RSGI scopes to requests, replies to the socket."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # missing in Granian's stub

from upspace.server.app import App, build_app
from upspace.server.http import BODY_MAX_BYTES, Request
from upspace.server.limits import Table
from upspace.server.settings import Settings
from upspace.store import open_store

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol
    from granian.rsgi import Scope

    from upspace.server.control.state import Fill
    from upspace.server.control.station import ControlledApp


# What took longer to make than the network thread needs to send it. Were each such reply handed over as soon as it is
# made, the network thread would go to sleep after every one, and waking it costs more than sending. So they wait for
# those that are made in the same turn of the loop: a fifth more list pages a second. Replies about one account are made
# quickly and lose by it: acc/info answers 1.27 times as many without (median of 20 pairs of runs).
_SENT_AT_ONCE_BYTES = 4000


class RsgiDoor:
    """An RSGI application. The store is opened when a worker starts and closed when it stops.

    `limits_table` is the file in which all workers count requests. `fill` makes a community where the control interface
    is asked for one. `on_ready` is called when the worker accepts connections, `on_stopped` when all is answered and
    closed.
    """

    def __init__(
        self,
        settings: Settings,
        fill: "Fill",
        limits_table: str | None = None,
        on_ready: Callable[[], None] | None = None,
        on_stopped: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._controlled = settings.control
        self._fill = fill
        self._limits_table = limits_table
        self._on_ready = on_ready
        self._on_stopped = on_stopped
        self._app: App | ControlledApp

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._app = loop.run_until_complete(self._open_app())
        if self._on_ready is not None:
            loop.call_soon(self._on_ready)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._app.service.store.close())
        if self._on_stopped is not None:
            self._on_stopped()

    async def _open_app(self) -> "App | ControlledApp":
        store = await open_store(self._settings.store, **self._settings.store_options())
        if self._settings.control:
            # Imported here: a server that nobody tests against has nothing of it.
            from upspace.server.control.station import build_controlled

            return await build_controlled(store, self._settings, self._fill)
        table = None if self._limits_table is None else Table.open(self._limits_table)
        return build_app(store, self._settings, table=table)

    async def __rsgi__(self, scope: "Scope", protocol: "RSGIHTTPProtocol") -> None:
        # Each access makes the object anew.
        headers = scope.headers
        header: Callable[[str], str | None] = headers.get
        body: bytes | None = b""
        # A body that nobody wants is read too: left unread, it would cost the client its connection.
        length = header("content-length")
        if length or scope.method not in ("GET", "HEAD") or header("transfer-encoding"):
            # Who sends both has the length overruled.
            said = int(length) if length and not header("transfer-encoding") else 0
            body = await _read_body(protocol, said, to_its_end=self._controlled)
        if self._controlled and not header("host"):
            header = _with_host(header, scope.authority or "")
        lines = headers.get_all  # type: ignore[attr-defined]  # missing in Granian's stub
        response = await self._app.respond(
            Request(scope.method, scope.path, scope.query_string, header, lines, body, scope.client)
        )
        if len(response.body) > _SENT_AT_ONCE_BYTES:
            await asyncio.sleep(0)
        # The rest of a body that was too large is in the way of further requests, and the client must not send any.
        sent = [*response.headers, ("connection", "close")] if body is None else response.headers
        if response.manner is not None:
            from upspace.server.control.manners import send_in_manner

            await send_in_manner(scope, protocol, sent, response, response.manner)
            return
        protocol.response_bytes(response.status, sent, response.body)


def _with_host(header: Callable[[str], str | None], authority: str) -> Callable[[str], str | None]:
    """In HTTP/2 the host that is asked for is no header."""
    return lambda name: authority if name == "host" else header(name)


async def _read_body(protocol: "RSGIHTTPProtocol", length: int, *, to_its_end: bool) -> bytes | None:
    """The body; None if it is larger than any may be, or shorter than was said: then the client has left.

    After either the client has to connect anew. A body that is too large is read `to_its_end` only where connections
    are ended by hand: while there is more of it, Granian does not see that one has ended.
    """
    if 0 < length <= BODY_MAX_BYTES:
        # At once: each part of a body is waited for until the loop has done all else, its end as well.
        try:
            return await protocol()
        except ProtocolClosed:
            return None
    chunks = []
    size = 0
    async for chunk in protocol:
        size += len(chunk)
        if size <= BODY_MAX_BYTES:
            chunks.append(chunk)
        elif not to_its_end:
            break
    return b"".join(chunks) if length <= size <= BODY_MAX_BYTES else None
