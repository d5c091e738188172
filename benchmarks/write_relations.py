"""Measures relation writes: committed in groups beside one transaction each, and what they do to reads.

    python benchmarks/write_relations.py

Needs the extra `bench` and wrk. Writes benchmarks/results/write_relations.json and docs/benchmarks-writes.md.
"""

import argparse
import asyncio
import os
import random
import shutil
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from command import at_least, ending_politely, look_at_machine, say
from dataset import FOLDER, build_dataset, count_rows
from load import require_wrk
from machine import find_versions
from results import write_json
from servers import single_commit_server, upspace_server
from write_load import (
    VIEWERS,
    WRITE_CONNECTIONS,
    WriteLoad,
    is_clean,
    prepare_writes,
    read,
    read_under_writes,
    write,
)
from write_report import PAGE, RESULTS, Round, WriteResults, write_page

from upspace.data.community import Community
from upspace.relations.modify import modify
from upspace.store import open_store
from upspace.wire.codes import ACT_FOLLOW, ACT_UNFOLLOW
from upspace.wire.profiles import Quotas


def main() -> None:
    """Measure and write; a failure is one line and exit status 1."""
    parser = argparse.ArgumentParser(
        description="Measure relation writes: groups beside one transaction each, hot accounts, reads meanwhile.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--rounds", type=at_least(1), default=5, metavar="N", help="rounds through all measurements")
    parser.add_argument("--seconds", type=at_least(1), default=4, metavar="N", help="length of one run")
    parser.add_argument("--accounts", type=at_least(1), default=200_000, metavar="N", help="accounts of the dataset")
    parser.add_argument(
        "--relations", type=at_least(1), default=3_000_000, metavar="N", help="relations of the dataset"
    )
    parser.add_argument("--folder", type=Path, default=None, help="where the copy that is written to is put")
    given = parser.parse_args()
    with ending_politely(parser.prog):
        results = measure(given)
    write_json(results, RESULTS)
    write_page(results, PAGE)


def measure(given: argparse.Namespace) -> WriteResults:
    """All rounds, and the check of the store afterwards."""
    versions = find_versions(require_wrk())
    machine = look_at_machine()
    community = Community(seed=1, accounts=given.accounts, relations=given.relations)
    original = build_dataset(FOLDER, community)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        load = _prepare(original, Path(folder))
        rounds = []
        for number in range(given.rounds + 1):
            of = _measure_round(load, given.seconds, number)
            # The first one warms up caches and the log of the file.
            if number:
                rounds.append(of)
                say(f"round {number}: {of}")
        dataset = count_rows(_path(load), community.seed, load.most_followed)
        clean = is_clean(load.store)
    return WriteResults(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine,
        versions=versions,
        dataset=dataset,
        connections=WRITE_CONNECTIONS,
        seconds=given.seconds,
        viewers=VIEWERS,
        rounds=rounds,
        clean_afterwards=clean,
    )


def _prepare(original: Path, folder: Path) -> WriteLoad:
    store = folder / "written.db"
    shutil.copy(original, store)
    return prepare_writes(f"sqlite:///{store}", original, folder)


def _path(load: WriteLoad) -> Path:
    return Path(load.store.removeprefix("sqlite:///"))


def _measure_round(load: WriteLoad, seconds: int, number: int) -> Round:
    disk = _syncs_per_s(_path(load).parent, seconds)
    alone = asyncio.run(_one_at_a_time(load, seconds, number))
    with single_commit_server(load.store) as server:
        single = write(server, load, seconds, 3 * number)
    with upspace_server(load.store) as server:
        grouped = write(server, load, seconds, 3 * number + 1)
        hot = write(server, load, seconds, number, only=(str(load.most_followed),))
        idle = read(server, load, seconds, number)
        busy, meanwhile = read_under_writes(server, load, seconds, 3 * number + 2)
    return Round(disk, alone, single, grouped, hot, idle, busy, meanwhile)


def _syncs_per_s(folder: Path, seconds: int) -> float:
    """How often this disk confirms 4 KiB appended to a file: no commit of its own can be faster."""
    count, began = 0, time.perf_counter()
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        while (passed := time.perf_counter() - began) < seconds:
            file.write(b"\0" * 4096)
            os.fdatasync(file.fileno())
            count += 1
    return round(count / passed, 1)


async def _one_at_a_time(load: WriteLoad, seconds: int, number: int) -> float:
    """Writes a second when each waits for the one before: one transaction each, without a server around it."""
    store = await open_store(load.store)
    chosen = random.Random(number)
    rules = [
        partial(modify, act=act, now=int(time.time()), re_src=0, quotas=Quotas()) for act in (ACT_FOLLOW, ACT_UNFOLLOW)
    ]
    count, began = 0, time.perf_counter()
    try:
        while (passed := time.perf_counter() - began) < seconds:
            viewer, target = chosen.choice(load.viewers), chosen.choice(load.everyone)
            for rule in rules:
                await store.change_relations(viewer, (target,), rule)
                count += 1
    finally:
        await store.close()
    return round(count / passed, 1)


if __name__ == "__main__":
    main()
