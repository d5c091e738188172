"""Where facts live: one interface, an engine for each kind of URL."""

from upspace.store.interface import Store, StoreUnavailableError

__all__ = ["migrate_store", "open_store"]


async def open_store(url: str) -> Store:
    """The store at `sqlite:///path` (a file) or `sqlite://` (in memory, empty, gone when closed).

    Raises StoreMissingError, SchemaTooOldError, SchemaTooNewError or StoreUnavailableError.
    """
    if url.startswith("sqlite:"):
        from upspace.store.sqlite.store import SqliteStore

        return SqliteStore.open(url)
    raise StoreUnavailableError(f"no engine for {url!r}: use sqlite:///path or sqlite://")


async def migrate_store(url: str) -> tuple[int, int]:
    """Create the store at `url` or bring it up to date; its schema version before and after.

    Safe when several processes start at once. Raises SchemaTooNewError or StoreUnavailableError.
    """
    if url.startswith("sqlite:"):
        from upspace.store.sqlite.connection import migrate_file

        return migrate_file(url)
    raise StoreUnavailableError(f"no engine for {url!r}: use sqlite:///path or sqlite://")
