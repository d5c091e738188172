"""A proxy in a thread of its own, servers to put behind it, and what several tests need to look at them."""

import asyncio
import json
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest

from upspace.proxy.authority import Authority
from upspace.proxy.forward import Bounds, ForwardProxy
from upspace.proxy.listening import listen
from upspace.proxy.targets import DEFAULT_HOSTS, Address, Hosts

T = TypeVar("T")

DEADLINE_S = 30

HOST = "api.bilibili.com"
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
ABSOLUTE = f"GET http://{HOST}/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
CONNECT = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode()


def required(found: str | None, what: str) -> str:
    """What a test needs of the machine: missing, it is skipped, but where everything must be there it fails."""
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing")
    pytest.skip(f"needs {what}")


class Running:
    """A proxy that runs in another thread."""

    def __init__(self, address: Address, loop: asyncio.AbstractEventLoop, kept: set["asyncio.Task[Any]"]) -> None:
        self.address = address
        self.url = f"http://{address}"
        self._loop = loop
        self._kept = kept

    def within(self, work: Coroutine[Any, Any, T]) -> T:
        """What it returns, run in the proxy's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    def wait_until_idle(self) -> None:
        """Until no task is left of any connection."""

        async def wait() -> None:
            async with asyncio.timeout(DEADLINE_S / 2):
                while left := asyncio.all_tasks() - self._kept - {asyncio.current_task()}:
                    await asyncio.wait(left)

        self.within(wait())

    def connect(self) -> socket.socket:
        """A connection to it, by hand."""
        return socket.create_connection(self.address, timeout=DEADLINE_S)


@contextmanager
def running_proxy(
    authority: Authority,
    upstream: Address,
    *,
    hosts: str = DEFAULT_HOSTS,
    pass_through: bool = False,
    bounds: Bounds = Bounds(),  # noqa: B008  # never changes
) -> Iterator[Running]:
    """A proxy that has to end with no task left, and with nothing said to the loop's handler of errors."""
    started: list[Running] = []
    failures: list[dict[str, Any]] = []
    ready = threading.Event()
    stop: list[Callable[[], object]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context))
        ended = asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        listener = listen("127.0.0.1", 0)
        address = Address(*listener.getsockname()[:2])
        async with ForwardProxy(
            listener, upstream, Hosts.parse(hosts), authority, pass_through=pass_through, bounds=bounds
        ):
            started.append(Running(address, loop, asyncio.all_tasks()))
            ready.set()
            await ended.wait()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(DEADLINE_S)
        yield started[0]
    finally:
        stop[0]()
        thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert failures == []


@contextmanager
def raw_server(answer: Callable[[socket.socket], object]) -> Iterator[Address]:
    """A server that gives each connection to a function, in a thread; what that raises fails the test."""
    listener = socket.create_server(("127.0.0.1", 0))
    failures: list[BaseException] = []
    threads: list[threading.Thread] = []

    def serve(connected: socket.socket) -> None:
        with connected:
            connected.settimeout(DEADLINE_S)
            try:
                answer(connected)
            except BaseException as error:
                failures.append(error)

    def accept() -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve, args=(connected,))
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield Address(*listener.getsockname())
    finally:
        # Closing alone would not wake whoever waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(DEADLINE_S)
        listener.close()
        for thread in threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
    assert failures == []


def read_head(connected: socket.socket) -> bytes:
    """A head, byte by byte, so that nothing behind it is taken."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connected.recv(1)
        if not byte:
            break
        head += byte
    return head


def read_all(connected: socket.socket) -> bytes:
    """What comes until the end."""
    pieces = []
    while piece := connected.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def reset(connected: socket.socket) -> None:
    """Close so that the other end sees a broken connection."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.close()


def tunnel(running: Running, authority: Authority) -> ssl.SSLSocket:
    """The inside of a tunnel. Unlike most clients, it minds if TLS ends without a farewell."""
    connected = running.connect()
    connected.sendall(CONNECT)
    assert read_head(connected).startswith(b"HTTP/1.1 200 ")
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    return trusting.wrap_socket(connected, server_hostname=HOST, suppress_ragged_eofs=False)


def read_until_broken(connected: socket.socket) -> tuple[bytes, bool]:
    """What comes, and whether it ends by a reset rather than cleanly."""
    got = b""
    try:
        while piece := connected.recv(1 << 16):
            got += piece
    except ConnectionResetError:
        return got, True
    except ssl.SSLEOFError as error:
        # What ssl makes of a reset; an end of the socket alone has a reason of its own.
        return got, error.reason is None
    return got, False


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path, _, size = self.path.partition("?bytes=")
        if size:
            self._reply(pattern(int(size)))
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("transfer-encoding") == "chunked":
            while length := int(self.rfile.readline(), 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        said = {
            "method": self.command,
            "path": path,
            "host": self.headers["host"],
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "size": len(body),
            "sha256": sha256(body).hexdigest(),
        }
        self._reply(json.dumps(said).encode())

    do_POST = do_GET  # noqa: N815  # the names that http.server calls

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  # as above

    def log_message(self, *arguments: object) -> None:
        pass


class _EchoServer(ThreadingHTTPServer):
    # So that whoever closes it waits for them.
    daemon_threads = False
    request_queue_size = 128

    def handle_error(self, *arguments: object) -> None:
        """A client that leaves is no error."""


@contextmanager
def echo_server(context: Any = None) -> Iterator[Address]:
    """A server that says what it has been asked, as JSON; inside TLS, if there is a context."""
    server = _EchoServer(("127.0.0.1", 0), _Echo)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Address(*server.socket.getsockname()[:2])
    finally:
        server.shutdown()
        thread.join(DEADLINE_S)
        server.server_close()


def pattern(size: int) -> bytes:
    """Bytes in which nothing can be dropped or swapped unnoticed."""
    numbers = b"".join(b"%015d\n" % at for at in range(size // 16 + 1))
    return numbers[:size]


def open_descriptors() -> int:
    """How many of them this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))
