"""Connections that break, in every place: what arrives is what was sent, nothing is left, and the proxy goes on."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from proxy_world import (
    ABSOLUTE,
    CONNECT,
    DEADLINE_S,
    HOST,
    REQUEST,
    Running,
    echo_server,
    open_descriptors,
    pattern,
    raw_server,
    read_all,
    read_head,
    read_until_broken,
    reset,
    running_proxy,
    tunnel,
)

from upspace.proxy.authority import Authority

TRUNCATED = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(tmp_path_factory.mktemp("authority") / "authority")


@pytest.fixture(scope="module")
def proxy(authority: Authority) -> Iterator[Running]:
    with echo_server() as upstream, running_proxy(authority, upstream) as running:
        yield running


@contextmanager
def asking(running: Running, authority: Authority, scheme: str) -> Iterator[socket.socket]:
    """A connection on which a request has been sent."""
    with tunnel(running, authority) if scheme == "https" else running.connect() as connected:
        connected.sendall(REQUEST if scheme == "https" else ABSOLUTE)
        yield connected


PARTS = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\ncont",
    "half a body": TRUNCATED,
    "no head": b"no HTTP at all\n\n",
    "no text": b"\x00\xff" * 50,
}

BOTH = pytest.mark.parametrize("scheme", ["http", "https"])


@BOTH
@pytest.mark.parametrize("sent", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("abruptly", [True, False])
def test_a_reply_that_breaks_off_arrives_as_it_was_sent(
    authority: Authority, scheme: str, sent: bytes, abruptly: bool
) -> None:
    def answer(connected: socket.socket) -> None:
        read_head(connected)
        connected.sendall(sent)
        if abruptly:
            # Not before it has been seen, as a reset may overtake what was sent.
            assert seen.wait(DEADLINE_S)
            reset(connected)

    seen = threading.Event()
    before = open_descriptors()
    with raw_server(answer) as upstream, running_proxy(authority, upstream) as running:
        with asking(running, authority, scheme) as connected:
            got = b""
            while len(got) < len(sent):
                got += connected.recv(1 << 16)
            seen.set()
            rest, broken = read_until_broken(connected)
        assert (got + rest, broken) == (sent, abruptly)
        running.wait_until_idle()
    assert open_descriptors() <= before


@BOTH
def test_what_came_just_before_a_reset_is_not_lost(authority: Authority, scheme: str) -> None:
    def answer(connected: socket.socket) -> None:
        read_head(connected)
        connected.sendall(TRUNCATED)
        reset(connected)

    with raw_server(answer) as upstream, running_proxy(authority, upstream) as running:
        for _ in range(50):
            with asking(running, authority, scheme) as connected:
                assert read_until_broken(connected) == (TRUNCATED, True)


@BOTH
@pytest.mark.parametrize("abruptly", [True, False])
def test_the_server_learns_that_the_client_has_left(authority: Authority, scheme: str, abruptly: bool) -> None:
    ended: list[str] = []

    def answer(connected: socket.socket) -> None:
        read_head(connected)
        asked.set()
        try:
            ended.append("end" if connected.recv(1) == b"" else "more")
        except ConnectionResetError:
            ended.append("reset")

    asked = threading.Event()
    with raw_server(answer) as upstream, running_proxy(authority, upstream) as running:
        with asking(running, authority, scheme) as connected:
            assert asked.wait(DEADLINE_S)
            if abruptly:
                reset(connected)
        running.wait_until_idle()
    assert ended == ["reset" if abruptly else "end"]


@BOTH
def test_a_client_that_has_said_all_is_still_answered(authority: Authority, scheme: str) -> None:
    def answer(connected: socket.socket) -> None:
        read_head(connected)
        assert connected.recv(1) == b""
        connected.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + pattern(1_000_000))

    with (
        raw_server(answer) as upstream,
        running_proxy(authority, upstream) as running,
        asking(running, authority, scheme) as connected,
    ):
        # Within TLS too it is the plain end of the socket, as ssl has no word for this half alone.
        socket.socket.shutdown(connected, socket.SHUT_WR)
        assert read_all(connected) == b"HTTP/1.1 200 OK\r\n\r\n" + pattern(1_000_000)


def test_the_farewell_of_tls_ends_one_direction(authority: Authority) -> None:
    def answer(connected: socket.socket) -> None:
        read_head(connected)
        assert connected.recv(1) == b""
        connected.sendall(b"late")

    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    inside = trusting.wrap_bio(incoming, outgoing, server_hostname=HOST)
    with (
        raw_server(answer) as upstream,
        running_proxy(authority, upstream) as running,
        running.connect() as connected,
    ):

        def step(work: Callable[[], object]) -> object:
            while True:
                try:
                    return work()
                except ssl.SSLWantReadError:
                    connected.sendall(outgoing.read())
                    incoming.write(connected.recv(1 << 16))

        connected.sendall(CONNECT)
        read_head(connected)
        step(inside.do_handshake)
        inside.write(REQUEST)
        with pytest.raises(ssl.SSLWantReadError):
            inside.unwrap()
        connected.sendall(outgoing.read())
        raw = read_all(connected)
        # The reply and a farewell, each a record of its own; OpenSSL reads no more after its own farewell.
        assert [kind for kind, _ in records(raw)][-2:] == [23, 23]


def records(raw: bytes) -> list[tuple[int, int]]:
    """The types and lengths of TLS records."""
    found = []
    while raw:
        kind, length = raw[0], int.from_bytes(raw[3:5], "big")
        found.append((kind, length))
        raw = raw[5 + length :]
    return found


def test_a_client_that_speaks_no_tls_inside_a_tunnel_is_understood(proxy: Running) -> None:
    with proxy.connect() as connected:
        connected.sendall(CONNECT.replace(b":443", b":80") + REQUEST)
        assert read_head(connected) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        assert b"content-length" in read_head(connected)


def test_a_client_may_begin_before_it_is_told_to(proxy: Running, authority: Authority) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inside = ssl.create_default_context(cafile=str(authority.ca_file)).wrap_bio(
        incoming, outgoing, server_hostname=HOST
    )
    with pytest.raises(ssl.SSLWantReadError):
        inside.do_handshake()
    with proxy.connect() as connected:
        connected.sendall(CONNECT + outgoing.read())
        assert read_head(connected).startswith(b"HTTP/1.1 200 ")
        while True:
            try:
                inside.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(connected.recv(1 << 16))
    assert inside.selected_alpn_protocol() is None


@BOTH
def test_a_reply_before_the_whole_body_arrives(authority: Authority, scheme: str) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\nconnection: close\r\n\r\nlong"

    def answer(connected: socket.socket) -> None:
        read_head(connected)
        connected.sendall(refusal)

    where = b"/" if scheme == "https" else f"http://{HOST}/".encode()
    with (
        raw_server(answer) as upstream,
        running_proxy(authority, upstream) as running,
        tunnel(running, authority) if scheme == "https" else running.connect() as connected,
    ):
        connected.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345" % where)
        assert read_until_broken(connected)[0] == refusal
        connected.close()
        running.wait_until_idle()


def test_a_stop_lets_go_of_everyone(authority: Authority) -> None:
    def answer(connected: socket.socket) -> None:
        read_until_broken(connected)

    before = open_descriptors()
    with raw_server(answer) as upstream:
        with running_proxy(authority, upstream) as running:
            idle, plain, inside = running.connect(), running.connect(), tunnel(running, authority)
            plain.sendall(ABSOLUTE)
            inside.sendall(REQUEST)
        for connected in (idle, plain, inside):
            with suppress(ConnectionResetError, ssl.SSLEOFError):
                assert connected.recv(1) == b""
            connected.close()
    assert open_descriptors() <= before
