"""Which photo each pixel of a hole comes from: the same random field as for texture.

The candidates of a pixel are the photos that show it, each at its own place. One costs what it
misses beside the hole, and what it differs from what several of them agree on: a flag, a wave or
somebody whom no class names is in one of them only. Seams have the price that they have between
offsets (``..texture.labelling``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import blur, depth_inside, dilate_square, nearest_values
from ...types import Box, FloatArray, Mask
from ..texture.costs import (
    BLOCK,
    IMPOSSIBLE,
    TRUNCATED,
    Costs,
    Labels,
    Rim,
    SourceIndex,
    halved,
)
from ..texture.labelling import label_blocks, refine_pixels
from .matching import Match, View

#: Price of a photo's misfit at the ring, and of a difference to what at least so many agree on,
#: compared at this blur.
MISFIT, DISSENT, SEVERAL, DISSENT_BLUR = 2.0, 1.0, 3, 1.5
#: Blur of the seams between photos, in pixels of the photo.
SEAM_BLUR = 1.5


class Borrowed(NamedTuple):
    """New content for a part of a hole.

    Attributes:
        box: part of the photo.
        content: hw3 float32 in [0, 1].
        taken: hw bool, the pixels of the hole that have content.
        shares: by name of the other photo, its pixels over the hole's.
        misfit: mean misfit of the photos, by their pixels.
    """

    box: Box
    content: FloatArray
    taken: Mask
    shares: dict[str, float]
    misfit: float


def choose(view: View, matches: Sequence[Match]) -> Borrowed | None:
    """Fill as much of a hole as other photos show.

    Args:
        view: of the hole.
        matches: what they show of it.

    Returns:
        None if they show nothing.
    """
    shown = view.small_inner & np.any([m.small_open for m in matches], axis=0) if matches else None
    if shown is None or not shown.any():
        return None
    h, w = shown.shape
    labels = _labelled(view, matches, shown)[:h, :w]
    chosen = _at_size(view, labels)
    hole = view.inner[view.box.relative_to(view.window).slices]
    for k, one in enumerate(matches):
        chosen[(chosen == k) & ~one.is_open] = -1
    chosen[~hole] = -1
    taken: Mask = chosen >= 0
    if not taken.any():
        return None
    total = np.zeros((*taken.shape, 3), np.float32)
    weight = np.zeros(taken.shape, np.float32)
    shares: dict[str, float] = {}
    misfit = 0.0
    for k, one in enumerate(matches):
        own = chosen == k
        if own.any():
            share = blur(own.astype(np.float32), SEAM_BLUR) * one.is_open
            total += one.content * share[..., None]
            weight += share
            part = float(own.sum() / hole.sum())
            shares[one.name] = shares.get(one.name, 0.0) + part
            misfit += part * one.misfit
    content = np.zeros_like(total)
    content[taken] = np.clip(total[taken] / np.maximum(weight[taken], 1e-6)[:, None], 0, 1)
    return Borrowed(view.box, content, taken, shares, misfit / sum(shares.values()))


def _labelled(view: View, matches: Sequence[Match], shown: Mask) -> Labels:
    """The number of each pixel's photo at the small size, and beyond it; -1 where none shows it."""
    # A border of one block for seams, and sides of whole blocks.
    h, w = ((-(-n // BLOCK) + 1) * BLOCK for n in shown.shape)
    hole, known, picture = (_bordered(one, (h, w)) for one in (shown, view.small_known, view.small))
    opens = np.stack([_bordered(m.small_open, (h, w)) for m in matches])
    planes = np.stack(
        [_bordered(np.where(m.small_open[..., None], m.small, 0), (h, w)) for m in matches]
    ).astype(np.float32)
    # The planes lie one behind another; a pixel before and after them is never chosen.
    margin = w + 1
    index = SourceIndex(
        colours=np.pad(planes.reshape(-1, 3), ((margin, margin), (0, 0))),
        known_mask=np.pad(opens.reshape(-1), margin),
        start=margin,
        stride=w,
        moves=np.arange(len(matches)) * (h * w),
    )
    names = [m.name for m in matches]
    unary = _unary(picture, known, hole, planes, opens, names) + MISFIT * np.array(
        [[[m.misfit]] for m in matches], np.float32
    )
    unary[:, halved(hole) == 0] = 0
    costs = Costs(Box(0, 0, w, h), unary, hole, known, picture, index)
    return refine_pixels(costs, label_blocks(costs))


def _unary(
    picture: FloatArray,
    known: Mask,
    hole: Mask,
    planes: FloatArray,
    opens: NDArray[np.bool_],
    names: Sequence[str],
) -> FloatArray:
    """K(h/2)(w/2): what each photo misses beside the hole, and differs from the others."""
    rim = Rim(known, depth_inside(hole, cv2.DIST_MASK_3))
    voices = _voices(opens, names)
    agreed = _agreed(planes, voices)
    several = voices.sum(0) >= SEVERAL
    unary = []
    for plane, is_open in zip(planes, opens, strict=True):
        cost = rim.misfit(np.abs(picture - plane).sum(2), is_open)
        dissent = np.where(several & is_open, np.abs(plane - agreed).mean(2), 0).astype(np.float32)
        cost += DISSENT * halved(np.minimum(blur(dissent, DISSENT_BLUR), TRUNCATED))
        unary.append(cost + IMPOSSIBLE * halved(hole & ~is_open))
    return np.stack(unary).astype(np.float32)


def _voices(opens: NDArray[np.bool_], names: Sequence[str]) -> NDArray[np.bool_]:
    """Khw bool: of the planes of one photo that show a pixel, the first.

    A photo is no more than one voice, however many planes it has.
    """
    voices = opens.copy()
    for k, name in enumerate(names):
        for earlier in range(k):
            if names[earlier] == name:
                voices[k] &= ~opens[earlier]
    return voices


def _agreed(planes: FloatArray, opens: NDArray[np.bool_]) -> FloatArray:
    """hw3: the median of the photos that show a pixel; 0 where none does."""
    # What does not show a pixel is sorted behind what does.
    values = np.where(opens[..., None], planes, np.inf)
    values.sort(axis=0)
    count = opens.sum(0)
    lower, upper = (
        np.take_along_axis(values, middle[None, ..., None], axis=0)[0]
        for middle in (np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(opens) - 1))
    )
    agreed: FloatArray = np.where(count[..., None] > 0, (lower + upper) / 2, 0).astype(np.float32)
    return agreed


def _bordered(plane: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """A plane with zeros to the right and below it."""
    rest = [(0, n - m) for n, m in zip(shape, plane.shape, strict=False)]
    return np.pad(plane, (*rest, *((0, 0),) * (plane.ndim - 2)))


def _at_size(view: View, labels: Labels) -> Labels:
    """The labels of the view's ``box`` at the photo's size: each pixel has that of its small one.

    A small pixel at the hole's rim that has none, because part of it is known, has its neighbour's.
    """
    is_labelled = labels >= 0
    nearest = nearest_values(labels, is_labelled, cv2.DIST_MASK_3)
    spread = np.where(dilate_square(is_labelled, 1), nearest, -1)
    part = view.box.relative_to(view.window)
    rows, columns = (
        np.arange(s.start, s.stop) * n // whole
        for s, n, whole in zip(part.slices, labels.shape, view.inner.shape, strict=True)
    )
    found: Labels = spread[rows][:, columns]
    return found
