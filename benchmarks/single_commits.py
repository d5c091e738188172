"""upspace as it would be without group commit: each write is a transaction of its own. Nothing else differs.

    python benchmarks/single_commits.py --port 8080 --store sqlite:///community.db

One worker with the options of `upspace serve`. It is what grouped writes are measured against.
"""

import argparse
from functools import partial
from typing import Any

from granian.constants import Interfaces, Loops
from granian.server import Server

from upspace.server.rsgi import RsgiDoor
from upspace.server.settings import build_settings
from upspace.store.sqlite import writer


def load_door(store: str) -> Any:
    """Runs in the worker: the door of upspace, over a writer that never takes more than one."""
    writer.GROUP_MAX = 1
    return RsgiDoor(build_settings({"store": store}))


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description="upspace with one transaction a write.")
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--store", required=True, help="a store URL")
    arguments = parser.parse_args()
    Server(
        "upspace",
        address="127.0.0.1",
        port=arguments.port,
        interface=Interfaces.RSGI,
        workers=1,
        loop=Loops.uvloop,
        websockets=False,
    ).serve(target_loader=partial(load_door, arguments.store), wrap_loader=False)


if __name__ == "__main__":
    main()
