"""What is sent to say who asks, and that it shows up nowhere else."""

import asyncio
import socket
import traceback
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from client_forms import FORMS, Connect, connecting
from client_samples import CALLS, ROWS

from upspace.client import AsyncClient, Client, Session
from upspace.wire.envelope import answer
from upspace.wire.errors import ContractError

URL = "http://127.0.0.1:9"
TOKEN, SESSDATA, CSRF = "hushed-token", "hushed%2Csessdata*31", "hushed & csrf"


@pytest.fixture(params=FORMS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with connecting(request.param) as connect:
        yield connect


class Recorder:
    """Refuses everything, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, content=answer(-400, ""))


def sent(connect: Connect, name: str, **credentials: Any) -> httpx.Request:
    recorder = Recorder()
    with pytest.raises(ContractError):
        connect(URL, answer=recorder, **credentials).send(CALLS[name])
    (request,) = recorder.requests
    return request


@pytest.mark.parametrize("name", ROWS)
def test_an_endpoint_is_asked_as_its_row_says(connect: Connect, name: str) -> None:
    call, row = CALLS[name], ROWS[name]
    request = sent(connect, name)
    assert (request.method, request.url.path) == (row.method, row.paths[0])
    assert not {"authorization", "cookie"} & set(request.headers)
    query, body = dict(request.url.params), request.content.decode()
    if row.method == "GET":
        assert (query, body) == (call.parameters, "")
    elif call.json is not None:
        assert (query, body, request.headers["content-type"]) == ({}, call.json.decode(), "application/json")
    else:
        assert (query, dict(httpx.QueryParams(body))) == ({}, call.parameters)
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("name", ROWS)
def test_a_token_is_a_header_and_nothing_else(connect: Connect, name: str) -> None:
    request = sent(connect, name, token=TOKEN)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert "cookie" not in request.headers
    assert TOKEN not in str(request.url)
    assert TOKEN.encode() not in request.content


@pytest.mark.parametrize("name", ROWS)
def test_a_session_is_a_cookie_and_a_csrf_value_in_writes(connect: Connect, name: str) -> None:
    request = sent(connect, name, session=Session(SESSDATA, CSRF))
    assert request.headers["cookie"] == f"SESSDATA={SESSDATA}"
    assert "authorization" not in request.headers
    assert "hushed" not in str(request.url)
    csrf = httpx.QueryParams(request.content.decode()).get("csrf")
    assert csrf == (CSRF if ROWS[name].write else None)


def test_a_base_url_may_have_a_path(connect: Connect) -> None:
    recorder = Recorder()
    for base in ("http://127.0.0.1:9/prefix", "http://127.0.0.1:9/prefix/"):
        with pytest.raises(ContractError):
            connect(base, answer=recorder).nav()
    assert [request.url.path for request in recorder.requests] == ["/prefix/x/web-interface/nav"] * 2


@pytest.mark.parametrize("timeout_s", [0.5, None])
def test_a_timeout_is_for_each_wait(connect: Connect, timeout_s: float | None) -> None:
    waits = sent(connect, "nav", timeout_s=timeout_s).extensions["timeout"]
    assert waits == dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)


def test_the_environment_has_no_say(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy, the listening socket would not be spoken to."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(httpx.ReadTimeout):
        connect(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.05).nav()


def test_what_is_closed_sends_nothing() -> None:
    def closed_at_the_end() -> Client:
        with Client(URL) as client:
            return client

    async def asked_after_the_end() -> None:
        async with AsyncClient(URL) as client:
            pass
        await client.nav()

    with pytest.raises(RuntimeError, match="closed"):
        closed_at_the_end().nav()
    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(asked_after_the_end())


# Secrets

UNSENDABLE = ["", " ", "a b", "a\n", "a\r\nx: y", "a;b", "名", "\x00", "a\x7f"]


def text_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize("end", UNSENDABLE)
def test_credentials_that_cannot_be_sent_are_refused_and_not_shown(connect: Connect, end: str) -> None:
    secret = f"hushed{end}" if end else ""
    for credentials in ({"token": secret}, {"session": Session(secret, CSRF)}):
        with pytest.raises(ValueError, match="is empty or holds") as refused:
            connect(URL, **credentials)
        assert "hushed" not in str(refused.value) + repr(refused.value)


def test_a_token_and_a_session_together_are_refused(connect: Connect) -> None:
    with pytest.raises(ValueError, match="not both") as refused:
        connect(URL, token=TOKEN, session=Session(SESSDATA, CSRF))
    assert "hushed" not in str(refused.value) + repr(refused.value)


def test_secrets_are_in_no_text(connect: Connect) -> None:
    session = Session(SESSDATA, CSRF)
    assert repr(session) == str(session) == "Session()"

    def cut(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("cut off", request=request)

    for credentials in ({"token": TOKEN}, {"session": session}):
        for answer_one in (Recorder(), cut, lambda _: httpx.Response(502, content=b"<html>")):
            client = connect(URL, answer=answer_one, **credentials)
            with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever it is, it must not tell
                client.follow(7)
            assert "hushed" not in text_of(caught.value)
            assert "hushed" not in repr(client)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "localhost", "", "ftp://127.0.0.1", "http://", "/x"])
def test_a_url_that_is_none_is_refused_at_once(connect: Connect, url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        connect(url)
