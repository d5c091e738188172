"""Checking that stored facts agree, and mending what follows from the rest, while others read and write.

Accounts are taken in chunks by mid. Everything about a chunk is read from one snapshot, by a connection of its own,
which keeps nobody waiting. A row that is wrong is mended by its key, in a short transaction that looks at it again: the
lock is held for as long as there is something to mend, not for as long as there is something to look at.
"""

import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import islice
from typing import Any

import apsw

from upspace.store.findings import KINDS, Kind
from upspace.store.interface import Finding, Progress
from upspace.store.queries import read_queries
from upspace.store.sqlite.changes import note_owners_txn
from upspace.store.sqlite.connection import PACKAGE, array_of, connect_existing, transaction, translated
from upspace.wire.codes import MID_MAX

Row = dict[str, Any]

# A chunk has at most so many accounts, relations and followers, unless all of them are those of one account.
_CHUNK_ROWS = 10_000
# So many rows are mended in one transaction, and are held in memory.
_BATCH_ROWS = 500
# The lowest number that can stand in the file. No account has it, but what is damaged may.
_LOWEST = -(2**63)

_REMOVING_RELATIONS = frozenset(("deleted_relation", "relation_of_unknown", "relation_to_unknown"))
_CHANGING_COUNTS = _REMOVING_RELATIONS | {"follow_without_follower", "follower_without_follow", "wrong_counter"}


async def check(
    url: str, memory: apsw.Connection | None, end_snapshot: Callable[[], None], *, repair: bool
) -> AsyncGenerator[Finding | Progress, None]:
    """As `Store.check`; `memory` is the one connection of a store in memory, None for a file.

    `end_snapshot` ends that of those who read in the same event loop.
    """
    with translated(url), ExitStack() as opened:
        reader = memory or opened.enter_context(closing(connect_existing(url, writable=False)))
        writer = None
        if repair:
            writer = memory or opened.enter_context(closing(connect_existing(url, writable=True)))
        steps = _Check(reader, writer, in_memory=memory is not None).steps()
        # Whoever stops early leaves a chunk half read: its transaction ends before its connection.
        opened.enter_context(closing(steps))
        # What was read in this turn may be mended in the next step, and the loop has no say in between.
        end_snapshot()
        for step in steps:
            yield step
            end_snapshot()


class _Check:
    """One run over a store. Without a writer nothing is mended."""

    def __init__(self, reader: apsw.Connection, writer: apsw.Connection | None, *, in_memory: bool) -> None:
        self._reader = reader
        self._writer = writer
        self._in_memory = in_memory
        self._statements = read_queries(PACKAGE, "check.sql")

    def steps(self) -> Generator[Finding | Progress, None, None]:
        """What is found, chunk by chunk, with the progress after each."""
        total = self._number("accounts", {})
        done = 0
        low = _LOWEST
        while low <= MID_MAX:
            changes = self._writer.total_changes() if self._writer is not None else 0
            with self._snapshot():
                end = self._number("chunk_end", {"low": low, "rows": _CHUNK_ROWS})
                chunk = {"low": low, "high": MID_MAX if end is None else max(low, end - 1)}
                done += self._number("chunk_accounts", chunk) or 0
                for kind in KINDS:
                    yield from self._findings(kind, chunk)
            if self._writer is not None and self._writer.total_changes() > changes:
                # While a snapshot is held the log only grows, and the snapshots of chunks leave no gap by themselves.
                # Busy is who meets another that does the same.
                with suppress(apsw.BusyError):
                    self._writer.wal_checkpoint()
            yield Progress(done, max(done, total or 0))
            low = chunk["high"] + 1

    def _findings(self, kind: Kind, chunk: dict[str, int]) -> Iterator[Finding]:
        cursor = self._reader.cursor()
        cursor.row_trace = _named
        found: Iterator[Row] = cursor.execute(self._statements[f"find_{kind.name}"], chunk)
        if self._in_memory:
            # The one connection there is does not change rows that it is still reading.
            found = iter(list(found))
        while rows := list(islice(found, _BATCH_ROWS)):
            if self._writer is not None and not kind.for_a_person:
                with transaction(self._writer, "begin immediate"):
                    self._mend_txn(self._writer, kind, rows)
            for row in rows:
                yield kind.finding(row, mended=self._writer is not None)

    def _mend_txn(self, db: apsw.Connection, kind: Kind, rows: list[Row]) -> None:
        now = int(time.time())
        statements = [self._statements.get(f"mend_{kind.name}", "")]
        if kind.name in _REMOVING_RELATIONS:
            statements.append(self._statements["settle_pair"])
        db.executemany(";\n".join(statements), ({**row, "now": now} for row in rows))
        if kind.name in _CHANGING_COUNTS:
            mids = {row[name] for row in rows for name in ("mid", "other") if name in row}
            db.execute(self._statements["recount"], (array_of(mids),))
        note_owners_txn(db, None)

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """What is read inside is of one moment. A store in memory has one connection, which must stay free to write."""
        if self._in_memory:
            yield
            return
        with transaction(self._reader, "begin"):
            yield

    def _number(self, name: str, bindings: dict[str, int]) -> int | None:
        number: int | None = self._reader.execute(self._statements[name], bindings).get
        return number


def _named(cursor: apsw.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.get_description(), row, strict=True)}
