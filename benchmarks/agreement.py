"""Whether replies are what they should be: the peer's equal upspace's, and all of them are successes."""

from collections.abc import Sequence
from typing import Any

import httpx
from cases import Case

UNKNOWN_MID = 2**63 - 1
"""An account that no community holds: how both servers answer for it is compared as well."""


class DisagreementError(Exception):
    """Two servers gave different replies, or one refused; with the request and the first difference."""


def compare_replies(upspace: str, peer: str, case: Case, mids: Sequence[int], *, who: str = "the peer") -> int:
    """The mean size of upspace's replies for `mids` in bytes, after each was found equal to the peer's.

    Equal means equal values; the order of keys and escapes do not count. Raises DisagreementError.
    """
    sizes = []
    with httpx.Client(trust_env=False) as client:
        for mid in (*mids, UNKNOWN_MID):
            url = case.url(mid)
            ours, theirs = client.get(upspace + url), client.get(peer + url)
            difference = first_difference(ours.json(), theirs.json())
            if difference is not None:
                raise DisagreementError(f"{url}: upspace and {who} differ at {difference}")
            if mid != UNKNOWN_MID:
                if not _is_success(ours):
                    raise DisagreementError(f"{url}: upspace refused: {ours.text[:200]}")
                sizes.append(len(ours.content))
    return round(sum(sizes) / len(sizes))


def count_failures(server: str, case: Case, mids: Sequence[int]) -> int:
    """How many of the replies for `mids` are not HTTP 200 with code 0."""
    with httpx.Client(trust_env=False) as client:
        return sum(not _is_success(client.get(server + case.url(mid))) for mid in mids)


def first_difference(ours: Any, theirs: Any, where: str = "$") -> str | None:
    """Where two decoded JSON values differ first, and how; None if they are equal."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if ours.keys() != theirs.keys():
            return f"{where}: keys {sorted(ours.keys() ^ theirs.keys())} are on one side only"
        pairs = [(f"{where}.{key}", ours[key], theirs[key]) for key in ours]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = [(f"{where}[{place}]", *both) for place, both in enumerate(zip(ours, theirs, strict=True))]
    else:
        # In Python, but not in JSON, 0 equals false.
        equal = ours == theirs and isinstance(ours, bool) == isinstance(theirs, bool)
        return None if equal else f"{where}: {ours!r} and {theirs!r}"
    differences = (first_difference(one, other, below) for below, one, other in pairs)
    return next((difference for difference in differences if difference is not None), None)


def _is_success(reply: httpx.Response) -> bool:
    return reply.status_code == httpx.codes.OK and reply.json().get("code") == 0
