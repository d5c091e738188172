"""`upspace record` between real clients and servers: it is not noticed, and what passes is kept to be replayed."""

import gzip
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from conftest import DEADLINE_S, Ran, command_line, environment, read_line, run_process

from upspace.client import Client, Session
from upspace.testing import Upspace
from upspace.wire.control import Pair
from upspace.wire.errors import FollowingsHiddenError, PageTooDeepError

Record = Callable[..., Any]


@contextmanager
def recording(upstream: str, file: Path, folder: Path) -> Iterator[str]:
    """The URL of a recorder; it must end well, and have said nothing but what it is for."""
    errors = folder / "stderr.txt"
    command = command_line("record", "--upstream", upstream, "--file", str(file), "--port", "0")
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment()) as process,
    ):
        try:
            assert process.stdout is not None
            line = read_line(process.stdout)
            found = re.fullmatch(r"recording what passes from (http://127\.0\.0\.1:\d+) to (\S+)\n", line)
            assert found is not None, (line, errors.read_text())
            assert found[2] == upstream
            yield found[1]
            process.send_signal(signal.SIGINT)
            assert re.fullmatch(r"\d+ pairs recorded in .*\n", read_line(process.stdout))
            assert process.wait(DEADLINE_S) == 0
        finally:
            process.kill()
    assert errors.read_text() == ""


