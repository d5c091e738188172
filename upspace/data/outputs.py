"""Files that are written for people: nothing is lost that is there already and was not meant."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from upspace.data.formats import FormatError
from upspace.store import store_files


def is_stream(path: Path) -> bool:
    """Whether there is something other than a regular file: a pipe, a terminal, a device."""
    return path.exists() and not path.is_file()


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, however they are spelled."""
    if one.resolve() == other.resolve():
        return True
    return one.exists() and other.exists() and one.samefile(other)


def check_no_store(paths: Collection[Path], url: str) -> None:
    """Raise FormatError if one of the paths is a file of the store at `url`."""
    for path in paths:
        if any(is_same(path, file) for file in store_files(url)):
            raise FormatError(f"{path} is a file of the store")


def unfinished(path: Path) -> Path:
    """Where to write what is not complete: beside the file, and beside the one that a link leads to."""
    target = path.resolve()
    return target.with_name(f".{target.name}.partial")


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """Where to write what shall be at `path` in the end: beside it, until nothing can fail any more.

    A link stays, and leads to the new file. A stream is written to itself. Raises OSError.
    """
    if is_stream(path):
        yield path
        return
    partial = unfinished(path)
    try:
        yield partial
        partial.replace(path.resolve())
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
