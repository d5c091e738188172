"""A made-up community: accounts and relations that follow from a seed, for a demo, for tests, for load.

Popularity is Pareto and activity lognormal, as in real networks, and friends are found nearby, so that
they share friends. Nothing asks a clock, and no order comes out of a set.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.resources import files
from itertools import accumulate, pairwise
from random import Random
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from upspace.data import words
from upspace.model import Account, AccountState, Profile, Relation, Standing, Upstat
from upspace.records import profile_of
from upspace.store.interface import Store
from upspace.wire.codes import ATTRIBUTE_BLACK, ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER, GROUP_SPECIAL, LEVEL_MAX
from upspace.wire.record import AccountRecord

T = TypeVar("T")

_ADVICE = "choose another store, or delete its files"

MARK = "community"
"""The mark of a store that holds a community, from when it is complete."""
MARK_LOADED = "community-loaded"
"""The mark of a store whose community is loaded, while some accounts may still have to be deleted."""

REFERENCE = 1_751_299_200
"""The present of the community, 2025-07-01 00:00 in UTC+8: nothing in it is newer."""

# Part of the mark: to be raised whenever the same parameters give another community.
_VERSION = 1

_ACCOUNTS_MIN = 1_000
_RELATIONS_MIN = 3  # of each account on average: the relations of the samples need so many
_RELATIONS_MAX = 100
_FOLLOWINGS_MAX = 1_500  # besides friends; both together stay below max_followings of contract 1
_FRIENDS_MAX = 400

# How many followers of each sample are stored; of its followings, all are.
_SAMPLE_FOLLOWERS = {50995243: 500, 524144317: 320, 5818410: 640}

_YEAR_S = 365.25 * 86_400
_FIRST_ACCOUNT = 1_245_974_400
_SHORT_MIDS_END = 1_634_000_000
_SHORT_MID_MAX = 700_000_000
_LONG_MIDS = range(3_461_560_000_000_000, 3_547_000_000_000_000)
_LONG_SHARE = 0.35
_NEWEST_S = 30 * 86_400
_TIME_BITS = 30
_SPECIAL = (GROUP_SPECIAL,)


class CommunityMismatchError(Exception):
    """A store holds something else than the community that was asked for."""


class Progress(Protocol):
    """Passes items on and shows how far it is; `total` is how many there will be."""

    def __call__(self, items: Iterable[T], what: str, total: int, /) -> Iterable[T]:
        """The same items, one by one."""
        ...


def silent(items: Iterable[T], what: str, total: int, /) -> Iterable[T]:  # noqa: ARG001  # the shape of a progress
    """Show no progress."""
    return items


def sample_records() -> list[AccountRecord]:
    """The accounts of the samples that the contract was written from (contract 13)."""
    return msgspec.json.decode(files("upspace.data").joinpath("samples.json").read_bytes(), type=list[AccountRecord])


class _People(NamedTuple):
    """What accounts are like, by index; they are numbered by ascending mid.

    `popularity` and `activity` are weights: how likely an account is followed, how much it follows.
    """

    mids: list[int]
    created: list[int]
    popularity: list[float]
    activity: list[float]
    keys: list[int]
    samples: dict[int, AccountRecord]
    deleted: frozenset[int]


class Community:
    """A community of so many accounts and relations; the same arguments always give the same one.

    Raises ValueError for numbers that cannot be.
    """

    def __init__(self, seed: int = 1, accounts: int = 10_000, relations: int = 300_000) -> None:
        if accounts < _ACCOUNTS_MIN:
            raise ValueError(f"accounts: {accounts} are too few: a community has {_ACCOUNTS_MIN} or more")
        if not _RELATIONS_MIN * accounts <= relations <= _RELATIONS_MAX * accounts:
            raise ValueError(
                f"relations: {accounts} accounts have {_RELATIONS_MIN * accounts} to"
                f" {_RELATIONS_MAX * accounts} relations, not {relations}"
            )
        self.seed = seed
        self.account_count = accounts
        self.relation_count = relations

    @property
    def mark(self) -> str:
        """A JSON text that tells this community from every other."""
        numbers = {"seed": self.seed, "accounts": self.account_count, "relations": self.relation_count}
        return msgspec.json.encode({"version": _VERSION} | numbers).decode()

    @property
    def deleted(self) -> list[int]:
        """The mids of accounts that are to be deleted once all is loaded. They own no relations."""
        return [self._people.mids[index] for index in sorted(self._people.deleted)]

    def profiles(self) -> Iterator[Profile]:
        """Every account by ascending mid, those to be deleted included."""
        people, rng = self._people, self._random("profiles")
        by_popularity = sorted(people.popularity)
        known, ordinary = (by_popularity[-len(by_popularity) // share] for share in (67, 10))
        names = {record.name for record in people.samples.values()}
        for index in range(self.account_count):
            record = people.samples.get(index)
            yield _profile(rng, people, index, known, ordinary, names) if record is None else profile_of(record)

    def relations(self) -> Iterator[Relation]:
        """Exactly `relation_count` relations by ascending owner, then other."""
        people, rng = self._people, self._random("relations")
        pairs = int(self.relation_count * 0.075)
        friends = _draw_friends(rng, people, pairs)
        blacks, barred = _draw_blacks(rng, people, friends, int(self.relation_count * 0.003))
        fans = _draw_sample_followers(rng, people)
        settled = 2 * pairs + sum(map(len, blacks.values())) + sum(map(len, fans.values()))
        wanted = _draw_followings(people, self.relation_count - settled, self.account_count // 4)
        cum_popularity = list(accumulate(people.popularity))
        everyone = range(self.account_count)
        none: set[int] = set()
        for owner in everyone:
            black, bars = blacks.get(owner, none), barred.get(owner, none)
            kept = friends.get(owner, none) | fans.get(owner, none)
            chosen = set(kept)
            missing = wanted[owner]
            while missing:
                chosen.update(rng.choices(everyone, cum_weights=cum_popularity, k=missing))
                chosen.discard(owner)
                chosen -= bars
                missing = len(kept) + wanted[owner] - len(chosen)
            if chosen or black:
                yield from _relations_of(rng, people, owner, chosen, kept, black)

    @cached_property
    def _people(self) -> _People:
        rng = self._random("people")
        count = self.account_count
        records = {record.mid: record for record in sample_records()}
        mids = _draw_mids(rng, count, set(records))
        created = [_created(mid) for mid in mids]
        popularity = [rng.paretovariate(1.1) * (1 + (REFERENCE - since) / _YEAR_S / 4) for since in created]
        activity = [rng.lognormvariate(0, 1.2) for _ in mids]
        # Without a ceiling, nearly everybody would follow the few at the top.
        ceiling = sum(popularity) / 30
        popularity = [weight / (1 + weight / ceiling) for weight in popularity]
        samples = {bisect_left(mids, mid): record for mid, record in records.items()}
        plain_bound = sorted(popularity)[-count // 10]
        plain = [index for index in range(count) if popularity[index] < plain_bound and index not in samples]
        deleted = frozenset(rng.sample(plain, count // 200))
        for index in samples:
            popularity[index] = 0
        for index in (*samples, *deleted):
            activity[index] = 0
        keys = [rng.getrandbits(_TIME_BITS) for _ in mids]
        return _People(mids, created, popularity, activity, keys, samples, deleted)

    def _random(self, part: str) -> Random:
        """Chance for one part, so that it does not depend on what another part has drawn."""
        return Random(f"{part} of {self.seed}")  # noqa: S311  # repeatable, not secret


async def settle(store: Store, community: Community, progress: Progress = silent) -> bool:
    """Fill an empty store with a community; False if it holds this very community already.

    A call that was interrupted leaves the store empty, or is completed by the next call. Raises
    CommunityMismatchError if the store holds anything else.
    """
    mark = community.mark
    if await store.mark(MARK) == mark:
        return False
    loaded = await store.mark(MARK_LOADED)
    if loaded != mark:
        if loaded is not None:
            raise CommunityMismatchError(f"{store.url} holds the community {loaded}, not {mark}: {_ADVICE}")
        newest_change, _ = await store.changed_accounts(0)
        if newest_change:
            raise CommunityMismatchError(f"{store.url} holds accounts already, but no community: {_ADVICE}")
        await store.load(
            progress(community.profiles(), "accounts", community.account_count),
            progress(community.relations(), "relations", community.relation_count),
            {MARK_LOADED: mark},
        )
    # A store deletes one account at a time. Those deleted before an interruption are skipped.
    deleted = community.deleted
    for mid in progress(deleted, "deleted accounts", len(deleted)):
        await store.delete_account(mid, REFERENCE)
    await store.load((), (), {MARK: mark})
    return True


def _draw_mids(rng: Random, count: int, given: set[int]) -> list[int]:
    mids = set(given)
    while len(mids) < count:
        if rng.random() < _LONG_SHARE:
            mids.add(rng.randrange(_LONG_MIDS.start, _LONG_MIDS.stop))
        else:
            # The square gives short mids a fair share, too.
            mids.add(1 + int(_SHORT_MID_MAX * rng.random() ** 2))
    return sorted(mids)


def _created(mid: int) -> int:
    """When an account of that mid was made: mids were given out in order, ever faster."""
    if mid in _LONG_MIDS:
        span = REFERENCE - _NEWEST_S - _SHORT_MIDS_END
        return _SHORT_MIDS_END + span * (mid - _LONG_MIDS.start) // len(_LONG_MIDS)
    return _FIRST_ACCOUNT + int((_SHORT_MIDS_END - _FIRST_ACCOUNT) * (mid / _SHORT_MID_MAX) ** 0.3)


def _draw_friends(rng: Random, people: _People, pairs: int) -> dict[int, set[int]]:
    """Pairs that follow each other, found by active accounts among those that came at about the same time."""
    activity, count = people.activity, len(people.mids)
    cum_activity = list(accumulate(activity))
    friends: dict[int, set[int]] = defaultdict(set)
    while pairs:
        for one in rng.choices(range(count), cum_weights=cum_activity, k=pairs):
            two = (one + int(rng.paretovariate(0.6))) % count
            if one == two or not activity[two] or two in friends[one]:
                continue
            if len(friends[one]) < _FRIENDS_MAX and len(friends[two]) < _FRIENDS_MAX:
                friends[one].add(two)
                friends[two].add(one)
                pairs -= 1
    return friends


def _draw_blacks(
    rng: Random, people: _People, friends: dict[int, set[int]], pairs: int
) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """Whom accounts block, and whom they cannot follow for a block in either direction."""
    blacks: dict[int, set[int]] = defaultdict(set)
    barred: dict[int, set[int]] = defaultdict(set)
    able = [index for index, weight in enumerate(people.activity) if weight]
    while pairs:
        one, two = rng.sample(able, 2)
        if two in barred[one] or two in friends.get(one, ()):
            continue
        blacks[one].add(two)
        barred[one].add(two)
        barred[two].add(one)
        pairs -= 1
    return blacks, barred


def _draw_sample_followers(rng: Random, people: _People) -> dict[int, set[int]]:
    """Which samples an account follows."""
    able = [index for index, weight in enumerate(people.activity) if weight]
    fans: dict[int, set[int]] = defaultdict(set)
    for sample, record in people.samples.items():
        for owner in rng.sample(able, _SAMPLE_FOLLOWERS[record.mid]):
            fans[owner].add(sample)
    return fans


def _draw_followings(people: _People, total: int, most: int) -> list[int]:
    """How many others each account follows besides its friends and the samples: in all, `total`.

    The samples follow as many as their counters say, the others in proportion to their activity.
    """
    most = min(most, _FOLLOWINGS_MAX)
    total -= sum(record.counters.following for record in people.samples.values())
    scale = total / sum(people.activity)
    bounds = [int(bound * scale) for bound in accumulate(people.activity, initial=0.0)]
    wanted = [min(most, end - start) for start, end in pairwise(bounds)]
    missing = total - sum(wanted)
    while missing:
        for index, weight in enumerate(people.activity):
            if missing and weight and wanted[index] < most:
                wanted[index] += 1
                missing -= 1
    for index, record in people.samples.items():
        wanted[index] = record.counters.following
    return wanted


def _relations_of(
    rng: Random, people: _People, owner: int, chosen: set[int], kept: set[int], black: set[int]
) -> list[Relation]:
    """The relations of one account by ascending other, a few of them whispers or special."""
    mids, created, keys = people.mids, people.created, people.keys
    mid, since, key = mids[owner], created[owner], keys[owner]
    attributes = dict.fromkeys(black, ATTRIBUTE_BLACK)
    special: frozenset[int] = frozenset()
    if owner not in people.samples:
        if rng.random() < 0.06:
            hidden = sorted(chosen - kept)
            attributes |= dict.fromkeys(
                rng.sample(hidden, min(rng.randrange(1, 6), len(hidden) // 2)), ATTRIBUTE_WHISPER
            )
        if rng.random() < 0.15:
            followed = sorted(chosen.difference(attributes))
            special = frozenset(rng.sample(followed, min(rng.randrange(1, 8), len(followed))))
    relations = []
    for other in sorted(chosen | black):
        start = created[other]
        if start < since:
            start = since
        # Both sides of a pair get the same time, as contract 5.1 wants of mutual ones, without having met.
        mtime = start + ((REFERENCE - start) * (key ^ keys[other]) >> _TIME_BITS)
        groups = _SPECIAL if other in special else ()
        relations.append(Relation(mid, mids[other], attributes.get(other, ATTRIBUTE_FOLLOWING), mtime, groups))
    return relations


def _profile(rng: Random, people: _People, index: int, known: float, ordinary: float, names: set[str]) -> Profile:
    """One account; its name joins `names`.

    Accounts as popular as `ordinary` publish, those as popular as `known` mostly have an official mark.
    """
    mid, popularity = people.mids[index], people.popularity[index]
    official = name = None
    if popularity >= known and rng.random() < 0.7:
        if rng.random() < 0.2:
            name = words.organisation(rng)
            official = words.organisation_mark(name)
        else:
            official = words.personal_mark(rng)
    level = _level(rng, REFERENCE - people.created[index], people.activity[index])
    random = rng.random
    account = Account(
        mid=mid,
        name=_unique(rng, name or words.nickname(rng), names),
        sex="保密" if name else rng.choice(("男", "女", "保密", "保密")),
        sign=words.signature(rng),
        rank=10000 if level else 5000,
        level=level,
        coins=round(rng.lognormvariate(3 + level / 3, 1.2), 1),
        birthday=_birthday(rng),
        is_senior_member=int(level == LEVEL_MAX and random() < 0.3),
        official=official,
        vip=words.membership(rng, REFERENCE),
        decorations=words.ornaments(rng, popularity >= ordinary),
    )
    standing = Standing(
        mid=mid,
        state=AccountState.SUSPENDED if random() < 0.005 and popularity < ordinary else AccountState.NORMAL,
        hides_followings=random() < 0.12,
        hides_followers=random() < 0.06,
        hides_birthday=random() < 0.25,
    )
    publishes = popularity >= ordinary or random() < 0.2
    return Profile(account, standing, _upstat(rng, popularity) if publishes else Upstat())


def _unique(rng: Random, name: str, names: set[str]) -> str:
    while name in names:
        name += str(rng.randrange(10))
    names.add(name)
    return name


def _level(rng: Random, age_s: int, activity: float) -> int:
    """Levels come with the years, sooner for active accounts."""
    level = rng.gauss(1.2 + 0.3 * age_s / _YEAR_S + 0.4 * min(activity, 3), 0.8)
    return max(0, min(LEVEL_MAX, round(level)))


def _birthday(rng: Random) -> str:
    """`MM-DD`. Many never chose one, which is the first of January; some have none."""
    kind = rng.random()
    if kind < 0.4:
        return "01-01"
    return "" if kind < 0.5 else f"{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"


def _upstat(rng: Random, popularity: float) -> Upstat:
    archives = 1 + int(rng.lognormvariate(1.5, 1) * popularity**0.3)
    views = int(archives * rng.lognormvariate(5.5, 1) * popularity)
    articles = int(rng.lognormvariate(0.5, 1)) if rng.random() < 0.2 else 0
    reads = int(articles * rng.lognormvariate(4, 1) * popularity**0.5)
    return Upstat(views, reads, int(views * rng.uniform(0.01, 0.07)), archives, articles)
