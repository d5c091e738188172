"""Starting and stopping: signals, workers, settings, and refusals in one line."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import apsw
import pytest
from conftest import DEADLINE_S, Served, client_of, get, read_line, run_process, serving
from heavy import HEAVY_ROWS, HEAVY_SIGN, load_heavy, serve_arguments
from people import HUB

from upspace.store.urls import without_password

STAT = f"/x/relation/stat?vmid={HUB}"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_stops_the_server_without_a_word(
    people_url: str, tmp_path: Path, sent: signal.Signals, workers: int
) -> None:
    with serving(tmp_path, *serve_arguments(people_url, "--workers", str(workers))) as served:
        assert get(served.url + STAT).status_code == 200
        assert (served.stop(sent), served.errors()) == (0, "")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(served.address, timeout=DEADLINE_S)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_every_process_of_the_group_stops_the_server_as_well(
    people_url: str, tmp_path: Path, sent: signal.Signals
) -> None:
    """A terminal sends SIGINT so, a service manager SIGTERM."""
    for turn in range(4):
        with serving(tmp_path, *serve_arguments(people_url, "--workers", "2")) as served:
            for _ in range(10):
                assert get(served.url + STAT).status_code == 200
            os.killpg(served.process.pid, sent)
            # Far from the 30 seconds after which a worker that hangs is killed.
            assert (served.process.wait(10), served.errors(), turn) == (0, "", turn)


def test_three_workers_answer_from_one_store_and_stop(people_url: str, tmp_path: Path) -> None:
    with serving(tmp_path, *serve_arguments(people_url, "--workers", "3")) as served:
        assert served.ready["workers"] == "3"
        expected = {"mid": HUB, "following": 13, "whisper": 0, "black": 0, "follower": 12}
        for _ in range(60):
            # A connection each, so that the system spreads them over the workers.
            assert get(served.url + STAT).json()["data"] == expected
        assert served.stop() == 0
        assert "Traceback" not in served.errors()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_reply_that_has_begun_arrives_whole_after_the_signal(
    store_url: str, tmp_path: Path, sent: signal.Signals
) -> None:
    asyncio.run(load_heavy(store_url))
    with serving(tmp_path, *serve_arguments(store_url)) as served, socket.socket() as client:
        client.settimeout(DEADLINE_S)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(served.address)
        client.sendall(b"GET /x/relation/followers?vmid=1&ps=50 HTTP/1.1\r\nHost: x\r\n\r\n")
        received = bytearray(client.recv(65536))
        served.process.send_signal(sent)
        # The server is gone when nothing more comes, and it cannot be gone before all has been read.
        while b"\r\n\r\n" not in received:
            received += client.recv(65536)
        head, _, body = bytes(received).partition(b"\r\n\r\n")
        (length,) = (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        assert length > HEAVY_ROWS * HEAVY_SIGN
        whole = bytearray(body)
        while len(whole) < length and (more := client.recv(1 << 20)):
            whole += more
        assert len(whole) == length
        assert len(json.loads(whole)["data"]["list"]) == HEAVY_ROWS
        client.close()
        assert (served.process.wait(DEADLINE_S), served.errors()) == (0, "")


def test_under_load_no_reply_is_cut_by_the_signal(people_url: str, tmp_path: Path) -> None:
    """Thirty clients ask on fresh connections until they are refused; the signal comes while all of them do."""
    whole, cut = [0] * 30, []
    warm = threading.Barrier(31, timeout=DEADLINE_S)

    def ask(number: int, address: tuple[str, int]) -> None:
        while True:
            connection = HTTPConnection(*address, timeout=DEADLINE_S)
            try:
                connection.request("GET", STAT)
                reply = connection.getresponse()
            except (OSError, HTTPException):
                # Refused, or closed before a byte of the reply: the server may not even have seen it.
                connection.close()
                return
            try:
                if len(reply.read()) != int(reply.headers["content-length"]) or reply.status != 200:
                    cut.append(number)
            except (OSError, HTTPException):
                cut.append(number)
            connection.close()
            whole[number] += 1
            if whole[number] == 5:
                warm.wait()

    with serving(tmp_path, *serve_arguments(people_url, "--workers", "2")) as served:
        threads = [threading.Thread(target=ask, args=(number, served.address)) for number in range(30)]
        for thread in threads:
            thread.start()
        warm.wait()
        assert served.stop() == 0
        for thread in threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
        assert (cut, served.errors()) == ([], "")
    assert min(whole) >= 5


def refused(*arguments: str, env: dict[str, str] | None = None) -> str:
    """The one line with which the command refuses to start."""
    ran = run_process(*arguments, env=env, deadline_s=10)
    assert ran.code > 0
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert ran.err.endswith("\n")
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("upspace: ")
    return ran.err


def test_a_port_in_use_is_refused(file_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("serve", "--store", file_url, "--port", str(port))
    assert str(port) in said


def test_the_port_of_another_server_is_refused(seed_server: Served, people_url: str) -> None:
    port = seed_server.address[1]
    assert str(port) in refused("serve", "--store", people_url, "--port", str(port))


def test_a_store_that_cannot_be_served_is_refused(tmp_path: Path) -> None:
    (tmp_path / "garbage.db").write_bytes(b"this is no database" * 500)
    (tmp_path / "empty.db").touch()
    (tmp_path / "folder.db").mkdir()
    apsw.Connection(str(tmp_path / "other.db")).execute("create table other (x)")
    for name, hint in (
        ("missing.db", "upspace migrate"),
        ("empty.db", "upspace migrate"),
        ("other.db", "upspace migrate"),
        ("garbage.db", "not a database"),
        ("folder.db", ""),
        ("no/such/folder.db", "upspace migrate"),
    ):
        url = f"sqlite:///{tmp_path / name}"
        said = refused(*serve_arguments(url))
        assert url in said
        assert hint in said
    assert not (tmp_path / "missing.db").exists()


# The superuser may read every file, so it becomes somebody else once what the command needs is imported.
AS_SOMEBODY = """
import os, sys
import upspace.server.run, upspace.cli.serving, upspace.store.sqlite.store
from upspace.cli import main
if os.geteuid() == 0:
    os.seteuid(65534)
