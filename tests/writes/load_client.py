"""Many connections that act on relations at random, fast enough for the server to be what is slow.

Everything that a connection does follows from the seed and its number. What was asked and what came back is kept.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

from conftest import DEADLINE_S
from pair_history import ACTS, READ

Address = tuple[str, int]

MODIFY, BATCH, RELATION = "/x/relation/modify", "/x/relation/batch/modify", "/x/relation"
BATCH_ACTS = (1, 5)
_BATCH_MAX = 6
# Half of what happens does among these few, so that several are at one pair at a time.
_HOT = 5


class Reply(NamedTuple):
    """What came back."""

    status: int
    body: bytes

    @property
    def envelope(self) -> dict[str, Any]:
        """The body, which must be an object."""
        envelope = json.loads(self.body)
        assert isinstance(envelope, dict), self
        return envelope


class Connection(asyncio.Protocol):
    """A connection that is kept, with one request in flight at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[Reply] | None = None
        self._lost = False

    @classmethod
    async def open(cls, address: Address) -> Self:
        """Connect. Raises OSError."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, *address)
        return connection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0 or self._answer is None:
            return
        head = bytes(self._received[:head_end]).lower()
        _, _, length = head.partition(b"\r\ncontent-length:")
        end = head_end + 4 + int(length.partition(b"\r\n")[0])
        if len(self._received) >= end:
            reply = Reply(int(head[9:12]), bytes(self._received[head_end + 4 : end]))
            del self._received[:end]
            if not self._answer.done():
                self._answer.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"no reply: {error}"))

    @property
    def port(self) -> int:
        """The client's end."""
        return int(self._transport.get_extra_info("sockname")[1])

    async def ask(self, request: bytes) -> Reply:
        """The reply to one request. Raises ConnectionError if there is none, or only a part of one."""
        if self._lost:
            raise ConnectionError("closed before the request")
        assert not self._received, bytes(self._received)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._answer
        finally:
            self._answer = None


def token_of(mid: int) -> str:
    """The token that an account presents."""
    return f"load-token-of-{mid}"


def get_request(path: str, viewer: int, **parameters: object) -> bytes:
    """A read of an account."""
    target = f"{path}?{urlencode(parameters)}"
    return f"GET {target} HTTP/1.1\r\nhost: load\r\nauthorization: Bearer {token_of(viewer)}\r\n\r\n".encode()


def post_request(path: str, viewer: int, **parameters: object) -> bytes:
    """A write of an account."""
    body = urlencode(parameters)
    return (
        f"POST {path} HTTP/1.1\r\nhost: load\r\nauthorization: Bearer {token_of(viewer)}\r\n"
        f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Wanted(NamedTuple):
    """Something to ask: an act of `viewer` on one account, on several, or a read of one relation."""

    viewer: int
    fids: tuple[int, ...]
    act: int
    batch: bool = False

    def request(self) -> bytes:
        """The bytes to send."""
        if self.act == READ:
            return get_request(RELATION, self.viewer, fid=self.fids[0])
        if self.batch:
            return post_request(BATCH, self.viewer, fids=",".join(map(str, self.fids)), act=self.act)
        return post_request(MODIFY, self.viewer, fid=self.fids[0], act=self.act)


class Asked(NamedTuple):
    """What was asked, when, and what came back; no reply if the connection broke."""

    wanted: Wanted
    started_ns: int
    ended_ns: int
    reply: Reply | None


class Load:
    """Connections that act at random on accounts until `go_on` says no or the server is gone.

    `on_write` is called with the number of replies to writes so far, after each.
    """

    def __init__(self, mids: Sequence[int], seed: int, on_write: Callable[[int], None] | None = None) -> None:
        self.asked: list[Asked] = []
        self.broken = 0
        self._mids = mids
        self._seed = seed
        self._on_write = on_write
        self._writes = 0

    async def run(self, address: Address, connections: int, go_on: Callable[[], bool] = lambda: True) -> None:
        """Connect all, then let all begin at once."""
        opened = [await Connection.open(address) for _ in range(connections)]
        async with asyncio.TaskGroup() as tasks:
            for number, connection in enumerate(opened):
                tasks.create_task(self._ask(connection, random.Random(f"{self._seed}/{number}"), go_on))

    async def _ask(self, connection: Connection, chance: random.Random, go_on: Callable[[], bool]) -> None:
        async with connection:
            while go_on():
                wanted = self._draw(chance)
                request = wanted.request()
                started_ns = time.monotonic_ns()
                try:
                    reply = await connection.ask(request)
                except ConnectionError:
                    self.broken += 1
                    self.asked.append(Asked(wanted, started_ns, time.monotonic_ns(), None))
                    return
                self.asked.append(Asked(wanted, started_ns, time.monotonic_ns(), reply))
                if wanted.act != READ:
                    self._writes += 1
                    if self._on_write is not None:
                        self._on_write(self._writes)

    def _draw(self, chance: random.Random) -> Wanted:
        """An eighth are reads, a few are batches."""
        some = self._mids[:_HOT] if chance.random() < 0.5 else self._mids
        kind = chance.random()
        if kind < 0.05:
            viewer, *fids = chance.sample(self._mids, chance.randint(2, 1 + _BATCH_MAX))
            return Wanted(viewer, tuple(fids), chance.choice(BATCH_ACTS), batch=True)
        viewer, fid = chance.sample(some, 2)
        return Wanted(viewer, (fid,), READ if kind < 0.175 else chance.choice(ACTS))
