"""Where the parameters of a write are looked for, and bodies of every kind and size (contract 2.2, 3, 10, 14).

Everything is asked through both doors: a socket, and ASGI in process.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from doors import DOORS, Door, open_door
from people import FAN, FOLLOWED, STRANGER, SUSPENDED, TOKENS, VIEWER, bearer, people_store
from stores import Stores

from upspace.server.viewer import csrf_of

MODIFY, RELATION = "/x/relation/modify", "/x/relation"
FORM = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = {"content-type": "multipart/form-data; boundary=b"}
BODY_MAX = 1 << 16

OK = {"code": 0, "message": "0", "ttl": 1}
BAD_REQUEST = {"code": -400, "message": "请求错误", "ttl": 1}
NOT_SIGNED_IN = {"code": -101, "message": "账号未登录", "ttl": 1}
NO_CSRF = {"code": -111, "message": "csrf 校验失败", "ttl": 1}
SUSPENDED_VIEWER = {"code": -102, "message": "账号被封停", "ttl": 1}


@pytest.fixture(scope="module", params=DOORS)
def door(
    request: pytest.FixtureRequest, stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """A door to a store of its own."""
    with open_door(request.param, tmp_path_factory.mktemp(request.param), people_store(stores.new(engine))) as door:
        yield door


@pytest.fixture(autouse=True)
def _nothing_followed(door: Door) -> Iterator[None]:
    """Each test ends as it began."""
    yield
    for mid in (STRANGER, FAN):
        assert asked(door, f"fid={mid}&act=2") == OK


def asked(door: Door, query: str = "", content: Any = None, **headers: str) -> dict[str, Any]:
    """The envelope of a modify by the viewer, unless the headers say otherwise."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    credentials = {} if {"authorization", "cookie"} & named.keys() else bearer(VIEWER)
    response = door.request("POST", f"{MODIFY}?{query}", content=content, headers=credentials | named)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    envelope: dict[str, Any] = response.json()
    return envelope


def in_form(door: Door, content: Any, query: str = "", **headers: str) -> dict[str, Any]:
    return asked(door, query, content, content_type=FORM["content-type"], **headers)


def in_multipart(door: Door, content: Any, query: str = "", **headers: str) -> dict[str, Any]:
    return asked(door, query, content, content_type=MULTIPART["content-type"], **headers)


def followed(door: Door) -> set[int]:
    """Which of the two accounts that the tests write about the viewer follows by now."""
    response = door.request("GET", f"{RELATION}/relations?fids={STRANGER},{FAN}", headers=bearer(VIEWER))
    return {int(mid) for mid, relation in response.json()["data"].items() if relation["attribute"] in (2, 6)}


def part(name: str, value: Any, more: str = "", headers: str = "") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n{headers}\r\n{value}\r\n'.encode()


END = b"--b--\r\n"
WHOLE = part("fid", STRANGER) + part("act", 1)


# Which of several counts


def test_the_body_beats_the_query(door: Door) -> None:
    query = f"fid={FAN}&act=5&re_src=x"
    assert in_form(door, f"fid={STRANGER}&act=1&re_src=1", query) == OK
    assert followed(door) == {STRANGER}
    assert in_multipart(door, part("fid", FAN) + part("act", 1) + part("re_src", 2) + END, query) == OK
    assert followed(door) == {STRANGER, FAN}
    # What is in the body counts even if it is empty or wrong.
    assert in_form(door, "fid=", f"fid={FAN}&act=2") == BAD_REQUEST
    assert in_form(door, "act=x", f"fid={FAN}&act=2") == BAD_REQUEST
    assert in_multipart(door, part("fid", "") + END, f"fid={FAN}&act=2") == BAD_REQUEST


def test_what_the_body_lacks_is_looked_up_in_the_query(door: Door) -> None:
    assert in_form(door, f"fid={STRANGER}", "act=1") == OK
    assert in_form(door, "act=1", f"fid={FAN}") == OK
    assert followed(door) == {STRANGER, FAN}
    assert in_multipart(door, part("act", 2) + END, f"fid={STRANGER}") == OK
    assert asked(door, f"fid={FAN}&act=2") == OK
    assert followed(door) == set()
    assert in_form(door, b"", f"fid={FAN}&act=1") == OK
    assert in_multipart(door, END, f"fid={STRANGER}&act=1") == OK
    assert followed(door) == {STRANGER, FAN}


