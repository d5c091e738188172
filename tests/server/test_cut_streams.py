"""However a stream of requests is cut into segments, the replies are the same."""

import asyncio
import itertools
import re
from typing import Any, cast

import pytest
from door_world import (
    BOTH_WAYS,
    Echo,
    in_loop,
    until,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_http import get, post

from upspace.server.door import Door


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


INNER = get("/path?a", "X-Line: 2")
# Requests that have much in common, in pieces that may be mistaken for others, and what is replied.
ALIKE = [
    ([get("/path?a")], "GET /path a 0 []"),
    ([get("/path?b")], "GET /path b 0 []"),
    ([get("/path?a", "X-Line: 1")], "GET /path a 0 ['1']"),
    ([get("/path?b", "X-Line: 1")], "GET /path b 0 ['1']"),
    ([INNER], "GET /path a 0 ['2']"),
    ([get("/later?a", "X-Line: 1")], "GET /later a 0 ['1']"),
    ([get("/path?a", "X-Line: 1", method="DELETE")], "DELETE /path a 0 ['1']"),
    ([get("/path?a", "Connection: Upgrade", "Upgrade: h2c")], "GET /path a 0 []"),
    (
        [b"GET /path?a HTTP/1.1\r\nX-Line: 3 ", get("/path?b", "Connection: Upgrade", "Upgrade: h2c")],
        "GET /path a 0 ['3 GET /path?b HTTP/1.1']",
    ),
    (
        [b"GET /path?a HTTP/1.1\r\nX-Line: 4 ", get("/path?b", "X-Line: 1")],
        "GET /path a 0 ['4 GET /path?b HTTP/1.1', '1']",
    ),
    ([post("/path", INNER)[: -len(INNER)], INNER], f"POST /path  {len(INNER)} []"),
    (
        [
            get("/path", "Transfer-Encoding: chunked", method="POST") + b"%x\r\n" % len(INNER),
            INNER,
            b"\r\n0\r\n\r\n",
        ],
        f"POST /path  {len(INNER)} []",
    ),
]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(ALIKE), max_size=20),
    st.lists(st.booleans(), min_size=60, max_size=60),
    st.booleans(),
)
def test_replies_are_the_same_however_much_requests_are_alike(
    asked: list[tuple[list[bytes], str]], joined: list[bool], taskless: bool
) -> None:
    segments: list[bytes] = []
    for piece, is_joined in zip(itertools.chain.from_iterable(pieces for pieces, _ in asked), joined, strict=False):
        if segments and is_joined:
            segments[-1] += piece
        else:
            segments.append(piece)
    assert in_loop(replies_to(segments, 1, taskless=taskless)) == [reply for _, reply in asked]


LINE_1, LINE_2 = "X-Line: 1", "X-Line: 2"
LONG = b"GET /path HTTP/1.1\r\nX-Line: 3 "
WISH = ("Connection: Upgrade", "Upgrade: h2c")
# Reads of one connection that could teach it a head that is none, and then the read that would be mistaken for it.
MISLEADING: dict[str, tuple[list[bytes], list[str]]] = {
    "a body that ends where a request begins": (
        [
            post("/body", get("/path", LINE_1))[: -len(get("/path", LINE_1))],
            get("/path", LINE_1) + get("/path", LINE_2),
            get("/first", LINE_1) + get("/path", LINE_2),
        ],
        [
            f"POST /body  {len(get('/path', LINE_1))} []",
            "GET /path  0 ['2']",
            "GET /first  0 ['1']",
            "GET /path  0 ['2']",
        ],
    ),
    "a head that goes on in what looks like a request, with a wish for another protocol": (
        [LONG, get("/path", *WISH), get("/first", *WISH)],
        ["GET /path  0 ['3 GET /path HTTP/1.1']", "GET /first  0 []"],
    ),
    "two requests for the same in one read": (
        [
            get("/path", LINE_1) + get("/path", LINE_2),
            get("/path", LINE_1) + get("/path", LINE_2),
            get("/path", LINE_1),
        ],
        ["GET /path  0 ['1']", "GET /path  0 ['2']"] * 2 + ["GET /path  0 ['1']"],
    ),
}


@pytest.mark.parametrize("what", MISLEADING)
@BOTH_WAYS
def test_what_was_no_request_by_itself_is_not_learned(what: str, taskless: bool) -> None:
    reads, expected = MISLEADING[what]
    assert in_loop(replies_to(reads, 1, taskless=taskless)) == expected


@pytest.mark.parametrize("turns", [0, 1])
@BOTH_WAYS
def test_replies_are_the_same_byte_by_byte_and_in_one_piece(taskless: bool, turns: int) -> None:
    stream = b"".join([request for request, _ in 3 * STREAM])
    expected = [reply for _, reply in 3 * STREAM]
    assert in_loop(replies_to([stream], turns, taskless=taskless)) == expected
    assert in_loop(replies_to([bytes([byte]) for byte in stream], turns, taskless=taskless)) == expected
