"""The SQLite store. Reads run in the caller's thread: one takes microseconds, a hop to a thread more."""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import apsw
import msgspec

from upspace.model import (
    Account,
    Counters,
    Figures,
    Group,
    Json,
    Listed,
    ListedAccount,
    Listing,
    ListOwner,
    Page,
    Profile,
    Relation,
    SeenAccount,
    Standing,
    Token,
    Upstat,
    Viewer,
    Window,
)
from upspace.store.interface import (
    Decide,
    DecideGroups,
    DecideMembers,
    DecidePair,
    Finding,
    Progress,
    StoreLastsError,
    StoreUnavailableError,
    UnknownAccountsError,
)
from upspace.store.rows import ACCOUNT_WIDTH, STATES, read_standing
from upspace.store.sqlite import bulk, check, deletion, groups, relations
from upspace.store.sqlite.accounts import AccountJob, add_profile_view, profiles_of
from upspace.store.sqlite.changes import CHANGES_NAMED
from upspace.store.sqlite.connection import (
    MEMORY,
    array_of,
    connect,
    connect_existing,
    fold_log,
    migrate,
    transaction,
    translate,
    translated,
)
from upspace.store.sqlite.reading import Bindings, Row, TurnReader
from upspace.store.sqlite.writer import PairsJob, WorkJob, Writer
from upspace.wire.codes import GROUP_DEFAULT

T = TypeVar("T")

_decode_accounts = msgspec.json.Decoder(list[SeenAccount]).decode
_decode_listed_accounts = msgspec.json.Decoder(list[ListedAccount]).decode
_decode_columns = msgspec.json.Decoder(tuple[list[int], list[int]]).decode
_decode_mids = msgspec.json.Decoder(list[int]).decode
# Of so much news, naming everyone takes longer than it is worth.
_OWNERS_MAX_CHARACTERS = 1_000_000
_NO_OWNER = ListOwner()

_REVOKE_OF = """
update token set revoked = :now
where mid = :mid and revoked is null and coalesce(expires > :now, true)
"""
_REVOKE_BY_PREFIX = """
update token set revoked = :now
where substr(hex(digest), 1, length(:prefix)) = :prefix and revoked is null and coalesce(expires > :now, true)
"""


