"""Replies joined from parts: what is spliced equals what would be encoded whole. Contract: 5.3, 6.1, 6.2, 6.5, 9."""

import json
from typing import Any

import msgspec
import pytest
from generated import TEXTS, absent, structs
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from upspace.wire.accounts import (
    RECENT_ACC_INFO,
    AccInfo,
    Card,
    CardAccount,
    Label,
    LevelInfo,
    OfficialVerify,
    School,
    Space,
    in_era,
)
from upspace.wire.record import Decorations
from upspace.wire.relations import EMPTY_CONTRACT, NO_CONTRACT, FansList, RelationItem, RelationList, RelationVip
from upspace.wire.splice import (
    Basics,
    CardEncoder,
    InfoEncoder,
    ItemEncoder,
    Marks,
    RenderedAccount,
    encode_list,
    item_end,
)

SEED_KEYS = "mid attribute mtime tag special contract_info uname face sign face_nft official_verify vip nft_icon"
RECENT_KEYS = SEED_KEYS.replace("nft_icon", "name_render nft_icon rec_reason track_id follow_time")
VIP_KEYS = (
    "vipType vipDueDate dueRemark accessStatus vipStatus vipStatusWarn themeType label avatar_subscript nickname_color"
    " avatar_subscript_url"
)
LABEL_KEYS = "path text label_theme text_color bg_style bg_color border_color"
SPECIAL = -10

NUMBERS = st.integers(0, 2**63 - 1)
MIDS = st.integers(1, 2**63 - 1)
FLAGS = st.integers(0, 1)
BOOLEANS = st.booleans()

FaceUrl = tuple[str, str]
# The text before and after the mid. Whoever puts it together has to see that it is neither JSON nor a format yet.
FACE_URLS = st.tuples(TEXTS | st.just("http://x/%E5%90%8D/%d/名?a=\"b\"&c='\\u0000'&mid="), TEXTS | st.just("%b.svg"))

ENCODE = msgspec.json.encode

# Stands where a part does not belong into the reply: if it were shown, the reply would not equal the whole one.
OF_ANOTHER_REPLY = b"?"


def account_of(
    face: bytes | None, basics: dict[str, Any], decorations: bytes | None = None, **parts: Any
) -> RenderedAccount:
    """A rendered account. What is not given is of another reply."""
    shown = dict.fromkeys((*RenderedAccount.__struct_fields__, *Marks.__struct_fields__), OF_ANOTHER_REPLY)
    shown |= {name: part if isinstance(part, bytes) else ENCODE(part) for name, part in parts.items()}
    small = dict.fromkeys(Basics.__struct_fields__, OF_ANOTHER_REPLY)
    small |= {name: ENCODE(value) for name, value in basics.items()}
    marks = Marks(
        item_end=shown["item_end"],
        official=shown["official"],
        official_verify=shown["official_verify"],
        vip=shown["vip"],
        card_vip=shown["card_vip"],
        decorations=decorations,
    )
    return RenderedAccount(
        name=shown["name"],
        face=face,
        sign=shown["sign"],
        birthday=shown["birthday"],
        basics=Basics(**small),
        marks=marks,
    )


# Decorations


def shown_decorations(worn: Decorations, recent: bool) -> Decorations:
    """Decorations as acc/info shows them."""
    shown = in_era(worn, recent)
    return replace(shown, school=School()) if recent and shown.school is None else shown


def decorate(text: bytes | None, recent: bool) -> dict[str, bytes]:
    """What the server makes of a stored text, made without thinking of speed."""
    worn = Decorations() if text is None else msgspec.json.decode(text, type=Decorations)
    named = Decorations.__struct_fields__ if text is None else json.loads(text)
    shown = shown_decorations(worn, recent)
    return {name: ENCODE(getattr(shown, name)) for name in named}


WORN = st.none() | structs(Decorations)


def stored(worn: Decorations | None) -> bytes | None:
    """The text that a store keeps of decorations; None for an account that never had one."""
    return None if worn is None else ENCODE(worn)


# acc/info

# Of the decorations, those that acc/info shows in both eras.
SHOWN = set(AccInfo.__struct_fields__) & set(Decorations.__struct_fields__) - {"name_render"}


@st.composite
def infos(draw: st.DrawFn, recent: bool, worn: Decorations | None) -> AccInfo:
    """Any acc/info of this era whose account wears these decorations."""
    shown = shown_decorations(worn or Decorations(), recent)
    decorations = {name: getattr(shown, name) for name in SHOWN}
    info = in_era(draw(structs(AccInfo)), recent)
    info = replace(info, **decorations, **absent(AccInfo), jointime=0, moral=0, theme={})
    return replace(info, **RECENT_ACC_INFO, name_render=shown.name_render) if recent else info


INFO_ENCODERS = {recent: InfoEncoder(decorate, recent=recent) for recent in (False, True)}


