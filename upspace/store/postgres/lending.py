"""Connections to one server, each lent to one user at a time.

asyncpg's own pool makes a task, two bounds in time and another turn of the loop of each time that a connection is lent,
which is a third of what a gathered lookup takes. Here one that is at hand is lent and given back by plain calls.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Connections:
    """At most `most` connections, opened by `connect` when they are needed, and kept.

    The one that was used last is lent first. Who finds none waits, first come, first served.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]], most: int) -> None:
        self._connect = connect
        self._most = most
        self._places = asyncio.Semaphore(most)
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        self._unwanted: set[Connection] = set()
        self._closed = False

    @asynccontextmanager
    async def one(self, timeout_s: float) -> AsyncIterator[Connection]:
        """A connection for as long as the context lasts. Raises as `lend`.

        If its user is cancelled it is ended: the server may still be at work, and asyncpg does not know whether a
        transaction that was about to begin has begun.
        """
        connection = await self.lend(timeout_s)
        try:
            yield connection
        except asyncio.CancelledError:
            connection.terminate()
            raise
        finally:
            self.give_back(connection)

    async def lend(self, timeout_s: float) -> Connection:
        """A connection, to be given back. Raises TimeoutError, and what asyncpg does when it cannot connect.

        One that is at hand is lent without a turn of the loop.
        """
        self._check_open()
        if self._places.locked():
            async with asyncio.timeout(timeout_s):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            self._check_open()
            connection = self._take_idle() or await self._connect()
            if self._closed:
                connection.terminate()
            self._check_open()
        except BaseException:
            self._places.release()
            raise
        self._lent.add(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Take a connection back. It is kept if nothing is left of what it was used for."""
        self._lent.discard(connection)
        if connection.is_closed() or connection in self._unwanted or connection.is_in_transaction():
            self._unwanted.discard(connection)
            connection.terminate()
        else:
            self._idle.append(connection)
        self._places.release()

    def renew(self) -> None:
        """Let go of all that are open, those in use when they are given back: the next ones may lead elsewhere."""
        self._unwanted |= self._lent
        while self._idle:
            self._idle.pop().terminate()

    async def close(self) -> None:
        """Close all, those in use when they are given back; nothing is lent any more."""
        if self._closed:
            return
        self._closed = True
        for _ in range(self._most):
            await self._places.acquire()
        while self._idle:
            await self._idle.pop().close()

    def terminate(self) -> None:
        """End all at once, whatever they are used for."""
        self._closed = True
        for connection in (*self._idle, *self._lent):
            connection.terminate()
        self._idle.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise asyncpg.InterfaceError("the store is closed")

    def _take_idle(self) -> "Connection | None":
        """One that is open, if there is any. A server that ends closes those that nobody uses, too."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            connection.terminate()
        return None
