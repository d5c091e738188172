"""Serving with Granian: one process that watches, and the workers that answer."""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from upspace.server.limits import Limits, Table
from upspace.server.rsgi import RsgiDoor
from upspace.server.settings import Settings
from upspace.store import open_store, tidy_store

if TYPE_CHECKING:
    from upspace.server.control.state import Fill

# How much later than a worker the parent may learn that all of them are to stop.
_TOLD_WITHIN_S = 3.0
# A worker that has not answered its last requests by then is ended.
_STOP_WITHIN_S = 30.0
# Where tests rule, a request may be made to wait for an hour, and nobody waits for its reply any more.
_STOP_WITHIN_S_CONTROLLED = 2.0

_LOGGING = {
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "plain"}},
    "loggers": {
        "upspace": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "_granian": {"handlers": ["stderr"], "propagate": False},
    },
}


class ListenError(Exception):
    """The address cannot be listened on, in one sentence."""


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
    ListenError if the address cannot.
    """
    # Imported here: it takes longer than everything else that the commands without a server need.
    from granian.constants import Interfaces, Loops, SSLProtocols
    from granian.log import LogLevels
    from granian.server import Server

    asyncio.run(_check_store(settings))
    address, hold = _reserve(settings)
    with hold:
        settings = msgspec.structs.replace(settings, port=hold.getsockname()[1])
        # Forked workers would inherit the state of SQLite and of threads; spawned ones start clean.
        multiprocessing.set_start_method("spawn", force=True)
        ready, told_to_stop = multiprocessing.Semaphore(0), multiprocessing.Semaphore(0)
        server = Server(
            "upspace",
            address=address,
            port=settings.port,
            interface=Interfaces.RSGI,
            workers=settings.workers,
            loop=Loops.uvloop,
            websockets=False,
            respawn_failed_workers=True,
            ssl_cert=certificate and certificate[0],
            ssl_key=certificate and certificate[1],
            ssl_protocol_min=SSLProtocols.tls12,
            log_level=LogLevels.warning,
            log_dictconfig=_LOGGING,
        )
        stopped = threading.Event()
        signal_workers: Callable[..., None] = server.signal_handler_interrupt

        def interrupt(*signalled: Any) -> None:
            for worker in server.wrks:
                # Else its end counts as a crash.
                worker.interrupt_by_parent = True
                told_to_stop.release()
            _end_later(server, _STOP_WITHIN_S_CONTROLLED if settings.control else _STOP_WITHIN_S)
            signal_workers(*signalled)

        server.signal_handler_interrupt = interrupt  # type: ignore[method-assign]  # there is no hook for it
        announcer = threading.Thread(target=_announce, args=(settings, ready, stopped, on_ready), daemon=True)
        announcer.start()
        try:
            with _limits_table(settings) as table:
                server.serve(
                    target_loader=partial(_load_door, settings, fill, ready, told_to_stop, table), wrap_loader=False
                )
            tidy_store(settings.store)
        finally:
            stopped.set()
            ready.release()


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


def _reserve(settings: Settings) -> tuple[str, socket.socket]:
    """The numeric address, and a socket that holds the port for the workers without listening itself.

    The workers listen on one port together, which the system allows to all sockets of a user that ask for
    it: so another server of that user is looked for first.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if settings.port:
            with socket.socket(family, kind, protocol) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                alone.bind(address)
        hold = socket.socket(family, kind, protocol)
        hold.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        hold.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a host name"
        raise ListenError(f"cannot listen on {settings.host}:{settings.port}: {reason}") from error
    return str(address[0]), hold


def _end_later(server: Any, within_s: float) -> None:
    """End workers that hang when they should stop. Granian's own bound now and then kills one that has just left."""

    def end() -> None:
        for worker in server.wrks:
            worker.kill()

    watchdog = threading.Timer(within_s, end)
    watchdog.daemon = True
    watchdog.start()


def _announce(
    settings: Settings, ready: Semaphore, stopped: threading.Event, on_ready: Callable[[Settings], None]
) -> None:
    for _ in range(settings.workers):
        ready.acquire()
    if not stopped.is_set():
        on_ready(settings)


def _load_door(settings: Settings, fill: "Fill", ready: Semaphore, told_to_stop: Semaphore, table: str | None) -> Any:
    """Runs in each worker."""
    # A terminal sends SIGINT to every process of its group. The parent alone acts on it and stops the workers; a
    # worker that got both signals could hang. Blocked, as Granian would replace a handler.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_follow_parent, name="upspace-parent", daemon=True).start()
    return RsgiDoor(settings, fill, table, ready.release, partial(_leave, told_to_stop))


def _follow_parent() -> None:
    """Stop as if told to when the parent is gone: nobody else would, and the port would stay taken."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _leave(told_to_stop: Semaphore) -> None:
    """End the worker at once. A thread of Granian that wants the interpreter while it is taken down panics.

    A service manager tells all processes to stop. The parent replaces a worker that leaves before it has been told
    itself, so that is waited for; if it never is, the worker was told alone, and shall be replaced.
    """
    told_to_stop.acquire(timeout=_TOLD_WITHIN_S)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
