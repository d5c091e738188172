"""Who there is in the dataset: accounts by rank, viewers with what they are related to, second pages of followers."""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from random import Random

import apsw
from dataset import opened

from upspace.wire.codes import ATTRIBUTE_BLACK, ATTRIBUTE_FOLLOWING, ATTRIBUTE_WHISPER

# A viewer with more followings than that might reach the limit of 2,000 while a workload runs.
_FOLLOWINGS_MAX = 1_000
_SECOND_PAGE = 20

_RANKED = """
    select standing.mid from standing
    left join (select owner, count(*) as followers from follower group by owner) on owner = standing.mid
    where state <> 2 order by followers desc nulls last, standing.mid
"""
_ELIGIBLE = "select mid from standing where state = 0 and following + whisper < ? order by mid"
_RELATIONS = "select owner, other, attribute from relation where owner in (select value from json_each(?))"
_BLOCKS = "select other, owner from relation where attribute = ?"
_SECOND_PAGES = """
    select owner, mtime, other from (
        select owner, mtime, other, row_number() over (partition by owner order by mtime desc, other desc) as place
        from follower
    ) where place = ?
"""


class Viewer:
    """An account with a token, and all it must not follow: `related`, by itself or as one that has blocked it."""

    __slots__ = ("followed", "header", "mid", "related", "token", "whispered")

    def __init__(self, mid: int) -> None:
        self.mid = mid
        self.token = secrets.token_urlsafe(32)
        self.header = f"Authorization: Bearer {self.token}\r\n".encode()
        self.related = {mid}
        self.followed: list[int] = []
        self.whispered: list[int] = []


class People:
    """The accounts of the dataset in the file `path`, of which `count` are viewers.

    `ranked` has all that are not deleted, the one with the most stored followers first.
    """

    def __init__(self, path: Path, count: int, random: Random) -> None:
        self._path = path
        with opened(path) as db:
            self.ranked = _mids(db, _RANKED)
            eligible = _mids(db, _ELIGIBLE, _FOLLOWINGS_MAX)
            chosen = random.sample(eligible, min(count, len(self.ranked) // 4))
            self.viewers = [Viewer(mid) for mid in chosen]
            _relate(db, {viewer.mid: viewer for viewer in self.viewers})

    def second_pages(self) -> dict[int, str]:
        """The value of `offset` with which the second page of 20 followers begins, of all that have one."""
        with opened(self._path) as db:
            return {owner: f"{mtime}:{other}" for owner, mtime, other in db.execute(_SECOND_PAGES, (_SECOND_PAGE,))}


def _mids(db: apsw.Connection, query: str, *values: int) -> list[int]:
    return [mid for (mid,) in db.execute(query, values)]


def _relate(db: apsw.Connection, viewers: dict[int, Viewer]) -> None:
    for owner, other, attribute in db.execute(_RELATIONS, (json.dumps(list(viewers)),)):
        viewer = viewers[owner]
        viewer.related.add(other)
        if attribute == ATTRIBUTE_FOLLOWING:
            viewer.followed.append(other)
        elif attribute == ATTRIBUTE_WHISPER:
            viewer.whispered.append(other)
    for blocked, owner in db.execute(_BLOCKS, (ATTRIBUTE_BLACK,)):
        if blocked in viewers:
            viewers[blocked].related.add(owner)


def strangers_to(viewers: Sequence[Viewer], mid: int) -> list[Viewer]:
    """The viewers that may follow an account and do not yet."""
    return [viewer for viewer in viewers if mid not in viewer.related]
