"""Accounts by the admin interface (docs/admin.md): shown, created, changed and deleted, as any worker sees at once."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from admin_world import ACCOUNTS, ASKED, GONE, NOT_FOUND, NOTHING_COUNTED, OK, World, admin_world
from conftest import run_process
from people import DECORATED, DELETED, FAN, HIDER, HUB, SUSPENDED, UNKNOWN, VIEWER, code_of, data_of, people_store
from stores import Stores

from upspace.server.http import BODY_MAX_BYTES


@pytest.fixture(scope="module")
def world(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with admin_world(tmp_path_factory.mktemp("admin"), people_store(stores.new(engine))) as world:
        yield world


def shown(world: World, mid: int) -> Any:
    """What the command prints of an account."""
    ran = run_process("account", "show", str(mid), "--store", world.store_url)
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)


@pytest.mark.parametrize("mid", [VIEWER, HUB, SUSPENDED, HIDER, DECORATED])
def test_an_account_is_the_record_that_the_command_shows(world: World, mid: int) -> None:
    record = world.done("GET", f"/{mid}")
    assert json.dumps(record) == json.dumps(shown(world, mid))
    assert list(record["counters"]) == list(NOTHING_COUNTED)
    head = world.ask("HEAD", f"{ACCOUNTS}/{mid}")
    assert (head.status_code, head.content) == (200, b"")


def test_counters_are_those_of_the_relations(world: World) -> None:
    counters = world.done("GET", f"/{HUB}")["counters"]
    stat = data_of(world.client, "/x/relation/stat", None, {"vmid": HUB})
    assert (counters["following"], counters["follower"]) == (stat["following"], stat["follower"])
    assert counters["following"] > 0


@pytest.mark.parametrize("mid", [UNKNOWN, DELETED])
def test_an_account_that_is_not_there_is_not_shown_deleted_or_stripped(world: World, mid: int) -> None:
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/tokens"), ("DELETE", "/tokens")):
        assert world.admin(method, f"/{mid}{rest}") == NOT_FOUND


def test_an_account_is_created_with_every_field_and_replaced(world: World) -> None:
    decorated = {**world.done("GET", f"/{DECORATED}"), "mid": 7001}
    decorated["counters"] = NOTHING_COUNTED
    assert world.done("PUT", "/7001", decorated) == decorated == shown(world, 7001)
    info = data_of(world.client, "/x/space/acc/info", None, {"mid": 7001})
    assert info["name"] == decorated["name"]
    assert info["tags"] == decorated["tags"]
    replaced = {"mid": 7001, "name": "plain", "state": "normal", "counter_mode": "derived", "counters": NOTHING_COUNTED}
    assert world.done("PUT", "/7001", {"name": "plain"}) == replaced == world.done("GET", "/7001")


def test_replacing_an_account_keeps_its_relations_groups_and_tokens(world: World) -> None:
    headers = world.new(7002)
    assert world.modify(headers, HUB) == 0
    assert world.client.post("/x/relation/tag/create", data={"tag": "g"}, headers=headers).json()["code"] == 0
    record = world.done("PUT", "/7002", {"name": "again", "counters": {"following": 99}})
    assert record["counters"] == {**NOTHING_COUNTED, "following": 1}
    assert world.signed_in(headers)
    assert len(world.client.get("/x/relation/tags", headers=headers).json()["data"]) == 3
    world.done("DELETE", "/7002")


def test_reported_counters_are_taken(world: World) -> None:
    counters = {"following": 5, "whisper": 6, "black": 7, "follower": 8}
    record = world.done("PUT", "/7003", {"name": "r", "counter_mode": "reported", "counters": counters})
    assert record["counters"] == counters
    assert world.done("PATCH", "/7003", {"counters": {"follower": 9}})["counters"] == {**counters, "follower": 9}
    assert data_of(world.client, "/x/relation/stat", None, {"vmid": 7003})["follower"] == 9


BAD_BODIES: list[tuple[Any, str]] = [
    *((b"", "JSON"), (b"{", "JSON"), (b"\xff", "JSON"), (b'{"name":"x"} x', "JSON"), (b'{"name":"\\ud800"}', "JSON")),
    *((b"[]", "object"), (b"null", "object"), (b'"x"', "object"), (b"1", "object")),
    *((b"[" * 100_000, "levels"), (b'{"name":"x","name_render":' + b'{"a":' * 200 + b"1" + b"}" * 201, "levels")),
    *(({"name": ""}, "name"), ({"name": 1}, "name"), ({"name": "x", "no_such": 1}, "no_such")),
    *(
        ({"name": "x", "level": 7}, "level"),
        ({"name": "x", "level": "6"}, "level"),
        ({"name": "x", "level": True}, "level"),
    ),
    *(
        ({"name": "x", "state": "deleted"}, "state"),
        ({"name": "x", "sex": "x"}, "sex"),
        ({"name": "x", "rank": 1}, "rank"),
    ),
    *(({"name": "x", "birthday": "13-01"}, "birthday"), ({"name": "x", "coins": -1}, "coins")),
    *(
        ({"name": "x", "vip": {"label": {"text": 1}}}, "vip.label.text"),
        ({"name": "x", "official": {"x": 1}}, "official"),
    ),
    *(
        ({"name": "x", "counters": {"follower": -1}}, "follower"),
        ({"name": "x", "hides_followers": 1}, "hides_followers"),
    ),
    *(({"name": "x", "mid": mid}, "mid") for mid in (HUB, 0, None, "7004", 7004.5, 2**63, True)),
    (b'{"name":"' + b"x" * BODY_MAX_BYTES + b'"}', "1048576"),
]


@pytest.mark.parametrize(("body", "named"), BAD_BODIES, ids=lambda value: str(value)[:50])
def test_a_bad_body_is_refused_with_the_field_named_and_changes_nothing(world: World, body: Any, named: str) -> None:
    before = {"name": "first", "sign": "s", "mid": 7004}
    world.done("PUT", "/7004", before)
    assert named in world.reason("PUT", "/7004", body)
    if body != b"":
        assert named in world.reason("PATCH", "/7004", body)
    assert world.done("GET", "/7004").items() >= before.items()
    assert named in world.reason(
        "PUT", "/7005", {**body, "mid": body.get("mid", 7005)} if isinstance(body, dict) else body
    )
    assert world.admin("GET", "/7005") == NOT_FOUND


def test_a_record_needs_a_name_and_its_mid_may_be_left_out(world: World) -> None:
    assert "name" in world.reason("PUT", "/7006", {})
    assert "name" in world.reason("PUT", "/7006", {"mid": 7006})
    assert world.done("PUT", "/0007006", {"mid": 7006, "name": "x"})["mid"] == 7006
    assert world.done("PUT", f"/{2**63 - 1}", {"name": "y"})["mid"] == 2**63 - 1


def test_changes_are_merged_and_null_brings_the_default_back(world: World) -> None:
    first = {"name": "x", "sign": "s", "birthday": "01-02", "official": {"role": 1, "title": "t", "type": 0}}
    world.done("PUT", "/7007", first)
    record = world.done("PATCH", "/7007", {"official": {"title": "u"}, "birthday": None, "level": 3, "mid": 7007})
    assert record["official"] == {"role": 1, "title": "u", "desc": "", "type": 0}
    assert (record["sign"], record["level"], "birthday" in record) == ("s", 3, False)
    assert world.done("PATCH", "/7007", {}) == record == shown(world, 7007)
    assert "name" in world.reason("PATCH", "/7007", {"name": None})
    # It says what the command says.
    ran = run_process("account", "set", "7007", '{"level": 7}', "--store", world.store_url)
    assert ran.err == f"upspace: {world.reason('PATCH', '/7007', {'level': 7})}\n"


def test_changes_at_the_same_time_are_all_made(world: World) -> None:
    world.done("PUT", "/7008", {"name": "x"})
    names = [f"part {number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: world.done("PATCH", "/7008", {"name_render": {name: 1}}), names))
    assert world.done("GET", "/7008")["name_render"] == dict.fromkeys(names, 1)


def test_a_change_of_an_account_that_is_not_there_tells_deleted_from_unknown(world: World) -> None:
    for body in ({}, {"level": 7}, {"sign": "x"}):
        assert world.admin("PATCH", f"/{UNKNOWN}", body) == NOT_FOUND
        assert world.admin("PATCH", f"/{DELETED}", body) == GONE
    assert world.admin("PUT", f"/{DELETED}", {"name": "back"}) == GONE
    assert world.admin("POST", f"/{DELETED}/tokens") == GONE
    assert world.admin("POST", f"/{UNKNOWN}/tokens") == NOT_FOUND
    assert "name" in world.reason("PUT", f"/{DELETED}", {"name": ""})


# What a change does elsewhere


def test_a_suspended_account_shows_as_one_and_cannot_write(world: World) -> None:
    headers = world.new(7010)
    assert world.modify(headers, HUB) == 0
    for state, silence, spacesta, code in (("suspended", 1, -2, -102), ("normal", 0, 0, 0)):
        assert world.done("PATCH", "/7010", {"state": state})["state"] == state
        for _ in range(ASKED):
            assert data_of(world.client, "/x/space/acc/info", None, {"mid": 7010})["silence"] == silence
            card = data_of(world.client, "/x/web-interface/card", None, {"mid": 7010})["card"]
            assert card["spacesta"] == spacesta
            assert world.modify(headers, HUB, 2) == code
            assert world.signed_in(headers)
    world.done("DELETE", "/7010")


def test_privacy_is_seen_at_once(world: World) -> None:
    headers = world.new(7011, birthday="03-04")
    world.modify(headers, HUB)
    hidden: dict[str, bool] = {}
    for name in ("hides_followings", "hides_followers", "hides_birthday"):
        hidden[name] = True
        world.done("PATCH", "/7011", {name: True})
        for _ in range(ASKED // 3):
            assert code_of(world.client, "/x/relation/followings", None, {"vmid": 7011}) == 22115
            followers = code_of(world.client, "/x/relation/followers", None, {"vmid": 7011})
            assert followers == (22118 if "hides_followers" in hidden else 0)
            birthday = data_of(world.client, "/x/space/acc/info", None, {"mid": 7011})["birthday"]
            assert birthday == ("" if "hides_birthday" in hidden else "03-04")
    for path in ("/x/relation/followings", "/x/relation/followers"):
        assert world.client.get(path, params={"vmid": 7011}, headers=headers).json()["code"] == 0
    world.done("PATCH", "/7011", dict.fromkeys(hidden))
    for _ in range(ASKED):
        assert code_of(world.client, "/x/relation/followings", None, {"vmid": 7011}) == 0
    world.done("DELETE", "/7011")


def test_a_change_through_one_worker_is_seen_by_requests_to_any(world: World) -> None:
    headers = world.new(7012)
    world.modify(headers, FAN)

    def listed() -> Any:
        (item,) = data_of(world.client, "/x/relation/followers", None, {"vmid": FAN, "ps": 1})["list"]
        assert item["mid"] == 7012
        return item["uname"], item["sign"]

    for turn in range(6):
        # Read it first, so that every worker has something to forget.
        for _ in range(ASKED):
            listed()
        name, sign = f"turn {turn}", "s" * turn
        world.done("PATCH", "/7012", {"name": name, "sign": sign})
        for _ in range(ASKED):
            assert listed() == (name, sign)
            assert world.done("GET", "/7012")["name"] == name
    world.done("DELETE", "/7012")


def test_a_deleted_account_is_gone_everywhere(world: World) -> None:
    headers, other = world.new(7013, sign="was here", face="http://i0.example.org/f.jpg"), world.new(7014)
    assert (world.modify(headers, 7014), world.modify(other, 7013)) == (0, 0)
    (item,) = data_of(world.client, "/x/relation/followings", None, {"vmid": 7014})["list"]
    assert (item["uname"], item["sign"]) == ("name 7013", "was here")
    assert world.admin("DELETE", "/7013") == OK
    for _ in range(ASKED):
        (item,) = data_of(world.client, "/x/relation/followings", None, {"vmid": 7014})["list"]
        assert (item["mid"], item["uname"], item["sign"]) == (7013, "账号已注销", "")
        assert item["face"].endswith("/-/faces/0.svg")
        assert not world.signed_in(headers)
        assert code_of(world.client, "/x/space/acc/info", None, {"mid": 7013}) == -404
        assert code_of(world.client, "/x/web-interface/card", None, {"mid": 7013}) == -404
    stat = data_of(world.client, "/x/relation/stat", None, {"vmid": 7014})
    assert (stat["following"], stat["follower"]) == (1, 0)
    assert world.modify(other, 7013, 5) == 22013
    assert world.admin("DELETE", "/7013") == NOT_FOUND
    assert world.admin("GET", "/7013/tokens") == NOT_FOUND
    world.done("DELETE", "/7014")