main()
"""


def test_a_store_that_may_not_be_read_is_refused(file_url: str) -> None:
    path = Path(file_url.removeprefix("sqlite:///"))
    path.chmod(0)
    command = [sys.executable, "-c", AS_SOMEBODY, *serve_arguments(file_url)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode != 0
    assert ran.stderr.count("\n") == 1
    assert file_url in ran.stderr


def test_a_store_of_a_newer_version_is_refused(file_url: str) -> None:
    db = apsw.Connection(file_url.removeprefix("sqlite:///"))
    db.execute("update schema_version set version = 999, oldest_compatible = 998")
    db.close()
    assert "newer" in refused(*serve_arguments(file_url))
    assert "newer" in refused("migrate", "--store", file_url)


BAD_SETTINGS = [
    (("--workers", "0"), "workers"),
    (("--workers", "-1"), "workers"),
    (("--workers", "many"), "workers"),
    (("--workers", "257"), "workers"),
    (("--port", "70000"), "port"),
    (("--port", "-1"), "port"),
    (("--port", "x"), "port"),
    (("--profile", "old"), "profile"),
    (("--default-ps", "0"), "default"),
    (("--default-ps", "51"), "default"),
    (("--others-cap-followers", "some"), "others"),
    (("--account-cache-mb", "-1"), "cache"),
    (("--reply-cache-mb", "-1"), "cache"),
    (("--default-face", "{other}"), "default_face"),
    (("--default-face", "{"), "default_face"),
    (("--default-face", "{0}"), "default_face"),
    (("--default-face", "{mid.real}x{mid.nothing}"), "default_face"),
    (("--default-face", "{mid[0]}"), "default_face"),
    (("--default-face", "{mid:05d}"), "default_face"),
    (("--host", "nowhere.invalid"), "nowhere.invalid"),
    (("--host", "a" * 70), "a" * 70),
    (("--host", ""), "listen"),
    (("--no-such-option",), "no-such-option"),
    (("argument",), "argument"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD_SETTINGS, ids=lambda value: str(value)[:40])
def test_a_bad_setting_is_refused_by_name(file_url: str, arguments: tuple[str, ...], named: str) -> None:
    assert named in refused("serve", "--store", file_url, "--port", "0", *arguments)


@pytest.mark.parametrize("store", ["", "sqlite:///", "sqlite:x.db", "sqlite:/x.db", "mysql://x/y", "x.db"])
def test_a_store_of_no_known_kind_is_refused(store: str) -> None:
    assert "sqlite:///path" in refused("serve", "--port", "0", "--store", store)


def test_a_store_must_be_named() -> None:
    assert "--store" in refused("serve", "--port", "0")


def test_a_store_in_memory_has_one_worker(tmp_path: Path) -> None:
    assert "workers" in refused("serve", "--store", "sqlite://", "--workers", "2", "--port", "0")
    with serving(tmp_path, *serve_arguments("sqlite://")) as served:
        reply = get(f"{served.url}/x/space/acc/info?mid=1")
        assert reply.json()["code"] == -404


def test_variables_set_what_flags_do_not(people_url: str, tmp_path: Path) -> None:
    variables = {
        "UPSPACE_STORE": people_url,
        "UPSPACE_PORT": "0",
        "UPSPACE_WORKERS": "2",
        "UPSPACE_PROFILE": "recent",
        "UPSPACE_PUBLIC_URL": "https://faces.example.org/",
        "UPSPACE_LISTS_NEED_LOGIN": "false",
        "UPSPACE_DEFAULT_PS": "2",
    }
    with serving(tmp_path, "serve", env=variables) as served, client_of(served) as client:
        assert (served.ready["profile"], served.ready["workers"]) == ("recent", "2")
        items = client.get(f"/x/relation/followings?vmid={HUB}").json()["data"]["list"]
        assert len(items) == 2
        assert "name_render" in items[0]
        info = client.get(f"/x/space/acc/info?mid={HUB}").json()["data"]
        assert info["face"] == f"https://faces.example.org/-/faces/{HUB}.svg"
    flags = ("--profile", "seed", "--workers", "1", "--default-ps", "3", "--lists-need-login")
    with serving(tmp_path, "serve", *flags, env=variables) as served, client_of(served) as client:
        assert (served.ready["profile"], served.ready["workers"]) == ("seed", "1")
        assert client.get(f"/x/relation/followings?vmid={HUB}").json()["code"] == -101


def test_a_bad_variable_is_refused_like_a_flag(file_url: str) -> None:
    assert "workers" in refused(*serve_arguments(file_url), env={"UPSPACE_WORKERS": "0"})
    assert "profile" in refused(*serve_arguments(file_url), env={"UPSPACE_PROFILE": "old"})


def test_a_port_that_was_asked_for_is_used(people_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(tmp_path, "serve", "--store", people_url, "--port", str(port)) as served:
        assert served.url == f"http://127.0.0.1:{port}"
        assert get(served.url + STAT).status_code == 200


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no address ::1")
def test_an_ipv6_address_is_listened_on(people_url: str, tmp_path: Path) -> None:
    with serving(tmp_path, *serve_arguments(people_url, "--host", "::1")) as served, client_of(served) as client:
        assert served.url.startswith("http://[::1]:")
        assert client.get(STAT).status_code == 200
        face = client.get(f"/x/space/acc/info?mid={HUB}").json()["data"]["face"]
        assert client.get(face).headers["content-type"].startswith("image/svg+xml")


def test_a_host_name_is_listened_on(people_url: str, tmp_path: Path) -> None:
    with serving(tmp_path, *serve_arguments(people_url, "--host", "localhost")) as served:
        assert get(served.url + STAT).status_code == 200


def test_the_ready_line_says_what_is_served(seed_server: Served, people_url: str) -> None:
    from upspace import __version__

    ready = seed_server.ready
    assert (ready["version"], ready["store"], ready["profile"], ready["workers"]) == (
        __version__,
        without_password(people_url),
        "seed",
        "1",
    )
    assert " 1 worker\n" in ready[0]


def test_workers_end_when_the_process_that_watches_them_is_killed(people_url: str, tmp_path: Path) -> None:
    with serving(tmp_path, *serve_arguments(people_url, "--workers", "2")) as served:
        port = str(served.address[1])
        served.process.kill()
        served.process.wait(DEADLINE_S)
        # Ends when the last worker has let go of it: only they hold it open by now.
        assert served.process.stdout is not None
        assert read_line(served.process.stdout) == ""
        with serving(tmp_path, "serve", "--store", people_url, "--workers", "1", "--port", port) as again:
            assert get(again.url + STAT).status_code == 200
            assert again.stop() == 0


def test_after_a_stop_everything_is_in_the_one_file(file_url: str, tmp_path: Path) -> None:
    file = Path(file_url.removeprefix("sqlite:///"))
    with serving(tmp_path, *serve_arguments(file_url, "--workers", "2")) as served:
        assert run_process("account", "add", "--store", file_url, "-", given=b'{"mid": 1, "name": "n"}').code == 0
        assert get(f"{served.url}/x/space/acc/info?mid=1").json()["code"] == 0
        assert file.with_name(file.name + "-wal").exists()
        assert served.stop() == 0
    assert [found.name for found in file.parent.glob(file.name + "*")] == [file.name]
