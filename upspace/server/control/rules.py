"""When a fault is sent: the rules in their order, and the first that hits."""

from collections.abc import Collection
from random import Random

from msgspec import Struct

from upspace.wire.control import FaultRule, FaultState, path_matcher


class Target(Struct, frozen=True):
    """What rules look at of a request: its path, the mids it names, and who is signed in, 0 standing for nobody."""

    path: str
    mids: Collection[int]
    viewer: int


class Hit(Struct, frozen=True):
    """A rule that hits a request, and how long the reply shall wait."""

    rule: FaultRule
    delay_s: float


class Rules:
    """Fault rules in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: dict[int, _Kept] = {}
        self._next_id = 1

    def add(self, rule: FaultRule) -> FaultState:
        """Add a rule behind the others; it begins to count now."""
        kept = self._rules[self._next_id] = _Kept(self._next_id, rule)
        self._next_id += 1
        return kept.state

    def remove(self, id: int) -> bool:  # noqa: A002  # what it is called on the wire
        """Remove a rule; False if there is none of this id."""
        return self._rules.pop(id, None) is not None

    def clear(self) -> None:
        """Remove all rules. Ids go on."""
        self._rules.clear()

    def one(self, id: int) -> FaultState | None:  # noqa: A002  # as above
        """A rule with its counts; None if there is none of this id."""
        kept = self._rules.get(id)
        return None if kept is None else kept.state

    def all(self) -> list[FaultState]:
        """Every rule with its counts, in order."""
        return [kept.state for kept in self._rules.values()]

    def pick(self, target: Target) -> Hit | None:
        """The first rule that hits a request. Those that match and spare it have counted it as well."""
        for kept in self._rules.values():
            if kept.matches(target) and (hit := kept.drawn()) is not None:
                return hit
        return None

    def go_on_from(self, other: "Rules") -> None:
        """Give no id again that the other rules have given: whoever holds one would take this for that."""
        self._next_id = max(self._next_id, other._next_id)

    def copy(self) -> "Rules":
        """The same rules with the same counts and the same numbers still to be drawn, apart from these."""
        copied = Rules()
        copied._rules = {known: kept.copy() for known, kept in self._rules.items()}
        copied._next_id = self._next_id
        return copied


class _Kept:
    def __init__(self, id: int, rule: FaultRule) -> None:  # noqa: A002  # as above
        self._id = id
        self._rule = rule
        self._paths = path_matcher(rule.path)
        self._drawing = Random(rule.seed)  # noqa: S311  # drawn the same again, on purpose
        self._matched = 0
        self._sent = 0

    @property
    def state(self) -> FaultState:
        return FaultState(self._id, self._rule, self._matched, self._sent)

    def matches(self, target: Target) -> bool:
        rule = self._rule
        return (
            self._paths.fullmatch(target.path) is not None
            and (rule.target is None or rule.target in target.mids)
            and (rule.viewer is None or rule.viewer == target.viewer)
        )

    def drawn(self) -> Hit | None:
        """What a matching request comes to."""
        rule = self._rule
        self._matched += 1
        if self._matched <= rule.after or (rule.times is not None and self._sent >= rule.times):
            return None
        # Drawn also where it decides nothing: then the delays of a rule do not depend on its probability.
        if self._drawing.random() >= rule.probability:
            return None
        self._sent += 1
        if rule.delay_max_s is None:
            return Hit(rule, rule.delay_s)
        return Hit(rule, self._drawing.uniform(rule.delay_s, rule.delay_max_s))

    def copy(self) -> "_Kept":
        copied = _Kept(self._id, self._rule)
        copied._drawing.setstate(self._drawing.getstate())
        copied._matched, copied._sent = self._matched, self._sent
        return copied
