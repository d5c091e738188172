"""Communities, one with something of everything and a small one, and all that a store can tell: rows and answers."""

from collections.abc import Collection, Iterable
from random import Random
from typing import Any, NamedTuple

from msgspec.structs import replace
from raw_rows import Rows, raw, read_tables
from store_damage import community
from store_oracle import SPECIAL, WHISPER, follow, profile, reported
from stores import asked, within

from upspace.model import (
    Account,
    AccountState,
    CounterMode,
    Group,
    Listed,
    Membership,
    Profile,
    Relation,
    Standing,
    Token,
    Upstat,
    Window,
)
from upspace.store import open_store
from upspace.store.interface import Store
from upspace.store.tables import TABLES

BIGGEST = 2**63 - 1
NOW = 1_700_000_000

# Names whose order by their bytes is not that of any language.
MARKS = {"Zeta": "1", "alpha": "2", "Ärger": "", "_": "名", "名": '{"version": 1}'}

EXTREME = Profile(
    Account(
        mid=BIGGEST,
        name="名 <&> '\"\\ \u2028 \U0001f600",
        sex="女",
        face="http://i0.hdslb.com/face.jpg",
        face_nft=1,
        sign="line\nline\ttab\u0001\u007f\ufffe",
        rank=32000,
        level=6,
        coins=0.1 + 0.2,
        birthday="02-29",
        is_senior_member=1,
        nft_icon="icon",
        official='{"role": 1}',
        vip='{"type": 2}',
        decorations='{"tags": ["' + "名" * 20_000 + '"]}',
    ),
    Standing(
        BIGGEST,
        AccountState.SUSPENDED,
        hides_followings=True,
        hides_birthday=True,
        counter_mode=CounterMode.REPORTED,
        following=BIGGEST,
        whisper=1,
        follower=BIGGEST,
    ),
    Upstat(BIGGEST, 1, BIGGEST, 2, 3),
)


class Filled(NamedTuple):
    """Accounts that are or were in a store, and the highest id of any group that has been there."""

    mids: list[int]
    highest_group_id: int


def fill(url: str, accounts: int = 60) -> Filled:
    """A community of both counter modes, with groups, tokens, marks and a deleted account."""
    return within(_fill(url, accounts))


async def _fill(url: str, accounts: int) -> Filled:
    profiles, relations = community(Random(5), accounts)
    mids = [profile.account.mid for profile in profiles]
    owner, other, leaving = mids[:3]
    profiles += [EXTREME, reported(BIGGEST - 1, following=7)]
    relations = [row for row in relations if {row.owner, row.other} != {owner, other}]
    relations += [follow(BIGGEST, owner, BIGGEST, SPECIAL), replace(follow(BIGGEST - 1, BIGGEST), re_src=65535)]
    relations += [follow(owner, other, NOW), Relation(owner, BIGGEST, WHISPER, NOW)]
    store = await open_store(url)
    await store.load(profiles, relations, MARKS)
    ids = [await store.create_group(mid, called(name)) for mid, name in ((owner, "b"), (other, "名"), (owner, "a"))]
    await store.change_members(owner, (other, BIGGEST), into(ids[0], SPECIAL))
    # The last one is gone again: its id is told by nothing but the counter.
    ids.append(await store.create_group(owner, called("gone")))
    assert await store.delete_group(owner, ids[-1])
    for token in (
        Token(bytes(range(32)), owner, NOW),
        Token(b"\xff" * 32, BIGGEST, NOW, expires=BIGGEST, note="it's a \\ note"),
        Token(b"\0" * 32, leaving, NOW + 1, note="名"),
    ):
        await store.put_token(token)
    await store.delete_account(leaving, NOW + 5)
    await store.close()
    return Filled([*mids, BIGGEST, BIGGEST - 1], max(ids))


def small_community(url: str) -> None:
    """Two accounts, 5 and 6, one of which follows the other, a token, a group, a mark."""

    async def load() -> None:
        store = await open_store(url)
        await store.load([profile(5), profile(6)], [follow(5, 6)], {"m": ""})
        await store.put_token(Token(b"5" * 32, 5, 1))
        await store.create_group(5, called("g"))
        await store.close()

    within(load())


def called(name: str) -> Any:
    """The rule that gives a group this name."""

    def decide(groups: Collection[Group]) -> str:
        return name

    return decide


def into(*ids: int) -> Any:
    """The rule that puts accounts into these groups."""

    def decide(membership: Membership) -> dict[int, tuple[int, ...]]:
        return dict.fromkeys(membership.relations, ids)

    return decide


def dump(url: str) -> dict[str, list[Any]]:
    """Every row that is moved, by table, read past the store."""

    async def read() -> dict[str, Rows]:
        async with raw(url) as connection:
            return await read_tables(connection)

    return {name: sorted(map(_plain, rows), key=repr) for name, rows in within(read()).items()}


def _plain(row: Iterable[Any]) -> tuple[Any, ...]:
    """The values as SQLite has them."""
    return tuple(int(value) if isinstance(value, bool) else value for value in row)


NOTHING: dict[str, list[Any]] = {table.name: [] for table in TABLES}


def answers(url: str, mids: Collection[int]) -> dict[str, Any]:
    """Every answer about these accounts, but for the numbers of changes, which are a store's own."""

    async def ask(store: Store) -> dict[str, Any]:
        return {
            "accounts": await store.accounts(mids),
            "listed accounts": await store.listed_accounts(mids),
            "tokens": await store.tokens(),
            "marks": [await store.mark(name) for name in (*MARKS, "none")],
            **{str(mid): [_unnumbered(found) for found in await _about(store, mid, mids)] for mid in mids},
        }

    return asked(url, ask)


async def _about(store: Store, mid: int, mids: Collection[int]) -> list[Any]:
    whole = Window(0, len(mids))
    turned = Window(0, len(mids), ascending=True)
    groups = await store.groups(mid)
    last = Listed(BIGGEST, NOW)
    return [
        await store.account(mid),
        await store.profile(mid),
        await store.decorations(mid),
        await store.standing(mid),
        await store.counters(mid),
        await store.figures(mid),
        await store.upstat(mid),
        await store.tokens(mid),
        await store.relations(mid, mids),
        await store.followers(mid, whole),
        await store.followers(mid, turned),
        await store.followers(mid, Window(0, 5, after=last)),
        await store.followers_rank(mid, last, 10),
        *[await store.followings(mid, window, first) for window in (whole, turned) for first in (False, True)],
        await store.whispers(mid, whole),
        await store.blacks(mid, whole),
        await store.friends(mid, whole),
        *[await store.same_followings(mid, other, whole) for other in mids],
        *[await store.search_followings(mid, "name", nameless, whole) for nameless in (False, True)],
        groups,
        await store.group_counts(mid),
        *[await store.group_members(mid, id_, whole) for id_ in (0, SPECIAL, *(group.id for group in groups))],
        *[await store.viewer(token.digest, NOW) for token in await store.tokens(mid)],
    ]


def _unnumbered(found: Any) -> Any:
    return replace(found, newest_change=0) if hasattr(found, "newest_change") else found
