"""Where requests begin and end on a socket, in which order they are answered, and when a connection ends.

First through a real server, then through a door of this process with an app that is made up.
"""

import asyncio
import itertools
import json
import re
import select
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import httpx
import pytest
import uvloop
from conftest import DEADLINE_S, Served, quiet_server
from hypothesis import given, settings
from hypothesis import strategies as st
from people import FAN, HUB, STRANGER, TOKENS, VIEWER, people_store
from stores import Stores

from upspace.server.door import Door
from upspace.server.http import BODY_MAX_BYTES, JSON_HEADERS, Manner, Request, Response
from upspace.server.http1 import Connection

T = TypeVar("T")

HEAD_MAX = 1 << 16
BEARER = f"Authorization: Bearer {TOKENS[VIEWER]}"
INFO = f"/x/space/acc/info?mid={HUB}"
MYINFO = "/x/space/myinfo"
MODIFY = "/x/relation/modify"
DOCUMENT = "/-/openapi.json"

BAD_REQUEST = '{"code":-400,"message":"请求错误","ttl":1}'.encode()
WRONG_METHOD = '{"code":-405,"message":"不支持该方法","ttl":1}'.encode()
JSON = "application/json; charset=utf-8"


class Reply(NamedTuple):
    """One reply."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> int:
        """That of the envelope."""
        return int(json.loads(self.body)["code"])

    @property
    def data(self) -> Any:
        """That of the envelope."""
        return json.loads(self.body)["data"]


class Client:
    """A client that sends whatever bytes it likes, and reads replies one by one."""

    def __init__(self, address: tuple[str, int], *, receive_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE_S)
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = self.socket.makefile("rb")

    def close(self) -> None:
        self.received.close()
        self.socket.close()

    def send(self, *requests: bytes) -> None:
        self.socket.sendall(b"".join(requests))

    def send_no_more(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reply(self, method: str = "GET") -> Reply:
        """The next reply, which is one to this method."""
        version, _, status = self.received.readline().decode("ascii").partition(" ")
        assert version == "HTTP/1.1", version
        headers: dict[str, str] = {}
        while (line := self.received.readline()) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            assert name not in headers
            headers[name] = value.strip()
        body = b"" if method == "HEAD" else self.received.read(int(headers["content-length"]))
        return Reply(int(status[:3]), headers, body)

    def ends(self) -> bool:
        """Whether nothing more comes; waits for the end or for more."""
        return self.received.read(1) == b""


def get(target: str, *lines: str, version: str = "1.1", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/{version}", "Host: x", *lines, "", ""]).encode("latin-1")


def post(target: str, body: bytes, *lines: str, version: str = "1.1") -> bytes:
    return get(target, f"Content-Length: {len(body)}", *lines, version=version, method="POST") + body


def modify(fid: int, act: int) -> bytes:
    return post(MODIFY, f"fid={fid}&act={act}".encode(), BEARER)


def attribute(fid: int) -> bytes:
    return get(f"/x/relation?fid={fid}", BEARER)


def tagged(number: int) -> bytes:
    """A request whose reply carries the number, and needs no store."""
    return get(f"/nowhere?callback=n{number}")


def number_in(reply: Reply) -> int:
    match = re.match(rb"n(\d+)\(", reply.body)
    assert match is not None, reply.body
    return int(match[1])


@pytest.fixture(scope="module")
def served(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose store may be written to, and that has said nothing when all is done."""
    url = people_store(stores.new(engine))
    with quiet_server(tmp_path_factory.mktemp("http1"), "--store", url) as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    client = Client(served.address)
    yield client
    client.close()


@contextmanager
def another(served: Served) -> Iterator[Client]:
    client = Client(served.address)
    try:
        yield client
    finally:
        client.close()


# The order of replies


def test_requests_in_one_segment_are_answered_in_their_order(client: Client) -> None:
    client.send(
        tagged(1), get(INFO), get(INFO, method="HEAD"), get(INFO, method="PUT"), get(DOCUMENT), get(MYINFO), tagged(2)
    )
    assert number_in(client.reply()) == 1
    assert client.reply().data["mid"] == HUB
    assert client.reply("HEAD").status == 200
    assert client.reply().status == 405
    assert "openapi" in json.loads(client.reply().body)
    assert client.reply().code == -101
    assert number_in(client.reply()) == 2


def test_what_follows_a_write_in_its_segment_waits_for_it(client: Client) -> None:
    client.send(
        *(modify(STRANGER, 1), attribute(STRANGER), tagged(1), modify(STRANGER, 2), attribute(STRANGER)),
        *(modify(FAN, 1), modify(STRANGER, 1), attribute(FAN), attribute(STRANGER)),
        *(modify(FAN, 2), modify(STRANGER, 2), tagged(2)),
    )
    assert client.reply().code == 0
    assert client.reply().data["attribute"] == 2
    assert number_in(client.reply()) == 1
    assert client.reply().code == 0
    assert client.reply().data["attribute"] == 0
    assert [client.reply().code for _ in range(2)] == [0, 0]
    # The fan follows the viewer as well.
    assert [client.reply().data["attribute"] for _ in range(2)] == [6, 2]
    assert [client.reply().code for _ in range(2)] == [0, 0]
    assert number_in(client.reply()) == 2


