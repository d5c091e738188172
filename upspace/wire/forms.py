"""Parameter forms (contract, section 3): a query string into typed values, or BadRequestError.

A *form* turns the text of one parameter into a value. Parameters that an endpoint takes are the fields of a
Struct, each annotated with a `Form`; `decoder` compiles such a Struct into a function.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import unquote_plus

from msgspec import Struct

from upspace.wire.codes import (
    ACT_FOLLOW,
    ACT_REMOVE_FOLLOWER,
    BATCH_ACTS,
    MID_MAX,
    ORDER_SPECIAL_FIRST,
    PN_MAX,
    PS_MAX,
    RE_SRC_MAX,
)
from upspace.wire.errors import BadRequestError
from upspace.wire.profiles import Quotas

T = TypeVar("T")
P = TypeVar("P", bound=Struct)

_DEFAULT_QUOTAS = Quotas()

# More digits than any bound of the contract has. Longer texts are never handed to int(), which takes
# quadratic time and refuses beyond 4300 digits.
_DIGITS_MAX = 19
_BEYOND_EVERY_BOUND = 10**_DIGITS_MAX


class Form(Struct, Generic[T], frozen=True):
    """How one parameter is read, and how the OpenAPI document describes it.

    `read` gets the text as sent, None when the parameter is absent, and raises BadRequestError. `limit` names the
    setting in `Quotas` that says how many values a list may have.
    """

    name: str
    read: Callable[[str | None], T]
    schema: dict[str, Any]
    required: bool = False
    limit: str = ""


def parse_query(text: str) -> dict[str, str]:
    """The parameters of a query string or an urlencoded body; of a name given twice, the first counts.

    Bytes that are not UTF-8 become U+FFFD, which no form but the free texts accepts. Contract: 2.2.
    """
    values: dict[str, str] = {}
    if not text:
        return values
    escaped = "%" in text or "+" in text
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if escaped:
            name, value = unquote_plus(name), unquote_plus(value)
        if name and name not in values:
            values[name] = value
    return values


def _integer(text: str) -> int:
    """Any decimal integer with an optional `-`; those beyond every bound are clamped just outside it."""
    negative = text[0] == "-"
    digits = text[1:] if negative else text
    if not (digits.isascii() and digits.isdigit()):
        raise BadRequestError(f"not an integer: {text[:40]!r}")
    if len(digits) > _DIGITS_MAX:
        digits = digits.lstrip("0") or "0"
    value = int(digits) if len(digits) <= _DIGITS_MAX else _BEYOND_EVERY_BOUND
    return -value if negative else value


def read_mid(text: str | None) -> int:
    """Contract form `mid`: decimal digits, 1 to 2^63 - 1."""
    if text and text.isascii() and text.isdigit():
        value = int(text) if len(text) <= _DIGITS_MAX else _integer(text)
        if 1 <= value <= MID_MAX:
            return value
    raise BadRequestError(f"not a mid: {text and text[:40]!r}")


def read_pn(text: str | None) -> int:
    """Contract form `pn`: 1 when absent, empty or below 1; refused above 10^9."""
    if not text:
        return 1
    value = _integer(text)
    if value > PN_MAX:
        raise BadRequestError("pn is out of range")
    return max(value, 1)


def read_ps(text: str | None) -> int | None:
    """Contract form `ps`: None where the endpoint's default counts; lowered to the maximum."""
    if not text:
        return None
    value = _integer(text)
    return min(value, PS_MAX) if value >= 1 else None


def read_optional_pn(text: str | None) -> int | None:
    """Form `pn` where absence has a meaning of its own."""
    return read_pn(text) if text else None


def read_mids(text: str | None) -> tuple[int, ...]:
    """Contract form `mids`: duplicates collapse onto the first."""
    if not text:
        raise BadRequestError("no mids")
    return tuple(dict.fromkeys(map(read_mid, text.split(","))))


def _bounded(text: str | None, low: int, high: int) -> int:
    value = _integer(text) if text else None
    if value is None or not low <= value <= high:
        raise BadRequestError(f"not an integer from {low} to {high}: {text and text[:40]!r}")
    return value


def read_act(text: str | None) -> int:
    """The acts of contract 8.1."""
    return _bounded(text, ACT_FOLLOW, ACT_REMOVE_FOLLOWER)


def read_batch_act(text: str | None) -> int:
    """The two acts of contract 8.2: follow and block."""
    act = read_act(text)
    if act not in BATCH_ACTS:
        raise BadRequestError(f"not an act for a batch: {act}")
    return act


def read_re_src(text: str | None) -> int:
    """Where an act was made; 0 when absent or empty."""
    return _bounded(text, 0, RE_SRC_MAX) if text else 0


def read_group_id(text: str | None) -> int:
    """The id of a group, built-in ones included. No group has an id near the bounds that it is kept within."""
    if not text:
        raise BadRequestError("a group id is missing")
    return min(max(_integer(text), -MID_MAX), MID_MAX)


def read_group_ids(text: str | None) -> tuple[int, ...]:
    """Ids of groups joined by commas; duplicates collapse onto the first."""
    return tuple(dict.fromkeys(map(read_group_id, (text or "").split(","))))


