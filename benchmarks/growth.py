"""Measures whether requests take longer in larger communities.

    python benchmarks/growth.py

Needs the extra `bench`, wrk, and room for about 10 GB. It imports a community of each size, serves all of them at once
by a process each, and asks one after the other: random accounts, and the account that all others follow. It does so
with the default bounds of memory; then with room for all accounts and no replies kept; then with room for the replies,
too, which takes 12 GB of memory. In the last two, everything has been asked for once before a round. Writes
benchmarks/results/growth.json. Where the system lets it, the page cache is dropped before the cold part.
"""

import argparse
import asyncio
import http.client
import os
import random
import secrets
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bulk.commands import upspace
from bulk.community import STAR, make_files
from bulk.growth_results import GrowthResults, Sample, Size, Warm
from cases import CASES, Case, Targets
from command import at_least, ending_politely, look_at_machine, say
from dataset import FOLDER, opened
from load import CONNECTIONS, ask_for_all, require_wrk, run_wrk
from machine import find_versions
from results import write_json
from servers import Server, upspace_server
from write_load import VIEWERS, WRITE_CONNECTIONS, WriteLoad, put_tokens, write

from upspace.model import Window
from upspace.relations.modify import modify
from upspace.server.settings import Settings
from upspace.store import open_store
from upspace.wire.codes import ACT_UNFOLLOW
from upspace.wire.profiles import Quotas

RESULTS = Path(__file__).with_name("results") / "growth.json"

_SIZES = ((20_000, 100_000), (200_000, 1_000_000), (2_000_000, 10_000_000), (10_000_000, 50_000_000))
_SMALL_SIZES = ((4_000, 20_000), (20_000, 100_000))
# More than the default bound is for: of accounts that are asked for alone, and of those on the pages of so many owners.
_TARGETS = {Targets.EVERYONE: 200_000, Targets.FOLLOWED: 100_000, Targets.FOLLOWING: 100_000}
# What makes a server know accounts and replies, and how many such requests a second it answers at least.
_GETTING_TO_KNOW_PER_S = {"acc_info": 8_000, "card": 8_000, "followers": 2_500, "followings": 2_500}
_FOLLOWED_MAX = 10_000
_COLD_REQUESTS = 300
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")

_RANDOM, _STAR = "random", "star"
_FOLLOW, _FOLLOW_STAR = "follow", "follow_star"

_QUERIES = {
    Targets.EVERYONE: "select mid from account order by mid",
    Targets.FOLLOWED: "select mid from standing where follower >= 20 and mid <> ? order by mid",
    Targets.FOLLOWING: "select mid from standing where following >= 20 and mid <> ? order by mid",
}


class Kind(NamedTuple):
    """A kind of request: random accounts or the star."""

    name: str
    label: str
    case: Case
    is_star: bool


KINDS = [
    Kind(f"{case.name}_{_RANDOM}", f"`{case.path}`, random accounts", case, False)
    for case in CASES
    if case.targets is not Targets.MOST_FOLLOWED
] + [
    Kind(f"{case.name}_{_STAR}", f"`{case.path}`, the star", case, True)
    for case in CASES
    # The star follows nobody.
    if case.targets in (Targets.EVERYONE, Targets.FOLLOWED)
]
LABELS = {kind.name: kind.label for kind in KINDS} | {
    _FOLLOW: "follow and unfollow of random accounts",
    _FOLLOW_STAR: "follow and unfollow of the star",
}


class Bounds(NamedTuple):
    """Of a worker's memory, and whether everything is `known` before a round."""

    account_cache_mb: int
    reply_cache_mb: int
    known: bool


_DEFAULT = Settings(store="")
# The default ones; room for every account of the largest size; for every reply that is asked for as well.
_BOUNDS = (
    Bounds(_DEFAULT.account_cache_mb, _DEFAULT.reply_cache_mb, known=False),
    Bounds(8_000, 0, known=True),
    Bounds(8_000, 4_000, known=True),
)


class Place(NamedTuple):
    """A community that is there: its store, what is asked for, who writes."""

    accounts: int
    follows: int
    store: Path
    targets: dict[Targets, Path]
    star: Path
    writes: WriteLoad


