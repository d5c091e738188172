"""The command as a process and in process, and servers over the accounts of tests/server/people.py."""

import asyncio
import io
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import httpx
import pytest
from every_engine import EVERY_ENGINE, Run, empty_store
from postgres_server import PostgresServer, running_server
from stores import ENGINES, Stores

from upspace.client.http import tls_context
from upspace.store.interface import Store

# What takes longer than this hangs.
DEADLINE_S = 60

FIXTURES = Path(__file__).parent / "fixtures"

READY = re.compile(
    r"upspace (?P<version>\S+) listening on (?P<url>http://\S+), store (?P<store>.+), "
    r"profile (?P<profile>\w+), (?P<workers>\d+) workers?\n"
)


# Who runs the tests in the background of a shell has this signal ignored, and so would every command that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Served:
    """A server process that has said that it is ready."""

    def __init__(self, process: subprocess.Popen[bytes], ready: re.Match[str], errors: Path) -> None:
        self.process = process
        self.url = ready["url"]
        self.ready = ready
        self._errors = errors

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host.strip("[]"), int(port)

    def errors(self) -> str:
        """What stands on stderr so far."""
        return self._errors.read_text(encoding="utf-8")

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(sent)
        return self.process.wait(DEADLINE_S)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without settings of upspace, but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UPSPACE_")}
    return kept | (dict(extra) if extra else {})


def command_line(*arguments: str) -> list[str]:
    """The real command; a warning in it is an error."""
    return [sys.executable, "-W", "error", "-m", "upspace", *arguments]


def run_process(
    *arguments: str, env: Mapping[str, str] | None = None, given: bytes = b"", deadline_s: float = DEADLINE_S
) -> Ran:
    """Run the real command to its end; at the deadline it is killed, with all that it has started."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command_line(*arguments), stdin=pipe, stdout=pipe, stderr=pipe, env=environment(env), start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(given, deadline_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Ran(process.returncode, out.decode(), err.decode())


def read_line(stream: IO[bytes], deadline_s: float = DEADLINE_S) -> str:
    """One line, or what has come of it at the deadline or at the end of the stream."""
    until = time.monotonic() + deadline_s
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not line.endswith(b"\n") and selector.select(max(0, until - time.monotonic())):
            byte = os.read(stream.fileno(), 1)
            if not byte:
                break
            line += byte
    return line.decode()


# Between the tests and a command, as a process is said to have had at least the memory of whoever started it.
_WEIGH = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def peak_kib(*arguments: str) -> int:
    """The most memory that the real command has had at once; it must end well. The unit is that of Linux."""
    ran = subprocess.run(
        [sys.executable, "-c", _WEIGH, *command_line(*arguments)], env=environment(), capture_output=True, check=True
    )
    code, kib = map(int, ran.stdout.split())
    assert code == 0, ran.stderr.decode()
    return kib


@contextmanager
def serving(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """A server process from its ready line on; killed with all its workers at the end if it has not stopped."""
    errors = folder / f"stderr-{time.monotonic_ns()}.txt"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command_line(*arguments),
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment(env),
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        line = read_line(process.stdout)
        ready = READY.fullmatch(line)
        assert ready is not None, f"instead of the ready line: {line!r}, on stderr: {errors.read_text()}"
        yield Served(process, ready, errors)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE_S)
        process.stdout.close()


@pytest.fixture
def run_upspace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """The command in this process: what it raises besides SystemExit would be a traceback, and fails the test."""
    from upspace.cli import main

    for name in list(os.environ):
        if name.startswith("UPSPACE_"):
            monkeypatch.delenv(name)

    def run(*arguments: str, given: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "argv", ["upspace", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for many tests; what it keeps is gone with it."""
    with running_server(durable=False) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """An empty store in a PostgreSQL database."""
    url = postgres.migrated_database()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="session")
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Empty stores on any engine. Without one on PostgreSQL, no server is started."""
    return Stores(tmp_path_factory.mktemp("stores"), lambda: request.getfixturevalue("postgres"))


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine: what asks for this runs on all of them."""
    return str(request.param)


@pytest.fixture
def store_url(stores: Stores, engine: str) -> Iterator[str]:
    """An empty store on each engine."""
    url = stores.new(engine)
    yield url
    stores.drop(url)


@pytest.fixture
def new(stores: Stores) -> Iterator[Callable[[str], str]]:
    """Makes empty stores, each on the engine that is named."""
    made: list[str] = []

    def make(engine: str) -> str:
        made.append(stores.new(engine))
        return made[-1]

    yield make
    for url in made:
        stores.drop(url)


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs coroutines in the one loop of a test."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(params=EVERY_ENGINE)
def store(request: pytest.FixtureRequest, run: Run, stores: Stores) -> Iterator[Store]:
    """A store that is open and empty, in each way that an engine can keep one."""
    with empty_store(request.param, run, stores) as store:
        yield store


@pytest.fixture
def file_url(stores: Stores) -> Iterator[str]:
    """An empty store in a file: for what is about files, or about no store at all."""
    url = stores.new("sqlite")
    yield url
    stores.drop(url)


@pytest.fixture(scope="session")
def people_url(stores: Stores, engine: str) -> str:
    """The accounts of people.py on each engine. Tests that change something make their own."""
    from people import people_store

    return people_store(stores.new(engine))


@contextmanager
def quiet_server(folder: Path, *arguments: str) -> Iterator[Served]:
    """A server for many tests: it must still stand, and have said nothing, when they are done."""
    with serving(folder, "serve", "--port", "0", "--workers", "1", *arguments) as served:
        yield served
        assert served.process.poll() is None
        assert served.errors() == ""
        served.stop()


def get(url: str) -> httpx.Response:
    """A reply over a connection of its own."""
    return httpx.get(url, trust_env=False, verify=tls_context())


@contextmanager
def client_of(served: Served) -> Iterator[httpx.Client]:
    """A client of one server, that takes nothing from the environment."""
    with httpx.Client(base_url=served.url, trust_env=False, timeout=DEADLINE_S, verify=tls_context()) as client:
        yield client


@pytest.fixture(scope="session")
def seed_server(people_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The accounts of people.py in profile seed."""
    with quiet_server(tmp_path_factory.mktemp("seed"), "--store", people_url) as served:
        yield served


@pytest.fixture(scope="session")
def recent_server(people_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same accounts in profile recent."""
    with quiet_server(tmp_path_factory.mktemp("recent"), "--store", people_url, "--profile", "recent") as served:
        yield served


@pytest.fixture(scope="session")
def seed(seed_server: Served) -> Iterator[httpx.Client]:
    """A client of the server in profile seed."""
    with client_of(seed_server) as client:
        yield client


@pytest.fixture(scope="session")
def recent(recent_server: Served) -> Iterator[httpx.Client]:
    """A client of the server in profile recent."""
    with client_of(recent_server) as client:
        yield client
