"""Measures the PostgreSQL engine: gathered lookups beside one query a request, groups beside one transaction a write.

    python benchmarks/postgres.py

Needs the extra `bench` and wrk; it starts a PostgreSQL server of its own. Writes benchmarks/results/postgres.json and
docs/benchmarks-postgres.md.
"""

from cases import Targets
from cluster import SETTINGS, filled_database, rows, running_cluster
from dataset import count_rows
from postgres_command import Start, run_command
from postgres_reads import measure_reads
from postgres_report import RESULTS, write_page
from postgres_results import PostgresResults
from postgres_writes import measure_writes
from results import write_json


def measure(start: Start) -> PostgresResults:
    """All of it: reads of the rows that are kept, writes to a copy of them."""
    with running_cluster(start.folder, start.community) as cluster:
        url = filled_database(cluster, start.source)
        [(version,)] = rows(url, "show server_version")
        reads = measure_reads(cluster, url, start.source, start.targets, start.method)
        writes = measure_writes(cluster, start.source, start.method)
    return PostgresResults(
        date=start.date,
        machine=start.machine,
        versions=start.versions | {"postgresql": version},
        settings=SETTINGS,
        dataset=count_rows(start.source, start.community.seed, start.targets[Targets.MOST_FOLLOWED][0]),
        method=start.method,
        reads=reads,
        writes=writes,
    )


def _write(results: PostgresResults) -> None:
    write_json(results, RESULTS)
    write_page(results)


if __name__ == "__main__":
    run_command("Measure the PostgreSQL engine: reads, writes and memory, beside other servers.", measure, _write)
