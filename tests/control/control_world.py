"""A controlled server over a few accounts in memory, and how tests speak to its control interface."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from conftest import Served, client_of, quiet_server

from upspace.wire.control import CONTROL_PREFIX, DIRECT_PREFIX

ALICE, BOB, CAROL, DAVE = 101, 102, 103, 104
# Alice and Bob follow each other, Carol follows Alice, nobody knows Dave.
RELATIONS = ((ALICE, BOB), (BOB, ALICE), (CAROL, ALICE))
UNKNOWN = 9999
START = 1_700_000_000

INFO, LIST, MODIFY = "/x/space/acc/info", "/x/relation/followings", "/x/relation/modify"

OK = {"code": 0, "message": "0", "ttl": 1}
NOT_FOUND = {"code": -404, "message": "啥都木有", "ttl": 1}


def absent(what: str) -> dict[str, Any]:
    """The refusal for something that is not there."""
    return NOT_FOUND | {"data": {"reason": f"there is no {what}"}}


CAST = "cast"


class World(NamedTuple):
    """A server, a client of it, and a token with its CSRF value for every account."""

    served: Served
    client: httpx.Client
    tokens: dict[int, tuple[str, str]]

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """A request to the control interface; a body that is not bytes is sent as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.request(method, CONTROL_PREFIX + path, content=content, **more)

    def control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The envelope of a control request with HTTP 200."""
        response = self.ask(method, path, body)
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json; charset=utf-8")
        envelope: dict[str, Any] = response.json()
        assert list(envelope) == ["code", "message", "ttl", "data"][: len(envelope)]
        return envelope

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """`data` of a control request that succeeds."""
        envelope = self.control(method, path, body)
        assert {**envelope, "data": None} == {**OK, "data": None}
        return envelope.get("data")

    def reason(self, method: str, path: str, body: Any = None) -> str:
        """Why a control request is refused with -400."""
        envelope = self.control(method, path, body)
        assert (envelope["code"], envelope["message"], list(envelope["data"])) == (-400, "请求错误", ["reason"])
        return str(envelope["data"]["reason"])

    def fault(self, shape: str, **rule: Any) -> int:
        """Add a rule; its id."""
        return int(self.done("POST", "faults", {"shape": shape, **rule})["id"])

    def counts(self, rule: int) -> tuple[int, int]:
        """How many requests a rule has matched, and how many it has hit."""
        fault = self.done("GET", f"faults/{rule}")
        return fault["matched"], fault["sent"]

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """The journal."""
        requests: list[dict[str, Any]] = self.done("GET", f"requests?since={since}")["requests"]
        return requests

    def bearer(self, mid: int | None) -> dict[str, str]:
        """The headers of a request by this account; None is anonymous."""
        return {} if mid is None else {"authorization": f"Bearer {self.tokens[mid][0]}"}

    def modify(self, viewer: int, fid: int, act: int = 1) -> int:
        """The code of a write of a relation."""
        reply = self.client.post(MODIFY, data={"fid": fid, "act": act}, headers=self.bearer(viewer))
        return int(reply.json()["code"])

    def info_code(self, mid: int = BOB, viewer: int | None = None, **more: Any) -> int:
        """The code with which an account is shown."""
        reply = self.client.get(INFO, params={"mid": mid, **more}, headers=self.bearer(viewer))
        return int(reply.json()["code"])

    def relation(self, owner: int, other: int) -> tuple[int, int]:
        """Attribute and mtime of a relation, by direct access."""
        reply = self.client.get(f"{DIRECT_PREFIX}/x/relation", params={"fid": other}, headers=self.bearer(owner))
        data = reply.json()["data"]
        return data["attribute"], data["mtime"]

    def begin(self) -> None:
        """Be as the cast was made."""
        self.done("POST", f"snapshots/{CAST}/restore")


def make_cast(served: Served, client: httpx.Client) -> World:
    """Load the accounts and their relations, and issue their tokens."""
    world = World(served, client, {})
    mids = (ALICE, BOB, CAROL, DAVE)
    relations = [{"owner": owner, "other": other, "mtime": START} for owner, other in RELATIONS]
    world.done("POST", "load", {"accounts": [{"mid": mid, "name": f"name {mid}"} for mid in mids]})
    world.done("POST", "load", {"relations": relations})
    for mid in mids:
        issued = world.done("POST", "tokens", {"mid": mid})
        world.tokens[mid] = issued["token"], issued["csrf"]
    return world


@contextmanager
def controlled(folder: Path, *arguments: str, store: str = "sqlite://") -> Iterator[World]:
    """A controlled server over the cast; at its end it still stands, and has said nothing."""
    with quiet_server(folder, "--store", store, "--control", *arguments) as served, client_of(served) as client:
        world = make_cast(served, client)
        if store == "sqlite://":
            world.done("PUT", f"snapshots/{CAST}")
        yield world
