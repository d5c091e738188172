"""The requests that a program under test has sent, to be looked at and asserted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from upspace.wire.control import PATHS, Asked, path_matcher

_SHOWN_MAX = 20
_NAMES = {path: name for name, paths in PATHS.items() for path in paths}


class Requests:
    """Some of the requests that were sent, oldest first. Printed, it also shows what came close but is none of them."""

    def __init__(self, of: Sequence[Asked], wanted: str, others: Sequence[Asked]) -> None:
        self._of = of
        self._wanted = wanted
        self._others = others

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._of)

    @property
    def last(self) -> Asked:
        """The newest one. Raises AssertionError if there is none."""
        if not self._of:
            raise AssertionError(repr(self))
        return self._of[-1]

    def assert_count(self, expected: int) -> None:
        """Raise AssertionError, which tells what was sent instead, unless there are exactly so many."""
        if self.count != expected:
            raise AssertionError(f"expected {expected}, got {self!r}")

    def __iter__(self) -> Iterator[Asked]:
        return iter(self._of)

    def __getitem__(self, place: int) -> Asked:
        return self._of[place]

    def __len__(self) -> int:
        return len(self._of)

    def __repr__(self) -> str:
        lines = [f"{self.count} of {self._wanted}", *map(told, self._of[-_SHOWN_MAX:])]
        if self._others:
            lines += ["besides", *map(told, self._others[-_SHOWN_MAX:])]
        return "\n    ".join(lines)


def chosen(
    requests: Sequence[Asked], path: str | None, method: str | None, viewer: int | None, parameters: Mapping[str, str]
) -> Requests:
    """The requests of a path or of an endpoint by its name, with at least these parameters, by this viewer.

    Raises BadRequestError for a path that no request can have.
    """
    paths = None if path is None else path_matcher(path)
    of: list[Asked] = []
    others: list[Asked] = []
    for asked in requests:
        matches = (
            (paths is None or paths.fullmatch(asked.path) is not None)
            and (method is None or asked.method == method.upper())
            and (viewer is None or (asked.viewer or 0) == viewer)
            and parameters.items() <= asked.parameters.items()
        )
        (of if matches else others).append(asked)
    return Requests(of, _wanted(path, method, viewer, parameters), _near(others, path))


def told(asked: Asked) -> str:
    """One request in one line: what was asked, by whom, and what became of it."""
    query = _query(asked.parameters)
    by = "" if asked.viewer is None else f" by {asked.viewer}"
    became = "no reply" if asked.status is None else f"HTTP {asked.status}"
    code = "" if asked.code is None else f", code {asked.code}"
    fault = "" if asked.answered_by is None else f" ({asked.answered_by})"
    return f"{asked.method} {asked.path}{query}{by} -> {became}{code}{fault}"


def _near(others: Iterable[Asked], path: str | None) -> list[Asked]:
    """Those of the same endpoint behind all others: of too many, the last are shown."""
    name = _NAMES.get(path or "", path)
    return sorted(others, key=lambda asked: _NAMES.get(asked.path, "") == name)


def _wanted(path: str | None, method: str | None, viewer: int | None, parameters: Mapping[str, str]) -> str:
    query = _query(parameters)
    by = "" if viewer is None else " by nobody" if viewer == 0 else f" by {viewer}"
    return f"{method or 'requests'} {path or ''}{query}{by}".rstrip()


def _query(parameters: Mapping[str, str]) -> str:
    """The parameters as people read them."""
    return "?" + "&".join(f"{name}={value}" for name, value in parameters.items()) if parameters else ""
