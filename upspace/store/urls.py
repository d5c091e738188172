"""URLs of stores as people may see them."""

import re

# Up to the last @: what stands before it may be a password whose / ? # @ should have been written as %2F and so on.
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:@/?#]*):.*@", re.DOTALL)
_PASSWORD_PARAMETER = re.compile(r"(?<=[?&])(password|sslpassword)=[^&]*")


def without_password(url: str) -> str:
    """The URL as it may be printed and logged: with `***` in place of a password."""
    return _PASSWORD_PARAMETER.sub(r"\1=***", _PASSWORD.sub(r"\g<user>:***@", url))
