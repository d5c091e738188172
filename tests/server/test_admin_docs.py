"""docs/admin.md: each of its requests gets the reply that is printed beside it."""

import asyncio
import re
import shlex
from pathlib import Path

from admin_world import ADMIN, ADMIN_TOKEN, VARYING, in_process

from upspace.server.app import build_app
from upspace.server.settings import build_settings
from upspace.store import open_store

DOCUMENT = (Path(__file__).parents[2] / "docs" / "admin.md").read_text(encoding="utf-8")

EXAMPLE = re.compile(r"```sh\n(curl .+)\n```\n```json\n(.+)\n```")


async def answers_of_the_document(url: str) -> list[tuple[str, str]]:
    """Each reply printed in the document, and the reply that its request gets in their order."""
    store = await open_store(url)
    app = build_app(store, build_settings({"store": url, "admin_token": ADMIN_TOKEN}))
    answers = []
    for command, printed in EXAMPLE.findall(DOCUMENT):
        words = shlex.split(command)[1:]
        options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
        assert options.keys() <= {"-H", "-X", "-d"}
        assert options.get("-H", "@admin.header") == "@admin.header"
        method = options.get("-X", "POST" if "-d" in options else "GET")
        path = words[-1].removeprefix("http://127.0.0.1:8000")
        reply = await in_process(app, method, path, ADMIN if "-H" in options else {}, options.get("-d"))
        answers.append((printed, reply.text))
    await store.close()
    return answers


def test_each_request_of_the_document_gets_the_reply_printed_beside_it(store_url: str) -> None:
    answers = asyncio.run(answers_of_the_document(store_url))
    assert len(answers) == DOCUMENT.count("\ncurl ") == 9
    for printed, answered in answers:
        assert VARYING.sub(r'"\1":""', printed) == VARYING.sub(r'"\1":""', answered)
