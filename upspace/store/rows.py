"""From rows to the nouns of the house: the columns are those of every engine, in the order of the structs."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from upspace.model import Account, AccountState, CounterMode, Profile, Relation, Standing, Upstat
from upspace.wire.codes import ATTRIBUTE_MUTUAL

STATES = tuple(AccountState)
_MODES = tuple(CounterMode)

ACCOUNT_WIDTH = len(Account.__struct_fields__)
STANDING_WIDTH = len(Standing.__struct_fields__)


def read_standing(row: Iterable[Any]) -> Standing:
    """The columns of `standing`, in the order of the struct."""
    mid, state, followings, followers, birthday, mode, following, whisper, black, follower = row
    return Standing(
        mid,
        STATES[state],
        followings == 1,
        followers == 1,
        birthday == 1,
        _MODES[mode],
        following,
        whisper,
        black,
        follower,
    )


def with_counters(standing: Standing, counters: Iterable[int]) -> Standing:
    """A standing with other counters, which come in the order of the columns."""
    following, whisper, black, follower = counters
    return replace(standing, following=following, whisper=whisper, black=black, follower=follower)


def read_profile(row: Sequence[Any]) -> Profile:
    """The columns of `account`, `standing` and `upstat`; those of `upstat` may be null."""
    rest = row[ACCOUNT_WIDTH:]
    totals = rest[STANDING_WIDTH:]
    return Profile(
        Account(*row[:ACCOUNT_WIDTH]),
        read_standing(rest[:STANDING_WIDTH]),
        Upstat() if totals[0] is None else Upstat(*totals),
    )


def read_relation(owner: int, row: Iterable[Any], groups: Iterable[int]) -> Relation:
    """The columns other, attribute, mutual, mtime, re_src, and the group ids in any order."""
    other, attribute, mutual, mtime, re_src = row
    return Relation(owner, other, ATTRIBUTE_MUTUAL if mutual else attribute, mtime, tuple(sorted(groups)), re_src)
