"""What a group of writes does to the tables of relations: the rows to remove and those to put, for every engine."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from upspace.model import Relation
from upspace.store.ledger import ChangedRelation, Key, follows
from upspace.wire.codes import ATTRIBUTE_FOLLOWING, ATTRIBUTE_MUTUAL

FollowerRow = tuple[int, int, int]
"""Owner of the list, mtime, follower."""

Place = tuple[int, int, int]
"""An account's place in a group: owner, account, group id."""

RelationRow = tuple[int, int, int, bool, int, int]
"""Owner, other, attribute (6 is never stored), mutual, mtime, re_src."""


class Difference(NamedTuple):
    """Rows in the order of their keys, which is the order of their pages."""

    lost_followers: Sequence[FollowerRow]
    won_followers: Sequence[FollowerRow]
    lost_relations: Sequence[Key]
    put_relations: Sequence[RelationRow]
    lost_places: Sequence[Place]
    won_places: Sequence[Place]


def difference(relations: Iterable[ChangedRelation]) -> Difference:
    """The rows that differ, each once."""
    changed = sorted(relations)
    return Difference(
        sorted(_follower(key, before) for key, before, after in changed if _leaves(before, after)),
        sorted(_follower(key, after) for key, before, after in changed if _leaves(after, before)),
        [key for key, _, after in changed if after is None],
        [_row(key, after) for key, _, after in changed if after is not None],
        list(_places(changed, removed=True)),
        list(_places(changed, removed=False)),
    )


def _leaves(one: Relation | None, other: Relation | None) -> bool:
    """Whether the row that `one` has in the list of followers is not that of `other`."""
    return one is not None and follows(one) and not (other is not None and follows(other) and other.mtime == one.mtime)


def _follower(key: Key, relation: Relation | None) -> FollowerRow:
    owner, other = key
    return other, relation.mtime if relation else 0, owner


def _row(key: Key, relation: Relation) -> RelationRow:
    mutual = relation.attribute == ATTRIBUTE_MUTUAL
    attribute = ATTRIBUTE_FOLLOWING if mutual else relation.attribute
    return *key, attribute, mutual, relation.mtime, relation.re_src


def _places(changed: Iterable[ChangedRelation], *, removed: bool) -> Iterable[Place]:
    """The places in groups that are lost, or those that are won."""
    for (owner, other), before, after in changed:
        had = before.groups if before else ()
        has = after.groups if after else ()
        if had != has:
            for group_id in sorted(set(had).difference(has) if removed else set(has).difference(had)):
                yield owner, other, group_id
