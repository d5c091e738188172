"""Reading and writing all that a database holds, for a move from one store to another."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from upspace.store.interface import StoreError
from upspace.store.moving import ROWS_AT_ONCE
from upspace.store.postgres.bulk import WORTH_ANALYZING
from upspace.store.postgres.changes import note_changes_txn
from upspace.store.postgres.connection import FAULTS, Connection, Database, translate
from upspace.store.postgres.schema import check_schema
from upspace.store.tables import Kind, Row, Table, converted, plain_zero
from upspace.store.urls import without_password

T = TypeVar("T")

# For connecting and for locks; what moves takes as long as it takes.
_TIMEOUT_S = 10.0

# The counter has not been used before its first value is taken.
_HIGHEST_GROUP_ID = "select case when is_called then last_value else 0 end from own_group_id"

# For rows that lie in no order, sorting a whole table beats fetching each by its index, which is all that sessions do.
_WHOLE_TABLES = "set local enable_seqscan = on; set local enable_sort = on"


@asynccontextmanager
async def read_from(url: str) -> AsyncIterator["Snapshot"]:
    """The database at `url` as it is now; others write meanwhile. Raises as `upspace.store.open_store`."""
    database = await _connect(url)
    try:
        async with database.snapshot() as db:
            await db.execute(_WHOLE_TABLES)
            yield Snapshot(url, db)
    finally:
        await database.close()


async def write_into(url: str, work: Callable[["Room"], Awaitable[T]]) -> T:
    """Do `work` in a transaction on the database at `url`, which is committed in the end. Raises what `work` raises.

    Indexes are there while rows come: as these come in the order of the keys, building the indexes afterwards takes as
    long as it saves.
    """

    async def work_txn(db: Connection) -> T:
        # Nobody else writes meanwhile: every write holds a row of this table, or a lock on it.
        await db.execute("lock table standing in exclusive mode")
        await db.execute(_WHOLE_TABLES)
        return await work(Room(url, db))

    database = await _connect(url)
    try:
        return await database.write_long(work_txn)
    except FAULTS as error:
        raise translate(url, error) from error
    finally:
        await database.close()


class Snapshot:
    """See `upspace.store.moving.Source`."""

    def __init__(self, url: str, db: Connection) -> None:
        self.url = without_password(url)
        self._db = db

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        rows: int = await self._value(f"select count(*) from {table.name}")  # noqa: S608  # names of ours
        return rows

    async def batches(self, table: Table) -> AsyncGenerator[list[Row], None]:
        """The rows of a table in the order of its key, that of texts as of their bytes."""
        texts = {column.name for column in table.columns if column.kind is Kind.TEXT}
        order = ", ".join(f'{name} collate "C"' if name in texts else name for name in table.key)
        query = f"select {', '.join(table.names)} from {table.name} order by {order}"  # noqa: S608  # names of ours
        try:
            cursor = await self._db.cursor(query)
            while records := await cursor.fetch(ROWS_AT_ONCE):
                yield converted(table, records, {Kind.REAL: plain_zero})
        except FAULTS as error:
            raise translate(self.url, error) from error

    async def highest_group_id(self) -> int:
        """The highest id that any group has ever had."""
        highest: int = await self._value(_HIGHEST_GROUP_ID)
        return highest

    async def _value(self, query: str) -> Any:
        try:
            return await self._db.fetchval(query)
        except FAULTS as error:
            raise translate(self.url, error) from error


class Room(Snapshot):
    """See `upspace.store.moving.Target`."""

    def __init__(self, url: str, db: Connection) -> None:
        super().__init__(url, db)
        self._worth_analyzing: list[str] = []

    async def put(self, table: Table, batches: AsyncIterator[list[Row]]) -> None:
        """Add rows: one COPY for all, so that the server takes in some while others are made ready for it."""

        async def rows() -> AsyncGenerator[Row, None]:
            async for batch in batches:
                self._check_fits(table, batch)
                for row in batch:
                    yield row

        async with aclosing(rows()) as records:
            copied = await self._db.copy_records_to_table(table.name, columns=table.names, records=records)
        if int(copied.rpartition(" ")[2]) >= WORTH_ANALYZING:
            self._worth_analyzing.append(table.name)

    async def finish(self, highest_group_id: int) -> None:
        """Go on where the source's ids end, count what is there for plans, and note that all accounts have changed."""
        there = await self._value("select coalesce(max(id), 0) from own_group")
        highest = max(highest_group_id, there, await self.highest_group_id())
        if highest > 0:
            await self._db.execute("select setval('own_group_id', $1)", highest)
        if self._worth_analyzing:
            await self._db.execute(f"analyze {', '.join(self._worth_analyzing)}")
        await note_changes_txn(self._db, [0])

    def _check_fits(self, table: Table, rows: list[Row]) -> None:
        for index, column in enumerate(table.columns):
            is_unfit = _UNFIT.get(column.kind)
            if is_unfit is None:
                continue
            for row in rows:
                if is_unfit(row[index]):
                    why = f"its {column.name} {_reason(row[index])}"
                    raise StoreError(f"{self.url} cannot hold {table.place(row)}: {why}")


def _is_too_long(value: int) -> bool:
    return not -(2**31) <= value < 2**31


def _has_nul(value: str | None) -> bool:
    return value is not None and "\0" in value


_UNFIT: dict[Kind, Callable[[Any], bool]] = {Kind.NUMBER: _is_too_long, Kind.TEXT: _has_nul}


def _reason(value: int | str) -> str:
    if isinstance(value, str):
        return "has the character U+0000, which PostgreSQL does not know"
    return f"is {value}, for which 32 bits are not enough"


async def _connect(url: str) -> Database:
    database = await Database.connect(url, connections=1, timeout_s=_TIMEOUT_S)
    try:
        await database.read(lambda db: check_schema(url, db))
    except BaseException:
        await database.close()
        raise
    return database
