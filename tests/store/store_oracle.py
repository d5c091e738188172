"""What a store must answer, computed from plain dictionaries, and the samples that stores are filled with."""

from collections.abc import Iterable
from hashlib import sha256
from random import Random
from typing import Any

from msgspec.structs import replace
from shown_accounts import listed_account, seen_account

from upspace.model import (
    Account,
    AccountState,
    CounterMode,
    Counters,
    Figures,
    Listed,
    ListOwner,
    Profile,
    Relation,
    Standing,
    Token,
    Upstat,
    Window,
)
from upspace.store.interface import Store

WHISPER, FOLLOWING, MUTUAL, BLACK = 1, 2, 6, 128
SPECIAL = -10
BIGGEST = 2**63 - 1


def profile(mid: int, name: str = "", standing: Standing | None = None) -> Profile:
    """An account in mode derived that hides nothing, unless `standing` says otherwise."""
    return Profile(Account(mid, name=name or f"name {mid}"), standing or Standing(mid))


def reported(mid: int, **counters: int) -> Profile:
    """An account in mode reported with these counters."""
    return profile(mid, standing=Standing(mid, counter_mode=CounterMode.REPORTED, **counters))  # type: ignore[arg-type]  # the counters are int


def follow(owner: int, other: int, mtime: int = 1, *groups: int) -> Relation:
    """A follow of `other` by `owner`."""
    return Relation(owner, other, FOLLOWING, mtime, groups)


def token(text: str, mid: int, issued: int = 10, **more: Any) -> Token:
    """A token of an account, told by a text."""
    return Token(sha256(text.encode()).digest(), mid, issued, **more)


def newest_first(rows: Iterable[Listed]) -> list[Listed]:
    """The rows of a list in the order `desc`."""
    return sorted(rows, key=lambda row: (row.mtime, row.mid), reverse=True)


class Oracle:
    """A model of a store: every answer is computed from the raw rows each time it is asked for."""

    def __init__(self) -> None:
        self.profiles: dict[int, Profile] = {}
        self.rows: dict[tuple[int, int], Relation] = {}
        self.deleted: set[int] = set()

    def load(self, profiles: Iterable[Profile], relations: Iterable[Relation] = ()) -> None:
        """What is stored already is replaced."""
        for given in profiles:
            self.profiles[given.account.mid] = given
        for row in relations:
            attribute = FOLLOWING if row.attribute == MUTUAL else row.attribute
            self.rows[row.owner, row.other] = replace(row, attribute=attribute, groups=tuple(sorted(row.groups)))

    def delete(self, mid: int) -> None:
        """Contract 5.2: its own rows go, the rows of others to it stay, counters of others follow."""
        for row in self.followings(mid):
            if row.mid not in self.deleted:
                kept = self.profiles[row.mid]
                fewer = replace(kept.standing, follower=max(0, kept.standing.follower - 1))
                self.profiles[row.mid] = replace(kept, standing=fewer)
        self.rows = {pair: row for pair, row in self.rows.items() if pair[0] != mid}
        del self.profiles[mid]
        self.deleted.add(mid)

    def follows(self, owner: int, other: int) -> bool:
        return (row := self.rows.get((owner, other))) is not None and row.attribute == FOLLOWING

    def followings(self, mid: int) -> list[Listed]:
        follows = [row for row in self.rows.values() if row.owner == mid and row.attribute == FOLLOWING]
        return newest_first(Listed(row.other, row.mtime) for row in follows)

    def followers(self, mid: int) -> list[Listed]:
        follows = [row for row in self.rows.values() if row.other == mid and row.attribute == FOLLOWING]
        return [] if mid in self.deleted else newest_first(Listed(row.owner, row.mtime) for row in follows)

    def followings_special_first(self, mid: int, ascending: bool) -> list[Listed]:
        rows = self.followings(mid)[:: -1 if ascending else 1]
        special = [row for row in rows if SPECIAL in self.rows[mid, row.mid].groups]
        return special + [row for row in rows if row not in special]

    def relations(self, owner: int) -> dict[int, Relation]:
        return {
            other: replace(row, attribute=MUTUAL) if self.follows(owner, other) and self.follows(other, owner) else row
            for (of, other), row in self.rows.items()
            if of == owner
        }

    def standing(self, mid: int) -> Standing | None:
        if mid in self.deleted:
            return Standing(mid, AccountState.DELETED)
        if mid not in self.profiles:
            return None
        standing = self.profiles[mid].standing
        if standing.counter_mode is CounterMode.REPORTED:
            return standing
        own = [row.attribute for row in self.rows.values() if row.owner == mid]
        return replace(
            standing,
            following=own.count(FOLLOWING),
            whisper=own.count(WHISPER),
            black=own.count(BLACK),
            follower=len(self.followers(mid)),
        )

    def profile(self, mid: int) -> Profile | None:
        standing = self.standing(mid)
        if mid not in self.profiles or standing is None:
            return None
        return replace(self.profiles[mid], standing=standing)

    def counters(self, mid: int) -> Counters | None:
        standing = self.standing(mid)
        if standing is None:
            return None
        return Counters(standing.following, standing.whisper, standing.black, standing.follower)

    def figures(self, mid: int, newest_change: int) -> Figures | None:
        counters = self.counters(mid)
        if mid not in self.profiles or counters is None:
            return None
        upstat = self.profiles[mid].upstat
        return Figures(
            following=counters.following,
            follower=counters.follower,
            likes=upstat.likes,
            archive_count=upstat.archive_count,
            article_count=upstat.article_count,
            newest_change=newest_change,
        )

    def list_owner(self, mid: int) -> ListOwner:
        standing = self.standing(mid)
        if standing is None:
            return ListOwner()
        return ListOwner(standing.hides_followings, standing.hides_followers, standing.following, standing.follower)


