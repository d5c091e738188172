"""The limits of writes, and what else of them is a setting (contract 1, 8)."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import client_of, quiet_server
from modify_world import (
    ANOTHER,
    BATCH,
    BLOCKED,
    BLOCKER,
    DELETED,
    FOLLOWED,
    FULL,
    MANY,
    OTHER,
    STRANGER,
    SUSPENDED,
    UNKNOWN,
    VIEWER,
    WHISPERED,
    attribute,
    bearer,
    code_of,
    counters,
    data_of,
    modify,
    post,
    table_store,
)
from replies import OK, refusal
from stores import Stores


@pytest.fixture(scope="module")
def table_url(stores: Stores, engine: str) -> str:
    return table_store(stores.new(engine))


@pytest.fixture
def small(table_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """The same store behind a server with limits that its accounts have reached."""
    limits = {
        "--max-followings": 2,
        "--max-blacks": 1,
        "--max-groups": 1,
        "--max-relations-fids": 2,
        "--max-batch-fids": 3,
        "--max-group-fids": 2,
    }
    flags = [text for flag, limit in limits.items() for text in (flag, str(limit))]
    with quiet_server(tmp_path, "--store", table_url, *flags) as served, client_of(served) as client:
        yield client


def test_limits(small: httpx.Client) -> None:
    full = {"mid": FULL, "following": 1, "whisper": 1, "black": 1, "follower": 0}
    assert counters(small, FULL) == full
    # Beyond the limit nothing is added, and a whisper counts as much as a follow.
    assert [code_of(small, FULL, OTHER, act) for act in (1, 3)] == [22009, 22009]
    # The limit comes after all else that refuses.
    assert [code_of(small, FULL, FOLLOWED, 1), code_of(small, FULL, WHISPERED, 3)] == [22014, 22014]
    assert [code_of(small, FULL, BLOCKED, 1), code_of(small, FULL, BLOCKER, 1)] == [22003, 22002]
    assert [code_of(small, FULL, DELETED["-"], act) for act in (1, 3, 5)] == [22013] * 3
    # One kind turns into the other whatever the limit.
    assert [code_of(small, FULL, FOLLOWED, 3), code_of(small, FULL, WHISPERED, 1)] == [0, 0]
    assert counters(small, FULL) == full
    assert [code_of(small, FULL, FOLLOWED, 1), code_of(small, FULL, WHISPERED, 3)] == [0, 0]
    # A block beyond the limit leaves what is there.
    assert [code_of(small, FULL, FOLLOWED, 5), code_of(small, FULL, BLOCKED, 5)] == [22008, 22120]
    assert attribute(small, FULL, FOLLOWED) == 2
    assert counters(small, FULL) == full
    # Room for one more, and no further.
    assert [code_of(small, FULL, FOLLOWED, 2), code_of(small, FULL, OTHER, 3)] == [0, 0]
    assert code_of(small, FULL, ANOTHER, 1) == 22009
    assert [code_of(small, FULL, BLOCKED, 6), code_of(small, FULL, OTHER, 5)] == [0, 0]
    assert [code_of(small, FULL, BLOCKED, 5), code_of(small, FULL, ANOTHER, 1)] == [22008, 0]
    assert counters(small, FULL) == full


def test_limits_of_a_batch_are_met_in_the_middle_of_it(small: httpx.Client) -> None:
    envelope = post(small, BATCH, bearer(STRANGER), fids=f"{MANY[0]},{MANY[1]},{MANY[2]}", act=1)
    assert envelope == OK | {"data": {"failed_fids": [MANY[2]]}}
    envelope = post(small, BATCH, bearer(STRANGER), fids=f"{MANY[0]},{MANY[1]}", act=5)
    assert envelope == OK | {"data": {"failed_fids": [MANY[1]]}}
    assert [attribute(small, STRANGER, mid) for mid in MANY[:3]] == [128, 2, 0]


def test_limits_of_lists_and_groups(small: httpx.Client) -> None:
    assert post(small, BATCH, bearer(VIEWER), fids="41,42,43,44", act=5) == refusal(-400)
    assert data_of(small, VIEWER, "/x/relation/relations", fids=f"{UNKNOWN},{STRANGER}") == {}
    for fids in ("41,42,43", "41,,", ""):
        response = small.get("/x/relation/relations", params={"fids": fids}, headers=bearer(VIEWER))
        assert response.json() == refusal(-400)
    for name in ("addUsers", "copyUsers", "moveUsers"):
        groups = {"tagids": 0, "beforeTagids": 0, "afterTagids": 0}
        path = f"/x/relation/tags/{name}"
        assert post(small, path, bearer(VIEWER), fids="41,42,43", **groups) == refusal(-400)
        assert post(small, path, bearer(VIEWER), fids="41,42", **groups) == refusal(22105)
    create = "/x/relation/tag/create"
    tagid = post(small, create, bearer(ANOTHER), tag="one")["data"]["tagid"]
    assert tagid >= 1
    assert post(small, create, bearer(ANOTHER), tag="two") == refusal(22102)
    assert post(small, create, bearer(ANOTHER), tag="one") == refusal(22106)
    assert post(small, "/x/relation/tag/del", bearer(ANOTHER), tagid=tagid) == OK
    assert post(small, create, bearer(ANOTHER), tag="two")["data"]["tagid"] > tagid


def test_profile_recent_knows_no_new_whisper(table_url: str, tmp_path: Path) -> None:
    arguments = ("--store", table_url, "--profile", "recent")
    with quiet_server(tmp_path, *arguments) as served, client_of(served) as client:
        assert modify(client, FULL, STRANGER, 3) == refusal(-400)
        assert modify(client, FULL, FULL, 3) == refusal(-400)
        assert modify(client, SUSPENDED, STRANGER, 3) == refusal(-400)
        # What is whispered is shown all the same, and can be ended.
        assert [item["mid"] for item in data_of(client, FULL, "/x/relation/whispers")["list"]] == [WHISPERED]
        assert code_of(client, FULL, WHISPERED, 4) == 0
        assert attribute(client, FULL, WHISPERED) == 0
    with quiet_server(tmp_path, *arguments, "--whisper-enabled") as served, client_of(served) as client:
        assert code_of(client, FULL, WHISPERED, 3) == 0
