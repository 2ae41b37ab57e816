"""Uniform margins around a photo: the frame of a scan or a print, the bars of a letterbox.

A margin is no part of the picture. Taking a margin for picture copies it into holes; taking a part
of the picture for a margin hides it from the inpainters. The second is avoided: a white wall or a
night sky at a border is no margin, unless a straight line ends it along nearly the whole side, and
the opposite side has one too (or the margin is exactly uniform, as a program draws it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..pixels import eight_bits
from ..types import Box, FloatArray, Mask, Pixels

#: Widest margin as a share of the photo's side, and narrowest mean width in pixels.
WIDEST, NARROWEST = 0.18, 2.0
#: The same for the frame of a print, such as a Polaroid's broad foot, and for bars that a program
#: drew, such as those beside an upright film. Both must be certain on all their sides.
WIDEST_FRAME = 0.4
#: Steepest line, as a slope: 2 degrees; the number of slopes that are tried.
STEEPEST, SLOPES = 0.035, 29
#: Largest deviation from the margin's colour at the border, in levels of 255, of all but
#: ``OUTLIERS`` of the pixels; more is texture.
NOISIEST, OUTLIERS = 10, 0.02
#: Deviation from the margin's colour from which a pixel is picture. The second is tried too: JPEG
#: blocks at the picture's edge ring, and the margin deviates there by more than the first.
FAINT, RINGING = 8, 28
#: Deviation up to which a margin counts as drawn by a program.
EXACT = 1
#: Distance in pixels from the fitted line at which a margin may end.
NEAR_LINE = 1.5
#: Share of the side along which the picture must begin at the line, with a step: for a pair of
#: opposite margins, for one alone, and for a side whose picture has the margin's colour in places.
NEARLY_ALL, ALL, MOST = 0.9, 0.97, 0.6
#: Share of the side along which the margin may end before the line.
BEFORE = 0.03
#: The same for a side with writing on it, if the three other sides have margins of its colour.
WRITTEN = 0.35
#: Largest difference of the colours of two opposite margins, in levels of 255.
ALIKE = 24
#: Positions along a side that are measured, at most.
POSITIONS = 600
#: Margins inside each other that are looked for: a print with a border on a scanner's lid, a film's
#: bars inside that.
LAYERS = 3
#: Pixels beyond the line in which margin and picture mix, unless a program drew the margin.
MIXED = 2

SIDES = ("top", "bottom", "left", "right")
_OPPOSITE = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}


@dataclass(frozen=True, eq=False)
class Margin:
    """The margin along one side.

    Attributes:
        colour: 3 samples of the photo.
        width: mean width in pixels.
        slope: how much wider it becomes with each pixel along the side.
        exact: whether it is exactly uniform.
        share: share of the side along which the picture begins at the line, with a step.
        before: share of the side along which the margin ends before the line.
    """

    colour: Pixels
    width: float
    slope: float
    exact: bool
    share: float
    before: float

    def line(self, length: int) -> FloatArray:
        """``length``: where the margin ends, in pixels from the border."""
        along = np.arange(length, dtype=np.float32) - (length - 1) / 2
        return np.maximum(self.width + self.slope * along, 0)


@dataclass(frozen=True, eq=False)
class MarginArea:
    """The pixels of one margin.

    Attributes:
        pixels: HW bool of the photo.
        colour: 3 samples of the photo.
        drawn: whether a program drew it: it is exactly uniform and straight.
    """

    pixels: Mask
    colour: Pixels
    drawn: bool


def margin_areas(rgb: Pixels, mask: Mask | None = None) -> list[MarginArea]:
    """Find the uniform margins of a photo, and those inside them, by the same rules.

    Args:
        rgb: HWC uint8 or uint16.
        mask: HW bool, as in ``find_margins``.

    Returns:
        The margins, without pixels in common between margins inside each other; empty for most
        photos.
    """
    areas: list[MarginArea] = []
    shape, inner = rgb.shape, Box.full(rgb.shape)
    known = np.zeros(shape[:2], bool)
    for _ in range(LAYERS):
        found = find_margins(rgb[inner.slices], None if mask is None else mask[inner.slices])
        if not found:
            break
        placed = {side: _placed(side, margin, inner, shape) for side, margin in found.items()}
        pixels = covered(placed, shape)
        areas += [
            MarginArea(pixels[side] & ~known, margin.colour, margin.exact and not margin.slope)
            for side, margin in placed.items()
        ]
        known = np.any([known, *pixels.values()], axis=0)
        inner = _inside(placed, inner, shape)
        if not inner.area:
            break
    return areas


def _placed(side: str, margin: Margin, box: Box, shape: tuple[int, ...]) -> Margin:
    """The margin of a box of the photo as one of the photo, from its border on."""
    before = {
        "top": box.y,
        "bottom": shape[0] - box.bottom,
        "left": box.x,
        "right": shape[1] - box.right,
    }[side]
    first, length, whole = (
        (box.x, box.w, shape[1]) if side in ("top", "bottom") else (box.y, box.h, shape[0])
    )
    # Positions count from the middle of the side.
    moved = (whole - 1) / 2 - first - (length - 1) / 2
    return replace(margin, width=before + margin.width + margin.slope * moved)


def _inside(margins: dict[str, Margin], box: Box, shape: tuple[int, ...]) -> Box:
    """The part of a box that lies inside all margins, without mixed pixels."""
    edges = {"top": box.y, "bottom": box.bottom, "left": box.x, "right": box.right}
    for side, margin in margins.items():
        across, along = shape[:2] if side in ("top", "bottom") else shape[1::-1]
        end = int(np.ceil(margin.line(along).max()))
        end += 0 if margin.exact and not margin.slope else MIXED
        edges[side] = end if side in ("top", "left") else across - end
    if edges["right"] <= edges["left"] or edges["bottom"] <= edges["top"]:
        return Box(0, 0, 0, 0)
    return Box.from_corners(edges["left"], edges["top"], edges["right"], edges["bottom"])


def find_margins(rgb: Pixels, mask: Mask | None = None) -> dict[str, Margin]:
    """Find the uniform margins of a photo.

    Args:
        rgb: HWC uint8 or uint16.
        mask: HW bool, pixels that may be anything, such as an object that covers the margin.

    Returns:
        The margins by side; empty for most photos.
    """
    if min(rgb.shape[:2]) < 32:
        return {}
    views = {side: _from(side, rgb) for side in SIDES}
    masks = {side: None if mask is None else _from(side, mask) for side in SIDES}
    if not any(_border(views[side], masks[side]) for side in SIDES):
        return {}
    wide = _certain_frame(_with_written(_found(views, masks, WIDEST_FRAME)))
    return {**_accepted(_with_written(_found(views, masks, WIDEST))), **wide}


def _found(
    views: dict[str, Pixels], masks: dict[str, Pixels | None], widest: float
) -> dict[str, Margin]:
    """By side, what may be a margin, up to a share of the photo's side."""
    rough = {side: _rough_width(views[side], masks[side], widest) for side in SIDES}
    found = {}
    for side in SIDES:
        ends = ("left", "right") if side in ("top", "bottom") else ("top", "bottom")
        margin = _measure(views[side], masks[side], tuple(rough[end] for end in ends), widest)
        if margin is not None:
            found[side] = margin
    return found