def test_a_client_that_reads_only_when_it_can_send_no_more_gets_every_reply(served: Served) -> None:
    requests = [get(DOCUMENT) if number % 10 == 9 else tagged(number) for number in range(3_000)]
    client = Client(served.address, receive_bytes=1 << 16)
    sending = threading.Thread(target=client.send, args=requests)
    try:
        document = httpx.get(served.url + DOCUMENT, trust_env=False).content
        sending.start()
        # Whether it has sent all of it by then depends on how much the system keeps for both ends.
        sending.join(0.3)
        for number in range(len(requests)):
            reply = client.reply()
            if number % 10 == 9:
                assert reply.body == document
            else:
                assert number_in(reply) == number
        sending.join(DEADLINE_S)
    finally:
        client.close()


# How a request may come


def test_a_request_may_come_byte_by_byte(client: Client) -> None:
    in_parts = get(MODIFY, BEARER, "Transfer-Encoding: chunked", method="POST")
    in_parts += b"4\r\nfid=\r\n%x\r\n%d&act=2\r\n0\r\n\r\n" % (len(f"{STRANGER}&act=2"), STRANGER)
    for byte in modify(STRANGER, 1) + attribute(STRANGER) + in_parts + attribute(STRANGER):
        client.send(bytes([byte]))
    assert client.reply().code == 0
    assert client.reply().data["attribute"] == 2
    assert client.reply().code == 0
    assert client.reply().data["attribute"] == 0


@pytest.mark.parametrize("origin", ["http://x", "http://api.bilibili.com", "http://[::1]:80", "HTTP://user@x:1"])
def test_a_target_may_be_a_whole_url(client: Client, origin: str) -> None:
    client.send(
        get(origin + INFO), get(origin), get(f"{origin}?callback=n1"), get(f"{origin}/x/sp%61ce/acc/info?mid=1")
    )
    assert client.reply().data["mid"] == HUB
    assert (client.reply().status, number_in(client.reply()), client.reply().code) == (404, 1, -404)


def test_a_path_may_be_escaped(client: Client) -> None:
    client.send(get(f"/%78/sp%61ce/acc/inf%6F?mid={HUB}"), get(f"/x%2Fspace/acc/info?mid={HUB}"), get("/%ff%zz%"))
    assert [client.reply().data["mid"] for _ in range(2)] == [HUB, HUB]
    assert client.reply().status == 404


def test_lines_may_stand_empty_before_a_request(client: Client) -> None:
    client.send(b"\r\n", tagged(1), b"\r\n\r\n", tagged(2))
    assert [number_in(client.reply()) for _ in range(2)] == [1, 2]


def test_bytes_of_headers_need_not_be_ascii(client: Client) -> None:
    client.send(
        get(MYINFO, "X-Name: é\xff", "Cookie: a=\xe5\x8f; SESSDATA=" + TOKENS[VIEWER], "User-Agent:"),
        get(MYINFO, "Authorization: Bearer \xe5"),
    )
    assert client.reply().data["mid"] == VIEWER
    assert client.reply().code == -101


def test_of_a_header_that_is_repeated_the_first_line_counts(client: Client) -> None:
    client.send(get(MYINFO, "authorization: Bearer x", "AUTHORIZATION: Bearer " + TOKENS[VIEWER]))
    assert client.reply().code == -101
    client.send(get(MYINFO, "AUTHORIZATION: Bearer " + TOKENS[VIEWER], "authorization: Bearer x"))
    assert client.reply().data["mid"] == VIEWER


def test_of_a_forwarded_address_the_last_line_counts(file_url: str, tmp_path: Path) -> None:
    limited = ("--trust-forwarded", "--limit-address-reads", "1/86400")
    with quiet_server(tmp_path, "--store", file_url, *limited) as served, another(served) as client:
        for lines, code in (
            (("203.0.113.1", "203.0.113.2"), -404),
            (("203.0.113.3", "203.0.113.2"), -799),
            (("203.0.113.2", "203.0.113.1"), -404),
            (("203.0.113.1",), -799),
            (("203.0.113.4", "203.0.113.5", "203.0.113.6, 203.0.113.3"), -404),
        ):
            client.send(get("/nowhere", *(f"X-Forwarded-For: {line}" for line in lines)))
            assert client.reply().code == code, lines


@pytest.mark.parametrize("trailer", ["Cookie: SESSDATA=" + TOKENS[VIEWER], BEARER])
def test_what_comes_behind_a_body_in_parts_is_no_header(client: Client, trailer: str) -> None:
    """Neither of its own request nor of the next one."""
    for target, method in ((MODIFY, "POST"), (MYINFO, "GET")):
        client.send(
            get(target, "Transfer-Encoding: chunked", method=method),
            f"e\r\nfid={STRANGER}&act=1\r\n0\r\n{trailer}\r\nX-Else: 1\r\n\r\n".encode(),
            get(MYINFO),
            get(MYINFO, BEARER),
        )
        assert [client.reply().code for _ in range(3)] == [-101, -101, 0]


def test_who_asks_whether_to_go_on_is_told_so(client: Client) -> None:
    body = f"fid={STRANGER}&act=2".encode()
    head = post(MODIFY, body, BEARER, "Expect: 100-Continue").removesuffix(body)
    for _ in range(2):
        client.send(head)
        assert client.received.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert client.received.readline() == b"\r\n"
        client.send(body)
        assert client.reply().code == 0


# What is sent


def test_a_reply_says_what_it_is(client: Client) -> None:
    client.send(get(INFO), get(f"{INFO}&callback=cb"), get("/-/faces/1.svg"), get(INFO, method="PUT"), get("/nowhere"))
    for status, kind, more in (
        (200, JSON, set()),
        (200, "application/javascript; charset=utf-8", {"x-content-type-options"}),
        (200, "image/svg+xml; charset=utf-8", None),
        (405, JSON, {"allow"}),
        (404, JSON, set()),
    ):
        reply = client.reply()
        assert (reply.status, reply.headers["content-type"]) == (status, kind)
        assert parsedate_to_datetime(reply.headers["date"]).tzinfo is not None
        assert reply.headers["date"].endswith(" GMT")
        if more is not None:
            assert set(reply.headers) == {"content-type", "date", "content-length"} | more


