"""Every number with a meaning on the wire, named once."""

from typing import Final

ATTRIBUTE_NONE: Final = 0
ATTRIBUTE_WHISPER: Final = 1
ATTRIBUTE_FOLLOWING: Final = 2
ATTRIBUTE_MUTUAL: Final = 6
ATTRIBUTE_BLACK: Final = 128

ACT_FOLLOW: Final = 1
ACT_UNFOLLOW: Final = 2
ACT_WHISPER: Final = 3
ACT_UNWHISPER: Final = 4
ACT_BLOCK: Final = 5
ACT_UNBLOCK: Final = 6
ACT_REMOVE_FOLLOWER: Final = 7
BATCH_ACTS: Final = (ACT_FOLLOW, ACT_BLOCK)
RE_SRC_MAX: Final = 65535

GROUP_SPECIAL: Final = -10
GROUP_DEFAULT: Final = 0
GROUP_ALL: Final = -20
GROUP_NAME_SPECIAL: Final = "特别关注"
GROUP_NAME_DEFAULT: Final = "默认分组"
GROUP_NAME_MAX: Final = 16

OFFICIAL_NONE: Final = -1

SPACESTA_NORMAL: Final = 0
SPACESTA_SUSPENDED: Final = -2

MID_MAX: Final = 9_223_372_036_854_775_807
PN_MAX: Final = 1_000_000_000
PS_MAX: Final = 50

RANKS: Final = (5000, 10000, 20000, 25000, 30000, 32000)
LEVEL_MAX: Final = 6
SEXES: Final = ("男", "女", "保密")
