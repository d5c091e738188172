"""The table of contract 8.1 row by row over HTTP, and every refusal of a write (contract 2, 3, 4, 8).

What is expected is written down here as data; nothing is computed by a model.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from conftest import Served, client_of, quiet_server
from contract_codes import MESSAGES
from replies import OK, refusal
from stores import Stores

from upspace.model import Account, AccountState, Profile, Relation, Standing, Token
from upspace.server.viewer import csrf_of, token_digest
from upspace.store import open_store

MODIFY, BATCH = "/x/relation/modify", "/x/relation/batch/modify"
START = 1_600_000_000

# What one side of a pair is, by a letter: its attribute, and what it adds to following, whisper and black.
STORED = {"-": 0, "w": 1, "f": 2, "b": 128}
COUNTED = {"-": (0, 0, 0), "w": (0, 1, 0), "f": (1, 0, 0), "b": (0, 0, 1)}

# For each act: the pair before (viewer to target, target to viewer), the code, the pair after.
TABLE = {
    # follow
    1: """
        - -      0   f -
        - w      0   f w
        - f      0   f f
        - b  22002   - b
        w -      0   f -
        w w      0   f w
        w f      0   f f
        w b  22002   w b
        f -  22014   f -
        f w  22014   f w
        f f  22014   f f
        f b  22002   f b
        b -  22003   b -
        b w  22003   b w
        b f  22003   b f
        b b  22003   b b
    """,
    # unfollow
    2: """
        - -      0   - -
        - w      0   - w
        - f      0   - f
        - b      0   - b
        w -      0   w -
        w w      0   w w
        w f      0   w f
        w b      0   w b
        f -      0   - -
        f w      0   - w
        f f      0   - f
        f b      0   - b
        b -      0   b -
        b w      0   b w
        b f      0   b f
        b b      0   b b
    """,
    # whisper
    3: """
        - -      0   w -
        - w      0   w w
        - f      0   w f
        - b  22002   - b
        w -  22014   w -
        w w  22014   w w
        w f  22014   w f
        w b  22002   w b
        f -      0   w -
        f w      0   w w
        f f      0   w f
        f b  22002   f b
        b -  22003   b -
        b w  22003   b w
        b f  22003   b f
        b b  22003   b b
    """,
    # unwhisper
    4: """
        - -      0   - -
        - w      0   - w
        - f      0   - f
        - b      0   - b
        w -      0   - -
        w w      0   - w
        w f      0   - f
        w b      0   - b
        f -      0   f -
        f w      0   f w
        f f      0   f f
        f b      0   f b
        b -      0   b -
        b w      0   b w
        b f      0   b f
        b b      0   b b
    """,
    # block
    5: """
        - -      0   b -
        - w      0   b -
        - f      0   b -
        - b      0   b b
        w -      0   b -
        w w      0   b -
        w f      0   b -
        w b      0   b b
        f -      0   b -
        f w      0   b -
        f f      0   b -
        f b      0   b b
        b -  22120   b -
        b w  22120   b w
        b f  22120   b f
        b b  22120   b b
    """,
    # unblock
    6: """
        - -      0   - -
        - w      0   - w
        - f      0   - f
        - b      0   - b
        w -      0   w -
        w w      0   w w
        w f      0   w f
        w b      0   w b
        f -      0   f -
        f w      0   f w
        f f      0   f f
        f b      0   f b
        b -      0   - -
        b w      0   - w
        b f      0   - f
        b b      0   - b
    """,
    # remove follower
    7: """
        - -      0   - -
        - w      0   - -
        - f      0   - -
        - b      0   - b
        w -      0   w -
        w w      0   w -
        w f      0   w -
        w b      0   w b
        f -      0   f -
        f w      0   f -
        f f      0   f -
        f b      0   f b
        b -      0   b -
        b w      0   b -
        b f      0   b -
        b b      0   b b
    """,
}
# The rows after which both sides have the instant of the write, not the viewer's side alone.
BECOMES_MUTUAL = {(1, "-f"), (1, "wf")}


class Case(NamedTuple):
    """One row for one act, with a pair of accounts of its own."""

    act: int
    before: str
    code: int
    after: str
    viewer: int
    target: int


def cases() -> list[Case]:
    """The whole table."""
    made: list[Case] = []
    for act, rows in TABLE.items():
        for line in rows.strip().splitlines():
            forward, backward, code, forward_after, backward_after = line.split()
            viewer = 100_001 + 2 * len(made)
            made.append(Case(act, forward + backward, int(code), forward_after + backward_after, viewer, viewer + 1))
    return made


CASES = cases()

# Accounts for what the table does not say.
VIEWER, STRANGER, SUSPENDED, UNKNOWN = 1, 2, 3, 9999
# Each is deleted after the viewer has had this to do with it.
DELETED = {"-": 11, "w": 12, "f": 13, "b": 14}
# For the servers with other settings: the first follows one, whispers one and blocks one.
FULL, FOLLOWED, WHISPERED, BLOCKED, BLOCKER, OTHER, ANOTHER = 21, 22, 23, 24, 25, 26, 27
# For those who write by every kind of credential, each on an account of its own.
WRITER, FIRST_OF_MANY = 40, 41
MANY = range(FIRST_OF_MANY, FIRST_OF_MANY + 30)


def accounts() -> list[Profile]:
    """All accounts; those of DELETED are still to be deleted."""
    pairs = [mid for case in CASES for mid in (case.viewer, case.target)]
    plain = [VIEWER, STRANGER, *DELETED.values(), *range(FULL, ANOTHER + 1), WRITER, *MANY]
    suspended = Profile(Account(SUSPENDED, name="suspended"), Standing(SUSPENDED, AccountState.SUSPENDED))
    return [suspended, *(Profile(Account(mid, name=f"name {mid}"), Standing(mid)) for mid in (*pairs, *plain))]


def relations() -> list[Relation]:
    """Every case as it is before. The two sides of a pair are of different instants."""
    sides = []
    for case in CASES:
        sides.append((case.viewer, case.target, case.before[0], START + 1))
        sides.append((case.target, case.viewer, case.before[1], START + 2))
    sides += [(VIEWER, mid, letter, START) for letter, mid in DELETED.items()]
    sides += [(FULL, FOLLOWED, "f", START), (FULL, WHISPERED, "w", START), (FULL, BLOCKED, "b", START)]
    sides.append((BLOCKER, FULL, "b", START))
    return [Relation(owner, other, STORED[letter], mtime) for owner, other, letter, mtime in sides if STORED[letter]]


def token_of(mid: int) -> str:
    return f"token-of-{mid}"


def bearer(mid: int) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of(mid)}"}


def cookie(mid: int) -> dict[str, str]:
    """What a browser sends: `bili_jct` comes along, but proves nothing."""
    return {"cookie": f"SESSDATA={token_of(mid)}; bili_jct={csrf_of(token_of(mid))}; DedeUserID={mid}"}


async def make_store(url: str) -> None:
    """A store with all of it and a token for everyone."""
    store = await open_store(url)
    try:
        await store.load(accounts(), relations())
        for profile in accounts():
            mid = profile.account.mid
            await store.put_token(Token(token_digest(token_of(mid)), mid, START))
        for mid in DELETED.values():
            assert await store.delete_account(mid, START + 10)
    finally:
        await store.close()


@pytest.fixture(scope="module")
def table_url(stores: Stores, engine: str) -> str:
    url = stores.new(engine)
    asyncio.run(make_store(url))
    return url


@pytest.fixture(scope="module")
def table_server(table_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with quiet_server(tmp_path_factory.mktemp("seed"), "--store", table_url) as served:
        yield served


@pytest.fixture(scope="module")
def table(table_server: Served) -> Iterator[httpx.Client]:
    with client_of(table_server) as client:
        yield client


@pytest.fixture
def small(table_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """The same store behind a server with limits that its accounts have reached."""
    limits = {
        "--max-followings": 2,
        "--max-blacks": 1,
        "--max-groups": 1,
        "--max-relations-fids": 2,
        "--max-batch-fids": 3,
        "--max-group-fids": 2,
    }
    flags = [text for flag, limit in limits.items() for text in (flag, str(limit))]
    with quiet_server(tmp_path, "--store", table_url, *flags) as served, client_of(served) as client:
        yield client


def post(client: httpx.Client, path: str, headers: dict[str, str], **form: str | int) -> Any:
    """The envelope of a write."""
    response = client.post(path, data=form, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    return response.json()


def modify(client: httpx.Client, viewer: int, fid: int | str, act: int | str) -> Any:
    return post(client, MODIFY, bearer(viewer), fid=fid, act=act)


def code_of(client: httpx.Client, viewer: int, fid: int, act: int) -> int:
    """The code of a modify, whose envelope is whole."""
    envelope = modify(client, viewer, fid, act)
    code = int(envelope["code"])
    assert envelope == (refusal(code) if code else OK)
    return code


def data_of(client: httpx.Client, viewer: int, path: str, **query: str | int) -> Any:
    """The data of a read that succeeds."""
    response = client.get(path, params=query, headers=bearer(viewer))
    envelope = response.json()
    assert {name: envelope[name] for name in OK} == OK
    return envelope["data"]


def side(client: httpx.Client, owner: int, other: int) -> tuple[int, int]:
    """Attribute and mtime of one side, as its owner sees them."""
    data = data_of(client, owner, "/x/relation", fid=other)
    assert (data["mid"], data["tag"], data["special"]) == (other, None, 0)
    return data["attribute"], data["mtime"]


def attribute(client: httpx.Client, owner: int, other: int) -> int:
    return side(client, owner, other)[0]


def counters(client: httpx.Client, mid: int) -> dict[str, int]:
    data: dict[str, int] = data_of(client, mid, "/x/relation/stat", vmid=mid)
    return data


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
    # Said again, it is refused as already so or changes nothing.
    again = modify(table, viewer, target, case.act)["code"]
    assert again == (case.code or {1: 22014, 3: 22014, 5: 22120}.get(case.act, 0))
    assert attributes() == expected_attributes(case.after)
    assert both_counters() == expected(case.after)


def test_a_pair_made_mutual_has_one_instant(table: httpx.Client) -> None:
    for act, before in BECOMES_MUTUAL:
        case = next(case for case in CASES if (case.act, case.before) == (act, before))
        code_of(table, case.viewer, case.target, 1)  # 22014 if the row was tested before
        assert side(table, case.viewer, case.target) == side(table, case.target, case.viewer)


# Refusals


@pytest.mark.parametrize("act", range(1, 8))
def test_self_and_unknown(table: httpx.Client, act: int) -> None:
    before = counters(table, VIEWER)
    assert code_of(table, VIEWER, VIEWER, act) == 22001
    assert code_of(table, VIEWER, UNKNOWN, act) == 40061
    assert counters(table, VIEWER) == before


def test_nothing_new_with_a_deleted_account(table: httpx.Client) -> None:
    before = counters(table, VIEWER)
    assert before == {"mid": VIEWER, "following": 1, "whisper": 1, "black": 1, "follower": 0}
    for letter, mid in DELETED.items():
        assert [code_of(table, VIEWER, mid, act) for act in (1, 3, 5)] == [22013] * 3
        assert side(table, VIEWER, mid) == ((STORED[letter], START) if STORED[letter] else (0, 0))
    assert counters(table, VIEWER) == before
    # What was there can be ended, by its own act alone.
    for letter, ends in (("f", 2), ("w", 4), ("b", 6), ("-", 7)):
        others = [act for act in (2, 4, 6, 7) if act != ends]
        assert [code_of(table, VIEWER, DELETED[letter], act) for act in others] == [0] * 3
        assert attribute(table, VIEWER, DELETED[letter]) == STORED[letter]
        assert code_of(table, VIEWER, DELETED[letter], ends) == 0
        assert attribute(table, VIEWER, DELETED[letter]) == 0
    assert counters(table, VIEWER) == {"mid": VIEWER, "following": 0, "whisper": 0, "black": 0, "follower": 0}
    assert modify(table, DELETED["-"], VIEWER, 1) == refusal(-101)


# Every write with parameters that pass, so that what is refused is not for them.
WRITES: dict[str, dict[str, str | int]] = {
    MODIFY: {"fid": STRANGER, "act": 2},
    BATCH: {"fids": STRANGER, "act": 1},
    "/x/relation/tag/create": {"tag": "a name"},
    "/x/relation/tag/update": {"tagid": 1, "name": "a name"},
    "/x/relation/tag/del": {"tagid": 1},
    "/x/relation/tags/addUsers": {"fids": STRANGER, "tagids": 0},
    "/x/relation/tags/copyUsers": {"fids": STRANGER, "tagids": 0},
    "/x/relation/tags/moveUsers": {"fids": STRANGER, "beforeTagids": 0, "afterTagids": 0},
}


@pytest.mark.parametrize("path", WRITES)
def test_who_may_not_write(table: httpx.Client, path: str) -> None:
    good, bad = WRITES[path], dict.fromkeys(WRITES[path], "x") | {"tag": "", "name": ""}
    wrong = csrf_of(token_of(STRANGER))
    for form in (good, bad):
        assert post(table, path, {}, **form) == refusal(-101)
        assert post(table, path, {"authorization": "Bearer nobody's"}, **form) == refusal(-101)
        # The first credentials found count, even if they are worth nothing.
        assert post(table, path, cookie(VIEWER) | {"authorization": "Bearer nobody's"}, **form) == refusal(-101)
        assert post(table, path, {"cookie": "SESSDATA=nobody"}, **form, csrf=csrf_of("nobody")) == refusal(-101)
        for mid in (VIEWER, SUSPENDED):
            assert post(table, path, cookie(mid), **form) == refusal(-111)
            assert post(table, path, cookie(mid), **form, csrf="") == refusal(-111)
            assert post(table, path, cookie(mid), **form, csrf=wrong) == refusal(-111)
            assert post(table, path, cookie(mid), **form, csrf_token=wrong) == refusal(-111)
            assert post(table, path, cookie(mid), **form, csrf=csrf_of(token_of(mid)).upper() + "0") == refusal(-111)
    assert post(table, path, bearer(SUSPENDED), **bad) == refusal(-400)
    assert post(table, path, bearer(SUSPENDED), **good) == refusal(-102)
    assert post(table, path, cookie(SUSPENDED), **good, csrf=csrf_of(token_of(SUSPENDED))) == refusal(-102)
    assert post(table, path, bearer(VIEWER), **bad) == refusal(-400)
    assert post(table, path, bearer(VIEWER)) == refusal(-400)


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_writes_are_posted(table: httpx.Client, path: str, method: str) -> None:
    response = table.request(method, path, params=WRITES[path], headers=bearer(VIEWER))
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert response.json() == {"code": -405, "message": MESSAGES[-405], "ttl": 1}


def test_a_suspended_account_cannot_write_but_read_and_be_followed(table: httpx.Client) -> None:
    # Refused before the rules of the endpoint, after the parameters.
    assert modify(table, SUSPENDED, SUSPENDED, 1) == refusal(-102)
    assert modify(table, SUSPENDED, UNKNOWN, 1) == refusal(-102)
    assert modify(table, SUSPENDED, STRANGER, 8) == refusal(-400)
    assert post(table, BATCH, bearer(SUSPENDED), fids=SUSPENDED, act=1) == refusal(-102)
    assert attribute(table, SUSPENDED, STRANGER) == 0
    assert [code_of(table, STRANGER, SUSPENDED, act) for act in (1, 2)] == [0, 0]


@pytest.mark.parametrize(
    "form",
    [
        *({"fid": STRANGER, "act": bad} for bad in ("0", "8", "-1", "+1", "1.0", "1e0", " 1", "", "x", "٣", "9" * 30)),
        *({"fid": bad, "act": 1} for bad in ("", "0", "-2", "+2", "2.0", "2 ", "x", "9223372036854775808", "9" * 30)),
        *({"fid": STRANGER, "act": 1, "re_src": bad} for bad in ("-1", "65536", "1.5", "x", "9" * 30)),
        {"act": 1},
        {"fid": STRANGER},
        {"fid": VIEWER, "act": 8},
        {"fid": UNKNOWN, "act": 8},
    ],
    ids=str,
)
def test_bad_parameters(table: httpx.Client, form: dict[str, str | int]) -> None:
    assert post(table, MODIFY, bearer(VIEWER), **form) == refusal(-400)
    assert attribute(table, VIEWER, STRANGER) == 0


# What is accepted, and how it may be sent


@pytest.mark.parametrize("name", ["csrf", "csrf_token"])
def test_a_cookie_writes_with_its_csrf(table: httpx.Client, name: str) -> None:
    fid = MANY[0] if name == "csrf" else MANY[1]
    right = {name: csrf_of(token_of(WRITER))}
    assert post(table, MODIFY, cookie(WRITER), fid=fid, act=1, **right) == OK
    # A parameter may be in the query of a write as well, the csrf too.
    response = table.post(MODIFY, params={"fid": fid, "act": 3, **right}, headers=cookie(WRITER))
    assert response.json() == OK
    assert attribute(table, WRITER, fid) == 1


def test_other_credentials_write_without_csrf(table: httpx.Client) -> None:
    token = token_of(WRITER)
    assert post(table, MODIFY, bearer(WRITER), fid=MANY[2], act=1) == OK
    assert post(table, MODIFY, {}, fid=MANY[3], act=1, access_key=token) == OK
    response = table.post(f"{MODIFY}?access_key={token}", data={"fid": MANY[4], "act": 1})
    assert response.json() == OK
    # What comes along with them is not looked at.
    assert post(table, MODIFY, bearer(WRITER), fid=MANY[5], act=1, csrf="wrong") == OK
    assert post(table, MODIFY, bearer(WRITER) | cookie(STRANGER), fid=MANY[6], act=1) == OK
    assert post(table, MODIFY, cookie(STRANGER), fid=MANY[7], act=1, access_key=token) == OK
    assert [attribute(table, WRITER, mid) for mid in MANY[2:8]] == [2] * 6
    assert [attribute(table, STRANGER, mid) for mid in MANY[2:8]] == [0] * 6


def test_where_the_parameters_of_a_write_may_be(table: httpx.Client) -> None:
    multipart = {"fid": (None, str(MANY[8])), "act": (None, "1"), "re_src": (None, "11")}
    assert table.post(MODIFY, files=multipart, headers=bearer(WRITER)).json() == OK
    assert table.post(MODIFY, params={"fid": MANY[9], "act": "1"}, headers=bearer(WRITER)).json() == OK
    split = table.post(MODIFY, params={"fid": MANY[10], "act": "5"}, data={"act": "1"}, headers=bearer(WRITER))
    assert split.json() == OK
    form = {"content-type": "application/x-www-form-urlencoded"}
    twice = table.post(MODIFY, content=f"fid={MANY[11]}&act=1&fid=x&act=5", headers=bearer(WRITER) | form)
    assert twice.json() == OK
    charset = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    spoken = table.post(MODIFY, content=f"fid={MANY[12]}&act=1", headers=bearer(WRITER) | charset)
    assert spoken.json() == OK
    assert [attribute(table, WRITER, mid) for mid in MANY[8:13]] == [2] * 5


def test_a_write_knows_no_jsonp_and_a_read_by_jsonp_no_viewer(table: httpx.Client) -> None:
    assert post(table, MODIFY, bearer(WRITER), fid=MANY[13], act=1, callback="f") == OK
    response = table.post(f"{MODIFY}?callback=f", data={"fid": MANY[14], "act": 1}, headers=bearer(WRITER))
    assert response.json() == OK
    for path in ("/x/relation/whispers", "/x/relation/blacks", "/x/relation/tags", f"/x/relation?fid={STRANGER}"):
        sign = "&" if "?" in path else "?"
        read = table.get(f"{path}{sign}callback=f", headers=cookie(VIEWER))
        assert read.text.startswith('f({"code":-101,')


def test_the_source_of_an_action_may_be_left_out_or_empty(table: httpx.Client) -> None:
    for mid, form in ((MANY[15], {}), (MANY[16], {"re_src": ""}), (MANY[17], {"re_src": "65535"})):
        assert post(table, MODIFY, bearer(WRITER), fid=mid, act=1, **form) == OK


# Batches


def test_a_batch_tries_each_member_and_names_those_refused_in_order(table: httpx.Client) -> None:
    fids = [UNKNOWN, MANY[20], DELETED["w"], MANY[21], 7777]
    for _ in range(2):  # "already so" counts as success
        envelope = post(table, BATCH, bearer(WRITER), fids=",".join(map(str, fids)), act=1, re_src=11)
        assert envelope == OK | {"data": {"failed_fids": [UNKNOWN, DELETED["w"], 7777]}}
    assert list(envelope) == ["code", "message", "ttl", "data"]
    assert [attribute(table, WRITER, mid) for mid in fids] == [0, 2, 0, 2, 0]
    for _ in range(2):
        envelope = post(table, BATCH, bearer(WRITER), fids=f"{MANY[21]},{MANY[22]}", act=5)
        assert envelope == OK | {"data": {"failed_fids": []}}
    assert [attribute(table, WRITER, mid) for mid in MANY[20:23]] == [2, 128, 128]
    envelope = post(table, BATCH, bearer(WRITER), fids=f"{MANY[21]},{MANY[23]},{MANY[21]}", act=1)
    assert envelope == OK | {"data": {"failed_fids": [MANY[21]]}}


def test_a_batch_with_self_or_another_act_changes_nothing(table: httpx.Client) -> None:
    before = counters(table, WRITER)
    assert post(table, BATCH, bearer(WRITER), fids=f"{MANY[24]},{WRITER}", act=1) == refusal(22001)
    for act in (0, 2, 3, 4, 6, 7, 8, -1):
        assert post(table, BATCH, bearer(WRITER), fids=MANY[24], act=act) == refusal(-400)
        assert post(table, BATCH, bearer(WRITER), fids=WRITER, act=act) == refusal(-400)
    for fids in ("", ",", f"{MANY[24]},", f"{MANY[24]},x", f"{MANY[24]},0", f"{MANY[24]}, {MANY[25]}"):
        assert post(table, BATCH, bearer(WRITER), fids=fids, act=1) == refusal(-400)
    assert counters(table, WRITER) == before


# Settings


def test_limits(small: httpx.Client) -> None:
    full = {"mid": FULL, "following": 1, "whisper": 1, "black": 1, "follower": 0}
    assert counters(small, FULL) == full
    # Beyond the limit nothing is added, and a whisper counts as much as a follow.
    assert [code_of(small, FULL, OTHER, act) for act in (1, 3)] == [22009, 22009]
    # The limit comes after all else that refuses.
    assert [code_of(small, FULL, FOLLOWED, 1), code_of(small, FULL, WHISPERED, 3)] == [22014, 22014]
    assert [code_of(small, FULL, BLOCKED, 1), code_of(small, FULL, BLOCKER, 1)] == [22003, 22002]
    assert [code_of(small, FULL, DELETED["-"], act) for act in (1, 3, 5)] == [22013] * 3
    # One kind turns into the other whatever the limit.
    assert [code_of(small, FULL, FOLLOWED, 3), code_of(small, FULL, WHISPERED, 1)] == [0, 0]
    assert counters(small, FULL) == full
    assert [code_of(small, FULL, FOLLOWED, 1), code_of(small, FULL, WHISPERED, 3)] == [0, 0]
    # A block beyond the limit leaves what is there.
    assert [code_of(small, FULL, FOLLOWED, 5), code_of(small, FULL, BLOCKED, 5)] == [22008, 22120]
    assert attribute(small, FULL, FOLLOWED) == 2
    assert counters(small, FULL) == full
    # Room for one more, and no further.
    assert [code_of(small, FULL, FOLLOWED, 2), code_of(small, FULL, OTHER, 3)] == [0, 0]
    assert code_of(small, FULL, ANOTHER, 1) == 22009
    assert [code_of(small, FULL, BLOCKED, 6), code_of(small, FULL, OTHER, 5)] == [0, 0]
    assert [code_of(small, FULL, BLOCKED, 5), code_of(small, FULL, ANOTHER, 1)] == [22008, 0]
    assert counters(small, FULL) == full


def test_limits_of_a_batch_are_met_in_the_middle_of_it(small: httpx.Client) -> None:
    envelope = post(small, BATCH, bearer(STRANGER), fids=f"{MANY[0]},{MANY[1]},{MANY[2]}", act=1)
    assert envelope == OK | {"data": {"failed_fids": [MANY[2]]}}
    envelope = post(small, BATCH, bearer(STRANGER), fids=f"{MANY[0]},{MANY[1]}", act=5)
    assert envelope == OK | {"data": {"failed_fids": [MANY[1]]}}
    assert [attribute(small, STRANGER, mid) for mid in MANY[:3]] == [128, 2, 0]


def test_limits_of_lists_and_groups(small: httpx.Client) -> None:
    assert post(small, BATCH, bearer(VIEWER), fids="41,42,43,44", act=5) == refusal(-400)
    assert data_of(small, VIEWER, "/x/relation/relations", fids=f"{UNKNOWN},{STRANGER}") == {}
    for fids in ("41,42,43", "41,,", ""):
        response = small.get("/x/relation/relations", params={"fids": fids}, headers=bearer(VIEWER))
        assert response.json() == refusal(-400)
    for name in ("addUsers", "copyUsers", "moveUsers"):
        groups = {"tagids": 0, "beforeTagids": 0, "afterTagids": 0}
        path = f"/x/relation/tags/{name}"
        assert post(small, path, bearer(VIEWER), fids="41,42,43", **groups) == refusal(-400)
        assert post(small, path, bearer(VIEWER), fids="41,42", **groups) == refusal(22105)
    create = "/x/relation/tag/create"
    tagid = post(small, create, bearer(ANOTHER), tag="one")["data"]["tagid"]
    assert tagid >= 1
    assert post(small, create, bearer(ANOTHER), tag="two") == refusal(22102)
    assert post(small, create, bearer(ANOTHER), tag="one") == refusal(22106)
    assert post(small, "/x/relation/tag/del", bearer(ANOTHER), tagid=tagid) == OK
    assert post(small, create, bearer(ANOTHER), tag="two")["data"]["tagid"] > tagid


def test_profile_recent_knows_no_new_whisper(table_url: str, tmp_path: Path) -> None:
    arguments = ("--store", table_url, "--profile", "recent")
    with quiet_server(tmp_path, *arguments) as served, client_of(served) as client:
        assert modify(client, FULL, STRANGER, 3) == refusal(-400)
        assert modify(client, FULL, FULL, 3) == refusal(-400)
        assert modify(client, SUSPENDED, STRANGER, 3) == refusal(-400)
        # What is whispered is shown all the same, and can be ended.
        assert [item["mid"] for item in data_of(client, FULL, "/x/relation/whispers")["list"]] == [WHISPERED]
        assert code_of(client, FULL, WHISPERED, 4) == 0
        assert attribute(client, FULL, WHISPERED) == 0
    with quiet_server(tmp_path, *arguments, "--whisper-enabled") as served, client_of(served) as client:
        assert code_of(client, FULL, WHISPERED, 3) == 0
