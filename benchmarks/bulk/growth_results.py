"""What is kept of measuring the same requests on communities of several sizes."""

from statistics import median

from msgspec import Struct
from results import Machine

GROWTH_GOAL = 1.3
"""At the largest size each p50 is at most so many times that of the smallest."""


class Sample(Struct, frozen=True):
    """One run of one kind of request at one size."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


class Size(Struct, frozen=True, kw_only=True):
    """One community. `warm` are the runs of each round by kind of request, `cold` one after the caches are dropped."""

    accounts: int
    follows: int
    store_mb: float
    warm: dict[str, list[Sample]]
    cold: dict[str, Sample]


class GrowthResults(Struct, frozen=True, kw_only=True):
    """All sizes, the smallest first. `labels` say what each kind of request is; `date` is UTC."""

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

    def growth(self, kind: str) -> float:
        """The p50 at the largest size beside that at the smallest: the median over the rounds."""
        first, last = self.sizes[0].warm[kind], self.sizes[-1].warm[kind]
        return median(large.p50_ms / small.p50_ms for small, large in zip(first, last, strict=True))
