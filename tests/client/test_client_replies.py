"""Replies byte by byte: what each says, and that nothing else than a value or a documented error comes of any bytes."""

import pickle
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any

import httpx
import msgspec
import pytest
from client_forms import FORMS, Connect, connecting
from client_samples import CALLS, ROWS
from contract_codes import MESSAGES
from hypothesis import example, given
from hypothesis import strategies as st

from upspace.client import Call, Client, UnknownCodeError, UnreadableReplyError
from upspace.client.replies import Reply
from upspace.wire import errors
from upspace.wire.accounts import Fingerprints, UpstatReply, View
from upspace.wire.envelope import success
from upspace.wire.errors import TABLE, ContractError
from upspace.wire.relations import RelationStat

URL = "http://127.0.0.1:9"
STAT = b'{"code":0,"message":"0","ttl":1,"data":{"mid":7,"following":1,"whisper":2,"black":3,"follower":4}}'
FREQUENT = '{"code":-799,"message":"请求过于频繁，请稍后再试","ttl":1}'.encode()
LIMITED = FREQUENT.replace(b"-799", b"-509")
HTML = b"<html><head><title>404 Not Found</title></head></html>"
GA_DATA = {"decisions": ["verify"], "risk_level": 1, "grisk_id": "x", "decision_ctx": {"k": "v"}}


@pytest.fixture(params=FORMS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with connecting(request.param) as connect:
        yield connect


def told(connect: Connect, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Client:
    """A client that gets this reply to whatever it sends."""
    return connect(URL, retries=0, answer=lambda _: httpx.Response(status, content=body, headers=headers))


# Successes


def test_a_success_is_a_value(connect: Connect) -> None:
    assert told(connect, STAT).relation_stat(7) == RelationStat(7, 1, 2, 3, 4)


def test_fields_that_are_not_known_are_ignored(connect: Connect) -> None:
    body = STAT.replace(b'"mid"', b'"new":{"a":[1]},"mid"').replace(b'"ttl"', b'"more":null,"ttl"')
    assert told(connect, body).relation_stat(7) == RelationStat(7, 1, 2, 3, 4)


def test_the_message_of_a_success_does_not_count(connect: Connect) -> None:
    body = b'{"code":0,"message":"ok","ttl":1,"data":{"b_3":"x","b_4":"y"}}'
    assert told(connect, body).finger_spi() == Fingerprints("x", "y")


def test_escaped_and_raw_characters_are_equal(connect: Connect) -> None:
    raw = '{"code":0,"message":"0","ttl":1,"data":{"1":"<&>\u2028"}}'
    escaped = raw.replace("<", "\\u003c").replace("&", "\\u0026").replace("\u2028", "\\u2028")
    for body in (raw, escaped):
        assert told(connect, body.encode()).groups_of(7) == {"1": "<&>\u2028"}


@pytest.mark.parametrize("end", [b"}", b',"data":null}', b',"data":{}}', b',"data":{"x":1}}'])
def test_a_write_that_returns_nothing_gives_nothing(connect: Connect, end: bytes) -> None:
    assert told(connect, b'{"code":0,"message":"0","ttl":1' + end).follow(7) is None


def test_upstat_tells_the_empty_object_from_zeros(connect: Connect) -> None:
    assert told(connect, b'{"code":0,"message":"0","ttl":1,"data":{}}').upstat(7) is None
    body = b'{"code":0,"message":"0","ttl":1,"data":{"archive":{"view":0},"article":{"view":0},"likes":0}}'
    assert told(connect, body).upstat(7) == UpstatReply(View(0), View(0), 0)
    with pytest.raises(UnreadableReplyError, match="likes"):
        told(connect, body.replace(b',"likes":0', b"")).upstat(7)


# Refusals


@pytest.mark.parametrize("code", MESSAGES)
def test_a_code_of_the_table_raises_its_class(connect: Connect, code: int) -> None:
    body = f'{{"code":{code},"message":"{MESSAGES[code]}","ttl":1}}'.encode()
    for status in (200, 412, 503):
        client = told(connect, body, status)
        for call in (client.nav, client.groups, lambda client=client: client.follow(7)):
            with pytest.raises(ContractError) as refused:
                call()
            assert type(refused.value) is TABLE[code]
            assert (refused.value.code, refused.value.status, refused.value.data) == (code, status, None)
            assert str(refused.value) == MESSAGES[code]


def refusal(client: Client, kind: type[ContractError]) -> Any:
    with pytest.raises(kind) as refused:
        client.acc_info(7)
    return refused.value


def test_risk_control_comes_with_data_of_another_shape(connect: Connect) -> None:
    voucher = "voucher_0a1b2c3d-0000-4000-8000-000000000000"
    body = f'{{"code":-352,"message":"风控校验失败","ttl":1,"data":{{"v_voucher":"{voucher}"}}}}'
    assert refusal(told(connect, body.encode()), errors.RiskControlError).data == {"v_voucher": voucher}


def test_an_interception_is_one_whatever_its_message(connect: Connect) -> None:
    for message, data in (("请求被拦截", ',"data":null'), ("request was banned", ""), ("", "")):
        body = f'{{"code":-412,"message":"{message}","ttl":1{data}}}'.encode()
        error = refusal(told(connect, body, 412), errors.InterceptedError)
        assert (error.status, error.data, str(error)) == (412, None, message or "请求被拦截")


def test_an_illegal_access_comes_with_what_was_decided(connect: Connect) -> None:
    body = {"code": -401, "message": "非法访问", "ttl": 1, "data": {"ga_data": GA_DATA}}
    error = refusal(told(connect, msgspec.json.encode(body)), errors.IllegalAccessError)
    assert error.data == {"ga_data": GA_DATA}


def test_a_busy_server_has_a_code_that_no_table_has(connect: Connect) -> None:
    message = "对不起，服务器开小差了~ (ಥ﹏ಥ)"
    body = f'{{"code":-8888,"message":"{message}","ttl":1,"data":[1,{{"a":null}}]}}'.encode()
    with pytest.raises(UnknownCodeError) as refused:
        told(connect, body).acc_info(7)
    error = refused.value
    assert (error.code, error.message, error.data, error.status) == (-8888, message, [1, {"a": None}], 200)
    assert str(error) == f"code -8888: {message}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        ("999999999", 999_999_999),
        *((text, 0) for text in ("", "1.5", "-1", "+1", "9" * 5000, "Wed, 21 Oct 2015 07:28:00 GMT")),
    ],
)
def test_a_rate_limit_says_when_to_come_again(connect: Connect, text: str, seconds: int) -> None:
    assert (
        refusal(told(connect, FREQUENT, headers={"Retry-After": text}), errors.RateLimitedError).retry_after_s
        == seconds
    )
    assert refusal(told(connect, FREQUENT), errors.RateLimitedError).retry_after_s == 0


