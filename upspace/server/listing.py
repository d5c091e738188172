"""The accounts of list pages, encoded and kept.

An account stands in many lists and changes rarely, so its part of a list item is kept once it is encoded.
The store numbers the changes of accounts, by any process, and a page says which was the newest when it was
read. If that is news, what is kept of the accounts changed since is dropped first. So a page never shows an
account older than itself.
"""

from collections.abc import Callable, Sequence
from itertools import islice

from upspace.model import Account
from upspace.store.interface import Store
from upspace.wire.relations import ItemAccount

# What an entry costs beside its names: its share of the table, its key, and the heads of its two objects.
_ENTRY_BYTES = 160


class ItemAccounts:
    """Encoded accounts by mid, within a bound of memory.

    When the bound is reached, the eighth that has been kept longest is let go. To keep what is used most
    instead, every hit would have to be written down.
    """

    def __init__(self, store: Store, encode: Callable[[Account | None], ItemAccount], bound_bytes: int) -> None:
        self._store = store
        self._encode = encode
        self._bound_bytes = bound_bytes
        self._kept: dict[int, ItemAccount] = {}
        self._kept_bytes = 0
        self._seen = 0

    async def encoded(self, mids: Sequence[int], newest_change: int) -> list[ItemAccount]:
        """The account's part of a list item for each of `mids`, in their order.

        None is older than change number `newest_change`, which the store gives along with a page.
        """
        if newest_change > self._seen:
            await self._forget_changed()
        kept = self._kept
        try:
            return [kept[mid] for mid in mids]
        except KeyError:
            found = {mid: kept[mid] for mid in mids if mid in kept}
            found |= await self._fetch([mid for mid in mids if mid not in found])
            return [found[mid] for mid in mids]

    async def _fetch(self, mids: Sequence[int]) -> dict[int, ItemAccount]:
        """Accounts out of the store, and now kept."""
        seen = self._seen
        accounts = await self._store.accounts(mids)
        fetched = {mid: self._encode(accounts.get(mid)) for mid in mids}
        # If another request learned of changes meanwhile, what was read here may be older than those.
        if seen == self._seen:
            for mid, item in fetched.items():
                self._forget(mid)
                self._kept[mid] = item
                self._kept_bytes += _size(item)
            while self._kept_bytes > self._bound_bytes:
                self._make_room()
        return fetched

    def _make_room(self) -> None:
        for mid in list(islice(self._kept, len(self._kept) // 8 + 1)):
            self._forget(mid)

    def _forget(self, mid: int) -> None:
        item = self._kept.pop(mid, None)
        if item is not None:
            self._kept_bytes -= _size(item)

    async def _forget_changed(self) -> None:
        """Let go what was written by anyone since the last time."""
        newest, mids = await self._store.changed_accounts(self._seen)
        self._seen = max(self._seen, newest)
        if mids is None:
            self._kept, self._kept_bytes = {}, 0
            return
        for mid in mids:
            self._forget(mid)


def _size(item: ItemAccount) -> int:
    return len(item.names) + _ENTRY_BYTES
