"""The faults of `--control`, as they arrive through the proxy: just as they do without it."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from conftest import DEADLINE_S, Served, serving
from proxy_people import UP, fill
from proxy_world import HOST, Running, running_proxy

from upspace.proxy.authority import Authority
from upspace.proxy.targets import parse_upstream
from upspace.wire.faults import Shape

PATH = f"/x/relation/followers?vmid={UP}"
REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()

MORE: dict[Shape, dict[str, float]] = {
    Shape.SLOW: {"drip_bytes": 100, "drip_pause_s": 0.001},
    Shape.REFUSAL: {"code": 22115},
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(tmp_path_factory.mktemp("authority") / "authority")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    from stores import Stores

    folder: Path = tmp_path_factory.mktemp("controlled")
    url = Stores(folder, lambda: pytest.fail("no other engine is asked for")).new("sqlite")
    fill(url)
    with serving(folder, "serve", "--control", "--store", url, "--port", "0") as served:
        yield served
        assert served.stop() == 0


@pytest.fixture(scope="module")
def proxy(authority: Authority, served: Served) -> Iterator[Running]:
    with running_proxy(authority, parse_upstream(served.url)) as running:
        yield running


def told(connected: socket.socket, request: bytes) -> tuple[bytes, bool]:
    """What comes, but for what is different each time, and whether it ends by a reset."""
    connected.sendall(request)
    got, broken = b"", False
    try:
        while piece := connected.recv(1 << 16):
            got += piece
    except (ConnectionResetError, ssl.SSLEOFError):
        broken = True
    return re.sub(rb"(?m)^date: .*$|[0-9a-f-]{36}", b"", got), broken


@pytest.mark.parametrize("shape", Shape)
def test_a_fault_arrives_as_it_does_without_the_proxy(
    served: Served, proxy: Running, authority: Authority, shape: Shape
) -> None:
    def directly() -> tuple[bytes, bool]:
        with socket.create_connection(served.address, timeout=DEADLINE_S) as connected:
            return told(connected, REQUEST)

    def in_the_open() -> tuple[bytes, bool]:
        with proxy.connect() as connected:
            return told(connected, REQUEST.replace(b"GET /", f"GET http://{HOST}/".encode()))

    def inside_tls() -> tuple[bytes, bool]:
        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        with proxy.connect() as connected:
            connected.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
            assert connected.recv(1000).startswith(b"HTTP/1.1 200 ")
            with trusting.wrap_socket(connected, server_hostname=HOST, suppress_ragged_eofs=False) as inside:
                return told(inside, REQUEST)

    def after_setting_it(ask: Callable[[], tuple[bytes, bool]]) -> tuple[bytes, bool]:
        rule = {"shape": shape, "path": "/x/relation/followers", "times": 1, **MORE.get(shape, {})}
        with httpx.Client(base_url=served.url, trust_env=False) as client:
            assert client.post("/-/control/faults", json=rule).json()["code"] == 0
        return ask()

    expected, is_reset = after_setting_it(directly)
    assert is_reset == (shape is Shape.RESET)
    for ask in (in_the_open, inside_tls):
        got, broken = after_setting_it(ask)
        assert broken == is_reset
        if shape is Shape.CUT_OFF:
            # The server closes, and how much it has sent by then is not the same each time.
            assert expected.startswith(got) or got.startswith(expected)
        else:
            assert got == expected
