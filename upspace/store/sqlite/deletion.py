"""Deleting an account with every effect of contract 5.2, inside a transaction of the caller."""

import apsw

from upspace.store.sqlite.changes import CHANGES_NAMED, note_changes_txn, note_owners_txn

# Whose lists and counters change. Those who follow it list it as they did.
_FOLLOWED = "select other from relation where owner = ? and attribute = 2 limit ?"

# Each counter of the others may be smaller than what is stored, in mode reported; none goes below zero.
_LEAVE_OTHERS = """
update standing set follower = max(0, follower - 1)
where state <> 2 and mid in (select other from relation where owner = :mid and attribute = 2);

update relation set mutual = 0
where other = :mid and mutual = 1
    and owner in (select other from relation where owner = :mid and attribute = 2);

delete from follower where (owner, mtime, other) in (
    select other, mtime, owner from relation where owner = :mid and attribute = 2);
"""

_REMOVE = """
delete from relation where owner = :mid;
delete from follower where owner = :mid;
delete from grouped where owner = :mid;
delete from own_group where owner = :mid;
delete from account where mid = :mid;
delete from upstat where mid = :mid;
update token set revoked = :now where mid = :mid and revoked is null;

update standing set
    state = 2, hides_followings = 0, hides_followers = 0, hides_birthday = 0, counter_mode = 0,
    following = 0, whisper = 0, black = 0, follower = 0
where mid = :mid;
"""


def delete_txn(db: apsw.Connection, mid: int, now: int) -> bool:
    """Delete the account; False if it is unknown or deleted already.

    The relations of others to it stay as their own rows and go on counting for them; what it would list
    itself is gone, and so is everything that people saw of it.
    """
    if db.execute("select 1 from standing where mid = ? and state <> 2", (mid,)).fetchone() is None:
        return False
    # One more than can be named stands for all.
    followed = [other for (other,) in db.execute(_FOLLOWED, (mid, CHANGES_NAMED))]
    db.execute(_LEAVE_OTHERS + _REMOVE, {"mid": mid, "now": now})
    note_changes_txn(db, (mid,))
    note_owners_txn(db, [mid, *followed])
    return True
