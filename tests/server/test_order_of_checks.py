"""Routing, methods, credentials, and which refusal comes first (contract 2, 3).

Rate limits, the first check of all, are in test_rate_limits_http.py.
"""

import http.client
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import DEADLINE_S, Served
from doors import DOORS, Door, open_door
from people import (
    DELETED,
    EXPIRED_TOKEN,
    FOLLOWED,
    HUB,
    REVOKED_TOKEN,
    STRANGER,
    SUSPENDED,
    TOKENS,
    UNKNOWN,
    VIEWER,
    bearer,
    code_of,
    data_of,
    get,
)

from upspace.server.viewer import csrf_of
from upspace.wire.endpoints import ENDPOINTS

PATHS = [(endpoint.method, path) for endpoint in ENDPOINTS for path in endpoint.paths]
INFO = "/x/space/acc/info"
MYINFO = "/x/space/myinfo"
WUZHI = "/x/internal/gaia-gateway/ExClimbWuzhi"

UNKNOWN_PATH = {"code": -404, "message": "啥都木有", "ttl": 1}
WRONG_METHOD = {"code": -405, "message": "不支持该方法", "ttl": 1}
BAD_REQUEST = {"code": -400, "message": "请求错误", "ttl": 1}
NOT_SIGNED_IN = {"code": -101, "message": "账号未登录", "ttl": 1}
NO_CSRF = {"code": -111, "message": "csrf 校验失败", "ttl": 1}
SUSPENDED_VIEWER = {"code": -102, "message": "账号被封停", "ttl": 1}
OF_ITSELF = {"code": 22001, "message": "不能对自己进行此操作", "ttl": 1}
NO_SUCH_GROUP = {"code": 22104, "message": "该分组不存在", "ttl": 1}
NAME_IN_USE = {"code": 22106, "message": "该分组已经存在", "ttl": 1}

Params = dict[str, str | int]

# For each write: parameters that are in order though its rules refuse them, a parameter to break them with, and how
# the rules refuse them.
WRITES: dict[str, tuple[Params, str, dict[str, object]]] = {
    "/x/relation/modify": ({"fid": VIEWER, "act": 1}, "act", OF_ITSELF),
    "/x/relation/batch/modify": ({"fids": f"{STRANGER},{VIEWER}", "act": 5}, "fids", OF_ITSELF),
    "/x/relation/tag/create": ({"tag": "默认分组"}, "tag", NAME_IN_USE),
    "/x/relation/tag/update": ({"tagid": 7777, "name": "name"}, "tagid", NO_SUCH_GROUP),
    "/x/relation/tag/del": ({"tagid": 7777}, "tagid", NO_SUCH_GROUP),
    "/x/relation/tags/addUsers": ({"fids": STRANGER, "tagids": 7777}, "fids", NO_SUCH_GROUP),
    "/x/relation/tags/copyUsers": ({"fids": STRANGER, "tagids": 7777}, "tagids", NO_SUCH_GROUP),
    "/x/relation/tags/moveUsers": (
        {"fids": STRANGER, "beforeTagids": 0, "afterTagids": 7777},
        "beforeTagids",
        NO_SUCH_GROUP,
    ),
}


def viewer_of(client: httpx.Client, query: str = "", **headers: str) -> int | None:
    """Whom the server takes these credentials for; None is anonymous."""
    response = client.get(f"{MYINFO}?{query}", headers=headers)
    envelope = response.json()
    if envelope["code"] == -101:
        return None
    assert envelope["code"] == 0
    return int(envelope["data"]["mid"])


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/x", "/x/", "/x/space", "/x/space/acc", f"{INFO}/", f"/{INFO}", f"{INFO}x", "/X/space/acc/info"),
        *("/x/space/acc/info.json", "/x/space/%61cc/infos", "/x/space/acc%00/info", "/x/space/%ff", "/x/%E5%8F%B7"),
        *("/-/", "/-/nothing", "/-/faces/", "/-/faces/x.svg", "/-/faces/-1.svg", "/-/faces/1.png", "/-/faces/1.svg/"),
        *("/favicon.ico", "/robots.txt", "/x/space/acc/info;a=1", "/x/space/./acc/info/..", "/%2e%2e/etc/passwd"),
    ],
)
def test_an_unknown_path_is_404_whatever_else_is_wrong(seed: httpx.Client, path: str) -> None:
    for query in ("", "?mid=0", "?mid=1&callback=1bad"):
        for method in ("GET", "POST", "DELETE"):
            response = seed.request(method, httpx.URL(f"{seed.base_url}".rstrip("/") + path + query))
            assert (response.status_code, response.json()) == (404, UNKNOWN_PATH)
            assert response.headers["content-type"] == "application/json; charset=utf-8"


