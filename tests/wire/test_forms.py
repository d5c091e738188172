"""Parameter forms: the table of the contract, section 3, row by row."""

from typing import Annotated, Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from upspace.wire import forms
from upspace.wire.errors import BadRequestError
from upspace.wire.forms import BOOL, MID, ORDER, ORDER_TYPE, PN, PS, TEXT, Cursor, Form, decoder, parse_query

FORMS: list[Form[Any]] = [value for value in vars(forms).values() if isinstance(value, Form)]


def shortly(value: object) -> str:
    """The id of a case: long texts are cut."""
    return repr(value)[:40]


MANY = 5000  # int() itself refuses texts of more than 4300 digits

NOT_AN_INTEGER = [
    "+1",
    " 1",
    "1 ",
    "1\n",
    "1.0",
    "1.",
    ".5",
    "1e3",
    "1E3",
    "0x10",
    "1_000",
    "1,000",
    "1,2",
    "-",
    "--1",
    "- 1",
    "1-",
    "abc",
    "nan",
    "null",
    "\x00",
    "１２",  # full-width digits
    "٣",  # an Arabic digit
    "²",  # str.isdigit() is true, int() refuses
    "①",
    "1\u0661",
    "\N{MINUS SIGN}1",
    "\ufffd",
    "x" * MANY,
    "9" * MANY + "x",
]


@pytest.mark.parametrize(
    ("text", "mid"),
    [
        ("1", 1),
        ("42", 42),
        ("9223372036854775807", 9223372036854775807),
        ("007", 7),
        ("0" * 19 + "7", 7),
        ("0" * MANY + "7", 7),
        ("0" * MANY + "9223372036854775807", 9223372036854775807),
    ],
    ids=shortly,
)
def test_a_mid_is_decimal_digits_up_to_the_largest(text: str, mid: int) -> None:
    assert MID.read(text) == mid


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0",
        "000",
        "0" * MANY,
        "-1",
        "-0",
        "9223372036854775808",
        "9999999999999999999",
        "10000000000000000000",
        "18446744073709551617",
        "0" * MANY + "9223372036854775808",
        "9" * 4300,
        "9" * MANY,
        *NOT_AN_INTEGER,
    ],
    ids=shortly,
)
def test_a_mid_that_is_absent_zero_signed_or_too_large_is_refused(text: str | None) -> None:
    with pytest.raises(BadRequestError):
        MID.read(text)


@pytest.mark.parametrize(
    ("text", "pn"),
    [
        (None, 1),
        ("", 1),
        ("0", 1),
        ("-0", 1),
        ("-1", 1),
        ("-9223372036854775809", 1),
        ("-" + "9" * MANY, 1),
        ("1", 1),
        ("2", 2),
        ("0002", 2),
        ("0" * MANY + "2", 2),
        ("1000000000", 1000000000),
    ],
    ids=shortly,
)
def test_pn_is_a_page_number_and_1_where_none_is_meant(text: str | None, pn: int) -> None:
    assert PN.read(text) == pn


@pytest.mark.parametrize("text", ["1000000001", "9223372036854775808", "9" * MANY, *NOT_AN_INTEGER], ids=shortly)
def test_pn_above_its_bound_or_not_an_integer_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        PN.read(text)


@pytest.mark.parametrize(
    ("text", "ps"),
    [
        (None, None),
        ("", None),
        ("0", None),
        ("-0", None),
        ("-20", None),
        ("-" + "9" * MANY, None),
        ("1", 1),
        ("020", 20),
        ("50", 50),
        ("51", 50),
        ("100", 50),
        ("9223372036854775808", 50),
        ("9" * MANY, 50),
    ],
    ids=shortly,
)
def test_ps_is_lowered_to_the_maximum_and_left_to_the_default_below_1(text: str | None, ps: int | None) -> None:
    assert PS.read(text) == ps


@pytest.mark.parametrize("text", NOT_AN_INTEGER, ids=shortly)
def test_ps_that_is_not_an_integer_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        PS.read(text)


@pytest.mark.parametrize("text", ["1", "t", "T", "true", "True", "TRUE"], ids=shortly)
def test_a_bool_is_true_in_six_spellings(text: str) -> None:
    assert BOOL.read(text) is True


@pytest.mark.parametrize("text", [None, "", "0", "f", "F", "false", "False", "FALSE"], ids=shortly)
def test_a_bool_is_false_when_absent_empty_or_in_six_spellings(text: str | None) -> None:
    assert BOOL.read(text) is False


@pytest.mark.parametrize(
    "text", ["2", "-1", "tRUE", "fALSE", "yes", "no", "on", " 1", "1 ", "00", "01", "１", "null"], ids=shortly
)
def test_a_bool_in_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        BOOL.read(text)


@pytest.mark.parametrize("text", [None, "", "desc", "ASC", "Asc", " asc", "ascending", "1", "x" * MANY], ids=shortly)
def test_every_order_but_asc_is_descending(text: str | None) -> None:
    assert ORDER.read(text) is False


def test_order_asc_is_ascending() -> None:
    assert ORDER.read("asc") is True


@pytest.mark.parametrize("text", [None, "", "Attention", " attention", "special", "1", "x" * MANY], ids=shortly)
def test_every_order_type_but_attention_puts_nobody_first(text: str | None) -> None:
    assert ORDER_TYPE.read(text) is False


