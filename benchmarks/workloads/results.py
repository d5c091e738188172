"""What is kept of a workload: a flat row for each of its phases."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil
from typing import NamedTuple

from msgspec import Struct
from results import Machine
from tables import table

from workloads.tally import Tally

SATURATED = 0.9
"""A generator that is busier than that measures itself."""


class Latency(Struct, frozen=True, kw_only=True):
    """Latencies of so many requests, in milliseconds. Percentiles are by nearest rank."""

    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


class Latencies(Struct, frozen=True, kw_only=True):
    """Of all requests, by operation, and of what consists of several requests (a visit)."""

    overall: Latency | None
    per_operation: dict[str, Latency]
    wholes: dict[str, Latency]


class Row(Struct, frozen=True, kw_only=True):
    """One phase of one workload.

    `rate` is what was due a second, in turns: requests, or visits of several requests; None in the closed loop.
    `seconds` were asked for; `elapsed_s` it took, until the last reply: less if nobody was left to go on, as when each
    viewer follows one account and all of them do. `throughput` is requests a second that were answered as they may be.
    `shares` are the parts of the operations that the phase asks for. `errors`, and `refusals`, which are none, are
    counts by operation and kind. `check` is what `upspace check` said of the store after all phases: clean, or not.
    `generator_busy` is the part of the time in which the process that makes the load used a processor. `accounts` and
    `relations` are those of the dataset before; deleted accounts are not counted. `date` is UTC.
    """

    workload: str
    title: str
    phase: str
    engine: str
    loop: str
    rate: float | None
    schedule: str | None
    connections: int
    seconds: float
    warm_up_seconds: float
    workers: int
    viewers: int
    seed: int
    elapsed_s: float
    throughput: float
    shares: dict[str, float]
    latencies: Latencies
    errors: dict[str, dict[str, int]]
    refusals: dict[str, dict[str, int]]
    check: str
    generator_busy: float
    accounts: int
    relations: int
    date: str
    machine: Machine
    versions: dict[str, str]

    @property
    def is_saturated(self) -> bool:
        """Whether the generator was at its limit, so that the figures are its own."""
        return self.generator_busy > SATURATED


class Counted(NamedTuple):
    """What follows from a tally."""

    elapsed_s: float
    throughput: float
    latencies: Latencies
    errors: dict[str, dict[str, int]]
    refusals: dict[str, dict[str, int]]
    generator_busy: float


def counted(tally: Tally) -> Counted:
    """The tally in the units of the results."""
    everything = [latency for latencies in tally.latencies.values() for latency in latencies]
    return Counted(
        elapsed_s=round(tally.elapsed_s, 3),
        throughput=round(len(everything) / tally.elapsed_s, 1),
        latencies=Latencies(
            overall=_latency(everything) if everything else None,
            per_operation={name: _latency(found) for name, found in sorted(tally.latencies.items())},
            wholes={name: _latency(found) for name, found in sorted(tally.wholes.items())},
        ),
        errors=_nested(tally.errors),
        refusals=_nested(tally.refusals),
        generator_busy=round(tally.busy, 3),
    )


def render(row: Row) -> str:
    """What a person wants to know of a row."""
    load = "closed loop" if row.rate is None else f"open loop, {row.rate:g}/s due ({row.schedule})"
    lines = [
        f"{row.workload} ({row.title}), {row.phase}: {row.engine}, {load}, {row.connections} connections",
        f"{row.throughput:,.0f} requests/s in {row.elapsed_s:.1f} s; generator busy {row.generator_busy:.0%}"
        + (": SATURATED, the figures are those of the generator" if row.is_saturated else ""),
        "",
        table(("operation", "count", "p50, ms", "p95", "p99", "p99.9", "max"), _cells(row.latencies)),
        "",
        f"errors: {_listed(row.errors)}",
        f"refusals: {_listed(row.refusals)}",
        f"upspace check: {row.check}",
    ]
    return "\n".join(lines)


def _latency(seconds: list[float]) -> Latency:
    ordered = sorted(seconds)

    def percentile(part: float) -> float:
        return round(ordered[max(0, ceil(part * len(ordered)) - 1)] * 1000, 3)

    return Latency(
        count=len(ordered),
        mean_ms=round(sum(ordered) / len(ordered) * 1000, 3),
        p50_ms=percentile(0.5),
        p95_ms=percentile(0.95),
        p99_ms=percentile(0.99),
        p999_ms=percentile(0.999),
        max_ms=percentile(1),
    )


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (name, kind), number in sorted(counts.items()):
        nested.setdefault(name, {})[kind] = number
    return nested


def _cells(latencies: Latencies) -> Iterable[Sequence[str]]:
    named = {**latencies.per_operation, **latencies.wholes}
    if latencies.overall is not None:
        named["overall"] = latencies.overall
    for name, of in named.items():
        figures = (of.p50_ms, of.p95_ms, of.p99_ms, of.p999_ms, of.max_ms)
        yield (name, f"{of.count:,}", *(f"{figure:.2f}" for figure in figures))


def _listed(nested: dict[str, dict[str, int]]) -> str:
    kinds = (f"{name} {kind}: {number}" for name, of in nested.items() for kind, number in of.items())
    return "; ".join(kinds) or "none"