def read_required_text(text: str | None) -> str:
    """A free text that must be there."""
    if not text:
        raise BadRequestError("a text is missing")
    return text


_TRUE = frozenset(("1", "t", "T", "true", "True", "TRUE"))
_FALSE = frozenset(("", "0", "f", "F", "false", "False", "FALSE"))


def read_bool(text: str | None) -> bool:
    """Contract form `bool`."""
    if text is None or text in _FALSE:
        return False
    if text in _TRUE:
        return True
    raise BadRequestError(f"not a bool: {text[:40]!r}")


def read_ascending(text: str | None) -> bool:
    """Contract form `order`: whether it is `asc`; every other value counts as `desc`."""
    return text == "asc"


def read_special_first(text: str | None) -> bool:
    """Contract form `order_type`: whether it is `attention`; every other value counts as absent."""
    return text == ORDER_SPECIAL_FIRST


def read_text(text: str | None) -> str:
    """A free text, empty when absent."""
    return text or ""


class Cursor(Struct, frozen=True):
    """The last element of an earlier page: its `mtime` and `mid`. Contract: 9."""

    mtime: int
    mid: int


def read_cursor(text: str | None) -> Cursor | None:
    """The `offset` of fans, `<mtime>:<mid>`; None when absent or empty."""
    if not text:
        return None
    mtime, colon, mid = text.partition(":")
    if not (colon and mtime.isascii() and mtime.isdigit()):
        raise BadRequestError(f"not an offset: {text[:40]!r}")
    return Cursor(min(_integer(mtime), MID_MAX), read_mid(mid))


MID = Form("mid", read_mid, {"type": "integer", "format": "int64", "minimum": 1, "maximum": MID_MAX}, required=True)
PN = Form("pn", read_pn, {"type": "integer", "maximum": PN_MAX, "default": 1})
PS = Form("ps", read_ps, {"type": "integer", "description": f"at most {PS_MAX}; a larger value acts as {PS_MAX}"})
BOOL = Form("bool", read_bool, {"type": "string", "enum": sorted(_TRUE | _FALSE), "default": "0"})
ORDER_TYPE = Form("order_type", read_special_first, {"type": "string", "examples": [ORDER_SPECIAL_FIRST]})
ORDER = Form("order", read_ascending, {"type": "string", "default": "desc", "examples": ["desc", "asc"]})
OPTIONAL_PN = Form("pn", read_optional_pn, {"type": "integer", "maximum": PN_MAX})
REQUIRED_TEXT = Form("required str", read_required_text, {"type": "string", "minLength": 1}, required=True)
ACT = Form("act", read_act, {"type": "integer", "minimum": ACT_FOLLOW, "maximum": ACT_REMOVE_FOLLOWER}, required=True)
BATCH_ACT = Form("batch act", read_batch_act, {"type": "integer", "enum": list(BATCH_ACTS)}, required=True)
RE_SRC = Form("re_src", read_re_src, {"type": "integer", "minimum": 0, "maximum": RE_SRC_MAX, "default": 0})
GROUP_ID = Form("group id", read_group_id, {"type": "integer", "format": "int64"}, required=True)
GROUP_IDS = Form("group ids", read_group_ids, {"type": "string", "pattern": "^-?[0-9]+(,-?[0-9]+)*$"}, required=True)
TEXT = Form("str", read_text, {"type": "string"})
_MIDS_SCHEMA = {"type": "string", "pattern": "^[0-9]+(,[0-9]+)*$"}
RELATIONS_MIDS = Form("mids", read_mids, _MIDS_SCHEMA, required=True, limit="max_relations_fids")
BATCH_MIDS = Form("mids", read_mids, _MIDS_SCHEMA, required=True, limit="max_batch_fids")
GROUP_MIDS = Form("mids", read_mids, _MIDS_SCHEMA, required=True, limit="max_group_fids")
CURSOR = Form("offset", read_cursor, {"type": "string", "pattern": "^([0-9]+:[0-9]+)?$"})


def form_of(hint: Any) -> Form[Any]:
    """The Form that a parameter field is annotated with."""
    if get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, Form):
                return extra
    raise TypeError(f"a parameter field needs a Form: {hint!r}")


def decoder(parameters: type[P], quotas: Quotas = _DEFAULT_QUOTAS) -> Callable[[Mapping[str, str]], P]:
    """A function that reads the fields of `parameters` out of a parsed query, in order of the fields.

    It raises BadRequestError for the first field whose form refuses its text, or which has more values than `quotas`.
    """
    hints = get_type_hints(parameters, include_extras=True)
    readers = [(name, _reader(form_of(hints[name]), quotas)) for name in parameters.__struct_fields__]

    if len(readers) == 1:
        ((only, read_only),) = readers
        return lambda query: parameters(read_only(query.get(only)))

    def decode(query: Mapping[str, str]) -> P:
        get = query.get
        return parameters(*[read(get(name)) for name, read in readers])

    return decode


def _reader(form: Form[Any], quotas: Quotas) -> Callable[[str | None], Any]:
    if not form.limit:
        return form.read
    most = getattr(quotas, form.limit)

    def read(text: str | None) -> Any:
        values = form.read(text)
        if len(values) > most:
            raise BadRequestError(f"more than {most} values")
        return values

    return read
