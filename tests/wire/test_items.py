"""Elements of lists: what is spliced equals what would be encoded whole. Contract: 5.3, 6.5, 9."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from upspace.wire.accounts import Label, OfficialVerify
from upspace.wire.relations import (
    EMPTY_CONTRACT,
    NO_CONTRACT,
    FansList,
    ItemAccount,
    ItemEncoder,
    RelationItem,
    RelationList,
    RelationVip,
    encode_list,
    encode_marks,
    encode_names,
)

SEED_KEYS = "mid attribute mtime tag special contract_info uname face sign face_nft official_verify vip nft_icon"
RECENT_KEYS = SEED_KEYS.replace("nft_icon", "name_render nft_icon rec_reason track_id follow_time")
VIP_KEYS = (
    "vipType vipDueDate dueRemark accessStatus vipStatus vipStatusWarn themeType label avatar_subscript nickname_color"
    " avatar_subscript_url"
)
LABEL_KEYS = "path text label_theme text_color bg_style bg_color border_color"
SPECIAL = -10

TEXTS = st.text() | st.sampled_from(
    ['"uname":', '{"uname":"x"}', '"official_verify":', "<&>", "名", "\u2028", '\\"uname\\":']
)
NUMBERS = st.integers(0, 2**63 - 1)
FLAGS = st.integers(0, 1)


@st.composite
def relation_items(draw: st.DrawFn) -> RelationItem:
    """Any item that a list of either era may hold."""
    groups = sorted(draw(st.sets(st.just(SPECIAL) | st.integers(1, 10**9), max_size=4)))
    item = RelationItem(
        mid=draw(st.integers(1, 2**63 - 1)),
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
    if draw(st.booleans()):
        name_render = draw(st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2))
        item = msgspec.structs.replace(item, name_render=name_render, rec_reason="", track_id="", follow_time="")
    return item


def remembered(item: RelationItem) -> ItemAccount:
    """The part of an item that the server remembers: what depends on the listed account alone."""
    return ItemAccount(encode_names(item.uname, item.face, item.sign, item.face_nft), encode_marks(item))


def parts_of(items: list[RelationItem]) -> list[bytes]:
    """The items as the server writes them: in parts, some of which it remembers."""
    parts: list[bytes] = []
    for item in items:
        encoder = ItemEncoder(contract_info_empty=item.contract_info is EMPTY_CONTRACT)
        groups = tuple(item.tag or ())
        if groups or item.attribute:
            parts += encoder.item(item.mid, item.attribute, item.mtime, groups, remembered(item))
        else:
            parts += encoder.strangers([item.mid], [item.mtime], [remembered(item)])
    return parts


@settings(deadline=None)
@given(relation_items(), relation_items())
def test_what_is_remembered_depends_on_the_account_alone(item: RelationItem, other: RelationItem) -> None:
    elsewhere = msgspec.structs.replace(
        item,
        mid=other.mid,
        attribute=other.attribute,
        mtime=other.mtime,
        tag=other.tag,
        special=other.special,
        contract_info=other.contract_info,
    )
    assert remembered(elsewhere) == remembered(item)


@settings(deadline=None)
@given(st.lists(relation_items(), max_size=3), NUMBERS)
def test_a_list_equals_the_list_encoded_whole(items: list[RelationItem], total: int) -> None:
    whole = msgspec.json.encode(RelationList(items, 0, total))
    assert encode_list(parts_of(items), total) == whole


@settings(deadline=None)
@given(st.lists(relation_items(), max_size=3), NUMBERS)
def test_a_list_of_fans_equals_the_list_encoded_whole(items: list[RelationItem], total: int) -> None:
    offset = f"{items[-1].mtime}:{items[-1].mid}" if items else ""
    whole = msgspec.json.encode(FansList(items, offset, 0, total))
    assert encode_list(parts_of(items), total, offset) == whole


@settings(deadline=None)
@given(relation_items())
def test_the_keys_of_an_item_stand_in_the_order_of_the_contract(item: RelationItem) -> None:
    (shown,) = json.loads(encode_list(parts_of([item]), 1))["list"]
    assert " ".join(shown) == (SEED_KEYS if item.rec_reason is UNSET else RECENT_KEYS)
    assert " ".join(shown["vip"]) == VIP_KEYS
    assert " ".join(shown["vip"]["label"]) == LABEL_KEYS
    assert list(shown["official_verify"]) == ["type", "desc"]
    assert shown["special"] == (SPECIAL in (shown["tag"] or []))


def test_an_empty_list_is_brackets_and_never_null() -> None:
    assert encode_list([], 0) == b'{"list":[],"re_version":0,"total":0}'
    assert encode_list([], 713, "") == b'{"list":[],"offset":"","re_version":0,"total":713}'
