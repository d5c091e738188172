"""Writes in groups.

A commit waits for the disk, and each statement for a round trip, whatever is in it. So what has been asked for while
one group is under way makes up the next one, and a caller gets its answer when its group has been committed. Several
processes, on several hosts, write at once: those whose groups have an account in common take turns.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from itertools import chain
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
        self._closed = False

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
            if held.isdisjoint(waiting.mids):
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
        """Tell those who have waited for as long as anything may take; who has left meanwhile wants nothing written."""
        now_s = time.monotonic()
        shown = without_password(self._database.url)
        still = []
        for waiting in self._waiting:
            if waiting.answer.done():
                continue
            if waiting.since_s > now_s - self._database.timeout_s:
                still.append(waiting)
            else:
                waiting.answer.set_exception(StoreTimeoutError(f"{shown}: no answer in time"))
        self._waiting = still

    async def _commit_and_answer(self, group: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._commit([waiting.asked for waiting in group])
        except Exception as error:
            outcomes = [Outcome(None, error)] * len(group)
        for waiting, outcome in zip(group, outcomes, strict=True):
            if waiting.answer.done():
                continue
            if outcome.error is not None:
                waiting.answer.set_exception(outcome.error)
            else:
                waiting.answer.set_result(outcome.result)

    async def _commit(self, group: Sequence[A]) -> list[Outcome]:
        """One transaction for all. If it fails for a reason that may lie in one of them, one for each."""

        async def change(db: Connection) -> list[Outcome]:
            return await self._change_txn(db, group)

        try:
            return await persistently(self._database.write, change)
        except FAULTS as error:
            outcome = Outcome(None, translate(self._database.url, error))
            if len(group) == 1 or (is_hopeless(error) and not (self._apart and is_held_up(error))):
                return [outcome] * len(group)
        except Exception as error:
            # Rows that nothing of ours has written, read into what cannot hold them.
            if len(group) == 1:
                return [Outcome(None, error)]
        return await self._commit_each(group)

    async def _commit_each(self, group: Sequence[A]) -> list[Outcome]:
        """A transaction for each: at once if they are apart, else until one is not done in time."""
        if self._apart:
            return list(chain.from_iterable(await asyncio.gather(*(self._commit([asked]) for asked in group))))
        outcomes: list[Outcome] = []
        for asked in group:
            outcomes += await self._commit([asked])
            if isinstance(outcomes[-1].error, StoreTimeoutError):
                outcomes += [outcomes[-1]] * (len(group) - len(outcomes))
                break
        return outcomes
