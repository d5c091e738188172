"""The form of a reply (contract 2.4, 4), and what is left of it when all that a relation cannot change is left out."""

from typing import Any

OK = {"code": 0, "message": "0", "ttl": 1}

# Contract 4: what goes with the codes that relations and groups may answer.
MESSAGES = {
    -101: "账号未登录",
    -102: "账号被封停",
    -111: "csrf 校验失败",
    -400: "请求错误",
    -404: "啥都木有",
    -405: "不支持该方法",
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
