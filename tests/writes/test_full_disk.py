"""A store that cannot be written: a full disk, a lock that somebody else holds (contract 2.5, 4: -503, -504; 5.1).

Writes are refused and leave nothing behind, reads go on, and once there is room again, or the lock is given back,
writes succeed without a restart. A disk is full in two ways: no file of the server may grow any further (RLIMIT_FSIZE,
set from outside, which needs no rights), or a small disk in memory is filled up, where this process may mount one.
"""

import asyncio
import itertools
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import DEADLINE_S, Served, client_of, read_line, serving
from load_client import BATCH, MODIFY, RELATION, Load, token_of
from load_world import (
    SEED,
    STAT,
    World,
    arguments,
    assert_clean,
    assert_explained,
    make_accounts,
    observe,
    within_deadline,
)
from pair_history import READ
from server_processes import ending, kill_group, workers_of

from upspace.server.app import build_app
from upspace.server.asgi import AsgiDoor
from upspace.server.settings import build_settings
from upspace.store import open_store
from upspace.store.sqlite import connection

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sets limits of other processes, mounts tmpfs")

MIDS = range(1001, 1021)
VIEWER, FRIEND = MIDS[0], MIDS[1]
WORKERS, CONNECTIONS = 2, 24
DISK_BYTES = 4 << 20

FULL = {"code": -503, "message": "过载保护,服务暂不可用", "ttl": 1}
LOCKED = {"code": -504, "message": "服务调用超时", "ttl": 1}
OK = {"code": 0, "message": "0", "ttl": 1}

TAG = "/x/relation/tag/create"

# Every kind of write that the store does not refuse by a rule. Each changes something.
WRITES: list[tuple[str, dict[str, Any]]] = [
    *((MODIFY, {"fid": fid, "act": act}) for fid, act in zip(MIDS[3:], (1, 3, 5) * 2, strict=False)),
    ("/x/relation/tags/copyUsers", {"fids": FRIEND, "tagids": -10}),
    (MODIFY, {"fid": FRIEND, "act": 2}),
    (MODIFY, {"fid": FRIEND, "act": 7}),
    (BATCH, {"fids": ",".join(map(str, MIDS[10:])), "act": 1}),
    (BATCH, {"fids": ",".join(map(str, MIDS[10:])), "act": 5}),
    (TAG, {"tag": "a group"}),
]
READS = [
    (RELATION, {"fid": FRIEND}),
    (STAT, {"vmid": VIEWER}),
    ("/x/relation/followings", {"vmid": VIEWER}),
    ("/x/relation/followers", {"vmid": FRIEND}),
    ("/x/relation/friends", {}),
    ("/x/relation/tags", {}),
    ("/x/space/acc/info", {"mid": FRIEND}),
    ("/x/web-interface/card", {"mid": FRIEND}),
]


def bearer(mid: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(mid)}"}


def write(client: httpx.Client, path: str, viewer: int = VIEWER, **fields: Any) -> tuple[int, Any]:
    """The status and the envelope of a write."""
    response = client.post(path, data=fields, headers=bearer(viewer))
    return response.status_code, response.json()


def read(client: httpx.Client) -> list[Any]:
    """The data of all reads, which all succeed."""
    data = []
    for path, parameters in READS:
        response = client.get(path, params=parameters, headers=bearer(VIEWER))
        envelope = response.json()
        assert (response.status_code, envelope["code"]) == (200, 0), (path, envelope)
        data.append(envelope["data"])
    return data


def make_friends(client: httpx.Client) -> None:
    """Something to change and to read, and a log file that is there."""
    for viewer, fid in ((VIEWER, FRIEND), (FRIEND, VIEWER)):
        assert write(client, MODIFY, viewer, fid=fid, act=1) == (200, OK)


