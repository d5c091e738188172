"""Rows that cannot be taken: each is rejected with its line and the reason, and the others arrive."""

import gzip
import json
import zlib
from pathlib import Path

import duckdb
import pytest
import zstandard
from imports import NOTHING, Importer, Silent, dump, written
from stores import findings, within

from upspace.data.formats import FormatError
from upspace.data.importing.run import Files, Options, import_files

BIG = 2**63

# The cells of a user, in the order of this heading, and why it is rejected.
USER_HEADING = "mid,name,level,coins,sex,birthday,official,hides_followers,follower,own_groups"
USER_FAULTS = {
    ",n,,,,,,,,": "mid: it is missing",
    "x,n,,,,,,,,": "mid: 'x' is not a whole number",
    "0,n,,,,,,,,": f"mid: '0' is not within 1 to {BIG - 1}",
    "-5,n,,,,,,,,": f"mid: '-5' is not within 1 to {BIG - 1}",
    f"{BIG},n,,,,,,,,": f"mid: '{BIG}' is not within 1 to {BIG - 1}",
    "1e3,n,,,,,,,,": "mid: '1e3' is not a whole number",
    "1.5,n,,,,,,,,": "mid: '1.5' is not a whole number",
    "１,n,,,,,,,,": "mid: '１' is not a whole number",
    "11,,,,,,,,,": "name: it is missing, and account 11 is new",
    "12,n,7,,,,,,,": "level: '7' is not within 0 to 6",
    "13,n,,nan,,,,,,": "coins: 'nan' is not a number of at least 0",
    "14,n,,-1,,,,,,": "coins: '-1' is not a number of at least 0",
    "15,n,,,x,,,,,": "sex: 'x' is none of 保密, 女, 男",
    "16,n,,,,13-01,,,,": "birthday: '13-01' is not MM-DD, or empty",
    '17,n,,,,,"{""role"": ""x""}",,,': "official: Expected `int`, got `str` - at `$.official.role`",
    "18,n,,,,,{,,,": "official: not JSON: Input data was truncated",
    "19,n,,,,,,maybe,,": "hides_followers: 'maybe' is none of 0, 1, false, true, False, True",
    "20,n,,,,,,,1 000,": "follower: '1 000' is not a whole number",
    '21,n,,,,,,,,"[{""id"": 0, ""name"": ""g""}]"': f"own_groups: 0 is no id of a group, which is within 1 to {2**53}",
    '22,n,,,,,,,,"[{""id"": 1, ""name"": ""g""}, {""id"": 1, ""name"": ""h""}]"': (
        "own_groups: two of them have the same id or name"
    ),
    '22,n,,,,,,,,"[{""id"": 1, ""name"": ""特别关注""}]"': "own_groups: 该分组已经存在",
    "23,n,,": "there are 4 columns, not 10",
    "24,n,,,,,,,,,,x": "there are 12 columns, not 10",
    "1,again,,,,,,,,": "account 1 was given before (line 2)",
}

RELATION_HEADING = "mid,fid,attribute,mtime,re_src,groups"
RELATION_FAULTS = {
    "1,,,,,": "fid: it is missing",
    "1,two,,,,": "fid: 'two' is not a whole number",
    f"1,{BIG},,,,": f"fid: '{BIG}' is not within 1 to {BIG - 1}",
    "1,2,3,,,": "attribute: '3' is none of 1, 2, 6, 128",
    "1,2,,-1,,": f"mtime: '-1' is not within 0 to {BIG - 1}",
    "1,2,,2020-01-01,,": "mtime: '2020-01-01' is not a whole number",
    "1,2,,,65536,": "re_src: '65536' is not within 0 to 65535",
    "1,2,,,,[x]": "groups: not JSON: JSON is malformed: invalid character (byte 1)",
    '1,3,,,,"[5]"': "groups: account 1 has no group 5",
    '1,3,128,,,"[-10]"': "groups: an account that is blocked is in none",
    "2,2,,,,": "account 2 cannot be related to itself",
    "1,99,,,,": "account 99 is unknown",
    "99,1,,,,": "account 99 is unknown",
    "4,1,,,,": "account 4 is deleted",
    "1,2,1,,,": "the relation of account 1 to account 2 was given before (line 2)",
    "1,2": "there are 2 columns, not 6",
}


