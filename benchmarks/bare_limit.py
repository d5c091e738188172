"""The bare limit: Granian over RSGI, answering constant bytes and doing nothing else.

    python benchmarks/bare_limit.py --port 8080 --sizes '{"acc_info": 1200}'

`/acc_info/...` is answered with 1200 bytes. No service on Granian can be faster than this one, so it is
what upspace is measured against; loop and headers are those of upspace, which has a door of its own: what costs it
little may be faster all the same.
"""

import argparse
import json
import os
from typing import TYPE_CHECKING

from granian.constants import Interfaces, Loops
from granian.server import Server

from upspace.server.http import JSON_HEADERS

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol
    from granian.rsgi import Scope

SIZES_VARIABLE = "BARE_LIMIT_SIZES"
"""Where the worker process finds what `--sizes` said."""


def constant_bodies(sizes: dict[str, int]) -> dict[str, bytes]:
    """A body for each first part of a path: a JSON text of exactly that many bytes."""
    return {name: b'{"code":0,"pad":"%b"}' % (b"x" * (size - 19)) for name, size in sizes.items()}


class BareLimit:
    """An RSGI application that knows its replies before it is asked."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self._bodies = bodies

    async def __rsgi__(self, scope: "Scope", protocol: "RSGIHTTPProtocol") -> None:
        protocol.response_bytes(200, JSON_HEADERS, self._bodies[scope.path.split("/", 2)[1]])


def app() -> BareLimit:
    """The application, made in the worker process."""
    return BareLimit(constant_bodies(json.loads(os.environ[SIZES_VARIABLE])))


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description="Granian RSGI with constant replies: the bare limit.")
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1 (default: %(default)s)")
    parser.add_argument(
        "--sizes", default='{"": 1000}', help="JSON object: bytes of the reply by first part of the path"
    )
    arguments = parser.parse_args()
    os.environ[SIZES_VARIABLE] = arguments.sizes
    Server(
        "bare_limit:app",
        factory=True,
        address="127.0.0.1",
        port=arguments.port,
        interface=Interfaces.RSGI,
        workers=1,
        loop=Loops.uvloop,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main()
