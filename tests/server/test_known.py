"""The accounts that a worker keeps: never older than the reply, never more than the bound, asked for together."""

import asyncio
import json
import tracemalloc
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import pytest
from msgspec.structs import replace

from upspace.model import Account, AccountState, ListedAccount, Profile, Relation, SeenAccount, Standing
from upspace.server.known import KnownAccounts
from upspace.server.render import Renderer
from upspace.server.settings import build_settings
from upspace.store.sqlite.store import SqliteStore
from upspace.wire.splice import Rendered, RenderedAccount

T = TypeVar("T")

DELETED_NAME = "账号已注销"
UNKNOWN = 404
ENOUGH = 10_000_000


class Run(Protocol):
    """Runs a coroutine to its end, all of a test in one loop."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


class Held:
    """A read of accounts that is done, and whose reader has not been told yet."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.told = asyncio.Event()


class Watched(SqliteStore):
    """A store that writes down which accounts it was asked for, and how often what has changed.

    It holds back what it reads of accounts while `held` is set.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.asked: list[list[int]] = []
        self.asked_for_changes = 0
        self.asked_for_decorations: list[int] = []
        self.held: Held | None = None

    async def accounts(self, mids: Collection[int]) -> dict[int, SeenAccount]:
        return await self._told(mids, super().accounts(mids))

    async def listed_accounts(self, mids: Collection[int]) -> dict[int, ListedAccount]:
        return await self._told(mids, super().listed_accounts(mids))

    async def _told(self, mids: Collection[int], reading: Awaitable[T]) -> T:
        self.asked.append(list(mids))
        held, accounts = self.held, await reading
        if held is not None:
            held.done.set()
            await held.told.wait()
        return accounts

    async def decorations(self, mid: int) -> str | None:
        self.asked_for_decorations.append(mid)
        return await super().decorations(mid)

    async def changed_accounts(self, since: int) -> tuple[int, Sequence[int] | None]:
        self.asked_for_changes += 1
        return await super().changed_accounts(since)


class Worker:
    """Reads accounts as handlers do: with the number of the newest change, which they have just read."""

    def __init__(self, run: Run, store: Watched, bound_bytes: int = ENOUGH) -> None:
        self._run = run
        self._store = store
        self.renderer = Renderer(build_settings({"store": store.url}))
        self.known = KnownAccounts(store, self.renderer, bound_bytes)

    def one(self, mid: int) -> RenderedAccount | None:
        return self._run(self.known.one(mid, self._run(self._store.newest_change())))

    def many(self, *mids: int) -> list[Rendered]:
        return self._run(self.known.many(mids, self._run(self._store.newest_change())))

    def meanwhile(self, read: Callable[[int], Awaitable[T]], work: Callable[[int], Awaitable[object]]) -> T:
        """What a slow read gives: the store has answered it, and it is told only after `work` is done.

        Both are called with the number of the newest change before.
        """

        async def overlap() -> T:
            newest = await self._store.newest_change()
            await self.known.many([9], newest)
            self._store.held = held = Held()
            slow = asyncio.ensure_future(read(newest))
            await held.done.wait()
            self._store.held = None
            await work(newest)
            held.told.set()
            return await slow

        return self._run(overlap())

    def names(self, *mids: int) -> list[str]:
        return [name_of(account) for account in self.many(*mids)]


def name_of(account: Rendered | None) -> str:
    assert account is not None
    return str(json.loads(account.name))


def person(mid: int, name: str = "", **fields: Any) -> Profile:
    return Profile(Account(mid, name or f"name {mid}", **fields), Standing(mid))


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def store(run: Run) -> Iterator[Watched]:
    """The accounts 1 to 60; 50 follows 60, who is deleted."""
    store = Watched.open("sqlite://")
    run(store.load([person(mid) for mid in range(1, 61)], [Relation(50, 60, 2, 1)]))
    run(store.delete_account(60, 1))
    yield store
    run(store.close())


@pytest.fixture
def worker(run: Run, store: Watched) -> Worker:
    return Worker(run, store)


# What it costs


def test_the_accounts_of_a_page_cost_one_query_and_then_none(worker: Worker, store: Watched) -> None:
    page = list(range(1, 51))
    assert worker.names(*page) == worker.names(*page) == [f"name {mid}" for mid in page]
    assert store.asked == [page]


def test_of_a_page_those_that_are_not_kept_are_asked_for(worker: Worker, store: Watched) -> None:
    worker.many(1, 3)
    assert worker.names(4, 3, 2, 1, 60, 3) == ["name 4", "name 3", "name 2", "name 1", DELETED_NAME, "name 3"]
    assert store.asked == [[1, 3], [4, 2, 60]]
    assert worker.many() == []
    assert store.asked == [[1, 3], [4, 2, 60]]


def test_what_is_read_of_one_serves_pages(worker: Worker, store: Watched) -> None:
    of_one = worker.one(2)
    assert worker.many(2) == [of_one]
    assert worker.one(2) is of_one
    assert store.asked == [[2]]


def test_who_was_in_pages_alone_is_read_once_more_to_be_shown_whole(worker: Worker, store: Watched) -> None:
    (of_page,) = worker.many(1)
    assert not isinstance(of_page, RenderedAccount)
    whole = worker.one(1)
    assert isinstance(whole, RenderedAccount)
    assert worker.one(1) is whole
    assert worker.many(1) == [whole]
    assert store.asked == [[1], [1]]


def test_what_has_changed_is_asked_only_if_something_has(worker: Worker, store: Watched, run: Run) -> None:
    for _ in range(3):
        worker.one(1)
        worker.many(1, 2)
    assert store.asked_for_changes == 1
    run(store.load([], [Relation(1, 2, 2, 1)]))
    worker.many(1, 2)
    assert store.asked_for_changes == 1
    run(store.load([person(9)], []))
    worker.one(1)
    worker.many(1, 2)
    assert store.asked_for_changes == 2
    assert store.asked == [[1], [2]]


# Changes


def changed(**fields: Any) -> Callable[[Profile], Profile]:
    """A change of fields of an account or of its standing."""

    def change(profile: Profile) -> Profile:
        ours = {name: fields[name] for name in fields if name in Account.__struct_fields__}
        rights = {name: fields[name] for name in fields if name not in ours}
        return replace(profile, account=replace(profile.account, **ours), standing=replace(profile.standing, **rights))

    return change


CHANGES = {
    "name": changed(name="new"),
    "sex": changed(sex="女"),
    "face": changed(face="http://x/face.jpg"),
    "face_nft": changed(face_nft=1),
    "sign": changed(sign="new"),
    "rank": changed(rank=25000),
    "level": changed(level=6),
    "birthday": changed(birthday="02-29"),
    "is_senior_member": changed(is_senior_member=1),
    "nft_icon": changed(nft_icon="http://x/nft.png"),
    "official": changed(official='{"role":1,"title":"t","desc":"d","type":0}'),
    "vip": changed(vip='{"type":1,"status":1}'),
    "short decorations": changed(decorations='{"fans_badge":true}'),
    "long decorations": changed(decorations='{"tags":["%s"]}' % ("x" * 100)),
    "suspended": changed(state=AccountState.SUSPENDED),
    "hides its birthday": changed(hides_birthday=True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_account_is_seen_at_once(worker: Worker, store: Watched, run: Run, name: str) -> None:
    before = person(1, birthday="12-31")
    run(store.load([before], []))
    assert [worker.one(1)] == worker.many(1)
    kept = worker.one(1)
    run(store.change_account(1, lambda _: CHANGES[name](before)))
    # Whoever keeps nothing cannot show what was.
    fresh = Worker(run, store)
    assert worker.many(1) == fresh.many(1)
    assert worker.one(1) == Worker(run, store).one(1) != kept
    run(store.change_account(1, lambda _: before))
    assert worker.one(1) == kept
    assert worker.many(1) == [kept]


def test_only_what_has_changed_is_read_again(worker: Worker, store: Watched, run: Run) -> None:
    worker.many(1, 2, 3)
    run(store.load([person(2, "new")], []))
    assert worker.names(1, 2, 3) == ["name 1", "new", "name 3"]
    assert store.asked == [[1, 2, 3], [2]]


def test_after_a_load_of_thousands_nothing_old_is_shown(worker: Worker, store: Watched, run: Run) -> None:
    worker.many(*range(1, 51))
    run(store.load([person(mid, f"new {mid}") for mid in range(1, 3000) if mid != 60], []))
    assert worker.names(*range(1, 51)) == [f"new {mid}" for mid in range(1, 51)]
    assert name_of(worker.one(51)) == "new 51"


# Who is not there


def test_a_deleted_account_has_a_name_in_lists_alone_and_is_asked_for_once(worker: Worker, store: Watched) -> None:
    (deleted,) = worker.many(60)
    assert deleted is worker.many(60)[0] is worker.renderer.deleted
    assert worker.one(60) is None
    assert store.asked == [[60]]


def test_an_account_that_is_deleted_is_gone_at_once(worker: Worker, store: Watched, run: Run) -> None:
    worker.many(1, 2)
    run(store.delete_account(1, 5))
    assert worker.one(1) is None
    assert worker.names(1, 2) == [DELETED_NAME, "name 2"]
    run(store.delete_account(2, 5))
    assert worker.names(1, 2) == [DELETED_NAME, DELETED_NAME]
    assert worker.one(2) is None


def test_who_asks_for_one_account_may_guess_and_a_miss_is_not_kept(store: Watched, run: Run) -> None:
    worker = Worker(run, store, 5_000)
    worker.many(1, 2)
    store.asked.clear()
    for mid in range(UNKNOWN, UNKNOWN + 1000):
        assert worker.one(mid) is None
    assert worker.one(UNKNOWN) is None
    assert store.asked == [[mid] for mid in (*range(UNKNOWN, UNKNOWN + 1000), UNKNOWN)]
    store.asked.clear()
    assert worker.names(1, 2) == ["name 1", "name 2"]
    assert store.asked == []


def test_an_account_that_comes_to_be_is_seen_at_once(worker: Worker, store: Watched, run: Run) -> None:
    assert worker.one(UNKNOWN) is None
    assert worker.names(UNKNOWN) == [DELETED_NAME]
    run(store.load([person(UNKNOWN)], []))
    assert name_of(worker.one(UNKNOWN)) == f"name {UNKNOWN}"
    assert worker.names(UNKNOWN) == [f"name {UNKNOWN}"]


# Decorations


def decorated(mid: int, length: int) -> Profile:
    """An account whose decorations are a text of that length."""
    empty = len('{"tags":[""]}')
    return person(mid, decorations='{"tags":["%s"]}' % ("x" * (length - empty)))


@pytest.mark.parametrize("length", [13, 64])
def test_short_decorations_are_kept(worker: Worker, store: Watched, run: Run, length: int) -> None:
    given = decorated(1, length)
    run(store.load([given], []))
    whole = worker.one(1)
    assert whole is not None
    assert given.account.decorations is not None
    assert (whole.marks.decorations, whole.marks.complete) == (given.account.decorations.encode(), True)
    assert worker.one(1) is whole
    assert (store.asked, store.asked_for_decorations) == ([[1]], [])


@pytest.mark.parametrize("length", [65, 5000])
def test_long_decorations_are_read_again_by_who_shows_them(
    worker: Worker, store: Watched, run: Run, length: int
) -> None:
    given = decorated(1, length)
    assert given.account.decorations is not None
    run(store.load([given], []))
    for _ in range(3):
        whole = worker.one(1)
        assert whole is not None
        assert (whole.marks.decorations, whole.marks.complete) == (given.account.decorations.encode(), True)
    # Of what is kept, nothing but they is asked for again.
    assert (store.asked, store.asked_for_decorations) == ([[1]], [1, 1])
    # Lists do not show them, so for lists the account is as good as kept.
    assert worker.names(1) == ["name 1"]
    assert store.asked == [[1]]


# The bound


def fill(worker: Worker, mids: Sequence[int], by: str) -> None:
    """Read accounts, in pages or each alone."""
    if by == "one":
        for mid in mids:
            worker.one(mid)
    else:
        for start in range(0, len(mids), 50):
            worker.many(*mids[start : start + 50])


@pytest.mark.parametrize("by", ["one", "many"])
@pytest.mark.parametrize("length", [0, 40, 500])
def test_what_is_kept_takes_about_as_much_memory_as_the_bound_says(
    run: Run, store: Watched, length: int, by: str
) -> None:
    bound, mids = 1_000_000, range(1_000, 8_000)
    run(store.load([person(mid, sign="x" * length) for mid in mids], []))
    worker = Worker(run, store, bound)
    worker.many(1)
    tracemalloc.start()
    try:
        fill(worker, mids, by)
        store.asked.clear()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.8 * bound < taken < 1.2 * bound


@pytest.mark.parametrize("by", ["one", "many"])
def test_at_the_bound_those_kept_longest_are_let_go(run: Run, store: Watched, by: str) -> None:
    mids = range(1_000, 3_000)
    run(store.load(map(person, mids), []))
    worker = Worker(run, store, 100_000)
    fill(worker, mids, by)
    store.asked.clear()
    # What is kept already is not asked for and moves nothing.
    kept = 0
    for mid in reversed(mids):
        fill(worker, [mid], by)
        if store.asked:
            break
        kept += 1
    assert 100 < kept < 1_000
    store.asked.clear()
    fill(worker, mids[:50], by)
    assert sum(map(len, store.asked)) == 50


@pytest.mark.parametrize("bound", [0, 1, 300])
def test_with_a_bound_for_hardly_any_every_answer_is_right(run: Run, store: Watched, bound: int) -> None:
    run(store.load([decorated(2, 5000)], []))
    worker = Worker(run, store, bound)
    for _ in range(2):
        assert worker.names(3, 60, 1) == ["name 3", DELETED_NAME, "name 1"]
        assert worker.one(60) is worker.one(UNKNOWN) is None
        whole = worker.one(2)
        assert whole is not None
        assert whole.marks.complete
        assert name_of(worker.one(1)) == "name 1"


# Reads that overlap


@pytest.mark.parametrize("by", ["one", "many"])
@pytest.mark.parametrize("end", ["renamed", "deleted"])
def test_what_was_read_before_others_learned_of_a_change_is_not_kept(
    run: Run, store: Watched, by: str, end: str
) -> None:
    worker = Worker(run, store)
    known = worker.known

    async def change(newest: int) -> None:
        if end == "renamed":
            await store.change_account(1, lambda _: person(1, "new"))
        else:
            await store.delete_account(1, 5)
        await known.many([2], await store.newest_change())

    async def read(newest: int) -> Rendered | None:
        return await known.one(1, newest) if by == "one" else (await known.many([1], newest))[0]

    # This reply may show what was: it began before the change. The next one may not.
    assert name_of(worker.meanwhile(read, change)) == "name 1"
    assert worker.names(1) == ["new" if end == "renamed" else DELETED_NAME]
    assert worker.one(1) is None if end == "deleted" else name_of(worker.one(1)) == "new"


def test_a_slow_page_leaves_whole_who_has_been_read_whole_since(run: Run, store: Watched) -> None:
    worker = Worker(run, store)
    known = worker.known
    worker.meanwhile(lambda newest: known.many([1], newest), lambda newest: known.one(1, newest))
    store.asked.clear()
    assert isinstance(worker.one(1), RenderedAccount)
    assert store.asked == []


def test_a_slow_page_does_not_put_back_what_another_has_read_since(run: Run, store: Watched) -> None:
    worker = Worker(run, store)
    known = worker.known

    async def change(newest: int) -> None:
        await store.change_account(1, lambda _: person(1, "new"))
        await known.many([1], await store.newest_change())

    _, other = worker.meanwhile(lambda newest: known.many([1, 2], newest), change)
    assert name_of(other) == "name 2"
    assert worker.names(1, 2) == ["new", "name 2"]
