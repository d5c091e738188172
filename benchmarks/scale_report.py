"""From the results of scale.py to the page for people: what was measured, and what is computed from that.

    python benchmarks/scale_report.py

makes docs/scale.md anew from benchmarks/results/scale.json and benchmarks/pages/scale.md.
"""

from collections.abc import Iterable
from math import ceil
from pathlib import Path
from statistics import median

import msgspec
from cases import CASES
from results import Run
from scale_results import ScaleResults, Served
from tables import table
from write_report import Writes

RESULTS = Path(__file__).with_name("results") / "scale.json"
PAGE = Path(__file__).parent.parent / "docs" / "scale.md"

_TEMPLATE = Path(__file__).parent / "pages" / "scale.md"

# What is assumed and not measured; the page says so of each.
_CHURN = 1.4
_FULL = 0.8
_HOT = 0.1
_RELATIONS_PER_ACCOUNT = 100
_ROUND_TRIP_MS = 0.25
_SHARDS = 256
_PAIRS = 32
_STATEMENTS = 12
_KEYS = 16
_NODES = (1, 4, 16, 64)

# On how many shards some random keys are, on average.
_TOUCHED = _SHARDS * (1 - (1 - 1 / _SHARDS) ** _KEYS)
_STATEMENTS_A_KEY = _TOUCHED / _KEYS

_ACCOUNT_TABLES = ("account", "standing", "upstat")
_TB = 1e12
_GB = 1e9


class Bytes:
    """What things take on disk right after a move, with their indexes."""

    def __init__(self, results: ScaleResults) -> None:
        of = results.tables
        accounts, relations = of["standing"].rows, of["relation"].rows
        self.account = sum(of[name].total_bytes for name in _ACCOUNT_TABLES) / accounts
        self.standing = of["standing"].total_bytes / accounts
        self.relation = of["relation"].total_bytes / relations
        self.follower = of["follower"].total_bytes / of["follower"].rows
        self.grouped = of["grouped"].total_bytes / of["grouped"].rows
        self.followers_per_relation = of["follower"].rows / relations
        self.grouped_per_relation = of["grouped"].rows / relations
        self.pair = (
            self.relation + self.followers_per_relation * self.follower + self.grouped_per_relation * self.grouped
        )

    def fresh(self, accounts: float, relations: float) -> float:
        """All of a community, as dense as after a move."""
        return accounts * self.account + relations * self.pair


def render_page(results: ScaleResults) -> str:
    """The page as Markdown: the template with its figures and tables."""
    of, weight = results.tables, Bytes(results)
    rate = results.move.rows / results.move.seconds
    [one, two] = results.served
    selects = median(results.single_selects_per_s)
    relations, accounts = of["relation"].rows, of["standing"].rows
    hot = _per_s(one.hot)
    largest = weight.fresh(1e9, 1e11)
    lock_ms = 2 * _PAIRS * _ROUND_TRIP_MS
    group_ms = (2 * _PAIRS + _STATEMENTS) * _ROUND_TRIP_MS
    return _TEMPLATE.read_text(encoding="utf-8").format(
        results=results,
        weight=weight,
        one=one,
        two=two,
        assumed={
            "churn": _CHURN,
            "full": _FULL,
            "hot": _HOT,
            "relations": _RELATIONS_PER_ACCOUNT,
            "round_trip": _ROUND_TRIP_MS,
            "shards": _SHARDS,
            "pairs": _PAIRS,
            "keys": _KEYS,
        },
        pairs_twice=2 * _PAIRS,
        clean="clean" if results.clean_afterwards else "**not clean**",
        size_table=_size_table(results),
        account_sum=" + ".join(f"{of[name].total_bytes / accounts:.0f}" for name in _ACCOUNT_TABLES),
        served_table=_served_table(one, two),
        held_table=_held_table(weight),
        nodes_table=_nodes_table(weight),
        spread_table=_spread_table(selects, min(_reads(runs) for runs in results.pages.values())),
        touched=_TOUCHED,
        statements_a_key=_STATEMENTS_A_KEY,
        accounts=accounts,
        relations=relations,
        move_rate=rate,
        file_gb=results.file_bytes / _GB,
        database_gb=results.database_bytes / _GB,
        to_file=results.database_bytes / results.file_bytes,
        selects=selects,
        pages={name: _reads(runs) for name, runs in results.pages.items()},
        hot_one=hot,
        hot_two=_per_s(two.hot),
        random_two=_per_s(two.writes),
        backends_each=one.backends.own_mb / one.backends.connections,
        backends_hundred=800 * one.backends.own_mb / one.backends.connections / 1000,
        wal_of_hot=hot * results.wal_bytes_per_write / 1e6,
        lock_ms=lock_ms,
        group_ms=group_ms,
        group_bound=2 * _PAIRS / group_ms * 1000,
        deletion_million_s=results.deletion_s / results.deleted_followers * 1e6,
        deletion_million_gb=weight.follower * 1e6 / _GB,
        check_rate=relations / results.check_s,
        check_days=1e11 / (relations / results.check_s) / 86400,
        move_days=(1e9 * 3 + 1e11 * (1 + weight.followers_per_relation)) / rate / 86400,
        backup_hours=_TB * _FULL / 1e6 / results.backup_mb_per_s / 3600,
        shard_gb=largest * _CHURN / _SHARDS / _GB,
        versions=", ".join(f"{name} {version}" for name, version in results.versions.items()),
        settings=", ".join(f"`{name} = {value}`" for name, value in results.settings.items()),
    )


