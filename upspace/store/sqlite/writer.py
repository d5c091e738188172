"""Writes of concurrent requests, committed in groups by a thread of their own.

A commit waits for the disk, a hundred times as long as a change takes. So what has been asked for while one group is
written makes up the next one, and a caller gets its answer when its group is on disk. The event loop goes on reading
meanwhile. Several processes take turns with SQLite's own lock.
"""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

import apsw
from msgspec import Struct

from upspace.store.interface import DecidePair, StoreError, StoreUnavailableError
from upspace.store.sqlite import relations
from upspace.store.sqlite.connection import connect_existing, translate

T = TypeVar("T")

# More than this many writes in a transaction gain nothing, and those that wait for it would wait longer.
_GROUP_MAX = 512
# How long a group waits for another process to commit before its callers are told that it did not come to it.
_LOCK_TIMEOUT_S = 5.0
# SQLite's own handler sleeps up to 100 ms at a time. A group takes a few, and whoever looks rarely comes late.
_LOCK_LOOK_S = 0.001
# Copying the log into the file costs as much as several commits, so it is done once in 32 MB.
_CHECKPOINT_PAGES = 8_000
# What will not get better by trying each write of a failed group on its own.
_HOPELESS = (apsw.BusyError, apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.CorruptError)


class PairsJob(Struct, frozen=True):
    """Change the pairs of `owner` and each of `others`; gives what was refused, by mid."""

    owner: int
    others: Sequence[int]
    decide: DecidePair


class WorkJob(Struct, Generic[T], frozen=True):
    """Anything else that is done in the transaction of a group; what it raises leaves nothing of it behind."""

    work: Callable[[apsw.Connection], T]


Job = PairsJob | WorkJob[Any]


class Outcome(NamedTuple):
    """What came of a job: a value, or an error to raise."""

    value: Any = None
    error: Exception | None = None


class _Waiting(NamedTuple):
    job: Job
    answer: "asyncio.Future[Any]"


class Writer:
    """Commits jobs in groups, in the order in which they come.

    With `memory`, the connection of a store in memory, each is committed at once: there is no disk to wait for.
    """

    def __init__(self, url: str, memory: apsw.Connection | None = None) -> None:
        self._url = url
        self._memory = memory
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._closed = False
        self._thread: threading.Thread | None = None

    async def run(self, job: Job) -> Any:
        """The value of a job that is on disk. Raises what the job raises, or the StoreError why nothing was written."""
        if self._closed:
            raise StoreUnavailableError(f"{self._url} has been closed")
        if self._memory is not None:
            (outcome,) = self._commit(self._memory, [job])
            if outcome.error is not None:
                raise outcome.error
            return outcome.value
        answer = asyncio.get_running_loop().create_future()
        self._queue.put(_Waiting(job, answer))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="upspace-writer", daemon=True)
            self._thread.start()
        return await answer

    def close(self) -> None:
        """Commit what is waiting, then end."""
        self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        """The thread: it opens its connection with the first group, and anew after a failure to open."""
        db: apsw.Connection | None = None
        while group := self._next_group():
            try:
                db = db or _connect(self._url)
                outcomes = self._commit(db, [waiting.job for waiting in group])
            except StoreError as error:
                outcomes = [Outcome(error=error)] * len(group)
            _deliver(group, outcomes)
        if db is not None:
            db.close()

    def _next_group(self) -> list[_Waiting]:
        """Everything that waits, at least one; nothing when the writer is to end."""
        group: list[_Waiting] = []
        with suppress(Empty):
            while len(group) < _GROUP_MAX:
                waiting = self._queue.get(block=not group)
                if waiting is None:
                    if group:
                        self._queue.put(None)
                    break
                group.append(waiting)
        return group

    def _commit(self, db: apsw.Connection, jobs: Sequence[Job]) -> list[Outcome]:
        """One transaction for all. If it fails for a reason that may lie in one of them, one for each."""
        try:
            return _transaction(db, jobs)
        except apsw.Error as error:
            if len(jobs) == 1 or isinstance(error, _HOPELESS):
                return [Outcome(error=translate(self._url, error))] * len(jobs)
        except Exception as error:
            # Rows that nothing of ours has written, read into what cannot hold them.
            if len(jobs) == 1:
                return [Outcome(error=error)]
        return [outcome for job in jobs for outcome in self._commit(db, [job])]


def _connect(url: str) -> apsw.Connection:
    db = connect_existing(url, writable=True)
    db.set_busy_handler(_Patience())
    db.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    return db


class _Patience:
    """Looks for the lock often, and gives up after a while."""

    def __init__(self) -> None:
        self._until = 0.0

    def __call__(self, looks: int) -> bool:
        now = time.monotonic()
        if looks == 0:
            self._until = now + _LOCK_TIMEOUT_S
        if now > self._until:
            return False
        time.sleep(_LOCK_LOOK_S)
        return True


def _transaction(db: apsw.Connection, jobs: Iterable[Job]) -> list[Outcome]:
    db.execute("begin immediate")
    try:
        outcomes: list[Outcome] = []
        for kind, run in groupby(jobs, type):
            if kind is PairsJob:
                outcomes += _change_pairs_txn(db, [job for job in run if isinstance(job, PairsJob)])
            else:
                outcomes += [_work_txn(db, job) for job in run if isinstance(job, WorkJob)]
        db.execute("commit")
    except BaseException:
        # A failed commit may have rolled back already.
        if db.in_transaction:
            db.execute("rollback")
        raise
    return outcomes


def _change_pairs_txn(db: apsw.Connection, jobs: Sequence[PairsJob]) -> list[Outcome]:
    """All pairs of all jobs on one ledger; each is decided on what those before it left."""
    ledger = relations.open_ledger_txn(db, [(job.owner, other) for job in jobs for other in job.others])
    outcomes = []
    for job in jobs:
        refused: dict[int, Exception] = {}
        for other in job.others:
            try:
                ledger.decide(job.owner, other, job.decide)
            except Exception as error:
                refused[other] = error
        outcomes.append(Outcome(refused))
    relations.write_ledger_txn(db, ledger)
    return outcomes


def _work_txn(db: apsw.Connection, job: WorkJob[Any]) -> Outcome:
    try:
        with db:
            value = job.work(db)
    except apsw.Error:
        raise
    except Exception as error:
        return Outcome(error=error)
    return Outcome(value)


def _deliver(group: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
    """Wake the callers: one call into each event loop, as each wakes a sleeping thread."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = defaultdict(list)
    for waiting, outcome in zip(group, outcomes, strict=True):
        by_loop[waiting.answer.get_loop()].append((waiting.answer, outcome))
    for loop, answers in by_loop.items():
        # A loop that has ended has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_answer, answers)


def _answer(answers: Iterable[tuple["asyncio.Future[Any]", Outcome]]) -> None:
    for answer, outcome in answers:
        if answer.done():
            continue
        if outcome.error is not None:
            answer.set_exception(outcome.error)
        else:
            answer.set_result(outcome.value)
