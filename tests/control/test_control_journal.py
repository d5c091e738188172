"""The journal of requests, the report of unknown paths, direct access, and recorded replies."""

import base64
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from control_world import ALICE, BOB, CAROL, DAVE, INFO, LIST, MODIFY, START, World, controlled

from upspace.server.control.journal import Read, RequestLog
from upspace.server.http import Request
from upspace.wire.control import DIRECT_PREFIX, UNRECORDED

ADMIN_TOKEN = "Adm1n~token+of/the=tests"  # noqa: S105  # it opens nothing else


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with controlled(tmp_path_factory.mktemp("journal"), "--admin-token", ADMIN_TOKEN) as world:
        yield world


@pytest.fixture
def world(server: World) -> World:
    server.begin()
    return server


def test_a_request_is_noted_with_what_it_said_and_what_became_of_it(world: World) -> None:
    world.done("PUT", "clock", {"now": START + 0.5})
    headers = {"user-agent": "bot/1", "referer": "http://example.org/a", "x-other": "kept out", "accept": "a/b"}
    world.client.get(INFO, params={"mid": BOB, "photo": "真"}, headers=headers)
    (asked,) = world.requests()
    assert asked == {
        "number": 1,
        "time": START + 0.5,
        "method": "GET",
        "path": INFO,
        "parameters": {"mid": str(BOB), "photo": "真"},
        "headers": {
            "user-agent": "bot/1",
            "referer": "http://example.org/a",
            "accept": "a/b",
            "host": world.served.url.removeprefix("http://"),
        },
        "viewer": None,
        "credential": None,
        "status": 200,
        "code": 0,
        "answered_by": None,
    }


def test_parameters_of_a_write_are_those_of_its_body_before_those_of_its_query(world: World) -> None:
    fields = {"fid": DAVE, "act": 1}
    world.client.post(MODIFY, data=fields, params={"fid": 5, "re_src": 11}, headers=world.bearer(ALICE))
    world.client.post(MODIFY, files={name: (None, str(value)) for name, value in fields.items()})
    world.client.request("GET", INFO, content=b"mid=1", params={"mid": 2})
    noted = [(asked["parameters"], asked["viewer"], asked["code"]) for asked in world.requests()]
    written = {"fid": str(DAVE), "act": "1"}
    assert noted == [({**written, "re_src": "11"}, ALICE, 0), (written, None, -101), ({"mid": "2"}, None, -404)]


def test_no_secret_is_in_the_journal_whatever_way_it_came(world: World) -> None:
    token, csrf = world.tokens[ALICE]
    cookie = {"cookie": f"SESSDATA={token}; bili_jct={csrf}; DedeUserID=1"}
    sent = {"fid": DAVE, "csrf": csrf, "csrf_token": csrf}
    secret = {"access_key": token, "csrf": csrf}
    world.client.post(MODIFY, data=sent, params=secret, headers=cookie)
    world.client.post(MODIFY, data={**sent, **secret})
    world.client.post(MODIFY, files={name: (None, str(value)) for name, value in {**sent, **secret}.items()})
    world.client.get(f"{INFO}?access%5Fkey={token}&access_key={token}&%63srf={csrf}&mid=1", headers=cookie)
    world.client.get(INFO, headers=world.bearer(ALICE))
    world.client.get(INFO, headers={"authorization": f"Basic {token}", "proxy-authorization": token})
    world.client.get(INFO, headers={"referer": f"http://127.0.0.1/x?access_key={token}#{csrf}"})
    world.client.get("/x/nowhere", params=secret, headers=cookie)
    world.client.get(INFO, params={"callback": "back", **secret})
    noted = world.ask("GET", "requests").text + world.ask("GET", "unimplemented").text
    assert len(world.requests()) == 9
    assert token not in noted
    assert csrf not in noted
    assert not UNRECORDED & {name for asked in world.requests() for name in asked["parameters"]}


