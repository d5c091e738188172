"""The rows of a store as they are, read and changed behind its back, in SQL that every engine understands."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any, Protocol

import apsw
import asyncpg

from upspace.store.tables import TABLES

SQLITE = "sqlite:///"

_BINARY = re.compile(r"(?<!')x'")

Rows = list[tuple[Any, ...]]


class Raw(Protocol):
    """A connection of its own, which waits for no lock."""

    async def execute(self, sql: str) -> None:
        """Execute statements; a binary value in them is x'77'."""
        ...

    async def fetch(self, sql: str) -> Rows:
        """The rows of one statement."""
        ...


class SqliteRaw:
    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    async def execute(self, sql: str) -> None:
        self._db.execute(sql)

    async def fetch(self, sql: str) -> Rows:
        return list(self._db.execute(sql))


class PostgresRaw:
    def __init__(self, db: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._db = db

    async def execute(self, sql: str) -> None:
        await self._db.execute(_BINARY.sub(r"'\\x", sql))

    async def fetch(self, sql: str) -> Rows:
        return [tuple(row) for row in await self._db.fetch(sql)]


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[Raw]:
    """A connection to the store in a file or on a server."""
    if url.startswith(SQLITE):
        with closing(apsw.Connection(url.removeprefix(SQLITE))) as db:
            # What is lost with the machine may be lost with the test.
            db.execute("pragma synchronous = off")
            yield SqliteRaw(db)
        return
    connection = await asyncpg.connect(url, server_settings={"lock_timeout": "100"})
    try:
        yield PostgresRaw(connection)
    finally:
        await connection.close()


async def until_it_waits(url: str, task: "asyncio.Task[Any]") -> None:
    """Return when a task waits for a lock in a database of PostgreSQL, or is done without."""
    # A lock of a row is waited for as one of the transaction that holds it, which belongs to no database.
    waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with raw(url) as rows:
        while not task.done() and not await rows.fetch(waiting):
            await rows.fetch("select pg_sleep(0.01)")


async def read_facts(source: Raw) -> dict[str, Rows]:
    """Every fact, by table."""
    rows = await read_tables(source)
    del rows["mark"]
    return rows


async def read_tables(source: Raw) -> dict[str, Rows]:
    """Every row that is moved, by table."""
    return {
        table.name: sorted(
            await source.fetch(f"select {', '.join(table.names)} from {table.name}"),  # noqa: S608  # names of ours
            key=repr,
        )
        for table in TABLES
    }


def execute(url: str, sql: str) -> None:
    """Change facts. Not within a running event loop."""

    async def change() -> None:
        async with raw(url) as connection:
            await connection.execute(sql)

    asyncio.run(change())


def query(url: str, sql: str) -> Rows:
    """The rows of a statement. Not within a running event loop."""

    async def read() -> Rows:
        async with raw(url) as connection:
            return await connection.fetch(sql)

    return asyncio.run(read())


def dump(url: str) -> dict[str, Rows]:
    """Every fact, by table. Not within a running event loop."""

    async def read() -> dict[str, Rows]:
        async with raw(url) as connection:
            return await read_facts(connection)

    return asyncio.run(read())
