"""Lists over HTTP: order, paging, caps, privacy and items (contract 1, 5.3, 5.4, 6.5, 6.6, 9)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Served, client_of, quiet_server
from people import (
    ATTRIBUTE_OF,
    BIGGEST,
    DECORATED,
    DECORATED_RECORD,
    DELETED,
    HIDER,
    HUB,
    HUB_GROUPS,
    PLAIN_FACE,
    PLAIN_LABEL,
    SPECIAL,
    STRANGER,
    SUSPENDED,
    UNKNOWN,
    VIEWER,
    code_of,
    data_of,
    exact,
    get,
    hub_fan_since,
    hub_followed_at,
    listed,
)
from stores import Stores

from upspace.model import Account, Profile, Relation, Standing, Token
from upspace.server.viewer import token_digest
from upspace.store import open_store

Row = tuple[int, int]  # (mtime, mid): the order of a list is the order of these

FOLLOWERS, FOLLOWINGS, FANS = "/x/relation/followers", "/x/relation/followings", "/x/relation/fans"

FAN_COUNT, FOLLOWED_COUNT = 100_000, 5_000
STAR, COLLECTOR, VISITOR = 10_000_000, 10_000_001, 1
HEADERS: dict[int | None, dict[str, str]] = {
    None: {},
    **{mid: {"authorization": f"Bearer token of {mid}"} for mid in (STAR, COLLECTOR, VISITOR)},
}

# The raw rows. Every instant occurs several times, so the tie-break counts on every page.
FAN_ROWS: list[Row] = [(1_600_000_000 + mid * 7919 % 30_011, mid) for mid in range(1, FAN_COUNT + 1)]
FOLLOWED_ROWS: list[Row] = [(1_600_000_000 + mid * 104_729 % 1_013, mid) for mid in range(1, FOLLOWED_COUNT + 1)]
SPECIAL_MIDS = set(range(5, FOLLOWED_COUNT + 1, 17))


@pytest.fixture(scope="module")
def crowd_url(stores: Stores, engine: str) -> str:
    """A store with an account that 100,000 follow, and one that follows 5,000."""
    url = stores.new(engine)

    async def load() -> None:
        store = await open_store(url)
        mids = (*range(1, FAN_COUNT + 1), STAR, COLLECTOR)
        profiles = (Profile(Account(mid, name=f"name {mid}"), Standing(mid)) for mid in mids)
        fans = [Relation(mid, STAR, 2, mtime) for mtime, mid in FAN_ROWS]
        followed = [
            Relation(COLLECTOR, mid, 2, mtime, (SPECIAL,) if mid in SPECIAL_MIDS else ())
            for mtime, mid in FOLLOWED_ROWS
        ]
        await store.load(profiles, [*fans, *followed])
        for mid in (STAR, COLLECTOR, VISITOR):
            await store.put_token(Token(token_digest(f"token of {mid}"), mid, 0))
        await store.close()

    asyncio.run(load())
    return url


@pytest.fixture(scope="module")
def crowd(crowd_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with quiet_server(tmp_path_factory.mktemp("seed"), "--store", crowd_url) as served, client_of(served) as client:
        yield client


@pytest.fixture(scope="module")
def recent_crowd(crowd_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("recent")
    arguments = ("--store", crowd_url, "--profile", "recent")
    with quiet_server(folder, *arguments) as served, client_of(served) as client:
        yield client


def envelope_of(client: httpx.Client, path: str, viewer: int | None, **params: str | int) -> dict[str, Any]:
    response = client.get(path, params=params, headers=HEADERS[viewer])
    assert response.status_code == 200
    envelope: dict[str, Any] = response.json()
    return envelope


def rows_of(envelope: dict[str, Any], total: int) -> list[Row]:
    """The rows of a page, whose total must be this."""
    assert (envelope["code"], envelope["message"]) == (0, "0")
    data = envelope["data"]
    assert (data["total"], data["re_version"]) == (total, 0)
    return [(item["mtime"], item["mid"]) for item in data["list"]]


def in_order(rows: list[Row], order: str, special_first: bool = False) -> list[Row]:
    """The oracle: what a list is, from the raw rows."""
    ordered = sorted(rows, reverse=order == "desc")
    if not special_first:
        return ordered
    return [row for row in ordered if row[1] in SPECIAL_MIDS] + [row for row in ordered if row[1] not in SPECIAL_MIDS]


def page_of(rows: list[Row], pn: int, ps: int) -> list[Row]:
    return rows[(pn - 1) * ps : pn * ps]


@pytest.mark.parametrize("viewer", [None, VISITOR])
@pytest.mark.parametrize("ps", [1, 7, 20, 50])
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_others_see_five_pages_of_100_000_followers(
    crowd: httpx.Client, viewer: int | None, ps: int, order: str
) -> None:
    rows = in_order(FAN_ROWS, order)
    for pn in range(1, 6):
        page = envelope_of(crowd, FOLLOWERS, viewer, vmid=STAR, pn=pn, ps=ps, order=order)
        assert rows_of(page, FAN_COUNT) == page_of(rows, pn, ps)
    for pn in (6, 7, 1000, 10**9):
        refused = envelope_of(crowd, FOLLOWERS, viewer, vmid=STAR, pn=pn, ps=ps, order=order)
        assert refused == {"code": 22007, "message": "限制只访问前5页", "ttl": 1}


@pytest.mark.parametrize("ps", [7, 20, 50])
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_the_owner_sees_the_first_1000_of_its_followers(
    crowd: httpx.Client, recent_crowd: httpx.Client, ps: int, order: str
) -> None:
    rows = in_order(FAN_ROWS, order)[:1000]
    pages = [*range(1, 1000 // ps + 3), 10**6, 10**9]
    for pn in pages:
        page = envelope_of(crowd, FOLLOWERS, STAR, vmid=STAR, pn=pn, ps=ps, order=order)
        assert rows_of(page, FAN_COUNT) == page_of(rows, pn, ps)
    for pn in (1, 1000 // ps, 1000 // ps + 1, 1000 // ps + 2):
        page = envelope_of(recent_crowd, FOLLOWERS, STAR, vmid=STAR, pn=pn, ps=ps, order=order)
        assert rows_of(page, FAN_COUNT) == page_of(rows, pn, ps)


def test_all_100_000_followers_come_by_the_cursor(crowd: httpx.Client) -> None:
    rows: list[Row] = []
    offset = ""
    while True:
        envelope = envelope_of(crowd, FANS, None, vmid=STAR, ps=50, offset=offset)
        page = rows_of(envelope, FAN_COUNT)
        offset = envelope["data"]["offset"]
        if not page:
            break
        assert offset == "{}:{}".format(*page[-1])
        rows += page
    assert offset == ""
    assert rows == in_order(FAN_ROWS, "desc")


def test_fans_are_always_newest_first_and_paged_like_followers(crowd: httpx.Client) -> None:
    rows = in_order(FAN_ROWS, "desc")
    for order in ("desc", "asc", ""):
        for pn in range(1, 6):
            envelope = envelope_of(crowd, FANS, VISITOR, vmid=STAR, pn=pn, order=order)
            assert rows_of(envelope, FAN_COUNT) == page_of(rows, pn, 20)
            assert list(envelope["data"]) == ["list", "offset", "re_version", "total"]
    assert envelope_of(crowd, FANS, VISITOR, vmid=STAR, pn=6)["code"] == 22007


def test_a_cursor_makes_the_page_number_irrelevant_and_need_not_be_a_row(crowd: httpx.Client) -> None:
    rows = in_order(FAN_ROWS, "desc")
    after = "{}:{}".format(*rows[599])
    for pn in (1, 5, 6, 1000):
        assert rows_of(envelope_of(crowd, FANS, None, vmid=STAR, pn=pn, offset=after), FAN_COUNT) == rows[600:620]
    mtime, mid = rows[40]
    between = envelope_of(crowd, FANS, None, vmid=STAR, offset=f"{mtime}:{mid + 1}", ps=3)
    assert rows_of(between, FAN_COUNT) == rows[40:43]
    everything = envelope_of(crowd, FANS, None, vmid=STAR, offset="9223372036854775807:1", ps=3)
    assert rows_of(everything, FAN_COUNT) == rows[:3]
    assert rows_of(envelope_of(crowd, FANS, None, vmid=STAR, offset="0:1"), FAN_COUNT) == []


@pytest.mark.parametrize(("viewer", "cap"), [(VISITOR, 100), (STAR, 1000)])
@pytest.mark.parametrize("ps", [7, 20, 50])
def test_a_row_cap_counts_from_the_newest_for_pages_and_cursors_alike(
    recent_crowd: httpx.Client, viewer: int, cap: int, ps: int
) -> None:
    rows = in_order(FAN_ROWS, "desc")[:cap]
    seen: list[Row] = []
    offset = ""
    while page := envelope_of(recent_crowd, FANS, viewer, vmid=STAR, ps=ps, offset=offset)["data"]["list"]:
        seen += [(item["mtime"], item["mid"]) for item in page]
        offset = f"{page[-1]['mtime']}:{page[-1]['mid']}"
    assert seen == rows
    for pn in (1, cap // ps, cap // ps + 1, cap // ps + 2, 10**9):
        envelope = envelope_of(recent_crowd, FANS, viewer, vmid=STAR, pn=pn, ps=ps)
        assert rows_of(envelope, FAN_COUNT) == page_of(rows, pn, ps)
        assert (envelope["data"]["offset"] == "") == (page_of(rows, pn, ps) == [])


def test_the_owner_gets_1000_fans_by_cursor_in_profile_seed(crowd: httpx.Client) -> None:
    rows = in_order(FAN_ROWS, "desc")
    for start, size in ((940, 50), (960, 40), (999, 1), (1000, 0), (5000, 0)):
        after = "{}:{}".format(*rows[start - 1])
        envelope = envelope_of(crowd, FANS, STAR, vmid=STAR, ps=50, offset=after)
        assert rows_of(envelope, FAN_COUNT) == rows[start : start + size]


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("order_type", ["", "attention", "other"])
@pytest.mark.parametrize("ps", [37, 50])
def test_the_owner_sees_all_of_its_5000_followings(crowd: httpx.Client, order: str, order_type: str, ps: int) -> None:
    rows = in_order(FOLLOWED_ROWS, order, special_first=order_type == "attention")
    for pn in range(1, FOLLOWED_COUNT // ps + 3):
        page = envelope_of(
            crowd, FOLLOWINGS, COLLECTOR, vmid=COLLECTOR, pn=pn, ps=ps, order=order, order_type=order_type
        )
        assert rows_of(page, FOLLOWED_COUNT) == page_of(rows, pn, ps)


def test_the_owner_sees_all_of_its_followings_in_profile_recent(recent_crowd: httpx.Client) -> None:
    rows = in_order(FOLLOWED_ROWS, "desc")
    for pn in (1, 2, 3, 6, 50, 100, 101):
        page = envelope_of(recent_crowd, FOLLOWINGS, COLLECTOR, vmid=COLLECTOR, pn=pn)
        assert rows_of(page, FOLLOWED_COUNT) == page_of(rows, pn, 50)


@pytest.mark.parametrize("viewer", [None, VISITOR])
@pytest.mark.parametrize("order", ["desc", "asc"])
def test_others_see_five_pages_of_followings_in_no_special_order(
    crowd: httpx.Client, viewer: int | None, order: str
) -> None:
    rows = in_order(FOLLOWED_ROWS, order)
    for pn in range(1, 6):
        page = envelope_of(crowd, FOLLOWINGS, viewer, vmid=COLLECTOR, pn=pn, ps=50, order=order, order_type="attention")
        assert rows_of(page, FOLLOWED_COUNT) == page_of(rows, pn, 50)
        assert {item["special"] for item in page["data"]["list"]} == {0}
    assert envelope_of(crowd, FOLLOWINGS, viewer, vmid=COLLECTOR, pn=6)["code"] == 22007


def test_a_page_holds_at_most_50(crowd: httpx.Client) -> None:
    for path, target, total in ((FOLLOWERS, STAR, FAN_COUNT), (FOLLOWINGS, COLLECTOR, FOLLOWED_COUNT)):
        expected = envelope_of(crowd, path, None, vmid=target, ps=50, pn=2)
        assert len(rows_of(expected, total)) == 50
        for ps in (51, 100, 10**30):
            assert envelope_of(crowd, path, None, vmid=target, ps=ps, pn=2) == expected


@pytest.mark.parametrize("ps", [7, 30, 50])
@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize(
    ("path", "target", "cap"), [(FOLLOWERS, STAR, 1000), (FOLLOWINGS, COLLECTOR, 100), (FANS, STAR, 100)]
)
def test_in_profile_recent_others_see_rows_up_to_the_cap_and_no_error_past_it(
    recent_crowd: httpx.Client, path: str, target: int, cap: int, order: str, ps: int
) -> None:
    raw, total = (FAN_ROWS, FAN_COUNT) if target == STAR else (FOLLOWED_ROWS, FOLLOWED_COUNT)
    rows = in_order(raw, "desc" if path == FANS else order)[:cap]
    for pn in (1, 2, cap // ps, cap // ps + 1, cap // ps + 2, 10**9):
        page = envelope_of(recent_crowd, path, VISITOR, vmid=target, pn=pn, ps=ps, order=order)
        assert rows_of(page, total) == page_of(rows, pn, ps)


def test_profile_recent_asks_for_login_and_pages_by_50(recent_crowd: httpx.Client) -> None:
    for path, target, total in ((FOLLOWERS, STAR, FAN_COUNT), (FOLLOWINGS, COLLECTOR, FOLLOWED_COUNT)):
        refused = envelope_of(recent_crowd, path, None, vmid=target)
        assert refused == {"code": -101, "message": "账号未登录", "ttl": 1}
        assert len(rows_of(envelope_of(recent_crowd, path, VISITOR, vmid=target), total)) == 50
    assert envelope_of(recent_crowd, FANS, None, vmid=STAR)["code"] == -101


# Privacy and states, on the small cast


@pytest.mark.parametrize("viewer", [None, VIEWER, STRANGER, SUSPENDED])
def test_hidden_lists_are_hidden_from_everyone_else(seed: httpx.Client, viewer: int | None) -> None:
    if viewer == STRANGER:  # follows the hider and is followed by it, but has no token
        viewer = HUB
    for path, code, message in (
        (FOLLOWINGS, 22115, "用户已设置隐私，无法查看"),
        (FOLLOWERS, 22118, "由于该用户隐私设置，粉丝列表不可见"),
        (FANS, 22118, "由于该用户隐私设置，粉丝列表不可见"),
    ):
        assert get(seed, path, viewer, {"vmid": HIDER}) == {"code": code, "message": message, "ttl": 1}
        assert get(seed, path, viewer, {"vmid": HIDER, "pn": 6})["code"] == code
    stat = data_of(seed, "/x/relation/stat", viewer, {"vmid": HIDER})
    assert (stat["following"], stat["follower"]) == (2, 2)


def test_hidden_lists_are_shown_to_their_owner(seed: httpx.Client, recent: httpx.Client) -> None:
    for client in (seed, recent):
        for path in (FOLLOWINGS, FOLLOWERS, FANS):
            data = data_of(client, path, HIDER, {"vmid": HIDER})
            assert ({item["mid"] for item in data["list"]}, data["total"]) == ({HUB, STRANGER}, 2)


@pytest.mark.parametrize("target", [UNKNOWN, DELETED, 1])
def test_lists_of_an_unknown_or_deleted_account_are_empty(seed: httpx.Client, target: int) -> None:
    for path in (FOLLOWINGS, FOLLOWERS):
        empty = exact({"list": [], "re_version": 0, "total": 0})
        assert exact(data_of(seed, path, None, {"vmid": target})) == empty
        assert exact(data_of(seed, path, VIEWER, {"vmid": target})) == empty
        assert code_of(seed, path, None, {"vmid": target, "pn": 6}) == 22007
    no_fans = exact({"list": [], "offset": "", "re_version": 0, "total": 0})
    for viewer in (None, VIEWER):
        assert exact(data_of(seed, FANS, viewer, {"vmid": target})) == no_fans
        assert exact(data_of(seed, FANS, viewer, {"vmid": target, "offset": "5:5"})) == no_fans


def test_a_page_past_the_end_is_empty_with_the_true_total(seed: httpx.Client) -> None:
    for viewer in (None, VIEWER, HUB):
        for path, total in ((FOLLOWINGS, 13), (FOLLOWERS, 12)):
            data = data_of(seed, path, viewer, {"vmid": HUB, "pn": 5, "ps": 4})
            assert exact(data) == exact({"list": [], "re_version": 0, "total": total})


# Items


def plain_vip(**changed: Any) -> dict[str, Any]:
    return {
        "vipType": 0,
        "vipDueDate": 0,
        "dueRemark": "",
        "accessStatus": 0,
        "vipStatus": 0,
        "vipStatusWarn": "",
        "themeType": 0,
        "label": PLAIN_LABEL,
        "avatar_subscript": 0,
        "nickname_color": "",
        "avatar_subscript_url": "",
    } | changed


def expected_item(mid: int, mtime: int, viewer: int | None, url: str, recent: bool) -> dict[str, Any]:
    """The item of an account of the cast in a list of the hub's."""
    attribute = 0
    if viewer == VIEWER:
        attribute = ATTRIBUTE_OF.get(mid, 0)
    elif viewer == HUB:
        attribute = 2 if mid == DELETED else 6
    tag = list(HUB_GROUPS.get(mid, ())) or None if viewer == HUB else None
    contract = {"is_contractor": False, "ts": 0, "is_contract": False, "user_attr": 0}
    item = {
        "mid": mid,
        "attribute": attribute,
        "mtime": mtime,
        "tag": tag,
        "special": int(SPECIAL in (tag or ())),
        "contract_info": {} if recent else contract,
        "uname": f"name {mid}",
        "face": PLAIN_FACE.format(url=url, mid=mid),
        "sign": "",
        "face_nft": 0,
        "official_verify": {"type": -1, "desc": ""},
        "vip": plain_vip(),
        "name_render": {},
        "nft_icon": "",
        "rec_reason": "",
        "track_id": "",
        "follow_time": "",
    }
    if mid == DELETED:
        item |= {"uname": "账号已注销", "face": PLAIN_FACE.format(url=url, mid=0)}
    if mid == DECORATED:
        vip = DECORATED_RECORD["vip"]
        item |= {name: DECORATED_RECORD[name] for name in ("face", "sign", "face_nft", "name_render", "nft_icon")}
        item |= {"uname": DECORATED_RECORD["name"], "official_verify": {"type": 0, "desc": "a title"}}
        item["vip"] = plain_vip(
            vipType=1,
            vipDueDate=1_800_000_000_000,
            vipStatus=1,
            themeType=2,
            label=vip["label"],
            avatar_subscript=1,
            nickname_color=vip["nickname_color"],
            avatar_subscript_url=vip["avatar_subscript_url"],
        )
    if not recent:
        for name in ("name_render", "rec_reason", "track_id", "follow_time"):
            del item[name]
    return item