@pytest.fixture
def sqlite(tmp_path: Path) -> Importer:
    return Importer(tmp_path, f"sqlite:///{tmp_path}/new.db")


def test_every_fault_of_a_user_is_told_with_its_line(sqlite: Importer) -> None:
    good = ["1,a,,,,,,,,", "2,b,6,0.5,男,12-31,,1,7,"]
    lines = [USER_HEADING, good[0], *USER_FAULTS, good[1]]
    done = sqlite("\n".join(lines) + "\n")
    assert (done.rows, done.users) == (len(lines) - 1, 2)
    assert sqlite.rejected() == [("users.csv", line, why) for line, why in enumerate(USER_FAULTS.values(), 3)]
    assert [row[0] for row in dump(sqlite.url)["standing"]] == [1, 2]


def test_every_fault_of_a_relation_is_told_with_its_line(sqlite: Importer) -> None:
    users = "mid,name,state\n1,a,\n2,b,\n3,c,\n4,,deleted\n"
    lines = [RELATION_HEADING, "1,2,,,,", *RELATION_FAULTS, "3,1,,,,"]
    done = sqlite(users, "\n".join(lines) + "\n")
    assert (done.users, done.relations) == (4, 2)
    assert sqlite.rejected() == [("relations.csv", line, why) for line, why in enumerate(RELATION_FAULTS.values(), 3)]
    assert [row[:2] for row in dump(sqlite.url)["relation"]] == [(1, 2), (3, 1)]
    assert findings(sqlite.url) == []


def test_bytes_that_are_not_utf8_spoil_their_own_row_only(sqlite: Importer) -> None:
    path = written(sqlite.folder / "u.csv", b"mid,name,sign\n1,a,x\n2,\xff\xfe,x\n3,c,\xe4\xba\n4,d,x\n")
    done = sqlite(path)
    assert done.users == 2
    assert sqlite.rejected() == [
        ("u.csv", 3, "name: '\\udcff\\udcfe' is not UTF-8"),
        ("u.csv", 4, "sign: '\\udce4\\udcba' is not UTF-8"),
    ]


def test_a_nul_character_is_rejected(sqlite: Importer) -> None:
    sqlite("mid,name\n1,a\0b\n2,c\n")
    assert sqlite.rejected() == [("users.csv", 2, "name: 'a\\x00b' has the character U+0000")]


def test_a_row_over_several_lines_is_told_by_its_first(sqlite: Importer) -> None:
    sqlite('mid,name,sign\n1,a,"one\ntwo\nthree"\nx,b,"one\ntwo"\n2,c,\n1,d,\n')
    assert sqlite.rejected() == [
        ("users.csv", 5, "mid: 'x' is not a whole number"),
        ("users.csv", 8, "account 1 was given before (line 2)"),
    ]


def test_a_delimiter_at_the_end_of_lines_does_not_matter(sqlite: Importer) -> None:
    assert sqlite("mid,name\n1,a,\n2,b,\n").users == 2
    assert sqlite("mid,name\n3,c,,\nx,d,,\n").users == 1


@pytest.mark.parametrize("other", ["", "3\n"])
def test_white_space_beside_quotes_is_read_alike_at_once_and_row_by_row(sqlite: Importer, other: str) -> None:
    done = sqlite('mid,name\n1, "a"\n2,"b" \n' + other)
    assert [row[:2] for row in dump(sqlite.url)["account"]] == [(1, ' "a"')]
    assert sqlite.rejected()[0] == ("users.csv", 3, "not CSV: ',' expected after '\"'")
    assert done.users == 1


def test_a_carriage_return_within_a_text_is_no_end_of_a_line(sqlite: Importer) -> None:
    sqlite('mid,name\n1,"a\rb"\nx,"c\r\rd"\n2,e\n')
    assert sqlite.rejected() == [("users.csv", 3, "mid: 'x' is not a whole number")]
    assert [row[:2] for row in dump(sqlite.url)["account"]] == [(1, "a\rb"), (2, "e")]


