"""The table of contract 8.1 row by row over HTTP."""

import time
from collections.abc import Iterator

import httpx
import pytest
from conftest import client_of, quiet_server
from modify_table import BECOMES_MUTUAL, CASES, COUNTED, STORED, Case
from modify_world import START, attribute, counters, modify, side, table_store
from replies import OK, refusal
from stores import Stores


@pytest.fixture(scope="module")
def table(stores: Stores, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = table_store(stores.new(engine))
    with quiet_server(tmp_path_factory.mktemp("seed"), "--store", url) as served, client_of(served) as client:
        yield client


def expected_attributes(pair: str) -> tuple[int, int]:
    """What both sides report of a pair of letters."""
    return (6, 6) if pair == "ff" else (STORED[pair[0]], STORED[pair[1]])


def expected_counters(mid: int, own: str, back: str) -> dict[str, int]:
    following, whisper, black = COUNTED[own]
    follower = 1 if back == "f" else 0
    return {"mid": mid, "following": following, "whisper": whisper, "black": black, "follower": follower}


def test_the_table_is_whole() -> None:
    pairs = [forward + backward for forward in "-wfb" for backward in "-wfb"]
    assert [(case.act, case.before) for case in CASES] == [(act, pair) for act in range(1, 8) for pair in pairs]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.act} {case.before} {case.after} {case.code}")
def test_a_row_of_the_table(table: httpx.Client, case: Case) -> None:
    viewer, target = case.viewer, case.target

    def attributes() -> tuple[int, int]:
        return attribute(table, viewer, target), attribute(table, target, viewer)

    def both_counters() -> list[dict[str, int]]:
        return [counters(table, viewer), counters(table, target)]

    def expected(pair: str) -> list[dict[str, int]]:
        forward, backward = pair[0], pair[1]
        return [expected_counters(viewer, forward, backward), expected_counters(target, backward, forward)]

    assert attributes() == expected_attributes(case.before)
    assert both_counters() == expected(case.before)

    began = int(time.time())
    assert modify(table, viewer, target, case.act) == (refusal(case.code) if case.code else OK)
    ended = time.time()

    assert attributes() == expected_attributes(case.after)
    assert both_counters() == expected(case.after)
    for number, (owner, other) in enumerate(((viewer, target), (target, viewer))):
        mtime = side(table, owner, other)[1]
        if case.after[number] == "-":
            assert mtime == 0
        elif case.after[number] != case.before[number] or (case.act, case.before) in BECOMES_MUTUAL:
            assert began <= mtime <= ended
        else:
            assert mtime == START + 1 + number
    if (case.act, case.before) in BECOMES_MUTUAL:
        # A pair that becomes mutual does so in one instant.
        assert side(table, viewer, target) == side(table, target, viewer)
    # Said again, it is refused as already so or changes nothing.
    again = modify(table, viewer, target, case.act)["code"]
    assert again == (case.code or {1: 22014, 3: 22014, 5: 22120}.get(case.act, 0))
    assert attributes() == expected_attributes(case.after)
    assert both_counters() == expected(case.after)