def test_of_a_parameter_given_twice_the_first_counts(door: Door) -> None:
    assert in_form(door, f"fid={STRANGER}&act=1&fid={FAN}&act=x") == OK
    assert followed(door) == {STRANGER}
    assert in_multipart(door, part("fid", FAN) + part("fid", "x") + part("act", 1) + part("act", 5) + END) == OK
    assert asked(door, f"fid={STRANGER}&fid=x&act=2&act=1") == OK
    assert followed(door) == {FAN}
    assert in_form(door, f"fid=&act=2&fid={FAN}") == BAD_REQUEST
    assert in_multipart(door, part("fid", "") + part("act", 2) + part("fid", FAN) + END) == BAD_REQUEST
    assert asked(door, f"fid=&fid={FAN}&act=2") == BAD_REQUEST


def test_credentials_and_csrf_are_parameters_like_others(door: Door) -> None:
    token, good = TOKENS[VIEWER], f"fid={STRANGER}&act=2"
    # A cookie that is no session, in place of the header that `asked` would send.
    nobody, session = "buvid3=x", f"SESSDATA={token}"
    csrf = csrf_of(token)
    assert in_form(door, f"{good}&access_key={token}", "access_key=unknown", cookie=nobody) == OK
    assert in_form(door, f"{good}&access_key=unknown", f"access_key={token}", cookie=nobody) == NOT_SIGNED_IN
    assert in_form(door, good, f"access_key={token}", cookie=nobody) == OK
    assert in_multipart(door, part("access_key", token) + END, good, cookie=nobody) == OK
    for name in ("csrf", "csrf_token"):
        assert in_form(door, f"{good}&{name}={csrf}", cookie=session) == OK
        assert in_form(door, f"{good}&{name}={csrf}", f"{name}=wrong", cookie=session) == OK
        assert in_form(door, f"{good}&{name}=wrong", f"{name}={csrf}", cookie=session) == NO_CSRF
        assert in_form(door, good, f"{name}={csrf}", cookie=session) == OK
        assert in_multipart(door, part(name, csrf) + END, good, cookie=session) == OK
    assert in_form(door, good, cookie=session) == NO_CSRF
    assert in_form(door, f"{good}&csrf={csrf}&csrf_token={csrf}", cookie=session) == OK
    # A browser's cookie of that name is not looked at.
    assert in_form(door, good, cookie=f"{session}; bili_jct={csrf}") == NO_CSRF


# Kinds of bodies


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded;charset=utf-8",
        "Application/X-WWW-Form-URLencoded",
    ],
)
def test_a_form_is_known_by_its_type(door: Door, kind: str) -> None:
    assert asked(door, "", f"fid={STRANGER}&act=1", content_type=kind) == OK
    assert followed(door) == {STRANGER}


def test_a_body_without_a_type_is_a_form(door: Door) -> None:
    assert asked(door, "", f"fid={STRANGER}&act=1".encode()) == OK
    assert followed(door) == {STRANGER}


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", "text/plain", "application/octet-stream", "x", "multipart"],
)
def test_a_body_of_another_type_holds_no_parameters(door: Door, kind: str) -> None:
    for content in (f'{{"fid":{STRANGER},"act":1}}', f"fid={STRANGER}&act=1", "", "{", "\x00"):
        assert asked(door, "", content, content_type=kind) == BAD_REQUEST
    assert followed(door) == set()
    assert asked(door, f"fid={STRANGER}&act=1", '{"fid":1,"act":5}', content_type=kind) == OK
    assert followed(door) == {STRANGER}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data; boundary=b", WHOLE + END),
        ('multipart/form-data; boundary="b"', WHOLE + END),
        ("Multipart/Form-Data; charset=utf-8; Boundary=b", WHOLE + END),
        ("multipart/form-data; boundary=b", WHOLE + b"--b--"),
        ("multipart/form-data; boundary=b", WHOLE + END + b"what follows is no part of it"),
        ('multipart/form-data; boundary="a b:c"', (WHOLE + END).replace(b"--b", b"--a b:c")),
        ("multipart/form-data; boundary=b", part("act", 1, headers="Content-Type: text/plain\r\n") + WHOLE + END),
        # A file is no parameter, whatever its name and wherever it stands.
        ("multipart/form-data; boundary=b", part("fid", FAN, '; filename="x"') + WHOLE + END),
        ("multipart/form-data; boundary=b", WHOLE + part("photo", "\x00\x01", '; filename="fid"') + END),
    ],
)
def test_multipart_is_accepted_without_its_files(door: Door, kind: str, content: bytes) -> None:
    assert asked(door, "", content, content_type=kind) == OK
    assert followed(door) == {STRANGER}


