"""A small cast of accounts in every state and relation that replies depend on, and how replies are read."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from upspace.model import Profile, Relation, Token
from upspace.records import profile_of
from upspace.server.viewer import token_digest
from upspace.store import migrate_store, open_store
from upspace.wire.record import read_record

WHISPER, FOLLOWING, MUTUAL, BLACK = 1, 2, 6, 128
SPECIAL = -10

# The viewer, and one account for each relation of the viewer to it.
VIEWER = 1001
STRANGER, WHISPERED, FOLLOWED, FRIEND, BLOCKED = 3001, 3002, 3003, 3004, 3005
# What these have to do with the viewer is on their side only.
FAN, BLOCKER = 3006, 3007
SUSPENDED, DELETED, HIDER, DECORATED = 3008, 3009, 3010, 3011
# Follows all of the above and is followed by all but the deleted one.
HUB = 2001
BIGGEST = 2**63 - 1
UNKNOWN = 9999

ATTRIBUTE_OF = {
    STRANGER: 0,
    WHISPERED: WHISPER,
    FOLLOWED: FOLLOWING,
    FRIEND: MUTUAL,
    BLOCKED: BLACK,
    FAN: 0,
    BLOCKER: 0,
}

# The groups of the hub, for a list of its own.
HUB_GROUPS = {FOLLOWED: (SPECIAL,), FRIEND: (SPECIAL, 4), STRANGER: (4,), DELETED: (9,)}

START = 1_700_000_000

TOKENS = {
    VIEWER: "viewer-token",
    HUB: "hub-token",
    SUSPENDED: "suspended-token",
    HIDER: "hider-token",
    DECORATED: "decorated-token",
    DELETED: "deleted-token",
}
EXPIRED_TOKEN, REVOKED_TOKEN = "expired-token", "revoked-token"

# No value is a default, so that a field that is dropped or swapped shows.
DECORATED_RECORD: dict[str, Any] = {
    "mid": DECORATED,
    "name": "装饰 <&> \u2028 ✨",
    "sex": "女",
    "face": "http://i0.example.org/face.jpg?a=1&b=2",
    "face_nft": 1,
    "sign": 'a "sign" \\ with\nlines',
    "rank": 25000,
    "level": 6,
    "coins": 12.5,
    "birthday": "02-29",
    "is_senior_member": 1,
    "nft_icon": "http://i0.example.org/nft.png",
    "official": {"role": 1, "title": "a title", "desc": "a description", "type": 0},
    "vip": {
        "type": 1,
        "status": 1,
        "due_date": 1_800_000_000_000,
        "vip_pay_type": 1,
        "theme_type": 2,
        "label": {
            "path": "http://i0.example.org/label.png",
            "text": "大会员",
            "label_theme": "vip",
            "text_color": "#FFFFFF",
            "bg_style": 1,
            "bg_color": "#FB7299",
            "border_color": "#000000",
        },
        "avatar_subscript": 1,
        "nickname_color": "#FB7299",
        "role": 3,
        "avatar_subscript_url": "http://i0.example.org/subscript.png",
    },
    "pendant": {
        "pid": 77,
        "name": "frame",
        "image": "http://i0.example.org/frame.png",
        "expire": 1_900_000_000,
        "image_enhance": "http://i0.example.org/enhance.png",
        "image_enhance_frame": "http://i0.example.org/enhance_frame.png",
    },
    "nameplate": {
        "nid": 8,
        "name": "plate",
        "image": "http://i0.example.org/plate.png",
        "image_small": "http://i0.example.org/plate_small.png",
        "level": "rare",
        "condition": "be early",
    },
    "fans_badge": True,
    "fans_medal": {
        "show": True,
        "wear": True,
        "medal": {
            "uid": DECORATED,
            "target_id": 1,
            "medal_id": 2,
            "level": 3,
            "medal_name": "medal",
            "medal_color": 4,
            "intimacy": 5,
            "next_intimacy": 6,
            "day_limit": 7,
            "today_feed": 8,
            "medal_color_start": 9,
            "medal_color_end": 10,
            "medal_color_border": 11,
            "is_lighted": 1,
            "light_status": 12,
            "wearing_status": 13,
            "score": 14,
        },
    },
    "user_honour_info": {"mid": DECORATED, "colour": "#abcdef", "tags": ["early"]},
    "top_photo": "http://i0.example.org/top.png",
    "top_photo_small": "http://i0.example.org/top_small.png",
    "sys_notice": {
        "id": 20,
        "content": "a notice",
        "url": "http://example.org/notice",
        "notice_type": 2,
        "icon": "http://i0.example.org/notice.png",
        "text_color": "#111111",
        "bg_color": "#222222",
    },
    "live_room": {
        "roomStatus": 1,
        "liveStatus": 1,
        "url": "http://live.example.org/1",
        "title": "live",
        "cover": "http://i0.example.org/cover.png",
        "roomid": 31,
        "roundStatus": 1,
        "broadcast_type": 1,
        "watched_show": {
            "switch": True,
            "num": 21,
            "text_small": "21",
            "text_large": "21人看过",
            "icon": "http://i0.example.org/icon.png",
            "icon_location": "here",
            "icon_web": "http://i0.example.org/icon_web.png",
        },
    },
    "school": {"name": "a school"},
    "profession": {"name": "p", "department": "d", "title": "t", "is_show": 1},
    "tags": ["one", "two"],
    "series": {"user_upgrade_status": 2, "show_upgrade_window": True},
    "name_render": {"colors_info": {"color": ["#fff"]}},
    "statistics": {"archive_view": 101, "article_view": 102, "likes": 103, "archive_count": 104, "article_count": 105},
}

PLAIN_FACE = "{url}/-/faces/{mid}.svg"

PLAIN_LABEL = {
    "path": "",
    "text": "",
    "label_theme": "",
    "text_color": "",
    "bg_style": 0,
    "bg_color": "",
    "border_color": "",
}


def person(mid: int, **fields: Any) -> Profile:
    """An account with these fields of a record."""
    return profile_of(read_record({"mid": mid, "name": f"name {mid}", **fields}))


def people() -> list[Profile]:
    """Every account of the cast; DELETED is still to be deleted."""
    return [
        person(VIEWER, coins=3),
        person(HUB, sign="hub"),
        *(person(mid) for mid in ATTRIBUTE_OF),
        person(SUSPENDED, state="suspended", coins=7),
        person(DELETED, sign="gone", face="http://i0.example.org/gone.jpg", face_nft=1, vip={"type": 2, "status": 1}),
        person(HIDER, hides_followings=True, hides_followers=True, hides_birthday=True, birthday="12-31"),
        profile_of(read_record(DECORATED_RECORD)),
        person(BIGGEST),
    ]


def listed() -> list[int]:
    """Whom the hub follows, in no order."""
    return [VIEWER, *ATTRIBUTE_OF, SUSPENDED, DELETED, HIDER, DECORATED, BIGGEST]


def hub_followed_at(mid: int) -> int:
    """When the hub followed an account; some at the same instant."""
    return START + mid % 4


def hub_fan_since(mid: int) -> int:
    """When an account followed the hub; some at the same instant."""
    return START + 100 + mid % 3


def relations() -> list[Relation]:
    """Every relation of the cast."""
    return [
        Relation(VIEWER, WHISPERED, WHISPER, START + 1, (7,)),
        Relation(VIEWER, FOLLOWED, FOLLOWING, START + 2, (SPECIAL,)),
        Relation(VIEWER, FRIEND, FOLLOWING, START + 3),
        Relation(VIEWER, BLOCKED, BLACK, START + 4),
        Relation(FRIEND, VIEWER, FOLLOWING, START + 3),
        Relation(FAN, VIEWER, FOLLOWING, START + 5),
        Relation(BLOCKER, VIEWER, BLACK, START + 6),
        Relation(STRANGER, VIEWER, WHISPER, START + 6),
        Relation(STRANGER, HIDER, FOLLOWING, START + 7),
        Relation(HIDER, STRANGER, FOLLOWING, START + 7),
        *(Relation(HUB, mid, FOLLOWING, hub_followed_at(mid), HUB_GROUPS.get(mid, ())) for mid in listed()),
        *(Relation(mid, HUB, FOLLOWING, hub_fan_since(mid)) for mid in listed()),
    ]


async def load_people(url: str) -> None:
    """Make a store at `url` with the cast, its relations and its tokens."""
    await migrate_store(url)
    store = await open_store(url)
    try:
        await store.load(people(), relations())
        for mid, token in TOKENS.items():
            await store.put_token(Token(token_digest(token), mid, START))
        await store.put_token(Token(token_digest(EXPIRED_TOKEN), VIEWER, START, expires=START + 1))
        await store.put_token(Token(token_digest(REVOKED_TOKEN), VIEWER, START, revoked=START + 1))
        assert await store.delete_account(DELETED, int(time.time()))
    finally:
        await store.close()


def people_store(url: str) -> str:
    """The URL of an empty store, after the cast has been loaded into it."""
    asyncio.run(load_people(url))
    return url


def bearer(mid: int | None) -> dict[str, str]:
    """The headers of a request by this account; None is anonymous."""
    return {} if mid is None else {"authorization": f"Bearer {TOKENS[mid]}"}


def get(
    client: httpx.Client, path: str, viewer: int | None = None, params: Mapping[str, str | int] | None = None
) -> dict[str, Any]:
    """The envelope of a GET, which must be HTTP 200 and JSON."""
    response = client.get(path, params=params, headers=bearer(viewer))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    envelope: dict[str, Any] = response.json()
    return envelope


def post(
    client: httpx.Client, path: str, viewer: int | None = None, params: Mapping[str, str | int] | None = None
) -> dict[str, Any]:
    """The envelope of a POST with an urlencoded body, which must be HTTP 200 and JSON."""
    response = client.post(path, data=dict(params or {}), headers=bearer(viewer))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    envelope: dict[str, Any] = response.json()
    return envelope


def data_of(
    client: httpx.Client, path: str, viewer: int | None = None, params: Mapping[str, str | int] | None = None
) -> Any:
    """`data` of a success."""
    envelope = get(client, path, viewer, params)
    assert list(envelope) == ["code", "message", "ttl", "data"]
    assert (envelope["code"], envelope["message"], envelope["ttl"]) == (0, "0", 1)
    return envelope["data"]


def code_of(
    client: httpx.Client, path: str, viewer: int | None = None, params: Mapping[str, str | int] | None = None
) -> int:
    """The code of a reply; one that is not 0 comes without `data`."""
    envelope = get(client, path, viewer, params)
    assert (envelope["code"] == 0) == ("data" in envelope)
    return int(envelope["code"])


def exact(value: Any) -> str:
    """A JSON text that is equal only for equal values with their keys in the same order."""
    return json.dumps(value, ensure_ascii=False, indent=1)