def _certain_frame(found: dict[str, Margin]) -> dict[str, Margin]:
    """The margins, which may be wide, of a frame around the whole picture or of two drawn bars."""
    if len(found) == 4 and all(
        (margin.share >= NEARLY_ALL or margin.before > BEFORE) and _are_alike(found["top"], margin)
        for margin in found.values()
    ):
        return found
    return {
        side: margin
        for side, margin in found.items()
        if (other := found.get(_OPPOSITE[side])) is not None
        and all(m.exact and m.slope == 0 and m.share >= ALL for m in (margin, other))
        and _are_alike(margin, other)
    }


def _are_alike(one: Margin, other: Margin) -> bool:
    """Whether two margins have one colour, but for the light of a scan."""
    difference = np.abs(eight_bits(one.colour).astype(int) - eight_bits(other.colour))
    return bool(difference.max() <= ALIKE)


def _with_written(found: dict[str, Margin]) -> dict[str, Margin]:
    """The margins without those that something interrupts, unless the other three prove one."""
    plain = {side: margin for side, margin in found.items() if margin.before <= BEFORE}
    if len(found) < 4 or len(plain) != 3:
        return plain
    (written,) = found.keys() - plain.keys()
    others = plain.values()
    proven = sum(margin.share >= NEARLY_ALL for margin in others) >= 2
    return found if proven and all(_are_alike(found[written], m) for m in others) else plain


