"""The clock of the server under test."""

from datetime import datetime, timedelta

from upspace.testing.control import ControlClient
from upspace.wire.control import Advance, ClockState


class Clock:
    """What every `mtime`, the expiry of tokens and the rate limits go by."""

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    @property
    def now(self) -> float:
        """The time of the server in unix seconds."""
        return self._control.read("GET", "clock", ClockState).now

    def set(self, time: float | datetime, *, ticking: bool = False) -> None:
        """Set the time, in unix seconds or as a datetime with a zone. It stands still there unless it is `ticking`."""
        if isinstance(time, datetime):
            if time.tzinfo is None:
                raise ValueError("a datetime without a zone is no point in time")
            time = time.timestamp()
        self._control.call("PUT", "clock", ClockState(time, ticking))

    def advance(self, by: float | timedelta) -> float:
        """Go forward by so many seconds; the time after that."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        return self._control.read("POST", "clock/advance", ClockState, Advance(seconds)).now