def test_the_viewer_is_named_and_how_the_credentials_came(world: World) -> None:
    token = world.tokens[BOB][0]
    world.client.get(INFO, headers=world.bearer(BOB))
    world.client.get(INFO, params={"access_key": token})
    world.client.get(INFO, headers={"cookie": f"SESSDATA={token}"})
    world.client.get(INFO, headers={"cookie": "SESSDATA=unknown"})
    world.client.get(INFO, headers={"cookie": "buvid3=a"})
    world.client.get(INFO, params={"callback": "back"}, headers=world.bearer(BOB))
    assert [(asked["viewer"], asked["credential"]) for asked in world.requests()] == [
        (BOB, "authorization"),
        (BOB, "access_key"),
        (BOB, "cookie"),
        (None, "cookie"),
        (None, None),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("shape", "rule", "status", "code"),
    [
        ("risk", {}, 200, -352),
        ("banned", {}, 412, -412),
        ("error", {}, 500, -500),
        ("html", {}, 412, None),
        ("empty", {}, 200, None),
        ("reset", {}, None, None),
        ("glued", {}, 200, -799),
        ("slow", {"delay_s": 0.01}, 200, 0),
        ("truncated", {}, 200, 0),
    ],
)
def test_it_says_what_a_fault_has_answered(
    world: World, shape: str, rule: dict[str, Any], status: int | None, code: int | None
) -> None:
    world.fault(shape, **rule)
    for params in ({}, {"callback": "b" * 64}):
        with pytest.raises(httpx.ReadError) if shape == "reset" else nullcontext():
            world.client.get(LIST, params={"vmid": ALICE, **params})
    noted = [(asked["status"], asked["code"], asked["answered_by"]) for asked in world.requests()]
    assert noted == [(status, code, shape)] * 2


def test_since_shows_what_came_later(world: World) -> None:
    for mid in (1, 2, 3):
        world.info_code(mid)
    for since, numbers in ((0, [1, 2, 3]), (2, [3]), (3, []), (10**18 - 1, [])):
        assert [asked["number"] for asked in world.requests(since)] == numbers
    assert world.done("DELETE", "requests") is None
    world.info_code()
    assert [asked["number"] for asked in world.requests()] == [1]


@pytest.mark.parametrize("since", ["-1", "x", "1.5", "", "9" * 19, "%ff"])
def test_since_is_a_number(world: World, since: str) -> None:
    assert "since" in world.reason("GET", f"requests?since={since}")


def test_beyond_its_bound_the_oldest_are_dropped_and_counted() -> None:
    log = RequestLog(kept=3)
    for number in range(1, 6):
        log.add(Request("GET", f"/{number}", "", lambda _: None), Read({}, None, None), 0.0)
    journal = log.journal()
    assert ([asked.path for asked in journal.requests], journal.dropped) == (["/3", "/4", "/5"], 2)
    assert [asked.path for asked in log.journal(since=4).requests] == ["/5"]
    assert [asked.path for asked in log.journal(since=1).requests] == ["/3", "/4", "/5"]
    assert log.journal(since=9).requests == []


def test_the_report_of_unknown_paths_has_a_bound() -> None:
    log = RequestLog()
    for number in range(1_100):
        log.note_unknown("GET", f"/{number}")
    log.note_unknown("GET", "/5")
    reported = log.unimplemented()
    assert len(reported) == 1_000
    assert (reported[0].path, reported[0].count) == ("/5", 2)


def test_unknown_paths_are_reported_most_often_asked_for_first(world: World) -> None:
    for method, path in [
        ("GET", "/x/a"),
        ("POST", "/x/b"),
        ("GET", "/x/b"),
        ("GET", "/x/b"),
        ("GET", INFO),
        ("PUT", INFO),
    ]:
        world.client.request(method, path)
    world.client.get("/-/nowhere")
    assert world.done("GET", "unimplemented") == [
        {"method": "GET", "path": "/x/b", "count": 2},
        {"method": "GET", "path": "/x/a", "count": 1},
        {"method": "POST", "path": "/x/b", "count": 1},
    ]
    world.done("DELETE", "requests")
    assert world.done("GET", "unimplemented") == []


def test_direct_access_meets_no_fault_and_leaves_no_trace(world: World) -> None:
    rule = world.fault("reset")
    pairs = [{"method": "GET", "path": INFO, "status": 200, "text": "recorded", "parameters": {"mid": str(BOB)}}]
    world.done("POST", "replay", {"pairs": pairs})
    reply = world.client.get(DIRECT_PREFIX + INFO, params={"mid": BOB, "callback": "back"})
    assert reply.text.startswith('back({"code":0,')
    fields = {"fid": DAVE, "act": 1}
    assert world.client.post(DIRECT_PREFIX + MODIFY, data=fields, headers=world.bearer(ALICE)).json()["code"] == 0
    assert world.relation(ALICE, DAVE)[0] == 2
    assert world.client.get(DIRECT_PREFIX + "/x/nowhere").status_code == 404
    assert world.client.get(DIRECT_PREFIX).status_code == 404
    assert world.client.get(DIRECT_PREFIX + DIRECT_PREFIX + INFO).status_code == 404
    assert world.counts(rule) == (0, 0)
    assert world.requests() == world.done("GET", "unimplemented") == []