def covered(margins: dict[str, Margin], shape: tuple[int, ...]) -> dict[str, Mask]:
    """By side, the pixels (HW bool) that a margin covers."""
    height, width = shape[:2]
    pixels = {}
    for side, margin in margins.items():
        across, along = (height, width) if side in ("top", "bottom") else (width, height)
        ends = np.floor(margin.line(along) + 0.5)
        inside = np.arange(across)[:, None] < ends
        pixels[side] = _back(side, inside)
    return pixels


def _accepted(found: dict[str, Margin]) -> dict[str, Margin]:
    """The margins that are certain, alone or together."""

    def drawn(side: str) -> bool:
        return found[side].exact and found[side].slope == 0

    def certain(side: str, share: float) -> bool:
        return found[side].share >= share

    def pair(side: str, share: float) -> bool:
        other = _OPPOSITE[side]
        if other not in found or not (certain(side, share) and certain(other, share)):
            return False
        return _are_alike(found[side], found[other])

    if len(found) == 4 and sum(certain(side, NEARLY_ALL) for side in found) >= 2:
        return found
    return {
        side: margin
        for side, margin in found.items()
        if pair(side, NEARLY_ALL)
        or (drawn(side) and certain(side, ALL))
        or (drawn(side) and pair(side, MOST) and drawn(_OPPOSITE[side]))
    }


def _from(side: str, picture: Pixels | Mask) -> Pixels:
    """The picture turned so that a side is on top."""
    if side in ("left", "right"):
        picture = picture.swapaxes(0, 1)
    return picture[::-1] if side in ("bottom", "right") else picture  # type: ignore[return-value]


def _back(side: str, picture: Mask) -> Mask:
    """The inverse of ``_from``."""
    picture = picture[::-1] if side in ("bottom", "right") else picture
    return picture.swapaxes(0, 1) if side in ("left", "right") else picture


def _border(view: Pixels, mask: Pixels | None) -> tuple[Pixels, int] | None:
    """(the colour of the outermost row, the largest usual deviation from it); None of texture."""
    row = view[0] if mask is None else view[0][mask[0] == 0]
    if len(row) < view.shape[1] // 2:
        return None
    colour = np.median(row, axis=0).astype(row.dtype)
    off = np.abs(eight_bits(row).astype(np.int16) - eight_bits(colour)).max(1)
    noise = int(np.quantile(off, 1 - OUTLIERS))
    return (colour, noise) if noise <= NOISIEST else None


def _ends(
    view: Pixels,
    mask: Pixels | None,
    columns: FloatArray,
    colour: Pixels,
    contrast: int,
    widest: float,
) -> tuple[FloatArray, Mask]:
    """Where the margin ends at some columns, and whether with a step to another colour.

    Args:
        view: the photo, the side on top.
        mask: its mask.
        columns: n columns.
        colour: the margin's.
        contrast: deviation from it, in levels of 255, from which a pixel is picture.
        widest: widest margin, as a share of the photo's side.

    Returns:
        (n, in pixels from the border, at most a little more than the widest margin; n bool)
    """
    rows = min(len(view), int(widest * len(view) + STEEPEST * view.shape[1]) + 4)
    index = columns.astype(np.int64)
    block = eight_bits(np.ascontiguousarray(view[:rows, index])).astype(np.int16)
    off = np.abs(block - eight_bits(colour).astype(np.int16)).max(2)
    if mask is not None:
        off[mask[:rows, index] != 0] = 0
    differs = off >= contrast
    # One pixel may differ by chance, two in a row do not.
    differs[:-1] &= differs[1:]
    ends = np.where(differs.any(0), differs.argmax(0), rows)
    # A gradient reaches the contrast slowly, a step within the few pixels of its blur.
    before = np.take_along_axis(off, np.maximum(ends - 4, 0)[None], 0)[0]
    step = (ends < rows) & ((before < contrast / 2) | (ends < 4))
    return ends.astype(np.float32), step


