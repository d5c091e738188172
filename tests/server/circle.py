"""A circle of accounts for the lists of contract 7 and 8.3: long ones, whose instants tie, and what they must be.

The owner has sixty-odd whispers, follows, mutual follows and blocks; a peer follows some of the same accounts.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
from people import BLACK, FOLLOWING, SPECIAL, WHISPER, person

from upspace.model import Relation, Token
from upspace.server.viewer import token_digest
from upspace.store import migrate_store, open_store

OWNER, PEER, HIDER, QUIET = 11, 12, 13, 14
# Deleted after the owner and the peer have followed, whispered or blocked it.
GONE_WHISPERED, GONE_FOLLOWED, GONE_BLOCKED = 21, 22, 23
UNKNOWN = 9_999
START = 1_700_000_000

WHISPERED = [*range(1_000, 1_063), GONE_WHISPERED]
FOLLOWED = [*range(2_000, 2_063), GONE_FOLLOWED, HIDER]
FRIENDS = [*range(3_000, 3_061), PEER]
BLOCKED = [*range(4_000, 4_063), GONE_BLOCKED]
FANS = [5_000]

# The owner's special accounts.
SPECIALS = {mid for mid in (*WHISPERED, *FOLLOWED, *FRIENDS) if mid % 4 == 1}

# Names among those whom the peer follows: what folds, and what a pattern would take for something else.
NAMES = {6_000: "Straße", 6_001: "STRASSE 50%", 6_002: "ΣΊΣΥΦΟΣ", 6_003: "a_b\\c", 6_004: "It's [号] 🎉", 6_005: "ﬁn"}


def since(mid: int) -> int:
    """When the owner set its relation to an account; every instant occurs several times."""
    return START + mid * 7 % 11


def peer_since(mid: int) -> int:
    """The same of the peer, in another order."""
    return START - mid * 5 % 13


# Whom the peer follows: some of each kind of the owner's, and its own.
PEER_FOLLOWED = [
    *(mid for mid in (*WHISPERED, *FOLLOWED, *FRIENDS, *BLOCKED) if mid % 2 == 0 and mid != PEER),
    *(OWNER, *range(6_000, 6_010)),
]
PEER_WHISPERED = [mid for mid in FOLLOWED if mid % 2 and mid > 2_000]


def newest_first(mids: Sequence[int]) -> list[int]:
    """These accounts in the order of a list of the owner's."""
    return [mid for _, mid in sorted(((since(mid), mid) for mid in mids), reverse=True)]


def relations() -> list[Relation]:
    """Every relation of the circle."""
    special = dict.fromkeys(SPECIALS, (SPECIAL,))
    return [
        *(Relation(OWNER, mid, WHISPER, since(mid), special.get(mid, ())) for mid in WHISPERED),
        *(Relation(OWNER, mid, FOLLOWING, since(mid), special.get(mid, ())) for mid in (*FOLLOWED, *FRIENDS)),
        *(Relation(OWNER, mid, BLACK, since(mid)) for mid in BLOCKED),
        *(Relation(mid, OWNER, FOLLOWING, START) for mid in (*FRIENDS, *FANS) if mid != PEER),
        # The peer keeps the owner among its special accounts.
        *(Relation(PEER, mid, FOLLOWING, peer_since(mid), (SPECIAL,) if mid == OWNER else ()) for mid in PEER_FOLLOWED),
        *(Relation(PEER, mid, WHISPER, peer_since(mid)) for mid in PEER_WHISPERED),
        Relation(HIDER, FOLLOWED[0], FOLLOWING, START),
        Relation(HIDER, PEER, FOLLOWING, START),
    ]


def token_of(mid: int) -> str:
    """The token of an account."""
    return f"token of {mid}"


async def load_circle(url: str) -> None:
    """Make a store at `url` with the circle, and a token for each of its four."""
    everyone = {OWNER, PEER, HIDER, QUIET, *WHISPERED, *FOLLOWED, *FRIENDS, *BLOCKED, *FANS, *PEER_FOLLOWED}
    await migrate_store(url)
    store = await open_store(url)
    try:
        names = {mid: {"name": name} for mid, name in NAMES.items()}
        await store.load(
            [person(mid, hides_followings=mid == HIDER, **names.get(mid, {})) for mid in everyone], relations()
        )
        for mid in (OWNER, PEER, HIDER, QUIET):
            await store.put_token(Token(token_digest(token_of(mid)), mid, START))
        for mid in (GONE_WHISPERED, GONE_FOLLOWED, GONE_BLOCKED):
            assert await store.delete_account(mid, START)
    finally:
        await store.close()


def circle_store(url: str) -> str:
    """The URL of an empty store, after the circle has been loaded into it."""
    asyncio.run(load_circle(url))
    return url


def envelope_of(client: httpx.Client, path: str, viewer: int | None, **params: str | int) -> dict[str, Any]:
    """The envelope of a GET by one of the circle; None is anonymous."""
    headers = {} if viewer is None else {"authorization": f"Bearer {token_of(viewer)}"}
    response = client.get(path, params=params, headers=headers)
    assert response.status_code == 200
    envelope: dict[str, Any] = response.json()
    return envelope


def data_of_read(client: httpx.Client, path: str, viewer: int | None, **params: str | int) -> Any:
    """`data` of a success."""
    envelope = envelope_of(client, path, viewer, **params)
    assert (envelope["code"], envelope["message"], envelope["ttl"]) == (0, "0", 1)
    return envelope["data"]


def mids_of(data: dict[str, Any]) -> list[int]:
    """The accounts in a list."""
    return [item["mid"] for item in data["list"]]