def expected_list(path: str, viewer: int | None, url: str, recent: bool) -> dict[str, Any]:
    since = hub_followed_at if path == FOLLOWINGS else hub_fan_since
    mids = [mid for mid in listed() if path == FOLLOWINGS or mid != DELETED]
    rows = sorted(((since(mid), mid) for mid in mids), reverse=True)
    items = [expected_item(mid, mtime, viewer, url, recent) for mtime, mid in rows]
    offset = {"offset": "{}:{}".format(*rows[-1])} if path == FANS else {}
    # A fan's item in a list of the hub's own carries the groups of the fan, if the hub follows it.
    return {"list": items} | offset | {"re_version": 0, "total": len(items)}


@pytest.mark.parametrize("viewer", [None, VIEWER, HUB, SUSPENDED])
@pytest.mark.parametrize("path", [FOLLOWINGS, FOLLOWERS, FANS])
def test_every_item_is_exactly_as_the_contract_says(
    seed: httpx.Client, seed_server: Served, path: str, viewer: int | None
) -> None:
    expected = expected_list(path, viewer, seed_server.url, recent=False)
    if viewer == SUSPENDED:
        mine = {item["mid"]: item for item in expected["list"]}
        assert mine[SUSPENDED]["attribute"] == 0
    assert exact(data_of(seed, path, viewer, {"vmid": HUB})) == exact(expected)


