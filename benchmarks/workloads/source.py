"""What is sent next: operations drawn by their shares."""

from collections.abc import Callable
from random import Random

from workloads.draws import Weighted, draw_targets
from workloads.operations import Operation, Phase, Write
from workloads.people import People
from workloads.reads import Reads
from workloads.turns import Turn
from workloads.writes import Writes


class Source:
    """The turns of a phase, made from a seed: the same ones in the same order, as far as replies come in the same."""

    def __init__(self, phase: Phase, people: People, writes: Writes, random: Random) -> None:
        reads = Reads(people, phase, random)
        writes.aim(draw_targets(people.ranked, phase.writes_of, random))

        def turns(operation: Operation) -> Callable[[], Turn | None]:
            return writes.turns(operation) if isinstance(operation, Write) else reads.turns(operation)

        made = [turns(operation) for operation in phase.operations]
        self._operations = Weighted(made, [operation.share for operation in phase.operations], random)

    def next_turn(self) -> Turn | None:
        """The next one; None when an operation has nobody left to do it, and the phase ends."""
        return self._operations.draw()()
