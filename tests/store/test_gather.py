"""Lookups by key that are gathered: what goes together, what everyone is told, and that it is never too old."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_turns import turns

from upspace.store.interface import StoreUnavailableError
from upspace.store.postgres import gather
from upspace.store.postgres.gather import Gathered


class Lookups:
    """What was asked of a server that answers when it is told to."""

    def __init__(self) -> None:
        self.keys: list[list[int]] = []
        self._answers: list[asyncio.Future[dict[int, str]]] = []

    async def fetch(self, keys: list[int]) -> dict[int, str]:
        self.keys.append(sorted(keys))
        answer: asyncio.Future[dict[int, str]] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        return await answer

    def answer(self, number: int, text: str = "") -> None:
        """Every key below 100 has a value."""
        self._answers[number].set_result({key: f"{text}{key}" for key in self.keys[number] if key < 100})

    def fail(self, number: int, error: Exception) -> None:
        self._answers[number].set_exception(error)

    @property
    def under_way(self) -> int:
        return sum(not answer.done() for answer in self._answers)


def asking(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    return asyncio.get_running_loop().create_task(coroutine)


Body = Callable[[Lookups, Gathered[int, str]], Coroutine[Any, Any, None]]


def played(body: Body) -> Callable[[], None]:
    """The test as pytest calls it."""

    async def play() -> None:
        lookups = Lookups()
        await body(lookups, Gathered(lookups.fetch))

    def test() -> None:
        asyncio.run(play())

    return test


@played
async def test_what_is_asked_for_in_one_turn_is_looked_up_at_once_and_each_key_once(
    lookups: Lookups, gathered: Gathered[int, str]
) -> None:
    asked = [asking(gathered.one(1)), asking(gathered.many([2, 1, 2])), asking(gathered.one(200))]
    await turns()
    assert lookups.keys == [[1, 2, 200]]
    lookups.answer(0)
    assert await asyncio.gather(*asked) == ["1", {1: "1", 2: "2"}, None]


@played
async def test_asking_for_nothing_looks_nothing_up(lookups: Lookups, gathered: Gathered[int, str]) -> None:
    assert await gathered.many([]) == {}
    assert lookups.keys == []


@played
async def test_two_are_under_way_at_most_and_what_comes_meanwhile_makes_up_the_next(
    lookups: Lookups, gathered: Gathered[int, str]
) -> None:
    asked = []
    for key in range(1, 7):
        asked.append(asking(gathered.one(key)))
        await turns()
    assert lookups.keys == [[1], [2]]
    lookups.answer(1)
    await turns()
    assert lookups.keys == [[1], [2], [3, 4, 5, 6]]
    lookups.answer(0)
    await turns()
    assert lookups.under_way == 1
    lookups.answer(2)
    assert await asyncio.gather(*asked) == ["1", "2", "3", "4", "5", "6"]


@played
async def test_whoever_asks_is_never_told_what_was_looked_up_before(
    lookups: Lookups, gathered: Gathered[int, str]
) -> None:
    early = [asking(gathered.one(1))]
    await turns()
    early.append(asking(gathered.one(1)))
    await turns()
    late = asking(gathered.one(1))
    await turns()
    lookups.answer(0, "old ")
    lookups.answer(1, "old ")
    assert await asyncio.gather(*early) == ["old 1", "old 1"]
    await turns()
    assert not late.done()
    lookups.answer(2, "new ")
    assert await late == "new 1"


@pytest.mark.parametrize("turn", range(4))
def test_whoever_asks_while_a_lookup_is_about_to_be_sent_is_told_of_that_moment_or_a_later_one(turn: int) -> None:
    async def play() -> None:
        value = "old"
        sent = []

        async def fetch(keys: list[int]) -> dict[int, str]:
            sent.append(value)
            await turns()
            return dict.fromkeys(keys, sent[-1])

        gathered = Gathered(fetch)
        first = gathered.ask([1])
        for _ in range(turn):
            await asyncio.sleep(0)
        value = "new"
        second = gathered.ask([1])
        assert (await second)[1] == "new"
        await first

    asyncio.run(play())


def test_a_server_that_is_idle_is_asked_without_waiting_for_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        def no_timer(*_: object, **__: object) -> None:
            raise AssertionError("a timer")

        monkeypatch.setattr(asyncio.get_running_loop(), "call_at", no_timer)
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", no_timer)
        lookups = Lookups()
        asked = Gathered(lookups.fetch).ask([1])
        # At the end of this turn; the lookup itself is a task, which begins in the next.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert lookups.keys == [[1]]
        lookups.answer(0)
        assert await asked == {1: "1"}

    asyncio.run(play())


@played
async def test_a_failure_is_told_to_all_who_asked_and_to_nobody_else(
    lookups: Lookups, gathered: Gathered[int, str]
) -> None:
    failing = [asking(gathered.one(1)), asking(gathered.one(2))]
    await turns()
    other = asking(gathered.one(1))
    await turns()
    later = asking(gathered.one(1))
    lookups.fail(0, StoreUnavailableError("gone"))
    lookups.answer(1)
    for task in failing:
        with pytest.raises(StoreUnavailableError, match="gone"):
            await task
    assert await other == "1"
    await turns()
    lookups.answer(2)
    assert await later == "1"


def test_rows_that_cannot_be_read_fail_whoever_asked_for_them_and_nobody_else() -> None:
    async def fetch(keys: list[int]) -> dict[int, str]:
        if 7 in keys:
            raise IndexError("a row that nothing of ours has written")
        return {key: str(key) for key in keys}

    async def ask() -> tuple[Any, Any, Any]:
        gathered = Gathered(fetch)
        return await asyncio.gather(gathered.one(1), gathered.one(7), gathered.many([2, 3]), return_exceptions=True)

    one, seven, some = asyncio.run(ask())
    assert (one, some) == ("1", {2: "2", 3: "3"})
    assert isinstance(seven, IndexError)


@played
async def test_whoever_gives_up_disturbs_nobody(lookups: Lookups, gathered: Gathered[int, str]) -> None:
    asked = [asking(gathered.one(1)) for _ in range(3)]
    await turns()
    waiting = [asking(gathered.one(2)) for _ in range(3)]
    asked[0].cancel()
    waiting[0].cancel()
    await turns()
    lookups.answer(0)
    await turns()
    lookups.answer(1)
    assert await asyncio.gather(*asked[1:], *waiting[1:]) == ["1", "1", "2", "2"]
    # A failure that nobody is left to hear of is none either.
    alone = asking(gathered.one(3))
    await turns()
    alone.cancel()
    await turns()
    lookups.fail(2, StoreUnavailableError())
    again = asking(gathered.one(3))
    await turns()
    lookups.answer(3)
    assert await again == "3"


def test_many_keys_are_looked_up_in_parts_and_nobody_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "_KEYS_MAX", 3)

    async def play() -> None:
        lookups = Lookups()
        gathered = Gathered(lookups.fetch)
        asked = [asking(gathered.many([key, key + 1])) for key in range(0, 20, 2)]
        await turns()
        assert lookups.keys == [[0, 1, 2, 3], [4, 5, 6, 7]]
        for number in range(5):
            lookups.answer(number)
            await turns()
        assert lookups.keys[-1] == [16, 17, 18, 19]
        found = await asyncio.gather(*asked)
        assert [sorted(each) for each in found] == [[key, key + 1] for key in range(0, 20, 2)]

    asyncio.run(play())


KEYS = st.integers(0, 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.lists(KEYS, min_size=1, max_size=2)),
        st.tuples(st.just("write"), KEYS),
        st.tuples(st.sampled_from(("read", "answer", "fail", "give_up")), st.integers(0, 5)),
        st.tuples(st.just("turn"), st.none()),
    ),
    min_size=10,
    max_size=60,
)


class Lookup(NamedTuple):
    """One that is under way: it reads at some moment after it was sent, and is answered at a later one."""

    may_read: asyncio.Event
    answer: "asyncio.Future[StoreUnavailableError | None]"


class World:
    """Values that change, those who ask for them, and the server that is asked."""

    def __init__(self) -> None:
        self.now = dict.fromkeys(range(2), 0)
        self.under_way: list[Lookup] = []
        self.most_under_way = 0
        self.questions: list[asyncio.Task[None]] = []
        self._gathered = Gathered(self._fetch)

    def ask(self, keys: list[int]) -> None:
        self.questions.append(asking(self._question(keys)))

    def give_up(self, number: int) -> None:
        if self.questions:
            self.questions[number % len(self.questions)].cancel()

    def write(self, key: int) -> None:
        self.now[key] += 1

    def read(self, number: int) -> None:
        if self.under_way:
            self.under_way[number % len(self.under_way)].may_read.set()

    def answer(self, number: int, error: StoreUnavailableError | None = None) -> None:
        if self.under_way:
            lookup = self.under_way[number % len(self.under_way)]
            lookup.may_read.set()
            if not lookup.answer.done():
                lookup.answer.set_result(error)

    def fail(self, number: int) -> None:
        self.answer(number, StoreUnavailableError())

    async def _question(self, keys: list[int]) -> None:
        before = dict(self.now)
        try:
            found = await self._gathered.many(keys)
        except StoreUnavailableError:
            return
        assert set(found) == set(keys)
        for key in keys:
            assert before[key] <= found[key] <= self.now[key]

    async def _fetch(self, keys: list[int]) -> dict[int, int]:
        assert len(keys) == len(set(keys))
        lookup = Lookup(asyncio.Event(), asyncio.get_running_loop().create_future())
        self.under_way.append(lookup)
        self.most_under_way = max(self.most_under_way, len(self.under_way))
        await lookup.may_read.wait()
        seen = {key: self.now[key] for key in keys}
        error = await lookup.answer
        self.under_way.remove(lookup)
        if error:
            raise error
        return seen


@settings(deadline=None)
@given(STEPS)
def test_everyone_is_told_what_held_at_some_moment_between_the_question_and_the_answer(
    steps: list[tuple[str, Any]],
) -> None:
    async def play() -> None:
        world = World()
        for what, which in steps:
            if what == "turn":
                await asyncio.sleep(0)
            else:
                getattr(world, what)(which)
        while not all(task.done() for task in world.questions):
            world.answer(0)
            await turns()
        for failed in await asyncio.gather(*world.questions, return_exceptions=True):
            assert failed is None or isinstance(failed, asyncio.CancelledError)
        assert world.most_under_way <= 2

    asyncio.run(play())
