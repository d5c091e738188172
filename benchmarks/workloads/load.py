"""Sends turns over connections that are kept, closed loop or open loop, and counts what comes of them.

Closed loop: each connection begins its next turn when the last one is answered. Open loop: turns are due at instants of
a schedule, whatever the server does; a turn that is due while all connections are busy waits for one of them. Latency
counts from the instant that a turn was due, so that waiting is part of it.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Iterator
from itertools import accumulate, count
from random import Random
from typing import NamedTuple

import uvloop
from load import LoadError

from workloads.alarm import Alarm
from workloads.connection import Connection
from workloads.source import Source
from workloads.tally import Tally

_DRAIN_S = 30.0
"""What is under way at the end of the time is waited for so long."""


class Shape(NamedTuple):
    """How load is made. `rate` is turns a second in the open loop, None in the closed one; `port` is on 127.0.0.1."""

    port: int
    connections: int
    seconds: float
    rate: float | None = None
    is_poisson: bool = True


def run_load(shape: Shape, source: Source, random: Random) -> Tally:
    """Send for so many seconds, or until the source has no more, then wait for what is under way. Raises LoadError."""
    # What exists by now stays: to look through it again and again would cost milliseconds each time.
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(shape, source, random))
    finally:
        gc.enable()


async def _run(shape: Shape, source: Source, random: Random) -> Tally:
    load = (
        _Closed(shape, source)
        if shape.rate is None
        else _Open(shape, source, _schedule(shape.rate, shape.is_poisson, random))
    )
    # An error in a callback shall end the run, not be a line in a log.
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: load.fail(context.get("exception") or LoadError(context["message"]))
    )
    try:
        await load.connect()
        used, began = time.process_time(), time.monotonic()
        load.start(began)
        try:
            async with asyncio.timeout(shape.seconds + _DRAIN_S):
                await load.done
        except TimeoutError:
            load.give_up()
        load.tally.elapsed_s = time.monotonic() - began
        load.tally.busy = (time.process_time() - used) / load.tally.elapsed_s
    finally:
        load.close()
    return load.tally


def _schedule(rate: float, is_poisson: bool, random: Random) -> Iterator[float]:
    """Seconds from the start at which turns are due, without end: a Poisson process, or evenly."""
    if not is_poisson:
        return (number / rate for number in count())
    return accumulate(random.expovariate(rate) for _ in count())


class _Load:
    """The connections, and what both loops have in common. `done` is set when all is over and answered."""

    def __init__(self, shape: Shape, source: Source) -> None:
        self.tally = Tally()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shape = shape
        self._source = source
        self._connections: list[Connection] = []
        self._idle: deque[Connection] = deque()
        self._end = 0.0
        self._replacing: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Open all connections. Raises LoadError."""
        for _ in range(self._shape.connections):
            self._idle.append(await self._connected())

    def start(self, now: float) -> None:
        """Begin, at this instant."""
        self._end = now + self._shape.seconds

    def free(self, connection: Connection, now: float) -> None:
        """See `Owner`."""
        raise NotImplementedError

    def begin(self, connection: Connection, due: float) -> None:
        """Give a connection the next turn; if there is none, the end has come."""
        turn = self._source.next_turn()
        if turn is None:
            self._end = due
            self.rest(connection, due)
        else:
            connection.begin(turn, due)

    def rest(self, connection: Connection, now: float) -> None:
        """Let a connection wait for work that may come."""
        self._idle.append(connection)
        self.finish_if_idle(now)

    def finish_if_idle(self, now: float) -> None:
        """Be done, if the time is over and nothing is under way."""
        if now >= self._end and len(self._idle) == self._shape.connections and not self.done.done():
            self.done.set_result(None)

    def lost(self, connection: Connection, was_busy: bool) -> None:
        """Another one takes its place. See `Owner`."""
        if self.done.done():
            return
        self._connections.remove(connection)
        if not was_busy:
            self._idle.remove(connection)
        task = asyncio.get_running_loop().create_task(self._replace())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    def fail(self, error: BaseException) -> None:
        """End the run with an error."""
        if not self.done.done():
            self.done.set_exception(error)

    def give_up(self) -> None:
        """Count what is not answered by now as failed."""
        for connection in self._connections:
            connection.fail("unanswered")

    def close(self) -> None:
        """Close all connections."""
        self.done.cancel()
        for connection in self._connections:
            connection.close()

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._shape.port)
        except OSError as error:
            raise LoadError(f"the server takes no connections: {error}") from error
        self._connections.append(connection)
        return connection

    async def _replace(self) -> None:
        try:
            self.free(await self._connected(), time.monotonic())
        except LoadError as error:
            self.fail(error)


class _Closed(_Load):
    """Each connection has a turn under way until the time is over."""

    def start(self, now: float) -> None:
        super().start(now)
        for _ in range(len(self._idle)):
            self.begin(self._idle.popleft(), now)

    def free(self, connection: Connection, now: float) -> None:
        if now < self._end:
            self.begin(connection, now)
        else:
            self.rest(connection, now)


class _Open(_Load):
    """Turns begin when they are due, or as soon after as a connection is free."""

    def __init__(self, shape: Shape, source: Source, schedule: Iterator[float]) -> None:
        super().__init__(shape, source)
        self._schedule = schedule
        self._began = self._next = 0.0
        self._waiting: deque[float] = deque()
        self._alarm = Alarm(asyncio.get_running_loop(), self._ring)

    def start(self, now: float) -> None:
        super().start(now)
        self._began = now
        self._next = now + next(self._schedule)
        self._ring()

    def free(self, connection: Connection, now: float) -> None:
        if self._waiting:
            self.begin(connection, self._waiting.popleft())
        else:
            self.rest(connection, now)

    def give_up(self) -> None:
        super().give_up()
        if self._waiting:
            self.tally.errors["all", "never sent"] += len(self._waiting)

    def close(self) -> None:
        self._alarm.close()
        super().close()

    def _ring(self) -> None:
        """Begin what is due by now, and set the alarm to what comes next."""
        now = time.monotonic()
        while self._next <= now and self._next < self._end:
            if self._idle:
                self.begin(self._idle.popleft(), self._next)
            else:
                self._waiting.append(self._next)
            self._next = self._began + next(self._schedule)
        if now < self._end:
            self._alarm.set(min(self._next, self._end))
        else:
            self.finish_if_idle(now)
