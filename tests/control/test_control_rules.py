"""Which requests a rule hits: its path, target and viewer, its counts and its drawn numbers."""

from collections.abc import Iterator
from typing import Any

import pytest
from control_world import ALICE, BOB, CAROL, DAVE, INFO, LIST, MODIFY, World, absent, controlled
from hypothesis import given, settings
from hypothesis import strategies as st

from upspace.server.control.rules import Rules, Target
from upspace.wire.control import PATHS, FaultRule
from upspace.wire.faults import Shape

BUSY = -8888


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    limits = ("--limit-viewer-writes", "2/60")
    with controlled(tmp_path_factory.mktemp("rules"), *limits) as world:
        yield world


@pytest.fixture
def world(server: World) -> World:
    server.begin()
    return server


def hit(world: World, method: str, path: str, viewer: int | None = None, **more: Any) -> bool:
    return bool(world.client.request(method, path, headers=world.bearer(viewer), **more).json()["code"] == BUSY)


@pytest.mark.parametrize(
    ("path", "hits", "spares"),
    [
        (INFO, [INFO], ["/x/space/wbi/acc/info", LIST, INFO + "/"]),
        ("*", [INFO, LIST, "/x/nowhere", "/"], []),
        ("/x/relation/*", [LIST, "/x/relation/stat", "/x/relation/"], ["/x/relation", INFO]),
        ("*/stat", ["/x/relation/stat", "/stat"], ["/x/relation/stats"]),
        ("/x/*/acc/*", [INFO, "/x/space/wbi/acc/info"], ["/x/acc/info"]),
        ("acc_info", [INFO, "/x/space/wbi/acc/info"], [LIST, "acc_info"]),
        ("/x/nowhere", ["/x/nowhere"], ["/x/nowhere2"]),
        ("/x/a.c", ["/x/a.c"], ["/x/abc"]),
        ("/x/中*", ["/x/中文"], ["/x/"]),
    ],
)
def test_the_path_of_a_rule(world: World, path: str, hits: list[str], spares: list[str]) -> None:
    rule = world.fault("busy", path=path)
    assert [asked for asked in hits + spares if asked.startswith("/") and hit(world, "GET", asked)] == hits
    assert world.counts(rule) == (len(hits), len(hits))


def test_the_name_of_an_endpoint_covers_its_aliases(world: World) -> None:
    for name, paths in PATHS.items():
        world.done("DELETE", "faults")
        rule = world.fault("busy", path=name)
        assert all(hit(world, "GET", path) for path in paths)
        assert world.counts(rule) == (len(paths), len(paths))


def test_many_stars_take_no_longer_than_one(world: World) -> None:
    world.fault("busy", path="*a" * 400 + "b")
    # Were each star tried against each place, no reply would ever come.
    assert not hit(world, "GET", "/" + "a" * 2_000)
    assert hit(world, "GET", "/" + "a" * 400 + "b")


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", INFO, {"params": {"mid": BOB}}),
        ("GET", LIST, {"params": {"vmid": BOB}}),
        ("GET", "/x/relation", {"params": {"fid": BOB}}),
        ("GET", "/x/relation/relations", {"params": {"fids": f"{ALICE},{BOB}"}}),
        ("POST", MODIFY, {"data": {"fid": BOB}}),
        ("POST", MODIFY, {"params": {"fid": BOB}}),
        ("POST", "/x/relation/batch/modify", {"data": {"fids": f"{BOB},{ALICE}"}}),
        ("POST", MODIFY, {"files": {"fid": (None, str(BOB))}}),
        ("GET", INFO, {"params": {"mid": f"0{BOB}"}}),
    ],
)
def test_the_target_is_found_wherever_a_request_names_it(
    world: World, method: str, path: str, more: dict[str, Any]
) -> None:
    rule = world.fault("busy", target=CAROL)
    assert not hit(world, method, path, **more)
    assert world.counts(rule) == (0, 0)
    world.fault("busy", target=BOB)
    assert hit(world, method, path, **more)


