"""Which accounts a record may describe, and that a refusal says what is wrong."""

from typing import Any

import msgspec
import pytest

from upspace.wire.errors import BadRequestError
from upspace.wire.record import Mode, State, read_record

LEAST: dict[str, Any] = {"mid": 1, "name": "n"}

GOOD: list[dict[str, Any]] = [
    {"mid": 9223372036854775807},
    {"name": "名 <&>"},
    {"sex": "男"},
    {"sex": "女"},
    {"sex": "保密"},
    {"rank": 5000},
    {"rank": 32000},
    {"level": 0},
    {"level": 6},
    {"coins": 0},
    {"coins": 12.5},
    {"coins": 12},
    {"birthday": ""},
    {"birthday": "01-01"},
    {"birthday": "02-29"},
    {"birthday": "09-30"},
    {"birthday": "12-31"},
    {"face_nft": 1},
    {"is_senior_member": 1},
    {"state": "normal"},
    {"state": "suspended"},
    {"counter_mode": "reported", "counters": {"following": 17, "whisper": 0, "black": 1, "follower": 713}},
    {"statistics": {"archive_view": 5, "article_view": 6, "likes": 9223372036854775807}},
    {"official": {"role": 1, "title": "t", "desc": "d", "type": 0}},
    {"vip": {"type": 2, "status": 1, "due_date": 1_700_000_000_000, "label": {"text": "年度大会员"}}},
    {"tags": []},
    {"tags": ["a", "b"]},
    {"tags": None},
    {"school": None},
    {"school": {"name": "s"}},
    {"fans_medal": {"show": True, "wear": True, "medal": {"uid": 1, "level": 20}}},
    {"sys_notice": {}},
    {"sys_notice": {"id": 5, "content": "c"}},
    {"live_room": {"roomStatus": 1, "roomid": 22, "watched_show": {"num": 5}}},
    {"hides_followings": True, "hides_followers": True, "hides_birthday": True},
]

BAD: list[tuple[dict[str, Any], str]] = [
    ({"mid": 0}, "$.mid"),
    ({"mid": -1}, "$.mid"),
    ({"mid": 9223372036854775808}, "$.mid"),
    ({"mid": "1"}, "$.mid"),
    ({"mid": 1.0}, "$.mid"),
    ({"mid": True}, "$.mid"),
    ({"mid": None}, "$.mid"),
    ({"name": ""}, "$.name"),
    ({"name": 5}, "$.name"),
    ({"name": None}, "$.name"),
    ({"sex": "x"}, "$.sex"),
    ({"sex": ""}, "$.sex"),
    ({"rank": 1}, "$.rank"),
    ({"rank": "10000"}, "$.rank"),
    ({"level": 7}, "$.level"),
    ({"level": -1}, "$.level"),
    ({"level": 2.5}, "$.level"),
    ({"coins": -0.1}, "$.coins"),
    ({"coins": float("nan")}, "$.coins"),
    ({"coins": "1"}, "$.coins"),
    ({"birthday": "13-01"}, "$.birthday"),
    ({"birthday": "00-10"}, "$.birthday"),
    ({"birthday": "01-00"}, "$.birthday"),
    ({"birthday": "01-32"}, "$.birthday"),
    ({"birthday": "1-1"}, "$.birthday"),
    ({"birthday": "2000-01-01"}, "$.birthday"),
    ({"birthday": "01-01 "}, "$.birthday"),
    ({"birthday": None}, "$.birthday"),
    ({"face_nft": 2}, "$.face_nft"),
    ({"is_senior_member": -1}, "$.is_senior_member"),
    ({"state": "deleted"}, "$.state"),
    ({"state": 0}, "$.state"),
    ({"counter_mode": "guessed"}, "$.counter_mode"),
    ({"counters": {"follower": -1}}, "$.counters.follower"),
    ({"counters": {"follower": 9223372036854775808}}, "$.counters.follower"),
    ({"counters": {"fans": 1}}, "fans"),
    ({"statistics": {"likes": -1}}, "$.statistics.likes"),
    ({"statistics": {"coins": 1}}, "coins"),
    ({"official": {"type": 2}}, "$.official.type"),
    ({"official": {"type": -2}}, "$.official.type"),
    ({"vip": {"type": 3}}, "$.vip.type"),
    ({"vip": {"status": 2}}, "$.vip.status"),
    ({"vip": None}, "$.vip"),
    ({"live_room": {"roomStatus": 2}}, "$.live_room.roomStatus"),
    ({"tags": ["a", 1]}, "$.tags[1]"),
    ({"tags": "a"}, "$.tags"),
    ({"hides_followings": 1}, "$.hides_followings"),
    ({"uname": "n"}, "uname"),
    ({"follower": 5}, "follower"),
    ({"name": "n\0"}, "without U+0000 - at `$.name`"),
    ({"sign": "\0"}, "without U+0000 - at `$.sign`"),
    ({"official": {"title": "a\0b"}}, "without U+0000 - at `$.official.title`"),
    ({"tags": ["a", "\0"]}, "without U+0000 - at `$.tags[1]`"),
    ({"name_render": {"a": [{"b": "\0"}]}}, "without U+0000 - at `$.name_render.a[0].b`"),
    ({"name_render": {"a": {"\0": 1}}}, "without U+0000 - at `key` in `$.name_render.a`"),
]


def holds(shown: Any, given: Any) -> bool:
    """Whether every value that was given, at whatever depth, is shown."""
    if isinstance(given, dict):
        return all(name in shown and holds(shown[name], value) for name, value in given.items())
    return bool(shown == given and type(shown) in (type(given), float))


@pytest.mark.parametrize("fields", GOOD, ids=str)
def test_a_record_holds_every_value_the_contract_knows(fields: dict[str, Any]) -> None:
    record = read_record(LEAST | fields)
    shown = {name: msgspec.to_builtins(getattr(record, name)) for name in fields}
    assert holds(shown, fields)


@pytest.mark.parametrize("fields", GOOD, ids=str)
def test_a_record_that_is_written_reads_back_equal(fields: dict[str, Any]) -> None:
    record = read_record(LEAST | fields)
    assert read_record(msgspec.to_builtins(record)) == record
    assert read_record(msgspec.json.decode(msgspec.json.encode(record))) == record


def test_a_record_of_mid_and_name_alone_has_the_defaults_of_the_contract() -> None:
    record = read_record(LEAST)
    assert msgspec.to_builtins(record) == LEAST
    assert (record.sex, record.rank, record.level, record.coins, record.birthday) == ("保密", 10000, 0, 0, "")
    assert (record.state, record.counter_mode) == (State.NORMAL, Mode.DERIVED)
    assert (record.official.type, record.school, record.tags, record.name_render) == (-1, None, None, None)


@pytest.mark.parametrize(
    ("value", "reason"),
    [({"name": "n"}, "mid"), ({"mid": 1}, "name"), ({}, "mid"), ([], "object"), (None, "object"), ("x", "object")],
)
def test_what_is_no_account_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(BadRequestError, match=reason):
        read_record(value)


@pytest.mark.parametrize(("fields", "place"), BAD, ids=str)
def test_a_record_refuses_a_value_that_cannot_be_and_says_where_it_stands(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        read_record(LEAST | fields)
    assert place in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("birthday", ["01-01\n", "\n", "01-1\u0663", "02-2\u0669"])
def test_a_birthday_has_ascii_digits_and_nothing_after_them(birthday: str) -> None:
    with pytest.raises(BadRequestError):
        read_record(LEAST | {"birthday": birthday})
