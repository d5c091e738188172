"""The table of contract 8.1 as data: what an act makes of a pair, and what it answers.

What is expected is written down here; nothing is computed by a model.
"""

from typing import NamedTuple

# What one side of a pair is, by a letter: its attribute, and what it adds to following, whisper and black.
STORED = {"-": 0, "w": 1, "f": 2, "b": 128}
COUNTED = {"-": (0, 0, 0), "w": (0, 1, 0), "f": (1, 0, 0), "b": (0, 0, 1)}

# For each act: the pair before (viewer to target, target to viewer), the code, the pair after.
TABLE = {
    # follow
    1: """
        - -      0   f -
        - w      0   f w
        - f      0   f f
        - b  22002   - b
        w -      0   f -
        w w      0   f w
        w f      0   f f
        w b  22002   w b
        f -  22014   f -
        f w  22014   f w
        f f  22014   f f
        f b  22002   f b
        b -  22003   b -
        b w  22003   b w
        b f  22003   b f
        b b  22003   b b
    """,
    # unfollow
    2: """
        - -      0   - -
        - w      0   - w
        - f      0   - f
        - b      0   - b
        w -      0   w -
        w w      0   w w
        w f      0   w f
        w b      0   w b
        f -      0   - -
        f w      0   - w
        f f      0   - f
        f b      0   - b
        b -      0   b -
        b w      0   b w
        b f      0   b f
        b b      0   b b
    """,
    # whisper
    3: """
        - -      0   w -
        - w      0   w w
        - f      0   w f
        - b  22002   - b
        w -  22014   w -
        w w  22014   w w
        w f  22014   w f
        w b  22002   w b
        f -      0   w -
        f w      0   w w
        f f      0   w f
        f b  22002   f b
        b -  22003   b -
        b w  22003   b w
        b f  22003   b f
        b b  22003   b b
    """,
    # unwhisper
    4: """
        - -      0   - -
        - w      0   - w
        - f      0   - f
        - b      0   - b
        w -      0   - -
        w w      0   - w
        w f      0   - f
        w b      0   - b
        f -      0   f -
        f w      0   f w
        f f      0   f f
        f b      0   f b
        b -      0   b -
        b w      0   b w
        b f      0   b f
        b b      0   b b
    """,
    # block
    5: """
        - -      0   b -
        - w      0   b -
        - f      0   b -
        - b      0   b b
        w -      0   b -
        w w      0   b -
        w f      0   b -
        w b      0   b b
        f -      0   b -
        f w      0   b -
        f f      0   b -
        f b      0   b b
        b -  22120   b -
        b w  22120   b w
        b f  22120   b f
        b b  22120   b b
    """,
    # unblock
    6: """
        - -      0   - -
        - w      0   - w
        - f      0   - f
        - b      0   - b
        w -      0   w -
        w w      0   w w
        w f      0   w f
        w b      0   w b
        f -      0   f -
        f w      0   f w
        f f      0   f f
        f b      0   f b
        b -      0   - -
        b w      0   - w
        b f      0   - f
        b b      0   - b
    """,
    # remove follower
    7: """
        - -      0   - -
        - w      0   - -
        - f      0   - -
        - b      0   - b
        w -      0   w -
        w w      0   w -
        w f      0   w -
        w b      0   w b
        f -      0   f -
        f w      0   f -
        f f      0   f -
        f b      0   f b
        b -      0   b -
        b w      0   b -
        b f      0   b -
        b b      0   b b
    """,
}
# The rows after which both sides have the instant of the write, not the viewer's side alone.
BECOMES_MUTUAL = {(1, "-f"), (1, "wf")}


class Case(NamedTuple):
    """One row for one act, with a pair of accounts of its own."""

    act: int
    before: str
    code: int
    after: str
    viewer: int
    target: int


def cases() -> list[Case]:
    """The whole table."""
    made: list[Case] = []
    for act, rows in TABLE.items():
        for line in rows.strip().splitlines():
            forward, backward, code, forward_after, backward_after = line.split()
            viewer = 100_001 + 2 * len(made)
            made.append(Case(act, forward + backward, int(code), forward_after + backward_after, viewer, viewer + 1))
    return made


CASES = cases()
