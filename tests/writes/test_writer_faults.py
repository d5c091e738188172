"""A write that meets damage in the file fails alone, and later writes are answered (contract 4: -500; 5.1)."""

from pathlib import Path

import apsw
import httpx
import pytest
from conftest import serving
from load_client import BATCH, MODIFY, token_of
from load_world import arguments, make_accounts

ANN, BEA, DAMAGED = 1001, 1002, 1003
# Reached only by a server that does not answer at all.
PATIENCE_S = 3

NUMBERS = ("state = 77", "counter_mode = 77")


@pytest.mark.parametrize("numbers", NUMBERS)
def test_a_write_on_a_damaged_account_fails_alone(tmp_path: Path, numbers: str) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    make_accounts(url, (ANN, BEA, DAMAGED))
    file = apsw.Connection(url.removeprefix("sqlite:///"))
    file.execute(f"update standing set {numbers} where mid = {DAMAGED}")  # noqa: S608  # texts of this file
    file.close()
    headers = {"Authorization": f"Bearer {token_of(ANN)}"}
    with (
        serving(tmp_path, *arguments(url, 1)) as served,
        httpx.Client(base_url=served.url, headers=headers, trust_env=False, timeout=PATIENCE_S) as client,
    ):
        refused = client.post(MODIFY, data={"fid": DAMAGED, "act": 1})
        assert (refused.status_code, refused.json()["code"]) == (500, -500)
        assert client.post(MODIFY, data={"fid": BEA, "act": 1}).json() == {"code": 0, "message": "0", "ttl": 1}
        assert client.post(BATCH, data={"fids": f"{BEA},{DAMAGED}", "act": 5}).json()["code"] == -500
        assert client.post(MODIFY, data={"fid": BEA, "act": 2}).json() == {"code": 0, "message": "0", "ttl": 1}
        assert served.stop() == 0
