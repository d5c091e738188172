"""Serving: the sockets, one process that watches, and the workers that answer."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from upspace.server.limits import Limits, Table
from upspace.server.settings import Settings
from upspace.server.watch import ServeError, watch
from upspace.server.worker import BACKLOG, Orders
from upspace.store import open_store, tidy_store

if TYPE_CHECKING:
    from upspace.server.control.state import Fill


def serve(
    settings: Settings,
    on_ready: Callable[[Settings], None],
    fill: "Fill",
    certificate: tuple[Path, Path] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are answered before it returns.

    `on_ready` is called when every worker accepts connections, with the settings in force (the port picked,
    if 0 was asked for). `fill` makes a community where the control interface is asked for one. `certificate` and its
    key, as PEM files that stay until the end, are what TLS needs. Raises StoreError if the store cannot be served,
    ServeError if the address cannot be listened on or a worker does not start.
    """
    asyncio.run(_check_store(settings))
    with ExitStack() as open_sockets, _limits_table(settings) as table:
        listeners = [open_sockets.enter_context(listener) for listener in _listen(settings)]
        settings = msgspec.structs.replace(settings, port=listeners[0].getsockname()[1])
        watch(Orders(settings, fill, table, certificate), listeners, lambda: on_ready(settings))
    tidy_store(settings.store)


@contextmanager
def _limits_table(settings: Settings) -> Iterator[str | None]:
    """The file in which all workers count requests; None where nothing is limited."""
    if settings.limits() == Limits():
        yield None
        return
    with closing(Table.create()) as table:
        yield table.path


async def _check_store(settings: Settings) -> None:
    store = await open_store(settings.store, **settings.store_options())
    await store.close()


def _listen(settings: Settings) -> Iterator[socket.socket]:
    """A listening socket for each worker.

    The system spreads clients over the sockets that listen on one port together. It allows that to all of one user who
    ask for it, so another server of that user is looked for first. As the sockets are not the workers' own, no client
    is lost that comes between the end of one and the start of the next.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if settings.port:
            with socket.socket(family, kind, protocol) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                alone.bind(address)
        for _ in range(settings.workers):
            listener = socket.socket(family, kind, protocol)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # Else the connections of a server before this one would be in the way for a minute.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            # The first has picked the port, if any would do.
            address = listener.getsockname()
            yield listener
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a host name"
        raise ServeError(f"cannot listen on {settings.host}:{settings.port}: {reason}") from error
