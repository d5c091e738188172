"""Writing accounts, inside a transaction of the caller.

Each statement costs a busy server more than the row that it writes: the thread that writes waits after each of them
until the event loop lets go of the interpreter. So they are few.
"""

from array import array
from collections.abc import Collection, Sequence
from importlib.resources import files
from typing import NamedTuple

import apsw
from msgspec.structs import astuple, replace

from upspace.model import AccountState, CounterMode, Profile
from upspace.store.interface import AccountDeletedError, Decide
from upspace.store.rows import read_profile
from upspace.store.sqlite import relations
from upspace.store.sqlite.changes import note_changes_txn
from upspace.store.sqlite.connection import PACKAGE

_VIEW = files(PACKAGE).joinpath("profile.sql").read_text(encoding="utf-8")
_COLUMNS = (
    "mid, name, sex, face, face_nft, sign, rank, level, coins, birthday, is_senior_member, nft_icon, official, vip,"
    " decorations, state, hides_followings, hides_followers, hides_birthday, counter_mode, following, whisper, black,"
    " follower, archive_view, article_view, likes, archive_count, article_count"
)
_PUT_PROFILE = f"insert into profile ({_COLUMNS}) values ({', '.join('?' * len(_COLUMNS.split(',')))})"  # noqa: S608  # names of ours

_RECOUNT = """
update standing set
    following = (select count(*) from relation where owner = standing.mid and attribute = 2),
    whisper = (select count(*) from relation where owner = standing.mid and attribute = 1),
    black = (select count(*) from relation where owner = standing.mid and attribute = 128),
    follower = (select count(*) from follower where owner = standing.mid)
where mid in (MIDS) and counter_mode = 0 and state <> 2
"""


class Rule(NamedTuple):
    """What one account shall be; see `Store.change_account`."""

    mid: int
    decide: Decide


def add_profile_view(db: apsw.Connection) -> None:
    """Let a connection that writes take an account by one statement: `put_profile_txn` needs it."""
    db.execute(_VIEW)


def put_profile_txn(db: apsw.Connection, profile: Profile) -> None:
    """Write all that is stored of an account, but for its counters if they are derived and have been before.

    That it is deleted has been looked up before.
    """
    _, *standing = astuple(profile.standing)
    db.execute(_PUT_PROFILE, (*astuple(profile.account), *standing, *astuple(profile.upstat)))


def recount_statement(mids: str) -> str:
    """The statement that counts the relations and followers of those of `mids` whose counters are derived.

    `mids` is what stands between the brackets of an `in`.
    """
    return _RECOUNT.replace("MIDS", mids)


_RECOUNT_ONE = recount_statement("?") + " returning following, whisper, black, follower"


def change_txn(db: apsw.Connection, rules: Sequence[Rule]) -> list[Profile | Exception]:
    """The accounts as their rules have them, each on what those before it left, or what a rule raised."""
    outcomes: list[Profile | Exception] = []
    while len(outcomes) < len(rules):
        outcomes += _change_some_txn(db, _of_different_accounts(rules[len(outcomes) :]))
    return outcomes


def _of_different_accounts(rules: Sequence[Rule]) -> Sequence[Rule]:
    """The first of the rules, up to one for an account that has come before."""
    seen: set[int] = set()
    for number, rule in enumerate(rules):
        if rule.mid in seen:
            return rules[:number]
        seen.add(rule.mid)
    return rules


def _change_some_txn(db: apsw.Connection, rules: Sequence[Rule]) -> list[Profile | Exception]:
    known, deleted = _read_txn(db, [rule.mid for rule in rules])
    outcomes: list[Profile | Exception] = []
    for rule in rules:
        try:
            outcomes.append(_changed(rule, known.get(rule.mid), deleted))
        except Exception as error:
            outcomes.append(error)
    written = []
    for number, changed in enumerate(outcomes):
        if isinstance(changed, Profile):
            put_profile_txn(db, changed)
            written.append(changed.account.mid)
            if _is_derived(changed) and not _is_derived(known.get(changed.account.mid)):
                following, whisper, black, follower = db.execute(_RECOUNT_ONE, (changed.account.mid,)).get
                counted = replace(
                    changed.standing, following=following, whisper=whisper, black=black, follower=follower
                )
                outcomes[number] = replace(changed, standing=counted)
    note_changes_txn(db, written)
    return outcomes


def _changed(rule: Rule, known: Profile | None, deleted: Collection[int]) -> Profile:
    """What is written. Counters that are derived already stay as they are.

    Recounting an account with millions of followers for each change of its name would hold up every other write.
    """
    changed = rule.decide(known)
    if changed.account.mid != rule.mid:
        raise ValueError(f"the rule for account {rule.mid} made another account")
    check_deletion(changed, deleted)
    if known is not None and _is_derived(known) and _is_derived(changed):
        was = known.standing
        kept = replace(
            changed.standing,
            following=was.following,
            whisper=was.whisper,
            black=was.black,
            follower=was.follower,
        )
        return replace(changed, standing=kept)
    return changed


def check_deletion(profile: Profile, deleted: Collection[int]) -> None:
    """Raise AccountDeletedError if the account is one of the `deleted`, or would become one by being written."""
    mid = profile.account.mid
    if profile.standing.state is AccountState.DELETED:
        raise AccountDeletedError(f"account {mid}: only a deletion makes an account deleted")
    if mid in deleted:
        raise AccountDeletedError(f"account {mid} is deleted, which is final")


def _is_derived(profile: Profile | None) -> bool:
    return profile is not None and profile.standing.counter_mode is CounterMode.DERIVED


def _read_txn(db: apsw.Connection, mids: Sequence[int]) -> tuple[dict[int, Profile], set[int]]:
    """The accounts that are there, and those that have been deleted."""
    known: dict[int, Profile] = {}
    deleted: set[int] = set()
    for is_deleted, mid, *row in db.execute(relations.QUERIES["profiles"], (apsw.carray(array("q", mids)),)):
        if is_deleted:
            deleted.add(mid)
        elif row[0] is not None:
            known[mid] = read_profile(row)
    return known, deleted
