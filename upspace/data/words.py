"""What made-up accounts say and wear: nicknames, signatures, memberships, official marks, decorations."""

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from random import Random
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from upspace.model import Json
from upspace.records import decorations_text
from upspace.wire.accounts import (
    Label,
    LiveRoom,
    Nameplate,
    Official,
    Pendant,
    Profession,
    School,
    Vip,
    WatchedShow,
)
from upspace.wire.record import Decorations


class _Words(Struct, frozen=True):
    """The lists of words.json."""

    moods: tuple[str, ...]
    things: tuple[str, ...]
    foods: tuple[str, ...]
    places: tuple[str, ...]
    scenes: tuple[str, ...]
    surnames: tuple[str, ...]
    given: tuple[str, ...]
    topics: tuple[str, ...]
    verbs: tuple[str, ...]
    handles: tuple[str, ...]
    tails: tuple[str, ...]
    emoji: tuple[str, ...]
    sayings: tuple[str, ...]
    schools: tuple[str, ...]
    jobs: tuple[str, ...]
    live_titles: tuple[str, ...]
    pendants: tuple[str, ...]
    organisations: tuple[str, ...]
    brands: tuple[str, ...]


_WORDS = msgspec.json.decode(files("upspace.data").joinpath("words.json").read_bytes(), type=_Words)
_NAMEPLATES = (("见习偶像", "普通勋章"), ("知名偶像", "高级勋章"), ("有爱大佬", "普通勋章"))

_PLACEHOLDER = "https://upspace.invalid"
_SUBSCRIPT = "http://i0.hdslb.com/bfs/vip/icon_Certification_big_member_22_3x.png"
_PINK = "#FB7299"
_DAY_S = 86_400
# The first midnight of UTC+8, where memberships end, in unix seconds.
_MIDNIGHT_S = -8 * 3_600


class _Membership(NamedTuple):
    """What a kind of membership puts into `vip`."""

    type: int
    text: str
    theme: str
    role: int


_MEMBERSHIPS = (
    _Membership(1, "大会员", "vip", 1),
    _Membership(2, "年度大会员", "annual_vip", 3),
    _Membership(2, "十年大会员", "ten_annual_vip", 7),
    _Membership(2, "百年大会员", "hundred_annual_vip", 15),
)
_MEMBERSHIP_WEIGHTS = (0.38, 0.94, 0.985, 1.0)


_DIGITS = tuple("0123456789")
_AGES = ("老", "小", "阿", "大")
_NUMBERS = tuple(str(number) for number in range(10_000))

# A nickname is one word from each list of a pattern. Patterns of many nicknames stand twice: fewer clash.
_NICKNAMES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("bili_",), *[_DIGITS] * 11),
    (_WORDS.moods, ("的", "的", "", "小"), _WORDS.things),
    (_WORDS.moods, ("的", "的", "", "小"), _WORDS.things),
    (_WORDS.things, _WORDS.things, _WORDS.tails),
    (_WORDS.things, _WORDS.things, _WORDS.tails),
    (("爱吃", "想吃", "不吃", "卖"), _WORDS.foods, ("的",), _WORDS.things),
    (_WORDS.surnames, _WORDS.given, ("", "", "", "_", "ovo", "本人", "吖")),
    (_AGES, _WORDS.surnames, _WORDS.verbs, _WORDS.topics),
    (_AGES, _WORDS.surnames, _WORDS.verbs, _WORDS.topics),
    (_WORDS.places, _WORDS.scenes),
    (_WORDS.handles, ("_", "-", "", "x"), _NUMBERS),
    (_WORDS.handles, _WORDS.tails, _WORDS.things),
    (_WORDS.handles, _WORDS.tails, _WORDS.things),
    (_WORDS.given, ("的",), _WORDS.things, _WORDS.emoji),
)


def nickname(rng: Random) -> str:
    """A nickname; two calls may give the same one."""
    return "".join(map(rng.choice, rng.choice(_NICKNAMES)))


def organisation(rng: Random) -> str:
    """The nickname of an organisation."""
    return f"{rng.choice(_WORDS.brands)}{rng.choice(_WORDS.organisations)}{rng.choice(('', '官方', '官方账号'))}"


def signature(rng: Random) -> str:
    """A signature line; empty for more than half of all accounts."""
    kind = rng.random()
    if kind < 0.55:
        return ""
    if kind < 0.75:
        return rng.choice(_WORDS.sayings)
    topic = rng.choice(_WORDS.topics)
    if kind < 0.85:
        return f"{rng.choice(_WORDS.verbs)}{topic}的{rng.choice(_WORDS.moods)}{rng.choice(_WORDS.things)}"
    if kind < 0.95:
        return f"{topic}｜{rng.choice(_WORDS.topics)}｜{rng.choice(_WORDS.topics)} {rng.choice(_WORDS.emoji)}"
    return f"每周{rng.choice('一二三四五六日')}更新{topic}视频，{rng.choice(_WORDS.sayings)}"


