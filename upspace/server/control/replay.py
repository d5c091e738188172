"""Replies that were recorded elsewhere, given again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from upspace.server.http import Response
from upspace.wire.control import UNRECORDED, Pair

_Key = tuple[str, str, frozenset[tuple[str, str]]]


class Replay:
    """Recorded replies by request. Of several to the same request each is given once, and the last one from then on."""

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._replies: defaultdict[_Key, list[Pair]] = defaultdict(list)
        self._given: defaultdict[_Key, int] = defaultdict(int)
        self.add(pairs)

    def add(self, pairs: Iterable[Pair]) -> None:
        """Know these as well, behind those of the same requests that are known."""
        for pair in pairs:
            self._replies[_key(pair.method, pair.path, pair.parameters)].append(pair)

    def answer(self, method: str, path: str, parameters: Mapping[str, str]) -> Response | None:
        """The reply recorded for a request; None if there is none."""
        key = _key(method, path, parameters)
        replies = self._replies.get(key)
        if not replies:
            return None
        place = min(self._given[key], len(replies) - 1)
        self._given[key] += 1
        pair = replies[place]
        said = (("content-type", pair.content_type), ("retry-after", pair.retry_after))
        headers = [(name, value) for name, value in said if value]
        return Response(pair.status, headers, pair.body)

    def copy(self) -> "Replay":
        """The same replies, of which as many have been given, apart from these."""
        copied = Replay()
        copied._replies = defaultdict(list, {key: list(pairs) for key, pairs in self._replies.items()})
        copied._given = defaultdict(int, self._given)
        return copied


def _key(method: str, path: str, parameters: Mapping[str, str]) -> _Key:
    kept = frozenset((name, value) for name, value in parameters.items() if name not in UNRECORDED)
    return method, path, kept
