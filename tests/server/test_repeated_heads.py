"""What a client sends again is read once, and nobody can tell."""

from typing import Any

import httptools
import pytest
from door_world import BOTH_WAYS, house, in_loop, until
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_http import get, post

from upspace.server.heads import Headers, RepeatedHead


class Read:
    """What the parser makes of some bytes, all of which are requests."""

    def __init__(self, data: bytes) -> None:
        self.begun = self.done = 0
        self.url, self.body = b"", b""
        self.headers = Headers()
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(data)
        self.ending = (parser.get_method(), parser.get_http_version(), parser.should_keep_alive())

    def on_message_begin(self) -> None:
        self.begun += 1
        self.url, self.headers = b"", Headers()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.add(name, value)

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.done += 1

    def found(self) -> tuple[Any, ...]:
        return self.begun, self.done, self.url, self.headers.all_lines(), self.body, self.ending


def learned(data: bytes) -> tuple[RepeatedHead, Read]:
    read = Read(data)
    repeated = RepeatedHead()
    repeated.learn(data, read.url, read.headers)
    return repeated, read


LINES = st.lists(
    st.sampled_from(
        ["Cookie: SESSDATA=a", "Connection: keep-alive", "X: 1", "X: 2", "Accept:", "Authorization: Bearer \xff b"]
    ),
    max_size=5,
)
PIECES = st.one_of(
    st.sampled_from(["/", "/x/space/acc/info?mid=1", "http://x/", "*", "?", "#", "%", '"<>\\^`{|}[]~', "\xff"]),
    st.sampled_from([" ", "\t", "\0", "\r", "\n", "\r\n", " HTTP/1.1", "GET ", "Host: y", "Content-Length: 1"]),
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(st.characters(max_codepoint=255))), LINES)
@example("/a HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /b", [])
@example("/a HTTP/1.1\r\nContent-Length: 5", [])
def test_a_target_that_is_taken_is_one_that_the_parser_reads_with_the_same_headers(
    target: str, lines: list[str]
) -> None:
    repeated, first = learned(get("/first", *lines))
    data = get(target, *lines)
    taken = repeated.target(data)
    if taken is None:
        return
    again = Read(data)
    assert again.found() == (1, 1, taken.encode("ascii"), first.headers.all_lines(), b"", first.ending)
    assert repeated.headers.all_lines() == first.headers.all_lines()


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)))
def test_every_target_in_plain_characters_is_taken(rest: str) -> None:
    repeated, _ = learned(get("/first"))
    assert repeated.target(get("/" + rest)) == "/" + rest


@pytest.mark.parametrize(
    "data",
    [
        get("/a", version="1.0"),
        get("/a", method="HEAD"),
        get("/a", method="DELETE"),
        post("/a", b"body"),
        post("/a", b""),
        get("/a", "Content-Length: 4") + b"\r\n\r\n",
        get("/a", "Content-Length: 0"),
        get("/a", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        get("/a", "Expect: 100-continue"),
        get("/a", "Upgrade: h2c"),
        get("/a", "X: " + "x" * 9_000),
        b"\r\n" + get("/a"),
    ],
)
def test_what_may_end_elsewhere_is_left_to_the_parser(data: bytes) -> None:
    repeated, read = learned(data)
    assert (read.begun, read.done) == (1, 1)
    assert repeated.target(data) is None


def test_nothing_is_taken_before_something_was_learned_and_nothing_cut() -> None:
    data = get("/a", "X: 1")
    assert RepeatedHead().target(data) is None
    repeated, _ = learned(data)
    assert repeated.target(data) == "/a"
    for end in range(len(data)):
        assert repeated.target(data[:end]) is None
    assert repeated.target(data + get("/b", "X: 2")) is None
    assert repeated.target(get("/b", "X: 2")) is None


@BOTH_WAYS
def test_requests_with_the_same_head_are_answered_each_for_itself(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            visitor = await visited.visitor()
            asked = [
                (get("/a?1"), "GET /a 1 0 []"),
                (get("/b%20c?2"), "GET /b c 2 0 []"),
                (get("/later"), "GET /later  0 []"),
                (get("/a?1", "X-Line: 1"), "GET /a 1 0 ['1']"),
                (get("/a?2", "X-Line: 1"), "GET /a 2 0 ['1']"),
                (get("/a?3", "X-Line: 2"), "GET /a 3 0 ['2']"),
                (get("/a?4", "X-Line: 1"), "GET /a 4 0 ['1']"),
                (post("/a?5", b"body", "X-Line: 1"), "POST /a 5 4 ['1']"),
                (get("/a?6", "X-Line: 1"), "GET /a 6 0 ['1']"),
                (get("/a?7") + get("/a?8"), "GET /a 7 0 []"),
                (b"", "GET /a 8 0 []"),
                (get("/a?9"), "GET /a 9 0 []"),
                (get("/a b"), None),
            ]
            for request, expected in asked:
                await visitor.send(request)
                reply = await visitor.reply()
                if expected is None:
                    assert reply.status == 400
                else:
                    assert reply.body.decode() == expected
            assert await visitor.ends()

    in_loop(work())


def test_the_parser_is_asked_about_new_heads_alone() -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            parsed: list[bytes] = []
            feed = visitor.connection._feed

            def watched(data: bytes) -> None:
                parsed.append(data)
                feed(data)

            visitor.connection._feed = watched  # type: ignore[method-assign]  # it is what is watched
            for request in (get("/a"), get("/b"), get("/a"), get("/a", "X: 1"), get("/c", "X: 1"), get("/a")):
                await visitor.send(request)
                await visitor.reply()
            assert parsed == [get("/a"), get("/a", "X: 1"), get("/a")]

    in_loop(work())


@BOTH_WAYS
def test_a_head_that_is_repeated_behind_half_a_request_belongs_to_that(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            visitor = await visited.visitor()
            inner = get("/inner")
            outer = post("/outer", inner)
            for _ in range(2):
                await visitor.send(inner)
                assert (await visitor.reply()).body == b"GET /inner  0 []"
                await visitor.send(outer[: -len(inner)])
                await until(lambda: visitor.connection._coming)
                await visitor.send(inner)
                assert (await visitor.reply()).body == f"POST /outer  {len(inner)} []".encode()

    in_loop(work())


def test_repeated_requests_wait_for_their_turn_and_are_no_idleness() -> None:
    async def work() -> None:
        async with house() as visited:
            visitor = await visited.visitor()
            await visitor.send(get("/first"))
            await visitor.reply()
            visitor.sweep(3)
            await visitor.send(get("/held"))
            await until(lambda: visited.app.asked[-1] == "/held")
            assert visitor.connection._quiet == 0
            await visitor.send(get("/second"))
            await until(lambda: bool(visitor.connection._waiting))
            visited.app.let_go.set()
            assert [(await visitor.reply()).body for _ in range(2)] == [b"GET /held  0 []", b"GET /second  0 []"]

    in_loop(work())
