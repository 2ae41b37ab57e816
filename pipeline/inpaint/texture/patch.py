"""Similar texture selection: from a coarse answer and the photo's own known pixels to full resolution (Wu & Cui, 3.2, eq. 1-3).

The paper's equations stand first, to the letter: a window of ``s * gh`` x ``s * gw`` pixels is a grid of s x s blocks, the network's
coarse answer has one pixel a block, and only blocks of which every pixel is known are candidates, in tests as in use (the paper matches
against the true picture, which no program has). Alone they make a mosaic, because each block is chosen without a look at its neighbours.

``texture_fill`` keeps their idea, copy what the coarse answer resembles, and adds what makes copies look whole: sources are few offsets
that the photo itself suggests (``pipeline.inpaint.texture.offsets``), chosen for all pixels together with a price on seams (``pipeline.inpaint.texture.labelling``).
"""

from __future__ import annotations

import cv2
import numpy as np

from ...pixels import as_float
from ...types import FloatArray, Mask
from .blending import correction
from .full_size import LEAST_KNOWN, Patch, Picture, _at_full_size, _copied, _lead
from .labelling import label
from .offsets import candidate_offsets

#: Longer side in pixels at which offsets are found and labelled; larger windows are reduced to it, and their pixels copied at full size.
WORKING_SIZE = 256

#: How far the guide is led to the photo's colour at the rim, as a share of the longer side (standard deviation).
GUIDE_REACH = 1 / 24


def texture_patch(
    picture: Picture,
    known: Mask,
    guide: FloatArray,
    *,
    seed: int = 0,
    margin: int = 0,
    fine: bool = True,
) -> Patch | None:
    """``texture_fill`` of the hole and ``margin`` pixels around it alone: a window may be many times as large as its hole."""
    if known.all() or known.mean() < LEAST_KNOWN:
        return None
    small, small_known = _reduced(picture, known)
    small_guide = _meet_known(_resized(guide, small_known.shape), small, small_known)
    guided = np.where(small_known[..., None], small, small_guide).astype(np.float32)
    offsets = candidate_offsets(guided, small_known, np.random.default_rng(seed))
    if not len(offsets):
        return None
    costs, labels = label(small, small_known, small_guide, offsets, fine=fine)
    shift = correction(costs, labels)
    h, w = small_known.shape
    frame = costs.frame
    whole, whole_shift = (
        np.full((max(h, frame.y + frame.h), max(w, frame.x + frame.w)), -1),
        np.zeros((h, w, 3), np.float32),
    )
    whole[frame.slices] = labels
    whole = whole[:h, :w]
    inside = whole_shift[frame.slices]
    inside[:] = shift[: inside.shape[0], : inside.shape[1]]
    found = _copied(
        picture, known, _at_full_size(whole, offsets, picture, known), whole, whole_shift, margin
    )
    if fine:
        _lead(found, known, small_guide)
    return found


def _reduced(picture: Picture, known: Mask) -> tuple[FloatArray, Mask]:
    """The window at ``WORKING_SIZE``; a pixel there is known where all of its area is."""
    h, w = known.shape
    scale = WORKING_SIZE / max(h, w)
    if scale >= 1:
        return np.where(known[..., None], as_float(picture), 0).astype(np.float32), known
    size = max(1, round(w * scale)), max(1, round(h * scale))
    share = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small_known = share > 1 - 1e-6
    small = as_float(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    small[~small_known] = 0
    return small, small_known  # type: ignore[return-value]


def _resized(picture: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    h, w = shape
    how = cv2.INTER_AREA if picture.shape[0] > h else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(picture, dtype=np.float32), (w, h), interpolation=how)  # type: ignore[return-value]


def _meet_known(guide: FloatArray, picture: FloatArray, known: Mask) -> FloatArray:
    """The guide with its error on known pixels carried over into the hole beside them, in [0, 1]."""
    reach = max(2.0, GUIDE_REACH * max(known.shape))
    error = np.where(known[..., None], picture - guide, 0).astype(np.float32)
    weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), reach)
    return np.clip(
        guide + cv2.GaussianBlur(error, (0, 0), reach) / np.maximum(weight, 0.05)[..., None], 0, 1
    ).astype(np.float32)
