"""What is kept of a measurement: everything that was counted, and what follows from it."""

from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from cases import Case
from load import Counted
from msgspec import Struct


class Run(Struct, frozen=True):
    """One run of wrk against one server."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    status_errors: int
    socket_errors: int
    timeouts: int


class Round(Struct, frozen=True):
    """The runs against the servers, one right after another."""

    bare: Run
    upspace: Run
    peer: Run
    datasette: Run


class Ratio(Struct, frozen=True):
    """How upspace compares to another server: the median over the rounds, and the extremes."""

    median: float
    lowest: float
    highest: float


class Summary(Struct, frozen=True):
    """Medians over the rounds. The latencies are those of the round with the median of upspace's requests/s.

    `errors` are, by server, replies other than 2xx and 3xx, failures of sockets, and timeouts, over all rounds.
    """

    bare_requests_per_s: float
    upspace_requests_per_s: float
    peer_requests_per_s: float
    datasette_requests_per_s: float
    upspace_p50_ms: float
    upspace_p99_ms: float
    to_bare: Ratio
    to_peer: Ratio
    to_datasette: Ratio
    errors: dict[str, int]


class CaseResult(Struct, frozen=True, kw_only=True):
    """All about one case.

    `targets` is how many accounts were drawn from, `reply_bytes` the mean body of upspace's replies.
    `sampled` replies were compared with the peer's before the load; after it, `failed_after` of them failed.
    `peer_goal` is that of either peer.
    """

    case: Case
    targets: int
    sampled: int
    failed_after: int
    reply_bytes: int
    peer_goal: float
    summary: Summary
    rounds: list[Round]


class Beside(Struct, frozen=True):
    """In each round a run against the bare limit, and one against upspace."""

    bare: list[Run]
    upspace: list[Run]
    to_bare: Ratio


class KeptCase(Struct, frozen=True, kw_only=True):
    """A case whose replies are all kept, alone and under writes."""

    case: Case
    alone: Beside
    under_writes: Beside


class Memory(Struct, frozen=True):
    """A worker process after the load, in millions of bytes: resident, and with shared pages counted in part."""

    rss_mb: float
    pss_mb: float


class Kept(Struct, frozen=True, kw_only=True):
    """What a server answers that has room for every reply that it keeps; `writes_per_s` are those of `under_writes`."""

    reply_cache_mb: int
    writes_per_s: float
    memory: Memory
    cases: list[KeptCase]


class Machine(Struct, frozen=True):
    """Where it was measured. `load_before` is the load average of the last minute before the start."""

    cpu: str
    cores: int
    memory_gb: float
    system: str
    load_before: float


class Dataset(Struct, frozen=True, kw_only=True):
    """The rows that were answered from; deleted accounts are not counted."""

    seed: int
    accounts: int
    relations: int
    most_followers: int


class Method(Struct, frozen=True, kw_only=True):
    """How it was measured; `connections` and `threads` are those of wrk."""

    rounds: int
    seconds: int
    warm_up_seconds: int
    connections: int
    threads: int


class Results(Struct, frozen=True, kw_only=True):
    """One measurement. `date` is the day it began, UTC; `memory` is that of the workers, by server."""

    date: str
    machine: Machine
    versions: dict[str, str]
    dataset: Dataset
    method: Method
    memory_goal_mb: float
    memory: dict[str, Memory]
    cases: list[CaseResult]
    kept: Kept


def write_json(results: Any, path: Path) -> None:
    """Keep results as JSON that people can read and compare."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def run_of(counted: Counted) -> Run:
    """A run in the units of the results."""
    return Run(
        requests_per_s=round(counted.requests / counted.duration_us * 1e6, 1),
        p50_ms=counted.p50_us / 1000,
        p99_ms=counted.p99_us / 1000,
        status_errors=counted.status_errors,
        socket_errors=counted.socket_errors,
        timeouts=counted.timeouts,
    )


def summarize(rounds: list[Round]) -> Summary:
    """Medians and extremes of at least one round."""
    middle = sorted(rounds, key=lambda of: of.upspace.requests_per_s)[(len(rounds) - 1) // 2]
    return Summary(
        bare_requests_per_s=median(of.bare.requests_per_s for of in rounds),
        upspace_requests_per_s=median(of.upspace.requests_per_s for of in rounds),
        peer_requests_per_s=median(of.peer.requests_per_s for of in rounds),
        datasette_requests_per_s=median(of.datasette.requests_per_s for of in rounds),
        upspace_p50_ms=middle.upspace.p50_ms,
        upspace_p99_ms=middle.upspace.p99_ms,
        to_bare=ratio_of([of.upspace.requests_per_s / of.bare.requests_per_s for of in rounds]),
        to_peer=ratio_of([of.upspace.requests_per_s / of.peer.requests_per_s for of in rounds]),
        to_datasette=ratio_of([of.upspace.requests_per_s / of.datasette.requests_per_s for of in rounds]),
        errors={name: sum(errors_of(getattr(of, name)) for of in rounds) for name in Round.__struct_fields__},
    )


def ratio_of(of_rounds: list[float]) -> Ratio:
    """The median and the extremes of the ratios of all rounds."""
    return Ratio(round(median(of_rounds), 3), round(min(of_rounds), 3), round(max(of_rounds), 3))


def errors_of(run: Run) -> int:
    """Replies other than 2xx and 3xx, failures of sockets, and timeouts."""
    return run.status_errors + run.socket_errors + run.timeouts
