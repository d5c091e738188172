"""What a store is: one small interface that every engine implements, and the errors it may raise.

A store knows no HTTP and no wire codes. Every method may raise StoreUnavailableError or StoreTimeoutError.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from upspace.model import (
    Account,
    Change,
    Counters,
    Figures,
    Group,
    Json,
    Listed,
    ListedAccount,
    Listing,
    Membership,
    Page,
    Pair,
    Profile,
    Relation,
    SeenAccount,
    Standing,
    Token,
    Upstat,
    Viewer,
    Window,
)


class StoreError(Exception):
    """What went wrong in a store, in one sentence that a person can act on."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached, opened, read or written."""


class StoreTimeoutError(StoreError):
    """The store did not answer in time: a lock was not to be had."""


class StoreMissingError(StoreUnavailableError):
    """There is no store where the URL points, or it has never been migrated."""


class SchemaTooOldError(StoreUnavailableError):
    """The store needs `upspace migrate` before this version can serve it."""


class SchemaTooNewError(StoreUnavailableError):
    """The store was migrated by a newer version that this one cannot work with."""


class StoreLastsError(StoreError):
    """A store that lasts is asked to be what it once was: only one in memory can."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} lasts: only a store in memory (sqlite://) can be wiped and restored")


class AccountDeletedError(StoreError):
    """A change of an account that is deleted, which is final."""


class UnknownAccountsError(StoreError):
    """Relations name accounts that the store does not hold."""


class Finding(Struct, frozen=True, gc=False):
    """One fact that does not agree with the others, said in `text`, which names the accounts.

    `mid` is the account that it stands with, `kind` a name in `upspace.store.findings`. `mended` is True if it has
    been mended, None if a repair would mend it, False if only a person can tell what is right.
    """

    kind: str
    mid: int
    text: str
    mended: bool | None


class Progress(Struct, frozen=True, gc=False):
    """How many accounts have been checked, of how many, deleted ones among them."""

    done: int
    total: int


Decide = Callable[[Profile | None], Profile]
"""A rule that gets an account as it stands, None if unknown, and returns what it shall be.

