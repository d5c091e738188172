"""Whatever is sent, the reply is an envelope that the served OpenAPI document describes."""

import json
from collections import Counter
from functools import cache
from typing import Any

import httpx
from conftest import Served
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it brings no types
from people import DECORATED, DELETED, HIDER, HUB, SUSPENDED, TOKENS, UNKNOWN, VIEWER

COUNT = 10_000
# Requests of one example: what Hypothesis adds is paid once for all of them.
BATCH = 20

MIDS = tuple(map(str, (VIEWER, HUB, SUSPENDED, DELETED, HIDER, DECORATED, UNKNOWN, 1, 2**63 - 1)))
EDGES = ("", "0", "1", "2", "5", "6", "20", "50", "51", "1000000000", "1000000001", "-1", "asc", "desc", "true", "null")
ODD = (
    "9223372036854775808",
    "9" * 400,
    "1e3",
    "1.0",
    "+1",
    " 1",
    "\x00",
    "\u2028",
    "号",
    "𝟙",
    "1:1",
    ":",
    "[]",
    "%",
    "&",
)

TEXTS = st.one_of(st.sampled_from(MIDS), st.sampled_from(EDGES), st.sampled_from(ODD), st.text(max_size=12))
NAMES = st.one_of(st.sampled_from(("jsonp", "csrf", "w_rid", "wts", "order_type", "from", "")), st.text(max_size=6))
CALLBACKS = st.one_of(st.just(""), st.sampled_from(("cb", "$.a", "1a", "a b", "<", "a" * 65)), st.text(max_size=5))
TOKEN_TEXTS = st.one_of(st.sampled_from(tuple(TOKENS.values())), st.text(st.characters(codec="ascii"), max_size=8))
METHODS = ("GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS")


def printable(text: str) -> bytes:
    """A header value that a client may send: no control characters, no space around it."""
    return "".join(sign for sign in text if " " <= sign <= "~").strip().encode()


@st.composite
def requests(draw: st.DrawFn, document: dict[str, Any]) -> httpx.Request:
    """A request to a path of the document, in or out of its bounds."""
    path = draw(st.sampled_from(sorted(document["paths"])))
    (operation,) = document["paths"][path].values()
    known = [parameter["name"] for parameter in operation["parameters"] if parameter["name"] != "callback"]
    params: list[tuple[str, str | int | float | bool | None]] = [
        (name, draw(TEXTS)) for name in known if draw(st.integers(0, 9))
    ]
    if not draw(st.integers(0, 3)):
        params += draw(st.lists(st.tuples(NAMES, TEXTS), max_size=3))
    if not draw(st.integers(0, 4)):
        params.append(("callback", draw(CALLBACKS)))
    headers: list[tuple[bytes, bytes]] = [(b"host", b"x")]
    place = draw(st.sampled_from(("none", "bearer", "access_key", "cookie", "odd")))
    token = draw(TOKEN_TEXTS)
    if place == "bearer":
        headers.append((b"authorization", printable(f"Bearer {token}")))
    elif place == "access_key":
        params.append(("access_key", token))
    elif place == "cookie":
        headers.append((b"cookie", printable(f"buvid3=x; SESSDATA={token}")))
    elif place == "odd":
        headers += [(b"authorization", printable(token)), (b"cookie", printable(draw(st.text(max_size=9))))]
    method = draw(st.sampled_from(METHODS))
    return httpx.Request(method, f"http://x{path}", params=params, headers=headers)


@cache
def validator(document: str, path: str, status: int) -> Draft202012Validator:
    """What a reply of this path and HTTP status must be valid against."""
    described = json.loads(document)
    (operation,) = described["paths"][path].values()
    responses = operation["responses"]
    content = responses.get(str(status), responses["default"])["content"]
    schema = content["application/json"]["schema"] | {"components": described["components"]}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def envelope_in(request: httpx.Request, response: httpx.Response) -> Any:
    """The envelope, out of its JSONP form if it has one."""
    if response.headers["content-type"] == "application/json; charset=utf-8":
        return response.json()
    assert response.headers["content-type"] == "application/javascript; charset=utf-8"
    callback = request.url.params["callback"]
    text = response.text
    assert text.startswith(f"{callback}(")
    assert text.endswith(")")
    return json.loads(text[len(callback) + 1 : -1])


def check(document: str, request: httpx.Request, response: httpx.Response) -> int | None:
    """The code of a reply that is as it must be."""
    assert response.status_code in (200, 405)
    if request.method == "HEAD":
        assert response.content == b""
        return None
    envelope = envelope_in(request, response)
    names = ["code", "message", "ttl"]
    assert list(envelope) in (names, [*names, "data"])
    code, message, ttl = (envelope[name] for name in names)
    assert [type(code), type(message), ttl] == [int, str, 1]
    assert (response.status_code == 405) == (code == -405)
    is_nav = request.url.path == "/x/web-interface/nav"
    assert ("data" in envelope) == (code == 0 or (is_nav and code == -101))
    validator(document, request.url.path, response.status_code).validate(envelope)
    return int(code)


def test_10_000_generated_requests_are_all_answered_as_described(seed_server: Served, seed: httpx.Client) -> None:
    document = seed.get("/-/openapi.json").text
    codes: Counter[int | None] = Counter()
    paths: Counter[str] = Counter()

    @settings(
        max_examples=COUNT // BATCH,
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(requests(json.loads(document)), min_size=BATCH, max_size=BATCH))
    def answers(batch: list[httpx.Request]) -> None:
        for request in batch:
            url = httpx.URL(seed_server.url).join(request.url.raw_path.decode())
            response = seed.send(httpx.Request(request.method, url, headers=request.headers.raw))
            codes[check(document, request, response)] += 1
            paths[request.url.path] += 1

    answers()
    assert sum(codes.values()) >= COUNT
    assert set(paths) == set(json.loads(document)["paths"])
    assert {0, -400, -101, -404, -405, 22007} <= set(codes)
    assert codes.keys() & {22115, 22118}
    assert codes[0] > COUNT // 20
    assert seed_server.errors() == ""
