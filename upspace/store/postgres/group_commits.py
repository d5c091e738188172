"""Writes in groups.

A commit waits for the disk, and each statement for a round trip, whatever is in it. So what has been asked for while
one group is under way makes up the next one, and a caller gets its answer when its group has been committed. Several
processes, on several hosts, write at once: those whose groups have an account in common take turns.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from upspace.store.interface import StoreTimeoutError, StoreUnavailableError
from upspace.store.postgres.connection import FAULTS, Connection, Database, is_held_up, is_hopeless, translate
from upspace.store.postgres.retrying import persistently
from upspace.store.urls import without_password

A = TypeVar("A")

# More than this many that wait are refused: they would wait for many seconds, and take memory meanwhile.
_WAITING_MAX = 10_000
# So many groups are under way at once: while one waits for the server, the rules of the other are decided.
_UNDER_WAY_MAX = 2
# So many of a group that is taken apart: they may wait for locks, and there are other writes.
_ALONE_MAX = 2


class Outcome(NamedTuple):
    """What became of one that was asked for: what its caller gets, or why it was refused."""

    result: Any
    error: Exception | None = None


class _Waiting(NamedTuple):
    asked: Any
    mids: Collection[int]
    size: int
    answer: "asyncio.Future[Any]"
    since_s: float


class GroupCommits(Generic[A]):
    """Commits what is asked for in groups; what concerns one account in the order in which it comes.

    `change_txn` does all of a group inside its transaction, and returns what became of each. A group has a `size` of at
    most `size_max`, unless it is a single one that has more. With `apart`, no two of a group concern the same account:
    then none has to wait for another where each gets a transaction of its own.
    """

    def __init__(
        self,
        database: Database,
        change_txn: Callable[[Connection, Sequence[A]], Awaitable[list[Outcome]]],
        size_max: int,
        *,
        apart: bool = False,
    ) -> None:
        self._database = database
        self._change_txn = change_txn
        self._size_max = size_max
        self._apart = apart
        self._waiting: list[_Waiting] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._busy: set[int] = set()
        self._scheduled = False
        self._late = False
        self._closed = False
        self._places_alone = asyncio.Semaphore(_ALONE_MAX)

    async def ask(self, asked: A, mids: Collection[int], size: int) -> Any:
        """What `change_txn` returns for `asked`, which concerns the accounts `mids`, once it is committed.

        Raises what it was refused for, and StoreErrors.
        """
        if self._closed:
            raise StoreUnavailableError(f"{without_password(self._database.url)} has been closed")
        if len(self._waiting) >= _WAITING_MAX:
            raise StoreUnavailableError(f"{without_password(self._database.url)}: {_WAITING_MAX} writes are waiting")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(asked, mids, size, loop.create_future(), time.monotonic())
        self._waiting.append(waiting)
        if not self._scheduled and len(self._under_way) < _UNDER_WAY_MAX:
            # At the end of the turn, so that those who come in it are in the group.
            self._scheduled = True
            loop.call_soon(self._begin)
        return await waiting.answer

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        self._closed = True
        while self._under_way or self._waiting:
            self._begin()
            if self._under_way:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)

    def _begin(self) -> None:
        self._scheduled = False
        if self._late:
            self._refuse_late()
        while len(self._under_way) < _UNDER_WAY_MAX and (group := self._next_group()):
            mids = {mid for waiting in group for mid in waiting.mids}
            self._busy |= mids
            task = asyncio.get_running_loop().create_task(self._commit_and_answer(group))
            self._under_way.add(task)
            task.add_done_callback(partial(self._done, mids))

    def _next_group(self) -> list[_Waiting]:
        """What may be written now, in its order: nothing for an account that is in a group under way.

        That would wait for its lock, and hold up all that is in the group with it. So whatever is asked for a very
        popular account makes up the group after the next.
        """
        group: list[_Waiting] = []
        later: list[_Waiting] = []
        held = set(self._busy)
        size = 0
        for number, waiting in enumerate(self._waiting):
            size += waiting.size
            if group and size > self._size_max:
                later += self._waiting[number:]
                break
            if waiting.answer.done():
                # Who has left wants nothing written.
                size -= waiting.size
            elif held.isdisjoint(waiting.mids):
                group.append(waiting)
                if self._apart:
                    held.update(waiting.mids)
            else:
                size -= waiting.size
                # Nor does anything overtake it that concerns one of its accounts.
                held.update(waiting.mids)
                later.append(waiting)
        self._waiting = later
        return group

    def _done(self, mids: set[int], task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._busy -= mids
        if not self._scheduled:
            self._begin()

    def _refuse_late(self) -> None:
        """The last group was not done in time: who has waited that long already is told so, the others have hope."""
        still = []
        for waiting in self._waiting:
            if self._has_waited_for(waiting, 1):
                self._answer(waiting, self._no_answer())
            else:
                still.append(waiting)
        self._waiting = still

    def _has_waited_for(self, waiting: _Waiting, times: float) -> bool:
        """Whether somebody has waited so many times as long as the server may take."""
        return waiting.since_s <= time.monotonic() - times * self._database.timeout_s

    def _no_answer(self) -> Outcome:
        return Outcome(None, StoreTimeoutError(f"{without_password(self._database.url)}: no answer in time"))

    def _answer(self, waiting: _Waiting, outcome: Outcome) -> None:
        if waiting.answer.done():
            return
        if outcome.error is not None:
            waiting.answer.set_exception(outcome.error)
        else:
            waiting.answer.set_result(outcome.result)

    async def _commit_and_answer(self, group: Sequence[_Waiting]) -> None:
        """One transaction for all. If it fails for a reason that may lie in one of them, one for each."""
        outcomes = await self._commit(group)
        if outcomes is not None:
            self._late = any(isinstance(outcome.error, StoreTimeoutError) for outcome in outcomes)
            for waiting, outcome in zip(group, outcomes, strict=True):
                self._answer(waiting, outcome)
        elif self._apart:
            await asyncio.gather(*map(self._commit_alone, group))
            # Who was not done in time waited for somebody else: the server answers.
            self._late = False
        else:
            await self._commit_in_turn(group)

    async def _commit(self, group: Sequence[_Waiting]) -> list[Outcome] | None:
        """What became of each in one transaction; None if it failed for a reason that may lie in one of several."""

        async def change(db: Connection) -> list[Outcome]:
            return await self._change_txn(db, [waiting.asked for waiting in group])

        try:
            return await persistently(self._database.write, change)
        except FAULTS as error:
            if len(group) > 1 and (not is_hopeless(error) or (self._apart and is_held_up(error))):
                return None
            return [Outcome(None, translate(self._database.url, error))] * len(group)
        except Exception as error:
            # Rows that nothing of ours has written, read into what cannot hold them.
            return None if len(group) > 1 else [Outcome(None, error)]

    async def _commit_alone(self, waiting: _Waiting) -> None:
        """A transaction for one that is apart from the others of its group, unless it has waited for too long."""
        async with self._places_alone:
            if self._has_waited_for(waiting, 2):
                self._answer(waiting, self._no_answer())
            elif not waiting.answer.done():
                await self._commit_and_answer([waiting])

    async def _commit_in_turn(self, group: Sequence[_Waiting]) -> None:
        """A transaction for each. Once one of them is not done in time, the others need not try."""
        for number, waiting in enumerate(group):
            await self._commit_and_answer([waiting])
            if self._late:
                for other in group[number + 1 :]:
                    self._answer(other, self._no_answer())
                return
