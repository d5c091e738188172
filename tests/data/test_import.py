"""Files into an empty store: every format, every default, both directions, counters, groups."""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import msgspec
import pytest
import zstandard
from imports import MTIME, NOTHING, Importer, Silent, aged, dump, written
from stores import ENGINES, Stores, asked, findings, within

from upspace.data.formats import Format, FormatError
from upspace.data.importing.run import Files, Options, StrictError, import_files
from upspace.data.spool import file_literal, literal
from upspace.model import Relation
from upspace.records import profile_of
from upspace.store.interface import Store
from upspace.wire.record import AccountRecord

NOW = 1_700_000_000

USERS = """mid,name,state,sex,level,coins,birthday,official,hides_followers,counter_mode,follower,likes,own_groups
1,一,,女,6,1.5,02-29,"{""role"": 1, ""title"": ""t""}",true,,,5,"[{""id"": 7, ""name"": ""学习""}]"
2,"two, ""quoted"" and
on two lines",suspended,,,,,,0,,,,
3,three,,,,,,,,reported,1000,,
4,,deleted,,,,,,,,,,
5,five,,,,,,,,derived,99,,
"""

RELATIONS = """mid,fid,attribute,mtime,re_src,groups
1,2,2,1700000001,11,"[7, -10]"
2,1,6,1700000002,,
1,3,1,1700000003,,
1,4,,1700000004,,
5,1,128,,,
3,5,2,,,
"""

STANDINGS = [
    (1, 0, False, True, False, 0, 2, 1, 0, 1),
    (2, 1, False, False, False, 0, 1, 0, 0, 1),
    (3, 0, False, False, False, 1, 1, 0, 0, 1000),
    (4, 2, False, False, False, 0, 0, 0, 0, 0),
    (5, 0, False, False, False, 0, 0, 0, 1, 1),
]
RELATION_ROWS = [
    (1, 2, 2, True, NOW + 1, 11),
    (1, 3, 1, False, NOW + 3, 0),
    (1, 4, 2, False, NOW + 4, 0),
    (2, 1, 2, True, NOW + 2, 0),
    (3, 5, 2, False, MTIME, 0),
    (5, 1, 128, False, MTIME, 0),
]


@pytest.fixture(params=ENGINES)
def importer(request: pytest.FixtureRequest, stores: Stores, tmp_path: Path) -> Iterator[Importer]:
    """Imports into an empty store of each engine."""
    url = stores.new(request.param)
    yield Importer(tmp_path, url)
    stores.drop(url)


@pytest.fixture
def sqlite(tmp_path: Path) -> Importer:
    """Imports into a file that is not there yet."""
    return Importer(tmp_path, f"sqlite:///{tmp_path}/new.db")


def test_accounts_and_relations_arrive_with_lists_counters_and_groups(importer: Importer) -> None:
    done = importer(USERS, RELATIONS)
    assert (done.users, done.relations, done.rejected, done.created) == (5, 6, 0, 0)
    rows = dump(importer.url)
    assert rows["standing"] == STANDINGS
    assert rows["relation"] == RELATION_ROWS
    assert rows["follower"] == [(1, NOW + 2, 2), (2, NOW + 1, 1), (5, MTIME, 3)]
    assert rows["own_group"] == [(1, 7, "学习")]
    assert rows["grouped"] == [(1, 2, -10), (1, 2, 7)]
    assert rows["token"] == rows["mark"] == []
    assert findings(importer.url) == []


def test_an_account_has_the_values_of_the_file_and_else_the_defaults_of_the_record(importer: Importer) -> None:
    importer(USERS)

    async def profiles(store: Store) -> list[Any]:
        return [await store.profile(mid) for mid in (1, 2, 4)]

    one, two, four = asked(importer.url, profiles)
    given = {"sex": "女", "level": 6, "coins": 1.5, "birthday": "02-29", "official": {"role": 1, "title": "t"}}
    given |= {"hides_followers": True, "statistics": {"likes": 5}}
    assert one == profile_of(msgspec.convert({"mid": 1, "name": "一", **given}, AccountRecord))
    text = 'two, "quoted" and\non two lines'
    assert two == profile_of(msgspec.convert({"mid": 2, "name": text, "state": "suspended"}, AccountRecord))
    assert four is None


def test_what_comes_after_an_import_goes_on_from_it(importer: Importer) -> None:
    importer(USERS, RELATIONS)

    async def go_on(store: Store) -> tuple[int, dict[int, Relation]]:
        created = await store.create_group(1, lambda groups: "new")
        return created, await store.relations(1, [2])

    created, relations = asked(importer.url, go_on)
    assert created == 8
    assert relations == {2: Relation(1, 2, 6, NOW + 1, groups=(-10, 7), re_src=11)}


