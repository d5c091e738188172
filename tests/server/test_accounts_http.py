"""Replies about one account (contract 6.1 to 6.4 and 10)."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Served, client_of, serving
from msgspec.structs import replace
from people import (
    ATTRIBUTE_OF,
    BIGGEST,
    BLACK,
    DECORATED,
    DECORATED_RECORD,
    DELETED,
    FRIEND,
    HIDER,
    HUB,
    PLAIN_FACE,
    PLAIN_LABEL,
    SUSPENDED,
    UNKNOWN,
    VIEWER,
    bearer,
    code_of,
    data_of,
    exact,
    get,
    load_people,
)

from upspace.model import Profile
from upspace.store import open_store

INFO, WBI_INFO = "/x/space/acc/info", "/x/space/wbi/acc/info"
CARD, UPSTAT, STAT = "/x/web-interface/card", "/x/space/upstat", "/x/relation/stat"
NAV, SPI, WUZHI = "/x/web-interface/nav", "/x/frontend/finger/spi", "/x/internal/gaia-gateway/ExClimbWuzhi"
MYINFO, MYINFO_ALIAS = "/x/space/myinfo", "/x/space/v2/myinfo"

PLAIN_LIVE_ROOM = {
    "roomStatus": 0,
    "liveStatus": 0,
    "url": "",
    "title": "",
    "cover": "",
    "roomid": 0,
    "roundStatus": 0,
    "broadcast_type": 0,
    "watched_show": {
        "switch": False,
        "num": 0,
        "text_small": "0",
        "text_large": "0人看过",
        "icon": "",
        "icon_location": "",
        "icon_web": "",
    },
}
PLAIN_VIP = {
    "type": 0,
    "status": 0,
    "due_date": 0,
    "vip_pay_type": 0,
    "theme_type": 0,
    "label": PLAIN_LABEL,
    "avatar_subscript": 0,
    "nickname_color": "",
    "role": 0,
    "avatar_subscript_url": "",
}
PLAIN_PENDANT = {"pid": 0, "name": "", "image": "", "expire": 0, "image_enhance": "", "image_enhance_frame": ""}
PLAIN_NAMEPLATE = {"nid": 0, "name": "", "image": "", "image_small": "", "level": "", "condition": ""}
PLAIN_OFFICIAL = {"role": 0, "title": "", "desc": "", "type": -1}


def plain_info(mid: int, url: str, **changed: Any) -> dict[str, Any]:
    """acc/info of an account that is nothing but a mid and a name."""
    return {
        "mid": mid,
        "name": f"name {mid}",
        "sex": "保密",
        "face": PLAIN_FACE.format(url=url, mid=mid),
        "face_nft": 0,
        "sign": "",
        "rank": 10000,
        "level": 0,
        "jointime": 0,
        "moral": 0,
        "silence": 0,
        "coins": 0,
        "fans_badge": False,
        "fans_medal": {"show": False, "wear": False, "medal": None},
        "official": PLAIN_OFFICIAL,
        "vip": PLAIN_VIP,
        "pendant": PLAIN_PENDANT,
        "nameplate": PLAIN_NAMEPLATE,
        "user_honour_info": {"mid": 0, "colour": None, "tags": []},
        "is_followed": False,
        "top_photo": "",
        "theme": {},
        "sys_notice": {},
        "live_room": PLAIN_LIVE_ROOM,
        "birthday": "",
        "school": None,
        "profession": {"name": "", "department": "", "title": "", "is_show": 0},
        "tags": None,
        "series": {"user_upgrade_status": 3, "show_upgrade_window": False},
        "is_senior_member": 0,
    } | changed


def decorated_info(**changed: Any) -> dict[str, Any]:
    """acc/info of the account where no value is a default."""
    plain = plain_info(DECORATED, "")
    return {name: DECORATED_RECORD.get(name, default) for name, default in plain.items()} | {"coins": 0} | changed


def with_after(value: dict[str, Any], after: str, **added: Any) -> dict[str, Any]:
    """The object with more members behind the one named."""
    names = list(value)
    cut = names.index(after) + 1
    return {name: value[name] for name in names[:cut]} | added | {name: value[name] for name in names[cut:]}


def in_recent(info: dict[str, Any]) -> dict[str, Any]:
    """acc/info with every field of the second table of contract 6.1 at its place."""
    label = info["vip"]["label"] | {
        "use_img_label": True,
        "img_label_uri_hans": "",
        "img_label_uri_hant": "",
        "img_label_uri_hans_static": "",
        "img_label_uri_hant_static": "",
    }
    television = {"tv_vip_status": 0, "tv_vip_pay_type": 0, "tv_due_date": 0}
    medal = info["fans_medal"]["medal"]
    changed = info | {
        "vip": info["vip"] | {"label": label} | television | {"avatar_icon": {"icon_type": 0, "icon_resource": {}}},
        "pendant": info["pendant"] | {"n_pid": info["pendant"]["pid"]},
        "user_honour_info": info["user_honour_info"] | {"is_latest_100honour": 0},
        "fans_medal": info["fans_medal"] | {"medal": medal and medal | {"guard_level": 0}},
        "school": info["school"] or {"name": ""},
    }
    electric = {"show": False, "state": -1, "title": "", "icon": "", "jump_url": ""}
    return with_after(changed, "face_nft", face_nft_type=0) | {
        "mcn_info": None,
        "gaia_res_type": 0,
        "gaia_data": None,
        "is_risk": False,
        "elec": {"show_info": electric},
        "contract": {"is_display": False, "is_follow_display": False},
        "certificate_show": False,
        "name_render": DECORATED_RECORD["name_render"] if info["mid"] == DECORATED else None,
    }


@pytest.mark.parametrize("mid", [HUB, BIGGEST])
def test_acc_info_of_a_plain_account_is_all_defaults(seed: httpx.Client, seed_server: Served, mid: int) -> None:
    expected = plain_info(mid, seed_server.url, sign="hub" if mid == HUB else "")
    assert exact(data_of(seed, INFO, None, {"mid": mid})) == exact(expected)


def test_acc_info_shows_every_stored_value(seed: httpx.Client) -> None:
    assert exact(data_of(seed, INFO, None, {"mid": DECORATED})) == exact(decorated_info())


def test_acc_info_in_profile_recent_has_every_later_field_at_its_place(
    recent: httpx.Client, recent_server: Served
) -> None:
    plain = plain_info(HUB, recent_server.url, sign="hub")
    assert exact(data_of(recent, INFO, None, {"mid": HUB})) == exact(in_recent(plain))
    assert exact(data_of(recent, INFO, None, {"mid": DECORATED})) == exact(in_recent(decorated_info()))


def test_the_aliases_of_a_path_answer_the_same(seed: httpx.Client, recent: httpx.Client) -> None:
    for client in (seed, recent):
        for viewer in (None, VIEWER):
            for query in ("mid=3004", "mid=0", f"mid={UNKNOWN}", "mid=3004&w_rid=x&wts=1", ""):
                replies = [client.get(f"{path}?{query}", headers=bearer(viewer)) for path in (INFO, WBI_INFO)]
                assert replies[0].content == replies[1].content
        assert client.get(MYINFO, headers=bearer(HUB)).content == client.get(MYINFO_ALIAS, headers=bearer(HUB)).content
        assert client.get(MYINFO).content == client.get(MYINFO_ALIAS).content


@pytest.mark.parametrize(("mid", "attribute"), ATTRIBUTE_OF.items())
def test_followed_means_whisper_follow_or_mutual(seed: httpx.Client, mid: int, attribute: int) -> None:
    expected = attribute not in (0, BLACK)
    assert data_of(seed, INFO, VIEWER, {"mid": mid})["is_followed"] is expected
    assert data_of(seed, CARD, VIEWER, {"mid": mid})["following"] is expected
    assert data_of(seed, INFO, None, {"mid": mid})["is_followed"] is False
    assert data_of(seed, CARD, None, {"mid": mid})["following"] is False


def test_nobody_follows_itself(seed: httpx.Client) -> None:
    assert data_of(seed, INFO, VIEWER, {"mid": VIEWER})["is_followed"] is False
    assert data_of(seed, CARD, VIEWER, {"mid": VIEWER})["following"] is False


def test_coins_are_shown_to_the_owner_alone(seed: httpx.Client) -> None:
    assert data_of(seed, INFO, DECORATED, {"mid": DECORATED})["coins"] == 12.5
    assert data_of(seed, INFO, VIEWER, {"mid": DECORATED})["coins"] == 0
    assert data_of(seed, INFO, None, {"mid": DECORATED})["coins"] == 0
    assert '"coins":3,' in seed.get(f"{INFO}?mid={VIEWER}", headers=bearer(VIEWER)).text


def test_a_hidden_birthday_is_shown_to_the_owner_alone(seed: httpx.Client) -> None:
    assert data_of(seed, INFO, None, {"mid": HIDER})["birthday"] == ""
    assert data_of(seed, INFO, VIEWER, {"mid": HIDER})["birthday"] == ""
    assert data_of(seed, INFO, HIDER, {"mid": HIDER})["birthday"] == "12-31"
    assert data_of(seed, INFO, None, {"mid": DECORATED})["birthday"] == "02-29"


def test_a_suspended_account_is_marked(seed: httpx.Client) -> None:
    assert data_of(seed, INFO, None, {"mid": SUSPENDED})["silence"] == 1
    assert data_of(seed, CARD, None, {"mid": SUSPENDED})["card"]["spacesta"] == -2
    assert data_of(seed, CARD, None, {"mid": HUB})["card"]["spacesta"] == 0


@pytest.mark.parametrize("mid", [UNKNOWN, DELETED, 1, BIGGEST - 1])
def test_an_unknown_or_deleted_account_is_not_there(seed: httpx.Client, recent: httpx.Client, mid: int) -> None:
    for client in (seed, recent):
        for viewer in (None, HUB):
            assert code_of(client, INFO, viewer, {"mid": mid}) == -404
            assert code_of(client, CARD, viewer, {"mid": mid}) == -404
            upstat = data_of(client, UPSTAT, HUB, {"mid": mid})
            assert exact(upstat) == exact({"archive": {"view": 0}, "article": {"view": 0}, "likes": 0})
            stat = {"mid": mid, "following": 0, "whisper": 0, "black": 0, "follower": 0}
            assert exact(data_of(client, STAT, viewer, {"vmid": mid})) == exact(stat)


def test_card_shows_every_stored_value(seed: httpx.Client) -> None:
    record = DECORATED_RECORD
    vip = record["vip"]
    expected = {
        "card": {
            "mid": str(DECORATED),
            "name": record["name"],
            "approve": False,
            "sex": "女",
            "rank": "25000",
            "face": record["face"],
            "face_nft": 1,
            "DisplayRank": "0",
            "regtime": 0,
            "spacesta": 0,
            "birthday": "",
            "place": "",
            "description": "",
            "article": 0,
            "attentions": [],
            "fans": 1,
            "friend": 1,
            "attention": 1,
            "sign": record["sign"],
            "level_info": {"current_level": 6, "current_min": 0, "current_exp": 0, "next_exp": 0},
            "pendant": record["pendant"],
            "nameplate": record["nameplate"],
            "Official": record["official"],
            "official_verify": {"type": 0, "desc": "a title"},
            "vip": vip | {"vipType": 1, "vipStatus": 1},
            "is_senior_member": 1,
        },
        "space": {"s_img": record["top_photo_small"], "l_img": record["top_photo"]},
        "following": False,
        "archive_count": 104,
        "article_count": 105,
        "follower": 1,
        "like_num": 103,
    }
    assert exact(data_of(seed, CARD, None, {"mid": DECORATED, "photo": "true"})) == exact(expected)
    del expected["space"]
    assert exact(data_of(seed, CARD, None, {"mid": DECORATED})) == exact(expected)


def test_card_counts_followings_twice_and_followers_twice(seed: httpx.Client) -> None:
    data = data_of(seed, CARD, None, {"mid": HUB})
    assert (data["card"]["friend"], data["card"]["attention"], data["card"]["fans"]) == (13, 13, 12)
    assert data["follower"] == 12


@pytest.mark.parametrize("photo", ["1", "t", "T", "true", "True", "TRUE"])
def test_the_header_images_come_when_asked_for(seed: httpx.Client, photo: str) -> None:
    assert data_of(seed, CARD, None, {"mid": HUB, "photo": photo})["space"] == {"s_img": "", "l_img": ""}


@pytest.mark.parametrize("photo", ["", "0", "f", "F", "false", "False", "FALSE"])
def test_the_header_images_are_absent_otherwise(seed: httpx.Client, photo: str) -> None:
    assert "space" not in data_of(seed, CARD, None, {"mid": HUB, "photo": photo})


def test_card_has_no_later_fields_in_profile_recent(seed: httpx.Client, recent: httpx.Client) -> None:
    query = {"mid": DECORATED, "photo": 1}
    assert exact(data_of(recent, CARD, None, query)) == exact(data_of(seed, CARD, None, query))


def test_upstat_shows_the_stored_totals(seed: httpx.Client, recent: httpx.Client) -> None:
    expected = exact({"archive": {"view": 101}, "article": {"view": 102}, "likes": 103})
    assert exact(data_of(seed, UPSTAT, None, {"mid": DECORATED})) == expected
    assert exact(data_of(seed, UPSTAT, VIEWER, {"mid": DECORATED})) == expected
    assert exact(data_of(recent, UPSTAT, VIEWER, {"mid": DECORATED})) == expected


def test_upstat_in_profile_recent_tells_a_visitor_nothing(recent: httpx.Client) -> None:
    for mid in (DECORATED, UNKNOWN):
        assert recent.get(f"{UPSTAT}?mid={mid}").text == '{"code":0,"message":"0","ttl":1,"data":{}}'
    assert code_of(recent, UPSTAT, None, {"mid": "x"}) == -400


def test_stat_shows_hidden_counters_to_the_owner_alone(seed: httpx.Client) -> None:
    own = {"mid": VIEWER, "following": 3, "whisper": 1, "black": 1, "follower": 3}
    assert exact(data_of(seed, STAT, VIEWER, {"vmid": VIEWER})) == exact(own)
    for other in (None, HUB):
        shown = own | {"whisper": 0, "black": 0}
        assert exact(data_of(seed, STAT, other, {"vmid": VIEWER})) == exact(shown)


def test_nav_of_a_visitor_is_an_error_with_data(seed: httpx.Client) -> None:
    envelope = get(seed, NAV)
    images = envelope["data"].pop("wbi_img")
    assert exact(envelope) == exact({"code": -101, "message": "账号未登录", "ttl": 1, "data": {"isLogin": False}})
    assert list(images) == ["img_url", "sub_url"]
    for url in images.values():
        assert re.search(r"/wbi/[0-9a-f]{32}\.png$", url)
    assert images["img_url"] != images["sub_url"]


def test_nav_of_a_viewer_names_it(seed: httpx.Client) -> None:
    images = get(seed, NAV)["data"]["wbi_img"]
    expected = {
        "isLogin": True,
        "mid": DECORATED,
        "uname": DECORATED_RECORD["name"],
        "face": DECORATED_RECORD["face"],
        "vipStatus": 1,
        "level_info": {"current_level": 6},
        "wbi_img": images,
    }
    assert exact(data_of(seed, NAV, DECORATED)) == exact(expected)
    assert data_of(seed, NAV, HUB)["vipStatus"] == 0


def test_spi_gives_fixed_placeholders(seed: httpx.Client) -> None:
    envelope = get(seed, SPI)
    assert [envelope["code"], envelope["message"], list(envelope["data"])] == [0, "ok", ["b_3", "b_4"]]
    assert all(isinstance(value, str) and value for value in envelope["data"].values())
    assert seed.get(SPI, headers=bearer(VIEWER)).json() == envelope


@pytest.mark.parametrize("body", [b'{"payload":"{}"}', b"", b"\xff\xfe\x00", b"a=1&b=2", b"{" * 2000])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "x", "multipart/form-data"])
def test_what_clients_report_is_taken_without_a_look_at_it(seed: httpx.Client, body: bytes, kind: str) -> None:
    response = seed.post(WUZHI, content=body, headers={"content-type": kind})
    assert (response.status_code, response.text) == (200, '{"code":0,"message":"0","ttl":1,"data":{}}')


def test_myinfo_is_acc_info_of_the_viewer_with_its_own_counters(seed: httpx.Client, recent: httpx.Client) -> None:
    for client in (seed, recent):
        for viewer, counters in ((VIEWER, (3, 3)), (HUB, (13, 12)), (DECORATED, (1, 1)), (HIDER, (2, 2))):
            info = data_of(client, INFO, viewer, {"mid": viewer})
            info |= dict(zip(("following", "follower"), counters, strict=True))
            assert exact(data_of(client, MYINFO, viewer)) == exact(info)
        assert code_of(client, MYINFO) == -101


def test_the_default_avatar_is_a_picture_that_the_server_draws(seed: httpx.Client) -> None:
    first = seed.get(data_of(seed, INFO, None, {"mid": HUB})["face"])
    second = seed.get(data_of(seed, INFO, None, {"mid": FRIEND})["face"])
    for picture in (first, second):
        assert picture.status_code == 200
        assert picture.headers["content-type"].startswith("image/svg+xml")
        assert picture.text.startswith("<svg ")
    assert first.content != second.content


def test_a_rename_by_another_process_is_seen_by_the_next_request(store_url: str, tmp_path: Path) -> None:
    async def rename(mid: int, name: str) -> None:
        store = await open_store(store_url)

        def decide(known: Profile | None) -> Profile:
            assert known is not None
            return replace(known, account=replace(known.account, name=name))

        await store.change_account(mid, decide)
        await store.close()

    async def delete(mid: int) -> None:
        store = await open_store(store_url)
        assert await store.delete_account(mid, int(time.time()))
        await store.close()

    def names(client: httpx.Client) -> set[str]:
        items = data_of(client, "/x/relation/followings", None, {"vmid": HUB})["list"]
        (uname,) = (item["uname"] for item in items if item["mid"] == FRIEND)
        info = get(client, INFO, None, {"mid": FRIEND})
        return {uname, info["data"]["name"] if info["code"] == 0 else "账号已注销"}

    asyncio.run(load_people(store_url))
    with serving(tmp_path, "serve", "--store", store_url, "--port", "0") as served, client_of(served) as client:
        assert names(client) == {f"name {FRIEND}"}
        for turn in range(5):
            asyncio.run(rename(FRIEND, f"renamed {turn}"))
            assert names(client) == {f"renamed {turn}"}
        asyncio.run(delete(FRIEND))
        assert names(client) == {"账号已注销"}


@pytest.mark.parametrize("coins", [1e15, 2.0**63, 1e300])
def test_any_balance_that_can_be_stored_can_be_shown(store_url: str, tmp_path: Path, coins: float) -> None:
    from people import TOKENS, person

    async def load() -> None:
        await load_people(store_url)
        store = await open_store(store_url)
        await store.load([person(VIEWER, coins=coins)], [])
        await store.close()

    asyncio.run(load())
    with serving(tmp_path, "serve", "--store", store_url, "--port", "0") as served, client_of(served) as client:
        response = client.get(f"{INFO}?mid={VIEWER}&access_key={TOKENS[VIEWER]}")
        assert (response.status_code, response.json()["code"]) == (200, 0)
        assert response.json()["data"]["coins"] == coins
