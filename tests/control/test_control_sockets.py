"""Faults of the connection on raw sockets, and a server that stands whatever its clients do."""

import errno
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from conftest import DEADLINE_S
from control_world import ALICE, BOB, DAVE, INFO, MODIFY, World, controlled

from upspace.server.http import BODY_MAX_BYTES

REQUEST = b"GET %b?mid=%d HTTP/1.1\r\nhost: localhost\r\n\r\n" % (INFO.encode(), BOB)


@pytest.fixture(scope="module", params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with controlled(tmp_path_factory.mktemp("sockets"), "--host", request.param) as world:
        yield world


@pytest.fixture
def world(server: World) -> World:
    server.begin()
    return server


def connected(world: World) -> socket.socket:
    return socket.create_connection(world.served.address, DEADLINE_S)


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received


def test_a_reset_is_one_and_comes_before_any_byte(world: World) -> None:
    world.fault("reset")
    for sent in (REQUEST, REQUEST.replace(b"1.1", b"1.0"), REQUEST.replace(b"GET", b"HEAD")):
        with connected(world) as connection:
            connection.sendall(sent)
            with pytest.raises(OSError, match="reset") as failed:
                connection.recv(1)
            assert failed.value.errno == errno.ECONNRESET


def test_a_reset_of_a_request_with_a_body(world: World) -> None:
    world.fault("reset")
    # The larger one is more than the server ever keeps.
    for size in (10, BODY_MAX_BYTES * 3):
        with pytest.raises(httpx.TransportError) as failed:
            world.client.post(MODIFY, content=b"a" * size)
        assert not isinstance(failed.value, httpx.TimeoutException)


def test_a_reset_ends_the_connection_of_its_request_alone(world: World) -> None:
    with connected(world) as other, connected(world) as hit:
        other.sendall(REQUEST)
        assert other.recv(65_536).startswith(b"HTTP/1.1 200")
        world.fault("reset", times=1)
        hit.sendall(REQUEST)
        with pytest.raises(ConnectionResetError):
            hit.recv(1)
        other.sendall(REQUEST)
        assert other.recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_reset_after_a_delay_of_a_client_that_has_left(world: World) -> None:
    rule = world.fault("reset", delay_s=0.05)
    with connected(world) as connection:
        connection.sendall(REQUEST)
    while world.counts(rule)[1] == 0:
        pass
    world.done("DELETE", "faults")
    assert world.info_code() == 0


@pytest.mark.parametrize("drip", [{}, {"drip_bytes": 100, "drip_pause_s": 0.001}])
def test_a_cut_reply_promises_its_length_and_ends_with_the_connection(world: World, drip: dict[str, float]) -> None:
    whole = world.client.get(INFO, params={"mid": BOB}).content
    world.fault("cut_off", **drip)
    with connected(world) as connection:
        connection.sendall(REQUEST)
        received = read_to_end(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % len(whole) in head + b"\r\n"
    assert body == whole[: len(whole) // 2]


def test_a_slow_reply_waits_and_comes_whole(world: World) -> None:
    whole = world.client.get(INFO, params={"mid": BOB}).content
    world.fault("slow", delay_s=0.3)
    begun = time.monotonic()
    assert world.client.get(INFO, params={"mid": BOB}).content == whole
    assert time.monotonic() - begun >= 0.3


def test_a_delay_is_drawn_between_its_bounds(world: World) -> None:
    world.fault("busy", delay_s=0.1, delay_max_s=0.2)
    begun = time.monotonic()
    assert world.info_code() == -8888
    assert time.monotonic() - begun >= 0.1


def test_drips_arrive_apart(world: World) -> None:
    whole = world.client.get(INFO, params={"mid": BOB}).content
    world.fault("slow", drip_bytes=len(whole) // 4 + 1, drip_pause_s=0.1)
    pieces, times = [], []
    with world.client.stream("GET", INFO, params={"mid": BOB}) as reply:
        assert reply.headers["content-length"] == str(len(whole))
        for piece in reply.iter_raw():
            pieces.append(piece)
            times.append(time.monotonic())
    assert (b"".join(pieces), len(pieces)) == (whole, 4)
    assert times[-1] - times[0] >= 0.25


def worker_files(world: World) -> int:
    """How many files the worker has open: it is the process that listens."""
    children = Path(f"/proc/{world.served.process.pid}/task/{world.served.process.pid}/children").read_text().split()
    return max(sum(1 for _ in Path(f"/proc/{child}/fd").iterdir()) for child in children)


def settles(world: World, most: int) -> int:
    """How many files the worker has open once all connections are noticed to be gone."""
    until = time.monotonic() + DEADLINE_S
    while (files := worker_files(world)) > most and time.monotonic() < until:
        time.sleep(0.05)
    return files


def test_a_storm_of_mixed_faults_leaves_nothing_behind(world: World) -> None:
    before = worker_files(world)
    world.fault("reset", probability=0.3, seed=1)
    world.fault("cut_off", probability=0.2, seed=2, drip_bytes=50, drip_pause_s=0.001)
    world.fault("slow", probability=0.3, seed=3, delay_s=0.001, delay_max_s=0.02, drip_bytes=400, drip_pause_s=0.001)
    world.fault("busy", probability=0.3, seed=4)

    def ask(number: int) -> int:
        failed = 0
        with httpx.Client(base_url=world.served.url, trust_env=False, verify=False, timeout=DEADLINE_S) as client:  # noqa: S501  # no TLS here
            for turn in range(6):
                try:
                    if turn % 2:
                        client.post(MODIFY, data={"fid": DAVE, "act": 1 + turn % 3}, headers=world.bearer(ALICE))
                    else:
                        client.get(INFO, params={"mid": BOB})
                except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError):
                    failed += 1
        return failed

    with ThreadPoolExecutor(64) as pool:
        failed = sum(pool.map(ask, range(64)))
    assert 64 < failed < 6 * 64
    assert len(world.requests()) == 6 * 64
    world.done("DELETE", "faults")
    assert world.info_code() == 0
    assert settles(world, before) <= before


def test_a_server_goes_back_while_it_is_asked(world: World) -> None:
    rename = {"accounts": [{"mid": BOB, "name": "another"}]}
    names: set[str] = set()

    def ask(number: int) -> None:
        with httpx.Client(base_url=world.served.url, trust_env=False, verify=False, timeout=DEADLINE_S) as client:  # noqa: S501  # no TLS here
            for _ in range(20):
                client.post(MODIFY, data={"fid": DAVE, "act": 1}, headers=world.bearer(ALICE))
                listed = client.get("/x/relation/followings", params={"vmid": ALICE}).json()["data"]
                names.update(item["uname"] for item in listed["list"] if item["mid"] == BOB)
                assert listed["total"] == len(listed["list"])

    with ThreadPoolExecutor(16) as pool:
        asking = pool.map(ask, range(16))
        for _ in range(30):
            world.done("POST", "load", rename)
            world.begin()
        list(asking)
    assert names <= {f"name {BOB}", "another"}
    world.begin()
    assert world.relation(ALICE, DAVE)[0] == 0
    assert world.client.get(INFO, params={"mid": BOB}).json()["data"]["name"] == f"name {BOB}"


def test_clients_that_leave_do_no_harm(world: World) -> None:
    before = worker_files(world)
    world.fault("slow", path=INFO, probability=0.5, seed=1, delay_s=0.02)
    world.fault("slow", path=INFO, drip_bytes=1, drip_pause_s=0.001)
    chance = random.Random(1)
    for turn in range(40):
        with closing(connected(world)) as connection:
            connection.sendall(REQUEST)
            if turn % 2:
                connection.recv(chance.randrange(1, 400))
    # All of them are answered, to whomever.
    until = time.monotonic() + DEADLINE_S
    while any(asked["status"] is None for asked in world.requests()) and time.monotonic() < until:
        time.sleep(0.05)
    assert {asked["status"] for asked in world.requests()} == {200}
    # Who has read something has been heard; who left at once may have been gone before.
    assert 20 <= len(world.requests()) <= 40
    world.done("DELETE", "faults")
    assert world.info_code() == 0
    assert settles(world, before) <= before


def test_a_reply_that_waits_does_not_keep_the_server_from_stopping(tmp_path: Path) -> None:
    with controlled(tmp_path) as world:
        world.fault("slow", path=INFO, delay_s=3_600)
        with connected(world) as connection:
            connection.sendall(REQUEST)
            while not world.requests():
                pass
        begun = time.monotonic()
    # Far less than a server that is not controlled waits for its last replies.
    assert time.monotonic() - begun < 20
