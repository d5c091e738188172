"""Groups as they are read over HTTP (contract 8.3): tags, tag, tag/user, tag/special."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from circle import (
    FOLLOWED,
    FRIENDS,
    GONE_FOLLOWED,
    OWNER,
    PEER,
    PEER_FOLLOWED,
    QUIET,
    SPECIALS,
    UNKNOWN,
    WHISPERED,
    circle_store,
    data_of_read,
    envelope_of,
    newest_first,
    peer_since,
    token_of,
)
from conftest import Served, client_of, quiet_server
from people import DECORATED, DECORATED_RECORD, DELETED, HUB, HUB_GROUPS, SPECIAL, data_of, exact, listed
from stores import Stores

TAGS, TAG, USER, SPECIAL_PATH = (f"/x/relation/{name}" for name in ("tags", "tag", "tag/user", "tag/special"))
DEFAULT, ALL = 0, -20
NO_SUCH_GROUP = {"code": 22104, "message": "该分组不存在", "ttl": 1}
BAD_REQUEST = {"code": -400, "message": "请求错误", "ttl": 1}
TIP = "第一时间收到该分组下用户更新稿件的通知"

ALL_FOLLOWED = [*FOLLOWED, *FRIENDS]
# Whom the owner puts into groups of its own: one group is large, one overlaps with it, one stays empty.
LARGE = [*FOLLOWED[:45], *FRIENDS[:10], GONE_FOLLOWED]
SMALL = FOLLOWED[40:50]


def post(client: httpx.Client, path: str, viewer: int, **params: str | int) -> Any:
    headers = {"authorization": f"Bearer {token_of(viewer)}"}
    envelope = client.post(f"/x/relation/{path}", data=params, headers=headers).json()
    assert envelope["code"] == 0
    return envelope.get("data")


def put_into(client: httpx.Client, mids: list[int], tagid: int, viewer: int = OWNER) -> None:
    for start in range(0, len(mids), 50):
        fids = ",".join(map(str, mids[start : start + 50]))
        post(client, "tags/copyUsers", viewer, fids=fids, tagids=tagid)


@pytest.fixture(scope="module")
def circle(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = circle_store(stores.new(engine))
    with quiet_server(tmp_path_factory.mktemp("groups"), "--store", url) as served, client_of(served) as client:
        yield client


@pytest.fixture(scope="module")
def groups(circle: httpx.Client) -> dict[str, int]:
    """The ids of the owner's own groups, by name and in order of age."""
    ids = {}
    for name in ("large", "empty", "small"):
        # The peer makes some in between, so that ids are not simply counted for each account.
        ids[name] = post(circle, "tag/create", OWNER, tag=name)["tagid"]
        post(circle, "tag/create", PEER, tag=name)
    put_into(circle, LARGE, ids["large"])
    put_into(circle, SMALL, ids["small"])
    return ids


def mids_in(client: httpx.Client, tagid: int, **params: str | int) -> list[int]:
    return [item["mid"] for item in data_of_read(client, TAG, OWNER, tagid=tagid, **params)]


def page_of(mids: list[int], pn: int, ps: int) -> list[int]:
    return mids[(pn - 1) * ps : pn * ps]


def members(groups: dict[str, int]) -> dict[int, list[int]]:
    """Who is in which group, newest first."""
    grouped = {*SPECIALS, *LARGE, *SMALL}
    return {
        SPECIAL: newest_first([mid for mid in ALL_FOLLOWED if mid in SPECIALS]),
        DEFAULT: newest_first([mid for mid in ALL_FOLLOWED if mid not in grouped]),
        ALL: newest_first(ALL_FOLLOWED),
        groups["large"]: newest_first(LARGE),
        groups["empty"]: [],
        groups["small"]: newest_first(SMALL),
    }


# tags


def test_groups_are_the_built_in_ones_and_the_own_by_age(circle: httpx.Client, groups: dict[str, int]) -> None:
    counts = {tagid: len(mids) for tagid, mids in members(groups).items()}
    expected = [
        {"tagid": SPECIAL, "name": "特别关注", "count": counts[SPECIAL], "tip": TIP},
        {"tagid": DEFAULT, "name": "默认分组", "count": counts[DEFAULT], "tip": ""},
        *({"tagid": tagid, "name": name, "count": counts[tagid], "tip": ""} for name, tagid in groups.items()),
    ]
    assert exact(data_of_read(circle, TAGS, OWNER)) == exact(expected)
    # Counts are of all members, not of a page, and of listed ones: some whispers are special.
    assert counts[groups["large"]] > 50
    assert any(mid in SPECIALS for mid in WHISPERED)


