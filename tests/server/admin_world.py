"""A server of two workers with its admin interface open, and an app that is asked in process."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from conftest import DEADLINE_S, Served, serving

from upspace.server.app import App
from upspace.server.asgi import AsgiDoor

ADMIN_TOKEN = "Adm1n~token+of/the=tests"  # noqa: S105  # it opens nothing else
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
ACCOUNTS = "/-/admin/accounts"

FORBIDDEN = {"code": -403, "message": "访问权限不足", "ttl": 1}
NOT_FOUND = {"code": -404, "message": "啥都木有", "ttl": 1}
WRONG_METHOD = {"code": -405, "message": "不支持该方法", "ttl": 1}
GONE = {"code": 22013, "message": "账号已注销，无法完成操作", "ttl": 1}
OK = {"code": 0, "message": "0", "ttl": 1}
NOTHING_COUNTED = {"following": 0, "whisper": 0, "black": 0, "follower": 0}

# With two workers, as many fresh connections that all reach the same one are as good as impossible.
ASKED = 24

# What is new in each reply.
VARYING = re.compile(r'"(token|csrf|id|issued|expires|revoked)":"[^"]*"')


class World(NamedTuple):
    """A server of two workers with the interface open, and a client that connects anew for each request."""

    served: Served
    client: httpx.Client
    store_url: str

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        """Any request; a body that is not bytes is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.request(method, path, content=content, headers=ADMIN if headers is None else headers)

    def admin(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The envelope of an admin request with HTTP 200."""
        response = self.ask(method, ACCOUNTS + path, body)
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json; charset=utf-8")
        envelope: dict[str, Any] = response.json()
        assert list(envelope) == ["code", "message", "ttl", "data"][: len(envelope)]
        return envelope

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """`data` of an admin request that succeeds."""
        envelope = self.admin(method, path, body)
        assert {**envelope, "data": None} == {**OK, "data": None}
        return envelope.get("data")

    def reason(self, method: str, path: str, body: Any = None) -> str:
        """Why an admin request is refused with -400."""
        envelope = self.admin(method, path, body)
        assert (envelope["code"], envelope["message"], list(envelope["data"])) == (-400, "请求错误", ["reason"])
        return str(envelope["data"]["reason"])

    def new(self, mid: int, **fields: Any) -> dict[str, str]:
        """Make an account; the headers of requests by it."""
        self.done("PUT", f"/{mid}", {"name": f"name {mid}", **fields})
        return {"authorization": f"Bearer {self.done('POST', f'/{mid}/tokens')['token']}"}

    def modify(self, headers: dict[str, str], fid: int, act: int = 1) -> int:
        """The code of a write of a relation."""
        reply = self.client.post("/x/relation/modify", data={"fid": str(fid), "act": str(act)}, headers=headers)
        return int(reply.json()["code"])

    def signed_in(self, headers: dict[str, str]) -> bool:
        """Whether these credentials are somebody's."""
        return bool(self.client.get("/x/space/myinfo", headers=headers).json()["code"] == 0)


def fresh_client(served: Served) -> httpx.Client:
    """A client that connects anew for each request: so the system spreads them over the workers."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=served.url, trust_env=False, timeout=DEADLINE_S, limits=limits)


@contextmanager
def admin_world(folder: Path, url: str) -> Iterator[World]:
    """A server for many tests: at the end it still stands, has said nothing, and has shown its token nowhere."""
    variables = {"UPSPACE_ADMIN_TOKEN": ADMIN_TOKEN}
    with serving(folder, "serve", "--store", url, "--port", "0", "--workers", "2", env=variables) as served:
        with fresh_client(served) as client:
            yield World(served, client, url)
        assert served.process.poll() is None
        assert (served.errors(), ADMIN_TOKEN in served.ready[0]) == ("", False)
        served.stop()


async def in_process(app: App, method: str, path: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
    """A request through the ASGI door."""

    async def open_app() -> App:
        return app

    transport = httpx.ASGITransport(AsgiDoor(open_app))
    async with httpx.AsyncClient(transport=transport, base_url="http://in-process") as client:
        return await client.request(method, path, headers=headers, content=body)
