"""The part of the page about loading."""

from collections.abc import Sequence

from bulk.results import BulkResults, Stage
from tables import ENGINES, measured_on, table

BARE_GOAL = 0.4
"""Of the rate of the database's own program."""
RATE_GOAL = 76_435
"""Follows a second: the load rate that LinkBench published, on a database server."""
PEAK_GOAL_MB = 2_000

_PROGRAMS = {"sqlite": "the `sqlite3` shell's `.import`", "postgres": "PostgreSQL's `copy`"}

_METHOD = """\
`benchmarks/bulk_load.py` makes two CSV files in random order: accounts, and follows whose numbers by account are
heavy-tailed (a Pareto distribution with the exponent 1.3), with one account that all others follow. `upspace import`
takes them in from the start of the process to its end: reading, checking each row, sorting, both directions, mutual
states, counters, writing, commit. Then the store is checked, exported to CSV, and that imported again, which has to
give the same checksums.

The bare program gets what upspace has made of it: the rows of the five big tables, both directions among them, sorted
by key, into empty tables with the same indexes. What it would take to come by those rows is not counted.
"""


def render_bulk(all_results: Sequence[BulkResults]) -> list[str]:
    """The part of the page as paragraphs of Markdown."""
    return [
        "## Loading",
        "\n".join(_verdict(results) for results in all_results),
        "![Follows a second](benchmarks/loading.svg)",
        table(
            (
                *("engine", "accounts", "follows", "rows stored", "store, MB"),
                *("import, s", "follows/s", "peak MB", "bare, s", "of bare"),
                *("check, s", "export, s", "import again, s"),
            ),
            (
                (
                    ENGINES[of.engine],
                    *(f"{count:,}" for count in (of.accounts, of.follows, of.rows, of.store_mb)),
                    f"{of.load.seconds:,.0f}",
                    f"{of.follows_per_s:,.0f}",
                    f"{of.load.peak_mb:,.0f}",
                    f"{of.bare.seconds:,.0f}",
                    f"{of.of_bare:.2f}",
                    *(f"{stage.seconds:,.0f}" for stage in (of.check, of.export, of.load_again)),
                )
                for of in all_results
            ),
        ),
        _METHOD.strip(),
        "\n\n".join(f"{ENGINES[of.engine]}: {measured_on(of.date, of.machine, of.versions)}" for of in all_results),
    ]


def _verdict(of: BulkResults) -> str:
    met = [
        (f"{of.of_bare:.2f} of the rate of {_PROGRAMS[of.engine]}", f"goal {BARE_GOAL:g}", of.of_bare >= BARE_GOAL),
        (f"{of.follows_per_s:,.0f} follows a second", f"goal {RATE_GOAL:,}", of.follows_per_s > RATE_GOAL),
        (f"{_peak(of.load)} resident at most", f"goal {PEAK_GOAL_MB:,} MB", of.load.peak_mb <= PEAK_GOAL_MB),
        ("checksums after export and import equal", "goal", of.is_equal),
        (f"check: {of.findings.partition('; ')[2]}", "goal", of.findings.endswith("everything agrees")),
    ]
    shown = "; ".join(f"{what} ({goal}: {'met' if is_met else '**not met**'})" for what, goal, is_met in met)
    return f"- {ENGINES[of.engine]}: {shown}."


def _peak(stage: Stage) -> str:
    return f"{stage.peak_mb:,.0f} MB"