@pytest.mark.parametrize("target", [INFO, "/nowhere", DOCUMENT, f"{INFO}&callback=cb"])
def test_head_is_get_without_a_body(client: Client, target: str) -> None:
    client.send(get(target), get(target, method="HEAD"), tagged(1))
    whole, head = client.reply(), client.reply("HEAD")
    assert (head.status, head.headers | {"date": ""}) == (whole.status, whole.headers | {"date": ""})
    assert int(head.headers["content-length"]) == len(whole.body) > 0
    assert number_in(client.reply()) == 1


# The end of a connection


def test_a_connection_goes_on_unless_its_client_says_otherwise(client: Client) -> None:
    for number in range(3):
        client.send(get(f"/nowhere?callback=n{number}", *(["Connection: keep-alive"] if number else [])))
        reply = client.reply()
        assert (number_in(reply), reply.headers.get("connection")) == (number, None)


@pytest.mark.parametrize(
    "last",
    [
        get(INFO, "Connection: close"),
        get(INFO, "Connection: Close"),
        get(INFO, "Connection: x, close"),
        get(INFO, version="1.0"),
        get(INFO, "Connection: keep-alive", version="1.0"),
        post(INFO, b"x" * 100, "Connection: close"),
        get(INFO, "Connection: Upgrade, close", "Upgrade: h2c"),
        get("x:80", method="CONNECT"),
    ],
)
@pytest.mark.parametrize("before", [b"", tagged(0)])
@pytest.mark.parametrize("behind", [b"", tagged(2)])
def test_a_last_request_is_answered_and_nothing_behind_it(
    client: Client, last: bytes, before: bytes, behind: bytes
) -> None:
    client.send(before, last, behind)
    if before:
        reply = client.reply()
        assert (number_in(reply), reply.headers.get("connection")) == (0, None)
    reply = client.reply()
    assert reply.status == (404 if last.startswith(b"CONNECT") else 405 if last.startswith(b"POST") else 200)
    assert (reply.headers["connection"], client.ends()) == ("close", True)


@pytest.mark.parametrize(
    "wish",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    ],
)
def test_who_wishes_for_another_protocol_is_answered_in_this_one(client: Client, wish: tuple[str, ...]) -> None:
    body = f"fid={STRANGER}&act=2".encode()
    client.send(get(INFO, *wish), post(MODIFY, body, BEARER, "X-Name: é", *wish), get(INFO, *wish), tagged(1))
    assert [client.reply().code for _ in range(3)] == [0, 0, 0]
    reply = client.reply()
    assert (number_in(reply), reply.headers.get("connection")) == (1, None)


def test_a_write_that_is_the_last_request_is_done_and_answered(client: Client) -> None:
    body = f"fid={STRANGER}&act=2".encode()
    client.send(tagged(1), post(MODIFY, body, BEARER, "Connection: close"))
    assert number_in(client.reply()) == 1
    reply = client.reply()
    assert (reply.code, reply.headers["connection"], client.ends()) == (0, "close", True)


def test_a_client_that_sends_no_more_still_gets_its_replies(client: Client) -> None:
    client.send(tagged(1), modify(STRANGER, 2), tagged(2), modify(STRANGER, 2))
    client.send_no_more()
    assert number_in(client.reply()) == 1
    assert client.reply().code == 0
    assert number_in(client.reply()) == 2
    assert (client.reply().code, client.ends()) == (0, True)


@pytest.mark.parametrize("coding", ["Content-Length: 500", "Transfer-Encoding: chunked"])
def test_a_body_that_is_cut_off_is_refused(client: Client, coding: str) -> None:
    client.send(modify(STRANGER, 2), get(MODIFY, coding, BEARER, method="POST"))
    client.send(f"e\r\nfid={STRANGER}&act=1\r\n".encode())
    client.send_no_more()
    assert client.reply().code == 0
    reply = client.reply()
    assert (reply.status, reply.body, reply.headers["connection"]) == (200, BAD_REQUEST, "close")
    assert client.ends()


@pytest.mark.parametrize("piece", [b"", b"G", b"GET /nowhere HTT", b"GET /nowhere HTTP/1.1\r\nHost: x\r\n"])
def test_what_has_not_become_a_request_gets_no_reply(client: Client, piece: bytes) -> None:
    client.send(tagged(1), piece)
    client.send_no_more()
    assert (number_in(client.reply()), client.ends()) == (1, True)


# What is refused


def refused(client: Client, status: int, body: bytes) -> None:
    """The next reply is this one, and the last."""
    reply = client.reply()
    assert (reply.status, reply.body) == (status, body)
    assert reply.headers | {"date": ""} == {
        "content-type": JSON,
        "date": "",
        "connection": "close",
        "content-length": str(len(body)),
    }
    assert client.ends()


