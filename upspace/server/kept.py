"""Replies to anonymous viewers that cost much to make, kept as they were made: pages of lists, and cards.

What is popular is asked for over and over, and finding a reply here costs a third of putting a page together, half of
putting a card together. What is kept is believed for as long as nothing at all has been committed since, by any
process: over a store that cannot say so for next to nothing, nothing is kept.
"""

from itertools import islice

from msgspec import Struct

# What an entry costs beside its text: its parameters, the table's share, the heads of the objects.
_ENTRY_BYTES = 400
# What is let go at once when there is no room: this part of all, as finding the oldest takes a walk.
_LET_GO = 16
_REFUSED_NOTED = 1024


class KeptReplies:
    """Data of replies by what was asked for, within a bound of memory.

    While there is room, everything is kept. Then those kept longest make room for what is asked for twice: most of what
    is asked for once does not come again. Parameters hold numbers alone, as a text in them could be of any length.
    """

    def __init__(self, bound_bytes: int) -> None:
        self.has_room = bound_bytes > 0
        self._bound_bytes = bound_bytes
        self._version: int | None = None
        self._kept: dict[Struct, bytes] = {}
        self._kept_bytes = 0
        # Hashes of parameters for which there was no room.
        self._refused: set[int] = set()

    def found(self, parameters: Struct, version: int) -> bytes | None:
        """What is kept of a store that is at `version`. Of another one, nothing is from here on."""
        if version != self._version:
            self.clear()
            self._version = version
        return self._kept.get(parameters)

    def takes(self, parameters: Struct, data: bytes) -> bool:
        """Whether there is room, or room is to be made as it has been asked for before; what has not been is noted."""
        size = _ENTRY_BYTES + len(data)
        if self._kept_bytes + size <= self._bound_bytes:
            return True
        if size > self._bound_bytes:
            return False
        asked = hash(parameters)
        if asked in self._refused:
            self._refused.discard(asked)
            return True
        if len(self._refused) >= _REFUSED_NOTED:
            self._refused.clear()
        self._refused.add(asked)
        return False

    def keep(self, parameters: Struct, version: int, data: bytes) -> None:
        """Keep what shows the store at `version`."""
        # Another request may have kept it meanwhile, or found that the store has moved on.
        if version != self._version or parameters in self._kept:
            return
        size = _ENTRY_BYTES + len(data)
        while self._kept_bytes + size > self._bound_bytes:
            for oldest in list(islice(self._kept, len(self._kept) // _LET_GO + 1)):
                self._kept_bytes -= _ENTRY_BYTES + len(self._kept.pop(oldest))
        self._kept[parameters] = data
        self._kept_bytes += size

    def clear(self) -> None:
        """Keep nothing."""
        self._kept, self._kept_bytes = {}, 0
