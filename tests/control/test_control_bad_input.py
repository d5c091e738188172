"""What is no request of the control interface is refused, says why, and changes nothing."""

import gc
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from control_world import ALICE, BOB, CAST, World, controlled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upspace.server.control.interface import CONTROL_PATHS
from upspace.server.http import BODY_MAX_BYTES
from upspace.wire import control
from upspace.wire.control import (
    CONTROL_PREFIX,
    PATHS,
    Advance,
    ClockState,
    CommunityRequest,
    FaultRule,
    LoadRequest,
    Pair,
    ReplayRequest,
    TokenOrder,
    read_control,
)
from upspace.wire.errors import BadRequestError
from upspace.wire.faults import Shape

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

# Those that take a body, and what it is read as.
TAKES: dict[tuple[str, str], type[msgspec.Struct]] = {
    ("POST", "load"): LoadRequest,
    ("POST", "community"): CommunityRequest,
    ("POST", "tokens"): TokenOrder,
    ("PUT", "clock"): ClockState,
    ("POST", "clock/advance"): Advance,
    ("POST", "faults"): FaultRule,
    ("POST", "replay"): ReplayRequest,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with controlled(tmp_path_factory.mktemp("bad")) as world:
        world.begin()
        world.done("PUT", "clock", {"now": 1_700_000_000})
        world.fault("busy", path="card")
        yield world


def state_of(world: World) -> Any:
    """All that a refused request must leave as it is."""
    replies = [
        world.client.get(f"/-/control/direct{path}").content
        for path in (
            f"/x/space/acc/info?mid={BOB}",
            f"/x/relation/followings?vmid={ALICE}",
            f"/x/relation/followers?vmid={ALICE}",
        )
    ]
    return [world.done("GET", path) for path in ("clock", "faults", "snapshots", "requests", "unimplemented")] + replies


def filled(path: str) -> str:
    return path.removeprefix(CONTROL_PREFIX).replace("{name}", CAST).replace("{id}", "1").replace("{mid}", str(ALICE))


@pytest.mark.parametrize("path", sorted({path for _, path in CONTROL_PATHS}))
def test_wrong_methods_are_told_the_right_ones(world: World, path: str) -> None:
    before = state_of(world)
    right = {method for method, of in CONTROL_PATHS if of == path}
    for method in METHODS:
        if method not in right:
            reply = world.ask(method, filled(path))
            assert (reply.status_code, reply.json()["code"]) == (405, -405)
            assert reply.headers["allow"] == ", ".join(sorted(right))
    head = world.ask("HEAD", filled(path))
    assert (head.status_code, head.content) == (200 if "GET" in right else 405, b"")
    assert state_of(world) == before


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nowhere",
        "fault",
        "faults/",
        "faults/1/2",
        "faults/1/restore",
        "snapshots/a/b",
        "clock/",
        "clock/back",
        "directly",
        "snapshots//restore",
        "RESET",
        "reset?x",
        "../",
    ],
)
def test_unknown_paths(world: World, path: str) -> None:
    before = state_of(world)
    for method in METHODS:
        reply = world.ask(method, path.replace("?x", "x"))
        assert (reply.status_code, reply.json()["code"]) == (404, -404)
    assert state_of(world) == before


BAD_BODIES = [b"{", b"\xff", b"nul", b"[", b"[]", b'"a"', b"1", b"null", b'{"other": 1}', b"{}{}", b"[" * 100_000]


