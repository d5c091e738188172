"""One transaction, tried again where others were in its way."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from upspace.store.postgres.connection import CONFLICTS, FAULTS, Connection, Database, in_task, translate

T = TypeVar("T")

# A transaction that others have made impossible is tried so often, after a pause drawn anew each time.
_TRIES = 5
_PAUSE_S = 0.05


async def write(database: Database, work: Callable[[Connection], Awaitable[T]], *, times: float | None = 1) -> T:
    """Run `work` in a transaction, again if others were in its way. Raises what `work` raises, and StoreErrors.

    It may take so many `times` as long as anything else, or as long as it takes if that is None.
    """
    try:
        return await persistently(database.write_long if times is None else partial(database.write, times=times), work)
    except FAULTS as error:
        raise translate(database.url, error) from error


async def persistently(
    write_once: Callable[[Callable[[Connection], Awaitable[T]]], Awaitable[T]],
    work: Callable[[Connection], Awaitable[T]],
) -> T:
    """What `write_once` makes of `work`, again if others were in its way."""
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(CONFLICTS),
        stop=stop_after_attempt(_TRIES),
        wait=wait_random(0, _PAUSE_S),
        reraise=True,
    )
    # Bounds of time need one, and a request that writes may come without.
    return await in_task(attempts(write_once, work))
