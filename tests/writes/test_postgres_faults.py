"""A PostgreSQL server that stops, hangs, is held up or stops taking writes (contract 4: -503, -504; 5.1).

The service answers within its bound, stays up, and goes on by itself when the server does. What was acknowledged is
there, whatever happened in between. The same server is used, so that these tests cost no more than they must.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from conftest import DEADLINE_S, Served, client_of, serving
from load_client import MODIFY, RELATION, Asked, Load, Reply, token_of
from load_world import (
    LONG,
    SEED,
    STAT,
    World,
    assert_clean,
    assert_explained,
    make_accounts,
    observe,
    within_deadline,
)
from postgres_server import PostgresServer, running_server, server_folder
from server_processes import wait_until

pytestmark = pytest.mark.alone

MIDS = range(1001, 1013)
VIEWER, FRIEND, OTHER = MIDS[0], MIDS[1], MIDS[2]
TIMEOUT_S = 1.0
# Twice the bound for one lost connection, and what a loaded machine takes besides.
SOON_S = 5 * TIMEOUT_S + 5
CONNECTIONS = 24
STOPS = 50 if LONG else 10

OK = {"code": 0, "message": "0", "ttl": 1}
UNAVAILABLE = {"code": -503, "message": "过载保护,服务暂不可用", "ttl": 1}
LATE = {"code": -504, "message": "服务调用超时", "ttl": 1}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that keeps its promises, for these tests to do as they like with."""
    with running_server(durable=True) as server:
        yield server


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    """A store of twelve accounts without relations."""
    url = server.migrated_database()
    make_accounts(url, MIDS)
    yield url
    server.drop(url)


@contextmanager
def served_from(folder: Path, url: str, *more: str) -> Iterator[Served]:
    """The service with one worker and a short bound; at the end it stops as if nothing had been."""
    arguments = ("serve", "--store", url, "--port", "0", "--store-timeout-s", str(TIMEOUT_S), *more)
    with serving(folder, *arguments) as served:
        yield served
        assert served.process.poll() is None
        assert "Traceback" not in served.errors()
        assert url.partition("://")[2].partition("@")[0].partition(":")[2] not in served.errors()
        assert served.stop() == 0


def write(client: httpx.Client, fid: int, act: int = 1, viewer: int = VIEWER) -> tuple[int, Any]:
    """The status and the envelope of a write."""
    headers = {"authorization": f"Bearer {token_of(viewer)}"}
    response = client.post(MODIFY, data={"fid": fid, "act": act}, headers=headers)
    return response.status_code, response.json()


def read(client: httpx.Client, fid: int = FRIEND, viewer: int = VIEWER) -> tuple[int, Any]:
    """The status and the envelope of a read that needs a session, a relation and nothing else."""
    response = client.get(RELATION, params={"fid": fid}, headers={"authorization": f"Bearer {token_of(viewer)}"})
    return response.status_code, response.json()


def stat(client: httpx.Client, vmid: int) -> tuple[int, Any]:
    """The status and the envelope of a read that needs no session."""
    response = client.get(STAT, params={"vmid": vmid})
    return response.status_code, response.json()


def attribute_of(client: httpx.Client, fid: int) -> int:
    """The viewer's relation to an account, as soon as the service can say it again."""
    wait_until(lambda: read(client, fid)[0] == 200)
    status, envelope = read(client, fid)
    assert (status, envelope["code"]) == (200, 0)
    return int(envelope["data"]["attribute"])


def sql(url: str, *statements: str) -> None:
    """Execute statements on the database itself."""

    async def execute() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(execute())


@contextmanager
def holding(url: str, statement: str) -> Iterator[None]:
    """While a transaction elsewhere holds what the statement has locked."""

    async def hold(go_on: asyncio.Event, held: asyncio.Event) -> None:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                await connection.execute(statement)
                held.set()
                await go_on.wait()
        finally:
            await connection.close()

    with asyncio.Runner() as runner:
        go_on, held = asyncio.Event(), asyncio.Event()
        holder = runner.get_loop().create_task(hold(go_on, held))
        runner.run(held.wait())
        try:
            yield
        finally:
            go_on.set()
            runner.run(asyncio.wait_for(holder, DEADLINE_S))


