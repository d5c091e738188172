"""Reading and writing the pairs of a group of writes, inside its transaction."""

from array import array
from collections.abc import Collection, Iterable
from typing import Any

import apsw
import msgspec

from upspace.model import Relation
from upspace.store.ledger import ChangedRelation, Key, Ledger, follows
from upspace.store.queries import read_queries
from upspace.store.sqlite.connection import PACKAGE
from upspace.store.sqlite.rows import read_relation, read_standing
from upspace.wire.codes import ATTRIBUTE_FOLLOWING, ATTRIBUTE_MUTUAL

QUERIES = read_queries(PACKAGE)

_READ_RELATIONS = """
select relation.owner, relation.other, relation.attribute, relation.mutual, relation.mtime, relation.re_src,
    (select group_concat(group_id) from grouped
     where grouped.owner = relation.owner and grouped.other = relation.other)
from json_each(?) as wanted cross join relation
    on relation.owner = wanted.value ->> 0 and relation.other = wanted.value ->> 1
"""

_READ_STANDINGS = """
select standing.mid, standing.state, standing.hides_followings, standing.hides_followers, standing.hides_birthday,
    standing.counter_mode, standing.following, standing.whisper, standing.black, standing.follower
from carray(?) as wanted cross join standing on standing.mid = wanted.value
"""

_PUT_RELATION = """
insert into relation (owner, other, attribute, mutual, mtime, re_src) values (?, ?, ?, ?, ?, ?)
on conflict (owner, other) do update set
    attribute = excluded.attribute, mutual = excluded.mutual, mtime = excluded.mtime, re_src = excluded.re_src
"""
_REMOVE_RELATION = "delete from relation where owner = ? and other = ?"

_PUT_FOLLOWER = "insert into follower (owner, mtime, other) values (?, ?, ?)"
_REMOVE_FOLLOWER = "delete from follower where owner = ? and mtime = ? and other = ?"

_PUT_GROUPED = "insert into grouped (owner, other, group_id) values (?, ?, ?)"
_REMOVE_GROUPED = "delete from grouped where owner = ? and other = ? and group_id = ?"

_PUT_COUNTERS = "update standing set following = ?, whisper = ?, black = ?, follower = ? where mid = ?"


def read_relations(db: apsw.Connection, owner: int, others: Collection[int]) -> dict[int, Relation]:
    """The relations of `owner` to `others`, in one query."""
    if not others:
        return {}
    rows = db.execute(QUERIES["relations"], (apsw.carray(array("q", others)), owner))
    return {relation.other: relation for relation in (read_relation(owner, row) for row in rows)}


def open_ledger_txn(db: apsw.Connection, pairs: Collection[Key]) -> Ledger:
    """A ledger with both accounts and both directions of each pair: two queries, however many pairs there are."""
    keys = {key for owner, other in pairs for key in ((owner, other), (other, owner))}
    if not keys:
        return Ledger({}, {})
    mids = array("q", {owner for owner, _ in keys})
    found = map(read_standing, db.execute(_READ_STANDINGS, (apsw.carray(mids),)))
    standings = {standing.mid: standing for standing in found}
    relations: dict[Key, Relation] = {}
    for owner, *columns in db.execute(_READ_RELATIONS, (msgspec.json.encode(sorted(keys)).decode(),)):
        relation = read_relation(owner, columns)
        relations[owner, relation.other] = relation
    return Ledger(standings, relations)


def write_ledger_txn(db: apsw.Connection, ledger: Ledger) -> None:
    """Write what differs. Rows go in the order of their keys, which is the order of their pages."""
    changed = sorted(ledger.changed_relations())
    _run(db, _REMOVE_FOLLOWER, (_follower(key, before) for key, before, after in changed if _leaves(before, after)))
    _run(db, _REMOVE_RELATION, (key for key, _, after in changed if after is None))
    _run(db, _PUT_RELATION, (_row(key, after) for key, _, after in changed if after is not None))
    _run(db, _PUT_FOLLOWER, (_follower(key, after) for key, before, after in changed if _leaves(after, before)))
    _run(db, _REMOVE_GROUPED, _groups(changed, removed=True))
    _run(db, _PUT_GROUPED, _groups(changed, removed=False))
    _run(
        db,
        _PUT_COUNTERS,
        sorted(
            (
                (counted.following, counted.whisper, counted.black, counted.follower, counted.mid)
                for counted in ledger.changed_standings()
            ),
            key=lambda row: row[-1],
        ),
    )


def _run(db: apsw.Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    db.executemany(statement, rows)


def _leaves(one: Relation | None, other: Relation | None) -> bool:
    """Whether the row that `one` has in the list of followers is not that of `other`."""
    return one is not None and follows(one) and not (other is not None and follows(other) and other.mtime == one.mtime)


def _follower(key: Key, relation: Relation | None) -> tuple[int, int, int]:
    owner, other = key
    return other, relation.mtime if relation else 0, owner


def _row(key: Key, relation: Relation) -> tuple[int, int, int, bool, int, int]:
    mutual = relation.attribute == ATTRIBUTE_MUTUAL
    attribute = ATTRIBUTE_FOLLOWING if mutual else relation.attribute
    return *key, attribute, mutual, relation.mtime, relation.re_src


def _groups(changed: Iterable[ChangedRelation], *, removed: bool) -> Iterable[tuple[int, int, int]]:
    """The places in groups that are lost, or those that are won."""
    for (owner, other), before, after in changed:
        had = set(before.groups) if before else set()
        has = set(after.groups) if after else set()
        for group_id in sorted(had - has if removed else has - had):
            yield owner, other, group_id
