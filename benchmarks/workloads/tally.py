"""What is counted while load is made."""

from collections import Counter, defaultdict

from workloads.turns import Ask
from workloads.wire import Reply

_OK = 200


class Tally:
    """Latencies in seconds by the name of the operation; errors and refusals by operation and kind.

    `elapsed_s` is from the first request that was due to the last reply. `busy` is the part of it that the process of
    the generator used a processor.
    """

    def __init__(self) -> None:
        self.latencies: defaultdict[str, list[float]] = defaultdict(list)
        self.wholes: defaultdict[str, list[float]] = defaultdict(list)
        self.errors: Counter[tuple[str, str]] = Counter()
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.elapsed_s = 0.0
        self.busy = 0.0

    def count(self, ask: Ask, reply: Reply, latency_s: float) -> bool:
        """Count a reply, and say whether it is one that may be; an error has no latency."""
        status, code = reply
        if status == _OK and code == 0:
            self.latencies[ask.name].append(latency_s)
            return True
        if status == _OK and code in ask.refusals:
            self.latencies[ask.name].append(latency_s)
            self.refusals[ask.name, str(code)] += 1
            return True
        self.errors[ask.name, f"HTTP {status}, code {code}"] += 1
        return False
