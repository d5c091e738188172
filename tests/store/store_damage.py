"""A store in which everything agrees, what can be done to it behind its back, and what a check finds then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import NamedTuple

from msgspec.structs import replace
from store_oracle import BLACK, SPECIAL, WHISPER, follow, profile, random_profile, random_relations, reported

from upspace.model import Profile, Relation, Token
from upspace.store import open_store
from upspace.store.interface import Finding, Progress, Store

DELETED, REPORTED, UNKNOWN, GROUP = 6, 7, 77, 30
NOW = 1_700_000_000


async def fill(url: str) -> None:
    """Put into an empty store something of everything, and all of it agrees."""
    store = await open_store(url)
    rows = [follow(1, 2, 10), follow(2, 1, 10), follow(1, 3, 11, SPECIAL), follow(4, 1, 12), follow(1, DELETED, 13)]
    rows += [Relation(1, 4, WHISPER, 14), Relation(1, 5, BLACK, 15), follow(DELETED, 1, 16), follow(REPORTED, 1, 17)]
    accounts = [profile(mid) for mid in range(1, 7)]
    await store.load([*accounts, reported(REPORTED, following=900, follower=1000)], rows)
    await store.put_token(Token(b"1" * 32, 1, NOW))
    await store.put_token(Token(b"6" * 32, DELETED, NOW))
    await store.delete_account(DELETED, NOW)
    await store.close()


# The groups that account 1 and account 2 made, beside what `fill` writes.
GROUPS = f"""
insert into own_group (id, owner, name) values ({GROUP}, 1, 'friends'), (31, 2, 'others');
insert into grouped values (1, 2, {GROUP}), (1, 4, {GROUP});
"""  # noqa: S608  # a number of ours


async def run_check(store: Store, *, repair: bool = False) -> list[Finding]:
    """What a check finds; it says at its end that it has come to the end."""
    steps = [step async for step in store.check(repair=repair)]
    assert isinstance(steps[-1], Progress)
    assert steps[-1].done == steps[-1].total
    return [step for step in steps if isinstance(step, Finding)]


def found(url: str, *, repair: bool = False) -> list[Finding]:
    """What a check of a store finds. Not within a running event loop."""

    async def check() -> list[Finding]:
        async with opened(url) as store:
            return await run_check(store, repair=repair)

    return asyncio.run(check())


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """The store at a URL, closed in the end."""
    store = await open_store(url)
    try:
        yield store
    finally:
        await store.close()


class Damage(NamedTuple):
    """What is done to a store, and what is found then: the kind, the account, and the words that name the others."""

    sql: str
    kind: str
    mid: int
    text: str


MENDED = [
    Damage("delete from follower where owner = 2", "follow_without_follower", 1, "1 follows 2 since 10"),
    Damage("insert into follower values (3, 5, 2)", "follower_without_follow", 3, "2 is in the list of followers of 3"),
    Damage("insert into follower values (3, 12, 1)", "follower_without_follow", 3, "since 12"),
    Damage("insert into follower values (4, 14, 1)", "follower_without_follow", 4, "1 is in the list of followers"),
    Damage("insert into follower values (5, 1, 77)", "follower_without_follow", 5, "77 is in the list"),
    Damage("update relation set mutual = false where owner = 1", "mutual_missing", 1, "1 and 2 follow each other"),
    Damage("update relation set mutual = true where other = 3", "mutual_wrong", 1, "1 and 3 do not follow each other"),
    Damage("update relation set mutual = true where other = 4", "mutual_wrong", 1, "1 and 4 do not follow each other"),
    Damage("update relation set mutual = true where other = 6", "mutual_wrong", 1, "1 and 6 do not follow each other"),
    Damage("update standing set following = 9 where mid = 1", "wrong_counter", 1, "has 9 as its counter following"),
    Damage("update standing set whisper = 0 where mid = 1", "wrong_counter", 1, "counter whisper, but there are 1"),
    Damage("update standing set black = -1 where mid = 1", "wrong_counter", 1, "has -1 as its counter black"),
    Damage("update standing set follower = 4 where mid = 1", "wrong_counter", 1, "counter follower, but there are 3"),
    Damage("insert into grouped values (1, 5, -10)", "member_without_relation", 1, "5 in its group -10"),
    Damage("insert into grouped values (2, 3, 31)", "member_without_relation", 2, "3 in its group 31"),
    Damage("insert into grouped values (2, 1, 30)", "member_of_unknown_group", 2, "1 in group 30"),
    Damage("insert into grouped values (1, 2, 99)", "member_of_unknown_group", 1, "2 in group 99"),
    Damage("insert into grouped values (1, 2, 0)", "member_of_unknown_group", 1, "2 in group 0"),
    Damage("delete from upstat where mid = 2", "totals_missing", 2, "2 has no totals"),
    Damage("insert into upstat values (77, 1, 1, 1, 1, 1)", "totals_of_unknown", UNKNOWN, "stored for 77"),
    Damage("insert into token values (x'77', 77, 1, null, null, '')", "token_of_unknown", UNKNOWN, "for 77 (1)"),
    Damage("insert into own_group (id, owner, name) values (99, 77, 'x')", "group_of_unknown", UNKNOWN, "99 belongs"),
    Damage("insert into relation values (77, 5, 128, false, 1, 0)", "relation_of_unknown", UNKNOWN, "relation to 5"),
    Damage("insert into relation values (3, 77, 0, false, 1, 0)", "relation_to_unknown", 3, "relation to 77"),
    Damage("insert into follower values (77, 3, 1)", "follower_of_unknown", UNKNOWN, "1 is in the list"),
    Damage("insert into relation values (6, 5, 128, false, 1, 0)", "deleted_relation", DELETED, "its relation to 5"),
    Damage("insert into relation values (6, 6, 3, false, 1, 0)", "deleted_relation", DELETED, "its relation to 6"),
    Damage("insert into follower values (6, 13, 1)", "deleted_follower", DELETED, "1 is still in the list"),
    Damage("insert into own_group (id, owner, name) values (99, 6, 'x')", "deleted_group", DELETED, "its group 99"),
    Damage("insert into account select 6, name, sex, face, face_nft, sign, rank, level, coins, birthday,"
           " is_senior_member, nft_icon, official, vip, decorations from account where mid = 1",
           "deleted_profile", DELETED, "its profile is still there"),
    Damage("insert into upstat values (6, 1, 1, 1, 1, 1)", "deleted_totals", DELETED, "its totals"),
    Damage("update standing set black = 1 where mid = 6", "deleted_standing", DELETED, "counters or privacy flags"),
    Damage("update standing set hides_birthday = true where mid = 6", "deleted_standing", DELETED, "privacy flags"),
    Damage("update standing set counter_mode = 1 where mid = 6", "deleted_standing", DELETED, "privacy flags"),
    # The extremes of what can be stored: every account is in some chunk.
    Damage("insert into upstat values (-9223372036854775808, 1, 1, 1, 1, 1)", "totals_of_unknown", -(2**63), "no such"),
    Damage("insert into upstat values (9223372036854775807, 1, 1, 1, 1, 1)", "totals_of_unknown", 2**63 - 1, "no such"),
]  # fmt: skip

# Damage that shows in several places; what is found first may already mend what comes later.
MENDED_TOGETHER = {
    "a follow that moved in one list only": (
        "update follower set mtime = 99 where owner = 2",
        [("follow_without_follower", 1), ("follower_without_follow", 2)],
    ),
    "every list of followers is lost": (
        "delete from follower",
        [("follow_without_follower", mid) for mid in (1, 1, 2, 4, 7)],
    ),
    "a follow of nobody, in the list of followers": (
        "insert into relation values (77, 1, 2, false, 5, 0); insert into follower values (1, 5, 77);"
        "insert into grouped values (77, 1, -10); update standing set follower = 4 where mid = 1",
        [("relation_of_unknown", 77)],
    ),
    "a mutual follow by nobody": (
        "insert into relation values (77, 3, 2, true, 5, 0), (3, 77, 2, true, 5, 0);"
        "insert into follower values (77, 5, 3), (3, 5, 77);"
        "update standing set following = 1, follower = 2 where mid = 3",
        [("relation_to_unknown", 3), ("relation_of_unknown", 77), ("follower_of_unknown", 77)],
    ),
    "a deletion that stopped halfway": (
        "insert into relation values (6, 1, 2, true, 16, 0), (6, 3, 2, false, 16, 0);"
        "insert into grouped values (6, 3, -10), (6, 1, 99);"
        "insert into own_group (id, owner, name) values (99, 6, 'x');"
        "insert into follower values (1, 16, 6), (3, 16, 6), (6, 13, 1);"
        "update relation set mutual = true where owner = 1 and other = 6;"
        "update standing set follower = follower + 1 where mid in (1, 3)",
        [("deleted_relation", 6), ("deleted_relation", 6), ("deleted_follower", 6), ("deleted_group", 6)],
    ),
    "counters of several": (
        "update standing set following = 8, whisper = 8, black = 8, follower = 8 where mid < 3",
        [("wrong_counter", mid) for mid in (1, 1, 1, 1, 2, 2, 2, 2)],
    ),
}  # fmt: skip

LEFT = [
    Damage("insert into relation values (3, 5, 6, false, 1, 0)", "strange_attribute", 3, "to 5 has the attribute 6"),
    Damage("update standing set counter_mode = 2 where mid = 3", "strange_standing", 3, "counter mode 2"),
    Damage("update standing set state = 3 where mid = 5", "strange_standing", 5, "state 3"),
    Damage("delete from account where mid = 1", "profile_missing", 1, "1 has lost its profile"),
    Damage("delete from standing where mid = 1", "standing_missing", 1, "1 has lost its state and counters"),
    Damage("update standing set black = -1 where mid = 7", "negative_counter", REPORTED, "has -1 as its counter black"),
    Damage("insert into relation values (5, 5, 1, false, 1, 0); update standing set whisper = 1 where mid = 5",
           "relation_to_itself", 5, "5 has a relation to itself"),
    Damage("insert into relation values (5, 5, 2, false, 1, 0); update standing set following = 1 where mid = 5",
           "relation_to_itself", 5, "5 has a relation to itself"),
    Damage("insert into relation values (3, 5, 6, false, 1, 0); insert into grouped values (3, 5, -10)",
           "strange_attribute", 3, "to 5 has the attribute 6"),
]  # fmt: skip


def community(random: Random, accounts: int) -> tuple[list[Profile], list[Relation]]:
    """Accounts in both modes, and relations of all kinds whose groups agree with them."""
    mids = sorted(random.sample(range(1, 10_000), accounts))
    relations = random_relations(random, mids, mids, accounts * 8)
    return [random_profile(random, mid) for mid in mids], [
        replace(row, groups=(SPECIAL,) if row.groups and row.attribute != BLACK else ()) for row in relations
    ]


_VANDALISM = (
    "delete from {table} where {pair} % 4 = 0",
    "delete from upstat where {account} % 4 = 0",
    "update follower set mtime = mtime + 1 where {pair} % 4 = 0",
    "update relation set mutual = not mutual where {pair} % 4 = 0",
    "update relation set mtime = mtime + 1 where {pair} % 4 = 0",
    "update relation set attribute = 2 where {pair} % 4 = 0",
    "update standing set following = following + 1, black = -5 where counter_mode = 0 and {account} % 2 = 0",
    "insert into grouped select owner, mtime % 50, other % 4 from follower where {pair} % 3 = 0 {new}",
    "insert into follower select other, mtime, mtime % 50 from follower where {pair} % 3 = 0 {new}",
    "insert into relation select other, mtime % 50, 2, true, mtime, 0 from follower where {pair} % 5 = 0 {new}",
)


def vandalism(random: Random) -> list[str]:
    """Statements that damage some rows here and there, the same rows on every engine."""
    drawn = [
        sql.format(
            table=random.choice(("relation", "follower", "grouped")),
            pair=f"(owner * 31 + other * 17 + {random.randrange(60)})",
            account=f"(mid * 31 + {random.randrange(60)})",
            new="on conflict do nothing",
        )
        for sql in random.sample(_VANDALISM, 5)
    ]
    return [*drawn, "delete from relation where owner = other"]
