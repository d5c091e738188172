"""Replies that a worker keeps: believed until what they show is written, and never more than the bound."""

import asyncio
from collections.abc import Callable, Sequence
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, cast, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from upspace.model import AccountState, Viewer
from upspace.server import kept as kept_module
from upspace.server.kept import KeptReplies, Shown
from upspace.server.service import Service, kept
from upspace.wire.accounts import CardParameters
from upspace.wire.forms import Cursor
from upspace.wire.relations import FansParameters, FollowersParameters, FollowingsParameters

ENOUGH = 1_000_000


class Commits:
    """A store that knows nothing but which commits there were, and whose rows each has written."""

    def __init__(self) -> None:
        self.now: int | None = 1
        self.asked = 0
        self._owners: list[Sequence[int] | None] = [None]
        self._accounts: list[int | None] = []

    def commit(self, owners: Sequence[int] | None = (), accounts: Sequence[int | None] = ()) -> None:
        """A numbered one, of rows of these owners, after which these accounts look different; None stands for all."""
        self.commit_unnumbered()
        self._owners.append(owners)
        self._accounts += accounts

    def commit_unnumbered(self) -> None:
        """Somebody has written something who gives it no number, or a commit has begun that will have one."""
        self.now = (self.now or 0) + 1

    async def version(self) -> int | None:
        self.asked += 1
        return self.now

    async def changed_owners(self, since: int) -> tuple[int, Sequence[int] | None]:
        newest = self._owners[since:]
        return len(self._owners), None if None in newest else [mid for owners in newest for mid in owners or ()]

    async def changed_accounts(self, since: int) -> tuple[int, Sequence[int] | None]:
        newest = [mid for mid in self._accounts[since:] if mid is not None]
        return len(self._accounts), newest if len(newest) == len(self._accounts) - since else None


class Kept:
    """A handler over such a store whose replies are kept, and what it was asked to make."""

    def __init__(self, bound_bytes: int = ENOUGH) -> None:
        self.store = Commits()
        self.now_s = 0.0
        self.replies = KeptReplies(cast("Any", self.store), bound_bytes, lambda: self.now_s)
        self.made: list[Struct] = []
        self._service = cast("Any", SimpleNamespace(store=self.store, replies=self.replies))

    def page(
        self,
        parameters: Struct,
        size: int = 0,
        mids: Sequence[int] = (),
        meanwhile: Callable[[], None] = lambda: None,
        viewer: Viewer | None = None,
    ) -> bytes:
        owner_of = attrgetter("mid" if isinstance(parameters, CardParameters) else "vmid")

        @kept(owner_of)
        async def make(_service: Service, _viewer: Viewer | None, parameters: Struct) -> Shown:
            self.made.append(parameters)
            await asyncio.sleep(0)
            meanwhile()
            return Shown(f"{len(self.made)}".encode().ljust(size), mids)

        return asyncio.run(make(self._service, viewer, parameters))

    def kept(self) -> list[Struct]:
        """What is kept, by owners, those kept longest first."""
        return [parameters for of_owner in self.replies._kept.values() for parameters in of_owner]

    def bytes_kept(self) -> int:
        entries = [entry for of_owner in self.replies._kept.values() for entry in of_owner.values()]
        return sum(600 + len(entry.data) + 8 * len(entry.mids) for entry in entries)


def of(vmid: int) -> FollowersParameters:
    return FollowersParameters(vmid)


def test_a_page_is_made_once_until_rows_of_its_owner_are_written() -> None:
    worker = Kept()
    assert [worker.page(of(1)) for _ in range(3)] == [b"1"] * 3
    worker.store.commit([2, 3])
    worker.store.commit()
    assert worker.page(of(1)) == b"1"
    worker.store.commit([2, 1])
    worker.store.commit([3])
    assert [worker.page(of(1)) for _ in range(3)] == [b"2"] * 3
    worker.store.commit(None)
    assert [worker.page(of(1)) for _ in range(3)] == [b"3"] * 3


def test_a_page_is_made_anew_when_an_account_has_changed_that_it_shows() -> None:
    worker = Kept()
    shown = [(1, (5, 6)), (2, (6, 7)), (3, ())]

    def pages() -> list[bytes]:
        return [worker.page(of(owner), mids=mids) for owner, mids in shown]

    assert pages() == [b"1", b"2", b"3"]
    # Accounts that change are owners of what is written, too.
    worker.store.commit([5], [5])
    assert pages() == [b"4", b"2", b"3"]
    worker.store.commit([7, 8], [7, 8])
    worker.store.commit([9], [9])
    assert pages() == [b"4", b"5", b"3"]
    worker.store.commit([6], [6])
    assert pages() == pages() == [b"6", b"7", b"3"]
    worker.store.commit([], [None])
    assert pages() == [b"8", b"9", b"10"]


def test_when_somebody_writes_who_says_nothing_of_it_nothing_is_believed_any_more() -> None:
    worker = Kept()
    assert worker.page(of(1)) == b"1"
    worker.store.commit_unnumbered()
    assert worker.page(of(1)) == b"2"
    worker.now_s += 0.09
    assert worker.page(of(1)) == b"3"
    worker.now_s += 0.02
    assert [worker.page(of(1)) for _ in range(2)] == [b"4"] * 2
    # A version that comes again would be a fault of the store; that it is lower is none.
    worker.store.now = 1
    assert worker.page(of(1)) == b"5"


