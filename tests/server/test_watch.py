"""The process that watches the workers: one that ends is replaced, whatever has ended it, and no client is refused."""

import asyncio
import errno
import logging.config
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from conftest import DEADLINE_S, Served, get, serving
from heavy import HEAVY, HEAVY_ROWS, HEAVY_SIGN, load_heavy, serve_arguments
from people import HUB, people_store

from upspace.data.asked import fill_store
from upspace.server import watch
from upspace.server.settings import build_settings
from upspace.server.worker import Orders

STAT = f"/x/relation/stat?vmid={HUB}"


@pytest.fixture
def url(file_url: str) -> str:
    """A store in a file, which can be moved away, with the cast in it."""
    return people_store(file_url)


@pytest.fixture(params=[1, 2])
def workers(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def until_s(seconds: float = DEADLINE_S) -> Iterator[None]:
    """Turns of a loop that waits for another process, which fails at the deadline."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(0.01)
    pytest.fail("it has not happened in time")


def worker_pids(served: Served) -> set[int]:
    """The workers that run, ready or not; Python's own helper is also a child of the server."""
    parent = served.process.pid
    found = set()
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # That of a process which has ended and is not waited for yet is empty.
        if b"spawn_main" in command:
            found.add(int(child))
    return found


def wait_for_workers(served: Served, count: int, gone: set[int]) -> set[int]:
    """The workers, once there are so many of them and none of those that shall be gone."""
    for _ in until_s():
        found = worker_pids(served)
        if len(found) == count and not found & gone:
            return found
    raise AssertionError


def wait_for_lines(served: Served, count: int) -> list[str]:
    """What has been logged, without the times, once it is so many lines."""
    for _ in until_s():
        lines = re.findall(r"^\d\S+ \S+ ((?:WARNING|ERROR) .+)\n", served.errors(), re.MULTILINE)
        if len(lines) >= count:
            return lines
    raise AssertionError


def answered(served: Served) -> None:
    assert get(served.url + STAT).json()["data"]["mid"] == HUB


def asked(served: Served) -> bool:
    """Whether a request is answered, over a connection of its own, and not cut off with its worker.

    Raises OSError if there is nobody to connect to, or no reply in time.
    """
    connection = HTTPConnection(*served.address, timeout=DEADLINE_S)
    connection.connect()
    try:
        connection.request("GET", STAT)
        return connection.getresponse().status == 200
    except (ConnectionError, HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def asking(served: Served, count: int) -> Iterator[None]:
    """Clients that ask again and again, until each has been answered once more behind what happens here."""
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            asked(served)
        assert asked(served)

    with ThreadPoolExecutor(count) as pool:
        clients = [pool.submit(ask) for _ in range(count)]
        try:
            yield
        finally:
            done.set()
    for client in clients:
        client.result()


@pytest.mark.parametrize(
    ("sent", "ended"),
    [
        (signal.SIGKILL, "was ended by signal 9"),
        (signal.SIGSEGV, "was ended by signal 11"),
        (signal.SIGTERM, "ended with 0"),
    ],
)
def test_a_worker_that_ends_is_replaced(url: str, tmp_path: Path, sent: signal.Signals, ended: str) -> None:
    with serving(tmp_path, *serve_arguments(url)) as served:
        (worker,) = worker_pids(served)
        answered(served)
        os.kill(worker, sent)
        # It is connected at once, and answered as soon as the next worker is there.
        answered(served)
        wait_for_workers(served, 1, {worker})
        assert wait_for_lines(served, 1) == [f"WARNING a worker {ended}, another takes its place in 0.25 s"]
        assert (served.stop(), len(served.errors().splitlines())) == (0, 1)


def test_a_worker_that_ignores_the_keyboard_is_not_replaced(url: str, tmp_path: Path) -> None:
    """A terminal sends SIGINT to all; the one that counts is that to the server."""
    with serving(tmp_path, *serve_arguments(url)) as served:
        (worker,) = worker_pids(served)
        os.kill(worker, signal.SIGINT)
        answered(served)
        assert worker_pids(served) == {worker}
        assert (served.stop(), served.errors()) == (0, "")


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_no_client_is_refused_while_workers_are_replaced(
    url: str, tmp_path: Path, workers: int, sent: signal.Signals
) -> None:
    with serving(tmp_path, *serve_arguments(url, "--workers", str(workers))) as served:
        with asking(served, 8):
            for turn in range(2):
                before = worker_pids(served)
                assert len(before) == workers
                os.kill(min(before), sent)
                after = wait_for_workers(served, workers, {min(before)})
                # The other one goes on.
                assert before - {min(before)} <= after
                wait_for_lines(served, turn + 1)
        assert served.stop() == 0
        assert "Traceback" not in served.errors()


def test_all_workers_may_end_at_once(url: str, tmp_path: Path) -> None:
    with serving(tmp_path, *serve_arguments(url, "--workers", "2")) as served:
        before = worker_pids(served)
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        wait_for_workers(served, 2, before)
        for _ in range(20):
            answered(served)
        assert len(wait_for_lines(served, 2)) == 2
        assert served.stop() == 0


def test_the_other_worker_goes_on_meanwhile(url: str, tmp_path: Path) -> None:
    """Its clients keep the connections that they have."""
    with serving(tmp_path, *serve_arguments(url, "--workers", "2")) as served:
        connections = [HTTPConnection(*served.address, timeout=DEADLINE_S) for _ in range(32)]
        for connection in connections:
            connection.request("GET", STAT)
            assert connection.getresponse().read() != b""
        before = worker_pids(served)
        os.kill(min(before), signal.SIGKILL)
        going_on = 0
        for connection in connections:
            try:
                assert connection.sock is not None
                connection.sock.sendall(f"GET {STAT} HTTP/1.1\r\n\r\n".encode())
                going_on += connection.sock.recv(1) != b""
            except ConnectionError:
                pass
            connection.close()
        # The system spreads them by chance, and 32 heads in a row are not seen twice in a lifetime.
        assert 0 < going_on < 32
        wait_for_workers(served, 2, {min(before)})
        assert served.stop() == 0


def test_a_worker_that_cannot_start_is_tried_again_until_it_can(url: str, tmp_path: Path) -> None:
    file = Path(url.removeprefix("sqlite:///"))
    away = file.with_suffix(".away")
    with serving(tmp_path, *serve_arguments(url)) as served:
        (worker,) = worker_pids(served)
        file.rename(away)
        os.kill(worker, signal.SIGKILL)
        lines = wait_for_lines(served, 5)
        assert lines[0] == "WARNING a worker was ended by signal 9, another takes its place in 0.25 s"
        assert [line.partition(":")[0] for line in lines[1:5:2]] == 2 * ["ERROR a worker cannot start"]
        again = "WARNING a worker ended with 1, another takes its place in {} s"
        assert lines[2:5:2] == [again.format(pause) for pause in ("0.5", "1")]
        with socket.create_connection(served.address, DEADLINE_S) as waiting:
            waiting.sendall(f"GET {STAT} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
            away.rename(file)
            assert waiting.recv(12) == b"HTTP/1.1 200"
        answered(served)
        (worker,) = worker_pids(served)
        file.rename(away)
        said = len(wait_for_lines(served, 5))
        os.kill(worker, signal.SIGKILL)
        wait_for_lines(served, said + 1)
        # A signal is heeded while there is no worker at all.
        begun = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        away.rename(file)
        assert served.process.wait(DEADLINE_S) == 0
        assert time.monotonic() - begun < 10
        assert "Traceback" not in served.errors()
        assert "ResourceWarning" not in served.errors()


def test_a_server_without_workers_stops(url: str, tmp_path: Path) -> None:
    """While it pauses, or while a worker is about to start."""
    with serving(tmp_path, *serve_arguments(url)) as served:
        (worker,) = worker_pids(served)
        os.kill(worker, signal.SIGKILL)
        wait_for_lines(served, 1)
        assert served.stop() == 0
        assert "Traceback" not in served.errors()


@contextmanager
def stuck_client(served: Served) -> Iterator[socket.socket]:
    """A client that has begun to read a reply, and does not read on."""
    with socket.socket() as client:
        client.settimeout(DEADLINE_S)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.connect(served.address)
        client.sendall(b"GET /x/relation/followers?vmid=1&ps=50 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(5) == b"HTTP/"
        yield client


def connections_refused(served: Served) -> None:
    """Wait until nobody listens any more."""
    for _ in until_s():
        try:
            socket.create_connection(served.address, DEADLINE_S).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_off_what_is_left(file_url: str, tmp_path: Path, sent: signal.Signals) -> None:
    asyncio.run(load_heavy(file_url))
    with serving(tmp_path, *serve_arguments(file_url)) as served, stuck_client(served) as client:
        served.process.send_signal(sent)
        connections_refused(served)
        assert served.process.poll() is None
        begun = time.monotonic()
        assert served.stop(sent) == 0
        # Far from the 30 seconds that it has by itself.
        assert time.monotonic() - begun < 15
        assert wait_for_lines(served, 1) == ["WARNING 1 of the workers had to be killed"]
        received = 0
        try:
            while piece := client.recv(1 << 20):
                received += len(piece)
        except ConnectionResetError:
            pass
        assert received < HEAVY_ROWS * HEAVY_SIGN


def test_a_worker_that_is_told_to_end_by_itself_sends_its_reply_first(file_url: str, tmp_path: Path) -> None:
    """Its place is taken when it has."""
    asyncio.run(load_heavy(file_url))
    with serving(tmp_path, *serve_arguments(file_url)) as served, stuck_client(served) as client:
        (worker,) = worker_pids(served)
        os.kill(worker, signal.SIGTERM)
        received = 0
        while piece := client.recv(1 << 20):
            received += len(piece)
        assert received > HEAVY_ROWS * HEAVY_SIGN
        wait_for_workers(served, 1, {worker})
        assert get(f"{served.url}/x/space/acc/info?mid={HEAVY}").json()["code"] == 0
        assert wait_for_lines(served, 1) == ["WARNING a worker ended with 0, another takes its place in 0.25 s"]
        assert served.stop() == 0


class NoProcess:
    """One for which there is no room."""

    def __init__(self, **_: object) -> None:
        pass

    def start(self) -> None:
        raise OSError(errno.EAGAIN, "no room for it")


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> Orders:
    """What a worker is told that never hears it."""
    monkeypatch.setattr(watch._PROCESSES, "Process", NoProcess)
    # What is logged in this process is for its tests to read.
    monkeypatch.setattr(logging.config, "dictConfig", lambda _: None)
    return Orders(build_settings({"store": "sqlite://"}), fill_store, limits_table=None, certificate=None)


def test_a_server_whose_first_worker_cannot_be_started_says_so(orders: Orders) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(watch.ServeError, match=r"a worker could not be started \(no room for it\) before it was ready"),
    ):
        watch.watch(orders, [listener], lambda: pytest.fail("it is not ready"))


def test_a_worker_that_cannot_be_started_is_tried_again(orders: Orders, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, caplog.at_level("WARNING", "upspace"):
        place = watch._Place(orders, listener)
        for _ in range(3):
            place.fill()
            assert place.starts_at is not None
            assert place.starts_at > time.monotonic()
            place.starts_at = 0.0
    assert [message.partition("in ")[2] for message in caplog.messages] == ["0.25 s", "0.5 s", "1 s"]
    assert (place.sources(), place.tell_to_stop()) == ([], None)
