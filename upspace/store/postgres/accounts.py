"""Changing one account, inside a transaction of the caller. Each statement is a round trip, so they are few."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from msgspec.structs import astuple, replace

from upspace.model import AccountState, CounterMode, Profile, Standing
from upspace.store.interface import AccountDeletedError, Decide
from upspace.store.postgres.changes import note_changes_txn
from upspace.store.postgres.combined import at_once
from upspace.store.postgres.connection import Connection
from upspace.store.postgres.counting import count_txn
from upspace.store.postgres.relations import QUERIES, columns, execute, mark_written_txn
from upspace.store.rows import read_profile, read_standing, with_counters

_PROFILE = ("put_standings", "put_accounts", "put_upstats")
_WRITE_PROFILE = at_once([QUERIES[name] for name in _PROFILE])


async def profile_txn(db: Connection, mid: int) -> Profile | None:
    """All that is stored of an account; None if it is unknown or deleted."""
    row = await db.fetchrow(QUERIES["profile"], mid)
    return None if row is None else read_profile(tuple(row))


async def change_txn(db: Connection, mid: int, decide: Decide, *, distributed: bool) -> Profile:
    """As `Store.change_account`."""
    before = await _hold_txn(db, mid)
    changed = decide(await profile_txn(db, mid))
    if changed.account.mid != mid:
        raise ValueError(f"the rule for account {mid} made another account")
    standing, is_counted = standing_after(changed, before)
    if not is_counted:
        standing = with_counters(standing, (await count_txn(db, (mid,)))[mid])
    written = replace(changed, standing=standing)
    await _put_txn(db, written, distributed=distributed)
    await mark_written_txn(db, (mid,))
    await note_changes_txn(db, (mid,))
    return written


async def put_profiles_txn(db: Connection, profiles: Sequence[Profile]) -> None:
    """Write accounts whose standings are as they shall be: one statement for each table."""
    for name, rows in zip(_PROFILE, _rows(profiles), strict=True):
        await execute(db, name, rows)


def standing_after(profile: Profile, before: Standing | None) -> tuple[Standing, bool]:
    """What to write as the standing of an account, and whether its counters are right.

    Those that are derived already stay right: recounting an account with millions of followers for each change of its
    name would hold up other writes. Raises AccountDeletedError.
    """
    mid, after = profile.account.mid, profile.standing
    if after.state is AccountState.DELETED:
        raise AccountDeletedError(f"account {mid}: only a deletion makes an account deleted")
    if before is not None and before.state is AccountState.DELETED:
        raise AccountDeletedError(f"account {mid} is deleted, which is final")
    if after.counter_mode is not CounterMode.DERIVED:
        return after, True
    if before is None or before.counter_mode is not CounterMode.DERIVED:
        return after, False
    return with_counters(after, (before.following, before.whisper, before.black, before.follower)), True


async def _hold_txn(db: Connection, mid: int) -> Standing | None:
    """The standing of an account, which nobody else writes until the end of the transaction.

    Its row is held, or its number if it has none yet.
    """
    row = await db.fetchrow(QUERIES["lock_standing"], mid)
    if row is None:
        await db.execute("select pg_advisory_xact_lock($1)", mid)
        # Who had the number before may have made the account.
        row = await db.fetchrow(QUERIES["lock_standing"], mid)
    return None if row is None else read_standing(row)


async def _put_txn(db: Connection, profile: Profile, *, distributed: bool) -> None:
    """Write an account: all of it by one statement, or by one for each table on a cluster."""
    if distributed:
        await put_profiles_txn(db, (profile,))
    else:
        await db.execute(_WRITE_PROFILE, *chain.from_iterable(map(columns, _rows((profile,)))))


def _rows(profiles: Sequence[Profile]) -> tuple[list[tuple[Any, ...]], ...]:
    """The rows of accounts, in the order of `_PROFILE`."""
    return (
        [astuple(profile.standing) for profile in profiles],
        [astuple(profile.account) for profile in profiles],
        [(profile.account.mid, *astuple(profile.upstat)) for profile in profiles],
    )
