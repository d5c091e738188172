"""The error table against the contract, section 4, and the HTTP statuses of 2.5."""

from collections import Counter

import pytest
from contract_codes import MESSAGES

from upspace.wire.errors import TABLE, BadRequestError, ContractError, NotFoundError

# Every other refusal is an answer of the business, with HTTP 200.
STATUSES = {-405: 405, -412: 412, -500: 500, -503: 503, -504: 504}


def test_the_table_is_that_of_the_contract() -> None:
    assert {code: error.message for code, error in TABLE.items()} == MESSAGES


def test_each_row_of_the_table_knows_its_own_code() -> None:
    assert [error.code for error in TABLE.values()] == list(TABLE)


def test_each_code_has_a_class_of_its_own() -> None:
    assert max(Counter(error.__name__ for error in TABLE.values()).values()) == 1
    assert all(name.endswith("Error") for name in (error.__name__ for error in TABLE.values()))


def test_only_the_two_rate_limits_share_a_message() -> None:
    shared = [code for code in MESSAGES if list(MESSAGES.values()).count(TABLE[code].message) > 1]
    assert shared == [-509, -799]


@pytest.mark.parametrize("code", MESSAGES)
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