def test_until_a_commit_has_its_number_nothing_is_believed_and_then_all_that_it_does_not_concern() -> None:
    worker = Kept()
    assert [worker.page(of(1)), worker.page(of(2))] == [b"1", b"2"]
    for _ in range(3):
        worker.store.commit_unnumbered()
        assert worker.page(of(1)) == b"3"
        worker.now_s += 0.09
        worker.store.commit([2])
        assert worker.page(of(1)) == b"1"
        worker.made.pop()
    assert worker.page(of(2)) == b"3"


def test_of_very_many_accounts_that_have_changed_it_is_forgotten_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "_CHANGED_NOTED", 3)
    worker = Kept()
    assert [worker.page(of(1)), worker.page(of(2), mids=[8])] == [b"1", b"2"]
    for mid in (5, 6, 7):
        worker.store.commit([mid], [mid])
        assert worker.page(of(1)) == b"1"
    worker.store.commit([9], [9])
    # Of account 8 it is not known any more that it is none of those; account 1 was asked for just before.
    assert [worker.page(of(1)), worker.page(of(2), mids=[8])] == [b"1", b"3"]
    assert list(worker.replies._changed) == [9]
    worker.store.commit([8], [8])
    assert [worker.page(of(1)), worker.page(of(2), mids=[8])] == [b"1", b"4"]


def test_all_pages_of_an_owner_and_its_card_go_together() -> None:
    worker = Kept()
    asked = [of(1), FollowersParameters(1, 2), FansParameters(1), CardParameters(1, False), of(2)]
    for parameters in asked:
        worker.page(parameters)
    worker.store.commit([1])
    assert [worker.page(parameters) for parameters in asked] == [b"6", b"7", b"8", b"9", b"5"]


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

    assert worker.page(of(1), meanwhile=lambda: worker.store.commit([2])) == b"1"
    assert worker.kept() == []
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
    assert (worker.store.asked, worker.kept()) == (0, [])


def test_what_was_made_for_an_earlier_version_is_not_kept_for_a_later_one() -> None:
    worker = Kept()

    def another_request_learns_of_a_commit() -> None:
        worker.store.commit([1])
        with pytest.raises(StopIteration):
            worker.replies.catch_up(2).send(None)
        worker.store.now = 1

    assert worker.page(of(1), meanwhile=another_request_learns_of_a_commit) == b"1"
    assert worker.kept() == []


def test_what_is_refused_is_refused_again() -> None:
    worker = Kept()

    def refuse() -> None:
        raise PermissionError

    for _ in range(2):
        with pytest.raises(PermissionError):
            worker.page(of(1), meanwhile=refuse)
    assert (len(worker.made), worker.kept()) == (2, [])


def test_over_a_store_that_cannot_tell_nothing_is_kept() -> None:
    worker = Kept()
    worker.store.now = None
    assert [worker.page(of(1)) for _ in range(2)] == [b"1", b"2"]
    assert worker.kept() == []


def test_without_memory_for_pages_the_store_is_not_even_asked() -> None:
    worker = Kept(0)
    assert [worker.page(of(1)) for _ in range(2)] == [b"1", b"2"]
    assert (worker.store.asked, worker.kept()) == (0, [])


def test_while_there_is_room_all_is_kept_and_then_what_is_asked_for_twice() -> None:
    worker = Kept(100_000)
    for vmid in range(50):
        worker.page(of(vmid), size=1_400)
    assert worker.replies._kept_bytes == 100_000
    for _ in range(2):
        # Nobody asks for these again before they are forgotten, nor for those that are there.
        for vmid in range(1_000, 6_000):
            worker.page(of(vmid), size=1_400)
        assert worker.kept() == [of(vmid) for vmid in range(50)]
    worker.page(of(60), size=1_400)
    assert of(60) not in worker.kept()
    worker.page(of(60), size=1_400)
    # Those kept longest have made room, and some more than had to: the next ones are kept at once.
    assert worker.kept() == [of(vmid) for vmid in (*range(4, 50), 60)]
    for vmid in range(61, 64):
        worker.page(of(vmid), size=1_400)
    assert worker.kept() == [of(vmid) for vmid in (*range(4, 50), *range(60, 64))]


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3_000), st.booleans()), max_size=200))
def test_what_is_kept_stays_within_the_bound_and_is_counted(asked: list[tuple[int, int, bool]]) -> None:
    worker = Kept(10_000)
    for vmid, size, is_written in asked:
        before = len(worker.made)
        known = of(vmid) in worker.kept()
        if is_written:
            worker.store.commit([vmid])
        worker.page(of(vmid), size=size)
        assert len(worker.made) - before == (not known or is_written)
        assert worker.replies._kept_bytes == worker.bytes_kept() <= 10_000


def test_a_page_larger_than_the_bound_is_not_kept_and_drives_nothing_out() -> None:
    worker = Kept(10_000)
    worker.page(of(1))
    for _ in range(3):
        worker.page(of(2), size=20_000)
    assert worker.kept() == [of(1)]
