"""The list of rows that were rejected, as a file for people."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from upspace.data.formats import FormatError
from upspace.data.importing.staging import Reject, Staging
from upspace.data.outputs import check_no_store, is_stream, unfinished

_HEAD = (",".join(Reject._fields) + "\n").encode()


def check_rejects(path: Path, url: str) -> None:
    """Raise FormatError unless `path` may be written and removed: there is nothing, a stream, or an earlier list."""
    check_no_store((path,), url)
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_HEAD)) not in (b"", _HEAD):
                raise FormatError(f"{path} is there, and is no list of rejected rows: they need a file of their own")


@contextmanager
def rejects_written(area: Staging, path: Path) -> Iterator[None]:
    """In the end, well or not, the file has the rows that were rejected, and is not there without any.

    Raises OSError if it cannot be written, before anything is done.
    """
    if is_stream(path):
        try:
            yield
        finally:
            if area.count("reject"):
                with path.open("w", encoding="utf-8", newline="") as stream:
                    _write(stream, area)
        return
    partial = unfinished(path)
    try:
        file = partial.open("w", encoding="utf-8", newline="")
    except OSError as error:
        error.filename = str(path)
        raise
    with file:
        try:
            yield
        finally:
            try:
                _write(file, area)
                if area.count("reject"):
                    partial.replace(path.resolve())
                else:
                    path.resolve().unlink(missing_ok=True)
            finally:
                partial.unlink(missing_ok=True)


def _write(file: IO[str], area: Staging) -> None:
    file.write(_HEAD.decode())
    csv.writer(file, lineterminator="\n").writerows(area.rejects())
    file.flush()
