"""A process that answers: it opens the store, and takes connections from a socket that it is handed."""

import asyncio
import logging
import logging.config
import signal
import socket
import ssl
import sys
from contextlib import suppress
from multiprocessing.connection import Connection as Line
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from msgspec import Struct

from upspace.server.app import App, build_app
from upspace.server.door import Door
from upspace.server.limits import Table
from upspace.server.settings import Settings
from upspace.store import open_store
from upspace.store.interface import Store, StoreError

if TYPE_CHECKING:
    from upspace.server.control.state import Fill
    from upspace.server.control.station import ControlledApp

log = logging.getLogger("upspace")

STOP_WITHIN_S = 30.0
"""What is still unanswered so long after a worker was told to stop is cut off."""

STOP_WITHIN_S_CONTROLLED = 2.0
"""The same where tests rule: a request may be made to wait for an hour, and nobody waits for its reply any more."""

BACKLOG = 1024
"""How many clients may wait to be taken."""

READY = b"ready"
"""What a worker tells when it takes connections."""

_HANDSHAKE_WITHIN_S = 10.0
# How long a TLS client may take to agree to the end of its connection.
_FAREWELL_WITHIN_S = 2.0

LOGGING = {
    "version": 1,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "plain"}},
    "loggers": {"upspace": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
    "disable_existing_loggers": False,
}
"""Where the log of a server goes."""


class Orders(Struct, frozen=True):
    """What every worker of a server is told.

    `fill` makes a community where the control interface is asked for one. `limits_table` is the file in which all
    workers count requests. `certificate` and its key are PEM files.
    """

    settings: Settings
    fill: "Fill"
    limits_table: str | None
    certificate: tuple[Path, Path] | None


def work(orders: Orders, listener: socket.socket, parent: Line) -> None:
    """Run a worker in this process, until the parent says so or is gone, or SIGTERM comes.

    It tells the parent when it is ready. The process ends with 1 if the store cannot be opened.
    """
    # A terminal sends SIGINT to every process of its group, and the parent acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.config.dictConfig(LOGGING)
    try:
        with listener:
            uvloop.run(serve_worker(orders, listener, parent))
    except StoreError as error:
        log.error("a worker cannot start: %s", error)
        sys.exit(1)


async def serve_worker(orders: Orders, listener: socket.socket, parent: Line) -> None:
    """Answer what comes through `listener`, until the parent says so or is gone, or SIGTERM comes."""
    settings = orders.settings
    store = await open_store(settings.store, **settings.store_options())
    try:
        app = await _build(store, orders)
        loop = asyncio.get_running_loop()
        told_to_stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, told_to_stop.set)
        loop.add_reader(parent.fileno(), told_to_stop.set)
        # Control makes replies wait by means that ask for the current orders.
        door = Door(app, taskless=not settings.control)
        server = await loop.create_server(
            door.connect,
            sock=listener,
            backlog=BACKLOG,
            ssl=None if orders.certificate is None else _tls(*orders.certificate),
            ssl_handshake_timeout=None if orders.certificate is None else _HANDSHAKE_WITHIN_S,
            ssl_shutdown_timeout=None if orders.certificate is None else _FAREWELL_WITHIN_S,
        )
        # A parent that is gone has no use for it, and that is seen below.
        with suppress(OSError):
            parent.send_bytes(READY)
        await told_to_stop.wait()
        loop.remove_reader(parent.fileno())
        server.close()
        await door.close(STOP_WITHIN_S_CONTROLLED if settings.control else STOP_WITHIN_S)
    finally:
        await store.close()


async def _build(store: Store, orders: Orders) -> "App | ControlledApp":
    if orders.settings.control:
        # Imported here: a server that nobody tests against has nothing of it.
        from upspace.server.control.station import build_controlled

        return await build_controlled(store, orders.settings, orders.fill)
    table = None if orders.limits_table is None else Table.open(orders.limits_table)
    return build_app(store, orders.settings, table=table)


def _tls(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context
