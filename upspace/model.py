"""The nouns of the house as frozen values. Times are unix seconds unless a name ends in `_ms`."""

from enum import IntEnum
from typing import TypeAlias

from msgspec import Struct

Json: TypeAlias = str
"""A JSON text that the store keeps and returns but never looks into; its shape belongs to the wire."""


class AccountState(IntEnum):
    """Contract 5.2. Deleted is final."""

    NORMAL = 0
    SUSPENDED = 1
    DELETED = 2


class CounterMode(IntEnum):
    """Contract 5.1: derived counters equal the stored relations, reported ones were imported."""

    DERIVED = 0
    REPORTED = 1


class Account(Struct, frozen=True, gc=False, array_like=True):
    """What people see of an account. Its rights and its counters are a `Standing`.

    `official`, `vip` and `decorations` hold the JSON of the wire objects of the same names; None means
    that every value of the object is the default one, which is so for most accounts.
    """

    mid: int
    name: str = ""
    sex: str = "保密"
    face: str = ""
    face_nft: int = 0
    sign: str = ""
    rank: int = 10000
    level: int = 0
    coins: float = 0
    birthday: str = ""
    is_senior_member: int = 0
    nft_icon: str = ""
    official: Json | None = None
    vip: Json | None = None
    decorations: Json | None = None


class SeenAccount(Struct, frozen=True, gc=False, array_like=True):
    """An account with what decides how others see it."""

    account: Account
    state: AccountState
    hides_birthday: int


class ListedAccount(Struct, frozen=True, gc=False, array_like=True):
    """What lists show of an account. `name_render` is the decoration of that name, as JSON."""

    mid: int
    name: str
    face: str
    face_nft: int
    sign: str
    nft_icon: str
    official: Json | None
    vip: Json | None
    name_render: Json | None


class Counters(Struct, frozen=True, gc=False):
    """How many relations an account has. Contract 5.1."""

    following: int = 0
    whisper: int = 0
    black: int = 0
    follower: int = 0


class Standing(Struct, frozen=True, gc=False):
    """What rules and lists need to know of an account: its state, privacy flags and counters.

    It is kept apart from `Account` because it is small and read by nearly every request.
    """

    mid: int
    state: AccountState = AccountState.NORMAL
    hides_followings: bool = False
    hides_followers: bool = False
    hides_birthday: bool = False
    counter_mode: CounterMode = CounterMode.DERIVED
    following: int = 0
    whisper: int = 0
    black: int = 0
    follower: int = 0


class Upstat(Struct, frozen=True, gc=False):
    """The totals of an uploader: plays, article reads and likes received, works published."""

    archive_view: int = 0
    article_view: int = 0
    likes: int = 0
    archive_count: int = 0
    article_count: int = 0


class Figures(Struct, frozen=True, gc=False):
    """The numbers that a card shows of an account; `newest_change` as in `Page`. Contract: 6.2."""

    newest_change: int
    following: int
    follower: int
    likes: int
    archive_count: int
    article_count: int


class Profile(Struct, frozen=True, gc=False):
    """Everything stored of one account."""

    account: Account
    standing: Standing
    upstat: Upstat = Upstat()


class Relation(Struct, frozen=True, gc=False):
    """The relation of `owner` to `other`, as stored: whisper, following, mutual or black.

    `mtime` is when the owner's side was last set; `groups` are the owner's groups that `other` is in, ascending.
    """

    owner: int
    other: int
    attribute: int
    mtime: int
    groups: tuple[int, ...] = ()
    re_src: int = 0


class Pair(Struct, frozen=True, gc=False):
    """Two accounts as a rule sees them before it decides: both standings, and the relation in each direction.

    A standing is None for an account that was never known, a relation where there is none.
    """

    mid: int
    fid: int
    owner: Standing | None
    target: Standing | None
    forward: Relation | None
    backward: Relation | None


class Change(Struct, frozen=True, gc=False):
    """A pair as it shall be. The store derives from it what happens to lists and counters."""

    forward: Relation | None
    backward: Relation | None


class Group(Struct, frozen=True, gc=False):
    """An own group of an account."""

    id: int
    name: str


class Membership(Struct, frozen=True, gc=False):
    """What a rule on group members sees: the owner's own groups, and its relations to the accounts in question."""

    groups: tuple[Group, ...]
    relations: dict[int, Relation]


class Listed(Struct, frozen=True, gc=False):
    """One row of a list of followings or followers: the account listed, and since when."""

    mid: int
    mtime: int


class Window(Struct, frozen=True, gc=False):
    """The rows `start` to `start + size - 1` of a list, newest first unless `ascending`.

    With `after`, the rows are counted from the one that follows that row instead of from the first; followers,
    newest first, are the one list that is read so.
    """

    start: int
    size: int
    ascending: bool = False
    after: Listed | None = None


class ListOwner(Struct, frozen=True, gc=False):
    """What the owner of a list decides about it, and how long it is."""

    hides_followings: bool = False
    hides_followers: bool = False
    following: int = 0
    follower: int = 0


class Page(Struct, frozen=True, gc=False):
    """One page of an account's list, and what is needed to show it.

    `mids` are the listed accounts in order, `mtimes` since when each is. `owner` is all defaults if the account was
    never known; `newest_change` is the number of the newest change of any account when the page was read: what a
    cache of accounts has to be up to.
    """

    owner: ListOwner
    mids: list[int]
    mtimes: list[int]
    newest_change: int

    @property
    def rows(self) -> list[Listed]:
        """The page row by row."""
        return [Listed(mid, mtime) for mid, mtime in zip(self.mids, self.mtimes, strict=True)]


class Listing(Struct, frozen=True, gc=False):
    """One page of a list; `total` is the length of the whole list, 0 for those whose replies do not say it."""

    mids: list[int]
    mtimes: list[int]
    total: int
    newest_change: int


class Viewer(Struct, frozen=True, gc=False):
    """The account that a request is authenticated as."""

    mid: int
    state: AccountState


class Token(Struct, frozen=True, gc=False):
    """A credential as the store knows it: never the token itself, only its SHA-256.

    `expires` and `revoked` are None for a token that does not expire, or still holds.
    """

    digest: bytes
    mid: int
    issued: int
    expires: int | None = None
    revoked: int | None = None
    note: str = ""