@pytest.mark.parametrize("named", ["", "x", "1.5", str(2**70), "102,x"])
def test_what_is_no_mid_is_nobody(world: World, named: str) -> None:
    world.fault("busy", target=BOB)
    assert not hit(world, "GET", INFO, params={"mid": named})


def test_the_viewer_is_found_by_whatever_credentials(world: World) -> None:
    token = world.tokens[ALICE][0]
    rule = world.fault("busy", viewer=ALICE)
    assert hit(world, "GET", LIST, ALICE)
    assert hit(world, "GET", LIST, params={"access_key": token})
    assert hit(world, "POST", MODIFY, data={"access_key": token})
    assert world.client.get(LIST, headers={"cookie": f"SESSDATA={token}"}).json()["code"] == BUSY
    assert world.counts(rule) == (4, 4)
    assert not hit(world, "GET", LIST, BOB)
    assert not hit(world, "GET", LIST)
    # A JSONP reply is computed as for an anonymous viewer.
    assert not hit(world, "GET", LIST, ALICE, params={"callback": "x y"})


def test_nobody_is_viewer_0(world: World) -> None:
    world.fault("busy", viewer=0)
    assert hit(world, "GET", LIST)
    assert world.client.get(LIST, headers={"authorization": "Bearer unknown"}).json()["code"] == BUSY
    assert not hit(world, "GET", LIST, ALICE)


def test_after_and_times(world: World) -> None:
    rule = world.fault("busy", path=INFO, after=2, times=3)
    assert [world.info_code() == BUSY for _ in range(7)] == [False, False, True, True, True, False, False]
    assert world.counts(rule) == (7, 3)


def test_the_first_rule_that_hits_wins_and_a_spent_one_lets_later_ones_act(world: World) -> None:
    first = world.fault("busy", path=INFO, times=2)
    second = world.fault("forbidden", path="/x/space/*", times=1)
    third = world.fault("risk")
    assert [world.info_code() for _ in range(5)] == [BUSY, BUSY, -403, -352, -352]
    assert [world.counts(rule) for rule in (first, second, third)] == [(5, 2), (3, 1), (2, 2)]


def test_the_same_seed_draws_the_same_numbers(world: World) -> None:
    def hits(seed: int) -> list[bool]:
        world.done("DELETE", "faults")
        world.fault("busy", probability=0.5, seed=seed)
        return [world.info_code() == BUSY for _ in range(40)]

    assert hits(7) == hits(7) != hits(8)
    assert 5 < sum(hits(7)) < 35


def test_rules_are_shown_and_removed_by_their_ids(world: World) -> None:
    first, second = world.fault("busy"), world.fault("risk", path="card", times=1)
    shown = world.done("GET", "faults")
    assert shown == [
        {"id": first, "rule": {"shape": "busy"}, "matched": 0, "sent": 0},
        {"id": second, "rule": {"shape": "risk", "path": "card", "times": 1}, "matched": 0, "sent": 0},
    ]
    assert world.done("GET", f"faults/{second}") == shown[1]
    assert world.done("DELETE", f"faults/{first}") is None
    assert world.done("GET", "faults") == shown[1:]
    assert world.info_code() == 0
    for id_ in (first, second + 1, 0, "x", "-1", "1" * 30):
        assert world.control("GET", f"faults/{id_}") == absent(f"fault {id_}")
        assert world.control("DELETE", f"faults/{id_}") == absent(f"fault {id_}")
    world.done("DELETE", "faults")
    assert world.done("GET", "faults") == []
    assert world.fault("busy") > second


def test_a_fault_comes_before_every_other_check(world: World) -> None:
    world.fault("busy", path="*", times=None)
    # Wrong method, no login, wrong CSRF value, bad parameters, unknown path.
    assert hit(world, "PUT", MODIFY)
    assert hit(world, "GET", "/x/relation/blacks")
    cookie = {"cookie": f"SESSDATA={world.tokens[ALICE][0]}"}
    assert world.client.post(MODIFY, data={"fid": BOB, "act": 1, "csrf": "no"}, headers=cookie).json()["code"] == BUSY
    assert hit(world, "GET", INFO, params={"mid": "x"})
    assert hit(world, "GET", "/x/nowhere")
    # And the rate limit, which does not count it either.
    for _ in range(5):
        assert hit(world, "POST", MODIFY, ALICE, data={"fid": DAVE, "act": 1})
    world.done("DELETE", "faults")
    assert [world.modify(ALICE, DAVE, act) for act in (1, 2, 1)] == [0, 0, -799]
    world.fault("busy")
    assert world.modify(ALICE, DAVE) == BUSY


