"""A check of a store: each kind of damage is found and mended, and what only a person can know is left alone."""

import asyncio
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import apsw
import pytest
from msgspec.structs import replace
from store_damage import (
    DELETED,
    GROUPS,
    LEFT,
    MENDED,
    MENDED_TOGETHER,
    NOW,
    REPORTED,
    TABLES,
    VANDALISM,
    Damage,
    community,
    dump,
    execute,
    fill,
    found,
    opened,
    run_check,
)
from store_oracle import SPECIAL, profile

from upspace.model import Window
from upspace.store import migrate_store
from upspace.store.findings import KINDS
from upspace.store.interface import Finding, Progress, StoreTimeoutError
from upspace.store.queries import read_queries
from upspace.store.sqlite import check as checking
from upspace.store.sqlite import connection
from upspace.store.sqlite.store import SqliteStore

STATEMENTS = read_queries("upspace.store.sqlite", "check.sql")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that each test has a copy of."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    asyncio.run(fill(f"sqlite:///{path}"))
    execute(path, GROUPS)
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    """The file of a store in which everything agrees, with something of everything."""
    return Path(shutil.copy(template, tmp_path / "store.db"))


def names(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(finding.kind, finding.mid) for finding in findings]


def test_a_store_in_which_everything_agrees_is_clean(path: Path) -> None:
    before = dump(path)
    assert all(before.values())
    assert found(path) == found(path, repair=True) == []
    assert dump(path) == before


@pytest.mark.parametrize("case", MENDED, ids=lambda case: f"{case.kind}-{case.text}")
def test_damage_is_found_named_and_mended(path: Path, case: Damage) -> None:
    before = dump(path)
    execute(path, case.sql)
    damaged = dump(path)
    first = found(path)
    assert [finding.kind for finding in first if finding.kind != "wrong_counter"] in ([case.kind], [])
    assert (first[0].kind, first[0].mid, first[0].mended) == (case.kind, case.mid, None)
    assert case.text in first[0].text
    assert str(case.mid) in first[0].text
    assert dump(path) == damaged
    assert replace(found(path, repair=True)[0], mended=None) == first[0]
    assert found(path) == []
    assert dump(path) == before


@pytest.mark.parametrize("case", MENDED_TOGETHER)
def test_damage_in_several_places_is_mended(path: Path, case: str) -> None:
    sql, expected = MENDED_TOGETHER[case]
    before = dump(path)
    execute(path, sql)
    first = found(path)
    assert sorted(pair for pair in names(first) if case.startswith("counters") or pair[0] != "wrong_counter") == sorted(
        expected
    )
    assert {finding.mended for finding in found(path, repair=True)} == {True}
    assert found(path) == []
    assert dump(path) == before


@pytest.mark.parametrize("case", LEFT, ids=lambda case: f"{case.kind}-{case.mid}")
def test_what_only_a_person_can_know_is_left_and_found_again(path: Path, case: Damage) -> None:
    execute(path, case.sql)
    damaged = dump(path)
    first = found(path)
    assert [(finding.kind, finding.mid, finding.mended) for finding in first] == [(case.kind, case.mid, False)]
    assert case.text in first[0].text
    assert found(path, repair=True) == found(path) == first
    assert dump(path) == damaged


def test_each_kind_of_damage_is_tried() -> None:
    tried = {case.kind for case in MENDED} | {"deleted_token"}
    left = {case.kind for case in LEFT}
    assert tried == {kind.name for kind in KINDS if not kind.for_a_person}
    assert left == {kind.name for kind in KINDS if kind.for_a_person}


def test_a_token_of_a_deleted_account_is_revoked(path: Path) -> None:
    execute(path, "update token set revoked = null where mid = 6")
    (finding,) = found(path)
    assert (finding.kind, finding.mid, finding.text.endswith("(1)")) == ("deleted_token", DELETED, True)
    found(path, repair=True)
    assert found(path) == []
    with closing(apsw.Connection(str(path))) as db:
        assert db.execute("select revoked from token where mid = 6").get >= NOW
        assert db.execute("select revoked from token where mid = 1").get is None


