"""Where facts live: one interface, an engine for each kind of URL."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

from upspace.store.interface import Store, StoreMissingError, StoreUnavailableError
from upspace.store.moving import Moved, Source, Target, Watch, carry, fill, summed_up
from upspace.store.urls import without_password

__all__ = [
    "distribute_store",
    "fill_store",
    "make_store",
    "migrate_store",
    "move_store",
    "open_store",
    "read_store",
    "store_files",
    "sum_up_store",
    "tidy_store",
]

T = TypeVar("T")

_POSTGRES = ("postgresql://", "postgres://")
_FORMS = "use sqlite:///path, sqlite:// or postgresql://user@host/database"


async def open_store(url: str, *, read_url: str = "", connections: int = 8, timeout_s: float = 5.0) -> Store:
    """The store at `sqlite:///path` (a file), `sqlite://` (in memory, empty, gone when closed) or `postgresql://...`.

    The rest is for PostgreSQL: `read_url` leads to a replica to read from, `connections` is how many at most are kept
    to each server, and a request that the server has not answered within `timeout_s` seconds is given up.

    Raises StoreMissingError, SchemaTooOldError, SchemaTooNewError or StoreUnavailableError.
    """
    if url.startswith(_POSTGRES):
        from upspace.store.postgres.store import PostgresStore

        return await PostgresStore.open(url, read_url=read_url, connections=connections, timeout_s=timeout_s)
    if read_url:
        raise StoreUnavailableError(f"{without_password(url)} has no replica to read from: only PostgreSQL has any")
    if url.startswith("sqlite:"):
        from upspace.store.sqlite.store import SqliteStore

        return SqliteStore.open(url)
    raise _no_engine(url)


async def migrate_store(url: str) -> tuple[int, int]:
    """Create the store at `url` or bring it up to date; its schema version before and after.

    Safe when several processes start at once, and while others use the store. Raises SchemaTooNewError,
    StoreMissingError if there is no such PostgreSQL database, or StoreUnavailableError.
    """
    if url.startswith(_POSTGRES):
        from upspace.store.postgres import schema

        return await schema.migrate(url)
    if url.startswith("sqlite:"):
        from upspace.store.sqlite.connection import migrate_file

        return migrate_file(url)
    raise _no_engine(url)


async def distribute_store(url: str) -> list[str]:
    """Spread the tables of a store over the nodes of its Citus cluster; those that were not spread before.

    Raises StoreUnavailableError if the store is not on a Citus cluster, otherwise as `open_store`.
    """
    if url.startswith(_POSTGRES):
        from upspace.store.postgres import schema

        return await schema.distribute(url)
    raise StoreUnavailableError(f"{without_password(url)} cannot be spread over nodes: only PostgreSQL with Citus can")


async def move_store(source_url: str, target_url: str, watch: Watch) -> list[Moved]:
    """Carry all that the store at `source_url` holds now into the empty store at `target_url`; what has arrived.

    The target is made if there is none. All of it arrives, or nothing: then StoreError says why, and one of its kinds
    as for `open_store` if a store cannot be opened.
    """
    if source_url == target_url:
        raise StoreUnavailableError(f"{without_password(source_url)} cannot be moved into itself")
    async with read_store(source_url) as source:
        await make_store(target_url)
        return await _write_into(target_url, lambda target: carry(source, target, watch))


async def fill_store(url: str, source: Source, watch: Watch) -> None:
    """Put all that `source` has into the empty store at `url`, or nothing: then StoreError says why."""
    _check_lasts(url)
    await _write_into(url, lambda target: fill(source, target, watch))


async def sum_up_store(url: str, watch: Watch) -> list[Moved]:
    """How many rows each table of the store at `url` has now, and their checksums. Raises as `open_store`."""
    async with read_store(url) as source:
        return await summed_up(source, watch)


async def make_store(url: str) -> bool:
    """Make the store at `url` if there is none, which True stands for; one that is there has to fit.

    Raises as `open_store`.
    """
    _check_lasts(url)
    try:
        store = await open_store(url)
    except StoreMissingError:
        await migrate_store(url)
        return True
    await store.close()
    return False


def read_store(url: str) -> AbstractAsyncContextManager[Source]:
    """All that the store at `url` holds now, while others go on writing. Raises as `open_store`."""
    _check_lasts(url)
    if url.startswith(_POSTGRES):
        from upspace.store.postgres import moving as postgres

        return postgres.read_from(url)
    if url.startswith("sqlite:"):
        from upspace.store.sqlite import moving as sqlite

        return sqlite.read_from(url)
    raise _no_engine(url)


def _check_lasts(url: str) -> None:
    if url == "sqlite://":
        raise StoreUnavailableError("sqlite:// is empty when it is opened and gone when it is closed: use a file")


async def _write_into(url: str, work: Callable[[Target], Awaitable[T]]) -> T:
    if url.startswith(_POSTGRES):
        from upspace.store.postgres import moving as postgres

        return await postgres.write_into(url, work)
    from upspace.store.sqlite import moving as sqlite

    return await sqlite.write_into(url, work)


def tidy_store(url: str) -> None:
    """Leave a store as people copy it, when those who have used it have ended: on SQLite all of it in one file.

    Whoever closes a store does so as well. But two that close it at the same instant take each other for users.
    """
    if url.startswith("sqlite:///"):
        from upspace.store.sqlite.connection import fold_log

        fold_log(url)


def store_files(url: str) -> tuple[Path, ...]:
    """The files of a store, those that come and go among them; none where a server keeps them."""
    if not url.startswith("sqlite:///"):
        return ()
    path = url.removeprefix("sqlite:///")
    return tuple(Path(path + end) for end in ("", "-wal", "-shm", "-journal"))


def _no_engine(url: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"no engine for {without_password(url)!r}: {_FORMS}")
