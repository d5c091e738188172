"""Writing accounts and relations in sets, inside a transaction of the caller."""

from collections.abc import Iterable, Mapping
from itertools import chain, islice

import apsw

from upspace.model import CounterMode, Profile, Relation
from upspace.store.accounts import check_deletion
from upspace.store.interface import AccountDeletedError, StoreError, UnknownAccountsError
from upspace.store.sqlite.accounts import put_profile_txn, recount_statement
from upspace.store.sqlite.changes import CHANGES_NAMED, note_changes_txn, note_owners_txn
from upspace.store.sqlite.connection import array_of
from upspace.wire.codes import ATTRIBUTE_FOLLOWING, ATTRIBUTE_MUTUAL

# So many accounts are held in memory.
_CHUNK = 1_000

_DELETED = "select mid from carray(?) as wanted cross join standing on standing.mid = wanted.value and state = 2"

# Counters that are derived already stay right: recounting an account with millions of followers for each change of its
# name would hold up every other write.
_TOUCH_UNCOUNTED = """
insert or ignore into touched
    select :mid where not exists (select 1 from standing where mid = :mid and counter_mode = 0 and state <> 2)
"""

_SCRATCH = """
create temp table if not exists touched (mid integer primary key);
create temp table if not exists incoming (
    owner integer, other integer, attribute integer, mtime integer, re_src integer
);
create temp table if not exists incoming_group (owner integer, other integer, group_id integer);
delete from touched; delete from incoming; delete from incoming_group;
"""

_CLEAR_SCRATCH = "drop table temp.touched; drop table temp.incoming; drop table temp.incoming_group"

_MERGE_RELATIONS = """
insert or ignore into touched select owner from incoming;
insert or ignore into touched select other from incoming;

delete from follower where (owner, mtime, other) in (
    select relation.other, relation.mtime, relation.owner
    from incoming join relation using (owner, other) where relation.attribute = 2);
delete from grouped where (owner, other) in (select owner, other from incoming);

insert or replace into relation (owner, other, attribute, mtime, re_src)
    select owner, other, attribute, mtime, re_src from incoming order by owner, other, rowid;
insert or replace into grouped (owner, other, group_id)
    select owner, other, group_id from incoming_group order by owner, other;
insert or ignore into follower (owner, mtime, other)
    select relation.other, relation.mtime, relation.owner
    from incoming join relation using (owner, other) join standing on standing.mid = relation.other
    where relation.attribute = 2 and standing.state <> 2
    order by relation.other, relation.mtime, relation.owner;

update relation set mutual = relation.attribute = 2 and exists (
    select 1 from relation as back
    where back.owner = relation.other and back.other = relation.owner and back.attribute = 2)
from incoming where relation.owner = incoming.owner and relation.other = incoming.other;
update relation set mutual = relation.attribute = 2 and exists (
    select 1 from relation as back
    where back.owner = relation.other and back.other = relation.owner and back.attribute = 2)
from incoming where relation.owner = incoming.other and relation.other = incoming.owner;
"""

_RECOUNT = recount_statement("select mid from touched")


def write_txn(
    db: apsw.Connection, profiles: Iterable[Profile], relations: Iterable[Relation], marks: Mapping[str, str]
) -> None:
    """Write accounts and relations, and bring mutual states and derived counters in step with them.

    Raises UnknownAccountsError, AccountDeletedError or StoreError; the caller rolls back.
    """
    db.execute(_SCRATCH)
    _put_profiles_txn(db, profiles)
    _put_relations_txn(db, relations)
    db.execute(_RECOUNT)
    for name, value in marks.items():
        db.execute("insert or replace into mark values (?, ?)", (name, value))
    db.execute(_CLEAR_SCRATCH)
    note_owners_txn(db, None)


def _put_profiles_txn(db: apsw.Connection, profiles: Iterable[Profile]) -> None:
    mids: list[int] = []
    profiles = iter(profiles)
    while chunk := list(islice(profiles, _CHUNK)):
        deleted = _deleted_txn(db, chunk)
        for profile in chunk:
            check_deletion(profile, is_deleted=profile.account.mid in deleted)
            if profile.standing.counter_mode is CounterMode.DERIVED:
                db.execute(_TOUCH_UNCOUNTED, {"mid": profile.account.mid})
            put_profile_txn(db, profile)
        mids += [profile.account.mid for profile in chunk[: CHANGES_NAMED - len(mids)]]
    note_changes_txn(db, mids)


def _deleted_txn(db: apsw.Connection, profiles: Iterable[Profile]) -> set[int]:
    mids = array_of(profile.account.mid for profile in profiles)
    return {mid for (mid,) in db.execute(_DELETED, (mids,))}


def _put_relations_txn(db: apsw.Connection, relations: Iterable[Relation]) -> None:
    relations = iter(relations)
    first = next(relations, None)
    if first is None:
        return
    groups: dict[tuple[int, int], tuple[int, ...]] = {}

    def rows() -> Iterable[tuple[int, int, int, int, int]]:
        for relation in chain((first,), relations):
            attribute = relation.attribute
            if attribute == ATTRIBUTE_MUTUAL:
                attribute = ATTRIBUTE_FOLLOWING
            pair = relation.owner, relation.other
            # Of a pair given twice the last counts, groups included.
            if relation.groups or pair in groups:
                groups[pair] = relation.groups
            yield relation.owner, relation.other, attribute, relation.mtime, relation.re_src

    db.executemany("insert into incoming values (?, ?, ?, ?, ?)", rows())
    members = ((owner, other, group) for (owner, other), ids in groups.items() for group in ids)
    db.executemany("insert into incoming_group values (?, ?, ?)", members)
    _check_relations_txn(db)
    db.execute(_MERGE_RELATIONS)


def _check_relations_txn(db: apsw.Connection) -> None:
    strange = db.execute("select attribute from incoming where attribute not in (1, 2, 128) limit 1").fetchone()
    if strange is not None:
        raise StoreError(f"there is no relation with attribute {strange[0]}")
    selves = db.execute("select owner from incoming where owner = other limit 1").fetchone()
    if selves is not None:
        raise StoreError(f"account {selves[0]} cannot be related to itself")
    deleted = db.execute(
        "select owner from incoming join standing on standing.mid = owner where standing.state = 2 limit 1"
    ).fetchone()
    if deleted is not None:
        raise AccountDeletedError(f"account {deleted[0]} is deleted, which is final")
    unknown = db.execute(
        "select mid from (select owner as mid from incoming union select other from incoming)"
        " where mid not in (select mid from standing) order by mid limit 5"
    ).fetchall()
    if unknown:
        raise UnknownAccountsError("relations name unknown accounts: " + ", ".join(str(mid) for (mid,) in unknown))
