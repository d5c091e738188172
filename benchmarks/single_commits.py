"""upspace as it would be without group commit: each write is a transaction of its own. Nothing else differs.

    python benchmarks/single_commits.py --port 8080 --store sqlite:///community.db

One worker with the options of `upspace serve`. Over PostgreSQL as many transactions are under way at once as there are
connections. It is what grouped writes are measured against.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from granian.constants import Interfaces, Loops
from granian.server import Server

from upspace.data.asked import fill_store
from upspace.server.rsgi import RsgiDoor
from upspace.server.settings import build_settings
from upspace.store.postgres import group_commits
from upspace.store.postgres import writer as postgres
from upspace.store.sqlite import writer as sqlite


def load_door(url: str, public_url: str, connections: int) -> Any:
    """Runs in the worker: the door of upspace, over writers that never take more than one at a time."""
    sqlite.GROUP_MAX = postgres.PAIRS_MAX = postgres.ACCOUNTS_MAX = 1
    group_commits._UNDER_WAY_MAX = connections
    # Writes get half of the connections.
    return RsgiDoor(settings_of(url, public_url, 2 * connections), fill_store)


def settings_of(url: str, public_url: str, connections: int) -> Any:
    """The settings of `upspace serve` with these options."""
    return build_settings({"store": url, "public_url": public_url, "store_connections": connections})


def parse_options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What a variant of upspace is told."""
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1 (default: %(default)s)")
    store = os.environ.get("UPSPACE_STORE")
    parser.add_argument("--store", default=store, required=store is None, help="a store URL (default: UPSPACE_STORE)")
    parser.add_argument("--public-url", default="", help="as of upspace serve")
    parser.add_argument("--connections", type=int, default=8, help="to PostgreSQL, at most (default: %(default)s)")
    return parser.parse_args()


def serve(port: int, target_loader: Callable[[], Any]) -> None:
    """Serve what `target_loader` makes in the worker, with the options of `upspace serve`, until a signal comes."""
    Server(
        "upspace",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.RSGI,
        workers=1,
        loop=Loops.uvloop,
        websockets=False,
    ).serve(target_loader=target_loader, wrap_loader=False)


def main() -> None:
    """Serve until a signal comes."""
    given = parse_options(argparse.ArgumentParser(description="upspace with one transaction a write."))
    serve(given.port, partial(load_door, given.store, given.public_url, given.connections))


if __name__ == "__main__":
    main()
