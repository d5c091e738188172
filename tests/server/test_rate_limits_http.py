"""The server's own rate limits over HTTP: the check before every other (contract 3 order of checks, 4 code -799, 14).

The arithmetic is tested in test_limits.py. No limit here is regained while a test runs: it is for a day.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from conftest import DEADLINE_S, quiet_server
from doors import DOORS, Door, open_door
from people import HUB, STRANGER, SUSPENDED, VIEWER, bearer, people_store
from stores import Stores

from upspace.model import Token
from upspace.server.viewer import token_digest
from upspace.store import open_store

INFO, MYINFO, MODIFY = "/x/space/acc/info", "/x/space/myinfo", "/x/relation/modify"
DAY = 86_400
TOO_OFTEN = {"code": -799, "message": "请求过于频繁，请稍后再试", "ttl": 1}
NOT_SIGNED_IN = {"code": -101, "message": "账号未登录", "ttl": 1}

SECOND_TOKEN = "the viewer's second token"  # noqa: S105  # a test's own


@pytest.fixture(scope="module")
def url(stores: Stores, engine: str) -> str:
    """The cast, with a viewer that has two tokens."""
    url = people_store(stores.new(engine))

    async def add() -> None:
        store = await open_store(url)
        await store.put_token(Token(token_digest(SECOND_TOKEN), VIEWER, 0))
        await store.close()

    asyncio.run(add())
    return url


@pytest.fixture(params=DOORS)
def kind(request: pytest.FixtureRequest) -> str:
    """Through which door."""
    return str(request.param)


def limited(response: httpx.Response, wait_s: int) -> bool:
    """Whether a request came too often; then it says when the next one is granted, at most so much later."""
    too_often = "retry-after" in response.headers
    if too_often:
        assert response.status_code == 200
        # A minute of a slow machine may have passed.
        assert wait_s - 60 <= int(response.headers["retry-after"]) <= wait_s
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        assert response.json() == TOO_OFTEN
    return too_often


def test_what_comes_too_often_is_refused_before_anything_else_is_looked_at(kind: str, url: str, tmp_path: Path) -> None:
    with open_door(kind, tmp_path, url, limit_address_reads=f"2/{DAY}") as door:
        assert not limited(door.request("GET", f"{INFO}?mid={HUB}"), 0)
        # What is refused is counted like any other.
        assert door.request("GET", "/nowhere").status_code == 404
        for method, target in (
            ("GET", "/nowhere"),
            ("POST", "/nowhere"),
            ("GET", f"{INFO}?mid={HUB}"),
            ("PUT", INFO),
            ("GET", f"{INFO}?mid=x"),
            ("GET", f"{INFO}?callback=1bad"),
            ("GET", MYINFO),
            ("GET", f"/x/relation/followers?vmid={HUB}&pn=6"),
            ("POST", "/x/internal/gaia-gateway/ExClimbWuzhi"),
        ):
            assert limited(door.request(method, target), DAY // 2), target
        assert limited(door.request("GET", MYINFO, headers=bearer(VIEWER)), DAY // 2)
        # A HEAD is a GET without its body.
        head = door.request("HEAD", "/nowhere")
        assert (head.status_code, head.content, "retry-after" in head.headers) == (200, b"", True)
        wrapped = door.request("GET", "/nowhere?callback=cb")
        assert (wrapped.status_code, "retry-after" in wrapped.headers) == (200, True)
        assert wrapped.text == 'cb({"code":-799,"message":"请求过于频繁，请稍后再试","ttl":1})'
        # What is no business of the contract is not limited, and writes have limits of their own.
        assert door.request("GET", "/-/openapi.json").status_code == 200
        assert door.request("GET", "/-/faces/1.svg").status_code == 200
        for _ in range(5):
            assert door.request("POST", MODIFY).json() == NOT_SIGNED_IN


def test_writes_from_an_address_are_limited_whoever_sends_them(kind: str, url: str, tmp_path: Path) -> None:
    with open_door(kind, tmp_path, url, limit_address_writes=f"3/{DAY}") as door:
        # One by nobody, one that is in disorder, one that is done: they all count.
        assert door.request("POST", MODIFY).json() == NOT_SIGNED_IN
        assert door.request("POST", MODIFY, data={"fid": 0}, headers=bearer(VIEWER)).json()["code"] == -400
        unfollow = {"fid": STRANGER, "act": 2}
        assert door.request("POST", MODIFY, data=unfollow, headers=bearer(VIEWER)).json()["code"] == 0
        for headers in ({}, bearer(VIEWER), bearer(HUB), bearer(SUSPENDED), {"cookie": "SESSDATA=x"}):
            assert limited(door.request("POST", MODIFY, data=unfollow, headers=headers), DAY // 3)
        for path in ("batch/modify", "tag/create", "tags/addUsers"):
            assert limited(door.request("POST", f"/x/relation/{path}"), DAY // 3)
        # Neither the size of a body nor its form comes first.
        kinds = {"content-type": "multipart/form-data"}
        assert limited(door.request("POST", MODIFY, content=b"x", headers=kinds), DAY // 3)
        assert limited(door.request("POST", MODIFY, content=b"x" * (1 << 20) + b"x"), DAY // 3)
        for _ in range(5):
            assert not limited(door.request("GET", f"{INFO}?mid={HUB}"), 0)


def test_behind_a_proxy_of_ones_own_the_last_address_it_names_counts(kind: str, url: str, tmp_path: Path) -> None:
    def asked(door: Door, *lines: str) -> bool:
        """Whether a request with these X-Forwarded-For headers is granted."""
        headers = [("x-forwarded-for", line) for line in lines]
        return not limited(door.request("GET", f"{INFO}?mid={HUB}", headers=headers), DAY)

    with open_door(kind, tmp_path, url, limit_address_reads=f"1/{DAY}", trust_forwarded=True) as door:
        assert asked(door, "203.0.113.1")
        assert not asked(door, "203.0.113.1")
        # What a client writes before it, in the same header or in one of its own, changes nothing.
        assert not asked(door, "10.0.0.1, 203.0.113.1")
        assert not asked(door, "10.0.0.2", "203.0.113.1")
        assert asked(door, "203.0.113.1, 203.0.113.2")
        assert not asked(door, "203.0.113.2")
        assert asked(door, "2001:db8::1")
        assert not asked(door, "[2001:db8::2]:4711")
        # Without the header it is whoever is connected.
        assert asked(door)
        assert not asked(door)
        assert not asked(door, "127.0.0.1")
    with open_door(kind, tmp_path, url, limit_address_reads=f"1/{DAY}") as door:
        assert asked(door, "203.0.113.1")
        assert not asked(door, "203.0.113.2")
        assert not asked(door)


def test_all_tokens_of_a_viewer_count_together_and_each_viewer_alone(kind: str, url: str, tmp_path: Path) -> None:
    second = {"authorization": f"Bearer {SECOND_TOKEN}"}
    reads, writes = DAY // 3, DAY
    with open_door(kind, tmp_path, url, limit_viewer_reads=f"3/{DAY}", limit_viewer_writes=f"1/{DAY}") as door:
        assert not limited(door.request("GET", MYINFO, headers=bearer(VIEWER)), reads)
        assert not limited(door.request("GET", MYINFO, headers=second), reads)
        assert not limited(door.request("GET", "/nowhere", headers={"cookie": f"SESSDATA={SECOND_TOKEN}"}), reads)
        for headers in (second, bearer(VIEWER)):
            for path in (MYINFO, f"{INFO}?mid={HUB}", "/nowhere"):
                assert limited(door.request("GET", path, headers=headers), reads)
        assert limited(door.request("GET", f"{MYINFO}?access_key={SECOND_TOKEN}"), reads)
        # Nobody in particular has no limit: neither a visitor, nor a viewer in a JSONP request.
        for headers in ({}, {"authorization": "Bearer unknown"}, {"cookie": "SESSDATA=unknown"}):
            for _ in range(5):
                assert not limited(door.request("GET", f"{INFO}?mid={HUB}", headers=headers), reads)
        wrapped = door.request("GET", f"{INFO}?mid={HUB}&callback=cb", headers=second)
        assert wrapped.text.startswith('cb({"code":0,')
        assert not limited(door.request("GET", MYINFO, headers=bearer(HUB)), reads)
        # Writes have a count of their own, in which a refused one stands as well.
        assert door.request("POST", MODIFY, data={"fid": VIEWER, "act": 1}, headers=second).json()["code"] == 22001
        assert limited(door.request("POST", MODIFY, data={"fid": HUB, "act": 1}, headers=bearer(VIEWER)), writes)
        # The token may be in the body of a write.
        assert limited(door.request("POST", MODIFY, data={"access_key": SECOND_TOKEN}), writes)
        assert door.request("POST", MODIFY).json() == NOT_SIGNED_IN


def test_two_workers_count_together(url: str, tmp_path: Path) -> None:
    allowed, tries = 25, 100
    flags = ("--workers", "2", "--limit-viewer-reads", f"{allowed}/{DAY}")
    tokens = [{"authorization": f"Bearer {SECOND_TOKEN}"}, bearer(VIEWER)]

    with quiet_server(tmp_path, "--store", url, *flags) as served:

        def code(headers: dict[str, str]) -> int:
            # A connection each, so that the system spreads them over the workers.
            connection = HTTPConnection(*served.address, timeout=DEADLINE_S)
            connection.request("GET", MYINFO, headers=headers)
            envelope = json.loads(connection.getresponse().read())
            connection.close()
            return int(envelope["code"])

        with ThreadPoolExecutor(4) as pool:
            codes = list(pool.map(code, tokens * (tries // 2)))
        assert (codes.count(0), codes.count(-799)) == (allowed, tries - allowed)
        assert code(bearer(HUB)) == 0
