"""The PostgreSQL store: one server or a Citus cluster, any number of processes on any number of hosts."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Self, TypeVar

from upspace.model import (
    Account,
    AccountState,
    Counters,
    Figures,
    Group,
    Json,
    Listed,
    ListedAccount,
    Listing,
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
from upspace.store.postgres import accounts, bulk, deletion, groups
from upspace.store.postgres import check as checking
from upspace.store.postgres.changes import CHANGES_NAMED
from upspace.store.postgres.connection import FAULTS, Connection, Database, mapping, translate
from upspace.store.postgres.gather import Gathered
from upspace.store.postgres.reader import Reader
from upspace.store.postgres.relations import QUERIES
from upspace.store.postgres.replica import Replica, reads_primary
from upspace.store.postgres.retrying import write
from upspace.store.postgres.schema import check_schema, is_distributed
from upspace.store.postgres.writer import Writer
from upspace.store.rows import ACCOUNT_WIDTH, STATES, read_standing
from upspace.store.urls import without_password

T = TypeVar("T")

# Deleting an account that has millions of followers may take so many times as long as another write.
_DELETION_TIMES = 20


class Session(NamedTuple):
    """Whose a token is, until when, and the last transaction that wrote for its account."""

    mid: int
    state: int
    expires: int | None
    written: int


class PostgresStore:
    """Store over a PostgreSQL database, and perhaps a replica of it to read from."""

    def __init__(self, database: Database, replica: Replica | None, *, distributed: bool) -> None:
        self.url = without_password(database.url)
        self._database = database
        self._replica = replica
        self._distributed = distributed
        self._writer = Writer(database, distributed=distributed)
        self._accounts = Gathered(self._fetch_accounts)
        self._listed_accounts = Gathered(self._fetch_listed_accounts)
        self._decorations = Gathered(self._fetch_decorations)
        self._changes = Gathered(self._fetch_newest_change)
        self._sessions = Gathered(self._fetch_sessions_apart if distributed else self._fetch_sessions)
        self._primary_reader = Reader(database, self._changes, distributed=distributed, apart=distributed)
        self._replica_reader = (
            None if replica is None else Reader(replica, self._changes, distributed=False, apart=True)
        )

    @classmethod
    async def open(cls, url: str, *, read_url: str = "", connections: int, timeout_s: float) -> Self:
        """The store at `url`; raises as `upspace.store.open_store`."""
        database = await Database.connect(url, connections=connections, timeout_s=timeout_s)
        try:
            await database.read(lambda db: check_schema(url, db))
            distributed = await database.read(is_distributed)
            replica = None
            if read_url:
                if distributed:
                    raise StoreUnavailableError(f"{without_password(url)} is a cluster: it has no replica to read from")
                replica = await Replica.open(read_url, database, connections=connections)
        except BaseException:
            await database.close()
            raise
        return cls(database, replica, distributed=distributed)

    async def close(self) -> None:
        await self._writer.close()
        await self._database.close()
        if self._replica is not None:
            await self._replica.close()

    # What caches keep comes from the primary: it must be as new as the number of its change

    async def account(self, mid: int) -> tuple[Account, Standing] | None:
        row = await self._database.row(QUERIES["account"], mid)
        return None if row is None else (Account(*row[:ACCOUNT_WIDTH]), read_standing(row[ACCOUNT_WIDTH:]))

    async def profile(self, mid: int) -> Profile | None:
        return (await self._database.read(lambda db: accounts.profiles_txn(db, (mid,)))).get(mid)

    async def accounts(self, mids: Collection[int]) -> dict[int, SeenAccount]:
        return await self._accounts.many(mids)

    async def listed_accounts(self, mids: Collection[int]) -> dict[int, ListedAccount]:
        return await self._listed_accounts.many(mids)

    async def decorations(self, mid: int) -> Json | None:
        return await self._decorations.one(mid)

    async def version(self) -> int | None:
        return None

    async def changed_owners(self, since: int) -> tuple[int, Sequence[int] | None]:
        return since, None

    async def newest_change(self) -> int:
        return (await self._changes.ask((None,)))[None]

    async def changed_accounts(self, since: int) -> tuple[int, Sequence[int] | None]:
        rows = await self._database.fetch(QUERIES["changed_accounts"], since, CHANGES_NAMED)
        if not rows:
            return since, ()
        mids = [mid for _, mid in rows]
        # Rows are numbered without gaps; a first one that does not follow `since` says that some were pruned.
        if rows[0][0] == since + 1 and len(rows) < CHANGES_NAMED and 0 not in mids:
            return rows[-1][0], mids
        return await self.newest_change(), None

    async def viewer(self, digest: bytes, now: int) -> Viewer | None:
        session = await self._sessions.one(digest)
        if session is None:
            return None
        mid, state, expires, written = session
        if expires is not None and expires <= now:
            return None
        if self._replica is not None:
            reads_primary.set(not await self._replica.has(written))
        return Viewer(mid, STATES[state])

    async def tokens(self, mid: int | None = None) -> list[Token]:
        if mid is None:
            rows = await self._database.fetch(QUERIES["tokens"])
        else:
            rows = await self._database.fetch(QUERIES["tokens_of"], mid)
        return [Token(*row) for row in rows]

    async def mark(self, name: str) -> str | None:
        row = await self._database.row(QUERIES["mark"], name)
        return None if row is None else row[0]

    async def standing(self, mid: int) -> Standing | None:
        return await self._primary_reader.standing(mid)

    # What may come from a replica

    async def counters(self, mid: int) -> Counters | None:
        return await self._found(lambda reader: reader.counters(mid))

    async def figures(self, mid: int) -> Figures | None:
        return await self._found(lambda reader: reader.figures(mid))

    async def upstat(self, mid: int) -> Upstat | None:
        return await self._found(lambda reader: reader.upstat(mid))

    async def followers(self, vmid: int, window: Window) -> Page:
        return await self._reader().followers(vmid, window)

    async def followings(self, vmid: int, window: Window, special_first: bool = False) -> Page:
        return await self._reader().followings(vmid, window, special_first)

    async def followers_rank(self, vmid: int, row: Listed, limit: int) -> int:
        return await self._reader().followers_rank(vmid, row, limit)

    async def relations(self, owner: int, others: Collection[int]) -> dict[int, Relation]:
        return await self._reader().relations(owner, others)

    async def whispers(self, owner: int, window: Window) -> Listing:
        return await self._reader().listing("whispers", owner, window)

    async def blacks(self, owner: int, window: Window) -> Listing:
        return await self._reader().listing("blacks", owner, window)

    async def friends(self, owner: int, window: Window) -> Listing:
        return await self._reader().listing("friends", owner, window)

    async def same_followings(self, owner: int, vmid: int, window: Window) -> Listing:
        return await self._reader().same_followings(owner, vmid, window)

    async def search_followings(self, vmid: int, text: str, nameless: bool, window: Window) -> Listing:
        return await self._reader().search_followings(vmid, text, nameless, window)

    async def group_members(self, owner: int, group_id: int, window: Window, special_first: bool = False) -> Listing:
        return await self._reader().group_members(owner, group_id, window, special_first)

    async def groups(self, owner: int) -> list[Group]:
        return await self._reader().groups(owner)

    async def group_counts(self, owner: int) -> dict[int, int]:
        return await self._reader().group_counts(owner)

    # Writes

    async def change_relations(self, owner: int, others: Sequence[int], decide: DecidePair) -> dict[int, Exception]:
        if not others:
            return {}
        reads_primary.set(True)
        return await self._writer.change_pairs(owner, others, decide)

    async def create_group(self, owner: int, decide: DecideGroups) -> int:
        return await self._write(lambda db: groups.create_txn(db, owner, decide))

    async def rename_group(self, owner: int, group_id: int, decide: DecideGroups) -> None:
        await self._write(lambda db: groups.rename_txn(db, owner, group_id, decide))

    async def delete_group(self, owner: int, group_id: int) -> bool:
        return await self._write(lambda db: groups.delete_txn(db, owner, group_id))

    async def change_members(self, owner: int, others: Sequence[int], decide: DecideMembers) -> None:
        await self._write(lambda db: groups.change_members_txn(db, owner, others, decide))

    async def put_token(self, token: Token) -> None:
        async def put_txn(db: Connection) -> None:
            # Held, so that the account is not deleted before its token is there to be revoked.
            row = await db.fetchrow(QUERIES["lock_standing"], token.mid)
            if row is None or STATES[row[1]] is AccountState.DELETED:
                raise UnknownAccountsError(f"there is no account {token.mid}")
            await db.execute(
                QUERIES["put_token"], token.digest, token.mid, token.issued, token.expires, token.revoked, token.note
            )

        await self._write(put_txn)

    async def revoke_tokens(self, now: int, *, mid: int | None = None, digest_prefix: str = "") -> int:
        if mid is None and not digest_prefix:
            raise ValueError("whose tokens, or which?")

        async def revoke_txn(db: Connection) -> int:
            if mid is not None:
                done = await db.execute(QUERIES["revoke_tokens_of"], mid, now)
            else:
                done = await db.execute(QUERIES["revoke_tokens_by_prefix"], digest_prefix.lower(), now)
            return int(done.rpartition(" ")[2])

        return await self._write(revoke_txn)

    async def change_account(self, mid: int, decide: Decide) -> Profile:
        reads_primary.set(True)
        return await self._writer.change_account(mid, decide)

    async def delete_account(self, mid: int, now: int) -> bool:
        return await self._write(
            lambda db: deletion.delete_txn(db, mid, now, distributed=self._distributed), times=_DELETION_TIMES
        )

    async def load(
        self,
        profiles: Iterable[Profile],
        relations: Iterable[Relation],
        marks: Mapping[str, str] | None = None,
    ) -> None:
        try:
            reads_primary.set(True)
            # Not tried again: what it is given can be read once.
            await self._database.write_long(lambda db: bulk.load_txn(db, profiles, relations, marks or {}))
        except FAULTS as error:
            raise translate(self.url, error) from error

    async def snapshot(self) -> bytes:
        raise StoreLastsError(self.url)

    async def restore(self, snapshot: bytes) -> None:  # noqa: ARG002  # what the interface gives
        raise StoreLastsError(self.url)

    def check(self, *, repair: bool) -> AsyncGenerator[Finding | Progress, None]:
        return checking.check(self._database, distributed=self._distributed, repair=repair)

    def _reader(self) -> Reader:
        """Where this request reads lists and figures."""
        if self._replica_reader is None or reads_primary.get():
            return self._primary_reader
        return self._replica_reader

    async def _found(self, read: Callable[[Reader], Awaitable[T | None]]) -> T | None:
        """What is read of an account. One that a replica does not have yet is looked for on the primary."""
        reader = self._reader()
        found = await read(reader)
        if found is None and reader is not self._primary_reader:
            return await read(self._primary_reader)
        return found

    async def _write(self, work: Callable[[Connection], Awaitable[T]], times: float = 1) -> T:
        reads_primary.set(True)
        return await write(self._database, work, times=times)

    async def _fetch_accounts(self, mids: list[int]) -> dict[int, SeenAccount]:
        rows = await self._database.fetch(QUERIES["accounts"], mids)
        return {
            row[0]: SeenAccount(Account(*row[:ACCOUNT_WIDTH]), STATES[row[ACCOUNT_WIDTH]], int(row[ACCOUNT_WIDTH + 1]))
            for row in rows
        }

    async def _fetch_listed_accounts(self, mids: list[int]) -> dict[int, ListedAccount]:
        return {row[0]: ListedAccount(*row) for row in await self._database.fetch(QUERIES["listed_accounts"], mids)}

    async def _fetch_decorations(self, mids: list[int]) -> dict[int, Json | None]:
        return mapping(await self._database.fetch(QUERIES["decorations"], mids))

    async def _fetch_newest_change(self, keys: list[None]) -> dict[None, int]:
        (row,) = await self._database.fetch(QUERIES["newest_change"])
        return dict.fromkeys(keys, row[0])

    async def _fetch_sessions(self, digests: list[bytes]) -> dict[bytes, Session]:
        rows = await self._database.fetch(QUERIES["sessions"], digests)
        return {digest: Session(*session) for digest, *session in rows}

    async def _fetch_sessions_apart(self, digests: list[bytes]) -> dict[bytes, Session]:
        tokens = await self._database.fetch(QUERIES["tokens_by_digest"], digests)
        rows = await self._database.fetch(QUERIES["viewers"], [mid for _, mid, _ in tokens])
        viewers = {mid: (state, written) for mid, state, written in rows}
        sessions = {}
        for digest, mid, expires in tokens:
            if mid in viewers:
                state, written = viewers[mid]
                sessions[digest] = Session(mid, state, expires, written)
        return sessions
