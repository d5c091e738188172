"""Replies that a worker keeps: believed until something is committed, and never more than the bound."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from upspace.model import AccountState, Viewer
from upspace.server.kept import KeptReplies
from upspace.server.service import Service, kept
from upspace.wire.accounts import CardParameters
from upspace.wire.forms import Cursor
from upspace.wire.relations import FansParameters, FollowersParameters, FollowingsParameters

ENOUGH = 1_000_000


class Versions:
    """A store that knows nothing but how often something was committed."""

    def __init__(self) -> None:
        self.now: int | None = 1
        self.asked = 0

    async def version(self) -> int | None:
        self.asked += 1
        return self.now


class Kept:
    """A handler over such a store whose replies are kept, and what it was asked to make."""

    def __init__(self, bound_bytes: int = ENOUGH) -> None:
        self.store = Versions()
        self.replies = KeptReplies(bound_bytes)
        self.made: list[Struct] = []
        self._service = cast("Any", SimpleNamespace(store=self.store, replies=self.replies))

    def page(
        self,
        parameters: Struct,
        size: int = 0,
        meanwhile: Callable[[], None] = lambda: None,
        viewer: Viewer | None = None,
    ) -> bytes:
        @kept
        async def make(_service: Service, _viewer: Viewer | None, parameters: Struct) -> bytes:
            self.made.append(parameters)
            await asyncio.sleep(0)
            meanwhile()
            return f"{len(self.made)}".encode().ljust(size)

        return asyncio.run(make(self._service, viewer, parameters))

    def bytes_kept(self) -> int:
        return sum(map(len, self.replies._kept.values()))


def of(vmid: int) -> FollowersParameters:
    return FollowersParameters(vmid)


def test_a_page_is_made_once_until_something_is_committed() -> None:
    worker = Kept()
    assert [worker.page(of(1)) for _ in range(3)] == [b"1"] * 3
    worker.store.now = 2
    assert [worker.page(of(1)) for _ in range(3)] == [b"2"] * 3
    # A number that comes again would be a fault of the store; that it is lower is none.
    worker.store.now = 1
    assert worker.page(of(1)) == b"3"


def test_pages_of_other_parameters_are_other_pages() -> None:
    worker = Kept()
    asked = [
        FollowersParameters(1),
        FollowingsParameters(1),
        FansParameters(1),
        FollowersParameters(2),
        FollowersParameters(1, 2),
        FollowersParameters(1, 1, 50),
        FollowersParameters(1, 1, None, True),
        FollowingsParameters(1, order_type=True),
        CardParameters(1, False),
        CardParameters(1, True),
    ]
    first = [worker.page(parameters) for parameters in asked]
    assert len(set(first)) == len(asked)
    assert [worker.page(parameters) for parameters in asked] == first


def test_a_page_that_may_have_been_read_before_a_commit_is_not_kept() -> None:
    worker = Kept()

    def commit() -> None:
        worker.store.now = 2

    assert worker.page(of(1), meanwhile=commit) == b"1"
    assert worker.page(of(1)) == b"2"
    assert worker.page(of(1)) == b"2"


def test_when_the_store_is_another_one_its_replies_are_made_anew() -> None:
    worker = Kept()
    worker.page(of(1))
    worker.replies.clear()
    assert (worker.replies._kept_bytes, worker.page(of(1))) == (0, b"2")


@pytest.mark.parametrize(
    "parameters", [CardParameters, FollowersParameters, FollowingsParameters, FansParameters, Cursor]
)
def test_parameters_of_what_is_kept_hold_numbers_alone(parameters: type[Struct]) -> None:
    for hint in get_type_hints(parameters).values():
        assert set(get_args(hint) or (hint,)) <= {int, bool, Cursor, type(None)}


def test_who_is_somebody_is_shown_what_is_made_for_them() -> None:
    worker = Kept()
    assert [worker.page(of(1), viewer=Viewer(5, AccountState.NORMAL)) for _ in range(2)] == [b"1", b"2"]
    assert (worker.store.asked, worker.replies._kept) == (0, {})


def test_what_was_made_for_an_earlier_version_is_not_kept_for_a_later_one() -> None:
    replies = KeptReplies(ENOUGH)
    assert replies.found(of(1), 1) is None
    assert replies.found(of(2), 2) is None
    replies.keep(of(1), 1, b"old")
    assert replies.found(of(1), 2) is None


def test_what_is_refused_is_refused_again() -> None:
    worker = Kept()

    def refuse() -> None:
        raise PermissionError

    for _ in range(2):
        with pytest.raises(PermissionError):
            worker.page(of(1), meanwhile=refuse)
    assert (len(worker.made), worker.replies._kept) == (2, {})


def test_over_a_store_that_cannot_tell_nothing_is_kept() -> None:
    worker = Kept()
    worker.store.now = None
    assert [worker.page(of(1)) for _ in range(2)] == [b"1", b"2"]
    assert worker.replies._kept == {}


def test_without_memory_for_pages_the_store_is_not_even_asked() -> None:
    worker = Kept(0)
    assert [worker.page(of(1)) for _ in range(2)] == [b"1", b"2"]
    assert (worker.store.asked, worker.replies._kept) == (0, {})


def test_while_there_is_room_all_is_kept_and_then_what_is_asked_for_twice() -> None:
    worker = Kept(100_000)
    for vmid in range(50):
        worker.page(of(vmid), size=1_600)
    assert worker.replies._kept_bytes == 100_000
    for _ in range(2):
        # Nobody asks for these again before they are forgotten, nor for those that are there.
        for vmid in range(1_000, 6_000):
            worker.page(of(vmid), size=1_600)
        assert list(worker.replies._kept) == [of(vmid) for vmid in range(50)]
    worker.page(of(60), size=1_600)
    assert of(60) not in worker.replies._kept
    worker.page(of(60), size=1_600)
    # Those kept longest have made room, and some more than had to: the next ones are kept at once.
    assert list(worker.replies._kept) == [of(vmid) for vmid in (*range(4, 50), 60)]
    for vmid in range(61, 64):
        worker.page(of(vmid), size=1_600)
    assert list(worker.replies._kept) == [of(vmid) for vmid in (*range(4, 50), *range(60, 64))]


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3_000), st.booleans()), max_size=200))
def test_what_is_kept_stays_within_the_bound_and_is_counted(asked: list[tuple[int, int, bool]]) -> None:
    worker = Kept(10_000)
    for vmid, size, is_written in asked:
        before = len(worker.made)
        known = of(vmid) in worker.replies._kept
        if is_written:
            worker.store.now = (worker.store.now or 0) + 1
        worker.page(of(vmid), size=size)
        assert len(worker.made) - before == (not known or is_written)
        assert worker.replies._kept_bytes == worker.bytes_kept() + 400 * len(worker.replies._kept) <= 10_000


def test_a_page_larger_than_the_bound_is_not_kept_and_drives_nothing_out() -> None:
    worker = Kept(10_000)
    worker.page(of(1))
    for _ in range(3):
        worker.page(of(2), size=20_000)
    assert list(worker.replies._kept) == [of(1)]
