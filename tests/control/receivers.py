"""What three clients make of a reply: httpx, requests, and the command curl."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import httpx
import pytest
import requests
from conftest import DEADLINE_S

RESET, CUT_OFF = "connection reset", "connection closed in the middle of a body"


class Asked(NamedTuple):
    """A request. One with `fields` is a POST with an urlencoded body."""

    method: str
    url: str
    headers: Mapping[str, str]
    fields: Mapping[str, int]


class Reply(NamedTuple):
    """What has been received."""

    status: int
    type: str
    body: bytes


def by_httpx(asked: Asked, folder: Path) -> Reply | str:
    with httpx.Client(trust_env=False, verify=False, timeout=DEADLINE_S) as client:  # noqa: S501  # no TLS here
        try:
            reply = client.request(asked.method, asked.url, headers=asked.headers, data=dict(asked.fields) or None)
        except httpx.ReadError:
            return RESET
        except httpx.RemoteProtocolError:
            return CUT_OFF
    return Reply(reply.status_code, reply.headers["content-type"], reply.content)


def by_requests(asked: Asked, folder: Path) -> Reply | str:
    with requests.Session() as session:
        session.trust_env = False
        try:
            reply = session.request(
                asked.method, asked.url, headers=asked.headers, data=asked.fields, timeout=DEADLINE_S
            )
        except requests.exceptions.ChunkedEncodingError:
            return CUT_OFF
        except requests.exceptions.ConnectionError as error:
            return RESET if "Connection reset by peer" in str(error) else repr(error)
    return Reply(reply.status_code, reply.headers["content-type"], reply.content)


_CURL_FAILURES = {56: RESET, 18: CUT_OFF}


def curl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run curl without what its user has configured."""
    if shutil.which("curl") is None:
        assert os.environ.get("CI") != "true", "curl is missing"
        pytest.skip("curl is missing")
    return subprocess.run(
        ["curl", "-q", "--silent", "--noproxy", "*", "--max-time", str(DEADLINE_S), *arguments],
        capture_output=True,
        check=False,
    )


def by_curl(asked: Asked, folder: Path) -> Reply | str:
    body = folder / "body"
    body.unlink(missing_ok=True)
    options = ["--output", str(body), "--write-out", "%{http_code} %{content_type}"]
    options += ["--head"] if asked.method == "HEAD" else []
    options += ["--data", urlencode(asked.fields)] if asked.fields else []
    for name, value in asked.headers.items():
        options += ["--header", f"{name}: {value}"]
    ran = curl(*options, asked.url)
    if ran.returncode:
        return _CURL_FAILURES[ran.returncode]
    status, _, kind = ran.stdout.decode().partition(" ")
    received = body.read_bytes() if asked.method != "HEAD" and body.exists() else b""
    return Reply(int(status), kind, received)


RECEIVERS: dict[str, Callable[[Asked, Path], Reply | str]] = {
    "httpx": by_httpx,
    "requests": by_requests,
    "curl": by_curl,
}
