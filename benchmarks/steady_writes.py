"""Follows and unfollows of random accounts at a steady rate, by a process of its own, while something else is measured.

    python benchmarks/steady_writes.py --store sqlite:///community.db --mids mids.txt --per-s 100

Each is a commit by itself, as by a worker that is not busy. It goes on until SIGTERM, then prints how many a second it
was. Who comes late does not catch up: what was measured meanwhile met the rate that is printed, or less.
"""

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from load import LoadError

from upspace.model import Change, Pair
from upspace.relations.modify import modify
from upspace.store import open_store
from upspace.wire.codes import ACT_FOLLOW, ACT_UNFOLLOW
from upspace.wire.profiles import Quotas


class Rate:
    """How many writes a second there were, once they have ended."""

    per_s = 0.0


@contextmanager
def writes_going_on(store: str, mids: Path, per_s: int, seed: int) -> Iterator[Rate]:
    """Have so many accounts of the file `mids` follow or unfollow another one each second. Raises LoadError."""
    command = [
        sys.executable,
        __file__,
        "--store",
        store,
        "--mids",
        str(mids),
        "--per-s",
        str(per_s),
        "--seed",
        str(seed),
    ]
    reached = Rate()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "writing\n":
                raise LoadError("the writes did not begin")
            yield reached
        finally:
            process.terminate()
            told, _ = process.communicate()
    if process.returncode:
        raise LoadError(f"the writes ended with status {process.returncode}")
    reached.per_s = float(told)


def main() -> None:
    """Write until SIGTERM."""
    parser = argparse.ArgumentParser(description="Follow and unfollow at a steady rate until SIGTERM.")
    parser.add_argument("--store", required=True, help="a store URL")
    parser.add_argument("--mids", type=Path, required=True, help="a file of the accounts, one a line")
    parser.add_argument("--per-s", type=int, required=True, help="how many a second")
    parser.add_argument("--seed", type=int, default=1, help="another number, other writes")
    given = parser.parse_args()
    mids = [int(line) for line in given.mids.read_text(encoding="ascii").split()]
    asyncio.run(_write(given.store, mids, given.per_s, given.seed))


async def _write(url: str, mids: list[int], per_s: int, seed: int) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    chosen = random.Random(seed)
    store = await open_store(url)
    try:
        count, began = 0, time.monotonic()
        print("writing", flush=True)
        while not stopped.is_set():
            due = time.monotonic() + 1 / per_s
            mid, fid = chosen.sample(mids, 2)
            refused = await store.change_relations(mid, [fid], _turn)
            count += not refused
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), max(0.0, due - time.monotonic()))
        print(round(count / (time.monotonic() - began), 1))
    finally:
        await store.close()


def _turn(pair: Pair) -> Change:
    """A follow where there is none, and its end where there is one."""
    act = ACT_UNFOLLOW if pair.forward else ACT_FOLLOW
    return modify(pair, act, int(time.time()), 0, Quotas())


if __name__ == "__main__":
    main()
