"""An account of the server under test."""

from typing import Any

from upspace.testing.control import ControlClient
from upspace.wire.admin import IssuedToken
from upspace.wire.control import TokenOrder
from upspace.wire.record import CountersRecord, StatisticsRecord

_COUNTERS = frozenset(CountersRecord.__struct_fields__)
_STATISTICS = frozenset(StatisticsRecord.__struct_fields__)


class Account:
    """An account as a test holds it: who it is, how it signs in, and how it is changed."""

    def __init__(self, control: ControlClient, mid: int, name: str) -> None:
        self.mid = mid
        self.name = name
        self._control = control
        self._issued_in: int | None = None

    @property
    def token(self) -> str:
        """A token that signs the account in: as `Authorization: Bearer`, as `access_key`, or as the cookie SESSDATA."""
        return self._issued.token

    @property
    def csrf(self) -> str:
        """The CSRF value that goes with the token: the cookie `bili_jct`, and the parameter `csrf` of writes."""
        return self._issued.csrf

    @property
    def headers(self) -> dict[str, str]:
        """Headers that sign the account in."""
        return {"authorization": f"Bearer {self.token}"}

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies that sign the account in, as a browser has them."""
        return {"SESSDATA": self.token, "bili_jct": self.csrf, "DedeUserID": str(self.mid)}

    @property
    def record(self) -> dict[str, Any]:
        """What is stored of the account, as `upspace account show` prints it. Raises ControlError if it is deleted."""
        record: dict[str, Any] = self._control.call("GET", f"accounts/{self.mid}")
        return record

    def issue_token(self, expires_s: int | None = None) -> IssuedToken:
        """A further token, which holds for so many seconds, for ever without them: its `token` and `csrf`."""
        return self._control.read("POST", "tokens", IssuedToken, TokenOrder(self.mid, expires_s))

    def change(self, **fields: Any) -> None:
        """Change fields of the account, counters and statistics among them.

        Objects are merged, None brings a field back to its default, if it has one.
        """
        self._control.call("PATCH", f"accounts/{self.mid}", record_fields(fields))
        self.name = fields.get("name", self.name)

    def delete(self) -> None:
        """Delete the account for good. Contract: 5.2."""
        self._control.call("DELETE", f"accounts/{self.mid}")

    def __repr__(self) -> str:
        return f"Account(mid={self.mid}, name={self.name!r})"

    def __int__(self) -> int:
        return self.mid

    @property
    def _issued(self) -> IssuedToken:
        """The token, which is kept, but not beyond a restore: the server forgets it there."""
        if self._issued_in != self._control.generation:
            self._token = self.issue_token()
            self._issued_in = self._control.generation
        return self._token


def record_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record, of which counters and statistics may be given one by one.

    Counters that are given are meant as they are, whatever relations there are: that is counter mode `reported`.
    """
    counters = {name: value for name, value in fields.items() if name in _COUNTERS}
    statistics = {name: value for name, value in fields.items() if name in _STATISTICS}
    record = {name: value for name, value in fields.items() if name not in _COUNTERS | _STATISTICS}
    if counters:
        record["counters"] = record.get("counters", {}) | counters
        record.setdefault("counter_mode", "reported")
    if statistics:
        record["statistics"] = record.get("statistics", {}) | statistics
    return record
