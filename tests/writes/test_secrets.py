"""Nobody learns a secret from what the server says or keeps (contract 3, 4).

Tokens, CSRF values and cookies are sent in the query, the body, a header and a cookie, with requests that are refused
or fail in every way: -101, -111, -400, -404, -405, -500, -503, -504, and what is no HTTP at all. None of them may be in
a reply or in what the server prints. What is stored of a token is a hash.
"""

import asyncio
import hashlib
import json
import logging
import resource
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import apsw
import httpx
import pytest
from conftest import DEADLINE_S, Served, client_of, run_process, serving
from load_client import BATCH, MODIFY, RELATION
from load_world import arguments, make_accounts
from server_processes import workers_of

from upspace.server import app
from upspace.server.asgi import AsgiDoor
from upspace.server.settings import build_settings
from upspace.store import open_store
from upspace.store.interface import StoreTimeoutError, StoreUnavailableError
from upspace.store.sqlite.store import SqliteStore

VIEWER, FRIEND = 1001, 1002
TAG = "/x/relation/tag/create"
FORM = "application/x-www-form-urlencoded"


class Secrets(NamedTuple):
    """What belongs to one account, and what a client made up."""

    token: str
    csrf: str
    made_up: str = "made-up-token-Zm9yIG5vYm9keQ"
    made_up_csrf: str = "made-up-csrf-bm90IGhpcw"
    buvid: str = "buvid-0123-4567-89ab"

    def in_text(self, text: str) -> list[str]:
        """Those that appear in a text, in whatever case; a part of one is too much already."""
        return [secret for secret in self if secret[:12].lower() in text.lower()]