def main() -> None:
    """Measure and write; a failure is one line and exit status 1."""
    parser = argparse.ArgumentParser(description="Measure the same requests on communities of several sizes.")
    number = at_least(1)
    parser.add_argument("--rounds", type=number, default=3, metavar="N", help="rounds that are measured (3)")
    parser.add_argument("--seconds", type=number, default=3, metavar="N", help="length of a run (3)")
    parser.add_argument("--small", action="store_true", help="two small sizes: whether everything works")
    parser.add_argument("--folder", type=Path, default=FOLDER / "bulk", help="where files and stores are made")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="where the figures go, as JSON")
    given = parser.parse_args()
    with ending_politely(parser.prog):
        results = measure(given)
    write_json(results, given.results)
    for warm in results.warm:
        for kind in results.labels:
            growth = warm.growth(kind)
            say(f"{warm.account_cache_mb} and {warm.reply_cache_mb} MB, {kind}: p50 times {growth.median:.2f}")


def measure(given: argparse.Namespace) -> GrowthResults:
    """All sizes in turn, round by round, so that all of them meet the machine as it is."""
    versions = find_versions(require_wrk())
    sizes = _SMALL_SIZES if given.small else _SIZES
    with ExitStack() as stack:
        files = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        places = [_prepare(given.folder, files, *size) for size in sizes]
        machine = look_at_machine()
        cold = [_measure_cold(place) for place in places]
        warm = [_measure_warm(places, bounds, given) for bounds in _BOUNDS]
    return GrowthResults(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine,
        versions=versions,
        rounds=given.rounds,
        seconds=given.seconds,
        connections=CONNECTIONS,
        write_connections=WRITE_CONNECTIONS,
        cold_requests=_COLD_REQUESTS,
        labels=LABELS,
        sizes=[
            Size(
                accounts=place.accounts,
                follows=place.follows,
                store_mb=round(place.store.stat().st_size / 1e6),
                cold=of_cold,
            )
            for place, of_cold in zip(places, cold, strict=True)
        ],
        warm=warm,
    )


def _measure_warm(places: Sequence[Place], bounds: Bounds, given: argparse.Namespace) -> Warm:
    """Every size by a server of those bounds, round by round."""
    say(f"with {bounds.account_cache_mb:,} MB for accounts and {bounds.reply_cache_mb:,} MB for replies")
    for place in places:
        asyncio.run(_leave_all(place.writes))
    runs: list[dict[str, list[Sample]]] = [{name: [] for name in LABELS} for _ in places]
    with ExitStack() as stack:
        options = (
            *("--account-cache-mb", str(bounds.account_cache_mb)),
            *("--reply-cache-mb", str(bounds.reply_cache_mb)),
        )
        servers = [stack.enter_context(upspace_server(f"sqlite:///{place.store}", *options)) for place in places]
        for number in range(given.rounds + 1):
            for place, server in zip(places, servers, strict=True):
                if bounds.known:
                    _get_to_know(place, server)
            for name in LABELS:
                for place, server, kept in zip(places, servers, runs, strict=True):
                    sample = _measure(name, place, server, given.seconds, number)
                    # The first round warms up.
                    if number:
                        kept[name].append(sample)
                shown = ", ".join(f"{of[name][-1].p50_ms:.3f}" for of in runs if of[name])
                say(f"round {number}, {name}: {shown}")
        resident = [round(server.worker().memory_info().rss / 1e6) for server in servers]
    return Warm(**bounds._asdict(), resident_mb=resident, runs=runs)


def _get_to_know(place: Place, server: Server) -> None:
    """Ask for everyone that the requests will be about. Raises LoadError if there was no time for that."""
    _read_through(place.store)
    for case in CASES:
        if case.name in _GETTING_TO_KNOW_PER_S:
            targets = place.targets[case.targets]
            ask_for_all(server.url, case.url("{mid}"), targets, _GETTING_TO_KNOW_PER_S[case.name])


