"""What is measured: one row for each endpoint and kind of target, with its goals."""

from enum import Enum

from msgspec import Struct

PEER_GOAL = 15.0
"""Every endpoint: at least this many times the requests/s of the peer."""

WORKER_MEMORY_GOAL_MB = 120.0
"""Resident memory of the upspace worker after the load stays below this."""


class Targets(Enum):
    """Which accounts are asked for; the values say it in the report."""

    EVERYONE = "random among all accounts that are not deleted"
    FOLLOWED = "random among the accounts that have at least 20 followers and show them"
    FOLLOWING = "random among the accounts that follow at least 20 and show whom"
    MOST_FOLLOWED = "the most followed account"


class Case(Struct, frozen=True, kw_only=True):
    """One thing to measure. A request is `path`, a question mark and `query`, where `{mid}` is the target.

    `bare_goal` is the part of the bare limit's requests/s to be reached.
    """

    name: str
    path: str
    query: str
    targets: Targets = Targets.EVERYONE
    bare_goal: float

    def url(self, mid: int | str) -> str:
        """Path and query for one target."""
        return f"{self.path}?{self.query.format(mid=mid)}"

    def label(self) -> str:
        """What the case is called in tables."""
        shown = f"`{self.path}`"
        return f"{shown}, most followed" if self.targets is Targets.MOST_FOLLOWED else shown


CASES = (
    Case(name="acc_info", path="/x/space/acc/info", query="mid={mid}", bare_goal=0.60),
    Case(name="card", path="/x/web-interface/card", query="mid={mid}&photo=1", bare_goal=0.60),
    Case(name="upstat", path="/x/space/upstat", query="mid={mid}", bare_goal=0.60),
    Case(name="relation_stat", path="/x/relation/stat", query="vmid={mid}", bare_goal=0.75),
    Case(
        name="followers",
        path="/x/relation/followers",
        query="vmid={mid}&ps=20",
        targets=Targets.FOLLOWED,
        bare_goal=0.30,
    ),
    Case(
        name="followings",
        path="/x/relation/followings",
        query="vmid={mid}&ps=20",
        targets=Targets.FOLLOWING,
        bare_goal=0.30,
    ),
    Case(
        name="followers_most",
        path="/x/relation/followers",
        query="vmid={mid}&ps=20",
        targets=Targets.MOST_FOLLOWED,
        bare_goal=0.30,
    ),
)
