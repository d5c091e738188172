"""What is kept of loading a large community."""

from msgspec import Struct
from results import Machine


class Stage(Struct, frozen=True):
    """How long one command took, and the most memory that it had at once, in millions of bytes; 0 if not watched."""

    seconds: float
    peak_mb: float = 0


class BulkResults(Struct, frozen=True, kw_only=True):
    """One load. `date` is the day it began, UTC.

    `accounts` and `follows` are what the files hold, `rows` what the store holds then, over all tables. `bare` is the
    time of the database's own program for the same rows, sorted, into tables with the same indexes. `findings` are
    what `upspace check` found wrong, `is_equal` whether the export made the same again.
    """

    date: str
    machine: Machine
    versions: dict[str, str]
    engine: str
    accounts: int
    follows: int
    rows: int
    files_mb: float
    store_mb: float
    memory_limit_mb: int
    load: Stage
    check: Stage
    findings: str
    export: Stage
    load_again: Stage
    is_equal: bool
    bare: Stage

    @property
    def follows_per_s(self) -> float:
        """Follows of the file a second, from reading to the end of the process."""
        return self.follows / self.load.seconds

    @property
    def of_bare(self) -> float:
        """The rate beside that of the bare program."""
        return self.bare.seconds / self.load.seconds
