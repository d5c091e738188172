"""Snapshots, restore and reset: all that a server is goes back, and nothing of later is left."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from control_world import (
    ALICE,
    BOB,
    CAROL,
    CAST,
    DAVE,
    INFO,
    LIST,
    MODIFY,
    START,
    World,
    absent,
    controlled,
)
from stores import Stores

from upspace.wire.control import DIRECT_PREFIX

LIMITS = ("--limit-viewer-writes", "3/60")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with controlled(tmp_path_factory.mktemp("snapshots"), *LIMITS) as world:
        yield world


@pytest.fixture
def world(server: World) -> Iterator[World]:
    server.begin()
    yield server
    for snapshot in server.done("GET", "snapshots"):
        if snapshot["name"] != CAST:
            server.done("DELETE", f"snapshots/{snapshot['name']}")


def take(world: World, name: str = "here") -> None:
    world.done("PUT", f"snapshots/{name}")


def restore(world: World, name: str = "here") -> None:
    assert world.done("POST", f"snapshots/{name}/restore") is None


def rename(world: World, mid: int, name: str) -> None:
    world.done("POST", "load", {"accounts": [{"mid": mid, "name": name}]})


def create_group(world: World, name: str) -> int:
    reply = world.client.post("/x/relation/tag/create", data={"tag": name}, headers=world.bearer(ALICE))
    return int(reply.json()["data"]["tagid"])


def test_the_store_goes_back(world: World) -> None:
    take(world)
    before = world.client.get(LIST, params={"vmid": ALICE}).content
    assert world.modify(ALICE, DAVE) == 0
    assert world.modify(ALICE, BOB, act=5) == 0
    world.done("POST", "load", {"accounts": [{"mid": 900, "name": "new"}], "relations": [{"owner": 900, "other": 101}]})
    token = world.done("POST", "tokens", {"mid": 900})["token"]
    restore(world)
    assert world.client.get(LIST, params={"vmid": ALICE}).content == before
    assert world.relation(ALICE, BOB) == (6, START)
    assert world.info_code(900) == -404
    assert world.client.get("/x/space/myinfo", params={"access_key": token}).json()["code"] == -101
    # And it can be written to as before.
    assert world.modify(ALICE, DAVE) == 0


def test_ids_of_groups_go_back(world: World) -> None:
    first = create_group(world, "first")
    take(world)
    second = create_group(world, "second")
    assert second > first
    restore(world)
    assert create_group(world, "another") == second


# Every kind of reply that shows a name.
SHOWN: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "acc_info": (INFO, {"mid": BOB}, None),
    "card": ("/x/web-interface/card", {"mid": BOB}, None),
    "nav": ("/x/web-interface/nav", {}, BOB),
    "myinfo": ("/x/space/myinfo", {}, BOB),
    "followings": (LIST, {"vmid": ALICE}, None),
    "followers": ("/x/relation/followers", {"vmid": ALICE}, None),
    "fans": ("/x/relation/fans", {"vmid": ALICE}, None),
    "friends": ("/x/relation/friends", {}, ALICE),
    "same": ("/x/relation/same/followings", {"vmid": ALICE}, ALICE),
    "search": ("/x/relation/followings/search", {"vmid": ALICE, "name": "bob"}, ALICE),
    "group": ("/x/relation/tag", {"tagid": 0}, ALICE),
}


@pytest.mark.parametrize("names", [("bob old", "bob new"), ("bob a", "bob a longer one with 字")])
def test_a_renamed_account_shows_its_old_name_again_in_every_reply(world: World, names: tuple[str, str]) -> None:
    old, new = names

    def shown(path: str, params: dict[str, Any], viewer: int | None) -> tuple[bool, bool]:
        text = world.client.get(path, params=params, headers=world.bearer(viewer)).text
        return f'"{old}"' in text, f'"{new}"' in text

    rename(world, BOB, old)
    take(world)
    for _ in range(2):
        assert {name: shown(*asked) for name, asked in SHOWN.items()} == dict.fromkeys(SHOWN, (True, False))
        rename(world, BOB, new)
        assert {name: shown(*asked) for name, asked in SHOWN.items()} == dict.fromkeys(SHOWN, (False, True))
        restore(world)


def test_changes_after_a_restore_are_seen_although_their_numbers_were_given_before(world: World) -> None:
    take(world)
    for name in ("one", "two", "three"):
        rename(world, BOB, name)
        assert world.client.get(INFO, params={"mid": BOB}).json()["data"]["name"] == name
        restore(world)
    rename(world, CAROL, "carol")
    rename(world, BOB, "four")
    assert world.client.get(INFO, params={"mid": BOB}).json()["data"]["name"] == "four"


def test_the_clock_goes_back(world: World) -> None:
    world.done("PUT", "clock", {"now": 1_000.5})
    take(world)
    assert [snapshot["taken"] for snapshot in world.done("GET", "snapshots")][-1] == 1_000.5
    world.done("POST", "clock/advance", {"seconds": 10})
    restore(world)
    assert world.done("GET", "clock") == {"now": 1_000.5, "ticking": False}
    world.done("PUT", "clock", {"now": 5, "ticking": True})
    restore(world)
    assert world.done("GET", "clock") == {"now": 1_000.5, "ticking": False}


def test_rules_go_back_with_their_counts_and_the_numbers_still_to_be_drawn(world: World) -> None:
    drawn = world.fault("busy", probability=0.5, seed=3)
    spent = world.fault("forbidden", path="card", times=1)
    world.client.get("/x/web-interface/card")
    for _ in range(5):
        world.info_code()
    take(world)
    before = world.done("GET", "faults")
    first = [world.info_code() for _ in range(20)]
    world.done("DELETE", f"faults/{spent}")
    later = world.fault("risk")
    for _ in range(3):
        restore(world)
        assert world.done("GET", "faults") == before
        assert [world.info_code() for _ in range(20)] == first
    assert len(set(first)) == 2
    assert world.counts(drawn)[0] == 26
    # The id of a rule that is gone is not given again: whoever holds it would take this rule for that.
    assert world.fault("risk") > later


def test_recorded_replies_go_back_to_where_they_were(world: World) -> None:
    pairs = [{"method": "GET", "path": "/x/a", "status": 200, "text": text} for text in ("1", "2", "3")]
    world.done("POST", "replay", {"pairs": pairs})
    assert world.client.get("/x/a").text == "1"
    take(world)
    assert [world.client.get("/x/a").text for _ in range(3)] == ["2", "3", "3"]
    world.done("DELETE", "replay")
    restore(world)
    assert [world.client.get("/x/a").text for _ in range(3)] == ["2", "3", "3"]


def test_the_journal_begins_anew_and_rate_limits_are_forgotten(world: World) -> None:
    world.done("PUT", "clock", {"now": START})
    take(world)
    assert [world.modify(ALICE, DAVE, act) for act in (1, 2, 1, 2)] == [0, 0, 0, -799]
    world.client.get("/x/nowhere")
    restore(world)
    assert world.done("GET", "requests") == {"requests": [], "dropped": 0}
    assert world.done("GET", "unimplemented") == []
    assert [world.modify(ALICE, DAVE, act) for act in (1, 2, 1, 2)] == [0, 0, 0, -799]
    assert [asked["number"] for asked in world.requests()] == [1, 2, 3, 4]


def test_snapshots_have_names(world: World) -> None:
    take(world, "b.1")
    take(world, "A_z-9")
    listed = world.done("GET", "snapshots")
    assert [snapshot["name"] for snapshot in listed] == [CAST, "b.1", "A_z-9"]
    assert all(list(snapshot) == ["name", "bytes", "taken"] and snapshot["bytes"] > 0 for snapshot in listed)
    # One of the same name takes its place.
    world.modify(ALICE, DAVE)
    take(world, "b.1")
    world.begin()
    restore(world, "b.1")
    assert world.relation(ALICE, DAVE)[0] == 2
    assert world.done("DELETE", "snapshots/b.1") is None
    for method, path in (("DELETE", "b.1"), ("POST", "b.1/restore"), ("POST", "never/restore"), ("DELETE", "%ff")):
        assert world.control(method, f"snapshots/{path}") == absent(
            f"snapshot {unquote(path.removesuffix('/restore'))}"
        )
    assert [snapshot["name"] for snapshot in world.done("GET", "snapshots")] == [CAST, "A_z-9"]


@pytest.mark.parametrize("name", ["a b", "ä", "a%0A", "%ff", "a" * 101, "*"])
def test_what_is_no_name_is_refused(world: World, name: str) -> None:
    assert "1 to 100 letters" in world.reason("PUT", f"snapshots/{name}")
    assert len(world.done("GET", "snapshots")) == 1


def test_a_reset_goes_back_to_the_start_and_keeps_snapshots(world: World) -> None:
    take(world)
    world.fault("busy", times=5)
    assert world.done("POST", "reset") is None
    assert world.done("GET", "faults") == []
    assert world.done("GET", "clock")["ticking"] is True
    assert world.info_code(BOB) == -404
    assert [snapshot["name"] for snapshot in world.done("GET", "snapshots")] == [CAST, "here"]
    restore(world)
    assert world.info_code(BOB) == 0


@pytest.mark.parametrize("back", ["reset", f"snapshots/{CAST}/restore"])
def test_a_write_that_waits_while_its_world_goes_is_never_carried_out(world: World, back: str) -> None:
    world.fault("slow", path=MODIFY, delay_s=3_600)
    with ThreadPoolExecutor(1) as pool:
        write = pool.submit(world.client.post, MODIFY, data={"fid": DAVE, "act": 1}, headers=world.bearer(ALICE))
        wait_until_asked(world)
        world.done("POST", back)
        # It is told so at once.
        reply = write.result()
    assert (reply.status_code, reply.json()["code"]) == (503, -503)
    assert world.done("GET", "requests") == {"requests": [], "dropped": 0}
    world.begin()
    assert world.relation(ALICE, DAVE)[0] == 0


def wait_until_asked(world: World) -> None:
    """Until a request stands in the journal that waits for its reply."""
    for _ in range(10_000):
        if any(asked["answered_by"] and asked["status"] is None for asked in world.requests()):
            return
    pytest.fail("the request has never arrived")


def test_a_reply_in_drips_goes_on_over_a_restore(world: World) -> None:
    world.fault("slow", path=INFO, drip_bytes=700, drip_pause_s=0.2)
    begun = threading.Event()

    def read() -> bytes:
        with world.client.stream("GET", INFO, params={"mid": BOB}) as reply:
            pieces = reply.iter_raw()
            received = next(pieces)
            begun.set()
            return received + b"".join(pieces)

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        assert begun.wait(60)
        world.begin()
        received = reading.result()
    assert received == world.client.get(INFO, params={"mid": BOB}).content
    assert [asked["number"] for asked in world.requests()] == [1]


def test_a_store_that_lasts_is_never_wiped_nor_put_back(
    stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And everything else of the interface works on it."""
    url = stores.new(engine)
    with controlled(tmp_path_factory.mktemp("lasting"), store=url) as world:
        rule = world.fault("busy", path="card")
        world.done("PUT", "clock", {"now": START + 9})
        assert world.modify(ALICE, DAVE) == 0
        world.done("POST", "replay", {"pairs": [{"method": "GET", "path": "/x/a", "status": 200, "text": "1"}]})
        journal = world.done("GET", "requests")
        for method, path in (("POST", "reset"), ("PUT", "snapshots/a")):
            reason = world.reason(method, path)
            assert "lasts: only a store in memory (sqlite://) can be wiped and restored" in reason
        assert world.control("POST", "snapshots/a/restore") == absent("snapshot a")
        assert world.done("GET", "snapshots") == []
        assert world.relation(ALICE, DAVE) == (2, START + 9)
        assert world.done("GET", "requests") == journal
        assert world.counts(rule) == (0, 0)
        assert world.client.get("/x/web-interface/card").json()["code"] == -8888
        assert world.client.get("/x/a").text == "1"
        assert "holds accounts already" in world.reason("POST", "community", {})
        reply: httpx.Response = world.client.get(f"{DIRECT_PREFIX}{INFO}", params={"mid": DAVE})
        assert reply.json()["data"]["name"] == f"name {DAVE}"
    stores.drop(url)
