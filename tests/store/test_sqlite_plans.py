"""Every statement of the SQLite engine finds its rows through an index, and none is there for nothing."""

import asyncio
import re

import pytest
from every_read import use_every_read
from sqlite_files import opened
from store_oracle import profile

from upspace.store.queries import read_queries
from upspace.store.sqlite import relations
from upspace.store.sqlite.store import SqliteStore

QUERIES = read_queries("upspace.store.sqlite")


# Special accounts first is an order that no index has; what is searched for and what is counted is gathered first.
SORTED_APART = (
    "followings_special_desc",
    "followings_special_asc",
    "group_members_special",
    "search_followings",
    "group_counts",
)


@pytest.mark.parametrize("name", QUERIES)
def test_each_query_finds_its_rows_through_an_index(name: str, file_url: str) -> None:
    with opened(file_url) as store:
        db = store._reader
        named = dict.fromkeys(re.findall(r":(\w+)", QUERIES[name]))
        bindings = named or (None,) * QUERIES[name].count("?")
        plan = [row[3] for row in db.execute("explain query plan " + QUERIES[name], bindings)]
        tables = [row[0] for row in db.execute("select name from sqlite_schema where type = 'table'")]
    assert plan
    scanned = [line for line in plan if line.split()[0] == "SCAN" and line.split()[1] in tables]
    sorted_apart = [line for line in plan if "TEMP B-TREE" in line]
    # All tokens are wanted, in the order of their index; special accounts first is an order no index has.
    assert scanned == (["SCAN token USING INDEX token_of"] if name == "tokens" else [])
    assert len(sorted_apart) == (name in SORTED_APART)


def test_a_query_without_an_index_would_be_noticed(file_url: str) -> None:
    with opened(file_url) as store:
        (row,) = store._reader.execute("explain query plan select * from account where name = ?", ("n",))
    assert row[3].split()[:2] == ["SCAN", "account"]


class Recorded(dict[str, str]):
    """The statements of a store, and the names of those that were asked for."""

    def __init__(self, queries: dict[str, str]) -> None:
        super().__init__(queries)
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.used.add(name)
        return super().__getitem__(name)


async def use_everything(store: SqliteStore) -> None:
    """Call every read of the interface, and the changes that read before they write."""
    await store.change_account(1, lambda _: profile(1))
    await use_every_read(store)
    await store.load(map(profile, range(1, 3000)), [])
    await store.changed_accounts(0)
    newest, _ = await store.changed_owners(0)
    await store.changed_owners(newest)


def used_queries() -> set[str]:
    """The names of the queries that a store executes."""
    recorded = Recorded(QUERIES)
    with opened("sqlite://") as store, pytest.MonkeyPatch.context() as patched:
        patched.setattr(relations, "QUERIES", recorded)
        asyncio.run(use_everything(store))
    return recorded.used


def test_no_query_is_there_for_nothing() -> None:
    assert set(QUERIES) - used_queries() == set()
