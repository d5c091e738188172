"""How many statements a reply costs on SQLite: no more for a page of 50, and fewer where accounts are known already."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlite_files import opened
from statements import statements_seen
from store_app import app_of, get
from store_oracle import SPECIAL, follow, profile

from upspace.model import Token
from upspace.server.app import App
from upspace.server.viewer import token_digest
from upspace.store.sqlite.store import SqliteStore


@pytest.fixture
def popular(file_url: str) -> Iterator[SqliteStore]:
    """Account 1 has 60 followers, follows them, and is followed by the viewers 1, 2 and 100."""
    with opened(file_url) as store:
        others = range(2, 62)
        rows = [follow(mid, 1, 100 + mid) for mid in others] + [follow(1, mid, 200 + mid, SPECIAL) for mid in others]
        rows += [follow(100, mid, 5) for mid in range(2, 40)]
        asyncio.run(store.load(map(profile, [*range(1, 62), 100]), rows))
        for mid in (1, 100):
            asyncio.run(store.put_token(Token(token_digest(f"token of {mid}"), mid, 1)))
        yield store


def traced(store: SqliteStore, app: App, endpoint: str, query: str, token: str) -> tuple[int, Any]:
    """How many statements a request costs on the store's reader, beside those of its snapshot, and what it is told."""
    with statements_seen(store) as seen:
        envelope = asyncio.run(get(app, endpoint, query, token))
    return len([sql for sql in seen if sql not in ("begin", "commit")]), envelope["data"]


def statements_of(store: SqliteStore, app: App, endpoint: str, query: str, token: str) -> tuple[int, int]:
    """How many statements a request costs on the store's reader, and how many rows its page has."""
    count, data = traced(store, app, endpoint, query, token)
    return count, len(data["list"])


@pytest.mark.parametrize(
    ("profile_name", "token"),
    [
        ("seed", ""),
        ("seed", "token of nobody"),
        ("seed", "token of 1"),
        ("seed", "token of 100"),
        ("recent", "token of 1"),
        ("recent", "token of 100"),
    ],
)
@pytest.mark.parametrize(
    ("endpoint", "query"),
    [
        ("/x/relation/followers", "vmid=1"),
        ("/x/relation/followers", "vmid=1&order=asc"),
        ("/x/relation/followings", "vmid=1"),
        ("/x/relation/followings", "vmid=1&order_type=attention"),
        ("/x/relation/fans", "vmid=1"),
        ("/x/relation/fans", "vmid=1&offset=161:61"),
    ],
)
def test_a_page_of_50_costs_as_many_statements_as_a_page_of_1(
    popular: SqliteStore, profile_name: str, token: str, endpoint: str, query: str
) -> None:
    # Each request meets an app that has nothing in its cache.
    one, rows_of_one = statements_of(popular, app_of(popular, profile_name), endpoint, query + "&ps=1", token)
    fifty, rows_of_fifty = statements_of(popular, app_of(popular, profile_name), endpoint, query + "&ps=50", token)
    assert (rows_of_one, rows_of_fifty) == (1, 50)
    assert fifty == one <= 8


def test_a_page_of_accounts_that_are_known_already_reads_no_account(popular: SqliteStore) -> None:
    app = app_of(popular, reply_cache_mb=0)
    cold, _ = statements_of(popular, app, "/x/relation/followers", "vmid=1&ps=50", "")
    warm, _ = statements_of(popular, app, "/x/relation/followers", "vmid=1&ps=50", "")
    # A page, and the number of the newest change. The first asks what has changed as well, and for the accounts.
    assert (cold, warm) == (4, 2)


@pytest.mark.parametrize("profile_name", ["seed", "recent"])
@pytest.mark.parametrize(
    ("endpoint", "query", "token", "first", "then"),
    [
        ("/x/relation/stat", "vmid=2", "", 1, 1),
        ("/x/space/acc/info", "mid=2", "", 3, 1),
        ("/x/web-interface/card", "mid=2", "", 4, 2),
        # Two more: who the viewer is, and what it has to do with the account.
        ("/x/space/acc/info", "mid=2", "token of 100", 5, 3),
        ("/x/web-interface/card", "mid=2&photo=1", "token of 100", 6, 4),
        # To itself an account shows what is not kept: who it is, and all that is stored of it.
        ("/x/space/acc/info", "mid=100", "token of 100", 2, 2),
        ("/x/space/myinfo", "", "token of 100", 2, 2),
    ],
)
def test_a_reply_about_an_account_that_is_known_already_does_not_read_it(
    popular: SqliteStore, profile_name: str, endpoint: str, query: str, token: str, first: int, then: int
) -> None:
    app = app_of(popular, profile_name, reply_cache_mb=0)
    cold, told = traced(popular, app, endpoint, query, token)
    assert traced(popular, app, endpoint, query, token) == (then, told)
    assert cold == first


def test_lists_show_who_is_known_from_cards_without_reading_them(popular: SqliteStore) -> None:
    app = app_of(popular, reply_cache_mb=0)
    listed = range(12, 62)
    for mid in listed:
        traced(popular, app, "/x/web-interface/card", f"mid={mid}", "")
    statements, told = traced(popular, app, "/x/relation/followers", "vmid=1&ps=50", "")
    assert statements == 2
    assert {item["uname"] for item in told["list"]} == {f"name {mid}" for mid in listed}


def test_an_empty_page_of_a_viewer_is_answered(popular: SqliteStore) -> None:
    envelope = asyncio.run(get(app_of(popular), "/x/relation/followers", "vmid=100", "token of 1"))
    assert envelope == {"code": 0, "message": "0", "ttl": 1, "data": {"list": [], "re_version": 0, "total": 0}}
