"""Closing the connection of a request, for faults that have no reply.

The HTTP server has no way to do that. But the connection is a file of this process, and known by its other end.
"""

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Closed at once, with what is still to be sent thrown away: the other end is told "connection reset".
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)

_OPEN_FILES = Path("/dev/fd")


def reset_connection(peer: str) -> bool:
    """End the connection to `peer`, written host:port, by a reset; False if there is none (any more).

    It is the HTTP server that closes it: this makes it believe that the client has left.
    """
    host, _, port = peer.rpartition(":")
    for connection in _connections():
        if _other_end(connection) == (host.strip("[]"), port):
            # It may have been closed by the other end meanwhile.
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
                connection.shutdown(socket.SHUT_RD)
            return True
    return False


def _connections() -> Iterator[socket.socket]:
    """The sockets of this process, one by one; they stay open."""
    for path in list(_OPEN_FILES.iterdir()):
        with _borrowed(int(path.name)) as connection:
            if connection is not None:
                yield connection


@contextmanager
def _borrowed(file: int) -> Iterator[socket.socket | None]:
    """The file as a socket object that does not close it; None if it is no socket."""
    try:
        connection = socket.socket(fileno=file) if stat.S_ISSOCK(os.fstat(file).st_mode) else None
    except OSError:
        # Closed since it was listed.
        connection = None
    try:
        yield connection
    finally:
        if connection is not None:
            connection.detach()


def _other_end(connection: socket.socket) -> tuple[str, str] | None:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        host, port = connection.getpeername()[:2]
    except OSError:
        return None
    return host, str(port)
