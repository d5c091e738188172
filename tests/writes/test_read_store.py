"""Reading from a replica: lists and figures may be a little behind, but nobody is shown less than they have written."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import pytest
from conftest import Served, client_of, run_process, serving
from postgres_server import PostgresServer, running_server, server_folder
from server_processes import wait_until

from upspace.model import Account, Profile, Standing, Token
from upspace.server.viewer import token_digest
from upspace.store import open_store

MIDS = range(1001, 1011)
VIEWER, FRIEND, OTHER, STRANGER = MIDS[0], MIDS[1], MIDS[2], MIDS[3]


class Pair(NamedTuple):
    """A primary with the store, its replica, and their URLs."""

    primary: PostgresServer
    replica: PostgresServer
    url: str
    read_url: str


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary, and a replica that follows it."""
    with running_server(durable=False) as primary, server_folder(durable=False) as folder:
        replica = primary.standby(folder)
        try:
            replica.start()
            yield primary, replica
        finally:
            replica.stop("immediate")


@pytest.fixture
def pair(servers: tuple[PostgresServer, PostgresServer]) -> Iterator[Pair]:
    """A store of ten accounts without relations, which the replica has as well."""
    primary, replica = servers
    url = primary.migrated_database()
    asyncio.run(make_accounts(url))
    made = Pair(primary, replica, url, replica.url(url.rpartition("/")[2]))
    catch_up(made)
    yield made
    primary.drop(url)


async def make_accounts(url: str) -> None:
    store = await open_store(url)
    await store.load([Profile(Account(mid, name=f"account {mid}"), Standing(mid)) for mid in MIDS], ())
    for mid in MIDS:
        await store.put_token(Token(token_digest(f"token-of-{mid}"), mid, 0))
    await store.close()


def value(server: PostgresServer, query: str) -> Any:
    """The one value of a query of a server's own database."""

    async def fetch() -> Any:
        connection = await asyncpg.connect(server.url("postgres"))
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def catch_up(pair: Pair) -> None:
    """Wait until the replica has all that has been written."""

    written = value(pair.primary, "select pg_current_wal_insert_lsn()::text")
    wait_until(lambda: value(pair.replica, f"select pg_last_wal_replay_lsn() >= '{written}'"))


@contextmanager
def held_back(pair: Pair) -> Iterator[None]:
    """While the replica stays as it is."""
    pair.replica.execute("select pg_wal_replay_pause()")
    try:
        yield
    finally:
        pair.replica.execute("select pg_wal_replay_resume()")


@contextmanager
def served_from(folder: Path, pair: Pair, *more: str) -> Iterator[Served]:
    arguments = ("serve", "--store", pair.url, "--read-store", pair.read_url, "--port", "0", *more)
    with serving(folder, *arguments) as served:
        yield served
        assert "Traceback" not in served.errors()
        assert served.stop() == 0


def get(client: httpx.Client, path: str, viewer: int | None = None, **parameters: int) -> Any:
    """The data of a read."""
    headers = {} if viewer is None else {"authorization": f"Bearer token-of-{viewer}"}
    envelope = client.get(path, params=parameters, headers=headers).json()
    assert envelope["code"] == 0, envelope
    return envelope["data"]


def follow(client: httpx.Client, viewer: int, fid: int) -> None:
    headers = {"authorization": f"Bearer token-of-{viewer}"}
    envelope = client.post("/x/relation/modify", data={"fid": fid, "act": 1}, headers=headers).json()
    assert envelope["code"] == 0, envelope


def following(client: httpx.Client, vmid: int, viewer: int | None) -> int:
    """How many accounts `vmid` follows, as `viewer` is shown."""
    return int(get(client, "/x/relation/stat", viewer, vmid=vmid)["following"])


def listed(client: httpx.Client, vmid: int, viewer: int | None) -> list[int]:
    """Whom `vmid` follows, as `viewer` is shown."""
    data = get(client, "/x/relation/followings", viewer, vmid=vmid)
    return [item["mid"] for item in data["list"]]


def test_who_has_written_sees_it_while_others_see_the_replica(pair: Pair, tmp_path: Path) -> None:
    with served_from(tmp_path, pair) as served, client_of(served) as client:
        with held_back(pair):
            follow(client, VIEWER, FRIEND)
            for _ in range(3):
                # In turn on one connection, so that what one request remembers does not reach the next.
                assert following(client, VIEWER, VIEWER) == 1
                assert following(client, VIEWER, None) == 0
                assert listed(client, VIEWER, VIEWER) == [FRIEND]
                assert listed(client, VIEWER, OTHER) == []
                assert get(client, "/x/relation", VIEWER, fid=FRIEND)["attribute"] == 2
                assert get(client, "/x/relation/stat", VIEWER, vmid=FRIEND)["follower"] == 1
                assert get(client, "/x/relation/stat", FRIEND, vmid=FRIEND)["follower"] == 1
                assert get(client, "/x/relation/stat", OTHER, vmid=FRIEND)["follower"] == 0
        catch_up(pair)
        for viewer in (None, VIEWER, OTHER):
            assert following(client, VIEWER, viewer) == 1
            assert listed(client, VIEWER, viewer) == [FRIEND]


