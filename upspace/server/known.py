"""The accounts that replies show, rendered and kept.

An account stands in many replies and changes rarely, so it is kept once it is rendered. The store numbers the
changes of accounts, by any process, and gives the number of the newest along with what it is asked. If that is news,
what is kept of the accounts changed since is dropped first. So a reply never shows an account older than itself.
"""

from collections.abc import Sequence
from itertools import islice

from upspace.server.render import Renderer
from upspace.store.interface import Store
from upspace.wire.splice import Marks, RenderedAccount, RenderedItem

# What an entry costs beside its texts: its share of the table, its key, and the heads of its objects.
_ITEM_BYTES = 204
# What it costs more if it is not for lists alone.
_WHOLE_BYTES = 24
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
        self._kept: dict[int, RenderedItem] = {}
        self._kept_bytes = 0
        self._shared = _SharedParts()
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

    async def many(self, mids: Sequence[int], newest_change: int) -> list[RenderedItem]:
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
                    self._keep(mid, found[mid])
            return [found[mid] for mid in mids]

    def clear(self) -> None:
        """Keep nothing, and know of no change: what a store that was restored asks for."""
        self._forget_all()
        self._seen = 0

    def _keep(self, mid: int, account: RenderedItem) -> None:
        if mid in self._kept:
            self._forget(mid)
        self._kept[mid] = account
        self._kept_bytes += _own_bytes(account) + self._shared.taken(account)
        while self._kept_bytes > self._bound_bytes:
            for oldest in list(islice(self._kept, len(self._kept) // _LET_GO + 1)):
                self._forget(oldest)

    def _forget(self, mid: int) -> None:
        account = self._kept.pop(mid, None)
        if account is not None:
            self._kept_bytes -= _own_bytes(account) + self._shared.given_back(account)

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
        self._kept, self._kept_bytes, self._shared = {}, 0, _SharedParts()


class _SharedParts:
    """What parts cost that accounts share, in bytes: ends of items, marks and their texts. The first holder pays.

    Holders are counted by the identity of what they hold, which is there as long as it has one.
    """

    def __init__(self) -> None:
        self._holders: dict[int, int] = {}

    def taken(self, account: RenderedItem) -> int:
        """What one more holder of an account's parts costs."""
        end = account.item_end
        before = self._holders.get(id(end), 0)
        self._holders[id(end)] = before + 1
        cost = 0 if before else len(end) + _TEXT_BYTES
        if type(account) is RenderedAccount and self._one_more(account.marks):
            cost += _MARKS_BYTES + sum(map(self._text_taken, _texts(account.marks)))
        return cost

    def given_back(self, account: RenderedItem) -> int:
        """What one holder less saves."""
        saved = self._text_given_back(account.item_end)
        if isinstance(account, RenderedAccount) and self._one_less(account.marks):
            saved += _MARKS_BYTES + sum(map(self._text_given_back, _texts(account.marks)))
        return saved

    def _text_taken(self, text: bytes) -> int:
        return len(text) + _TEXT_BYTES if self._one_more(text) else 0

    def _text_given_back(self, text: bytes) -> int:
        return len(text) + _TEXT_BYTES if self._one_less(text) else 0

    def _one_more(self, part: Marks | bytes) -> bool:
        """Count a holder; whether it is the first one."""
        holders, key = self._holders, id(part)
        before = holders.get(key, 0)
        holders[key] = before + 1
        return before == 0

    def _one_less(self, part: Marks | bytes) -> bool:
        """Count a holder less; whether it was the last one."""
        holders = self._holders.pop(id(part)) - 1
        if holders:
            self._holders[id(part)] = holders
        return holders == 0


def _texts(marks: Marks) -> tuple[bytes, ...]:
    plain = (marks.official, marks.official_verify, marks.vip, marks.card_vip)
    return plain if marks.decorations is None else (*plain, marks.decorations)


def _own_bytes(account: RenderedItem) -> int:
    size = _ITEM_BYTES + len(account.name) + len(account.sign)
    if account.face is not None:
        size += len(account.face)
    return size + _WHOLE_BYTES if type(account) is RenderedAccount else size