def spliced_info(info: AccInfo, recent: bool, worn: Decorations | None, **coins: bytes) -> bytes:
    """The same acc/info as the server writes it."""
    basics = {name: getattr(info, name) for name in ("sex", "rank", "level", "face_nft", "is_senior_member", "silence")}
    account = account_of(
        OF_ANOTHER_REPLY,
        basics,
        stored(worn),
        name=info.name,
        sign=info.sign,
        birthday=info.birthday,
        official=info.official,
        vip=info.vip,
    )
    encoder = INFO_ENCODERS[recent]
    return encoder.encode(info.mid, account, ENCODE(info.face), followed=info.is_followed, **coins)


@pytest.mark.parametrize("recent", [False, True], ids=["seed", "recent"])
@settings(deadline=None)
@given(data=st.data(), worn=WORN)
def test_an_acc_info_equals_the_one_encoded_whole(recent: bool, data: st.DataObject, worn: Decorations | None) -> None:
    info = data.draw(infos(recent, worn))
    assert spliced_info(info, recent, worn, coins=ENCODE(info.coins)) == ENCODE(info)
    assert spliced_info(info, recent, worn) == ENCODE(replace(info, coins=0))


# card


@st.composite
def cards(draw: st.DrawFn, worn: Decorations | None) -> Card:
    """Any card of an account that wears these decorations, with the header images or without."""
    shown = in_era(worn or Decorations(), recent=False)
    following, follower = draw(NUMBERS), draw(NUMBERS)
    account = replace(
        in_era(draw(structs(CardAccount)), recent=False),
        **CARD_CONSTANTS,
        mid=str(draw(MIDS)),
        rank=str(draw(NUMBERS)),
        fans=follower,
        friend=following,
        attention=following,
        level_info=LevelInfo(draw(st.integers(0, 6))),
        pendant=shown.pendant,
        nameplate=shown.nameplate,
    )
    space = Space(s_img=shown.top_photo_small, l_img=shown.top_photo) if draw(BOOLEANS) else UNSET
    return Card(
        card=account,
        space=space,
        following=draw(BOOLEANS),
        archive_count=draw(NUMBERS),
        article_count=draw(NUMBERS),
        follower=follower,
        like_num=draw(NUMBERS),
    )


CARD_CONSTANTS = {
    "approve": False,
    "DisplayRank": "0",
    "regtime": 0,
    "birthday": "",
    "place": "",
    "description": "",
    "article": 0,
    "attentions": [],
}
CARD_ENCODER = CardEncoder(decorate)


def spliced_card(card: Card, worn: Decorations | None) -> bytes:
    """The same card as the server writes it."""
    shown = card.card
    basics = {name: getattr(shown, name) for name in ("sex", "face_nft", "is_senior_member", "spacesta")}
    account = account_of(
        OF_ANOTHER_REPLY,
        basics | {"rank": int(shown.rank), "level": shown.level_info.current_level},
        stored(worn),
        name=shown.name,
        sign=shown.sign,
        official=shown.official,
        official_verify=shown.official_verify,
        card_vip=shown.vip,
    )
    return CARD_ENCODER.encode(
        int(shown.mid),
        account,
        ENCODE(shown.face),
        photo=card.space is not UNSET,
        followed=card.following,
        following=shown.friend,
        follower=card.follower,
        archive_count=card.archive_count,
        article_count=card.article_count,
        likes=card.like_num,
    )


@settings(deadline=None)
@given(data=st.data(), worn=WORN)
def test_a_card_equals_the_one_encoded_whole(data: st.DataObject, worn: Decorations | None) -> None:
    card = data.draw(cards(worn))
    assert spliced_card(card, worn) == ENCODE(card)


# Elements of lists


@st.composite
def relation_items(draw: st.DrawFn) -> RelationItem:
    """Any item that a list of either era may hold."""
    groups = sorted(draw(st.sets(st.just(SPECIAL) | st.integers(1, 10**9), max_size=4)))
    item = RelationItem(
        mid=draw(MIDS),
        attribute=draw(st.sampled_from([0, 1, 2, 6, 128])),
        mtime=draw(NUMBERS),
        tag=groups or None,
        special=int(SPECIAL in groups),
        contract_info=draw(st.sampled_from([EMPTY_CONTRACT, NO_CONTRACT])),
        uname=draw(TEXTS),
        face=draw(TEXTS),
        sign=draw(TEXTS),
        face_nft=draw(FLAGS),
        official_verify=OfficialVerify(draw(st.integers(-1, 1)), draw(TEXTS)),
        vip=RelationVip(
            draw(st.integers(0, 2)),
            draw(NUMBERS),
            "",
            0,
            draw(FLAGS),
            "",
            0,
            Label(*draw(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, FLAGS, TEXTS, TEXTS))),
            draw(FLAGS),
            draw(TEXTS),
            draw(TEXTS),
        ),
        nft_icon=draw(TEXTS),
    )
    if draw(BOOLEANS):
        name_render = draw(st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2))
        item = replace(item, name_render=name_render, rec_reason="", track_id="", follow_time="")
    return item


