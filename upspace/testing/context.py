"""A server and its world, from the beginning to the end of a `with`."""

import asyncio
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any

from upspace.testing.server import ServerProcess
from upspace.testing.world import Upspace


class Serving:
    """A server from the beginning to the end of a `with` or `async with`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._ends = ExitStack()

    def __enter__(self) -> Upspace:
        server = ServerProcess(self._settings)
        self._ends.callback(server.stop)
        return self._ends.enter_context(closing(Upspace(server.url, server)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ends.close()

    async def __aenter__(self) -> Upspace:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, traceback)


def serving(**settings: Any) -> Serving:
    """A server of its own, for `with` or `async with`; `settings` are those of `upspace serve`, by name.

    The calls of what it gives are plain ones in async programs as well: the server is another process, which answers
    within a millisecond or two. Raises SettingsError or ServerError where it begins.
    """
    return Serving(settings)
