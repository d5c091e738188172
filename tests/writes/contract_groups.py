"""What the contract says that groups do: section 8.3, on top of the relations of contract_model.py."""

import unicodedata
from typing import Any, NamedTuple

from contract_forms import Limits, Query, Refused, page_of, read_integer, read_mid, read_mids, read_paging
from contract_model import FOLLOW, MUTUAL, SPECIAL, Endpoint, RelationModel

DEFAULT, ALL = 0, -20
BUILT_IN = {SPECIAL: "特别关注", DEFAULT: "默认分组"}
NAME_LENGTH = 16


class Group(NamedTuple):
    """A group of an account's own."""

    owner: int
    name: str


def read_integers(text: str | None) -> set[int]:
    """Ids joined by a comma."""
    return {read_integer(member) for member in (text or "").split(",")}


def read_name(text: str | None) -> str:
    """The name of a group, which must be there; that it is not blank is a rule of the endpoints."""
    if not text:
        raise Refused(-400)
    return text.strip()


class ContractModel(RelationModel):
    """Relations and groups. `groups` are in order of age."""

    def __init__(self, limits: Limits | None = None, whisper_enabled: bool = True) -> None:
        super().__init__(limits, whisper_enabled)
        self.groups: dict[int, Group] = {}
        self.used_ids: set[int] = set()
        # The server gives ids away; whoever asks this model says which id that was.
        self.next_id = 1
        self.reads |= {
            "/x/relation/tags": Endpoint(self.tags),
            "/x/relation/tag": Endpoint(self.tag),
            "/x/relation/tag/user": Endpoint(self.tag_user),
            "/x/relation/tag/special": Endpoint(self.tag_special),
        }
        self.writes |= {
            "/x/relation/tag/create": Endpoint(self.tag_create),
            "/x/relation/tag/update": Endpoint(self.tag_update),
            "/x/relation/tag/del": Endpoint(self.tag_delete),
            "/x/relation/tags/addUsers": Endpoint(self.add_users),
            "/x/relation/tags/copyUsers": Endpoint(self.copy_users),
            "/x/relation/tags/moveUsers": Endpoint(self.move_users),
        }

    def delete(self, mid: int) -> bool:
        self.groups = {tagid: group for tagid, group in self.groups.items() if group.owner != mid}
        return super().delete(mid)

    def own_groups(self, owner: int) -> dict[int, str]:
        """The names of an account's own groups by id, oldest first."""
        return {tagid: group.name for tagid, group in self.groups.items() if group.owner == owner}

    def check_own(self, viewer: int, *tagids: int) -> None:
        """22104 for an id that is not of a group of the viewer's own."""
        if not set(tagids) <= set(self.own_groups(viewer)):
            raise Refused(22104)

    def members(self, owner: int, tagid: int) -> list[tuple[int, int]]:
        """The followed accounts in a group, newest first. Whispered accounts are listed in none."""

        def belongs(mid: int) -> bool:
            groups = self.sides[owner, mid].groups
            return tagid == ALL or tagid in groups or (tagid == DEFAULT and not groups)

        return [row for row in self.own_rows(owner, FOLLOW, MUTUAL) if belongs(row[1])]

    # Reads

    def tags(self, viewer: int, query: Query) -> Any:
        names = BUILT_IN | self.own_groups(viewer)
        return [
            {"tagid": tagid, "name": name, "count": len(self.members(viewer, tagid))} for tagid, name in names.items()
        ]

    def tag(self, viewer: int, query: Query) -> Any:
        tagid, paging = read_integer(query.get("tagid")), read_paging(query, 20)
        if tagid not in (SPECIAL, DEFAULT, ALL):
            self.check_own(viewer, tagid)
        rows = self.members(viewer, tagid)
        if query.get("order_type") == "attention":
            rows = self.special_first(viewer, rows)
        return [
            {"mid": mid, "attribute": 0, "tag": None, "special": 0, "uname": self.people[mid].name}
            for _, mid in page_of(rows, paging)
        ]

    def tag_user(self, viewer: int, query: Query) -> Any:
        fid = read_mid(query.get("fid"))
        if self.kind(viewer, fid) != FOLLOW:
            return {}
        names = BUILT_IN | self.own_groups(viewer)
        return {str(tagid): names[tagid] for tagid in self.sides[viewer, fid].groups}

    def tag_special(self, viewer: int, query: Query) -> Any:
        paging, rows = read_paging(query, 50), self.members(viewer, SPECIAL)
        whole = not query.get("pn") and not query.get("ps")
        return [mid for _, mid in (rows if whole else page_of(rows, paging))]

    # Writes

    def check_name(self, viewer: int, name: str) -> None:
        """What a trimmed name may be: -400, 22101, 22103, 22106, in this order."""
        if not name:
            raise Refused(-400)
        if any(unicodedata.category(character) == "Cc" or character in ",<>\"'&\\" for character in name):
            raise Refused(22101)
        if len(name) > NAME_LENGTH:
            raise Refused(22103)
        if name in (*BUILT_IN.values(), *self.own_groups(viewer).values()):
            raise Refused(22106)

    def tag_create(self, viewer: int, query: Query) -> Any:
        name = read_name(query.get("tag"))
        self.check_may_write(viewer)
        self.check_name(viewer, name)
        if len(self.own_groups(viewer)) >= self.limits.max_groups:
            raise Refused(22102)
        assert self.next_id >= 1
        assert self.next_id not in self.used_ids, "the id of a group is never used again"
        self.used_ids.add(self.next_id)
        self.groups[self.next_id] = Group(viewer, name)
        return {"tagid": self.next_id}

    def tag_update(self, viewer: int, query: Query) -> Any:
        tagid, name = read_integer(query.get("tagid")), read_name(query.get("name"))
        self.check_may_write(viewer)
        self.check_own(viewer, tagid)
        if name != self.groups[tagid].name:
            self.check_name(viewer, name)
            self.groups[tagid] = Group(viewer, name)

    def tag_delete(self, viewer: int, query: Query) -> Any:
        tagid = read_integer(query.get("tagid"))
        self.check_may_write(viewer)
        self.check_own(viewer, tagid)
        del self.groups[tagid]
        for side in self.sides.values():
            side.groups.discard(tagid)

    def check_grouping(self, viewer: int, tagids: set[int], fids: list[int]) -> None:
        """Every id, then every account. 0 and -10 are ids everyone has."""
        self.check_may_write(viewer)
        self.check_own(viewer, *tagids - {SPECIAL, DEFAULT})
        if any(self.kind(viewer, fid) != FOLLOW for fid in fids):
            raise Refused(22105)

    def add_users(self, viewer: int, query: Query) -> Any:
        fids, tagids = read_mids(query.get("fids"), self.limits.max_group_fids), read_integers(query.get("tagids"))
        self.check_grouping(viewer, tagids, fids)
        for fid in fids:
            self.sides[viewer, fid].groups = set() if DEFAULT in tagids else set(tagids)

    def copy_users(self, viewer: int, query: Query) -> Any:
        fids, tagids = read_mids(query.get("fids"), self.limits.max_group_fids), read_integers(query.get("tagids"))
        self.check_grouping(viewer, tagids, fids)
        for fid in fids:
            self.sides[viewer, fid].groups |= tagids - {DEFAULT}

    def move_users(self, viewer: int, query: Query) -> Any:
        fids = read_mids(query.get("fids"), self.limits.max_group_fids)
        before, after = read_integers(query.get("beforeTagids")), read_integers(query.get("afterTagids"))
        self.check_grouping(viewer, before | after, fids)
        for fid in fids:
            side = self.sides[viewer, fid]
            side.groups = (side.groups - before) | (after - {DEFAULT})
