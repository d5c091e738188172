"""What is kept of an exchange: what a replay needs, and no credential, however it came."""

import stat
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upspace.proxy.recorded import REMOVED, Exchange, PairFile, pair_of
from upspace.wire.control import Pair

# What tokens consist of, with what has to be escaped in URLs; no number, which is none.
SECRET = st.from_regex(r"[A-Za-z][A-Za-z0-9_.*/+-]{7,40}", fullmatch=True)

JSON = [("content-type", "application/json; charset=utf-8")]
FORM = [("content-type", "application/x-www-form-urlencoded")]


def exchange(**given: object) -> Exchange:
    plain = Exchange("GET", "/x/relation/stat", "vmid=5", [], b"", 200, JSON, b'{"code":0}')
    return plain._replace(**given)  # type: ignore[arg-type]  # fields by name


def test_what_is_kept_is_enough_for_a_replay() -> None:
    pair = pair_of(exchange(query="vmid=5&pn=&w_rid=abc&wts=17", reply='{"message":"你好"}'.encode()))
    assert pair == Pair(
        method="GET",
        path="/x/relation/stat",
        parameters={"vmid": "5", "pn": ""},
        status=200,
        content_type="application/json; charset=utf-8",
        text='{"message":"你好"}',
    )
    assert msgspec.json.decode(msgspec.json.encode(pair), type=Pair) == pair


def test_the_body_of_a_write_counts_before_its_query() -> None:
    pair = pair_of(exchange(method="POST", query="fid=1&act=1", headers=FORM, body=b"fid=2&csrf=0123456789abcdef"))
    assert pair.parameters == {"fid": "2", "act": "1"}


def test_a_reply_that_is_no_text_is_kept_byte_for_byte() -> None:
    pair = pair_of(exchange(reply=b"\x89PNG\xff\x00", reply_headers=[("content-type", "image/png")]))
    assert pair.body == b"\x89PNG\xff\x00"
    assert msgspec.json.decode(msgspec.json.encode(pair), type=Pair).body == b"\x89PNG\xff\x00"


def test_the_mid_in_a_cookie_is_no_credential() -> None:
    passed = exchange(headers=[("cookie", "DedeUserID=50995243")], reply=b'{"mid":50995243}')
    assert pair_of(passed).text == '{"mid":50995243}'


@given(
    bearer=SECRET,
    access_key=SECRET,
    session=SECRET,
    csrf=SECRET,
    given_out=SECRET,
    place=st.sampled_from(["text", "raw"]),
)
def test_no_credential_is_kept_wherever_it_occurs(
    bearer: str, access_key: str, session: str, csrf: str, given_out: str, place: str
) -> None:
    secrets = (bearer, access_key, session, csrf, given_out)
    everywhere = "|".join((*secrets, *(quote(secret, safe="") for secret in secrets)))
    passed = exchange(
        method="POST",
        path=f"/x/{bearer}",
        query=f"access_key={quote(access_key, safe='')}&name={quote(everywhere, safe='')}",
        headers=[
            *FORM,
            ("authorization", f"Bearer {bearer}"),
            ("cookie", f'buvid3=x; SESSDATA="{session}"; bili_jct={csrf}'),
        ],
        body=f"csrf={quote(csrf, safe='')}&note={quote(everywhere, safe='')}".encode(),
        reply_headers=[*JSON, ("set-cookie", f"SESSDATA={given_out}; Path=/; HttpOnly")],
        reply=everywhere.encode() + (b"" if place == "text" else b"\xff"),
    )
    pair = pair_of(passed)
    kept = [pair.path, *pair.parameters, *pair.parameters.values(), pair.content_type, pair.body.decode("latin-1")]
    for secret in secrets:
        assert not any(secret in text for text in kept)
        assert not any(quote(secret, safe="") in text for text in kept)
    assert REMOVED in pair.body.decode("latin-1")


def test_a_file_is_its_owners_alone_and_is_added_to(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    first, second = (pair_of(exchange(path=f"/x/{number}")) for number in (1, 2))
    for pair in (first, second):
        with PairFile(path) as file:
            file.add(pair)
            assert file.count == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [msgspec.json.decode(line, type=Pair) for line in path.read_bytes().splitlines()] == [first, second]


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        PairFile(tmp_path / "nowhere" / "pairs.jsonl")
