"""The admin interface (docs/admin.md) answers through the ASGI door as it does over a socket."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from admin_world import ACCOUNTS, ADMIN, ADMIN_TOKEN, VARYING, World, fresh_client, in_process
from conftest import serving
from people import DECORATED, DELETED, HUB, UNKNOWN, people_store
from stores import Stores

from upspace.server.app import build_app
from upspace.server.http import BODY_MAX_BYTES
from upspace.server.settings import build_settings
from upspace.store import open_store

SCENARIO: list[tuple[str, str, Any]] = [
    *(("GET", f"/{mid}", None) for mid in (HUB, DECORATED, DELETED, UNKNOWN, "x", "0")),
    *(
        ("HEAD", f"/{HUB}", None),
        ("PUT", "/8001", {"name": "新"}),
        ("PUT", "/8001", {"name": ""}),
        ("PUT", "/8001", b""),
    ),
    *(("PATCH", "/8001", {"level": 6}), ("PATCH", "/8001", b"{"), ("PATCH", f"/{DELETED}", {}), ("GET", "/8001", None)),
    *(
        ("POST", "/8001/tokens", {"note": "n", "expires_s": 60}),
        ("GET", "/8001/tokens", None),
        ("POST", "/8001/tokens", None),
    ),
    *(("POST", "/8001/tokens", {"expires_s": 0}), ("POST", f"/{DELETED}/tokens", None), ("PUT", "/8001/tokens", None)),
    *(
        ("DELETE", "/8001/tokens", None),
        ("DELETE", "/8001/tokens", None),
        ("DELETE", "/8001", None),
        ("GET", "/8001", None),
    ),
    *(
        ("PUT", "/8001", {"name": "back"}),
        ("POST", "/8001", None),
        ("GET", "/8001/other", None),
        ("DELETE", "/8001", None),
    ),
    ("PUT", "/8002", b'{"name":"' + b"x" * BODY_MAX_BYTES + b'"}'),
]


def seen(response: httpx.Response) -> tuple[Any, ...]:
    """What must be the same of a reply but for what is new each time."""
    headers = [response.headers.get(name) for name in ("content-type", "allow", "content-length")]
    return response.status_code, headers, VARYING.sub(r'"\1":""', response.text)


def test_the_asgi_door_answers_as_the_socket_does(stores: Stores, engine: str, tmp_path: Path) -> None:
    one, two = (people_store(stores.new(engine)) for _ in range(2))
    requests = [(method, ACCOUNTS + path, body, headers) for headers in (ADMIN, {}) for method, path, body in SCENARIO]
    variables = {"UPSPACE_ADMIN_TOKEN": ADMIN_TOKEN}
    arguments = ("serve", "--store", one, "--port", "0")
    with serving(tmp_path, *arguments, env=variables) as served, fresh_client(served) as client:
        world = World(served, client, one)
        over_socket = [seen(world.ask(*request)) for request in requests]

    async def ask() -> list[tuple[Any, ...]]:
        store = await open_store(two)
        app = build_app(store, build_settings({"store": two, "admin_token": ADMIN_TOKEN}))
        replies = []
        for method, path, body, headers in requests:
            content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            replies.append(seen(await in_process(app, method, path, headers, content)))
        await store.close()
        return replies

    differing = [item for item in zip(requests, over_socket, asyncio.run(ask()), strict=True) if item[1] != item[2]]
    assert differing == []
    assert {reply[0] for reply in over_socket} == {200, 403, 404, 405}
