"""The part of the page about the read endpoints."""

from collections.abc import Callable, Sequence
from statistics import median

from results import Beside, CaseResult, Kept, KeptCase, Results, errors_of
from tables import against_goal, measured_on, spread, table

_METHOD = """\
All servers answer from the same rows and run at the same time, but only one is asked at a time: the others are idle.
The load is wrk with {connections} connections and {threads} thread, on the same machine. A round goes through the
endpoints and asks the servers one right after another, for the same random accounts in the same order.

- Rounds: {rounds}, and one before them that is not counted
- Length of a run: {seconds} s, {warm_up} s in the round that is not counted, after which upspace is asked for all
  accounts once

The ratios are taken within each round, and the table has their median: a shared machine may change its speed
from one minute to the next, which changes requests/s far more than ratios. Requests/s are medians of their own,
so their quotient need not be the ratio. Latencies are those of the round with the median requests/s of upspace. As
wrk sends the next request of a connection as soon as it has a reply, they are those of a server kept fully busy.

- **Bare**: the limit of whole servers. Granian over RSGI with one worker, uvloop and no WebSocket, which answers
  constant bytes, as many as upspace does on average. upspace has a door of its own, so that what costs it little may
  exceed this. `benchmarks/bare_limit.py`
- **upspace**: `upspace serve` with one worker and no other options. It keeps what is asked for over and over as it was
  sent, so the list of the most followed account is found, not made.
- **FastAPI**: FastAPI with SQLAlchemy's async ORM and aiosqlite over the same file, under uvicorn with one worker and
  default options, its access log among them. It answers anonymous viewers only and leaves out credentials, JSONP
  and profiles. `benchmarks/peer_fastapi.py`
- **Datasette**: `datasette serve` over the same file with no options but the port, asked for JSON of the rows that the
  reply is made of: the account's row, its counters, or a page of 20 by time. It gives one row where card needs three,
  and the numbers of the accounts of a list where upspace gives the accounts, so it is asked for less. `cases.py`

Before the load, {sampled} replies of upspace for each endpoint (one for the most followed account) are compared with
FastAPI's, and have to be equal value by value. After it, the same requests have to be answered with code 0.

The dataset is the synthetic community of seed {seed}: {accounts:,} accounts that are not deleted,
{relations:,} relations; the most followed account has {most:,} followers. Which accounts were asked for:
"""


def render_reads(results: Results) -> list[str]:
    """The part of the page as paragraphs of Markdown."""
    return [
        "## Reads",
        f"{_verdict(results)}",
        "![Requests a second of each server](benchmarks/reads.svg)",
        _main_table(results.cases),
        _memory(results),
        _errors(results.cases),
        _kept(results.kept),
        _method(results),
        table(
            ("endpoint", "accounts asked for", "how many"),
            ((of.case.label(), of.case.targets.value, f"{of.targets:,}") for of in results.cases),
            texts=2,
        ),
        "Lowest and highest ratio of all rounds:",
        table(
            ("endpoint", "upspace / bare", "upspace / FastAPI", "upspace / Datasette"),
            (
                (
                    of.case.label(),
                    spread(of.summary.to_bare, 2),
                    spread(of.summary.to_peer, 1),
                    spread(of.summary.to_datasette, 1),
                )
                for of in results.cases
            ),
        ),
        measured_on(results.date, results.machine, results.versions),
    ]


def _verdict(results: Results) -> str:
    missed = [
        f"{of.case.label()}: {ratio.median:.{digits}f} {of_what}, goal {goal:g}"
        for of in results.cases
        for ratio, goal, of_what, digits in (
            (of.summary.to_bare, of.case.bare_goal, "of the bare limit", 2),
            (of.summary.to_peer, of.peer_goal, "times FastAPI", 1),
            (of.summary.to_datasette, of.peer_goal, "times Datasette", 1),
        )
        if ratio.median < goal
    ]
    rss = results.memory["upspace"].rss_mb
    if rss >= results.memory_goal_mb:
        missed.append(f"memory of the worker: {rss:.0f} MB, goal less than {results.memory_goal_mb:.0f} MB")
    goals = 3 * len(results.cases) + 1
    head = f"{goals - len(missed)} of {goals} goals are met"
    if not missed:
        return head + "."
    met = [
        of.case.label()
        for of in results.kept.cases
        if min(of.alone.to_bare.median, of.under_writes.to_bare.median) >= of.case.bare_goal
    ]
    said = f"{head} with default settings; not met:\n\n" + "\n".join(f"- {line}" for line in missed)
    if met:
        said += f"\n\nWith memory for replies, see below, the goals of the bare limit are met by {', '.join(met)}, too."
    return said


def _main_table(cases: Sequence[CaseResult]) -> str:
    head = (
        "endpoint",
        "reply, bytes",
        "bare, req/s",
        "upspace, req/s",
        "FastAPI, req/s",
        "Datasette, req/s",
        "upspace p50 / p99, ms",
        "of bare (goal)",
        "times FastAPI (goal)",
        "times Datasette (goal)",
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
                f"{of.summary.datasette_requests_per_s:,.0f}",
                f"{of.summary.upspace_p50_ms:.2f} / {of.summary.upspace_p99_ms:.2f}",
                against_goal(of.summary.to_bare, of.case.bare_goal, 2),
                against_goal(of.summary.to_peer, of.peer_goal, 1),
                against_goal(of.summary.to_datasette, of.peer_goal, 1),
            )
            for of in cases
        ),
    )


def _memory(results: Results) -> str:
    used = results.memory["upspace"]
    met = "met" if used.rss_mb < results.memory_goal_mb else "not met"
    others = ", ".join(f"{name} {of.rss_mb:.0f} MB" for name, of in results.memory.items() if name != "upspace")
    return (
        f"Memory of the upspace worker after the load: {used.rss_mb:.1f} MB resident "
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


def _kept(kept: Kept) -> str:
    beside = [of for case in kept.cases for of in (case.alone, case.under_writes)]
    errors = sum(errors_of(run) for of in beside for run in (*of.bare, *of.upspace))
    said = (
        f"What memory buys, in the same run: with `--reply-cache-mb {kept.reply_cache_mb}` instead of the default, and"
        " after each had been asked for once, lists and cards are sent as they were kept, until somebody writes what"
        f" they show. The worker then takes {kept.memory.rss_mb:.0f} MB. Errors: {errors}."
    )
    written = (
        f"The same while another process commits {kept.writes_per_s:.0f} follows and unfollows a second to the file,"
        " each by itself, of accounts drawn from all, as those are that are asked for: few replies are made anew, and"
        " what is seen is what noticing the commits costs, and the processor that the other process takes from both."
    )
    parts = (said, _beside(kept, lambda of: of.alone), written, _beside(kept, lambda of: of.under_writes))
    return "\n\n".join(parts)


def _beside(kept: Kept, chosen: Callable[[KeptCase], Beside]) -> str:
    head = ("endpoint", "bare, req/s", "upspace, req/s", "upspace p50 / p99, ms", "of bare (goal)", "in the rounds")
    return table(
        head,
        (
            (
                of.case.label(),
                f"{median(run.requests_per_s for run in beside.bare):,.0f}",
                f"{median(run.requests_per_s for run in beside.upspace):,.0f}",
                f"{median(run.p50_ms for run in beside.upspace):.2f} / "
                f"{median(run.p99_ms for run in beside.upspace):.2f}",
                against_goal(beside.to_bare, of.case.bare_goal, 2),
                spread(beside.to_bare, 2),
            )
            for of in kept.cases
            for beside in (chosen(of),)
        ),
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
