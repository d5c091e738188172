"""The numbered logs of what was written, which caches ask for what is news: one of accounts, one of commits."""

from collections.abc import Collection, Sequence

import apsw
import msgspec

from upspace.store.sqlite.connection import array_of

CHANGES_NAMED = 1_000
"""Beyond this many accounts a write says "all accounts have changed" instead of naming each."""

# A reader that was away for longer sees the gap and forgets all it has cached.
_CHANGES_KEPT = 100_000


def note_changes_txn(db: apsw.Connection, mids: Sequence[int]) -> None:
    """Number the accounts written; 0 stands for all."""
    named = mids if len(mids) < CHANGES_NAMED else (0,)
    if named:
        db.execute("insert into account_change (mid) select value from carray(?)", (array_of(named),))
        db.execute("delete from account_change where number <= ?", (db.last_insert_rowid() - _CHANGES_KEPT,))


def note_owners_txn(db: apsw.Connection, owners: Collection[int] | None) -> None:
    """Number a commit, and name the accounts whose rows it writes, whatever they say; None stands for all.

    Those of a relation belong to both of its accounts. Groups and tokens, which nobody else sees, do not count.
    """
    if owners is not None and len(owners) > CHANGES_NAMED:
        owners = None
    text = None if owners is None else msgspec.json.encode(list(owners)).decode()
    db.execute("insert into owner_change (owners) values (?)", (text,))
