"""Reading and writing all that a file holds, for a move from one store to another."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from itertools import islice
from typing import TypeVar

import apsw

from upspace.store.interface import StoreError
from upspace.store.moving import ROWS_AT_ONCE
from upspace.store.sqlite.changes import note_changes_txn, note_owners_txn
from upspace.store.sqlite.connection import connect_existing, transaction, translated
from upspace.store.tables import Kind, Row, Table, converted, plain_zero

T = TypeVar("T")

_FLAGS = {0: False, 1: True}
_CONVERSIONS = {Kind.FLAG: _FLAGS.__getitem__, Kind.REAL: plain_zero}


@asynccontextmanager
async def read_from(url: str) -> AsyncIterator["Snapshot"]:
    """The file of `url` as it is now; others write meanwhile, into its log. Raises as `connect_existing`."""
    with translated(url), closing(connect_existing(url, writable=False)) as db, transaction(db, "begin"):
        yield Snapshot(url, db)


async def write_into(url: str, work: Callable[["Room"], Awaitable[T]]) -> T:
    """Do `work` in a transaction on the file of `url`, which is committed in the end. Raises what `work` raises.

    Through the log as ever: a rollback journal, or indexes that are built afterwards, would save one second in ten and
    keep those from the file who have it open.
    """
    with translated(url), closing(connect_existing(url, writable=True)) as db, transaction(db):
        return await work(Room(url, db))


class Snapshot:
    """See `upspace.store.moving.Source`."""

    def __init__(self, url: str, db: apsw.Connection) -> None:
        self.url = url
        self._db = db

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        with translated(self.url):
            rows: int = self._db.execute(f"select count(*) from {table.name}").get  # noqa: S608  # names of ours
        return rows

    async def batches(self, table: Table) -> AsyncGenerator[list[Row], None]:
        """The rows of a table in the order of its key."""
        query = f"select {', '.join(table.names)} from {table.name} order by {', '.join(table.key)}"  # noqa: S608  # as above
        with translated(self.url):
            cursor = self._db.execute(query)
            while rows := self._next_rows(cursor, table):
                yield rows

    def _next_rows(self, cursor: apsw.Cursor, table: Table) -> list[Row]:
        try:
            rows = list(islice(cursor, ROWS_AT_ONCE))
        except UnicodeDecodeError as error:
            raise StoreError(f"{self.url}: a text in the table {table.name} is not UTF-8: {error}") from error
        try:
            return converted(table, rows, _CONVERSIONS)
        except KeyError:
            raise StoreError(f"{self.url}: {_strange_flag(table, rows)}") from None

    async def highest_group_id(self) -> int:
        """The highest id that any group has ever had."""
        with translated(self.url):
            highest: int | None = self._db.execute("select seq from sqlite_sequence where name = 'own_group'").get
        return highest or 0


class Room(Snapshot):
    """See `upspace.store.moving.Target`."""

    async def put(self, table: Table, batches: AsyncIterator[list[Row]]) -> None:
        """Add rows."""
        marks = ", ".join("?" * len(table.columns))
        statement = f"insert into {table.name} ({', '.join(table.names)}) values ({marks})"  # noqa: S608  # names of ours
        async for rows in batches:
            with translated(self.url):
                self._db.executemany(statement, rows)

    async def finish(self, highest_group_id: int) -> None:
        """Go on where the source's ids end, and note that all accounts have changed."""
        highest = max(highest_group_id, await self.highest_group_id())
        with translated(self.url):
            self._db.execute("delete from sqlite_sequence where name = 'own_group'")
            self._db.execute("insert into sqlite_sequence values ('own_group', ?)", (highest,))
            note_changes_txn(self._db, (0,))
            note_owners_txn(self._db, None)


def _strange_flag(table: Table, rows: list[Row]) -> str:
    """The first flag that says neither yes nor no."""
    return next(
        f"{table.place(row)}: {column.name} is {value}, neither 0 nor 1"
        for row in rows
        for column, value in zip(table.columns, row, strict=True)
        if column.kind is Kind.FLAG and value not in _FLAGS
    )
