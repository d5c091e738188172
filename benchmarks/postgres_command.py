"""What the two commands that measure PostgreSQL have in common: options, rows, machine, and how they end."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cases import Targets
from command import at_least, ending_politely, look_at_machine
from dataset import FOLDER, build_dataset, find_targets
from load import CONNECTIONS, THREADS, require_wrk
from machine import find_versions
from msgspec import Struct
from results import Machine, Method

from upspace.data.community import Community

T = TypeVar("T")


class Start(Struct, frozen=True, kw_only=True):
    """What is there before anything is measured. `date` is UTC; `source` is the SQLite file with the rows."""

    date: str
    machine: Machine
    versions: dict[str, str]
    community: Community
    source: Path
    targets: dict[Targets, list[int]]
    folder: Path
    method: Method


def run_command(description: str, measure: Callable[[Start], T], write: Callable[[T], None]) -> None:
    """Measure and write; a failure is one line and exit status 1."""
    parser = _build_parser(description)
    given = parser.parse_args()
    with ending_politely(parser.prog):
        results = measure(_start(given))
    write(results)


def _build_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    number = at_least(1)
    parser.add_argument("--rounds", type=number, default=3, metavar="N", help="rounds through everything")
    parser.add_argument("--seconds", type=number, default=2, metavar="N", help="length of one run")
    parser.add_argument("--warm-up", type=at_least(0), default=2, metavar="N", help="length of one before the rounds")
    parser.add_argument("--accounts", type=number, default=200_000, metavar="N", help="accounts of the dataset")
    parser.add_argument("--relations", type=number, default=3_000_000, metavar="N", help="relations of the dataset")
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="where both stores are kept")
    return parser


def _start(given: argparse.Namespace) -> Start:
    date = datetime.now(UTC).date().isoformat()
    versions = find_versions(require_wrk(), "asyncpg")
    machine = look_at_machine()
    community = Community(seed=1, accounts=given.accounts, relations=given.relations)
    source = build_dataset(given.data, community)
    return Start(
        date=date,
        machine=machine,
        versions=versions,
        community=community,
        source=source,
        targets=find_targets(source),
        folder=given.data,
        method=Method(
            rounds=given.rounds,
            seconds=given.seconds,
            warm_up_seconds=given.warm_up,
            connections=CONNECTIONS,
            threads=THREADS,
        ),
    )
