"""Files into a store in use: what is given is written, what is not stays, and a second run changes nothing."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from imports import MTIME, Importer, dump
from stores import ENGINES, Stores, asked, findings

from upspace.data.importing.run import StrictError
from upspace.model import Relation
from upspace.store.interface import Store

NOW = 1_700_000_000

USERS = """{"mid": 1, "name": "one", "sign": "kept", "tags": ["a"], "vip": {"type": 1}, "level": 3}
{"mid": 2, "name": "two"}
{"mid": 3, "name": "three", "counter_mode": "reported", "counters": {"follower": 100}}
{"mid": 4, "name": "four"}
{"mid": 9, "state": "deleted"}
"""
RELATIONS = """{"mid": 1, "fid": 2, "mtime": 1700000000, "re_src": 11, "groups": [-10]}
{"mid": 2, "fid": 1, "attribute": 1, "mtime": 1700000000}
{"mid": 2, "fid": 4, "mtime": 1700000000}
{"mid": 4, "fid": 2, "mtime": 1700000000}
"""


@pytest.fixture(params=ENGINES)
def importer(request: pytest.FixtureRequest, stores: Stores, tmp_path: Path) -> Iterator[Importer]:
    """Imports into a store that has some accounts and relations."""
    url = stores.new(request.param)
    imports = Importer(tmp_path, url)
    imports(USERS, RELATIONS, suffix="jsonl")
    assert imports.rejected() == []
    yield imports
    stores.drop(url)


def standings(importer: Importer) -> dict[int, Any]:
    return {row[0]: row[1:] for row in dump(importer.url)["standing"]}


def test_an_account_keeps_what_the_file_does_not_say(importer: Importer) -> None:
    before = {row[0]: row for row in dump(importer.url)["account"]}
    importer("mid,name,level\n1,renamed,\n2,,6\n7,new,\n")
    assert importer.rejected() == []
    after = {row[0]: row for row in dump(importer.url)["account"]}
    assert after[1] == (1, "renamed", *before[1][2:])
    assert after[2] == (*before[2][:7], 6, *before[2][8:])
    assert after[7][:2] == (7, "new")
    assert set(after) == {*before, 7}


def test_objects_are_replaced_as_a_whole(importer: Importer) -> None:
    users = '{"mid": 1, "vip": {"status": 1}, "decorations": {"top_photo": "p"}}\n'
    importer(users, suffix="jsonl")
    account = dump(importer.url)["account"][0]
    assert '"type":0' in account[-2]
    assert account[-1] == '{"top_photo":"p"}'
    importer('{"mid": 1, "vip": {}, "decorations": {}}\n', suffix="jsonl")
    assert dump(importer.url)["account"][0][-2:] == (None, None)


def test_relations_change_with_lists_mutual_states_and_counters(importer: Importer) -> None:
    done = importer(relations="mid,fid,attribute,mtime\n2,1,2,1700000005\n4,2,128,\n1,4,,\n3,1,1,7\n")
    assert (done.relations, done.rejected) == (4, 0)
    rows = dump(importer.url)
    assert rows["relation"] == [
        (1, 2, 2, True, NOW, 11),
        (1, 4, 2, False, MTIME, 0),
        (2, 1, 2, True, NOW + 5, 0),
        (2, 4, 2, False, NOW, 0),
        (3, 1, 1, False, 7, 0),
        # What is not given stays: the time of the follow that it was.
        (4, 2, 128, False, NOW, 0),
    ]
    assert rows["grouped"] == [(1, 2, -10)]
    assert standings(importer)[2] == (0, False, False, False, 0, 2, 0, 0, 1)
    assert findings(importer.url) == []


def test_reported_counters_are_those_of_the_file_however_many_relations_come_with_it(importer: Importer) -> None:
    for _ in range(2):
        importer("mid,follower\n3,500\n", "mid,fid\n1,3\n2,3\n")
        assert standings(importer)[3] == (0, False, False, False, 1, 0, 0, 0, 500)


def test_groups_are_told_by_their_names_or_by_the_ids_of_the_store(importer: Importer) -> None:
    async def create(store: Store) -> int:
        return await store.create_group(1, lambda groups: "old")

    old = asked(importer.url, create)
    users = '{"mid": 1, "own_groups": [{"id": 1, "name": "new"}, {"id": 2, "name": "old"}]}\n'
    importer(users, '{"mid": 1, "fid": 2, "groups": [1, 2]}\n', suffix="jsonl")
    groups = {name: id_ for _, id_, name in dump(importer.url)["own_group"]}
    assert set(groups) == {"old", "new"}
    assert groups["old"] == old
    assert dump(importer.url)["grouped"] == [(1, 2, old), (1, 2, groups["new"])]
    importer(relations=f'{{"mid": 1, "fid": 2, "groups": [{old}]}}\n', suffix="jsonl")
    assert dump(importer.url)["grouped"] == [(1, 2, old)]
    importer(relations='{"mid": 1, "fid": 2, "groups": [77]}\n', suffix="jsonl")
    assert [reason for *_, reason in importer.rejected()] == ["groups: account 1 has no group 77"]


def test_rows_that_the_store_cannot_take_are_rejected(importer: Importer) -> None:
    done = importer("mid,name,level\n8,,1\n9,back,\n5,e,\n", "mid,fid\n1,9\n9,1\n1,77\n77,1\n5,1\n1,5\n")
    assert (done.users, done.relations) == (1, 2)
    assert importer.rejected() == [
        ("users.csv", 2, "name: it is missing, and account 8 is new"),
        ("users.csv", 3, "account 9 is deleted, which is final"),
        ("relations.csv", 2, "account 9 is deleted"),
        ("relations.csv", 3, "account 9 is deleted"),
        ("relations.csv", 4, "account 77 is unknown"),
        ("relations.csv", 5, "account 77 is unknown"),
    ]
    assert findings(importer.url) == []


def test_accounts_are_deleted_and_relations_to_them_stay_with_their_owners(importer: Importer) -> None:
    users = "mid,state\n4,deleted\n6,deleted\n"
    relations = "mid,fid\n1,4\n1,6\n"
    for _ in range(2):
        importer(users, relations)
        assert importer.rejected() == []
        assert standings(importer)[4] == standings(importer)[6] == (2, False, False, False, 0, 0, 0, 0, 0)
        assert [row[:2] for row in dump(importer.url)["relation"]] == [(1, 2), (1, 4), (1, 6), (2, 1), (2, 4)]
    assert findings(importer.url) == []


def test_a_whisper_or_a_block_stays_if_the_file_does_not_say_what_there_is(importer: Importer) -> None:
    importer(relations="mid,fid,attribute\n4,1,128\n")
    importer(relations="2 1\n4 1\n", suffix="txt")
    assert [row[:3] for row in dump(importer.url)["relation"] if row[1] == 1] == [(2, 1, 1), (4, 1, 128)]


@pytest.mark.parametrize("edge", ["1,77", "1,9"])
def test_strict_ends_before_anything_is_written(importer: Importer, edge: str) -> None:
    before = dump(importer.url)
    with pytest.raises(StrictError, match=r"line 3: account (77 is unknown|9 is deleted)$"):
        importer("mid,name\n1,changed\n", f"mid,fid\n1,4\n{edge}\n", strict=True)
    assert dump(importer.url) == before


@pytest.mark.parametrize("seed", range(3))
def test_the_same_comes_of_files_at_once_and_one_after_the_other_and_again(
    stores: Stores, tmp_path: Path, seed: int
) -> None:
    """Into an empty store in one go, in parts into a store that is in use then, and all of it once more."""
    random = Random(seed)
    mids = random.sample(range(1, 1_000), 60)

    def given(value: str) -> str:
        return random.choice(("", "", value))

    users = [f"{mid},name {mid},{random.choice(['', '0', '5'])},{given('7')},{given('9')}\n" for mid in mids]
    pairs = {(random.choice(mids), random.choice(mids)) for _ in range(600)}
    relations = [
        f"{mid},{fid},{random.choice([1, 2, 2, 2, 6, 128])},{random.randrange(NOW)},{random.choice(['', '[-10]'])}\n"
        for mid, fid in pairs
        if mid != fid
    ]
    relations = [line for line in relations if ",128," not in line or "[" not in line]
    user_heading, heading = "mid,name,level,following,follower\n", "mid,fid,attribute,mtime,groups\n"
    whole = Importer(tmp_path, stores.new("sqlite"))
    whole(user_heading + "".join(users), heading + "".join(relations))
    expected = dump(whole.url)
    for engine in ENGINES:
        parts = Importer(tmp_path, stores.new(engine))
        parts(user_heading + "".join(users[:40]))
        half = len(relations) // 2
        known = {line.partition(",")[0] for line in users[:40]}
        first = [line for line in relations[:half] if known.issuperset(line.split(",")[:2])]
        parts(relations=heading + "".join(first))
        for _ in range(2):
            parts(user_heading + "".join(users), heading + "".join(relations))
            assert parts.rejected() == []
            assert dump(parts.url) == expected
        assert findings(parts.url) == []


def test_a_pair_that_is_there_keeps_its_time_when_an_edge_list_names_it(importer: Importer) -> None:
    importer(relations="1 2\n5 1\n", suffix="txt")

    async def ask(store: Store) -> tuple[Any, Any]:
        return await store.relations(1, [2]), await store.relations(5, [1])

    old, new = asked(importer.url, ask)
    assert old == {2: Relation(1, 2, 2, NOW, groups=(-10,), re_src=11)}
    assert new == {1: Relation(5, 1, 2, MTIME)}
