"""The error table against the contract, section 4, and the HTTP statuses of 2.5."""

from collections import Counter

import pytest

from upspace.wire.errors import TABLE, BadRequestError, ContractError, NotFoundError

# Code 0 is success and has no class.
CONTRACT = {
    -101: "账号未登录",
    -102: "账号被封停",
    -111: "csrf 校验失败",
    -352: "风控校验失败",
    -400: "请求错误",
    -401: "非法访问",
    -403: "访问权限不足",
    -404: "啥都木有",
    -405: "不支持该方法",
    -412: "请求被拦截",
    -500: "服务器错误",
    -503: "过载保护,服务暂不可用",
    -504: "服务调用超时",
    -509: "请求过于频繁，请稍后再试",
    -799: "请求过于频繁，请稍后再试",
    22001: "不能对自己进行此操作",
    22002: "因对方隐私设置，你还不能关注",
    22003: "关注失败，请将该用户移除黑名单之后再试",
    22007: "限制只访问前5页",
    22008: "黑名单达到上限",
    22009: "关注失败，已达关注上限",
    22013: "账号已注销，无法完成操作",
    22014: "已经关注用户，无法重复关注",
    22101: "分组名称存在不允许的字符",
    22102: "分组数量超过限制",
    22103: "分组名过长",
    22104: "该分组不存在",
    22105: "未关注",
    22106: "该分组已经存在",
    22115: "用户已设置隐私，无法查看",
    22118: "由于该用户隐私设置，粉丝列表不可见",
    22120: "重复加入黑名单",
    40061: "用户不存在",
}

# Every other refusal is an answer of the business, with HTTP 200.
STATUSES = {-405: 405, -412: 412, -500: 500, -503: 503, -504: 504}


def test_the_table_is_that_of_the_contract() -> None:
    assert {code: error.message for code, error in TABLE.items()} == CONTRACT


def test_each_row_of_the_table_knows_its_own_code() -> None:
    assert [error.code for error in TABLE.values()] == list(TABLE)


def test_each_code_has_a_class_of_its_own() -> None:
    assert max(Counter(error.__name__ for error in TABLE.values()).values()) == 1
    assert all(name.endswith("Error") for name in (error.__name__ for error in TABLE.values()))


def test_only_the_two_rate_limits_share_a_message() -> None:
    shared = [code for code in CONTRACT if list(CONTRACT.values()).count(TABLE[code].message) > 1]
    assert shared == [-509, -799]


@pytest.mark.parametrize("code", CONTRACT)
def test_a_refusal_goes_with_the_http_status_of_the_contract(code: int) -> None:
    assert TABLE[code].status == STATUSES.get(code, 200)
    assert TABLE[code]().status == STATUSES.get(code, 200)


def test_an_unknown_path_has_http_404_where_an_unknown_account_has_200() -> None:
    assert (NotFoundError().status, NotFoundError(status=404).status) == (200, 404)
    assert NotFoundError.status == 200


def test_a_code_used_twice_is_refused_when_the_class_is_made() -> None:
    before = dict(TABLE)
    with pytest.raises(TypeError, match="code -400 belongs to BadRequestError already"):

        class SecondError(ContractError, code=-400, message="x"):
            pass

    assert before == TABLE


def test_a_refusal_tells_people_its_reason_and_clients_its_message() -> None:
    error = BadRequestError("not a mid: 'x'")
    assert (str(error), error.message) == ("not a mid: 'x'", "请求错误")
    assert str(BadRequestError()) == "请求错误"
