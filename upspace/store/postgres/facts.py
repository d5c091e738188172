"""Reading what a check compares: some rows of a table, and by key whatever has to agree with them."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

from upspace.store.disagreements import (
    AccountFacts,
    Disagreement,
    FollowerFacts,
    GroupFacts,
    Key,
    Known,
    MemberFacts,
    RelationFacts,
    StandingRow,
    Tokens,
    wrong_accounts,
    wrong_followers,
    wrong_groups,
    wrong_members,
    wrong_relations,
)
from upspace.store.postgres.connection import PACKAGE, Connection, Record, mapping
from upspace.store.postgres.counting import count_txn
from upspace.store.postgres.relations import QUERIES, columns
from upspace.store.queries import read_queries
from upspace.wire.codes import ATTRIBUTE_FOLLOWING

STATEMENTS = QUERIES | read_queries(PACKAGE, "check.sql")


class PagedTable(NamedTuple):
    """A table with many rows an account: how many columns its key has, and how to tell which of some rows are wrong."""

    name: str
    width: int
    judge_txn: Callable[[Connection, Sequence[Record]], Awaitable[list[Disagreement]]]


async def judge_accounts_txn(db: Connection, mids: Sequence[int]) -> list[Disagreement]:
    """What does not agree within these accounts."""
    standings = await standings_txn(db, mids)
    counted = [mid for mid, standing in standings.items() if standing.is_counted]
    return list(
        wrong_accounts(
            AccountFacts(
                mids,
                standings,
                await _mids_txn(db, "profiles", mids),
                await _mids_txn(db, "totals", mids),
                {mid: Tokens(*counts) for mid, *counts in await db.fetch(STATEMENTS["token_counts"], mids)},
                await count_txn(db, counted),
            )
        )
    )


async def standings_txn(db: Connection, mids: Collection[int]) -> dict[int, StandingRow]:
    """The standings as they are stored, which may be in a state that there is not."""
    return {row[0]: StandingRow(*row) for row in await db.fetch(STATEMENTS["standings"], list(mids))}


async def _judge_groups_txn(db: Connection, rows: Sequence[Record]) -> list[Disagreement]:
    return list(wrong_groups(GroupFacts(rows, await _known_txn(db, {owner for owner, _ in rows}))))


async def _judge_relations_txn(db: Connection, rows: Sequence[Record]) -> list[Disagreement]:
    mids = set()
    opposite, listed = [], []
    for owner, other, attribute, _, mtime in rows:
        mids.add(owner)
        mids.add(other)
        if attribute == ATTRIBUTE_FOLLOWING:
            listed.append((other, mtime, owner))
            opposite.append((other, owner))
    return list(
        wrong_relations(
            RelationFacts(
                rows,
                await _known_txn(db, mids),
                await _attributes_txn(db, opposite),
                await _keys_txn(db, "follower_rows", listed),
            )
        )
    )


async def _judge_followers_txn(db: Connection, rows: Sequence[Record]) -> list[Disagreement]:
    known = await _known_txn(db, {owner for owner, _, _ in rows})
    followed = await _keys_txn(db, "followed_rows", [tuple(row) for row in rows])
    return list(wrong_followers(FollowerFacts(rows, known, followed)))


async def _judge_members_txn(db: Connection, rows: Sequence[Record]) -> list[Disagreement]:
    attributes = await _attributes_txn(db, {(owner, other) for owner, other, _ in rows})
    groups = await _keys_txn(db, "own_group_rows", {(owner, group_id) for owner, _, group_id in rows})
    return list(wrong_members(MemberFacts(rows, attributes, groups)))


PAGED_TABLES = (
    PagedTable("own_group", 2, _judge_groups_txn),
    PagedTable("relation", 2, _judge_relations_txn),
    PagedTable("follower", 3, _judge_followers_txn),
    PagedTable("grouped", 3, _judge_members_txn),
)
_JUDGES = {table.name: table.judge_txn for table in PAGED_TABLES}


async def look_again_txn(db: Connection, found: Sequence[Disagreement]) -> list[Disagreement]:
    """Those of one table that still do not agree, as they are stored now."""
    table = found[0].table
    keys = {each.key for each in found}
    if table == "account":
        wrong = await judge_accounts_txn(db, [mid for (mid,) in keys])
    else:
        wrong = await _JUDGES[table](db, await _rows_txn(db, f"{table}_rows", keys))
    wanted = {each.identity for each in found}
    return [each for each in wrong if each.identity in wanted]


async def _known_txn(db: Connection, mids: set[int]) -> Known:
    states = mapping(await db.fetch(STATEMENTS["states"], list(mids)))
    return Known(states, await _mids_txn(db, "profiles", mids.difference(states)))


async def _attributes_txn(db: Connection, keys: Collection[Key]) -> dict[Key, int]:
    return {(owner, other): attribute for owner, other, attribute in await _rows_txn(db, "attributes", keys)}


async def _keys_txn(db: Connection, name: str, keys: Collection[Key]) -> set[Key]:
    return {tuple(row) for row in await _rows_txn(db, name, keys)}


async def _mids_txn(db: Connection, name: str, mids: Collection[int]) -> set[int]:
    return {row[0] for row in await db.fetch(STATEMENTS[name], list(mids))} if mids else set()


async def _rows_txn(db: Connection, name: str, keys: Collection[Key]) -> list[Record]:
    return await db.fetch(STATEMENTS[name], *columns(keys)) if keys else []
