"""For people who test their own programs: the service as a fixture, with the accounts and faults that a test needs.

`serving()` gives it without pytest. Nothing is imported before it is asked for: every run of pytest loads this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upspace.testing.accounts import Account
    from upspace.testing.clock import Clock
    from upspace.testing.faults import Fault
    from upspace.testing.requests import Requests
    from upspace.testing.server import ServerError
    from upspace.testing.world import Upspace, serving

__all__ = ["Account", "Clock", "Fault", "Requests", "ServerError", "Upspace", "serving"]

_MODULES = {
    "Account": "upspace.testing.accounts",
    "Clock": "upspace.testing.clock",
    "Fault": "upspace.testing.faults",
    "Requests": "upspace.testing.requests",
    "ServerError": "upspace.testing.server",
    "Upspace": "upspace.testing.world",
    "serving": "upspace.testing.world",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