def test_the_admin_interface_is_as_it_is_without_control(world: World) -> None:
    world.fault("busy")
    for prefix in ("", DIRECT_PREFIX):
        path = f"{prefix}/-/admin/accounts/{BOB}"
        assert world.client.get(path).status_code == 403
        reply = world.client.get(path, headers={"authorization": f"Bearer {ADMIN_TOKEN}"})
        assert reply.json()["data"]["name"] == f"name {BOB}"
    assert world.requests() == []


def pair(text: str, path: str = "/x/a", **more: Any) -> dict[str, Any]:
    return {"method": "GET", "path": path, "status": 200, "text": text, **more}


def test_each_recorded_reply_is_given_once_and_the_last_one_from_then_on(world: World) -> None:
    world.done("POST", "replay", {"pairs": [pair("1"), pair("2"), pair("other", "/x/b")]})
    assert [world.client.get("/x/a").text for _ in range(4)] == ["1", "2", "2", "2"]
    assert world.client.get("/x/b").text == "other"
    world.done("POST", "replay", {"pairs": [pair("3")]})
    assert world.client.get("/x/a").text == "3"
    assert {asked["answered_by"] for asked in world.requests()} == {"replay"}
    # They are known paths for nobody but the recording.
    assert [each["path"] for each in world.done("GET", "unimplemented")] == ["/x/a", "/x/b"]
    world.done("DELETE", "replay")
    assert world.client.get("/x/a").status_code == 404


def test_a_recorded_reply_goes_out_as_it_came(world: World) -> None:
    binary = bytes(range(256))
    recorded = [
        pair("", path="/x/a") | {"status": 412, "content-type": "text/html", "text": "<p>中</p>"},
        {"method": "GET", "path": "/x/b", "status": 200, "base64": base64.b64encode(binary).decode()},
        {"method": "POST", "path": INFO, "status": 503},
    ]
    world.done("POST", "replay", {"pairs": recorded})
    reply = world.client.get("/x/a")
    assert (reply.status_code, reply.headers["content-type"], reply.text) == (412, "text/html", "<p>中</p>")
    reply = world.client.get("/x/b")
    assert ("content-type" in reply.headers, reply.content) == (False, binary)
    reply = world.client.post(INFO)
    assert (reply.status_code, reply.content) == (503, b"")
    assert world.info_code() == 0
    assert [asked["code"] for asked in world.requests()] == [None, None, None, 0]


def test_secrets_and_signatures_do_not_matter_in_matching(world: World) -> None:
    parameters = {"mid": "5", "w_rid": "recorded", "wts": "1", "access_key": "a"}
    world.done("POST", "replay", {"pairs": [pair("found", INFO, parameters=parameters)]})
    for asked in ({}, dict.fromkeys(UNRECORDED, "other")):
        assert world.client.get(INFO, params={"mid": 5, **asked}, headers=world.bearer(CAROL)).text == "found"
    for other in ({"mid": 6}, {"mid": 5, "photo": 1}, {}):
        assert world.client.get(INFO, params=other).text != "found"
    assert world.client.head(INFO, params={"mid": 5}).headers["content-type"].startswith("application/json")
    assert world.client.get("/x/space/wbi/acc/info", params={"mid": 5}).text != "found"


def test_a_fault_comes_before_a_recorded_reply(world: World) -> None:
    world.done("POST", "replay", {"pairs": [pair("1"), pair("2")]})
    world.fault("busy", times=1)
    assert world.client.get("/x/a").json()["code"] == -8888
    # It has used up none of them.
    assert world.client.get("/x/a").text == "1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 99},
        {"status": 600},
        {"status": "200"},
        {"base64": "!"},
        {"text": 5},
        {"parameters": {"mid": 5}},
        {"content-type": "a\r\nset-cookie: b"},
        {"content_type": "text/html"},
        {"path": None},
        {"headers": {}},
    ],
)
def test_what_is_no_recorded_reply_is_refused_with_all_that_came_with_it(world: World, wrong: dict[str, Any]) -> None:
    reason = world.reason("POST", "replay", {"pairs": [pair("1"), {**pair("2"), **wrong}]})
    assert "`$.pairs[1]" in reason
    assert world.client.get("/x/a").status_code == 404
