"""A few accounts with figures, relations and a token, for programs that come through the proxy."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conftest import DEADLINE_S, command_line, environment, read_line
from stores import asked

from upspace.model import Relation, Token
from upspace.records import profile_of
from upspace.server.viewer import csrf_of, token_digest
from upspace.store.interface import Store
from upspace.wire.record import read_record

VIEWER, UP, OTHER = 1001, 5818410, 2002
FANS = tuple(range(3001, 3031))
FOLLOWING = 2
START = 1_700_000_000
TOKEN = "token-of-the-viewer"  # noqa: S105  # of an account that is made here
CSRF = csrf_of(TOKEN)

UP_RECORD: dict[str, Any] = {
    "mid": UP,
    "name": "某UP主 ✨",
    "sex": "女",
    "sign": "签名",
    "level": 6,
    "face": "http://i0.hdslb.com/bfs/face/one.jpg",
    "official": {"role": 1, "title": "a title", "desc": "", "type": 0},
    "statistics": {"archive_view": 101, "article_view": 102, "likes": 103, "archive_count": 4, "article_count": 5},
}


def fill(url: str) -> None:
    """Put them into an empty store."""

    async def load(store: Store) -> None:
        plain = [{"mid": mid, "name": f"name {mid}"} for mid in (VIEWER, OTHER, *FANS)]
        followed = [Relation(mid, UP, FOLLOWING, START + mid) for mid in FANS]
        following = [Relation(UP, mid, FOLLOWING, START + mid) for mid in FANS[:3]]
        await store.load([profile_of(read_record(record)) for record in (UP_RECORD, *plain)], [*followed, *following])
        await store.put_token(Token(token_digest(TOKEN), VIEWER, START))

    asked(url, load)


@contextmanager
def saying(
    *arguments: str, lines: int = 1, env: dict[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", list[str]]]:
    """The command as a process, and the first lines it says; it must end well and have said nothing on stderr."""
    process = subprocess.Popen(
        command_line(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(env),
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        yield process, [read_line(process.stdout) for _ in range(lines)]
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, out, err) == (0, b"", b"")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def bare(**variables: str) -> dict[str, str]:
    """An environment with nothing but these variables and what a program needs to start."""
    return {"PATH": os.environ["PATH"], **variables}


def program(name: str) -> str:
    """A program that lies beside the tests."""
    return str(Path(__file__).parent / name)