def test_order_type_attention_puts_special_accounts_first() -> None:
    assert ORDER_TYPE.read("attention") is True


def test_a_free_text_is_empty_when_absent() -> None:
    assert (TEXT.read(None), TEXT.read(""), TEXT.read(" 名 ")) == ("", "", " 名 ")


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        (None, None),
        ("", None),
        ("1700000000:42", Cursor(1700000000, 42)),
        ("0:1", Cursor(0, 1)),
        ("01:02", Cursor(1, 2)),
        ("9223372036854775807:9223372036854775807", Cursor(9223372036854775807, 9223372036854775807)),
    ],
    ids=shortly,
)
def test_an_offset_is_the_mtime_and_mid_of_an_element(text: str | None, cursor: Cursor | None) -> None:
    assert forms.CURSOR.read(text) == cursor


def test_an_offset_beyond_every_mtime_stays_within_64_bits() -> None:
    assert forms.CURSOR.read("9" * MANY + ":1") == Cursor(9223372036854775807, 1)


@pytest.mark.parametrize(
    "text",
    [
        ":",
        "1",
        "1:",
        ":1",
        "1:0",
        "-1:1",
        "1:-1",
        "1:2:3",
        "1;2",
        "1,2",
        " 1:2",
        "1:2 ",
        "1.0:2",
        "a:b",
        "１:2",
        "1:２",
        "²:2",
        "1:9223372036854775808",
        "1:" + "9" * MANY,
    ],
    ids=shortly,
)
def test_an_offset_of_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        forms.CURSOR.read(text)


def test_only_a_form_that_refuses_absence_is_marked_required() -> None:
    def refuses_absence(form: Form[Any]) -> bool:
        try:
            form.read(None)
        except BadRequestError:
            return True
        return False

    assert [form.name for form in FORMS if form.required] == [form.name for form in FORMS if refuses_absence(form)]
    assert MID in FORMS


@settings(deadline=None)
@given(
    st.one_of(
        st.none(),
        st.text(),
        st.text("0123456789-+:,. \u0663²", max_size=30),
        st.integers().map(str),
        st.integers(1, MANY).map("9".__mul__),
        st.tuples(st.integers().map(str), st.integers().map(str)).map(":".join),
    )
)
def test_no_text_makes_a_form_raise_anything_but_a_bad_request(text: str | None) -> None:
    for form in FORMS:
        try:
            form.read(text)
        except BadRequestError as error:
            assert len(str(error)) < 500, "a refusal quotes a part of what was sent, never all of it"  # noqa: PT017  # more is asked than its kind


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", {}),
        ("mid=1", {"mid": "1"}),
        ("mid=1&mid=2", {"mid": "1"}),
        ("pn=&pn=2", {"pn": ""}),
        ("pn&pn=2", {"pn": ""}),
        ("mid=%31%32", {"mid": "12"}),
        ("m%69d=1", {"mid": "1"}),
        ("mid=1&m%69d=2", {"mid": "1"}),
        ("mid=+1", {"mid": " 1"}),
        ("mid=%2B1", {"mid": "+1"}),
        ("a=b=c&&=x&d", {"a": "b=c", "d": ""}),
        ("a=%3D%26&b=2", {"a": "=&", "b": "2"}),
        ("name=%E5%90%8D", {"name": "名"}),
        ("mid=1%FF", {"mid": "1\ufffd"}),
        ("a=%&b=%4&c=%zz", {"a": "%", "b": "%4", "c": "%zz"}),
        ("a=1;b=2", {"a": "1;b=2"}),
    ],
    ids=shortly,
)
def test_a_query_is_read_with_escapes_and_the_first_of_a_name_counts(query: str, values: dict[str, str]) -> None:
    assert parse_query(query) == values


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "&", "&", "=", "=", "+", "%", "%61", "%3D", "%C3%A9", "%ff", ";", "é", "1"]))
)
def test_a_query_is_read_as_the_standard_library_reads_it_but_for_names_given_twice(parts: list[str]) -> None:
    query = "".join(parts)
    expected: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name:
            expected.setdefault(name, value)
    assert parse_query(query) == expected


class Parameters(Struct, frozen=True):
    mid: Annotated[int, MID]
    pn: Annotated[int, PN]
    photo: Annotated[bool, BOOL]


def test_a_decoder_reads_each_field_with_its_form_and_ignores_what_it_does_not_know() -> None:
    decode = decoder(Parameters)
    assert decode(parse_query("photo=t&w_rid=x&mid=7&jsonp=jsonp")) == Parameters(mid=7, pn=1, photo=True)


@pytest.mark.parametrize("query", ["", "mid=", "mid=+1", "mid=%2B1", "mid=1%20", "mid=1%00", "mid=1%FF", "mid=&mid=1"])
def test_a_decoder_refuses_what_a_form_refuses_after_unescaping(query: str) -> None:
    with pytest.raises(BadRequestError):
        decoder(Parameters)(parse_query(query))


def test_a_parameter_field_without_a_form_is_an_error_of_the_programmer() -> None:
    class Formless(Struct):
        mid: int

    with pytest.raises(TypeError, match="needs a Form"):
        decoder(Formless)