def write_page(results: ScaleResults) -> None:
    """Write the page."""
    PAGE.write_text(render_page(results), encoding="utf-8")


def _size_table(results: ScaleResults) -> str:
    return table(
        ("table", "rows", "table, MB", "indexes, MB", "bytes a row, with indexes"),
        (
            (
                f"`{name}`",
                f"{of.rows:,}",
                f"{of.table_bytes / 1e6:,.1f}",
                f"{of.index_bytes / 1e6:,.1f}",
                f"{of.total_bytes / of.rows:.0f}",
            )
            for name, of in results.tables.items()
            if of.rows >= results.tables["standing"].rows / 10
        ),
    )


def _served_table(one: Served, two: Served) -> str:
    rows = [
        (
            case.label(),
            *(f"{_reads(served.reads[case.name]):,.0f}" for served in (one, two)),
            *(_latency(served.reads[case.name]) for served in (one, two)),
        )
        for case in CASES
    ]
    rows += [
        (what, *(f"{_per_s(runs):,.0f}" for runs in both), *(_latency(runs) for runs in both))
        for what, both in (
            ("follows and unfollows of random accounts", (one.writes, two.writes)),
            ("the same, all towards the most followed account", (one.hot, two.hot)),
        )
    ]
    return table(
        ("what", "a second, 1 worker", "2 workers", "p50 / p99 in ms, 1 worker", "2 workers"),
        rows,
    )


def _held_table(weight: Bytes) -> str:
    rows = []
    for accounts in (1e6, 1e7, 1e8, 1e9):
        relations = accounts * _RELATIONS_PER_ACCOUNT
        fresh = weight.fresh(accounts, relations)
        disk = fresh * _CHURN / _FULL
        memory = accounts * weight.standing + _HOT * fresh
        one_tb = ceil(disk / _TB)
        rows.append(
            (
                f"{accounts:,.0f}",
                f"{relations:,.0f}",
                _tb(fresh),
                _tb(disk),
                f"{one_tb:,}",
                f"{ceil(disk / 2 / _TB):,}",
                f"{memory / _GB:,.0f}",
                f"{memory / _GB / one_tb:,.0f}",
            )
        )
    return table(
        (
            "accounts",
            "relations",
            "fresh, TB",
            "disk, TB",
            "nodes of 1 TB",
            "nodes of 2 TB",
            "hot set, GB",
            "hot set of a node of 1 TB, GB",
        ),
        rows,
        texts=0,
    )


def _nodes_table(weight: Bytes) -> str:
    each = weight.account + _RELATIONS_PER_ACCOUNT * weight.pair
    return table(
        ("nodes", "of 1 TB hold accounts", "and relations", "of 2 TB hold accounts", "and relations"),
        (
            (f"{nodes}", *(shown for size in (_TB, 2 * _TB) for shown in _held(nodes * size * _FULL / _CHURN / each)))
            for nodes in _NODES
        ),
        texts=0,
    )


def _held(accounts: float) -> tuple[str, str]:
    return f"{accounts / 1e6:,.1f} million", f"{accounts * _RELATIONS_PER_ACCOUNT / 1e9:,.1f} billion"


def _spread_table(selects: float, pages: float) -> str:
    return table(
        ("nodes", "lookups by key a second, at most", "list pages a second, at most"),
        (
            (f"{nodes}", f"{nodes * selects / _STATEMENTS_A_KEY:,.0f}", f"{nodes * pages:,.0f}")
            for nodes in _NODES
            if nodes > 1
        ),
        texts=0,
    )


def _tb(size: float) -> str:
    return f"{size / _TB:,.2f}" if size < 10 * _TB else f"{size / _TB:,.1f}"


def _reads(runs: Iterable[Run]) -> float:
    return median(run.requests_per_s for run in runs)


def _per_s(runs: Iterable[Writes]) -> float:
    return median(run.per_s for run in runs)


def _latency(runs: Iterable[Run | Writes]) -> str:
    found = list(runs)
    return f"{median(run.p50_ms for run in found):.2f} / {median(run.p99_ms for run in found):.2f}"


def main() -> None:
    """Make the page anew."""
    write_page(msgspec.json.decode(RESULTS.read_bytes(), type=ScaleResults))


if __name__ == "__main__":
    main()
