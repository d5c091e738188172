"""The error table (contract, section 4): one class a code, one message a class.

The server turns a raised class into an envelope; a client raises the same class. Codes that only fault
injection may send have their rows too, so that a client can name what it receives.
"""

from collections.abc import Iterable
from typing import Any, ClassVar


class ContractError(Exception):
    """A refusal that the contract names: `code` and `message` of the envelope, `status` of the HTTP reply."""

    code: ClassVar[int]
    message: ClassVar[str]
    status: int

    def __init_subclass__(cls, *, code: int, message: str, status: int = 200) -> None:
        if code in TABLE:
            raise TypeError(f"code {code} belongs to {TABLE[code].__name__} already")
        cls.code, cls.message, cls.status = code, message, status
        TABLE[code] = cls

    def __init__(self, reason: str = "", *, data: Any = None, status: int | None = None) -> None:
        """`reason` is for people at a terminal and is never sent; `data` goes along where the contract says so.

        A server gives it as a Struct; a client finds there what came along, as plain JSON.

        `status` overrides the class's own: -404 is HTTP 404 for an unknown path, HTTP 200 for an unknown account.
        """
        super().__init__(reason or self.message)
        self.data = data
        if status is not None:
            self.status = status


TABLE: dict[int, type[ContractError]] = {}


class NotSignedInError(ContractError, code=-101, message="账号未登录"):
    """Login is required and the viewer is anonymous."""


class ViewerSuspendedError(ContractError, code=-102, message="账号被封停"):
    """A suspended viewer tries to write."""


class CsrfError(ContractError, code=-111, message="csrf 校验失败"):
    """The CSRF value is missing or wrong."""


class RiskControlError(ContractError, code=-352, message="风控校验失败"):
    """Never by the server's own rules: fault injection only."""


class BadRequestError(ContractError, code=-400, message="请求错误"):
    """A parameter is missing, malformed or out of range."""


class IllegalAccessError(ContractError, code=-401, message="非法访问"):
    """Fault injection only."""


class ForbiddenError(ContractError, code=-403, message="访问权限不足"):
    """Fault injection; the admin interface without its token, the control interface from elsewhere (HTTP 403)."""


class NotFoundError(ContractError, code=-404, message="啥都木有"):
    """An unknown path (HTTP 404), or an account that is unknown or deleted (HTTP 200)."""


class MethodNotAllowedError(ContractError, code=-405, message="不支持该方法", status=405):
    """The path is known, the method is wrong; `allowed` are those that are right."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        super().__init__()
        self.allowed = sorted(allowed)


class InterceptedError(ContractError, code=-412, message="请求被拦截", status=412):
    """Fault injection only."""


class ServerFaultError(ContractError, code=-500, message="服务器错误", status=500):
    """An unexpected failure in the server."""


class UnavailableError(ContractError, code=-503, message="过载保护,服务暂不可用", status=503):
    """Shutting down, overloaded, or the store cannot be reached."""


class TimedOutError(ContractError, code=-504, message="服务调用超时", status=504):
    """The store did not answer in time."""


class TooFrequentError(ContractError, code=-509, message="请求过于频繁，请稍后再试"):
    """Fault injection only."""


class RateLimitedError(ContractError, code=-799, message="请求过于频繁，请稍后再试"):
    """The server's own rate limiter; `retry_after_s` is in how many whole seconds it would be granted."""

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class SelfTargetError(ContractError, code=22001, message="不能对自己进行此操作"):
    """The target of a write is the viewer."""


class BlockedByTargetError(ContractError, code=22002, message="因对方隐私设置，你还不能关注"):
    """Follow or whisper of an account that has blocked the viewer."""


class TargetBlockedError(ContractError, code=22003, message="关注失败，请将该用户移除黑名单之后再试"):
    """Follow or whisper of an account that the viewer has blocked."""


class PageTooDeepError(ContractError, code=22007, message="限制只访问前5页"):
    """A list of another account past the page cap."""


class TooManyBlacksError(ContractError, code=22008, message="黑名单达到上限"):
    """A block beyond `max_blacks`."""


class TooManyFollowingsError(ContractError, code=22009, message="关注失败，已达关注上限"):
    """A follow or whisper beyond `max_followings`."""


class TargetDeletedError(ContractError, code=22013, message="账号已注销，无法完成操作"):
    """Follow, whisper or block of a deleted account."""


class AlreadyRelatedError(ContractError, code=22014, message="已经关注用户，无法重复关注"):
    """The relation asked for already holds."""


class GroupNameCharactersError(ContractError, code=22101, message="分组名称存在不允许的字符"):
    """A group name with a character that is not allowed."""


class TooManyGroupsError(ContractError, code=22102, message="分组数量超过限制"):
    """More than `max_groups` own groups."""


class GroupNameTooLongError(ContractError, code=22103, message="分组名过长"):
    """A group name longer than 16 code points."""


class UnknownGroupError(ContractError, code=22104, message="该分组不存在"):
    """A group id that is not one of the viewer's."""


class NotFollowedError(ContractError, code=22105, message="未关注"):
    """Grouping an account that the viewer does not follow."""


class GroupNameTakenError(ContractError, code=22106, message="该分组已经存在"):
    """A group name that is in use."""


class FollowingsHiddenError(ContractError, code=22115, message="用户已设置隐私，无法查看"):
    """Followings of an account that hides them."""


class FollowersHiddenError(ContractError, code=22118, message="由于该用户隐私设置，粉丝列表不可见"):
    """Followers of an account that hides them."""


class AlreadyBlockedError(ContractError, code=22120, message="重复加入黑名单"):
    """Block of an account that is blocked already."""


class UnknownAccountError(ContractError, code=40061, message="用户不存在"):
    """A write on an account that the server does not know."""
