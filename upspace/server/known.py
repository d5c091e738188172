"""The accounts that replies show, rendered and kept.

An account stands in many replies and changes rarely, so it is kept once it is rendered. The store numbers the
changes of accounts, by any process, and gives the number of the newest along with what it is asked. If that is news,
what is kept of the accounts changed since is dropped first. So a reply never shows an account older than itself.
"""

from collections.abc import Sequence
from itertools import islice

from upspace.server.render import Renderer
from upspace.store.interface import Store
from upspace.wire.splice import ItemMarks, Marks, Rendered, RenderedAccount

# What an entry costs beside its texts: its share of the table, its key, and the heads of its objects.
_ENTRY_BYTES = 220
_MARKS_BYTES = 160
_TEXT_BYTES = 130
# What is let go at once when the bound is reached: this part of all, as finding the oldest takes a walk.
_LET_GO = 64


class KnownAccounts:
    """Rendered accounts by mid, within a bound of memory: those that only lists have shown as far as lists do.

    When the bound is reached, those that have been kept longest are let go. To keep what is used most
    instead, every hit would have to be written down.
    """

    def __init__(self, store: Store, renderer: Renderer, bound_bytes: int) -> None:
        self._store = store
        self._renderer = renderer
        self._bound_bytes = bound_bytes
        self._kept: dict[int, Rendered] = {}
        self._kept_bytes = 0
        self._marks = _SharedMarks()
        self._seen = 0

    async def one(self, mid: int, newest_change: int) -> RenderedAccount | None:
        """One account, whole, not older than change number `newest_change`; None if unknown or deleted."""
        if newest_change > self._seen:
            await self._forget_changed()
        known = self._kept.get(mid)
        if isinstance(known, RenderedAccount):
            if known is self._renderer.deleted:
                return None
            if known.marks.complete:
                return known
            return self._renderer.completed(known, await self._store.decorations(mid))
        seen = self._seen
        account = (await self._store.accounts((mid,))).get(mid)
        # Who asks for one account may guess: what is missing is not kept.
        if account is None:
            return None
        whole = self._renderer.account(account)
        if seen == self._seen:
            self._keep(mid, self._renderer.abridged(whole))
        return whole

    async def many(self, mids: Sequence[int], newest_change: int) -> list[Rendered]:
        """Each of `mids` as far as lists show it, in their order, none older than change number `newest_change`."""
        if newest_change > self._seen:
            await self._forget_changed()
        kept = self._kept
        try:
            return [kept[mid] for mid in mids]
        except KeyError:
            found = {mid: kept[mid] for mid in mids if mid in kept}
            missing = [mid for mid in mids if mid not in found]
            seen = self._seen
            accounts = await self._store.listed_accounts(missing)
            # If another request learned of changes meanwhile, what was read here may be older than those.
            found |= {mid: self._renderer.item(accounts.get(mid)) for mid in missing}
            if seen == self._seen:
                for mid in missing:
                    # Meanwhile another request may have read it whole.
                    if mid not in self._kept:
                        self._keep(mid, found[mid])
            return [found[mid] for mid in mids]

    def clear(self) -> None:
        """Keep nothing, and know of no change: what a store that was restored asks for."""
        self._forget_all()
        self._seen = 0

    def _keep(self, mid: int, account: Rendered) -> None:
        if mid in self._kept:
            self._forget(mid)
        self._kept[mid] = account
        self._kept_bytes += _own_bytes(account) + self._marks.taken(account.marks)
        while self._kept_bytes > self._bound_bytes:
            for oldest in list(islice(self._kept, len(self._kept) // _LET_GO + 1)):
                self._forget(oldest)

    def _forget(self, mid: int) -> None:
        account = self._kept.pop(mid, None)
        if account is not None:
            self._kept_bytes -= _own_bytes(account) + self._marks.given_back(account.marks)

    async def _forget_changed(self) -> None:
        """Let go what was written by anyone since the last time."""
        newest, mids = await self._store.changed_accounts(self._seen)
        self._seen = max(self._seen, newest)
        if mids is None:
            self._forget_all()
            return
        for mid in mids:
            self._forget(mid)

    def _forget_all(self) -> None:
        self._kept, self._kept_bytes, self._marks = {}, 0, _SharedMarks()


class _SharedMarks:
    """What marks cost, in bytes: accounts share marks, and marks share their texts. The first holder pays.

    Holders are counted by the identity of what they hold, which is there as long as it has one.
    """

    def __init__(self) -> None:
        self._holders: dict[int, int] = {}

    def taken(self, marks: ItemMarks) -> int:
        """What one more holder costs."""
        holders = self._holders
        before = holders.get(id(marks), 0)
        holders[id(marks)] = before + 1
        if before:
            return 0
        cost = _MARKS_BYTES
        for text in _texts(marks):
            before = holders.get(id(text), 0)
            holders[id(text)] = before + 1
            if not before:
                cost += len(text) + _TEXT_BYTES
        return cost

    def given_back(self, marks: ItemMarks) -> int:
        """What one holder less saves."""
        if not self._is_last(marks):
            return 0
        return _MARKS_BYTES + sum(len(text) + _TEXT_BYTES for text in _texts(marks) if self._is_last(text))

    def _is_last(self, part: ItemMarks | bytes) -> bool:
        """Whether one holder less was the last one."""
        holders = self._holders[id(part)] - 1
        if holders:
            # In its place: a table in which places are given up and taken anew grows to twice the size.
            self._holders[id(part)] = holders
            return False
        del self._holders[id(part)]
        return True


def _texts(marks: ItemMarks) -> tuple[bytes, ...]:
    if not isinstance(marks, Marks):
        return (marks.item_end,)
    plain = (marks.item_end, marks.official, marks.official_verify, marks.vip, marks.card_vip)
    return plain if marks.decorations is None else (*plain, marks.decorations)


def _own_bytes(account: Rendered) -> int:
    size = _ENTRY_BYTES + len(account.name) + len(account.sign)
    return size if account.face is None else size + len(account.face)