def check_full_disk(served: Served, url: str, fill: Callable[[], None], make_room: Callable[[], None]) -> None:
    """What must hold from before the disk is full until after there is room again. A connection each: to any worker."""
    with client_of(served) as client:
        make_friends(client)
        before, world = read(client), observe(served, MIDS)
        fill()
        for _ in range(2 * WORKERS):
            with client_of(served) as other:
                for path, fields in WRITES:
                    assert write(other, path, **fields) == (503, FULL), (path, fields)
                # What changes nothing needs no room; what a rule refuses is refused by that rule or for want of room.
                assert write(other, MODIFY, fid=MIDS[5], act=2)[1] in (OK, FULL)
                assert read(other) == before
        assert observe(served, MIDS) == world
        assert_clean(url, "while the disk is full")
        make_room()
        assert read(client) == before
        for path, fields in WRITES:
            status, envelope = write(client, path, **fields)
            assert (status, envelope["code"]) == (200, 0), (path, envelope)
        after = observe(served, MIDS)
        assert after != world
    assert_clean(url, "after there was room again")
    errors = served.errors()
    assert "Traceback" not in errors
    assert served.stop() == 0
    with serving(Path(url.removeprefix("sqlite:///")).parent, *arguments(url, 1)) as again:
        assert observe(again, MIDS) == after


def limit_files(workers: Iterable[int], size: int) -> None:
    """From now on no file of these processes may grow beyond this size."""
    for worker in workers:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    make_accounts(url, MIDS)
    log = tmp_path / "store.db-wal"
    with serving(tmp_path, *arguments(url, WORKERS)) as served:
        workers = workers_of(served)
        check_full_disk(
            served,
            url,
            lambda: limit_files(workers, log.stat().st_size),
            lambda: limit_files(workers, resource.RLIM_INFINITY),
        )


