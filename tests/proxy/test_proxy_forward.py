"""The proxy between real clients and a server that says what it was asked."""

import asyncio
import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import httpx
import pytest
import requests
from proxy_world import (
    DEADLINE_S,
    HOST,
    Running,
    echo_server,
    pattern,
    raw_server,
    read_head,
    required,
    running_proxy,
)

from upspace.proxy.authority import Authority
from upspace.proxy.targets import Address

BIG = 20_000_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.open(tmp_path_factory.mktemp("authority") / "authority")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Address]:
    with echo_server() as address:
        yield address


@pytest.fixture(scope="module")
def proxy(authority: Authority, upstream: Address) -> Iterator[Running]:
    with running_proxy(authority, upstream) as running:
        yield running


@pytest.fixture
def client(proxy: Running, authority: Authority) -> Iterator[httpx.Client]:
    import ssl

    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    with httpx.Client(proxy=proxy.url, verify=trusting, trust_env=False, timeout=DEADLINE_S) as client:
        yield client


@pytest.fixture
def session(proxy: Running, authority: Authority) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": proxy.url, "https": proxy.url}
        session.verify = str(authority.ca_file)
        yield session


def curl(proxy: Running, authority: Authority, *arguments: str) -> str:
    program = required(shutil.which("curl"), "curl")
    command = [program, "-sS", "--disable", "--proxy", proxy.url, "--cacert", str(authority.ca_file), *arguments]
    # It would heed the variables of whoever runs the tests.
    ran = subprocess.run(command, env={}, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    return ran.stdout


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["api.bilibili.com", "bilibili.com", "a.b.bilibili.com", "API.Bilibili.com"])
def test_httpx_reaches_the_server_by_names_stood_in_for(client: httpx.Client, scheme: str, host: str) -> None:
    said = client.get(f"{scheme}://{host}/x/relation/stat", headers={"Cookie": "SESSDATA=t"}).json()
    assert (said["method"], said["path"], said["host"].lower()) == ("GET", "/x/relation/stat", host.lower())
    assert ["cookie", "SESSDATA=t"] in said["headers"]
    said = client.post(f"{scheme}://{host}/modify", data={"fid": "2", "act": "1"}).json()
    assert (said["method"], said["size"]) == ("POST", len("fid=2&act=1"))
    assert client.head(f"{scheme}://{host}/").status_code == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_requests_reaches_the_server(session: requests.Session, scheme: str) -> None:
    assert session.get(f"{scheme}://{HOST}/one?two=3").json()["path"] == "/one?two=3"
    chunked = session.post(f"{scheme}://{HOST}/", data=iter([b"first", b"second"]), timeout=DEADLINE_S).json()
    assert (chunked["size"], chunked["sha256"]) == (11, sha256(b"firstsecond").hexdigest())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl_reaches_the_server(proxy: Running, authority: Authority, scheme: str) -> None:
    urls = [f"{scheme}://{host}/path?query#fragment" for host in (HOST, "space.bilibili.com", HOST)]
    said = curl(proxy, authority, "-w", "\n", *urls).splitlines()
    assert [json.loads(line)["host"] for line in said] == [HOST, "space.bilibili.com", HOST]
    assert {json.loads(line)["path"] for line in said} == {"/path?query"}
    assert json.loads(curl(proxy, authority, "--http1.0", urls[0]))["host"] == HOST
    assert json.loads(curl(proxy, authority, "--proxytunnel", urls[0]))["host"] == HOST


def test_curl_waits_to_be_told_to_go_on(proxy: Running, authority: Authority) -> None:
    body = pattern(2_000_000).decode()
    for scheme in ("http", "https"):
        said = curl(proxy, authority, "-H", "Expect: 100-continue", "--data-raw", body[:100_000], f"{scheme}://{HOST}/")
        assert json.loads(said)["sha256"] == sha256(body[:100_000].encode()).hexdigest()


def test_one_connection_goes_to_several_hosts(proxy: Running) -> None:
    connection = http.client.HTTPConnection(*proxy.address, timeout=DEADLINE_S)
    connection.connect()
    taken = connection.sock
    for turn in range(5):
        for host in (HOST, "space.bilibili.com", "bilibili.com:8080", f"{HOST}:80"):
            connection.request("POST", f"http://{host}/{turn}", body=b"x" * turn)
            said = json.loads(connection.getresponse().read())
            assert (said["path"], said["size"]) == (f"/{turn}", turn)
            assert said["host"] == host.removesuffix(":80")
    assert connection.sock is taken
    connection.close()


