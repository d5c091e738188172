"""Counting what accounts have: what derived counters must be."""

from collections.abc import Sequence

from upspace.store.postgres.connection import Connection, mapping
from upspace.store.postgres.relations import QUERIES
from upspace.wire.codes import ATTRIBUTE_BLACK, ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER

_COUNTED = (ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER, ATTRIBUTE_BLACK)


async def count_txn(db: Connection, mids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """What the counters of these accounts must be, by mid, in the order of the columns."""
    if not mids:
        return {}
    counts = {(owner, it): count for owner, it, count in await db.fetch(QUERIES["count_relations"], mids)}
    followers = mapping(await db.fetch(QUERIES["count_followers"], mids))
    return {mid: (*(counts.get((mid, it), 0) for it in _COUNTED), followers.get(mid, 0)) for mid in mids}