def test_in_place_of_a_file_the_query_is_looked_at(door: Door) -> None:
    content = part("fid", FAN, '; filename="x"') + part("act", 1) + END
    assert in_multipart(door, content) == BAD_REQUEST
    assert in_multipart(door, content, f"fid={STRANGER}") == OK
    assert followed(door) == {STRANGER}


@pytest.mark.parametrize("kind", [FORM, MULTIPART], ids=["form", "multipart"])
def test_a_text_in_a_body_is_utf_8(door: Door, kind: dict[str, str]) -> None:
    def create(text: bytes) -> Any:
        content = b"tag=" + text if kind is FORM else part("tag", "?").replace(b"?", text) + END
        response = door.request("POST", f"{RELATION}/tag/create", content=content, headers=bearer(VIEWER) | kind)
        return response.json()

    made = {create(name.encode())["data"]["tagid"]: name for name in ("分组", "🎉", "é")}
    groups = door.request("GET", f"{RELATION}/tags", headers=bearer(VIEWER)).json()["data"][2:]
    assert {group["tagid"]: group["name"] for group in groups} == made
    for tagid in made:
        assert door.request("POST", f"{RELATION}/tag/del?tagid={tagid}", headers=bearer(VIEWER)).json() == OK
    # Bytes that are no text are one character each, which no number is made of.
    assert in_form(door, f"act=1&fid={STRANGER}".encode() + b"\xff") == BAD_REQUEST
    assert in_form(door, f"act=1&fid={STRANGER}%ff") == BAD_REQUEST


def test_a_read_takes_nothing_from_a_body(door: Door) -> None:
    for content in (f"fid={FOLLOWED}", f"access_key={TOKENS[SUSPENDED]}", "callback=1bad", "\x00", "x" * 2 * BODY_MAX):
        response = door.request("GET", f"{RELATION}?fid={FOLLOWED}", content=content, headers=bearer(VIEWER) | FORM)
        assert (response.status_code, response.json()["data"]["attribute"]) == (200, 2)
    response = door.request("GET", RELATION, content=f"fid={FOLLOWED}", headers=bearer(VIEWER) | FORM)
    assert response.json() == BAD_REQUEST
    response = door.request("GET", f"{RELATION}?fid=1", content=f"access_key={TOKENS[VIEWER]}", headers=FORM)
    assert response.json() == NOT_SIGNED_IN


def test_a_report_of_a_client_is_not_looked_at(door: Door) -> None:
    for content in (b"", b"{", b'{"payload":"{}"}', b"\xff" * 2 * BODY_MAX):
        for kind in ("application/json", *FORM.values(), *MULTIPART.values()):
            response = door.request(
                "POST", "/x/internal/gaia-gateway/ExClimbWuzhi", content=content, headers={"content-type": kind}
            )
            assert response.text == '{"code":0,"message":"0","ttl":1,"data":{}}'


# Bodies that are refused


def test_a_body_may_be_64_kib_and_no_larger(door: Door) -> None:
    good = f"fid={STRANGER}&act=1&filler=".encode()
    assert in_form(door, good + b"x" * (BODY_MAX - len(good))) == OK
    assert followed(door) == {STRANGER}
    for size in (BODY_MAX + 1, 3 * BODY_MAX, 8 * BODY_MAX):
        refused = good.replace(b"act=1", b"act=2")
        assert in_form(door, refused + b"x" * (size - len(refused))) == BAD_REQUEST
        # The server goes on.
        assert followed(door) == {STRANGER}
    head, tail = part("fid", FAN) + part("act", 1), part("filler", "?") + END
    for more in (0, 1):
        filler = b"x" * (BODY_MAX - len(head + tail) + 1 + more)
        assert in_multipart(door, head + tail.replace(b"?", filler)) == (BAD_REQUEST if more else OK)
    assert followed(door) == {STRANGER, FAN}


