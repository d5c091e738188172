"""The parameter forms and the limits of the contract (sections 1, 3, 5.4), for the model in contract_model.py."""

import re
from typing import NamedTuple

MID_MAX = 2**63 - 1
PN_MAX = 10**9
PS_MAX = 50

Query = dict[str, str]
Row = tuple[int, int]  # (mtime, mid): the order of a list is the order of these


class Refused(Exception):  # noqa: N818  # a reply of its own, not an error of the model
    """The reply is this code, and nothing has changed."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Limits(NamedTuple):
    """The limits of contract 1, with the defaults written there."""

    max_followings: int = 2000
    max_blacks: int = 1000
    max_groups: int = 50
    max_relations_fids: int = 1000
    max_batch_fids: int = 50
    max_group_fids: int = 50


def read_mid(text: str | None) -> int:
    """Form `mid`."""
    if text is None or not re.fullmatch("[0-9]+", text) or not 1 <= int(text) <= MID_MAX:
        raise Refused(-400)
    return int(text)


def read_mids(text: str | None, limit: int) -> list[int]:
    """Form `mids`: in the order given, each once."""
    mids = list(dict.fromkeys(read_mid(member) for member in (text or "").split(",")))
    if len(mids) > limit:
        raise Refused(-400)
    return mids


def read_integer(text: str | None, default: int | None = None) -> int:
    """Form `int`; required without a default."""
    if not text and default is not None:
        return default
    if not text or not re.fullmatch("-?[0-9]+", text):
        raise Refused(-400)
    return int(text)


def read_paging(query: Query, default_ps: int) -> tuple[int, int]:
    """Forms `pn` and `ps`."""
    pn = read_integer(query.get("pn"), 1)
    ps = read_integer(query.get("ps"), default_ps)
    if pn > PN_MAX:
        raise Refused(-400)
    return max(pn, 1), min(ps, PS_MAX) if ps >= 1 else default_ps


def read_offset(text: str | None) -> Row | None:
    """The `offset` of fans: the last element of an earlier page. Contract: 9."""
    if not text:
        return None
    if not re.fullmatch("[0-9]+:[0-9]+", text):
        raise Refused(-400)
    mtime, mid = text.split(":")
    return int(mtime), read_mid(mid)


def page_of(rows: list[Row], paging: tuple[int, int]) -> list[Row]:
    """Page `pn` holds elements (pn-1)*ps to pn*ps-1. Contract: 5.4."""
    pn, ps = paging
    return rows[(pn - 1) * ps : pn * ps]
