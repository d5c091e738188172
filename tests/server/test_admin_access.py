"""Who may use the admin interface (docs/admin.md), by which paths, and that its token is shown nowhere."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from admin_world import ACCOUNTS, ADMIN, ADMIN_TOKEN, FORBIDDEN, NOT_FOUND, WRONG_METHOD, World, admin_world, in_process
from conftest import client_of, run_process, serving
from people import HUB, STRANGER, VIEWER, bearer, people_store
from stores import Stores

from upspace.server.app import build_app
from upspace.server.settings import SettingsError, all_settings, build_settings
from upspace.store.interface import StoreUnavailableError

# Every endpoint there is, with a body that it would take.
ENDPOINTS = [
    ("GET", f"{ACCOUNTS}/{STRANGER}", None),
    ("HEAD", f"{ACCOUNTS}/{STRANGER}", None),
    ("PUT", f"{ACCOUNTS}/{STRANGER}", {"name": "taken over"}),
    ("PATCH", f"{ACCOUNTS}/{STRANGER}", {"sign": "taken over"}),
    ("DELETE", f"{ACCOUNTS}/{STRANGER}", None),
    ("GET", f"{ACCOUNTS}/{STRANGER}/tokens", None),
    ("POST", f"{ACCOUNTS}/{STRANGER}/tokens", {"note": "stolen"}),
    ("DELETE", f"{ACCOUNTS}/{STRANGER}/tokens", None),
]


@pytest.fixture(scope="module")
def world(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with admin_world(tmp_path_factory.mktemp("admin"), people_store(stores.new(engine))) as world:
        yield world


# Off, and without the token


WITH_CALLBACK = dict.fromkeys(("PUT", "PATCH", "POST", "DELETE"), '{"code":-404,"message":"啥都木有","ttl":1}')
WITH_CALLBACK |= {"GET": 'cb({"code":-404,"message":"啥都木有","ttl":1})', "HEAD": ""}


@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
def test_without_the_setting_every_path_is_an_unknown_one(
    seed: httpx.Client, method: str, path: str, body: Any
) -> None:
    for headers in ({}, ADMIN, bearer(VIEWER)):
        response = seed.request(method, path, json=body, headers=headers)
        assert response.status_code == 404
        assert method == "HEAD" or response.json() == NOT_FOUND
    assert seed.request(method, f"{path}?callback=cb").text == WITH_CALLBACK[method]


WRONG: list[dict[str, str]] = [
    {},
    *({"authorization": value} for value in ("", "Bearer", "Bearer  x", ADMIN_TOKEN, f"Basic {ADMIN_TOKEN}")),
    *({"authorization": f"Bearer {token}"} for token in (ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x", ADMIN_TOKEN.upper())),
    {"authorization": f"Bearer {ADMIN_TOKEN} x"},
    {"authorization": "Bearer x", "x-admin-token": ADMIN_TOKEN},
    {"cookie": f"SESSDATA={ADMIN_TOKEN}"},
    bearer(VIEWER),
    bearer(HUB),
]


@pytest.mark.parametrize("headers", WRONG, ids=lambda headers: str(headers)[:60])
def test_a_missing_or_wrong_token_is_403_and_changes_nothing(world: World, headers: dict[str, str]) -> None:
    before = world.done("GET", f"/{STRANGER}"), world.done("GET", f"/{STRANGER}/tokens")
    others = [("GET", "/-/admin/", None), ("GET", "/-/admin/nothing", None), ("PROPFIND", f"{ACCOUNTS}/x/tokens", None)]
    for method, path, body in ENDPOINTS + others:
        response = world.ask(method, f"{path}?access_key={ADMIN_TOKEN}&callback=cb", body, headers)
        assert (response.status_code, response.headers["content-type"]) == (403, "application/json; charset=utf-8")
        assert method == "HEAD" or response.json() == FORBIDDEN
    assert (world.done("GET", f"/{STRANGER}"), world.done("GET", f"/{STRANGER}/tokens")) == before


def test_a_header_that_is_no_text_is_a_wrong_token(world: World) -> None:
    response = world.client.get(f"{ACCOUNTS}/1", headers=[(b"authorization", b"Bearer \xff\xe5\x8f\xb7")])
    assert (response.status_code, response.json()) == (403, FORBIDDEN)


def test_the_scheme_is_read_without_regard_to_case(world: World) -> None:
    assert (
        world.ask("GET", f"{ACCOUNTS}/{HUB}", headers={"authorization": f"bearer  {ADMIN_TOKEN}"}).json()["code"] == 0
    )


def test_the_admin_token_signs_nobody_in(world: World) -> None:
    assert not world.signed_in(ADMIN)


# Paths and methods


@pytest.mark.parametrize(
    "path",
    [
        *("/-/admin/", "/-/admin/accounts", f"{ACCOUNTS}/", f"{ACCOUNTS}/1/", f"{ACCOUNTS}/1/token", "/-/admin/x"),
        *(f"{ACCOUNTS}/1/tokens/", f"{ACCOUNTS}/1/tokens/ab", f"{ACCOUNTS}//tokens", f"{ACCOUNTS}/1/2", "/-/admin//"),
    ],
)
def test_an_unknown_path_is_404(world: World, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = world.ask(method, path)
        assert (response.status_code, response.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize("path", ["/-/admin", "/-/administration", "/-/ADMIN/accounts/1", "/x/-/admin/accounts/1"])
def test_what_is_not_under_the_prefix_asks_for_no_token(world: World, path: str) -> None:
    response = world.ask("GET", path, headers={})
    assert (response.status_code, response.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("path", "methods", "allow"),
    [
        (f"{ACCOUNTS}/{HUB}", ("POST", "OPTIONS", "PROPFIND"), "DELETE, GET, HEAD, PATCH, PUT"),
        (f"{ACCOUNTS}/x/tokens", ("PUT", "PATCH", "OPTIONS"), "DELETE, GET, HEAD, POST"),
    ],
)
def test_a_wrong_method_is_405_and_told_the_right_ones(
    world: World, path: str, methods: tuple[str, ...], allow: str
) -> None:
    for method in methods:
        response = world.ask(method, path)
        assert (response.status_code, response.json(), response.headers["allow"]) == (405, WRONG_METHOD, allow)


@pytest.mark.parametrize("mid", ["0", "-1", "x", "1.0", "1e3", "+1", "9223372036854775808", "9" * 5000, "%E5%8F%B7"])
def test_a_bad_mid_is_refused_with_the_reason(world: World, mid: str) -> None:
    for method, rest in (
        ("GET", ""),
        ("PUT", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/tokens"),
        ("POST", "/tokens"),
    ):
        assert "mid" in world.reason(method, f"/{mid}{rest}", {"name": "x"} if method == "PUT" else None)


# Limits, secrets, settings


def test_rate_limits_do_not_apply(tmp_path: Path, store_url: str) -> None:
    variables = {"UPSPACE_ADMIN_TOKEN": ADMIN_TOKEN}
    limits = ("--limit-address-reads", "1/3600", "--limit-address-writes", "1/3600")
    arguments = ("serve", "--store", store_url, "--port", "0", *limits)
    with serving(tmp_path, *arguments, env=variables) as served, client_of(served) as client:
        world = World(served, client, store_url)
        for mid in range(1, 6):
            world.done("PUT", f"/{mid}", {"name": "x"})
            world.done("POST", f"/{mid}/tokens")
            world.done("GET", f"/{mid}")
            assert world.ask("GET", f"{ACCOUNTS}/{mid}", headers={}).status_code == 403
        assert client.get("/x/space/acc/info?mid=1").json()["code"] == 0
        assert client.get("/x/space/acc/info?mid=1").json()["code"] == -799
        assert world.done("GET", "/1")["name"] == "x"


def test_the_token_stands_in_no_command_line(world: World) -> None:
    group = world.served.process.pid
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                lines.append((folder / "cmdline").read_bytes())
        except OSError:
            continue
    if not lines:
        pytest.skip("this system has no /proc")
    assert len(lines) >= 3
    assert not [line for line in lines if ADMIN_TOKEN.encode() in line]


class BrokenStore:
    """A store in which nothing works, in two ways."""

    async def profile(self, mid: int) -> None:
        raise ValueError("a fault of our own")

    async def tokens(self, mid: int) -> None:
        raise AssertionError

    async def standing(self, mid: int) -> None:
        raise StoreUnavailableError("no disk")


def test_a_fault_is_an_envelope_and_an_entry_in_the_log_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    settings = build_settings({"store": "sqlite://", "admin_token": ADMIN_TOKEN})
    app = build_app(cast(Any, BrokenStore()), settings)
    for path, status in ((f"{ACCOUNTS}/1", 500), (f"{ACCOUNTS}/1/tokens", 503)):
        caplog.clear()
        reply = asyncio.run(in_process(app, "GET", path, ADMIN))
        assert (reply.status_code, reply.json()["code"]) == (status, -status)
        assert path in caplog.text
        assert ADMIN_TOKEN not in caplog.text


@pytest.mark.parametrize(
    "token",
    [
        "",
        "short",
        "x" * 15,
        "x" * 15 + " ",
        "has a space inside it",
        "x" * 20 + "\n",
        "号" * 20,
        "\x7f" * 20,
        "\udcff" * 20,
    ],
    ids=ascii,
)
def test_a_token_that_is_none_is_one_line_that_does_not_repeat_it(token: str) -> None:
    with pytest.raises(SettingsError, match=r"\Aadmin_token: [^\n]+\Z") as refused:
        build_settings({"store": "sqlite://", "admin_token": token})
    assert not token or token not in str(refused.value)


def test_the_command_refuses_a_short_token_in_one_line(file_url: str) -> None:
    arguments = ("serve", "--store", file_url, "--port", "0")
    said = "upspace: admin_token: it must have at least 16 characters\n"
    for ran in (
        run_process(*arguments, "--admin-token", "sh0rt"),
        run_process(*arguments, env={"UPSPACE_ADMIN_TOKEN": "sh0rt"}),
    ):
        assert (ran.code > 0, ran.out, ran.err) == (True, "", said)


def test_an_empty_variable_leaves_the_interface_off(tmp_path: Path, file_url: str) -> None:
    variables = {"UPSPACE_ADMIN_TOKEN": ""}
    with serving(tmp_path, "serve", "--store", file_url, "--port", "0", env=variables) as served:
        for headers in ({}, {"authorization": "Bearer"}):
            assert httpx.get(f"{served.url}{ACCOUNTS}/1", headers=headers, trust_env=False).status_code == 404


def test_the_settings_do_not_show_the_token() -> None:
    settings = build_settings({"store": "sqlite://", "admin_token": ADMIN_TOKEN})
    assert settings.admin_token == ADMIN_TOKEN
    assert ADMIN_TOKEN not in f"{settings} {settings!r} {[settings]}"
    assert "admin_token='*'" in repr(settings)
    assert "admin_token=''" in repr(build_settings({"store": "sqlite://"}))
    (setting,) = (setting for setting in all_settings() if setting.name == "admin_token")
    assert "environment variable" in setting.description
    assert setting.default == ""
