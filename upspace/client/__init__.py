"""A client of the contract, for any base URL. The errors of the contract are in `upspace.wire.errors`."""

from upspace.client.aio import AsyncClient
from upspace.client.credentials import Session
from upspace.client.errors import UnknownCodeError, UnreadableReplyError
from upspace.client.paging import Cut, Pages
from upspace.client.requests import Call
from upspace.client.sync import Client
from upspace.client.walks import AsyncWalk, Walk

__all__ = [
    "AsyncClient",
    "AsyncWalk",
    "Call",
    "Client",
    "Cut",
    "Pages",
    "Session",
    "UnknownCodeError",
    "UnreadableReplyError",
    "Walk",
]
