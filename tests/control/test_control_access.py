"""Who may use the control interface: nobody unless it is switched on, and then programs on the same machine."""

import asyncio
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import DEADLINE_S, Ran, client_of, quiet_server
from control_world import ALICE, BOB, INFO, World, controlled

from upspace.data.asked import fill_store
from upspace.server.asgi import AsgiDoor
from upspace.server.control.access import check_access
from upspace.server.control.interface import CONTROL_PATHS
from upspace.server.control.station import ControlledApp, build_controlled
from upspace.server.http import Request
from upspace.server.settings import SettingsError, build_settings
from upspace.store import open_store
from upspace.wire.control import CONTROL_PREFIX, DIRECT_PREFIX
from upspace.wire.errors import ForbiddenError

ADMIN_TOKEN = "Adm1n~token+of/the=tests"  # noqa: S105  # it opens nothing else
NOT_FOUND = b'{"code":-404,"message":"\xe5\x95\xa5\xe9\x83\xbd\xe6\x9c\xa8\xe6\x9c\x89","ttl":1}'

PATHS = [*CONTROL_PATHS, ("GET", f"{DIRECT_PREFIX}{INFO}?mid={BOB}"), ("GET", f"{CONTROL_PREFIX}nowhere")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with controlled(tmp_path_factory.mktemp("access")) as world:
        yield world


@pytest.mark.parametrize("arguments", [(), ("--admin-token", ADMIN_TOKEN)])
def test_without_control_every_path_of_it_is_an_unknown_one(arguments: tuple[str, ...], tmp_path: Path) -> None:
    headers = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    with quiet_server(tmp_path, "--store", "sqlite://", *arguments) as served, client_of(served) as client:
        for _, path in PATHS:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                reply = client.request(method, path, headers=headers, content=b"{}")
                assert (reply.status_code, reply.content) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:80", "127.0.0.1:8000", "127.9.9.9", "[::1]:80", "a.localhost"]
)
def test_names_of_this_machine_are_let_in(world: World, host: str) -> None:
    for origin in ({}, {"origin": f"http://{host}"}, {"origin": f"https://{host.lower()}"}):
        assert world.ask("GET", "faults", headers={"host": host, **origin}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:8000"},
        {"host": "localhost.evil.example"},
        {"host": "10.0.0.1:8000"},
        {"host": "[::2]:8000"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:1"},
        {"origin": "http://["},
        {"origin": "http://127.0.0.1"},
        {"host": "evil.example", "origin": "http://evil.example"},
    ],
)
def test_pages_of_other_sites_are_refused_whatever_they_ask(world: World, headers: dict[str, str]) -> None:
    for method, path in PATHS:
        reply = world.client.request(method, path, headers=headers, content=b'{"shape":"busy"}')
        refusal = reply.json()
        assert (reply.status_code, refusal["code"], list(refusal["data"])) == (403, -403, ["reason"])
    assert world.done("GET", "faults") == []
    assert len(world.done("GET", "snapshots")) == 1
    # What is no part of it goes on.
    assert world.client.get(INFO, params={"mid": BOB}, headers=headers).json()["code"] == 0


def test_a_request_without_a_host_is_refused(world: World) -> None:
    connection = HTTPConnection(*world.served.address, timeout=DEADLINE_S)
    connection.putrequest("GET", "/-/control/faults", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status in (400, 403)
    connection.close()


def test_anywhere_lets_all_in(tmp_path: Path) -> None:
    with controlled(tmp_path, "--control-anywhere") as world:
        for headers in ({"host": "evil.example"}, {"origin": "http://["}):
            assert world.ask("GET", "faults", headers=headers).status_code == 200


PEERS = {
    "127.0.0.1": True,
    "127.0.0.1:5000": True,
    "127.8.8.8:5000": True,
    "::1": True,
    "[::1]:5000": True,
    "[::ffff:127.0.0.1]:5000": True,
    "10.0.0.5:5000": False,
    "[::ffff:10.0.0.5]:5000": False,
    "[fe80::1%eth0]:5000": False,
    "2001:db8::1": False,
    "0.0.0.0:5000": False,
    "": False,
    "unix": False,
}


@pytest.mark.parametrize(("peer", "near"), PEERS.items())
def test_only_peers_on_the_same_machine_are_let_in(peer: str, near: bool) -> None:
    # A header says nothing about who is connected.
    headers = {"host": "localhost", "x-forwarded-for": "127.0.0.1"}
    request = Request("GET", "/-/control/faults", "", headers.get, peer=peer)
    if near:
        check_access(request)
        return
    with pytest.raises(ForbiddenError) as refused:
        check_access(request)
    assert refused.value.status == 403


@pytest.mark.parametrize("anywhere", [False, True])
def test_a_peer_elsewhere_over_asgi(anywhere: bool) -> None:
    async def ask() -> list[Any]:
        store = await open_store("sqlite://")

        async def open_app() -> ControlledApp:
            given = {"store": "sqlite://", "control": True, "control_anywhere": anywhere, "trust_forwarded": True}
            return await build_controlled(store, build_settings(given), fill_store)

        transport = httpx.ASGITransport(AsgiDoor(open_app), client=("10.0.0.5", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"x-forwarded-for": "127.0.0.1"}
            statuses = [(await client.request(*asked, headers=headers)).status_code for asked in PATHS]
        await store.close()
        return statuses

    statuses = asyncio.run(ask())
    assert statuses == [403] * len(PATHS) if not anywhere else 403 not in statuses


def test_several_workers_are_refused_in_one_line(run_upspace: Callable[..., Ran], file_url: str) -> None:
    ran = run_upspace("serve", "--store", file_url, "--control", "--workers", "2")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "upspace: workers: what is controlled is one process: give it one worker, or no --control\n"


def test_anywhere_alone_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match="control_anywhere: nothing is controlled without --control"):
        build_settings({"store": "sqlite://", "control_anywhere": True})
    assert not build_settings({"store": "sqlite://"}).control


def test_the_viewer_needs_no_rights(world: World) -> None:
    assert world.ask("GET", "faults", headers=world.bearer(ALICE)).status_code == 200
