"""The form of a reply (contract 2.4, 4), and what is left of it when all that a relation cannot change is left out."""

from typing import Any

from contract_codes import MESSAGES

OK = {"code": 0, "message": "0", "ttl": 1}

ITEM = ("mid", "attribute", "mtime", "tag", "special", "uname")
GROUP_ITEM = ("mid", "attribute", "tag", "special", "uname")
GROUP = ("tagid", "name", "count")
PICKED = {
    "/x/space/acc/info": ("mid", "silence", "is_followed"),
    "/x/space/wbi/acc/info": ("mid", "silence", "is_followed"),
    "/x/space/myinfo": ("mid", "following", "follower"),
}


def refusal(code: int) -> dict[str, Any]:
    """The whole envelope of a refusal."""
    return {"code": code, "message": MESSAGES[code], "ttl": 1}


def outcome(path: str, envelope: dict[str, Any]) -> tuple[int, Any]:
    """Code and data as contract_model.py gives them, of an envelope that is as it must be."""
    code = envelope["code"]
    if code:
        assert envelope == refusal(code), path
        return code, None
    assert {name: envelope[name] for name in OK} == OK, path
    assert set(envelope) <= {*OK, "data"}, path
    # A write that returns nothing has no data at all, not even null.
    assert "data" not in envelope or envelope["data"] is not None, path
    return 0, reduced(path, envelope.get("data"))


def reduced(path: str, data: Any) -> Any:
    """The data of a success without what relations have no part in."""
    if path in PICKED:
        return picked(data, PICKED[path])
    if path == "/x/web-interface/card":
        return picked(data, ("following", "follower")) | picked(data["card"], ("fans", "friend", "attention"))
    if path == "/x/relation/tags":
        assert [group["tagid"] for group in data if group["tip"]] in ([], [-10])
        return [picked(group, GROUP) for group in data]
    if path == "/x/relation/tag":
        assert not any("mtime" in item for item in data)
        return [picked(item, GROUP_ITEM) for item in data]
    if isinstance(data, dict) and "list" in data:
        return data | {"list": [picked(item, ITEM) for item in data["list"]]}
    return data


def picked(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """These keys of an object, which must be there."""
    return {name: given[name] for name in names}
