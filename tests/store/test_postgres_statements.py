"""Every statement of the PostgreSQL engine is one that a Citus cluster runs, and none is there for nothing."""

import ast
import asyncio
import re
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Any

import asyncpg
import pytest
from citus_stand_in import as_if_distributed, ask
from cluster_forms import BY_KEY, GIVEN_ROWS, ON_ONE_NODE, ONE_OWNER, ONE_TABLE, RefusedError, calls, form
from every_read import use_every_read
from pglast import parse_sql
from postgres_server import PostgresServer
from store_oracle import SPECIAL, follow, profile

from upspace.model import Change, Pair, Profile, Token
from upspace.store import open_store
from upspace.store.interface import Store
from upspace.store.postgres import changes, connection
from upspace.store.postgres.accounts import _PROFILES, _WRITE_PROFILES
from upspace.store.postgres.combined import _AT_ONCE, _OF_MANY_OWNERS, _WITH_CHANGE
from upspace.store.postgres.connection import PACKAGE
from upspace.store.postgres.reader import _DATED_PAGES, _DATED_QUERIES, _PAGES
from upspace.store.postgres.relations import _GROUP, _WRITE_GROUP, QUERIES
from upspace.store.queries import read_queries

_STATEMENT = re.compile(r"\s*(select|insert|update|delete|with)\b", re.IGNORECASE)


def texts_of(source: str) -> Iterator[str]:
    """The statements in the strings of a module; where a name is put in at run time, that of a table is."""
    tree = ast.parse(source)
    parts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= set(node.values)
        elif isinstance(node, ast.Expr):
            parts.add(node.value)
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "standing" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            text = node.value
        if _STATEMENT.match(text):
            yield text


def all_statements() -> dict[str, str]:
    """Every statement of the engine, by where it stands."""
    found: dict[str, str] = {}
    for file in files(PACKAGE).iterdir():
        if file.name.endswith(".sql"):
            found |= {f"{file.name}: {name}": sql for name, sql in read_queries(PACKAGE, file.name).items()}
        elif file.name.endswith(".py"):
            for text in texts_of(file.read_text(encoding="utf-8")):
                found[f"{file.name}: {' '.join(text.split())}"] = text
    return found


# What only a single server gets. A later test tries that a cluster does not.
SINGLE_SERVER = {QUERIES["lock_standings"], QUERIES["sessions"], _OF_MANY_OWNERS, _WITH_CHANGE, _AT_ONCE}

STATEMENTS = all_statements()
FOR_ALL = {where: sql for where, sql in STATEMENTS.items() if sql not in SINGLE_SERVER}


