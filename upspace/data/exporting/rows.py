"""What a store holds, as rows of the columns that files have."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from upspace.data.columns import USER_COLUMNS
from upspace.model import AccountState, CounterMode
from upspace.store.interface import StoreError
from upspace.store.moving import Source
from upspace.store.tables import TABLES, Row
from upspace.wire.codes import ATTRIBUTE_MUTUAL

_TABLES = {table.name: table for table in TABLES}
_STATES = {AccountState.NORMAL: "normal", AccountState.SUSPENDED: "suspended"}
_MODES = {CounterMode.DERIVED: "derived", CounterMode.REPORTED: "reported"}
# What is left of a deleted account is its mid and its state.
_EMPTY = [None] * (len(USER_COLUMNS) - 3)
_encode = msgspec.json.Encoder().encode


async def count_users(source: Source) -> int:
    """How many rows of users there are."""
    return await source.count(_TABLES["standing"])


async def count_relations(source: Source) -> int:
    """How many rows of relations there are."""
    return await source.count(_TABLES["relation"])


async def user_rows(source: Source) -> AsyncGenerator[list[Row], None]:
    """The accounts by mid, in the order of USER_COLUMNS. Raises StoreError if some facts of one are missing."""
    async with (
        aclosing(source.batches(_TABLES["standing"])) as standings,
        aclosing(_one_by_one(source, "account")) as accounts,
        aclosing(_one_by_one(source, "upstat")) as upstats,
        aclosing(_one_by_one(source, "own_group")) as own_groups,
    ):
        group = await anext(own_groups, None)
        async for batch in standings:
            rows = []
            for standing in batch:
                mid, state, *flags, mode, following, whisper, black, follower = standing
                if state == AccountState.DELETED:
                    rows.append((mid, None, "deleted", *_EMPTY))
                    continue
                account = _of(mid, await anext(accounts, None), "account")
                upstat = _of(mid, await anext(upstats, None), "upstat")
                groups = []
                while group is not None and group[0] == mid:
                    groups.append({"id": group[1], "name": group[2]})
                    group = await anext(own_groups, None)
                name, *seen, official, vip, decorations = account[1:]
                rows.append(
                    (
                        *(mid, name, _STATES[state], *seen, official, vip, *flags, _MODES[mode]),
                        *(following, whisper, black, follower, *upstat[1:]),
                        *(decorations, _encode(groups).decode() if groups else None),
                    )
                )
            yield rows


async def relation_rows(source: Source) -> AsyncGenerator[list[Row], None]:
    """The relations by mid and fid, in the order of RELATION_COLUMNS, mutual ones with attribute 6."""
    async with (
        aclosing(source.batches(_TABLES["relation"])) as relations,
        aclosing(_one_by_one(source, "grouped")) as places,
    ):
        place = await anext(places, None)
        async for batch in relations:
            groups: dict[tuple[int, int], list[int]] = {}
            last = batch[-1][:2]
            while place is not None and place[:2] <= last:
                groups.setdefault(place[:2], []).append(place[2])
                place = await anext(places, None)
            yield [
                (mid, fid, ATTRIBUTE_MUTUAL if mutual else attribute, mtime, re_src, groups.get((mid, fid)))
                for mid, fid, attribute, mutual, mtime, re_src in batch
            ]


async def _one_by_one(source: Source, name: str) -> AsyncGenerator[Row, None]:
    async with aclosing(source.batches(_TABLES[name])) as batches:
        async for rows in batches:
            for row in rows:
                yield row


def _of(mid: int, row: Row | None, table: str) -> Row:
    if row is None or row[0] != mid:
        raise StoreError(f"the table {table} does not fit account {mid}: upspace check says what is wrong")
    return row