def pairs_in(file: Path) -> list[Pair]:
    return [msgspec.json.decode(line, type=Pair) for line in file.read_bytes().splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pairs.jsonl"


def test_what_was_recorded_is_replayed_by_a_server_that_has_none_of_it(
    upspace: Upspace, file: Path, tmp_path: Path
) -> None:
    viewer = upspace.account("viewer")
    up = upspace.account("某UP", follower=1_000_000)
    hider = upspace.account("hider", hides_followings=True)
    fans = upspace.add_followers(up, 60)
    session = Session(viewer.token, viewer.csrf)

    def program(url: str) -> list[Any]:
        said: list[Any] = []
        with Client(url, session=session, retries=0) as client:
            said += [client.acc_info(up.mid), client.relation_stat(up.mid), client.nav()]
            said.append([item.mid for item in client.followers(up.mid, ps=50).items])
            client.follow(up.mid)
            said += [client.relation(up.mid), client.batch_modify([up.mid, 999], 1)]
            with pytest.raises(FollowingsHiddenError):
                client.followings(hider.mid)
            with pytest.raises(PageTooDeepError):
                client.followers(up.mid, pn=6)
            client.unfollow(up.mid)
            said.append(client.relation(up.mid))
        return said

    with recording(upspace.url, file, tmp_path) as url:
        said = program(url)
    assert said[3] == [fan.mid for fan in fans[:50]]
    text = file.read_text(encoding="utf-8")
    assert viewer.token not in text
    assert viewer.csrf not in text
    upspace.reset()
    upspace.replay(file)
    assert program(upspace.url) == said
    assert {asked.answered_by for asked in upspace.requests()} == {"replay"}


def test_faults_that_are_replies_pass_as_they_are(upspace: Upspace, file: Path, tmp_path: Path) -> None:
    up = upspace.account()
    path = f"/x/space/acc/info?mid={up.mid}"
    with recording(upspace.url, file, tmp_path) as url, httpx.Client(trust_env=False) as client:
        for shape in ("intercepted", "glued", "html", "empty", "truncated"):
            with upspace.fail("acc_info", shape):
                through, direct = client.get(url + path), client.get(upspace.url + path)
                assert (through.status_code, through.content) == (direct.status_code, direct.content)
                assert through.headers.get("content-type") == direct.headers.get("content-type")
        with upspace.fail("acc_info", "reset"):
            refused = client.get(url + path)
            assert refused.status_code == 502
            assert "gives no reply" in refused.text
    assert [pair.status for pair in pairs_in(file)] == [412, 200, 412, 200, 200]


def test_head_and_several_requests_on_one_connection(upspace: Upspace, file: Path, tmp_path: Path) -> None:
    up = upspace.account()
    with recording(upspace.url, file, tmp_path) as url, httpx.Client(base_url=url, trust_env=False) as client:
        path = f"/x/relation/stat?vmid={up.mid}"
        got = client.get(path)
        head = client.head(path)
        assert head.headers["content-length"] == str(len(got.content))
        assert head.content == b""
        assert client.get(path).content == got.content
        assert client.post("/x/relation/modify", data={"fid": "1", "act": "1"}).json()["code"] == -101
    assert [pair.method for pair in pairs_in(file)] == ["GET", "HEAD", "GET", "POST"]
    assert pairs_in(file)[3].parameters == {"fid": "1", "act": "1"}


@contextmanager
def one_reply(reply: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends these bytes to whoever asks, and keeps what it was asked."""
    heads: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                heads.append(head)
                connection.sendall(reply)

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, args=(listener,))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", heads
    thread.join(DEADLINE_S)


def test_a_packed_reply_with_cookies_is_handed_back_unpacked_and_kept_without_them(file: Path, tmp_path: Path) -> None:
    body = gzip.compress(b'{"code":0,"session":"a-new-session-of-yours"}')
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"
        b"set-cookie: SESSDATA=a-new-session-of-yours; Path=/\r\nset-cookie: other=value2; Path=/\r\n"
        b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
    )
    with one_reply(head + body) as (upstream, heads), recording(upstream, file, tmp_path) as url:
        response = httpx.get(f"{url}/x/login?a=1", headers={"cookie": "SESSDATA=an-old-session"}, trust_env=False)
    assert response.json() == {"code": 0, "session": "a-new-session-of-yours"}
    assert response.headers.get_list("set-cookie") == [
        "SESSDATA=a-new-session-of-yours; Path=/",
        "other=value2; Path=/",
    ]
    assert b"cookie: SESSDATA=an-old-session" in heads[0].replace(b"Cookie", b"cookie")
    assert pairs_in(file)[0].text == '{"code":0,"session":"removed"}'


def test_what_is_no_request_for_a_recorder_is_refused(upspace: Upspace, file: Path, tmp_path: Path) -> None:
    with recording(upspace.url, file, tmp_path) as url:
        host, port = url.removeprefix("http://").split(":")
        for said, status in (
            (b"GET http://example.org/ HTTP/1.1\r\nhost: example.org\r\n\r\n", b"400"),
            (b"garbage\r\n\r\n", b"400"),
            (b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n" + b"x" * 2_000_000, b"413"),
        ):
            with closing(socket.create_connection((host, int(port)), DEADLINE_S)) as connection:
                connection.sendall(said)
                assert connection.recv(65536).split(b" ")[1].rstrip(b":") == status
    assert pairs_in(file) == []


def record(*arguments: str) -> Ran:
    return run_process("record", *arguments)


@pytest.mark.parametrize(
    ("upstream", "file", "port", "said"),
    [
        ("ftp://127.0.0.1", "pairs.jsonl", "0", "upstream: this is not of the form http(s)://host[:port][/path]"),
        ("http://", "pairs.jsonl", "0", "upstream: this is not of the form"),
        ("http://me:a-secret@127.0.0.1:1", "pairs.jsonl", "0", "upstream: this is not of the form"),
        ("http://127.0.0.1:1", "nowhere/pairs.jsonl", "0", "nowhere/pairs.jsonl: No such file or directory"),
        ("http://127.0.0.1:1", "pairs.jsonl", "taken", "cannot listen on 127.0.0.1:"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, upstream: str, file: str, port: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1]) if port == "taken" else port
        ran = record("--upstream", upstream, "--file", str(tmp_path / file), "--port", number)
    assert ran.code == 1
    assert ran.out == ""
    assert said in ran.err
    assert "a-secret" not in ran.err
    assert ran.err.count("\n") == 1
