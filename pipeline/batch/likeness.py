"""Whether two photos may show one place, by small grey pictures of them.

Tiles of one picture are looked for near their places in the other one. A hand that moved shifts
them all alike; people who walked spoil a few of them; another light changes none, because each tile
is compared without its brightness and contrast. Pictures of different places agree in a few tiles
by chance, but not in where those lie.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray

#: Tiles along the shorter and the longer side.
_TILES = 4, 5
#: How far a tile is looked for, as a share of the longer side.
_REACH = 0.105
#: Correlation from which a tile is found, and how far (a share of the longer side) shifts of tiles
#: may lie apart that agree.
_FOUND, _TOGETHER = 0.7, 0.032
#: Share of the tiles that agree in pictures of one place. Of 1200 pairs of unrelated photos the
#: highest was 0.22; 96 % of pairs from a hand-held camera, two people in each, are above.
_AGREEING = 0.28
#: Of every other tile at least so many agree; else the rest is not looked for, which saves time.
_LEAST_OF_HALF = 2
#: Least contrast of a tile (standard deviation of the logarithm of brightness): sky is found
#: anywhere. Tiles that count at least.
_CONTRAST, _LEAST_TILES = 0.03, 10
#: Added to brightness, 0 to 255, before its logarithm, and scales of the blur and of the detail.
_DARK, _BLUR, _DETAIL = 8.0, 0.8, 8.0


def outlines(grey: NDArray[np.uint8]) -> FloatArray:
    """HW uint8 to HW float32: what is left of a picture without its light."""
    bright = np.log(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _BLUR) + _DARK)
    return (bright - cv2.GaussianBlur(bright, (0, 0), _DETAIL)).astype(np.float32)


def are_alike(first: FloatArray, second: FloatArray) -> bool:
    """Whether two pictures may show one place.

    Args:
        first: HW, of ``outlines``.
        second: HW, of the same size; upright where the first one lies, the middle is compared.
    """
    height = min(first.shape[0], second.shape[0])
    width = min(first.shape[1], second.shape[1])
    pair = _middle(first, height, width), _middle(second, height, width)
    near = _TOGETHER * max(height, width)
    half = _shifts(*pair, 0)
    if _agreeing(half, near) < _LEAST_OF_HALF:
        return False
    shifts = np.concatenate([half, _shifts(*pair, 1)])
    return _agreeing(shifts, near) >= _AGREEING * max(len(shifts), _LEAST_TILES)


def _agreeing(shifts: FloatArray, near: float) -> int:
    """How many tiles are found at shifts that lie within ``near`` pixels of one of them."""
    found = shifts[shifts[:, 0] > _FOUND, 1:]
    if not len(found):
        return 0
    return int((np.abs(found[:, None] - found[None]).max(2) <= near).sum(1).max())


def _middle(picture: FloatArray, height: int, width: int) -> FloatArray:
    y, x = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[y : y + height, x : x + width]


def _shifts(first: FloatArray, second: FloatArray, parity: int) -> FloatArray:
    """n3: of every other tile of the second picture, how well it is found, and its shift (x, y)."""
    height, width = second.shape
    reach = max(1, round(_REACH * max(height, width)))
    rows, columns = _TILES if height <= width else _TILES[::-1]
    wide = cv2.copyMakeBorder(first, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    shifts = []
    for row, (top, bottom) in enumerate(_parts(height, rows)):
        for left, right in _parts(width, columns)[(row + parity) % 2 :: 2]:
            tile = np.ascontiguousarray(second[top:bottom, left:right])
            if min(tile.shape) > 2 and tile.std() >= _CONTRAST:
                around = wide[top : bottom + 2 * reach, left : right + 2 * reach]
                match = cv2.matchTemplate(around, tile, cv2.TM_CCOEFF_NORMED)
                _, best, _, (x, y) = cv2.minMaxLoc(match)
                shifts.append((best, x - reach, y - reach))
    return np.array(shifts, np.float32).reshape(-1, 3)


def _parts(length: int, count: int) -> list[tuple[int, int]]:
    """A side in equal parts: where each begins and ends."""
    return [(i * length // count, (i + 1) * length // count) for i in range(count)]
