"""Every shape of contract section 11 as three clients receive it, on endpoints of every kind.

A shape that is in none of the three tables below fails the tests.
"""

import json
import re
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import pytest
from conftest import DEADLINE_S
from control_world import ALICE, BOB, CAROL, INFO, LIST, MODIFY, World, controlled
from receivers import CUT_OFF, RECEIVERS, RESET, Asked, Reply

from upspace.wire.control import DIRECT_PREFIX
from upspace.wire.errors import TABLE
from upspace.wire.faults import SUMMARIES, Shape

JSON, JAVASCRIPT = "application/json; charset=utf-8", "application/javascript; charset=utf-8"

FREQUENT = '{"code":-799,"message":"请求过于频繁，请稍后再试","ttl":1}'
LIMITED = '{"code":-509,"message":"请求过于频繁，请稍后再试","ttl":1}'
NO_LIST = '{"code":0,"message":"0","ttl":1,"data":{"list":null,"re_version":0,"total":0}}'

# What stands in place of the normal reply: HTTP status and body. Where there is a pattern, it stands in angle brackets.
ENVELOPES: dict[Shape, tuple[int, str]] = {
    Shape.RISK: (200, '{"code":-352,"message":"风控校验失败","ttl":1,"data":{"v_voucher":"voucher_<[0-9a-f-]{36}>"}}'),
    Shape.INTERCEPTED: (412, '{"code":-412,"message":"请求被拦截","ttl":1,"data":null}'),
    Shape.BANNED: (412, '{"code":-412,"message":"request was banned","ttl":1}'),
    Shape.FREQUENT: (200, FREQUENT),
    Shape.LIMITED: (200, LIMITED),
    Shape.ILLEGAL: (
        200,
        '{"code":-401,"message":"非法访问","ttl":1,"data":{"ga_data":{"decisions":["<[a-z0-9_]+>"],"risk_level":<[0-9]>,'
        '"grisk_id":"<[0-9a-f]+>","decision_ctx":{<("[a-z]+":"[^"]*",?)+>}}}}',
    ),
    Shape.FORBIDDEN: (200, '{"code":-403,"message":"访问权限不足","ttl":1}'),
    Shape.LOGGED_OUT: (200, '{"code":-101,"message":"账号未登录","ttl":1}'),
    Shape.BUSY: (200, '{"code":-8888,"message":"对不起，服务器开小差了~ (ಥ﹏ಥ)","ttl":1}'),
    Shape.ERROR: (500, '{"code":-500,"message":"服务器错误","ttl":1}'),
    Shape.OVERLOAD: (503, '{"code":-503,"message":"过载保护,服务暂不可用","ttl":1}'),
    Shape.TIMEOUT: (504, '{"code":-504,"message":"服务调用超时","ttl":1}'),
    Shape.EMPTY_DATA: (200, '{"code":0,"message":"0","ttl":1,"data":{}}'),
    Shape.NULL_DATA: (200, '{"code":0,"message":"0","ttl":1,"data":null}'),
    Shape.REFUSAL: (200, '{"code":22007,"message":"限制只访问前5页","ttl":1}'),
}


def glued(normal: Reply) -> Reply:
    return normal._replace(body=FREQUENT.encode() + normal.body)


def html(normal: Reply) -> Reply:
    page = (
        '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>出错啦!</title></head>'
        "<body><h1>出错啦!</h1><p>由于触发安全策略，该请求已被拒绝。</p></body></html>\n"
    )
    return Reply(412, "text/html; charset=utf-8", page.encode())


