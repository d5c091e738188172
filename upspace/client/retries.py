"""When a call is sent again, and after which pause. The loop itself is that of tenacity."""

from tenacity import RetryCallState
from tenacity.retry import retry_if_exception
from tenacity.stop import stop_after_attempt
from tenacity.wait import wait_random_exponential

from upspace.wire.errors import InterceptedError, RateLimitedError, UnavailableError

RETRIES = 3
PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 5.0
RETRY_AFTER_MAX_S = 30

# Drawn between 0 and a bound that doubles, so that clients which were refused together do not come back together.
_drawn_pause = wait_random_exponential(multiplier=PAUSE_FIRST_S, max=PAUSE_MAX_S)


def attempts(retries: int) -> stop_after_attempt:
    """Stops after the first attempt and so many more. Raises ValueError for a negative number."""
    if retries < 0:
        raise ValueError(f"retries must not be negative: {retries}")
    return stop_after_attempt(retries + 1)


def worth_another(*, write: bool) -> retry_if_exception:
    """Whether an exception may pass by itself, and it does no harm to send the call again."""

    def passes(error: BaseException) -> bool:
        if isinstance(error, RateLimitedError):
            return error.retry_after_s <= RETRY_AFTER_MAX_S
        # A write that was told -503 may have been done: its connection to the store was lost.
        return isinstance(error, InterceptedError) or (isinstance(error, UnavailableError) and not write)

    return retry_if_exception(passes)


def pause_s(state: RetryCallState) -> float:
    """How long to wait, in seconds: what the server asks for, if it does, and a drawn pause on top."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, RateLimitedError) else 0
    return asked + _drawn_pause(state)