def test_a_server_that_is_away_is_told_at_once_and_used_again_when_it_is_back(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    with served_from(tmp_path, url) as served, client_of(served) as client:
        assert write(client, FRIEND) == (200, OK)
        server.stop("immediate")
        began_s = time.monotonic()
        for _ in range(20):
            assert stat(client, FRIEND) == (503, UNAVAILABLE)
            assert read(client) == (503, UNAVAILABLE)
            assert write(client, OTHER) == (503, UNAVAILABLE)
        assert time.monotonic() - began_s < SOON_S
        server.start()
        assert attribute_of(client, FRIEND) == 2
        assert attribute_of(client, OTHER) == 0
        assert write(client, OTHER) == (200, OK)
        # A line for each kind of fault, not one for each request.
        assert len(served.errors().splitlines()) < 20
    assert_clean(url, "after a stop")


def test_a_server_that_hangs_is_waited_for_within_the_bound(server: PostgresServer, url: str, tmp_path: Path) -> None:
    with served_from(tmp_path, url) as served, client_of(served) as client:
        assert write(client, FRIEND) == (200, OK)
        with frozen(server):
            asks = (partial(stat, client, FRIEND), partial(read, client), partial(write, client, OTHER))
            for ask in asks:
                began_s = time.monotonic()
                assert ask() == (504, LATE)
                assert TIMEOUT_S / 2 < time.monotonic() - began_s < SOON_S
            # Many at once wait no longer than one.
            began_s = time.monotonic()
            replies = asyncio.run(many_writes(served, MIDS[3:]))
            assert replies == [(504, LATE)] * len(MIDS[3:])
            assert time.monotonic() - began_s < SOON_S
        assert attribute_of(client, FRIEND) == 2
        wait_until(lambda: write(client, MIDS[-1], viewer=OTHER)[0] == 200)
    assert_clean(url, "after a pause")


async def many_writes(served: Served, fids: Sequence[int]) -> list[tuple[int, Any]]:
    """The viewer follows all of these at once."""
    headers = {"authorization": f"Bearer {token_of(VIEWER)}"}
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=DEADLINE_S) as client:
        asking = (client.post(MODIFY, data={"fid": fid, "act": 1}, headers=headers) for fid in fids)
        return [(reply.status_code, reply.json()) for reply in await asyncio.gather(*asking)]


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """While no process of the server runs: connections are accepted by the system, and nothing answers."""
    leader = int((server.data / "postmaster.pid").read_text().splitlines()[0])
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    processes = [leader, *map(int, children)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def test_a_table_that_is_locked_holds_up_only_who_needs_it(url: str, tmp_path: Path) -> None:
    with served_from(tmp_path, url) as served, client_of(served) as client:
        assert write(client, FRIEND) == (200, OK)
        with holding(url, "lock table follower in access exclusive mode"):
            response = client.get("/x/relation/followers", params={"vmid": FRIEND})
            assert (response.status_code, response.json()) == (504, LATE)
            assert stat(client, FRIEND)[0] == 200
            assert write(client, OTHER) == (504, LATE)
        assert attribute_of(client, OTHER) == 0
        assert write(client, OTHER) == (200, OK)
    assert_clean(url, "after a lock")


def test_an_account_that_is_locked_elsewhere_does_not_hold_up_others_for_ever(url: str, tmp_path: Path) -> None:
    with served_from(tmp_path, url) as served, client_of(served) as client:
        with holding(url, f"select from standing where mid = {FRIEND} for update"):
            assert write(client, FRIEND) == (504, LATE)
            assert write(client, OTHER) == (200, OK)
            assert stat(client, FRIEND)[1]["data"]["follower"] == 0
        assert write(client, FRIEND) == (200, OK)


def test_more_requests_than_connections_wait_for_one(url: str, tmp_path: Path) -> None:
    with served_from(tmp_path, url, "--store-connections", "2") as served:
        replies = asyncio.run(many_writes(served, MIDS[1:]))
        assert replies == [(200, OK)] * len(MIDS[1:])
        with client_of(served) as client, holding(url, "lock table own_group in access exclusive mode"):
            headers = {"authorization": f"Bearer {token_of(VIEWER)}"}
            replies = asyncio.run(many_reads(served, "/x/relation/tags", headers, 10))
            assert replies == [(504, LATE)] * 10
            assert client.get("/-/openapi.json").status_code == 200
        with client_of(served) as client:
            assert attribute_of(client, FRIEND) == 2


async def many_reads(served: Served, path: str, headers: dict[str, str], count: int) -> list[tuple[int, Any]]:
    """The same read so many times at once."""
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=DEADLINE_S) as client:
        asking = (client.get(path, headers=headers) for _ in range(count))
        return [(reply.status_code, reply.json()) for reply in await asyncio.gather(*asking)]


