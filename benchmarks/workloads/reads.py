"""Makes the requests that read."""

import re
from collections.abc import Callable, Sequence
from itertools import cycle
from random import Random
from typing import TypeAlias

from workloads.draws import Draw, Weighted, draw_targets
from workloads.operations import Phase, Read, Visit
from workloads.people import People, Viewer
from workloads.turns import Ask, Turn
from workloads.wire import get

PAGES = {1: 90, 2: 5, 3: 2, 4: 2, 5: 1}
"""Which page of a list is asked for, and how often in a hundred."""

_THREE_OF_FIVE = 0.6
_ASKED_FOR = 20
_KNOWN = 4

_FIELD = re.compile(r"\{(\w+)\}")

_Field: TypeAlias = Callable[[int, Viewer | None], object]
_Maker: TypeAlias = Callable[[int, Viewer | None], bytes]


class Reads:
    """Makes turns for the reads of a phase."""

    def __init__(self, people: People, phase: Phase, random: Random) -> None:
        self._people = people
        self._phase = phase
        self._random = random
        self._targets = draw_targets(people.ranked, phase.reads_of, random)
        self._pages = Weighted(list(PAGES), list(PAGES.values()), random)
        self._second_pages: dict[int, str] = {}
        self._fields: dict[str, _Field] = {
            "mid": lambda mid, _: mid,
            "pn": lambda _, __: self._pages.draw(),
            "few_fids": lambda _, __: self._few(),
            "mostly_strangers": lambda _, viewer: viewer and self._mostly_strangers(viewer),
            "second_page": lambda mid, _: self._second_pages[mid],
        }

    def turns(self, operation: Read | Visit) -> Callable[[], Turn]:
        """What makes one turn after another."""
        if isinstance(operation, Visit):
            return self._turns(operation.reads, operation.name)
        turn = self._turns((operation,), None)
        if operation.prepared:
            return cycle([turn() for _ in range(operation.prepared)]).__next__
        return turn

    def _turns(self, reads: Sequence[Read], whole: str | None) -> Callable[[], Turn]:
        makers = [(read.name, read.refusals, self._maker(read)) for read in reads]
        fields = {field for read in reads for field in _FIELD.findall(read.query)}
        targets = self._those_with_second_pages() if "second_page" in fields else self._targets
        viewer = self._viewers(
            reads[0].needs_login, self._knowing() if "mostly_strangers" in fields else self._people.viewers
        )

        def turn() -> Turn:
            mid, who = targets.draw(), viewer()
            return Turn(tuple(Ask(name, make(mid, who), refusals) for name, refusals, make in makers), whole)

        return turn

    def _maker(self, read: Read) -> _Maker:
        target = f"{read.path}?{read.query}"
        template = _FIELD.sub("%s", target)
        fields = [self._fields[name] for name in _FIELD.findall(target)]

        def make(mid: int, viewer: Viewer | None) -> bytes:
            path = template % tuple(field(mid, viewer) for field in fields)
            return get(path.encode(), viewer.header if viewer else b"")

        return make

    def _viewers(self, needs_login: bool, viewers: Sequence[Viewer]) -> Callable[[], Viewer | None]:
        probability = 1.0 if needs_login else self._phase.signed_in
        random, count = self._random.random, len(viewers)
        return lambda: viewers[int(random() * count)] if random() < probability else None

    def _few(self) -> str:
        count = 3 if self._random.random() < _THREE_OF_FIVE else 2
        return ",".join(str(self._targets.draw()) for _ in range(count))

    def _mostly_strangers(self, viewer: Viewer) -> str:
        chosen = set(self._random.sample(viewer.followed, _KNOWN))
        while len(chosen) < _ASKED_FOR:
            mid = self._targets.draw()
            if mid not in viewer.related:
                chosen.add(mid)
        fids = sorted(chosen)
        self._random.shuffle(fids)
        return ",".join(map(str, fids))

    def _knowing(self) -> list[Viewer]:
        return [viewer for viewer in self._people.viewers if len(viewer.followed) >= _KNOWN]

    def _those_with_second_pages(self) -> Draw[int]:
        self._second_pages = self._people.second_pages()
        ranked = [mid for mid in self._people.ranked if mid in self._second_pages]
        return draw_targets(ranked, self._phase.reads_of, self._random)