def test_an_account_without_anything_has_the_built_in_groups(circle: httpx.Client) -> None:
    expected = [
        {"tagid": SPECIAL, "name": "特别关注", "count": 0, "tip": TIP},
        {"tagid": DEFAULT, "name": "默认分组", "count": 0, "tip": ""},
    ]
    assert exact(data_of_read(circle, TAGS, QUIET)) == exact(expected)
    for tagid in (SPECIAL, DEFAULT, ALL):
        assert data_of_read(circle, TAG, QUIET, tagid=tagid) == []
    assert data_of_read(circle, SPECIAL_PATH, QUIET) == []
    assert data_of_read(circle, USER, QUIET, fid=OWNER) == {}


# tag


def test_a_group_is_newest_first_and_20_to_a_page(circle: httpx.Client, groups: dict[str, int]) -> None:
    for tagid, whole in members(groups).items():
        assert mids_in(circle, tagid) == whole[:20]
        for params in ({"ps": 0}, {"ps": ""}, {"pn": 1, "ps": -1}, {"order": "asc"}, {"order_type": "other"}):
            assert mids_in(circle, tagid, **params) == whole[:20]
        for ps in (7, 20, 50):
            for pn in (1, 2, 3, len(whole) // ps + 1, len(whole) // ps + 2, 10**9):
                assert mids_in(circle, tagid, pn=pn, ps=ps) == page_of(whole, pn, ps)
        for ps in (51, 100, 10**20):
            assert mids_in(circle, tagid, ps=ps, pn=2) == page_of(whole, 2, 50)


def test_special_accounts_come_first_if_asked_for(circle: httpx.Client, groups: dict[str, int]) -> None:
    for tagid, whole in members(groups).items():
        ordered = sorted(whole, key=lambda mid: mid not in SPECIALS)
        assert (ordered == whole) == (tagid in (SPECIAL, DEFAULT, groups["empty"]))
        for ps in (7, 50):
            for pn in range(1, len(whole) // ps + 3):
                page = mids_in(circle, tagid, pn=pn, ps=ps, order_type="attention")
                assert page == page_of(ordered, pn, ps)


def test_a_group_is_one_of_the_viewers_own(circle: httpx.Client, groups: dict[str, int]) -> None:
    peers = [group["tagid"] for group in data_of_read(circle, TAGS, PEER)[2:]]
    assert not set(peers) & set(groups.values())
    for tagid in (*peers, -1, -9, -11, -19, -21, max(*peers, *groups.values()) + 1, 2**63 - 1, 10**20, -(10**20)):
        assert envelope_of(circle, TAG, OWNER, tagid=tagid) == NO_SUCH_GROUP
        # Parameters come first.
        assert envelope_of(circle, TAG, OWNER, tagid=tagid, pn="x") == BAD_REQUEST
    for tagid in groups.values():
        assert envelope_of(circle, TAG, PEER, tagid=tagid) == NO_SUCH_GROUP
    assert envelope_of(circle, TAG, OWNER) == envelope_of(circle, TAG, OWNER, tagid="") == BAD_REQUEST


def test_groups_of_the_lists_are_those_of_the_groups(circle: httpx.Client, groups: dict[str, int]) -> None:
    inside = members(groups)
    shown = [
        item
        for pn in (1, 2, 3)
        for item in data_of_read(circle, "/x/relation/followings", OWNER, vmid=OWNER, pn=pn, ps=50)["list"]
    ]
    assert len(shown) == len(ALL_FOLLOWED)
    for item in shown:
        own = [tagid for tagid in (SPECIAL, *groups.values()) if item["mid"] in inside[tagid]]
        assert (item["tag"], item["special"]) == (own or None, int(SPECIAL in own))


def hub_items(client: httpx.Client, **params: str | int) -> list[dict[str, Any]]:
    """What the hub's own list shows of the accounts it follows, as group items have it."""
    items = []
    for item in data_of(client, "/x/relation/followings", HUB, {"vmid": HUB, "ps": 50})["list"]:
        shown = item | {"attribute": 0, "tag": None, "special": 0}
        del shown["mtime"]
        live: dict[str, Any] = {"live_status": 0, "jump_url": ""}
        if item["mid"] == DECORATED:
            live = {"live_status": 1, "jump_url": DECORATED_RECORD["live_room"]["url"]}
        after = list(shown).index("vip") + 1
        pairs = list(shown.items())
        items.append(dict([*pairs[:after], ("live", live), *pairs[after:]]))
    return items


@pytest.mark.parametrize("profile", ["seed", "recent"])
def test_every_item_of_a_group_is_exactly_as_the_contract_says(
    engine: str, profile: str, request: pytest.FixtureRequest
) -> None:
    client: httpx.Client = request.getfixturevalue(profile)
    served: Served = request.getfixturevalue(f"{profile}_server")
    later = profile == "recent"
    items = data_of(client, TAG, HUB, {"tagid": ALL})
    assert exact(items) == exact(hub_items(client))
    assert {item["mid"] for item in items} == set(listed())
    for item in items:
        assert list(item) == [
            *("mid", "attribute", "tag", "special", "contract_info", "uname", "face", "sign", "face_nft"),
            *("official_verify", "vip", "live", *["name_render"] * later),
            *("nft_icon", *["rec_reason", "track_id", "follow_time"] * later),
        ]
        assert exact([item["attribute"], item["tag"], item["special"]]) == exact([0, None, 0])
    by_mid = {item["mid"]: item for item in items}
    assert exact(by_mid[DECORATED]["live"]) == exact({"live_status": 1, "jump_url": "http://live.example.org/1"})
    deleted = by_mid[DELETED]
    assert (deleted["uname"], deleted["face"]) == ("账号已注销", f"{served.url}/-/faces/0.svg")
    assert exact(deleted["live"]) == exact({"live_status": 0, "jump_url": ""})
    # The same items in the other groups.
    for tagid in (SPECIAL, DEFAULT):
        grouped = data_of(client, TAG, HUB, {"tagid": tagid})
        assert exact(grouped) == exact([item for item in items if item["mid"] in {each["mid"] for each in grouped}])
    special = {mid for mid, tag in HUB_GROUPS.items() if SPECIAL in tag}
    assert {item["mid"] for item in data_of(client, TAG, HUB, {"tagid": SPECIAL})} == special
    assert {item["mid"] for item in data_of(client, TAG, HUB, {"tagid": DEFAULT})} == {*listed()} - {*HUB_GROUPS}


# tag/user and tag/special


def test_the_groups_of_an_account_by_name(circle: httpx.Client, groups: dict[str, int]) -> None:
    names = {SPECIAL: "特别关注"} | {tagid: name for name, tagid in groups.items()}
    inside = members(groups)
    both = {mid for mid in LARGE if mid in SMALL and mid in SPECIALS}
    assert both
    for mid in (*both, *LARGE[:6], *SMALL[-3:], *FOLLOWED[-6:], *FRIENDS[-4:], GONE_FOLLOWED):
        expected = {str(tagid): name for tagid, name in names.items() if mid in inside[tagid]}
        assert exact(data_of_read(circle, USER, OWNER, fid=mid)) == exact(expected)
    # Who is not followed is in none, though a whisper may have kept its groups.
    whispered = next(mid for mid in WHISPERED if mid in SPECIALS)
    assert data_of_read(circle, "/x/relation", OWNER, fid=whispered)["tag"] == [SPECIAL]
    for mid in (whispered, 4_000, 5_000, UNKNOWN, OWNER):
        assert data_of_read(circle, USER, OWNER, fid=mid) == {}
    for params in ({}, {"fid": ""}, {"fid": "0"}):
        assert envelope_of(circle, USER, OWNER, **params) == BAD_REQUEST


def test_special_accounts_are_a_list_of_mids(circle: httpx.Client, groups: dict[str, int]) -> None:
    whole = members(groups)[SPECIAL]
    assert data_of_read(circle, SPECIAL_PATH, OWNER) == whole
    assert data_of_read(circle, SPECIAL_PATH, OWNER, pn="", ps="") == whole
    for ps in (1, 7, 50, 51):
        for pn in (1, 2, len(whole) // ps + 1, len(whole) // ps + 2):
            assert data_of_read(circle, SPECIAL_PATH, OWNER, pn=pn, ps=ps) == page_of(whole, pn, min(ps, 50))
    assert data_of_read(circle, SPECIAL_PATH, OWNER, ps=4) == whole[:4]
    assert data_of_read(circle, SPECIAL_PATH, OWNER, pn=2) == whole[50:]
    for params in ({"pn": "x"}, {"ps": "x"}, {"pn": 10**9 + 1}):
        assert envelope_of(circle, SPECIAL_PATH, OWNER, **params) == BAD_REQUEST


def test_the_whole_list_of_special_accounts_may_be_long(circle: httpx.Client) -> None:
    put_into(circle, PEER_FOLLOWED, SPECIAL, PEER)
    whole = [mid for _, mid in sorted(((peer_since(mid), mid) for mid in PEER_FOLLOWED), reverse=True)]
    assert len(whole) > 100
    assert data_of_read(circle, SPECIAL_PATH, PEER) == whole
    counts = {group["tagid"]: group["count"] for group in data_of_read(circle, TAGS, PEER)}
    assert (counts[SPECIAL], counts[DEFAULT]) == (len(whole), 0)
    assert data_of_read(circle, TAG, PEER, tagid=DEFAULT) == []
