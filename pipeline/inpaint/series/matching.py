"""What another photo of the place shows around a hole, in the photo's geometry and colours.

The other photo is moved by a plane of ``alignment`` and then, on what both show around the hole, by
a small homography more (Evangelidis and Psarakis 2008): near the hole the scene may follow another
plane. Gains and a smooth offset bring its light to the photo's. Where it does not fit beside the
hole, it is refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry import context_window, hole_within
from ...pixels import as_float, blur, dilate_square, resize, wholly_covered
from ...types import Box, FloatArray, Hole, Mask, Pixels
from ..texture.full_size import read_at
from ..texture.patch import reduced
from ..windows import masked_window
from .alignment import Homography, corners_of, moved_by
from .sharpness import as_sharp

#: Margin of a hole's window, as a share of its longer side, and the window's least side in pixels.
CONTEXT, LEAST_WINDOW = 0.35, 96
#: Pixels of the reduced window (``WORKING_SIZE``) around a hole in which another photo has to fit,
#: and in which its light is compared.
RING, LIGHT = 10, 30
#: Least pixels of the ring, and least share of it, that both photos show.
LEAST_PIXELS, LEAST_OPEN = 30, 0.15
#: Greatest mean difference at the ring, in [0, 1]: of flat ground, and as a multiple of the ring's
#: own contrast. With at least this contrast the correlation is at least the last one, and the other
#: photo at least this share as sharp.
FLAT, OF_CONTRAST, CONTRAST, ALIKE, SHARP = 0.025, 0.6, 0.015, 0.5, 0.4
#: Blur (standard deviation in reduced pixels) beyond which light is compared, not texture, and
#: that before two photos are compared; the largest difference that counts.
SMOOTH, GRAIN, LARGEST_DIFFERENCE = 4.0, 0.7, 0.3
#: Least and greatest gain of a colour channel; largest offset, in [0, 1]; blurs of the offset.
GAINS, LARGEST_OFFSET, OFFSETS = (0.6, 1.7), 0.35, (4.0, 12.0, 36.0)
#: Steps of the second move, the least gain of a step, and how far a corner of the window may go, as
#: a share of its longer side.
STEPS, LEAST_GAIN, LARGEST_MOVE = 40, 1e-5, 0.12
#: A thing that may have moved is the photo's own too if, of its pixels beside the hole, at least
#: this share differs by at most so much, in [0, 1]; there are at least so many of them, and so
#: many by those in the hole.
SAME, NO_CHANGE, LEAST_BESIDE, LEAST_SHARE = 0.8, 0.1, 12, 0.1
#: Pixels around the hole's box for which a match has content, as a share of the box's longer side.
MARGIN = 0.1


#: HW, numbers of things; 0 = none.
Things = NDArray[np.uint16]


class View(NamedTuple):
    """A hole and what is known around it.

    Attributes:
        window: part of the photo.
        inner: hw bool of the window, the hole.
        small: the reduced window, float32 RGB in [0, 1], 0 where unknown.
        small_known: bool.
        small_inner: bool, the pixels that the hole covers in part.
        ring: bool, known pixels beside the hole.
        box: part of the photo: the hole's box and a margin.
        near: hw3 of the photo's dtype, the photo in ``box``, 0 where unknown.
        near_known: bool.
    """

    window: Box
    inner: Mask
    small: FloatArray
    small_known: Mask
    small_inner: Mask
    ring: Mask
    box: Box
    near: Pixels
    near_known: Mask


class Match(NamedTuple):
    """What another photo shows of a view.

    Attributes:
        name: of the other photo.
        content: hw3 float32 in [0, 1], of the view's ``box``, in the photo's colours.
        is_open: hw bool of ``box``: where it shows the place.
        small: of the view's reduced window, in the photo's colours.
        small_open: bool.
        misfit: mean difference at the ring, in [0, 1].
    """

    name: str
    content: FloatArray
    is_open: Mask
    small: FloatArray
    small_open: Mask
    misfit: float


def view_of(rgb: Pixels, hole_mask: Mask, hole: Hole) -> View:
    """The view of a hole.

    Args:
        rgb: the photo, HWC uint8 or uint16; nothing under ``hole_mask`` is read.
        hole_mask: HW bool, all holes of the photo.
        hole: one of them.
    """
    height, width = hole_mask.shape
    window = context_window(hole.box, height, width, context=CONTEXT, least=LEAST_WINDOW)
    small, small_known = reduced(*masked_window(rgb, hole_mask, window))
    inner = hole_within(hole, window)
    small_inner: Mask = resize(inner.astype(np.float32), small_known.shape) > 0
    ring = dilate_square(small_inner, RING) & small_known
    margin = max(8, round(MARGIN * max(hole.box.w, hole.box.h)))
    box = hole.box.grown(margin, hole_mask.shape).intersection(window)
    near, near_known = masked_window(rgb, hole_mask, box)
    return View(window, inner, small, small_known, small_inner, ring, box, near, near_known)


def match(
    view: View,
    name: str,
    rgb: Pixels,
    is_open: Mask,
    plane: Homography,
    *,
    exact: bool = False,
    things: Things | None = None,
) -> Match | None:
    """Fit another photo to a view.

    Args:
        view: of the photo.
        name: of the other photo.
        rgb: the other photo, HWC.
        is_open: HW bool, where the other photo shows the place; nothing else of it is read.
        plane: maps pixels of the photo to those of the other one.
        exact: whether the plane is right to the pixel, as for a camera on a tripod.
        things: HW, numbers from 1 of what may have moved in the other photo, 0 = nothing. One that
            the photo does not show beside the hole is not taken into it. None: there are none.

    Returns:
        None if it shows nothing of the hole, or does not fit beside it.
    """
    best = _look(view, rgb, is_open, plane)
    if best is None:
        return None
    if not exact and (move := _second_move(view, best)) is not None:
        other = _look(view, rgb, is_open, plane @ move)
        if other is not None and other.misfit < best.misfit:
            best, plane = other, plane @ move
    if things is not None:
        # Without fit nothing is known of single things: each may be what does not fit.
        moved = _moved_things(view, best, things, plane) if best.fits else _all_of(things)
        if moved.any():
            is_open = is_open & ~moved[things]
            best = _look(view, rgb, is_open, plane)
    if best is None or not best.fits:
        return None
    part, open_part = _moved(rgb, is_open, plane, view.box)
    inside = view.box.relative_to(view.window)
    light = _enlarged(best.offset, inside, view.inner.shape)
    seen = (as_float(part) * best.gain + light).astype(np.float32)
    content = as_sharp(seen, open_part, as_float(view.near), view.near_known)
    if content is None:
        return None
    return Match(name, content, open_part, best.small, best.is_open, best.misfit)


class _Look(NamedTuple):
    """Another photo in a view's reduced window.

    Attributes:
        small: in the photo's colours.
        is_open: bool.
        gain: 3.
        offset: hw3, the smooth one.
        raw: in its own colours.
        misfit: see ``Match``.
        fits: whether it may be used.
    """

    small: FloatArray
    is_open: Mask
    gain: FloatArray
    offset: FloatArray
    raw: FloatArray
    misfit: float
    fits: bool


def _look(view: View, rgb: Pixels, is_open: Mask, plane: Homography) -> _Look | None:
    """The window of another photo, its light, and how well it fits; None if there is too little."""
    part, open_part = _moved(rgb, is_open, plane, view.window)
    size = view.small_known.shape
    small_open = wholly_covered(open_part, size)
    ring = view.ring & small_open
    if ring.sum() < max(LEAST_PIXELS, LEAST_OPEN * view.ring.sum()):
        return None
    if not (small_open & view.small_inner).any():
        return None
    raw = as_float(resize(part, size))
    near = dilate_square(view.small_inner, LIGHT) & view.small_known & small_open
    gain, offset = _light(view.small, raw, near)
    small = (raw * gain + offset).astype(np.float32)
    misfit, fits = _fit(view, small, small_open)
    fits &= bool(np.abs(offset).max() <= LARGEST_OFFSET)
    return _Look(small, small_open, gain, offset, raw, misfit, fits)


def _moved(rgb: Pixels, is_open: Mask, plane: Homography, box: Box) -> tuple[Pixels, Mask]:
    """A part of the photo as another one shows it, of the other one's dtype; hw bool: where."""
    matrix = plane @ moved_by(box.x, box.y)
    put = cv2.perspectiveTransform(corners_of(box.h, box.w), matrix)[0]
    first, last = np.floor(put.min(0)).astype(int) - 4, np.ceil(put.max(0)).astype(int) + 5
    source = Box.from_corners(*first.tolist(), *last.tolist()).intersection(Box.full(is_open.shape))
    if min(source.w, source.h) < 8:
        return np.zeros((box.h, box.w, 3), rgb.dtype), np.zeros((box.h, box.w), bool)
    matrix = moved_by(-source.x, -source.y) @ matrix
    shown = is_open[source.slices]
    part = cv2.bitwise_and(rgb[source.slices], rgb[source.slices], mask=shown.view(np.uint8))
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpPerspective(part, matrix, (box.w, box.h), flags=how)
    share = cv2.warpPerspective(shown.astype(np.uint8) * 255, matrix, (box.w, box.h), flags=how)
    return moved, share == 255


