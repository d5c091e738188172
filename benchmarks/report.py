"""From the results to the page for people.

    python benchmarks/report.py

makes docs/benchmarks.md anew from benchmarks/results/read_endpoints.json.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec
from results import CaseResult, Results
from tables import against_goal, spread, table

RESULTS = Path(__file__).with_name("results") / "read_endpoints.json"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

_METHOD = """\
All three servers answer from the same rows and run at the same time, but only one is asked at a time: the others
are idle. The load is wrk with {connections} connections and {threads} thread, on the same machine. A round goes through
the endpoints and asks the three servers one right after another, for the same random accounts in the same order.

- Rounds: {rounds}, and one before them that is not counted
- Length of a run: {seconds} s, {warm_up} s in the round that is not counted

The ratios are taken within each round, and the table has their median: a shared machine may change its speed
from one minute to the next, which changes requests/s far more than ratios. Requests/s are medians of their own,
so their quotient need not be the ratio. Latencies are those of the round with the median requests/s of upspace. As
wrk sends the next request of a connection as soon as it has a reply, they are those of a server kept fully busy.

- **Bare**: the limit. Granian over RSGI with the options of `upspace serve` (one worker, uvloop, no WebSocket), which
  answers constant bytes, as many as upspace does on average. `benchmarks/bare_limit.py`
- **upspace**: `upspace serve` with one worker and no other options.
- **Peer**: FastAPI with SQLAlchemy's async ORM and aiosqlite over the same file, under uvicorn with one worker and
  default options, its access log among them. It answers anonymous viewers only and leaves out credentials, JSONP
  and profiles. `benchmarks/peer_fastapi.py`

Before the load, {sampled} replies of upspace for each endpoint (one for the most followed account) are compared with
the peer's, and have to be equal value by value. After it, the same requests have to be answered with code 0.

The dataset is the synthetic community of seed {seed}: {accounts:,} accounts that are not deleted,
{relations:,} relations; the most followed account has {most:,} followers. Which accounts were asked for:
"""

_REPRODUCE = """\
Install [wrk](https://github.com/wg/wrk) (Debian, Ubuntu: `apt install wrk`), then in a checkout:

```sh
pip install -e '.[bench]'
python benchmarks/read_endpoints.py
```

The first run makes the dataset, which takes some minutes, and keeps it in `benchmarks/.data/`. `--help` lists the
options. The figures of every round are in `benchmarks/results/read_endpoints.json`, from which
`python benchmarks/report.py` makes this page. Close other programs before: wrk and the server measured need two cores.
"""


def render_page(results: Results) -> str:
    """The page as Markdown."""
    return (
        "\n\n".join(
            part.strip()
            for part in (
                "# Benchmarks",
                "<!-- Made by benchmarks/report.py from the results. Do not edit. -->",
                _verdict(results),
                _main_table(results.cases),
                _memory(results),
                _errors(results.cases),
                "## How it was measured",
                _method(results),
                table(
                    ("endpoint", "accounts asked for", "how many"),
                    ((of.case.label(), of.case.targets.value, f"{of.targets:,}") for of in results.cases),
                    texts=2,
                ),
                "## How much it varied",
                "Lowest and highest ratio of all rounds.",
                table(
                    ("endpoint", "upspace / bare", "upspace / peer"),
                    (
                        (of.case.label(), spread(of.summary.to_bare, 2), spread(of.summary.to_peer, 1))
                        for of in results.cases
                    ),
                ),
                "## What it was measured on",
                _machine(results),
                "## Do it again",
                _REPRODUCE,
            )
        )
        + "\n"
    )


def write_page(results: Results, path: Path) -> None:
    """Write the page."""
    path.write_text(render_page(results), encoding="utf-8")


def _verdict(results: Results) -> str:
    missed = [
        f"{of.case.label()}: {ratio.median:.{digits}f} {of_what}, goal {goal:g}"
        for of in results.cases
        for ratio, goal, of_what, digits in (
            (of.summary.to_bare, of.case.bare_goal, "of the bare limit", 2),
            (of.summary.to_peer, of.peer_goal, "times the peer", 1),
        )
        if ratio.median < goal
    ]
    rss = results.memory["upspace"].rss_mb
    if rss >= results.memory_goal_mb:
        missed.append(f"memory of the worker: {rss:.0f} MB, goal less than {results.memory_goal_mb:.0f} MB")
    goals = 2 * len(results.cases) + 1
    head = f"Measured on {results.date}. {goals - len(missed)} of {goals} goals are met"
    if not missed:
        return head + "."
    return head + "; not met:\n\n" + "\n".join(f"- {line}" for line in missed)


def _main_table(cases: Sequence[CaseResult]) -> str:
    head = (
        "endpoint",
        "reply, bytes",
        "bare, req/s",
        "upspace, req/s",
        "peer, req/s",
        "upspace p50 / p99, ms",
        "of bare (goal)",
        "times peer (goal)",
    )
    return table(
        head,
        (
            (
                of.case.label(),
                f"{of.reply_bytes:,}",
                f"{of.summary.bare_requests_per_s:,.0f}",
                f"{of.summary.upspace_requests_per_s:,.0f}",
                f"{of.summary.peer_requests_per_s:,.0f}",
                f"{of.summary.upspace_p50_ms:.2f} / {of.summary.upspace_p99_ms:.2f}",
                against_goal(of.summary.to_bare, of.case.bare_goal, 2),
                against_goal(of.summary.to_peer, of.peer_goal, 1),
            )
            for of in cases
        ),
    )


def _memory(results: Results) -> str:
    used = results.memory["upspace"]
    met = "met" if used.rss_mb < results.memory_goal_mb else "not met"
    others = ", ".join(f"{name} {of.rss_mb:.0f} MB" for name, of in results.memory.items() if name != "upspace")
    return (
        f"Memory of the upspace worker after the load: {used.rss_mb:.0f} MB resident "
        f"(goal: less than {results.memory_goal_mb:.0f} MB, {met}), "
        f"{used.pss_mb:.0f} MB when shared pages are counted in part (PSS). Resident memory of the others: {others}."
    )


def _errors(cases: Sequence[CaseResult]) -> str:
    totals = {name: sum(of.summary.errors[name] for of in cases) for name in cases[0].summary.errors}
    counted = ", ".join(f"{name} {total}" for name, total in totals.items())
    failed, sampled = sum(of.failed_after for of in cases), sum(of.sampled for of in cases)
    return (
        f"Errors under load (HTTP status, sockets, timeouts): {counted}. "
        f"Replies sampled after the load that were not code 0: {failed} of {sampled}."
    )


def _method(results: Results) -> str:
    return _METHOD.format(
        connections=results.method.connections,
        threads=results.method.threads,
        seconds=results.method.seconds,
        rounds=results.method.rounds,
        warm_up=results.method.warm_up_seconds,
        sampled=max(of.sampled for of in results.cases),
        seed=results.dataset.seed,
        accounts=results.dataset.accounts,
        relations=results.dataset.relations,
        most=results.dataset.most_followers,
    )


def _machine(results: Results) -> str:
    on = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return (
        f"{on.cpu}, {on.cores} cores, {on.memory_gb:g} GB, {on.system}; "
        f"load average of the minute before: {on.load_before:g}.\n\n{versions}."
    )


def main() -> None:
    """Make the page from results that are there."""
    parser = argparse.ArgumentParser(
        description="Make the page of benchmarks from the results.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="the figures, as JSON")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="where the page goes")
    given = parser.parse_args()
    write_page(msgspec.json.decode(given.results.read_bytes(), type=Results), given.page)


if __name__ == "__main__":
    main()
