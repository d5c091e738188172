"""The clock of a controlled server: everything that goes by it, standing still and ticking."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from control_world import ALICE, BOB, CAROL, DAVE, INFO, MODIFY, START, World, controlled

from upspace.server.control.clock import Clock
from upspace.wire.control import TIME_MAX_S, ClockState

THEN = 1_600_000_000.0
DAY = 86_400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    limits = ("--limit-viewer-writes", "2/2", "--limit-address-reads", "1000/1")
    with controlled(tmp_path_factory.mktemp("clock"), *limits) as world:
        yield world


@pytest.fixture
def world(server: World) -> World:
    server.begin()
    return server


def set_clock(world: World, now: float, ticking: bool = False) -> None:
    shown = world.done("PUT", "clock", {"now": now, "ticking": ticking})
    assert shown["ticking"] is ticking
    assert ticking or shown["now"] == now


def advance(world: World, seconds: float) -> float:
    return float(world.done("POST", "clock/advance", {"seconds": seconds})["now"])


def test_it_shows_the_time_of_the_system_until_it_is_set(world: World) -> None:
    before = time.time()
    shown = world.done("GET", "clock")
    assert shown["ticking"] is True
    assert before <= shown["now"] <= time.time()


def test_it_stands_still_where_it_was_set_and_goes_on_only_when_told(world: World) -> None:
    set_clock(world, THEN)
    assert [world.done("GET", "clock") for _ in range(3)] == [{"now": THEN, "ticking": False}] * 3
    assert advance(world, 90.5) == THEN + 90.5
    assert advance(world, 0) == THEN + 90.5
    assert world.done("GET", "clock") == {"now": THEN + 90.5, "ticking": False}


def test_it_ticks_from_where_it_was_set_if_it_shall(world: World) -> None:
    begun = time.monotonic()
    set_clock(world, THEN, ticking=True)
    first = world.done("GET", "clock")["now"]
    second = world.done("GET", "clock")["now"]
    later = advance(world, DAY)
    took = time.monotonic() - begun
    assert THEN <= first < second <= THEN + took + 1
    assert THEN + DAY < later <= THEN + DAY + took + 1


def test_every_mtime_is_of_the_clock(world: World) -> None:
    set_clock(world, THEN)
    assert world.modify(ALICE, DAVE) == 0
    assert world.relation(ALICE, DAVE) == (2, THEN)
    advance(world, 100.9)
    # When a follow makes a pair mutual, both sides take that instant.
    assert world.modify(DAVE, ALICE) == 0
    assert world.relation(ALICE, DAVE) == world.relation(DAVE, ALICE) == (6, THEN + 100)
    advance(world, 100)
    assert world.modify(DAVE, BOB, act=3) == 0
    assert world.relation(DAVE, BOB) == (1, THEN + 200)
    assert world.modify(BOB, DAVE, act=5) == 0
    assert world.relation(BOB, DAVE) == (128, THEN + 200)
    fields = {"fids": f"{DAVE},{CAROL}", "act": "1"}
    advance(world, 100)
    world.client.post("/x/relation/batch/modify", data=fields, headers=world.bearer(ALICE))
    assert world.relation(ALICE, CAROL) == (6, THEN + 300)


def test_it_can_be_set_back_into_the_past(world: World) -> None:
    set_clock(world, THEN)
    assert world.modify(ALICE, DAVE) == 0
    set_clock(world, THEN - DAY)
    assert world.modify(ALICE, CAROL) == 0
    reply = world.client.get("/x/relation/followings", params={"vmid": ALICE}, headers=world.bearer(ALICE))
    listed = [(item["mid"], item["mtime"]) for item in reply.json()["data"]["list"]]
    assert listed == [(BOB, START), (DAVE, THEN), (CAROL, THEN - DAY)]
    set_clock(world, 0)
    assert world.modify(BOB, CAROL) == 0
    assert world.relation(BOB, CAROL) == (2, 0)


def test_tokens_expire_by_it(world: World) -> None:
    set_clock(world, THEN)
    issued = world.done("POST", "tokens", {"mid": ALICE, "expires_s": 3_600})
    assert issued["expires"] == "2020-09-13T13:26:40+00:00"

    def signed_in() -> bool:
        reply = world.client.get("/x/space/myinfo", params={"access_key": issued["token"]})
        return bool(reply.json()["code"] == 0)

    assert signed_in()
    advance(world, 3_599)
    assert signed_in()
    advance(world, 1)
    assert not signed_in()
    set_clock(world, THEN)
    assert signed_in()


# Also at a time that no float shows exactly: whoever waits as long as they were told is let through.
@pytest.mark.parametrize("now", [THEN, THEN + 0.3, 1_795_000_000.7, 0, TIME_MAX_S - DAY])
def test_rate_limits_go_by_it(world: World, now: float) -> None:
    set_clock(world, now)
    assert [world.modify(ALICE, DAVE, act) for act in (1, 2)] == [0, 0]
    for _ in range(3):
        reply = world.client.post(MODIFY, data={"fid": DAVE, "act": 1}, headers=world.bearer(ALICE))
        assert (reply.status_code, reply.json()["code"], reply.headers["retry-after"]) == (200, -799, "1")
        advance(world, int(reply.headers["retry-after"]))
        assert world.modify(ALICE, DAVE, act=2) == 0
    advance(world, 0.5)
    assert world.modify(ALICE, DAVE) == -799
    advance(world, 0.5)
    assert world.modify(ALICE, DAVE) == 0


def test_rate_limits_are_forgotten_when_it_is_set(world: World) -> None:
    set_clock(world, THEN)
    assert [world.modify(ALICE, DAVE, act) for act in (1, 2, 1)] == [0, 0, -799]
    set_clock(world, THEN - DAY)
    assert [world.modify(ALICE, DAVE, act) for act in (1, 2, 1)] == [0, 0, -799]


def test_the_journal_shows_it(world: World) -> None:
    set_clock(world, THEN)
    world.info_code()
    advance(world, 5)
    world.info_code()
    assert [asked["time"] for asked in world.requests()] == [THEN, THEN + 5]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "clock", {}),
        ("PUT", "clock", {"now": "1"}),
        ("PUT", "clock", {"now": -1}),
        ("PUT", "clock", {"now": TIME_MAX_S + 1}),
        ("PUT", "clock", {"now": 1, "ticking": 1}),
        ("PUT", "clock", {"now": 1, "zone": "UTC"}),
        ("PUT", "clock", b'{"now": 1e999}'),
        ("PUT", "clock", b'{"now": NaN}'),
        ("PUT", "clock", [1]),
        ("POST", "clock/advance", {}),
        ("POST", "clock/advance", {"seconds": -1}),
        ("POST", "clock/advance", {"seconds": None}),
        # Each is allowed, both together are not.
        ("POST", "clock/advance", {"seconds": TIME_MAX_S - 1}),
    ],
)
def test_what_is_no_time_changes_nothing(world: World, method: str, path: str, body: Any) -> None:
    set_clock(world, THEN)
    world.reason(method, path, body)
    assert world.done("GET", "clock") == {"now": THEN, "ticking": False}


def test_everything_works_at_both_ends_of_time(world: World) -> None:
    for now in (0, TIME_MAX_S):
        set_clock(world, now)
        issued = world.done("POST", "tokens", {"mid": ALICE, "expires_s": 36_500 * DAY})
        reply = world.client.get(INFO, params={"mid": BOB, "access_key": issued["token"]})
        assert reply.json()["code"] == 0
        assert world.modify(ALICE, DAVE) == 0
        assert world.relation(ALICE, DAVE) == (2, now)
        assert world.modify(ALICE, DAVE, act=2) == 0


def test_a_clock_over_a_system_that_is_told() -> None:
    system = 100.0
    clock = Clock(lambda: system)
    assert clock() == 100
    clock.set(ClockState(500.0, ticking=True))
    system += 7
    assert (clock(), clock.state) == (507, ClockState(507.0, ticking=True))
    clock.advance(3)
    copied = clock.copy()
    clock.set(ClockState(50.0))
    system += 1
    assert (clock(), copied()) == (50, 511)
    clock.advance(0.5)
    system += 1
    assert clock.state == ClockState(50.5, ticking=False)
    clock.show(copied)
    assert (clock(), clock.state.ticking) == (512, True)
