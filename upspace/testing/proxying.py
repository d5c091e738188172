"""The proxy for a program under test that has the host name compiled in, in a thread of whoever tests."""

import asyncio
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from upspace.proxy.authority import Authority
from upspace.proxy.forward import ForwardProxy
from upspace.proxy.listening import listen
from upspace.proxy.targets import DEFAULT_HOSTS, Address, Hosts, parse_upstream
from upspace.proxy.variables import for_programs


@dataclass(frozen=True)
class Proxied:
    """How a program reaches the server under test by the name of another.

    It goes through the proxy at `url` and trusts the certificates in `ca_file`; `environment`, that of this process
    and more, says both to a program that is started.
    """

    url: str
    ca_file: Path
    # Not shown: it is all of this process's environment.
    environment: dict[str, str] = field(repr=False)


@contextmanager
def proxied(upstream: str) -> Iterator[Proxied]:
    """A forward proxy that stands in for bilibili.com and refuses everything else, until the end of the `with`.

    The certificate authority is made anew for it, and is gone with it.
    """
    hosts = Hosts.parse(DEFAULT_HOSTS)
    with (
        tempfile.TemporaryDirectory(prefix="upspace-authority-") as folder,
        listen("127.0.0.1", 0) as listener,
        _running_loop() as loop,
    ):
        authority = Authority.open(Path(folder) / "authority")
        url = f"http://{Address(*listener.getsockname()[:2])}"
        proxy = ForwardProxy(listener, parse_upstream(upstream), hosts, authority)
        asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
        try:
            environment = for_programs(os.environ, url, authority.ca_file, authority.ca_file, hosts)
            yield Proxied(url, authority.ca_file, environment)
        finally:
            asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result()


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own: whoever tests may be waiting in theirs, or have none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="upspace-proxy", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
