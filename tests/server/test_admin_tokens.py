"""Tokens by the admin interface (docs/admin.md): issued, listed, expired and revoked."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from admin_world import ACCOUNTS, ASKED, World, admin_world, in_process
from conftest import run_process
from people import HUB, people_store
from stores import Stores

from upspace.server.app import build_app
from upspace.server.http import BODY_MAX_BYTES
from upspace.server.settings import build_settings
from upspace.store import open_store


@pytest.fixture(scope="module")
def world(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with admin_world(tmp_path_factory.mktemp("admin"), people_store(stores.new(engine))) as world:
        yield world


def test_a_token_signs_in_until_all_are_revoked(world: World) -> None:
    world.done("PUT", "/7020", {"name": "x"})
    issued = [world.done("POST", "/7020/tokens", body) for body in (None, {}, {"note": "为什么"})]
    assert [list(one) for one in issued] == [["id", "mid", "token", "csrf", "expires"]] * 3
    assert len({one["token"] for one in issued}) == len({one["csrf"] for one in issued}) == 3
    credentials = [{"authorization": f"Bearer {one['token']}"} for one in issued]
    for _ in range(ASKED):
        assert all(world.signed_in(headers) for headers in credentials)
    assert world.done("DELETE", "/7020/tokens") == {"revoked": 3}
    for _ in range(ASKED):
        assert not any(world.signed_in(headers) for headers in credentials)
    assert world.done("DELETE", "/7020/tokens") == {"revoked": 0}


def test_the_csrf_value_goes_with_the_cookie(world: World) -> None:
    world.done("PUT", "/7021", {"name": "x"})
    issued = world.done("POST", "/7021/tokens")
    cookie = {"cookie": f"SESSDATA={issued['token']}"}
    for csrf, code in ((issued["csrf"], 0), (issued["csrf"][:-1], -111)):
        data = {"fid": str(HUB), "act": "1", "csrf": csrf}
        assert world.client.post("/x/relation/modify", data=data, headers=cookie).json()["code"] == code
    world.done("DELETE", "/7021")


def test_a_list_tells_all_but_the_tokens(world: World) -> None:
    world.done("PUT", "/7022", {"name": "x"})
    assert world.done("GET", "/7022/tokens") == []
    forever = world.done("POST", "/7022/tokens", {"note": "ever", "expires_s": None})
    day = world.done("POST", "/7022/tokens", {"note": "a day", "expires_s": 86_400})
    text = world.ask("GET", f"{ACCOUNTS}/7022/tokens").text
    assert not [one[name] for one in (forever, day) for name in ("token", "csrf") if one[name] in text]
    lines = json.loads(text)["data"]
    assert [list(line) for line in lines] == [["id", "mid", "issued", "expires", "revoked", "note"]] * 2
    of_day = next(line for line in lines if line["id"] == day["id"])
    assert (of_day["mid"], of_day["note"], of_day["revoked"], of_day["expires"]) == (
        7022,
        "a day",
        None,
        day["expires"],
    )
    held = datetime.fromisoformat(of_day["expires"]) - datetime.fromisoformat(of_day["issued"])
    assert held.total_seconds() == 86_400
    assert forever["expires"] is None
    ran = run_process("token", "list", "--mid", "7022", "--store", world.store_url)
    assert [json.loads(line) for line in ran.out.splitlines()] == lines
    assert run_process("token", "revoke", day["id"], "--store", world.store_url).code == 0
    assert not world.signed_in({"authorization": f"Bearer {day['token']}"})
    assert world.done("DELETE", "/7022/tokens") == {"revoked": 1}
    assert all(line["revoked"] for line in world.done("GET", "/7022/tokens"))


def test_a_token_expires(world: World) -> None:
    world.done("PUT", "/7023", {"name": "x"})
    token = world.done("POST", "/7023/tokens", {"expires_s": 3})["token"]
    assert world.signed_in({"authorization": f"Bearer {token}"})

    # The server's clock cannot be moved from here, so another one reads the same store an hour later.
    async def later() -> int:
        store = await open_store(world.store_url)
        app = build_app(
            store, build_settings({"store": world.store_url}), clock=lambda: datetime.now().timestamp() + 3600
        )
        reply = await in_process(app, "GET", "/x/space/myinfo", {"authorization": f"Bearer {token}"})
        await store.close()
        return int(reply.json()["code"])

    assert asyncio.run(later()) == -101


@pytest.mark.parametrize(
    ("body", "named"),
    [
        *((b"{", "JSON"), (b"[]", "object"), (b"null", "object"), ({"days": 1}, "days"), ({"mid": 7024}, "mid")),
        *(({"note": 1}, "note"), ({"note": None}, "note"), ({"note": "a\nb"}, "note"), ({"note": "\x00"}, "note")),
        *(({"expires_s": value}, "expires_s") for value in (0, -1, 1.5, "60", True, 36_500 * 86_400 + 1, 2**70)),
        (b'{"note":"' + b"x" * BODY_MAX_BYTES + b'"}', "1048576"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_request_for_a_token_is_refused_and_issues_none(world: World, body: Any, named: str) -> None:
    world.done("PUT", "/7024", {"name": "x"})
    assert named in world.reason("POST", "/7024/tokens", body)
    assert world.done("GET", "/7024/tokens") == []
