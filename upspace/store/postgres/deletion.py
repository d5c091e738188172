"""Deleting an account with every effect of contract 5.2, inside a transaction of the caller."""

import asyncpg

from upspace.model import AccountState
from upspace.store.postgres.changes import note_changes_txn
from upspace.store.postgres.connection import Connection
from upspace.store.postgres.relations import QUERIES, execute, lock_standings_txn

_OWN_ROWS = (
    "delete_relations",
    "delete_followers",
    "delete_grouped",
    "delete_groups",
    "delete_account",
    "delete_upstat",
)


async def delete_txn(db: Connection, mid: int, now: int, *, distributed: bool) -> bool:
    """Delete the account; False if it is unknown or deleted already.

    The relations of others to it stay as their own rows and go on counting for them; what it would list itself is
    gone, and so is everything that people saw of it.
    """
    expected = {other for other, _ in await db.fetch(QUERIES["all_followings"], mid)}
    standings = await lock_standings_txn(db, {mid, *expected}, distributed=distributed)
    standing = standings.get(mid)
    if standing is None or standing.state is AccountState.DELETED:
        return False
    followed = [(other, mtime, mid) for other, mtime in await db.fetch(QUERIES["all_followings"], mid)]
    others = [other for other, _, _ in followed]
    if not expected.issuperset(others):
        # It has followed somebody before its row was locked: theirs would have to be locked out of order.
        raise asyncpg.SerializationError(f"account {mid} was changed meanwhile")
    await db.execute(QUERIES["leave_followers"], others)
    await db.execute(QUERIES["leave_friends"], others, mid)
    await execute(db, "remove_followers", followed)
    for name in _OWN_ROWS:
        await db.execute(QUERIES[name], mid)
    await db.execute(QUERIES["revoke_all_tokens_of"], mid, now)
    await db.execute(QUERIES["delete_standing"], mid)
    await note_changes_txn(db, (mid,))
    return True