def json_lines(text: str) -> str:
    """A CSV text as JSON Lines."""
    rows = csv.DictReader(io.StringIO(text))
    return "".join(json.dumps({name: value for name, value in row.items() if value}) + "\n" for row in rows)


def parquet(path: Path, text: str) -> Path:
    """A CSV text as a Parquet file, with the types that come naturally."""
    source = written(path.with_suffix(".source.csv"), text)
    with duckdb.connect() as db:
        db.execute(f"copy (from read_csv({file_literal(source)})) to {literal(str(path))} (format parquet)")
    return aged(path)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    # Packed in parts, one after the other.
    ".2.gz": lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]),
    ".2.zst": lambda data: zstandard.compress(data[:50]) + zstandard.compress(data[50:]),
}


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "crlf.csv", "bom.csv"])
def test_every_format_and_packing_says_the_same(sqlite: Importer, tmp_path: Path, kind: str, packing: str) -> None:
    contents: dict[str, Callable[[bytes], bytes]] = {
        "csv": bytes,
        "tsv": tabbed,
        "jsonl": lambda data: json_lines(data.decode()).encode(),
        "crlf.csv": lambda data: data.replace(b"\n", b"\r\n").replace(b"and\r\n", b"and\n"),
        "bom.csv": lambda data: b"\xef\xbb\xbf" + data,
    }
    paths = [
        written(tmp_path / f"{name}.{kind}{packing}", PACKED[packing](contents[kind](text.encode())))
        for name, text in (("users", USERS), ("relations", RELATIONS))
    ]
    file_format = Format.JSONL if kind == "jsonl" else Format.CSV
    sqlite(*paths, file_format=file_format)
    assert sqlite.rejected() == []
    assert dump(sqlite.url)["standing"] == STANDINGS
    assert dump(sqlite.url)["relation"] == RELATION_ROWS
    assert dump(sqlite.url)["account"][1][1] == 'two, "quoted" and\non two lines'


