"""Connections to PostgreSQL, with bounds in time and number, and asyncpg's errors in the words of the interface."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar

import asyncpg

from upspace.store.interface import StoreError, StoreMissingError, StoreTimeoutError, StoreUnavailableError
from upspace.store.postgres import lending
from upspace.store.urls import without_password

T = TypeVar("T")

Record: TypeAlias = asyncpg.Record
Connection: TypeAlias = lending.Connection

PACKAGE = "upspace.store.postgres"

# A statement is planned for all values, and anew after so long. What is planned while a table has some dozens of rows
# reads all of it; the server itself looks at how it has grown once a minute, and until then a group of follows takes
# fifty times as long.
_PLANNED_FOR_S = 10

# What a query that was under way says when the server stops or the network fails, and what the next one meets.
_LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
# A server that was demoted while connections to it were open: a new one may lead to its successor.
_DEMOTED = (asyncpg.ReadOnlySQLTransactionError,)
_LATE = (
    TimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)

FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Everything that asyncpg raises when it cannot do what it was asked for; a time that is over is an OSError."""

_HOPELESS = (
    *_LOST,
    *_DEMOTED,
    *_LATE,
    asyncpg.InternalClientError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
)

CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""What may go well if it is tried again: nothing has been changed, and others were in the way."""


class Database:
    """Connections to one server, at most `connections`, each use of one taking at most `timeout_s` seconds.

    They belong to the event loop in which they were opened. One that has been lost is opened anew when it is needed.
    """

    def __init__(self, url: str, *, connections: int, timeout_s: float) -> None:
        """The database at `url`, not reached yet."""
        self.url = url
        self.timeout_s = timeout_s
        self._connections = lending.Connections(partial(_connect, url, timeout_s), connections)
        self._writing = asyncio.Semaphore(max(1, connections // 2))

    @classmethod
    async def connect(cls, url: str, *, connections: int, timeout_s: float) -> "Database":
        """The database at `url`. Raises StoreMissingError, StoreUnavailableError or StoreTimeoutError."""
        database = cls(url, connections=connections, timeout_s=timeout_s)
        try:
            await database._reach()
        except BaseException:
            await database.close()
            raise
        return database

    async def _reach(self) -> None:
        """Connect for the first time."""
        with connecting(self.url):
            async with self._connections.one(self.timeout_s):
                pass

    async def close(self) -> None:
        """Give back every connection, those in use when they are done or the time is over."""
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._connections.close()
        except FAULTS:
            pass
        finally:
            self._connections.terminate()

    async def fetch(self, query: str, *values: Any) -> list[Record]:
        """The rows of a read. It is asked once more if the connection is lost meanwhile: that changes nothing."""
        return await self.read(lambda connection: connection.fetch(query, *values))

    async def row(self, query: str, *values: Any) -> Record | None:
        """The one row of a read, or None; otherwise as `fetch`."""
        return await self.read(lambda connection: connection.fetchrow(query, *values))

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What `work` reads. Raises StoreUnavailableError or StoreTimeoutError."""
        return await in_task(self._read(work))

    async def _read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            try:
                return await self._within_time(work)
            except _LOST as error:
                # A time that is over is an OSError as well.
                if isinstance(error, TimeoutError):
                    raise
                return await self._within_time(work)
        except FAULTS as error:
            raise translate(self.url, error) from error

    async def write(self, work: Callable[[Connection], Awaitable[T]], times: float = 1) -> T:
        """Run `work` in a transaction, which is committed when this returns. Raises what `work` and asyncpg raise.

        It may take so many `times` as long as anything else. Writes leave half of the connections to reads.
        """

        async def in_transaction(connection: Connection) -> T:
            async with _transaction(connection):
                if times != 1:
                    await connection.execute(_within(times * self.timeout_s))
                return await work(connection)

        async with self._place_to_write():
            try:
                return await self._within_time(in_transaction, times)
            except _DEMOTED:
                self._connections.renew()
                raise

    async def write_long(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """As `write`, without a bound but for locks, for one who waits for it and may interrupt it."""
        async with (
            self._place_to_write(),
            self._connections.one(self.timeout_s) as connection,
            _transaction(connection),
        ):
            await connection.execute(_within(0))
            return await work(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A connection that reads what is stored at one moment, for as long as it takes. Raises as `read`."""
        try:
            async with (
                self._connections.one(self.timeout_s) as connection,
                _transaction(connection, isolation="repeatable_read", readonly=True),
            ):
                await connection.execute(_within(0))
                yield connection
        except FAULTS as error:
            raise translate(self.url, error) from error

    @asynccontextmanager
    async def _place_to_write(self) -> AsyncIterator[None]:
        async with asyncio.timeout(self.timeout_s):
            await self._writing.acquire()
        try:
            yield
        finally:
            self._writing.release()

    async def _within_time(self, work: Callable[[Connection], Awaitable[T]], times: float = 1) -> T:
        """Do `work` with a connection, which is ended if the time is over.

        Asking a server that does not answer to stop, or to take a transaction back, could take for ever as well.
        """
        loop = asyncio.get_running_loop()
        async with self._connections.one(self.timeout_s) as connection:
            until = loop.time() + times * self.timeout_s
            timer = loop.call_at(until, connection.terminate)
            try:
                return await work(connection)
            except FAULTS as error:
                if loop.time() >= until:
                    raise TimeoutError from error
                raise
            finally:
                timer.cancel()


async def in_task(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns, done in a task: bounds of time need one, and replies are made without."""
    if asyncio.current_task() is not None:
        return await work
    done: T = await asyncio.create_task(work)
    return done


@asynccontextmanager
async def _transaction(connection: Connection, **options: Any) -> AsyncIterator[None]:
    """A transaction, committed at the end of the context. The connection is ended unless it has surely begun.

    asyncpg would take the next one for a part of it, and commit nothing.
    """
    transaction = connection.transaction(**options)
    try:
        await transaction.start()
    except BaseException:
        connection.terminate()
        raise
    try:
        yield
    except BaseException:
        await transaction.rollback()
        raise
    await transaction.commit()


@contextmanager
def connecting(url: str) -> Iterator[None]:
    """While connecting to `url`: raises as `Database.connect`, whatever asyncpg makes of the URL."""
    try:
        yield
    except FAULTS as error:
        raise translate(url, error) from error
    except (ValueError, OverflowError):
        # What it says of a URL that is none may quote a part of the password.
        raise StoreUnavailableError(
            f"{without_password(url)} is not a URL of PostgreSQL: use postgresql://user:password@host:port/database, "
            "with %40, %3A, %2F for @ : / in a password"
        ) from None


def mapping(rows: Iterable[Record]) -> dict[Any, Any]:
    """Rows of two columns, the second by the first."""
    return {key: value for key, value in rows}  # noqa: C416  # a record is no tuple, so dict() refuses it


def is_held_up(error: BaseException) -> bool:
    """Whether the server answers, but others were in the way for too long, or too much was asked for."""
    return isinstance(error, (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, *CONFLICTS))


def is_hopeless(error: BaseException) -> bool:
    """Whether trying each write of a failed group on its own would not help either."""
    # A value that cannot be sent is an InterfaceError as well, and one write's own.
    return isinstance(error, _HOPELESS) and not isinstance(error, asyncpg.DataError)


def translate(url: str, error: BaseException) -> StoreError:
    """The error of the interface that stands for an error of asyncpg."""
    shown = without_password(url)
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return StoreMissingError(f"{shown}: there is no such database: create it first (createdb)")
    if isinstance(error, _LATE):
        return StoreTimeoutError(f"{shown}: {_first_line(str(error)) or 'no answer in time'}")
    if isinstance(error, OSError) and error.strerror:
        return StoreUnavailableError(f"{shown}: {error.strerror}")
    return StoreUnavailableError(f"{shown}: {_first_line(str(error)) or type(error).__name__}")


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _session(timeout_s: float) -> dict[str, str]:
    """The settings of every session.

    A server ends by itself what a client that hangs or is gone has left behind, and a little before the client gives
    up: then the connection can be used again.
    """
    bound_ms = str(max(1, int(timeout_s * 900)))
    return {
        "application_name": "upspace",
        "statement_timeout": bound_ms,
        "lock_timeout": bound_ms,
        "idle_in_transaction_session_timeout": bound_ms,
        # Compiling takes longer than any of our statements.
        "jit": "off",
        # Each statement has one plan that is good for every owner: rows by an index, in its order. For the average
        # owner, of whom statistics tell, sorting all rows or going through all of them again and again is as good.
        "enable_seqscan": "off",
        "enable_sort": "off",
        "enable_material": "off",
    }


def _within(bound_s: float) -> str:
    """Sets the bounds that the server keeps for the rest of a transaction, but for locks; 0 is none."""
    bound_ms = int(bound_s * 900)
    return f"set local statement_timeout = {bound_ms}; set local idle_in_transaction_session_timeout = {bound_ms}"


async def _connect(url: str, timeout_s: float) -> Connection:
    """A new connection, within the time. Raises what asyncpg does."""
    async with asyncio.timeout(timeout_s):
        connection = await asyncpg.connect(
            url,
            timeout=timeout_s,
            max_cached_statement_lifetime=_PLANNED_FOR_S,
            server_settings=_session(timeout_s),
        )
        try:
            await _plan_once(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _plan_once(connection: Connection) -> None:
    """Have statements planned for all values: no plan of ours depends on them, and planning takes longer than the rest.

    Not on a Citus cluster. It plans what goes to several nodes for given values only, and fails where it must not.
    """
    await connection.execute(
        "select set_config('plan_cache_mode', 'force_generic_plan', false)"
        " where to_regclass('pg_dist_partition') is null"
    )
