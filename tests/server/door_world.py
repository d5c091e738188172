"""A door in the loop of the test, with an app that is made up, and its visitors."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import pytest
import uvloop
from raw_http import Reply

from upspace.server.door import Door
from upspace.server.http import JSON_HEADERS, Manner, Request, Response
from upspace.server.http1 import Connection

T = TypeVar("T")

BOTH_WAYS = pytest.mark.parametrize("taskless", [True, False], ids=["without tasks", "in tasks"])
"""Whether replies are made without a task."""

LARGE = b"x" * (16 << 20)
NOTED: ContextVar[int] = ContextVar("NOTED", default=0)
IDLE_SWEEPS, COMING_SWEEPS, STALLED_SWEEPS, LINGERING_SWEEPS = 15, 6, 6, 2


class Echo:
    """An app that replies with what it was asked.

    At a path that begins with /later it waits for a turn of the loop, with /held until it is let go on. It fails
    where a path ends in failing. A path may have it send something large, or in drips.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = asyncio.Event()

    async def respond(self, request: Request) -> Response:
        self.asked.append(request.path)
        if request.path.startswith("/later"):
            await asyncio.sleep(0)
        if request.path.startswith("/held"):
            await self.let_go.wait()
        if request.path.endswith("failing"):
            raise RuntimeError("a fault of the app")
        if request.path.endswith("unsendable"):
            return Response(200, [("x-name", "名")], b"")
        if request.path.endswith("noting"):
            before = NOTED.get()
            NOTED.set(before + 1)
            await asyncio.sleep(0)
            return Response(200, JSON_HEADERS, str(before).encode())
        if request.path == "/large":
            return Response(200, JSON_HEADERS, LARGE)
        length = None if request.body is None else len(request.body)
        lines = request.header_lines("x-line")
        body = f"{request.method} {request.path} {request.query} {length} {lines}".encode()
        return Response(
            200, JSON_HEADERS, body, Manner(drip_bytes=4, drip_pause_s=0.05) if request.path == "/drips" else None
        )


class Visitor:
    """A client in the loop of the door. Its connection, as the door has it, is `connection`."""

    def __init__(self, own: socket.socket, connection: Connection) -> None:
        self.connection = connection
        self._socket = own
        self._received = b""

    @property
    def here(self) -> bool:
        """Whether the door has not ended the connection."""
        return not self.connection._transport.is_closing()

    def sweep(self, times: int) -> None:
        for _ in range(times):
            self.connection.sweep()

    async def send(self, *requests: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, b"".join(requests))

    def send_no_more(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def reads(self) -> bool:
        """Read something, if anything comes."""
        try:
            piece = await asyncio.get_running_loop().sock_recv(self._socket, 1 << 16)
        except ConnectionResetError:
            return False
        self._received += piece
        return piece != b""

    async def reply(self) -> Reply:
        """The next reply."""
        while b"\r\n\r\n" not in self._received:
            assert await self.reads(), self._received
        head, _, rest = self._received.partition(b"\r\n\r\n")
        pieces = [rest]
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        missing = int(headers["content-length"]) - len(rest)
        while missing > 0:
            self._received = b""
            assert await self.reads(), headers
            pieces.append(self._received)
            missing -= len(self._received)
        body = b"".join(pieces)
        end = int(headers["content-length"])
        self._received = body[end:]
        return Reply(int(status.split()[1]), headers, body[:end])

    async def ends(self) -> bool:
        """Whether nothing more comes before the end; waits for either."""
        return self._received == b"" and not await self.reads()


class House:
    """A door with such an app behind it, and visitors."""

    def __init__(self, app: Echo, door: Door, address: tuple[str, int]) -> None:
        self.app = app
        self.door = door
        self._address = address
        self._sockets: list[socket.socket] = []

    async def visitor(self, receive_bytes: int | None = None) -> Visitor:
        """One more client, once the door has noticed it."""
        before = set(self.door._connections)
        own = socket.socket()
        self._sockets.append(own)
        own.setblocking(False)
        if receive_bytes is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await asyncio.get_running_loop().sock_connect(own, self._address)
        await until(lambda: len(self.door._connections) > len(before))
        (connection,) = self.door._connections - before
        return Visitor(own, connection)

    def close(self) -> None:
        for own in self._sockets:
            own.close()


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something holds."""
    while not holds():  # noqa: ASYNC110  # nothing tells of most of what is waited for
        await asyncio.sleep(0)


@asynccontextmanager
async def house(*, taskless: bool = True) -> AsyncIterator[House]:
    """An open door, in the running loop."""
    app = Echo()
    door = Door(cast("Any", app), taskless=taskless)
    server = await asyncio.get_running_loop().create_server(door.connect, "127.0.0.1", 0)
    visited = House(app, door, server.sockets[0].getsockname())
    try:
        yield visited
    finally:
        app.let_go.set()
        visited.close()
        server.close()
        await door.close(0)


def in_loop(work: Coroutine[Any, Any, T], within_s: float = 20) -> T:
    """What it returns, run in a loop like that of a worker."""

    async def in_time() -> T:
        async with asyncio.timeout(within_s):
            return await work

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(in_time())
