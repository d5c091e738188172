"""Opening SQLite: URLs, pragmas, migrations, and apsw's errors in the words of the interface."""

import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from upspace.store.interface import StoreError, StoreMissingError, StoreTimeoutError, StoreUnavailableError
from upspace.store.migrate import check_version, read_migrations

PACKAGE = "upspace.store.sqlite"
MEMORY = "sqlite://"

LOCK_TIMEOUT_S = 5.0
"""How long whoever writes waits for another process to commit."""

# SQLite's own way of waiting sleeps up to 100 ms at a time. A group of writes takes a few: who looks rarely comes late.
_LOCK_LOOK_S = 0.001
_BUSY_TIMEOUT_MS = 5_000
_MIGRATION_TIMEOUT_MS = 60_000
# The operating system caches the file as well, so a larger cache here bought less than one in ten
# on list pages of 3 million relations, and its memory is paid once for every worker.
_PAGE_CACHE_KIB = 2 * 1024

_VERSION_TABLE = """
create table if not exists schema_version (
    version integer not null, oldest_compatible integer not null
) strict
"""


def file_of(url: str) -> Path | None:
    """The file of a `sqlite:///path` URL (three slashes: relative, four: absolute); None for `sqlite://`."""
    if url == MEMORY:
        return None
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise StoreUnavailableError(f"not a store URL: {url!r}: use sqlite:///path or sqlite://")
    return Path(path)


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn apsw's errors into those of the interface, with the store's URL in the message."""
    try:
        yield
    except apsw.Error as error:
        raise translate(url, error) from error
    except OSError as error:
        raise StoreUnavailableError(f"{url}: {error.strerror}") from error


def translate(url: str, error: apsw.Error) -> StoreError:
    """The error of the interface that stands for an error of apsw."""
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return StoreTimeoutError(f"{url}: a lock was not to be had in time")
    return StoreUnavailableError(f"{url}: {error}")


def connect(path: Path | None, *, writable: bool) -> apsw.Connection:
    """A connection with this engine's pragmas; the file must exist. Raises apsw errors."""
    flags = apsw.SQLITE_OPEN_READWRITE if writable else apsw.SQLITE_OPEN_READONLY
    db = apsw.Connection(":memory:" if path is None else str(path), flags=flags)
    db.set_busy_timeout(_BUSY_TIMEOUT_MS)
    # Without this SQLite prepares a statement with a join anew for every value bound to it, in case another
    # plan suits that value better: 45 microseconds instead of 10 for one account.
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    db.execute(f"pragma cache_size = -{_PAGE_CACHE_KIB}")
    if writable:
        be_patient(db)
        db.execute("pragma synchronous = full")
    return db


def be_patient(db: apsw.Connection) -> None:
    """Let a connection wait for a lock for `LOCK_TIMEOUT_S`."""
    db.set_busy_handler(_Patience())


class _Patience:
    """Looks for the lock often, and gives up after a while."""

    def __init__(self) -> None:
        self._until_s = 0.0

    def __call__(self, looks: int) -> bool:
        now_s = time.monotonic()
        if looks == 0:
            self._until_s = now_s + LOCK_TIMEOUT_S
        if now_s > self._until_s:
            return False
        time.sleep(_LOCK_LOOK_S)
        return True


def connect_existing(url: str, *, writable: bool) -> apsw.Connection:
    """A connection to the file of `url`, checked to be a store that this version can work with.

    Raises StoreMissingError, SchemaTooOldError, SchemaTooNewError or StoreUnavailableError.
    """
    path = file_of(url)
    with translated(url):
        if path is not None and not path.is_file():
            raise StoreMissingError(f"{url}: there is no such file: create it with upspace migrate --store {url}")
        db = connect(path, writable=writable)
        try:
            if not db.table_exists("main", "schema_version"):
                raise StoreMissingError(f"{url} is not a store yet: run upspace migrate --store {url}")
            check_version(url, *_version(db), read_migrations(PACKAGE))
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def transaction(db: apsw.Connection, begin: str = "begin immediate") -> Iterator[None]:
    """Commit at the end; whatever is raised leaves the database as it was."""
    db.execute(begin)
    try:
        yield
        db.execute("commit")
    except BaseException:
        # A failed commit may have rolled back already.
        if db.in_transaction:
            db.execute("rollback")
        raise


def array_of(mids: Iterable[int]) -> Any:
    """What `carray(?)` takes; there is no such thing as an empty one."""
    return apsw.carray(array("q", mids))


def fold_log(url: str) -> None:
    """Copy the log into the file and remove it, unless somebody still uses the file.

    SQLite does so when the last connection that may write is closed, so that one is opened and closed. After a stop,
    all that was acknowledged is in the one file that people copy.
    """
    with suppress(StoreError):
        connect_existing(url, writable=True).close()


def migrate(db: apsw.Connection, url: str) -> tuple[int, int]:
    """Bring the database of a writable connection up to date; its version before and after.

    The lock is taken before the version is read, so that of several processes one migrates and the
    others find it done. Raises SchemaTooNewError.
    """
    migrations = read_migrations(PACKAGE)
    db.set_busy_timeout(_MIGRATION_TIMEOUT_MS)
    with transaction(db):
        db.execute(_VERSION_TABLE)
        before, oldest_compatible = _version(db)
        if before > len(migrations):
            check_version(url, before, oldest_compatible, migrations)
        for migration in migrations[before:]:
            db.execute(migration.sql)
            db.execute("delete from schema_version")
            db.execute("insert into schema_version values (?, ?)", (migration.version, migration.oldest_compatible))
    db.set_busy_timeout(_BUSY_TIMEOUT_MS)
    return before, max(before, len(migrations))


def _version(db: apsw.Connection) -> tuple[int, int]:
    """The schema version of a database and the oldest one compatible with it; zeros before the first migration."""
    version, oldest_compatible = db.execute("select version, oldest_compatible from schema_version").fetchone() or (
        0,
        0,
    )
    if not (isinstance(version, int) and isinstance(oldest_compatible, int)):
        raise apsw.MismatchError("its table schema_version is not one of upspace")
    return version, oldest_compatible


def _check_own(db: apsw.Connection, url: str) -> None:
    """Raise StoreUnavailableError for the file of another program: what its tables mean, it alone knows."""
    columns = {row[1] for row in db.execute("pragma table_info(schema_version)")}
    if not {"version", "oldest_compatible"} <= columns and db.execute("select 1 from sqlite_schema").fetchone():
        raise StoreUnavailableError(f"{url} is the database of another program: its tables are not those of a store")


def _turn_log_on(db: apsw.Connection) -> None:
    """Switch the file to WAL. SQLite does not wait for a lock to do that, so the waiting is done with a transaction."""
    deadline = time.monotonic() + _MIGRATION_TIMEOUT_MS / 1000
    while True:
        try:
            db.execute("pragma journal_mode = wal")
            return
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
        db.execute("begin immediate; commit")


def migrate_file(url: str) -> tuple[int, int]:
    """Create the file of `url` if need be, and migrate it; its version before and after."""
    path = file_of(url)
    if path is None:
        raise StoreUnavailableError(f"{url} lives in memory: there is nothing to migrate")
    with translated(url):
        if not path.parent.is_dir():
            raise StoreUnavailableError(f"{url}: there is no folder {path.parent}")
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        db = apsw.Connection(str(path), flags=flags)
        try:
            db.set_busy_timeout(_MIGRATION_TIMEOUT_MS)
            _check_own(db, url)
            _turn_log_on(db)
            return migrate(db, url)
        finally:
            db.close()