MALFORMED = {
    "no boundary named": ("multipart/form-data", WHOLE + END),
    "an empty boundary": ("multipart/form-data; boundary=", WHOLE + END),
    "another boundary": ("multipart/form-data; boundary=c", WHOLE + END),
    "a boundary that is too long": (f"multipart/form-data; boundary={'b' * 300}", WHOLE + END),
    "no multipart": ("multipart/form-data; boundary=b", f"fid={STRANGER}&act=1".encode()),
    "noise": ("multipart/form-data; boundary=b", bytes(range(256))),
    "no name": ("multipart/form-data; boundary=b", WHOLE.replace(b'; name="fid"', b"") + END),
    "no disposition": ("multipart/form-data; boundary=b", WHOLE.replace(b"Content-Disposition", b"X") + END),
    "no colon": ("multipart/form-data; boundary=b", WHOLE.replace(b"Disposition:", b"Disposition") + END),
    "no line ends": ("multipart/form-data; boundary=b", (WHOLE + END).replace(b"\r\n", b"\n")),
    "cut at the end": ("multipart/form-data; boundary=b", WHOLE),
    "cut in the last boundary": ("multipart/form-data; boundary=b", WHOLE + END[:4]),
    "cut after a part": ("multipart/form-data; boundary=b", WHOLE + b"--b\r\n"),
    "cut in a head": ("multipart/form-data; boundary=b", WHOLE + b"--b\r\nContent-Dispo"),
    "cut in a value": ("multipart/form-data; boundary=b", WHOLE + part("re_src", 1)[:-3]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_the_multipart_it_says_is_refused_after_login_and_csrf(door: Door, name: str) -> None:
    kind, content = MALFORMED[name]
    query = f"fid={STRANGER}&act=1"
    csrf = f"{query}&csrf={csrf_of(TOKENS[VIEWER])}"
    session = f"SESSDATA={TOKENS[VIEWER]}"

    def refused(query: str, **headers: str) -> dict[str, Any]:
        return asked(door, query, content, content_type=kind, **headers)

    assert refused(query, cookie="buvid3=x") == NOT_SIGNED_IN
    assert refused(query, authorization="Bearer unknown") == NOT_SIGNED_IN
    assert refused(query, cookie=session) == NO_CSRF
    assert refused(csrf, cookie=session) == BAD_REQUEST
    assert refused(query) == BAD_REQUEST
    assert refused("") == BAD_REQUEST
    # Parameters come before the state of the viewer.
    assert refused(query, **bearer(SUSPENDED)) == BAD_REQUEST
    assert asked(door, query, **bearer(SUSPENDED)) == SUSPENDED_VIEWER
    assert followed(door) == set()


def test_a_body_that_is_too_large_is_refused_after_login_and_csrf(door: Door) -> None:
    large = f"fid={STRANGER}&act=1&csrf={csrf_of(TOKENS[VIEWER])}&filler=".encode() + b"x" * BODY_MAX
    session = f"SESSDATA={TOKENS[VIEWER]}"
    assert in_form(door, large, cookie="buvid3=x") == NOT_SIGNED_IN
    assert in_form(door, large, cookie=session) == NO_CSRF
    assert in_form(door, large, f"csrf={csrf_of(TOKENS[VIEWER])}", cookie=session) == BAD_REQUEST
    assert in_form(door, large, **bearer(SUSPENDED)) == BAD_REQUEST
    # A wrong method comes before all of it.
    response = door.request("PUT", MODIFY, content=large, headers=FORM)
    assert (response.status_code, response.json()["code"]) == (405, -405)


# Bodies of unknown length


def test_a_write_may_come_in_parts_of_unknown_number(door: Door) -> None:
    whole = f"fid={STRANGER}&act=1".encode()
    assert in_form(door, door.in_parts([whole[at : at + 1] for at in range(len(whole))])) == OK
    assert followed(door) == {STRANGER}
    assert in_multipart(door, door.in_parts([part("fid", FAN), part("act", 1), END])) == OK
    assert in_form(door, door.in_parts([]), f"fid={STRANGER}&act=2") == OK
    assert followed(door) == {FAN}


def test_a_read_with_parts_of_unknown_number_is_answered(door: Door) -> None:
    content = door.in_parts([b"fid=1", b"&callback=1bad"])
    response = door.request("GET", f"{RELATION}?fid={FOLLOWED}", content=content, headers=bearer(VIEWER) | FORM)
    assert response.json()["data"]["attribute"] == 2


def test_a_client_whose_body_was_too_large_or_not_wanted_sends_its_next_request_in_peace(door: Door) -> None:
    """The server says so where it closes a connection, and else leaves it usable."""
    chunk = b"x" * 65_536
    for _ in range(40):
        assert in_form(door, chunk * 40) == BAD_REQUEST
        assert followed(door) == set()
        assert in_form(door, door.in_parts([chunk] * 40)) == BAD_REQUEST
        assert followed(door) == set()
        unwanted = door.request("GET", f"{RELATION}?fid=1", content=door.in_parts([chunk] * 5))
        assert unwanted.json() == NOT_SIGNED_IN
        assert followed(door) == set()
