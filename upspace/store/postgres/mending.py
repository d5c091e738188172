"""Mending what a check has found, inside a transaction of the caller that holds the accounts and looks again."""

from collections.abc import Collection, Sequence

from upspace.store.disagreements import Disagreement, Key
from upspace.store.postgres.accounts import hold_txn
from upspace.store.postgres.changes import note_changes_txn
from upspace.store.postgres.connection import Connection
from upspace.store.postgres.counting import count_txn
from upspace.store.postgres.facts import STATEMENTS, look_again_txn, standings_txn
from upspace.store.postgres.relations import columns

# The statements that take the keys of what they mend.
_BY_KEY = {
    "totals_missing": "add_totals",
    "totals_of_unknown": "remove_totals",
    "token_of_unknown": "remove_tokens",
    "group_of_unknown": "remove_groups",
    "deleted_standing": "empty_standings",
    "deleted_profile": "remove_profiles",
    "deleted_totals": "remove_totals",
    "deleted_relation": "remove_relations",
    "deleted_follower": "remove_followers",
    "deleted_group": "remove_groups",
    "relation_of_unknown": "remove_relations",
    "relation_to_unknown": "remove_relations",
    "follower_of_unknown": "remove_followers",
    "follower_without_follow": "remove_followers",
    "member_without_relation": "remove_grouped",
    "member_of_unknown_group": "remove_grouped",
}
_CHANGING_ACCOUNTS = frozenset(("deleted_standing", "deleted_profile"))
_REMOVING_RELATIONS = frozenset(("deleted_relation", "relation_of_unknown", "relation_to_unknown"))
_CHANGING_COUNTS = _REMOVING_RELATIONS | {"follow_without_follower", "follower_without_follow", "wrong_counter"}


async def mend_txn(db: Connection, found: Sequence[Disagreement], now: int, *, distributed: bool) -> None:
    """Mend those of one kind that are still wrong."""
    wrong = await hold_and_look_again_txn(db, found, distributed=distributed)
    if not wrong:
        return
    kind = wrong[0].kind.name
    keys = [each.key for each in wrong]
    match kind:
        case "follow_without_follower":
            rows = [(other, each.values["mtime"], owner) for each in wrong for owner, other in (each.key,)]
            await _execute(db, "put_followers", rows)
        case "mutual_missing" | "mutual_wrong":
            await _execute(db, "set_mutual", [(*key, kind == "mutual_missing") for key in keys])
        case "deleted_token":
            await db.execute(STATEMENTS["revoke_tokens"], [mid for (mid,) in keys], now)
        case "wrong_counter":
            pass  # a recount is all there is to do
        case _:
            await _execute(db, _BY_KEY[kind], keys)
    if kind in _REMOVING_RELATIONS:
        await _settle_pairs_txn(db, wrong)
    if kind in _CHANGING_COUNTS:
        await _recount_txn(db, _accounts(wrong))
    if kind in _CHANGING_ACCOUNTS:
        await note_changes_txn(db, [mid for (mid,) in keys])


async def hold_and_look_again_txn(
    db: Connection, found: Sequence[Disagreement], *, distributed: bool
) -> list[Disagreement]:
    """Those that are still wrong, while nobody else writes for their accounts until the end of the transaction."""
    await hold_txn(db, _accounts(found), distributed=distributed)
    return await look_again_txn(db, found)


async def _settle_pairs_txn(db: Connection, removed: Sequence[Disagreement]) -> None:
    """Remove and set what hung on relations that are gone."""
    pairs = [(*each.key, each.values["mtime"]) for each in removed]
    await _execute(db, "remove_followers", [(other, mtime, owner) for owner, other, mtime in pairs])
    await _execute(db, "set_mutual", [(other, owner, False) for owner, other, _ in pairs])
    await _execute(db, "remove_places", [(owner, other) for owner, other, _ in pairs])


async def _recount_txn(db: Connection, mids: Collection[int]) -> None:
    """Count what these accounts have, of those whose counters are derived."""
    derived = {mid: row for mid, row in (await standings_txn(db, mids)).items() if row.is_counted}
    counted = await count_txn(db, sorted(derived))
    rows = [(mid, *counters) for mid, counters in counted.items() if counters != derived[mid].counters]
    await _execute(db, "put_counters", rows)


def _accounts(found: Sequence[Disagreement]) -> set[int]:
    return {each.values[name] for each in found for name in ("mid", "other") if name in each.values}


async def _execute(db: Connection, name: str, rows: Sequence[Key]) -> None:
    if rows:
        await db.execute(STATEMENTS[name], *columns(rows))
