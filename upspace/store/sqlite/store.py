"""The SQLite store. Reads run in the caller's thread: one takes microseconds, a hop to a thread more."""

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import apsw
import msgspec

from upspace.model import (
    Account,
    AccountState,
    CounterMode,
    Listed,
    Page,
    Profile,
    Relation,
    Standing,
    Token,
    Upstat,
    Viewer,
    Window,
)
from upspace.store.interface import Decide, StoreUnavailableError, UnknownAccountsError
from upspace.store.queries import read_queries
from upspace.store.sqlite import bulk, deletion
from upspace.store.sqlite.connection import (
    MEMORY,
    PACKAGE,
    connect,
    connect_existing,
    migrate,
    translate,
    translated,
)
from upspace.wire.codes import ATTRIBUTE_MUTUAL

T = TypeVar("T")
Row = tuple[Any, ...]

_decode_accounts = msgspec.json.Decoder(list[Account]).decode
_decode_columns = msgspec.json.Decoder(tuple[list[int], list[int]]).decode
_STATES = tuple(AccountState)
_MODES = tuple(CounterMode)
_ACCOUNT_COLUMNS = len(Account.__struct_fields__)
_STANDING_COLUMNS = len(Standing.__struct_fields__)
_CHANGES_KEPT = 100_000

_REVOKE_OF = """
update token set revoked = :now
where mid = :mid and revoked is null and coalesce(expires > :now, true)
"""
_REVOKE_BY_PREFIX = """
update token set revoked = :now
where substr(hex(digest), 1, length(:prefix)) = :prefix and revoked is null and coalesce(expires > :now, true)
"""


def _standing(row: Row) -> Standing:
    mid, state, followings, followers, birthday, mode, following, whisper, black, follower = row
    return Standing(
        mid,
        _STATES[state],
        followings == 1,
        followers == 1,
        birthday == 1,
        _MODES[mode],
        following,
        whisper,
        black,
        follower,
    )


def _profile(row: Row) -> Profile:
    rest = row[_ACCOUNT_COLUMNS:]
    totals = rest[_STANDING_COLUMNS:]
    return Profile(
        Account(*row[:_ACCOUNT_COLUMNS]),
        _standing(rest[:_STANDING_COLUMNS]),
        Upstat() if totals[0] is None else Upstat(*totals),
    )