def test_a_wrong_method_says_which_are_right(connect: Connect) -> None:
    body = '{"code":-405,"message":"不支持该方法","ttl":1}'.encode()
    error = refusal(told(connect, body, 405, {"Allow": "POST, , GET,HEAD ,"}), errors.MethodNotAllowedError)
    assert (error.allowed, error.status) == (["GET", "HEAD", "POST"], 405)
    assert refusal(told(connect, body, 405), errors.MethodNotAllowedError).allowed == []


@pytest.mark.parametrize("data", ["", ',"data":null', ',"data":{}', ',"data":[1]', ',"data":{"isLogin":"no"}'])
def test_nav_raises_whatever_comes_along(connect: Connect, data: str) -> None:
    """As by the fault `logged_out`."""
    body = f'{{"code":-101,"message":"账号未登录","ttl":1{data}}}'.encode()
    with pytest.raises(errors.NotSignedInError) as refused:
        told(connect, body).nav()
    sent = f"{{{data.removeprefix(',')}}}"
    assert refused.value.data == msgspec.json.decode(sent).get("data")


# What cannot be read

UNREADABLE = {
    "glued": (200, FREQUENT + STAT, "trailing characters"),
    "glued limited": (200, LIMITED + STAT, "trailing characters"),
    "html 404": (404, HTML, "malformed"),
    "html 412": (412, HTML, "malformed"),
    "empty data": (200, b'{"code":0,"message":"0","ttl":1,"data":{}}', "missing required field"),
    "null data": (200, b'{"code":0,"message":"0","ttl":1,"data":null}', "got `null`"),
    "no data": (200, b'{"code":0,"message":"0","ttl":1}', "a success without data"),
    "truncated": (200, STAT[:70], "truncated"),
    "empty": (200, b"", "truncated"),
    "not an object": (200, b"[1]", "got `array`"),
    "no code": (200, STAT.replace(b'"code":0,', b""), "missing required field `code`"),
    "text code": (200, STAT.replace(b":0,", b':"0",'), "`\\$.code`"),
    "float code": (200, STAT.replace(b":0,", b":0.0,"), "`\\$.code`"),
    "null code": (200, STAT.replace(b":0,", b":null,"), "`\\$.code`"),
    "text count": (200, STAT.replace(b":4}", b':"4"}'), "`\\$.follower`"),
    "missing count": (200, STAT.replace(b',"follower":4', b""), "missing required field `follower`"),
    "null count": (200, STAT.replace(b":4}", b":null}"), "`\\$.follower`"),
    "large count": (200, STAT.replace(b":4}", b":" + b"9" * 5000 + b"}"), "out of range"),
    "not UTF-8": (200, STAT.replace(b'"0"', b'"\xff"'), "utf-8"),
    "another status": (502, STAT, "another HTTP status"),
    "accepted only": (202, STAT, "another HTTP status"),
    "jsonp": (200, b"callback(" + STAT + b")", "malformed"),
    "deep": (200, b'{"code":0,"data":' + b"[" * 100_000, "recursion"),
    "deep and whole": (200, b'{"code":-1,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "recursion"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_reply_that_cannot_be_read_says_why(connect: Connect, name: str) -> None:
    status, body, reason = UNREADABLE[name]
    with pytest.raises(UnreadableReplyError, match=reason) as unread:
        told(connect, body, status).relation_stat(7)
    error = unread.value
    assert (error.status, error.beginning) == (status, body[:200])
    assert str(error).startswith(f"HTTP {status}: {error.reason}: ")
    assert str(error).endswith(repr(body[:200].decode("utf-8", "replace")))


def test_a_list_that_is_null(connect: Connect) -> None:
    body = b'{"code":0,"message":"0","ttl":1,"data":{"list":null,"re_version":0,"total":5}}'
    for call in ("followers", "followings", "same_followings", "search_followings"):
        with pytest.raises(UnreadableReplyError, match=r"\$\.list"):
            getattr(told(connect, body), call)(7)


def test_a_redirect_is_not_followed(connect: Connect) -> None:
    with pytest.raises(UnreadableReplyError, match="HTTP 302"):
        told(connect, b"", 302, {"Location": "http://127.0.0.1:9/elsewhere"}).nav()


def test_errors_survive_being_sent_to_another_process() -> None:
    for error in (UnknownCodeError(-1, "x", {"a": 1}, 200), UnreadableReplyError(502, "why", b"<html>")):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  # its own pickle
        assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))


