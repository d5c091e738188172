"""Text files as blocks of whole lines, with the number of the line that each begins with."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import zstandard

from upspace.data.formats import FormatError

_BLOCK_BYTES = 8 * 1024 * 1024
# A row that is longer is none: there is a quote that is never closed, or a file without lines.
_ROW_BYTES_MAX = 64 * 1024 * 1024
_READ_BYTES = 1024 * 1024
# What is read at once of a packed file, as it may become a thousand times as long, by zstd thirty thousand times.
_READ_PACKED_BYTES = {"gzip": 32 * 1024, "zstd": 2 * 1024}

_GZIP_BEGINS = b"\x1f\x8b"
_ZSTD_BEGINS = b"\x28\xb5\x2f\xfd"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


Advance = Callable[[int], None]
"""Is told how many bytes of a file have been read."""


class Block(NamedTuple):
    """Some whole lines of a file.

    `line` is the number of the first one, from 1. `read_bytes` is how much of the file, as it lies on the disk, has
    been read until here. `damage` says why it cannot be read any further, and is "" elsewhere: the last line of such a
    block is not complete.
    """

    line: int
    data: bytes
    read_bytes: int
    damage: str = ""

    @property
    def lines(self) -> int:
        """How many lines these are; the last one of a file may lack its end."""
        return self.data.count(b"\n") + (not self.data.endswith(b"\n") and self.data != b"")


def read_blocks(path: Path, *, quoted: bool, block_bytes: int = _BLOCK_BYTES) -> Iterator[Block]:
    """The lines of a file, unpacked if it is packed, whatever its name says.

    With `quoted`, a row may go over several lines within quotes, and no block ends within them. Raises FormatError
    for a line that is far too long, and OSError.
    """
    line, buffer, wanted_bytes = 1, bytearray(), block_bytes
    with path.open("rb") as file:
        unpacked = _Unpacked(file)
        for chunk in unpacked:
            buffer += chunk
            if len(buffer) < wanted_bytes:
                continue
            end = _last_row_end(buffer, quoted=quoted)
            if end == 0 and 2 * len(buffer) <= _ROW_BYTES_MAX:
                wanted_bytes = 2 * len(buffer)
                continue
            # A quote that is never closed, or that is a part of a text, spoils its own line only.
            end = end or buffer.find(b"\n") + 1
            if end == 0:
                raise FormatError(f"{path}, line {line}: it is longer than {len(buffer):,} bytes")
            block = Block(line, _without_mark(bytes(buffer[:end]), line), file.tell())
            yield block
            line, wanted_bytes = line + block.lines, block_bytes
            del buffer[:end]
        if buffer or unpacked.damage:
            yield Block(line, _without_mark(bytes(buffer), line), file.tell(), unpacked.damage)


def _without_mark(data: bytes, line: int) -> bytes:
    return data.removeprefix(_BYTE_ORDER_MARK) if line == 1 else data


def _last_row_end(data: bytearray, *, quoted: bool) -> int:
    """Where the last row ends that is there as a whole; 0 if there is none."""
    end = data.rfind(b"\n") + 1
    if not quoted:
        return end
    quotes = data.count(b'"', 0, end)
    # With an odd number of quotes before it, the end of a line is in the middle of a value.
    while quotes % 2 and end:
        before = data.rfind(b"\n", 0, data.rfind(b'"', 0, end)) + 1
        quotes -= data.count(b'"', before, end)
        end = before
    return end


class _Unpacked:
    """The bytes of a file that may be packed; when they are read, `damage` says why they are not all, if so."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.damage = ""

    def __iter__(self) -> Iterator[bytes]:
        begins = self._file.read(4)
        self._file.seek(0)
        if begins.startswith(_GZIP_BEGINS):
            return self._unpack("gzip", lambda: zlib.decompressobj(wbits=31))
        if begins == _ZSTD_BEGINS:
            return self._unpack("zstd", lambda: zstandard.ZstdDecompressor().decompressobj())
        return iter(lambda: self._file.read(_READ_BYTES), b"")

    def _unpack(self, kind: str, make: Any) -> Iterator[bytes]:
        """Unpack one packed part after the other: files that were appended to each other have several."""
        part: Any = None
        while packed := self._file.read(_READ_PACKED_BYTES[kind]):
            while packed:
                part = part or make()
                try:
                    data = part.decompress(packed)
                except (zlib.error, zstandard.ZstdError) as error:
                    self.damage = f"the file is damaged from here on, as {kind}: {error}"
                    return
                if data:
                    yield data
                packed = part.unused_data if part.eof else b""
                part = None if part.eof else part
        if part is not None:
            self.damage = f"the file is cut off here: its {kind} data does not end"
