"""Accounts to ask about and to write with, on a server of their own."""

import asyncio
from collections.abc import Iterator

from upspace.model import Account, AccountState, CounterMode, Profile, Relation, Standing, Token, Upstat
from upspace.server.viewer import token_digest
from upspace.store import open_store

START = 1_700_000_000
WHISPER, FOLLOWING, MUTUAL, BLACK = 1, 2, 6, 128
SPECIAL = -10

# These and the star follow each other, each since an instant of its own: more than five pages of 50.
STAR, CROWD = 1, range(1001, 1261)
READER, HIDER, DELETED, SUSPENDED, BLOCKER, UNKNOWN = 2, 3, 4, 5, 6, 999
# Its figures say more than is stored, and those of the other say less.
REPORTED, UNDERSTATED = 7, 8
# Each test that writes has one of these for itself.
WRITERS = range(101, 180)

TOTALS = Upstat(11, 12, 13, 14, 15)


def token_of(mid: int) -> str:
    return f"token-of-{mid}"


def profile(mid: int) -> Profile:
    standing = Standing(mid)
    if mid == SUSPENDED:
        standing = Standing(mid, AccountState.SUSPENDED)
    if mid == HIDER:
        standing = Standing(mid, hides_followings=True, hides_followers=True)
    if mid in (REPORTED, UNDERSTATED):
        figure = 500 if mid == REPORTED else 2
        standing = Standing(mid, counter_mode=CounterMode.REPORTED, following=figure, follower=figure)
    return Profile(Account(mid, name=f"name {mid}", sign="<&>"), standing, TOTALS)


def relations() -> Iterator[Relation]:
    for mid in CROWD:
        yield Relation(mid, STAR, FOLLOWING, START + mid)
        yield Relation(STAR, mid, FOLLOWING, START - mid)
    for mid in CROWD[:10]:
        yield Relation(mid, REPORTED, FOLLOWING, START)
        yield Relation(mid, UNDERSTATED, FOLLOWING, START)
    for mid in CROWD[:120]:
        yield Relation(READER, mid, FOLLOWING, START + mid, (SPECIAL,))
    for mid in CROWD[120:180]:
        yield Relation(READER, mid, WHISPER, START + mid)
    for mid in CROWD[180:]:
        yield Relation(READER, mid, BLACK, START + mid)
    yield Relation(CROWD[0], READER, FOLLOWING, START)
    for mid in WRITERS:
        yield Relation(BLOCKER, mid, BLACK, START)
        yield Relation(CROWD[0], mid, FOLLOWING, START)


def fill(url: str) -> None:
    """Put the accounts into an empty store."""

    async def load() -> None:
        store = await open_store(url)
        try:
            mids = sorted({STAR, *CROWD, READER, HIDER, DELETED, SUSPENDED, BLOCKER, REPORTED, UNDERSTATED, *WRITERS})
            await store.load([profile(mid) for mid in mids], list(relations()))
            for mid in (STAR, READER, SUSPENDED, *WRITERS):
                await store.put_token(Token(token_digest(token_of(mid)), mid, START))
            assert await store.delete_account(DELETED, START)
        finally:
            await store.close()

    asyncio.run(load())
