"""Reading and writing the pairs of a group of writes, inside its transaction: a fixed number of statements."""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any

from upspace.model import Relation, Standing
from upspace.store.difference import Difference, Place, difference
from upspace.store.ledger import Key, Ledger
from upspace.store.postgres.combined import at_once, parameters
from upspace.store.postgres.connection import PACKAGE, Connection, Record
from upspace.store.queries import read_queries
from upspace.store.rows import read_relation, read_standing

QUERIES = read_queries(PACKAGE)

# What writes each part of a difference, in the order of `_rows_in_order`.
_DIFFERENCE = (
    "remove_followers",
    "remove_relations",
    "put_relations",
    "put_followers",
    "remove_grouped",
    "put_grouped",
)
_GROUP = (*_DIFFERENCE, "put_counters")
_WRITE_GROUP = at_once([QUERIES[name] for name in _GROUP])


async def lock_rows_txn(db: Connection, mids: Iterable[int], *, distributed: bool) -> list[Record]:
    """The rows of the standings of these accounts, locked in the order of their mids until the end of the transaction.

    Whoever changes a pair holds both its rows, and all take them in one order, so none waits for another in a circle.
    A cluster locks rows of several nodes one at a time only.
    """
    ordered = sorted(set(mids))
    if not distributed:
        return await db.fetch(QUERIES["lock_standings"], ordered)
    rows = [await db.fetchrow(QUERIES["lock_standing"], mid) for mid in ordered]
    return [row for row in rows if row is not None]


async def lock_standings_txn(db: Connection, mids: Iterable[int], *, distributed: bool) -> dict[int, Standing]:
    """The standings of these accounts, locked as by `lock_rows_txn`."""
    return {row[0]: read_standing(row) for row in await lock_rows_txn(db, mids, distributed=distributed)}


async def standings_txn(db: Connection, mids: Collection[int]) -> dict[int, Standing]:
    """The standings of these accounts, one query for all."""
    rows = await db.fetch(QUERIES["standings"], list(mids))
    return {row[0]: read_standing(row) for row in rows}


async def read_relations_txn(db: Connection, keys: Collection[Key]) -> dict[Key, Relation]:
    """The relations with these owners and others, one query for all."""
    return relations_of(await db.fetch(QUERIES["relations"], *columns(sorted(keys)))) if keys else {}


def relations_of(rows: Iterable[Record]) -> dict[Key, Relation]:
    """What the query `relations` returns: a row for each group of a relation, or one with a null."""
    columns: dict[Key, tuple[Any, ...]] = {}
    groups: dict[Key, list[int]] = {}
    for owner, other, attribute, mutual, mtime, re_src, group_id in rows:
        columns[owner, other] = (other, attribute, mutual, mtime, re_src)
        if group_id is not None:
            groups.setdefault((owner, other), []).append(group_id)
    return {key: read_relation(key[0], row, groups.get(key, ())) for key, row in columns.items()}


async def open_ledger_txn(db: Connection, pairs: Collection[Key], *, distributed: bool) -> Ledger:
    """A ledger with both accounts and both directions of each pair, which nobody else changes meanwhile."""
    keys = {key for owner, other in pairs for key in ((owner, other), (other, owner))}
    standings = await lock_standings_txn(db, (owner for owner, _ in keys), distributed=distributed)
    return Ledger(standings, await read_relations_txn(db, keys))


async def write_ledger_txn(db: Connection, ledger: Ledger, *, distributed: bool) -> None:
    """Write what differs: all of it by one statement, or by one for each table on a cluster."""
    rows = difference(ledger.changed_relations())
    counters = sorted((of.mid, of.following, of.whisper, of.black, of.follower) for of in ledger.changed_standings())
    if distributed:
        await write_difference_txn(db, rows)
        await execute(db, "put_counters", counters)
    elif counters or any(rows):
        parts = zip(_GROUP, (*_rows_in_order(rows), counters), strict=True)
        values = (columns(given) or [()] * parameters(QUERIES[name]) for name, given in parts)
        await db.execute(_WRITE_GROUP, *chain.from_iterable(values))
    # A counter that was imported may already be at its end, while the list behind it has changed.
    owners = {owner for owner, *_ in (*rows.put_relations, *rows.lost_relations)}
    await mark_written_txn(db, owners.difference(row[0] for row in counters))


async def write_difference_txn(db: Connection, rows: Difference) -> None:
    """Write relations, lists of followers and places in groups."""
    for name, given in zip(_DIFFERENCE, _rows_in_order(rows), strict=True):
        await execute(db, name, given)


async def write_members_txn(db: Connection, lost: Sequence[Place], won: Sequence[Place]) -> None:
    """Take accounts out of groups, and put them into others."""
    await execute(db, "remove_grouped", lost)
    await execute(db, "put_grouped", won)


async def mark_written_txn(db: Connection, mids: Collection[int]) -> None:
    """Note that something of these accounts has been written, for whoever reads from a replica."""
    if mids:
        await db.execute(QUERIES["mark_written"], sorted(mids))


def _rows_in_order(rows: Difference) -> tuple[Sequence[tuple[Any, ...]], ...]:
    return (
        rows.lost_followers,
        rows.lost_relations,
        rows.put_relations,
        rows.won_followers,
        rows.lost_places,
        rows.won_places,
    )


async def execute(db: Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Execute a statement that takes many rows at once, as one array a column. Without rows there is nothing to do."""
    if rows:
        await db.execute(QUERIES[name], *columns(rows))


def columns(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows turned: one array a column."""
    return list(zip(*rows, strict=True))
