"""Similar texture selection at full resolution: copy what a coarse prediction resembles.

Wu & Cui (section 3.2) divide a window into blocks, of which the network predicts one pixel each,
and replace every block of the hole by the known block with the nearest colour. Their equations 1-3,
to the letter, are in ``train.experiments.texture_selection``. Alone they make a mosaic, because
each block is chosen without regard to its neighbours.

``texture_patch`` keeps their idea and makes the copies coherent: sources are a few offsets that the
photo itself suggests (``offsets``), chosen for all pixels together with a price on seams
(``labelling``), blended in the gradient domain (``blending``) and copied at the window's own
size (``full_size``). A wall or floor in perspective is filled as seen from its front
(``perspective``), if it repeats better there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...pixels import as_float, blur, reduction, resize, scaled_size, wholly_covered
from ...system.memory import tidy
from ...types import Box, FloatArray, Mask
from .blending import correction
from .costs import Costs, Labels
from .full_size import (
    LEAST_KNOWN,
    Patch,
    Picture,
    copy_sources,
    guide_low_frequencies,
    scale_labels,
)
from .labelling import label
from .lines import crossing_lines
from .offsets import Offsets, candidate_offsets, unexplained
from .perspective import GUIDE_SIZE, FromFront, Plane, from_camera, planes

#: Longer side in pixels at which offsets are chosen and labelled. Larger windows are reduced to it,
#: and their pixels copied at full size.
WORKING_SIZE = 256

#: A plane is filled from its front if there its surroundings are explained so much better: by this
#: factor, and by this share for each unit of the ratio of its scales.
BETTER, DISTORTED = 0.98, 0.1

#: How far into the hole the guide's error on known pixels is corrected, as a share of the longer
#: side (standard deviation).
GUIDE_REACH = 1 / 24


def texture_patch(
    picture: Picture,
    known_mask: Mask,
    guide: FloatArray,
    *,
    seed: int = 0,
    margin: int = 0,
    fine: bool = True,
) -> Patch | None:
    """Fill a window's hole with the photo's own pixels, guided by a coarse prediction.

    Args:
        picture: HW3 float32 in [0, 1], uint8 or uint16; unknown pixels are never used.
        known_mask: HW bool.
        guide: hw3 in [0, 1], the coarse prediction of the same window at any size.
        seed: of the random samples from which the offsets are estimated.
        margin: known pixels around the hole that the patch contains, because a window may be many
            times as large as its hole.
        fine: whether the guide is sharp beside known pixels; a few enlarged cells are not.

    Returns:
        The hole and its margin, or None if there is no hole or too little is known to copy from.
    """
    if known_mask.all() or known_mask.mean() < LEAST_KNOWN:
        return None
    seen = _Window.prepared(picture, known_mask, ~known_mask, guide, seed)
    if seen is None:
        return None
    front = _best_front(seen, planes(picture, known_mask), guide, seed)
    if front is None:
        return seen.textured(margin, fine=fine)
    view, window = front
    patch = window.textured(0, fine=fine)
    to_front = view.view
    # The view may be twice as large as the window, and all that is needed of it is in the patch.
    del front, view, window
    tidy(picture.nbytes)
    box = Box.bounding(~known_mask).grown(margin, known_mask.shape)
    content, known = from_camera(patch, box, to_front), known_mask[box.slices]
    content[known] = as_float(picture[box.slices][known])
    return Patch(box, content)


@dataclass(frozen=True, eq=False)
class _Window:
    """A window with what is found at the working size.

    Attributes:
        picture: HW3, see ``texture_patch``.
        known_mask: HW bool.
        hole_mask: HW bool; what is neither known nor hole is no part of the photo.
        guided: hw3 float32 in [0, 1], the picture with the guide where nothing is known; at the
            working size, as are the following.
        small_known: hw bool.
        small_hole: hw bool.
        guide: hw3.
        offsets: K2, K > 0.
    """

    picture: Picture
    known_mask: Mask
    hole_mask: Mask
    guided: FloatArray
    small_known: Mask
    small_hole: Mask
    guide: FloatArray
    offsets: Offsets

    @classmethod
    def prepared(
        cls, picture: Picture, known_mask: Mask, hole_mask: Mask, guide: FloatArray, seed: int
    ) -> _Window | None:
        """Reduce a window and find its offsets; None if there are none."""
        small, small_known = reduced(picture, known_mask)
        small_hole = ~wholly_covered(~hole_mask, small_known.shape)
        small_guide = _match_known(_resized(guide, small_known.shape), small, small_known)
        guided = np.where(small_known[..., None], small, small_guide).astype(np.float32)
        rng = np.random.default_rng(seed)
        offsets = candidate_offsets(guided, small_known, small_hole, rng)
        if not len(offsets):
            return None
        tidy(picture.nbytes)
        return cls(
            picture, known_mask, hole_mask, guided, small_known, small_hole, small_guide, offsets
        )

    def textured(self, margin: int, *, fine: bool) -> Patch:
        """The hole, filled with the window's own pixels."""
        known, hole = self.known_mask, self.hole_mask
        guide, offsets = self.guide, self.offsets
        lines = crossing_lines(self.guided, self.small_known, self.small_hole)
        if lines is not None:
            strength = lines.strength[..., None]
            guide = guide * (1 - strength) + lines.drawn * strength
            offsets = np.unique(np.concatenate([offsets, lines.offsets]), axis=0)
        costs, labels = label(
            self.guided, self.small_known, self.small_hole, guide, offsets, fine=fine, lines=lines
        )
        tidy(self.picture.nbytes)
        labels, shift = _in_window(costs, labels, correction(costs, labels), self.small_known)
        full = scale_labels(labels, offsets, self.picture, known, hole)
        patch = copy_sources(self.picture, known, hole, full, labels, shift, margin)
        if fine:
            guide_low_frequencies(patch, hole, guide)
        return patch

    def irregularity(self) -> float:
        """How badly offsets that reach over the hole explain its surroundings, in [0, 1]."""
        return unexplained(self.guided, self.small_known, self.small_hole, self.offsets)


