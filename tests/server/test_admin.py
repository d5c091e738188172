"""The admin interface (docs/admin.md), over sockets of two workers, and the same through the ASGI door."""

import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
import pytest
from conftest import DEADLINE_S, Served, client_of, run_process, serving
from people import (
    DECORATED,
    DELETED,
    FAN,
    HIDER,
    HUB,
    STRANGER,
    SUSPENDED,
    UNKNOWN,
    VIEWER,
    bearer,
    code_of,
    data_of,
    people_store,
)
from stores import Stores

from upspace.server.app import App, build_app
from upspace.server.asgi import AsgiDoor
from upspace.server.http import BODY_MAX_BYTES
from upspace.server.settings import SettingsError, all_settings, build_settings
from upspace.store import open_store
from upspace.store.interface import StoreUnavailableError

ADMIN_TOKEN = "Adm1n~token+of/the=tests"  # noqa: S105  # it opens nothing else
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
ACCOUNTS = "/-/admin/accounts"
DOCUMENT = (Path(__file__).parents[2] / "docs" / "admin.md").read_text(encoding="utf-8")

FORBIDDEN = {"code": -403, "message": "访问权限不足", "ttl": 1}
NOT_FOUND = {"code": -404, "message": "啥都木有", "ttl": 1}
WRONG_METHOD = {"code": -405, "message": "不支持该方法", "ttl": 1}
GONE = {"code": 22013, "message": "账号已注销，无法完成操作", "ttl": 1}
OK = {"code": 0, "message": "0", "ttl": 1}
NOTHING_COUNTED = {"following": 0, "whisper": 0, "black": 0, "follower": 0}

# With two workers, as many fresh connections that all reach the same one are as good as impossible.
ASKED = 24

# Every endpoint there is, with a body that it would take.
ENDPOINTS = [
    ("GET", f"{ACCOUNTS}/{STRANGER}", None),
    ("HEAD", f"{ACCOUNTS}/{STRANGER}", None),
    ("PUT", f"{ACCOUNTS}/{STRANGER}", {"name": "taken over"}),
    ("PATCH", f"{ACCOUNTS}/{STRANGER}", {"sign": "taken over"}),
    ("DELETE", f"{ACCOUNTS}/{STRANGER}", None),
    ("GET", f"{ACCOUNTS}/{STRANGER}/tokens", None),
    ("POST", f"{ACCOUNTS}/{STRANGER}/tokens", {"note": "stolen"}),
    ("DELETE", f"{ACCOUNTS}/{STRANGER}/tokens", None),
]


class World(NamedTuple):
    """A server of two workers with the interface open, and a client that connects anew for each request."""

    served: Served
    client: httpx.Client
    store_url: str

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """Any request; a body that is not bytes is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.request(method, path, content=content, headers=ADMIN if headers is None else headers)

    def admin(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The envelope of an admin request with HTTP 200."""
        response = self.ask(method, ACCOUNTS + path, body)
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json; charset=utf-8")
        envelope: dict[str, Any] = response.json()
        assert list(envelope) == ["code", "message", "ttl", "data"][: len(envelope)]
        return envelope

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """`data` of an admin request that succeeds."""
        envelope = self.admin(method, path, body)
        assert {**envelope, "data": None} == {**OK, "data": None}
        return envelope.get("data")

    def reason(self, method: str, path: str, body: Any = None) -> str:
        """Why an admin request is refused with -400."""
        envelope = self.admin(method, path, body)
        assert (envelope["code"], envelope["message"], list(envelope["data"])) == (-400, "请求错误", ["reason"])
        return str(envelope["data"]["reason"])

    def new(self, mid: int, **fields: Any) -> dict[str, str]:
        """Make an account; the headers of requests by it."""
        self.done("PUT", f"/{mid}", {"name": f"name {mid}", **fields})
        return {"authorization": f"Bearer {self.done('POST', f'/{mid}/tokens')['token']}"}

    def modify(self, headers: dict[str, str], fid: int, act: int = 1) -> int:
        """The code of a write of a relation."""
        reply = self.client.post("/x/relation/modify", data={"fid": str(fid), "act": str(act)}, headers=headers)
        return int(reply.json()["code"])

    def signed_in(self, headers: dict[str, str]) -> bool:
        """Whether these credentials are somebody's."""
        return bool(self.client.get("/x/space/myinfo", headers=headers).json()["code"] == 0)