def test_an_account_that_is_added_again_has_its_relations(path: Path) -> None:
    before = dump(path)
    execute(path, "delete from standing where mid = 1")
    found(path, repair=True)
    with opened(path) as store:
        asyncio.run(store.change_account(1, lambda known: profile(1)))
        followers = asyncio.run(store.followers(1, Window(0, 10)))
    assert followers.mids == [REPORTED, 4, 2]
    assert found(path) == []
    assert dump(path) == before


def test_caches_of_accounts_learn_that_a_profile_is_gone(path: Path) -> None:
    execute(path, MENDED[[case.kind for case in MENDED].index("deleted_profile")].sql)
    with opened(path) as store:
        since = asyncio.run(store.newest_change())
        assert asyncio.run(store.accounts([DELETED])) != {}
        found(path, repair=True)
        assert asyncio.run(store.changed_accounts(since)) == (since + 1, [DELETED])
        assert asyncio.run(store.accounts([DELETED])) == {}


def test_imported_counters_are_left_alone(path: Path) -> None:
    execute(path, "delete from follower where other = 7; insert into follower values (7, 1, 2)")
    found(path, repair=True)
    with opened(path) as store:
        standing = asyncio.run(store.standing(REPORTED))
    assert standing is not None
    assert (standing.following, standing.follower) == (900, 1000)


# Communities


