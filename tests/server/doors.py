"""The two ways in that a test may send the same requests through: a socket, and ASGI in process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from conftest import client_of, quiet_server

from upspace.server.app import App, build_app
from upspace.server.asgi import AsgiDoor
from upspace.server.settings import build_settings
from upspace.store import open_store

DOORS = ("socket", "asgi")


class Door(NamedTuple):
    """A way in: how to send a request, and how to send a body in parts without telling its length."""

    request: Callable[..., httpx.Response]
    in_parts: Callable[[Sequence[bytes]], Any]


async def _parts_later(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@contextmanager
def open_door(kind: str, folder: Path, url: str, **settings: str | bool) -> Iterator[Door]:
    """A door of this kind to the store at `url`; a setting that is a bool is a switch that is on."""
    if kind == "socket":
        flags: list[str] = []
        for name, value in settings.items():
            flags += [f"--{name.replace('_', '-')}", *([value] if isinstance(value, str) else [])]
        with quiet_server(folder, "--store", url, *flags) as served, client_of(served) as client:
            yield Door(client.request, iter)
        return
    with asyncio.Runner() as runner:
        store = runner.run(open_store(url))

        async def open_app() -> App:
            return build_app(store, build_settings({"store": url, **settings}))

        in_process = httpx.AsyncClient(transport=httpx.ASGITransport(AsgiDoor(open_app)), base_url="http://in-process")
        yield Door(lambda *asked, **given: runner.run(in_process.request(*asked, **given)), _parts_later)
        runner.run(in_process.aclose())
        runner.run(store.close())