def test_what_lies_under_our_own_paths_is_never_hit(world: World) -> None:
    rule = world.fault("busy")
    for path in ("/-/openapi.json", "/-/faces/1.svg", "/-/nowhere", f"/-/control/direct{INFO}?mid={BOB}"):
        assert b"-8888" not in world.client.get(path).content
    assert world.counts(rule) == (0, 0)


class Oracle:
    """The rules, told again in the plainest way; what is drawn is always or never."""

    def __init__(self, rules: list[FaultRule]) -> None:
        self.rules = rules
        self.counts = [[0, 0] for _ in rules]

    def pick(self, target: Target) -> FaultRule | None:
        for rule, count in zip(self.rules, self.counts, strict=True):
            if not self.matches(rule, target):
                continue
            count[0] += 1
            if count[0] > rule.after and count[1] < (rule.times or 99) and rule.probability == 1:
                count[1] += 1
                return rule
        return None

    def matches(self, rule: FaultRule, target: Target) -> bool:
        paths = PATHS.get(rule.path, (rule.path,))
        return (
            any(same(path, target.path) for path in paths)
            and rule.target in (None, *target.mids)
            and rule.viewer in (None, target.viewer)
        )


def same(pattern: str, path: str) -> bool:
    """Whether a star can be filled so that both are the same."""
    if not pattern:
        return not path
    if pattern[0] == "*":
        return same(pattern[1:], path) or (path != "" and same(pattern, path[1:]))
    return path[:1] == pattern[0] and same(pattern[1:], path[1:])


PATH = st.text("/ab\n", max_size=6)
PATTERN = st.text("/ab*", max_size=6).map("/".__add__) | st.sampled_from(["acc_info", "*", "*b", "a*"])
RULE = st.builds(
    FaultRule,
    shape=st.just(Shape.BUSY),
    path=PATTERN,
    target=st.none() | st.integers(1, 3),
    viewer=st.none() | st.integers(0, 2),
    times=st.none() | st.integers(1, 3),
    after=st.integers(0, 2),
    probability=st.sampled_from([0.0, 1.0]),
)
TARGET = st.builds(Target, path=PATH | st.just(INFO), mids=st.sets(st.integers(1, 3)), viewer=st.integers(0, 2))


@settings(max_examples=300, deadline=None)
@given(st.lists(RULE, max_size=5), st.lists(TARGET, max_size=12))
def test_rules_do_what_a_plain_oracle_says(rules: list[FaultRule], targets: list[Target]) -> None:
    oracle, real = Oracle(rules), Rules()
    for rule in rules:
        real.add(rule)
    for place, target in enumerate(targets):
        if place == len(targets) // 2:
            before, real = real, real.copy()
            before.pick(target)
        picked = real.pick(target)
        assert (None if picked is None else picked.rule) is oracle.pick(target)
    assert [[state.matched, state.sent] for state in real.all()] == oracle.counts


@settings(max_examples=100, deadline=None)
@given(st.integers(), st.floats(0, 5), st.floats(0, 5), st.integers(0, 20))
def test_a_copy_draws_what_the_original_would_have(seed: int, delay: float, more: float, drawn: int) -> None:
    rules = Rules()
    rules.add(
        FaultRule(shape=Shape.SLOW, seed=seed, probability=0.5, delay_s=delay, delay_max_s=delay + more, drip_bytes=9)
    )
    target = Target(INFO, (), 0)
    for _ in range(drawn):
        rules.pick(target)
    copied = rules.copy()
    hits = [rules.pick(target) for _ in range(10)]
    assert hits == [copied.pick(target) for _ in range(10)]
    assert all(delay <= each.delay_s <= delay + more for each in hits if each is not None)
