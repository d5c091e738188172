"""The load of relation writes: who follows whom, what wrk counted of it, and reads meanwhile."""

import asyncio
import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from cases import Case, Targets
from dataset import find_targets, opened
from load import LoadError, run_script, run_wrk
from msgspec import Struct
from servers import Server, store_variable
from write_report import Reads, Writes

from upspace.model import Token
from upspace.server.viewer import token_digest
from upspace.store import migrate_store, open_store

WRITE_CONNECTIONS = 64
VIEWERS = 2_000
REFUSED_MAX = 0.02
"""A viewer may follow an account of the dataset already. More refusals than that would flatter."""

_TOKENS_AT_ONCE = 2_000
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


class WriteLoad(NamedTuple):
    """What is written to, by its URL: a copy of the dataset; who writes, and the files that wrk reads."""

    store: str
    mids: Path
    tokens: Path
    viewers: list[int]
    everyone: list[int]
    most_followed: int


def prepare_writes(store: str, original: Path, folder: Path) -> WriteLoad:
    """Give viewers of a copy of the file `original` their tokens; the files for wrk go into `folder`."""
    targets = find_targets(original)
    everyone = targets[Targets.EVERYONE]
    most_followed = targets[Targets.MOST_FOLLOWED][0]
    viewers = random.Random(1).sample(sorted(set(everyone) - _followers(original, most_followed)), VIEWERS)
    tokens = {mid: secrets.token_urlsafe(32) for mid in viewers}
    put_tokens(store, tokens)
    mids_file, tokens_file = folder / "mids.txt", folder / "tokens.txt"
    strangers = sorted(set(everyone) - set(viewers))
    mids_file.write_text("".join(f"{mid}\n" for mid in strangers), encoding="ascii")
    tokens_file.write_text("".join(f"{token}\n" for token in tokens.values()), encoding="ascii")
    return WriteLoad(store, mids_file, tokens_file, viewers, strangers, most_followed)


def write(server: Server, load: WriteLoad, seconds: int, number: int, *, only: Sequence[str] = ("",)) -> Writes:
    """Follows and unfollows, other ones for each `number`; `only` as `writes.lua` has it."""
    return writes_of(run_writes(server, load, seconds, number, only=only))


def run_writes(server: Server, load: WriteLoad, seconds: int, number: int, *, only: Sequence[str] = ("",)) -> Counted:
    """The same as it was counted. Raises LoadError if writes failed, or too many changed nothing."""
    counted = run_script(
        _SCRIPT,
        Counted,
        server.url,
        (str(load.mids), str(load.tokens), str(number), *only),
        seconds=seconds,
        connections=WRITE_CONNECTIONS,
    )
    if counted.failed or counted.refused > REFUSED_MAX * counted.requests:
        raise LoadError(f"{counted.failed} writes failed and {counted.refused} of {counted.requests} were refused")
    return counted


def writes_of(counted: Counted) -> Writes:
    """A run in the units of the results."""
    rate = round(counted.requests / counted.duration_us * 1e6, 1)
    return Writes(rate, counted.p50_us / 1000, counted.p99_us / 1000, round(counted.refused / counted.requests, 4))


def read(server: Server, load: WriteLoad, seconds: int, number: int) -> Reads:
    """Reads of the counters of random accounts."""
    counted = run_wrk(server.url, _READ.url("{mid}"), load.mids, seconds=seconds, seed=number)
    rate = round(counted.requests / counted.duration_us * 1e6, 1)
    return Reads(rate, counted.p50_us / 1000, counted.p99_us / 1000)


def read_under_writes(server: Server, load: WriteLoad, seconds: int, number: int) -> tuple[Reads, Writes]:
    """Reads, and the writes of random accounts that go on meanwhile."""
    with ThreadPoolExecutor(1) as other:
        # The writes begin before the reads and end after them.
        writing = other.submit(write, server, load, seconds + 2, number)
        time.sleep(1)
        reads = read(server, load, seconds, number)
        return reads, writing.result()


def put_tokens(url: str, tokens: Mapping[int, str]) -> None:
    """Give each of these accounts its token."""
    asyncio.run(_put_tokens(url, tokens))


def is_clean(store: str) -> bool:
    """What `upspace check` says."""
    command = [str(Path(sys.executable).with_name("upspace")), "check"]
    return subprocess.run(command, env=os.environ | store_variable(store), check=False).returncode == 0


def _followers(path: Path, mid: int) -> set[int]:
    """The account and all who follow it: no viewer shall follow it from the start."""
    with opened(path) as db:
        return {mid, *(other for (other,) in db.execute("select other from follower where owner = ?", (mid,)))}


async def _put_tokens(url: str, tokens: Mapping[int, str]) -> None:
    await migrate_store(url)
    # Over PostgreSQL each waits for those before it.
    store = await open_store(url, timeout_s=60)
    try:
        now, given = int(time.time()), list(tokens.items())
        for at in range(0, len(given), _TOKENS_AT_ONCE):
            some = given[at : at + _TOKENS_AT_ONCE]
            await asyncio.gather(*(store.put_token(Token(token_digest(text), mid, now)) for mid, text in some))
    finally:
        await store.close()
