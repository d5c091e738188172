"""The examples of docs/client.md, as a program would have them. Tests run them, and check their types."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import assert_type

from upspace.client import (
    AsyncClient,
    AsyncWalk,
    Call,
    Client,
    Cut,
    Session,
    UnknownCodeError,
    UnreadableReplyError,
    Walk,
)
from upspace.wire.accounts import Card
from upspace.wire.errors import AlreadyRelatedError, ContractError, FollowersHiddenError, NotFoundError
from upspace.wire.groups import GroupItem
from upspace.wire.relations import RelationItem, RelationList, RelationStat


def show(url: str, mid: int) -> str:
    """An account and its newest followers."""
    with Client(url) as client:
        card = client.card(mid)
        newest = client.followers(mid, ps=3)
    names = ", ".join(follower.uname for follower in newest.items)
    return f"{card.card.name} has {card.follower} followers, the newest: {names}"


def follow(url: str, token: str, mid: int, group: str) -> None:
    """Follow an account and put it into a new group."""
    with Client(url, token=token) as client:
        with suppress(AlreadyRelatedError):
            client.follow(mid)
        tagid = client.create_group(group).tagid
        client.copy_members([mid], [tagid])


def unfollow_like_a_browser(url: str, session: Session, mid: int) -> None:
    """Unfollow an account as a browser does it."""
    with Client(url, session=session) as client:
        client.unfollow(mid)


async def follower_counts(url: str, mids: Iterable[int]) -> dict[int, int]:
    """How many follow each account, asked all at once."""
    async with AsyncClient(url) as client:
        stats = await asyncio.gather(*(client.relation_stat(mid) for mid in mids))
    return {stat.mid: stat.follower for stat in stats}


def all_followers(url: str, mid: int) -> tuple[list[int], str]:
    """All followers that the server lists, and whether these are all there are."""
    with Client(url) as client:
        walk = client.walk_followers(mid)
        mids = [follower.mid for follower in walk]
    if walk.cut is Cut.PAGE_CAP:
        return mids, f"{len(mids)} of {walk.total}: no further pages"
    if walk.cut is not None:
        return mids, f"{len(mids)} of {walk.total}: {walk.cut}"
    return mids, "all"


async def first_fans(url: str, mid: int, most: int) -> list[int]:
    """The newest fans, page by page until there are enough."""
    mids: list[int] = []
    async with AsyncClient(url) as client:
        async for fan in client.walk_fans(mid):
            mids.append(fan.mid)
            if len(mids) == most:
                break
    return mids


def what_happens(client: Client, mid: int) -> str:
    """One call, and the ways in which it can end."""
    try:
        followers = client.followers(mid)
    except FollowersHiddenError:
        return "the account hides its followers"
    except ContractError as error:
        return f"refused: {type(error).__name__}, code {error.code}, HTTP {error.status}"
    except UnknownCodeError as error:
        return f"refused: code {error.code}, which the contract does not have"
    except UnreadableReplyError as error:
        return f"not a reply of the contract: {error.reason}"
    return f"{len(followers.items)} of {followers.total}"


def exists(client: Client, mid: int) -> bool:
    """Whether the server knows an account."""
    try:
        client.acc_info(mid)
    except NotFoundError:
        return False
    return True


async def types(client: Client, asynchronous: AsyncClient) -> None:
    """What a type checker makes of it."""
    assert_type(client.card(7), Card)
    assert_type(await asynchronous.card(7), Card)
    assert_type(client.relation_stat(7), RelationStat)
    assert_type(client.group_members(-10, pn=2), list[GroupItem])
    assert_type(await asynchronous.group_members(-10, pn=2), list[GroupItem])
    assert_type(client.walk_fans(7), Walk[RelationItem])
    assert_type(asynchronous.walk_fans(7), AsyncWalk[RelationItem])
    assert_type(Client.followers(7), Call[RelationList])
    assert_type(client.send(AsyncClient.followers(7)), RelationList)
