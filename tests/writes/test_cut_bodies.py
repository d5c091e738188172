"""A client that leaves before the end of its body has asked for nothing: half a mid is another mid (contract 2.2)."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from conftest import DEADLINE_S, client_of, serving
from load_client import MODIFY, token_of
from load_world import arguments, make_accounts

from upspace.server.app import build_app
from upspace.server.asgi import AsgiDoor, Message
from upspace.server.settings import build_settings
from upspace.store import open_store

VIEWER, HALF, WHOLE = 1001, 12, 12345
SENT = f"act=1&fid={HALF}".encode()
LENGTH = len(f"act=1&fid={WHOLE}")


@pytest.fixture
def url(store_url: str) -> str:
    """A store of the viewer, of whom it names, and of whom the first half of that names."""
    make_accounts(store_url, (VIEWER, HALF, WHOLE))
    return store_url


def head(length: str) -> bytes:
    """A write up to its body."""
    lines = (
        f"POST {MODIFY} HTTP/1.1",
        "host: x",
        f"authorization: Bearer {token_of(VIEWER)}",
        "content-type: application/x-www-form-urlencoded",
        length,
    )
    return "\r\n".join((*lines, "", "")).encode()


@pytest.mark.parametrize("half_closed", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_was_cut_off_changes_nothing(url: str, tmp_path: Path, chunked: bool, half_closed: bool) -> None:
    length = "transfer-encoding: chunked" if chunked else f"content-length: {LENGTH}"
    body = b"%x\r\n%b\r\n" % (len(SENT), SENT) if chunked else SENT
    with serving(tmp_path, *arguments(url, 1)) as served, client_of(served) as client:
        with socket.create_connection(served.address, DEADLINE_S) as connection:
            connection.sendall(head(length) + body)
            if half_closed:
                connection.shutdown(socket.SHUT_WR)
                assert b'"code":0' not in connection.makefile("rb").read()
        # Whatever became of it has become of it by the time the server has stopped.
        assert client.get("/x/relation/stat", params={"vmid": HALF}).json()["code"] == 0
        assert served.stop() == 0
        assert "Traceback" not in served.errors()
    with serving(tmp_path, *arguments(url, 1)) as served, client_of(served) as client:
        assert client.get("/x/relation/stat", params={"vmid": VIEWER}).json()["data"]["following"] == 0


def test_a_length_beside_chunks_is_not_believed(url: str, tmp_path: Path) -> None:
    both = f"content-length: {len(SENT)}\r\ntransfer-encoding: chunked"
    chunk = b"%x\r\n%b\r\n" % (1 << 16, b"x" * (1 << 16))
    with serving(tmp_path, *arguments(url, 1)) as served, client_of(served) as client:
        with socket.create_connection(served.address, DEADLINE_S) as connection:
            connection.sendall(head(both) + b"%x\r\n%b\r\n" % (len(SENT), SENT) + chunk + b"0\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            assert b'"code":0' not in connection.makefile("rb").read()
        assert client.get("/x/relation/stat", params={"vmid": VIEWER}).json()["data"]["following"] == 0
        assert served.stop() == 0
        assert "Traceback" not in served.errors()


def test_a_client_of_another_server_that_left_has_asked_for_nothing(url: str) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": MODIFY,
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {token_of(VIEWER)}".encode()),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ],
    }
    messages: list[Message] = [
        {"type": "http.request", "body": SENT, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> Any:
        store = await open_store(url)

        async def opened() -> Any:
            return build_app(store, build_settings({"store": url}))

        await AsgiDoor(opened)(scope, receive, send)
        counters = await store.counters(VIEWER)
        await store.close()
        return counters

    assert asyncio.run(ask()).following == 0
    assert b"-400" in sent[-1]["body"]
