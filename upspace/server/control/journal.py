"""The requests that a controlled server has had, and the paths among them that it does not know."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from upspace.model import Viewer
from upspace.server.http import Request
from upspace.wire.control import UNRECORDED, Asked, Credential, Journal, Unimplemented

# A test asks a few dozen times; what runs for days must not fill the memory.
_REQUESTS_KEPT = 10_000
_PATHS_KEPT = 1_000

_HEADERS_SHOWN = ("user-agent", "referer", "origin", "accept", "content-type", "host", "x-forwarded-for")


class Read(NamedTuple):
    """What a request says: its parameters, who is signed in, and how the credentials came."""

    parameters: Mapping[str, str]
    viewer: Viewer | None
    credential: Credential | None


class RequestLog:
    """Keeps the newest requests, in the order in which they came."""

    def __init__(self, kept: int = _REQUESTS_KEPT) -> None:
        self._requests: deque[Asked] = deque(maxlen=kept)
        self._next_number = 1
        self._unknown: Counter[tuple[str, str]] = Counter()

    def add(self, request: Request, read: Read, time: float) -> Asked:
        """Note a request that has come at `time`; what becomes of it is for the caller to fill in."""
        asked = Asked(
            number=self._next_number,
            time=time,
            method=request.method,
            path=request.path,
            parameters={name: value for name, value in read.parameters.items() if name not in UNRECORDED},
            headers=dict(_headers_shown(request)),
            viewer=None if read.viewer is None else read.viewer.mid,
            credential=read.credential,
        )
        self._requests.append(asked)
        self._next_number += 1
        return asked

    def note_unknown(self, method: str, path: str) -> None:
        """A request for a path that the server does not know."""
        if (method, path) in self._unknown or len(self._unknown) < _PATHS_KEPT:
            self._unknown[method, path] += 1

    def journal(self, since: int = 0) -> Journal:
        """The requests that are known and numbered above `since`."""
        oldest = self._next_number - len(self._requests)
        shown = islice(self._requests, max(0, since + 1 - oldest), None)
        return Journal(list(shown), dropped=oldest - 1)

    def unimplemented(self) -> list[Unimplemented]:
        """The paths that were asked for and are not known, most often asked for first."""
        return [Unimplemented(method, path, count) for (method, path), count in self._unknown.most_common()]

    def clear(self) -> None:
        """Know of no request, and number from 1 again."""
        self._requests.clear()
        self._next_number = 1
        self._unknown.clear()


def _headers_shown(request: Request) -> Iterator[tuple[str, str]]:
    """Those that carry no credentials. A page that was fetched with some in its URL names them in `Referer`."""
    for name in _HEADERS_SHOWN:
        value = request.header(name)
        if value is not None:
            yield name, value.partition("?")[0] if name == "referer" else value
