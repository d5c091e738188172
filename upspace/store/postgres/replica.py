"""Reading from a replica, which is a little behind, without showing anyone less than they have written."""

import asyncio
import logging
from contextvars import ContextVar
from typing import Any, Self

from upspace.store.interface import StoreError, StoreMissingError, StoreUnavailableError
from upspace.store.postgres.connection import Database, Record, connecting
from upspace.store.postgres.gather import Gathered
from upspace.store.urls import without_password

log = logging.getLogger("upspace")

# A replica that has failed is left alone for so long; then one read tries it again.
_REST_S = 1.0

# Transactions below the number that comes out are over and can be seen, whichever there are above it.
_SEEN = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

reads_primary: ContextVar[bool] = ContextVar("reads_primary", default=False)
"""Whether what this request reads must come from the primary: its viewer has written what the replica lacks."""


class _NoReplicaError(StoreError):
    """A server that is not one."""


class Replica:
    """A replica to read from, and the primary in its place while it cannot be read from."""

    @classmethod
    async def open(cls, url: str, primary: Database, *, connections: int) -> Self:
        """The replica at `url`. One that is away is waited for; a server that takes writes is refused as none.

        Raises StoreUnavailableError.
        """
        database = Database(url, connections=connections, timeout_s=primary.timeout_s)
        replica = cls(database, primary)
        try:
            await replica._check()
        except (StoreMissingError, _NoReplicaError) as error:
            await database.close()
            raise StoreUnavailableError(f"the store to read from cannot be used: {error}") from error
        except StoreError as error:
            replica._let_rest(error)
        return replica

    def __init__(self, database: Database, primary: Database) -> None:
        self._database = database
        self._primary = primary
        self._seen = 0
        self._look = Gathered(self._fetch_seen)
        self._rests_until_s = 0.0

    async def close(self) -> None:
        """Give back every connection."""
        await self._database.close()

    async def fetch(self, query: str, *values: Any) -> list[Record]:
        """As `Database.fetch`."""
        if self._may_be_asked():
            try:
                rows = await self._database.fetch(query, *values)
            except StoreError as error:
                self._let_rest(error)
            else:
                self._rests_until_s = 0.0
                return rows
        return await self._primary.fetch(query, *values)

    async def row(self, query: str, *values: Any) -> Record | None:
        """As `Database.row`."""
        rows = await self.fetch(query, *values)
        return rows[0] if rows else None

    async def has(self, transaction: int) -> bool:
        """Whether the replica shows what this transaction of the primary has written."""
        if transaction < self._seen:
            return True
        if not self._may_be_asked():
            return False
        try:
            self._seen = max(self._seen, await self._look.one(None) or 0)
        except StoreError as error:
            self._let_rest(error)
            return False
        self._rests_until_s = 0.0
        return transaction < self._seen

    async def _fetch_seen(self, keys: list[None]) -> dict[None, int]:
        (row,) = await self._database.fetch(_SEEN)
        return dict.fromkeys(keys, row[0])

    def _may_be_asked(self) -> bool:
        """Whether it works; while it rests, one read at a time finds out whether it works again."""
        if self._rests_until_s == 0.0:
            return True
        now_s = asyncio.get_running_loop().time()
        if now_s < self._rests_until_s:
            return False
        self._rests_until_s = now_s + self._database.timeout_s + _REST_S
        return True

    async def _check(self) -> None:
        with connecting(self._database.url):
            row = await self._database.row("select pg_is_in_recovery()")
        if row is None or not row[0]:
            raise _NoReplicaError(
                f"{without_password(self._database.url)} is not a replica: it takes writes of its own"
            )

    def _let_rest(self, error: StoreError) -> None:
        if self._rests_until_s == 0.0:
            log.error("reading from %s instead: %s", without_password(self._primary.url), error)
        # What comes back may be another one, which is further behind.
        self._seen = 0
        self._rests_until_s = asyncio.get_running_loop().time() + _REST_S
