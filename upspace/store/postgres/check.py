"""Checking that stored facts agree, and mending what follows from the rest, while others read and write.

Accounts are taken in chunks by mid, and the rows of a chunk in pages by key, so that an account with millions of
followers takes no more memory than others. A page, with whatever has to agree with its rows, is read from one snapshot,
which keeps nobody waiting. A row that is wrong is mended by its key, in a short transaction that holds the accounts
concerned and looks again.

The nodes of a cluster have no snapshot in common: a write that is under way may show on one and not yet on another.
There whatever seems wrong is looked at again while nobody writes for its accounts, and only then believed.
"""

import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from itertools import groupby, islice

from upspace.store.disagreements import Disagreement, Key
from upspace.store.findings import KINDS
from upspace.store.interface import Finding, Progress
from upspace.store.postgres.connection import Connection, Database
from upspace.store.postgres.facts import PAGED_TABLES, STATEMENTS, PagedTable, judge_accounts_txn
from upspace.store.postgres.mending import hold_and_look_again_txn, mend_txn
from upspace.store.postgres.retrying import write
from upspace.wire.codes import MID_MAX

# A chunk has at most so many accounts.
_CHUNK_ACCOUNTS = 1_000
# A page has at most so many rows, and at most about so many that are wrong are held in memory.
_PAGE_ROWS = 10_000
# So many rows are mended in one transaction.
_BATCH_ROWS = 500
# The lowest number that can be stored. No account has it, but what is damaged may.
_LOWEST = -(2**63)

_ORDER = {kind.name: number for number, kind in enumerate(KINDS)}


async def check(database: Database, *, distributed: bool, repair: bool) -> AsyncGenerator[Finding | Progress, None]:
    """As `Store.check`."""
    run = _Check(database, distributed=distributed)
    async with aclosing(run.steps()) as steps:
        async for step in steps:
            if isinstance(step, Progress):
                yield step
                continue
            for batch in _batches(step):
                mended = repair and not batch[0].kind.for_a_person
                if mended:
                    await run.mend(batch)
                for each in batch:
                    yield each.kind.finding(each.values, mended=mended)


class _Check:
    """One run over a store."""

    def __init__(self, database: Database, *, distributed: bool) -> None:
        self._database = database
        self._distributed = distributed

    async def steps(self) -> AsyncGenerator[list[Disagreement] | Progress, None]:
        """What is wrong, in lists of bounded length, with the progress after each chunk."""
        async with self._database.snapshot() as db:
            total: int = await db.fetchval(STATEMENTS["count_accounts"])
        done = 0
        low = _LOWEST
        while low <= MID_MAX:
            high, accounts, found = await self._read_accounts(low)
            for table in PAGED_TABLES:
                start: Key | None = (low, *[_LOWEST] * (table.width - 1))
                while start is not None:
                    if len(found) >= _PAGE_ROWS:
                        yield await self._believed(found)
                        found = []
                    wrong, start = await self._read_page(table, start, high)
                    found += wrong
            yield await self._believed(found)
            done += accounts
            yield Progress(done, max(done, total))
            low = high + 1

    async def mend(self, found: list[Disagreement]) -> None:
        """Mend those of one kind that are still wrong."""
        now = int(time.time())
        # Unbounded: there may be millions of followers to be counted.
        await write(self._database, lambda db: mend_txn(db, found, now, distributed=self._distributed), times=None)

    async def _read_accounts(self, low: int) -> tuple[int, int, list[Disagreement]]:
        """The chunk from `low` on: its highest mid, how many accounts it has, and what does not agree within them."""
        high = MID_MAX
        mids: dict[str, list[int]] = {}
        async with self._database.snapshot() as db:
            for table in ("standing", "account", "upstat", "token"):
                rows = await db.fetch(STATEMENTS[f"{table}_mids"], low, high, _CHUNK_ACCOUNTS)
                mids[table] = [row[0] for row in rows]
                if len(rows) == _CHUNK_ACCOUNTS:
                    high = mids[table][-1]
            chunk = sorted({mid for found in mids.values() for mid in found if mid <= high})
            accounts = sum(mid <= high for mid in mids["standing"])
            return high, accounts, await judge_accounts_txn(db, chunk)

    async def _read_page(self, table: PagedTable, start: Key, high: int) -> tuple[list[Disagreement], Key | None]:
        """What is wrong with the rows from a key on, and where the next page starts."""
        async with self._database.snapshot() as db:
            rows = await db.fetch(STATEMENTS[f"{table.name}_page"], *start, high, _PAGE_ROWS + 1)
            after = tuple(rows.pop()[: table.width]) if len(rows) > _PAGE_ROWS else None
            return await table.judge_txn(db, rows), after

    async def _believed(self, found: list[Disagreement]) -> list[Disagreement]:
        """What is wrong beyond doubt."""
        if not self._distributed:
            return found
        believed: list[Disagreement] = []
        for batch in _batches(found):

            async def look_again(db: Connection, batch: list[Disagreement] = batch) -> list[Disagreement]:
                return await hold_and_look_again_txn(db, batch, distributed=True)

            believed += await write(self._database, look_again, times=None)
        return believed


def _batches(found: Iterable[Disagreement]) -> Iterator[list[Disagreement]]:
    """What has been found in the order of the kinds, in batches of one kind."""
    ordered = sorted(found, key=lambda each: _ORDER[each.kind.name])
    for _, same in groupby(ordered, key=lambda each: each.kind.name):
        while batch := list(islice(same, _BATCH_ROWS)):
            yield batch