def test_requests_sent_ahead_are_answered_in_their_order(proxy: Running) -> None:
    with proxy.connect() as connected:
        paths = [f"/{number}" for number in range(20)]
        sent = "".join(f"GET http://{HOST}{path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n" for path in paths)
        connected.sendall(sent.encode())
        stream = connected.makefile("rb")
        for path in paths:
            length = 0
            while (line := stream.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            assert json.loads(stream.read(length))["path"] == path
        stream.close()


def test_headers_arrive_as_they_were_but_for_those_of_the_proxy(upstream: Address, proxy: Running) -> None:
    with proxy.connect() as connected:
        connected.sendall(
            f"GET http://user:secret@{HOST}?q HTTP/1.1\r\nHost: other\r\nX-Case: Kept\r\nX-Twice: 1\r\nX-Twice: 2\r\n"
            "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nConnection: close\r\n\r\n".encode()
        )
        said = json.loads(connected.makefile("rb").read().partition(b"\r\n\r\n")[2])
    assert said["path"] == "/?q"
    assert said["headers"] == [
        ["host", HOST],
        ["x-case", "Kept"],
        ["x-twice", "1"],
        ["x-twice", "2"],
        ["connection", "close"],
    ]


REFUSED = "upspace stands in for bilibili.com, *.bilibili.com and lets nothing through to "


def test_other_hosts_are_refused_with_a_reason(proxy: Running, client: httpx.Client) -> None:
    reply = client.get("http://example.org/")
    assert (reply.status_code, reply.text) == (403, f"{REFUSED}example.org:80\n")
    reply = client.post("http://127.0.0.1:1/", content=pattern(5_000_000))
    assert (reply.status_code, reply.text) == (403, f"{REFUSED}127.0.0.1:1\n")
    for url in ("https://example.org/", "https://bilibili.com.example.org/"):
        with pytest.raises(httpx.ProxyError, match=r"403 Forbidden: upspace stands in for"):
            client.get(url)


def test_the_server_is_reached_by_its_own_address_too(proxy: Running, client: httpx.Client, upstream: Address) -> None:
    """Where it says where its images are, it says that."""
    assert client.get(f"http://{upstream}/-/faces/1.svg").json()["host"] == str(upstream)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_big_bodies_arrive_whole(client: httpx.Client, scheme: str) -> None:
    body = pattern(BIG)
    said = client.post(f"{scheme}://{HOST}/", content=body).json()
    assert (said["size"], said["sha256"]) == (BIG, sha256(body).hexdigest())
    assert client.get(f"{scheme}://{HOST}/?bytes={BIG}").content == body


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_fifty_at_once(proxy: Running, authority: Authority, scheme: str) -> None:
    def ask(number: int) -> list[Any]:
        with httpx.Client(
            proxy=proxy.url, verify=str(authority.ca_file), trust_env=False, timeout=DEADLINE_S
        ) as client:
            return [client.get(f"{scheme}://{HOST}/{number}?bytes={10_000 * number}").content for _ in range(4)]

    with pytest.warns(DeprecationWarning, match="verify"), ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(ask, range(50)))
    assert replies == [[pattern(10_000 * number)] * 4 for number in range(50)]
    proxy.wait_until_idle()


def test_many_at_once_on_one_client(proxy: Running, authority: Authority) -> None:
    async def ask_all() -> list[int]:
        import ssl

        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        async with httpx.AsyncClient(proxy=proxy.url, verify=trusting, trust_env=False, timeout=DEADLINE_S) as client:
            replies = await asyncio.gather(*(client.get(f"https://{HOST}/{number}") for number in range(200)))
        return [int(reply.json()["path"][1:]) for reply in replies]

    assert asyncio.run(ask_all()) == list(range(200))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_trickle_arrives_piece_by_piece(authority: Authority, scheme: str) -> None:
    """Each piece is sent only when the one before has been seen at the other end."""
    import threading

    seen = threading.Semaphore(0)

    def trickle(connected: Any) -> None:
        read_head(connected)
        connected.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n")
        for at in range(20):
            assert seen.acquire(timeout=DEADLINE_S)
            connected.sendall(b"%x" % (at % 16))

    with raw_server(trickle) as upstream, running_proxy(authority, upstream) as running:
        proxied = httpx.Proxy(running.url)
        import ssl

        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        with (
            httpx.Client(proxy=proxied, verify=trusting, trust_env=False, timeout=DEADLINE_S) as client,
            client.stream("GET", f"{scheme}://{HOST}/") as reply,
        ):
            pieces = []
            seen.release()
            for piece in reply.iter_raw():
                pieces.append(piece)
                seen.release()
    assert pieces == [b"%x" % (at % 16) for at in range(20)]


def test_pass_through_leads_to_the_real_host(authority: Authority, upstream: Address, tmp_path: Any) -> None:
    """A TLS server of another authority, which the client sees as it is."""
    import ssl

    import trustme

    others = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    others.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    others.configure_trust(trusting)
    with (
        echo_server(context) as secure,
        echo_server() as plain,
        running_proxy(authority, upstream, pass_through=True) as running,
        httpx.Client(proxy=running.url, verify=trusting, trust_env=False, timeout=DEADLINE_S) as client,
    ):
        assert client.get(f"https://localhost:{secure.port}/").json()["host"] == f"localhost:{secure.port}"
        assert client.get(f"http://127.0.0.1:{plain.port}/p").json()["host"] == str(plain)
        assert client.get(f"https://{HOST}/").json()["host"] == HOST
        unresolved = client.get("http://nowhere.invalid/")
        assert unresolved.status_code == 502
        assert unresolved.text.startswith("cannot reach nowhere.invalid:80: ")
        with pytest.raises(httpx.ProxyError, match="502 Bad Gateway: cannot reach"):
            client.get(f"https://{'x' * 70}.invalid/")
