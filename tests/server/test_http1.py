"""Where requests begin and end on a socket, in which order they are answered, and when a connection ends."""

import json
import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from conftest import DEADLINE_S, Served, quiet_server
from people import FAN, HUB, STRANGER, TOKENS, VIEWER, people_store
from raw_http import BAD_REQUEST, JSON, Reply, get, post
from stores import Stores

from upspace.server.http import BODY_MAX_BYTES

HEAD_MAX = 1 << 16
BEARER = f"Authorization: Bearer {TOKENS[VIEWER]}"
INFO = f"/x/space/acc/info?mid={HUB}"
MYINFO = "/x/space/myinfo"
MODIFY = "/x/relation/modify"
DOCUMENT = "/-/openapi.json"

WRONG_METHOD = '{"code":-405,"message":"不支持该方法","ttl":1}'.encode()


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
