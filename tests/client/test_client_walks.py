"""Walks through lists as a client sends them: when pages are fetched, and what happens when one fails."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from client_forms import FORMS, Connect, connecting

from upspace.client import Cut, UnreadableReplyError
from upspace.wire.accounts import Label, OfficialVerify
from upspace.wire.envelope import answer, success
from upspace.wire.errors import PageTooDeepError, UnavailableError
from upspace.wire.relations import FansList, RelationItem, RelationList, RelationVip

URL = "http://127.0.0.1:9"
VIP = RelationVip(0, 0, "", 0, 0, "", 0, Label(), 0, "", "")


def item(mid: int) -> RelationItem:
    verify = OfficialVerify(-1, "")
    return RelationItem(
        mid=mid, uname="", face="", sign="", face_nft=0, official_verify=verify, vip=VIP, nft_icon="", mtime=5
    )


def listed(*mids: int, total: int = 5, offset: str | None = None) -> bytes:
    items = [item(mid) for mid in mids]
    return success(RelationList(items, 0, total) if offset is None else FansList(items, offset, 0, total))


@pytest.fixture(params=FORMS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with connecting(request.param) as connect:
        yield connect


class Script:
    """Replies in their order; `asked` are the parameters that came."""

    def __init__(self, *bodies: bytes) -> None:
        self._bodies = list(bodies)
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append({name: value for name, value in request.url.params.items() if name in ("pn", "offset")})
        return httpx.Response(200, content=self._bodies.pop(0))


def test_a_page_is_fetched_when_it_is_needed(connect: Connect) -> None:
    script = Script(listed(1, 2), listed(3, 4), listed(5))
    walk = connect(URL, answer=script).walk_followers(7, ps=2)
    assert script.asked == []
    seen = [(follower.mid, len(script.asked)) for follower in walk]
    assert seen == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)]
    assert (walk.total, walk.cut) == (5, None)
    # It has ended for good.
    assert list(walk) == []
    assert script.asked == [{"pn": "1"}, {"pn": "2"}, {"pn": "3"}]


def test_fans_are_asked_for_by_the_offset_of_the_reply_before(connect: Connect) -> None:
    script = Script(listed(1, 2, offset="5:2"), listed(3, 4, offset="5:4 &"), listed(5, offset="5:5"))
    assert [fan.mid for fan in connect(URL, answer=script).walk_fans(7, ps=2)] == [1, 2, 3, 4, 5]
    assert script.asked == [{"pn": "1"}, {"offset": "5:2"}, {"offset": "5:4 &"}]


def test_a_walk_goes_on_with_the_page_that_failed(connect: Connect) -> None:
    script = Script(listed(1, 2), answer(-503, ""), listed(3, 4)[:-5], listed(3, 4), answer(22007, ""))
    walk = connect(URL, answer=script, retries=0).walk_followers(7, ps=2)
    assert [next(walk).mid, next(walk).mid] == [1, 2]
    with pytest.raises(UnavailableError):
        next(walk)
    with pytest.raises(UnreadableReplyError):
        next(walk)
    assert (walk.total, walk.cut) == (5, None)
    assert [follower.mid for follower in walk] == [3, 4]
    assert (walk.total, walk.cut) == (5, Cut.PAGE_CAP)
    assert [asked["pn"] for asked in script.asked] == ["1", "2", "2", "2", "3"]


def test_pages_are_sent_again_like_other_reads(connect: Connect) -> None:
    script = Script(answer(-503, ""), listed(1, 2), answer(-799, ""), listed(3))
    walk = connect(URL, answer=script, pause=lambda _: None).walk_followers(7, ps=2)
    assert [follower.mid for follower in walk] == [1, 2, 3]
    assert walk.cut is Cut.FEWER_THAN_TOTAL


def test_a_first_page_that_is_too_deep_is_raised(connect: Connect) -> None:
    walk = connect(URL, answer=Script(*[answer(22007, "")] * 2)).walk_followers(7)
    for _ in range(2):
        with pytest.raises(PageTooDeepError):
            next(walk)


def test_a_server_that_repeats_itself(connect: Connect) -> None:
    walk = connect(URL, answer=Script(*[listed(1, 2)] * 4)).walk_followings(7, ps=2)
    assert [follower.mid for follower in walk] == [1, 2]
    assert walk.cut is Cut.STALLED
    walk = connect(URL, answer=Script(*[listed(1, 2, offset="5:2")] * 2)).walk_fans(7, ps=2)
    assert [follower.mid for follower in walk] == [1, 2]
    assert walk.cut is Cut.STALLED
