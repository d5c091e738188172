"""What does not agree is told from rows in memory as SQLite tells it with statements."""

import asyncio
from collections.abc import Callable

import pytest
from check_world import World, agreeing_worlds, any_worlds
from hypothesis import given, settings
from raw_rows import SqliteRaw
from store_damage import run_check

from upspace.store.disagreements import StandingRow
from upspace.store.findings import KINDS
from upspace.store.sqlite.store import SqliteStore


async def found_by_sqlite(world: World) -> list[tuple[str, int, str]]:
    """The findings of a check of a SQLite store with these rows."""
    store = SqliteStore.open("sqlite://")
    await SqliteRaw(store._reader).execute(world.sql())
    findings = await run_check(store)
    await store.close()
    return sorted((finding.kind, finding.mid, finding.text) for finding in findings)


def told(world: World) -> list[tuple[str, int, str]]:
    findings = [each.kind.finding(each.values, mended=False) for each in world.disagreements()]
    return sorted((finding.kind, finding.mid, finding.text) for finding in findings)


@given(any_worlds())
@settings(max_examples=400, deadline=None)
def test_the_same_does_not_agree_as_by_the_statements_of_sqlite(world: World) -> None:
    assert told(world) == asyncio.run(found_by_sqlite(world))


@given(agreeing_worlds())
def test_a_world_in_which_everything_agrees_has_no_disagreement(world: World) -> None:
    assert told(world) == []


def relate(world: World, owner: int, other: int, attribute: int = 2, mutual: bool = False, mtime: int = 9) -> None:
    world.relations[owner, other] = attribute, mutual, mtime


def befriend(world: World) -> None:
    """1 and 2 follow each other."""
    relate(world, 1, 2)
    relate(world, 2, 1)
    world.members = {place for place in world.members if place[:2] not in ((1, 2), (2, 1))}
    world.settle()


def lose_mutual(world: World) -> None:
    befriend(world)
    relate(world, 1, 2)


def lose_follower(world: World) -> None:
    befriend(world)
    world.followers.discard((2, 9, 1))


def move_follower(world: World) -> None:
    befriend(world)
    world.followers.add((2, 8, 1))


def claim_mutual(world: World) -> None:
    relate(world, 1, 2)
    relate(world, 2, 1, 1)
    world.settle()
    relate(world, 1, 2, mutual=True)


def block_member(world: World) -> None:
    relate(world, 1, 2, 128)
    world.settle()
    world.members.add((1, 2, -10))


def blame_negative(world: World) -> None:
    world.set(1, counter_mode=1, black=-1)


# How each kind comes about, and the account that it is found with.
DAMAGE: dict[str, tuple[int, Callable[[World], object]]] = {
    "strange_standing": (1, lambda world: world.set(1, counter_mode=7)),
    "profile_missing": (1, lambda world: world.profiles.discard(1)),
    "standing_missing": (1, lambda world: world.standings.pop(1)),
    "totals_missing": (1, lambda world: world.totals.discard(1)),
    "totals_of_unknown": (77, lambda world: world.totals.add(77)),
    "token_of_unknown": (77, lambda world: world.tokens.append((77, True))),
    "group_of_unknown": (77, lambda world: world.groups.update({20: 77})),
    "deleted_standing": (4, lambda world: world.set(4, hides_birthday=True)),
    "deleted_profile": (4, lambda world: world.profiles.add(4)),
    "deleted_totals": (4, lambda world: world.totals.add(4)),
    "deleted_token": (4, lambda world: world.tokens.append((4, False))),
    "deleted_relation": (4, lambda world: relate(world, 4, 1, 128)),
    "deleted_follower": (4, lambda world: world.followers.add((4, 1, 1))),
    "deleted_group": (4, lambda world: world.groups.update({20: 4})),
    "relation_of_unknown": (77, lambda world: relate(world, 77, 1, 128)),
    "relation_to_unknown": (1, lambda world: relate(world, 1, 77, 128)),
    "follower_of_unknown": (77, lambda world: world.followers.add((77, 1, 1))),
    "strange_attribute": (1, lambda world: relate(world, 1, 2, 6)),
    "relation_to_itself": (1, lambda world: relate(world, 1, 1)),
    "follow_without_follower": (1, lose_follower),
    "follower_without_follow": (2, move_follower),
    "mutual_missing": (1, lose_mutual),
    "mutual_wrong": (1, claim_mutual),
    "member_without_relation": (1, block_member),
    "member_of_unknown_group": (1, lambda world: world.members.add((1, 2, 99))),
    "wrong_counter": (1, lambda world: world.set(1, black=99)),
    "negative_counter": (1, blame_negative),
}


@pytest.mark.parametrize("kind", DAMAGE)
@given(world=agreeing_worlds())
@settings(max_examples=20)
def test_each_kind_of_damage_is_found(kind: str, world: World) -> None:
    mid, damage = DAMAGE[kind]
    damage(world)
    assert (kind, mid) in [(name, of) for name, of, _ in told(world)]


def test_each_kind_is_tried_in_the_order_of_the_kinds() -> None:
    assert list(DAMAGE) == [kind.name for kind in KINDS]


def test_rows_are_named_by_their_keys() -> None:
    world = World(standings={1: StandingRow(1, 0, False, False, False, 0, 0, 0, 0, 0)}, groups={5: 77})
    world.relations[1, 77] = 128, False, 3
    world.followers, world.members = {(1, 4, 77)}, {(1, 2, 5)}
    assert sorted({(each.table, each.key) for each in world.disagreements()}) == [
        ("account", (1,)),
        ("follower", (1, 4, 77)),
        ("grouped", (1, 2, 5)),
        ("own_group", (77, 5)),
        ("relation", (1, 77)),
    ]
