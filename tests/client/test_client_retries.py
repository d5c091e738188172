"""Which calls are sent again after which refusals, and how long the pauses are. No test waits."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import httpx
import pytest
from client_forms import FORMS, Connect, connecting
from client_samples import CALLS, ROWS
from contract_codes import MESSAGES

from upspace.client import AsyncClient, Call, UnknownCodeError, UnreadableReplyError, calls
from upspace.wire import errors
from upspace.wire.envelope import answer
from upspace.wire.errors import ContractError

URL = "http://127.0.0.1:9"
FOR_READS, FOR_WRITES = {-799, -412, -503}, {-799, -412}
DONE = answer(0, "0", {"tagid": 7})
OVERLOADED = answer(-503, "")


@pytest.fixture(params=FORMS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with connecting(request.param) as connect:
        yield connect


class Said(NamedTuple):
    """A reply."""

    content: bytes
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed


class Server:
    """Answers with replies in their order, the last of them for ever, and keeps what it was asked."""

    def __init__(self, *replies: Said) -> None:
        self._replies = list(replies)
        self.requests: list[tuple[str, str, bytes]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append((request.method, str(request.url), request.content))
        said = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return httpx.Response(said.status, content=said.content, headers=said.headers)


def refused(code: int, message: str = "", retry_after: str | None = None) -> Said:
    return Said(answer(code, message), headers={} if retry_after is None else {"Retry-After": retry_after})


@pytest.mark.parametrize("code", [*MESSAGES, -8888])
def test_reads_and_writes_are_sent_again_after_refusals_that_pass(connect: Connect, code: int) -> None:
    sent: list[tuple[Call[Any], set[int]]] = [(calls.fans(7), FOR_READS), (calls.create_group("a"), FOR_WRITES)]
    for call, codes in sent:
        server, pauses = Server(refused(code)), list[float]()
        with pytest.raises((ContractError, UnknownCodeError)):
            connect(URL, answer=server, pause=pauses.append).send(call)
        # Three times more is the default.
        assert len(server.requests) == (4 if code in codes else 1)
        assert len(pauses) == len(server.requests) - 1


@pytest.mark.parametrize("name", ROWS)
def test_what_changes_something_is_not_sent_again_when_it_may_have_been_done(connect: Connect, name: str) -> None:
    for code in FOR_READS:
        server = Server(refused(code))
        with pytest.raises(ContractError):
            connect(URL, answer=server, pause=lambda _: None, retries=1).send(CALLS[name])
        again = code in FOR_WRITES or not ROWS[name].write
        assert len(server.requests) == (2 if again else 1)
        # It is the very same request.
        assert len(set(server.requests)) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Said(answer(-799, "") + DONE),
        Said(b"<html>", 412),
        Said(b"", 503),
        Said(DONE[:-3]),
    ],
    ids=["glued", "html", "empty", "truncated"],
)
def test_what_cannot_be_read_is_not_sent_again(connect: Connect, reply: Said) -> None:
    server = Server(reply)
    with pytest.raises(UnreadableReplyError):
        connect(URL, answer=server).nav()
    assert len(server.requests) == 1


def test_a_connection_that_fails_is_not_tried_again(connect: Connect) -> None:
    tried: list[httpx.Request] = []

    def fail(request: httpx.Request) -> httpx.Response:
        tried.append(request)
        raise httpx.ConnectError("refused")

    with pytest.raises(httpx.ConnectError, match="refused"):
        connect(URL, answer=fail).nav()
    assert len(tried) == 1


def test_the_reply_that_comes_in_the_end_counts(connect: Connect) -> None:
    for replies in ([refused(-799)], [refused(-412), refused(-799)], [refused(-799)] * 3):
        server, pauses = Server(*replies, Said(DONE)), list[float]()
        assert connect(URL, answer=server, pause=pauses.append).create_group("a").tagid == 7
        assert len(pauses) == len(replies)


def test_the_last_refusal_is_raised_as_it_is(connect: Connect) -> None:
    server = Server(refused(-799), refused(-412, "first"), refused(-412, "last"))
    with pytest.raises(errors.InterceptedError, match=r"^last$") as caught:
        connect(URL, answer=server, pause=lambda _: None, retries=2).nav()
    assert caught.value.__cause__ is None
    # A refusal that does not pass ends it at once.
    server = Server(refused(-799), refused(22001))
    with pytest.raises(errors.SelfTargetError):
        connect(URL, answer=server, pause=lambda _: None).follow(7)
    assert len(server.requests) == 2


def test_without_retries_there_is_one_attempt(connect: Connect) -> None:
    server = Server(refused(-799))
    with pytest.raises(errors.RateLimitedError):
        connect(URL, answer=server, retries=0).nav()
    assert len(server.requests) == 1
    with pytest.raises(ValueError, match="retries must not be negative: -1"):
        connect(URL, retries=-1)


# Pauses


def pauses_of(connect: Connect, reply: Said, retries: int) -> list[float]:
    pauses: list[float] = []
    with pytest.raises(ContractError):
        connect(URL, answer=Server(reply), pause=pauses.append, retries=retries).nav()
    return pauses


def test_pauses_are_drawn_below_a_bound_that_doubles(connect: Connect) -> None:
    pauses = pauses_of(connect, refused(-412), 40)
    bounds = [min(5.0, 0.2 * 2**number) for number in range(40)]
    assert all(0 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert len(set(pauses)) == 40
    assert max(pauses) > 1


@pytest.mark.parametrize("seconds", [1, 7, 30])
def test_a_pause_is_as_long_as_the_server_asks_for(connect: Connect, seconds: int) -> None:
    pauses = pauses_of(connect, refused(-799, retry_after=str(seconds)), 3)
    assert [seconds <= pause <= seconds + 0.2 * 2**number for number, pause in enumerate(pauses)] == [True] * 3


def test_a_server_that_asks_for_too_long_a_pause_is_not_asked_again(connect: Connect) -> None:
    for seconds in ("31", "86400", "999999999"):
        assert pauses_of(connect, refused(-799, retry_after=seconds), 3) == []


@pytest.mark.parametrize("text", ["", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "-5", "9" * 5000])
def test_a_retry_after_that_says_nothing_is_none(connect: Connect, text: str) -> None:
    (pause,) = pauses_of(connect, refused(-799, retry_after=text), 1)
    assert pause <= 0.2


# Tasks


def refusing_each(times: int) -> Callable[[httpx.Request], httpx.Response]:
    """Refuses the first requests about each account."""
    asked: dict[str, Iterator[int]] = {}

    def answer_one(request: httpx.Request) -> httpx.Response:
        mid = request.url.params["vmid"]
        if next(asked.setdefault(mid, count())) < times:
            return httpx.Response(503, content=OVERLOADED)
        data = {"mid": int(mid), "following": 0, "whisper": 0, "black": 0, "follower": 0}
        return httpx.Response(200, content=answer(0, "0", data))

    return answer_one


def test_tasks_that_share_a_client_count_their_attempts_apart() -> None:
    async def run() -> list[int]:
        transport = httpx.MockTransport(refusing_each(3))

        async def pause(_: float) -> None:
            await asyncio.sleep(0)

        async with AsyncClient(URL, transport=transport, pause=pause) as client:
            stats = await asyncio.gather(*(client.relation_stat(mid) for mid in range(1, 51)))
        return [stat.mid for stat in stats]

    assert asyncio.run(run()) == list(range(1, 51))


def test_a_task_can_be_cancelled_while_it_pauses() -> None:
    async def run() -> None:
        pausing, never = asyncio.Event(), asyncio.Event()

        async def pause(_: float) -> None:
            pausing.set()
            await never.wait()

        transport = httpx.MockTransport(lambda _: httpx.Response(503, content=OVERLOADED))
        async with AsyncClient(URL, transport=transport, pause=pause) as client:
            task = asyncio.create_task(client.nav())
            await pausing.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
