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
Requests are about 200,000 accounts drawn at random, lists about 100,000 owners, as far as there are so many; a round
ends with the writes.

A worker keeps accounts as replies show them, and lists and cards as they were sent, both within bounds of memory. With
the default bounds most accounts of the large communities are read anew for each reply, and of the replies few are found
again but those of the star; at the smallest size all accounts are known, and more of the replies. With room for all
accounts and none for replies, each reply is put together from accounts that are known; long decorations alone are read.
With room for both, lists and cards are found as they were sent, at every size.

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
        "![p50 against the number of follows, with the default bounds of memory](benchmarks/growth.svg)",
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
    """What servers of the same bounds did."""
    grown = {kind: warm.growth(kind) for kind in results.labels}
    missed = [f"{results.labels[kind]} ({of.median:.2f})" for kind, of in grown.items() if of.median > GROWTH_GOAL]
    near = [results.labels[kind] for kind, of in grown.items() if of.median <= GROWTH_GOAL < of.highest]
    bound = f"`--account-cache-mb {warm.account_cache_mb} --reply-cache-mb {warm.reply_cache_mb}`"
    bound = (
        f"{bound}, all targets having been asked for once before each round" if warm.known else f"the default {bound}"
    )
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
