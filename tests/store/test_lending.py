"""Connections that are lent: never more than there may be, in turn, and none that is of no more use."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import asyncpg
import pytest
from conftest import DEADLINE_S
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_turns import turns

from upspace.store.interface import StoreTimeoutError, StoreUnavailableError
from upspace.store.postgres.connection import Database
from upspace.store.postgres.lending import Connection, Connections

MOST = 3


class Line:
    """Stands in for a connection."""

    def __init__(self) -> None:
        self.closed = False
        self.in_transaction = False

    def is_closed(self) -> bool:
        return self.closed

    def is_in_transaction(self) -> bool:
        return self.in_transaction

    def terminate(self) -> None:
        self.closed = True

    async def close(self) -> None:
        self.closed = True


class Lines:
    """The connections that were opened. While it is `down` there are no new ones."""

    def __init__(self) -> None:
        self.opened: list[Line] = []
        self.down = False
        self.lender = Connections(self.connect, MOST)

    async def connect(self) -> Connection:
        await asyncio.sleep(0)
        if self.down:
            raise ConnectionRefusedError
        self.opened.append(Line())
        return cast(Connection, self.opened[-1])

    async def lend(self) -> Line:
        return cast(Line, await self.lender.lend(DEADLINE_S))

    def give_back(self, line: Line) -> None:
        self.lender.give_back(cast(Connection, line))

    @property
    def open(self) -> int:
        return sum(not line.closed for line in self.opened)


Body = Callable[[Lines], Coroutine[Any, Any, None]]


def played(body: Body) -> Callable[[], None]:
    """The test as pytest calls it."""

    async def play() -> None:
        await body(Lines())

    def test() -> None:
        asyncio.run(play())

    return test


@played
async def test_one_that_is_given_back_is_lent_again(lines: Lines) -> None:
    first = await lines.lend()
    lines.give_back(first)
    assert await lines.lend() is first
    assert len(lines.opened) == 1


@played
async def test_the_last_that_was_used_is_lent_first(lines: Lines) -> None:
    several = [await lines.lend() for _ in range(MOST)]
    for line in several:
        lines.give_back(line)
    assert [await lines.lend() for _ in range(MOST)] == several[::-1]


@played
async def test_one_that_the_server_has_closed_is_replaced(lines: Lines) -> None:
    for line in [await lines.lend() for _ in range(2)]:
        lines.give_back(line)
        line.closed = True
    lent = await lines.lend()
    assert (lent.closed, len(lines.opened), lines.open) == (False, 3, 1)


@played
async def test_one_in_a_transaction_is_not_lent_again(lines: Lines) -> None:
    line = await lines.lend()
    line.in_transaction = True
    lines.give_back(line)
    assert line.closed
    assert await lines.lend() is not line


@played
async def test_after_renewing_none_of_before_is_lent(lines: Lines) -> None:
    used, idle = [await lines.lend() for _ in range(2)]
    lines.give_back(idle)
    lines.lender.renew()
    assert (used.closed, idle.closed) == (False, True)
    lines.give_back(used)
    assert used.closed
    # Those of afterwards are kept.
    line = await lines.lend()
    lines.give_back(line)
    assert await lines.lend() is line


@played
async def test_who_waits_too_long_is_told_and_leaves_the_place_to_others(lines: Lines) -> None:
    several = [await lines.lend() for _ in range(MOST)]
    with pytest.raises(TimeoutError):
        await lines.lender.lend(0.01)
    for line in several:
        lines.give_back(line)
    assert len({await lines.lend() for _ in range(MOST)}) == MOST


@played
async def test_a_connection_that_cannot_be_opened_takes_no_place(lines: Lines) -> None:
    lines.down = True
    for _ in range(MOST + 1):
        with pytest.raises(ConnectionRefusedError):
            await lines.lend()
    lines.down = False
    assert len({await lines.lend() for _ in range(MOST)}) == MOST


@played
async def test_closing_waits_for_those_in_use_and_lends_none_any_more(lines: Lines) -> None:
    used, idle = [await lines.lend() for _ in range(2)]
    lines.give_back(idle)
    third, fourth = [await lines.lend() for _ in range(2)]
    waiting = asyncio.create_task(lines.lend())
    await turns()
    closing = asyncio.create_task(lines.lender.close())
    await turns()
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await lines.lend()
    lines.give_back(third)
    lines.give_back(fourth)
    await turns()
    assert not closing.done()
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await waiting
    lines.give_back(used)
    await closing
    assert lines.open == 0
    # Once more is nothing to wait for.
    await lines.lender.close()


@played
async def test_terminating_ends_those_in_use(lines: Lines) -> None:
    used, idle = [await lines.lend() for _ in range(2)]
    lines.give_back(idle)
    lines.lender.terminate()
    assert lines.open == 0
    lines.give_back(used)
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await lines.lend()


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["ask", "give back", "give up", "lose", "renew"]), st.integers(0, 9))))
def test_nobody_waits_while_there_is_a_place_and_nobody_is_forgotten(steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        lines = Lines()
        users: list[asyncio.Task[Line]] = []
        for step, which in steps:
            served = [user for user in users if user.done()]
            waiting = [user for user in users if not user.done()]
            if step == "ask":
                users.append(asyncio.create_task(lines.lend()))
            elif step == "give back" and served:
                user = served[which % len(served)]
                users.remove(user)
                lines.give_back(user.result())
            elif step == "give up" and waiting:
                user = waiting[which % len(waiting)]
                users.remove(user)
                user.cancel()
            elif step == "lose" and lines.opened:
                lines.opened[which % len(lines.opened)].closed = True
            elif step == "renew":
                lines.lender.renew()
            # Some of it happens while the one before is not done.
            if which % 2:
                await turns()
        await turns()
        assert [user.done() for user in users] == [number < MOST for number in range(len(users))]
        lent = [user.result() for user in users[:MOST]]
        assert len(set(lent)) == len(lent)
        assert lines.open <= MOST
        for user in users[MOST:]:
            user.cancel()

    asyncio.run(play())


# Over a server


def test_a_database_has_no_more_connections_than_it_may(postgres_url: str) -> None:
    async def scenario() -> None:
        database = await Database.connect(postgres_url, connections=2, timeout_s=DEADLINE_S)
        try:
            pids = await asyncio.gather(*(database.fetch("select pg_backend_pid()") for _ in range(20)))
        finally:
            await database.close()
        assert len({row[0] for rows in pids for row in rows}) == 2

    asyncio.run(scenario())


def test_a_query_that_is_given_up_ends_its_connection_and_the_next_one_works(postgres_url: str) -> None:
    async def scenario() -> None:
        database = await Database.connect(postgres_url, connections=1, timeout_s=DEADLINE_S)
        try:
            asking = asyncio.create_task(database.fetch("select pg_sleep(600)"))
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await database.fetch("select 1")
        finally:
            await database.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("given_up", ["write", "write_long", "snapshot"])
@pytest.mark.parametrize("after", range(12))
def test_a_transaction_that_is_given_up_takes_no_later_one_with_it(
    postgres_url: str, given_up: str, after: int
) -> None:
    """However far it has come: what is acknowledged afterwards is stored."""

    async def note(db: Connection) -> None:
        await db.execute("insert into mark values ('noted', '')")

    async def scenario() -> None:
        database = await Database.connect(postgres_url, connections=1, timeout_s=DEADLINE_S)

        async def use() -> None:
            if given_up == "snapshot":
                async with database.snapshot() as db:
                    await db.fetch("select 1")
            else:
                await getattr(database, given_up)(lambda db: db.fetch("select 1"))

        try:
            using = asyncio.create_task(use())
            for _ in range(after):
                await asyncio.sleep(0)
            using.cancel()
            await asyncio.gather(using, return_exceptions=True)
            await database.write(note)
        finally:
            await database.close()
        other = await Database.connect(postgres_url, connections=1, timeout_s=DEADLINE_S)
        try:
            assert len(await other.fetch("select from mark where name = 'noted'")) == 1
        finally:
            await other.close()

    asyncio.run(scenario())


@played
async def test_one_that_is_opened_while_all_are_ended_is_not_lent(lines: Lines) -> None:
    opening = asyncio.create_task(lines.lend())
    await asyncio.sleep(0)
    lines.lender.terminate()
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await opening
    assert lines.open == 0


def test_who_finds_no_connection_in_time_is_told_so(postgres_url: str) -> None:
    async def scenario() -> None:
        database = await Database.connect(postgres_url, connections=1, timeout_s=0.2)
        try:
            async with database.snapshot():
                with pytest.raises(StoreTimeoutError):
                    await database.fetch("select 1")
            assert await database.fetch("select 1")
        finally:
            await database.close()
        with pytest.raises(StoreUnavailableError, match="closed"):
            await database.fetch("select 1")

    asyncio.run(scenario())