def _best_front(
    seen: _Window, found: Sequence[Plane], guide: FloatArray, seed: int
) -> tuple[FromFront, _Window] | None:
    """The view from the front of the plane whose pattern repeats best; None if none does."""
    if not found:
        return None
    # A guide may be as large as a photo, and shows nothing so fine.
    size = scaled_size(guide.shape, reduction(guide.shape, GUIDE_SIZE))
    guide = _resized(guide, size)
    best, least = None, BETTER * seen.irregularity()
    for plane in found:
        view = plane.from_front(seen.picture, seen.known_mask, guide)
        tidy(seen.picture.nbytes)
        if not view.hole_mask.any():
            continue  # a hole of a pixel or two may fall between those seen from the front
        window = _Window.prepared(view.picture, view.known_mask, view.hole_mask, view.guide, seed)
        if window is None:
            continue
        # The stronger the perspective, the more the photo loses by it where it is none.
        irregularity = window.irregularity() / max(1e-3, 1 - DISTORTED * (plane.ratio - 1))
        if irregularity < least:
            best, least = (view, window), irregularity
        del view, window  # each may be twice as large as the photo
    return best


def _in_window(
    costs: Costs, labels: Labels, shift: FloatArray, known_mask: Mask
) -> tuple[Labels, FloatArray]:
    """Labels and correction in the reduced window; the frame may reach over it."""
    h, w = known_mask.shape
    frame = costs.frame
    whole = np.full((max(h, frame.bottom), max(w, frame.right)), -1)
    whole[frame.slices] = labels
    whole_shift = np.zeros((h, w, 3), np.float32)
    inside = whole_shift[frame.slices]
    inside[:] = shift[: inside.shape[0], : inside.shape[1]]
    return whole[:h, :w], whole_shift


def reduced(picture: Picture, known_mask: Mask) -> tuple[FloatArray, Mask]:
    """The window at ``WORKING_SIZE``, 0 where unknown; a reduced pixel is known if all of it is."""
    scale = reduction(known_mask.shape, WORKING_SIZE)
    if scale == 1:
        return np.where(known_mask[..., None], as_float(picture), 0).astype(np.float32), known_mask
    size = scaled_size(known_mask.shape, scale)
    small_known = wholly_covered(known_mask, size)
    small = as_float(resize(picture, size))
    small[~small_known] = 0
    return small, small_known


def _resized(picture: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """The picture as float32 at (height, width)."""
    how = cv2.INTER_AREA if picture.shape[0] > shape[0] else cv2.INTER_LINEAR
    return resize(np.ascontiguousarray(picture, dtype=np.float32), shape, how)


def _match_known(guide: FloatArray, picture: FloatArray, known_mask: Mask) -> FloatArray:
    """The guide, corrected inside the hole by its error on the known pixels nearby; in [0, 1]."""
    reach = max(2.0, GUIDE_REACH * max(known_mask.shape))
    error = np.where(known_mask[..., None], picture - guide, 0).astype(np.float32)
    weight = blur(known_mask.astype(np.float32), reach)
    corrected = guide + blur(error, reach) / np.maximum(weight, 0.05)[..., None]
    return np.clip(corrected, 0, 1).astype(np.float32)