This rule and the next three may be run again, where others were in the way.
"""

DecidePair = Callable[[Pair], Change]
"""A rule that gets two accounts as they stand and returns the pair as it shall be."""

DecideGroups = Callable[[Sequence[Group]], str]
"""A rule that gets the own groups of an account, oldest first, and returns the name that one of them shall have."""

DecideMembers = Callable[[Membership], Mapping[int, tuple[int, ...]]]
"""A rule that gets relations and groups as they stand and returns the groups that each account shall be in."""


class Store(Protocol):
    """Where facts live. Reads see every write that has been acknowledged, by whatever process.

    What a server asks for to reply works outside of a task as well.
    """

    url: str

    async def close(self) -> None:
        """Give back every connection. Closing twice is allowed."""
        ...

    # Reads of accounts

    async def account(self, mid: int) -> tuple[Account, Standing] | None:
        """One account; None if it is unknown or deleted. Contract: 6.1."""
        ...

    async def profile(self, mid: int) -> Profile | None:
        """One account with its totals; None if it is unknown or deleted. Contract: 6.2."""
        ...

    async def accounts(self, mids: Collection[int]) -> dict[int, SeenAccount]:
        """Many accounts by mid in one query; those unknown or deleted are left out."""
        ...

    async def listed_accounts(self, mids: Collection[int]) -> dict[int, ListedAccount]:
        """What lists show of many accounts, by mid; those unknown or deleted are left out. Contract: 6.5."""
        ...

    async def decorations(self, mid: int) -> Json | None:
        """The decorations of one account; None if it has none, is unknown or deleted. Contract: 6.1, 6.2."""
        ...

    async def standing(self, mid: int) -> Standing | None:
        """State, privacy flags and counters; None if the account was never known. Contract: 5.1, 5.2."""
        ...

    async def counters(self, mid: int) -> Counters | None:
        """The counters alone; None if the account was never known. Contract: 6.4."""
        ...

    async def figures(self, mid: int) -> Figures | None:
        """What a card shows of counters and totals; None if the account is unknown or deleted. Contract: 6.2."""
        ...

    async def upstat(self, mid: int) -> Upstat | None:
        """The totals of an uploader; None if unknown or deleted. Contract: 6.3."""
        ...

    async def newest_change(self) -> int:
        """The number of the newest change of any account; 0 before the first."""
        ...

    async def changed_accounts(self, since: int) -> tuple[int, Sequence[int] | None]:
        """The accounts written after change number `since`, and the number of the newest change.

        Who has new counters or totals alone need not be among them. None in place of the accounts stands for all of
        them: too much has changed to be named. This is what a cache of accounts asks before it answers.
        """
        ...

    async def version(self) -> int | None:
        """A number that is another one once anything was committed, by any process.

        None from a store that keeps no count. It holds for the reads of the same turn of the loop, and says nothing to
        another open store.
        """
        ...

    async def changed_owners(self, since: int) -> tuple[int, Sequence[int] | None]:
        """The accounts whose rows were written after commit number `since`, and the number of the newest commit.

        Rows of any kind that others see: profile, standing, totals, relations from and to them. None in place of the
        accounts stands for all of them. If the version is another one and the number is not, either somebody has
        committed who gives no numbers, or a commit has begun that will have the next one: nothing is known then.
        """
        ...

    # Reads of relations

    async def followers(self, vmid: int, window: Window) -> Page:
        """The accounts that follow `vmid`, ordered by (mtime, mid), and its owner. Contract: 5.4, 6.5.

        One query, as all of it is stored with one owner.
        """
        ...

    async def followings(self, vmid: int, window: Window, special_first: bool = False) -> Page:
        """The accounts that `vmid` follows, ordered by (mtime, mid), and its owner. Contract: 5.4, 6.6.

        With `special_first`, those in group -10 come before the others, each part in the order asked for.
        """
        ...

    async def followers_rank(self, vmid: int, row: Listed, limit: int) -> int:
        """How many followers of `vmid` are as new as `row` or newer, counted up to `limit`. Contract: 9."""
        ...

    async def relations(self, owner: int, others: Collection[int]) -> dict[int, Relation]:
        """The relations of `owner` to `others` in one query, keyed by mid; none is left out but absent ones."""
        ...

    async def whispers(self, owner: int, window: Window) -> Listing:
        """The accounts that `owner` whispers, newest first. Contract: 7."""
        ...

    async def blacks(self, owner: int, window: Window) -> Listing:
        """The accounts that `owner` has blocked, newest first; `total` is the `black` counter. Contract: 7."""
        ...

    async def friends(self, owner: int, window: Window) -> Listing:
        """The accounts with which `owner` is mutual, newest first. Contract: 7."""
        ...

    async def same_followings(self, owner: int, vmid: int, window: Window) -> Listing:
        """Whom both follow, ordered by when `owner` did, newest first. Contract: 7."""
        ...

    async def search_followings(self, vmid: int, text: str, nameless: bool, window: Window) -> Listing:
        """Followings of `vmid` whose name holds `text`, both case-folded, newest first; `total` counts all of them.

        Deleted accounts have no name: `nameless` says whether they match. Contract: 7.
        """
        ...

    async def group_members(self, owner: int, group_id: int, window: Window, special_first: bool = False) -> Listing:
        """The followed accounts in an own group or in -10, newest first; 0 gives those in no group. Contract: 8.3."""
        ...

    # Groups

    async def groups(self, owner: int) -> list[Group]:
        """The own groups of an account, oldest first. Contract: 8.3."""
        ...

    async def group_counts(self, owner: int) -> dict[int, int]:
        """How many followed accounts are in each own group, in -10, and in none (0); empty ones are left out."""
        ...

    # Writes of relations and groups. Concurrent ones are committed together; each returns once it is on disk.

    async def change_relations(self, owner: int, others: Sequence[int], decide: DecidePair) -> dict[int, Exception]:
        """Let `decide` say what each pair of `owner` and one of `others` shall be, in their order, and write that.

        What `decide` raises for a pair leaves that pair as it is and is returned under its mid. Lists, groups,
        mutual states and counters of both sides change with a pair, or nothing does. Raises AccountDeletedError if
        the owner is gone and there are others. Contract: 5.1, 8.1, 8.2.
        """
        ...

    async def create_group(self, owner: int, decide: DecideGroups) -> int:
        """Add a group with the name that `decide` gives; its id, never used before.

        This and the next three raise what `decide` raises, and AccountDeletedError if the owner is gone. Contract: 8.3.
        """
        ...

    async def rename_group(self, owner: int, group_id: int, decide: DecideGroups) -> None:
        """Give a group the name that `decide` gives."""
        ...

    async def delete_group(self, owner: int, group_id: int) -> bool:
        """Remove a group and its members' places in it; False if the owner has no such group."""
        ...

    async def change_members(self, owner: int, others: Sequence[int], decide: DecideMembers) -> None:
        """Put accounts into the groups that `decide` gives, all or none."""
        ...

    # Identity

    async def viewer(self, digest: bytes, now: int) -> Viewer | None:
        """Whom the token of this digest belongs to; None if unknown, expired, revoked or void."""
        ...

    async def put_token(self, token: Token) -> None:
        """Remember a token. Raises UnknownAccountsError if its account is unknown or deleted."""
        ...

    async def revoke_tokens(self, now: int, *, mid: int | None = None, digest_prefix: str = "") -> int:
        """Revoke the tokens of an account, or those whose digest starts so (hexadecimal); how many held until now."""
        ...

    async def tokens(self, mid: int | None = None) -> list[Token]:
        """All tokens by account, or those of one account; oldest first."""
        ...

    # Writes of accounts

    async def change_account(self, mid: int, decide: Decide) -> Profile:
        """Read an account, let `decide` say what it shall be, and write that, all in one transaction.

        In counter mode derived the counters given are ignored: those that are right are kept. Raises what `decide`
        raises, and AccountDeletedError.
        """
        ...

    async def delete_account(self, mid: int, now: int) -> bool:
        """Delete an account for good, with every effect of contract 5.2; False if it was unknown or deleted before."""
        ...

    async def load(
        self,
        profiles: Iterable[Profile],
        relations: Iterable[Relation],
        marks: Mapping[str, str] | None = None,
    ) -> None:
        """Write many accounts and relations, all or nothing; `marks` are kept with them.

        What is stored already is replaced. The mutual state of every pair and the counters of every
        account in mode derived are right afterwards; an `attribute` of 6 is taken as 2. Raises
        UnknownAccountsError and AccountDeletedError.
        """
        ...

    async def mark(self, name: str) -> str | None:
        """The value of a mark that a load left; None without one."""
        ...

    # A store in memory, for tests

    async def snapshot(self) -> bytes:
        """All that a store in memory holds, for `restore`. Raises StoreLastsError for every other store."""
        ...

    async def restore(self, snapshot: bytes) -> None:
        """Make a store in memory hold what it held when the snapshot was taken, and nothing else.

        Numbers of changes of accounts go back as well: whoever caches accounts has to forget them. Raises
        StoreLastsError for every other store: what it holds is somebody's data.
        """
        ...

    # Care

    def check(self, *, repair: bool) -> AsyncGenerator[Finding | Progress, None]:
        """Whether stored facts agree as contract 5.1, 5.2 and 8.3 say: what does not, and how far it has come.

        The last value is the progress when all is done. With `repair`, what follows from the rest is mended. Others
        read and write meanwhile. Whoever does not read to the end closes the iterator.
        """
        ...
