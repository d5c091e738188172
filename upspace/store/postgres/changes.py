"""The numbered log of changed accounts, which caches of accounts ask for what is news."""

from collections.abc import Sequence

from upspace.store.postgres.connection import Connection
from upspace.store.postgres.relations import QUERIES

CHANGES_NAMED = 1_000
"""Beyond this many accounts a write says "all accounts have changed" instead of naming each."""

# A reader that was away for longer sees the gap and forgets all it has cached.
_CHANGES_KEPT = 100_000
# Older ones are removed by one change in so many: most do without the round trip.
_PRUNED_EVERY = 100


async def note_changes_txn(db: Connection, mids: Sequence[int]) -> None:
    """Number the accounts written; 0 stands for all. The last thing in a transaction: others wait for the number."""
    named = list(mids) if len(mids) < CHANGES_NAMED else [0]
    if named:
        newest: int = await db.fetchval(QUERIES["number_changes"], len(named))
        await db.execute(QUERIES["put_changes"], list(range(newest - len(named) + 1, newest + 1)), named)
        if newest % _PRUNED_EVERY < len(named):
            await db.execute(QUERIES["prune_changes"], newest - _CHANGES_KEPT)
