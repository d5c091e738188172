"""Whatever is sent, the reply is an envelope that the served OpenAPI document describes (contract 2 to 4).

The servers have stores of their own, as what is generated writes as well as it reads.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from conftest import DEADLINE_S, quiet_server
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it brings no types
from people import (
    BLOCKED,
    DECORATED,
    DELETED,
    FAN,
    FOLLOWED,
    FRIEND,
    HIDER,
    HUB,
    SUSPENDED,
    TOKENS,
    UNKNOWN,
    VIEWER,
    people_store,
)
from stores import ENGINES, Stores

from upspace.server.viewer import csrf_of

COUNT = 10_000
# Requests of one example: what Hypothesis adds is paid once for all of them.
BATCH = 20

MIDS = tuple(map(str, (VIEWER, HUB, FOLLOWED, BLOCKED, FAN, SUSPENDED, DELETED, HIDER, DECORATED, UNKNOWN, 2**63 - 1)))
# Those of the viewer and those of the hub, which are made first.
OWN_GROUPS = range(1, 41)
GROUPS = ("-20", "-10", "0", *map(str, OWN_GROUPS))
EDGES = ("", "0", "1", "2", "5", "6", "20", "50", "51", "1000000000", "1000000001", "-1", "asc", "desc", "true", "null")
ODD = (
    *("9223372036854775808", "9" * 400, "1e3", "1.0", "+1", " 1", "\x00", "\u2028", "号", "𝟙", "1:1", ":", "[]"),
    *("%", "&", ",", "1,", "1001,x", '"', "\r\n"),
)

TEXTS = st.one_of(st.sampled_from(MIDS), st.sampled_from(EDGES), st.sampled_from(ODD), st.text(max_size=12))
# Changing the members of groups is right only if every group and every account is, so those that are stand apart.
LISTS_OF_GROUPS = st.sampled_from(("-10", "0", "0,-10")) | st.lists(
    st.sampled_from(("-10", "0", *GROUPS[1:])), min_size=1, max_size=2
).map(",".join)
LISTS_OF_MIDS = st.sampled_from((f"{FOLLOWED},{FRIEND}", f"{FOLLOWED}", f"{FRIEND}")) | st.lists(
    st.sampled_from((str(FOLLOWED), str(FRIEND), *MIDS)), min_size=1, max_size=3
).map(",".join)
# What a parameter of this name would be in the request of a client that is in order.
LIKELY = {
    **dict.fromkeys(("mid", "vmid", "fid"), st.sampled_from(MIDS)),
    "fids": LISTS_OF_MIDS,
    "act": st.sampled_from("1234567"),
    "tagid": st.sampled_from(GROUPS),
    **dict.fromkeys(("tagids", "beforeTagids", "afterTagids"), LISTS_OF_GROUPS),
    "photo": st.sampled_from(("1", "true", "0", "")),
    # Names are taken once they were used, so there have to be many.
    **dict.fromkeys(
        ("tag", "name"),
        st.sampled_from(("甲", "乙", " 丙 ", "默认分组", "a,b", "x" * 17)) | st.integers(41, 999).map(str),
    ),
    **dict.fromkeys(("pn", "ps", "re_src"), st.sampled_from(("1", "2", "", "3", "6"))),
}
NAMES = st.one_of(st.sampled_from(("jsonp", "csrf", "w_rid", "wts", "order_type", "from", "")), st.text(max_size=6))
CALLBACKS = st.one_of(st.just(""), st.sampled_from(("cb", "$.a", "1a", "a b", "<", "a" * 65)), st.text(max_size=5))
GOOD_TOKENS = st.sampled_from((TOKENS[VIEWER], *TOKENS.values(), TOKENS[VIEWER], TOKENS[HUB]))
ODD_TOKENS = st.text(st.characters(codec="ascii"), max_size=8)
# Hypothesis prefers the ends of what it samples from, so what is rare stands in the middle, here and below.
PLACES = ("bearer", "access_key", "cookie", "none", "odd", "bearer", "access_key", "cookie", "bearer")

FORM, BOUNDARY = "application/x-www-form-urlencoded", "b"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
BODIES = ("form", "form", "multipart", "query", "split", "cut", "noise", "json", "form", "multipart")
KINDS = (
    "",
    FORM,
    MULTIPART,
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "application/json",
    "x",
    ";",
    "=;",
)

Pairs = list[tuple[str, str]]


class Sent(NamedTuple):
    """A request."""

    method: str
    path: str
    query: Pairs
    headers: dict[str, str]
    body: bytes | None

    @property
    def callback(self) -> str:
        """The callback that counts."""
        return next((value for name, value in self.query if name == "callback"), "")


def printable(text: str) -> str:
    """A header value that a client may send: no control characters, no space around it."""
    return "".join(sign for sign in text if " " <= sign <= "~").strip()


def in_parts(pairs: Pairs) -> bytes:
    """A multipart body, as well formed as the names are."""
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs
    )
    return f"{''.join(parts)}--{BOUNDARY}--\r\n".encode()


def rarely(draw: st.DrawFn) -> bool:
    """One time in ten."""
    return draw(st.integers(0, 9)) == 5


@st.composite
def credentials(draw: st.DrawFn) -> tuple[dict[str, str], Pairs]:
    """The headers and the parameters of some viewer or of none, often with the CSRF value that belongs to a cookie."""
    place, token = draw(st.sampled_from(PLACES)), draw(ODD_TOKENS if rarely(draw) else GOOD_TOKENS)
    if place == "bearer":
        return {"authorization": printable(f"Bearer {token}")}, []
    if place == "access_key":
        return {}, [("access_key", token)]
    if place == "cookie":
        csrf = draw(TEXTS) if rarely(draw) else csrf_of(token)
        return {"cookie": printable(f"buvid3=x; SESSDATA={token}")}, [("csrf", csrf)]
    if place == "odd":
        return {"authorization": printable(token), "cookie": printable(draw(st.text(max_size=9)))}, []
    return {}, []


@st.composite
def bodies(draw: st.DrawFn, pairs: Pairs) -> tuple[Pairs, str, bytes]:
    """What of these parameters is in the query, and a body with the others: its type and its bytes."""
    way = draw(st.sampled_from(BODIES))
    if way == "form":
        return [], draw(st.sampled_from((FORM, FORM, f"{FORM}; charset=UTF-8", ""))), urlencode(pairs).encode()
    if way == "multipart":
        return [], MULTIPART, in_parts(pairs)
    if way == "split":
        return pairs[::2], FORM, urlencode(pairs[1::2]).encode()
    if way == "cut":
        whole = in_parts(pairs)
        return pairs, MULTIPART, whole[: draw(st.integers(0, len(whole)))]
    if way == "noise":
        return pairs, draw(st.sampled_from(KINDS)), draw(st.binary(max_size=40))
    if way == "json":
        return [], "application/json", json.dumps(dict(pairs)).encode()
    return pairs, "", b""


def writes_of(document: dict[str, Any]) -> list[str]:
    """The paths whose parameters are in a body."""
    return [path for path, item in document["paths"].items() if FORM in body_of(item).get("content", {})]


def body_of(item: dict[str, Any]) -> dict[str, Any]:
    (operation,) = item.values()
    return dict(operation.get("requestBody", {}))


@st.composite
def requests(draw: st.DrawFn, document: dict[str, Any]) -> Sent:
    """A request to a path of the document, in or out of its bounds."""
    # A write has more to be right about than a read, so more are sent.
    path = draw(st.sampled_from(sorted(document["paths"])) | st.sampled_from(writes_of(document)))
    ((own, operation),) = document["paths"][path].items()
    form = body_of(document["paths"][path]).get("content", {}).get(FORM)
    names = list(form["schema"]["properties"]) if form else [each["name"] for each in operation["parameters"]]
    pairs: Pairs = [
        (name, draw(LIKELY[name] if name in LIKELY and not rarely(draw) else TEXTS))
        for name in names
        if name not in ("callback", "csrf") and not rarely(draw)
    ]
    headers, more = draw(credentials())
    pairs += more
    if rarely(draw):
        pairs += draw(st.lists(st.tuples(NAMES, TEXTS), max_size=3))
    if rarely(draw):
        pairs.append(("callback", draw(CALLBACKS)))
    query, kind, body = draw(bodies(pairs)) if own == "post" else (pairs, "", b"")
    if kind:
        headers["content-type"] = kind
    method = draw(st.sampled_from((*[own.upper()] * 10, "GET", "HEAD", "POST", "PUT", "OPTIONS", *[own.upper()] * 10)))
    return Sent(method, path, query, headers, body or None)


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


@cache
def check_described(document: str, path: str, status: int, text: str) -> None:
    """Whether an envelope is as the document says. Most refusals have been seen before."""
    validator(document, path, status).validate(json.loads(text))


def envelope_in(sent: Sent, response: HTTPResponse, text: str) -> str:
    """The text of the envelope, out of its JSONP form if it has one."""
    if response.headers["content-type"] == "application/json; charset=utf-8":
        return text
    assert response.headers["content-type"] == "application/javascript; charset=utf-8"
    assert sent.method == "GET"
    assert text.startswith(f"{sent.callback}(")
    assert text.endswith(")")
    return text[len(sent.callback) + 1 : -1]


def check(document: str, sent: Sent, response: HTTPResponse, body: bytes) -> int | None:
    """The code of a reply that is as it must be."""
    assert response.status in (200, 405)
    if sent.method == "HEAD":
        assert body == b""
        return None
    text = envelope_in(sent, response, body.decode())
    envelope = json.loads(text)
    names = ["code", "message", "ttl"]
    assert list(envelope) in (names, [*names, "data"])
    code, message, ttl = (envelope[name] for name in names)
    assert [type(code), type(message), ttl] == [int, str, 1]
    assert (response.status == 405) == (code == -405)
    is_nav = sent.path == "/x/web-interface/nav"
    # That a success has data where it must, the document says.
    assert "data" not in envelope or code == 0 or (is_nav and code == -101)
    check_described(document, sent.path, response.status, text)
    return int(code)


def ask(sent: Sent, *connections: HTTPConnection) -> list[tuple[HTTPResponse, bytes]]:
    """The reply on each connection. All are asked before the first reply is waited for."""
    for connection in connections:
        connection.request(sent.method, f"{sent.path}?{urlencode(sent.query)}", sent.body, sent.headers)
    responses = [connection.getresponse() for connection in connections]
    return [(response, response.read()) for response in responses]


@contextmanager
def asked_server(stores: Stores, engine: str, folder: Path) -> Iterator[HTTPConnection]:
    """A connection to a server over a store with the accounts of people.py, of whom two have twenty groups each."""
    url = stores.new(engine)
    with quiet_server(folder, "--store", people_store(url)) as served:
        connection = HTTPConnection(*served.address, timeout=DEADLINE_S)
        for number in OWN_GROUPS:
            token = TOKENS[VIEWER if number % 2 else HUB]
            made = Sent("POST", "/x/relation/tag/create", [("tag", str(number)), ("access_key", token)], {}, None)
            ((_, body),) = ask(made, connection)
            assert json.loads(body)["data"] == {"tagid": number}
        yield connection
        connection.close()
    stores.drop(url)


def test_10_000_generated_requests_are_all_answered_as_described(stores: Stores, tmp_path: Path) -> None:
    """By each engine, with the same code. To make a request up takes longer than to answer it."""
    codes: Counter[int | None] = Counter()
    done: Counter[str] = Counter()
    with ExitStack() as servers:
        connections = [servers.enter_context(asked_server(stores, engine, tmp_path)) for engine in ENGINES]
        document = ask(Sent("GET", "/-/openapi.json", [], {}, None), connections[0])[0][1].decode()

        @settings(
            max_examples=COUNT // BATCH,
            database=None,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(requests(json.loads(document)), min_size=BATCH, max_size=BATCH))
        def answers(batch: list[Sent]) -> None:
            for sent in batch:
                replies = ask(sent, *connections)
                code, *others = (check(document, sent, *reply) for reply in replies)
                assert others == [code] * len(others), f"{ENGINES} answer differently"
                codes[code] += 1
                done[sent.path] += code == 0

        answers()
    assert sum(codes.values()) >= COUNT
    # Every endpoint has done what it is for, and been refused for most that anything is refused for.
    assert set(json.loads(document)["paths"]) == {path for path, count in done.items() if count}
    assert {-400, -101, -102, -111, -404, -405} <= set(codes)
    assert len({code for code in codes if code and code > 0}) >= 12
    assert codes[0] > COUNT // 10
