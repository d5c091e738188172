"""One connection to the server, kept: it sends a turn's requests one after another and counts the replies."""

import asyncio
import time
from typing import Protocol, cast

from load import LoadError

from workloads.tally import Tally
from workloads.turns import Turn
from workloads.wire import ReplyReader


class Owner(Protocol):
    """Who has connections and gives them turns. Instants are those of the monotonic clock."""

    tally: Tally

    def free(self, connection: "Connection", now: float) -> None:
        """The connection's turn has come to its end, and it may begin another."""
        ...

    def lost(self, connection: "Connection", was_busy: bool) -> None:
        """The server has closed the connection."""
        ...


class Connection(asyncio.Protocol):
    """A turn begins with `begin`; its owner is told when it has ended."""

    _transport: asyncio.Transport

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._reader = ReplyReader()
        self._turn: Turn | None = None
        self._place = 0
        self._due = self._since = 0.0
        self._is_good = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Opened."""
        self._transport = cast("asyncio.Transport", transport)

    def begin(self, turn: Turn, due: float) -> None:
        """Send the first request; its latency, and that of the whole turn, counts from the instant `due`."""
        self._turn = turn
        self._place = 0
        self._due = self._since = due
        self._is_good = True
        self._send(turn)

    def data_received(self, data: bytes) -> None:
        """A reply, or a part of one."""
        reply = self._reader.take(data)
        if reply is None:
            return
        now = time.monotonic()
        turn = self._turn
        if turn is None:
            raise LoadError("a reply that nobody asked for")
        ask = turn.asks[self._place]
        self._is_good &= self._owner.tally.count(ask, reply, now - self._since)
        if ask.settle is not None:
            ask.settle(reply.code)
        self._place += 1
        if self._place < len(turn.asks):
            self._since = now
            self._send(turn)
            return
        if turn.whole is not None and self._is_good:
            self._owner.tally.wholes[turn.whole].append(now - self._due)
        self._turn = None
        self._owner.free(self, now)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the name is asyncio's
        """Closed by either side."""
        was_busy = self._turn is not None
        self.fail("connection lost")
        self._owner.lost(self, was_busy)

    def fail(self, why: str) -> None:
        """Count the request under way, if there is one, as failed."""
        if self._turn is not None:
            self._owner.tally.errors[self._turn.asks[self._place].name, why] += 1
            self._turn = None

    def close(self) -> None:
        """Close it; a request under way is given up."""
        self._turn = None
        self._transport.abort()

    def _send(self, turn: Turn) -> None:
        self._transport.write(turn.asks[self._place].request)
