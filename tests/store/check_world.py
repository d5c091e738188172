"""Small worlds of stored facts, agreeing or not, for what has to tell the one from the other."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from upspace.store.disagreements import (
    AccountFacts,
    Disagreement,
    FollowerFacts,
    GroupFacts,
    Key,
    Known,
    MemberFacts,
    RelationFacts,
    StandingRow,
    Tokens,
    wrong_accounts,
    wrong_followers,
    wrong_groups,
    wrong_members,
    wrong_relations,
)

MIDS = (1, 2, 3, 4)
SPECIAL = -10


@dataclass
class World:
    """Every fact by its key; a relation is its attribute, mutual state and mtime, a token whether it is revoked."""

    standings: dict[int, StandingRow] = field(default_factory=dict)
    profiles: set[int] = field(default_factory=set)
    totals: set[int] = field(default_factory=set)
    tokens: list[tuple[int, bool]] = field(default_factory=list)
    groups: dict[int, int] = field(default_factory=dict)
    relations: dict[tuple[int, int], tuple[int, bool, int]] = field(default_factory=dict)
    followers: set[tuple[int, int, int]] = field(default_factory=set)
    members: set[tuple[int, int, int]] = field(default_factory=set)

    def alive(self) -> set[int]:
        """The accounts that are not deleted."""
        return {mid for mid, standing in self.standings.items() if standing.state != 2}

    def counted(self, mid: int) -> tuple[int, int, int, int]:
        """What the counters of an account have to be."""
        own = [attribute for (owner, _), (attribute, _, _) in self.relations.items() if owner == mid]
        return own.count(2), own.count(1), own.count(128), sum(owner == mid for owner, _, _ in self.followers)

    def set(self, mid: int, **columns: int) -> None:
        """Change columns of a standing."""
        self.standings[mid] = self.standings[mid]._replace(**columns)

    def settle(self) -> None:
        """Make lists of followers, mutual states and derived counters what they have to be."""
        follows = {pair: mtime for pair, (attribute, _, mtime) in self.relations.items() if attribute == 2}
        self.followers = {(other, mtime, owner) for (owner, other), mtime in follows.items() if other in self.alive()}
        for (owner, other), (attribute, _, mtime) in self.relations.items():
            mutual = (owner, other) in follows and (other, owner) in follows
            self.relations[owner, other] = attribute, mutual, mtime
        for mid in self.alive():
            if self.standings[mid].counter_mode == 0:
                following, whisper, black, follower = self.counted(mid)
                self.set(mid, following=following, whisper=whisper, black=black, follower=follower)

    def disagreements(self) -> list[Disagreement]:
        """What does not agree, told from all facts at once."""
        mids = {*self.standings, *self.profiles, *self.totals, *(mid for mid, _ in self.tokens)}
        tokens = {mid: [revoked for of, revoked in self.tokens if of == mid] for mid in mids}
        accounts = AccountFacts(
            sorted(mids),
            self.standings,
            self.profiles,
            self.totals,
            {mid: Tokens(len(given), given.count(False)) for mid, given in tokens.items() if given},
            {mid: self.counted(mid) for mid in self.standings},
        )
        known = Known({mid: standing.state for mid, standing in self.standings.items()}, self.profiles)
        attributes: dict[Key, int] = {pair: attribute for pair, (attribute, _, _) in self.relations.items()}
        groups = sorted((owner, group_id) for group_id, owner in self.groups.items())
        relations = [(*pair, *rest) for pair, rest in self.relations.items()]
        follows = {(other, mtime, owner) for owner, other, attribute, _, mtime in relations if attribute == 2}
        return [
            *wrong_accounts(accounts),
            *wrong_groups(GroupFacts(groups, known)),
            *wrong_relations(RelationFacts(relations, known, attributes, self.followers)),
            *wrong_followers(FollowerFacts(self.followers, known, follows)),
            *wrong_members(MemberFacts(self.members, attributes, set(groups))),
        ]

    def sql(self) -> str:
        """The statements that put all this into an empty store, on every engine."""
        groups = [(group_id, owner, str(group_id)) for group_id, owner in self.groups.items()]
        tokens = [
            (bytes((n,)), mid, 1, None, 5 if revoked else None, "") for n, (mid, revoked) in enumerate(self.tokens)
        ]
        account = ("", "", "", 0, "", 0, 0, 0, "", 0, "", None, None, None)
        tables: dict[str, list[tuple[Any, ...]]] = {
            f"standing ({', '.join(StandingRow._fields)})": list(self.standings.values()),
            "account": [(mid, *account) for mid in self.profiles],
            "upstat": [(mid, 0, 0, 0, 0, 0) for mid in self.totals],
            "token": tokens,
            "own_group (id, owner, name)": groups,
            "relation": [(*pair, *rest, 0) for pair, rest in self.relations.items()],
            "follower": list(self.followers),
            "grouped": list(self.members),
        }
        return "; ".join(
            f"insert into {table} values ({', '.join(map(_literal, row))})"  # noqa: S608  # values of ours
            for table, rows in tables.items()
            for row in rows
        )


def _literal(value: Any) -> str:
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return f"'{value}'"
    return "null" if value is None else str(value).lower()


_FLAGS = (st.booleans(),) * 3
_NUMBERS = st.sampled_from((0, 0, 1, 2, -1))
_MTIMES = st.integers(1, 3)
_GROUP_IDS = (5, 6, 7)


@st.composite
def any_worlds(draw: st.DrawFn) -> World:
    """Worlds of rows that need not agree in anything."""
    mids, groups = st.sampled_from(MIDS), st.sampled_from((SPECIAL, 0, *_GROUP_IDS))
    pairs = st.tuples(mids, mids)
    world = World()
    for mid in draw(st.sets(mids)):
        state, mode = draw(st.sampled_from((0, 0, 1, 2, 3))), draw(st.sampled_from((0, 0, 1, 2)))
        flags = draw(st.sampled_from(((False, False, False), (True, False, False), (False, True, True))))
        world.standings[mid] = StandingRow(mid, state, *flags, mode, *(draw(_NUMBERS) for _ in range(4)))
    world.profiles, world.totals = draw(st.sets(mids)), draw(st.sets(mids))
    world.tokens = draw(st.lists(st.tuples(mids, st.booleans()), max_size=3))
    world.groups = draw(st.dictionaries(st.sampled_from(_GROUP_IDS), mids))
    sides = st.tuples(st.sampled_from((0, 1, 2, 2, 2, 6, 128)), st.booleans(), _MTIMES)
    world.relations = draw(st.dictionaries(pairs, sides, max_size=8))
    world.followers = draw(st.sets(st.tuples(mids, _MTIMES, mids), max_size=4))
    if draw(st.booleans()):
        follows = [(pair, mtime) for pair, (attribute, _, mtime) in world.relations.items() if attribute == 2]
        world.followers |= {(other, mtime, owner) for (owner, other), mtime in follows}
    world.members = draw(st.sets(st.tuples(mids, mids, groups), max_size=4))
    return world


@st.composite
def agreeing_worlds(draw: st.DrawFn) -> World:
    """Worlds in which everything agrees: 1, 2 and 3 are alive and counted, 4 is deleted, some more are anything."""
    world = World()
    world.standings = {mid: StandingRow(mid, 0, False, False, False, 0, 0, 0, 0, 0) for mid in MIDS}
    world.set(4, state=2)
    for mid in draw(st.sets(st.sampled_from((8, 9, 10)))):
        state, mode = draw(st.sampled_from((0, 1))), draw(st.sampled_from((0, 1)))
        world.standings[mid] = StandingRow(mid, state, *draw(st.tuples(*_FLAGS)), mode, 7, 7, 7, 7)
    alive, everyone = sorted(world.alive()), sorted(world.standings)
    world.profiles, world.totals = set(alive), set(alive)
    world.tokens = [*draw(st.lists(st.tuples(st.sampled_from(alive), st.booleans()), max_size=3)), (4, True)]
    world.groups = draw(st.dictionaries(st.sampled_from(_GROUP_IDS), st.sampled_from(alive)))
    pairs = st.tuples(st.sampled_from(alive), st.sampled_from(everyone)).filter(lambda pair: pair[0] != pair[1])
    sides = st.tuples(st.sampled_from((1, 2, 2, 2, 128)), st.just(False), _MTIMES)
    world.relations = draw(st.dictionaries(pairs, sides, max_size=12))
    for (owner, other), (attribute, _, _) in world.relations.items():
        own = [group_id for group_id, of in world.groups.items() if of == owner]
        if attribute != 128:
            world.members |= {(owner, other, group_id) for group_id in draw(st.sets(st.sampled_from((SPECIAL, *own))))}
    world.settle()
    return world