def null_list(normal: Reply) -> Reply:
    value = json.loads(normal.body) if normal.body.startswith(b"{") else {}
    if "list" not in value.get("data", {}):
        return enveloped(200, NO_LIST, normal)
    value["data"]["list"] = None
    return normal._replace(body=json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def truncated(normal: Reply) -> Reply:
    return normal._replace(body=normal.body[: len(normal.body) // 2])


def enveloped(status: int, body: str, normal: Reply) -> Reply:
    """As plain JSON, or as a call, just as the normal reply is."""
    return Reply(status, normal.type, (f"back({body})" if normal.type == JAVASCRIPT else body).encode())


# What becomes of the normal reply.
AROUND: dict[Shape, Callable[[Reply], Reply]] = {
    Shape.GLUED: glued,
    Shape.HTML: html,
    Shape.NULL_LIST: null_list,
    Shape.TRUNCATED: truncated,
    Shape.EMPTY: lambda normal: Reply(200, JSON, b""),
    Shape.SLOW: lambda normal: normal,
}

# What clients report in place of a reply.
BROKEN = {Shape.RESET: RESET, Shape.CUT_OFF: CUT_OFF}

# What a rule of this shape needs.
FIELDS: dict[Shape, dict[str, Any]] = {
    Shape.REFUSAL: {"code": 22007},
    Shape.SLOW: {"delay_s": 0.01, "drip_bytes": 300, "drip_pause_s": 0.005},
}


class Case(NamedTuple):
    """A request of one kind."""

    method: str
    path: str
    viewer: int | None = None
    write: bool = False


CASES = {
    "a list": Case("GET", f"{LIST}?vmid={ALICE}", ALICE),
    "an account": Case("GET", f"{INFO}?mid={BOB}"),
    "a write": Case("POST", MODIFY, ALICE, write=True),
    "an unknown path": Case("GET", "/x/nowhere"),
    "JSONP": Case("GET", f"{INFO}?mid={BOB}&callback=back"),
    "HEAD": Case("HEAD", f"{INFO}?mid={BOB}"),
}
FOLLOW = {"fid": CAROL, "act": 1}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with controlled(tmp_path_factory.mktemp("shapes")) as world:
        yield world


@pytest.fixture
def world(server: World) -> World:
    server.begin()
    return server


def asked(world: World, case: Case, prefix: str = "") -> Asked:
    url = world.served.url + prefix + case.path
    return Asked(case.method, url, world.bearer(case.viewer), FOLLOW if case.write else {})


def matches(pattern: str, text: str) -> bool:
    parts = re.split(r"<(.*?)>", pattern)
    expression = "".join(part if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return re.fullmatch(expression, text) is not None


def check(shape: Shape, case: Case, received: Reply | str, normal: Reply) -> None:
    if shape in BROKEN and not (shape is Shape.CUT_OFF and case.method == "HEAD"):
        assert received == BROKEN[shape]
        return
    assert isinstance(received, Reply)
    if shape in BROKEN:
        # There is no body that could be cut off.
        assert received == normal
    elif shape in AROUND:
        expected = AROUND[shape](normal)
        assert received == (expected._replace(body=b"") if case.method == "HEAD" else expected)
    else:
        status, pattern = ENVELOPES[shape]
        expected = enveloped(status, pattern, normal)
        assert received[:2] == expected[:2]
        assert matches("" if case.method == "HEAD" else expected.body.decode(), received.body.decode())


@pytest.fixture(scope="module")
def normals(server: World, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Reply]:
    """The reply to each request without a fault, as each client receives it."""
    folder = tmp_path_factory.mktemp("normals")
    normals = {}
    for receiver, receive in RECEIVERS.items():
        for name, case in CASES.items():
            server.begin()
            normal = receive(asked(server, case, DIRECT_PREFIX), folder)
            assert isinstance(normal, Reply)
            normals[receiver, name] = normal
    return normals


@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize("receiver", list(RECEIVERS))
def test_each_shape_as_a_client_receives_it(
    world: World, normals: dict[tuple[str, str], Reply], receiver: str, shape: Shape, tmp_path: Path
) -> None:
    rule = world.fault(shape, path="*", **FIELDS.get(shape, {}))
    for name, case in CASES.items():
        check(shape, case, RECEIVERS[receiver](asked(world, case), tmp_path), normals[receiver, name])
    assert world.counts(rule) == (len(CASES), len(CASES))
    # The server is as it was.
    world.done("DELETE", "faults")
    assert world.info_code() == 0


def test_each_shape_has_one_entry_in_the_tables_and_a_summary() -> None:
    assert sorted([*ENVELOPES, *AROUND, *BROKEN]) == sorted(Shape)
    assert list(SUMMARIES) == list(Shape)


# Those after which the normal request has been carried out as well.
CARRIED_OUT = {Shape.GLUED, Shape.NULL_LIST, Shape.TRUNCATED, Shape.CUT_OFF, Shape.SLOW}


@pytest.mark.parametrize("shape", list(Shape))
def test_a_write_that_is_hit_changes_nothing_unless_its_reply_is_wanted(
    world: World, shape: Shape, tmp_path: Path
) -> None:
    world.fault(shape, path="modify", **FIELDS.get(shape, {}))
    RECEIVERS["httpx"](asked(world, CASES["a write"]), tmp_path)
    # Carol follows Alice, so that both follow each other now.
    assert world.relation(ALICE, CAROL)[0] == (6 if shape in CARRIED_OUT else 0)


@pytest.mark.parametrize("shape", list(Shape))
def test_a_connection_can_be_used_again_unless_it_is_the_fault(world: World, shape: Shape) -> None:
    world.fault(shape, **FIELDS.get(shape, {}))
    connection = HTTPConnection(*world.served.address, timeout=DEADLINE_S)
    try:
        lengths = []
        for method in ("HEAD", "GET"):
            connection.request(method, f"{INFO}?mid={BOB}")
            used = connection.sock
            if shape is Shape.RESET:
                with pytest.raises(ConnectionResetError):
                    connection.getresponse()
                return
            reply = connection.getresponse()
            assert connection.sock is used
            lengths.append(reply.headers["content-length"])
            if shape is not Shape.CUT_OFF or method == "HEAD":
                reply.read()
        assert lengths[0] == lengths[1]
        if shape is not Shape.CUT_OFF:
            connection.request("POST", MODIFY, urlencode(FOLLOW))
            connection.getresponse().read()
            assert connection.sock is used
    finally:
        connection.close()


@pytest.mark.parametrize(("first", "body"), [("frequent", FREQUENT), ("limited", LIMITED)])
def test_strict_parsers_fail_at_the_seam_of_a_glued_reply(world: World, first: str, body: str) -> None:
    world.fault("glued", first=first)
    reply = world.client.get(INFO, params={"mid": BOB}).text
    with pytest.raises(json.JSONDecodeError) as failed:
        json.loads(reply)
    assert (failed.value.pos, failed.value.msg) == (46, "Extra data")
    assert reply[:46] == body
    assert json.loads(reply[46:])["data"]["mid"] == BOB


def test_each_voucher_is_another_uuid4(world: World) -> None:
    world.fault("risk")
    vouchers = [world.client.get(INFO).json()["data"]["v_voucher"] for _ in range(5)]
    ids = [UUID(voucher.removeprefix("voucher_")) for voucher in vouchers]
    assert len(set(ids)) == 5
    assert {each.version for each in ids} == {4}


@pytest.mark.parametrize("status", [404, 412])
def test_a_page_comes_with_either_status(world: World, status: int) -> None:
    world.fault("html", status=status)
    reply = world.client.get(LIST)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "text/html; charset=utf-8")


@pytest.mark.parametrize("code", list(TABLE))
def test_every_code_of_the_table_can_be_sent(world: World, code: int) -> None:
    world.fault("refusal", code=code)
    reply = world.client.get(LIST)
    error = TABLE[code]
    assert (reply.status_code, reply.json()) == (error.status, {"code": code, "message": error.message, "ttl": 1})


def test_a_callback_that_is_none_gets_plain_json(world: World) -> None:
    world.fault("busy")
    reply = world.client.get(INFO, params={"callback": "alert(1)"})
    assert (reply.headers["content-type"], reply.json()["code"]) == (JSON, -8888)
    reply = world.client.get(INFO, params={"callback": "back"})
    assert reply.headers["x-content-type-options"] == "nosniff"
