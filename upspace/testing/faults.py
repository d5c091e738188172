"""Faults of the server under test."""

from types import TracebackType
from typing import Literal, Self, TypedDict

from upspace.testing.accounts import Account
from upspace.testing.control import ControlClient, ControlError
from upspace.wire.control import FaultRule, FaultState
from upspace.wire.errors import NotFoundError


class RuleFields(TypedDict, total=False):
    """What a rule may say besides path and shape: see `FaultRule`. Accounts may stand for their mids."""

    times: int
    after: int
    probability: float
    seed: int
    target: Account | int
    viewer: Account | int
    delay_s: float
    delay_max_s: float
    drip_bytes: int
    drip_pause_s: float
    status: int
    first: Literal["frequent", "limited"]
    code: int


class Fault:
    """A rule by which replies fail, until it is removed or the test ends. In a `with` it ends with the block."""

    def __init__(self, control: ControlClient, rule: FaultRule) -> None:
        self.rule = rule
        self._control = control
        self._id = control.read("POST", "faults", FaultState, rule).id

    @property
    def sent(self) -> int:
        """How many requests it has hit."""
        return self._state().sent

    @property
    def matched(self) -> int:
        """How many requests it was for, spared ones among them."""
        return self._state().matched

    def remove(self) -> None:
        """End it. Raises ControlError if it has ended."""
        self._control.call("DELETE", f"faults/{self._id}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.remove()
        except ControlError as error:
            # It may have ended with all the others.
            if error.code != NotFoundError.code:
                raise

    def __repr__(self) -> str:
        return f"Fault({self.rule.shape} on {self.rule.path})"

    def _state(self) -> FaultState:
        return self._control.read("GET", f"faults/{self._id}", FaultState)
