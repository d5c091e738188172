"""Pages that a worker keeps: believed until something is committed, and never more than the bound."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast, get_args, get_type_hints

import pytest
from msgspec import Struct

from upspace.server.pages import KeptPages
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
    """Pages over such a store, and which of them were made."""

    def __init__(self, bound_bytes: int = ENOUGH) -> None:
        self.store = Versions()
        self.pages = KeptPages(cast("Any", self.store), bound_bytes)
        self.made: list[Struct] = []

    def page(self, parameters: Struct, size: int = 0, meanwhile: Callable[[], None] = lambda: None) -> bytes:
        async def make() -> bytes:
            self.made.append(parameters)
            await asyncio.sleep(0)
            meanwhile()
            return f"{len(self.made)}".encode().ljust(size)

        return asyncio.run(self._page(parameters, make))

    async def _page(self, parameters: Struct, make: Callable[[], Awaitable[bytes]]) -> bytes:
        return await self.pages.page(parameters, make)

    def bytes_kept(self) -> int:
        return sum(len(page.data) for page in self.pages._kept.values())


def of(vmid: int) -> FollowersParameters:
    return FollowersParameters(vmid)


def test_a_page_is_made_once_until_something_is_committed() -> None:
    kept = Kept()
    assert [kept.page(of(1)) for _ in range(3)] == [b"1"] * 3
    kept.store.now = 2
    assert [kept.page(of(1)) for _ in range(3)] == [b"2"] * 3
    # A number that comes again would be a fault of the store; that it is lower is none.
    kept.store.now = 1
    assert kept.page(of(1)) == b"3"


def test_pages_of_other_parameters_are_other_pages() -> None:
    kept = Kept()
    asked = [
        FollowersParameters(1),
        FollowingsParameters(1),
        FansParameters(1),
        FollowersParameters(2),
        FollowersParameters(1, 2),
        FollowersParameters(1, 1, 50),
        FollowersParameters(1, 1, None, True),
        FollowingsParameters(1, order_type=True),
    ]
    first = [kept.page(parameters) for parameters in asked]
    assert len(set(first)) == len(asked)
    assert [kept.page(parameters) for parameters in asked] == first


def test_a_page_that_may_have_been_read_before_a_commit_is_not_kept() -> None:
    kept = Kept()

    def commit() -> None:
        kept.store.now = 2

    assert kept.page(of(1), meanwhile=commit) == b"1"
    assert kept.page(of(1)) == b"2"
    assert kept.page(of(1)) == b"2"


def test_when_the_store_is_another_one_its_pages_are_made_anew() -> None:
    kept = Kept()
    kept.page(of(1))
    kept.pages.clear()
    assert (kept.pages._kept_bytes, kept.page(of(1))) == (0, b"2")


@pytest.mark.parametrize("parameters", [FollowersParameters, FollowingsParameters, FansParameters, Cursor])
def test_parameters_of_pages_hold_numbers_alone(parameters: type[Struct]) -> None:
    for hint in get_type_hints(parameters).values():
        assert set(get_args(hint) or (hint,)) <= {int, bool, Cursor, type(None)}


def test_what_is_refused_is_refused_again() -> None:
    kept = Kept()

    def refuse() -> None:
        raise PermissionError

    for _ in range(2):
        with pytest.raises(PermissionError):
            kept.page(of(1), meanwhile=refuse)
    assert (len(kept.made), kept.pages._kept) == (2, {})


def test_over_a_store_that_cannot_tell_nothing_is_kept() -> None:
    kept = Kept()
    kept.store.now = None
    assert [kept.page(of(1)) for _ in range(2)] == [b"1", b"2"]
    assert kept.pages._kept == {}


def test_without_memory_for_pages_the_store_is_not_even_asked() -> None:
    kept = Kept(0)
    assert [kept.page(of(1)) for _ in range(2)] == [b"1", b"2"]
    assert (kept.store.asked, kept.pages._kept) == (0, {})


def test_pages_stay_within_the_bound_and_the_newest_stay() -> None:
    kept = Kept(100_000)
    for vmid in range(1, 300):
        kept.page(of(vmid), size=1_000)
        # The same page anew takes no more room.
        kept.store.now = vmid
        kept.page(of(vmid), size=1_000)
        assert kept.bytes_kept() <= 100_000
        assert of(vmid) in kept.pages._kept
    assert kept.bytes_kept() > 60_000
    for vmid in range(300, 400):
        kept.page(of(vmid), size=vmid)
    whole = kept.bytes_kept() + 400 * len(kept.pages._kept)
    assert kept.pages._kept_bytes == whole <= 100_000


def test_a_page_larger_than_the_bound_is_not_kept() -> None:
    kept = Kept(10_000)
    kept.page(of(1), size=20_000)
    assert (kept.pages._kept, kept.pages._kept_bytes) == ({}, 0)
