"""What profile `recent` adds to acc/info: the second table of the contract, section 6.1."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Struct, to_builtins

from upspace.wire import accounts as wire

# Field by field: where it stands, what it is called, what it is by default.
ADDED_TO_OBJECTS: dict[type[Struct], dict[str, Any]] = {
    wire.Label: {
        "use_img_label": True,
        "img_label_uri_hans": "",
        "img_label_uri_hant": "",
        "img_label_uri_hans_static": "",
        "img_label_uri_hant_static": "",
    },
    wire.Vip: {
        "tv_vip_status": 0,
        "tv_vip_pay_type": 0,
        "tv_due_date": 0,
        "avatar_icon": {"icon_type": 0, "icon_resource": {}},
    },
    wire.Pendant: {"n_pid": 0},
    wire.Medal: {"guard_level": 0},
    wire.UserHonourInfo: {"is_latest_100honour": 0},
}
ADDED_AT_THE_END: dict[str, Any] = {
    "mcn_info": None,
    "gaia_res_type": 0,
    "gaia_data": None,
    "is_risk": False,
    "elec": {"show_info": {"show": False, "state": -1, "title": "", "icon": "", "jump_url": ""}},
    "contract": {"is_display": False, "is_follow_display": False},
    "certificate_show": False,
    "name_render": None,
}
SEED_KEYS = (
    "mid name sex face face_nft sign rank level jointime moral silence coins fans_badge fans_medal official vip"
    " pendant nameplate user_honour_info is_followed top_photo theme sys_notice live_room birthday school profession"
    " tags series is_senior_member"
)
RECENT_KEYS = SEED_KEYS.replace(" face_nft ", " face_nft face_nft_type ") + " " + " ".join(ADDED_AT_THE_END)


def acc_info(recent: bool) -> wire.AccInfo:
    return wire.AccInfo(
        mid=1,
        name="n",
        sex="保密",
        face="",
        face_nft=0,
        sign="",
        rank=10000,
        level=0,
        silence=0,
        coins=0,
        fans_badge=False,
        fans_medal=wire.in_era(wire.FansMedal(True, True, wire.Medal(uid=1)), recent),
        official=wire.Official(),
        vip=wire.in_era(wire.Vip(), recent),
        pendant=wire.in_era(wire.Pendant(pid=31), recent),
        nameplate=wire.Nameplate(),
        user_honour_info=wire.in_era(wire.UserHonourInfo(), recent),
        is_followed=False,
        top_photo="",
        sys_notice=wire.SysNotice(),
        live_room=wire.LiveRoom(),
        birthday="",
        school=None,
        profession=wire.Profession(),
        tags=None,
        series=wire.Series(),
        is_senior_member=0,
        # What is rendered of a name belongs to the account; everything else that is added is constant.
        **(wire.RECENT_ACC_INFO | {"name_render": None} if recent else {}),
    )


@pytest.mark.parametrize("kind", ADDED_TO_OBJECTS, ids=lambda kind: kind.__name__)
def test_recent_adds_the_fields_of_the_table_at_the_end_of_an_object(kind: type[Struct]) -> None:
    seed = to_builtins(wire.in_era(kind(), False))
    recent = to_builtins(wire.in_era(kind(), True))
    without_label = {name: value for name, value in recent.items() if name != "label"}
    assert list(recent) == [*seed, *ADDED_TO_OBJECTS[kind]]
    assert without_label == {name: value for name, value in seed.items() if name != "label"} | ADDED_TO_OBJECTS[kind]


@pytest.mark.parametrize("kind", ADDED_TO_OBJECTS, ids=lambda kind: kind.__name__)
def test_the_eras_differ_in_every_field_that_may_be_left_out(kind: type[Struct]) -> None:
    optional = [field.encode_name for field in msgspec.structs.fields(kind) if field.default is UNSET]
    assert optional == list(ADDED_TO_OBJECTS[kind])


def test_acc_info_in_seed_has_the_fields_of_the_first_table_in_order() -> None:
    assert " ".join(to_builtins(acc_info(False))) == SEED_KEYS


def test_acc_info_in_recent_has_the_fields_of_the_second_table_in_their_places() -> None:
    shown = to_builtins(acc_info(True))
    assert " ".join(shown) == RECENT_KEYS
    assert {name: shown[name] for name in ADDED_AT_THE_END} == ADDED_AT_THE_END
    assert shown["face_nft_type"] == 0
    assert shown["pendant"]["n_pid"] == 31
    assert shown["fans_medal"]["medal"]["guard_level"] == 0
    assert shown["vip"]["label"]["use_img_label"] is True


def test_the_frame_has_its_number_twice() -> None:
    assert wire.in_era(wire.Pendant(pid=31), True).n_pid == 31
    assert wire.in_era(wire.Pendant(pid=31, n_pid=5), True).n_pid == 5


def test_recent_keeps_the_values_that_were_stored() -> None:
    stored = wire.Vip(
        type=2,
        label=wire.Label(text="年度大会员", use_img_label=False, img_label_uri_hans="u"),
        tv_vip_status=1,
        tv_vip_pay_type=1,
        tv_due_date=1_700_000_000,
        avatar_icon=wire.AvatarIcon(2, {"a": 1}),
    )
    shown = wire.in_era(stored, True)
    assert msgspec.structs.replace(shown, label=stored.label) == stored
    assert (shown.label.text, shown.label.use_img_label, shown.label.img_label_uri_hans) == ("年度大会员", False, "u")


@pytest.mark.parametrize("recent", [True, False])
def test_seed_takes_away_what_recent_had_and_nothing_else(recent: bool) -> None:
    stored = wire.Vip(type=2, status=1, due_date=5, label=wire.Label("p", "t", "vip", "#fff", 1, "#000", "b"))
    before = wire.in_era(stored, recent)
    assert wire.in_era(before, False) == stored
    assert wire.in_era(wire.in_era(before, True), True) == wire.in_era(stored, True)


@pytest.mark.parametrize("recent", [True, False])
def test_objects_without_an_era_stay_as_they_are(recent: bool) -> None:
    for value in (wire.Nameplate(nid=1), wire.LiveRoom(roomid=5), wire.Official(title="x"), wire.SysNotice(id=1)):
        assert wire.in_era(value, recent) is value


def test_a_medal_that_is_not_there_gets_no_fields() -> None:
    assert to_builtins(wire.in_era(wire.FansMedal(), True)) == {"show": False, "wear": False, "medal": None}
