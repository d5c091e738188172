"""A server to start, and a page so large that no buffer between two processes can hold it."""

from people import person

from upspace.model import Relation
from upspace.store import open_store

HEAVY, HEAVY_ROWS, HEAVY_SIGN = 1, 50, 400_000
"""An account with so many followers, each with so long a signature."""


def serve_arguments(url: str, *more: str) -> tuple[str, ...]:
    """What serves the store at `url` on a free port."""
    return ("serve", "--store", url, "--port", "0", *more)


async def load_heavy(url: str) -> None:
    """Fill the store with that account and its followers."""
    store = await open_store(url)
    fans = range(2, 2 + HEAVY_ROWS)
    profiles = [person(HEAVY), *(person(mid, sign="s" * HEAVY_SIGN) for mid in fans)]
    await store.load(profiles, [Relation(mid, HEAVY, 2, mid) for mid in fans])
    await store.close()
