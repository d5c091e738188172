"""Writing accounts and relations in sets, inside a transaction of the caller."""

from collections.abc import Iterable, Mapping
from itertools import islice

from msgspec.structs import replace

from upspace.model import AccountState, Profile, Relation, Standing
from upspace.store.accounts import check_deletion
from upspace.store.difference import difference
from upspace.store.interface import AccountDeletedError, StoreError, UnknownAccountsError
from upspace.store.ledger import ChangedRelation, Key, follows
from upspace.store.postgres.accounts import is_deleted, put_profiles_txn, standing_after
from upspace.store.postgres.changes import CHANGES_NAMED, note_changes_txn
from upspace.store.postgres.connection import Connection
from upspace.store.postgres.counting import recount_txn
from upspace.store.postgres.relations import execute, read_relations_txn, standings_txn, write_difference_txn
from upspace.wire.codes import ATTRIBUTE_BLACK, ATTRIBUTE_FOLLOWING, ATTRIBUTE_MUTUAL, ATTRIBUTE_WHISPER

# So many rows go in one statement: enough that round trips do not count, few enough that memory does not.
_CHUNK = 5_000
# The server finds out by itself how much there is, but up to a minute later, and until then plans for fewer rows. It
# must not find out that a table is empty: when that is filled afterwards, its plans go through all rows for each one.
WORTH_ANALYZING = 1_000


async def load_txn(
    db: Connection, profiles: Iterable[Profile], relations: Iterable[Relation], marks: Mapping[str, str]
) -> None:
    """Write accounts and relations, and bring mutual states and derived counters in step with them.

    Raises UnknownAccountsError, AccountDeletedError or StoreError; the caller rolls back. Nobody else writes meanwhile.
    """
    await db.execute("lock table standing in exclusive mode")
    touched: set[int] = set()
    changed: list[int] = []
    accounts_written = relations_written = 0
    profiles = iter(profiles)
    while chunk := list(islice(profiles, _CHUNK)):
        touched |= await _load_profiles_txn(db, chunk)
        accounts_written += len(chunk)
        changed += [profile.account.mid for profile in chunk[: CHANGES_NAMED - len(changed)]]
    relations = iter(relations)
    while rows := list(islice(relations, _CHUNK)):
        touched |= await _put_relations_txn(db, rows)
        relations_written += len(rows)
    await recount_txn(db, touched)
    await execute(db, "put_marks", list(marks.items()))
    if accounts_written >= WORTH_ANALYZING:
        await db.execute("analyze account, standing, upstat")
    if relations_written >= WORTH_ANALYZING:
        await db.execute("analyze relation, follower")
    await note_changes_txn(db, changed)


async def _load_profiles_txn(db: Connection, profiles: Iterable[Profile]) -> set[int]:
    """Write accounts; those whose counters have to be counted."""
    given = {profile.account.mid: profile for profile in profiles}
    known = await standings_txn(db, given)
    uncounted = set()
    written = []
    for mid, profile in given.items():
        check_deletion(profile, is_deleted=is_deleted(known.get(mid)))
        standing, is_counted = standing_after(profile, known.get(mid))
        written.append(replace(profile, standing=standing))
        if not is_counted:
            uncounted.add(mid)
    await put_profiles_txn(db, written)
    return uncounted


async def _put_relations_txn(db: Connection, relations: Iterable[Relation]) -> set[int]:
    """Write relations; the accounts whose counters may have changed."""
    given = {(relation.owner, relation.other): _stored(relation) for relation in relations}
    mids = {mid for key in given for mid in key}
    standings = await standings_txn(db, mids)
    _check(given, standings)
    before = await read_relations_txn(db, {*given, *((other, owner) for owner, other in given)})
    after: dict[Key, Relation | None] = {**before, **given}
    for owner, other in given:
        pair = _with_mutual(after.get((owner, other)), after.get((other, owner)))
        after[owner, other] = pair[0]
        after[other, owner] = pair[1]
    deleted = {mid for mid, standing in standings.items() if standing.state is AccountState.DELETED}
    changed = [ChangedRelation(key, before.get(key), new) for key, new in after.items() if new != before.get(key)]
    rows = difference(changed)
    won = [row for row in rows.won_followers if row[0] not in deleted]
    await write_difference_txn(db, rows._replace(won_followers=won))
    return mids


def _check(given: Mapping[Key, Relation], standings: Mapping[int, Standing]) -> None:
    for (owner, other), relation in given.items():
        if relation.attribute not in (ATTRIBUTE_WHISPER, ATTRIBUTE_FOLLOWING, ATTRIBUTE_BLACK):
            raise StoreError(f"there is no relation with attribute {relation.attribute}")
        if owner == other:
            raise StoreError(f"account {owner} cannot be related to itself")
        standing = standings.get(owner)
        if standing is not None and standing.state is AccountState.DELETED:
            raise AccountDeletedError(f"account {owner} is deleted, which is final")
    unknown = sorted({mid for key in given for mid in key}.difference(standings))
    if unknown:
        raise UnknownAccountsError("relations name unknown accounts: " + ", ".join(map(str, unknown[:5])))


def _stored(relation: Relation) -> Relation:
    """What of a relation is given; whether it is mutual follows from the other side."""
    attribute = ATTRIBUTE_FOLLOWING if relation.attribute == ATTRIBUTE_MUTUAL else relation.attribute
    return replace(relation, attribute=attribute, groups=tuple(sorted(set(relation.groups))))


def _with_mutual(forward: Relation | None, backward: Relation | None) -> tuple[Relation | None, Relation | None]:
    """Both sides of a pair with the attribute that they have together."""
    attribute = ATTRIBUTE_MUTUAL if follows(forward) and follows(backward) else ATTRIBUTE_FOLLOWING
    return _following(forward, attribute), _following(backward, attribute)


def _following(side: Relation | None, attribute: int) -> Relation | None:
    return replace(side, attribute=attribute) if side is not None and follows(side) else side
