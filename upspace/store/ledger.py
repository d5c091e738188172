"""A group of relation writes in memory: rules are decided on it one after another, what has changed is written at once.

Every engine commits the writes of concurrent requests in groups. It reads the pairs and the accounts of a group in a
constant number of queries, hands them to a `Ledger`, lets each rule decide on what the rules before it left, and then
writes what differs from before: each pair and each account once, however many rules touched it. That is what makes a
storm of follows towards one account cheap.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from upspace.model import AccountState, Change, Pair, Relation, Standing
from upspace.store.interface import DecidePair
from upspace.wire.codes import (
    ATTRIBUTE_BLACK,
    ATTRIBUTE_FOLLOWING,
    ATTRIBUTE_MUTUAL,
    ATTRIBUTE_NONE,
    ATTRIBUTE_WHISPER,
    ATTRIBUTES_OF_FOLLOWS,
)

_COUNT_MAX = 2**63 - 1

_COUNTERS = ("following", "whisper", "black", "follower")
# Whether a relation counts as following, whisper or black.
_UNCOUNTED = (False, False, False)
_OF_ATTRIBUTE = {
    ATTRIBUTE_WHISPER: (False, True, False),
    ATTRIBUTE_FOLLOWING: (True, False, False),
    ATTRIBUTE_MUTUAL: (True, False, False),
    ATTRIBUTE_BLACK: (False, False, True),
}

Key = tuple[int, int]
"""Owner and other of a relation."""


class ChangedRelation(NamedTuple):
    """One side of a pair before and after a group of writes; None where there is no relation."""

    key: Key
    before: Relation | None
    after: Relation | None


class Ledger:
    """Pairs and accounts as a group of writes finds them, then as it leaves them.

    `standings` and `relations` must hold whatever is stored of both accounts and both directions of every pair that
    is decided.
    """

    def __init__(self, standings: Mapping[int, Standing], relations: Mapping[Key, Relation]) -> None:
        self._standings_before = standings
        self._relations_before = relations
        self._standings: dict[int, Standing] = {}
        self._relations: dict[Key, Relation | None] = {}

    def is_gone(self, mid: int) -> bool:
        """Whether an account is deleted, or was never there."""
        standing = self._standing(mid)
        return standing is None or standing.state is AccountState.DELETED

    def decide(self, owner: int, other: int, rule: DecidePair) -> None:
        """Let `rule` decide on one pair. What it raises leaves everything as it was."""
        before = Change(self._relation((owner, other)), self._relation((other, owner)))
        after = rule(Pair(owner, other, self._standing(owner), self._standing(other), before.forward, before.backward))
        if after == before:
            return
        self._relations[owner, other] = after.forward
        self._relations[other, owner] = after.backward
        self._count(owner, before, after)
        self._count(other, _turned(before), _turned(after))

    def changed_relations(self) -> Iterator[ChangedRelation]:
        """Each side that differs from before."""
        for key, after in self._relations.items():
            before = self._relations_before.get(key)
            if after != before:
                yield ChangedRelation(key, before, after)

    def changed_standings(self) -> Iterable[Standing]:
        """Each account whose counters differ from before."""
        return [standing for mid, standing in self._standings.items() if standing != self._standings_before.get(mid)]

    def _relation(self, key: Key) -> Relation | None:
        return self._relations[key] if key in self._relations else self._relations_before.get(key)

    def _standing(self, mid: int) -> Standing | None:
        return self._standings.get(mid) or self._standings_before.get(mid)

    def _count(self, mid: int, before: Change, after: Change) -> None:
        """Bring the counters of one account in step with its side of a pair; those of a deleted account stay 0."""
        standing = self._standing(mid)
        if standing is None or standing.state is AccountState.DELETED:
            return
        old, new = _counted(before), _counted(after)
        if new == old:
            return
        changed = {
            name: _counter(getattr(standing, name) + now - then)
            for name, now, then in zip(_COUNTERS, new, old, strict=True)
            if now != then
        }
        self._standings[mid] = replace(standing, **changed)


def follows(relation: Relation | None) -> bool:
    """Whether the relation is an open follow, mutual or not."""
    return relation is not None and relation.attribute in ATTRIBUTES_OF_FOLLOWS


def _counter(count: int) -> int:
    """What a counter can hold: those that were imported may be smaller than what is stored, or at their very end."""
    return min(max(count, 0), _COUNT_MAX)


def _counted(side: Change) -> tuple[bool, bool, bool, bool]:
    """What one pair adds to the counters of its first account, in the order of `_COUNTERS`."""
    attribute = side.forward.attribute if side.forward else ATTRIBUTE_NONE
    following, whisper, black = _OF_ATTRIBUTE.get(attribute, _UNCOUNTED)
    return following, whisper, black, follows(side.backward)


def _turned(side: Change) -> Change:
    return Change(side.backward, side.forward)
