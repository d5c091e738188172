"""A small community for commands that work on whole stores."""

import asyncio
from collections.abc import Mapping

from upspace.model import Account, Profile, Relation, Standing
from upspace.store import open_store

ACCOUNTS = 60


def fill(url: str, marks: Mapping[str, str] | None = None) -> None:
    """Everyone follows account 1, and is followed back."""

    async def load() -> None:
        store = await open_store(url)
        mids = range(1, ACCOUNTS + 1)
        pairs = [pair for mid in mids[1:] for pair in ((mid, 1), (1, mid))]
        await store.load(
            [Profile(Account(mid, name=f"name {mid}"), Standing(mid)) for mid in mids],
            [Relation(owner, other, 2, 1_700_000_000) for owner, other in pairs],
            marks,
        )
        await store.close()

    asyncio.run(load())
