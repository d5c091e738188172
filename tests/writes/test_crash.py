"""Processes that end in the midst of writes: what was acknowledged is there, nothing is there by half (contract 5.1).

Whatever the service answered must be in the store that is left, whether all of it, one worker, or the process that
watches is killed, or all of it is asked to stop. What was not answered is there wholly or not at all. The histories of
all pairs are searched for an order in which what was not answered may be left out: see pair_history.py.

UPSPACE_TEST_LONG=1 kills the service 25 times in place of three; UPSPACE_TEST_SEED makes another run.
"""

import asyncio
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import apsw
import pytest
from conftest import DEADLINE_S, Served, serving
from load_client import Asked, Connection, Load, Wanted
from load_world import (
    LONG,
    SEED,
    World,
    arguments,
    assert_clean,
    assert_explained,
    make_accounts,
    observe,
    within_deadline,
)
from server_processes import ending, has_read, kill_group, wait_until, workers_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

WORKERS, CONNECTIONS = 2, 24
MIDS = range(1001, 1013)
KILLS = 25 if LONG else 3
# So many writes are acknowledged at most before a kill.
WRITES_MAX = 600


@pytest.fixture
def url(store_url: str) -> str:
    """A store of twelve accounts without relations."""
    make_accounts(store_url, MIDS)
    return store_url


def loaded_until(served: Served, seed: int, writes: int, then: Callable[[], None]) -> Load:
    """What was asked until so many writes had been answered, and after what was done then, until no reply came."""
    answered = 0

    def on_write(count: int) -> None:
        nonlocal answered
        answered = count
        if count == writes:
            then()

    load = Load(MIDS, seed, on_write)
    # A service that does not end shall not be asked for ever.
    within_deadline(load.run(served.address, CONNECTIONS, lambda: answered < writes + 100 * WRITES_MAX))
    assert load.broken == CONNECTIONS
    return load


def test_what_was_acknowledged_is_there_after_a_crash(tmp_path: Path, url: str) -> None:
    chance = random.Random(SEED)
    world = World({}, {})
    load = Load(MIDS, SEED)
    unanswered = 0
    for kill in range(KILLS + 1):
        said = f"seed {SEED}, after kill {kill} of {KILLS}, {len(load.asked)} requests before it"
        with serving(tmp_path, *arguments(url, WORKERS)) as served:
            after = observe(served, MIDS)
            assert_explained(load.asked, world, after, said)
            world = after
            if kill == KILLS:
                break
            with ending((served.process.pid, *workers_of(served))):
                killed = served
                load = loaded_until(
                    served,
                    SEED + kill,
                    chance.randint(1, WRITES_MAX),
                    lambda: kill_group(killed),  # noqa: B023  # called within its own turn
                )
            unanswered += load.broken
        # A service manager starts it again at once, a person looks first.
        if chance.random() < 0.5:
            assert_clean(url, said)
    assert_clean(url, f"seed {SEED}, after {KILLS} kills")
    # Each connection was waiting for an answer.
    assert unanswered == KILLS * CONNECTIONS


def test_a_killed_worker_is_replaced_while_the_other_goes_on(tmp_path: Path, url: str) -> None:
    chance = random.Random(SEED)
    killed_at = chance.randint(50, WRITES_MAX)
    with serving(tmp_path, *arguments(url, WORKERS)) as served:
        workers = workers_of(served)
        assert len(workers) == WORKERS
        victim = chance.choice(workers)
        answered = 0

        def on_write(count: int) -> None:
            nonlocal answered
            answered = count
            if count == killed_at:
                os.kill(victim, signal.SIGKILL)

        load = Load(MIDS, SEED, on_write)
        within_deadline(load.run(served.address, CONNECTIONS, lambda: answered < killed_at + WRITES_MAX))
        # Only who was connected to the victim was left without an answer.
        assert 0 < load.broken < CONNECTIONS
        wait_until(lambda: len(workers_of(served)) == WORKERS and victim not in workers_of(served))
        said = f"seed {SEED}, {len(load.asked)} requests"
        assert_explained(load.asked, World({}, {}), observe(served, MIDS), said)
        assert_clean(url, said)
        assert "Traceback" not in served.errors()
        assert served.stop() == 0


def test_what_is_done_when_the_service_is_stopped_is_answered(tmp_path: Path, url: str) -> None:
    """Whatever came too late to be answered was not done either, so it is left out of the history."""
    chance = random.Random(SEED)
    before = World({}, {})
    for turn in range(KILLS):
        with serving(tmp_path, *arguments(url, WORKERS)) as served:
            stopped = served
            load = loaded_until(
                served,
                SEED + turn,
                chance.randint(1, WRITES_MAX),
                lambda: stopped.process.send_signal(signal.SIGTERM),  # noqa: B023  # called within its own turn
            )
            assert (served.process.wait(DEADLINE_S), served.errors()) == (0, "")
        said = f"seed {SEED}, turn {turn}, {len(load.asked)} requests"
        with serving(tmp_path, *arguments(url, 1)) as served:
            after = observe(served, MIDS)
        assert_explained([asked for asked in load.asked if asked.reply is not None], before, after, said)
        assert_clean(url, said)
        before = after


def test_requests_in_flight_are_answered_when_the_service_is_stopped(tmp_path: Path, file_url: str) -> None:
    """A lock that is held elsewhere keeps them in flight until the service accepts nobody any more."""
    writes = [Wanted(mid, (fid,), 1) for mid, fid in zip(MIDS, reversed(MIDS), strict=True)]
    writes += [Wanted(mid, tuple(range(MIDS[0], mid)), 5, batch=True) for mid in MIDS[6:]]
    make_accounts(file_url, MIDS)
    file = apsw.Connection(file_url.removeprefix("sqlite:///"))

    async def stop_in_flight(served: Served) -> list[Asked]:
        async with AsyncExitStack() as opened:
            connections = [await opened.enter_async_context(await Connection.open(served.address)) for _ in writes]
            file.execute("begin immediate")
            started_ns = time.monotonic_ns()
            asking = [
                asyncio.create_task(connection.ask(write.request()))
                for connection, write in zip(connections, writes, strict=True)
            ]
            # So that what they send has been sent.
            await asyncio.sleep(0)
            ports = [connection.port for connection in connections]
            wait_until(lambda: has_read(served, ports))
            served.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not accepts(served))
            assert not any(task.done() for task in asking)
            file.execute("commit")
            replies = await asyncio.gather(*asking)
            ended_ns = time.monotonic_ns()
        return [Asked(write, started_ns, ended_ns, reply) for write, reply in zip(writes, replies, strict=True)]

    with serving(tmp_path, *arguments(file_url, WORKERS)) as served:
        asked = asyncio.run(asyncio.wait_for(stop_in_flight(served), DEADLINE_S))
        assert (served.process.wait(DEADLINE_S), served.errors()) == (0, "")
    file.close()
    with serving(tmp_path, *arguments(file_url, 1)) as served:
        assert_explained(asked, World({}, {}), observe(served, MIDS), "in flight")
    assert_clean(file_url, "in flight")


def accepts(served: Served) -> bool:
    """Whether anybody gets through."""
    try:
        socket.create_connection(served.address, timeout=DEADLINE_S).close()
    except OSError:
        return False
    return True
