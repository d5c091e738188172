"""What is kept of a measurement of size and speed."""

from cluster import Backends, Move
from msgspec import Struct
from results import Machine, Method, Run
from write_report import Writes


class TableSize(Struct, frozen=True):
    """A table on disk right after a move, in bytes: with what lies outside of its rows, and with all indexes."""

    rows: int
    table_bytes: int
    index_bytes: int

    @property
    def total_bytes(self) -> int:
        """Everything."""
        return self.table_bytes + self.index_bytes


class Served(Struct, frozen=True, kw_only=True):
    """What a server with this many workers did, in each round; memory and connections are those of all workers."""

    workers: int
    reads: dict[str, list[Run]]
    writes: list[Writes]
    hot: list[Writes]
    rss_mb: float
    backends: Backends


class ScaleResults(Struct, frozen=True, kw_only=True):
    """One measurement.

    `tables` are those of the store by name, `file_bytes` is the SQLite file with the same rows. `pages` are list pages
    with one statement each, as on a cluster, by case. `account_writes_per_s` are changes of random accounts, eight at
    once, each with a number of its own. A deletion is that of the most followed account.
    """

    date: str
    machine: Machine
    versions: dict[str, str]
    settings: dict[str, str]
    method: Method
    tables: dict[str, TableSize]
    database_bytes: int
    file_bytes: int
    move: Move
    backup_mb_per_s: float
    single_selects_per_s: list[float]
    served: list[Served]
    pages: dict[str, list[Run]]
    wal_bytes_per_write: float
    account_writes_per_s: float
    deleted_followers: int
    deleted_followings: int
    deletion_s: float
    check_s: float
    clean_afterwards: bool
