"""What a store holds, as rows of the columns that files have."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from upspace.data.columns import MODE_TEXTS, STATE_TEXTS, USER_COLUMNS
from upspace.model import AccountState
from upspace.store.interface import StoreError
from upspace.store.moving import Source
from upspace.store.tables import BY_NAME, Row
from upspace.wire.codes import ATTRIBUTE_MUTUAL

# What is left of a deleted account is its mid and its state.
_EMPTY = [None] * (len(USER_COLUMNS) - 3)
_encode = msgspec.json.Encoder().encode


async def count_users(source: Source) -> int:
    """How many rows of users there are."""
    return await source.count(BY_NAME["standing"])


async def count_relations(source: Source) -> int:
    """How many rows of relations there are."""
    return await source.count(BY_NAME["relation"])


async def user_rows(source: Source) -> AsyncGenerator[list[Row], None]:
    """The accounts by mid, in the order of USER_COLUMNS. Raises StoreError if some facts of one are missing."""
    async with (
        aclosing(source.batches(BY_NAME["standing"])) as standings,
        aclosing(_one_by_one(source, "account")) as accounts,
        aclosing(_one_by_one(source, "upstat")) as upstats,
        aclosing(_one_by_one(source, "own_group")) as own_groups,
    ):
        group = await anext(own_groups, None)
        async for batch in standings:
            rows = []
            for standing in batch:
                mid, state, *flags, mode, following, whisper, black, follower = standing
                if group is not None and group[0] < mid:
                    raise _unfit("own_group", group[0])
                if state == AccountState.DELETED:
                    rows.append((mid, None, STATE_TEXTS[state], *_EMPTY))
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
                        *(mid, name, STATE_TEXTS[state], *seen, official, vip, *flags, MODE_TEXTS[mode]),
                        *(following, whisper, black, follower, *upstat[1:]),
                        *(decorations, _encode(groups).decode() if groups else None),
                    )
                )
            yield rows
        for table, left in (("own_group", group), ("account", await anext(accounts, None))):
            if left is not None:
                raise _unfit(table, left[0])


async def relation_rows(source: Source) -> AsyncGenerator[list[Row], None]:
    """The relations by mid and fid, in the order of RELATION_COLUMNS, mutual ones with attribute 6.

    Raises StoreError if somebody is in a group without a relation.
    """
    async with (
        aclosing(source.batches(BY_NAME["relation"])) as relations,
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
                (mid, fid, ATTRIBUTE_MUTUAL if mutual else attribute, mtime, re_src, groups.pop((mid, fid), None))
                for mid, fid, attribute, mutual, mtime, re_src in batch
            ]
            if groups:
                raise _unfit("grouped", min(groups)[0])
        if place is not None:
            raise _unfit("grouped", place[0])


async def _one_by_one(source: Source, name: str) -> AsyncGenerator[Row, None]:
    async with aclosing(source.batches(BY_NAME[name])) as batches:
        async for rows in batches:
            for row in rows:
                yield row


def _of(mid: int, row: Row | None, table: str) -> Row:
    if row is None or row[0] != mid:
        raise _unfit(table, mid)
    return row


def _unfit(table: str, mid: int) -> StoreError:
    return StoreError(f"the table {table} does not fit account {mid}: upspace check says what is wrong")