# Connections


def test_a_connection_that_fails_is_told_by_httpx(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(httpx.ReadTimeout):
            connect(f"http://127.0.0.1:{port}", timeout_s=0.05).acc_info(7)
    with pytest.raises(httpx.ConnectError):
        connect(f"http://127.0.0.1:{port}").acc_info(7)


def test_a_connection_that_is_closed_before_the_reply(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close_one() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)

        closing = Thread(target=close_one)
        closing.start()
        # A reset, where the request had not been read.
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            connect(f"http://127.0.0.1:{server.getsockname()[1]}").follow(7)
        closing.join()


# Any bytes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
CODES = st.sampled_from([0, *MESSAGES]) | st.integers()
FIELDS = st.sampled_from(["list", "mid", "total", "relation", "be_relation", "archive", "card", "isLogin", "tagid"])
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "code": CODES | JSON,
        "message": st.text() | JSON,
        "ttl": st.just(1),
        "data": JSON | st.dictionaries(FIELDS, JSON),
    },
).map(msgspec.json.encode)
DEEP = st.builds(
    lambda depth, code: b'{"code":%d,"data":%b1%b}' % (code, b'{"a":[' * depth, b"]}" * depth),
    st.integers(0, 5000),
    st.sampled_from([0, -1, -352]),
)
CUT = st.builds(lambda body, at: body[: at % (len(body) + 1)], ENVELOPES | st.just(STAT), st.integers(0, 2000))
GLUED = st.builds(lambda first, second: first + second, ENVELOPES, ENVELOPES | st.just(STAT))
# What at least one endpoint may answer.
GOOD = st.sampled_from(
    [
        *({}, [], [7], {"7": "name"}, {"tagid": 7}, {"failed_fids": [7]}, {"b_3": "x", "b_4": "y"}),
        {"mid": 7, "following": 1, "whisper": 2, "black": 3, "follower": 4},
        {"mid": 7, "attribute": 0, "mtime": 5, "tag": None, "special": 0},
        {"list": [], "offset": "", "re_version": 0, "total": 0},
        {"archive": {"view": 0}, "article": {"view": 0}, "likes": 0},
    ]
).map(success)
BODIES = st.binary() | ENVELOPES | DEEP | CUT | GLUED | GOOD
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "allow"]), st.text(max_size=30))


def said_by(call: Call[Any], reply: Reply) -> Any:
    """The value, or the exception if it is a documented one."""
    try:
        return call.read(reply)
    except (ContractError, UnknownCodeError, UnreadableReplyError) as error:
        return error


@given(name=st.sampled_from(sorted(ROWS)), status=st.integers(100, 599), headers=HEADERS, body=BODIES)
@example(name="nav", status=200, headers={"retry-after": "²"}, body=FREQUENT)
@example(name="nav", status=200, headers={}, body=b'{"code":-101,"data":{"\xff":1}}')
@example(name="modify", status=200, headers={}, body=b'{"code":0,"data":"\xff"}')
def test_any_bytes_give_a_value_or_a_documented_error(
    name: str, status: int, headers: dict[str, str], body: bytes
) -> None:
    call = CALLS[name]
    said = said_by(call, Reply(status, headers, body))
    if isinstance(said, ContractError | UnknownCodeError | UnreadableReplyError):
        assert said.status == status
        assert str(said) == f"{said}"
    else:
        assert status == 200
        # What it says can be written down, and says the same again.
        assert call.read(Reply(200, {}, success({} if said is None else said))) == said