class SqliteStore:
    """Store over one SQLite file, or over a database in memory that is gone when it is closed."""

    def __init__(self, url: str, reader: apsw.Connection) -> None:
        self.url = url
        self._reader = reader
        self._in_memory = url == MEMORY
        self._turn = TurnReader(reader, in_memory=self._in_memory)
        self._loader = reader if self._in_memory else None
        self._writer = Writer(url, reader if self._in_memory else None)

    @classmethod
    def open(cls, url: str) -> Self:
        """The store at `url`; raises as `upspace.store.open_store`."""
        if url != MEMORY:
            return cls(url, _readable(connect_existing(url, writable=False)))
        memory = connect(None, writable=True)
        migrate(memory, url)
        add_profile_view(memory)
        return cls(url, _readable(memory))

    async def close(self) -> None:
        self._writer.close()
        self._turn.end()
        self._reader.close()
        if self._loader is not None:
            self._loader.close()
        if not self._in_memory:
            fold_log(self.url)

    async def account(self, mid: int) -> tuple[Account, Standing] | None:
        row = self._row("account", (mid,))
        return None if row is None else (Account(*row[:ACCOUNT_WIDTH]), read_standing(row[ACCOUNT_WIDTH:]))

    async def profile(self, mid: int) -> Profile | None:
        known, _ = profiles_of(self._rows("profiles", (array_of((mid,)),)))
        return known.get(mid)

    async def accounts(self, mids: Collection[int]) -> dict[int, SeenAccount]:
        if not mids:
            return {}
        if len(mids) == 1:
            return self._seen_account(*mids)
        row = self._row("accounts", (array_of(mids),))
        return {} if row is None else {seen.account.mid: seen for seen in _decode_accounts(row[0])}

    async def listed_accounts(self, mids: Collection[int]) -> dict[int, ListedAccount]:
        if not mids:
            return {}
        row = self._row("listed_accounts", (array_of(mids),))
        return {} if row is None else {account.mid: account for account in _decode_listed_accounts(row[0])}

    async def decorations(self, mid: int) -> Json | None:
        row = self._row("decorations", (mid,))
        return None if row is None else row[0]

    async def standing(self, mid: int) -> Standing | None:
        row = self._row("standing", (mid,))
        return None if row is None else read_standing(row)

    async def counters(self, mid: int) -> Counters | None:
        row = self._row("counters", (mid,))
        return None if row is None else Counters(*row)

    async def figures(self, mid: int) -> Figures | None:
        row = self._row("figures", (mid,))
        return None if row is None else Figures(self._newest_change(), *row)

    async def upstat(self, mid: int) -> Upstat | None:
        row = self._row("upstat", (mid,))
        return None if row is None else Upstat(*row)

    async def newest_change(self) -> int:
        return self._newest_change()

    async def version(self) -> int | None:
        # SQLite counts what others have committed, which of a database in memory is nothing.
        return None if self._in_memory else self._of_turn("pragma data_version")

    async def changed_accounts(self, since: int) -> tuple[int, Sequence[int] | None]:
        rows = self._rows("changed_accounts", (since, CHANGES_NAMED))
        if not rows:
            return since, ()
        mids = [mid for _, mid in rows]
        # Rows are numbered without gaps; a first one that does not follow `since` says that some were pruned.
        if rows[0][0] == since + 1 and len(rows) < CHANGES_NAMED and 0 not in mids:
            return rows[-1][0], mids
        return self._newest_change(), None

    async def changed_owners(self, since: int) -> tuple[int, Sequence[int] | None]:
        rows = self._rows("changed_owners", (since,))
        if not rows:
            newest = self._rows("newest_commit", ())[0][0] or 0
            # A file that was put back to what it once was begins with lower numbers again.
            return newest, () if newest == since else None
        numbers, owners = zip(*rows, strict=True)
        if numbers[0] != since + 1 or None in owners or sum(map(len, owners)) > _OWNERS_MAX_CHARACTERS:
            return numbers[-1], None
        return numbers[-1], [mid for text in owners for mid in _decode_mids(text)]

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
        return relations.relations_of(owner, self._rows("relations", (array_of(others), owner)))

    async def viewer(self, digest: bytes, now: int) -> Viewer | None:
        row = self._row("viewer", (digest, now))
        return None if row is None else Viewer(row[0], STATES[row[1]])

    async def tokens(self, mid: int | None = None) -> list[Token]:
        rows = self._rows("tokens", ()) if mid is None else self._rows("tokens_of", (mid,))
        return [Token(*row) for row in rows]

    async def mark(self, name: str) -> str | None:
        row = self._row("mark", (name,))
        return None if row is None else str(row[0])

    async def whispers(self, owner: int, window: Window) -> Listing:
        return self._listing("whispers", owner, window)

    async def blacks(self, owner: int, window: Window) -> Listing:
        return self._listing("blacks", owner, window)

    async def friends(self, owner: int, window: Window) -> Listing:
        return self._listing("friends", owner, window)

    async def same_followings(self, owner: int, vmid: int, window: Window) -> Listing:
        return self._listing("same_followings", owner, window, vmid=vmid)

    async def search_followings(self, vmid: int, text: str, nameless: bool, window: Window) -> Listing:
        return self._listing("search_followings", vmid, window, text=text.casefold(), nameless=nameless)

    async def group_members(self, owner: int, group_id: int, window: Window, special_first: bool = False) -> Listing:
        if group_id == GROUP_DEFAULT:
            return self._listing("ungrouped", owner, window)
        name = "group_members_special" if special_first else "group_members"
        return self._listing(name, owner, window, group_id=group_id)

    async def groups(self, owner: int) -> list[Group]:
        return [Group(*row) for row in self._rows("groups", (owner,))]

    async def group_counts(self, owner: int) -> dict[int, int]:
        return dict(self._rows("group_counts", (owner,)))

    async def change_relations(self, owner: int, others: Sequence[int], decide: DecidePair) -> dict[int, Exception]:
        if not others:
            return {}
        refused: dict[int, Exception] = await self._writer.run(PairsJob(owner, others, decide))
        return refused

    async def create_group(self, owner: int, decide: DecideGroups) -> int:
        return await self._write(lambda db: groups.create_txn(db, owner, decide))

    async def rename_group(self, owner: int, group_id: int, decide: DecideGroups) -> None:
        await self._write(lambda db: groups.rename_txn(db, owner, group_id, decide))

    async def delete_group(self, owner: int, group_id: int) -> bool:
        return await self._write(lambda db: groups.delete_txn(db, owner, group_id))

    async def change_members(self, owner: int, others: Sequence[int], decide: DecideMembers) -> None:
        await self._write(lambda db: groups.change_members_txn(db, owner, others, decide))

    async def put_token(self, token: Token) -> None:
        def put_txn(db: apsw.Connection) -> None:
            known = db.execute("select 1 from standing where mid = ? and state <> 2", (token.mid,)).fetchone()
            if known is None:
                raise UnknownAccountsError(f"there is no account {token.mid}")
            db.execute(
                "insert into token (digest, mid, issued, expires, revoked, note) values (?, ?, ?, ?, ?, ?)",
                (token.digest, token.mid, token.issued, token.expires, token.revoked, token.note),
            )

        await self._write(put_txn)

    async def revoke_tokens(self, now: int, *, mid: int | None = None, digest_prefix: str = "") -> int:
        if mid is None and not digest_prefix:
            raise ValueError("whose tokens, or which?")

        def revoke_txn(db: apsw.Connection) -> int:
            if mid is not None:
                db.execute(_REVOKE_OF, {"now": now, "mid": mid})
            else:
                db.execute(_REVOKE_BY_PREFIX, {"now": now, "prefix": digest_prefix.upper()})
            return db.changes()

        return await self._write(revoke_txn)

    async def change_account(self, mid: int, decide: Decide) -> Profile:
        changed: Profile = await self._writer.run(AccountJob(mid, decide))
        return changed

    async def delete_account(self, mid: int, now: int) -> bool:
        return await self._write(lambda db: deletion.delete_txn(db, mid, now))

    async def load(
        self,
        profiles: Iterable[Profile],
        relations: Iterable[Relation],
        marks: Mapping[str, str] | None = None,
    ) -> None:
        def load_txn(db: apsw.Connection) -> None:
            bulk.write_txn(db, profiles, relations, marks or {})

        self._load(load_txn)

    async def snapshot(self) -> bytes:
        if not self._in_memory:
            raise StoreLastsError(self.url)
        with translated(self.url):
            return self._reader.serialize("main")

    async def restore(self, snapshot: bytes) -> None:
        if not self._in_memory:
            raise StoreLastsError(self.url)
        with translated(self.url):
            self._reader.deserialize("main", snapshot)

    def check(self, *, repair: bool) -> AsyncGenerator[Finding | Progress, None]:
        memory = self._reader if self._in_memory else None
        return check.check(self.url, memory, self._turn.end, repair=repair)

    def _seen_account(self, mid: int) -> dict[int, SeenAccount]:
        """What `accounts` gives of one: its row costs less than a text of rows with one in it."""
        row = self._row("seen_account", (mid,))
        if row is None:
            return {}
        *columns, state, hides_birthday = row
        return {mid: SeenAccount(Account(*columns), STATES[state], hides_birthday)}

    def _newest_change(self) -> int:
        return self._of_turn(relations.QUERIES["newest_change"]) or 0

    def _of_turn(self, statement: str) -> Any:
        """The one value of a statement without bindings, None for no row."""
        try:
            row = self._turn.row_of_turn(statement)
        except apsw.Error as error:
            raise translate(self.url, error) from error
        return None if row is None else row[0]

    def _rows(self, name: str, bindings: Bindings) -> list[Row]:
        try:
            return self._turn.rows(relations.QUERIES[name], bindings)
        except apsw.Error as error:
            raise translate(self.url, error) from error

    def _row(self, name: str, bindings: Bindings) -> Row | None:
        try:
            return self._turn.row(relations.QUERIES[name], bindings)
        except apsw.Error as error:
            raise translate(self.url, error) from error

    def _page(self, name: str, vmid: int, window: Window, **more: int) -> Page:
        row = self._row(name, {"owner": vmid, "size": window.size, "start": window.start, **more})
        if row is None:
            raise StoreUnavailableError(f"{self.url}: {name} returned nothing")
        columns, hides_followings, hides_followers, following, follower = row
        mids, mtimes = _decode_columns(columns)
        if following is None:
            return Page(_NO_OWNER, mids, mtimes, self._newest_change())
        owner = ListOwner(hides_followings == 1, hides_followers == 1, following, follower)
        return Page(owner, mids, mtimes, self._newest_change())

    def _listing(self, name: str, owner: int, window: Window, **more: int | str) -> Listing:
        row = self._row(name, {"owner": owner, "size": window.size, "start": window.start, **more})
        if row is None:
            raise StoreUnavailableError(f"{self.url}: {name} returned nothing")
        columns, total = row
        mids, mtimes = _decode_columns(columns)
        return Listing(mids, mtimes, total or 0, self._newest_change())

    async def _write(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run `work` in the transaction of a group; what it raises leaves nothing of it behind."""
        result: T = await self._writer.run(WorkJob(work))
        return result

    def _load(self, work: Callable[[apsw.Connection], None]) -> None:
        """Run `work` in a transaction of its own, in this thread: whoever loads waits for it, and may interrupt it."""
        self._turn.end()
        with translated(self.url):
            if self._loader is None:
                loader = connect_existing(self.url, writable=True)
                add_profile_view(loader)
                self._loader = loader
            with transaction(self._loader):
                work(self._loader)


def _casefold(*values: Any) -> str:
    return str(values[0]).casefold()


def _readable(db: apsw.Connection) -> apsw.Connection:
    """The connection with the functions that the queries use."""
    db.create_scalar_function("casefold", _casefold, 1, deterministic=True)
    return db
