"""The part of the page about communities of several sizes."""

from collections.abc import Sequence
from statistics import median

from bulk.growth_results import GROWTH_GOAL, GrowthResults, Sample
from tables import measured_on, table

_METHOD = """\
`benchmarks/growth.py` makes communities as `bulk_load.py` does, of so many follows that each account has the same
number on average, and one, the star, that all others follow. All are served at the same time by a process each, and
asked one right after the other, {rounds} rounds of {seconds} s each after one that is not counted, by wrk with
{connections} connections for reads and {writes} for writes. So a p50 is that of a server kept fully busy. Lists are
of 20, of accounts with at least 20. Warm means that all of a file is in the page cache: it is read through before
each run. The growth is the median over the rounds of the p50 at the largest size, divided by that at the smallest.

Cold is a server that has just started, over a file of which nothing is in memory, asked {cold} times one after the
other.
"""


def render_growth(results: GrowthResults) -> list[str]:
    """The part of the page as paragraphs of Markdown."""
    largest = results.sizes[-1]
    grown = {kind: results.growth(kind) for kind in results.labels}
    missed = [f"- {results.labels[kind]}: {growth:.2f}" for kind, growth in grown.items() if growth > GROWTH_GOAL]
    verdict = (
        f"From {results.sizes[0].follows:,} to {largest.follows:,} follows, {len(grown) - len(missed)} of {len(grown)}"
        f" kinds of requests have a p50 that grows to at most {GROWTH_GOAL:g} times. The star has"
        f" {largest.accounts - 1:,} followers at the largest size."
    )
    heads = [f"{of.follows:,}" for of in results.sizes]
    parts = [
        "## Growth",
        verdict + (" Not met:\n\n" + "\n".join(missed) if missed else ""),
        "![p50 against the number of follows](benchmarks/growth.svg)",
        "p50 in milliseconds, warm, by the number of follows:",
        table(
            ("requests", *heads, "growth"),
            (
                (label, *(f"{_p50(of.warm[kind]):.2f}" for of in results.sizes), f"{grown[kind]:.2f}")
                for kind, label in results.labels.items()
            ),
        ),
    ]
    cold = [kind for kind in results.labels if kind in largest.cold]
    if cold:
        parts += [
            "p50 / p99 in milliseconds, cold:",
            table(
                ("requests", *heads),
                ((results.labels[kind], *(_cold(of.cold[kind]) for of in results.sizes)) for kind in cold),
            ),
        ]
    return [
        *parts,
        table(
            ("follows", "accounts", "store, MB"),
            ((f"{of.follows:,}", f"{of.accounts:,}", f"{of.store_mb:,.0f}") for of in results.sizes),
        ),
        _METHOD.format(
            rounds=results.rounds,
            seconds=results.seconds,
            connections=results.connections,
            writes=results.write_connections,
            cold=results.cold_requests,
        ).strip(),
        measured_on(results.date, results.machine, results.versions),
    ]


def _p50(samples: Sequence[Sample]) -> float:
    return median(of.p50_ms for of in samples)


def _cold(sample: Sample) -> str:
    return f"{sample.p50_ms:.2f} / {sample.p99_ms:.2f}"
