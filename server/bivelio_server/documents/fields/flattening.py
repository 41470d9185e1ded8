"""Places on a page that was photographed or scanned askew: from the page as it is shown to the one laid flat, and back.

Rules look for rows and columns on the flat page; what is told to others is where things are shown.
"""

from typing import Final

from bivelio_server.reading.port import Box, Flattening, Word

_NOTHING: Final = 1e-9
#: How much of a box a word in it takes at least; how little of the two directions may be mixed up.
_LEAST, _CLEAR = 0.2, 0.3


def laid_flat(word: Word, flattening: Flattening) -> Word:
    """A box on the shown page stands around a word that leans there, so it is wider and higher than the word is. What
    the projection does near the word's middle tells by how much."""
    x0, y0, x1, y1 = word.box
    x, y = _taken((x0 + x1) / 2, (y0 + y1) / 2, flattening)
    width, height = _size(x1 - x0, y1 - y0, _steps(x, y, inverse(flattening)))
    return Word(word.text, Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2), word.confidence)


def shown(box: Box, flattening: Flattening) -> Box:
    """Where a place of the flat page is on the one that is shown."""
    back = inverse(flattening)
    corners = [_taken(x, y, back) for x in (box.x0, box.x1) for y in (box.y0, box.y1)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return Box(min(xs), min(ys), max(xs), max(ys))


def inverse(one: Flattening) -> Flattening:
    """The way back. That of a projection nobody made, which has none, is itself."""
    a, b, c, d, e, f, g, h, i = one
    turned = (e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f,
              d * h - e * g, b * g - a * h, a * e - b * d)  # fmt: skip
    return Flattening(*(each / turned[8] for each in turned)) if abs(turned[8]) > _NOTHING else one


def _taken(x: float, y: float, by: Flattening) -> tuple[float, float]:
    weight = _weight(x, y, by)
    return (by.xx * x + by.xy * y + by.x) / weight, (by.yx * x + by.yy * y + by.y) / weight


def _weight(x: float, y: float, by: Flattening) -> float:
    weight = by.wx * x + by.wy * y + by.w
    return weight if abs(weight) > _NOTHING else _NOTHING


def _steps(x: float, y: float, by: Flattening) -> tuple[float, float, float, float]:
    """How far one moves to the side for a step to the side and for one down, and down for the same two."""
    weight = _weight(x, y, by)
    to_x, to_y = _taken(x, y, by)
    steps = (by.xx - to_x * by.wx, by.xy - to_x * by.wy, by.yx - to_y * by.wx, by.yy - to_y * by.wy)
    return abs(steps[0] / weight), abs(steps[1] / weight), abs(steps[2] / weight), abs(steps[3] / weight)


def _size(width: float, height: float, steps: tuple[float, float, float, float]) -> tuple[float, float]:
    """Of what such a box is around. What leans so much that this cannot be told is taken for as big as its box."""
    a, b, c, d = steps
    parted = a * d - b * c
    if parted < _CLEAR * a * d or parted < _NOTHING:
        return width, height
    narrower, lower = (width * d - height * b) / parted, (height * a - width * c) / parted
    return max(narrower, _LEAST * width), max(lower, _LEAST * height)
