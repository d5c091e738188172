"""Writing accounts, inside a transaction of the caller.

Each statement costs a busy server more than the row that it writes: the thread that writes waits after each of them
until the event loop lets go of the interpreter. So they are few.
"""

from collections.abc import Iterable, Sequence
from importlib.resources import files

import apsw
from msgspec import Struct
from msgspec.structs import astuple, replace

from upspace.model import CounterMode, Profile, Upstat
from upspace.store.accounts import decided, looks_new
from upspace.store.interface import Decide
from upspace.store.rows import ACCOUNT_WIDTH, STANDING_WIDTH, read_profile, with_counters
from upspace.store.sqlite import relations
from upspace.store.sqlite.changes import note_changes_txn
from upspace.store.sqlite.connection import PACKAGE, array_of
from upspace.store.sqlite.reading import Row

_VIEW = files(PACKAGE).joinpath("profile.sql").read_text(encoding="utf-8")
_WIDTH = ACCOUNT_WIDTH + STANDING_WIDTH - 1 + len(Upstat.__struct_fields__)
_PUT_PROFILE = f"insert into profile values ({', '.join('?' * _WIDTH)})"  # noqa: S608  # only marks

_RECOUNT = """
update standing set
    following = (select count(*) from relation where owner = standing.mid and attribute = 2),
    whisper = (select count(*) from relation where owner = standing.mid and attribute = 1),
    black = (select count(*) from relation where owner = standing.mid and attribute = 128),
    follower = (select count(*) from follower where owner = standing.mid)
where mid in (MIDS) and counter_mode = 0 and state <> 2
"""


class AccountJob(Struct, frozen=True):
    """Change an account; gives it as it then stands. See `Store.change_account`."""

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


def change_txn(db: apsw.Connection, jobs: Sequence[AccountJob]) -> list[Profile | Exception]:
    """The accounts as their rules have them, each on what those before it left, or what a rule raised."""
    outcomes: list[Profile | Exception] = []
    while len(outcomes) < len(jobs):
        outcomes += _change_some_txn(db, _of_different_accounts(jobs[len(outcomes) :]))
    return outcomes


def _of_different_accounts(jobs: Sequence[AccountJob]) -> Sequence[AccountJob]:
    """The first of the jobs, up to one for an account that has come before."""
    seen: set[int] = set()
    for number, job in enumerate(jobs):
        if job.mid in seen:
            return jobs[:number]
        seen.add(job.mid)
    return jobs


def _change_some_txn(db: apsw.Connection, jobs: Sequence[AccountJob]) -> list[Profile | Exception]:
    known, deleted = profiles_of(db.execute(relations.QUERIES["profiles"], (array_of(job.mid for job in jobs),)))
    changed: list[Profile | Exception] = []
    for job in jobs:
        try:
            changed.append(decided(job.mid, job.decide, known.get(job.mid), is_deleted=job.mid in deleted))
        except Exception as error:
            changed.append(error)
    outcomes = [
        _put_counted_txn(db, known.get(of.account.mid), of) if isinstance(of, Profile) else of for of in changed
    ]
    written = [of for of in outcomes if isinstance(of, Profile)]
    note_changes_txn(db, [of.account.mid for of in written if looks_new(of, known.get(of.account.mid))])
    return outcomes


def _put_counted_txn(db: apsw.Connection, known: Profile | None, changed: Profile) -> Profile:
    """Write an account; as it then stands. Counters that are derived already stay as they are.

    Recounting an account with millions of followers for each change of its name would hold up every other write.
    """
    put_profile_txn(db, changed)
    if changed.standing.counter_mode is not CounterMode.DERIVED:
        return changed
    if known is not None and known.standing.counter_mode is CounterMode.DERIVED:
        was = known.standing
        counters = was.following, was.whisper, was.black, was.follower
    else:
        counters = db.execute(_RECOUNT_ONE, (changed.account.mid,)).get
    return replace(changed, standing=with_counters(changed.standing, counters))


def profiles_of(rows: Iterable[Row]) -> tuple[dict[int, Profile], set[int]]:
    """What the query `profiles` returns: the accounts that are there, and those that have been deleted."""
    known: dict[int, Profile] = {}
    deleted: set[int] = set()
    for is_deleted, mid, *row in rows:
        if is_deleted:
            deleted.add(mid)
        elif row[0] is not None:
            known[mid] = read_profile(row)
    return known, deleted
