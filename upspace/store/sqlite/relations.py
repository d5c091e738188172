"""Reading and writing the pairs of a group of writes, inside its transaction."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import apsw
import msgspec

from upspace.model import Relation
from upspace.store.difference import Place, difference
from upspace.store.ledger import Key, Ledger
from upspace.store.queries import read_queries
from upspace.store.rows import read_relation, read_standing
from upspace.store.sqlite.connection import PACKAGE, array_of

QUERIES = read_queries(PACKAGE)

_decode_rows = msgspec.json.Decoder(list[list[Any]]).decode

# Each statement takes or gives a whole group as one JSON text. apsw gives up the interpreter's lock at every row, and
# gets it back when the event loop lets go of it: row by row, that waiting was four tenths of the time of a group.

_READ_RELATIONS = """
select json_group_array(json_array(
    relation.owner, relation.other, relation.attribute, relation.mutual, relation.mtime, relation.re_src,
    (select group_concat(group_id) from grouped
     where grouped.owner = relation.owner and grouped.other = relation.other)))
from json_each(?) as wanted cross join relation
    on relation.owner = wanted.value ->> 0 and relation.other = wanted.value ->> 1
"""

_READ_STANDINGS = """
select json_group_array(json_array(
    standing.mid, standing.state, standing.hides_followings, standing.hides_followers, standing.hides_birthday,
    standing.counter_mode, standing.following, standing.whisper, standing.black, standing.follower))
from carray(?) as wanted cross join standing on standing.mid = wanted.value
"""

_PUT_RELATIONS = """
insert into relation (owner, other, attribute, mutual, mtime, re_src)
    select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 from json_each(?) where true
on conflict (owner, other) do update set
    attribute = excluded.attribute, mutual = excluded.mutual, mtime = excluded.mtime, re_src = excluded.re_src
"""
_REMOVE_RELATIONS = """
delete from relation where (owner, other) in (select value ->> 0, value ->> 1 from json_each(?))
"""

_PUT_FOLLOWERS = """
insert or ignore into follower (owner, mtime, other) select value ->> 0, value ->> 1, value ->> 2 from json_each(?)
"""
_REMOVE_FOLLOWERS = """
delete from follower where (owner, mtime, other) in (select value ->> 0, value ->> 1, value ->> 2 from json_each(?))
"""

_PUT_GROUPED = """
insert or ignore into grouped (owner, other, group_id) select value ->> 0, value ->> 1, value ->> 2 from json_each(?)
"""
_REMOVE_GROUPED = """
delete from grouped where (owner, other, group_id) in (select value ->> 0, value ->> 1, value ->> 2 from json_each(?))
"""

_PUT_COUNTERS = """
update standing set following = new.value ->> 1, whisper = new.value ->> 2, black = new.value ->> 3,
    follower = new.value ->> 4
from json_each(?) as new where standing.mid = new.value ->> 0
"""

GROUP_STATEMENTS = (
    _READ_RELATIONS,
    _READ_STANDINGS,
    _PUT_RELATIONS,
    _REMOVE_RELATIONS,
    _PUT_FOLLOWERS,
    _REMOVE_FOLLOWERS,
    _PUT_GROUPED,
    _REMOVE_GROUPED,
    _PUT_COUNTERS,
)
"""What a group of writes consists of, whatever its size."""


def relations_of(owner: int, rows: Iterable[Sequence[Any]]) -> dict[int, Relation]:
    """What the query `relations` returns of an owner, by the other."""
    return {relation.other: relation for relation in (_relation(owner, row) for row in rows)}


def open_ledger_txn(db: apsw.Connection, pairs: Collection[Key]) -> Ledger:
    """A ledger with both accounts and both directions of each pair: two queries, however many pairs there are."""
    keys = {key for owner, other in pairs for key in ((owner, other), (other, owner))}
    if not keys:
        return Ledger({}, {})
    mids = array_of({owner for owner, _ in keys})
    standings = [read_standing(row) for row in _read(db, _READ_STANDINGS, mids)]
    relations: dict[Key, Relation] = {}
    for owner, *columns in _read(db, _READ_RELATIONS, _json(sorted(keys))):
        relation = _relation(owner, columns)
        relations[owner, relation.other] = relation
    return Ledger({standing.mid: standing for standing in standings}, relations)


def write_ledger_txn(db: apsw.Connection, ledger: Ledger) -> set[int]:
    """Write what differs; the accounts whose rows those are.

    Rows go in the order of their keys, which is the order of their pages.
    """
    changed, standings = list(ledger.changed_relations()), list(ledger.changed_standings())
    rows = difference(changed)
    _write(db, _REMOVE_FOLLOWERS, rows.lost_followers)
    _write(db, _REMOVE_RELATIONS, rows.lost_relations)
    _write(db, _PUT_RELATIONS, rows.put_relations)
    _write(db, _PUT_FOLLOWERS, rows.won_followers)
    write_members_txn(db, rows.lost_places, rows.won_places)
    counters = [(of.mid, of.following, of.whisper, of.black, of.follower) for of in standings]
    _write(db, _PUT_COUNTERS, sorted(counters))
    return {mid for relation in changed for mid in relation.key} | {of.mid for of in standings}


def write_members_txn(db: apsw.Connection, lost: Sequence[Place], won: Sequence[Place]) -> None:
    """Take accounts out of groups, and put them into others."""
    _write(db, _REMOVE_GROUPED, lost)
    _write(db, _PUT_GROUPED, won)


def _relation(owner: int, row: Sequence[Any]) -> Relation:
    """The group ids come last, joined by commas, or null."""
    *columns, groups = row
    return read_relation(owner, columns, map(int, groups.split(",")) if groups else ())


def _json(rows: Sequence[tuple[int, ...]]) -> str:
    return msgspec.json.encode(rows).decode()


def _read(db: apsw.Connection, statement: str, wanted: Any) -> list[list[Any]]:
    row = db.execute(statement, (wanted,)).fetchone()
    return [] if row is None else _decode_rows(row[0])


def _write(db: apsw.Connection, statement: str, rows: Sequence[tuple[int, ...]]) -> None:
    if rows:
        db.execute(statement, (_json(rows),))