@pytest.mark.parametrize(("method", "path"), [*TAKES, ("PUT", f"accounts/{ALICE}"), ("PATCH", f"accounts/{ALICE}")])
def test_bad_bodies_are_refused(world: World, method: str, path: str) -> None:
    before = state_of(world)
    for body in BAD_BODIES:
        assert world.reason(method, path, body)
    assert f"larger than {BODY_MAX_BYTES}" in world.reason(method, path, b" " * (BODY_MAX_BYTES + 1))
    assert state_of(world) == before


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({}, "missing required field `shape`"),
        ({"shape": "none"}, "Invalid enum value 'none'"),
        ({"shape": "busy", "path": ""}, "$.path"),
        ({"shape": "busy", "path": "x/space"}, "is no path (/x/...), no pattern with *, and no name of an endpoint"),
        ({"shape": "busy", "path": "/" * 1_001}, "$.path"),
        ({"shape": "busy", "target": 0}, "$.target"),
        ({"shape": "busy", "viewer": -1}, "$.viewer"),
        ({"shape": "busy", "times": 0}, "$.times"),
        ({"shape": "busy", "after": -1}, "$.after"),
        ({"shape": "busy", "probability": 1.1}, "$.probability"),
        ({"shape": "busy", "seed": "a"}, "$.seed"),
        ({"shape": "busy", "delay_s": -1}, "$.delay_s"),
        ({"shape": "busy", "delay_s": 3_601}, "$.delay_s"),
        ({"shape": "busy", "delay_s": 2, "delay_max_s": 1}, "delay_max_s: it is below delay_s"),
        ({"shape": "busy", "drip_bytes": 0}, "$.drip_bytes"),
        ({"shape": "busy", "drip_pause_s": 61}, "$.drip_pause_s"),
        ({"shape": "busy", "status": 404}, "status: shape html has 404 or 412, and no other shape has one"),
        ({"shape": "html", "status": 200}, "status: shape html has 404 or 412"),
        ({"shape": "busy", "first": "limited"}, "first: only shape glued has one"),
        ({"shape": "glued", "first": "busy"}, "$.first"),
        ({"shape": "busy", "code": -400}, "code: shape refusal needs one, and no other shape has one"),
        ({"shape": "refusal"}, "code: shape refusal needs one"),
        ({"shape": "refusal", "code": 0}, "code: 0 is not in the table of codes"),
        ({"shape": "slow"}, "slow needs delay_s, delay_max_s or drip_bytes"),
        ({"shape": "busy", "colour": 1}, "unknown field `colour`"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(world: World, rule: dict[str, Any], reason: str) -> None:
    before = state_of(world)
    assert reason in world.reason("POST", "faults", rule)
    assert state_of(world) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted(
    {field for struct in TAKES.values() for field in struct.__struct_fields__} | set(Pair.__struct_fields__)
)
BODIES = JSON | st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from([*Shape]), max_size=5)
SEGMENTS = st.sampled_from(
    [
        "reset",
        "load",
        "tokens",
        "clock",
        "advance",
        "accounts",
        "101",
        "snapshots",
        CAST,
        "restore",
        "faults",
        "1",
        "requests",
        "direct",
        "unimplemented",
        "replay",
        "..",
        "%00",
        "%ff",
        "%2f",
        "中",
        "a b",
        "?since=1",
        "?since=%ff",
        "-/control",
    ]
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(METHODS[:5]), st.lists(SEGMENTS, max_size=4), BODIES | st.binary(max_size=30))
def test_generated_requests_are_answered(world: World, method: str, segments: list[str], body: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = world.client.request(method, CONTROL_PREFIX + "/".join(segments), content=content)
    assert reply.status_code in (200, 404, 405)
    assert "code" in reply.json()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(TAKES)), BODIES)
def test_generated_bodies_do_what_they_say_or_nothing(world: World, asked: tuple[str, str], body: Any) -> None:
    # Whatever came before, the clock stands still now.
    world.done("PUT", "clock", {"now": 1_700_000_000})
    world.done("DELETE", "faults")
    before = state_of(world)
    envelope = world.control(*asked, json.dumps(body).encode())
    assert envelope["code"] in (0, -400)
    if envelope["code"] != 0:
        assert state_of(world) == before


def test_the_interface_knows_every_endpoint_that_takes_a_body() -> None:
    for method, path in TAKES:
        assert (method, CONTROL_PREFIX + path) in CONTROL_PATHS


# Each struct of the interface, and a value that it is read from.
VALUES: dict[str, Any] = {
    "FaultRule": {"shape": "busy", "path": "*", "target": 1, "viewer": 0, "times": 1, "delay_s": 1, "delay_max_s": 2},
    "FaultState": {"id": 1, "rule": {"shape": "slow", "delay_s": 0.5}, "matched": 0, "sent": 0},
    "ClockState": {"now": 1},
    "Advance": {"seconds": 1},
    "RelationRecord": {"owner": 1, "other": 2, "mtime": 3},
    "LoadRequest": {"accounts": [{}], "relations": [{"owner": 1, "other": 2}]},
    "Loaded": {"mids": [1], "relations": 1},
    "CommunityRequest": {},
    "TokenOrder": {"mid": 1, "expires_s": 1},
    "SnapshotState": {"name": "a", "bytes": 1, "taken": 1},
    "Asked": {
        "number": 1,
        "time": 1,
        "method": "GET",
        "path": "/",
        "parameters": {},
        "headers": {},
        "viewer": None,
        "credential": None,
    },
    "Journal": {"requests": [], "dropped": 0},
    "Unimplemented": {"method": "GET", "path": "/", "count": 1},
    "Pair": {"method": "GET", "path": "/", "status": 200, "base64": "AA=="},
    "ReplayRequest": {"pairs": [{"method": "GET", "path": "/", "status": 200}]},
}


def test_no_struct_brings_the_interpreter_down_when_garbage_is_collected() -> None:
    """Some unions of annotated numbers do, with msgspec 0.22."""
    structs = {
        name: value
        for name, value in vars(control).items()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == control.__name__
    }
    assert structs.keys() == VALUES.keys()
    for name, struct in structs.items():
        value = msgspec.convert(VALUES[name], struct)
        gc.collect()
        assert msgspec.convert(msgspec.to_builtins(value), struct) == value
    gc.collect()


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(FaultRule.__struct_fields__), JSON | st.sampled_from([*Shape, *PATHS]), max_size=6)
)
def test_what_is_read_as_a_rule_can_be_written_and_read_again(value: dict[str, Any]) -> None:
    try:
        rule = read_control(value, FaultRule)
    except BadRequestError:
        return
    assert read_control(msgspec.json.decode(msgspec.json.encode(rule)), FaultRule) == rule
