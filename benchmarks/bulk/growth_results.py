"""What is kept of measuring the same requests on communities of several sizes."""

from msgspec import Struct
from results import Machine, Ratio, ratio_of

GROWTH_GOAL = 1.3
"""At the largest size each p50 is at most so many times that of the smallest."""


class Sample(Struct, frozen=True):
    """One run of one kind of request at one size."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


class Size(Struct, frozen=True, kw_only=True):
    """One community. `cold` are the runs after the page cache is dropped, by kind of request."""

    accounts: int
    follows: int
    store_mb: float
    cold: dict[str, Sample]


class Warm(Struct, frozen=True, kw_only=True):
    """All sizes by servers with the same bounds of memory, the smallest size first.

    With `known`, all that is asked for has been asked for once before each round. `runs` are those of each round by
    kind of request, `resident_mb` is what each worker holds in the end.
    """

    account_cache_mb: int
    reply_cache_mb: int
    known: bool
    resident_mb: list[float]
    runs: list[dict[str, list[Sample]]]

    def growth(self, kind: str) -> Ratio:
        """The p50 at the largest size beside that at the smallest, within each round."""
        first, last = self.runs[0][kind], self.runs[-1][kind]
        return ratio_of([large.p50_ms / small.p50_ms for small, large in zip(first, last, strict=True)])


class GrowthResults(Struct, frozen=True, kw_only=True):
    """All sizes, the smallest first, and their runs by bounds of memory, the default ones first.

    `labels` say what each kind of request is; `date` is UTC.
    """

    date: str
    machine: Machine
    versions: dict[str, str]
    rounds: int
    seconds: int
    connections: int
    write_connections: int
    cold_requests: int
    labels: dict[str, str]
    sizes: list[Size]
    warm: list[Warm]
