"""From the results of postgres.py to the page for people.

    python benchmarks/postgres_report.py

makes docs/benchmarks-postgres.md anew from benchmarks/results/postgres.json and benchmarks/pages/postgres.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
from postgres_results import (
    BARE,
    PEER,
    SINGLE_COMMITS,
    SINGLE_QUERIES,
    SQLITE,
    UPSPACE,
    PostgresResults,
    ReadCase,
    ReadResults,
    WriteRound,
)
from results import Ratio, errors_of, ratio_of
from tables import against_goal, spread, table
from write_report import Reads, Writes

RESULTS = Path(__file__).with_name("results") / "postgres.json"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks-postgres.md"

READ_GOAL = 2.5
"""Every endpoint: at least this many times the requests/s of one query a request."""

WRITE_GOAL = 4.0
"""Grouped writes: at least this many times those of one transaction each."""

HOT_GOAL = 0.8
"""Grouped writes towards one account: at least this part of those of random accounts."""

_TEMPLATE = Path(__file__).parent / "pages" / "postgres.md"


class Goal(NamedTuple):
    """A ratio that had to reach a goal; `against` says what to, in a sentence."""

    what: str
    ratio: Ratio
    goal: float
    against: str


def render_page(results: PostgresResults) -> str:
    """The page as Markdown: the template with its figures and tables."""
    goals = [*_read_goals(results.reads), *_write_goals(results.writes.rounds)]
    missed = [of for of in goals if of.ratio.median < of.goal]
    lines = [f"- {of.what}: {of.ratio.median:.2f} {of.against}, goal {of.goal:g}" for of in missed]
    return _TEMPLATE.read_text(encoding="utf-8").format(
        date=results.date,
        verdict=f"{len(goals) - len(missed)} of {len(goals)} goals are met"
        + ("; not met:\n\n" + "\n".join(lines) if missed else "."),
        **_read_figures(results.reads),
        **_write_figures(results),
        method=results.method,
        dataset=results.dataset,
        settings=", ".join(f"`{name} = {value}`" for name, value in results.settings.items()),
        machine=results.machine,
        versions=", ".join(f"{name} {version}" for name, version in results.versions.items()),
    )


def write_page(results: PostgresResults) -> None:
    """Write the page."""
    PAGE.write_text(render_page(results), encoding="utf-8")


def per_s(of: ReadCase, server: str) -> float:
    """The requests/s of a server: the median of all rounds."""
    return median(runs[server].requests_per_s for runs in of.rounds)


def ratio_to(of: ReadCase, server: str) -> Ratio:
    """Upspace over PostgreSQL beside another server, within each round."""
    return ratio_of([runs[UPSPACE].requests_per_s / runs[server].requests_per_s for runs in of.rounds])


def best_single(of: ReadCase) -> str:
    """One query a request with the number of connections that was the best one."""
    return max(SINGLE_QUERIES.values(), key=lambda name: per_s(of, name))


def best_commits(rounds: Sequence[WriteRound]) -> str:
    """One transaction a write with the number of connections that was the best one."""
    return max(SINGLE_COMMITS.values(), key=lambda name: median(of.single[name].per_s for of in rounds))


def _read_goals(reads: ReadResults) -> Iterator[Goal]:
    for of in reads.cases:
        yield Goal(of.case.label(), ratio_to(of, best_single(of)), READ_GOAL, "times one query a request")


def _write_goals(rounds: Sequence[WriteRound]) -> Iterator[Goal]:
    best = best_commits(rounds)
    each = ratio_of([of.grouped.per_s / of.single[best].per_s for of in rounds])
    yield Goal("writes in groups", each, WRITE_GOAL, "times one transaction each")
    hot = ratio_of([of.hot.per_s / of.grouped.per_s for of in rounds])
    yield Goal("writes in groups towards one account", hot, HOT_GOAL, "of those of random accounts")


def _read_figures(reads: ReadResults) -> dict[str, object]:
    cases = reads.cases
    [stat] = [of for of in cases if of.case.name == "relation_stat"]
    of_selects = [
        runs[UPSPACE].requests_per_s / selects
        for runs, selects in zip(stat.rounds, reads.single_selects_per_s, strict=True)
    ]
    return {
        "single_table": _single_table(cases),
        "other_table": _other_table(cases),
        "varied_table": table(
            ("endpoint", "one query a request", "bare", "peer", "SQLite"),
            (
                (of.case.label(), *(spread(ratio_to(of, name), 2) for name in (best_single(of), BARE, PEER, SQLITE)))
                for of in cases
            ),
        ),
        "targets_table": table(
            ("endpoint", "accounts asked for", "how many"),
            ((of.case.label(), of.case.targets.value, f"{of.targets:,}") for of in cases),
            texts=2,
        ),
        "memory_table": table(
            ("server", "worker, MB resident", "connections", "their processes' own memory, MB"),
            (
                (_said(name), f"{reads.memory[name].rss_mb:.0f}", f"{of.connections}", f"{of.own_mb:.0f}")
                for name, of in reads.backends.items()
            ),
        ),
        "selects": median(reads.single_selects_per_s),
        "stat": per_s(stat, UPSPACE),
        "stat_of_selects": ratio_of(of_selects),
        "errors": _errors(cases),
        "failed": sum(of.failed_after for of in cases),
        "sampled": sum(of.sampled for of in cases),
        "compared": max(of.sampled for of in cases),
    }


def _single_table(cases: Sequence[ReadCase]) -> str:
    return table(
        (
            "endpoint",
            "reply, bytes",
            "one query a request, req/s",
            "with connections",
            "upspace, req/s",
            "p50 / p99, ms",
            "times one query a request (goal)",
        ),
        (
            (
                of.case.label(),
                f"{of.reply_bytes:,}",
                f"{per_s(of, best_single(of)):,.0f}",
                f"{_connections(SINGLE_QUERIES, best_single(of))}",
                f"{per_s(of, UPSPACE):,.0f}",
                _latencies(of),
                against_goal(ratio_to(of, best_single(of)), READ_GOAL, 2),
            )
            for of in cases
        ),
    )


def _other_table(cases: Sequence[ReadCase]) -> str:
    return table(
        ("endpoint", "bare, req/s", "SQLite, req/s", "peer, req/s", "of bare", "of SQLite", "times peer"),
        (
            (
                of.case.label(),
                *(f"{per_s(of, name):,.0f}" for name in (BARE, SQLITE, PEER)),
                f"{ratio_to(of, BARE).median:.2f}",
                f"{ratio_to(of, SQLITE).median:.2f}",
                f"{ratio_to(of, PEER).median:.1f}",
            )
            for of in cases
        ),
    )


def _write_figures(results: PostgresResults) -> dict[str, object]:
    writes = results.writes
    rounds, best = writes.rounds, best_commits(writes.rounds)
    under_writes = ratio_of([of.reads_under_writes.p99_ms / of.reads_alone.p99_ms for of in rounds])
    ratios = [
        (
            of.what + " " + of.against,
            f"at least {of.goal:g}: " + _met(of),
            f"{of.ratio.median:.2f}",
            spread(of.ratio, 2),
        )
        for of in _write_goals(rounds)
    ]
    ratios.append(("p99 of reads under writes / without", "", f"{under_writes.median:.2f}", spread(under_writes, 2)))
    kinds: list[tuple[str, Callable[[WriteRound], Writes | Reads]]] = [
        *((f"one transaction each, {tried} connections", _single(name)) for tried, name in SINGLE_COMMITS.items()),
        ("one transaction each, all towards the most followed account", lambda of: of.single_hot),
        ("committed in groups, random accounts", lambda of: of.grouped),
        ("committed in groups, all towards the most followed account", lambda of: of.hot),
        ("reads of relation/stat alone", lambda of: of.reads_alone),
        ("the same reads while writes go on", lambda of: of.reads_under_writes),
        ("writes while those reads go on", lambda of: of.writes_under_reads),
    ]
    return {
        "write_ratios": table(("ratio", "goal", "median", "lowest to highest"), ratios),
        "write_table": table(
            ("what", "a second", "p50, ms", "p99, ms"),
            (
                (
                    what,
                    f"{median(run(of).per_s for of in rounds):,.0f}",
                    f"{median(run(of).p50_ms for of in rounds):.2f}",
                    f"{median(run(of).p99_ms for of in rounds):.2f}",
                )
                for what, run in kinds
            ),
        ),
        "best_commits": _connections(SINGLE_COMMITS, best),
        "refused": max(run.refused for of in rounds for run in (*of.single.values(), of.grouped, of.hot)),
        "clean": "clean" if writes.clean_afterwards else "**not clean**",
        "writes": writes,
    }


def _single(name: str) -> Callable[[WriteRound], Writes]:
    return lambda of: of.single[name]


def _met(of: Goal) -> str:
    return "met" if of.ratio.median >= of.goal else "**not met**"


def _connections(names: Mapping[int, str], name: str) -> int:
    return next(connections for connections, named in names.items() if named == name)


def _latencies(of: ReadCase) -> str:
    """Those of the round with the median requests/s."""
    runs = sorted((runs[UPSPACE] for runs in of.rounds), key=lambda run: run.requests_per_s)
    middle = runs[(len(runs) - 1) // 2]
    return f"{middle.p50_ms:.2f} / {middle.p99_ms:.2f}"


def _errors(cases: Sequence[ReadCase]) -> str:
    totals = {name: sum(errors_of(runs[name]) for of in cases for runs in of.rounds) for name in cases[0].rounds[0]}
    return ", ".join(f"{_said(name)} {total}" for name, total in totals.items())


def _said(name: str) -> str:
    for connections, named in SINGLE_QUERIES.items():
        if name == named:
            return f"one query a request over {connections} connections"
    return name


def main() -> None:
    """Make the page anew."""
    write_page(msgspec.json.decode(RESULTS.read_bytes(), type=PostgresResults))


if __name__ == "__main__":
    main()