def _prepare(folder: Path, files: Path, accounts: int, follows: int) -> Place:
    """The store, made unless it is there, and who asks for what."""
    say(f"preparing {follows:,} follows")
    made = make_files(folder, accounts, follows)
    store = folder / f"growth-{accounts}-{follows}.db"
    if not store.exists():
        given = ("--users", str(made.users), "--relations", str(made.relations))
        upspace(f"sqlite:///{store}", "import", *given)
    chosen = random.Random(1)
    targets, names = {}, files / f"{follows}"
    names.mkdir()
    for kind, query in _QUERIES.items():
        with opened(store) as db:
            mids = [mid for (mid,) in db.execute(query, (STAR,) if "?" in query else ())]
        targets[kind] = _written(names / f"{kind.name}.txt", chosen.sample(mids, min(_TARGETS[kind], len(mids))))
    return Place(
        accounts=made.accounts,
        follows=follows,
        store=store,
        targets=targets,
        star=_written(names / "star.txt", [STAR]),
        writes=_prepare_writes(store, targets[Targets.EVERYONE], names),
    )


def _prepare_writes(store: Path, everyone: Path, folder: Path) -> WriteLoad:
    """Viewers with tokens, who follow nobody."""
    mids = [int(line) for line in everyone.read_text().split() if int(line) != STAR]
    viewers, strangers = mids[:VIEWERS], mids[VIEWERS:]
    tokens = {mid: secrets.token_urlsafe(32) for mid in viewers}
    url = f"sqlite:///{store}"
    put_tokens(url, tokens)
    tokens_file = folder / "tokens.txt"
    tokens_file.write_text("".join(f"{token}\n" for token in tokens.values()), encoding="ascii")
    return WriteLoad(url, _written(folder / "strangers.txt", strangers), tokens_file, viewers, strangers, STAR)


async def _leave_all(writes: WriteLoad) -> None:
    """Let nobody be followed by the viewers, so that none of their follows is refused."""
    leave = partial(modify, act=ACT_UNFOLLOW, now=int(time.time()), re_src=0, quotas=Quotas())

    async def leave_all(mid: int) -> None:
        followed = (await store.followings(mid, Window(0, _FOLLOWED_MAX))).mids
        await store.change_relations(mid, followed, leave)

    store = await open_store(writes.store)
    try:
        await asyncio.gather(*(leave_all(mid) for mid in writes.viewers))
    finally:
        await store.close()


def _measure(name: str, place: Place, server: Server, seconds: int, number: int) -> Sample:
    if name in (_FOLLOW, _FOLLOW_STAR):
        only = (str(STAR),) if name == _FOLLOW_STAR else ("",)
        _read_through(place.store)
        writes = write(server, place.writes, seconds, number, only=only)
        return Sample(writes.per_s, writes.p50_ms, writes.p99_ms)
    kind = next(kind for kind in KINDS if kind.name == name)
    _read_through(place.store)
    targets = place.star if kind.is_star else place.targets[kind.case.targets]
    counted = run_wrk(server.url, kind.case.url("{mid}"), targets, seconds=seconds, seed=number)
    return Sample(round(counted.requests / counted.duration_us * 1e6, 1), counted.p50_us / 1000, counted.p99_us / 1000)


def _measure_cold(place: Place) -> dict[str, Sample]:
    """A new server each time, and nothing of the file in memory; one request after the other. Empty if not allowed."""
    found = {}
    for kind in KINDS:
        if kind.is_star or not _drop_caches():
            continue
        with upspace_server(f"sqlite:///{place.store}") as server:
            mids = place.targets[kind.case.targets].read_text().split()[:_COLD_REQUESTS]
            found[kind.name] = _ask_one_by_one(server, [kind.case.url(mid) for mid in mids])
    return found


def _drop_caches() -> bool:
    os.sync()
    try:
        _DROP_CACHES.write_text("1")
    except OSError:
        say("the page cache may not be dropped here: nothing is measured cold")
        return False
    return True


def _read_through(path: Path) -> None:
    """Have all of a file in the page cache: some systems give up soon what is not asked for."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def _ask_one_by_one(server: Server, urls: Sequence[str]) -> Sample:
    address = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]))
    times = []
    for url in urls:
        began = time.perf_counter()
        address.request("GET", url)
        address.getresponse().read()
        times.append((time.perf_counter() - began) * 1000)
    address.close()
    times.sort()
    rate = 1000 * len(times) / sum(times)
    return Sample(round(rate, 1), round(times[len(times) // 2], 3), round(times[int(len(times) * 0.99)], 3))


def _written(path: Path, mids: Sequence[int]) -> Path:
    path.write_text("".join(f"{mid}\n" for mid in mids), encoding="ascii")
    return path


if __name__ == "__main__":
    main()
