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
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

import apsw
from msgspec import Struct

from upspace.model import Profile
from upspace.store.interface import AccountDeletedError, DecidePair, StoreTimeoutError, StoreUnavailableError
from upspace.store.sqlite import accounts, relations
from upspace.store.sqlite.accounts import AccountJob, add_profile_view
from upspace.store.sqlite.changes import note_owners_txn
from upspace.store.sqlite.connection import LOCK_TIMEOUT_S, connect_existing, transaction, translate, translated
from upspace.store.sqlite.log import Log

T = TypeVar("T")

GROUP_MAX = 512
"""More writes than that in a transaction gain nothing, and those that wait for it would wait longer."""

# More than this many that wait are refused: they would wait for many seconds, and take memory meanwhile.
_WAITING_MAX = 10_000
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


Job = PairsJob | AccountJob | WorkJob[Any]


class Outcome(NamedTuple):
    """What came of a job: a value, or an error to raise."""

    value: Any = None
    error: Exception | None = None


class _Waiting(NamedTuple):
    job: Job
    answer: "asyncio.Future[Any]"
    since_s: float


class Writer:
    """Commits jobs in groups; those of a group, who ask at the same time, take effect in some order.

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
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="upspace-writer", daemon=True)
            thread.start()
            self._thread = thread
        if self._queue.qsize() >= _WAITING_MAX:
            raise StoreUnavailableError(f"{self._url}: {_WAITING_MAX} writes are waiting")
        answer = asyncio.get_running_loop().create_future()
        self._queue.put(_Waiting(job, answer, time.monotonic()))
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
        log: Log | None = None
        locked = False
        while group := self._next_group():
            if locked:
                group = self._without_late(group)
            try:
                if db is None:
                    db = _connect(self._url)
                    log = Log(db)
                outcomes = self._commit(db, [waiting.job for waiting in group])
            except Exception as error:
                outcomes = [Outcome(error=error)] * len(group)
            locked = any(isinstance(outcome.error, StoreTimeoutError) for outcome in outcomes)
            _deliver(group, outcomes)
            if log is not None:
                log.copy()
        if db is not None:
            db.close()

    def _without_late(self, group: Sequence[_Waiting]) -> list[_Waiting]:
        """Those of a group that have not waited for a lock long enough already; the others are told so."""
        late_s = time.monotonic() - LOCK_TIMEOUT_S
        late = [waiting for waiting in group if waiting.since_s <= late_s]
        error = StoreTimeoutError(f"{self._url}: a lock was not to be had in time")
        _deliver(late, [Outcome(error=error)] * len(late))
        return [waiting for waiting in group if waiting.since_s > late_s]

    def _next_group(self) -> list[_Waiting]:
        """Everything that waits, at least one; nothing when the writer is to end."""
        group: list[_Waiting] = []
        with suppress(Empty):
            while len(group) < GROUP_MAX:
                waiting = self._queue.get(block=not group)
                if waiting is None:
                    if group:
                        self._queue.put(None)
                    break
                group.append(waiting)
        return group

    def _commit(self, db: apsw.Connection, jobs: Sequence[Job]) -> list[Outcome]:
        """One transaction for all. If it fails for a reason that may lie in one of them, one for each."""
        if not jobs:
            return []
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
    try:
        with translated(url):
            add_profile_view(db)
    except BaseException:
        db.close()
        raise
    return db


def _transaction(db: apsw.Connection, jobs: Sequence[Job]) -> list[Outcome]:
    """What is done together costs fewer statements, each of which is waited for (see `accounts`).

    Nobody has been answered yet, so any order is one in which they may have asked.
    """
    changes = {number: job for number, job in enumerate(jobs) if isinstance(job, AccountJob)}
    pairs = {number: job for number, job in enumerate(jobs) if isinstance(job, PairsJob)}
    with transaction(db):
        before = db.total_changes()
        # Groups and tokens are rows of nobody that others see. A deletion names its accounts itself.
        outcomes = {number: _work_txn(db, job) for number, job in enumerate(jobs) if isinstance(job, WorkJob)}
        changed = accounts.change_txn(db, list(changes.values()))
        outcomes |= zip(changes, map(_outcome, changed), strict=True)
        of_pairs, owners = _change_pairs_txn(db, list(pairs.values()))
        outcomes |= zip(pairs, of_pairs, strict=True)
        if db.total_changes() != before:
            note_owners_txn(db, owners | {of.account.mid for of in changed if isinstance(of, Profile)})
    return [outcomes[number] for number in range(len(jobs))]


def _outcome(changed: Profile | Exception) -> Outcome:
    return Outcome(error=changed) if isinstance(changed, Exception) else Outcome(changed)


def _change_pairs_txn(db: apsw.Connection, jobs: Sequence[PairsJob]) -> tuple[list[Outcome], set[int]]:
    """All pairs of all jobs on one ledger, each decided on what those before it left; and whose rows were written."""
    ledger = relations.open_ledger_txn(db, [(job.owner, other) for job in jobs for other in job.others])
    outcomes = []
    for job in jobs:
        if ledger.is_gone(job.owner):
            outcomes.append(Outcome(error=AccountDeletedError(f"account {job.owner} is deleted, which is final")))
            continue
        refused: dict[int, Exception] = {}
        for other in job.others:
            try:
                ledger.decide(job.owner, other, job.decide)
            except Exception as error:
                refused[other] = error
        outcomes.append(Outcome(refused))
    return outcomes, relations.write_ledger_txn(db, ledger)


def _work_txn(db: apsw.Connection, job: WorkJob[Any]) -> Outcome:
    changes = db.total_changes()
    try:
        return Outcome(job.work(db))
    except apsw.Error:
        raise
    except Exception as error:
        # A savepoint for each job would be two statements more, for what hardly ever happens: it is done without the
        # others instead, after all of them have been taken back.
        if db.total_changes() != changes:
            raise
        return Outcome(error=error)


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
