"""What a store is: one small interface that every engine implements, and the errors it may raise.

A store knows no HTTP and no wire codes. Every method may raise StoreUnavailableError or StoreTimeoutError.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from upspace.model import Account, Listed, Page, Profile, Relation, Standing, Token, Upstat, Viewer, Window


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


class AccountDeletedError(StoreError):
    """A change of an account that is deleted, which is final."""


class UnknownAccountsError(StoreError):
    """Relations name accounts that the store does not hold."""


Decide = Callable[[Profile | None], Profile]
"""A rule that gets an account as it stands, None if unknown, and returns what it shall be."""


class Store(Protocol):
    """Where facts live. Reads see every write that has been acknowledged, by whatever process."""

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

    async def accounts(self, mids: Collection[int]) -> dict[int, Account]:
        """Many accounts by mid in one query; those unknown or deleted are left out."""
        ...

    async def standing(self, mid: int) -> Standing | None:
        """State, privacy flags and counters; None if the account was never known. Contract: 5.1, 5.2."""
        ...

    async def upstat(self, mid: int) -> Upstat | None:
        """The totals of an uploader; None if unknown or deleted. Contract: 6.3."""
        ...

    async def changed_accounts(self, since: int) -> tuple[int, Sequence[int] | None]:
        """The accounts written after change number `since`, and the number of the newest change.

        None in place of the accounts stands for all of them: too much has changed to be named. This is
        what a cache of accounts asks before it answers.
        """
        ...

    # Reads of relations

    async def followers(self, vmid: int, window: Window) -> Page:
        """The accounts that follow `vmid`, ordered by (mtime, mid), and its standing. Contract: 5.4, 6.5.

        One query, as all of it is stored with one owner.
        """
        ...

    async def followings(self, vmid: int, window: Window, special_first: bool = False) -> Page:
        """The accounts that `vmid` follows, ordered by (mtime, mid), and its standing. Contract: 5.4, 6.6.

        With `special_first`, those in group -10 come before the others, each part in the order asked for.
        """
        ...

    async def followers_rank(self, vmid: int, row: Listed, limit: int) -> int:
        """How many followers of `vmid` are as new as `row` or newer, counted up to `limit`. Contract: 9."""
        ...

    async def relations(self, owner: int, others: Collection[int]) -> dict[int, Relation]:
        """The relations of `owner` to `others` in one query, keyed by mid; none is left out but absent ones."""
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

        In counter mode derived the counters given are ignored: they are recounted. Raises what `decide`
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