async def settle(store: SqliteStore, random: Random, accounts: int) -> None:
    profiles, relations = community(random, accounts)
    await store.load(profiles, relations)
    for given in random.sample(profiles, accounts // 10):
        await store.delete_account(given.account.mid, NOW)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_CHUNK_ROWS", 9)
    monkeypatch.setattr(checking, "_BATCH_ROWS", 3)


@pytest.mark.parametrize("seed", range(5))
def test_a_random_community_is_clean(tmp_path: Path, small_chunks: None, seed: int) -> None:
    path = tmp_path / "random.db"
    asyncio.run(migrate_store(f"sqlite:///{path}"))
    with opened(path) as store:
        asyncio.run(settle(store, Random(seed), 60))
        assert asyncio.run(run_check(store)) == []


def vandalise(db: apsw.Connection, random: Random) -> None:
    # SQLite's own random() cannot be seeded; the tests hold for whatever it draws.
    for sql in random.sample(VANDALISM, 5):
        db.execute(sql.format(table=random.choice(("relation", "follower", "grouped", "upstat"))))
    db.execute("delete from relation where owner = other")


def assert_agrees(db: apsw.Connection) -> None:
    """The facts agree, as told from plain dictionaries."""
    state = dict(db.execute("select mid, state from standing"))
    relations = {(owner, other): rest for owner, other, *rest in db.execute("select * from relation")}
    follows = {pair: mtime for pair, (attribute, _, mtime, _) in relations.items() if attribute == 2}
    alive = {mid for mid in state if state[mid] != 2}
    assert all(owner in alive and other in state for owner, other in relations)
    expected = sorted((other, mtime, owner) for (owner, other), mtime in follows.items() if other in alive)
    assert list(db.execute("select * from follower order by 1, 2, 3")) == expected
    for (owner, other), (_, mutual, _, _) in relations.items():
        assert mutual == ((owner, other) in follows and (other, owner) in follows)
    for owner, other, group_id in db.execute("select * from grouped"):
        assert relations[owner, other][0] in (1, 2)
        assert group_id == SPECIAL
    for mid, *counters in db.execute(
        "select mid, following, whisper, black, follower from standing where counter_mode = 0 and state <> 2"
    ):
        own = [attribute for (owner, _), (attribute, *_) in relations.items() if owner == mid]
        assert counters == [own.count(2), own.count(1), own.count(128), sum(row[0] == mid for row in expected)]
    assert {mid for (mid,) in db.execute("select mid from upstat")} == alive


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{}"], ids=["memory", "file"])
def test_a_community_that_is_damaged_at_random_agrees_again(
    tmp_path: Path, small_chunks: None, seed: int, url: str
) -> None:
    path, random = tmp_path / "random.db", Random(seed)
    url = url.format(path)
    if url != "sqlite://":
        asyncio.run(migrate_store(url))
    store = SqliteStore.open(url)
    db = store._reader if url == "sqlite://" else apsw.Connection(str(path))
    try:
        asyncio.run(settle(store, random, 40))
        vandalise(db, random)
        assert asyncio.run(run_check(store)) != []
        assert {finding.mended for finding in asyncio.run(run_check(store, repair=True))} == {True}
        assert asyncio.run(run_check(store)) == []
        assert_agrees(db)
    finally:
        asyncio.run(store.close())
        db.close()


# Beside others


@pytest.fixture
def crowded(path: Path, small_chunks: None) -> Iterator[tuple[SqliteStore, apsw.Connection]]:
    """A store with several chunks of accounts, and a connection to its file that waits for no lock."""
    with opened(path) as store, closing(apsw.Connection(str(path))) as second:
        profiles, relations = community(Random(1), 60)
        asyncio.run(store.load(profiles, relations))
        second.set_busy_timeout(0)
        yield store, second


async def check_beside(store: SqliteStore, meanwhile: Callable[[], None], *, repair: bool) -> list[Finding | Progress]:
    steps = []
    async for step in store.check(repair=repair):
        steps.append(step)
        meanwhile()
    return steps


@pytest.mark.parametrize("repair", [False, True])
def test_nobody_who_writes_waits_for_a_check(crowded: tuple[SqliteStore, apsw.Connection], repair: bool) -> None:
    store, second = crowded
    second.execute("delete from follower; update relation set mutual = 1 - mutual")

    def write() -> None:
        second.execute("begin immediate; update mark set value = value; commit")

    steps = asyncio.run(check_beside(store, write, repair=repair))
    # Between findings, so within chunks, and after each chunk.
    assert sum(isinstance(step, Finding) for step in steps) > 100
    assert sum(isinstance(step, Progress) for step in steps) > 10


@pytest.mark.parametrize("repair", [False, True])
def test_what_others_write_meanwhile_is_no_disagreement(path: Path, small_chunks: None, repair: bool) -> None:
    random = Random(repair)
    with opened(path) as store, opened(path) as other:
        profiles, relations = community(random, 50)
        asyncio.run(store.load(profiles, relations[:50]))

        async def steps() -> list[Finding | Progress]:
            seen: list[Finding | Progress] = []
            async for step in store.check(repair=repair):
                seen.append(step)
                # Each of them changes rows of accounts all over, on both sides of what has been checked.
                await other.load([], random.sample(relations, 20))
            return seen

        seen = asyncio.run(steps())
        assert len(seen) > 10
        assert not [step for step in seen if isinstance(step, Finding)]
        assert asyncio.run(run_check(store)) == []


def test_what_is_right_again_when_it_is_to_be_mended_stays_so(path: Path) -> None:
    execute(path, "delete from upstat where mid = 1; delete from follower where owner = 2")
    execute(path, "update relation set mutual = 0 where owner = 1; insert into grouped values (2, 3, -10)")
    execute(path, "insert into follower values (5, 60, 3); update standing set follower = 1 where mid = 5")
    meanwhile = """
    delete from relation where owner in (1, 2) and other in (1, 2);
    delete from follower where owner in (1, 2) and other in (1, 2);
    delete from grouped where owner = 1 and other = 2;
    insert into relation values (2, 3, 2, 0, 50, 0), (3, 5, 2, 0, 60, 0);
    insert into follower values (3, 50, 2);
    update standing set following = 2, follower = 2 where mid = 1;
    update standing set follower = 0 where mid = 2;
    update standing set following = 1, follower = 2 where mid = 3;
    """

    async def repair(store: SqliteStore) -> list[str]:
        kinds: list[str] = []
        async for step in store.check(repair=True):
            if isinstance(step, Finding):
                if not kinds:
                    # What else is wrong has been read, but not mended yet.
                    execute(path, meanwhile)
                kinds.append(step.kind)
        return kinds

    with opened(path) as store:
        kinds = asyncio.run(repair(store))
    # A counter was wrong along with a list.
    assert kinds == [
        *("totals_missing", "follow_without_follower", "follower_without_follow"),
        *("mutual_missing", "member_without_relation", "wrong_counter"),
    ]
    assert found(path) == []
    facts = dump(path)
    assert (2, 3, SPECIAL) in facts["grouped"]
    assert (5, 60, 3) in facts["follower"]
    assert not [row for row in facts["relation"] if row[:2] in ((1, 2), (2, 1))]


def test_a_repair_that_gets_no_lock_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(path, MENDED[0].sql)
    monkeypatch.setattr(connection, "_BUSY_TIMEOUT_MS", 10)
    with closing(apsw.Connection(str(path))) as holder:
        holder.execute("begin immediate")
        assert len(found(path)) == 2
        with pytest.raises(StoreTimeoutError):
            found(path, repair=True)
        holder.execute("rollback")
    assert {finding.mended for finding in found(path, repair=True)} == {True}


def test_the_log_does_not_grow_with_what_is_mended(crowded: tuple[SqliteStore, apsw.Connection], path: Path) -> None:
    store, second = crowded
    second.execute("delete from follower; update relation set mutual = 1 - mutual")
    second.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    log = path.with_name("store.db-wal")
    assert log.stat().st_size == 0
    assert len(asyncio.run(run_check(store, repair=True))) > 500
    assert log.stat().st_size < 300_000


def test_a_check_that_is_given_up_leaves_no_connection(path: Path) -> None:
    execute(path, "delete from follower")

    def open_connections() -> int:
        return sum(db.filename == str(path) for db in apsw.connections() if isinstance(db, apsw.Connection))

    async def start(store: SqliteStore) -> None:
        steps = store.check(repair=True)
        assert isinstance(await anext(steps), Finding)
        assert open_connections() == 3
        await steps.aclose()

    with opened(path) as store:
        asyncio.run(start(store))
        assert open_connections() == 1


# Statements


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_statement_finds_its_rows_through_an_index(name: str, path: Path) -> None:
    plans = []
    with closing(connection.connect(path, writable=True)) as db:
        for sql in STATEMENTS[name].split(";"):
            bindings = dict.fromkeys(re.findall(r":(\w+)", sql)) or (None,) * sql.count("?")
            plans.append([row[3] for row in db.execute("explain query plan " + sql, bindings)])
    lines = [line for plan in plans for line in plan]
    scanned = [line for line in lines if line.split()[0] == "SCAN" and line.split()[1] in TABLES]
    # How many accounts there are is counted once.
    assert scanned == (["SCAN standing"] if name == "accounts" else [])
    assert not [line for line in lines if "TEMP B-TREE" in line]
    if name.startswith("find_"):
        (plan,) = plans
        outer = next(line for line in plan if line.startswith("SEARCH"))
        assert re.search(r">\? AND \w+<\?\)", outer), plan


def test_no_statement_is_missing_or_there_for_nothing() -> None:
    used = {"accounts", "chunk_end", "chunk_accounts", "settle_pair", "recount"}
    used |= {f"find_{kind.name}" for kind in KINDS}
    # What a counter is follows from a recount alone.
    used |= {f"mend_{kind.name}" for kind in KINDS if not kind.for_a_person and kind.name != "wrong_counter"}
    assert set(STATEMENTS) == used