def test_a_percent_encoded_path_is_the_path_it_stands_for(seed: httpx.Client) -> None:
    plain = seed.get(f"{INFO}?mid={HUB}")
    encoded = seed.get(f"/x/sp%61ce/acc/%69nfo?mid={HUB}")
    assert (encoded.status_code, encoded.content) == (200, plain.content)


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_wrong_method_is_405_and_names_the_right_ones(seed: httpx.Client, method: str, path: str) -> None:
    allowed = {"GET", "HEAD"} if method == "GET" else {method}
    for wrong in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} - allowed:
        response = seed.request(wrong, f"{path}?mid=0&callback=1bad")
        assert (response.status_code, response.json()) == (405, WRONG_METHOD)
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        assert {name.strip() for name in response.headers["allow"].split(",")} == allowed
    if "HEAD" not in allowed:
        assert seed.head(path).status_code == 405


@pytest.mark.parametrize("path", ["/-/openapi.json", "/-/faces/1.svg"])
def test_our_own_paths_answer_get_and_head_and_name_them_to_others(seed: httpx.Client, path: str) -> None:
    assert seed.get(path).status_code == seed.head(path).status_code == 200
    response = seed.post(path)
    assert (response.status_code, response.json()) == (405, WRONG_METHOD)
    assert {name.strip() for name in response.headers.get("allow", "").split(",")} == {"GET", "HEAD"}


@pytest.mark.parametrize("path", [path for method, path in PATHS if method == "GET"] + ["/-/openapi.json", "/nowhere"])
def test_head_is_get_without_a_body(seed: httpx.Client, path: str) -> None:
    for query in (f"mid={HUB}&vmid={HUB}", "mid=0&vmid=0", f"mid={HUB}&vmid={HUB}&callback=cb", "callback=1bad"):
        got, head = seed.get(f"{path}?{query}"), seed.head(f"{path}?{query}")
        assert head.content == b""
        assert got.content != b""
        for name in ("content-length", "content-type", "x-content-type-options"):
            assert head.headers.get(name) == got.headers.get(name)
        assert head.status_code == got.status_code
        assert int(head.headers["content-length"]) == len(got.content)


def test_the_callback_is_checked_before_login_and_parameters(seed: httpx.Client) -> None:
    assert seed.get(f"{MYINFO}?callback=1bad").json() == BAD_REQUEST
    assert seed.get(f"{INFO}?mid=0&callback=1bad").headers["content-type"] == "application/json; charset=utf-8"
    assert seed.get(f"{MYINFO}?callback=1bad", headers=bearer(VIEWER)).json() == BAD_REQUEST


def test_login_is_checked_before_parameters(recent: httpx.Client) -> None:
    for path in ("/x/relation/followers", "/x/relation/followings", "/x/relation/fans"):
        assert recent.get(f"{path}?vmid=x").json() == NOT_SIGNED_IN
        assert recent.get(f"{path}?vmid=x", headers=bearer(VIEWER)).json() == BAD_REQUEST


