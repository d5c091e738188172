"""Which stored facts do not agree, told from rows in memory by pure functions.

Rows that have to agree may be on different nodes of a cluster, which joins none of them. So an engine reads some rows
of a table, and by key whatever has to agree with them; what does not is told here, as kinds of
`upspace.store.findings`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from upspace.model import AccountState, CounterMode
from upspace.store.findings import KINDS, Kind
from upspace.wire.codes import ATTRIBUTE_BLACK, ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER, GROUP_SPECIAL

Key = tuple[int, ...]
Row = Iterable[Any]
"""The columns of a row; they may hold what the nouns of the house cannot."""

_KINDS = {kind.name: kind for kind in KINDS}
_STATES = frozenset(AccountState)
_MODES = frozenset(CounterMode)
_DELETED = int(AccountState.DELETED)
_ATTRIBUTES = frozenset((ATTRIBUTE_WHISPER, ATTRIBUTE_FOLLOWING, ATTRIBUTE_BLACK))


class Disagreement(NamedTuple):
    """A row that is wrong: its table (`account` for all that is one row an account), its key, and what a text says."""

    kind: Kind
    table: str
    key: Key
    values: dict[str, Any]

    @property
    def identity(self) -> tuple[str, Key, str]:
        """What tells it from others, also when it is found again with other values."""
        return self.kind.name, self.key, self.values.get("counter", "")


class StandingRow(NamedTuple):
    """The columns of `standing`."""

    mid: int
    state: int
    hides_followings: int
    hides_followers: int
    hides_birthday: int
    counter_mode: int
    following: int
    whisper: int
    black: int
    follower: int

    @property
    def counters(self) -> tuple[int, int, int, int]:
        """The counters in the order of the columns."""
        return self.following, self.whisper, self.black, self.follower

    @property
    def is_counted(self) -> bool:
        """Whether the counters are to be those of the stored relations."""
        return self.counter_mode == CounterMode.DERIVED and self.state != _DELETED


class Tokens(NamedTuple):
    """How many tokens an account has, and how many of them are not revoked."""

    stored: int
    unrevoked: int


class Known(NamedTuple):
    """What there is of the accounts that some rows name: states of those with a standing, profiles of the others."""

    states: Mapping[int, int]
    profiles: Collection[int]

    def has_nothing_of(self, mid: int) -> bool:
        """Whether there is no such account. One that has lost a part of itself is still there."""
        return mid not in self.states and mid not in self.profiles

    def is_deleted(self, mid: int) -> bool:
        """Whether the account is deleted."""
        return self.states.get(mid) == _DELETED

    def is_alive(self, mid: int) -> bool:
        """Whether the account has a standing, and one that is not deleted."""
        return self.states.get(mid, _DELETED) != _DELETED


class AccountFacts(NamedTuple):
    """Accounts by mid and what is stored of each; `counted` are the right counters of those that are counted."""

    mids: Iterable[int]
    standings: Mapping[int, StandingRow]
    profiles: Collection[int]
    totals: Collection[int]
    tokens: Mapping[int, Tokens]
    counted: Mapping[int, tuple[int, ...]]


class GroupFacts(NamedTuple):
    """Own groups (owner, id)."""

    rows: Iterable[Row]
    known: Known


class RelationFacts(NamedTuple):
    """Relations (owner, other, attribute, mutual, mtime).

    `opposite` has the attributes of the relations in the other direction by owner and other, `listed` those rows of
    lists of followers (owner, mtime, other) that are there as they are to be.
    """

    rows: Iterable[Row]
    known: Known
    opposite: Mapping[Key, int]
    listed: Collection[Key]


class FollowerFacts(NamedTuple):
    """Rows of lists of followers (owner, mtime, other); `followed` are those that a follow stands behind."""

    rows: Iterable[Row]
    known: Known
    followed: Collection[Key]


class MemberFacts(NamedTuple):
    """Places in groups (owner, other, group id); attributes of the relations by owner and other; own groups by key."""

    rows: Iterable[Row]
    attributes: Mapping[Key, int]
    groups: Collection[Key]


def wrong_accounts(facts: AccountFacts) -> Iterator[Disagreement]:
    """What does not agree within accounts."""
    for mid in facts.mids:
        standing = facts.standings.get(mid)
        if standing is None:
            yield from _without_standing(mid, facts)
            continue
        if standing.state not in _STATES or standing.counter_mode not in _MODES:
            yield _of_account("strange_standing", mid, state=standing.state, counter_mode=standing.counter_mode)
        if standing.state == _DELETED:
            yield from _deleted(standing, facts)
            continue
        if mid not in facts.profiles:
            yield _of_account("profile_missing", mid)
        elif mid not in facts.totals:
            yield _of_account("totals_missing", mid)
        yield from _wrong_counters(standing, facts)


def wrong_groups(facts: GroupFacts) -> Iterator[Disagreement]:
    """Groups that belong to nobody."""
    for owner, group_id in facts.rows:
        if facts.known.is_deleted(owner):
            kind = "deleted_group"
        elif facts.known.has_nothing_of(owner):
            kind = "group_of_unknown"
        else:
            continue
        yield Disagreement(_KINDS[kind], "own_group", (owner, group_id), {"mid": owner, "group_id": group_id})


def wrong_relations(facts: RelationFacts) -> Iterator[Disagreement]:
    """Relations that are none, and those that the other side does not agree with."""
    for owner, other, attribute, mutual, mtime in facts.rows:
        kinds = _kinds_of_relation(owner, other, attribute, facts.known)
        if owner != other:
            kinds += _kinds_of_pair(owner, other, attribute, mutual, mtime, facts)
        for kind in kinds:
            values = {"mid": owner, "other": other, "attribute": attribute, "mtime": mtime}
            yield Disagreement(_KINDS[kind], "relation", (owner, other), values)


def wrong_followers(facts: FollowerFacts) -> Iterator[Disagreement]:
    """Rows of lists of followers that no follow stands behind."""
    for owner, mtime, other in facts.rows:
        if facts.known.is_deleted(owner):
            kind = "deleted_follower"
        elif facts.known.has_nothing_of(owner):
            kind = "follower_of_unknown"
        elif (owner, mtime, other) not in facts.followed and facts.known.is_alive(owner):
            kind = "follower_without_follow"
        else:
            continue
        values = {"mid": owner, "other": other, "mtime": mtime}
        yield Disagreement(_KINDS[kind], "follower", (owner, mtime, other), values)


def wrong_members(facts: MemberFacts) -> Iterator[Disagreement]:
    """Members of groups that cannot be in them, or not in these.

    What a relation with a strange attribute was meant to be decides a person, so its members stay until then.
    """
    for owner, other, group_id in facts.rows:
        kinds = []
        if facts.attributes.get((owner, other), ATTRIBUTE_BLACK) == ATTRIBUTE_BLACK:
            kinds.append("member_without_relation")
        if group_id != GROUP_SPECIAL and (owner, group_id) not in facts.groups:
            kinds.append("member_of_unknown_group")
        for kind in kinds:
            values = {"mid": owner, "other": other, "group_id": group_id}
            yield Disagreement(_KINDS[kind], "grouped", (owner, other, group_id), values)


def _kinds_of_relation(owner: int, other: int, attribute: int, known: Known) -> list[str]:
    """What is wrong with one relation, whatever the other side says."""
    kinds = []
    if known.is_deleted(owner):
        kinds.append("deleted_relation")
    elif known.has_nothing_of(owner):
        kinds.append("relation_of_unknown")
    if known.has_nothing_of(other):
        kinds.append("relation_to_unknown")
    if known.is_alive(owner):
        if attribute not in _ATTRIBUTES and other in known.states:
            kinds.append("strange_attribute")
        if owner == other:
            kinds.append("relation_to_itself")
    return kinds


def _kinds_of_pair(owner: int, other: int, attribute: int, mutual: bool, mtime: int, facts: RelationFacts) -> list[str]:
    """What one side of a pair has that the other has not."""
    kinds = []
    follows = attribute == ATTRIBUTE_FOLLOWING
    is_listed = (other, mtime, owner) in facts.listed
    if follows and not is_listed and facts.known.is_alive(owner) and facts.known.is_alive(other):
        kinds.append("follow_without_follower")
    is_mutual = follows and facts.opposite.get((other, owner)) == ATTRIBUTE_FOLLOWING
    if is_mutual != mutual:
        kinds.append("mutual_missing" if is_mutual else "mutual_wrong")
    return kinds


def _without_standing(mid: int, facts: AccountFacts) -> Iterator[Disagreement]:
    if mid in facts.profiles:
        yield _of_account("standing_missing", mid)
        return
    if mid in facts.totals:
        yield _of_account("totals_of_unknown", mid)
    if mid in facts.tokens:
        yield _of_account("token_of_unknown", mid, tokens=facts.tokens[mid].stored)


def _deleted(standing: StandingRow, facts: AccountFacts) -> Iterator[Disagreement]:
    mid = standing.mid
    if any(standing[2:]):
        yield _of_account("deleted_standing", mid)
    if mid in facts.profiles:
        yield _of_account("deleted_profile", mid)
    if mid in facts.totals:
        yield _of_account("deleted_totals", mid)
    if mid in facts.tokens and facts.tokens[mid].unrevoked:
        yield _of_account("deleted_token", mid, tokens=facts.tokens[mid].unrevoked)


def _wrong_counters(standing: StandingRow, facts: AccountFacts) -> Iterator[Disagreement]:
    names = ("following", "whisper", "black", "follower")
    if standing.is_counted:
        for name, stored, counted in zip(names, standing.counters, facts.counted[standing.mid], strict=True):
            if stored != counted:
                yield _of_account("wrong_counter", standing.mid, counter=name, stored=stored, counted=counted)
    elif standing.counter_mode == CounterMode.REPORTED:
        for name, stored in zip(names, standing.counters, strict=True):
            if stored < 0:
                yield _of_account("negative_counter", standing.mid, counter=name, stored=stored)


def _of_account(kind: str, mid: int, **values: int | str) -> Disagreement:
    return Disagreement(_KINDS[kind], "account", (mid,), {"mid": mid, **values})