def tabbed(data: bytes) -> bytes:
    """A CSV text with tabs in between."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(csv.reader(io.StringIO(data.decode(), newline="")))
    return text.getvalue().encode()


def test_parquet_says_the_same_whatever_types_its_columns_have(sqlite: Importer, tmp_path: Path) -> None:
    sqlite(parquet(tmp_path / "users.parquet", USERS), parquet(tmp_path / "relations.parquet", RELATIONS))
    assert sqlite.rejected() == []
    rows = dump(sqlite.url)
    assert (rows["standing"], rows["relation"]) == (STANDINGS, RELATION_ROWS)
    assert rows["grouped"] == [(1, 2, -10), (1, 2, 7)]
    assert rows["account"][0][8:10] == (1.5, "02-29")


def test_numbers_as_programs_without_missing_integers_write_them(sqlite: Importer, tmp_path: Path) -> None:
    with duckdb.connect() as db:
        db.execute(
            f"copy (select unnest([1.0, 2.0])::double as mid, 'n' as name, unnest([3.0, 'nan'::double]) as level,"
            f" unnest([true, false]) as hides_followers) to '{tmp_path}/u.parquet' (format parquet)"
        )
        db.execute(
            f"copy (select 1::uinteger as mid, 2::smallint as fid, timestamp '2023-11-14 22:13:20' as mtime,"
            f" [-10]::integer[] as groups) to '{tmp_path}/r.parquet' (format parquet)"
        )
    sqlite(tmp_path / "u.parquet", tmp_path / "r.parquet")
    assert sqlite.rejected() == []
    rows = dump(sqlite.url)
    assert [row[7] for row in rows["account"]] == [3, 0]
    assert [row[3] for row in rows["standing"]] == [True, False]
    assert rows["relation"] == [(1, 2, 2, False, NOW, 0)]
    assert rows["grouped"] == [(1, 2, -10)]


def test_numbers_and_texts_of_parquet_are_kept_to_the_last_digit(sqlite: Importer, tmp_path: Path) -> None:
    with duckdb.connect() as db:
        db.execute(
            "copy (select 9007199254740993::decimal(20, 0) as mid, encode('一') as name, 1.00::decimal(4, 2) as level)"
            f" to '{tmp_path}/u.parquet' (format parquet)"
        )
    sqlite(tmp_path / "u.parquet")
    assert sqlite.rejected() == []
    assert [(row[0], row[1], row[7]) for row in dump(sqlite.url)["account"]] == [(9007199254740993, "一", 1)]


def test_names_of_folders_and_files_are_no_patterns(tmp_path: Path) -> None:
    folder = tmp_path / "a[1] *'\""
    folder.mkdir()
    store = Importer(folder, f"sqlite:///{folder}/new.db")
    store(parquet(folder / "u[1]*.parquet", USERS), RELATIONS)
    assert store.rejected() == []
    assert dump(store.url)["standing"] == STANDINGS


def test_flags_as_python_writes_them(sqlite: Importer) -> None:
    sqlite("mid,name,hides_followers,is_senior_member\n1,a,True,False\n2,b,False,True\n3,c,x,\n")
    assert [row[3] for row in dump(sqlite.url)["standing"]] == [True, False]
    assert [row[10] for row in dump(sqlite.url)["account"]] == [0, 1]


def test_an_account_as_the_command_shows_it_is_a_row_too(sqlite: Importer) -> None:
    record = {"mid": 1, "name": "n", "counter_mode": "reported", "counters": {"follower": 3}}
    record |= {"statistics": {"likes": 2}, "tags": ["a"], "vip": {"type": 2}}
    sqlite(json.dumps(record) + "\n", suffix="jsonl")
    rows = dump(sqlite.url)
    assert rows["standing"] == [(1, 0, False, False, False, 1, 0, 0, 0, 3)]
    assert rows["upstat"] == [(1, 0, 0, 2, 0, 0)]
    assert rows["account"][0][-1] == '{"tags":["a"]}'
    assert json.loads(rows["account"][0][-2])["type"] == 2


def test_columns_with_other_names_are_mapped_and_others_are_named(sqlite: Importer) -> None:
    sqlite(
        "id,nick,fans,x\n1,a,9,1\n2,b,,2\n", "id,to\n1,2\n", names=["id=mid", "nick=name", "fans=follower", "to=fid"]
    )
    rows = dump(sqlite.url)
    assert [row[:2] for row in rows["account"]] == [(1, "a"), (2, "b")]
    # Counters in the file are what the account reports, without them they are counted.
    assert [row[5:] for row in rows["standing"]] == [(1, 1, 0, 0, 9), (0, 0, 0, 0, 1)]
    assert [line.partition(": ")[2] for line in sqlite.said] == ["not used: x"]


def test_a_store_that_was_not_there_is_said_to_be_new_as_its_name_may_be_mistyped(sqlite: Importer) -> None:
    assert sqlite("mid,name\n1,a\n").is_new
    assert not sqlite("mid,name\n2,b\n").is_new


def test_a_column_can_be_left_out(sqlite: Importer) -> None:
    sqlite('{"mid": 1, "name": "a", "tags": "red"}\n', suffix="jsonl", names=["tags="])
    sqlite("mid,name,level\n2,b,red\n", names=["users.level="])
    assert (sqlite.rejected(), sqlite.said) == ([], [])
    assert len(dump(sqlite.url)["account"]) == 2


@pytest.mark.parametrize(
    ("heading", "names", "message"),
    [
        ("id,name", [], "there is no column mid for users, only id, name: say with --map THEIRS=mid"),
        ("mid,mid", [], "more than one column is mid"),
        ("mid,id,name", ["id=mid"], "more than one column is mid"),
        ("mid,name", ["a=b"], "there is no column b to map it to"),
        ("mid,name", ["relations.a=name"], "there is no column name to map it to"),
        ("mid,name", ["name"], "it should be like fans=follower"),
    ],
)
def test_columns_that_cannot_be_told_are_an_error(
    sqlite: Importer, heading: str, names: list[str], message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        sqlite(f"{heading}\n1,n\n", names=names)


def test_groups_that_each_account_numbers_itself_get_ids_of_their_own(sqlite: Importer) -> None:
    users = json.dumps({"mid": 1, "name": "a", "own_groups": [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}]})
    users += "\n" + json.dumps({"mid": 2, "name": "b", "own_groups": [{"id": 1, "name": "x"}]}) + "\n"
    relations = '{"mid":1,"fid":2,"groups":[2]}\n{"mid":2,"fid":1,"groups":[1]}\n'
    sqlite(users, relations, suffix="jsonl")
    rows = dump(sqlite.url)
    assert rows["own_group"] == [(1, 1, "x"), (1, 2, "y"), (2, 3, "x")]
    assert rows["grouped"] == [(1, 2, 2), (2, 1, 3)]
    assert findings(sqlite.url) == []


@pytest.mark.parametrize("form", ["{} {}\n", "{}\t{}\n", "{},{}\n", "  {}   {}\n", "{} {}\r\n"])
def test_an_edge_list_makes_its_accounts_and_its_counters_are_those_of_a_count(importer: Importer, form: str) -> None:
    random = Random(form)
    pairs = {(int(random.paretovariate(0.7)) % 3_000, random.randrange(3_000)) for _ in range(4_000)}
    edges = [(mid + 1, fid + 1) for mid, fid in pairs if mid != fid]
    random.shuffle(edges)
    done = importer(relations="# from to\n" + "".join(form.format(*edge) for edge in edges), suffix="txt")
    mids = {mid for edge in edges for mid in edge}
    assert (done.relations, done.created, done.rejected) == (len(edges), len(mids), 0)
    rows = dump(importer.url)
    followings, followers = Counter(mid for mid, _ in edges), Counter(fid for _, fid in edges)
    assert [(row[0], row[6], row[9]) for row in rows["standing"]] == [
        (mid, followings[mid], followers[mid]) for mid in sorted(mids)
    ]
    known = set(edges)
    assert [row[:5] for row in rows["relation"]] == [
        (mid, fid, 2, (fid, mid) in known, MTIME) for mid, fid in sorted(edges)
    ]
    assert [row[1] for row in rows["account"]] == [f"用户{mid}" for mid in sorted(mids)]
    assert findings(importer.url) == []


def test_an_edge_list_may_have_times_and_comments_anywhere(sqlite: Importer) -> None:
    sqlite(relations="1 2 5\n# no\n2 1\n\n3 1 7\n", suffix="edges")
    assert [row[:2] + row[4:5] for row in dump(sqlite.url)["relation"]] == [(1, 2, 5), (2, 1, MTIME), (3, 1, 7)]


def test_accounts_that_relations_name_are_made_if_that_is_asked_for(sqlite: Importer) -> None:
    done = sqlite("mid,name\n1,a\n", "mid,fid\n1,2\n3,1\n", create_accounts=True)
    assert (done.users, done.relations, done.created) == (1, 2, 2)
    assert [row[:2] for row in dump(sqlite.url)["account"]] == [(1, "a"), (2, "用户2"), (3, "用户3")]


def test_several_files_are_read_as_one(sqlite: Importer, tmp_path: Path) -> None:
    files = Files(
        [written(tmp_path / "a.csv", "mid,name\n1,a\n"), written(tmp_path / "b.jsonl", '{"mid":2,"name":"b"}\n')],
        [written(tmp_path / "c.csv", "mid,fid\n1,2\n"), written(tmp_path / "d.txt", "2 1\n1 2\n3 3\n")],
    )
    done = within(import_files(sqlite.url, files, Options(sqlite.rejects, temporary_folder=tmp_path), Silent()))
    assert (done.rows, done.users, done.relations, done.created) == (6, 2, 2, 1)
    assert [reason for *_, reason in sqlite.rejected()] == [
        f"the relation of account 1 to account 2 was given before ({tmp_path}/c.csv, line 2)",
        "account 3 cannot be related to itself",
    ]


def test_strict_ends_at_the_first_bad_row_and_leaves_nothing(importer: Importer) -> None:
    with pytest.raises(StrictError, match=r"relations.csv, line 3: account 1 cannot be related to itself$"):
        importer("mid,name\n1,a\n2,b\n", "mid,fid\n1,2\n1,1\n", strict=True)
    assert dump(importer.url) == NOTHING


def test_counters_that_a_reporting_account_does_not_report_are_counted(sqlite: Importer) -> None:
    for _ in range(2):
        sqlite("mid,name,follower\n1,a,9\n2,b,\n", "mid,fid\n1,2\n")
        assert [row[5:] for row in dump(sqlite.url)["standing"]] == [(1, 1, 0, 0, 9), (0, 0, 0, 0, 1)]


@pytest.mark.parametrize("name", ["users", "users.xlsx", "users.gz"])
def test_a_file_of_no_known_format_is_an_error(sqlite: Importer, tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match="what format is it"):
        sqlite(written(tmp_path / name, "mid,name\n"))


def test_files_that_cannot_be_used_at_all_are_errors(sqlite: Importer, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="there is no such file"):
        sqlite(tmp_path / "none.csv")
    with pytest.raises(FormatError, match="an edge list holds relations, not users"):
        sqlite("1 2\n", suffix="txt")
    with pytest.raises(FormatError, match="is empty"):
        sqlite(written(tmp_path / "empty.csv", ""))
    with pytest.raises(FormatError, match="cannot be read as Parquet"):
        sqlite(written(tmp_path / "cut.parquet", b"PAR1 and then nothing"))
    with pytest.raises(FormatError, match="MB of memory are too few"):
        sqlite("mid,name\n", memory_mb=10)
    with pytest.raises(FormatError, match="Parquet is packed by itself"):
        sqlite(written(tmp_path / "u.parquet.gz", b""))
    with pytest.raises(FormatError, match="is not a regular file"):
        sqlite(written(tmp_path / "d.csv", b"").parent, file_format=Format.CSV)