NO_REQUESTS = {
    "version": b"GET /nowhere HTTP/9.9\r\n\r\n",
    "protocol": b"GET /nowhere FTP/1.1\r\n\r\n",
    "space in target": b"GET /no where HTTP/1.1\r\n\r\n",
    "byte in target": b"GET /\xe5\x8f HTTP/1.1\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\n\r\n",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "bare line ends": b"GET /nowhere HTTP/1.1\nHost: x\n\n",
    "no colon": b"GET /nowhere HTTP/1.1\r\nHost\r\n\r\n",
    "space before colon": b"GET /nowhere HTTP/1.1\r\nHost : x\r\n\r\n",
    "folded": b"GET /nowhere HTTP/1.1\r\nHost: x\r\n y\r\n\r\n",
    "zero": b"GET /nowhere HTTP/1.1\r\nHost: x\0y\r\n\r\n",
    "return": b"GET /nowhere HTTP/1.1\r\nHost: x\ry: z\r\n\r\n",
    "no host": get("http://[x/nowhere"),
}


@pytest.mark.parametrize("name", NO_REQUESTS)
def test_what_is_no_request_is_refused_after_those_before_it(client: Client, name: str) -> None:
    client.send(modify(STRANGER, 2), tagged(1), NO_REQUESTS[name], tagged(2))
    assert client.reply().code == 0
    assert number_in(client.reply()) == 1
    refused(client, 400, BAD_REQUEST)


@pytest.mark.parametrize("request_line", [b"BREW /nowhere HTTP/1.1", b"get /nowhere HTTP/1.1", b"\x16\x03\x01", b"x"])
def test_a_method_that_nobody_knows_is_refused_as_one(served: Served, request_line: bytes) -> None:
    for before in (b"", tagged(1)):
        with another(served) as client:
            client.send(before, request_line + b"\r\n\r\n", tagged(2))
            if before:
                assert number_in(client.reply()) == 1
            refused(client, 405, WRONG_METHOD)


CODINGS = {
    "both": ("Content-Length: 3", "Transfer-Encoding: chunked"),
    "both, the other way": ("Transfer-Encoding: chunked", "Content-Length: 3"),
    "two lengths": ("Content-Length: 3", "Content-Length: 13"),
    "two lengths in a line": ("Content-Length: 3, 13",),
    "a length with a sign": ("Content-Length: +3",),
    "a length below nothing": ("Content-Length: -3",),
    "a length in another base": ("Content-Length: 0x3",),
    "a length of digits apart": ("Content-Length: 1 3",),
    "a length beyond all": ("Content-Length: 99999999999999999999",),
    "chunked is not the last": ("Transfer-Encoding: chunked, gzip",),
    "chunked is not the last line": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "not chunked": ("Transfer-Encoding: gzip",),
    "almost chunked": ("Transfer-Encoding: xchunked",),
    "chunked behind a control": ("Transfer-Encoding: \x0bchunked",),
    "chunked before a colon": ("Transfer-Encoding : chunked",),
}


@pytest.mark.parametrize("name", CODINGS)
def test_where_a_body_ends_is_not_guessed(client: Client, name: str) -> None:
    """Else somebody between the client and the server could take what is in a body for a request, or the other way."""
    client.send(get("/nowhere", *CODINGS[name], method="POST"), b"3\r\nabc\r\n0\r\n\r\n", tagged(1))
    refused(client, 400, BAD_REQUEST)


@pytest.mark.parametrize("chunks", ["x", "3\r\nabcd\r\n0", "3\nabc\n0\n", "-3\r\nabc", "f" * 17, "3 \r\nabc\r\n0"])
def test_parts_that_are_none_are_refused(client: Client, chunks: str) -> None:
    client.send(get("/nowhere", "Transfer-Encoding: chunked", method="POST"), f"{chunks}\r\n\r\n".encode(), tagged(1))
    refused(client, 400, BAD_REQUEST)


def test_a_head_that_does_not_end_is_refused(client: Client) -> None:
    client.send(tagged(1))
    assert number_in(client.reply()) == 1
    client.send(b"GET /nowhere HTTP/1.1\r\nX-Long: ")
    try:
        while not select.select([client.socket], [], [], 0)[0]:
            client.send(b"x" * 1_000)
    except (BrokenPipeError, ConnectionResetError):
        pytest.fail("the reply comes before the end of the connection")
    refused(client, 431, BAD_REQUEST)


