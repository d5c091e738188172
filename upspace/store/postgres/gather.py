"""Lookups by key of concurrent requests, gathered into one query.

A query of its own for each request would cost a round trip, a wake-up of a server process and several system calls
each time. So the keys that are asked for in one turn of the event loop are looked up together. While lookups are under
way, those that come meanwhile make up the next one: the busier the server, the larger the lookups. An idle server asks
at the end of the turn, with nothing to wait for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeAlias, TypeVar

from upspace.store.interface import StoreError

K = TypeVar("K")
V = TypeVar("V")

_Asked: TypeAlias = tuple[Collection[K], asyncio.Future[Mapping[K, V]]]

# So many lookups of a kind are under way at once: while the server works on one, the other is packed or unpacked.
_UNDER_WAY_MAX = 2
# Larger lookups gain nothing, and their first key would wait for their last.
_KEYS_MAX = 2_000


class Gathered(Generic[K, V]):
    """Looks keys up with `fetch`, which gets distinct keys and returns the values of those there are.

    A StoreError that `fetch` raises is raised to everyone who asked for one of its keys. Anything else is about the
    rows of one of them: the others get theirs. Whoever asks gets what is stored after asking, never the answer to a
    lookup that was sent before.
    """

    def __init__(self, fetch: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._fetch = fetch
        # Looking the running one up is a system call, and would be a tenth of what a gathered request costs.
        self._loop = asyncio.get_running_loop()
        self._asked: list[_Asked[K, V]] = []
        self._scheduled = False
        self._under_way: set[asyncio.Task[None]] = set()

    async def one(self, key: K) -> V | None:
        """The value of one key, None if it has none."""
        return (await self.ask((key,))).get(key)

    async def many(self, keys: Collection[K]) -> dict[K, V]:
        """The values of those keys that have one."""
        if not keys:
            return {}
        found = await self.ask(keys)
        return {key: found[key] for key in keys if key in found}

    def ask(self, keys: Collection[K]) -> "asyncio.Future[Mapping[K, V]]":
        """Ask without waiting: what comes holds the values of these keys, and of others that were asked for."""
        answer: asyncio.Future[Mapping[K, V]] = self._loop.create_future()
        self._asked.append((keys, answer))
        if not self._scheduled and len(self._under_way) < _UNDER_WAY_MAX:
            self._scheduled = True
            self._loop.call_soon(self._send)
        return answer

    def _send(self) -> None:
        self._scheduled = False
        wanted: set[K] = set()
        taken = 0
        for keys, _ in self._asked:
            if len(wanted) >= _KEYS_MAX:
                break
            wanted.update(keys)
            taken += 1
        asked, self._asked = self._asked[:taken], self._asked[taken:]
        if asked:
            task = self._loop.create_task(self._look_up(list(wanted), asked))
            self._under_way.add(task)
            task.add_done_callback(self._done)
            if self._asked and len(self._under_way) < _UNDER_WAY_MAX:
                self._send()

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if self._asked and not self._scheduled:
            self._send()

    async def _look_up(self, keys: list[K], asked: list[_Asked[K, V]]) -> None:
        try:
            found = await self._fetch(keys)
        except StoreError as error:
            _fail(asked, error)
        except Exception as error:
            if len(asked) == 1:
                _fail(asked, error)
                return
            for each in asked:
                await self._look_up(list(each[0]), [each])
        else:
            for _, answer in asked:
                if not answer.done():
                    answer.set_result(found)


def _fail(asked: list[_Asked[K, V]], error: Exception) -> None:
    for _, answer in asked:
        if not answer.done():
            answer.set_exception(error)
