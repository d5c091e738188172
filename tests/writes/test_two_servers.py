"""Two servers with a port each over one store: what is written through one is seen at once through the other."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import client_of, serving
from load_client import MODIFY, RELATION, token_of
from load_world import STAT, assert_clean, make_accounts
from stores import Stores

MIDS = range(1001, 1021)
VIEWER, FRIEND = MIDS[0], MIDS[1]
ADMIN_TOKEN = "a-token-for-the-admin"  # noqa: S105  # of a server of the tests

Two = tuple[httpx.Client, httpx.Client]


@pytest.fixture
def url(stores: Stores, engine: str) -> Iterator[str]:
    """A store of twenty accounts without relations."""
    url = stores.new(engine)
    make_accounts(url, MIDS)
    yield url
    stores.drop(url)


@pytest.fixture
def two(url: str, tmp_path: Path) -> Iterator[Two]:
    """Clients of both servers, over one store."""
    with ExitStack() as opened:
        clients = []
        for _ in range(2):
            arguments = ("serve", "--store", url, "--port", "0", "--admin-token", ADMIN_TOKEN)
            served = opened.enter_context(serving(tmp_path, *arguments))
            clients.append(opened.enter_context(client_of(served)))
        yield clients[0], clients[1]
    assert_clean(url, "after two servers")


def signed_in(mid: int) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of(mid)}"}


def read(client: httpx.Client, path: str, viewer: int | None, **parameters: int) -> Any:
    """The data of a read, which succeeds; None is anybody."""
    envelope = client.get(path, params=parameters, headers={} if viewer is None else signed_in(viewer)).json()
    assert envelope["code"] == 0, envelope
    return envelope["data"]


def write(client: httpx.Client, path: str, viewer: int, **fields: object) -> Any:
    """The data of a write, which succeeds; None if it has none."""
    envelope = client.post(path, data=fields, headers=signed_in(viewer)).json()
    assert envelope["code"] == 0, envelope
    return envelope.get("data")


def test_follows_counters_and_lists(two: Two) -> None:
    for turn, fid in enumerate([*MIDS[1:], *MIDS[1:]]):
        here, there = two if turn % 2 else (two[1], two[0])
        act = 1 if turn < len(MIDS) - 1 else 2
        write(here, MODIFY, VIEWER, fid=fid, act=act)
        follows = act == 1
        assert read(there, RELATION, VIEWER, fid=fid)["attribute"] == (2 if follows else 0)
        assert read(there, STAT, VIEWER, vmid=fid)["follower"] == int(follows)
        expected = turn + 1 if follows else 2 * len(MIDS[1:]) - turn - 1
        for viewer in (VIEWER, None):
            for path in ("/x/relation/followers", "/x/relation/fans"):
                followers = read(there, path, viewer, vmid=fid)
                assert [item["mid"] for item in followers["list"]] == ([VIEWER] if follows else [])
            assert read(there, "/x/relation/followings", viewer, vmid=VIEWER)["total"] == expected


def test_groups_and_their_members(two: Two) -> None:
    write(two[0], MODIFY, VIEWER, fid=FRIEND, act=1)
    for turn in range(10):
        here, there = two if turn % 2 else (two[1], two[0])
        group = write(here, "/x/relation/tag/create", VIEWER, tag=f"group {turn}")["tagid"]
        assert read(there, "/x/relation/tags", VIEWER)[-1] == {
            "tagid": group,
            "name": f"group {turn}",
            "count": 0,
            "tip": "",
        }
        write(there, "/x/relation/tags/addUsers", VIEWER, fids=FRIEND, tagids=group)
        assert [item["mid"] for item in read(here, "/x/relation/tag", VIEWER, tagid=group)] == [FRIEND]


def test_a_changed_account_is_shown_as_it_is_wherever_it_is_kept(two: Two) -> None:
    write(two[0], MODIFY, VIEWER, fid=FRIEND, act=1)
    admin = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    for turn in range(20):
        here, there = two if turn % 2 else (two[1], two[0])
        changed = here.patch(f"/-/admin/accounts/{FRIEND}", json={"name": f"name {turn}"}, headers=admin)
        assert changed.json()["code"] == 0, changed.text
        for client in (there, here):
            for viewer in (VIEWER, None):
                listed = read(client, "/x/relation/followings", viewer, vmid=VIEWER)["list"]
                assert [item["uname"] for item in listed] == [f"name {turn}"]
            assert read(client, "/x/space/acc/info", VIEWER, mid=FRIEND)["name"] == f"name {turn}"


def test_a_deleted_account_is_gone_and_its_token_void(two: Two) -> None:
    here, there = two
    write(here, MODIFY, FRIEND, fid=VIEWER, act=1)
    write(here, MODIFY, VIEWER, fid=FRIEND, act=1)
    admin = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    assert here.delete(f"/-/admin/accounts/{FRIEND}", headers=admin).json()["code"] == 0
    assert there.get(RELATION, params={"fid": VIEWER}, headers=signed_in(FRIEND)).json()["code"] == -101
    assert read(there, STAT, VIEWER, vmid=VIEWER)["follower"] == 0
    assert there.get("/x/space/acc/info", params={"mid": FRIEND}).json()["code"] == -404