class SqliteStore:
    """Store over one SQLite file, or over a database in memory that is gone when it is closed."""

    def __init__(self, url: str, reader: apsw.Connection, writer: apsw.Connection | None) -> None:
        self.url = url
        self._reader = reader
        self._writer = writer
        self._queries = read_queries(PACKAGE)

    @classmethod
    def open(cls, url: str) -> Self:
        """The store at `url`; raises as `upspace.store.open_store`."""
        if url == MEMORY:
            memory = connect(None, writable=True)
            migrate(memory, url)
            return cls(url, memory, memory)
        return cls(url, connect_existing(url, writable=False), None)

    async def close(self) -> None:
        self._reader.close()
        if self._writer is not None:
            self._writer.close()

    async def account(self, mid: int) -> tuple[Account, Standing] | None:
        row = self._row("account", (mid,))
        return None if row is None else (Account(*row[:_ACCOUNT_COLUMNS]), _standing(row[_ACCOUNT_COLUMNS:]))

    async def profile(self, mid: int) -> Profile | None:
        row = self._row("profile", (mid,))
        return None if row is None else _profile(row)

    async def accounts(self, mids: Collection[int]) -> dict[int, Account]:
        if not mids:
            return {}
        row = self._row("accounts", (_array(mids),))
        return {} if row is None else {account.mid: account for account in _decode_accounts(row[0])}

    async def standing(self, mid: int) -> Standing | None:
        row = self._row("standing", (mid,))
        return None if row is None else _standing(row)

    async def upstat(self, mid: int) -> Upstat | None:
        row = self._row("upstat", (mid,))
        return None if row is None else Upstat(*row)

    async def changed_accounts(self, since: int) -> tuple[int, Sequence[int] | None]:
        rows = self._rows("changed_accounts", (since, bulk.CHANGES_NAMED))
        if not rows:
            return since, ()
        mids = [mid for _, mid in rows]
        # Rows are numbered without gaps; a first one that does not follow `since` says that some were pruned.
        if rows[0][0] == since + 1 and len(rows) < bulk.CHANGES_NAMED and 0 not in mids:
            return rows[-1][0], mids
        newest = self._row("newest_change", ())
        return (newest[0] if newest else since), None

    async def followers(self, vmid: int, window: Window) -> Page:
        if window.after is not None:
            return self._page("followers_after", vmid, window, mtime=window.after.mtime, mid=window.after.mid)
        return self._page("followers_asc" if window.ascending else "followers_desc", vmid, window)

    async def followings(self, vmid: int, window: Window, special_first: bool = False) -> Page:
        name = "followings_special_" if special_first else "followings_"
        return self._page(name + ("asc" if window.ascending else "desc"), vmid, window)

    async def followers_rank(self, vmid: int, row: Listed, limit: int) -> int:
        found = self._row("followers_rank", (vmid, row.mtime, row.mid, limit))
        return found[0] if found else 0

    async def relations(self, owner: int, others: Collection[int]) -> dict[int, Relation]:
        if not others:
            return {}
        relations = {}
        for other, attribute, mutual, mtime, re_src, groups in self._rows("relations", (_array(others), owner)):
            relations[other] = Relation(
                owner,
                other,
                ATTRIBUTE_MUTUAL if mutual else attribute,
                mtime,
                tuple(sorted(map(int, groups.split(",")))) if groups else (),
                re_src,
            )
        return relations

    async def viewer(self, digest: bytes, now: int) -> Viewer | None:
        row = self._row("viewer", (digest, now))
        return None if row is None else Viewer(row[0], _STATES[row[1]])

    async def tokens(self, mid: int | None = None) -> list[Token]:
        rows = self._rows("tokens", ()) if mid is None else self._rows("tokens_of", (mid,))
        return [Token(*row) for row in rows]

    async def mark(self, name: str) -> str | None:
        row = self._row("mark", (name,))
        return None if row is None else str(row[0])

    async def put_token(self, token: Token) -> None:
        def put_txn(db: apsw.Connection) -> None:
            known = db.execute("select 1 from standing where mid = ? and state <> 2", (token.mid,)).fetchone()
            if known is None:
                raise UnknownAccountsError(f"there is no account {token.mid}")
            db.execute(
                "insert into token (digest, mid, issued, expires, revoked, note) values (?, ?, ?, ?, ?, ?)",
                (token.digest, token.mid, token.issued, token.expires, token.revoked, token.note),
            )

        self._transaction(put_txn)

    async def revoke_tokens(self, now: int, *, mid: int | None = None, digest_prefix: str = "") -> int:
        if mid is None and not digest_prefix:
            raise ValueError("whose tokens, or which?")

        def revoke_txn(db: apsw.Connection) -> int:
            if mid is not None:
                db.execute(_REVOKE_OF, {"now": now, "mid": mid})
            else:
                db.execute(_REVOKE_BY_PREFIX, {"now": now, "prefix": digest_prefix.upper()})
            return db.changes()

        return self._transaction(revoke_txn)

    async def change_account(self, mid: int, decide: Decide) -> Profile:
        def change_txn(db: apsw.Connection) -> Profile:
            bulk.write_txn(db, [decide(self._read_profile_txn(db, mid))], (), {})
            _prune_changes_txn(db)
            written = self._read_profile_txn(db, mid)
            if written is None:
                raise ValueError(f"the rule for account {mid} made another account")
            return written

        return self._transaction(change_txn)

    async def delete_account(self, mid: int, now: int) -> bool:
        def delete_txn(db: apsw.Connection) -> bool:
            deleted = deletion.delete_txn(db, mid, now)
            _prune_changes_txn(db)
            return deleted

        return self._transaction(delete_txn)

    async def load(
        self,
        profiles: Iterable[Profile],
        relations: Iterable[Relation],
        marks: Mapping[str, str] | None = None,
    ) -> None:
        def load_txn(db: apsw.Connection) -> None:
            bulk.write_txn(db, profiles, relations, marks or {})
            _prune_changes_txn(db)

        self._transaction(load_txn)

    def _read_profile_txn(self, db: apsw.Connection, mid: int) -> Profile | None:
        row = db.execute(self._queries["profile"], (mid,)).fetchone()
        return None if row is None else _profile(row)

    def _rows(self, name: str, bindings: Row) -> list[Row]:
        try:
            return self._reader.execute(self._queries[name], bindings).fetchall()
        except apsw.Error as error:
            raise translate(self.url, error) from error

    def _row(self, name: str, bindings: Row | dict[str, int]) -> Row | None:
        try:
            return self._reader.execute(self._queries[name], bindings).fetchone()
        except apsw.Error as error:
            raise translate(self.url, error) from error

    def _page(self, name: str, vmid: int, window: Window, **more: int) -> Page:
        row = self._row(name, {"owner": vmid, "size": window.size, "start": window.start, **more})
        if row is None:
            raise StoreUnavailableError(f"{self.url}: {name} returned nothing")
        mids, mtimes = _decode_columns(row[1])
        return Page(None if row[2] is None else _standing(row[2:]), mids, mtimes, row[0] or 0)

    def _transaction(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run `work` in one transaction; whatever it raises leaves the store as it was."""
        with translated(self.url):
            if self._writer is None:
                self._writer = connect_existing(self.url, writable=True)
            db = self._writer
            db.execute("begin immediate")
            try:
                result = work(db)
                db.execute("commit")
            except BaseException:
                # A failed commit may have rolled back already.
                if db.in_transaction:
                    db.execute("rollback")
                raise
            return result


def _array(mids: Collection[int]) -> Any:
    """What `carray(?)` takes; there is no such thing as an empty one."""
    return apsw.carray(array("q", mids))


def _prune_changes_txn(db: apsw.Connection) -> None:
    """Keep the newest changes only. A reader that was away for longer sees the gap and forgets all it cached."""
    newest = db.execute("select max(number) from account_change").fetchone()
    if newest and newest[0] is not None:
        db.execute("delete from account_change where number <= ?", (newest[0] - _CHANGES_KEPT,))