class Request(NamedTuple):
    """A request as httpx takes it."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes = b""


def carried(
    method: str, path: str, fields: Mapping[str, Any], token: str, csrf: str, secrets: Secrets
) -> list[Request]:
    """A request with its credentials in each place where they may stand, and all of them at once."""
    form = {"Content-Type": FORM}
    cookie = {"Cookie": f"buvid3={secrets.buvid}; SESSDATA={token}; bili_jct={csrf}; DedeUserID__ckMd5={secrets.buvid}"}
    bearer = {"Authorization": f"Bearer {token}"}
    query, keyed, signed = (
        urlencode({**fields, **more}) for more in ({}, {"access_key": token}, {"csrf": csrf, "csrf_token": csrf})
    )
    if method != "POST":
        return [
            Request(method, f"{path}?{query}", bearer),
            Request(method, f"{path}?{keyed}", {}),
            Request(method, f"{path}?{signed}", cookie),
        ]
    return [
        Request(method, path, form | bearer, query.encode()),
        Request(method, f"{path}?{urlencode({'access_key': token})}", form, query.encode()),
        Request(method, path, form, keyed.encode()),
        Request(method, path, form | cookie, signed.encode()),
        Request(method, f"{path}?{signed}", form | cookie, query.encode()),
        Request(method, f"{path}?{keyed}", form | cookie | bearer, f"{keyed}&{signed}".encode()),
    ]


def writes(secrets: Secrets) -> list[Request]:
    """Writes that succeed if nothing fails."""
    return [
        request
        for path, fields in (
            (MODIFY, {"fid": FRIEND, "act": 5}),
            (BATCH, {"fids": FRIEND, "act": 5}),
            (TAG, {"tag": "a group"}),
        )
        for request in carried("POST", path, fields, secrets.token, secrets.csrf, secrets)
    ]


def refused(secrets: Secrets) -> dict[int, list[Request]]:
    """Requests by the code that refuses them."""
    token, csrf = secrets.token, secrets.csrf
    fields = {"fid": FRIEND, "act": 1}
    bad: list[Request] = []
    for value in secrets:
        for path, wrong in (
            (MODIFY, {"fid": value, "act": 1}),
            (MODIFY, {"fid": FRIEND, "act": value}),
            (MODIFY, {"fid": FRIEND, "act": 1, "re_src": value}),
            (BATCH, {"fids": f"{FRIEND},{value}", "act": 1}),
        ):
            bad += carried("POST", path, wrong, token, csrf, secrets)
        bad += carried("GET", RELATION, {"fid": value}, token, csrf, secrets)
        bad += carried("GET", "/x/relation/stat", {"vmid": VIEWER, "callback": f"1{value}"}, token, csrf, secrets)
    authorized = {"Authorization": f"Bearer {token}"}
    multipart = authorized | {"Content-Type": "multipart/form-data; boundary=cut"}
    cut = b'--cut\r\nContent-Disposition: form-data; name="access_key"\r\n\r\n' + token.encode()
    encoded = cut.replace(b"\r\n\r\n", f"\r\nContent-Transfer-Encoding: {token}\r\n\r\n".encode()) + b"\r\n--cut--\r\n"
    too_large = urlencode(fields | {"access_key": token, "more": token * (1 << 16)}).encode()
    return {
        -400: [
            *bad,
            Request("POST", MODIFY, multipart, cut),
            Request("POST", MODIFY, multipart, encoded),
            Request("POST", MODIFY, multipart | {"Content-Type": f"multipart/form-data; x={token}"}, cut),
            Request("POST", MODIFY, authorized | {"Content-Type": f"text/{token}"}, token.encode()),
            Request("POST", MODIFY, authorized | {"Content-Type": FORM}, too_large),
        ],
        -101: carried("POST", MODIFY, fields, secrets.made_up, secrets.made_up_csrf, secrets)
        + carried("GET", RELATION, {"fid": FRIEND}, secrets.made_up, secrets.made_up_csrf, secrets)
        + carried("GET", "/x/web-interface/nav", {}, secrets.made_up, secrets.made_up_csrf, secrets),
        -111: carried("POST", MODIFY, fields, token, secrets.made_up_csrf, secrets)[3:5],
        -404: carried("GET", "/x/nowhere", fields, token, csrf, secrets)
        + carried("POST", f"/x/{token}", fields, token, csrf, secrets),
        -405: carried("PUT", MODIFY, fields, token, csrf, secrets)
        + carried("POST", RELATION, fields, token, csrf, secrets),
    }


def no_http(secrets: Secrets) -> Iterator[bytes]:
    """What a server may quote when it complains about it."""
    for value in secrets:
        yield f"GET {RELATION}?access_key={value} HTTP/9.9\r\n\r\n".encode()
        yield f"GET {RELATION}?access_key={value} {value} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        yield f"GET {RELATION} HTTP/1.1\r\nHost: x\r\n{value}\r\n\r\n".encode()
        yield f"GET {RELATION} HTTP/1.1\r\nHost: x\r\nCookie: SESSDATA={value}\x00\r\n\r\n".encode()
        yield f"POST {MODIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: {value}\r\n\r\n{value}".encode()
        yield f"POST {MODIFY} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{value}\r\n\r\n".encode()
        yield f"{value}\r\n\r\n".encode()


def answer_of(client: httpx.Client, request: Request, secrets: Secrets) -> int:
    """The code of a reply that has no secret in it."""
    response = client.request(request.method, request.path, headers=request.headers, content=request.content)
    said = response.text + repr(response.headers.multi_items())
    assert secrets.in_text(said) == [], (request, said)
    return int(response.json()["code"])


def reply_to(served: Served, raw: bytes) -> str:
    """Whatever comes back before the server closes the connection, be it with a reset."""
    received = b""
    with socket.create_connection(served.address, timeout=DEADLINE_S) as connection, suppress(ConnectionError):
        connection.sendall(raw)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        while more := connection.recv(65536):
            received += more
    return received.decode("latin-1")


def printed(served: Served) -> str:
    """All that a server that has stopped has printed after its ready line."""
    assert served.process.stdout is not None
    return served.process.stdout.read().decode() + served.errors()


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    make_accounts(url, (VIEWER, FRIEND))
    return url


@pytest.fixture
def secrets(url: str) -> Secrets:
    """Those of a token that was issued as people issue tokens."""
    issued = json.loads(run_process("token", "issue", str(VIEWER), "--store", url).out)
    return Secrets(issued["token"], issued["csrf"])


def test_refusals_say_no_secret(url: str, tmp_path: Path, secrets: Secrets) -> None:
    with serving(tmp_path, *arguments(url, 1)) as served, client_of(served) as client:
        for code, requests in refused(secrets).items():
            for request in requests:
                assert answer_of(client, request, secrets) == code, request
        for raw in no_http(secrets):
            reply = reply_to(served, raw)
            assert secrets.in_text(reply) == [], (raw, reply)
        assert served.stop() == 0
        assert printed(served) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="sets limits of other processes")
def test_failures_of_the_store_say_no_secret(url: str, tmp_path: Path, secrets: Secrets) -> None:
    """The disk is full, then what is stored of the viewer is damaged."""
    # While somebody holds the file open, the log stays: nothing is added to it, but what is printed has room.
    holder = apsw.Connection(url.removeprefix("sqlite:///"))
    holder.execute("create table filler (x); insert into filler values (zeroblob(100000)); drop table filler")
    with closing(holder), serving(tmp_path, *arguments(url, 1)) as served, client_of(served) as client:
        for worker in workers_of(served):
            # A log as large as that is still written.
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (log_bytes(url), resource.RLIM_INFINITY))
        for request in writes(secrets):
            assert answer_of(client, request, secrets) == -503, request
        file = apsw.Connection(url.removeprefix("sqlite:///"))
        file.execute("update standing set state = 77 where mid = ?", (VIEWER,))
        file.close()
        for request in [*writes(secrets), *refused(secrets)[-400]]:
            # A malformed JSONP callback is refused before anybody asks who it is.
            expected = -400 if "callback=" in request.path else -500
            assert answer_of(client, request, secrets) == expected, request
        assert served.stop() == 0
        said = printed(served)
    assert "POST /x/relation/modify" in said
    assert "Traceback" in said
    assert secrets.in_text(said) == []


def log_bytes(url: str) -> int:
    """How large the log file is after one write."""
    return Path(url.removeprefix("sqlite:///") + "-wal").stat().st_size


async def broken(service: object, viewer: object, parameters: object) -> None:
    """A handler with a fault, that says all that it knows."""
    raise RuntimeError(f"broken for {viewer}, asked for {parameters}")


def fault(*arguments: object, **named: object) -> Any:
    raise RuntimeError("broken")


async def too_late(*arguments: object) -> None:
    raise StoreTimeoutError("it takes too long")


async def gone(*arguments: object) -> None:
    raise StoreUnavailableError("it is gone")


# Every place that gets to see a secret, and what the store may raise: what to break, with what, the code that follows.
FAULTS: dict[str, tuple[tuple[object, ...], object, int]] = {
    "handlers": ((app.HANDLERS, "modify", "batch_modify", "create_group"), broken, -500),
    "lookup of the viewer": ((SqliteStore, "viewer"), fault, -500),
    "hash of the token": ((app, "token_digest"), fault, -500),
    "body": ((app, "parse_body"), fault, -500),
    "credentials": ((app, "presented"), fault, -500),
    "csrf": ((app, "check_csrf"), fault, -500),
    "slow store": ((SqliteStore, "change_relations", "create_group"), too_late, -504),
    "lost store": ((SqliteStore, "change_relations", "create_group"), gone, -503),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_say_no_secret(
    url: str,
    secrets: Secrets,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In this process, where there can be a fault in every place."""
    # The client may tell what it asks for.
    caplog.set_level(logging.WARNING, "httpx")
    (where, *what), broken_by, expected = FAULTS[name]
    for part in what:
        if isinstance(where, dict):
            monkeypatch.setitem(where, part, broken_by)
        else:
            monkeypatch.setattr(where, str(part), broken_by)

    async def check() -> None:
        store = await open_store(url)

        async def opened() -> app.App:
            return app.build_app(store, build_settings({"store": url}))

        transport = httpx.ASGITransport(AsgiDoor(opened))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            for method, path, headers, content in writes(secrets):
                response = await client.request(method, path, headers=headers, content=content)
                said = response.text + repr(response.headers.multi_items())
                assert secrets.in_text(said) == [], (path, said)
                assert response.json()["code"] == expected, path
        await store.close()

    asyncio.run(check())
    said = caplog.text + "".join(capfd.readouterr())
    assert "POST /x/relation/modify" in said
    assert ("Traceback" in said) == (expected == -500)
    assert secrets.in_text(said) == []


