"""Lines of files come in blocks, none is lost, and each block knows its first line."""

import gzip
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upspace.data.formats import FormatError
from upspace.data.importing import blocks
from upspace.data.importing.blocks import read_blocks

CONTENTS = st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b"\r\n", b"\r", b"longer text"]), max_size=60).map(
    b"".join
)
PACKINGS = st.sampled_from([bytes, gzip.compress, zstandard.compress])

WITHIN_ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@WITHIN_ONE_FOLDER
@given(content=CONTENTS, quoted=st.booleans(), size=st.integers(1, 30), pack=PACKINGS)
def test_blocks_are_the_file_and_each_begins_with_the_line_that_it_says(
    tmp_path: Path, content: bytes, quoted: bool, size: int, pack: object
) -> None:
    path = tmp_path / "file"
    assert callable(pack)
    path.write_bytes(pack(content))
    found = list(read_blocks(path, quoted=quoted, block_bytes=size))
    assert b"".join(block.data for block in found) == content
    line = 1
    for number, block in enumerate(found):
        assert block.line == line
        assert block.data.endswith(b"\n") or number == len(found) - 1
        assert block.damage == ""
        line += block.data.count(b"\n")


def test_a_row_over_several_lines_is_in_one_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_READ_BYTES", 4)
    path = tmp_path / "file"
    path.write_bytes(b'1,"a\nb\nc\nd"\n2,"e\nf"\n3,g\n')
    found = [block.data for block in read_blocks(path, quoted=True, block_bytes=4)]
    assert found == [b'1,"a\nb\nc\nd"\n', b'2,"e\nf"\n', b"3,g\n"]


def test_a_stray_quote_spoils_its_own_line_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_READ_BYTES", 16)
    monkeypatch.setattr(blocks, "_ROW_BYTES_MAX", 64)
    path = tmp_path / "file"
    lines = [b'5" disk\n', *[b"line\n"] * 100]
    path.write_bytes(b"".join(lines))
    found = list(read_blocks(path, quoted=True, block_bytes=16))
    assert found[0].data == lines[0]
    assert b"".join(block.data for block in found) == b"".join(lines)


def test_a_line_without_an_end_is_an_error_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_READ_BYTES", 16)
    monkeypatch.setattr(blocks, "_ROW_BYTES_MAX", 64)
    path = tmp_path / "file"
    path.write_bytes(b"a\n" + b"x" * 1_000)
    with pytest.raises(FormatError, match="line 2: it is longer than"):
        list(read_blocks(path, quoted=False, block_bytes=16))