def fresh_client(served: Served) -> httpx.Client:
    """A client that connects anew for each request: so the system spreads them over the workers."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=served.url, trust_env=False, timeout=DEADLINE_S, limits=limits)


@pytest.fixture(scope="module")
def world(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """For all tests; at the end the server still stands, has said nothing, and has shown its token nowhere."""
    folder = tmp_path_factory.mktemp("admin")
    url = people_store(stores.new(engine))
    variables = {"UPSPACE_ADMIN_TOKEN": ADMIN_TOKEN}
    with serving(folder, "serve", "--store", url, "--port", "0", "--workers", "2", env=variables) as served:
        with fresh_client(served) as client:
            yield World(served, client, url)
        assert served.process.poll() is None
        assert (served.errors(), ADMIN_TOKEN in served.ready[0]) == ("", False)
        served.stop()


def shown(world: World, mid: int) -> Any:
    """What the command prints of an account."""
    ran = run_process("account", "show", str(mid), "--store", world.store_url)
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)


# Off, and without the token


WITH_CALLBACK = dict.fromkeys(("PUT", "PATCH", "POST", "DELETE"), '{"code":-404,"message":"啥都木有","ttl":1}')
WITH_CALLBACK |= {"GET": 'cb({"code":-404,"message":"啥都木有","ttl":1})', "HEAD": ""}


@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
def test_without_the_setting_every_path_is_an_unknown_one(
    seed: httpx.Client, method: str, path: str, body: Any
) -> None:
    for headers in ({}, ADMIN, bearer(VIEWER)):
        response = seed.request(method, path, json=body, headers=headers)
        assert response.status_code == 404
        assert method == "HEAD" or response.json() == NOT_FOUND
    assert seed.request(method, f"{path}?callback=cb").text == WITH_CALLBACK[method]


WRONG: list[dict[str, str]] = [
    {},
    *({"authorization": value} for value in ("", "Bearer", "Bearer  x", ADMIN_TOKEN, f"Basic {ADMIN_TOKEN}")),
    *({"authorization": f"Bearer {token}"} for token in (ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x", ADMIN_TOKEN.upper())),
    {"authorization": f"Bearer {ADMIN_TOKEN} x"},
    {"authorization": "Bearer x", "x-admin-token": ADMIN_TOKEN},
    {"cookie": f"SESSDATA={ADMIN_TOKEN}"},
    bearer(VIEWER),
    bearer(HUB),
]


@pytest.mark.parametrize("headers", WRONG, ids=lambda headers: str(headers)[:60])
def test_a_missing_or_wrong_token_is_403_and_changes_nothing(world: World, headers: dict[str, str]) -> None:
    before = world.done("GET", f"/{STRANGER}"), world.done("GET", f"/{STRANGER}/tokens")
    others = [("GET", "/-/admin/", None), ("GET", "/-/admin/nothing", None), ("BREW", f"{ACCOUNTS}/x/tokens", None)]
    for method, path, body in ENDPOINTS + others:
        response = world.ask(method, f"{path}?access_key={ADMIN_TOKEN}&callback=cb", body, headers)
        assert (response.status_code, response.headers["content-type"]) == (403, "application/json; charset=utf-8")
        assert method == "HEAD" or response.json() == FORBIDDEN
    assert (world.done("GET", f"/{STRANGER}"), world.done("GET", f"/{STRANGER}/tokens")) == before


def test_a_header_that_is_no_text_is_a_wrong_token(world: World) -> None:
    response = world.client.get(f"{ACCOUNTS}/1", headers=[(b"authorization", b"Bearer \xff\xe5\x8f\xb7")])
    assert (response.status_code, response.json()) == (403, FORBIDDEN)


def test_the_scheme_is_read_without_regard_to_case(world: World) -> None:
    assert (
        world.ask("GET", f"{ACCOUNTS}/{HUB}", headers={"authorization": f"bearer  {ADMIN_TOKEN}"}).json()["code"] == 0
    )


def test_the_admin_token_signs_nobody_in(world: World) -> None:
    assert not world.signed_in(ADMIN)


# Paths and methods


@pytest.mark.parametrize(
    "path",
    [
        *("/-/admin/", "/-/admin/accounts", f"{ACCOUNTS}/", f"{ACCOUNTS}/1/", f"{ACCOUNTS}/1/token", "/-/admin/x"),
        *(f"{ACCOUNTS}/1/tokens/", f"{ACCOUNTS}/1/tokens/ab", f"{ACCOUNTS}//tokens", f"{ACCOUNTS}/1/2", "/-/admin//"),
    ],
)
def test_an_unknown_path_is_404(world: World, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = world.ask(method, path)
        assert (response.status_code, response.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize("path", ["/-/admin", "/-/administration", "/-/ADMIN/accounts/1", "/x/-/admin/accounts/1"])
def test_what_is_not_under_the_prefix_asks_for_no_token(world: World, path: str) -> None:
    response = world.ask("GET", path, headers={})
    assert (response.status_code, response.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("path", "methods", "allow"),
    [
        (f"{ACCOUNTS}/{HUB}", ("POST", "OPTIONS", "BREW"), "DELETE, GET, HEAD, PATCH, PUT"),
        (f"{ACCOUNTS}/x/tokens", ("PUT", "PATCH", "OPTIONS"), "DELETE, GET, HEAD, POST"),
    ],
)
def test_a_wrong_method_is_405_and_told_the_right_ones(
    world: World, path: str, methods: tuple[str, ...], allow: str
) -> None:
    for method in methods:
        response = world.ask(method, path)
        assert (response.status_code, response.json(), response.headers["allow"]) == (405, WRONG_METHOD, allow)


@pytest.mark.parametrize("mid", ["0", "-1", "x", "1.0", "1e3", "+1", "9223372036854775808", "9" * 5000, "%E5%8F%B7"])
def test_a_bad_mid_is_refused_with_the_reason(world: World, mid: str) -> None:
    for method, rest in (
        ("GET", ""),
        ("PUT", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/tokens"),
        ("POST", "/tokens"),
    ):
        assert "mid" in world.reason(method, f"/{mid}{rest}", {"name": "x"} if method == "PUT" else None)


# Accounts


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
    if body not in (b"", b"{}"):
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


# Tokens


def test_a_token_signs_in_until_all_are_revoked(world: World) -> None:
    world.done("PUT", "/7020", {"name": "x"})
    issued = [world.done("POST", "/7020/tokens", body) for body in (None, {}, {"note": "为什么"})]
    assert [list(one) for one in issued] == [["id", "mid", "token", "csrf", "expires"]] * 3
    assert len({one["token"] for one in issued}) == len({one["csrf"] for one in issued}) == 3
    credentials = [{"authorization": f"Bearer {one['token']}"} for one in issued]
    for _ in range(ASKED):
        assert all(world.signed_in(headers) for headers in credentials)
    assert world.done("DELETE", "/7020/tokens") == {"revoked": 3}
    for _ in range(ASKED):
        assert not any(world.signed_in(headers) for headers in credentials)
    assert world.done("DELETE", "/7020/tokens") == {"revoked": 0}


def test_the_csrf_value_goes_with_the_cookie(world: World) -> None:
    world.done("PUT", "/7021", {"name": "x"})
    issued = world.done("POST", "/7021/tokens")
    cookie = {"cookie": f"SESSDATA={issued['token']}"}
    for csrf, code in ((issued["csrf"], 0), (issued["csrf"][:-1], -111)):
        data = {"fid": str(HUB), "act": "1", "csrf": csrf}
        assert world.client.post("/x/relation/modify", data=data, headers=cookie).json()["code"] == code
    world.done("DELETE", "/7021")


def test_a_list_tells_all_but_the_tokens(world: World) -> None:
    world.done("PUT", "/7022", {"name": "x"})
    assert world.done("GET", "/7022/tokens") == []
    forever = world.done("POST", "/7022/tokens", {"note": "ever", "expires_s": None})
    day = world.done("POST", "/7022/tokens", {"note": "a day", "expires_s": 86_400})
    text = world.ask("GET", f"{ACCOUNTS}/7022/tokens").text
    assert not [one[name] for one in (forever, day) for name in ("token", "csrf") if one[name] in text]
    lines = json.loads(text)["data"]
    assert [list(line) for line in lines] == [["id", "mid", "issued", "expires", "revoked", "note"]] * 2
    of_day = next(line for line in lines if line["id"] == day["id"])
    assert (of_day["mid"], of_day["note"], of_day["revoked"], of_day["expires"]) == (
        7022,
        "a day",
        None,
        day["expires"],
    )
    held = datetime.fromisoformat(of_day["expires"]) - datetime.fromisoformat(of_day["issued"])
    assert held.total_seconds() == 86_400
    assert forever["expires"] is None
    ran = run_process("token", "list", "--mid", "7022", "--store", world.store_url)
    assert [json.loads(line) for line in ran.out.splitlines()] == lines
    assert run_process("token", "revoke", day["id"], "--store", world.store_url).code == 0
    assert not world.signed_in({"authorization": f"Bearer {day['token']}"})
    assert world.done("DELETE", "/7022/tokens") == {"revoked": 1}
    assert all(line["revoked"] for line in world.done("GET", "/7022/tokens"))


def test_a_token_expires(world: World) -> None:
    world.done("PUT", "/7023", {"name": "x"})
    token = world.done("POST", "/7023/tokens", {"expires_s": 3})["token"]
    assert world.signed_in({"authorization": f"Bearer {token}"})

    # The server's clock cannot be moved from here, so another one reads the same store an hour later.
    async def later() -> int:
        store = await open_store(world.store_url)
        app = build_app(
            store, build_settings({"store": world.store_url}), clock=lambda: datetime.now().timestamp() + 3600
        )
        reply = await in_process(app, "GET", "/x/space/myinfo", {"authorization": f"Bearer {token}"})
        await store.close()
        return int(reply.json()["code"])

    assert asyncio.run(later()) == -101


@pytest.mark.parametrize(
    ("body", "named"),
    [
        *((b"{", "JSON"), (b"[]", "object"), (b"null", "object"), ({"days": 1}, "days"), ({"mid": 7024}, "mid")),
        *(({"note": 1}, "note"), ({"note": None}, "note"), ({"note": "a\nb"}, "note"), ({"note": "\x00"}, "note")),
        *(({"expires_s": value}, "expires_s") for value in (0, -1, 1.5, "60", True, 36_500 * 86_400 + 1, 2**70)),
        (b'{"note":"' + b"x" * BODY_MAX_BYTES + b'"}', "1048576"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_request_for_a_token_is_refused_and_issues_none(world: World, body: Any, named: str) -> None:
    world.done("PUT", "/7024", {"name": "x"})
    assert named in world.reason("POST", "/7024/tokens", body)
    assert world.done("GET", "/7024/tokens") == []


# Limits, secrets, settings


def test_rate_limits_do_not_apply(tmp_path: Path, store_url: str) -> None:
    variables = {"UPSPACE_ADMIN_TOKEN": ADMIN_TOKEN}
    limits = ("--limit-address-reads", "1/3600", "--limit-address-writes", "1/3600")
    arguments = ("serve", "--store", store_url, "--port", "0", *limits)
    with serving(tmp_path, *arguments, env=variables) as served, client_of(served) as client:
        world = World(served, client, store_url)
        for mid in range(1, 6):
            world.done("PUT", f"/{mid}", {"name": "x"})
            world.done("POST", f"/{mid}/tokens")
            world.done("GET", f"/{mid}")
            assert world.ask("GET", f"{ACCOUNTS}/{mid}", headers={}).status_code == 403
        assert client.get("/x/space/acc/info?mid=1").json()["code"] == 0
        assert client.get("/x/space/acc/info?mid=1").json()["code"] == -799
        assert world.done("GET", "/1")["name"] == "x"


def test_the_token_stands_in_no_command_line(world: World) -> None:
    group = world.served.process.pid
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                lines.append((folder / "cmdline").read_bytes())
        except OSError:
            continue
    if not lines:
        pytest.skip("this system has no /proc")
    assert len(lines) >= 3
    assert not [line for line in lines if ADMIN_TOKEN.encode() in line]


class BrokenStore:
    """A store in which nothing works, in two ways."""

    async def profile(self, mid: int) -> None:
        raise ValueError("a fault of our own")

    async def tokens(self, mid: int) -> None:
        raise AssertionError

    async def standing(self, mid: int) -> None:
        raise StoreUnavailableError("no disk")


async def in_process(app: App, method: str, path: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
    """A request through the ASGI door."""

    async def open_app() -> App:
        return app

    transport = httpx.ASGITransport(AsgiDoor(open_app))
    async with httpx.AsyncClient(transport=transport, base_url="http://in-process") as client:
        return await client.request(method, path, headers=headers, content=body)


def test_a_fault_is_an_envelope_and_an_entry_in_the_log_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    settings = build_settings({"store": "sqlite://", "admin_token": ADMIN_TOKEN})
    app = build_app(cast(Any, BrokenStore()), settings)
    for path, status in ((f"{ACCOUNTS}/1", 500), (f"{ACCOUNTS}/1/tokens", 503)):
        caplog.clear()
        reply = asyncio.run(in_process(app, "GET", path, ADMIN))
        assert (reply.status_code, reply.json()["code"]) == (status, -status)
        assert path in caplog.text
        assert ADMIN_TOKEN not in caplog.text


@pytest.mark.parametrize(
    "token",
    [
        "",
        "short",
        "x" * 15,
        "x" * 15 + " ",
        "has a space inside it",
        "x" * 20 + "\n",
        "号" * 20,
        "\x7f" * 20,
        "\udcff" * 20,
    ],
    ids=ascii,
)
def test_a_token_that_is_none_is_one_line_that_does_not_repeat_it(token: str) -> None:
    with pytest.raises(SettingsError, match=r"\Aadmin_token: [^\n]+\Z") as refused:
        build_settings({"store": "sqlite://", "admin_token": token})
    assert not token or token not in str(refused.value)


def test_the_command_refuses_a_short_token_in_one_line(file_url: str) -> None:
    arguments = ("serve", "--store", file_url, "--port", "0")
    said = "upspace: admin_token: it must have at least 16 characters\n"
    for ran in (
        run_process(*arguments, "--admin-token", "sh0rt"),
        run_process(*arguments, env={"UPSPACE_ADMIN_TOKEN": "sh0rt"}),
    ):
        assert (ran.code > 0, ran.out, ran.err) == (True, "", said)


def test_an_empty_variable_leaves_the_interface_off(tmp_path: Path, file_url: str) -> None:
    variables = {"UPSPACE_ADMIN_TOKEN": ""}
    with serving(tmp_path, "serve", "--store", file_url, "--port", "0", env=variables) as served:
        for headers in ({}, {"authorization": "Bearer"}):
            assert httpx.get(f"{served.url}{ACCOUNTS}/1", headers=headers, trust_env=False).status_code == 404


def test_the_settings_do_not_show_the_token() -> None:
    settings = build_settings({"store": "sqlite://", "admin_token": ADMIN_TOKEN})
    assert settings.admin_token == ADMIN_TOKEN
    assert ADMIN_TOKEN not in f"{settings} {settings!r} {[settings]}"
    assert "admin_token='*'" in repr(settings)
    assert "admin_token=''" in repr(build_settings({"store": "sqlite://"}))
    (setting,) = (setting for setting in all_settings() if setting.name == "admin_token")
    assert "environment variable" in setting.description
    assert setting.default == ""


# The other door, and the document

SCENARIO: list[tuple[str, str, Any]] = [
    *(("GET", f"/{mid}", None) for mid in (HUB, DECORATED, DELETED, UNKNOWN, "x", "0")),
    *(
        ("HEAD", f"/{HUB}", None),
        ("PUT", "/8001", {"name": "新"}),
        ("PUT", "/8001", {"name": ""}),
        ("PUT", "/8001", b""),
    ),
    *(("PATCH", "/8001", {"level": 6}), ("PATCH", "/8001", b"{"), ("PATCH", f"/{DELETED}", {}), ("GET", "/8001", None)),
    *(
        ("POST", "/8001/tokens", {"note": "n", "expires_s": 60}),
        ("GET", "/8001/tokens", None),
        ("POST", "/8001/tokens", None),
    ),
    *(("POST", "/8001/tokens", {"expires_s": 0}), ("POST", f"/{DELETED}/tokens", None), ("PUT", "/8001/tokens", None)),
    *(
        ("DELETE", "/8001/tokens", None),
        ("DELETE", "/8001/tokens", None),
        ("DELETE", "/8001", None),
        ("GET", "/8001", None),
    ),
    *(
        ("PUT", "/8001", {"name": "back"}),
        ("POST", "/8001", None),
        ("GET", "/8001/other", None),
        ("DELETE", "/8001", None),
    ),
    ("PUT", "/8002", b'{"name":"' + b"x" * BODY_MAX_BYTES + b'"}'),
]

VARYING = re.compile(r'"(token|csrf|id|issued|expires|revoked)":"[^"]*"')


def seen(response: httpx.Response) -> tuple[Any, ...]:
    """What must be the same of a reply but for what is new each time."""
    headers = [response.headers.get(name) for name in ("content-type", "allow", "content-length")]
    return response.status_code, headers, VARYING.sub(r'"\1":""', response.text)


def test_the_asgi_door_answers_as_granian_does(stores: Stores, engine: str, tmp_path: Path) -> None:
    one, two = (people_store(stores.new(engine)) for _ in range(2))
    requests = [(method, ACCOUNTS + path, body, headers) for headers in (ADMIN, {}) for method, path, body in SCENARIO]
    variables = {"UPSPACE_ADMIN_TOKEN": ADMIN_TOKEN}
    arguments = ("serve", "--store", one, "--port", "0")
    with serving(tmp_path, *arguments, env=variables) as served, fresh_client(served) as client:
        world = World(served, client, one)
        over_socket = [seen(world.ask(*request)) for request in requests]

    async def ask() -> list[tuple[Any, ...]]:
        store = await open_store(two)
        app = build_app(store, build_settings({"store": two, "admin_token": ADMIN_TOKEN}))
        replies = []
        for method, path, body, headers in requests:
            content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            replies.append(seen(await in_process(app, method, path, headers, content)))
        await store.close()
        return replies

    differing = [item for item in zip(requests, over_socket, asyncio.run(ask()), strict=True) if item[1] != item[2]]
    assert differing == []
    assert {reply[0] for reply in over_socket} == {200, 403, 404, 405}


EXAMPLE = re.compile(r"```sh\n(curl .+)\n```\n```json\n(.+)\n```")


async def answers_of_the_document(url: str) -> list[tuple[str, str]]:
    """Each reply printed in the document, and the reply that its request gets in their order."""
    store = await open_store(url)
    app = build_app(store, build_settings({"store": url, "admin_token": ADMIN_TOKEN}))
    answers = []
    for command, printed in EXAMPLE.findall(DOCUMENT):
        words = shlex.split(command)[1:]
        options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
        assert options.keys() <= {"-H", "-X", "-d"}
        assert options.get("-H", "@admin.header") == "@admin.header"
        method = options.get("-X", "POST" if "-d" in options else "GET")
        path = words[-1].removeprefix("http://127.0.0.1:8000")
        reply = await in_process(app, method, path, ADMIN if "-H" in options else {}, options.get("-d"))
        answers.append((printed, reply.text))
    await store.close()
    return answers


def test_each_request_of_the_document_gets_the_reply_printed_beside_it(store_url: str) -> None:
    answers = asyncio.run(answers_of_the_document(store_url))
    assert len(answers) == DOCUMENT.count("\ncurl ") == 9
    for printed, answered in answers:
        assert VARYING.sub(r'"\1":""', printed) == VARYING.sub(r'"\1":""', answered)
