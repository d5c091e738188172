"""Replies to anonymous viewers that cost much to make, kept as they were made: pages of lists, and cards.

What is popular is asked for over and over, and finding a reply here costs a third of putting a page together, half of
putting a card together. What is kept is believed for as long as no rows that it shows have been written: the store
tells for next to nothing whether anything was committed, by any process, and if so, whose rows. Over a store that
cannot, nothing is kept.
"""

import time
from array import array
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from upspace.store.interface import Store

# What an entry costs beside its text: its parameters, the tables' shares, the heads of the objects. And each account.
_ENTRY_BYTES = 600
_MID_BYTES = 8
# What is let go at once when there is no room: those about this part of all owners, as finding the oldest takes a walk.
_LET_GO = 16
_REFUSED_NOTED = 1024
# So many accounts are remembered to have changed.
_CHANGED_NOTED = 10_000
# A commit takes as long as the disk does, and has its number in the end.
_DOUBT_S = 0.1


class Shown(NamedTuple):
    """The data of a reply, and the accounts of which it shows what lists do."""

    data: bytes
    mids: Sequence[int] = ()


class _Entry(Struct, gc=False):
    """A reply, and the number of the newest change of any account when it was last known to be right."""

    data: bytes
    mids: "array[int]"
    newest_change: int


_OfOwner: TypeAlias = dict[Struct, _Entry]


class KeptReplies:
    """Data of replies by whom they are about, `owner`, and what was asked for, within a bound of memory.

    While there is room, everything is kept. Then those kept longest make room for what is asked for twice: most of what
    is asked for once does not come again. Parameters hold numbers alone, as a text in them could be of any length.
    `clock` gives seconds.
    """

    def __init__(self, store: Store, bound_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.has_room = bound_bytes > 0
        self.version: int | None = None
        self._store = store
        self._bound_bytes = bound_bytes
        self._clock = clock
        self._kept: dict[int, _OfOwner] = {}
        self._kept_bytes = 0
        # Hashes of parameters for which there was no room.
        self._refused: set[int] = set()
        # The newest commit and the newest change of an account that are known of, and which accounts have changed when.
        # Of changes up to `_forgotten` it is not known any more whom they concern.
        self._commit = 0
        self._newest_change = 0
        self._changed: dict[int, int] = {}
        self._forgotten = 0
        # Since when there has been another version and no commit to go with it.
        self._doubted_since: float | None = None

    async def catch_up(self, version: int) -> None:
        """Let go what does not show the store as it is at `version`, the one that it has in this turn of the loop.

        Where the store is at another version without a commit that would say why, `version` stays what it was, and
        nothing that is kept may be believed. SQLite takes another version as well when it begins its log anew, a little
        before the commit for which it does so. If that does not come soon, somebody has written who names nobody.
        """
        commit, owners = await self._store.changed_owners(self._commit)
        if commit == self._commit and self.version is not None:
            now = self._clock()
            if self._doubted_since is None:
                self._doubted_since = now
            if now - self._doubted_since < _DOUBT_S:
                return
            owners = None
        newest_change, mids = await self._store.changed_accounts(self._newest_change)
        if owners is None or mids is None:
            self.clear()
        else:
            for owner in owners:
                self._forget(owner)
            if len(self._changed) + len(mids) > _CHANGED_NOTED:
                self._changed, self._forgotten = {}, self._newest_change
            self._changed.update(dict.fromkeys(mids, newest_change))
        self._commit, self._newest_change = commit, newest_change
        self.version, self._doubted_since = version, None

    def found(self, owner: int, parameters: Struct) -> bytes | None:
        """What is kept and still right."""
        of_owner = self._kept.get(owner)
        entry = of_owner.get(parameters) if of_owner is not None else None
        if entry is None:
            return None
        since = entry.newest_change
        if since < self._newest_change:
            changed = self._changed
            if since < self._forgotten or any(changed.get(mid, 0) > since for mid in entry.mids):
                self._forget(owner)
                return None
            entry.newest_change = self._newest_change
        return entry.data

    def takes(self, parameters: Struct, shown: Shown) -> bool:
        """Whether there is room, or room is to be made as it has been asked for before; what has not been is noted."""
        size = _size(shown.data, shown.mids)
        if self._kept_bytes + size <= self._bound_bytes:
            return True
        if size > self._bound_bytes:
            return False
        asked = hash(parameters)
        if asked in self._refused:
            self._refused.discard(asked)
            return True
        if len(self._refused) >= _REFUSED_NOTED:
            self._refused.clear()
        self._refused.add(asked)
        return False

    def keep(self, owner: int, parameters: Struct, shown: Shown) -> None:
        """Keep what shows the store as it is at the version that was caught up with."""
        # Another request may have kept it meanwhile.
        if parameters in self._kept.get(owner, ()):
            return
        size = _size(shown.data, shown.mids)
        while self._kept and self._kept_bytes + size > self._bound_bytes:
            for oldest in list(islice(self._kept, len(self._kept) // _LET_GO + 1)):
                self._forget(oldest)
        entry = _Entry(shown.data, array("q", shown.mids), self._newest_change)
        self._kept.setdefault(owner, {})[parameters] = entry
        self._kept_bytes += size

    def clear(self) -> None:
        """Keep nothing, and know of nothing."""
        self.version = self._doubted_since = None
        self._kept, self._kept_bytes = {}, 0
        self._changed, self._forgotten = {}, 0

    def _forget(self, owner: int) -> None:
        for entry in self._kept.pop(owner, {}).values():
            self._kept_bytes -= _size(entry.data, entry.mids)


def _size(data: bytes, mids: Sequence[int]) -> int:
    return _ENTRY_BYTES + len(data) + _MID_BYTES * len(mids)