def _light(wanted: FloatArray, raw: FloatArray, near: Mask) -> tuple[FloatArray, FloatArray]:
    """(gain 3, smooth offset hw3) that bring a picture's colours to the wanted ones.

    Args:
        wanted: hw3 in [0, 1].
        raw: hw3.
        near: hw bool, where they are compared; not empty.
    """
    one, other = wanted[near], raw[near]
    spread, other_spread = one.std(0), other.std(0)
    common = ((one - one.mean(0)) * (other - other.mean(0))).mean(0)
    sure = (np.minimum(spread, other_spread) > 0.02) & (common > 0.5 * spread * other_spread)
    gain = np.where(sure, spread / np.maximum(other_spread, 1e-6), 1).clip(*GAINS)
    gain = gain.astype(np.float32)
    difference = np.where(near[..., None], wanted - raw * gain, 0).astype(np.float32)
    middle = np.median(difference[near], axis=0)
    centred = np.where(near[..., None], difference - middle, 0).astype(np.float32)
    offset = np.broadcast_to(middle, difference.shape).astype(np.float32)
    left = np.ones(near.shape, np.float32)
    # Fine beside what is compared, coarser farther from it.
    for sigma in OFFSETS:
        share = blur(near.astype(np.float32), sigma)
        weight = np.minimum(share / 0.3, 1) * left
        offset += blur(centred, sigma) * (weight / np.maximum(share, 1e-4))[..., None]
        left -= weight
    return gain, offset


