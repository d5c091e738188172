"""The part of the page about the mixed workloads."""

from collections.abc import Mapping, Sequence

from tables import ENGINES, measured_on, table
from workloads.results import Row

_METHOD = """\
`benchmarks/workload.py` sends requests of many kinds at once, by shares, on a copy of the dataset ({accounts:,}
accounts, {relations:,} relations); what the workloads are stands in `benchmarks/workloads/mixes.py`. In the closed
loop each of {connections} connections sends its next request when the last one is answered, which shows the most that
a server does and how long each request takes then. In the open loop requests are due at times of their own, and
latency counts from then on. A visit is due as a whole: six requests one after another. "Refused" is what the contract
provides for, such as lists that their owner hides and accounts that the workload itself has deleted; errors are all
other replies that are not code 0.
"""


def render_workloads(rows: Sequence[Row]) -> list[str]:
    """The part of the page as paragraphs of Markdown."""
    first = rows[0]
    # Those of an engine may have been measured on several days.
    oldest = {row.engine: row for row in sorted(rows, key=lambda row: (row.engine, row.date), reverse=True)}
    return [
        "## Mixed workloads",
        table(
            (
                *("workload", "phase", "engine", "loop"),
                *("requests/s", "p50, ms", "p95, ms", "p99, ms", "p99.9, ms", "refused", "errors", "check"),
            ),
            (_cells(row) for row in rows),
            texts=4,
        ),
        "Latencies by kind of request, closed loop, p50 / p99 in milliseconds:",
        table(
            ("workload", "engine", "requests"),
            ((row.workload, row.engine, _kinds(row)) for row in rows if row.rate is None),
            texts=3,
        ),
        _METHOD.format(accounts=first.accounts, relations=first.relations, connections=first.connections).strip(),
        *(f"{ENGINES[engine]}: {measured_on(of.date, of.machine, of.versions)}" for engine, of in oldest.items()),
    ]


def _cells(row: Row) -> tuple[str, ...]:
    overall = row.latencies.overall
    figures = () if overall is None else (overall.p50_ms, overall.p95_ms, overall.p99_ms, overall.p999_ms)
    busy = " (generator at its limit)" if row.is_saturated else ""
    return (
        f"{row.workload}: {row.title}",
        row.phase,
        row.engine,
        "closed" if row.rate is None else f"open, {row.rate:g}/s",
        f"{row.throughput:,.0f}{busy}",
        *(f"{figure:.2f}" for figure in figures),
        f"{_total(row.refusals):,}",
        f"{_total(row.errors):,}",
        row.check,
    )


def _total(counts: Mapping[str, Mapping[str, int]]) -> int:
    return sum(count for kinds in counts.values() for count in kinds.values())


def _kinds(row: Row) -> str:
    return ", ".join(f"{kind} {of.p50_ms:.2f} / {of.p99_ms:.2f}" for kind, of in row.latencies.per_operation.items())
