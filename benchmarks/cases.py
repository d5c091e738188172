"""What is measured: one row for each endpoint and kind of target, with its goals."""

from enum import Enum

from msgspec import Struct

PEER_GOAL = 20.0
"""Every endpoint: at least this many times the requests/s of each peer."""

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

    `datasette` is the URL of the same rows there. `bare_goal` is the part of the bare limit's requests/s to be reached.
    """

    name: str
    path: str
    query: str
    targets: Targets = Targets.EVERYONE
    datasette: str = ""
    bare_goal: float

    def url(self, mid: int | str) -> str:
        """Path and query for one target."""
        return f"{self.path}?{self.query.format(mid=mid)}"

    def label(self) -> str:
        """What the case is called in tables."""
        shown = f"`{self.path}`"
        return f"{shown}, most followed" if self.targets is Targets.MOST_FOLLOWED else shown


_ROW = "{mid}.json?_shape=array"
_PAGE = "owner={mid}&_sort_desc=mtime&_size=20&_shape=array&_nocount=1&_nofacet=1"

CASES = (
    Case(
        name="acc_info",
        path="/x/space/acc/info",
        query="mid={mid}",
        datasette=f"/account/{_ROW}",
        bare_goal=0.70,
    ),
    Case(
        name="card",
        path="/x/web-interface/card",
        query="mid={mid}&photo=1",
        datasette=f"/account/{_ROW}",
        bare_goal=0.70,
    ),
    Case(
        name="upstat",
        path="/x/space/upstat",
        query="mid={mid}",
        datasette=f"/upstat/{_ROW}",
        bare_goal=0.70,
    ),
    Case(
        name="relation_stat",
        path="/x/relation/stat",
        query="vmid={mid}",
        datasette=f"/standing/{_ROW}",
        bare_goal=0.80,
    ),
    Case(
        name="followers",
        path="/x/relation/followers",
        query="vmid={mid}&ps=20",
        datasette=f"/follower.json?{_PAGE}",
        targets=Targets.FOLLOWED,
        bare_goal=0.40,
    ),
    Case(
        name="followings",
        path="/x/relation/followings",
        query="vmid={mid}&ps=20",
        datasette=f"/relation.json?attribute=2&{_PAGE}",
        targets=Targets.FOLLOWING,
        bare_goal=0.40,
    ),
    Case(
        name="followers_most",
        path="/x/relation/followers",
        query="vmid={mid}&ps=20",
        datasette=f"/follower.json?{_PAGE}",
        targets=Targets.MOST_FOLLOWED,
        bare_goal=0.40,
    ),
)

KNOWN = CASES[0]
"""What is asked for once for every account before anything is measured: then upspace knows them all."""

KNOWN_PER_S = 3_000
"""So many accounts a second are shown at least by who has not shown them before."""

KEPT_MB = 1_500
"""With so much memory for replies, all of those that are kept at all are."""

KEPT = tuple(case for case in CASES if case.name in ("card", "followers", "followings"))
"""What is measured once more with that much memory."""

WRITES_PER_S = 100
"""So many follows and unfollows of random accounts go on a second when it is measured under writes."""
