"""What is kept of a measurement of PostgreSQL: everything that was counted, by server, in the order of the rounds."""

from cases import Case
from cluster import Backends
from msgspec import Struct
from results import Dataset, Machine, Memory, Method, Run
from write_report import Reads, Writes

BARE, UPSPACE, PEER, SQLITE = "bare", "upspace", "peer", "sqlite"

CONNECTIONS_TRIED = (8, 32)
"""What shares nothing is measured with each of these numbers of connections: nobody knows the best one beforehand."""

SINGLE_QUERIES = {connections: f"single_queries_{connections}" for connections in CONNECTIONS_TRIED}
SINGLE_COMMITS = {connections: f"single_commits_{connections}" for connections in CONNECTIONS_TRIED}


class ReadCase(Struct, frozen=True, kw_only=True):
    """All about one case; in each round a run against each server.

    `targets` is how many accounts were drawn from, `reply_bytes` the mean body of upspace's replies. `sampled` replies
    were compared with those of other servers before the load; after it, `failed_after` of them failed.
    """

    case: Case
    targets: int
    sampled: int
    failed_after: int
    reply_bytes: int
    rounds: list[dict[str, Run]]


class ReadResults(Struct, frozen=True, kw_only=True):
    """The reads. `single_selects_per_s` is PostgreSQL's own limit in each round, by pgbench.

    Memory and connections are those after the load, by server.
    """

    cases: list[ReadCase]
    single_selects_per_s: list[float]
    memory: dict[str, Memory]
    backends: dict[str, Backends]


class WriteRound(Struct, frozen=True, kw_only=True):
    """One round of writes.

    One transaction each by the number of connections, of random accounts and towards one; in groups, of random accounts
    and towards one; reads alone, and meanwhile.
    """

    single: dict[str, Writes]
    single_hot: Writes
    grouped: Writes
    hot: Writes
    reads_alone: Reads
    reads_under_writes: Reads
    writes_under_reads: Writes


class WriteResults(Struct, frozen=True, kw_only=True):
    """The writes; memory and connections of the server that groups, afterwards."""

    viewers: int
    connections: int
    rounds: list[WriteRound]
    memory: Memory
    backends: Backends
    clean_afterwards: bool
    check_s: float


class PostgresResults(Struct, frozen=True, kw_only=True):
    """One measurement. `date` is the day it began, UTC; `settings` are those that PostgreSQL was started with."""

    date: str
    machine: Machine
    versions: dict[str, str]
    settings: dict[str, str]
    dataset: Dataset
    method: Method
    reads: ReadResults
    writes: WriteResults
