"""The log while the store is away: the first of each fault at once, then one line a second that counts the rest."""

import logging

import pytest

from upspace.server.faultlog import FaultLog
from upspace.server.http import Request
from upspace.store.interface import StoreTimeoutError, StoreUnavailableError


def request(path: str = "/x/relation/stat") -> Request:
    return Request("GET", path, "access_key=secret", lambda _: None, lambda _: [], b"", "127.0.0.1")


def test_a_fault_that_goes_on_is_said_once_a_second_with_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 100.0
    faults = FaultLog(lambda: now_s)
    with caplog.at_level(logging.ERROR, "upspace"):
        for tenth in range(25):
            now_s = 100.0 + tenth / 10
            faults.note(request(), StoreUnavailableError("store: away"))
    assert caplog.messages == [
        "GET /x/relation/stat: store: away",
        "GET /x/relation/stat: store: away (and 9 more such requests since it was last said)",
        "GET /x/relation/stat: store: away (and 9 more such requests since it was last said)",
    ]


def test_faults_that_differ_do_not_hide_each_other(caplog: pytest.LogCaptureFixture) -> None:
    faults = FaultLog(lambda: 100.0)
    with caplog.at_level(logging.ERROR, "upspace"):
        for _ in range(3):
            faults.note(request(), StoreUnavailableError("store: away"))
            faults.note(request("/x/space/upstat"), StoreTimeoutError("store: late"))
    assert caplog.messages == ["GET /x/relation/stat: store: away", "GET /x/space/upstat: store: late"]


def test_faults_without_end_take_no_memory_without_end(caplog: pytest.LogCaptureFixture) -> None:
    faults = FaultLog(lambda: 100.0)
    with caplog.at_level(logging.ERROR, "upspace"):
        for number in range(1_000):
            faults.note(request(), StoreUnavailableError(f"store: fault {number}"))
    assert len(caplog.messages) == 1_000
    assert len(faults._said) <= 100
