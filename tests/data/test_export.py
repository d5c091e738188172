"""What is exported makes an equal community again, in every format."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import duckdb
import pytest
from imports import Importer, Silent, dump
from stores import ENGINES, Stores, within

from upspace.data.community import Community, settle
from upspace.data.exporting.run import export_files
from upspace.data.formats import Format, FormatError
from upspace.model import Account, Profile, Relation, Standing, Window
from upspace.store import migrate_store, open_store
from upspace.store.interface import StoreError

SUFFIXES = ["csv", "tsv", "jsonl", "parquet", "csv.gz", "jsonl.zst"]

FOLLOWING = 5818410
"""An account of the community that follows many."""


@pytest.fixture(scope="module", params=ENGINES)
def community(request: pytest.FixtureRequest, stores: Stores) -> Iterator[str]:
    """A store with accounts of every kind, deleted ones among them, and groups."""
    url = stores.new(request.param)
    within(_settle(url))
    yield url
    stores.drop(url)


async def _settle(url: str) -> None:
    store = await open_store(url)
    try:
        await settle(store, Community(3, 1_000, 5_000))
        strange = Account(2**62, 'a\rb\nc\td,e;f "g"', sign=" 'x' \r\n", coins=0.1 + 0.2)
        await store.load([Profile(strange, Standing(strange.mid))], [])
        group = await store.create_group(FOLLOWING, lambda groups: "学习 2")
        mids = (await store.followings(FOLLOWING, Window(0, 3))).mids
        await store.change_members(FOLLOWING, mids, lambda membership: dict.fromkeys(mids, (-10, group)))
    finally:
        await store.close()


def export(url: str, users: Path | None, relations: Path | None, file_format: Format | None = None) -> tuple[int, int]:
    return within(export_files(url, users, relations, file_format, Silent().rows))


def without_own(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The rows but those that are not exported."""
    return {table: found for table, found in rows.items() if table not in ("token", "mark")}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_export_imported_again_is_the_same_community(community: str, tmp_path: Path, suffix: str) -> None:
    users, relations = tmp_path / f"u.{suffix}", tmp_path / f"r.{suffix}"
    exported = export(community, users, relations)
    rows = dump(community)
    assert exported == (len(rows["standing"]), len(rows["relation"]))
    assert {path.name for path in tmp_path.iterdir()} == {users.name, relations.name}
    copy = Importer(tmp_path, f"sqlite:///{tmp_path}/copy.db")
    done = copy(users, relations)
    assert (done.users, done.relations, done.rejected) == (*exported, 0)
    assert without_own(dump(copy.url)) == without_own(rows)


def test_an_export_imported_into_its_own_store_changes_nothing(community: str, tmp_path: Path) -> None:
    users, relations = tmp_path / "u.jsonl", tmp_path / "r.jsonl"
    export(community, users, relations)
    before = dump(community)
    same = Importer(tmp_path, community)
    same(users, relations)
    assert same.rejected() == []
    assert dump(community) == before


def test_parquet_has_the_types_that_programs_expect(community: str, tmp_path: Path) -> None:
    users, relations = tmp_path / "u.parquet", tmp_path / "r.parquet"
    export(community, users, relations)
    with duckdb.connect() as db:
        types = {name: kind for name, kind, *_ in db.execute(f"describe from '{users}'").fetchall()}
        assert {types[name] for name in ("mid", "follower", "likes")} == {"BIGINT"}
        assert (types["level"], types["coins"], types["hides_followers"]) == ("INTEGER", "DOUBLE", "BOOLEAN")
        assert (types["name"], types["state"], types["official"]) == ("VARCHAR",) * 3
        types = {name: kind for name, kind, *_ in db.execute(f"describe from '{relations}'").fetchall()}
        assert types == {
            "mid": "BIGINT",
            "fid": "BIGINT",
            "attribute": "INTEGER",
            "mtime": "BIGINT",
            "re_src": "INTEGER",
            "groups": "BIGINT[]",
        }
        (mutual,) = db.execute(f"select count(*) from '{relations}' where attribute = 6").fetchall()  # noqa: S608  # a path of the test's
        assert mutual == (sum(row[3] for row in dump(community)["relation"]),)


