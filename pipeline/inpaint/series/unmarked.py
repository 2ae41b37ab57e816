"""Whether another photo shows the very thing that goes, where nobody marked it.

A person draws a mask over a litter bin: no class names it, and it stands in every photo of the
place. What the others show there fits to the pixel, and would bring it back.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...pixels import as_float
from ...types import Box, FloatArray, Pixels
from ..texture.patch import reduced
from .matching import CONTRAST, FLAT, Match, View

#: Correlation, in colour, from which both show the same thing, and how far (pixels of the reduced
#: window) it may lie elsewhere: what stands before the plane that was matched is shifted. Chosen on
#: frames of videos and second photos made of them, moved, in other light and with noise: of 157
#: things that stayed all are above, of 50 that were taken out none, and 2 of 57 that were taken out
#: under masks wider by 30 % of their side. No pairs were kept apart to check it.
THE_SAME, REACH = 0.75, 6


def shows_what_goes(rgb: Pixels, view: View, one: Match) -> bool:
    """Whether a match shows in a hole what the photo itself shows there.

    Args:
        rgb: the photo, HWC uint8 or uint16, read under the hole too.
        view: of the hole.
        one: what another photo shows of it.
    """
    window = as_float(rgb[view.window.slices])
    whole = np.ones(view.inner.shape, bool)
    own, _ = reduced(window.astype(np.float32), whole)
    compared = view.small_inner & one.small_open
    if not compared.any():
        return False
    box = Box.bounding(compared)
    inside = compared[box.slices]
    thing = own[box.slices]
    if thing[inside].std(0).mean() < CONTRAST:
        return _difference(thing[inside], one.small[box.slices][inside]) <= FLAT
    theirs = np.where(one.small_open[..., None], one.small, 0).astype(np.float32)
    wide = cv2.copyMakeBorder(theirs, *(REACH,) * 4, cv2.BORDER_REPLICATE)
    around = np.ascontiguousarray(
        wide[box.y : box.bottom + 2 * REACH, box.x : box.right + 2 * REACH]
    )
    weight = np.repeat(inside[..., None], 3, 2).astype(np.float32)
    found = cv2.matchTemplate(
        around, np.ascontiguousarray(thing), cv2.TM_CCOEFF_NORMED, mask=weight
    )
    return bool(np.nanmax(np.where(np.isfinite(found), found, -1)) >= THE_SAME)


def _difference(one: FloatArray, other: FloatArray) -> float:
    return float(np.abs(one - other).mean())
