"""A pair of accounts for each row of modify_table.py, accounts for what no row says, and what a server says of them."""

import asyncio
from typing import Any

import httpx
from modify_table import CASES, STORED
from replies import OK, refusal

from upspace.model import Account, AccountState, Profile, Relation, Standing, Token
from upspace.server.viewer import csrf_of, token_digest
from upspace.store import open_store

MODIFY, BATCH = "/x/relation/modify", "/x/relation/batch/modify"
START = 1_600_000_000

# Accounts for what the table does not say.
VIEWER, STRANGER, SUSPENDED, UNKNOWN = 1, 2, 3, 9999
# Each is deleted after the viewer has had this to do with it.
DELETED = {"-": 11, "w": 12, "f": 13, "b": 14}
# For the servers with other settings: the first follows one, whispers one and blocks one.
FULL, FOLLOWED, WHISPERED, BLOCKED, BLOCKER, OTHER, ANOTHER = 21, 22, 23, 24, 25, 26, 27
# For those who write by every kind of credential, each on an account of its own.
WRITER, FIRST_OF_MANY = 40, 41
MANY = range(FIRST_OF_MANY, FIRST_OF_MANY + 30)


def accounts() -> list[Profile]:
    """All accounts; those of DELETED are still to be deleted."""
    pairs = [mid for case in CASES for mid in (case.viewer, case.target)]
    plain = [VIEWER, STRANGER, *DELETED.values(), *range(FULL, ANOTHER + 1), WRITER, *MANY]
    suspended = Profile(Account(SUSPENDED, name="suspended"), Standing(SUSPENDED, AccountState.SUSPENDED))
    return [suspended, *(Profile(Account(mid, name=f"name {mid}"), Standing(mid)) for mid in (*pairs, *plain))]


def relations() -> list[Relation]:
    """Every case as it is before. The two sides of a pair are of different instants."""
    sides = []
    for case in CASES:
        sides.append((case.viewer, case.target, case.before[0], START + 1))
        sides.append((case.target, case.viewer, case.before[1], START + 2))
    sides += [(VIEWER, mid, letter, START) for letter, mid in DELETED.items()]
    sides += [(FULL, FOLLOWED, "f", START), (FULL, WHISPERED, "w", START), (FULL, BLOCKED, "b", START)]
    sides.append((BLOCKER, FULL, "b", START))
    return [Relation(owner, other, STORED[letter], mtime) for owner, other, letter, mtime in sides if STORED[letter]]


def token_of(mid: int) -> str:
    return f"token-of-{mid}"


def bearer(mid: int) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of(mid)}"}


def cookie(mid: int) -> dict[str, str]:
    """What a browser sends: `bili_jct` comes along, but proves nothing."""
    return {"cookie": f"SESSDATA={token_of(mid)}; bili_jct={csrf_of(token_of(mid))}; DedeUserID={mid}"}


async def make_store(url: str) -> None:
    """A store with all of it and a token for everyone."""
    store = await open_store(url)
    try:
        await store.load(accounts(), relations())
        for profile in accounts():
            mid = profile.account.mid
            await store.put_token(Token(token_digest(token_of(mid)), mid, START))
        for mid in DELETED.values():
            assert await store.delete_account(mid, START + 10)
    finally:
        await store.close()


def table_store(url: str) -> str:
    """Fill an empty store. Not within a running event loop."""
    asyncio.run(make_store(url))
    return url


def post(client: httpx.Client, path: str, headers: dict[str, str], **form: str | int) -> Any:
    """The envelope of a write."""
    response = client.post(path, data=form, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    return response.json()


def modify(client: httpx.Client, viewer: int, fid: int | str, act: int | str) -> Any:
    return post(client, MODIFY, bearer(viewer), fid=fid, act=act)


def code_of(client: httpx.Client, viewer: int, fid: int, act: int) -> int:
    """The code of a modify, whose envelope is whole."""
    envelope = modify(client, viewer, fid, act)
    code = int(envelope["code"])
    assert envelope == (refusal(code) if code else OK)
    return code


def data_of(client: httpx.Client, viewer: int, path: str, **query: str | int) -> Any:
    """The data of a read that succeeds."""
    response = client.get(path, params=query, headers=bearer(viewer))
    envelope = response.json()
    assert {name: envelope[name] for name in OK} == OK
    return envelope["data"]


def side(client: httpx.Client, owner: int, other: int) -> tuple[int, int]:
    """Attribute and mtime of one side, as its owner sees them."""
    data = data_of(client, owner, "/x/relation", fid=other)
    assert (data["mid"], data["tag"], data["special"]) == (other, None, 0)
    return data["attribute"], data["mtime"]


def attribute(client: httpx.Client, owner: int, other: int) -> int:
    return side(client, owner, other)[0]


def counters(client: httpx.Client, mid: int) -> dict[str, int]:
    data: dict[str, int] = data_of(client, mid, "/x/relation/stat", vmid=mid)
    return data
