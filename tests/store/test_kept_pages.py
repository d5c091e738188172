"""Lists and cards that a worker keeps, against those that another one makes anew, whatever is written by whomever."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlite_files import execute, migrated, opened
from store_app import app_of
from store_oracle import FOLLOWING, WHISPER, follow, profile, reported, token

from upspace.model import AccountState, Change, Pair, Profile, Relation, Upstat
from upspace.server.app import App
from upspace.server.http import Request
from upspace.store.interface import Store, StoreError
from upspace.store.sqlite.changes import note_owners_txn

MIDS = range(1, 7)
ASKED = [
    (path, query.format(mid))
    for path, query in (
        ("/x/web-interface/card", "mid={}"),
        ("/x/web-interface/card", "mid={}&photo=1"),
        ("/x/relation/followers", "vmid={}"),
        ("/x/relation/followers", "vmid={}&ps=2&pn=2&order=asc"),
        ("/x/relation/followings", "vmid={}"),
        ("/x/relation/fans", "vmid={}&offset=20:9"),
    )
    for mid in MIDS
]

Write = Callable[[Store], Coroutine[Any, Any, object]]


def set_relation(attribute: int | None, mtime: int) -> Callable[[Pair], Change]:
    def decide(pair: Pair) -> Change:
        relation = None if attribute is None else Relation(pair.mid, pair.fid, attribute, mtime)
        return Change(relation, pair.backward)

    return decide


def changed(mid: int, part: Callable[[Profile], Profile]) -> Write:
    return lambda store: store.change_account(mid, lambda known: part(known or profile(mid)))


def hidden(one: Profile) -> Profile:
    return replace(one, standing=replace(one.standing, hides_followers=not one.standing.hides_followers))


def suspended(one: Profile) -> Profile:
    return replace(one, standing=replace(one.standing, state=AccountState.SUSPENDED))


def renamed(one: Profile) -> Profile:
    return replace(one, account=replace(one.account, name=one.account.name + "x"))


def liked(one: Profile) -> Profile:
    return replace(one, upstat=Upstat(likes=one.upstat.likes + 1))


def repaired(store: Store) -> Coroutine[Any, Any, None]:
    async def repair() -> None:
        async for _ in store.check(repair=True):
            pass

    return repair()


some = st.sampled_from(MIDS)
pairs = st.tuples(some, some).filter(lambda pair: pair[0] != pair[1])
attributes = st.sampled_from([FOLLOWING, FOLLOWING, WHISPER, None])
WRITES: st.SearchStrategy[Write] = st.one_of(
    st.builds(
        lambda pair, attribute, mtime: (
            lambda store: store.change_relations(pair[0], [pair[1]], set_relation(attribute, mtime))
        ),
        pairs,
        attributes,
        st.integers(1, 40),
    ),
    st.builds(changed, some, st.sampled_from([hidden, suspended, renamed, liked])),
    st.builds(lambda mid: lambda store: store.delete_account(mid, 50), some),
    st.builds(lambda pair: lambda store: store.load([], [follow(*pair, 30)]), pairs),
    st.builds(
        lambda mid, count: lambda store: store.load([reported(mid, follower=count)], []), some, st.integers(0, 9)
    ),
    st.builds(lambda mid, text: lambda store: store.put_token(token(text, mid)), some, st.uuids().map(str)),
    st.just(repaired),
)


async def shown(app: App, path: str, query: str) -> bytes:
    return (await app.respond(Request("GET", path, query, lambda _: None))).body


async def answers(app: App) -> list[bytes]:
    bodies = [await shown(app, path, query) for path, query in ASKED]
    # The turn of the loop ends, and its snapshot.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return bodies


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(WRITES, st.booleans(), st.booleans()), max_size=25))
def test_what_is_kept_is_what_would_be_made(steps: list[tuple[Write, bool, bool]]) -> None:
    async def go(here: Store, afar: Store, keeping: App, making: App) -> None:
        follows = [follow(owner, other, 10 * owner) for owner in MIDS for other in MIDS if (owner + other) % 3]
        await here.load(map(profile, MIDS), [row for row in follows if row.owner != row.other])
        assert await answers(keeping) == await answers(making)
        for write, by_another, is_last_of_turn in steps:
            try:
                await write(afar if by_another else here)
            except StoreError:
                continue
            if is_last_of_turn:
                assert await answers(keeping) == await answers(making)
        assert await answers(keeping) == await answers(making)

    with tempfile.TemporaryDirectory() as folder:
        url = migrated(Path(folder) / "store.db")
        with opened(url) as here, opened(url) as afar:
            asyncio.run(go(here, afar, app_of(here), app_of(here, reply_cache_mb=0, account_cache_mb=0)))


def followers(app: App) -> bytes:
    return asyncio.run(shown(app, "/x/relation/followers", "vmid=1"))


@pytest.mark.parametrize("sql", ["update account set name = 'by hand' where mid = 2", "delete from follower"])
def test_what_somebody_does_to_a_file_that_nobody_else_writes_to_is_seen_by_lists_that_are_kept(
    tmp_path: Path, sql: str
) -> None:
    path = tmp_path / "store.db"
    with opened(migrated(path)) as store:
        asyncio.run(store.load(map(profile, (1, 2)), [follow(2, 1)]))
        app = app_of(store, account_cache_mb=0)
        before = followers(app)
        execute(path, sql)
        assert followers(app) != before


def test_a_list_outlives_what_is_written_of_others(tmp_path: Path) -> None:
    with opened(migrated(tmp_path / "store.db")) as store:
        asyncio.run(store.load(map(profile, MIDS), [follow(2, 1)]))
        app = app_of(store)
        before = followers(app)
        (entry,) = app.service.replies._kept[1].values()
        for write in (
            store.change_relations(3, [4], set_relation(FOLLOWING, 5)),
            store.change_account(5, lambda _: renamed(profile(5))),
            changed(2, liked)(store),
            store.put_token(token("a", 1)),
            store.delete_account(6, 9),
        ):
            asyncio.run(write)
            assert followers(app) == before
            assert next(iter(app.service.replies._kept[1].values())) is entry
        asyncio.run(changed(2, renamed)(store))
        assert followers(app) != before


def test_a_log_that_begins_anew_costs_no_list_that_its_commit_does_not_concern(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with opened(migrated(path)) as store, closing(apsw.Connection(str(path))) as writer:
        asyncio.run(store.load(map(profile, (1, 2)), [follow(2, 1)]))
        app = app_of(store)
        before = followers(app)
        (entry,) = app.service.replies._kept[1].values()
        # A connection that has read nothing yet knows of no log.
        writer.execute("select * from mark").fetchall()
        assert writer.wal_checkpoint() > (0, 0)
        version = asyncio.run(store.version())
        # More than its cache holds, so that pages of it go into the log before it is committed.
        writer.execute("pragma cache_size = 5; begin immediate")
        writer.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)"
            " insert into mark select i, hex(randomblob(200)) from n"
        )
        assert asyncio.run(store.version()) != version
        assert followers(app) == before
        note_owners_txn(writer, [2])
        writer.execute("commit")
        assert followers(app) == before
        assert next(iter(app.service.replies._kept[1].values())) is entry


def test_what_a_repair_mends_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with opened(migrated(path)) as store:
        asyncio.run(store.load(map(profile, (1, 2)), [follow(2, 1)]))
        execute(path, "update standing set follower = 9 where mid = 1")
        app = app_of(store)
        assert followers(app).endswith(b'"total":9}}')
        asyncio.run(repaired(store))
        assert followers(app).endswith(b'"total":1}}')
