"""The servers that are measured: processes of their own, ready before they are used, stopped whatever happens."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
from msgspec import Struct
from results import Memory

_HERE = Path(__file__).parent
_READY_S = 60
_STOP_S = 15
_LOG_SHOWN = 2000


class ServerError(Exception):
    """A server that did not come up, with the end of its log."""


class Server(Struct, frozen=True):
    """A running server: where it is reached, and its first process."""

    name: str
    url: str
    pid: int

    def worker(self) -> psutil.Process:
        """The process that answers."""
        [worker] = self.workers(1)
        return worker

    def workers(self, count: int) -> list[psutil.Process]:
        """Those that answer: of the server's processes the ones that have used the most processor time."""
        first = psutil.Process(self.pid)
        processes = [first, *first.children(recursive=True)]
        return sorted(processes, key=lambda process: sum(process.cpu_times()[:2]), reverse=True)[:count]


def memory_of(server: Server) -> Memory:
    """What the server's worker takes."""
    used = server.worker().memory_full_info()
    return Memory(rss_mb=round(used.rss / 1e6, 1), pss_mb=round(used.pss / 1e6, 1))


@contextmanager
def upspace_server(store: str, *options: str, name: str = "upspace", admin_token: str = "") -> Iterator[Server]:
    """`upspace serve` over the store of that URL, with one worker unless the options say otherwise."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("upspace")), "serve", "--port", str(port), "--workers", "1", *options]
    variables = store_variable(store) | ({"UPSPACE_ADMIN_TOKEN": admin_token} if admin_token else {})
    with _running(name, command, port, variables=variables) as server:
        yield server


@contextmanager
def single_commit_server(store: str, *options: str) -> Iterator[Server]:
    """upspace with one transaction a write."""
    port = free_port()
    command = [sys.executable, str(_HERE / "single_commits.py"), "--port", str(port), *options]
    with _running("single commits", command, port, variables=store_variable(store)) as server:
        yield server


@contextmanager
def single_query_server(store: str, *options: str) -> Iterator[Server]:
    """upspace over PostgreSQL with one query a request."""
    port = free_port()
    command = [sys.executable, str(_HERE / "single_queries.py"), "--port", str(port), *options]
    with _running("single queries", command, port, variables=store_variable(store)) as server:
        yield server


@contextmanager
def bare_server(sizes: Mapping[str, int]) -> Iterator[Server]:
    """The bare limit, with replies of these sizes."""
    port = free_port()
    command = [sys.executable, str(_HERE / "bare_limit.py"), "--port", str(port), "--sizes", json.dumps(dict(sizes))]
    with _running("bare", command, port, probe=f"/{next(iter(sizes))}/") as server:
        yield server


@contextmanager
def peer_server(database: str, public_url: str) -> Iterator[Server]:
    """The peer under uvicorn as it is installed: one worker, no options but the port.

    `database` is a URL of SQLAlchemy, `public_url` what upspace puts before the path of a generated avatar.
    """
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "peer_fastapi:app", "--port", str(port)]
    variables = {"PEER_DATABASE": database, "PEER_PUBLIC_URL": public_url}
    with _running("peer", command, port, variables=variables) as server:
        yield server


@contextmanager
def datasette_server(database: Path) -> Iterator[Server]:
    """Datasette as it is installed, over the same file."""
    port = free_port()
    command = [sys.executable, "-m", "datasette", "serve", str(database), "--port", str(port)]
    with _running("datasette", command, port, probe="/-/versions.json") as server:
        yield server


def store_variable(store: str) -> dict[str, str]:
    """The environment that names a store; command lines, which everyone may read, shall not hold a password."""
    return {"UPSPACE_STORE": store}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _running(
    name: str, command: list[str], port: int, *, probe: str = "/", variables: Mapping[str, str] | None = None
) -> Iterator[Server]:
    with tempfile.TemporaryFile("w+") as log:
        # A session of its own, so that all of its processes can be ended and no others.
        process = subprocess.Popen(
            command,
            cwd=_HERE,
            env=_environment() | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            if not _answers(process, url + probe):
                log.seek(0)
                raise ServerError(f"{name} did not come up:\n{log.read()[-_LOG_SHOWN:]}")
            yield Server(name, url, process.pid)
        finally:
            _stop(process)


def _environment() -> dict[str, str]:
    """The environment without what would change a server's options behind the back of this command."""
    options = ("UPSPACE_", "GRANIAN_", "UVICORN_", "WEB_CONCURRENCY")
    return {name: value for name, value in os.environ.items() if not name.startswith(options)}


def _answers(process: "subprocess.Popen[bytes]", url: str) -> bool:
    """Whether the server answers anything at all before the deadline; False as soon as it has ended."""
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return True
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_S)
    # Whatever is left of its session, which is nothing after an orderly end.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
