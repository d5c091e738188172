"""Writing groups and their members, inside a transaction of the caller."""

from collections.abc import Sequence

from upspace.model import AccountState, Group, Membership
from upspace.store.difference import Place
from upspace.store.interface import AccountDeletedError, DecideGroups, DecideMembers
from upspace.store.postgres.connection import Connection
from upspace.store.postgres.relations import (
    QUERIES,
    mark_written_txn,
    read_relations_txn,
    write_members_txn,
)
from upspace.store.rows import read_standing


async def create_txn(db: Connection, owner: int, decide: DecideGroups) -> int:
    """Add a group; its id."""
    name = decide(await _groups_txn(db, owner))
    group_id: int = await db.fetchval(QUERIES["next_group_id"])
    await db.execute(QUERIES["put_group"], owner, group_id, name)
    await mark_written_txn(db, (owner,))
    return group_id


async def rename_txn(db: Connection, owner: int, group_id: int, decide: DecideGroups) -> None:
    """Give a group another name."""
    name = decide(await _groups_txn(db, owner))
    await db.execute(QUERIES["rename_group"], owner, group_id, name)
    await mark_written_txn(db, (owner,))


async def delete_txn(db: Connection, owner: int, group_id: int) -> bool:
    """Remove a group with its members' places; False if the owner has none of that id."""
    if all(group.id != group_id for group in await _groups_txn(db, owner)):
        return False
    await db.execute(QUERIES["remove_group"], owner, group_id)
    await db.execute(QUERIES["remove_members"], owner, group_id)
    await mark_written_txn(db, (owner,))
    return True


async def change_members_txn(db: Connection, owner: int, others: Sequence[int], decide: DecideMembers) -> None:
    """Put accounts into groups and take them out."""
    groups = await _groups_txn(db, owner)
    found = await read_relations_txn(db, {(owner, other) for other in others})
    relations = {other: relation for (_, other), relation in found.items()}
    removed: list[Place] = []
    added: list[Place] = []
    for other, ids in decide(Membership(tuple(groups), relations)).items():
        had = set(relations[other].groups)
        removed += [(owner, other, group_id) for group_id in had.difference(ids)]
        added += [(owner, other, group_id) for group_id in set(ids).difference(had)]
    await write_members_txn(db, removed, added)
    await mark_written_txn(db, (owner,))


async def _groups_txn(db: Connection, owner: int) -> list[Group]:
    """The own groups of an account that is still there. Its row is held, so nobody else changes them meanwhile."""
    row = await db.fetchrow(QUERIES["lock_standing"], owner)
    if row is None or read_standing(row).state is AccountState.DELETED:
        raise AccountDeletedError(f"account {owner} is deleted, which is final")
    return [Group(*row) for row in await db.fetch(QUERIES["groups"], owner)]
