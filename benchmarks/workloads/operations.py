"""What a workload consists of, as values: operations with shares, and whom they are about."""

from enum import Enum
from typing import TypeAlias

from msgspec import Struct


class Read(Struct, frozen=True, kw_only=True):
    """A GET of `path` with `query`, in which stand, in braces, what differs from request to request.

    - `{mid}`: the target, drawn as the phase says
    - `{pn}`: a page, mostly the first: `PAGES`
    - `{few_fids}`: two or three accounts, 2.6 on average, drawn like targets
    - `{mostly_strangers}`: 20 accounts, 4 of which the viewer has a relation to
    - `{second_page}`: where the second page of 20 followers of the target begins; targets are those that have one

    Without `needs_login` it is a viewer who asks in the share `signed_in` of the phase, nobody in particular otherwise.
    Shares are relative to those of the other operations of the phase. `refusals` are codes that are no error.
    `prepared` is how many requests are made beforehand and then sent in turn; 0 makes each when it is sent.
    """

    name: str
    path: str
    query: str
    share: float = 1.0
    needs_login: bool = False
    refusals: frozenset[int] = frozenset()
    prepared: int = 0


class Visit(Struct, frozen=True, kw_only=True):
    """Several reads about one target by one viewer, one after another on one connection."""

    name: str
    reads: tuple[Read, ...]
    share: float = 1.0


class Act(Enum):
    """What a write does; `writes.Writes` says how. The values say it in results."""

    FOLLOW = "a viewer follows an account that it has no relation to"
    UNFOLLOW = "a viewer unfollows one that it follows"
    WHISPER = "a viewer turns a follow into a whisper"
    UNWHISPER = "a viewer removes a whisper"
    SET_GROUPS = "a viewer puts a followed account into the special group alone, or into none"
    MOVE_GROUPS = "a viewer moves a followed account into the special group, or out of it"
    CHANGE_PROFILE = "the administrator changes the signature of an account"
    CHANGE_STATISTICS = "the administrator changes the totals of an uploader"
    ADD_ACCOUNT = "the administrator creates an account"
    DELETE_ACCOUNT = "the administrator deletes an account, uniformly drawn, that is no viewer"
    FOLLOW_MOST_FOLLOWED = "viewers in turn, each once, follow the most followed account"


class Write(Struct, frozen=True, kw_only=True):
    """A write; shares and refusals as of reads."""

    name: str
    act: Act
    share: float = 1.0
    refusals: frozenset[int] = frozenset()


Operation: TypeAlias = Read | Visit | Write


class ZipfTargets(Struct, frozen=True):
    """Accounts by rank, the most followed one first: that of rank n is drawn n ** -exponent times as often as it."""

    exponent: float


class HotTargets(Struct, frozen=True):
    """`share` of the draws is of the most followed `part` of all accounts, evenly; the others are of all, evenly."""

    part: float
    share: float


Targets: TypeAlias = ZipfTargets | HotTargets


class Phase(Struct, frozen=True, kw_only=True):
    """Operations that are mixed. `signed_in` is the share of viewers among those who ask for what needs no login."""

    name: str
    operations: tuple[Operation, ...]
    reads_of: Targets = ZipfTargets(0.8)
    writes_of: Targets = ZipfTargets(0.74)
    signed_in: float = 0.3


class Workload(Struct, frozen=True, kw_only=True):
    """Phases, one after another on one store; `viewers` have tokens, at most a quarter of all accounts."""

    name: str
    title: str
    phases: tuple[Phase, ...]
    viewers: int = 5_000
