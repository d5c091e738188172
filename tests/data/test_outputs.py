"""Files that are written: what is there already is replaced only where that was meant."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import apsw
import pytest
from imports import Importer, Silent, written
from stores import within

from upspace.data.exporting.run import export_files
from upspace.data.formats import Format, FormatError
from upspace.data.importing.run import Files, Options, import_files

USERS = "mid,name\n1,a\n2,b\n"
WITH_A_FAULT = USERS + "x,c\n"


@pytest.fixture
def store(tmp_path: Path) -> Importer:
    """A store of two accounts, in the folder of the test."""
    store = Importer(tmp_path, f"sqlite:///{tmp_path}/store.db")
    store(written(tmp_path / "first.csv", USERS))
    return store


def export(store: Importer, users: Path | None, relations: Path | None = None) -> None:
    within(export_files(store.url, users, relations, Format.CSV, Silent().rows))


def import_with(store: Importer, users: str, rejects: Path) -> None:
    files = Files([written(store.folder / "users.csv", users)])
    within(import_files(store.url, files, Options(rejects, temporary_folder=store.folder), Silent()))


def read_from(stream: Path, use: Callable[[], None]) -> str:
    """What `use` writes into a named pipe."""
    os.mkfifo(stream)
    found: list[str] = []
    reader = Thread(target=lambda: found.append(stream.read_text(encoding="utf-8")))
    reader.start()
    use()
    reader.join()
    assert stream.is_fifo()
    return found[0]


def accounts_of(path: Path) -> int:
    with closing(apsw.Connection(str(path))) as db:
        count: int = db.execute("select count(*) from account").get
        return count


# What is exported


def test_a_pipe_gets_the_rows_and_stays_one(store: Importer, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    lines = read_from(pipe, lambda: export(store, pipe)).splitlines()
    assert [line.split(",")[:2] for line in lines] == [["mid", "name"], ["1", "a"], ["2", "b"]]


def test_parquet_does_not_go_into_a_pipe(store: Importer, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FormatError, match="not a regular file"):
        within(export_files(store.url, pipe, None, Format.PARQUET, Silent().rows))
    assert pipe.is_fifo()


def test_a_link_stays_and_leads_to_the_new_file(store: Importer, tmp_path: Path) -> None:
    target = written(tmp_path / "target.csv", "old")
    link = tmp_path / "link.csv"
    link.symlink_to(target.name)
    export(store, link)
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8").startswith("mid,name")


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("through_link", [False, True])
def test_the_store_is_not_overwritten(store: Importer, tmp_path: Path, end: str, through_link: bool) -> None:
    target = tmp_path / f"store.db{end}"
    path = target
    if through_link:
        path = tmp_path / "link.csv"
        path.symlink_to(target)
    with pytest.raises(FormatError, match="a file of the store"):
        export(store, path)
    assert accounts_of(tmp_path / "store.db") == 2


def test_one_file_under_two_names_is_no_place_for_both(store: Importer, tmp_path: Path) -> None:
    path = written(tmp_path / "both.csv", "old")
    os.link(path, tmp_path / "other.csv")
    (tmp_path / "folder").mkdir()
    for other in (tmp_path / "folder" / ".." / "both.csv", tmp_path / "other.csv"):
        with pytest.raises(FormatError, match="a file each"):
            export(store, path, other)
    assert path.read_text(encoding="utf-8") == "old"


def test_an_export_that_fails_at_the_relations_leaves_the_users_as_they_were(store: Importer, tmp_path: Path) -> None:
    users = written(tmp_path / "u.csv", "old")
    with pytest.raises(FormatError, match="No such file"):
        export(store, users, tmp_path / "none" / "r.csv")
    assert users.read_text(encoding="utf-8") == "old"


# What is rejected


@pytest.mark.parametrize("users", [USERS, WITH_A_FAULT], ids=["none", "one"])
def test_a_file_that_is_no_list_of_rejected_rows_is_neither_replaced_nor_removed(
    store: Importer, tmp_path: Path, users: str
) -> None:
    notes = written(tmp_path / "notes.txt", "mine")
    for path in (notes, tmp_path / "users.csv"):
        with pytest.raises(FormatError, match="no list of rejected rows"):
            import_with(store, users, path)
    assert notes.read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "users.csv").read_text(encoding="utf-8") == users


@pytest.mark.parametrize("end", ["", "-wal"])
def test_the_list_is_not_written_over_the_store(store: Importer, tmp_path: Path, end: str) -> None:
    with pytest.raises(FormatError, match="a file of the store"):
        import_with(store, WITH_A_FAULT, tmp_path / f"store.db{end}")
    assert accounts_of(tmp_path / "store.db") == 2
    new = Importer(tmp_path, f"sqlite:///{tmp_path}/new.db")
    with pytest.raises(FormatError, match="a file of the store"):
        import_with(new, WITH_A_FAULT, tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_an_empty_file_takes_the_list(store: Importer, tmp_path: Path) -> None:
    path = written(tmp_path / "list.csv", "")
    import_with(store, WITH_A_FAULT, path)
    assert path.read_text(encoding="utf-8").splitlines()[0] == "file,line,reason"
    import_with(store, USERS, path)
    assert not path.exists()


def test_a_pipe_gets_the_list(store: Importer, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    lines = read_from(pipe, lambda: import_with(store, WITH_A_FAULT, pipe)).splitlines()
    assert lines[0] == "file,line,reason"
    assert lines[1].endswith("mid: 'x' is not a whole number")


@pytest.mark.parametrize("users", [USERS, WITH_A_FAULT], ids=["none", "one"])
def test_a_device_stays(store: Importer, users: str) -> None:
    import_with(store, users, Path(os.devnull))
    assert Path(os.devnull).is_char_device()