def test_the_statements_are_found_wherever_they_stand() -> None:
    assert {
        "queries.sql: followers_desc",
        "check.sql: relation_page",
        "schema.py: select pg_try_advisory_lock($1)",
        "schema.py: delete from schema_version",
    } <= set(STATEMENTS)
    assert len(STATEMENTS) - len(FOR_ALL) == len(SINGLE_SERVER)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""Select one."""\ndef f():\n    "Delete all."\n    x = "select 1"', ["select 1"]),
        ("f(f'select {a} from {b}')", ["select standing from standing"]),
        ("x = ('insert into t '\n 'values (1)')", ["insert into t values (1)"]),
        ("x = 'deleted', 'selection', '\\nUPDATE t'", ["\nUPDATE t"]),
    ],
)
def test_statements_are_told_from_other_texts_of_a_module(source: str, expected: list[str]) -> None:
    assert list(texts_of(source)) == expected


@pytest.mark.parametrize("where", FOR_ALL, ids=lambda where: where[:60])
def test_a_statement_is_one_that_a_cluster_runs(where: str) -> None:
    assert form(FOR_ALL[where])


def test_no_statement_about_rows_of_a_cluster_calls_a_function_that_answers_anew_each_time(
    postgres: PostgresServer,
) -> None:
    spread = [sql for sql in FOR_ALL.values() if form(sql) != ON_ONE_NODE]
    names = set().union(*(calls(parse_sql(sql)[0].stmt) for sql in spread))
    assert {"unnest", "count", "pg_current_xact_id"} <= names
    listed = ", ".join(f"'{name}'" for name in names)
    query = f"select distinct proname::text from pg_proc where proname in ({listed}) and provolatile "  # noqa: S608  # names of ours
    url = postgres.url("postgres")
    assert {name for (name,) in ask(url, f"{query} in ('i', 's')")} == names
    assert ask(url, f"{query} = 'v'") == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select name from account where mid = $1", ONE_OWNER),
        ("select s.mid from standing as s where $1 = s.mid and s.state = 2 for update", ONE_OWNER),
        ("select 1 from (select other from follower where owner = $1) as f left join standing on mid = $1", None),
        (
            "select 1 from (select other from follower where owner = $1) as f left join standing as s on s.mid = $1",
            ONE_OWNER,
        ),
        ("select from relation as r join grouped as g on g.owner = r.owner where r.owner = $1", ONE_OWNER),
        ("insert into token (mid, digest, issued, note) values ($2, $1::bytea, 5, '')", ONE_OWNER),
        ("select count(*) from upstat where mid = any($1::bigint[])", BY_KEY),
        ("select from account as a join standing as s on a.mid = s.mid where s.mid = any($1)", BY_KEY),
        ("select from unnest($1::bigint[]) as w (x) join relation as r on r.owner = w.x", GIVEN_ROWS),
        ("update standing set black = w.b from unnest($1::bigint[], $2::int[]) as w (m, b) where mid = w.m", None),
        (
            "update standing set black = w.b from unnest($1::bigint[], $2::int[]) as w (m, b) where standing.mid = w.m",
            GIVEN_ROWS,
        ),
        ("delete from token where mid = $1", ONE_TABLE),
        ("select owner from follower order by owner limit 5", ONE_TABLE),
        ("select 1", ON_ONE_NODE),
        ("select count(*) from mark join pg_class on relname = name", ON_ONE_NODE),
    ],
)
def test_the_checker_tells_the_form_of_a_statement(sql: str, expected: str | None) -> None:
    if expected is None:
        # A column that two tables might have is not looked up: statements have to say which they mean.
        with pytest.raises(RefusedError):
            form(sql)
    else:
        assert form(sql) == expected


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("selec 1", "no SQL"),
        ("select 1; select 2", "not one statement"),
        ("truncate standing", "not one statement"),
        ("select from visitor", "nobody knows where visitor is"),
        ("with a as (select 1) select mid from standing where mid = $1", "WITH"),
        ("select from standing, mark where standing.mid = $1", "with what is not"),
        ("insert into mark (name, value) select name, sign from account where mid = $1", "with what is not"),
        ("select from token join standing on standing.mid = token.mid where standing.mid = $1", "different things"),
        ("select from relation as r join standing as s on s.mid = r.other where r.owner = $1", "same key"),
        ("select from relation as r join standing as s on s.mid = r.other where r.owner = any($1)", "same key"),
        ("select from relation join follower on follower.other = relation.owner", "same key"),
        ("select from relation as a, relation as b where a.owner = $1 and b.owner = $2", "same key"),
        ("select from relation as a, relation as b where a.owner = $1", "same key"),
        ("select from relation as a join relation as b on a.owner = b.owner", "same key"),
        ("select from relation as a join relation as b on a.owner = b.owner or a.owner = $1", "same key"),
        ("select from relation as a left join relation as b on a.owner = b.owner and a.owner = $1", "same key"),
        ("select from relation as a join relation as b on a.owner <> b.owner where a.owner = $1", "same key"),
        ("select from standing where mid = any($1) for update", "locks"),
        ("select from standing where mid > $1 for share", "locks"),
        ("select (select count(*) from grouped where owner = r.owner) from relation as r where r.owner = $1", "subq"),
        ("select from standing where mid in (select other from relation where owner = $1)", "subquery"),
        ("select from standing where mid = $1 and exists (select from grouped as g where g.owner = $2)", "subquery"),
        ("select mid from standing union select mid from account where mid = $1", "subquery"),
        ("select from unnest($1::bigint[]) as w (x) left join account on account.mid = w.x", "keeps given rows"),
        ("select from unnest($1::bigint[]) as w (x), account where account.name = 'x'", "same key"),
        ("select from unnest($1::int[], $2::int[]) as w (x, y), account as a where a.mid = w.x + w.y", "same key"),
        ("select from unnest($1::bigint[]) as w (x), account as a, upstat as u where a.mid = w.x", "same key"),
        ("select from generate_series(1, $1) as w join account on account.mid = w", "generate_series"),
        ("select from account as a right join upstat as u on a.mid = u.mid where a.mid = $1", "right or a full join"),
        ("select from account join upstat using (mid) where mid = $1", "what a join is on"),
        ("update relation set owner = $2 where owner = $1", "another owner"),
        ("update relation set mutual = true from standing as s where s.mid = relation.other", "same key"),
        ("update standing set black = (select count(*) from relation where owner = 5) where mid = $1", "subquery"),
        ("delete from relation using standing as s where s.mid = relation.other and s.state = 2", "same key"),
        ("insert into relation (owner, other) values ($1, $2), ($3, $4)", "not one row"),
        ("insert into relation (owner, other) values (5, $1)", "not one row"),
        ("insert into relation (other) values ($1)", "which column the owner is in"),
        ("insert into follower (owner, other) select other, owner from relation where owner = $1", "just those"),
        ("insert into upstat (mid) select * from generate_series(1, $1)", "just those"),
        ("insert into upstat (mid) select w * random() from unnest($1::bigint[]) as w", "just those"),
        ("insert into upstat (mid) values ($1) on conflict (mid) do update set mid = 5", "another owner"),
        ("insert into upstat (mid) values ($1) on conflict (likes) do nothing", "not told by their owner"),
        ("insert into upstat (mid) values ($1) on conflict (mid) do update set likes = random()", "calls a function"),
    ],
)
def test_the_checker_refuses_what_a_cluster_may_not_run(sql: str, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        form(sql)


# What a store sends


class Recording(asyncpg.Connection):
    """A connection that notes what it is asked to execute."""

    sent: list[str]

    async def execute(self, query: str, *args: Any, **kwargs: Any) -> str:
        if not args:
            self.sent.append(query)
        return await super().execute(query, *args, **kwargs)

    async def _execute(self, query: str, *args: Any, **kwargs: Any) -> Any:
        self.sent.append(query)
        return await super()._execute(query, *args, **kwargs)  # type: ignore[misc]  # the stubs leave it out


async def use_everything(store: Store) -> None:
    """Call every method of the interface in each of its forms."""
    await store.load(map(profile, range(1, 3000)), [follow(1, 2, 5, SPECIAL), follow(2, 1)], {"x": "1"})
    await store.change_account(1, lambda found: found or profile(1))
    await store.change_account(3000, lambda found: found or profile(3000))
    await use_every_read(store)
    group_id = await store.create_group(1, lambda _: "a")
    await store.rename_group(1, group_id, lambda _: "b")
    await store.change_members(1, [2], lambda _: {2: (group_id,)})
    await store.delete_group(1, group_id)
    await store.change_relations(1, [3], lambda pair: Change(follow(1, 3), pair.backward))
    await store.change_relations(1, [3], unfollow)
    digest = sha256(b"").digest()
    await store.put_token(Token(digest, 1, 1))
    await store.viewer(digest, 1)
    await store.revoke_tokens(1, mid=1)
    await store.revoke_tokens(1, digest_prefix="ab")
    await store.delete_account(1, 5)
    async for _ in store.check(repair=True):
        pass


def unfollow(pair: Pair) -> Change:
    return Change(None, pair.backward)


def sent_by(url: str) -> set[str]:
    """What a store sends for all that it can be asked."""

    async def use() -> None:
        store = await open_store(url)
        try:
            await use_everything(store)
        finally:
            await store.close()

    Recording.sent = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asyncpg, "connect", partial(asyncpg.connect, connection_class=Recording))
        # Else it would be done by one change in a hundred.
        patched.setattr(changes, "_PRUNED_EVERY", 1)
        asyncio.run(use())
    return set(Recording.sent)


def test_a_store_on_a_cluster_sends_nothing_but_what_a_cluster_runs(postgres_url: str) -> None:
    sent = sent_by(as_if_distributed(postgres_url))
    assert QUERIES["lock_standing"] in sent
    assert QUERIES["lock_standings"] not in sent
    dated = (*_DATED_QUERIES.values(), *_DATED_PAGES.values())
    assert not sent.intersection((*dated, _WRITE_GROUP, _WRITE_PROFILES, QUERIES["sessions"]))
    for sql in sent:
        if _STATEMENT.match(sql):
            assert form(sql)
        else:
            assert sql.split()[0].rstrip(";").lower() in ("begin", "commit", "rollback", "set", "lock", "analyze")


def test_a_store_on_one_server_reads_pages_of_many_owners_and_locks_many_accounts(postgres_url: str) -> None:
    sent = sent_by(postgres_url)
    assert sent >= {QUERIES["lock_standings"], *_DATED_PAGES.values()}
    # A page of many owners stands in for those of one, a read with the number of the newest change for one without, and
    # one statement for all that a group writes.
    alone = {QUERIES[name] for name in (*_DATED_PAGES, "tokens_by_digest", "viewers")}
    sent |= {QUERIES[name] for name, sql in _DATED_QUERIES.items() if sql in sent}
    sent |= {QUERIES[name] for name in _GROUP if _WRITE_GROUP in sent}
    sent |= {QUERIES[name] for name in _PROFILES if _WRITE_PROFILES in sent}
    assert {name for name, sql in QUERIES.items() if sql not in sent | alone} == set()


@pytest.mark.parametrize("mids", [range(1, 2), range(1, 31)], ids=["one", "thirty"])
def test_changes_of_accounts_on_one_server_take_six_round_trips(postgres_url: str, mids: range) -> None:
    async def change() -> None:
        store = await open_store(postgres_url)
        try:
            await store.load(map(profile, mids), [])
            Recording.sent = []
            await asyncio.gather(*(store.change_account(mid, renamed) for mid in mids))
        finally:
            await store.close()

    def renamed(known: Profile | None) -> Profile:
        assert known is not None
        return profile(known.account.mid, "renamed")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asyncpg, "connect", partial(asyncpg.connect, connection_class=Recording))
        asyncio.run(change())
    assert [sql for sql in Recording.sent if _STATEMENT.match(sql)] == [
        QUERIES["lock_standings"],
        QUERIES["stored_profiles"],
        _WRITE_PROFILES,
        QUERIES["mark_written"],
        QUERIES["number_changes"],
        QUERIES["put_changes"],
    ]


def test_a_cluster_plans_for_the_values_that_it_is_given_and_one_server_once_for_all(postgres_url: str) -> None:
    async def mode() -> Any:
        database = await connection.Database.connect(postgres_url, connections=1, timeout_s=5)
        try:
            return await database.read(lambda db: db.fetchval("show plan_cache_mode"))
        finally:
            await database.close()

    assert asyncio.run(mode()) == "force_generic_plan"
    as_if_distributed(postgres_url)
    assert asyncio.run(mode()) == "auto"


def test_what_one_server_gets_alone_would_be_refused() -> None:
    statements = (QUERIES["lock_standings"], QUERIES["sessions"], _WRITE_GROUP, _WRITE_PROFILES)
    for sql in (*statements, *_PAGES.values(), *_DATED_PAGES.values()):
        with pytest.raises(RefusedError):
            form(sql)