def membership(rng: Random, today: int) -> Json | None:
    """The JSON of `vip` as of `today` (unix seconds): none for most, and some that have run out."""
    kind = rng.random()
    if kind < 0.62:
        return None
    weight = rng.random()
    index = next(index for index, bound in enumerate(_MEMBERSHIP_WEIGHTS) if weight < bound)
    days = rng.randrange(-720, 0) if kind < 0.75 else rng.randrange(1, 540)
    return _vip_text(index, (today - _MIDNIGHT_S) // _DAY_S + days, days > 0)


@lru_cache(8_192)
def _vip_text(index: int, day: int, active: bool) -> Json:
    kind = _MEMBERSHIPS[index]
    due_date = (day * _DAY_S + _MIDNIGHT_S) * 1_000
    if not active:
        return msgspec.json.encode(Vip(type=kind.type, due_date=due_date)).decode()
    vip = Vip(
        type=kind.type,
        status=1,
        due_date=due_date,
        vip_pay_type=1,
        label=Label(text=kind.text, label_theme=kind.theme, text_color="#FFFFFF", bg_style=1, bg_color=_PINK),
        avatar_subscript=1,
        nickname_color=_PINK,
        role=kind.role,
        avatar_subscript_url=_SUBSCRIPT,
    )
    return msgspec.json.encode(vip).decode()


def personal_mark(rng: Random) -> Json:
    """The JSON of `official` for a person."""
    title = rng.choice(("bilibili 知名{}UP主", "bilibili {}领域优质UP主", "{}自媒体", "bilibili 2024百大UP主"))
    role = 2 if rng.random() < 0.1 else 1
    return msgspec.json.encode(Official(role=role, title=title.format(rng.choice(_WORDS.topics)), type=0)).decode()


def organisation_mark(name: str) -> Json:
    """The JSON of `official` for the organisation of that name."""
    return msgspec.json.encode(
        Official(role=3, title=f"{name.removesuffix('账号').removesuffix('官方')}官方账号", type=1)
    ).decode()


def ornaments(rng: Random, fans_badge: bool) -> Json | None:
    """The JSON of `decorations`: None for most accounts."""
    worn: dict[str, Any] = {}
    if fans_badge:
        worn["fans_badge"] = True
    for name, share, make in _ORNAMENTS:
        if rng.random() < share:
            worn[name] = make(rng)
    return decorations_text(Decorations(**worn)) if worn else None


def _pendant(rng: Random) -> Pendant:
    index = rng.randrange(len(_WORDS.pendants))
    image = f"{_PLACEHOLDER}/pendant/{index}.png"
    return Pendant(pid=1_000 + index, name=_WORDS.pendants[index], image=image, image_enhance=image)


def _nameplate(rng: Random) -> Nameplate:
    index = rng.randrange(len(_NAMEPLATES))
    name, level = _NAMEPLATES[index]
    image = f"{_PLACEHOLDER}/nameplate/{index}"
    return Nameplate(
        nid=1 + index,
        name=name,
        image=f"{image}.png",
        image_small=f"{image}_small.png",
        level=level,
        condition="活动获得",
    )


def _live_room(rng: Random) -> LiveRoom:
    roomid = rng.randrange(10_000, 32_000_000)
    watched = int(rng.lognormvariate(4, 1.5))
    return LiveRoom(
        roomStatus=1,
        liveStatus=int(rng.random() < 0.05),
        url=f"https://live.bilibili.com/{roomid}?broadcast_type=0&is_room_feed=1",
        title=rng.choice(_WORDS.live_titles),
        roomid=roomid,
        watched_show=WatchedShow(switch=True, num=watched, text_small=f"{watched}", text_large=f"{watched}人看过"),
    )


def _school(rng: Random) -> School:
    return School(rng.choice(_WORDS.schools))


def _profession(rng: Random) -> Profession:
    return Profession(name=rng.choice(_WORDS.jobs), is_show=1)


def _tags(rng: Random) -> list[str]:
    return rng.sample(_WORDS.topics, rng.randrange(1, 5))


_ORNAMENTS: tuple[tuple[str, float, Callable[[Random], Any]], ...] = (
    ("pendant", 0.08, _pendant),
    ("nameplate", 0.06, _nameplate),
    ("live_room", 0.1, _live_room),
    ("school", 0.04, _school),
    ("profession", 0.03, _profession),
    ("tags", 0.05, _tags),
)
