"""The methods of both clients against the endpoint table: all of its rows, with their paths, parameters and types."""

import inspect
from types import NoneType
from typing import Any, get_args

import pytest
from client_forms import FORMS
from client_samples import CALLS, ROWS

from upspace.client import AsyncClient, AsyncWalk, Call, Client, Pages, Walk, calls, walks
from upspace.client.endpoints import Endpoint, Endpoints, Walking
from upspace.wire import codes
from upspace.wire.accounts import Empty
from upspace.wire.relations import RelationItem

CLIENTS = dict(zip(FORMS, (Client, AsyncClient), strict=True))
METHODS = [name for name, value in vars(Endpoints).items() if isinstance(value, Endpoint)]
WALKS = [name for name, value in vars(Endpoints).items() if isinstance(value, Walking)]
ACTS = {
    "follow": codes.ACT_FOLLOW,
    "unfollow": codes.ACT_UNFOLLOW,
    "whisper": codes.ACT_WHISPER,
    "unwhisper": codes.ACT_UNWHISPER,
    "block": codes.ACT_BLOCK,
    "unblock": codes.ACT_UNBLOCK,
    "remove_follower": codes.ACT_REMOVE_FOLLOWER,
}
# What a list is walked by is chosen by the walk.
OF_WALKS = {"pn", "offset"}


def type_of_reply(name: str) -> Any:
    (content,) = get_args(inspect.signature(getattr(calls, name)).return_annotation)
    return content


def test_there_is_a_method_for_each_endpoint_and_each_act_and_no_other() -> None:
    assert set(METHODS) == {*ROWS, *ACTS}
    assert set(CALLS) == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_call_is_the_row_of_its_endpoint(name: str) -> None:
    call, row = CALLS[name], ROWS[name]
    assert (call.method, call.path, call.write) == (row.method, row.paths[0], row.write)
    # Every parameter can be given. A cursor makes the number of a page irrelevant.
    unsent = {"pn"} if name == "fans" else set()
    assert set(call.parameters) == set(row.parameters.__struct_fields__) - unsent


@pytest.mark.parametrize("name", ROWS)
def test_a_reply_has_the_type_of_its_row(name: str) -> None:
    replies = row.replies if (row := ROWS[name]).replies else (NoneType,)
    if name == "upstat":
        assert set(get_args(type_of_reply(name))) == {NoneType, *replies} - {Empty}
    else:
        assert (type_of_reply(name),) == replies


def test_parameters_are_sent_in_their_forms() -> None:
    assert CALLS["card"].parameters == {"mid": "7", "photo": "1"}
    assert CALLS["move_members"].parameters == {"beforeTagids": "9", "afterTagids": "-10", "fids": "7,8"}
    assert calls.followers(7).parameters == {"vmid": "7", "pn": "1", "order": "desc"}
    assert calls.fans(7, pn=3).parameters == {"vmid": "7", "pn": "3"}
    assert calls.friends().parameters == calls.special().parameters == {}
    assert calls.card(7).parameters == {"mid": "7"}
    assert calls.acc_info(2**63 - 1).parameters == {"mid": str(2**63 - 1)}
    assert calls.ex_climb_wuzhi().json == b"{}"
    assert calls.relations([]).parameters == {"fids": ""}


@pytest.mark.parametrize("name", ACTS)
def test_an_act_is_modify_with_its_number(name: str) -> None:
    assert getattr(calls, name)(7, re_src=3).parameters == {"fid": "7", "act": str(ACTS[name]), "re_src": "3"}
    assert getattr(calls, name)(7).parameters == {"fid": "7", "act": str(ACTS[name])}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_tells_people_and_tools_what_it_takes(name: str, form: str) -> None:
    method, function = getattr(CLIENTS[form]("http://127.0.0.1:9"), name), getattr(calls, name)
    assert (method.__name__, method.__doc__) == (name, function.__doc__)
    assert method.__doc__
    told, written = inspect.signature(method), inspect.signature(function)
    assert told.parameters == written.parameters
    assert told.return_annotation == (None if type_of_reply(name) is NoneType else type_of_reply(name))


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_takes_what_its_list_takes_but_for_the_place(name: str) -> None:
    of_list = inspect.signature(getattr(calls, name.removeprefix("walk_"))).parameters
    of_walk = inspect.signature(getattr(walks, name)).parameters
    assert set(of_walk) == set(of_list) - OF_WALKS
    assert inspect.signature(getattr(Client("http://127.0.0.1:9"), name)).parameters == of_walk


@pytest.mark.parametrize(
    ("pages", "call"),
    [
        (walks.walk_followers(7, order="asc"), calls.followers(7, ps=50, order="asc")),
        (
            walks.walk_followings(7, ps=9, order="asc", order_type="attention"),
            calls.followings(7, ps=9, order="asc", order_type="attention"),
        ),
        (walks.walk_fans(7, ps=9), calls.fans(7, ps=9)),
        (walks.walk_search_followings(7, "a", ps=9), calls.search_followings(7, "a", ps=9)),
        (walks.walk_same_followings(7, ps=9), calls.same_followings(7, ps=9)),
        (walks.walk_whispers(ps=9), calls.whispers(ps=9)),
        (walks.walk_blacks(ps=9), calls.blacks(ps=9)),
        (
            walks.walk_group_members(-10, ps=9, order_type="attention"),
            calls.group_members(-10, ps=9, order_type="attention"),
        ),
    ],
    ids=WALKS,
)
def test_a_walk_asks_for_its_first_page_as_it_was_told(pages: Pages[Any], call: Call[Any]) -> None:
    first = pages.next_call()
    assert first is not None
    assert (first.path, first.parameters) == (call.path, call.parameters)


def test_a_call_of_which_something_else_is_made_sends_the_same() -> None:
    for call in CALLS.values():
        changed = call.then(str)
        for name in ("method", "path", "parameters", "write", "json"):
            assert getattr(changed, name) == getattr(call, name)


def test_there_is_a_walk_for_each_list_that_comes_in_pages_only() -> None:
    def has_pages(name: str) -> bool:
        pn = inspect.signature(getattr(calls, name)).parameters.get("pn")
        # Lists that come whole without it need no walk.
        return pn is not None and pn.default is not None

    assert {name.removeprefix("walk_") for name in WALKS} == {name for name in METHODS if has_pages(name)}


def test_the_kind_of_a_walk_is_that_of_its_client() -> None:
    told = [inspect.signature(kind("http://127.0.0.1:9").walk_fans).return_annotation for kind in CLIENTS.values()]
    assert told == [Walk[RelationItem], AsyncWalk[RelationItem]]


def test_on_the_class_a_method_makes_the_call() -> None:
    made = Client.followers(7, pn=2)
    assert isinstance(made, Call)
    assert made.parameters == AsyncClient.followers(7, pn=2).parameters == calls.followers(7, pn=2).parameters
    assert AsyncClient.walk_fans(7).next_call() is not None
