"""A PostgreSQL server of the tests' own."""

import asyncio
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

import asyncpg
from postgres_programs import PostgresError, programs

from upspace.store import migrate_store

T = TypeVar("T")

# What takes longer than this hangs.
_DEADLINE_S = 60

# How often a server that starts is asked whether it is ready, while it is watched for its end.
_LOOK_S = 0.005

USER = "upspace"
_HOST = "127.0.0.1"

_SETTINGS = {
    "listen_addresses": _HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
}

# Nothing waits for a disk. What a crash would leave is of no use, and no test asks for it.
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}

# One that every system has, and by which more than ASCII has small letters, as on the servers of most people.
_LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"

_STOPS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

# Tests may be killed, and their server has to go with them. It is a session of its own, so no signal that is meant for
# the tests reaches it; but its standard input is a pipe whose other end the tests alone hold. A shell in the background
# reads from it: a line says that all is well, and the end of the pipe without one that the tests are gone. A signal of
# the kernel at the parent's death (PR_SET_PDEATHSIG) would do on Linux alone, and ends the server with the thread that
# started it. The shell in front becomes the server, under the same number; the one behind is twice removed, so that the
# server does not take it for a child of its own.
_WATCHED = 'exec 3<&0 </dev/null; ( ( read -r line <&3 || kill -s QUIT $$ ) & ); exec "$@" 3<&-'

# Where files are kept in memory, and how much room there must be for them.
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a random name is made there
_ROOM = 2 * 2**30


class PostgresServer:
    """A cluster in a folder and the server that runs it; `start` makes the cluster where there is none yet.

    `durable` keeps PostgreSQL's own promises, for crashes and measurements; without it nothing waits for a disk. The
    `settings` are those of postgresql.conf; a change of them holds from the next start on. The folder must be one that
    the server's user can reach: `server_folder` makes one.
    """

    def __init__(self, folder: Path, *, durable: bool, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "postgres.log"
        self.settings = _SETTINGS | ({} if durable else _NOT_DURABLE) | dict(settings or {})
        self._durable = durable
        self._password = folder / "password"
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._template: str | None = None
        self._own: _OwnConnection | None = None

    @property
    def port(self) -> int:
        """The same from the first start on, whatever happens in between."""
        return self._port

    @property
    def is_running(self) -> bool:
        """Whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str) -> str:
        """How a database is reached."""
        return f"postgresql://{USER}:{self._password.read_text()}@{_HOST}:{self._port}/{database}"

    def start(self) -> None:
        """Start, recovering first if the last stop was none; returns when connections are accepted."""
        assert not self.is_running
        if not self.data.exists():
            self._make_cluster()
        self._port = self._port or _free_port()
        found = programs()
        command = [str(found.folder / "postgres"), "-D", str(self.data), "-p", str(self._port)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _WATCHED, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **found.options(),
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self._process.kill()
            self._ended(self._process)
            raise

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop as `pg_ctl stop` does: smart waits for the clients, fast sends them away, immediate is a crash."""
        process = self._process
        if process is None:
            return
        if self._own is not None:
            self._own.close()
            self._own = None
        process.send_signal(_STOPS[mode])
        try:
            process.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise PostgresError(f"PostgreSQL did not stop ({mode}); its log ends with\n{self._end_of_log()}") from None
        finally:
            self._ended(process)

    def new_database(self) -> str:
        """Make an empty database; its URL."""
        name = _new_name()
        self.execute(f"create database {name}")
        return self.url(name)

    def migrated_database(self) -> str:
        """Make a database with the empty tables of a store; its URL. Not within a running event loop."""
        if self._template is None:
            template = _new_name()
            self.execute(f"create database {template}")
            asyncio.run(migrate_store(self.url(template)))
            self._template = template
        name = _new_name()
        # Copying files takes half the time of writing each page to the log as well.
        self.execute(f"create database {name} template {self._template} strategy file_copy")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.execute(f"drop database {url.rpartition('/')[2]} with (force)")

    def execute(self, statement: str, database: str = "") -> None:
        """Execute a statement outside of any transaction, in a database of one's own or in that of the server."""
        if database:
            with closing(_OwnConnection(self.url(database))) as connection:
                connection.execute(statement)
            return
        if self._own is None:
            self._own = _OwnConnection(self.url("postgres"))
        self._own.execute(statement)

    def standby(self, folder: Path, settings: Mapping[str, str] | None = None) -> "PostgresServer":
        """A server in another folder that follows this one from its start on, and may be read; not started yet."""
        other = PostgresServer(folder, durable=self._durable, settings=settings)
        other._write_password(self._password.read_text())
        source = ("--dbname", self.url("postgres"), "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
        programs().run("pg_basebackup", "--pgdata", str(other.data), *source)
        return other

    def _make_cluster(self) -> None:
        # Random, since whoever may connect as this user may run programs in the name of the server's user.
        self._write_password(secrets.token_urlsafe(16))
        texts = ("--encoding=UTF8", f"--locale={_LOCALE}", "--no-instructions")
        access = (f"--username={USER}", "--auth=scram-sha-256", f"--pwfile={self._password}")
        sync = () if self._durable else ("--no-sync",)
        programs().run("initdb", "--pgdata", str(self.data), *texts, *access, *sync)

    def _write_password(self, password: str) -> None:
        self._password.touch(0o600)
        self._password.write_text(password)
        programs().own(self._password)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _DEADLINE_S
        while not self._is_ready(process.pid):
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK_S)
            if process.returncode is not None or time.monotonic() > until:
                raise PostgresError(f"PostgreSQL did not start; its log ends with\n{self._end_of_log()}")

    def _is_ready(self, pid: int) -> bool:
        """What the server says of itself in its file, as pg_ctl reads it; a killed server may have left the file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() in {"ready", "standby"}

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        """The process is ending or has ended: whoever watches for the end of the tests can go."""
        process.wait(_DEADLINE_S)
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(b"\n")
        self._process = None

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


class _OwnConnection:
    """The connection over which databases are made and dropped: one for each would take as long as that.

    Its event loop is in a thread of its own, as whoever stops the server may be within another.
    """

    def __init__(self, url: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._runner = asyncio.Runner()
        self._connection = self._run(asyncpg.connect(url))

    def execute(self, statement: str) -> None:
        self._run(self._connection.execute(statement))

    def close(self) -> None:
        # The server may be gone already.
        with self._thread:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                self._run(self._connection.close(timeout=_DEADLINE_S))
            self._thread.submit(self._runner.close).result()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._thread.submit(self._runner.run, work).result()


@contextmanager
def server_folder(*, durable: bool) -> Iterator[Path]:
    """A folder that the server's user owns, gone at the end: on a disk, or in memory if it may be and there is room.

    Making a database writes some three hundred files, and not every disk does that quickly.
    """
    in_memory = not durable and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM
    folder = Path(tempfile.mkdtemp(prefix="upspace-postgres-", dir=_MEMORY if in_memory else None))
    try:
        programs().own(folder)
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def running_server(*, durable: bool, settings: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """A server in a folder of its own, started, and stopped at the end."""
    with server_folder(durable=durable) as folder:
        server = PostgresServer(folder, durable=durable, settings=settings)
        try:
            server.start()
            yield server
        finally:
            server.stop("immediate")


def _new_name() -> str:
    return f"upspace_{secrets.token_hex(6)}"


def _free_port() -> int:
    """A port that nobody listens on, below those that systems give to clients: it stays free while a server is down."""
    while True:
        port = 16384 + secrets.randbelow(16384)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((_HOST, port))
                return port
