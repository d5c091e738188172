"""Every number with a meaning on the wire, named once."""

from typing import Final

ATTRIBUTE_NONE: Final = 0
ATTRIBUTE_WHISPER: Final = 1
ATTRIBUTE_FOLLOWING: Final = 2
ATTRIBUTE_MUTUAL: Final = 6
ATTRIBUTE_BLACK: Final = 128

GROUP_SPECIAL: Final = -10

OFFICIAL_NONE: Final = -1

SPACESTA_NORMAL: Final = 0
SPACESTA_SUSPENDED: Final = -2

MID_MAX: Final = 9_223_372_036_854_775_807
PN_MAX: Final = 1_000_000_000
PS_MAX: Final = 50

RANKS: Final = (5000, 10000, 20000, 25000, 30000, 32000)
LEVEL_MAX: Final = 6
SEXES: Final = ("男", "女", "保密")
