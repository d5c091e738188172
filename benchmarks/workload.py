"""Measures one workload: many kinds of requests at once, by shares, and the latency of each kind.

    python benchmarks/workload.py w1 --store sqlite --loop closed
    python benchmarks/workload.py w1 --store postgres --loop open --rate 2000

Needs the extra `bench`, and Linux. Works on a copy of the dataset. Prints a table for each phase and writes a JSON file
into benchmarks/results/workloads/. What the workloads are: benchmarks/workloads/mixes.py.
"""

import argparse
import secrets
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from command import at_least, ending_politely, look_at_machine, say
from dataset import FOLDER, build_dataset, count_rows
from machine import versions_of
from msgspec import Struct
from results import write_json
from servers import Server, upspace_server
from workloads.load import Shape, run_load
from workloads.mixes import WORKLOADS
from workloads.operations import Phase, Workload
from workloads.people import People
from workloads.results import Counted, Row, counted, render
from workloads.source import Source
from workloads.stores import POSTGRES, SQLITE, copied_store
from workloads.writes import Writes
from write_load import is_clean, put_tokens

from upspace.data.community import Community

RESULTS = Path(__file__).with_name("results") / "workloads"

_CLOSED, _OPEN = "closed", "open"
_POISSON, _FIXED = "poisson", "fixed"


class _Size(Struct, frozen=True):
    """How much is done unless options say otherwise."""

    accounts: int
    relations: int
    seconds: int
    warm_up_seconds: int
    results: Path


_FULL = _Size(200_000, 3_000_000, 10, 2, RESULTS)
# Too little to mean anything; where the dataset is, results are not kept.
_SMALL = _Size(2_000, 30_000, 1, 0, FOLDER / "results")


def main() -> None:
    """Measure, print and write; a failure is one line and exit status 1."""
    parser = _build_parser()
    given = parser.parse_args()
    if (given.rate is None) == (given.loop == _OPEN):
        parser.error("--rate goes with --loop open, and only with it")
    _complete(given)
    try:
        community = Community(seed=1, accounts=given.accounts, relations=given.relations)
    except ValueError as error:
        parser.error(str(error))
    with ending_politely(parser.prog):
        rows = measure(WORKLOADS[given.workload], community, given)
    for row in rows:
        print(render(row), end="\n\n")
    write_json(rows, given.results)
    say(f"written: {given.results}")


def measure(workload: Workload, community: Community, given: argparse.Namespace) -> list[Row]:
    """All phases on one copy of the dataset, and the check of it afterwards."""
    date, machine = datetime.now(UTC).date().isoformat(), look_at_machine()
    source = build_dataset(given.data, community)
    random, admin_token = Random(given.seed), secrets.token_urlsafe(32)
    say("choosing viewers")
    people = People(source, workload.viewers, random)
    writes = Writes(people, admin_token, random)
    with copied_store(given.store, source, community, given.data, given.folder) as copy:
        put_tokens(copy.url, {viewer.mid: viewer.token for viewer in people.viewers})
        options = ("--workers", str(given.workers))
        with upspace_server(copy.url, *options, admin_token=admin_token) as server:
            found = {
                phase.name: _run(server, phase, Source(phase, people, writes, random), given, random)
                for phase in workload.phases
            }
        say("checking")
        check = "clean" if is_clean(copy.url) else "not clean"
        versions = versions_of("upspace", "granian", "uvloop", "apsw", "msgspec", "asyncpg") | copy.versions
    dataset = count_rows(source, community.seed, people.ranked[0])
    return [
        Row(
            workload=workload.name,
            title=workload.title,
            phase=phase.name,
            engine=given.store,
            loop=given.loop,
            rate=given.rate,
            schedule=given.schedule if given.loop == _OPEN else None,
            connections=given.connections,
            seconds=given.seconds,
            warm_up_seconds=given.warm_up,
            workers=given.workers,
            viewers=len(people.viewers),
            seed=given.seed,
            shares=_shares(phase),
            check=check,
            accounts=dataset.accounts,
            relations=dataset.relations,
            date=date,
            machine=machine,
            versions=versions,
            **found[phase.name]._asdict(),
        )
        for phase in workload.phases
    ]


def _run(server: Server, phase: Phase, source: Source, given: argparse.Namespace, random: Random) -> Counted:
    port = int(server.url.rpartition(":")[2])
    shape = Shape(port, given.connections, given.seconds, given.rate, given.schedule == _POISSON)
    if given.warm_up:
        say(f"{phase.name}: warming up")
        run_load(shape._replace(seconds=given.warm_up, rate=None), source, random)
    say(f"{phase.name}: measuring")
    return counted(run_load(shape, source, random))


def _shares(phase: Phase) -> dict[str, float]:
    total = sum(operation.share for operation in phase.operations)
    return {operation.name: round(operation.share / total, 5) for operation in phase.operations}


def _complete(given: argparse.Namespace) -> None:
    """Fill in the options that depend on others."""
    size = _SMALL if given.small else _FULL
    given.accounts = given.accounts or size.accounts
    given.relations = given.relations or size.relations
    given.seconds = given.seconds or size.seconds
    given.warm_up = size.warm_up_seconds if given.warm_up is None else given.warm_up
    name = "-".join([given.workload, given.store, given.loop, *([] if given.rate is None else [f"{given.rate:g}"])])
    given.results = given.results or size.results / f"{name}.json"


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure one workload over one engine.")
    number = at_least(1)
    titles = "; ".join(f"{workload.name}: {workload.title}" for workload in WORKLOADS.values())
    parser.add_argument("workload", choices=WORKLOADS, help=titles)
    parser.add_argument("--store", choices=(SQLITE, POSTGRES), default=SQLITE, help="the engine (sqlite)")
    parser.add_argument("--loop", choices=(_CLOSED, _OPEN), default=_CLOSED, help="see benchmarks/workloads/load.py")
    parser.add_argument("--rate", type=number, metavar="N", help="requests a second that are due, visits for w4")
    parser.add_argument("--schedule", choices=(_POISSON, _FIXED), default=_POISSON, help="of the open loop (poisson)")
    parser.add_argument("--connections", type=number, default=32, metavar="N", help="of the generator (32)")
    parser.add_argument("--workers", type=number, default=1, metavar="N", help="of the server (1)")
    parser.add_argument("--seconds", type=number, metavar="N", help="length of each phase (10)")
    parser.add_argument("--warm-up", type=at_least(0), metavar="N", help="seconds before that, closed loop (2)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another number, other requests (1)")
    parser.add_argument("--small", action="store_true", help="a small dataset for a second: whether everything works")
    parser.add_argument("--accounts", type=number, metavar="N", help="accounts of the dataset (200,000)")
    parser.add_argument("--relations", type=number, metavar="N", help="relations of the dataset (3,000,000)")
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="where the dataset is kept")
    parser.add_argument("--folder", type=Path, help="where the copy of a SQLite file is put that is written to")
    parser.add_argument("--results", type=Path, metavar="FILE", help="where the figures go, as JSON")
    return parser


if __name__ == "__main__":
    main()
