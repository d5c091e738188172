"""The methods of both clients, listed once: on a `Client` they are plain, on an `AsyncClient` coroutines."""

import inspect
from collections.abc import Callable, Coroutine
from functools import cache
from types import NoneType
from typing import Any, Generic, ParamSpec, TypeVar, get_args, overload

from upspace.client import calls, walks
from upspace.client.paging import Pages
from upspace.client.requests import Call
from upspace.client.walks import AsyncSender, AsyncWalk, Sender, Walk

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")


class Endpoint(Generic[P, T]):
    """A method that sends a call. On the class itself it is the function that makes the call."""

    def __init__(self, call: Callable[P, Call[T]]) -> None:
        self._call = call

    @overload
    def __get__(self, client: None, owner: type) -> Callable[P, Call[T]]: ...
    @overload
    def __get__(self, client: Sender, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: type) -> Callable[P, Any]:
        return self._call if client is None else _bound(self._call, client.send)


class Walking(Generic[P, Item]):
    """A method that walks a list. On the class itself it is the function that gives the list's pages."""

    def __init__(self, pages: Callable[P, Pages[Item]]) -> None:
        self._pages = pages

    @overload
    def __get__(self, client: None, owner: type) -> Callable[P, Pages[Item]]: ...
    @overload
    def __get__(self, client: Sender, owner: type) -> Callable[P, Walk[Item]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[P, AsyncWalk[Item]]: ...
    def __get__(self, client: Any, owner: type) -> Callable[P, Any]:
        return self._pages if client is None else _bound(self._pages, client.walk)


class Endpoints:
    """Every endpoint of the contract and every list that can be walked.

    The functions of `upspace.client.calls` and `upspace.client.walks` say what each takes, gives and raises.
    """

    acc_info = Endpoint(calls.acc_info)
    card = Endpoint(calls.card)
    upstat = Endpoint(calls.upstat)
    relation_stat = Endpoint(calls.relation_stat)
    followers = Endpoint(calls.followers)
    followings = Endpoint(calls.followings)
    fans = Endpoint(calls.fans)
    nav = Endpoint(calls.nav)
    myinfo = Endpoint(calls.myinfo)
    finger_spi = Endpoint(calls.finger_spi)
    ex_climb_wuzhi = Endpoint(calls.ex_climb_wuzhi)
    relation = Endpoint(calls.relation)
    relations = Endpoint(calls.relations)
    acc_relation = Endpoint(calls.acc_relation)
    search_followings = Endpoint(calls.search_followings)
    same_followings = Endpoint(calls.same_followings)
    whispers = Endpoint(calls.whispers)
    friends = Endpoint(calls.friends)
    blacks = Endpoint(calls.blacks)
    modify = Endpoint(calls.modify)
    follow = Endpoint(calls.follow)
    unfollow = Endpoint(calls.unfollow)
    whisper = Endpoint(calls.whisper)
    unwhisper = Endpoint(calls.unwhisper)
    block = Endpoint(calls.block)
    unblock = Endpoint(calls.unblock)
    remove_follower = Endpoint(calls.remove_follower)
    batch_modify = Endpoint(calls.batch_modify)
    groups = Endpoint(calls.groups)
    group_members = Endpoint(calls.group_members)
    groups_of = Endpoint(calls.groups_of)
    special = Endpoint(calls.special)
    create_group = Endpoint(calls.create_group)
    rename_group = Endpoint(calls.rename_group)
    delete_group = Endpoint(calls.delete_group)
    set_members = Endpoint(calls.set_members)
    copy_members = Endpoint(calls.copy_members)
    move_members = Endpoint(calls.move_members)

    walk_followers = Walking(walks.walk_followers)
    walk_followings = Walking(walks.walk_followings)
    walk_fans = Walking(walks.walk_fans)
    walk_search_followings = Walking(walks.walk_search_followings)
    walk_same_followings = Walking(walks.walk_same_followings)
    walk_whispers = Walking(walks.walk_whispers)
    walk_blacks = Walking(walks.walk_blacks)
    walk_group_members = Walking(walks.walk_group_members)


def _bound(make: Callable[P, Any], use: Callable[[Any], Any]) -> Callable[P, Any]:
    """A function that hands what `make` makes to `use`, and looks to people and tools as if it had been written out."""

    def method(*args: P.args, **kwargs: P.kwargs) -> Any:
        return use(make(*args, **kwargs))

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(method, name, getattr(make, name))
    vars(method)["__signature__"] = _signature(make, use.__annotations__["return"])
    return method


@cache
def _signature(make: Callable[..., Any], returns: Any) -> inspect.Signature:
    """The parameters of `make`; `returns` is generic in what `make` is generic in."""
    made = inspect.signature(make)
    (content,) = get_args(made.return_annotation)
    if isinstance(returns, TypeVar):
        return made.replace(return_annotation=None if content is NoneType else content)
    return made.replace(return_annotation=returns[content])
