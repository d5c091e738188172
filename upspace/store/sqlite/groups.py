"""Writing groups and their members, inside a transaction of the caller."""

from collections.abc import Sequence

import apsw

from upspace.model import AccountState, Group, Membership
from upspace.store.difference import Place
from upspace.store.interface import AccountDeletedError, DecideGroups, DecideMembers
from upspace.store.sqlite.connection import array_of
from upspace.store.sqlite.relations import QUERIES, relations_of, write_members_txn


def create_txn(db: apsw.Connection, owner: int, decide: DecideGroups) -> int:
    """Add a group; its id."""
    name = decide(_groups_txn(db, owner))
    db.execute("insert into own_group (owner, name) values (?, ?)", (owner, name))
    return db.last_insert_rowid()


def rename_txn(db: apsw.Connection, owner: int, group_id: int, decide: DecideGroups) -> None:
    """Give a group another name."""
    name = decide(_groups_txn(db, owner))
    db.execute("update own_group set name = ? where id = ? and owner = ?", (name, group_id, owner))


def delete_txn(db: apsw.Connection, owner: int, group_id: int) -> bool:
    """Remove a group with its members' places; False if the owner has none of that id."""
    if all(group.id != group_id for group in _groups_txn(db, owner)):
        return False
    db.execute("delete from own_group where id = ? and owner = ?", (group_id, owner))
    db.execute("delete from grouped where owner = ? and group_id = ?", (owner, group_id))
    return True


def change_members_txn(db: apsw.Connection, owner: int, others: Sequence[int], decide: DecideMembers) -> None:
    """Put accounts into groups and take them out."""
    rows = db.execute(QUERIES["relations"], (array_of(others), owner)) if others else ()
    relations = relations_of(owner, rows)
    removed: list[Place] = []
    added: list[Place] = []
    for other, groups in decide(Membership(tuple(_groups_txn(db, owner)), relations)).items():
        had = set(relations[other].groups)
        removed += [(owner, other, group_id) for group_id in had.difference(groups)]
        added += [(owner, other, group_id) for group_id in set(groups).difference(had)]
    write_members_txn(db, removed, added)


def _groups_txn(db: apsw.Connection, owner: int) -> list[Group]:
    """The own groups of an account that is still there."""
    row = db.execute("select state from standing where mid = ?", (owner,)).fetchone()
    if row is None or row[0] == AccountState.DELETED:
        raise AccountDeletedError(f"account {owner} is deleted, which is final")
    return [Group(*found) for found in db.execute(QUERIES["groups"], (owner,))]
