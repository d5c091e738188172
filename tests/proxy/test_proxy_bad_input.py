"""Clients that send nonsense, or leave, or wait: they are told why, nothing is left, and the proxy goes on."""

import socket
import ssl
from collections.abc import Iterator

import pytest
from proxy_world import (
    ABSOLUTE,
    CONNECT,
    HOST,
    REQUEST,
    Running,
    echo_server,
    open_descriptors,
    read_all,
    read_head,
    read_until_broken,
    reset,
    running_proxy,
    tunnel,
)

from upspace.proxy.authority import Authority
from upspace.proxy.forward import Bounds
from upspace.proxy.targets import Address

BOTH = pytest.mark.parametrize("scheme", ["http", "https"])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(tmp_path_factory.mktemp("authority") / "authority")


@pytest.fixture(scope="module")
def proxy(authority: Authority) -> Iterator[Running]:
    with echo_server() as upstream, running_proxy(authority, upstream) as running:
        yield running


BAD = {
    "garbage": (b"\x05\x01\x00", 400),
    "tls without connect": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 600, 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "no host": (b"GET http://api.bilibili.com/ HTTP/1.1\r\n\r\n", 400),
    "oversize head": (b"GET http://api.bilibili.com/ HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
    "no port": (b"CONNECT api.bilibili.com HTTP/1.1\r\nHost: api.bilibili.com\r\n\r\n", 400),
    "bad port": (b"CONNECT api.bilibili.com:99999 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "bad name": (b"CONNECT a_b.bilibili.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "another host": (b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", 403),
    "origin form": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
    "https in the open": (b"GET https://api.bilibili.com/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "bad body": (
        b"POST http://api.bilibili.com/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n",
        400,
    ),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_answered_with_a_reason(proxy: Running, authority: Authority, name: str) -> None:
    sent, status = BAD[name]
    with proxy.connect() as connected:
        connected.sendall(sent)
        connected.shutdown(socket.SHUT_WR)
        head, _, body = read_all(connected).partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    assert line.startswith(b"HTTP/1.1 %d " % status)
    assert line.endswith(body.rstrip(b"\n"))
    assert body.count(b"\n") == 1
    assert headers == [b"content-type: text/plain", b"content-length: %d" % len(body), b"connection: close"]
    still_stands(proxy, authority)


def still_stands(proxy: Running, authority: Authority) -> None:
    with tunnel(proxy, authority) as connected:
        connected.sendall(REQUEST)
        assert connected.recv(15) == b"HTTP/1.0 200 OK"[:5] + b"1.1 200 OK"
    proxy.wait_until_idle()


LEAVING = {
    "at once": b"",
    "in a head": CONNECT[:-5],
    "in a plain head": ABSOLUTE[:-5],
    "in a body": ABSOLUTE.replace(b"GET", b"POST")[:-2] + b"Content-Length: 10\r\n\r\n12345",
    "after connect": CONNECT,
    "in the handshake": CONNECT + b"\x16\x03\x01\x02\x00\x01\x00",
    "in a handshake that is none": CONNECT + b"\x16 and so on" * 10,
}


@pytest.mark.parametrize("abruptly", [True, False])
@pytest.mark.parametrize("name", LEAVING)
def test_a_client_may_leave_at_any_time(authority: Authority, name: str, abruptly: bool) -> None:
    before = open_descriptors()
    with echo_server() as upstream, running_proxy(authority, upstream) as running:
        for _ in range(20):
            connected = running.connect()
            connected.sendall(LEAVING[name])
            if abruptly:
                reset(connected)
            else:
                connected.close()
        still_stands(running, authority)
    assert open_descriptors() <= before


def test_a_client_that_does_not_trust_the_authority_does_no_harm(proxy: Running, authority: Authority) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with proxy.connect() as connected:
            connected.sendall(CONNECT)
            read_head(connected)
            distrusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            distrusting.minimum_version = distrusting.maximum_version = version
            with pytest.raises(ssl.SSLCertVerificationError):
                distrusting.wrap_socket(connected, server_hostname=HOST)
    still_stands(proxy, authority)


@BOTH
def test_a_server_that_is_down_is_said_to_be(authority: Authority, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = Address("127.0.0.1", taken.getsockname()[1])
    with running_proxy(authority, nobody) as running, running.connect() as connected:
        connected.sendall(CONNECT if scheme == "https" else ABSOLUTE)
        head, _, body = read_all(connected).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502 Bad Gateway: cannot reach ")
    assert body == f"cannot reach {nobody}: Connection refused\n".encode()


SOON = Bounds(head_s=0.2, connect_s=0.2, handshake_s=0.2)


@pytest.mark.parametrize("sent", [b"", CONNECT[:-5], ABSOLUTE[:-2], CONNECT, CONNECT + b"\x16\x03\x01"], ids=range(5))
def test_who_does_not_go_on_is_let_go(authority: Authority, sent: bytes) -> None:
    with (
        echo_server() as upstream,
        running_proxy(authority, upstream, bounds=SOON) as running,
        running.connect() as connected,
    ):
        connected.sendall(sent)
        got = read_until_broken(connected)[0]
        assert got in (b"", b"HTTP/1.1 200 Connection established\r\n\r\n")
        running.wait_until_idle()


def test_a_server_that_does_not_take_connections_is_given_up(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        upstream = Address(*full.getsockname())
        # Fills the queue of connections that nobody takes.
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(upstream)
            with running_proxy(authority, upstream, bounds=SOON) as running, running.connect() as connected:
                connected.sendall(CONNECT)
                assert read_all(connected).endswith(b"no answer in time\n")
        finally:
            for each in waiting:
                each.close()
