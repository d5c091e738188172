"""What a client sends: a `Call`, made from a row of the endpoint table. No I/O."""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from upspace.client.replies import Reader, Reply
from upspace.wire.endpoints import ENDPOINTS

T = TypeVar("T")
U = TypeVar("U")

Value: TypeAlias = int | str | bool | Iterable[int] | None

_ROWS = {endpoint.name: endpoint for endpoint in ENDPOINTS}


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One request of an endpoint, and how its reply is read: `Client.send` gives the T, or raises.

    `parameters` go into the query of a GET and the body of a POST. `json`, if given, is the body instead. A `write`
    asks for a CSRF value with a session, and is repeated with more care.
    """

    method: str
    path: str
    parameters: Mapping[str, str]
    read: Reader[T]
    write: bool = False
    json: bytes | None = None

    def then(self, change: Callable[[T], U]) -> "Call[U]":
        """The same request, with something else made of what its reply says."""
        read = self.read

        def read_and_change(reply: Reply) -> U:
            return change(read(reply))

        return Call(
            method=self.method,
            path=self.path,
            parameters=self.parameters,
            read=read_and_change,
            write=self.write,
            json=self.json,
        )


def row(name: str, read: Reader[T]) -> "Callable[..., Call[T]]":
    """A function that makes calls of the endpoint of that name: of parameters by their wire names.

    The first argument, if any, is a JSON body. A parameter that is None is not sent.
    """
    endpoint = _ROWS[name]

    def call(json: bytes | None = None, /, **parameters: Value) -> Call[T]:
        return Call(
            method=endpoint.method,
            path=endpoint.paths[0],
            parameters={name: _text(value) for name, value in parameters.items() if value is not None},
            read=read,
            write=endpoint.write,
            json=json,
        )

    return call


def _text(value: int | str | bool | Iterable[int]) -> str:
    """A value in its parameter form. Contract: 3."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))
    return ",".join(map(str, value))
