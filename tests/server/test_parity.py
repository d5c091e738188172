"""The same requests get the same replies through every door: the socket, ASGI in process, ASGI under uvicorn."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import NamedTuple

import httpx
import pytest
import uvicorn
from conftest import DEADLINE_S, Served
from people import DECORATED, DELETED, FRIEND, HIDER, HUB, SUSPENDED, TOKENS, UNKNOWN, VIEWER, bearer

from upspace.server.app import App, build_app
from upspace.server.asgi import AsgiDoor
from upspace.server.settings import build_settings
from upspace.store import open_store

LISTS = ("/x/relation/followers", "/x/relation/followings", "/x/relation/fans")
INFO, CARD, NAV, MYINFO = "/x/space/acc/info", "/x/web-interface/card", "/x/web-interface/nav", "/x/space/myinfo"
WUZHI = "/x/internal/gaia-gateway/ExClimbWuzhi"


class Asked(NamedTuple):
    """A request."""

    method: str
    target: str
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes | None = None


class Answered(NamedTuple):
    """What must be the same of a reply."""

    status: int
    content_type: str
    allow: str | None
    nosniff: str | None
    length: str | None
    body: bytes


REQUESTS = [
    *(Asked("GET", f"{path}?vmid={vmid}") for path in LISTS for vmid in (HUB, HIDER, DELETED, UNKNOWN)),
    *(Asked("GET", f"{path}?vmid={HUB}&pn=2&ps=4", bearer(VIEWER)) for path in LISTS),
    *(Asked("GET", f"{path}?vmid={HUB}&order=asc", bearer(HUB)) for path in LISTS),
    *(Asked("GET", f"{path}?vmid={HUB}&pn=6") for path in LISTS),
    *(Asked("HEAD", f"{path}?vmid={HUB}") for path in LISTS),
    *(Asked("GET", f"{INFO}?mid={mid}", bearer(VIEWER)) for mid in (VIEWER, FRIEND, DECORATED, SUSPENDED, DELETED)),
    *(Asked("GET", f"{CARD}?mid={mid}&photo=1") for mid in (HUB, DECORATED, SUSPENDED, UNKNOWN)),
    *(Asked("GET", f"{path}", bearer(DECORATED)) for path in (NAV, MYINFO, "/x/space/v2/myinfo")),
    *(Asked("GET", path) for path in (NAV, MYINFO, "/x/frontend/finger/spi", "/-/openapi.json", "/-/faces/7.svg")),
    *(Asked("HEAD", path) for path in (NAV, "/-/openapi.json", "/-/faces/7.svg", "/nowhere")),
    *(Asked(method, f"{INFO}?mid=1") for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND")),
    *(
        Asked("GET", path)
        for path in ("/", "/x/", f"{INFO}/", f"/x/sp%61ce/acc/info?mid={HUB}", "/x/%E5%8F%B7", "/x/%ff")
    ),
    *(Asked("GET", f"{INFO}?mid={HUB}&callback={name}") for name in ("cb", "1bad", "", "%F0%9F%98%80", "a%00")),
    Asked("GET", f"{INFO}?mid={DECORATED}&callback=$.a_b&x=%ff%fe+%2B&mid=1"),
    Asked("GET", f"{INFO}?mid=%32%30%30%31"),
    Asked("GET", f"{INFO}?&&=&mid={HUB}&mid=x&"),
    Asked("GET", f"{INFO}?mid=0"),
    Asked("GET", f"{MYINFO}?access_key={TOKENS[VIEWER]}"),
    Asked("GET", MYINFO, {"cookie": f"a=b; SESSDATA={TOKENS[HUB]}; c=d"}),
    Asked("GET", MYINFO, {"cookie": f"SESSDATA={TOKENS[HUB]}", "authorization": "Bearer unknown"}),
    Asked("GET", MYINFO, {"Authorization": f"bearer {TOKENS[VIEWER]}"}),
    Asked("GET", f"{INFO}?mid={HUB}", {"host": "api.bilibili.com"}),
    Asked("GET", f"{INFO}?mid={HUB}", {"content-type": "text/plain"}, b"mid=1"),
    Asked("POST", WUZHI, {"content-type": "application/json"}, b'{"payload":"{}"}'),
    Asked("POST", f"{WUZHI}?callback=cb", {"content-type": "application/json"}, b"\xff{"),
    Asked("GET", WUZHI),
]


def answered(response: httpx.Response) -> Answered:
    headers = response.headers
    return Answered(
        response.status_code,
        headers["content-type"],
        headers.get("allow"),
        headers.get("x-content-type-options"),
        headers.get("content-length"),
        response.content,
    )


def ask_socket(url: str) -> list[Answered]:
    with httpx.Client(base_url=url, trust_env=False, timeout=DEADLINE_S) as client:
        return [answered(client.request(a.method, a.target, headers=a.headers, content=a.body)) for a in REQUESTS]


def door_to(store_url: str, public_url: str) -> AsgiDoor:
    """An ASGI door to the store of a running server, whose URLs of generated images it uses as well."""

    async def open_app() -> App:
        settings = build_settings({"store": store_url, "public_url": public_url})
        return build_app(await open_store(store_url), settings)

    return AsgiDoor(open_app)


@asynccontextmanager
async def lifespan(door: AsgiDoor) -> AsyncIterator[list[str]]:
    """Start-up and shutdown as an ASGI server sends them; yields what the door has answered."""
    answers: list[str] = []
    asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    started = asyncio.Event()

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        answers.append(message["type"])
        started.set()

    task = asyncio.create_task(door({"type": "lifespan"}, asked.get, send))
    asked.put_nowait({"type": "lifespan.startup"})
    await asyncio.wait_for(started.wait(), DEADLINE_S)
    yield answers
    asked.put_nowait({"type": "lifespan.shutdown"})
    await asyncio.wait_for(task, DEADLINE_S)


async def ask_in_process(door: AsgiDoor) -> list[Answered]:
    transport = httpx.ASGITransport(door)
    async with httpx.AsyncClient(transport=transport, base_url="http://in-process") as client:
        return [answered(await client.request(a.method, a.target, headers=a.headers, content=a.body)) for a in REQUESTS]


@pytest.fixture
def uvicorn_url(seed_server: Served, people_url: str) -> Iterator[str]:
    """The ASGI door under uvicorn, in a thread. Its socket listens before it starts, so nobody has to wait."""
    door = door_to(people_url, seed_server.url)
    config = uvicorn.Config(door, http="h11", ws="none", loop="asyncio", lifespan="on", log_level="error")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def assert_same(one: list[Answered], two: list[Answered]) -> None:
    differing = [(asked, a, b) for asked, a, b in zip(REQUESTS, one, two, strict=True) if a != b]
    assert differing == []


def test_the_asgi_door_in_process_answers_as_the_socket_does(seed_server: Served, people_url: str) -> None:
    async def ask() -> list[Answered]:
        door = door_to(people_url, seed_server.url)
        async with lifespan(door) as answers:
            replies = await ask_in_process(door)
        assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        return replies

    assert len(REQUESTS) >= 60
    assert_same(ask_socket(seed_server.url), asyncio.run(ask()))


def test_the_asgi_door_under_uvicorn_answers_as_the_socket_does(seed_server: Served, uvicorn_url: str) -> None:
    assert_same(ask_socket(seed_server.url), ask_socket(uvicorn_url))


def test_a_store_that_cannot_be_opened_fails_the_start_up() -> None:
    async def start() -> list[str]:
        async with lifespan(door_to("sqlite:///no/such/store.db", "http://x")) as answers:
            return list(answers)

    assert asyncio.run(start()) == ["lifespan.startup.failed"]
