"""Both clients through one door: the asynchronous one behaves here as if it were plain. One suite holds both."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import httpx
import pytest

from upspace.client import AsyncClient, AsyncWalk, Client

FORMS = ("sync", "async")

Answer = Callable[[httpx.Request], httpx.Response]


class Connect(Protocol):
    """Makes a client of either form. `pause` and `answer` are plain functions for both."""

    def __call__(
        self,
        base_url: str,
        *,
        pause: Callable[[float], None] | None = None,
        answer: Answer | None = None,
        **options: Any,
    ) -> Client: ...


@contextmanager
def connecting(form: str) -> Iterator[Connect]:
    """Makes clients, which are closed at the end."""
    with asyncio.Runner() as runner:
        plain: list[Client] = []
        asynchronous: list[AsyncClient] = []

        def connect(
            base_url: str,
            *,
            pause: Callable[[float], None] | None = None,
            answer: Answer | None = None,
            **options: Any,
        ) -> Client:
            if answer is not None:
                options["transport"] = httpx.MockTransport(answer)
            paused = pause or no_pause
            if form == "sync":
                plain.append(Client(base_url, pause=paused, **options))
                return plain[-1]

            async def pause_later(seconds: float) -> None:
                paused(seconds)

            asynchronous.append(AsyncClient(base_url, pause=pause_later, **options))
            return cast(Client, _Plain(asynchronous[-1], runner))

        yield connect
        for client in plain:
            client.close()
        for one in asynchronous:
            runner.run(one.aclose())


def no_pause(seconds: float) -> None:
    """For tests in which no call shall be sent again."""
    pytest.fail(f"a pause of {seconds} s")


class _Plain:
    """An AsyncClient whose methods wait for what they return."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            made = method(*args, **kwargs)
            if isinstance(made, AsyncWalk):
                return _PlainWalk(made, self._runner)
            assert isinstance(made, Coroutine), name
            return self._runner.run(made)

        return call


class _PlainWalk:
    """An AsyncWalk to be iterated plainly."""

    def __init__(self, walk: AsyncWalk[Any], runner: asyncio.Runner) -> None:
        self._walk = walk
        self._runner = runner

    @property
    def total(self) -> int | None:
        return self._walk.total

    @property
    def cut(self) -> str | None:
        return self._walk.cut

    def __iter__(self) -> "_PlainWalk":
        return self

    def __next__(self) -> Any:
        async def following(walk: AsyncIterator[Any]) -> Any:
            return await anext(walk)

        try:
            return self._runner.run(following(self._walk))
        except StopAsyncIteration:
            raise StopIteration from None
