"""The part of the page about communities of several sizes."""

from collections.abc import Sequence
from statistics import median

from bulk.growth_results import GROWTH_GOAL, GrowthResults, Sample, Warm
from tables import measured_on, spread, table

_METHOD = """\
`benchmarks/growth.py` makes communities as `bulk_load.py` does, of so many follows that each account has the same
number on average, and one, the star, that all others follow. All are served at the same time by a process each, and
asked one right after the other, {rounds} rounds of {seconds} s each after one that is not counted, by wrk with
{connections} connections for reads and {writes} for writes. So a p50 is that of a server kept fully busy. Lists are
of 20, of accounts with at least 20. Warm means that all of a file is in the page cache: it is read through before
each run. The growth is the median over the rounds of the p50 at the largest size, divided by that at the smallest.
A worker keeps accounts as replies show them within a bound of memory. With the default one, most accounts of the large
communities are read anew for each reply; with the larger one, the same setting for all sizes, long decorations alone
are. Lists and cards are kept as they were sent as far as 2 MB go: those of the star always, those of random accounts at
the smallest size more often than at the larger ones. Requests are about 200,000 accounts drawn at random, lists about
100,000 owners, as far as there are so many.

Cold is a server that has just started, over a file of which nothing is in memory, asked {cold} times one after the
other.
"""


def render_growth(results: GrowthResults) -> list[str]:
    """The part of the page as paragraphs of Markdown."""
    largest = results.sizes[-1]
    heads = [f"{of.follows:,}" for of in results.sizes]
    parts = [
        "## Growth",
        f"From {results.sizes[0].follows:,} to {largest.follows:,} follows; the star has {largest.accounts - 1:,}"
        f" followers at the largest size. Goal: no p50 grows to more than {GROWTH_GOAL:g} times.",
        "![p50 against the number of follows, with the default bound for accounts](benchmarks/growth.svg)",
    ]
    for warm in results.warm:
        parts += _render_warm(results, warm, heads)
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


def _render_warm(results: GrowthResults, warm: Warm, heads: Sequence[str]) -> list[str]:
    """What servers of one bound for accounts in memory did."""
    grown = {kind: warm.growth(kind) for kind in results.labels}
    missed = [f"{results.labels[kind]} ({of.median:.2f})" for kind, of in grown.items() if of.median > GROWTH_GOAL]
    near = [results.labels[kind] for kind, of in grown.items() if of.median <= GROWTH_GOAL < of.highest]
    if warm is results.warm[0]:
        bound = f"the default `--account-cache-mb {warm.account_cache_mb}`"
    else:
        bound = f"`--account-cache-mb {warm.account_cache_mb}`, after each of the targets had been asked for once"
    verdict = f"goal met by {len(grown) - len(missed)} of {len(grown)} kinds of requests"
    return [
        f"p50 in milliseconds by the number of follows, warm, with {bound}: {verdict}"
        + (f", not by {'; '.join(missed)}." if missed else ".")
        + (f" In one round or another these grew to more: {'; '.join(near)}." if near else ""),
        table(
            ("requests", *heads, "growth", "lowest to highest"),
            [
                (
                    label,
                    *(f"{_p50(runs[kind]):.2f}" for runs in warm.runs),
                    f"{grown[kind].median:.2f}",
                    spread(grown[kind], 2),
                )
                for kind, label in results.labels.items()
            ]
            + [("worker, MB resident", *(f"{of:,.0f}" for of in warm.resident_mb), "", "")],
        ),
    ]


def _p50(samples: Sequence[Sample]) -> float:
    return median(of.p50_ms for of in samples)


def _cold(sample: Sample) -> str:
    return f"{sample.p50_ms:.2f} / {sample.p99_ms:.2f}"
