"""`upspace account` and `upspace migrate`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Ran

Upspace = Callable[..., Ran]

FULL = {
    "mid": 5,
    "name": "五",
    "sex": "女",
    "level": 6,
    "coins": 1.5,
    "birthday": "02-29",
    "official": {"role": 1, "title": "t", "desc": "d", "type": 0},
    "vip": {"type": 2, "status": 1, "label": {"text": "年度大会员"}},
    "tags": ["a", "b"],
    "hides_followers": True,
    "statistics": {"likes": 7},
}


@pytest.fixture
def run(run_upspace: Upspace, store_url: str) -> Upspace:
    """The command on one store."""
    return lambda *arguments, given=b"": run_upspace(*arguments, "--store", store_url, given=given)


def ok(ran: Ran) -> Any:
    """What a command printed that succeeded."""
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)


def refused(ran: Ran) -> str:
    """The one line of a command that failed."""
    assert ran.code != 0
    assert ran.out == ""
    assert ran.err.startswith("upspace: ")
    assert ran.err.count("\n") == 1, ran.err
    return ran.err


def add(run: Upspace, record: Any) -> Ran:
    return run("account", "add", "-", given=json.dumps(record).encode())


def contains(whole: Any, part: Any) -> bool:
    """Whether every value of `part` stands in `whole`."""
    if isinstance(part, dict):
        return all(name in whole and contains(whole[name], value) for name, value in part.items())
    return bool(whole == part)


def test_an_account_is_added_and_shown_with_every_value(run: Upspace, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(FULL), encoding="utf-8")
    added = ok(run("account", "add", str(file)))
    assert contains(added, FULL)
    assert ok(run("account", "show", "5")) == added
    assert added["state"] == "normal"
    assert added["counters"] == {"following": 0, "whisper": 0, "black": 0, "follower": 0}


def test_what_is_shown_can_be_added_to_another_store(run: Upspace, run_upspace: Upspace, file_url: str) -> None:
    shown = ok(add(run, FULL))
    again = run_upspace("account", "add", "-", "--store", file_url, given=json.dumps(shown).encode())
    assert ok(again) == shown


def test_an_account_that_exists_is_not_added_again(run: Upspace) -> None:
    first = ok(add(run, FULL))
    assert "5" in refused(add(run, {"mid": 5, "name": "other"}))
    assert ok(run("account", "show", "5")) == first


BAD_TEXTS = [
    *(
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"x"',
        b"{}",
        b"[" * 100_000,
        b'{"mid":6,"name":"x"} x',
        b'{"mid":6,"name":"\xff"}',
    ),
    *(b'{"mid":6}', b'{"name":"x"}', b'{"mid":6,"name":""}', b'{"mid":6,"name":"x","no_such":1}', b"\xff\xfe\x00"),
    *(b'{"mid":"6","name":"x"}', b'{"mid":6.5,"name":"x"}', b'{"mid":6,"name":7}', b'{"mid":6,"name":null}'),
    *(
        b'{"mid":0,"name":"x"}',
        b'{"mid":-1,"name":"x"}',
        b'{"mid":9223372036854775808,"name":"x"}',
        b'{"mid":6,"name":"\\ud800"}',
    ),
    *(b'{"mid":6,"name":"x","sex":"x"}', b'{"mid":6,"name":"x","rank":1}', b'{"mid":6,"name":"x","level":7}'),
    *(
        b'{"mid":6,"name":"x","birthday":"13-01"}',
        b'{"mid":6,"name":"x","face_nft":2}',
        b'{"mid":6,"name":"x","coins":-1}',
    ),
    *(
        b'{"mid":6,"name":"x","coins":1e999}',
        b'{"mid":6,"name":"x","coins":NaN}',
        b'{"mid":6,"name":"x","state":"deleted"}',
    ),
    *(b'{"mid":6,"name":"x","counter_mode":"x"}', b'{"mid":6,"name":"x","counters":{"follower":-1}}'),
    *(
        b'{"mid":6,"name":"x","official":{"type":2}}',
        b'{"mid":6,"name":"x","vip":[]}',
        b'{"mid":6,"name":"x","tags":[1]}',
    ),
    b'{"mid":6,"name":"x","name_render":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
]


@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda text: repr(text[:50]))
def test_a_bad_record_is_refused_in_one_line_and_adds_nothing(run: Upspace, text: bytes) -> None:
    refused(run("account", "add", "-", given=text))
    refused(run("account", "show", "6"))


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ({"mid": 6, "name": "x", "no_such": 1}, "no_such"),
        ({"mid": 6, "name": "x", "level": "6"}, "level"),
        ({"mid": 6, "name": "x", "vip": {"label": {"text": 1}}}, "vip.label.text"),
        ({"mid": 6}, "name"),
    ],
)
def test_the_refusal_names_the_field(run: Upspace, record: dict[str, Any], named: str) -> None:
    assert named in refused(add(run, record))


def test_a_file_that_cannot_be_read_is_refused(run: Upspace, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        assert str(path) in refused(run("account", "add", str(path)))


def test_changes_are_merged_and_null_brings_the_default_back(run: Upspace) -> None:
    before = ok(add(run, FULL))
    changes = {
        "sign": "新",
        "official": {"title": "u"},
        "birthday": None,
        "vip": {"label": {"text": None}},
        "tags": ["c"],
    }
    after = ok(run("account", "set", "5", json.dumps(changes)))
    assert after["sign"] == "新"
    assert after["official"] == FULL["official"] | {"title": "u"}  # type: ignore[operator]  # it is an object
    assert "birthday" not in after
    assert after["vip"]["label"]["text"] == ""
    assert (after["vip"]["type"], after["tags"]) == (2, ["c"])
    untouched = set(before) - {"sign", "official", "birthday", "vip", "tags"}
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}
    assert ok(run("account", "show", "5")) == after
    assert "vip" not in ok(run("account", "set", "5", '{"vip":null}'))


@pytest.mark.parametrize("changes", ["{}", '{"mid":5}', '{"sign":null}', '{"vip":{}}'])
def test_changes_that_change_nothing_leave_everything(run: Upspace, changes: str) -> None:
    before = ok(add(run, FULL))
    assert ok(run("account", "set", "5", changes)) == before


BAD_CHANGES = [
    *(
        "",
        "{",
        "[]",
        "1",
        "null",
        '{"name":null}',
        '{"mid":6}',
        '{"mid":null}',
        '{"mid":"5"}',
        '{"no_such":1}',
        '{"level":9}',
    ),
    *(
        '{"name":1}',
        '{"state":"deleted"}',
        '{"official":1}',
        '{"sign":"\udcff"}',
        "[" * 100_000,
    ),
]


@pytest.mark.parametrize("changes", BAD_CHANGES, ids=lambda text: ascii(text[:40]))
def test_bad_changes_are_refused_in_one_line_and_change_nothing(run: Upspace, changes: str) -> None:
    before = ok(add(run, FULL))
    refused(run("account", "set", "5", changes))
    assert ok(run("account", "show", "5")) == before


def test_counters_are_taken_in_mode_reported_only(run: Upspace) -> None:
    counters = {"following": 1, "whisper": 2, "black": 3, "follower": 4}
    derived = ok(add(run, {"mid": 5, "name": "x", "counters": counters}))
    assert set(derived["counters"].values()) == {0}
    reported = ok(add(run, {"mid": 6, "name": "x", "counters": counters, "counter_mode": "reported"}))
    assert reported["counters"] == counters
    assert ok(run("account", "set", "6", '{"counters":{"follower":9}}'))["counters"] == counters | {"follower": 9}


def test_a_deleted_account_stays_deleted(run: Upspace) -> None:
    ok(add(run, FULL))
    assert run("account", "delete", "5", "--yes") == Ran(0, "deleted: 5\n", "")
    refused(run("account", "show", "5"))
    refused(run("account", "set", "5", '{"sign":"x"}'))
    refused(run("account", "delete", "5", "--yes"))
    assert "deleted" in refused(add(run, FULL))
    refused(run("token", "issue", "5"))


def test_deleting_asks_first(run: Upspace) -> None:
    ok(add(run, FULL))
    for answer in (b"n\n", b"\n", b""):
        ran = run("account", "delete", "5", given=answer)
        assert ran.code != 0
        assert "Traceback" not in ran.err
    assert ok(run("account", "show", "5"))["mid"] == 5
    assert run("account", "delete", "5", given=b"y\n").code == 0
    refused(run("account", "show", "5"))


@pytest.mark.parametrize("mid", ["0", "-1", "x", "1.0", "", "9223372036854775808", "9" * 5000, "\udcff"])
def test_a_bad_mid_is_refused_in_one_line(run: Upspace, mid: str) -> None:
    for arguments in (("show", mid), ("set", mid, "{}"), ("delete", mid, "--yes")):
        refused(run("account", *arguments))


def test_an_unknown_account_is_refused(run: Upspace) -> None:
    for arguments in (("show", "5"), ("set", "5", "{}"), ("delete", "5", "--yes")):
        assert "5" in refused(run("account", *arguments))


def test_a_store_that_is_not_there_is_refused_by_every_command(run_upspace: Upspace, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'missing.db'}"
    record = json.dumps(FULL).encode()
    for arguments in (
        ("account", "add", "-"),
        ("account", "show", "5"),
        ("account", "set", "5", "{}"),
        ("account", "delete", "5", "--yes"),
        ("token", "issue", "5"),
        ("token", "list"),
        ("token", "revoke", "--mid", "5"),
    ):
        assert "upspace migrate" in refused(run_upspace(*arguments, "--store", url, given=record))
    assert not (tmp_path / "missing.db").exists()


def test_migrate_makes_a_store_once(run_upspace: Upspace, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    first, second = run_upspace("migrate", "--store", url), run_upspace("migrate", "--store", url)
    assert (first.code, first.err, second.code, second.err) == (0, "", 0, "")
    assert "new" in first.out
    assert "up to date" in second.out
    for bad in ("sqlite://", "sqlite:///", "x", f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}"):
        refused(run_upspace("migrate", "--store", bad))
