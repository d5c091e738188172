"""The pages of lists that anonymous viewers were shown last, kept as they went out.

A popular account's page is asked for over and over, and putting one together costs ten times as much as finding it
here. What is kept is believed for as long as nothing at all has been committed since, by any process: a store that
cannot say so for less than a page costs keeps none.
"""

from collections.abc import Awaitable, Callable
from itertools import islice

from msgspec import Struct

from upspace.store.interface import Store

# What an entry costs beside its text: its parameters, the table's share, the heads of the objects.
_ENTRY_BYTES = 400
# What is let go at once when the bound is reached: this part of all, as finding the oldest takes a walk.
_LET_GO = 16


class _KeptPage(Struct, frozen=True, gc=False):
    """The reply's data, and the state of the store that it shows."""

    data: bytes
    version: int


class KeptPages:
    """Pages by the parameters that were asked for, within a bound of memory; those kept longest are let go first.

    Parameters hold numbers alone: a text in them could be of any length, and any number of them mean the same page.
    """

    def __init__(self, store: Store, bound_bytes: int) -> None:
        self._store = store
        self._bound_bytes = bound_bytes
        self._kept: dict[Struct, _KeptPage] = {}
        self._kept_bytes = 0

    async def page(self, parameters: Struct, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What `make` gives, or gave while the store was as it is now. What it raises is kept by nobody."""
        version = await self._store.version() if self._bound_bytes else None
        if version is None:
            return await make()
        kept = self._kept.get(parameters)
        if kept is not None and kept.version == version:
            return kept.data
        data = await make()
        # It may have been read later, if making it took turns of the loop.
        if version == await self._store.version():
            self._keep(parameters, _KeptPage(data, version))
        return data

    def clear(self) -> None:
        """Keep nothing: the store is another one now."""
        self._kept, self._kept_bytes = {}, 0

    def _keep(self, parameters: Struct, page: _KeptPage) -> None:
        self._forget(parameters)
        self._kept[parameters] = page
        self._kept_bytes += _ENTRY_BYTES + len(page.data)
        while self._kept_bytes > self._bound_bytes:
            for oldest in list(islice(self._kept, len(self._kept) // _LET_GO + 1)):
                self._forget(oldest)

    def _forget(self, parameters: Struct) -> None:
        page = self._kept.pop(parameters, None)
        if page is not None:
            self._kept_bytes -= _ENTRY_BYTES + len(page.data)