def test_what_is_stored_of_a_token_is_a_hash(url: str, tmp_path: Path, secrets: Secrets) -> None:
    with serving(tmp_path, *arguments(url, 1)) as served, client_of(served) as client:
        for request in writes(secrets):
            assert answer_of(client, request, secrets) in (0, 22120, 22106)
        assert files_with(tmp_path, secrets.token, secrets.csrf) == []
        assert served.stop() == 0
    file = apsw.Connection(url.removeprefix("sqlite:///"))
    file.execute("pragma wal_checkpoint(truncate)")
    file.close()
    assert files_with(tmp_path, secrets.token, secrets.csrf) == []
    # It would be found: what stands there in its place is.
    assert hashlib.sha256(secrets.token.encode()).digest() in (tmp_path / "store.db").read_bytes()
    for command in (("token", "list"), ("account", "show", str(VIEWER)), ("check",)):
        ran = run_process(*command, "--store", url)
        assert ran.code == 0, ran
        assert secrets.in_text(ran.out + ran.err) == []


def files_with(folder: Path, *secrets: str) -> list[Path]:
    """The files that hold one of these, or the bytes that it stands for."""
    forms = [form for secret in secrets for form in (secret[:12].encode(), secret[:12].encode("utf-16-le"))]
    forms += [bytes.fromhex(secret) for secret in secrets if len(secret) == 32 and not secret.strip("0123456789abcdef")]
    files = [path for path in folder.iterdir() if path.is_file()]
    assert files
    return [path for path in files if any(form in path.read_bytes() for form in forms)]