async def assert_agrees(store: Store, oracle: Oracle, mids: Iterable[int]) -> None:
    """Every answer of the store about these accounts is that of the oracle."""
    mids = list(mids)
    whole = Window(0, len(mids))
    turned = Window(0, len(mids), ascending=True)
    newest, _ = await store.changed_accounts(0)
    assert await store.newest_change() == newest
    for mid in mids:
        expected = oracle.profile(mid)
        assert await store.profile(mid) == expected
        assert await store.account(mid) == (expected and (expected.account, expected.standing))
        assert await store.upstat(mid) == (expected and expected.upstat)
        assert await store.standing(mid) == oracle.standing(mid)
        assert await store.counters(mid) == oracle.counters(mid)
        assert await store.figures(mid) == oracle.figures(mid, newest)
        assert await store.relations(mid, mids) == oracle.relations(mid)
        lists = [
            (await store.followings(mid, whole), oracle.followings(mid)),
            (await store.followings(mid, turned), oracle.followings(mid)[::-1]),
            (await store.followings(mid, whole, True), oracle.followings_special_first(mid, False)),
            (await store.followings(mid, turned, True), oracle.followings_special_first(mid, True)),
            (await store.followers(mid, whole), oracle.followers(mid)),
            (await store.followers(mid, turned), oracle.followers(mid)[::-1]),
            (
                await store.followers(mid, Window(0, len(mids), after=Listed(2**63 - 1, 2**63 - 1))),
                oracle.followers(mid),
            ),
        ]
        for page, rows in lists:
            assert page.rows == rows
            assert (page.owner, page.newest_change) == (oracle.list_owner(mid), newest)
    living = [mid for mid in mids if mid in oracle.profiles]
    assert await store.accounts(mids) == {mid: seen_account(oracle.profiles[mid]) for mid in living}
    assert await store.listed_accounts(mids) == {mid: listed_account(oracle.profiles[mid]) for mid in living}


def random_profile(random: Random, mid: int) -> Profile:
    """An account of either counter mode; what a derived one says of its counters is wrong."""
    standing = Standing(
        mid,
        random.choice((AccountState.NORMAL, AccountState.NORMAL, AccountState.SUSPENDED)),
        hides_followings=random.random() < 0.2,
        hides_followers=random.random() < 0.2,
        hides_birthday=random.random() < 0.2,
        counter_mode=random.choice((CounterMode.DERIVED, CounterMode.DERIVED, CounterMode.REPORTED)),
        following=random.randrange(3),
        whisper=random.randrange(3),
        black=random.randrange(3),
        follower=random.randrange(3),
    )
    account = Account(mid, name=f"name {mid} {random.random()}", level=random.randrange(7))
    return Profile(account, standing, Upstat(random.randrange(9), random.randrange(9), random.randrange(9)))


def random_relations(random: Random, owners: list[int], others: list[int], count: int) -> list[Relation]:
    """Relations of distinct pairs; few instants, so that many rows are told apart by their mid alone."""
    pairs = [(owner, other) for owner in owners for other in others if owner != other]
    return [
        Relation(
            owner,
            other,
            random.choice((FOLLOWING, FOLLOWING, FOLLOWING, MUTUAL, WHISPER, BLACK)),
            random.randrange(1_700_000_000, 1_700_000_004),
            tuple(random.sample((SPECIAL, 1, 2, 30), random.randrange(3))),
            random.randrange(3),
        )
        for owner, other in random.sample(pairs, min(count, len(pairs)))
    ]
