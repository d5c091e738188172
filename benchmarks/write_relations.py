"""Measures relation writes: committed in groups beside one transaction each, and what they do to reads.

    python benchmarks/write_relations.py

Needs the extra `bench` and wrk. Writes benchmarks/results/write_relations.json and docs/benchmarks-writes.md.
"""

import argparse
import asyncio
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import apsw
from cases import Case, Targets
from dataset import FOLDER, build_dataset, count_rows, find_targets
from load import LoadError, require_wrk, run_script, run_wrk
from machine import describe_machine, find_versions
from msgspec import Struct
from read_endpoints import at_least
from servers import Server, ServerError, single_commit_server, upspace_server
from write_report import PAGE, RESULTS, Reads, Round, WriteResults, Writes, write_page, write_results

from upspace.data.community import Community, CommunityMismatchError
from upspace.model import Token
from upspace.relations.modify import modify
from upspace.server.viewer import token_digest
from upspace.store import migrate_store, open_store
from upspace.store.interface import StoreError
from upspace.wire.codes import ACT_FOLLOW, ACT_UNFOLLOW
from upspace.wire.profiles import Quotas

WRITE_CONNECTIONS = 64
VIEWERS = 2_000
REFUSED_MAX = 0.02
"""A viewer may follow an account of the dataset already. More refusals than that would flatter."""

_SCRIPT = Path(__file__).with_name("writes.lua")
_READ = Case(name="relation_stat", path="/x/relation/stat", query="vmid={mid}", bare_goal=0)


class Counted(Struct, frozen=True, forbid_unknown_fields=True):
    """One run as `writes.lua` prints it; times in microseconds."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    refused: int
    failed: int


class Plan(NamedTuple):
    """What is written to: a copy of the dataset, and the files that wrk reads."""

    store: Path
    mids: Path
    tokens: Path
    viewers: list[int]
    everyone: list[int]
    most_followed: int
    seconds: int


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
    # A polite end, too, must stop the servers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = measure(given)
    except (LoadError, ServerError, CommunityMismatchError, StoreError) as error:
        sys.exit(f"{parser.prog}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{parser.prog}: stopped, nothing is written")
    write_results(results, RESULTS)
    write_page(results, PAGE)


def measure(given: argparse.Namespace) -> WriteResults:
    """All rounds, and the check of the store afterwards."""
    versions = find_versions(require_wrk())
    machine = describe_machine()
    community = Community(seed=1, accounts=given.accounts, relations=given.relations)
    original = build_dataset(FOLDER, community)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        plan = _prepare(original, Path(folder), given.seconds)
        rounds = []
        for number in range(given.rounds + 1):
            of = _measure_round(plan, number)
            # The first one warms up caches and the log of the file.
            if number:
                rounds.append(of)
                _say(f"round {number}: {of}")
        dataset = count_rows(plan.store, community.seed, plan.most_followed)
        clean = (
            subprocess.run([*_upspace(), "check", "--store", f"sqlite:///{plan.store}"], check=False).returncode == 0
        )
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


def _prepare(original: Path, folder: Path, seconds: int) -> Plan:
    targets = find_targets(original)
    store = folder / "written.db"
    shutil.copy(original, store)
    everyone = targets[Targets.EVERYONE]
    most_followed = targets[Targets.MOST_FOLLOWED][0]
    viewers = random.Random(1).sample(sorted(set(everyone) - _followers(original, most_followed)), VIEWERS)
    tokens = {mid: secrets.token_urlsafe(32) for mid in viewers}
    asyncio.run(_put_tokens(f"sqlite:///{store}", tokens))
    mids_file, tokens_file = folder / "mids.txt", folder / "tokens.txt"
    strangers = sorted(set(everyone) - set(viewers))
    mids_file.write_text("".join(f"{mid}\n" for mid in strangers), encoding="ascii")
    tokens_file.write_text("".join(f"{token}\n" for token in tokens.values()), encoding="ascii")
    return Plan(store, mids_file, tokens_file, viewers, strangers, most_followed, seconds)


def _followers(path: Path, mid: int) -> set[int]:
    """The account and all who follow it: no viewer shall follow it from the start."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {mid, *(other for (other,) in db.execute("select other from follower where owner = ?", (mid,)))}
    finally:
        db.close()


async def _put_tokens(url: str, tokens: dict[int, str]) -> None:
    await migrate_store(url)
    store = await open_store(url)
    try:
        now = int(time.time())
        await asyncio.gather(*(store.put_token(Token(token_digest(text), mid, now)) for mid, text in tokens.items()))
    finally:
        await store.close()


def _measure_round(plan: Plan, number: int) -> Round:
    disk = _syncs_per_s(plan.store.parent, plan.seconds)
    alone = asyncio.run(_one_at_a_time(plan, number))
    with single_commit_server(plan.store) as server:
        single = _write(server, plan, 3 * number, "")
    with upspace_server(plan.store) as server:
        grouped = _write(server, plan, 3 * number + 1, "")
        hot = _write(server, plan, number, str(plan.most_followed))
        idle = _read(server, plan, plan.seconds, number)
        with ThreadPoolExecutor(1) as other:
            # The writes begin before the reads and end after them.
            writing = other.submit(_write, server, plan._replace(seconds=plan.seconds + 2), 3 * number + 2, "")
            time.sleep(1)
            busy = _read(server, plan, plan.seconds, number)
            meanwhile = writing.result()
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


async def _one_at_a_time(plan: Plan, number: int) -> float:
    """Writes a second when each waits for the one before: one transaction each, without a server around it."""
    store = await open_store(f"sqlite:///{plan.store}")
    chosen = random.Random(number)
    rules = [
        partial(modify, act=act, now=int(time.time()), re_src=0, quotas=Quotas()) for act in (ACT_FOLLOW, ACT_UNFOLLOW)
    ]
    count, began = 0, time.perf_counter()
    try:
        while (passed := time.perf_counter() - began) < plan.seconds:
            viewer, target = chosen.choice(plan.viewers), chosen.choice(plan.everyone)
            for rule in rules:
                await store.change_relations(viewer, (target,), rule)
                count += 1
    finally:
        await store.close()
    return round(count / passed, 1)


def _write(server: Server, plan: Plan, number: int, only: str) -> Writes:
    counted = run_script(
        _SCRIPT,
        Counted,
        server.url,
        (str(plan.mids), str(plan.tokens), str(number), only),
        seconds=plan.seconds,
        connections=WRITE_CONNECTIONS,
    )
    refused = counted.refused / counted.requests
    if counted.failed or refused > REFUSED_MAX:
        raise LoadError(f"{counted.failed} writes failed and {counted.refused} of {counted.requests} were refused")
    rate = round(counted.requests / counted.duration_us * 1e6, 1)
    return Writes(rate, counted.p50_us / 1000, counted.p99_us / 1000, round(refused, 4))


def _read(server: Server, plan: Plan, seconds: int, number: int) -> Reads:
    counted = run_wrk(server.url, _READ.url("{mid}"), plan.mids, seconds=seconds, seed=number)
    rate = round(counted.requests / counted.duration_us * 1e6, 1)
    return Reads(rate, counted.p50_us / 1000, counted.p99_us / 1000)


def _upspace() -> list[str]:
    return [str(Path(sys.executable).with_name("upspace"))]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