def test_a_file_that_may_not_be_written_to_the_end_of_a_change(tmp_path: Path) -> None:
    """There is room for a part of what belongs together, down to less than a page."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    make_accounts(url, MIDS)
    log = tmp_path / "store.db-wal"
    with serving(tmp_path, *arguments(url, 1)) as served, client_of(served) as client:
        make_friends(client)
        workers = workers_of(served)
        refused = 0
        for room in (1, 24, 1000, 4119, 4120, 4121, 2 * 4120, 3 * 4120 + 1, 4 * 4120):
            world = observe(served, MIDS)
            size = log.stat().st_size
            limit_files(workers, size + room)
            answer = write(client, BATCH, fids=",".join(map(str, MIDS[2:])), act=1)
            limit_files(workers, resource.RLIM_INFINITY)
            if answer == (503, FULL):
                refused += 1
                assert observe(served, MIDS) == world, room
            else:
                assert answer == (200, OK | {"data": {"failed_fids": []}}), room
            assert_clean(url, f"with room for {room} bytes")
            for fid in MIDS[2:]:
                assert write(client, MODIFY, fid=fid, act=2) == (200, OK)
        assert refused >= 5
    assert_clean(url, "after all")


def test_a_disk_that_is_full_in_the_midst_of_writes(tmp_path: Path) -> None:
    """Of many writes at once, those that were refused left nothing behind, also not for a crash to bring back."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    make_accounts(url, MIDS)
    log = tmp_path / "store.db-wal"
    chance = random.Random(SEED)
    full_at, room_at, full_again_at, killed_at = itertools.accumulate(chance.randint(100, 400) for _ in range(4))
    with serving(tmp_path, *arguments(url, WORKERS)) as served:
        workers = workers_of(served)

        def on_write(count: int) -> None:
            if count in (full_at, full_again_at):
                limit_files(workers, log.stat().st_size)
            elif count == room_at:
                limit_files(workers, resource.RLIM_INFINITY)
            elif count == killed_at:
                kill_group(served)

        load = Load(MIDS, SEED, on_write)
        with ending(workers):
            within_deadline(load.run(served.address, CONNECTIONS))
    said = f"seed {SEED}, {len(load.asked)} requests, full at {full_at}, room at {room_at}, full at {full_again_at}"
    replies = [asked.reply for asked in load.asked if asked.reply is not None and asked.wanted.act != READ]
    refused = [number for number, reply in enumerate(replies) if reply.status != 200]
    assert all((replies[number].status, replies[number].envelope) == (503, FULL) for number in refused), said
    # What was in flight when things changed may have met with either. What changes nothing needs no room.
    assert not any(number < full_at or room_at + CONNECTIONS <= number < full_again_at for number in refused), said
    assert sum(full_at <= number < room_at for number in refused) > (room_at - full_at - CONNECTIONS) // 4, said
    assert sum(full_again_at <= number for number in refused) > (killed_at - full_again_at - CONNECTIONS) // 4, said
    accepted = [asked for asked in load.asked if asked.reply is None or asked.reply.status == 200]
    assert_clean(url, said)
    with serving(tmp_path, *arguments(url, WORKERS)) as served:
        assert_explained(accepted, World({}, {}), observe(served, MIDS), said)
    assert_clean(url, said)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of a few megabytes, for those who may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if mounted.returncode:
        pytest.skip(f"may not mount: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], timeout=DEADLINE_S, check=True)


def fill_up(path: Path) -> None:
    """Write until nothing fits any more."""
    with path.open("wb", buffering=0) as ballast:

        def write_all() -> None:
            # What fits is written, be it a single byte.
            while True:
                ballast.write(bytes(1 << 20))

        with pytest.raises(OSError, match="No space left"):
            write_all()


def test_a_full_disk(tmp_path: Path) -> None:
    with ExitStack() as opened:
        disk = opened.enter_context(small_disk(tmp_path / "disk"))
        url = f"sqlite:///{disk / 'store.db'}"
        make_accounts(url, MIDS)
        served = opened.enter_context(serving(tmp_path, *arguments(url, WORKERS)))
        ballast = disk / "ballast"
        check_full_disk(served, url, lambda: fill_up(ballast), ballast.unlink)


# Locks

HOLDER = """
import sys
import apsw
file = apsw.Connection(sys.argv[1])
file.execute("begin immediate; insert into mark values ('held', '')")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_lock(url: str) -> Iterator[None]:
    """Another process is writing, and does not come to an end."""
    command = [sys.executable, "-c", HOLDER, url.removeprefix("sqlite:///")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert read_line(holder.stdout) == "held\n"
            yield
        finally:
            holder.kill()


def test_a_lock_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, where nobody needs to wait for as long as the server does."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    make_accounts(url, MIDS)
    monkeypatch.setattr(connection, "LOCK_TIMEOUT_S", 0.02)

    async def check() -> None:
        store = await open_store(url)

        async def opened() -> Any:
            return build_app(store, build_settings({"store": url}))

        transport = httpx.ASGITransport(AsgiDoor(opened))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:

            async def write(path: str, viewer: int = VIEWER, **fields: Any) -> tuple[int, Any]:
                response = await client.post(path, data=fields, headers=bearer(viewer))
                return response.status_code, response.json()

            async def read() -> list[Any]:
                replies = [await client.get(path, params=some, headers=bearer(VIEWER)) for path, some in READS]
                assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(200, 0)}
                return [reply.json()["data"] for reply in replies]

            assert await write(MODIFY, fid=FRIEND, act=1) == (200, OK)
            assert await write(MODIFY, FRIEND, fid=VIEWER, act=1) == (200, OK)
            before = await read()
            with held_lock(url):
                # One after another, then all together: they share a group, and its fate.
                for path, fields in WRITES:
                    assert await write(path, **fields) == (504, LOCKED)
                answers = asyncio.gather(*(write(path, **fields) for path, fields in WRITES))
                assert await read() == before
                assert await answers == [(504, LOCKED)] * len(WRITES)
                assert await read() == before
            assert await read() == before
            for path, fields in WRITES:
                status, envelope = await write(path, **fields)
                assert (status, envelope["code"]) == (200, 0)
        await store.close()

    asyncio.run(asyncio.wait_for(check(), DEADLINE_S))
    assert_clean(url, "after the lock")


def test_a_lock_that_another_process_holds_for_longer_than_the_server_waits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    make_accounts(url, MIDS)
    with serving(tmp_path, *arguments(url, WORKERS)) as served, client_of(served) as client:
        make_friends(client)
        before, world = read(client), observe(served, MIDS)
        with held_lock(url):
            assert write(client, MODIFY, fid=MIDS[5], act=1) == (504, LOCKED)
            assert read(client) == before
        assert observe(served, MIDS) == world
        assert write(client, MODIFY, fid=MIDS[5], act=1) == (200, OK)
        assert observe(served, MIDS) == World(
            world.states | {(VIEWER, MIDS[5]): (2, 0)},
            world.counters
            | {
                VIEWER: world.counters[VIEWER] | {"following": 2},
                MIDS[5]: world.counters[MIDS[5]] | {"follower": 1},
            },
        )
        assert served.stop() == 0
    assert_clean(url, "after the lock")