def test_a_head_in_many_reads_may_be_large(client: Client) -> None:
    """Less than the limit in all, however it is cut."""
    request = get("/nowhere?callback=n1", "X-Long: " + "x" * (HEAD_MAX - 1_000))
    for start in range(0, len(request), 1_000):
        client.send(request[start : start + 1_000])
    client.send(tagged(2))
    assert [number_in(client.reply()) for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("behind", [b"", tagged(1)])
@pytest.mark.parametrize("excess", [1, 7 * BODY_MAX_BYTES])
def test_a_client_that_sends_too_large_a_body_can_read_why(client: Client, excess: int, behind: bytes) -> None:
    """It sends all of it before it reads, and is not told that the connection is broken."""
    client.send(post(MODIFY, b"x" * (BODY_MAX_BYTES + excess), BEARER), behind)
    reply = client.reply()
    assert (reply.status, reply.body, reply.headers["connection"]) == (200, BAD_REQUEST, "close")
    assert client.ends()
    client.send(b"x")


def test_a_body_that_is_as_large_as_it_may_be_leaves_the_connection_usable(client: Client) -> None:
    client.send(post(MODIFY, b"x" * BODY_MAX_BYTES, BEARER), tagged(1))
    assert (client.reply().body, number_in(client.reply())) == (BAD_REQUEST, 1)


# In this process


LARGE = b"x" * (16 << 20)
NOTED: ContextVar[int] = ContextVar("NOTED", default=0)
IDLE_SWEEPS, COMING_SWEEPS, STALLED_SWEEPS, LINGERING_SWEEPS = 15, 6, 6, 2


class Echo:
    """An app that replies with what it was asked.

    At a path that begins with /later it waits for a turn of the loop, with /held until it is let go on. It fails
    where a path ends in failing. A path may have it send something large, or in drips.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = asyncio.Event()

    async def respond(self, request: Request) -> Response:
        self.asked.append(request.path)
        if request.path.startswith("/later"):
            await asyncio.sleep(0)
        if request.path.startswith("/held"):
            await self.let_go.wait()
        if request.path.endswith("failing"):
            raise RuntimeError("a fault of the app")
        if request.path.endswith("unsendable"):
            return Response(200, [("x-name", "名")], b"")
        if request.path.endswith("noting"):
            before = NOTED.get()
            NOTED.set(before + 1)
            await asyncio.sleep(0)
            return Response(200, JSON_HEADERS, str(before).encode())
        if request.path == "/large":
            return Response(200, JSON_HEADERS, LARGE)
        length = None if request.body is None else len(request.body)
        lines = request.header_lines("x-line")
        body = f"{request.method} {request.path} {request.query} {length} {lines}".encode()
        return Response(
            200, JSON_HEADERS, body, Manner(drip_bytes=4, drip_pause_s=0.05) if request.path == "/drips" else None
        )


class Visitor:
    """A client in the loop of the door. Its connection, as the door has it, is `connection`."""

    def __init__(self, own: socket.socket, connection: Connection) -> None:
        self.connection = connection
        self._socket = own
        self._received = b""

    @property
    def here(self) -> bool:
        """Whether the door has not ended the connection."""
        return not self.connection._transport.is_closing()

    def sweep(self, times: int) -> None:
        for _ in range(times):
            self.connection.sweep()

    async def send(self, *requests: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, b"".join(requests))

    def send_no_more(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def reads(self) -> bool:
        """Read something, if anything comes."""
        try:
            piece = await asyncio.get_running_loop().sock_recv(self._socket, 1 << 16)
        except ConnectionResetError:
            return False
        self._received += piece
        return piece != b""

    async def reply(self) -> Reply:
        """The next reply."""
        while b"\r\n\r\n" not in self._received:
            assert await self.reads(), self._received
        head, _, rest = self._received.partition(b"\r\n\r\n")
        pieces = [rest]
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        missing = int(headers["content-length"]) - len(rest)
        while missing > 0:
            self._received = b""
            assert await self.reads(), headers
            pieces.append(self._received)
            missing -= len(self._received)
        body = b"".join(pieces)
        end = int(headers["content-length"])
        self._received = body[end:]
        return Reply(int(status.split()[1]), headers, body[:end])

    async def ends(self) -> bool:
        """Whether nothing more comes before the end; waits for either."""
        return self._received == b"" and not await self.reads()


class House:
    """A door with such an app behind it, and visitors."""

    def __init__(self, app: Echo, door: Door, address: tuple[str, int]) -> None:
        self.app = app
        self.door = door
        self._address = address
        self._sockets: list[socket.socket] = []

    async def visitor(self, receive_bytes: int | None = None) -> Visitor:
        """One more client, once the door has noticed it."""
        before = set(self.door._connections)
        own = socket.socket()
        self._sockets.append(own)
        own.setblocking(False)
        if receive_bytes is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await asyncio.get_running_loop().sock_connect(own, self._address)
        await until(lambda: len(self.door._connections) > len(before))
        (connection,) = self.door._connections - before
        return Visitor(own, connection)

    def close(self) -> None:
        for own in self._sockets:
            own.close()


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something holds."""
    while not holds():  # noqa: ASYNC110  # nothing tells of most of what is waited for
        await asyncio.sleep(0)


@asynccontextmanager
async def house(*, taskless: bool = True) -> AsyncIterator[House]:
    """An open door, in the running loop."""
    app = Echo()
    door = Door(cast("Any", app), taskless=taskless)
    server = await asyncio.get_running_loop().create_server(door.connect, "127.0.0.1", 0)
    visited = House(app, door, server.sockets[0].getsockname())
    try:
        yield visited
    finally:
        app.let_go.set()
        visited.close()
        server.close()
        await door.close(0)


def in_loop(work: Coroutine[Any, Any, T], within_s: float = 20) -> T:
    """What it returns, run in a loop like that of a worker."""

    async def in_time() -> T:
        async with asyncio.timeout(within_s):
            return await work

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(in_time())


@pytest.fixture(params=[True, False], ids=["without tasks", "in tasks"])
def taskless(request: pytest.FixtureRequest) -> bool:
    """Whether replies are made without a task."""
    return bool(request.param)


# Time that passes


def test_a_client_that_asks_nothing_for_long_is_let_go() -> None:
    async def work() -> None:
        async with house() as visited:
            silent, done = await visited.visitor(), await visited.visitor()
            for _ in range(3):
                done.sweep(IDLE_SWEEPS - 1)
                await done.send(get("/path"))
                assert (await done.reply()).status == 200
            for visitor in (silent, done):
                visitor.sweep(IDLE_SWEEPS - 1)
                assert visitor.here
                visitor.sweep(1)
                assert await visitor.ends()
            await until(lambda: not visited.door._connections)

    in_loop(work())


@pytest.mark.parametrize("piece", [b"GET /path", b"GET /path HTTP/1.1\r\nHost: x", post("/path", b"body")[:-2]])
def test_a_request_that_does_not_come_whole_is_refused(piece: bytes) -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            visitor.sweep(IDLE_SWEEPS - 1)
            await visitor.send(piece)
            await until(lambda: visitor.connection._coming)
            visitor.sweep(COMING_SWEEPS - 1)
            # What comes late does not begin the time anew.
            before = visitor.connection._late_bytes
            await visitor.send(b"x")
            await until(lambda: visitor.connection._late_bytes > before)
            assert not visitor.connection._lingering
            visitor.sweep(1)
            reply = await visitor.reply()
            assert (reply.status, reply.body, reply.headers["connection"]) == (408, BAD_REQUEST, "close")
            assert await visitor.ends()
            assert visited.app.asked == []

    in_loop(work())


def test_who_waits_for_a_reply_is_not_let_go(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            visitor = await visited.visitor()
            await visitor.send(get("/held"), get("/path"), post("/path", b"body")[:-1])
            await until(lambda: visitor.connection._coming and visited.app.asked == ["/held"])
            visitor.sweep(10 * IDLE_SWEEPS)
            visited.app.let_go.set()
            assert [(await visitor.reply()).status for _ in range(2)] == [200, 200]
            visitor.sweep(COMING_SWEEPS - 1)
            await visitor.send(b"y")
            assert b" 4 " in (await visitor.reply()).body

    in_loop(work())


def test_who_does_not_read_on_is_cut_off(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            visitor = await visited.visitor(receive_bytes=1 << 16)
            await visitor.send(get("/large"))
            await until(lambda: visitor.connection._transport.get_write_buffer_size() > 0)
            # As the loop does not turn meanwhile, nothing is sent between these.
            visitor.sweep(1 + STALLED_SWEEPS - 1)
            assert visitor.here
            visitor.sweep(1)
            assert not visitor.here
            await until(lambda: not visited.door._connections)
            received = 0
            while await visitor.reads():
                received, visitor._received = received + len(visitor._received), b""
            assert received < len(LARGE)

    in_loop(work())


def test_who_reads_slowly_is_not_cut_off() -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor(receive_bytes=1 << 16)
            unsent = visitor.connection._transport.get_write_buffer_size
            await visitor.send(get("/large"))
            await until(lambda: unsent() > 0)
            # In all for longer than anything else may take.
            for _ in range(3):
                visitor.sweep(STALLED_SWEEPS)
                before = unsent()
                while unsent() == before:
                    assert await visitor.reads()
            assert (await visitor.reply()).body == LARGE
            await visitor.send(get("/path"))
            assert (await visitor.reply()).status == 200

    in_loop(work())


def test_who_sends_on_what_nobody_wants_is_let_go_after_a_while() -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            visitor.sweep(IDLE_SWEEPS - 1)
            await visitor.send(b"GET nothing\r\n\r\n")
            assert (await visitor.reply()).status == 400
            assert await visitor.ends()
            visitor.sweep(LINGERING_SWEEPS - 1)
            await visitor.send(get("/path"), b"x" * 100_000)
            assert visitor.here
            visitor.sweep(1)
            assert not visitor.here
            await until(lambda: not visited.door._connections)
            assert visited.app.asked == []

    in_loop(work())


def test_who_stops_sending_what_nobody_wants_is_let_go_at_once() -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            await visitor.send(b"GET nothing\r\n\r\n")
            assert (await visitor.reply()).status == 400
            visitor.send_no_more()
            await until(lambda: not visited.door._connections)

    in_loop(work())


# What an app may do


def test_an_app_that_fails_is_a_fault_of_the_server(taskless: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            visitor = await visited.visitor()
            for path in ("/failing", "/later/failing"):
                await visitor.send(get(f"{path}?secret"), get("/path"))
                reply = await visitor.reply()
                assert (reply.status, reply.code, reply.headers["content-type"]) == (500, -500, JSON)
                assert "connection" not in reply.headers
                assert (await visitor.reply()).status == 200

    in_loop(work())
    assert caplog.messages == ["GET /failing failed", "GET /later/failing failed"]
    assert caplog.text.count("RuntimeError: a fault of the app") == 2
    assert "secret" not in caplog.text


def test_a_client_that_leaves_is_answered_for_nobody(taskless: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            visitor = await visited.visitor()
            await visitor.send(get("/held"), get("/path"))
            await until(lambda: visited.app.asked == ["/held"])
            visitor.reset()
            await until(lambda: visitor.connection._gone)
            # The store must not be closed meanwhile.
            assert visited.door._connections == {visitor.connection}
            visited.app.let_go.set()
            await until(lambda: not visited.door._connections)
            # Nobody is there who would want the second one.
            assert visited.app.asked == ["/held"]

    in_loop(work())
    assert caplog.messages == []


def test_no_more_is_kept_for_a_client_than_it_may_have(taskless: bool) -> None:
    """What it asks for beyond that is not asked of the app, and stays in the socket."""

    async def work() -> None:
        async with house(taskless=taskless) as visited:
            visitor = await visited.visitor(receive_bytes=1 << 16)
            # More than the system keeps for both ends.
            requests = [get(f"/path?n{number}=", "X-Long: " + "x" * 3_000) for number in range(6_000)]
            sending = asyncio.create_task(visitor.send(get("/large"), *requests))
            connection = visitor.connection
            await until(lambda: connection._full and len(connection._waiting) >= 16)
            waiting = len(connection._waiting)
            for _ in range(100):
                await asyncio.sleep(0)
            assert (len(connection._waiting), visited.app.asked) == (waiting, ["/large"])
            assert not sending.done()
            assert (await visitor.reply()).body == LARGE
            for number in range(len(requests)):
                assert f" n{number}= " in (await visitor.reply()).body.decode()
            await sending

    in_loop(work())


# Requests that are the last in an unusual way


@pytest.mark.parametrize("more", [("Connection: close",), ("Connection: Upgrade", "Upgrade: h2c")])
def test_a_last_request_whose_target_is_no_url_is_refused(more: tuple[str, ...]) -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            await visitor.send(get("http://[x/", *more))
            assert (await visitor.reply()).status == 400
            assert await visitor.ends()

    in_loop(work(), within_s=3)


@pytest.mark.parametrize("size", [3, BODY_MAX_BYTES + 1])
def test_a_body_that_is_cut_or_too_large_for_a_target_that_is_no_url_is_refused(size: int) -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            await visitor.send(post("http://[x/", b"x" * size)[: -1 if size == 3 else None])
            visitor.send_no_more()
            assert (await visitor.reply()).status == 400
            assert await visitor.ends()

    in_loop(work(), within_s=3)


def test_nobody_is_told_to_go_on_with_what_is_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """A request that stands in one read with the end of too large a body."""

    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            large = post("/path", b"x" * (BODY_MAX_BYTES + 1))
            await visitor.send(large[:-10])
            await until(lambda: visitor.connection._body_bytes == BODY_MAX_BYTES - 9)
            await visitor.send(large[-10:], post("/path", b"body", "Expect: 100-continue"))
            assert b" None " in (await visitor.reply()).body
            assert await visitor.ends()
            assert visitor.here

    in_loop(work())
    assert caplog.messages == []


def test_the_body_of_a_request_that_asks_for_another_protocol_is_its_body() -> None:
    """The client of the Java library asks so in its first request, whatever that is (RFC 9110, 7.8)."""

    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            await visitor.send(post("/path", b"body", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"))
            assert (await visitor.reply()).body == b"POST /path  4 []"

    in_loop(work())


def test_many_wishes_for_another_protocol_are_answered_in_this_one() -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            wishes = [post(f"/{number}", b"body", "Connection: Upgrade", "Upgrade: h2c") for number in range(2_000)]
            sending = asyncio.create_task(visitor.send(*wishes))
            for number in range(2_000):
                assert (await visitor.reply()).body == f"POST /{number}  4 []".encode()
            await sending

    in_loop(work())


def test_who_has_sent_the_body_is_not_told_to_send_it(taskless: bool) -> None:
    """A request that waits for its turn, and is whole by then."""

    async def work() -> None:
        async with house(taskless=taskless) as visited:
            visitor = await visited.visitor()
            await visitor.send(get("/held"), post("/path", b"body", "Expect: 100-continue"), get("/path"))
            await until(lambda: len(visitor.connection._waiting) == 2)
            visited.app.let_go.set()
            assert [(await visitor.reply()).status for _ in range(3)] == [200, 200, 200]

    in_loop(work())


def test_who_waits_to_be_told_so_is_told_when_it_is_its_turn(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            visitor = await visited.visitor()
            head = post("/path", b"body", "Expect: 100-continue").removesuffix(b"body")
            await visitor.send(get("/held"), head)
            await until(lambda: visitor.connection._expects_continue)
            visited.app.let_go.set()
            assert (await visitor.reply()).status == 200
            while not visitor._received:
                assert await visitor.reads()
            assert visitor._received == b"HTTP/1.1 100 Continue\r\n\r\n"
            visitor._received = b""
            await visitor.send(b"body")
            assert (await visitor.reply()).body == b"POST /path  4 []"

    in_loop(work())


def test_what_one_request_notes_in_its_context_the_next_does_not_see(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            first, second = await visited.visitor(), await visited.visitor()
            await first.send(get("/noting"), get("/later/noting"), get("/noting"))
            assert [(await first.reply()).body for _ in range(3)] == [b"0", b"0", b"0"]
            await second.send(get("/noting"))
            assert (await second.reply()).body == b"0"

    in_loop(work())


def test_a_reply_that_cannot_be_sent_ends_the_connection(taskless: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            for path in ("/unsendable", "/later/unsendable"):
                visitor = await visited.visitor()
                await visitor.send(get(path), get("/path"))
                assert await visitor.ends()
            assert visited.app.asked == ["/unsendable", "/later/unsendable"]

    in_loop(work())
    assert caplog.messages == ["a reply failed"] * 2


def test_who_sends_no_more_while_a_reply_drips_is_let_go_behind_it() -> None:
    async def work() -> None:
        async with house(taskless=False) as visited:
            visitor = await visited.visitor()
            await visitor.send(get("/drips"))
            assert await visitor.reads()
            visitor.send_no_more()
            assert (await visitor.reply()).body == b"GET /drips  0 []"
            assert await visitor.ends()

    in_loop(work(), within_s=3)


# The end of a door


def test_a_door_that_closes_while_a_reply_drips_ends_with_it() -> None:
    async def work() -> None:
        async with house(taskless=False) as visited:
            visitor = await visited.visitor()
            await visitor.send(get("/drips"))
            assert await visitor.reads()
            closing = asyncio.create_task(visited.door.close(DEADLINE_S))
            assert (await visitor.reply()).body == b"GET /drips  0 []"
            assert await visitor.ends()
            await closing

    in_loop(work(), within_s=3)


def test_a_door_that_closes_answers_what_is_being_answered(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            idle, coming, waiting = [await visited.visitor() for _ in range(3)]
            await idle.send(get("/path"))
            assert "connection" not in (await idle.reply()).headers
            await coming.send(b"GET /path HTTP/1.1\r\n")
            await waiting.send(get("/held"))
            await until(lambda: coming.connection._coming and visited.app.asked[1:] == ["/held"])
            closing = asyncio.create_task(visited.door.close(DEADLINE_S))
            assert await idle.ends()
            assert await coming.ends()
            assert not closing.done()
            visited.app.let_go.set()
            reply = await waiting.reply()
            assert (reply.status, reply.headers["connection"]) == (200, "close")
            assert await waiting.ends()
            await closing
            assert not visited.door._connections

    in_loop(work())


def test_a_door_that_closes_sends_what_has_been_answered() -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor(receive_bytes=1 << 16)
            await visitor.send(get("/large"))
            await until(lambda: visitor.connection._full)
            closing = asyncio.create_task(visited.door.close(DEADLINE_S))
            await until(lambda: not visitor.here)
            assert not closing.done()
            assert (await visitor.reply()).body == LARGE
            assert await visitor.ends()
            await closing

    in_loop(work())


def test_a_door_that_closes_cuts_off_in_time(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            held, stalled = await visited.visitor(), await visited.visitor(receive_bytes=1 << 16)
            await held.send(get("/held"))
            await stalled.send(get("/large"))
            await until(lambda: stalled.connection._full and held.connection._answering is not None)
            await visited.door.close(0.1)
            await until(lambda: held.connection._gone and stalled.connection._gone)
            assert await held.ends()

    in_loop(work())


def test_a_door_that_closes_lets_nobody_in(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            held = await visited.visitor()
            await held.send(get("/held"))
            await until(lambda: visited.app.asked == ["/held"])
            closing = asyncio.create_task(visited.door.close(DEADLINE_S))
            await until(lambda: visited.door.closed)
            late = await visited.visitor()
            assert await late.ends()
            visited.app.let_go.set()
            assert (await held.reply()).status == 200
            await closing

    in_loop(work())


# However a stream is cut


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def in_parts(target: str, body: bytes, *lines: str) -> bytes:
    parts = b"".join([b"1;x=y\r\n%c\r\n" % byte for byte in body])
    return get(target, *lines, "Transfer-Encoding: chunked", method="POST") + parts + b"0\r\nX-Line: no\r\n\r\n"


# Each with the reply to it.
STREAM: list[tuple[bytes, str]] = [
    (get("/path"), "GET /path  0 []"),
    (get("/path?a=b&c=%20", "X-Line: 1", "x-line: 2"), "GET /path a=b&c=%20 0 ['1', '2']"),
    (get("/later?a"), "GET /later a 0 []"),
    (get("/l%61ter/x%20y", "X-Line:"), "GET /later/x y  0 ['']"),
    (get("http://x:1/later?q"), "GET /later q 0 []"),
    (b"\r\n" + get("http://x?q", "Connection: keep-alive"), "GET / q 0 []"),
    (post("/path", b"body", "X-Line: \xff"), "POST /path  4 ['\xff']"),
    (post("/later", get("/path")), f"POST /later  {len(get('/path'))} []"),
    (post("/path", b""), "POST /path  0 []"),
    (in_parts("/path?c", b"body", "X-Line: 1"), "POST /path c 4 ['1']"),
    (in_parts("/later", b"\r\n0\r\n"), "POST /later  5 []"),
    (get("/later", method="DELETE"), "DELETE /later  0 []"),
]


def replies_in(written: bytes) -> list[str]:
    """The bodies of replies, each of which must be in order."""
    found = []
    while written:
        head, _, rest = written.partition(b"\r\n\r\n")
        match = re.fullmatch(rb"HTTP/1.1 200 OK\r\ncontent-type: [^\r]+\r\ndate: [^\r]+\r\ncontent-length: (\d+)", head)
        assert match is not None, head
        found.append(rest[: int(match[1])].decode())
        written = rest[int(match[1]) :]
    return found


async def replies_to(segments: list[bytes], turns: int, *, taskless: bool) -> list[str]:
    """What is replied to a stream that comes in these segments, with so many turns of the loop between them."""
    door = Door(cast("Any", Echo()), taskless=taskless)
    connection, wire = door.connect(), Wire()
    connection.connection_made(wire)
    for segment in segments:
        await until(lambda: wire.reading)
        connection.data_received(segment)
        for _ in range(turns):
            await asyncio.sleep(0)
    await until(lambda: not connection._busy())
    connection.connection_lost(None)
    await door.close(0)
    assert not wire.closed
    return replies_in(bytes(wire.written))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(STREAM), min_size=1, max_size=40),
    st.lists(st.integers(1, 5_000), max_size=30),
    st.integers(0, 3),
    st.booleans(),
)
def test_replies_are_the_same_however_requests_are_cut(
    asked: list[tuple[bytes, str]], cuts: list[int], turns: int, taskless: bool
) -> None:
    stream = b"".join([request for request, _ in asked])
    places = [0, *sorted({cut for cut in cuts if cut < len(stream)}), len(stream)]
    segments = [stream[start:end] for start, end in itertools.pairwise(places)]
    assert in_loop(replies_to(segments, turns, taskless=taskless)) == [reply for _, reply in asked]


@pytest.mark.parametrize("turns", [0, 1])
def test_replies_are_the_same_byte_by_byte_and_in_one_piece(taskless: bool, turns: int) -> None:
    stream = b"".join([request for request, _ in 3 * STREAM])
    expected = [reply for _, reply in 3 * STREAM]
    assert in_loop(replies_to([stream], turns, taskless=taskless)) == expected
    assert in_loop(replies_to([bytes([byte]) for byte in stream], turns, taskless=taskless)) == expected
