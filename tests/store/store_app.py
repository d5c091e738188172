"""An app over a store, asked in process and without a door."""

import json
from typing import Any

from upspace.server.app import App, build_app
from upspace.server.http import Request
from upspace.server.settings import build_settings
from upspace.store.sqlite.store import SqliteStore


def app_of(store: SqliteStore, profile_name: str = "seed", **settings: int) -> App:
    return build_app(store, build_settings({"store": store.url, "profile": profile_name, **settings}))


async def get(app: App, endpoint: str, query: str, token: str = "") -> dict[str, Any]:
    """The envelope of one request."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    reply = await app.respond(Request("GET", endpoint, query, headers.get))
    envelope = json.loads(reply.body)
    assert isinstance(envelope, dict)
    return envelope
