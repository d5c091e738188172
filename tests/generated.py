"""Values of any struct of the wire, for Hypothesis: within the bounds of its fields, and often their defaults."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET, Struct, inspect

S = TypeVar("S", bound=Struct)

# What text that is put together out of parts may stumble over.
TEXTS = st.text(max_size=8) | st.sampled_from(
    ['"uname":', '{"uname":"x"}', '"face_nft":', "%b%d%%", "<&>", "名", "\u2028", "\0", "\1", '\\"uname\\":', "\\"]
)
ANYTHING = st.none() | st.booleans() | st.integers(-5, 5) | TEXTS | st.lists(TEXTS, max_size=2)


def structs(kind: type[S]) -> st.SearchStrategy[S]:
    """Structs of this type. An optional field is given or left out; the objects within are made in the same way."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    given: dict[bool, dict[str, st.SearchStrategy[Any]]] = {True: {}, False: {}}
    for field in described.fields:
        given[field.required][field.name] = _values(field.type)
    return st.fixed_dictionaries(given[True], optional=given[False]).map(lambda values: kind(**values))


def absent(kind: type[Struct]) -> dict[str, Any]:
    """The fields of a struct that may be absent, all of them absent."""
    return {field.name: UNSET for field in msgspec.structs.fields(kind) if field.default is UNSET}


def _values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    return _VALUES[type(kind)](kind)


def _integers(kind: inspect.IntType) -> st.SearchStrategy[int]:
    return st.integers(-(2**63) if kind.ge is None else kind.ge, 2**63 - 1 if kind.le is None else kind.le)


def _texts(kind: inspect.StrType) -> st.SearchStrategy[str]:
    if kind.pattern is not None:
        return st.from_regex(kind.pattern)
    return TEXTS.filter(len) if kind.min_length else TEXTS


def _one_of(kind: inspect.UnionType) -> st.SearchStrategy[Any]:
    return st.one_of([_values(each) for each in kind.types])


_VALUES: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.StructType: lambda kind: structs(kind.cls),
    inspect.UnionType: _one_of,
    inspect.IntType: _integers,
    inspect.FloatType: lambda kind: st.floats(kind.ge, kind.le, allow_nan=False, allow_infinity=False),
    inspect.StrType: _texts,
    inspect.ListType: lambda kind: st.lists(_values(kind.item_type), max_size=3),
    inspect.DictType: lambda kind: st.dictionaries(TEXTS, _values(kind.value_type), max_size=2),
    inspect.EnumType: lambda kind: st.sampled_from(list(kind.cls)),
    inspect.LiteralType: lambda kind: st.sampled_from(kind.values),
    inspect.BoolType: lambda _: st.booleans(),
    inspect.NoneType: lambda _: st.none(),
    inspect.AnyType: lambda _: ANYTHING,
}
