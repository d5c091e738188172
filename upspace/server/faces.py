"""Generated avatars: a small picture that is always the same for a mid, so that pages work without the internet."""

from hashlib import sha256

_GREY = 0
_GRID = 5
_CELL = 16
_MARGIN = 24
_SIDE = _GRID * _CELL + 2 * _MARGIN


def draw_face(mid: int) -> bytes:
    """An SVG of 128 by 128: a pattern, mirrored about its middle, in a colour of its own; grey for mid 0."""
    digest = sha256(b"face:%d" % mid).digest()
    hue = digest[0] * 360 // 256
    ink, paper = ("#999", "#e7e7e7") if mid == _GREY else (f"hsl({hue} 62% 46%)", f"hsl({hue} 70% 92%)")
    cells = []
    for row in range(_GRID):
        for column in range(_GRID // 2 + 1):
            if digest[1 + row * 3 + column] & 1:
                cells += [
                    f"M{_MARGIN + x * _CELL} {_MARGIN + row * _CELL}h{_CELL}v{_CELL}h-{_CELL}z"
                    for x in sorted({column, _GRID - 1 - column})
                ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SIDE}" height="{_SIDE}" viewBox="0 0 {_SIDE} {_SIDE}">'
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="{paper}"/><path fill="{ink}" d="{"".join(cells)}"/></svg>'
    ).encode()