def _rough_width(view: Pixels, mask: Pixels | None, widest: float) -> int:
    """Pixels at the border in which a neighbouring side cannot be measured."""
    border = _border(view, mask)
    if border is None:
        return 0
    columns = np.linspace(0, view.shape[1] - 1, min(view.shape[1], POSITIONS))
    ends, _ = _ends(view, mask, columns, border[0], RINGING, widest)
    limit = widest * len(view)
    width = float(np.median(ends))
    return int(width + STEEPEST * view.shape[1] / 2) + 2 if width <= limit else 0


def _measure(
    view: Pixels, mask: Pixels | None, beside: tuple[int, ...], widest: float
) -> Margin | None:
    """Measure the margin at the top of a view; None if there is none."""
    border = _border(view, mask)
    first, last = beside[0], view.shape[1] - beside[1]
    if border is None or last - first < 16:
        return None
    columns = np.round(np.linspace(first, last - 1, min(last - first, POSITIONS)))
    measured = [
        _fitted(view, mask, columns, *border, max(contrast, 2 * border[1] + 8), widest)
        for contrast in (FAINT, RINGING)
    ]
    return max((m for m in measured if m is not None), key=lambda m: m.share, default=None)


def _fitted(
    view: Pixels,
    mask: Pixels | None,
    columns: FloatArray,
    colour: Pixels,
    noise: int,
    contrast: int,
    widest: float,
) -> Margin | None:
    """Fit a line to where the margin at the top of a view ends; see ``_ends``."""
    length = view.shape[1]
    ends, step = _ends(view, mask, columns, colour, contrast, widest)
    if mask is not None:  # where an object covers the margin's end, nothing is known
        rows = np.minimum(ends.astype(np.int64), len(view) - 1)
        near = [
            mask[np.clip(rows + d, 0, len(view) - 1), columns.astype(np.int64)] for d in (-2, 0)
        ]
        seen = ~(near[0].astype(bool) | near[1].astype(bool))
        if seen.sum() < 0.3 * len(seen):
            return None
        ends, step, columns = ends[seen], step[seen], columns[seen]
    width, slope = _fit(columns - (length - 1) / 2, ends)
    if not NARROWEST <= width <= widest * len(view) or abs(slope) > 1.2 * STEEPEST:
        return None
    margin = Margin(colour, width, slope, noise <= EXACT, 0.0, 0.0)
    away = ends - margin.line(length)[columns.astype(np.int64)]
    share = float(((np.abs(away) <= NEAR_LINE) & step).mean())
    before = float((away < -NEAR_LINE).mean())
    if share < MOST or before > WRITTEN:
        return None
    return replace(margin, share=share, before=before)


def _fit(along: FloatArray, ends: FloatArray) -> tuple[float, float]:
    """(width, slope) of the line near which most margins end; level if that is as good."""
    best = (0.0, 0.0, 0.0)
    slopes = np.linspace(-STEEPEST, STEEPEST, SLOPES)
    for slope in sorted(slopes, key=abs):
        rest = ends - slope * along
        counts = np.bincount(np.clip(np.round(rest), 0, None).astype(np.int64))
        middle = int(counts.argmax())
        near = np.abs(rest - middle) <= NEAR_LINE
        if near.mean() > best[0] + 0.02:
            best = (float(near.mean()), float(np.median(rest[near])), float(slope))
    _, width, slope = best
    if slope:
        near = np.abs(ends - slope * along - width) <= 2 * NEAR_LINE
        slope, width = (float(v) for v in np.polyfit(along[near], ends[near], 1))
    return width, slope