def test_the_name_of_a_file_says_what_is_between_its_columns(community: str, tmp_path: Path) -> None:
    export(community, tmp_path / "u.tsv.gz", tmp_path / "r.csv")
    assert gzip.decompress((tmp_path / "u.tsv.gz").read_bytes()).startswith(b"mid\tname\tstate\t")
    assert (tmp_path / "r.csv").read_text().startswith("mid,fid,attribute,")


@pytest.mark.parametrize(
    ("damage", "table"),
    [
        ("insert into own_group (owner, name) values (1, 'nobody''s')", "own_group"),
        ("insert into own_group (owner, name) values (9223372036854775807, 'nobody''s')", "own_group"),
        ("insert into grouped (owner, other, group_id) values (5818410, 1, -10)", "grouped"),
        ("insert into grouped (owner, other, group_id) values (9223372036854775807, 1, -10)", "grouped"),
        ("delete from account where mid = 5818410", "account"),
        ("delete from upstat where mid = 5818410", "upstat"),
    ],
)
def test_a_store_that_does_not_agree_with_itself_is_not_exported(tmp_path: Path, damage: str, table: str) -> None:
    url = f"sqlite:///{tmp_path}/damaged.db"
    within(migrate_store(url))
    within(_settle(url))
    with closing(apsw.Connection(f"{tmp_path}/damaged.db")) as db:
        db.execute(damage)
    with pytest.raises(StoreError, match=f"the table {table} does not fit account"):
        export(url, tmp_path / "u.csv", tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists() or not (tmp_path / "u.csv").exists()


def test_an_edge_list_has_the_open_follows(community: str, tmp_path: Path) -> None:
    path = tmp_path / "edges.txt"
    export(community, None, path)
    heading, *lines = path.read_text().splitlines()
    assert heading == "# mid\tfid\tmtime"
    assert [tuple(map(int, line.split("\t"))) for line in lines] == [
        (mid, fid, mtime) for mid, fid, attribute, _, mtime, _ in dump(community)["relation"] if attribute == 2
    ]


def test_both_files_show_the_moment_of_the_start(community: str, tmp_path: Path) -> None:
    """Somebody joins while the file of users is written."""
    before = dump(community)
    mid = 1 + max(row[0] for row in before["standing"])
    joined: list[int] = []

    async def join() -> None:
        store = await open_store(community)
        try:
            await store.load([Profile(Account(mid, "new"), Standing(mid))], [Relation(mid, FOLLOWING, 2, 1)])
        finally:
            await store.close()

    def watch(what: str, done: int, total: int) -> None:
        if not joined:
            # In a thread, as this one is within the event loop of the export.
            with ThreadPoolExecutor() as threads:
                threads.submit(within, join()).result()
            joined.append(mid)

    users, relations = tmp_path / "u.jsonl", tmp_path / "r.jsonl"
    within(export_files(community, users, relations, None, watch))
    assert mid in [row[0] for row in dump(community)["standing"]]
    copy = Importer(tmp_path, f"sqlite:///{tmp_path}/copy.db")
    copy(users, relations)
    assert without_own(dump(copy.url)) == without_own(before)


@pytest.mark.parametrize(
    ("users", "relations", "message"),
    [
        ("u.txt", None, "an edge list holds relations, not users"),
        ("u.xlsx", None, "what format is it"),
        ("a.csv", "a.csv", "users and relations need a file each"),
    ],
)
def test_files_that_make_no_sense_are_errors(
    community: str, tmp_path: Path, users: str, relations: str | None, message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        export(community, tmp_path / users, tmp_path / relations if relations else None)


def test_what_is_there_stays_if_an_export_fails(community: str, tmp_path: Path) -> None:
    path = tmp_path / "u.csv"
    path.write_text("precious")

    def watch(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        within(export_files(community, path, None, None, watch))
    assert [found.name for found in tmp_path.iterdir()] == ["u.csv"]
    assert path.read_text() == "precious"