@pytest.mark.parametrize("viewer", [VIEWER, HUB])
@pytest.mark.parametrize("path", [FOLLOWINGS, FOLLOWERS, FANS])
def test_every_item_of_profile_recent_has_the_later_fields_at_their_places(
    recent: httpx.Client, recent_server: Served, path: str, viewer: int
) -> None:
    expected = expected_list(path, viewer, recent_server.url, recent=True)
    assert exact(data_of(recent, path, viewer, {"vmid": HUB})) == exact(expected)


def test_whispers_and_blocks_are_listed_nowhere(seed: httpx.Client) -> None:
    for viewer in (None, VIEWER):
        followings = data_of(seed, FOLLOWINGS, viewer, {"vmid": VIEWER})
        assert {item["mid"] for item in followings["list"]} == {3003, 3004, HUB}
        followers = data_of(seed, FOLLOWERS, viewer, {"vmid": VIEWER})
        assert {item["mid"] for item in followers["list"]} == {3004, 3006, HUB}


def test_the_biggest_mid_travels_as_a_number(seed: httpx.Client) -> None:
    assert f'"mid":{BIGGEST},' in seed.get(f"{FOLLOWINGS}?vmid={HUB}").text


# One switch at a time


def test_a_switch_works_without_its_profile(people_url: str, tmp_path: Path) -> None:
    arguments = ("--store", people_url, "--lists-need-login", "--others-cap-followings", "rows", "--default-ps", "3")
    with quiet_server(tmp_path, *arguments) as served, client_of(served) as client:
        assert code_of(client, FOLLOWERS, None, {"vmid": HUB}) == -101
        followers = data_of(client, FOLLOWERS, VIEWER, {"vmid": HUB})
        expected = expected_list(FOLLOWERS, VIEWER, served.url, recent=False)
        assert exact(followers) == exact(expected | {"list": expected["list"][:3]})
        assert code_of(client, FOLLOWERS, VIEWER, {"vmid": HUB, "pn": 6}) == 22007
        assert code_of(client, FOLLOWINGS, VIEWER, {"vmid": HUB, "pn": 6}) == 0
        assert "mcn_info" not in data_of(client, "/x/space/acc/info", None, {"mid": HUB})


def test_a_switch_can_be_taken_out_of_a_profile(people_url: str, tmp_path: Path) -> None:
    arguments = ("--store", people_url, "--profile", "recent", "--no-list-recent-fields", "--no-lists-need-login")
    with quiet_server(tmp_path, *arguments, "--no-contract-info-empty") as served, client_of(served) as client:
        expected = expected_list(FOLLOWINGS, None, served.url, recent=False)
        assert exact(data_of(client, FOLLOWINGS, None, {"vmid": HUB})) == exact(expected)
        assert data_of(client, "/x/space/upstat", None, {"mid": DECORATED}) == {}
        assert data_of(client, "/x/space/acc/info", None, {"mid": HUB})["mcn_info"] is None
