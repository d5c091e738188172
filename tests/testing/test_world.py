"""The world of a test: accounts, relations, faults, the clock, the journal, and going back."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import httpx
import msgspec
import pytest

from upspace.client import Client
from upspace.testing import Upspace, serving
from upspace.testing.control import ControlError
from upspace.wire.control import Pair
from upspace.wire.errors import (
    BadRequestError,
    BlockedByTargetError,
    NotFoundError,
    NotSignedInError,
    RiskControlError,
    UnknownGroupError,
)


@pytest.fixture
def client(upspace: Upspace) -> Iterator[Client]:
    """What a program under test would use: faults hit it, and the journal knows of it."""
    with Client(upspace.url, retries=0) as client:
        yield client


def test_an_account_is_as_it_was_asked_for(upspace: Upspace, client: Client) -> None:
    up = upspace.account("某UP", level=5, follower=1_000_000, archive_view=7, official={"type": 0, "title": "知名UP主"})
    info, card, stat = client.acc_info(up.mid), client.card(up.mid), client.relation_stat(up.mid)
    assert (info.name, info.level, info.official.title) == ("某UP", 5, "知名UP主")
    assert (card.follower, stat.follower, stat.following) == (1_000_000, 1_000_000, 0)
    totals = client.upstat(up.mid)
    assert totals is not None
    assert totals.archive.view == 7
    assert up.record["counter_mode"] == "reported"


def test_without_counters_they_follow_from_the_relations(upspace: Upspace, client: Client) -> None:
    up = upspace.account()
    fans = upspace.add_followers(up, 30)
    followed = upspace.add_followings(up, 3)
    upspace.whisper(up, upspace.account())
    assert client.relation_stat(up.mid).follower == 30
    assert client.relation_stat(up.mid).following == 3
    assert [item.mid for item in client.followers(up.mid, ps=50).items] == [fan.mid for fan in fans]
    assert [item.mid for item in client.followings(up.mid).items] == [each.mid for each in followed]


def test_an_account_signs_in_by_header_cookie_and_access_key(upspace: Upspace) -> None:
    viewer = upspace.account("viewer")
    for sent in (
        {"headers": viewer.headers},
        {"cookies": viewer.cookies},
        {"params": {"access_key": viewer.token}},
    ):
        with httpx.Client(base_url=upspace.url, trust_env=False, **sent) as program:  # type: ignore[arg-type]  # one of three
            assert program.get("/x/web-interface/nav").json()["data"]["uname"] == "viewer"
    upspace.assert_requested("nav", times=3, viewer=viewer)
    assert {asked.credential for asked in upspace.requests("nav")} == {"authorization", "cookie", "access_key"}


def test_a_write_with_cookies_needs_the_csrf_value_that_the_account_knows(upspace: Upspace) -> None:
    viewer, target = upspace.accounts(2)
    with httpx.Client(base_url=upspace.url, trust_env=False, cookies=viewer.cookies) as program:
        body = {"fid": target.mid, "act": 1}
        assert program.post("/x/relation/modify", data=body).json()["code"] == -111
        assert program.post("/x/relation/modify", data=body | {"csrf": viewer.csrf}).json()["code"] == 0
    with upspace.client(viewer) as own:
        assert own.relation(target.mid).attribute == 2


def test_an_account_changes_and_is_deleted(upspace: Upspace, client: Client) -> None:
    up = upspace.account("before", follower=5)
    up.change(name="after", follower=6, sign="hello")
    assert up.name == client.acc_info(up.mid).name == "after"
    assert client.card(up.mid).follower == 6
    up.change(sign=None)
    assert client.acc_info(up.mid).sign == ""
    up.delete()
    with pytest.raises(NotFoundError):
        client.acc_info(up.mid)
    with pytest.raises(ControlError, match="accounts/"):
        up.change(name="again")


def test_what_cannot_be_is_refused_with_the_reason_and_changes_nothing(upspace: Upspace) -> None:
    with pytest.raises(ControlError, match="unknown field `nmae`"):
        upspace.account(nmae="x")
    with pytest.raises(ControlError, match=r"level"):
        upspace.accounts(3, level=7)
    with pytest.raises(ControlError, match="unknown accounts: 99"):
        upspace.follow(upspace.account(), 99)
    with pytest.raises(BadRequestError, match="no name of an endpoint"):
        upspace.fail("acc", "risk")
    with pytest.raises(BadRequestError, match="'risky'"):
        upspace.fail("acc_info", "risky")
    assert upspace.account().record["counters"]["following"] == 0


def test_a_mid_is_given_once_and_one_that_an_account_has_is_refused(upspace: Upspace) -> None:
    first = upspace.account("first", mid=10_002)
    others = upspace.accounts(2)
    assert [other.mid for other in others] == [10_001, 10_003]
    with pytest.raises(ControlError, match="account 10002 is there already"):
        upspace.account("second", mid=first.mid)
    assert upspace.existing(10_002).name == "first"
    with pytest.raises(ControlError, match="accounts/99"):
        upspace.existing(99)


def test_more_than_a_request_can_carry_is_loaded_in_several(upspace: Upspace) -> None:
    made = upspace.accounts(60, sign="长" * 20_000)
    assert [account.mid for account in made] == list(range(10_001, 10_061))
    assert len(upspace.existing(10_060).record["sign"]) == 20_000


def test_relations_are_there_without_asking_the_rules(upspace: Upspace) -> None:
    one, other = upspace.accounts(2)
    upspace.block(other, one, mtime=5)
    with upspace.client(one) as client, pytest.raises(BlockedByTargetError):
        client.follow(other.mid)
    upspace.follow(one, other, mtime=1_600_000_000)
    with upspace.client(one) as client:
        assert client.relation(other.mid).mtime == 1_600_000_000


def test_a_group_has_the_members_it_was_given(upspace: Upspace) -> None:
    owner = upspace.account()
    members = upspace.add_followings(owner, 70)
    group = upspace.group(owner, "同学", members)
    with upspace.client(owner) as client:
        listed = [item.mid for pn in (1, 2) for item in client.group_members(group, pn=pn, ps=50)]
        assert listed == [member.mid for member in members]
        with pytest.raises(UnknownGroupError):
            client.copy_members([members[0].mid], [group + 1])


def test_a_fault_hits_as_often_as_it_should_and_tells_how_often_it_did(upspace: Upspace, client: Client) -> None:
    up, other = upspace.accounts(2)
    fault = upspace.fail("acc_info", "risk", times=2, target=up)
    client.acc_info(other.mid)
    for _ in range(2):
        with pytest.raises(RiskControlError):
            client.acc_info(up.mid)
    client.acc_info(up.mid)
    assert (fault.sent, fault.matched) == (2, 3)
    assert [asked.answered_by for asked in upspace.requests("acc_info", mid=up.mid)] == ["risk", "risk", None]
    with upspace.fail("*", "logged_out", viewer=up):
        with Client(upspace.url, token=up.token) as signed_in, pytest.raises(NotSignedInError):
            signed_in.myinfo()
        client.acc_info(up.mid)
    fault.remove()
    with pytest.raises(ControlError, match="faults/"):
        fault.remove()


def test_a_fault_in_a_with_ends_with_it_even_if_all_have_ended_before(upspace: Upspace, client: Client) -> None:
    with upspace.fail("card", "busy"):
        upspace.end_faults()
    first = upspace.fail("card", "busy")
    upspace.reset()
    second = upspace.fail("acc_info", "risk")
    with pytest.raises(ControlError, match="there is no fault"):
        first.remove()
    with pytest.raises(RiskControlError):
        client.acc_info(5)
    assert second.sent == 1


def test_a_slow_reply_is_the_normal_one_later(upspace: Upspace, client: Client) -> None:
    up = upspace.account("late")
    upspace.slow("acc_info", 0.2)
    began = time.monotonic()
    assert client.acc_info(up.mid).name == "late"
    assert time.monotonic() - began >= 0.2
    with Client(upspace.url, timeout_s=0.05, retries=0) as hasty, pytest.raises(httpx.ReadTimeout):
        hasty.acc_info(up.mid)
    upspace.end_faults()
    assert client.acc_info(up.mid).name == "late"


def test_the_clock_is_what_times_go_by(upspace: Upspace) -> None:
    one, other = upspace.accounts(2)
    upspace.clock.set(datetime(2025, 1, 1, tzinfo=UTC))
    with upspace.client(one) as client:
        client.follow(other.mid)
        upspace.clock.advance(timedelta(days=1))
        upspace.follow(other, one)
        assert client.relation(other.mid).mtime == int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
        assert client.followers(one.mid).items[0].mtime == int(datetime(2025, 1, 2, tzinfo=UTC).timestamp())
    assert upspace.clock.now == datetime(2025, 1, 2, tzinfo=UTC).timestamp()
    with pytest.raises(ValueError, match="zone"):
        upspace.clock.set(datetime(2025, 1, 1))  # what is refused


def test_the_clock_of_the_test_before_is_gone(upspace: Upspace) -> None:
    assert abs(upspace.clock.now - time.time()) < 60


def test_what_is_printed_of_requests_explains_a_near_miss(upspace: Upspace, client: Client) -> None:
    up = upspace.account()
    with pytest.raises(NotFoundError):
        client.acc_info(77)
    client.relation_stat(up.mid)
    with pytest.raises(AssertionError) as failed:
        upspace.assert_requested("acc_info", mid=up.mid)
    told = str(failed.value)
    assert f"0 of requests acc_info?mid={up.mid}" in told
    assert "GET /x/space/acc/info?mid=77 -> HTTP 200, code -404" in told
    assert f"GET /x/relation/stat?vmid={up.mid} -> HTTP 200, code 0" in told
    with pytest.raises(AssertionError, match=r"expected 2, got 1 of requests /x/relation/stat"):
        upspace.requests("/x/relation/stat").assert_count(2)
    with pytest.raises(AssertionError, match="0 of POST"):
        assert upspace.requests(method="POST").last
    assert upspace.requests("acc_info").last.parameters == {"mid": "77"}
    assert len(upspace.requests()) == 2
    upspace.forget_requests()
    assert not upspace.requests()


def test_a_path_that_no_request_can_have_is_refused_instead_of_counted(upspace: Upspace, client: Client) -> None:
    client.relation_stat(5)
    for path in ("acc_inof", "/x/relation/stat?vmid=5"):
        with pytest.raises(BadRequestError, match="no name of an endpoint"):
            upspace.requests(path)
        with pytest.raises(BadRequestError, match="no name of an endpoint"):
            upspace.fail(path, "busy")
    assert upspace.requests("/x/relation/*").count == upspace.requests("relation_stat").count == 1


def statuses(replies: BinaryIO) -> Iterator[bytes]:
    """The status lines of replies that follow each other."""
    return (line for line in replies if line.startswith(b"HTTP/1.1 ") or b"}HTTP/1.1 " in line)


def test_requests_that_are_not_known_any_more_are_not_counted_as_none(upspace: Upspace) -> None:
    host, port = upspace.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as program:
        # All on one connection without waiting, as far as buffers allow.
        sending = threading.Thread(
            target=program.sendall, args=(b"GET /x/relation/stat HTTP/1.1\r\nhost: localhost\r\n\r\n" * 10_001,)
        )
        sending.start()
        with program.makefile("rb") as replies:
            assert sum(1 for _ in zip(range(10_001), statuses(replies), strict=False)) == 10_001
        sending.join()
    with pytest.raises(ControlError, match="1 requests are not known any more"):
        upspace.requests("acc_info")
    upspace.forget_requests()
    assert upspace.requests().count == 0


def test_paths_that_are_not_there_are_told(upspace: Upspace) -> None:
    for _ in range(2):
        httpx.get(f"{upspace.url}/x/v2/reply?oid=1", trust_env=False)
    assert [(each.method, each.path, each.count) for each in upspace.unimplemented()] == [("GET", "/x/v2/reply", 2)]


def test_a_test_looks_at_the_world_unseen_and_unhurt(upspace: Upspace) -> None:
    viewer = upspace.account("viewer")
    upspace.fail("*", "reset")
    with upspace.client(viewer) as client:
        assert client.myinfo().name == "viewer"

    async def ask() -> str:
        async with upspace.async_client(viewer) as client:
            return (await client.myinfo()).name

    assert asyncio.run(ask()) == "viewer"
    assert upspace.requests().count == 0


def test_a_token_is_of_use_after_going_back_and_one_may_end(upspace: Upspace) -> None:
    viewer = upspace.account("viewer")
    upspace.snapshot("here")
    before = viewer.token
    upspace.restore("here")
    assert upspace.client(viewer).nav().uname == "viewer"
    assert viewer.token != before
    upspace.clock.set(1_700_000_000)
    short = viewer.issue_token(expires_s=60).token
    with Client(upspace.url, token=short) as program:
        assert program.nav().mid == viewer.mid
        upspace.clock.advance(60)
        with pytest.raises(NotSignedInError):
            program.nav()


def test_a_snapshot_brings_everything_back(upspace: Upspace, client: Client) -> None:
    up = upspace.account("first")
    upspace.clock.set(1_700_000_000)
    upspace.fail("card", "busy", times=3)
    upspace.snapshot("here")
    later = upspace.account("later")
    up.change(name="second")
    upspace.clock.advance(5)
    upspace.end_faults()
    assert client.acc_info(up.mid).name == "second"
    upspace.restore("here")
    assert client.acc_info(up.mid).name == "first"
    with pytest.raises(NotFoundError):
        client.acc_info(later.mid)
    assert upspace.clock.now == 1_700_000_000
    assert upspace.account().mid == later.mid
    assert httpx.get(f"{upspace.url}/x/web-interface/card?mid={up.mid}", trust_env=False).json()["code"] == -8888
    upspace.reset()
    with pytest.raises(NotFoundError):
        client.acc_info(up.mid)
    with pytest.raises(ControlError, match="snapshots/nowhere"):
        upspace.restore("nowhere")


def test_a_community_is_there_in_one_call(upspace: Upspace, client: Client) -> None:
    upspace.community(accounts=1_000, relations=5_000)
    assert client.acc_info(50995243).name == "岭南城北"
    assert client.relation_stat(5818410).follower == 1365298
    with pytest.raises(ControlError, match="holds"):
        upspace.community(seed=2, accounts=1_000, relations=5_000)


def test_recorded_replies_are_given_again(upspace: Upspace, client: Client, tmp_path: Path) -> None:
    up = upspace.account("stored")
    reply = '{"code":22115,"message":"用户已设置隐私，无法查看","ttl":1}'
    pairs = [
        Pair(method="GET", path="/x/space/acc/info", parameters={"mid": str(up.mid)}, status=200, text=text)
        for text in (reply, "not JSON")
    ]
    file = tmp_path / "recorded.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(pair) + b"\n" for pair in pairs))
    upspace.replay(file)
    for spoilt in ("{", '{"method": "GET"}'):
        (tmp_path / "spoilt.jsonl").write_text(f"\n{spoilt}\n")
        with pytest.raises(ControlError, match=r"spoilt\.jsonl:2: "):
            upspace.replay(tmp_path / "spoilt.jsonl")
    url = f"{upspace.url}/x/space/acc/info?mid={up.mid}&wts=1&w_rid=abc"
    assert [httpx.get(url, trust_env=False).text for _ in range(3)] == [reply, "not JSON", "not JSON"]
    assert client.card(up.mid).card.name == "stored"


def test_more_is_replayed_than_a_request_can_carry(upspace: Upspace, tmp_path: Path) -> None:
    pairs = [Pair(method="GET", path=f"/x/{number}", status=200, text="长" * 20_000) for number in range(60)]
    file = tmp_path / "recorded.jsonl"
    file.write_bytes(b"\n".join(map(msgspec.json.encode, pairs)))
    upspace.replay(str(file))
    assert len(httpx.get(f"{upspace.url}/x/59", trust_env=False).text) == 20_000


def test_it_serves_without_pytest_in_async_programs_too() -> None:
    async def run() -> tuple[str, str]:
        async with serving(profile="recent") as upspace:
            up = upspace.account("异步")
            async with httpx.AsyncClient(base_url=upspace.url, trust_env=False) as program:
                reply = await program.get("/x/space/acc/info", params={"mid": up.mid})
                lists = await program.get("/x/relation/followers", params={"vmid": up.mid})
            return reply.json()["data"]["name"], lists.json()["message"]

    assert asyncio.run(run()) == ("异步", "账号未登录")
