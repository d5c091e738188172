"""What a client raises besides the errors of the contract, which are in `upspace.wire.errors`.

A connection that fails is told by the exceptions of httpx, unchanged.
"""

from typing import Any

BEGINNING_BYTES = 200


class UnknownCodeError(Exception):
    """A refusal with a code that the error table does not have.

    `code`, `message` and `data` are those of the envelope, `data` as plain JSON and None if absent; `status` is that
    of the HTTP reply. Contract: 4.
    """

    def __init__(self, code: int, message: str, data: Any, status: int) -> None:
        super().__init__(code, message, data, status)
        self.code = code
        self.message = message
        self.data = data
        self.status = status

    def __str__(self) -> str:
        return f"code {self.code}: {self.message}"


class UnreadableReplyError(Exception):
    """A reply that is not what the contract promises: no envelope, cut off, of other types, or without its data.

    `status` is that of the HTTP reply, `reason` says what is wrong with it, and `beginning` is its first 200 bytes.
    """

    def __init__(self, status: int, reason: str, beginning: bytes) -> None:
        super().__init__(status, reason, beginning)
        self.status = status
        self.reason = reason
        self.beginning = beginning

    def __str__(self) -> str:
        shown = self.beginning.decode("utf-8", "replace")
        return f"HTTP {self.status}: {self.reason}: {shown!r}"
