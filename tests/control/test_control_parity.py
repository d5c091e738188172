"""Both doors, a socket and ASGI in process, give the same replies for every shape that is a reply."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from control_world import ALICE, BOB, CAROL, INFO, LIST, MODIFY, START, controlled

from upspace.data.asked import fill_store
from upspace.server.asgi import AsgiDoor
from upspace.server.control.station import ControlledApp, build_controlled
from upspace.server.settings import build_settings
from upspace.store import open_store
from upspace.wire.control import CONTROL_PREFIX
from upspace.wire.faults import Shape

Send = Callable[..., httpx.Response]
FACE = "http://example.org/{mid}.svg"

REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", LIST, {"params": {"vmid": ALICE}}),
    ("GET", INFO, {"params": {"mid": BOB}}),
    ("GET", INFO, {"params": {"mid": BOB, "callback": "back"}}),
    ("HEAD", INFO, {"params": {"mid": BOB}}),
    ("POST", MODIFY, {"data": {"fid": CAROL, "act": 1}}),
    ("GET", "/x/nowhere", {}),
]

FIELDS: dict[Shape, dict[str, Any]] = {
    Shape.REFUSAL: {"code": -102},
    Shape.SLOW: {"delay_s": 0.001, "drip_bytes": 400, "drip_pause_s": 0.001},
}


@pytest.fixture(scope="module")
def over_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Send]:
    with controlled(tmp_path_factory.mktemp("parity"), "--default-face", FACE) as world:
        world.done("POST", "reset")
        yield world.client.request


@pytest.fixture(scope="module")
def in_process() -> Iterator[Send]:
    with asyncio.Runner() as runner:
        store = runner.run(open_store("sqlite://"))

        async def open_app() -> ControlledApp:
            given = {"store": "sqlite://", "control": True, "default_face": FACE}
            return await build_controlled(store, build_settings(given), fill_store)

        transport = httpx.ASGITransport(AsgiDoor(open_app))
        client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
        yield lambda *asked, **more: runner.run(client.request(*asked, **more))
        runner.run(client.aclose())
        runner.run(store.close())


@pytest.fixture(params=["over_socket", "in_process"])
def door(request: pytest.FixtureRequest) -> Send:
    send: Send = request.getfixturevalue(request.param)
    return send


def begin(send: Send) -> None:
    """The same world through any door."""
    for method, path, body in (
        ("POST", "reset", {}),
        ("POST", "load", {"accounts": [{"mid": mid, "name": "n"} for mid in (ALICE, BOB, CAROL)]}),
        ("POST", "load", {"relations": [{"owner": ALICE, "other": BOB, "mtime": START}]}),
        ("PUT", "clock", {"now": START}),
    ):
        assert send(method, CONTROL_PREFIX + path, json=body).json()["code"] == 0


def seen(send: Send, method: str, path: str, more: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    reply = send(method, path, **more)
    headers = {name: value for name, value in reply.headers.items() if name not in ("server", "date")}
    if method == "HEAD" or not reply.content:
        # Of nothing the length may be told or not.
        headers.pop("content-length", None)
    return reply.status_code, headers, reply.content


@pytest.mark.parametrize("shape", [shape for shape in Shape if shape not in (Shape.RISK, Shape.RESET, Shape.CUT_OFF)])
def test_a_shape_is_the_same_reply_through_both_doors(over_socket: Send, in_process: Send, shape: Shape) -> None:
    both, noted = [], []
    for send in (over_socket, in_process):
        begin(send)
        send("POST", CONTROL_PREFIX + "faults", json={"shape": shape, **FIELDS.get(shape, {})})
        both.append([seen(send, *asked) for asked in REQUESTS])
        # The journal tells the same, but for the client and its address.
        requests = send("GET", CONTROL_PREFIX + "requests").json()["data"]["requests"]
        noted.append([{**asked, "headers": asked["headers"].keys()} for asked in requests])
    assert both[0] == both[1]
    assert noted[0] == noted[1]


def test_control_itself_is_the_same_through_both_doors(over_socket: Send, in_process: Send) -> None:
    both = []
    for send in (over_socket, in_process):
        begin(send)
        rule = send("POST", CONTROL_PREFIX + "faults", json={"shape": "busy"}).json()["data"]["id"]
        send("DELETE", f"{CONTROL_PREFIX}faults/{rule}")
        asked = [("GET", "clock"), ("PUT", "snapshots/a b"), ("PATCH", "clock"), ("GET", "x"), ("POST", "faults")]
        both.append([seen(send, method, CONTROL_PREFIX + path, {}) for method, path in asked])
    assert both[0] == both[1]


def test_in_process_a_reset_is_an_exception(in_process: Send) -> None:
    begin(in_process)
    in_process("POST", CONTROL_PREFIX + "faults", json={"shape": "reset"})
    with pytest.raises(ConnectionResetError):
        in_process("GET", INFO)


def test_a_body_that_is_cut_off_promises_more_than_it_brings() -> None:
    """httpx in process does not look at lengths, so that what the door sends is looked at."""

    async def sent() -> list[dict[str, Any]]:
        store = await open_store("sqlite://")

        async def open_app() -> ControlledApp:
            return await build_controlled(store, build_settings({"store": "sqlite://", "control": True}), fill_store)

        door = AsgiDoor(open_app)
        messages: list[dict[str, Any]] = []

        async def ask(method: str, path: str, body: bytes) -> None:
            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": body}

            async def send(message: Any) -> None:
                messages.append(message)

            scope = {"type": "http", "method": method, "path": path, "query_string": b"", "client": ("127.0.0.1", 1)}
            await door({**scope, "headers": [(b"host", b"localhost")]}, receive, send)

        await ask("POST", "/-/control/faults", b'{"shape":"cut_off"}')
        messages.clear()
        await ask("GET", "/x/nowhere", b"")
        await store.close()
        return messages

    start, *bodies = asyncio.run(sent())
    promised = int(dict(start["headers"])[b"content-length"])
    assert (promised, sum(len(body["body"]) for body in bodies)) == (46, 23)
    assert all(body["more_body"] for body in bodies)
