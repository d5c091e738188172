"""Measures the six read endpoints: upspace beside the bare limit and beside what a user would write instead.

    python benchmarks/read_endpoints.py

Needs the extra `bench` and wrk. Writes benchmarks/results/read_endpoints.json and docs/benchmarks.md.
"""

import argparse
from pathlib import Path

from command import at_least, ending_politely
from dataset import FOLDER
from measure import Plan, measure
from report import READS, write_page
from results import write_json

from upspace.data.community import Community


def main() -> None:
    """Measure and write; a failure is one line and exit status 1."""
    parser = build_parser()
    given = parser.parse_args()
    try:
        plan = read_plan(given)
    except ValueError as error:
        parser.error(str(error))
    with ending_politely(parser.prog):
        results = measure(plan)
    write_json(results, given.results)
    if given.results == READS:
        write_page()


def read_plan(given: argparse.Namespace) -> Plan:
    """The plan that the options ask for. Raises ValueError for a community that cannot be."""
    return Plan(
        community=Community(seed=given.seed, accounts=given.accounts, relations=given.relations),
        folder=given.data,
        rounds=given.rounds,
        seconds=given.seconds,
        warm_up_seconds=given.warm_up,
    )


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        description="Measure requests/s and latency of the six read endpoints: upspace, the bare limit, peers.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    number = at_least(1)
    parser.add_argument("--rounds", type=number, default=7, metavar="N", help="rounds through all cases")
    parser.add_argument("--seconds", type=number, default=3, metavar="N", help="length of one run")
    parser.add_argument("--warm-up", type=at_least(0), default=3, metavar="N", help="seconds for each case and server")
    parser.add_argument("--accounts", type=number, default=200_000, metavar="N", help="accounts of the dataset")
    parser.add_argument("--relations", type=number, default=3_000_000, metavar="N", help="relations of the dataset")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another number, another dataset")
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="where the dataset is kept")
    parser.add_argument("--results", type=Path, default=READS, metavar="FILE", help="where the figures go, as JSON")
    return parser


if __name__ == "__main__":
    main()
