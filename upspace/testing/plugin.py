"""The pytest plugin. It is loaded by every run of pytest where upspace is installed, so it imports nothing early."""

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from upspace.testing.world import Upspace

_SHOWN_MAX = 50


@pytest.fixture(scope="session")
def upspace_settings() -> dict[str, Any]:
    """The settings of the server, as of `upspace serve`. To be overridden in a conftest.py."""
    return {}


@pytest.fixture(scope="session")
def upspace_setup() -> "Callable[[Upspace], None] | None":
    """What makes the accounts that every test starts with. To be overridden in a conftest.py."""
    return None


@pytest.fixture(scope="session")
def upspace_server(
    upspace_settings: dict[str, Any], upspace_setup: "Callable[[Upspace], None] | None"
) -> "Iterator[Upspace]":
    """The server of this run, or of this worker of pytest-xdist. Tests ask for `upspace` instead."""
    from upspace.testing.context import serving

    with serving(**upspace_settings) as upspace:
        if upspace_setup is not None:
            upspace_setup(upspace)
        upspace.keep_as_start()
        yield upspace


@pytest.fixture
def upspace(upspace_server: "Upspace") -> "Upspace":
    """upspace as every test finds it: empty, or as `upspace_setup` made it, without faults, at the present time."""
    upspace_server.start_again()
    return upspace_server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a test fails that uses `upspace`, show which requests the server had, and what it said."""
    world = getattr(item, "funcargs", {}).get("upspace")
    if call.excinfo is not None and world is not None:
        item.add_report_section(call.when, "upspace: requests", _requests_of(world))
        if world.server_said:
            item.add_report_section(call.when, "upspace: the server's log", world.server_said)
    return (yield)


def _requests_of(world: "Upspace") -> str:
    """What is shown of a world; whatever is wrong with it must not hide why a test failed."""
    from upspace.testing.requests import told

    try:
        requests = list(world.requests())
    except Exception as error:
        return f"not known: {error}"
    left_out = [f"({len(requests) - _SHOWN_MAX} before these)"] if len(requests) > _SHOWN_MAX else []
    return "\n".join([*left_out, *map(told, requests[-_SHOWN_MAX:])]) or "none"
