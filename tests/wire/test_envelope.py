"""The envelope and its JSONP form: contract, 2.4 to 2.7."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from upspace.wire import envelope
from upspace.wire.errors import TABLE, BadRequestError, NotSignedInError

UNSAFE = "<>&\u2028\u2029"


class Payload(Struct):
    text: str = ""
    more: Any = None


PAYLOADS = st.builds(
    Payload,
    text=st.text() | st.text(UNSAFE + "\\\"'/u003c名"),
    more=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.text(UNSAFE),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.text(UNSAFE), inner),
        max_leaves=8,
    ),
)


def test_a_success_is_compact_with_its_keys_in_order() -> None:
    body = envelope.success(Payload("名 <&>", [1, {"a": None}]))
    assert body.decode() == '{"code":0,"message":"0","ttl":1,"data":{"text":"名 <&>","more":[1,{"a":null}]}}'


def test_a_success_takes_json_that_is_encoded_already() -> None:
    assert envelope.success(b'{"list":[]}') == b'{"code":0,"message":"0","ttl":1,"data":{"list":[]}}'


def test_a_success_may_say_something_else_than_0() -> None:
    body = envelope.answer(0, "ok", Payload("x"))
    assert body == b'{"code":0,"message":"ok","ttl":1,"data":{"text":"x","more":null}}'


@pytest.mark.parametrize("code", TABLE)
def test_a_refusal_has_its_code_and_unescaped_message_and_no_data(code: int) -> None:
    error = TABLE[code]
    expected = f'{{"code":{code},"message":"{error.message}","ttl":1}}'.encode()
    assert envelope.failure(error) == expected
    assert envelope.failure(error("a reason for people, never sent")) == expected


def test_a_refusal_carries_data_where_it_was_given_some() -> None:
    body = envelope.failure(NotSignedInError(data=Payload("x")))
    assert body.decode() == '{"code":-101,"message":"账号未登录","ttl":1,"data":{"text":"x","more":null}}'


@settings(deadline=None)
@given(PAYLOADS)
def test_an_envelope_reads_back_as_what_was_put_in(payload: Payload) -> None:
    read = json.loads(envelope.success(payload))
    assert list(read) == ["code", "message", "ttl", "data"]
    assert read == {"code": 0, "message": "0", "ttl": 1, "data": {"text": payload.text, "more": payload.more}}


@settings(deadline=None)
@given(PAYLOADS)
def test_jsonp_is_a_call_with_an_equal_value_and_nothing_a_script_could_trip_over(payload: Payload) -> None:
    plain = envelope.success(payload)
    body = envelope.jsonp("$cb.done_1", plain).decode()
    assert body.startswith("$cb.done_1(")
    assert body.endswith(")")
    assert json.loads(body.removeprefix("$cb.done_1(")[:-1]) == json.loads(plain)
    assert not set(UNSAFE) & set(body)


def test_jsonp_wraps_a_refusal_like_a_success() -> None:
    assert envelope.jsonp("cb", envelope.failure(BadRequestError)).decode() == (
        'cb({"code":-400,"message":"请求错误","ttl":1})'
    )


def test_jsonp_leaves_an_escape_that_was_there_alone() -> None:
    body = envelope.jsonp("cb", envelope.success(Payload("\\u003c<")))
    assert b'"text":"\\\\u003c\\u003c"' in body


@pytest.mark.parametrize(
    "name", ["a", "Z", "_", "$", "a9", "jQuery1_2.done", "$.$", "a..b", "a.", "x" * 64, "callback", "__jp0"]
)
def test_a_callback_is_a_dotted_name_of_up_to_64_characters(name: str) -> None:
    assert envelope.is_callback(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        "9a",
        ".a",
        "a\n",
        "\na",
        "x" * 64 + "\n",
        "a b",
        " a",
        "a-b",
        "a(b",
        "a)",
        "a;b",
        "a[0]",
        "a'",
        "a<b",
        "é",
        "aé",
        "名",
        "a\u0661",
        "ａ",
        "a\u2028",
        "a\x00",
    ],
)
def test_any_other_callback_is_refused(name: str) -> None:
    assert not envelope.is_callback(name)


@settings(deadline=None)
@given(st.text() | st.text("aZ_$.9\n", max_size=70))
def test_a_callback_is_accepted_only_when_it_is_ascii_of_the_grammar(name: str) -> None:
    letters = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$")
    later = letters | set("0123456789.")
    assert envelope.is_callback(name) == (1 <= len(name) <= 64 and name[0] in letters and set(name) <= later)


def test_the_media_types_are_those_of_the_contract() -> None:
    assert envelope.JSON_TYPE == "application/json; charset=utf-8"
    assert envelope.JAVASCRIPT_TYPE == "application/javascript; charset=utf-8"
