"""Lists of relations over HTTP (contract 5.4, 7): whispers, friends, blacks, common followings, search by name."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from circle import (
    BLOCKED,
    FOLLOWED,
    FRIENDS,
    GONE_BLOCKED,
    GONE_FOLLOWED,
    GONE_WHISPERED,
    HIDER,
    OWNER,
    PEER,
    PEER_FOLLOWED,
    PEER_WHISPERED,
    QUIET,
    SPECIALS,
    UNKNOWN,
    WHISPERED,
    circle_store,
    data_of_read,
    envelope_of,
    mids_of,
    newest_first,
    peer_since,
    since,
)
from conftest import client_of, quiet_server
from people import BLOCKED as CAST_BLOCKED
from people import DECORATED, FRIEND, HUB, SPECIAL, VIEWER, data_of, exact
from people import WHISPERED as CAST_WHISPERED
from stores import Stores

WHISPERS, FRIENDS_PATH, BLACKS = "/x/relation/whispers", "/x/relation/friends", "/x/relation/blacks"
SAME, SEARCH, FOLLOWINGS = "/x/relation/same/followings", "/x/relation/followings/search", "/x/relation/followings"

# The path, whom the owner finds there, and the keys of `data` beside the list.
OWN = [
    pytest.param(WHISPERS, WHISPERED, 1, {"re_version": 0}, id="whispers"),
    pytest.param(FRIENDS_PATH, FRIENDS, 6, {"re_version": 0}, id="friends"),
    pytest.param(BLACKS, BLOCKED, 128, {"re_version": 0, "total": len(BLOCKED)}, id="blacks"),
]
ALL_FOLLOWED = [*FOLLOWED, *FRIENDS]
COMMON = [mid for mid in ALL_FOLLOWED if mid in PEER_FOLLOWED]


@pytest.fixture(scope="module")
def url(stores: Stores, engine: str) -> str:
    return circle_store(stores.new(engine))


@pytest.fixture(scope="module")
def circle(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with quiet_server(tmp_path_factory.mktemp("seed"), "--store", url) as served, client_of(served) as client:
        yield client


@pytest.fixture(scope="module")
def recent_circle(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("recent")
    with quiet_server(folder, "--store", url, "--profile", "recent") as served, client_of(served) as client:
        yield client


def page_of(mids: list[int], pn: int, ps: int) -> list[int]:
    return mids[(pn - 1) * ps : pn * ps]


# Whispers, friends, blacks


@pytest.mark.parametrize(("path", "mids", "attribute", "more"), OWN)
def test_an_own_list_is_newest_first_and_paged(
    circle: httpx.Client, path: str, mids: list[int], attribute: int, more: dict[str, int]
) -> None:
    whole = newest_first(mids)
    assert len(whole) > 50
    for ps in (1, 7, 20, 50):
        for pn in (1, 2, len(whole) // ps, len(whole) // ps + 1, len(whole) // ps + 2, 10**9):
            data = data_of_read(circle, path, OWNER, pn=pn, ps=ps)
            assert mids_of(data) == page_of(whole, pn, ps)
            assert list(data) == ["list", *more]
            assert {name: data[name] for name in more} == more
    # Without paging parameters, friends are all there and the others 50 to a page.
    data = data_of_read(circle, path, OWNER)
    assert mids_of(data) == (whole if path == FRIENDS_PATH else whole[:50])
    for item in data["list"]:
        assert (item["mtime"], item["attribute"]) == (since(item["mid"]), attribute)


@pytest.mark.parametrize(("path", "mids", "attribute", "more"), OWN)
def test_a_page_of_an_own_list_holds_50_unless_told_and_no_more(
    circle: httpx.Client, path: str, mids: list[int], attribute: int, more: dict[str, int]
) -> None:
    whole = newest_first(mids)
    for params in ({"pn": 1}, {"pn": 0}, {"ps": 50}, {"ps": 51}, {"ps": 100}, {"pn": -3, "ps": 0}, {"pn": 1, "ps": ""}):
        assert mids_of(data_of_read(circle, path, OWNER, **params)) == whole[:50]
    assert mids_of(data_of_read(circle, path, OWNER, pn=2)) == whole[50:]
    assert mids_of(data_of_read(circle, path, OWNER, ps=3)) == whole[:3]
    assert mids_of(data_of_read(circle, path, OWNER, pn=3, ps=9)) == whole[18:27]
    # What these endpoints do not take changes nothing.
    data = data_of_read(circle, path, OWNER, ps=9, order="asc", order_type="attention", vmid=PEER, mid=PEER)
    assert mids_of(data) == whole[:9]


@pytest.mark.parametrize(("path", "mids", "attribute", "more"), OWN)
def test_an_own_list_is_ones_own(
    circle: httpx.Client, path: str, mids: list[int], attribute: int, more: dict[str, int]
) -> None:
    assert exact(data_of_read(circle, path, QUIET)) == exact({"list": []} | dict.fromkeys(more, 0))
    assert mids_of(data_of_read(circle, path, QUIET, vmid=OWNER)) == []
    of_the_peer = {WHISPERS: len(PEER_WHISPERED), FRIENDS_PATH: 1, BLACKS: 0}
    assert len(mids_of(data_of_read(circle, path, PEER))) == of_the_peer[path]


def test_groups_are_shown_in_ones_own_lists_but_not_of_blocks(circle: httpx.Client) -> None:
    for path in (WHISPERS, FRIENDS_PATH):
        items = data_of_read(circle, path, OWNER)["list"]
        assert {item["special"] for item in items} == {0, 1}
        for item in items:
            tag = [SPECIAL] if item["mid"] in SPECIALS else None
            assert (item["tag"], item["special"]) == (tag, int(tag is not None))
    assert {(item["tag"], item["special"]) for item in data_of_read(circle, BLACKS, OWNER)["list"]} == {(None, 0)}


def test_whispers_are_shown_whether_or_not_new_ones_are_possible(recent_circle: httpx.Client) -> None:
    assert mids_of(data_of_read(recent_circle, WHISPERS, OWNER)) == newest_first(WHISPERED)[:50]


def test_a_deleted_account_stays_in_the_lists_without_its_name(circle: httpx.Client) -> None:
    for path, mid, params in (
        (WHISPERS, GONE_WHISPERED, {}),
        (BLACKS, GONE_BLOCKED, {}),
        (SAME, GONE_FOLLOWED, {"vmid": PEER}),
        (SEARCH, GONE_FOLLOWED, {"vmid": OWNER}),
    ):
        items = [
            item
            for pn in (1, 2, 3)
            for item in data_of_read(circle, path, OWNER, pn=pn, **params)["list"]
            if item["mid"] == mid
        ]
        assert [(item["uname"], item["sign"], item["face"][-12:]) for item in items] == [
            ("账号已注销", "", "/faces/0.svg")
        ]


@pytest.mark.parametrize("profile", ["seed", "recent"])
def test_the_items_are_those_of_the_other_lists(engine: str, profile: str, request: pytest.FixtureRequest) -> None:
    client = request.getfixturevalue(profile)
    listed = {item["mid"]: item for item in data_of(client, FOLLOWINGS, VIEWER, {"vmid": HUB, "ps": 50})["list"]}
    for path, mid, attribute, tag in (
        (WHISPERS, CAST_WHISPERED, 1, [7]),
        (BLACKS, CAST_BLOCKED, 128, None),
        (FRIENDS_PATH, FRIEND, 6, None),
    ):
        (item,) = (item for item in data_of(client, path, VIEWER)["list"] if item["mid"] == mid)
        expected = listed[mid] | {"attribute": attribute, "mtime": item["mtime"], "tag": tag}
        assert exact(item) == exact(expected)
    (item,) = (item for item in data_of(client, FRIENDS_PATH, HUB)["list"] if item["mid"] == DECORATED)
    assert exact(item) == exact(listed[DECORATED] | {"attribute": 6})


# Whom the viewer and another both follow


def test_common_followings_are_in_the_order_of_the_viewer(circle: httpx.Client, recent_circle: httpx.Client) -> None:
    whole = newest_first(COMMON)
    assert len(whole) > 55
    for client in (circle, recent_circle):
        for ps in (1, 9, 50):
            # No page is too deep.
            for pn in (1, 2, 6, 7, len(whole) // ps + 1, len(whole) // ps + 2, 10**9):
                data = data_of_read(client, SAME, OWNER, vmid=PEER, pn=pn, ps=ps)
                assert list(data) == ["list", "re_version", "total"]
                assert (data["re_version"], data["total"]) == (0, len(whole))
                assert mids_of(data) == page_of(whole, pn, ps)
        assert mids_of(data_of_read(client, SAME, OWNER, vmid=PEER)) == whole[:50]
    for item in data_of_read(circle, SAME, OWNER, vmid=PEER)["list"]:
        assert (item["mtime"], item["tag"], item["special"]) == (since(item["mid"]), None, 0)
        assert item["attribute"] == (6 if item["mid"] in FRIENDS else 2)


def test_common_followings_are_the_same_from_the_other_side_in_its_order(circle: httpx.Client) -> None:
    data = data_of_read(circle, SAME, PEER, vmid=OWNER)
    rows = sorted(((peer_since(mid), mid) for mid in COMMON), reverse=True)[:50]
    assert [(item["mtime"], item["mid"]) for item in data["list"]] == rows
    assert {item["attribute"] for item in data["list"]} == {2}


def test_no_whisper_of_either_side_is_common(circle: httpx.Client) -> None:
    for viewer, vmid in ((OWNER, PEER), (PEER, OWNER)):
        found = {mid for pn in (1, 2) for mid in mids_of(data_of_read(circle, SAME, viewer, vmid=vmid, pn=pn))}
        assert found == set(COMMON)
        assert not found & {*WHISPERED, *BLOCKED}


def test_common_with_oneself_are_all_own_followings(circle: httpx.Client) -> None:
    for viewer in (OWNER, PEER, HIDER, QUIET):
        for pn in (1, 2, 3, 6):
            data = data_of_read(circle, SAME, viewer, vmid=viewer, pn=pn)
            assert exact(data) == exact(data_of_read(circle, FOLLOWINGS, viewer, vmid=viewer, pn=pn, ps=50))


def test_with_one_who_hides_nothing_is_common(circle: httpx.Client, recent_circle: httpx.Client) -> None:
    for client in (circle, recent_circle):
        refused = envelope_of(client, SAME, OWNER, vmid=HIDER)
        assert refused == {"code": 22115, "message": "用户已设置隐私，无法查看", "ttl": 1}
        assert envelope_of(client, SAME, OWNER, vmid=HIDER, pn="x")["code"] == -400
        assert mids_of(data_of_read(client, SAME, HIDER, vmid=PEER)) == [FOLLOWED[0]]


@pytest.mark.parametrize("vmid", [QUIET, UNKNOWN, GONE_FOLLOWED])
def test_with_one_who_follows_nobody_nothing_is_common(circle: httpx.Client, vmid: int) -> None:
    assert exact(data_of_read(circle, SAME, OWNER, vmid=vmid)) == exact({"list": [], "re_version": 0, "total": 0})
    assert exact(data_of_read(circle, SAME, QUIET, vmid=PEER)) == exact({"list": [], "re_version": 0, "total": 0})


# Followings by name


def found(client: httpx.Client, viewer: int | None, vmid: int, **params: str | int) -> Any:
    return data_of_read(client, SEARCH, viewer, vmid=vmid, **params)


@pytest.mark.parametrize("viewer", [None, OWNER, PEER, QUIET])
def test_an_empty_name_finds_all_that_the_list_shows(circle: httpx.Client, viewer: int | None) -> None:
    for pn in (1, 2, 3):
        expected = data_of_read(circle, FOLLOWINGS, viewer, vmid=OWNER, pn=pn, ps=50)
        del expected["re_version"]
        for name in ({}, {"name": ""}):
            assert exact(found(circle, viewer, OWNER, pn=pn, **name)) == exact(expected)
    assert expected["total"] == len(ALL_FOLLOWED)


def test_a_name_finds_those_that_hold_it_newest_first(circle: httpx.Client) -> None:
    for name, mids in (
        ("NAME 20", [mid for mid in ALL_FOLLOWED if f"name {mid}".startswith("name 20") and mid != GONE_FOLLOWED]),
        ("5", [mid for mid in ALL_FOLLOWED if "5" in str(mid)]),
        ("e 3", [mid for mid in ALL_FOLLOWED if str(mid).startswith("3")]),
        ("name 2001", [2_001]),
        ("name 20011", []),
        (str(GONE_FOLLOWED), [mid for mid in ALL_FOLLOWED if "22" in str(mid) and mid != GONE_FOLLOWED]),
        ("注销", [GONE_FOLLOWED]),
        ("账号已注销", [GONE_FOLLOWED]),
        ("账号已注销了", []),
        ("%", []),
        ("name_20", []),
    ):
        whole = newest_first(mids)
        for ps in (4, 50):
            for pn in (1, 2, 3):
                data = found(circle, QUIET, OWNER, name=name, pn=pn, ps=ps)
                assert list(data) == ["list", "total"]
                assert (mids_of(data), data["total"]) == (page_of(whole, pn, ps), len(whole)), name


@pytest.mark.parametrize(
    ("name", "mids"),
    [
        *((name, {6_000, 6_001}) for name in ("strasse", "STRASSE", "straße", "STRAẞE", "ss")),
        *((name, {6_002}) for name in ("σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ", "υφος")),
        *((name, {6_003}) for name in ("a_b", "_", "\\", "B\\C")),
        *((name, {6_004}) for name in ("'", "[号]", "号]", "🎉", "IT'S [")),
        *((name, {6_005}) for name in ("fin", "FI", "ﬁ")),
        *((name, {6_001}) for name in ("%", "50%", "e 5")),
        *((name, set()) for name in ("s%e", "a?b", "*", "a.b", " straße", "str asse", "\x00", '"')),
    ],
)
def test_a_name_is_found_case_folded_and_literally(circle: httpx.Client, name: str, mids: set[int]) -> None:
    # Of the other names of the peer's followings, none holds any of these.
    data = found(circle, PEER, PEER, name=name)
    assert (set(mids_of(data)), data["total"]) == (mids, len(mids))


def test_a_search_shows_no_deeper_than_the_list(circle: httpx.Client, recent_circle: httpx.Client) -> None:
    whole = newest_first([mid for mid in ALL_FOLLOWED if mid != GONE_FOLLOWED])
    for viewer in (None, PEER):
        assert mids_of(found(circle, viewer, OWNER, name="name", pn=5, ps=2)) == whole[8:10]
        for pn in (6, 7, 10**9):
            refused = envelope_of(circle, SEARCH, viewer, vmid=OWNER, name="name", pn=pn)
            assert refused == {"code": 22007, "message": "限制只访问前5页", "ttl": 1}
    assert mids_of(found(circle, OWNER, OWNER, name="name", pn=7, ps=10)) == whole[60:70]
    # In profile recent the first hundred found are all there is, for others.
    shown = [
        mid for pn in (1, 2, 3, 4) for mid in mids_of(found(recent_circle, PEER, OWNER, name="name", pn=pn, ps=40))
    ]
    assert shown == whole[:100]
    assert found(recent_circle, PEER, OWNER, name="name", pn=9)["total"] == len(whole) > 100
    assert mids_of(found(recent_circle, OWNER, OWNER, name="name", pn=3)) == whole[100:]


def test_hidden_followings_are_not_searched_but_by_their_owner(circle: httpx.Client) -> None:
    for viewer in (None, OWNER):
        for params in ({"name": "name"}, {"name": ""}, {"name": "nobody"}, {"pn": 6}):
            assert envelope_of(circle, SEARCH, viewer, vmid=HIDER, **params)["code"] == 22115
    assert found(circle, HIDER, HIDER, name="name")["total"] == 2


@pytest.mark.parametrize("vmid", [QUIET, UNKNOWN, GONE_FOLLOWED])
def test_a_search_of_one_who_follows_nobody_finds_nothing(circle: httpx.Client, vmid: int) -> None:
    for viewer in (None, OWNER):
        assert exact(found(circle, viewer, vmid, name="")) == exact({"list": [], "total": 0})
        assert envelope_of(circle, SEARCH, viewer, vmid=vmid, pn=6)["code"] == 22007


def test_a_search_shows_relations_of_the_viewer_and_groups_of_the_owner_to_itself(circle: httpx.Client) -> None:
    for item in found(circle, OWNER, OWNER)["list"]:
        assert item["tag"] == ([SPECIAL] if item["mid"] in SPECIALS else None)
        assert item["attribute"] == (6 if item["mid"] in FRIENDS else 2)
    of_the_peer = dict.fromkeys(PEER_FOLLOWED, 2) | dict.fromkeys(PEER_WHISPERED, 1)
    for viewer in (None, PEER):
        for item in found(circle, viewer, OWNER)["list"]:
            assert (item["tag"], item["special"], item["mtime"]) == (None, 0, since(item["mid"]))
            assert item["attribute"] == (of_the_peer.get(item["mid"], 0) if viewer else 0)
