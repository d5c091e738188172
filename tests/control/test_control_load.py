"""Filling a controlled server: accounts and relations, the synthetic community, tokens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import client_of, serving
from control_world import ALICE, BOB, CAROL, DAVE, INFO, LIST, NOT_FOUND, START, UNKNOWN, World, controlled
from stores import Stores, asked, findings

from upspace.store.interface import Store
from upspace.wire.codes import MID_MAX
from upspace.wire.control import DIRECT_PREFIX


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with controlled(tmp_path_factory.mktemp("load")) as world:
        yield world


@pytest.fixture
def world(server: World) -> World:
    server.begin()
    return server


def stat(world: World, mid: int) -> tuple[int, int]:
    data = world.client.get("/x/relation/stat", params={"vmid": mid}).json()["data"]
    return data["following"], data["follower"]


def test_accounts_are_loaded_as_their_records_say_and_replaced_as_a_whole(world: World) -> None:
    record = {"mid": DAVE, "name": "Dave", "level": 6, "sign": "s", "state": "suspended"}
    assert world.done("POST", "load", {"accounts": [record]}) == {"mids": [DAVE], "relations": 0}
    data = world.client.get(INFO, params={"mid": DAVE}).json()["data"]
    assert (data["name"], data["level"], data["sign"], data["silence"]) == ("Dave", 6, "s", 1)
    world.done("POST", "load", {"accounts": [{"mid": DAVE, "name": "D"}]})
    data = world.client.get(INFO, params={"mid": DAVE}).json()["data"]
    assert (data["name"], data["level"], data["sign"], data["silence"]) == ("D", 0, "", 0)
    # Relations stay.
    world.done("POST", "load", {"accounts": [{"mid": ALICE, "name": "Alice"}]})
    assert (stat(world, ALICE), world.relation(ALICE, BOB)) == ((1, 2), (6, START))


def test_a_record_without_a_mid_gets_one_that_no_account_has(world: World) -> None:
    world.done("POST", "load", {"accounts": [{"mid": 10_002, "name": "there"}]})
    records = [{"name": "a"}, {"mid": 10_004, "name": "b"}, {"name": "c"}, {"name": "d"}]
    assert world.done("POST", "load", {"accounts": records})["mids"] == [10_001, 10_004, 10_003, 10_005]
    assert world.client.get(INFO, params={"mid": 10_002}).json()["data"]["name"] == "there"


def test_without_replace_an_account_that_is_there_is_refused(world: World) -> None:
    record = {"mid": 500, "name": "Eve"}
    records = [{"name": "new"}, {"mid": ALICE, "name": "x"}]
    reason = world.reason("POST", "load", {"accounts": records, "replace": False})
    assert reason == f"accounts[1]: account {ALICE} is there already"
    assert world.client.get(INFO, params={"mid": 500}).json()["code"] == -404
    assert world.done("POST", "load", {"accounts": [record], "replace": False})["mids"] == [500]


@pytest.mark.parametrize("replace", [True, False])
def test_an_account_that_is_given_twice_is_refused_and_nothing_is_loaded(world: World, replace: bool) -> None:
    records = [{"mid": 500, "name": "Eve"}, {"mid": 501, "name": "Mallory"}, {"mid": 500, "name": "Eva"}]
    reason = world.reason("POST", "load", {"accounts": records, "replace": replace})
    assert reason == "accounts[2]: account 500 is given twice"
    for mid in (500, 501):
        assert world.client.get(INFO, params={"mid": mid}).json()["code"] == -404


def test_relations_are_loaded_in_both_directions(world: World) -> None:
    world.done("PUT", "clock", {"now": START + 77.9})
    relations = [
        {"owner": DAVE, "other": CAROL, "mtime": 5},
        {"owner": CAROL, "other": DAVE, "attribute": 2},
        {"owner": DAVE, "other": BOB, "attribute": 1},
        {"owner": BOB, "other": DAVE, "attribute": 128, "mtime": 0},
    ]
    assert world.done("POST", "load", {"relations": relations}) == {"mids": [], "relations": 4}
    assert world.relation(DAVE, CAROL) == (6, 5)
    assert world.relation(CAROL, DAVE) == (6, START + 77)
    assert world.relation(DAVE, BOB) == (1, START + 77)
    assert world.relation(BOB, DAVE) == (128, 0)
    assert (stat(world, DAVE), stat(world, CAROL), stat(world, BOB)) == ((1, 1), (2, 1), (1, 1))
    listed = world.client.get("/x/relation/followers", params={"vmid": DAVE}).json()["data"]
    assert [(item["mid"], item["mtime"]) for item in listed["list"]] == [(CAROL, START + 77)]


def test_accounts_come_before_the_relations_of_the_same_request(world: World) -> None:
    accounts = [{"mid": mid, "name": str(mid)} for mid in (MID_MAX, 1)]
    world.done("POST", "load", {"accounts": accounts, "relations": [{"owner": 1, "other": MID_MAX}]})
    assert stat(world, MID_MAX) == (0, 1)


GOOD = {"mid": 500, "name": "good"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"accounts": [GOOD, {"mid": 501}]}, "accounts[1]: Object missing required field `name`"),
        (
            {"accounts": [GOOD, {"mid": 501, "name": "a", "level": 7}]},
            "accounts[1]: Expected `int` <= 6 - at `$.level`",
        ),
        ({"accounts": [GOOD, 5]}, "accounts[1]: Expected `object`, got `int`"),
        ({"accounts": [GOOD, {**GOOD, "nick": 1}]}, "accounts[1]: Object contains unknown field `nick`"),
        ({"accounts": GOOD}, "Expected `array`, got `object` - at `$.accounts`"),
        ({"accounts": [GOOD], "relation": []}, "Object contains unknown field `relation`"),
        ({"accounts": [GOOD], "relations": [{"owner": 500}]}, "missing required field `other` - at `$.relations[0]`"),
        ({"accounts": [GOOD], "relations": [{"owner": 500, "other": UNKNOWN}]}, str(UNKNOWN)),
        ({"accounts": [GOOD], "relations": [{"owner": 500, "other": 500}]}, "account 500 cannot be related to itself"),
        (
            {"accounts": [GOOD], "relations": [{"owner": 500, "other": ALICE}, {"owner": 500, "other": BOB, "x": 1}]},
            "unknown field `x` - at `$.relations[1]`",
        ),
        (
            {"accounts": [GOOD], "relations": [{"owner": 500, "other": ALICE, "attribute": 6}]},
            "at `$.relations[0].attribute`",
        ),
        ({"accounts": [GOOD], "relations": [{"owner": 0, "other": ALICE}]}, "at `$.relations[0].owner`"),
        ({"accounts": [GOOD], "relations": [{"owner": 500, "other": ALICE, "mtime": -1}]}, "`$.relations[0].mtime`"),
    ],
)
def test_all_is_loaded_or_nothing_and_what_is_wrong_is_named(world: World, body: Any, reason: str) -> None:
    assert reason in world.reason("POST", "load", body)
    assert world.info_code(500) == -404
    assert stat(world, ALICE) == (1, 2)


def test_a_load_leaves_a_store_in_which_all_facts_agree(
    stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = stores.new(engine)
    with controlled(tmp_path_factory.mktemp("agree"), store=url) as world:
        accounts = [{"mid": mid, "name": str(mid)} for mid in range(1, 30)]
        relations = [
            {"owner": owner, "other": other, "attribute": (1, 2, 2, 2, 128)[(owner * other) % 5]}
            for owner in range(1, 30)
            for other in range(1, 30)
            if owner != other and (owner + other) % 3
        ]
        world.done("POST", "load", {"accounts": accounts, "relations": relations})
        world.done("POST", "load", {"relations": relations[::2]})
    assert findings(url) == []
    stores.drop(url)


def test_a_deleted_account_is_not_loaded_again(
    stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = stores.new(engine)

    async def delete(store: Store) -> bool:
        return await store.delete_account(DAVE, START)

    with controlled(tmp_path_factory.mktemp("deleted"), store=url) as world:
        assert asked(url, delete)
        assert str(DAVE) in world.reason("POST", "load", {"accounts": [{"mid": DAVE, "name": "again"}]})
        assert str(DAVE) in world.reason("POST", "tokens", {"mid": DAVE})
        assert world.info_code(DAVE) == -404
    stores.drop(url)


GONE = {"code": 22013, "message": "账号已注销，无法完成操作", "ttl": 1}


def test_accounts_are_shown_changed_and_deleted_one_by_one(world: World) -> None:
    path = f"accounts/{BOB}"
    shown = world.done("GET", path)
    assert (shown["name"], shown["counters"]["follower"]) == (f"name {BOB}", 1)
    assert world.done("PATCH", path, {"name": "B", "sign": "s"}) == {**shown, "name": "B", "sign": "s"}
    assert world.done("PATCH", path, {"sign": None}) == {**shown, "name": "B"}
    assert world.done("PUT", path, {"name": "C"}) == {**shown, "name": "C"}
    assert world.done("PUT", "accounts/700", {"name": "new"})["mid"] == 700
    assert "level" in world.reason("PATCH", path, {"level": 7})
    assert "the path says 102, the body 5" in world.reason("PUT", path, {"mid": 5, "name": "n"})
    for wrong in ("0", "x", str(2**63), "%20"):
        assert world.reason("GET", f"accounts/{wrong}")
    for method in ("GET", "PATCH", "DELETE"):
        assert world.control(method, f"accounts/{UNKNOWN}", {"name": "a"}) == NOT_FOUND
    assert world.done("DELETE", path) is None
    assert (world.info_code(BOB), world.relation(ALICE, BOB)) == (-404, (2, START))
    for method in ("GET", "DELETE"):
        assert world.control(method, path) == NOT_FOUND
    for method in ("PUT", "PATCH"):
        assert world.control(method, path, {"name": "a"}) == GONE
    # What is final is so within this world alone.
    world.begin()
    assert (world.info_code(BOB), world.relation(ALICE, BOB)) == (0, (6, START))


def test_a_community_equals_the_one_of_demo_with_the_same_numbers(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'demo.db'}"
    numbers = ("--seed", "5", "--accounts", "1000", "--relations", "20000")
    with (
        controlled(tmp_path) as world,
        serving(tmp_path, "demo", "--store", store, "--port", "0", *numbers) as demo,
        client_of(demo) as demo_client,
    ):
        world.done("POST", "reset")
        for _ in range(2):
            # The second time it is there already, and nothing is left to do.
            assert world.done("POST", "community", {"seed": 5, "accounts": 1_000, "relations": 20_000}) is None
        assert "holds the community" in world.reason("POST", "community", {"seed": 6})
        servers = ((world.client, world.served.url), (demo_client, demo.url))
        # One of the samples, and whom one comes to from there.
        mids = [5818410]
        for mid in mids:
            for path, params in ((INFO, {"mid": mid}), ("/x/relation/stat", {"vmid": mid}), (LIST, {"vmid": mid})):
                shown = [client.get(path, params=params).text.replace(url, "") for client, url in servers]
                assert shown[0] == shown[1]
            if len(mids) < 40:
                fans = world.client.get("/x/relation/followers", params={"vmid": mid}).json()["data"]["list"]
                mids += [fan["mid"] for fan in fans if fan["mid"] not in mids]
        assert len(mids) >= 20


@pytest.mark.parametrize(
    "body",
    [
        {"accounts": 5},
        {"accounts": -1},
        {"relations": -1},
        {"relations": 100_000_000},
        {"accounts": 2_000_000},
        {"accounts": "1000"},
        {"seed": 1.5},
        {"people": 1_000},
        [],
    ],
)
def test_a_community_that_cannot_be_is_refused(world: World, body: Any) -> None:
    world.done("POST", "reset")
    assert world.reason("POST", "community", body)
    assert world.info_code(5818410) == -404


def test_a_community_is_for_an_empty_store(world: World) -> None:
    assert "holds accounts already" in world.reason("POST", "community", {})
    assert stat(world, ALICE) == (1, 2)


def test_tokens_sign_in_until_they_expire(world: World) -> None:
    issued = world.done("POST", "tokens", {"mid": DAVE})
    assert list(issued) == ["id", "mid", "token", "csrf", "expires"]
    assert (issued["mid"], issued["expires"]) == (DAVE, None)
    cookies = {"cookie": f"SESSDATA={issued['token']}"}
    fields = {"fid": str(ALICE), "act": "1"}
    for csrf, code in (("", -111), (issued["csrf"], 0)):
        reply = world.client.post("/x/relation/modify", data={**fields, "csrf": csrf}, headers=cookies)
        assert reply.json()["code"] == code
    assert world.relation(DAVE, ALICE)[0] == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mid": UNKNOWN},
        {"mid": 0},
        {"mid": "101"},
        {"mid": ALICE, "expires_s": 0},
        {"mid": ALICE, "expires_s": 1.5},
        {"mid": ALICE, "expires_s": 36_501 * 86_400},
        {"mid": ALICE, "note": "n"},
    ],
)
def test_a_token_that_cannot_be_is_refused(world: World, body: Any) -> None:
    assert world.reason("POST", "tokens", body)


def test_direct_access_sees_what_was_loaded(world: World) -> None:
    world.fault("busy")
    reply = world.client.get(f"{DIRECT_PREFIX}{INFO}", params={"mid": ALICE})
    assert reply.json()["data"]["name"] == f"name {ALICE}"
