"""Counting what accounts have: what derived counters must be, and making them so."""

from collections.abc import Collection, Sequence

from upspace.model import AccountState, CounterMode
from upspace.store.postgres.connection import Connection, mapping
from upspace.store.postgres.relations import QUERIES, execute, standings_txn
from upspace.wire.codes import ATTRIBUTE_BLACK, ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER

# So many accounts are counted by one query.
_COUNTED_AT_ONCE = 5_000
_COUNTED = (ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER, ATTRIBUTE_BLACK)


async def count_txn(db: Connection, mids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """What the counters of these accounts must be, by mid, in the order of the columns."""
    if not mids:
        return {}
    counts = {(owner, it): count for owner, it, count in await db.fetch(QUERIES["count_relations"], mids)}
    followers = mapping(await db.fetch(QUERIES["count_followers"], mids))
    return {mid: (*(counts.get((mid, it), 0) for it in _COUNTED), followers.get(mid, 0)) for mid in mids}


async def recount_txn(db: Connection, mids: Collection[int]) -> None:
    """Count the relations and followers of those accounts whose counters are derived."""
    ordered = sorted(mids)
    for start in range(0, len(ordered), _COUNTED_AT_ONCE):
        standings = await standings_txn(db, ordered[start : start + _COUNTED_AT_ONCE])
        derived = {
            mid: (standing.following, standing.whisper, standing.black, standing.follower)
            for mid, standing in standings.items()
            if standing.counter_mode is CounterMode.DERIVED and standing.state is not AccountState.DELETED
        }
        counted = await count_txn(db, list(derived))
        await execute(db, "put_counters", [(mid, *counts) for mid, counts in counted.items() if counts != derived[mid]])
