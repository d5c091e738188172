"""A store on each engine, for what every store must do. A further engine is one more row of EVERY_ENGINE.

UPSPACE_TEST_CITUS_URL names a database on a Citus cluster to try as well; all that a store keeps there is removed.
"""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from citus_stand_in import CITUS_URL, as_if_distributed, emptied_cluster
from stores import Stores

from upspace.store import open_store
from upspace.store.interface import Store

T = TypeVar("T")


class Run(Protocol):
    """Runs a coroutine to its end. A test has one loop, so an engine may keep connections that belong to it."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


# Each makes an empty store.
EVERY_ENGINE: dict[str, Callable[[Stores], str]] = {
    "sqlite memory": lambda _: "sqlite://",
    "sqlite file": lambda stores: stores.new("sqlite"),
    "postgresql": lambda stores: stores.new("postgresql"),
    "postgresql as if distributed": lambda stores: as_if_distributed(stores.new("postgresql")),
}
if CITUS_URL:
    EVERY_ENGINE["citus"] = lambda _: emptied_cluster()


@contextmanager
def empty_store(engine: str, run: Run, stores: Stores) -> Iterator[Store]:
    """A store that is open, on one of EVERY_ENGINE."""
    url = EVERY_ENGINE[engine](stores)
    store = run(open_store(url))
    try:
        yield store
    finally:
        run(store.close())
        if url != CITUS_URL:
            stores.drop(url)