@pytest.fixture(scope="module", params=DOORS)
def door(request: pytest.FixtureRequest, people_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door to the accounts that all tests read; what is sent through it here is refused."""
    with open_door(request.param, tmp_path_factory.mktemp(request.param), people_url) as door:
        yield door


def test_every_write_of_the_endpoint_table_is_tried_here() -> None:
    assert set(WRITES) == {path for endpoint in ENDPOINTS if endpoint.write for path in endpoint.paths}


@pytest.mark.parametrize("query", ["", "callback=cb&jsonp=jsonp", "callback=1bad"], ids=["plain", "jsonp", "bad jsonp"])
@pytest.mark.parametrize("path", WRITES)
def test_a_write_is_refused_for_one_thing_after_the_other(door: Door, path: str, query: str) -> None:
    """Everything is wrong with the first request, and each is better by one thing than the one before."""
    good, broken, refused = WRITES[path]
    bad: Params = {**good, broken: ""}
    csrf = csrf_of(TOKENS[SUSPENDED])

    def reply(method: str, path: str, params: Params, **headers: str) -> tuple[int, object]:
        response = door.request(method, f"{path}?{query}", data=params, headers=headers)
        # A POST knows no JSONP, whatever the callback. No other method than GET and HEAD does.
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        return response.status_code, response.json()

    session = f"SESSDATA={TOKENS[SUSPENDED]}"
    assert reply("PUT", f"{path}/nothing", bad) == (404, UNKNOWN_PATH)
    assert reply("PUT", path, bad) == (405, WRONG_METHOD)
    assert reply("POST", path, bad) == (200, NOT_SIGNED_IN)
    assert reply("POST", path, bad, cookie="SESSDATA=unknown") == (200, NOT_SIGNED_IN)
    assert reply("POST", path, bad, cookie=session) == (200, NO_CSRF)
    assert reply("POST", path, bad | {"csrf": "wrong"}, cookie=session) == (200, NO_CSRF)
    assert reply("POST", path, bad | {"csrf": csrf}, cookie=session) == (200, BAD_REQUEST)
    assert reply("POST", path, good | {"csrf": csrf}, cookie=session) == (200, SUSPENDED_VIEWER)
    assert reply("POST", path, good | {"csrf": csrf_of(TOKENS[VIEWER])}, cookie=f"SESSDATA={TOKENS[VIEWER]}") == (
        200,
        refused,
    )
    # Credentials other than a cookie skip the CSRF value and nothing else.
    assert reply("POST", path, bad, **bearer(SUSPENDED)) == (200, BAD_REQUEST)
    assert reply("POST", path, good, **bearer(SUSPENDED)) == (200, SUSPENDED_VIEWER)
    assert reply("POST", path, bad, **bearer(VIEWER)) == (200, BAD_REQUEST)
    assert reply("POST", path, good, **bearer(VIEWER)) == (200, refused)
    assert reply("POST", path, good | {"access_key": TOKENS[VIEWER]}, cookie=session) == (200, refused)


def test_an_act_that_is_switched_off_is_refused_before_a_suspended_viewer(people_url: str, tmp_path: Path) -> None:
    """That there are no whispers is said along with the parameters."""
    with open_door("asgi", tmp_path, people_url, profile="recent") as door:
        for mid, act, refused in (
            (SUSPENDED, 3, BAD_REQUEST),
            (VIEWER, 3, BAD_REQUEST),
            (SUSPENDED, 1, SUSPENDED_VIEWER),
            (VIEWER, 1, OF_ITSELF),
        ):
            reply = door.request("POST", "/x/relation/modify", data={"fid": mid, "act": act}, headers=bearer(mid))
            assert reply.json() == refused


def test_parameters_are_checked_before_the_rules_of_an_endpoint(seed: httpx.Client) -> None:
    assert code_of(seed, "/x/relation/followers", None, {"vmid": 3010, "pn": "x"}) == -400
    assert code_of(seed, "/x/relation/followers", None, {"vmid": 3010, "pn": 6}) == 22118
    assert code_of(seed, "/x/relation/followings", None, {"vmid": 3010, "pn": 6}) == 22115
    assert code_of(seed, "/x/relation/fans", None, {"vmid": 3010, "offset": "x"}) == -400
    assert code_of(seed, "/x/relation/fans", None, {"vmid": 3010, "pn": 6}) == 22118


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_parameters_that_are_unknown_or_ignored_change_nothing(seed: httpx.Client, method: str, path: str) -> None:
    base = f"{path}?mid={HUB}&vmid={HUB}"
    noise = (
        "&w_rid=0123456789abcdef&wts=1700000000&w_webid=x&dm_img_list=[]&dm_img_str=%00&dm_cover_img_str=x"
        "&gaia_source=main_web&web_location=333.999&platform=web&token=&s_locale=zh_CN&re_version=x&jsonp=jsonp"
        "&no_such_parameter=%ff%fe&csrf=a&csrf_token=b&list=&%5B%5D=1&&=&=x&x&order_type=x&last_access_ts=x&from=main"
    )
    assert seed.request(method, base + noise).content == seed.request(method, base).content
    assert seed.request(method, base + noise).status_code == 200


def test_of_a_parameter_given_twice_the_first_counts(seed: httpx.Client) -> None:
    assert seed.get(f"{INFO}?mid={HUB}&mid={VIEWER}").json()["data"]["mid"] == HUB
    assert seed.get(f"{INFO}?mid={VIEWER}&mid=x").json()["data"]["mid"] == VIEWER
    assert seed.get(f"{INFO}?mid=&mid={VIEWER}").json() == BAD_REQUEST
    assert viewer_of(seed, f"access_key={TOKENS[VIEWER]}&access_key={TOKENS[HUB]}") == VIEWER


def test_a_get_may_carry_a_body_which_is_ignored(seed: httpx.Client) -> None:
    for body in (b"mid=1&callback=x", b"{}", b"\xff" * 3_000):
        url = f"{seed.base_url}".rstrip("/") + f"{INFO}?mid={HUB}"
        reply = httpx.request("GET", url, trust_env=False, timeout=DEADLINE_S, content=body)
        assert (reply.status_code, reply.json()["data"]["mid"]) == (200, HUB)


def test_a_body_that_nobody_needs_leaves_the_connection_usable(seed_server: Served) -> None:
    """A client that reports to ExClimbWuzhi sends its next request over the same connection."""
    connection = http.client.HTTPConnection(*seed_server.address, timeout=DEADLINE_S)
    try:
        connection.connect()
        first = connection.sock
        for turn in range(60):
            method, path = ("POST", WUZHI) if turn % 2 else ("GET", f"{INFO}?mid={HUB}")
            connection.request(method, path, b"x" * 5_000)
            reply = connection.getresponse()
            assert (reply.status, len(reply.read()) > 0) == (200, True)
            assert connection.sock is first, turn
    finally:
        connection.close()


def test_the_host_header_is_not_checked(seed: httpx.Client) -> None:
    for host in ("api.bilibili.com", "example.org:1", "x"):
        assert seed.get(f"{INFO}?mid={HUB}", headers={"host": host}).json()["data"]["mid"] == HUB


def test_a_page_size_of_100_is_answered_as_50(seed: httpx.Client) -> None:
    query = {"vmid": HUB, "ps": 100}
    assert data_of(seed, "/x/relation/followings", None, query)["total"] == 13


@pytest.mark.parametrize(("mid", "token"), [(VIEWER, TOKENS[VIEWER]), (HUB, TOKENS[HUB])])
def test_a_token_is_taken_from_each_of_its_three_places(seed: httpx.Client, mid: int, token: str) -> None:
    assert viewer_of(seed, authorization=f"Bearer {token}") == mid
    assert viewer_of(seed, authorization=f"bearer   {token}") == mid
    assert viewer_of(seed, f"access_key={token}") == mid
    assert viewer_of(seed, cookie=f"SESSDATA={token}") == mid
    assert viewer_of(seed, cookie=f"buvid3=x; SESSDATA={token}; DedeUserID={STRANGER}; bili_jct=y") == mid


def test_the_first_place_that_holds_a_token_wins_even_if_the_token_is_unknown(seed: httpx.Client) -> None:
    viewer, hub, suspended = TOKENS[VIEWER], TOKENS[HUB], TOKENS[SUSPENDED]
    query, cookie = f"access_key={hub}", f"SESSDATA={suspended}"
    assert viewer_of(seed, query, authorization=f"Bearer {viewer}", cookie=cookie) == VIEWER
    assert viewer_of(seed, query, cookie=cookie) == HUB
    assert viewer_of(seed, cookie=cookie) == SUSPENDED
    assert viewer_of(seed, query, authorization="Bearer unknown", cookie=cookie) is None
    assert viewer_of(seed, "access_key=unknown", cookie=cookie) is None


def test_what_is_no_bearer_token_does_not_hide_the_next_place(seed: httpx.Client) -> None:
    cookie = f"SESSDATA={TOKENS[VIEWER]}"
    for authorization in ("Bearer", "Basic eDp5", "Negotiate", ""):
        assert viewer_of(seed, authorization=authorization, cookie=cookie) == VIEWER
    assert viewer_of(seed, "access_key=", cookie=cookie) == VIEWER


@pytest.mark.parametrize(
    "others",
    [
        *('{"a":1}', "x=y=z", "a b=c", "=x", "a;b", 'q="unclosed', "path=/", "expires=never; domain=x", "x"),
        *("i-wanna-go-back=-1; b_nut=1700000000", "bp_t_offset={}", "PVID=1; a[0]=1", "a,b=c", "$Version=1", "b=\\"),
    ],
)
def test_a_session_cookie_is_found_among_cookies_of_any_form(seed: httpx.Client, others: str) -> None:
    for cookies in (f"{others}; SESSDATA={TOKENS[VIEWER]}", f"SESSDATA={TOKENS[VIEWER]}; {others}"):
        response = seed.get(MYINFO, headers={b"cookie": cookies.encode()})
        assert response.json()["code"] == 0, cookies


def test_other_cookies_alone_sign_nobody_in(seed: httpx.Client) -> None:
    token = TOKENS[VIEWER]
    for cookie in (f"DedeUserID={VIEWER}; buvid3=x; buvid4=y", f"sessdata={token}", f"XSESSDATA={token}", "SESSDATA="):
        assert viewer_of(seed, cookie=cookie) is None


@pytest.mark.parametrize("token", [EXPIRED_TOKEN, REVOKED_TOKEN, TOKENS[DELETED], "unknown", "x" * 5000])
def test_a_token_that_does_not_hold_makes_the_viewer_anonymous(seed: httpx.Client, token: str) -> None:
    for query, headers in (
        (f"access_key={token}", {}),
        ("", {"authorization": f"Bearer {token}"}),
        ("", {"cookie": f"SESSDATA={token}"}),
    ):
        assert viewer_of(seed, query, **headers) is None
        public = seed.get(f"{INFO}?mid={FOLLOWED}&{query}", headers=headers)
        assert (public.json()["code"], public.json()["data"]["is_followed"]) == (0, False)


def test_bytes_that_are_no_text_in_credentials_are_an_unknown_token(seed: httpx.Client) -> None:
    for name, value in (
        (b"authorization", b"Bearer \xff\xfe"),
        (b"cookie", b"SESSDATA=\xe5\x8f"),
        (b"cookie", b"\xff"),
    ):
        response = seed.get(MYINFO, headers=[(name, value)])
        assert (response.status_code, response.json()) == (200, NOT_SIGNED_IN)
    assert seed.get(f"{MYINFO}?access_key=%ff%fe%00").json() == NOT_SIGNED_IN


def test_a_suspended_viewer_reads_like_others(seed: httpx.Client) -> None:
    assert data_of(seed, MYINFO, SUSPENDED)["silence"] == 1
    for path in ("/x/relation/followers", "/x/relation/followings", "/x/relation/fans", "/x/relation/stat"):
        assert get(seed, path, SUSPENDED, {"vmid": HUB})["code"] == 0
    assert data_of(seed, INFO, SUSPENDED, {"mid": HUB})["is_followed"] is True


def test_an_account_that_is_unknown_is_404_in_the_envelope_alone(seed: httpx.Client) -> None:
    response = seed.get(f"{INFO}?mid={UNKNOWN}")
    assert (response.status_code, response.json()) == (200, UNKNOWN_PATH)


def test_a_json_reply_is_compact(seed: httpx.Client) -> None:
    query: dict[str, str | int] = {"mid": HUB, "vmid": HUB, "fid": HUB, "fids": f"{HUB},{VIEWER}", "tagid": 0}
    for method, path in PATHS:
        if method != "GET":
            continue
        text = seed.get(path, params=query, headers=bearer(VIEWER)).text
        assert text.startswith('{"code":0,"message":"')
        assert '": ' not in text


def test_many_requests_travel_over_one_connection(seed_server: Served) -> None:
    connection = http.client.HTTPConnection(*seed_server.address, timeout=DEADLINE_S)
    try:
        connection.connect()
        first = connection.sock
        for method, path, body in (
            ("GET", f"{INFO}?mid={HUB}", None),
            ("HEAD", f"{INFO}?mid={HUB}", None),
            ("POST", WUZHI, None),
            ("GET", "/nowhere", None),
            ("GET", f"{INFO}?mid=0", None),
            ("POST", INFO, None),
            ("GET", f"{INFO}?mid={HUB}", None),
        ):
            connection.request(method, path, body)
            reply = connection.getresponse()
            reply.read()
            assert connection.sock is first
        assert reply.status == 200
    finally:
        connection.close()
