"""A record says everything that is stored of an account, and nothing is lost on the way there and back."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from upspace.data.community import sample_records
from upspace.model import AccountState, CounterMode, Profile
from upspace.records import profile_of, record_json, record_of
from upspace.wire import accounts as wire
from upspace.wire.codes import MID_MAX, RANKS, SEXES
from upspace.wire.record import AccountRecord, CountersRecord, Decorations, Mode, State, StatisticsRecord, read_record

integers = st.integers(-(2**53), 2**53)
counts = st.integers(0, MID_MAX)
flags = st.integers(0, 1)
characters = st.characters(codec="utf-8", exclude_characters="\0")
texts = st.text(characters, max_size=8)
plain_values = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts
objects = st.dictionaries(texts, plain_values, max_size=2)

labels = st.builds(
    wire.Label,
    text=texts,
    label_theme=texts,
    bg_style=integers,
    use_img_label=st.booleans() | st.just(msgspec.UNSET),
)
vips = st.builds(
    wire.Vip,
    type=st.integers(0, 2),
    status=flags,
    due_date=integers,
    label=labels,
    tv_due_date=integers | st.just(msgspec.UNSET),
    avatar_icon=st.builds(wire.AvatarIcon, integers, objects) | st.just(msgspec.UNSET),
)
medals = st.builds(wire.Medal, uid=integers, medal_name=texts, guard_level=integers | st.just(msgspec.UNSET))
live_rooms = st.builds(
    wire.LiveRoom, roomStatus=flags, url=texts, watched_show=st.builds(wire.WatchedShow, st.booleans(), integers)
)
records = st.builds(
    AccountRecord,
    mid=st.integers(1, MID_MAX),
    name=st.text(characters, min_size=1, max_size=8),
    sex=st.sampled_from(SEXES),
    face=texts,
    face_nft=flags,
    sign=texts,
    rank=st.sampled_from(RANKS),
    level=st.integers(0, 6),
    coins=st.floats(0, 1e9),
    birthday=st.sampled_from(("", "01-01", "12-31")),
    is_senior_member=flags,
    nft_icon=texts,
    official=st.builds(wire.Official, integers, texts, texts, st.integers(-1, 1)),
    vip=vips,
    state=st.sampled_from(State),
    hides_followings=st.booleans(),
    hides_followers=st.booleans(),
    hides_birthday=st.booleans(),
    counter_mode=st.sampled_from(Mode),
    counters=st.builds(CountersRecord, counts, counts, counts, counts),
    statistics=st.builds(StatisticsRecord, counts, counts, counts, counts, counts),
    fans_badge=st.booleans(),
    fans_medal=st.builds(wire.FansMedal, st.booleans(), st.booleans(), st.none() | medals),
    pendant=st.builds(wire.Pendant, pid=integers, name=texts, n_pid=integers | st.just(msgspec.UNSET)),
    nameplate=st.builds(wire.Nameplate, nid=integers, name=texts),
    user_honour_info=st.builds(wire.UserHonourInfo, integers, st.none() | texts, st.lists(objects, max_size=2)),
    top_photo=texts,
    top_photo_small=texts,
    sys_notice=st.builds(wire.SysNotice, id=integers | st.just(msgspec.UNSET)),
    live_room=live_rooms,
    school=st.none() | st.builds(wire.School, texts),
    profession=st.builds(wire.Profession, texts, texts, texts, flags),
    tags=st.none() | st.lists(texts, max_size=2),
    series=st.builds(wire.Series, integers, st.booleans()),
    name_render=st.none() | objects,
)


def least(**values: Any) -> AccountRecord:
    return AccountRecord(mid=1, name="n", **values)


@given(records)
def test_a_record_survives_the_store(record: AccountRecord) -> None:
    profile = profile_of(record)
    assert record_of(profile) == record
    assert profile_of(record_of(profile)) == profile


@given(records)
def test_what_people_read_is_a_record_again(record: AccountRecord) -> None:
    shown = record_json(record)
    assert list(shown)[:3] == ["mid", "name", "state"]
    assert read_record(msgspec.json.decode(msgspec.json.encode(shown))) == record


def test_defaults_are_not_stored_as_text() -> None:
    account = profile_of(
        least(official=wire.Official(), vip=wire.Vip(label=wire.Label()), pendant=wire.Pendant())
    ).account
    assert (account.official, account.vip, account.decorations) == (None, None, None)


def test_decorations_hold_only_what_is_not_default() -> None:
    decorations = profile_of(
        least(tags=["a"], pendant=wire.Pendant(), school=wire.School("s"), sign="x")
    ).account.decorations
    assert decorations == '{"school":{"name":"s"},"tags":["a"]}'
    assert msgspec.json.decode(decorations, type=Decorations).tags == ["a"]


def test_defaults_are_not_shown_but_for_what_one_looks_for() -> None:
    assert record_json(least()) == {
        "mid": 1,
        "name": "n",
        "state": "normal",
        "counter_mode": "derived",
        "counters": {"following": 0, "whisper": 0, "black": 0, "follower": 0},
    }


def test_own_values_are_shown_before_decorations() -> None:
    assert list(record_json(least(sign="s", tags=["a"]))) == [
        "mid",
        "name",
        "state",
        "sign",
        "counter_mode",
        "counters",
        "tags",
    ]


def test_counters_are_shown_in_mode_derived_too() -> None:
    derived = profile_of(least())
    standing = msgspec.structs.replace(derived.standing, follower=5)
    record = record_of(Profile(derived.account, standing, derived.upstat))
    assert (record.counter_mode, record.counters.follower) == (Mode.DERIVED, 5)


def test_state_and_mode_are_translated() -> None:
    standing = profile_of(least(state=State.SUSPENDED, counter_mode=Mode.REPORTED)).standing
    assert (standing.state, standing.counter_mode) == (AccountState.SUSPENDED, CounterMode.REPORTED)


def test_samples_carry_the_figures_of_the_fixtures() -> None:
    samples = {record.mid: record for record in sample_records()}
    assert all(record.counter_mode is Mode.REPORTED for record in samples.values())
    first, second, third = samples[50995243], samples[524144317], samples[5818410]
    assert (first.counters.following, first.counters.follower) == (17, 713)
    assert (first.statistics.likes, first.statistics.archive_count, first.statistics.article_count) == (36705, 19, 0)
    assert second.statistics.archive_view == 38420179
    assert (second.statistics.article_view, second.statistics.likes) == (18900, 2106947)
    assert third.counters == CountersRecord(following=164, whisper=0, black=0, follower=1365298)
