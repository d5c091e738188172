"""When a door ends connections, what it keeps for them, and how it ends itself."""

import asyncio

import pytest
from conftest import DEADLINE_S
from door_world import (
    BOTH_WAYS,
    COMING_SWEEPS,
    IDLE_SWEEPS,
    LARGE,
    LINGERING_SWEEPS,
    STALLED_SWEEPS,
    house,
    in_loop,
    until,
)
from raw_http import BAD_REQUEST, JSON, get, post

from upspace.server.http import BODY_MAX_BYTES

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


@BOTH_WAYS
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


@BOTH_WAYS
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


@BOTH_WAYS
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


@BOTH_WAYS
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


@BOTH_WAYS
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


@BOTH_WAYS
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


@BOTH_WAYS
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


@BOTH_WAYS
def test_what_one_request_notes_in_its_context_the_next_does_not_see(taskless: bool) -> None:
    async def work() -> None:
        async with house(taskless=taskless) as visited:
            first, second = await visited.visitor(), await visited.visitor()
            await first.send(get("/noting"), get("/later/noting"), get("/noting"))
            assert [(await first.reply()).body for _ in range(3)] == [b"0", b"0", b"0"]
            await second.send(get("/noting"))
            assert (await second.reply()).body == b"0"

    in_loop(work())


@BOTH_WAYS
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


@BOTH_WAYS
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


@BOTH_WAYS
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


@BOTH_WAYS
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
