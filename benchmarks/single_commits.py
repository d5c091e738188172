"""upspace as it would be without group commit: each write is a transaction of its own. Nothing else differs.

    python benchmarks/single_commits.py --port 8080 --store sqlite:///community.db

One worker with the options of `upspace serve`. Over PostgreSQL as many transactions are under way at once as there are
connections. It is what grouped writes are measured against.
"""

import argparse
import os
import socket
from multiprocessing import Pipe

import uvloop

from upspace.data.asked import fill_store
from upspace.server.settings import Settings, build_settings
from upspace.server.worker import Orders, serve_worker
from upspace.store.postgres import group_commits
from upspace.store.postgres import writer as postgres
from upspace.store.sqlite import writer as sqlite


def parse_options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What a variant of upspace is told."""
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1 (default: %(default)s)")
    store = os.environ.get("UPSPACE_STORE")
    parser.add_argument("--store", default=store, required=store is None, help="a store URL (default: UPSPACE_STORE)")
    parser.add_argument("--public-url", default="", help="as of upspace serve")
    parser.add_argument("--connections", type=int, default=8, help="to PostgreSQL, at most (default: %(default)s)")
    return parser.parse_args()


def serve(given: argparse.Namespace, connections: int) -> None:
    """Be the one worker of `upspace serve` with these options, until a signal comes."""
    settings: Settings = build_settings(
        {"store": given.store, "public_url": given.public_url, "store_connections": connections}
    )
    listener = socket.create_server(("127.0.0.1", given.port))
    # Nobody watches this worker: the other end stays open and says nothing.
    _parent, line = Pipe()
    uvloop.run(serve_worker(Orders(settings, fill_store, limits_table=None, certificate=None), listener, line))


def main() -> None:
    """Serve until a signal comes."""
    given = parse_options(argparse.ArgumentParser(description="upspace with one transaction a write."))
    # A writer never takes more than one change at a time, and writes get half of the connections.
    sqlite.GROUP_MAX = postgres.PAIRS_MAX = postgres.ACCOUNTS_MAX = 1
    group_commits._UNDER_WAY_MAX = given.connections
    serve(given, 2 * given.connections)


if __name__ == "__main__":
    main()