def test_lines_that_end_in_carriage_returns_alone_are_an_error(sqlite: Importer) -> None:
    with pytest.raises(FormatError, match="its first line does not name the columns"):
        sqlite("mid,name\r1,a\r2,b\r")


def test_an_account_is_taken_from_its_first_good_row(sqlite: Importer) -> None:
    sqlite("mid,name,level\n1,,\n1,a,9\n1,b,\n1,c,\n")
    assert sqlite.rejected() == [
        ("users.csv", 2, "name: it is missing, and account 1 is new"),
        ("users.csv", 3, "level: '9' is not within 0 to 6"),
        ("users.csv", 5, "account 1 was given before (line 4)"),
    ]
    assert dump(sqlite.url)["account"][0][1] == "b"


def test_a_quote_that_is_never_closed_is_told(sqlite: Importer) -> None:
    sqlite('mid,name\n1,a\n2,"b\n3,c\n')
    assert sqlite.rejected() == [("users.csv", 3, "not CSV: unexpected end of data")]
    assert [row[0] for row in dump(sqlite.url)["account"]] == [1]


def test_lines_that_are_no_json_objects_are_told(sqlite: Importer) -> None:
    lines = [
        '{"mid": 1, "name": "a"}',
        "{",
        "[1]",
        '{"mid": 2}',
        '{"mid": "x", "name": "b"}',
        '{"mid": 3, "name": "c", "vip": {"type": "x"}}',
        '{"mid": 4, "name": "\\ud800"}',
        "",
        '{"mid": 5, "name": ["e"], "level": true}',
        '{"mid": 6, "name": "f", "level": 2.0, "follower": null}',
        '{"mid": 7, "name": "\udcff"}',
        '{"mid": 8, "name": "h", "tags": "x"}',
        '{"mid": 9, "name": "i", "tags": [], "decorations": {}}',
    ]
    sqlite(written(sqlite.folder / "u.jsonl", "\n".join(lines).encode(errors="surrogateescape")))
    assert [(line, reason.partition(":")[0]) for _, line, reason in sqlite.rejected()] == [
        (2, "not JSON"),
        (3, "not a JSON object"),
        (4, "name"),
        (5, "mid"),
        (6, "vip"),
        (7, "not JSON"),
        (9, "level"),
        (11, "not JSON"),
        (12, "decorations"),
        (13, "decorations"),
    ]
    assert [row[0] for row in dump(sqlite.url)["standing"]] == [1, 6]


def test_rows_of_parquet_are_told_by_their_number(sqlite: Importer) -> None:
    path = sqlite.folder / "u.parquet"
    with duckdb.connect() as db:
        db.execute(
            f"copy (from (values (1, 'a', 1), (-2, 'b', 2), (3, null, 3), (4, 'd', 9), (5, 'e', null))"
            f" as t(mid, name, level)) to '{path}' (format parquet)"
        )
    done = sqlite(path)
    assert done.users == 2
    assert sqlite.rejected() == [
        ("u.parquet", 2, f"mid: '-2' is not within 1 to {BIG - 1}"),
        ("u.parquet", 3, "name: it is missing, and account 3 is new"),
        ("u.parquet", 4, "level: '9' is not within 0 to 6"),
    ]


def test_edges_of_the_wrong_form_are_told(sqlite: Importer) -> None:
    sqlite(relations="# c\n1 2\n1\n1 2 3 4\na b\n2 1 x\n1 1\n1 2\n3 1\n", suffix="txt")
    assert [(line, reason) for _, line, reason in sqlite.rejected()] == [
        (3, "there are 1 columns, not 2 or 3"),
        (4, "there are 4 columns, not 2 or 3"),
        (5, "mid: 'a' is not a whole number"),
        (6, "mtime: 'x' is not a whole number"),
        (7, "account 1 cannot be related to itself"),
        (8, "the relation of account 1 to account 2 was given before (line 2)"),
    ]
    assert [row[:2] for row in dump(sqlite.url)["relation"]] == [(1, 2), (3, 1)]


