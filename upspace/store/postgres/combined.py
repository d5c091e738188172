"""Statements made of others: what a single server does in one round trip, and a cluster would not run."""

import re
from collections.abc import Sequence
from functools import partial

_PARAMETER = re.compile(r"\$(\d+)")

_OF_MANY_OWNERS = """
select read.*, wanted.number
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) with ordinality as wanted (owner, size, start, number)
    cross join lateral (PAGE) as read
"""

_WITH_CHANGE = "select found.*, (select number from change_counter) as newest_change from (READ) as found"

_AT_ONCE = "with PARTS LAST"


def of_many_owners(page: str) -> str:
    """The statement that reads a page of one owner ($1, size $2, start $3), for many owners at once.

    It returns the columns of the page and the number of the owner, from 1 on.
    """
    for parameter, column in (("$1", "wanted.owner"), ("$2", "wanted.size"), ("$3", "wanted.start")):
        page = page.replace(parameter, column)
    return _OF_MANY_OWNERS.replace("PAGE", page)


def with_newest_change(read: str) -> str:
    """A read whose rows bring the number of the newest change of any account along, as their last column."""
    return _WITH_CHANGE.replace("READ", read)


def at_once(statements: Sequence[str]) -> str:
    """One statement that does what these do, which must touch different rows; its parameters are theirs in turn."""
    parts = []
    taken = 0
    for statement in statements:
        parts.append(_PARAMETER.sub(partial(_moved_on, taken), statement))
        taken += parameters(statement)
    *others, last = parts
    named = ",\n".join(f"part_{number} as ({part})" for number, part in enumerate(others))
    return _AT_ONCE.replace("PARTS", named).replace("LAST", last)


def _moved_on(by: int, parameter: re.Match[str]) -> str:
    return f"${int(parameter[1]) + by}"


def parameters(statement: str) -> int:
    """How many parameters a statement has."""
    return max(int(number) for number in _PARAMETER.findall(statement))