def test_a_server_that_takes_no_writes_for_a_while_is_still_read(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    name = url.rpartition("/")[2]
    with served_from(tmp_path, url) as served, client_of(served) as client:
        assert write(client, FRIEND) == (200, OK)
        server.execute(f"alter database {name} set default_transaction_read_only = on")
        sql(
            url,
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()",
        )
        wait_until(lambda: stat(client, FRIEND)[0] == 200)
        for fid in MIDS[2:6]:
            assert write(client, fid) == (503, UNAVAILABLE)
            assert attribute_of(client, FRIEND) == 2
        # A connection that was opened meanwhile is not kept: it could only read.
        server.execute(f"alter database {name} reset default_transaction_read_only")
        wait_until(lambda: write(client, OTHER)[0] == 200)
        assert attribute_of(client, MIDS[5]) == 0
    assert_clean(url, "after a time without writes")


@pytest.mark.parametrize("code", ["40001", "40P01"], ids=["serialisation failure", "deadlock"])
def test_a_conflict_with_others_is_tried_again_and_then_given_up(url: str, tmp_path: Path, code: str) -> None:
    sql(
        url,
        "create sequence conflicts",
        f"""create function conflict() returns trigger language plpgsql as $$
        begin
            if nextval('conflicts') <= 3 then
                raise exception 'others were in the way' using errcode = '{code}';
            end if;
            return new;
        end $$""",
        "create trigger conflict before insert on relation for each row execute function conflict()",
    )
    with served_from(tmp_path, url) as served, client_of(served) as client:
        assert write(client, FRIEND) == (200, OK)
        assert attribute_of(client, FRIEND) == 2
        sql(url, "alter sequence conflicts minvalue -1000 restart with -1000")
        assert write(client, OTHER) == (504, LATE)
        assert attribute_of(client, OTHER) == 0
    assert_clean(url, "after conflicts")


def test_a_write_that_the_server_refuses_bothers_none_of_its_group(url: str, tmp_path: Path) -> None:
    sql(
        url,
        f"""create function refuse() returns trigger language plpgsql as $$
        begin
            if new.owner = {VIEWER} and new.other = {FRIEND} then
                raise exception 'no';
            end if;
            return new;
        end $$""",
        "create trigger refuse before insert on relation for each row execute function refuse()",
    )
    with served_from(tmp_path, url) as served, client_of(served) as client:
        replies = asyncio.run(many_writes(served, MIDS[1:]))
        assert replies[0] == (503, UNAVAILABLE)
        assert replies[1:] == [(200, OK)] * len(MIDS[2:])
        assert attribute_of(client, FRIEND) == 0
    assert_clean(url, "after a refusal")


def test_nothing_acknowledged_is_lost_when_the_server_stops_under_load(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    """What was not acknowledged may be there or not, but not by half. UPSPACE_TEST_LONG=1 stops it fifty times."""
    chance = random.Random(SEED)
    world = World({}, {})
    with served_from(tmp_path, url) as served:
        for stop in range(STOPS):
            load = interrupted_load(served, server, SEED + stop, chance.randint(50, 600))
            said = f"seed {SEED}, after stop {stop + 1} of {STOPS}, {len(load.asked)} requests"
            with client_of(served) as client:
                wait_until(lambda: stat(client, FRIEND)[0] == 200)
            after = observe(served, MIDS)
            assert any(is_fault(asked.reply) for asked in load.asked), said
            assert_explained([without_fault(asked) for asked in load.asked], world, after, said)
            assert_clean(url, said)
            world = after


def interrupted_load(served: Served, server: PostgresServer, seed: int, writes: int) -> Load:
    """What was asked until the server crashed after so many writes; it has been started again.

    Whoever is told of a fault, and all others from then on, ask no more: each more could have been carried out or not,
    and there would be too many histories to search through.
    """
    due = asyncio.Event()

    def on_write(count: int) -> None:
        if count >= writes:
            due.set()

    load = Load(MIDS, seed, on_write)

    async def crash() -> None:
        await due.wait()
        await asyncio.to_thread(server.stop, "immediate")
        await asyncio.to_thread(server.start)

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(crash())
            looked_at, faults = 0, 0

            def go_on() -> bool:
                nonlocal looked_at, faults
                faults += any(is_fault(asked.reply) for asked in load.asked[looked_at:])
                looked_at = len(load.asked)
                return not faults

            tasks.create_task(load.run(served.address, CONNECTIONS, go_on))

    within_deadline(run())
    assert load.broken == 0
    return load


def is_fault(reply: Reply | None) -> bool:
    """Whether the service said that it could not, or not in time."""
    return reply is not None and reply.envelope in (UNAVAILABLE, LATE)


def without_fault(asked: Asked) -> Asked:
    """A request that was not answered as far as the contract goes: a write may have been carried out or not."""
    return asked._replace(reply=None) if is_fault(asked.reply) else asked


def test_a_standby_that_takes_over_is_found_and_has_all_that_was_acknowledged(tmp_path: Path) -> None:
    synchronous = {"synchronous_standby_names": "*", "wal_level": "replica", "max_wal_senders": "4"}
    with running_server(durable=True) as primary, server_folder(durable=True) as folder:
        url = primary.migrated_database()
        make_accounts(url, MIDS)
        standby = primary.standby(folder)
        standby.start()
        try:
            for name in ("synchronous_standby_names",):
                primary.execute(f"alter system set {name} = '{synchronous[name]}'")
            primary.execute("select pg_reload_conf()")
            credentials, _, rest = url.partition("@")
            hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
            either = f"{credentials}@{hosts}/{rest.partition('/')[2]}?target_session_attrs=read-write"
            with served_from(tmp_path, either) as served, client_of(served) as client:
                for fid in MIDS[1:6]:
                    assert write(client, fid) == (200, OK)
                primary.stop("immediate")
                assert write(client, OTHER)[0] in (503, 504)
                standby.execute("select pg_promote()")
                # It waits for itself no longer than it must: it has no standby of its own.
                standby.execute("alter system reset synchronous_standby_names")
                standby.execute("select pg_reload_conf()")
                wait_until(lambda: write(client, MIDS[7])[0] == 200)
                for fid in MIDS[1:6]:
                    assert attribute_of(client, fid) == 2
            assert_clean(standby.url(url.rpartition("/")[2]), "after the standby took over")
        finally:
            standby.stop("immediate")
