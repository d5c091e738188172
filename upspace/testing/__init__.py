"""For people who test their own programs: the service as a fixture, with the accounts and faults that a test needs.

`serving()` gives it without pytest. Nothing is imported before it is asked for: every run of pytest loads this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upspace.server.settings import SettingsError
    from upspace.testing.accounts import Account
    from upspace.testing.clock import Clock
    from upspace.testing.context import serving
    from upspace.testing.control import ControlError
    from upspace.testing.faults import Fault
    from upspace.testing.proxying import Proxied
    from upspace.testing.requests import Requests
    from upspace.testing.server import ServerError
    from upspace.testing.world import Upspace

__all__ = [
    "Account",
    "Clock",
    "ControlError",
    "Fault",
    "Proxied",
    "Requests",
    "ServerError",
    "SettingsError",
    "Upspace",
    "serving",
]

_MODULES = {
    "Account": "upspace.testing.accounts",
    "Clock": "upspace.testing.clock",
    "ControlError": "upspace.testing.control",
    "Fault": "upspace.testing.faults",
    "Proxied": "upspace.testing.proxying",
    "Requests": "upspace.testing.requests",
    "ServerError": "upspace.testing.server",
    "SettingsError": "upspace.server.settings",
    "Upspace": "upspace.testing.world",
    "serving": "upspace.testing.context",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