@st.composite
def pages(draw: st.DrawFn) -> tuple[FaceUrl, list[RelationItem]]:
    """Up to three items, some of which show the default avatar, whose URL comes along."""
    before, after = draw(FACE_URLS)
    items = draw(st.lists(relation_items(), max_size=3))
    return (before, after), [
        replace(item, face=f"{before}{item.mid}{after}") if draw(BOOLEANS) else item for item in items
    ]


def item_account(item: RelationItem, face_url: FaceUrl) -> RenderedAccount:
    """What the server keeps of the listed account."""
    face = None if item.face == str(item.mid).join(face_url) else ENCODE(item.face)
    return account_of(face, {}, name=item.uname, sign=item.sign, item_end=item_end(item))


def parts_of(items: list[RelationItem], face_url: FaceUrl) -> list[bytes]:
    """The items as the server writes them for a viewer who may have something to do with the accounts."""
    parts = []
    for item in items:
        encoder = ItemEncoder(face_url, contract_info_empty=item.contract_info is EMPTY_CONTRACT)
        account = item_account(item, face_url)
        parts.append(encoder.item(item.mid, item.attribute, item.mtime, tuple(item.tag or ()), account))
    return parts


@settings(deadline=None)
@given(relation_items(), relation_items())
def test_the_end_of_an_item_depends_on_the_account_alone(item: RelationItem, other: RelationItem) -> None:
    elsewhere = replace(
        item,
        mid=other.mid,
        attribute=other.attribute,
        mtime=other.mtime,
        tag=other.tag,
        special=other.special,
        contract_info=other.contract_info,
        uname=other.uname,
        face=other.face,
        sign=other.sign,
    )
    assert item_end(elsewhere) == item_end(item)
    assert ENCODE(item).endswith(b"," + item_end(item))
    assert item_end(item).startswith(b'"face_nft":%d,' % item.face_nft)


@settings(deadline=None)
@given(pages(), NUMBERS)
def test_a_list_equals_the_list_encoded_whole(page: tuple[FaceUrl, list[RelationItem]], total: int) -> None:
    face_url, items = page
    whole = ENCODE(RelationList(items, 0, total))
    assert encode_list(parts_of(items, face_url), total=total) == whole


@settings(deadline=None)
@given(pages(), NUMBERS)
def test_a_list_of_fans_equals_the_list_encoded_whole(page: tuple[FaceUrl, list[RelationItem]], total: int) -> None:
    face_url, items = page
    offset = f"{items[-1].mtime}:{items[-1].mid}" if items else ""
    whole = ENCODE(FansList(items, offset, 0, total))
    assert encode_list(parts_of(items, face_url), total=total, offset=offset) == whole


@settings(deadline=None)
@given(pages(), BOOLEANS)
def test_a_list_of_strangers_equals_the_list_encoded_whole(
    page: tuple[FaceUrl, list[RelationItem]], contract_info_empty: bool
) -> None:
    face_url, items = page
    contract = EMPTY_CONTRACT if contract_info_empty else NO_CONTRACT
    items = [replace(item, attribute=0, tag=None, special=0, contract_info=contract) for item in items]
    encoder = ItemEncoder(face_url, contract_info_empty=contract_info_empty)
    accounts = [item_account(item, face_url) for item in items]
    parts = encoder.strangers([item.mid for item in items], [item.mtime for item in items], accounts)
    assert parts == [ENCODE(item) for item in items] == parts_of(items, face_url)


@settings(deadline=None)
@given(MIDS, FACE_URLS, TEXTS)
def test_a_default_avatar_is_the_url_with_the_mid_in_it(mid: int, face_url: FaceUrl, text: str) -> None:
    encoder = ItemEncoder(face_url, contract_info_empty=True)
    account = account_of(None, {}, name=text, sign=text, item_end=b'"face_nft":0}')
    for item in (encoder.item(mid, 2, 5, (), account), *encoder.strangers([mid], [5], [account])):
        shown = json.loads(item)
        assert (shown["face"], shown["uname"], shown["sign"]) == (f"{face_url[0]}{mid}{face_url[1]}", text, text)


@settings(deadline=None)
@given(relation_items())
def test_the_keys_of_an_item_stand_in_the_order_of_the_contract(item: RelationItem) -> None:
    (shown,) = json.loads(encode_list(parts_of([item], ("", "")), total=1))["list"]
    assert " ".join(shown) == (SEED_KEYS if item.rec_reason is UNSET else RECENT_KEYS)
    assert " ".join(shown["vip"]) == VIP_KEYS
    assert " ".join(shown["vip"]["label"]) == LABEL_KEYS
    assert list(shown["official_verify"]) == ["type", "desc"]
    assert shown["special"] == (SPECIAL in (shown["tag"] or []))


def test_an_empty_list_is_brackets_and_never_null() -> None:
    assert encode_list([], total=0) == b'{"list":[],"re_version":0,"total":0}'
    assert encode_list([], total=713, offset="") == b'{"list":[],"offset":"","re_version":0,"total":713}'