ROWS = "mid,name\n" + "".join(f"{mid},name {mid} {zlib.crc32(bytes(str(mid), 'ascii'))}\n" for mid in range(1, 50_001))


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (gzip.compress(ROWS.encode())[:-100_000], "the file is cut off here: its gzip data does not end"),
        (zstandard.compress(ROWS.encode())[:-100_000], "the file is cut off here: its zstd data does not end"),
        (gzip.compress(ROWS.encode())[:-5] + b"wrong", "the file is damaged from here on, as gzip: "),
        (gzip.compress(ROWS.encode()) + b"more", "the file is damaged from here on, as gzip: "),
    ],
)
def test_what_a_file_has_before_it_is_cut_off_or_damaged_is_taken(sqlite: Importer, packed: bytes, why: str) -> None:
    done = sqlite(written(sqlite.folder / "u.csv.gz", packed))
    ((_, line, reason),) = sqlite.rejected()
    assert reason.startswith(why)
    # The line after the last complete one.
    assert line == done.users + 2
    assert [row[0] for row in dump(sqlite.url)["account"]] == list(range(1, done.users + 1))
    assert 0 < done.users <= 50_000


def test_a_file_that_is_cut_off_before_its_first_row_is_an_error(sqlite: Importer) -> None:
    with pytest.raises(FormatError, match=r"u\.csv\.zst: the file is cut off here: its zstd data does not end$"):
        sqlite(written(sqlite.folder / "u.csv.zst", zstandard.compress(b"mid,name\n1,a\n")[:8]))


def test_an_edge_list_that_is_cut_off_within_its_comments_says_so(sqlite: Importer) -> None:
    comments = "".join(f"# {number} {zlib.crc32(bytes(str(number), 'ascii'))}\n" for number in range(10_000))
    packed = gzip.compress(comments.encode())[:-2_000]
    assert sqlite(relations=written(sqlite.folder / "e.txt.gz", packed)).rejected == 1
    assert "cut off" in sqlite.rejected()[0][2]


def test_the_file_of_rejects_is_made_before_anything_is_done(sqlite: Importer) -> None:
    sqlite.rejects = sqlite.folder / "none" / "rejects.csv"
    with pytest.raises(FileNotFoundError):
        sqlite("mid,name\n1,a\n")
    assert dump(sqlite.url) == NOTHING


def test_the_rejects_of_an_earlier_run_do_not_stay(sqlite: Importer) -> None:
    sqlite("mid,name\nx,a\n")
    assert sqlite.rejects.exists()
    files = Files([written(sqlite.folder / "u.csv", "mid,name\n1,a\n")])
    within(import_files(sqlite.url, files, Options(sqlite.rejects), Silent()))
    assert not sqlite.rejects.exists()


def test_a_run_that_fails_says_what_it_has_rejected(sqlite: Importer) -> None:
    with pytest.raises(FormatError, match="there is no column fid"):
        sqlite("mid,name\nx,a\n", "mid\n1\n")
    assert [reason for *_, reason in sqlite.rejected()] == ["mid: 'x' is not a whole number"]


def test_a_file_whose_last_line_has_no_end_is_whole(sqlite: Importer) -> None:
    assert sqlite("mid,name\n1,a\n2,b").users == 2
    assert sqlite.rejected() == []


def test_faults_in_a_long_file_are_told_by_their_lines(sqlite: Importer) -> None:
    """Several blocks of lines, most of which are read at once."""
    lines = [f"{mid},{'n' * 400},{json.dumps('s')}" for mid in range(1, 60_001)]
    wrong = {9: "x,n,", 20_000: "1,n,", 40_001: "7,n,,x", 59_999: ""}
    for index, line in wrong.items():
        lines[index] = line
    done = sqlite("mid,name,sign\n" + "\n".join(lines) + "\n")
    assert [(line, reason) for _, line, reason in sqlite.rejected()] == [
        (11, "mid: 'x' is not a whole number"),
        (20_002, "account 1 was given before (line 2)"),
        (40_003, "there are 4 columns, not 3"),
    ]
    assert done.users == 60_000 - len(wrong)
