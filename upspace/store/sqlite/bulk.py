"""Writing accounts and relations in sets, inside a transaction of the caller."""

from collections.abc import Iterable, Mapping
from itertools import chain

import apsw

from upspace.model import AccountState, CounterMode, Profile, Relation
from upspace.store.interface import AccountDeletedError, StoreError, UnknownAccountsError
from upspace.wire.codes import ATTRIBUTE_FOLLOWING, ATTRIBUTE_MUTUAL

# Beyond this many accounts a load says "all accounts have changed" instead of naming each.
CHANGES_NAMED = 1_000

_PUT_ACCOUNT = "insert or replace into account values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

_PUT_STANDING = """
insert into standing values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (mid) do update set
    state = excluded.state, hides_followings = excluded.hides_followings,
    hides_followers = excluded.hides_followers, hides_birthday = excluded.hides_birthday,
    following = iif(max(standing.counter_mode, excluded.counter_mode), excluded.following, standing.following),
    whisper = iif(max(standing.counter_mode, excluded.counter_mode), excluded.whisper, standing.whisper),
    black = iif(max(standing.counter_mode, excluded.counter_mode), excluded.black, standing.black),
    follower = iif(max(standing.counter_mode, excluded.counter_mode), excluded.follower, standing.follower),
    counter_mode = excluded.counter_mode
where standing.state <> 2
"""

# Counters that are derived already stay right: recounting an account with millions of followers for each change of its
# name would hold up every other write.
_TOUCH_UNCOUNTED = """
insert or ignore into touched
    select :mid where not exists (select 1 from standing where mid = :mid and counter_mode = 0 and state <> 2)
"""

_PUT_UPSTAT = "insert or replace into upstat values (?, ?, ?, ?, ?, ?)"

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

_RECOUNT = """
update standing set
    following = (select count(*) from relation where owner = standing.mid and attribute = 2),
    whisper = (select count(*) from relation where owner = standing.mid and attribute = 1),
    black = (select count(*) from relation where owner = standing.mid and attribute = 128),
    follower = (select count(*) from follower where owner = standing.mid)
where mid in (select mid from touched) and counter_mode = 0 and state <> 2
"""


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


def _put_profiles_txn(db: apsw.Connection, profiles: Iterable[Profile]) -> None:
    mids: list[int] = []
    for profile in profiles:
        account, standing, upstat = profile.account, profile.standing, profile.upstat
        mid = account.mid
        if standing.state is AccountState.DELETED:
            raise AccountDeletedError(f"account {mid}: only a deletion makes an account deleted")
        if standing.counter_mode is CounterMode.DERIVED:
            db.execute(_TOUCH_UNCOUNTED, {"mid": mid})
        db.execute(
            _PUT_STANDING,
            (
                mid,
                standing.state,
                standing.hides_followings,
                standing.hides_followers,
                standing.hides_birthday,
                standing.counter_mode,
                standing.following,
                standing.whisper,
                standing.black,
                standing.follower,
            ),
        )
        if db.changes() == 0:
            raise AccountDeletedError(f"account {mid} is deleted, which is final")
        db.execute(
            _PUT_ACCOUNT,
            (
                mid,
                account.name,
                account.sex,
                account.face,
                account.face_nft,
                account.sign,
                account.rank,
                account.level,
                account.coins,
                account.birthday,
                account.is_senior_member,
                account.nft_icon,
                account.official,
                account.vip,
                account.decorations,
            ),
        )
        db.execute(
            _PUT_UPSTAT,
            (mid, upstat.archive_view, upstat.article_view, upstat.likes, upstat.archive_count, upstat.article_count),
        )
        if len(mids) < CHANGES_NAMED:
            mids.append(mid)
    named = mids if len(mids) < CHANGES_NAMED else [0]
    db.executemany("insert into account_change (mid) values (?)", ((mid,) for mid in named))


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
