"""Carrying all that a store holds into another one, of whatever engine, and proving that it has arrived.

The source is read as it was at one moment, the target written in one transaction: all of it is there in the end, or
nothing. What is imported into an empty store goes the same way. Rows come in the order of their keys, some thousand at
a time, so memory is bounded however large a store is, and the target's trees grow at their right end.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from hashlib import blake2b
from typing import NamedTuple, Protocol

import msgspec

from upspace.store.interface import StoreError
from upspace.store.tables import TABLES, Row, Table

ROWS_AT_ONCE = 5_000
"""So many rows are in memory, of accounts with long decorations too."""

_encode = msgspec.msgpack.Encoder().encode


class Source(Protocol):
    """What a store holds at one moment, as long as it is open. `url` is how it may be shown."""

    url: str

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        ...

    def batches(self, table: Table) -> AsyncGenerator[list[Row], None]:
        """The rows of a table in the order of its key. Whoever does not read to the end closes the iterator."""
        ...

    async def highest_group_id(self) -> int:
        """The highest id that any group has ever had, those that are gone among them; 0 before the first."""
        ...


class Target(Source, Protocol):
    """A store in a transaction, in which nobody else writes meanwhile. It reads what has been put into it."""

    async def put(self, table: Table, batches: AsyncIterator[list[Row]]) -> None:
        """Add rows. Raises StoreError that names a row which this engine cannot hold."""
        ...

    async def finish(self, highest_group_id: int) -> None:
        """Give no group an id up to this one ever again, and tell caches that all accounts have changed."""
        ...


class Watch(Protocol):
    """Is told how far it has come; in a move, reading back what was written is the second half of it."""

    def __call__(self, what: str, done: int, total: int, /) -> None:
        """So many rows of so many are done."""
        ...


class Moved(NamedTuple):
    """What a table holds. The checksum is that of its rows in their order, the same in every engine."""

    table: str
    rows: int
    checksum: str


async def carry(source: Source, target: Target, watch: Watch) -> list[Moved]:
    """Put everything of the source into the target, read it back and compare. The caller commits.

    Raises StoreError if there is something in the target, if it cannot hold a row, or if what it holds then differs.
    """
    await _check_empty(target)
    way = _Way(watch, 2 * await _count(source))
    moved = []
    for table in TABLES:
        tally = _Tally(table)
        await _put(source, target, table, tally, way)
        moved.append(tally.moved())
    await target.finish(await source.highest_group_id())
    for given, stored in zip(moved, await _read(target, way, "verifying"), strict=True):
        if stored != given:
            raise StoreError(f"{target.url}: nothing was moved: {_difference(given, stored)}")
    return moved


async def fill(source: Source, target: Target, watch: Watch) -> None:
    """Put everything of the source into the target. The caller commits.

    Raises StoreError if there is something in the target, or if it cannot hold a row.
    """
    await _check_empty(target)
    way = _Way(watch, await _count(source))
    for table in TABLES:
        await _put(source, target, table, None, way)
    await target.finish(await source.highest_group_id())


async def summed_up(source: Source, watch: Watch) -> list[Moved]:
    """What each table of the source holds."""
    return await _read(source, _Way(watch, await _count(source)), "reading")


async def _count(source: Source) -> int:
    return sum([await source.count(table) for table in TABLES])


async def _put(source: Source, target: Target, table: Table, tally: "_Tally | None", way: "_Way") -> None:
    async with (
        aclosing(source.batches(table)) as batches,
        aclosing(_passing(batches, tally, way, f"writing {table.name}")) as passing,
    ):
        await target.put(table, passing)


async def _read(source: Source, way: "_Way", what: str) -> list[Moved]:
    found = []
    for table in TABLES:
        tally = _Tally(table)
        async with (
            aclosing(source.batches(table)) as batches,
            aclosing(_passing(batches, tally, way, f"{what} {table.name}")) as passing,
        ):
            async for _ in passing:
                pass
        found.append(tally.moved())
    return found


async def _check_empty(target: Target) -> None:
    for table in TABLES:
        if rows := await target.count(table):
            held = "accounts" if table.name == "standing" else f"rows in the table {table.name}"
            raise StoreError(f"{target.url} is not empty, as it has to be: it holds {held} ({rows:,})")


class _Way:
    """How far it is, over all tables."""

    def __init__(self, watch: Watch, total: int) -> None:
        self._watch = watch
        self._total = total
        self._done = 0

    def went(self, what: str, rows: int) -> None:
        self._done += rows
        self._watch(what, self._done, self._total)


class _Tally:
    """Counts and sums up the rows of a table that pass by, however they are parted."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows = 0
        self._checksum = blake2b(digest_size=8)

    def add(self, rows: list[Row]) -> None:
        self._rows += len(rows)
        self._checksum.update(b"".join(map(_encode, rows)))

    def moved(self) -> Moved:
        return Moved(self._table.name, self._rows, self._checksum.hexdigest())


async def _passing(
    batches: AsyncIterator[list[Row]], tally: _Tally | None, way: _Way, what: str
) -> AsyncGenerator[list[Row], None]:
    """The same rows, tallied if there is a tally."""
    async for rows in batches:
        if tally is not None:
            tally.add(rows)
        yield rows
        way.went(what, len(rows))
        # An engine in this process never waits for anything, and an interruption is noticed only where something does.
        await asyncio.sleep(0)


def _difference(given: Moved, stored: Moved) -> str:
    return (
        f"{given.rows:,} rows with checksum {given.checksum} went into the table {given.table}, "
        f"but {stored.rows:,} with checksum {stored.checksum} came out"
    )
