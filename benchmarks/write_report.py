"""From the results of write_relations.py to the page for people.

    python benchmarks/write_report.py

makes docs/benchmarks-writes.md anew from benchmarks/results/write_relations.json.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct
from results import Dataset, Machine

RESULTS = Path(__file__).with_name("results") / "write_relations.json"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks-writes.md"

_METHOD = """\
The load is wrk over {connections} connections for writes and 32 for reads, {seconds} s a run, on the same machine as
the server, which is `upspace serve` with one worker. Every write is a follow or an unfollow by one of {viewers:,}
viewers; at most {refused:.1%} of a run were refused, as the account was followed already. A reply leaves when its write
is on disk (`synchronous=FULL`). As wrk sends the next request of a connection as soon as it has a reply, latencies are
those of a server kept fully busy. "One transaction each" is the same server under the same load with a group of one
(`benchmarks/single_commits.py`); "one write after another" calls the store in a loop, without HTTP and without waiting
requests.

The dataset is a copy of the one of [benchmarks.md](benchmarks.md): {accounts:,} accounts, {relations:,} relations."""


class Writes(Struct, frozen=True):
    """One run of writes against a server; `refused` is the part that changed nothing."""

    per_s: float
    p50_ms: float
    p99_ms: float
    refused: float


class Reads(Struct, frozen=True):
    """One run of reads against a server."""

    per_s: float
    p50_ms: float
    p99_ms: float


class Round(Struct, frozen=True):
    """One round of everything.

    The disk's own limit; writes one after another without a server; one transaction each, in groups, and in groups
    towards one account; reads alone and meanwhile.
    """

    disk_syncs_per_s: float
    alone_per_s: float
    single: Writes
    grouped: Writes
    hot: Writes
    reads_alone: Reads
    reads_under_writes: Reads
    writes_under_reads: Writes


class WriteResults(Struct, frozen=True, kw_only=True):
    """One measurement."""

    date: str
    machine: Machine
    versions: dict[str, str]
    dataset: Dataset
    connections: int
    seconds: int
    viewers: int
    rounds: list[Round]
    clean_afterwards: bool


def render_page(results: WriteResults) -> str:
    """The page, whole."""
    rounds = results.rounds
    goals = [
        _goal(
            "grouped writes / one transaction each",
            3,
            at_least=True,
            of=[r.grouped.per_s / r.single.per_s for r in rounds],
        ),
        _goal(
            "follows of one account / of random ones",
            0.9,
            at_least=True,
            of=[r.hot.per_s / r.grouped.per_s for r in rounds],
        ),
        _goal(
            "p99 of reads under writes / without",
            3,
            at_least=False,
            of=[r.reads_under_writes.p99_ms / r.reads_alone.p99_ms for r in rounds],
        ),
    ]
    rows = [
        _row("4 KiB appended and synced: the disk's own limit", rounds, lambda r: (r.disk_syncs_per_s, None, None)),
        _row(
            "one write after another, one transaction each, without a server",
            rounds,
            lambda r: (r.alone_per_s, None, None),
        ),
        _row("one transaction each, random accounts", rounds, lambda r: _figures(r.single)),
        _row("committed in groups, random accounts", rounds, lambda r: _figures(r.grouped)),
        _row("committed in groups, all towards the most followed account", rounds, lambda r: _figures(r.hot)),
        _row("reads of relation/stat alone", rounds, lambda r: _figures(r.reads_alone)),
        _row("the same reads while writes go on", rounds, lambda r: _figures(r.reads_under_writes)),
        _row("writes while those reads go on", rounds, lambda r: _figures(r.writes_under_reads)),
    ]
    machine, dataset = results.machine, results.dataset
    return "\n".join(
        [
            "# Benchmarks of relation writes",
            "",
            "<!-- Made by benchmarks/write_report.py from the results. Do not edit. -->",
            "",
            f"Measured on {results.date}. Ratios are taken within a round; the median of {len(rounds)} rounds counts.",
            "",
            "| ratio | goal | median | lowest to highest |",
            "| --- | ---: | ---: | ---: |",
            *goals,
            "",
            "| what | a second | p50, ms | p99, ms |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            "",
            *_METHOD.format(
                connections=results.connections,
                seconds=results.seconds,
                viewers=results.viewers,
                refused=max(run.refused for r in rounds for run in (r.grouped, r.hot, r.writes_under_reads)),
                accounts=dataset.accounts,
                relations=dataset.relations,
            ).splitlines(),
            "`upspace check` after all rounds: " + ("clean." if results.clean_afterwards else "**not clean**."),
            "",
            f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb} GB, {machine.system};"
            f" load average of the minute before: {machine.load_before}.",
            "",
            ", ".join(f"{name} {version}" for name, version in results.versions.items()) + ".",
            "",
            "Do it again, in a checkout with the extra `bench` and wrk installed:",
            "",
            "```sh",
            "python benchmarks/write_relations.py",
            "```",
            "",
        ]
    )


def write_page(results: WriteResults, path: Path) -> None:
    """Write the page."""
    path.write_text(render_page(results), encoding="utf-8")


Figures = tuple[float, float | None, float | None]


def _figures(run: Writes | Reads) -> Figures:
    return run.per_s, run.p50_ms, run.p99_ms


def _row(what: str, rounds: list[Round], figures: Callable[[Round], Figures]) -> str:
    per_s, p50, p99 = zip(*map(figures, rounds), strict=True)
    return f"| {what} | {median(per_s):,.0f} | {_middle(p50)} | {_middle(p99)} |"


def _middle(values: tuple[float | None, ...]) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.2f}" if known else ""


def _goal(what: str, goal: float, *, at_least: bool, of: list[float]) -> str:
    middle = median(of)
    met = middle >= goal if at_least else middle <= goal
    bound = f"at {'least' if at_least else 'most'} {goal:g}: {'met' if met else '**not met**'}"
    return f"| {what} | {bound} | {middle:.2f} | {min(of):.2f} to {max(of):.2f} |"


def main() -> None:
    """Make the page anew."""
    write_page(msgspec.json.decode(RESULTS.read_bytes(), type=WriteResults), PAGE)


if __name__ == "__main__":
    main()