def _fit(view: View, small: FloatArray, is_open: Mask) -> tuple[float, bool]:
    """(mean difference at the ring, whether another photo fits there)."""
    both = view.small_known & is_open
    inner: Mask = cv2.erode(both.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    ring = view.ring & inner
    if ring.sum() < LEAST_PIXELS:
        return 1.0, False
    theirs = np.where(both[..., None], small, view.small).astype(np.float32)
    difference = np.abs(blur(view.small, GRAIN) - blur(theirs, GRAIN))[ring].mean(1)
    misfit = float(np.minimum(difference, LARGEST_DIFFERENCE).mean())
    share = np.maximum(blur(both.astype(np.float32), SMOOTH), 1e-3)[..., None]
    fine = []
    for picture in (view.small, theirs):
        smooth = blur(np.where(both[..., None], picture, 0).astype(np.float32), SMOOTH) / share
        fine.append((picture - smooth)[ring].mean(1))
    own, other = fine
    contrast = float(np.abs(own).mean())
    if contrast < CONTRAST:
        return misfit, misfit <= FLAT
    spread = own.std() * other.std()
    alike = float(((own - own.mean()) * (other - other.mean())).mean() / max(spread, 1e-6))
    is_sharp = bool(other.std() >= SHARP * own.std())
    is_near = misfit <= max(FLAT, OF_CONTRAST * contrast)
    return misfit, is_sharp and is_near and alike >= ALIKE


def _moved_things(view: View, look: _Look, things: Things, plane: Homography) -> NDArray[np.bool_]:
    """Which things the other photo shows in the hole that the photo does not show beside it.

    Returns:
        Bool by number; never the first one.
    """
    h, w = view.small_known.shape
    seen = cv2.warpPerspective(
        things,
        plane @ np.linalg.inv(_to_small(view)),
        (w, h),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    ).astype(np.int64)
    seen[~look.is_open] = 0
    count = int(things.max()) + 1
    inside = np.bincount(seen[view.small_inner], minlength=count)
    # The rim of a thing is blurred with what is behind it.
    beside = view.small_known & look.is_open & (seen > 0)
    difference = np.abs(blur(view.small, GRAIN) - blur(look.small, GRAIN)).mean(2)
    seen_beside = np.bincount(seen[beside], minlength=count)
    same = np.bincount(seen[beside & (difference <= NO_CHANGE)], minlength=count)
    is_own = seen_beside >= np.maximum(LEAST_BESIDE, LEAST_SHARE * inside)
    is_own &= same >= SAME * seen_beside
    moved: NDArray[np.bool_] = (inside > 0) & ~is_own
    moved[0] = False
    return moved


def _all_of(things: Things) -> NDArray[np.bool_]:
    """Bool by number: every thing."""
    return np.arange(int(things.max()) + 1) > 0


def _second_move(view: View, look: _Look) -> Homography | None:
    """A small homography of the photo's pixels, after which both agree better near the hole."""
    near = dilate_square(view.small_inner, LIGHT) & view.small_known & look.is_open
    wanted, raw = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (view.small, look.raw))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, LEAST_GAIN)
    start = np.eye(3, dtype=np.float32)
    shown = near.astype(np.uint8) * np.uint8(255)
    try:
        _, found = cv2.findTransformECC(wanted, raw, start, cv2.MOTION_HOMOGRAPHY, stop, shown, 5)
    except cv2.error:  # it did not converge
        return None
    move = found.astype(np.float64)
    h, w = near.shape
    corners = corners_of(h, w)
    if np.abs(cv2.perspectiveTransform(corners, move) - corners).max() > LARGEST_MOVE * max(h, w):
        return None
    to_small = _to_small(view)
    moved: Homography = np.linalg.inv(to_small) @ move @ to_small
    return moved


def _to_small(view: View) -> Homography:
    """From pixels of the photo to those of a view's small window; a pixel's middle is at 1/2."""
    h, w = view.small_known.shape
    x, y = w / view.window.w, h / view.window.h
    to_small: Homography = np.array(
        [
            [x, 0, (0.5 - view.window.x) * x - 0.5],
            [0, y, (0.5 - view.window.y) * y - 0.5],
            [0, 0, 1],
        ]
    )
    return to_small


def _enlarged(small: FloatArray, part: Box, shape: tuple[int, int]) -> NDArray[Any]:
    """A part of a window of (height, width), of a plane hw3 that shows all of it."""
    h, w = small.shape[:2]
    y, x = (
        ((np.arange(s.start, s.stop, dtype=np.float32) + 0.5) * np.float32(n / whole) - 0.5)
        for s, n, whole in zip(part.slices, (h, w), shape, strict=True)
    )
    return read_at(small, y, x)