def test_what_was_written_through_another_process_counts_too(pair: Pair, tmp_path: Path) -> None:
    with (
        served_from(tmp_path, pair) as first,
        served_from(tmp_path, pair) as second,
        client_of(first) as writing,
        client_of(second) as reading,
        held_back(pair),
    ):
        follow(writing, VIEWER, FRIEND)
        assert following(reading, VIEWER, VIEWER) == 1
        assert following(reading, VIEWER, OTHER) == 0
        headers = {"authorization": f"Bearer token-of-{VIEWER}"}
        assert writing.post("/x/relation/tag/create", data={"tag": "red"}, headers=headers).json()["code"] == 0
        assert [group["name"] for group in get(reading, "/x/relation/tags", VIEWER)][-1] == "red"
        assert following(reading, VIEWER, VIEWER) == 1


def test_who_has_written_nothing_of_late_reads_from_the_replica(pair: Pair, tmp_path: Path) -> None:
    with served_from(tmp_path, pair) as served, client_of(served) as client:
        follow(client, VIEWER, FRIEND)
        catch_up(pair)
        with held_back(pair):
            follow(client, OTHER, FRIEND)
            # The replica has all that this viewer wrote, and not what the other did.
            assert get(client, "/x/relation/stat", VIEWER, vmid=FRIEND)["follower"] == 1
            assert get(client, "/x/relation/stat", OTHER, vmid=FRIEND)["follower"] == 2


def test_accounts_are_shown_as_they_are_whatever_the_replica_has(pair: Pair, tmp_path: Path) -> None:
    with served_from(tmp_path, pair) as served, client_of(served) as client:
        follow(client, VIEWER, FRIEND)
        catch_up(pair)
        with held_back(pair):
            for name in ("second", "third"):
                ran = run_process("account", "set", str(FRIEND), f'{{"name": "{name}"}}', "--store", pair.url)
                assert ran.code == 0, ran.err
                assert get(client, "/x/space/acc/info", mid=FRIEND)["name"] == name
                data = get(client, "/x/relation/followings", vmid=VIEWER)
                assert [item["uname"] for item in data["list"]] == [name]
        catch_up(pair)
        assert get(client, "/x/space/acc/info", mid=FRIEND)["name"] == "third"


def test_an_account_that_the_replica_does_not_have_yet_is_there(pair: Pair, tmp_path: Path) -> None:
    with served_from(tmp_path, pair) as served, client_of(served) as client, held_back(pair):
        given = b'{"mid": 2001, "name": "new", "counter_mode": "reported", "counters": {"follower": 7}}'
        ran = run_process("account", "add", "-", "--store", pair.url, given=given)
        assert ran.code == 0, ran.err
        assert get(client, "/x/web-interface/card", mid=2001)["card"]["name"] == "new"
        assert get(client, "/x/relation/stat", vmid=2001)["follower"] == 7
        assert get(client, "/x/relation/stat", vmid=2002)["follower"] == 0


def test_while_the_replica_is_away_everything_comes_from_the_primary(pair: Pair, tmp_path: Path) -> None:
    with served_from(tmp_path, pair, "--store-timeout-s", "2") as served, client_of(served) as client:
        follow(client, VIEWER, FRIEND)
        catch_up(pair)
        pair.replica.stop("immediate")
        try:
            for viewer in (None, VIEWER, OTHER) * 3:
                assert following(client, VIEWER, viewer) == 1
            follow(client, OTHER, FRIEND)
            assert following(client, OTHER, OTHER) == 1
            assert "reading from" in served.errors()
        finally:
            pair.replica.start()
        catch_up(pair)
        with held_back(pair):
            follow(client, VIEWER, OTHER)
            # A moment later the replica is read again.
            wait_until(lambda: following(client, VIEWER, None) == 1)


def test_a_database_that_is_no_replica_is_refused(pair: Pair) -> None:
    ran = run_process("serve", "--store", pair.url, "--read-store", pair.url, "--port", "0")
    assert ran.code == 1
    assert "is not a replica" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert pair.url not in ran.err


def test_a_file_has_no_replica(pair: Pair, file_url: str) -> None:
    ran = run_process("serve", "--store", file_url, "--read-store", pair.read_url, "--port", "0")
    assert (ran.code, ran.err) == (
        1,
        f"upspace: {file_url} has no replica to read from: only PostgreSQL has any\n",
    )
