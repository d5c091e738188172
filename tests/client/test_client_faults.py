"""Both clients against every fault that a server can be told to answer with, over sockets, on both engines."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import httpx
import pytest
from client_forms import FORMS, Connect, connecting
from client_world import READER, STAR, fill, token_of
from conftest import quiet_server
from stores import Stores

from upspace.client import UnknownCodeError, UnreadableReplyError
from upspace.testing import Upspace
from upspace.wire import errors
from upspace.wire.faults import Shape


class Expected(NamedTuple):
    """What a client raises for a shape: the class, the HTTP status it tells, and what is in its text or data."""

    error: type[Exception]
    status: int | None = 200
    holds: str = ""


# For followers, whose reply is a list.
EXPECTED = {
    Shape.RISK: Expected(errors.RiskControlError, holds="voucher_"),
    Shape.INTERCEPTED: Expected(errors.InterceptedError, 412),
    Shape.BANNED: Expected(errors.InterceptedError, 412, "request was banned"),
    Shape.FREQUENT: Expected(errors.RateLimitedError),
    Shape.LIMITED: Expected(errors.TooFrequentError),
    Shape.GLUED: Expected(UnreadableReplyError, holds="-799"),
    Shape.ILLEGAL: Expected(errors.IllegalAccessError, holds="verify_captcha"),
    Shape.FORBIDDEN: Expected(errors.ForbiddenError),
    Shape.LOGGED_OUT: Expected(errors.NotSignedInError),
    Shape.BUSY: Expected(UnknownCodeError, holds="-8888"),
    Shape.ERROR: Expected(errors.ServerFaultError, 500),
    Shape.OVERLOAD: Expected(errors.UnavailableError, 503),
    Shape.TIMEOUT: Expected(errors.TimedOutError, 504),
    Shape.HTML: Expected(UnreadableReplyError, 412, "<!DOCTYPE html>"),
    Shape.EMPTY_DATA: Expected(UnreadableReplyError, holds="list"),
    Shape.NULL_DATA: Expected(UnreadableReplyError, holds="null"),
    Shape.NULL_LIST: Expected(UnreadableReplyError, holds="null"),
    Shape.TRUNCATED: Expected(UnreadableReplyError, holds="truncated"),
    Shape.EMPTY: Expected(UnreadableReplyError),
    Shape.RESET: Expected(httpx.ReadError, None),
    Shape.CUT_OFF: Expected(httpx.RemoteProtocolError, None),
    Shape.REFUSAL: Expected(errors.FollowersHiddenError),
}


@pytest.fixture(scope="module")
def served(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upspace]:
    url = stores.new(engine)
    fill(url)
    with (
        quiet_server(tmp_path_factory.mktemp("faulty"), "--store", url, "--control") as server,
        closing(Upspace(server.url)) as upspace,
    ):
        yield upspace
    stores.drop(url)


@pytest.fixture
def faulty(served: Upspace) -> Upspace:
    served.end_faults()
    served.forget_requests()
    return served


@pytest.fixture(params=FORMS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with connecting(request.param) as connect:
        yield connect


def test_every_shape_but_a_slow_one_raises_something() -> None:
    assert set(EXPECTED) == set(Shape) - {Shape.SLOW}


@pytest.mark.parametrize("shape", EXPECTED)
def test_a_fault_is_raised_as_what_it_is_and_the_next_call_is_answered(
    faulty: Upspace, connect: Connect, shape: Shape
) -> None:
    expected = EXPECTED[shape]
    client = connect(faulty.url, retries=0)
    if shape is Shape.REFUSAL:
        faulty.fail("followers", shape, times=1, code=expected.error.code)  # type: ignore[attr-defined]  # one of the table
    else:
        faulty.fail("followers", shape, times=1)
    with pytest.raises(expected.error) as raised:
        client.followers(STAR)
    error = raised.value
    assert type(error) is expected.error
    assert getattr(error, "status", None) == expected.status
    assert expected.holds in f"{error} {getattr(error, 'data', None)}"
    assert len(client.followers(STAR).items) == 20
    assert faulty.requests("followers").count == 2


def test_a_slow_reply_is_waited_for_and_one_that_is_too_slow_is_not(faulty: Upspace, connect: Connect) -> None:
    faulty.fail("relation_stat", "slow", delay_s=0.2)
    began = time.monotonic()
    assert connect(faulty.url).relation_stat(STAR).mid == STAR
    assert time.monotonic() - began >= 0.2
    with pytest.raises(httpx.ReadTimeout):
        connect(faulty.url, timeout_s=0.05).relation_stat(STAR)


def test_a_dripped_reply_is_put_together(faulty: Upspace, connect: Connect) -> None:
    faulty.fail("followers", "slow", drip_bytes=1_000, drip_pause_s=0.01)
    assert len(connect(faulty.url).followers(STAR, ps=50).items) == 50


@pytest.mark.parametrize("shape", ["frequent", "intercepted", "banned", "overload"])
def test_what_passes_by_itself_is_asked_again(faulty: Upspace, connect: Connect, shape: str) -> None:
    pauses: list[float] = []
    faulty.fail("acc_info", shape, times=2)
    assert connect(faulty.url, pause=pauses.append).acc_info(STAR).mid == STAR
    assert len(pauses) == 2
    assert [asked.answered_by for asked in faulty.requests("acc_info")] == [shape, shape, None]


def test_retries_are_bounded_and_the_last_refusal_is_told(faulty: Upspace, connect: Connect) -> None:
    faulty.fail("acc_info", "frequent")
    with pytest.raises(errors.RateLimitedError):
        connect(faulty.url, pause=lambda _: None, retries=2).acc_info(STAR)
    faulty.requests("acc_info").assert_count(3)


@pytest.mark.parametrize(("shape", "asked"), [("frequent", 2), ("intercepted", 2), ("overload", 1)])
def test_a_write_is_sent_again_only_if_it_cannot_have_been_done(
    faulty: Upspace, connect: Connect, shape: str, asked: int
) -> None:
    client = connect(faulty.url, token=token_of(READER), pause=lambda _: None)
    faulty.fail("create_group", shape, times=1)
    try:
        group = client.create_group(f"{shape} {asked}").tagid
    except errors.UnavailableError:
        assert shape == "overload"
    else:
        client.delete_group(group)
    faulty.requests("create_group").assert_count(asked)


def test_a_walk_goes_on_after_a_fault_in_its_middle(faulty: Upspace, connect: Connect) -> None:
    client = connect(faulty.url, retries=0)
    faulty.fail("fans", "reset", after=2, times=1)
    walk = client.walk_fans(STAR)
    seen: list[int] = []
    with pytest.raises(httpx.ReadError):
        seen.extend(item.mid for item in walk)
    seen.extend(item.mid for item in walk)
    assert len(seen) == len(set(seen)) == walk.total == 260
