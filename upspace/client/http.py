"""Between calls and httpx, for both kinds of its clients."""

import ssl
from functools import cache

import httpx

from upspace.client.credentials import Session
from upspace.client.replies import Reply
from upspace.client.requests import Call, T

TIMEOUT_S = 10.0


@cache
def tls_context() -> ssl.SSLContext:
    """What every client verifies servers with. Reading the certificates takes 20 ms, so it is done once."""
    return httpx.create_ssl_context(trust_env=False)


def checked(base_url: str) -> str:
    """The URL of a server. Raises ValueError for one that is not of the form http(s)://host."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url: {base_url!r} is no URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"base_url: {base_url!r} is not of the form http://host:port")
    return base_url


def request_of(client: httpx.Client | httpx.AsyncClient, call: Call[T], session: Session | None) -> httpx.Request:
    """The request of a call; a write by a session has its CSRF value. Contract: 2.2, 3."""
    if call.json is not None:
        headers = {"content-type": "application/json"}
        return client.build_request(call.method, call.path, content=call.json, headers=headers)
    if call.method == "GET":
        return client.build_request(call.method, call.path, params=call.parameters)
    csrf = {"csrf": session.bili_jct} if call.write and session is not None else {}
    return client.build_request(call.method, call.path, data={**call.parameters, **csrf})


def reply_of(response: httpx.Response) -> Reply:
    """A response that has been read."""
    return Reply(response.status_code, response.headers, response.content)
