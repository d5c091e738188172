"""What docs/client.md says is so: its examples run and have the types that they claim, its tables are complete."""

import asyncio
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from client_world import CROWD, HIDER, READER, STAR, UNKNOWN, WRITERS, fill, token_of
from conftest import Served, quiet_server
from stores import Stores

import upspace.client
from upspace.client import Client, Cut, Session, retries
from upspace.client.endpoints import Endpoint, Endpoints, Walking
from upspace.client.http import TIMEOUT_S
from upspace.server.viewer import csrf_of
from upspace.wire.endpoints import ENDPOINTS
from upspace.wire.errors import TABLE

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "docs" / "examples" / "client_example.py"

# Each remark has to be there, and each to be needed: strict mode complains of those that are not.
MISUSE = """
from upspace.client import AsyncClient, Client

client, asynchronous = Client("http://127.0.0.1:9"), AsyncClient("http://127.0.0.1:9")
client.followers("7")  # type: ignore[arg-type]  # a number is asked for
client.followers(7, page=2)  # type: ignore[call-arg]  # it is called pn
client.followers(7, 2)  # type: ignore[call-arg]  # pages are named
client.followers(7, order="up")  # type: ignore[arg-type]  # asc or desc
client.nobody(7)  # type: ignore[attr-defined]  # no such endpoint
client.card(7).fans  # type: ignore[attr-defined]  # no such field
client.upstat(7).likes  # type: ignore[union-attr]  # it may be empty
asynchronous.card(7).follower  # type: ignore[attr-defined]  # it is not awaited
for fan in asynchronous.walk_fans(7):  # type: ignore[attr-defined]  # nor is this
    pass
for found in client.walk_fans(7):
    found.following  # type: ignore[attr-defined]  # an element has none


async def forgotten() -> None:
    asynchronous.follow(7)  # type: ignore[unused-coroutine]  # nobody awaits it
"""


@pytest.fixture(scope="module")
def server(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    url = stores.new("sqlite")
    fill(url)
    with quiet_server(tmp_path_factory.mktemp("server"), "--store", url) as served:
        yield served
    stores.drop(url)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("client_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_document_shows_is_the_example() -> None:
    shown = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    source = EXAMPLE.read_text(encoding="utf-8")
    assert len(shown) == DOCUMENT.count("```python") == 7
    for block in shown:
        assert f"\n\n\n{block}" in source


def test_the_examples_do_what_they_say(server: Served, example: ModuleType) -> None:
    url, writer = server.url, WRITERS[0]
    assert example.show(url, STAR) == "name 1 has 260 followers, the newest: name 1260, name 1259, name 1258"

    token = token_of(writer)
    example.follow(url, token, CROWD[5], "first")
    example.follow(url, token, CROWD[5], "second")
    with Client(url, token=token) as client:
        assert list(client.groups_of(CROWD[5]).values()) == ["first", "second"]
        example.unfollow_like_a_browser(url, Session(token, csrf_of(token)), CROWD[5])
        assert client.groups_of(CROWD[5]) == {}

    counts = asyncio.run(example.follower_counts(url, [STAR, READER, UNKNOWN]))
    assert counts == {STAR: 260, READER: 1, UNKNOWN: 0}

    mids, told = example.all_followers(url, STAR)
    assert (mids, told) == ([*reversed(CROWD)][:250], "250 of 260: no further pages")
    assert example.all_followers(url, READER) == ([CROWD[0]], "all")
    assert asyncio.run(example.first_fans(url, STAR, 60)) == [*reversed(CROWD)][:60]


def test_the_example_tells_each_way_to_end(server: Served, example: ModuleType) -> None:
    with Client(server.url) as client:
        assert example.what_happens(client, STAR) == "20 of 260"
        assert example.what_happens(client, HIDER) == "the account hides its followers"
        assert example.what_happens(client, 0) == "refused: BadRequestError, code -400, HTTP 200"
        assert (example.exists(client, STAR), example.exists(client, UNKNOWN)) == (True, False)
    for body, told in (
        (b'{"code":-8888,"message":"x","ttl":1}', "refused: code -8888, which the contract does not have"),
        (b"{}", "not a reply of the contract: Object missing required field `code`"),
    ):
        answer = httpx.Response(200, content=body)
        with Client("http://127.0.0.1:9", transport=httpx.MockTransport(lambda _, answer=answer: answer)) as client:
            assert example.what_happens(client, STAR) == told


@pytest.mark.parametrize("misused", [False, True], ids=["as the example does", "misused"])
def test_types_are_those_that_are_claimed(misused: bool, tmp_path: Path) -> None:
    checked = EXAMPLE
    if misused:
        checked = tmp_path / "misuse.py"
        checked.write_text(MISUSE, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(checked)]
    # From elsewhere, without this project's settings: as a user has it.
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("Success: no issues found in 1 source file\n", "", 0)


def test_every_method_error_and_public_name_is_in_the_document() -> None:
    for endpoint in ENDPOINTS:
        row = f"| `{endpoint.name}` | {endpoint.method} `{endpoint.paths[0]}` | {endpoint.summary} |"
        assert row in DOCUMENT
    for name, value in vars(Endpoints).items():
        if isinstance(value, Endpoint | Walking):
            assert f"`{name}`" in DOCUMENT
    for code, error in TABLE.items():
        assert f"| {code} | `{error.__name__}` |" in DOCUMENT
    for cut in Cut:
        assert f"`Cut.{cut.name}`" in DOCUMENT
    for name in ("AsyncClient", "Client", "UnknownCodeError", "UnreadableReplyError"):
        assert f"`{name}`" in DOCUMENT


def test_figures_are_those_of_the_code() -> None:
    first, most = retries.PAUSE_FIRST_S, retries.PAUSE_MAX_S
    for said in (
        f"{retries.RETRIES} unless told otherwise; 0 is",
        f"between 0 and {first} s, then {2 * first} s, doubling up to {most:.0f} s",
        f"more than {retries.RETRY_AFTER_MAX_S} s is not waited for",
        f"`timeout_s`, {TIMEOUT_S:.0f} unless told otherwise",
    ):
        assert said in DOCUMENT


def test_public_names_are_sorted() -> None:
    assert upspace.client.__all__ == sorted(upspace.client.__all__)
