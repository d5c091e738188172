"""What the contract says that relations do, as plain dictionaries: sections 5.1, 5.2, 5.4, 6.4 to 6.6, 7, 8.1, 8.2, 9.

Written from docs/contract.md alone, to be compared with the server; contract_groups.py adds section 8.3. Every answer
is (code, data), where data holds what depends on relations and nothing else. Nothing is remembered that can be counted.
Profile `seed`. The row cap of own fans (1000) is beyond the few accounts a model is good for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from contract_forms import (
    Limits,
    Query,
    Refused,
    Row,
    page_of,
    read_integer,
    read_mid,
    read_mids,
    read_offset,
    read_paging,
)

NONE, WHISPER, FOLLOW, MUTUAL, BLACK = 0, 1, 2, 6, 128
SPECIAL = -10
OTHERS_PAGES = 5
DELETED_NAME = "账号已注销"
# What an account counts of its own relations; followers are counted from the other end.
COUNTER_OF = {WHISPER: "whisper", FOLLOW: "following", BLACK: "black"}


@dataclass
class Person:
    """An account. `figures` are the counters of one in mode reported; None is mode derived."""

    name: str
    suspended: bool = False
    deleted: bool = False
    hides_followings: bool = False
    hides_followers: bool = False
    figures: dict[str, int] | None = None


@dataclass
class Side:
    """What one account has to do with another: `kind` is whisper, follow or black, never mutual."""

    kind: int
    mtime: int
    groups: set[int] = field(default_factory=set)
    re_src: int = 0


class Endpoint(NamedTuple):
    """One path of the model."""

    handler: Callable[[Any, Query], Any]
    login: bool = True


class RelationModel:
    """Accounts and their relations at the instant `now`."""

    def __init__(self, limits: Limits | None = None, whisper_enabled: bool = True) -> None:
        self.limits = limits or Limits()
        self.whisper_enabled = whisper_enabled
        self.now = 0
        self.people: dict[int, Person] = {}
        self.sides: dict[tuple[int, int], Side] = {}
        self.reads: dict[str, Endpoint] = {
            "/x/space/acc/info": Endpoint(self.acc_info, login=False),
            "/x/space/wbi/acc/info": Endpoint(self.acc_info, login=False),
            "/x/web-interface/card": Endpoint(self.card, login=False),
            "/x/space/myinfo": Endpoint(self.myinfo),
            "/x/relation/stat": Endpoint(self.stat, login=False),
            "/x/relation/followers": Endpoint(self.followers, login=False),
            "/x/relation/followings": Endpoint(self.followings, login=False),
            "/x/relation/fans": Endpoint(self.fans, login=False),
            "/x/relation": Endpoint(self.relation),
            "/x/relation/relations": Endpoint(self.relations),
            "/x/space/acc/relation": Endpoint(self.acc_relation),
            "/x/space/wbi/acc/relation": Endpoint(self.acc_relation),
            "/x/web-interface/relation": Endpoint(self.acc_relation),
            "/x/relation/followings/search": Endpoint(self.search, login=False),
            "/x/relation/same/followings": Endpoint(self.same_followings),
            "/x/relation/whispers": Endpoint(self.whispers),
            "/x/relation/friends": Endpoint(self.friends),
            "/x/relation/blacks": Endpoint(self.blacks),
        }
        self.writes: dict[str, Endpoint] = {
            "/x/relation/modify": Endpoint(self.modify),
            "/x/relation/batch/modify": Endpoint(self.batch_modify),
        }

    def answer(self, viewer: int | None, method: str, path: str, query: Query) -> tuple[int, Any]:
        """The code and the data of a reply; data is None where a reply has none. Contract: 3, order of checks."""
        endpoint = (self.reads if method == "GET" else self.writes)[path]
        if viewer is not None and self.people[viewer].deleted:
            viewer = None  # its tokens are void
        try:
            if endpoint.login and viewer is None:
                raise Refused(-101)
            return 0, endpoint.handler(viewer, query)
        except Refused as refused:
            return refused.code, None

    def check_may_write(self, viewer: int) -> None:
        """Comes after the parameters and before the rules of the endpoint."""
        if self.people[viewer].suspended:
            raise Refused(-102)

    # The state: contract 5.1, 5.2

    def exists(self, mid: int) -> bool:
        """Known and not deleted."""
        return mid in self.people and not self.people[mid].deleted

    def kind(self, owner: int, other: int) -> int:
        """The relation of one side as if there were no other side."""
        side = self.sides.get((owner, other))
        return side.kind if side else NONE

    def attribute(self, owner: int | None, other: int) -> int:
        """The relation of `owner` to `other` as it is reported."""
        if owner is None:
            return NONE
        kind = self.kind(owner, other)
        return MUTUAL if kind == FOLLOW and self.kind(other, owner) == FOLLOW else kind

    def own_rows(self, owner: int, *attributes: int) -> list[Row]:
        """Whom an account has these relations to, newest first."""
        rows = [(side.mtime, other) for (of, other), side in self.sides.items() if of == owner]
        return sorted((row for row in rows if self.attribute(owner, row[1]) in attributes), reverse=True)

    def follower_rows(self, target: int) -> list[Row]:
        """Who follows an account, newest first. The list of a deleted account is empty."""
        sides = self.sides.items()
        rows = [(side.mtime, owner) for (owner, other), side in sides if other == target and side.kind == FOLLOW]
        return sorted(rows, reverse=True) if self.exists(target) else []

    def counters(self, mid: int) -> dict[str, int]:
        """The counters of an account, by the name of their field."""
        if not self.exists(mid):
            return {"following": 0, "whisper": 0, "black": 0, "follower": 0}
        figures = self.people[mid].figures
        if figures is not None:
            return dict(figures)
        own = {name: len(self.own_rows(mid, kind)) for kind, name in COUNTER_OF.items()}
        return own | {"following": len(self.own_rows(mid, FOLLOW, MUTUAL)), "follower": len(self.follower_rows(mid))}

    def count(self, mid: int, name: str, change: int) -> None:
        """A local change of a counter of an account in mode reported."""
        figures = self.people[mid].figures
        if figures is not None:
            figures[name] = max(0, figures[name] + change)

    def put(self, owner: int, other: int, side: Side | None) -> None:
        """Set one side of a pair, or remove it; the one way in which relations change."""
        before = self.kind(owner, other)
        after = side.kind if side else NONE
        for kind, change in ((before, -1), (after, 1)):
            if kind != NONE and before != after:
                self.count(owner, COUNTER_OF[kind], change)
                if kind == FOLLOW:
                    self.count(other, "follower", change)
        if side is None:
            self.sides.pop((owner, other), None)
        else:
            self.sides[owner, other] = side

    def delete(self, mid: int) -> bool:
        """Delete an account: what it has to do with others goes, what others have to do with it stays."""
        if not self.exists(mid):
            return False
        for owner, other in list(self.sides):
            if owner == mid:
                self.put(owner, other, None)
        self.people[mid] = Person(DELETED_NAME, deleted=True)
        return True

    # What replies are made of: contract 5.3

    def relation_object(self, owner: int, other: int) -> dict[str, Any]:
        """The relation attribute object of an account's own relation."""
        side = self.sides.get((owner, other)) or Side(NONE, 0)
        return {
            "mid": other,
            "attribute": self.attribute(owner, other),
            "mtime": side.mtime,
            "tag": sorted(side.groups) or None,
            "special": int(SPECIAL in side.groups),
        }

    def item(self, viewer: int | None, target: int, row: Row) -> dict[str, Any]:
        """One element of a list of `target`. Groups are shown to their owner alone."""
        mtime, mid = row
        side = self.sides.get((target, mid))
        groups = side.groups if side and viewer == target else set()
        return {
            "mid": mid,
            "attribute": self.attribute(viewer, mid),
            "mtime": mtime,
            "tag": sorted(groups) or None,
            "special": int(SPECIAL in groups),
            "uname": self.people[mid].name,
        }

    def items(self, viewer: int | None, target: int, rows: list[Row]) -> dict[str, Any]:
        """The part of a reply that all lists have but that of a search."""
        return {"list": [self.item(viewer, target, row) for row in rows], "re_version": 0}

    def special_first(self, owner: int, rows: list[Row]) -> list[Row]:
        """`order_type` attention: special accounts, then the rest, each part in the order it had."""
        return sorted(rows, key=lambda row: SPECIAL not in self.sides[owner, row[1]].groups)

    def check_visible(self, viewer: int | None, target: int, hidden: str, code: int, pn: int) -> None:
        """The checks of a list of another account, in order: privacy, then the page cap. Contract: 6.5, 6.6."""
        if viewer == target:
            return
        if target in self.people and getattr(self.people[target], hidden):
            raise Refused(code)
        if pn > OTHERS_PAGES:
            raise Refused(22007)

    # Reads of contract 6, 9 and 10

    def acc_info(self, viewer: int | None, query: Query) -> Any:
        target = read_mid(query.get("mid"))
        if not self.exists(target):
            raise Refused(-404)
        followed = self.attribute(viewer, target) in (WHISPER, FOLLOW, MUTUAL)
        return {"mid": target, "silence": int(self.people[target].suspended), "is_followed": followed}

    def card(self, viewer: int | None, query: Query) -> Any:
        info = self.acc_info(viewer, query)
        counters = self.counters(info["mid"])
        return {
            "following": info["is_followed"],
            "follower": counters["follower"],
            "fans": counters["follower"],
            "friend": counters["following"],
            "attention": counters["following"],
        }

    def myinfo(self, viewer: int, query: Query) -> Any:
        counters = self.counters(viewer)
        return {"mid": viewer, "following": counters["following"], "follower": counters["follower"]}

    def stat(self, viewer: int | None, query: Query) -> Any:
        target = read_mid(query.get("vmid"))
        private = {} if viewer == target else {"whisper": 0, "black": 0}
        return {"mid": target} | self.counters(target) | private

    def followers(self, viewer: int | None, query: Query) -> Any:
        target, paging = read_mid(query.get("vmid")), read_paging(query, 20)
        self.check_visible(viewer, target, "hides_followers", 22118, paging[0])
        rows = self.follower_rows(target)
        if query.get("order") == "asc":
            rows.reverse()
        return self.items(viewer, target, page_of(rows, paging)) | {"total": self.counters(target)["follower"]}

    def followings(self, viewer: int | None, query: Query) -> Any:
        target, paging = read_mid(query.get("vmid")), read_paging(query, 20)
        self.check_visible(viewer, target, "hides_followings", 22115, paging[0])
        rows = self.own_rows(target, FOLLOW, MUTUAL)
        if query.get("order") == "asc":
            rows.reverse()
        if query.get("order_type") == "attention" and viewer == target:
            rows = self.special_first(target, rows)
        return self.items(viewer, target, page_of(rows, paging)) | {"total": self.counters(target)["following"]}

    def fans(self, viewer: int | None, query: Query) -> Any:
        target, paging = read_mid(query.get("vmid")), read_paging(query, 20)
        offset = read_offset(query.get("offset"))
        rows = self.follower_rows(target)
        if offset:
            rows = [row for row in rows if row < offset]
            paging = (1, paging[1])
        self.check_visible(viewer, target, "hides_followers", 22118, paging[0])
        rows = page_of(rows, paging)
        last = "{}:{}".format(*rows[-1]) if rows else ""
        return self.items(viewer, target, rows) | {"offset": last, "total": self.counters(target)["follower"]}

    # Reads of contract 7

    def relation(self, viewer: int, query: Query) -> Any:
        return self.relation_object(viewer, read_mid(query.get("fid")))

    def relations(self, viewer: int, query: Query) -> Any:
        fids = read_mids(query.get("fids"), self.limits.max_relations_fids)
        return {str(fid): self.relation_object(viewer, fid) for fid in fids if self.kind(viewer, fid) != NONE}

    def acc_relation(self, viewer: int, query: Query) -> Any:
        target = read_mid(query.get("mid"))
        nothing = {"mid": viewer, "attribute": NONE, "mtime": 0, "tag": None, "special": 0}
        # A whisper must not show, so nothing of it may: not even since when it is.
        back = nothing if self.kind(target, viewer) == WHISPER else self.relation_object(target, viewer)
        return {
            "relation": self.relation_object(viewer, target),
            "be_relation": back | {"tag": None, "special": 0},
        }

    def search(self, viewer: int | None, query: Query) -> Any:
        target, paging = read_mid(query.get("vmid")), read_paging(query, 50)
        self.check_visible(viewer, target, "hides_followings", 22115, paging[0])
        wanted = query.get("name", "").casefold()
        rows = self.own_rows(target, FOLLOW, MUTUAL)
        rows = [row for row in rows if wanted in self.people[row[1]].name.casefold()]
        return {"list": self.items(viewer, target, page_of(rows, paging))["list"], "total": len(rows)}

    def same_followings(self, viewer: int, query: Query) -> Any:
        target, paging = read_mid(query.get("vmid")), read_paging(query, 50)
        self.check_visible(viewer, target, "hides_followings", 22115, pn=1)
        rows = self.own_rows(viewer, FOLLOW, MUTUAL)
        rows = [row for row in rows if self.kind(target, row[1]) == FOLLOW]
        # What two accounts have in common has no counter; an account has one of its own followings (section 14).
        total = self.counters(viewer)["following"] if viewer == target else len(rows)
        return self.items(viewer, target, page_of(rows, paging)) | {"total": total}

    def whispers(self, viewer: int, query: Query) -> Any:
        return self.items(viewer, viewer, page_of(self.own_rows(viewer, WHISPER), read_paging(query, 50)))

    def friends(self, viewer: int, query: Query) -> Any:
        paging, rows = read_paging(query, 50), self.own_rows(viewer, MUTUAL)
        whole = not query.get("pn") and not query.get("ps")
        return self.items(viewer, viewer, rows if whole else page_of(rows, paging))

    def blacks(self, viewer: int, query: Query) -> Any:
        rows = page_of(self.own_rows(viewer, BLACK), read_paging(query, 50))
        return self.items(viewer, viewer, rows) | {"total": self.counters(viewer)["black"]}

    # Writes of contract 8.1 and 8.2

    def modify(self, viewer: int, query: Query) -> Any:
        fid, act = read_mid(query.get("fid")), read_integer(query.get("act"))
        re_src = read_integer(query.get("re_src"), 0)
        if not 1 <= act <= 7 or not 0 <= re_src <= 65535 or (act == 3 and not self.whisper_enabled):
            raise Refused(-400)
        self.check_may_write(viewer)
        if fid == viewer:
            raise Refused(22001)
        self.act(viewer, fid, act, re_src)

    def batch_modify(self, viewer: int, query: Query) -> Any:
        fids = read_mids(query.get("fids"), self.limits.max_batch_fids)
        act, re_src = read_integer(query.get("act")), read_integer(query.get("re_src"), 0)
        if act not in (1, 5) or not 0 <= re_src <= 65535:
            raise Refused(-400)
        self.check_may_write(viewer)
        if viewer in fids:
            raise Refused(22001)
        failed = []
        for fid in fids:
            try:
                self.act(viewer, fid, act, re_src)
            except Refused as refused:
                if refused.code not in (22014, 22120):  # "already so" counts as success
                    failed.append(fid)
        return {"failed_fids": failed}

    def act(self, viewer: int, fid: int, act: int, re_src: int) -> None:
        """One row of the table of 8.1."""
        if fid not in self.people:
            raise Refused(40061)
        if act in (1, 3):
            self.follow_or_whisper(viewer, fid, FOLLOW if act == 1 else WHISPER, re_src)
        elif act == 5:
            self.block(viewer, fid, re_src)
        elif act == 7:
            if self.kind(fid, viewer) in (FOLLOW, WHISPER):
                self.put(fid, viewer, None)
        elif self.kind(viewer, fid) == {2: FOLLOW, 4: WHISPER, 6: BLACK}[act]:
            self.put(viewer, fid, None)

    def follow_or_whisper(self, viewer: int, fid: int, kind: int, re_src: int) -> None:
        before = self.kind(viewer, fid)
        if self.people[fid].deleted:
            raise Refused(22013)
        if before == BLACK:
            raise Refused(22003)
        if self.kind(fid, viewer) == BLACK:
            raise Refused(22002)
        if before == kind:
            raise Refused(22014)
        counters = self.counters(viewer)
        full = counters["following"] + counters["whisper"] >= self.limits.max_followings
        if before == NONE and full:
            raise Refused(22009)
        groups = self.sides[viewer, fid].groups if before else set()
        self.put(viewer, fid, Side(kind, self.now, groups, re_src))
        if self.attribute(viewer, fid) == MUTUAL:
            self.sides[fid, viewer].mtime = self.now

    def block(self, viewer: int, fid: int, re_src: int) -> None:
        if self.people[fid].deleted:
            raise Refused(22013)
        if self.kind(viewer, fid) == BLACK:
            raise Refused(22120)
        if self.counters(viewer)["black"] >= self.limits.max_blacks:
            raise Refused(22008)
        self.put(viewer, fid, Side(BLACK, self.now, re_src=re_src))
        if self.kind(fid, viewer) in (FOLLOW, WHISPER):
            self.put(fid, viewer, None)
