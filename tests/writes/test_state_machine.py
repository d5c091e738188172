"""Random writes and reads, each answered by the server and by the model (contract 5, 6.4 to 6.6, 7, 8, 9).

The server is the real app over a store in memory or in PostgreSQL, asked through its ASGI door; the model is
contract_groups.py, written from the contract alone. UPSPACE_TEST_LONG=1 runs tens of thousands of steps in place of two
thousand.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from asgi_calls import call
from contract_forms import Query
from contract_groups import ALL, DEFAULT
from contract_model import FOLLOW, NONE, SPECIAL, WHISPER
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from replies import outcome
from stores import Stores
from writes_world import (
    ANN,
    BEA,
    HIDER,
    LAST,
    LIMITS,
    PEOPLE,
    REPORTED,
    SEARCHES,
    SUSPENDED,
    UNKNOWN,
    model_at_start,
    reads_about,
    reads_of_own,
    store_at_start,
    token_of,
)

from upspace.server.app import App, build_app
from upspace.server.asgi import AsgiDoor
from upspace.server.settings import build_settings

LONG = os.environ.get("UPSPACE_TEST_LONG") == "1"

SHORT_RUN = settings(
    max_examples=30,
    stateful_step_count=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# A step in PostgreSQL takes three times as long, so there are fewer.
RUNS = {"sqlite memory": SHORT_RUN, "postgresql": settings(SHORT_RUN, max_examples=12)}
LONG_RUN = settings(SHORT_RUN, max_examples=400, stateful_step_count=100, derandomize=False, print_blob=True)

MODIFY = "/x/relation/modify"
BATCH = "/x/relation/batch/modify"
CREATE = "/x/relation/tag/create"

Request = tuple[int | None, str, str, Query]  # viewer, method, path, parameters

# Whoever can do most is drawn most often. The model does not know of expired tokens: see test_order_of_checks.py.
VIEWERS = st.sampled_from((*(ANN, BEA, REPORTED, HIDER) * 2, None, LAST, SUSPENDED, *(ANN, BEA, REPORTED, HIDER) * 2))
TARGETS = st.sampled_from((*PEOPLE, *PEOPLE, UNKNOWN))
LISTS_OF_TARGETS = st.lists(st.sampled_from((*PEOPLE * 3, UNKNOWN)), min_size=1, max_size=5, unique=True)
# Often no time passes, so that many rows are told apart by their mid alone.
WAITS = st.sampled_from((0, 0, 0, 1, 7))
ACTS = st.sampled_from((1, 1, 1, 1, 3, 3, 2, 4, 5, 6, 7))
ACTS_ON_TARGETS = st.lists(st.tuples(TARGETS, ACTS), min_size=1, max_size=4) | st.builds(
    lambda fids, act: [(fid, act) for fid in fids], LISTS_OF_TARGETS, st.sampled_from((1, 3, 5))
)
GROUP_PICKS = st.sampled_from((*("own 0", "own 1", "own 2", "special") * 4, *("default",) * 3, "all", "others", "none"))
LISTS_OF_GROUPS = st.lists(GROUP_PICKS, min_size=1, max_size=3)
GROUPINGS = st.tuples(st.sampled_from(("addUsers", "copyUsers", "moveUsers")), LISTS_OF_GROUPS, LISTS_OF_GROUPS)
NAMES = st.sampled_from(
    (
        *(("red", "  red ", "blue", "green", "blue green") * 3),
        "x" * 16,
        "𝒳" * 16,
        "x" * 17,
        "<" + "x" * 20,
        "a,b",
        "a&b",
        'a"b',
        "a\\b",
        "a\x7fb",
        "特别关注",
        "默认分组",
        "",
        "   ",
    )
)
GROUP_CHANGES = st.tuples(
    st.sampled_from(("create", "create", "create", "update", "update", "del")), GROUP_PICKS, NAMES
)
RE_SRC = st.sampled_from(("", "0", "11", "65535"))
BAD_NUMBERS = ("", "0", "-1", "+1", "1.0", " 1", "1e2", "x", "٣", "9223372036854775808", "9" * 40)

BAD_WRITES: tuple[tuple[str, Query], ...] = (
    *((MODIFY, {"fid": bad, "act": "1"}) for bad in BAD_NUMBERS),
    (MODIFY, {"act": "1"}),
    *((MODIFY, {"fid": str(BEA), "act": bad}) for bad in (*BAD_NUMBERS, "8")),
    (MODIFY, {"fid": str(BEA)}),
    *((MODIFY, {"fid": str(BEA), "act": "1", "re_src": bad}) for bad in ("-1", "65536", "x", "9" * 40)),
    *((MODIFY, {"fid": str(mid), "act": "8"}) for mid in (ANN, SUSPENDED, UNKNOWN)),
    *((BATCH, {"fids": str(BEA), "act": str(act)}) for act in (0, 2, 3, 4, 6, 7, 8)),
    *((BATCH, {"fids": bad, "act": "1"}) for bad in ("", ",", "101,", ",101", "101,,102", "101, 102", "0", "x")),
    (BATCH, {"act": "1"}),
    (BATCH, {"fids": str(BEA)}),
    (BATCH, {"fids": str(BEA), "act": "5", "re_src": "65536"}),
    (CREATE, {}),
    ("/x/relation/tag/update", {"name": "red"}),
    ("/x/relation/tag/update", {"tagid": "x", "name": "red"}),
    ("/x/relation/tag/update", {"tagid": "1"}),
    ("/x/relation/tag/update", {"tagid": "1", "name": ""}),
    *(("/x/relation/tag/del", {"tagid": bad}) for bad in ("", "x", "1.5", "+1", "9" * 40)),
    ("/x/relation/tag/del", {}),
    *(
        (f"/x/relation/tags/{name}", {"fids": fids, "tagids": tagids})
        for name in ("addUsers", "copyUsers")
        for fids, tagids in (("", "0"), ("x", "0"), ("101,0", "0"), ("101", ""), ("101", "0,x"), ("101", "0,"))
    ),
    ("/x/relation/tags/moveUsers", {"fids": "", "beforeTagids": "0", "afterTagids": "0"}),
    ("/x/relation/tags/moveUsers", {"fids": "101", "beforeTagids": "x", "afterTagids": "0"}),
    ("/x/relation/tags/moveUsers", {"fids": "101", "beforeTagids": "0", "afterTagids": "0,x"}),
)

READ_SHAPES = st.fixed_dictionaries(
    {},
    optional={
        "pn": st.sampled_from(("", "0", "1", "2", "3", "6", "x", "1000000001")),
        "ps": st.sampled_from(("", "0", "1", "2", "3", "99", "x")),
        "order": st.sampled_from(("asc", "desc", "", "x")),
        "order_type": st.sampled_from(("attention", "attention", "", "x")),
        "name": st.sampled_from(SEARCHES),
    },
)
# "row N" stands for that row of the list of fans.
OFFSETS = st.sampled_from(("", "", "row 0", "row 1", "row 2", "0:1", "9999999999:1", "x", "1:", ":1", "1:0", "1:x"))

SEEN: Counter[tuple[str, int]] = Counter()


class Writes(RuleBasedStateMachine):
    """One server, one model, one clock."""

    def __init__(self, url: str, drop: Callable[[str], None]) -> None:
        super().__init__()
        self.url = url
        self.drop = drop
        self.model = model_at_start()
        self.agreed = True
        self.writes = 0
        self.deleted = 0
        self.runner = asyncio.Runner()
        self.store = self.runner.run(store_at_start(url))
        limits = build_settings({"store": url, **LIMITS._asdict()})
        # A clock has fractions, and instants on the wire have none.
        app = build_app(self.store, limits, clock=lambda: self.model.now + 0.9)

        async def opened() -> App:
            return app

        self.door = AsgiDoor(opened)

    def teardown(self) -> None:
        """Every read by everyone about everyone, and then what is stored and no read shows."""
        try:
            if self.agreed:
                self.compare_everything()
                self.compare_stored()
        finally:
            self.runner.run(self.store.close())
            self.runner.close()
            self.drop(self.url)

    # How server and model are compared

    async def reply(self, request: Request) -> Any:
        viewer, method, path, query = request
        token = None if viewer is None else token_of(viewer)
        return outcome(path, await call(self.door, method, path, query, token))

    async def replies(self, requests: Sequence[Request]) -> list[Any]:
        return [await self.reply(request) for request in requests]

    def compare(self, *requests: Request) -> Any:
        """Ask both; what the last reply was."""
        answered, self.agreed = self.agreed, False
        replies = self.runner.run(self.replies(requests))
        for request, reply in zip(requests, replies, strict=True):
            viewer, method, path, query = request
            if path == CREATE and reply[0] == 0:
                self.model.next_id = reply[1]["tagid"]
            expected = self.model.answer(viewer, method, path, query)
            assert reply == expected, f"{method} {path} {query} by {viewer} at {self.model.now}"
            SEEN[path, reply[0]] += 1
        self.agreed = answered
        return replies[-1]

    def write(self, wait: int, viewer: int | None, path: str, query: Query) -> Any:
        self.model.now += wait
        self.writes += 1
        return self.compare((viewer, "POST", path, query))

    def compare_pairs(self, viewer: int | None, others: Sequence[int]) -> None:
        """What both sides see of a pair that was written to, and count."""
        requests: list[Request] = [(viewer, "GET", "/x/relation/stat", {"vmid": str(viewer or UNKNOWN)})]
        for other in others:
            requests.append((viewer, "GET", "/x/space/acc/relation", {"mid": str(other)}))
            if other != UNKNOWN:
                requests.append((other, "GET", "/x/relation", {"fid": str(viewer or UNKNOWN)}))
                requests.append((other, "GET", "/x/relation/stat", {"vmid": str(other)}))
        self.compare(*requests)

    def compare_everything(self) -> None:
        everyone = [*PEOPLE, UNKNOWN]
        shape = {"ps": "50", "order_type": "attention", "name": "a"}
        requests: list[Request] = []
        for viewer in (*PEOPLE, None):
            for target in everyone:
                requests += [(viewer, "GET", path, query) for path, query in reads_about(target, shape)]
            requests += [(viewer, "GET", path, query) for path, query in reads_of_own(list(self.model.groups), shape)]
        for target in PEOPLE:
            search = "/x/relation/followings/search"
            requests += [(target, "GET", search, {"vmid": str(target), "name": name}) for name in SEARCHES]
        self.compare(*requests)

    def compare_stored(self) -> None:
        """Groups of whispered accounts and `re_src` as well."""
        for owner in PEOPLE:
            stored = self.runner.run(self.store.relations(owner, PEOPLE))
            assert {mid: (row.attribute, row.mtime, row.groups, row.re_src) for mid, row in stored.items()} == {
                other: (self.model.attribute(owner, other), side.mtime, tuple(sorted(side.groups)), side.re_src)
                for (of, other), side in self.model.sides.items()
                if of == owner
            }

    # What the parameters of writes of groups stand for

    def tagid(self, viewer: int | None, pick: str) -> int:
        """The group that a pick stands for; -10 where the viewer has none of its own."""
        own = list(self.model.own_groups(viewer or UNKNOWN))
        if pick.startswith("own"):
            return own[int(pick[-1]) % len(own)] if own else SPECIAL
        others = next((tagid for tagid in self.model.groups if tagid not in own), 4242)
        return {"special": SPECIAL, "default": DEFAULT, "all": ALL, "others": others, "none": 4242}[pick]

    def tagids(self, viewer: int | None, picks: list[str]) -> str:
        return ",".join(str(self.tagid(viewer, pick)) for pick in picks)

    def fids(self, viewer: int | None, targets: list[int], kind: int) -> list[int]:
        """The targets, or only those of this kind if there are any, then all of this kind."""
        mine = [mid for mid in (*targets, *PEOPLE) if viewer and self.model.kind(viewer, mid) == kind]
        some = list(dict.fromkeys(mine))[: LIMITS.max_group_fids]
        return some if kind and some else targets

    # Rules

    @initialize(settled=st.booleans())
    def settle(self, settled: bool) -> None:
        """Half of the time there are follows and groups from the beginning, so that less is refused."""
        for viewer, followed in ((ANN, (BEA, LAST)), (BEA, (ANN, HIDER)), (HIDER, (ANN, SUSPENDED))) if settled else ():
            for fid in followed:
                self.write(1, viewer, MODIFY, {"fid": str(fid), "act": "1"})
            for name in ("red", "blue"):
                self.write(1, viewer, CREATE, {"tag": name})
            query = {"fids": str(followed[0]), "tagids": self.tagids(viewer, ["special", "own 0", "own 1"])}
            self.write(1, viewer, "/x/relation/tags/addUsers", query)

    @rule(wait=WAITS, viewer=VIEWERS, acts=ACTS_ON_TARGETS, re_src=RE_SRC)
    def modify(self, wait: int, viewer: int | None, acts: list[tuple[int, int]], re_src: str) -> None:
        for fid, act in acts:
            self.write(wait, viewer, MODIFY, {"fid": str(fid), "act": str(act), "re_src": re_src})
        self.compare_pairs(viewer, list({fid for fid, _ in acts}))

    @rule(wait=WAITS, viewer=VIEWERS, fid=TARGETS, act=ACTS)
    def modify_and_answer(self, wait: int, viewer: int | None, fid: int, act: int) -> None:
        """Both sides of one pair, so that pairs are mutual more often than by chance."""
        query = {"fid": str(fid), "act": str(act)}
        self.write(wait, viewer, MODIFY, query)
        if viewer is not None and fid != UNKNOWN:
            self.write(wait, fid, MODIFY, query | {"fid": str(viewer)})
        self.compare_pairs(viewer, [fid])

    @rule(wait=WAITS, viewer=VIEWERS, back=st.booleans(), pick=GROUP_PICKS)
    def turn(self, wait: int, viewer: int | None, back: bool, pick: str) -> None:
        """Whom the viewer follows it whispers, and the reverse; in between a group may be removed."""
        kinds = {mid: self.model.kind(viewer or UNKNOWN, mid) for mid in PEOPLE}
        turned = {mid: 3 if kind == FOLLOW else 1 for mid, kind in kinds.items() if kind in (WHISPER, FOLLOW)}
        for mid, act in turned.items():
            self.write(wait, viewer, MODIFY, {"fid": str(mid), "act": str(act)})
        if back:
            self.write(wait, viewer, "/x/relation/tag/del", {"tagid": str(self.tagid(viewer, pick))})
            for mid, act in turned.items():
                self.write(wait, viewer, MODIFY, {"fid": str(mid), "act": str(4 - act)})
        self.compare_pairs(viewer, list(turned))

    @rule(wait=WAITS, viewer=VIEWERS, fids=LISTS_OF_TARGETS, act=st.sampled_from((1, 1, 5)), re_src=RE_SRC)
    def modify_batch(self, wait: int, viewer: int | None, fids: list[int], act: int, re_src: str) -> None:
        query = {"fids": ",".join(map(str, fids)), "act": str(act), "re_src": re_src}
        self.write(wait, viewer, BATCH, query)
        self.compare_pairs(viewer, fids)

    @rule(viewer=VIEWERS, bad=st.sampled_from(BAD_WRITES))
    def write_badly(self, viewer: int | None, bad: tuple[str, Query]) -> None:
        code, _ = self.write(0, viewer, *bad)
        assert code != 0

    @rule(wait=WAITS, viewer=VIEWERS, changes=st.lists(GROUP_CHANGES, min_size=1, max_size=4))
    def change_groups(self, wait: int, viewer: int | None, changes: list[tuple[str, str, str]]) -> None:
        """Groups are made, named anew and removed."""
        for what, pick, name in changes:
            tagid = {"tagid": str(self.tagid(viewer, pick))}
            query = {"create": {"tag": name}, "update": tagid | {"name": name}, "del": tagid}[what]
            self.write(wait, viewer, f"/x/relation/tag/{what}", query)
        self.compare((viewer, "GET", "/x/relation/tags", {}))

    @rule(
        wait=WAITS,
        viewer=VIEWERS,
        others=LISTS_OF_TARGETS,
        kind=st.sampled_from((FOLLOW, FOLLOW, FOLLOW, WHISPER, NONE)),
        writes=st.lists(GROUPINGS, min_size=1, max_size=4),
    )
    def group(
        self,
        wait: int,
        viewer: int | None,
        others: list[int],
        kind: int,
        writes: list[tuple[str, list[str], list[str]]],
    ) -> None:
        """Some writes of groups of the same accounts. Only moving has two lists of groups."""
        fids = self.fids(viewer, others, kind)
        for name, first, second in writes:
            picked = [self.tagids(viewer, picks) for picks in (first, second)]
            query = dict(zip(("beforeTagids", "afterTagids"), picked, strict=True))
            query = query if name == "moveUsers" else {"tagids": picked[0]}
            self.write(wait, viewer, f"/x/relation/tags/{name}", query | {"fids": ",".join(map(str, fids))})
        self.compare_pairs(viewer, fids)
        self.compare((viewer, "GET", "/x/relation/tags", {}))

    @precondition(lambda self: self.writes > 15 * (self.deleted + 1) and self.deleted < 2)
    @rule(wait=WAITS, mid=st.sampled_from(PEOPLE))
    def delete_account(self, wait: int, mid: int) -> None:
        self.model.now += wait
        self.deleted += 1
        assert self.runner.run(self.store.delete_account(mid, self.model.now)) == self.model.delete(mid)
        self.compare_pairs(mid, PEOPLE)

    @rule(viewer=VIEWERS, about=TARGETS, shape=READ_SHAPES, offset=OFFSETS, pick=GROUP_PICKS)
    def look(self, viewer: int | None, about: int, shape: Query, offset: str, pick: str) -> None:
        """Every read about one account by one viewer."""
        rows = self.model.follower_rows(about)
        if offset.startswith("row"):
            offset = "{}:{}".format(*rows[int(offset[-1]) % len(rows)]) if rows else ""
        how = shape | ({"offset": offset} if offset else {})
        reads = [*reads_about(about, how), *reads_of_own([self.tagid(viewer, pick)], how)]
        reads += [(path, {"mid": str(about)}) for path in ("/x/space/wbi/acc/relation", "/x/web-interface/relation")]
        self.compare(*((viewer, "GET", path, query) for path, query in reads))


@pytest.mark.timeout(7200 if LONG else 900)
@pytest.mark.parametrize("kind", RUNS)
def test_server_and_model_agree_on_random_writes_and_reads(stores: Stores, kind: str) -> None:
    class WritesHere(Writes):
        """Each in a store of its own."""

        def __init__(self) -> None:
            super().__init__("sqlite://" if kind == "sqlite memory" else stores.new(kind), stores.drop)

    SEEN.clear()
    run_state_machine_as_test(WritesHere, settings=LONG_RUN if LONG else RUNS[kind])
    # What is refused for other reasons than these is in test_modify_refusals.py, or too rare to be counted on.
    often = {-101, -102, -400, -404, 22001, 22002, 22003, 22009, 22013, 22014, 22101, 22104, 22105, 22106, 22115, 40061}
    assert often | {0} <= {code for _, code in SEEN}
    successes = {path for path, code in SEEN if code == 0}
    assert {*model_at_start().writes, *model_at_start().reads} - {"/x/space/wbi/acc/info"} <= successes
