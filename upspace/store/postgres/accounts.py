"""Changing accounts, inside a transaction of the caller. Each statement is a round trip, so all share them."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any

import asyncpg
from msgspec.structs import astuple, replace

from upspace.model import AccountState, CounterMode, Profile, Standing
from upspace.store.accounts import decided, looks_new
from upspace.store.interface import Decide
from upspace.store.postgres.changes import note_changes_txn
from upspace.store.postgres.combined import at_once
from upspace.store.postgres.connection import Connection, Record
from upspace.store.postgres.counting import count_txn
from upspace.store.postgres.relations import QUERIES, columns, execute, lock_rows_txn, mark_written_txn
from upspace.store.rows import read_profile, read_standing, with_counters

_PROFILES = ("put_standings", "put_accounts", "put_upstats")
_WRITE_PROFILES = at_once([QUERIES[name] for name in _PROFILES])


async def hold_txn(db: Connection, mids: Collection[int], *, distributed: bool) -> list[Record]:
    """The rows of the standings of accounts, which nobody else writes until the end of the transaction.

    The rows are held, or the numbers of those that have none yet. Raises asyncpg.SerializationError where others have
    made one of those meanwhile.
    """
    held = await lock_rows_txn(db, mids, distributed=distributed)
    new = sorted(set(mids).difference(row[0] for row in held))
    if new:
        await db.execute(QUERIES["hold_numbers"], new)
        if await db.fetch(QUERIES["standings"], new):
            # Their rows would have to be locked out of order.
            raise asyncpg.SerializationError("others have made these accounts meanwhile")
    return held


async def profiles_txn(db: Connection, mids: Collection[int]) -> dict[int, Profile]:
    """All that is stored of these accounts, by mid; of unknown and deleted ones nothing is."""
    rows = await db.fetch(QUERIES["stored_profiles"], list(mids))
    return {row[0]: read_profile(tuple(row)) for row in rows}


async def change_txn(
    db: Connection, rules: Mapping[int, Decide], *, distributed: bool
) -> dict[int, Profile | Exception]:
    """As `Store.change_account` for the account of each rule: what it is now, or why it was refused, by mid."""
    before = {row[0]: read_standing(row) for row in await hold_txn(db, rules, distributed=distributed)}
    known = await profiles_txn(db, rules)
    changed: dict[int, Profile] = {}
    refused: dict[int, Exception] = {}
    uncounted = []
    for mid, decide in rules.items():
        try:
            profile = decided(mid, decide, known.get(mid), is_deleted=is_deleted(before.get(mid)))
        except Exception as error:
            refused[mid] = error
            continue
        standing, is_counted = standing_after(profile, before.get(mid))
        changed[mid] = replace(profile, standing=standing)
        if not is_counted:
            uncounted.append(mid)
    for mid, counters in (await count_txn(db, uncounted)).items():
        changed[mid] = replace(changed[mid], standing=with_counters(changed[mid].standing, counters))
    await _put_txn(db, list(changed.values()), distributed=distributed)
    await mark_written_txn(db, changed)
    await note_changes_txn(db, [mid for mid, profile in changed.items() if looks_new(profile, known.get(mid))])
    return {**changed, **refused}


async def put_profiles_txn(db: Connection, profiles: Sequence[Profile]) -> None:
    """Write accounts whose standings are as they shall be: one statement for each table."""
    for name, rows in zip(_PROFILES, _rows(profiles), strict=True):
        await execute(db, name, rows)


def is_deleted(standing: Standing | None) -> bool:
    """Whether an account with this standing is deleted, None standing for one that is unknown."""
    return standing is not None and standing.state is AccountState.DELETED


def standing_after(profile: Profile, before: Standing | None) -> tuple[Standing, bool]:
    """What to write as the standing of an account, and whether its counters are right.

    Those that are derived already stay right: recounting an account with millions of followers for each change of its
    name would hold up other writes.
    """
    after = profile.standing
    if after.counter_mode is not CounterMode.DERIVED:
        return after, True
    if before is None or before.counter_mode is not CounterMode.DERIVED:
        return after, False
    return with_counters(after, (before.following, before.whisper, before.black, before.follower)), True


async def _put_txn(db: Connection, profiles: Sequence[Profile], *, distributed: bool) -> None:
    """Write accounts: all of them by one statement, or by one for each table on a cluster."""
    if distributed:
        await put_profiles_txn(db, profiles)
    elif profiles:
        await db.execute(_WRITE_PROFILES, *chain.from_iterable(map(columns, _rows(profiles))))


def _rows(profiles: Sequence[Profile]) -> tuple[list[tuple[Any, ...]], ...]:
    """The rows of accounts, in the order of `_PROFILES`."""
    return (
        [astuple(profile.standing) for profile in profiles],
        [astuple(profile.account) for profile in profiles],
        [(profile.account.mid, *astuple(profile.upstat)) for profile in profiles],
    )
