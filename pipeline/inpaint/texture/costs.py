"""What each offset costs at each place of a hole, and what it copies there.

The cost is the colour difference between an offset's source and the guide (equation 1 of Wu & Cui,
at the working resolution) and, beside the rim, how badly the source's surroundings fit the known
pixels there. ``labelling`` chooses by these costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pixels import blur, depth_inside, dilate_square, resize
from ...types import Box, FloatArray, Mask
from .lines import Lines
from .offsets import BEST_OFFSETS, LEAST_LEGAL, LEAST_REACH, Offsets, product, spread

Labels = NDArray[np.int64]

#: Side of a block in pixels.
BLOCK = 4
#: Weights of the guide's colour and of the fit at the rim; the colour difference in [0, 1] beyond
#: which differences count the same.
GUIDE, RIM, TRUNCATED = 0.5, 6.0, 0.3
#: Weight of how badly an offset explains the surroundings of a place, which tells far more than the
#: guide where a photo repeats itself; the distance in pixels over which surroundings count less
#: (standard deviation), how far from the hole they lie, and about how many pixels of them are
#: compared.
SURROUNDINGS, SURROUNDINGS_REACH, SURROUNDINGS_DEPTH, RING_PIXELS = 3.5, 16.0, 24, 1000
#: Share of the surroundings that cannot be compared.
UNSEEN = 0.1
#: A photo repeats itself if the best few offsets explain the surroundings so much better than the
#: median one: wholly below the first ratio of their misfits, not at all above the second. Of grass,
#: one offset explains what lies beside the hole as well as another, and what is left is chance.
REPEATS, REPEATS_NOT = 0.36, 0.42
#: Standard deviation in pixels of the blur at which colours are compared with the guide, and of the
#: rim's reach into the hole. A guide is blurred: compared more finely, smooth sources would win
#: over textured ones.
GUIDE_SMOOTH, RIM_REACH = 8.0, 3.0
#: Beside known pixels a fine guide is sharp: there its colour weighs ``FINE`` more, compared at a
#: blur of ``FINE_SMOOTH`` pixels; this weight decays with depth over ``FINE_REACH`` pixels.
FINE, FINE_SMOOTH, FINE_REACH = 6.0, 2.0, 3.0
#: On a line that crosses the hole, the weight of its drawing, compared at this blur.
LINE, LINE_SMOOTH = 4.0, 0.8
#: Price of an offset up or down by the whole window: photos are upright, so what belongs in a hole
#: is more likely beside it than above it.
UPRIGHT = 0.1
#: Cost of an unknown source.
IMPOSSIBLE = 1e3


@dataclass(frozen=True, eq=False)
class SourceIndex:
    """Looks up the pixels that offsets copy to places of the frame, instead of storing them.

    Attributes:
        colours: N3, the picture with a border in which every source lies, row after row.
        known_mask: N bool, whether they are known.
        start: index of the frame's top left corner.
        stride: length of a row.
        moves: K, each offset as a step of the index.
    """

    colours: FloatArray
    known_mask: Mask
    start: int
    stride: int
    moves: Labels

    def sources(self, labels: Labels, y: Labels, x: Labels) -> FloatArray:
        """The colours, ...3, that labels copy to places of the frame, or one pixel outside it."""
        return self.colours.take(self._places(labels, y, x), axis=0)

    def legal(self, labels: Labels, y: Labels, x: Labels) -> Mask:
        """Whether those colours are known, ... bool."""
        known: Mask = self.known_mask.take(self._places(labels, y, x))
        return known

    def _places(self, labels: Labels, y: Labels, x: Labels) -> Labels:
        places: Labels = self.moves[labels] + (self.start + y * self.stride + x)
        return places


@dataclass(frozen=True, eq=False)
class Costs:
    """What every offset copies to the frame around the hole, and what that costs.

    Attributes:
        frame: position in the picture; its sides are multiples of ``BLOCK``, so that it may reach
            over the picture. Places outside the picture are neither hole nor known.
        unary: K(h/2)(w/2), the cost of each offset at each 2 x 2 pixels.
        hole_mask: hw bool.
        known_mask: hw bool.
        picture: hw3.
        index: looks up sources.
    """

    frame: Box
    unary: FloatArray
    hole_mask: Mask
    known_mask: Mask
    picture: FloatArray
    index: SourceIndex


@dataclass(frozen=True, eq=False)
class _Canvas:
    """The picture with a border in which every source lies, and the frame around its hole.

    Attributes:
        frame: relative to the bordered picture.
        border: widths of the border at the top and bottom, and at the left and right.
        colours: HW3, the bordered picture, 0 where unknown.
        known_mask: HW bool, bordered.
        hole: hw bool, on the frame.
        depth: hw, the distance of the hole's pixels to its border.
    """

    frame: Box
    border: tuple[tuple[int, int], tuple[int, int]]
    colours: FloatArray
    known_mask: Mask
    hole: Mask
    depth: FloatArray

    def bordered(self, plane: NDArray[Any]) -> NDArray[Any]:
        """A plane of the picture, HW or HW3, with the border, which is 0."""
        return _bordered(plane, self.border)

    def moved(self, plane: NDArray[Any], dy: int, dx: int) -> NDArray[Any]:
        """The part of a bordered ...HW plane that an offset copies to the frame; ...hw."""
        return plane[(..., *self.frame.shifted(dy, dx).slices)]


class _GuideTerm(NamedTuple):
    """One scale at which sources are compared with the guide.

    ``weight``: of the sum over RGB, (h/2)(w/2) or of no axis; ``wanted``: 3(h/2)(w/2), the guide on
    the frame; ``smooth``: the bordered picture at the same blur, 3HW.
    """

    weight: FloatArray
    wanted: FloatArray
    smooth: _Quarters


class _Quarters:
    """A bordered plane, of which every second pixel can be read in a row.

    Reading every second pixel of every second row fetches all of them from memory, so the four
    quarters lie apart.

    Args:
        plane: ...HW.
        frame: relative to the plane.
    """

    def __init__(self, plane: NDArray[Any], frame: Box) -> None:
        self._frame = frame
        self._quarters = [
            [np.ascontiguousarray(plane[..., y::2, x::2]) for x in (0, 1)] for y in (0, 1)
        ]

    def moved(self, dy: int, dx: int) -> NDArray[Any]:
        """The even pixels of the part that an offset copies to the frame; ...(h/2)(w/2)."""
        (top, y), (left, x) = divmod(self._frame.y + dy, 2), divmod(self._frame.x + dx, 2)
        h, w = self._frame.h // 2, self._frame.w // 2
        return self._quarters[y][x][..., top : top + h, left : left + w]


def offset_costs(
    picture: FloatArray,
    known_mask: Mask,
    hole_mask: Mask,
    guide: FloatArray,
    offsets: Offsets,
    *,
    fine: bool,
    lines: Lines | None = None,
) -> Costs:
    """The costs of every offset on the frame around the hole; arguments as in ``label``."""
    frame = _frame(hole_mask)
    blank = np.where(known_mask[..., None], picture, 0).astype(np.float32)
    canvas = _canvas(frame, blank, known_mask, hole_mask, offsets)
    guide_terms = _guide_terms(blank, known_mask, guide, canvas, fine=fine)
    if lines is not None:
        guide_terms = [*guide_terms, _line_term(blank, known_mask, lines, canvas)]
    stride = canvas.colours.shape[1]
    return Costs(
        frame=frame,
        unary=_unary(canvas, guide_terms, offsets, max(known_mask.shape)),
        hole_mask=canvas.hole,
        known_mask=canvas.known_mask[canvas.frame.slices],
        picture=np.ascontiguousarray(canvas.colours[canvas.frame.slices]),
        index=SourceIndex(
            colours=canvas.colours.reshape(-1, 3),
            known_mask=canvas.known_mask.reshape(-1),
            start=canvas.frame.y * stride + canvas.frame.x,
            stride=stride,
            moves=offsets[:, 0] * stride + offsets[:, 1],
        ),
    )


def _frame(hole_mask: Mask) -> Box:
    """The hole with a margin of two blocks, its sides rounded up to whole blocks."""
    box = Box.bounding(hole_mask).grown(2 * BLOCK, hole_mask.shape)
    return Box(box.x, box.y, -(-box.w // BLOCK) * BLOCK, -(-box.h // BLOCK) * BLOCK)


def _canvas(
    frame: Box, picture: FloatArray, known_mask: Mask, hole_mask: Mask, offsets: Offsets
) -> _Canvas:
    """Add a border in which the frame lies, unmoved and moved by any offset, with one pixel more.

    That pixel is for seams, which compare neighbours.
    """
    least, most = np.minimum(offsets.min(0), 0).tolist(), np.maximum(offsets.max(0), 0).tolist()
    rows, columns = (
        (max(0, 1 - span.start - low), max(0, span.stop + high + 1 - side))
        for span, low, high, side in zip(frame.slices, least, most, known_mask.shape, strict=True)
    )
    border, place = (rows, columns), frame.shifted(rows[0], columns[0])
    hole = _bordered(hole_mask, border)[place.slices]
    return _Canvas(
        frame=place,
        border=border,
        colours=_bordered(picture, border),
        known_mask=_bordered(known_mask, border),
        hole=hole,
        depth=depth_inside(hole, cv2.DIST_MASK_3),
    )


def _bordered(plane: NDArray[Any], border: tuple[tuple[int, int], tuple[int, int]]) -> NDArray[Any]:
    """HW or HW3 with a border of zeros."""
    return np.pad(plane, (*border, *((0, 0),) * (plane.ndim - 2)))


def _guide_terms(
    picture: FloatArray,
    known_mask: Mask,
    guide: FloatArray,
    canvas: _Canvas,
    *,
    fine: bool,
) -> Sequence[_GuideTerm]:
    """The scales at which sources are compared with the guide: a coarse and perhaps a fine one.

    Args:
        picture: HW3, 0 where unknown.
        known_mask: HW bool.
        guide: HW3.
        canvas: the frame.
        fine: whether the guide is sharp beside known pixels.
    """

    def term(weight: FloatArray | float, sigma: float) -> _GuideTerm:
        share = np.maximum(blur(known_mask.astype(np.float32), sigma), 1e-3)
        smooth = (blur(picture, sigma) / share[..., None]).astype(np.float32)
        wanted = canvas.bordered(blur(guide, sigma / 2)).transpose(2, 0, 1)
        return _GuideTerm(
            np.asarray(weight / 3, np.float32),
            np.ascontiguousarray(canvas.moved(wanted, 0, 0)[:, ::2, ::2]),
            _Quarters(canvas.bordered(smooth).transpose(2, 0, 1), canvas.frame),
        )

    terms = [term(GUIDE, GUIDE_SMOOTH)]
    if fine:
        terms.append(term(FINE * np.exp(-canvas.depth[::2, ::2] / FINE_REACH), FINE_SMOOTH))
    return terms


def _line_term(picture: FloatArray, known_mask: Mask, lines: Lines, canvas: _Canvas) -> _GuideTerm:
    """The comparison of sources with the lines that are drawn through the hole."""
    share = np.maximum(blur(known_mask.astype(np.float32), LINE_SMOOTH), 1e-3)
    smooth = (blur(picture, LINE_SMOOTH) / share[..., None]).astype(np.float32)
    spread = np.maximum(blur(lines.strength, LINE_SMOOTH), 1e-3)
    drawn = blur(lines.drawn * lines.strength[..., None], LINE_SMOOTH)
    wanted = (drawn / spread[..., None]).astype(np.float32)
    return _GuideTerm(
        LINE / 3 * canvas.moved(canvas.bordered(lines.strength), 0, 0)[::2, ::2],
        np.ascontiguousarray(
            canvas.moved(canvas.bordered(wanted).transpose(2, 0, 1), 0, 0)[:, ::2, ::2]
        ),
        _Quarters(canvas.bordered(smooth).transpose(2, 0, 1), canvas.frame),
    )


class Rim:
    """The known pixels beside a hole, which a source's surroundings have to fit.

    Args:
        known_mask: hw bool.
        depth: hw, the distance of the hole's pixels to its border.
    """

    def __init__(self, known_mask: Mask, depth: FloatArray) -> None:
        self._known, self._reach = known_mask, RIM_REACH / 2
        share = blur(halved(known_mask), self._reach)
        weight = halved(RIM * np.exp(-depth / RIM_REACH))
        self._weight = weight / np.maximum(share, 1e-3)
        self._missed = TRUNCATED / 2 * self._weight * share
        # Memory that is asked for anew for every offset costs more than the arithmetic.
        self._scratch, self._both = np.empty(known_mask.shape, np.float32), known_mask.copy()

    def misfit(self, difference: FloatArray, legal: Mask) -> FloatArray:
        """What a source costs by its misfit at the rim: (h/2)(w/2).

        Args:
            difference: hw, of its colours to those at their places, summed over RGB.
            legal: hw bool, where its colours are known.
        """
        # What cannot be compared costs half of the worst: otherwise sources that compare least
        # would win. It is the cost from which what can be compared departs.
        misfit = _truncated(difference, self._scratch)
        misfit *= np.float32(1 / 3)
        misfit -= np.float32(TRUNCATED / 2)
        misfit *= np.logical_and(self._known, legal, out=self._both)
        cost = blur(halved(misfit), self._reach)
        cost *= self._weight
        cost += self._missed
        return cost


def _unary(
    canvas: _Canvas, guide_terms: Sequence[_GuideTerm], offsets: Offsets, longer_side: int
) -> FloatArray:
    """The unary cost of every offset: K(h/2)(w/2), 0 outside the hole.

    Args:
        canvas: the frame.
        guide_terms: comparisons with the guide.
        offsets: K2.
        longer_side: the picture's, in pixels.
    """
    planes = np.ascontiguousarray(canvas.colours.transpose(2, 0, 1))
    here, here_known = canvas.moved(planes, 0, 0), canvas.moved(canvas.known_mask, 0, 0)
    rim = Rim(here_known, canvas.depth)
    # Of every 2 x 2 pixels, wherever they begin, the share that is unknown.
    unknown = np.pad((~canvas.known_mask).astype(np.float32), ((0, 1), (0, 1)))
    pairs = unknown[:-1] + unknown[1:]
    unknown_share = _Quarters((pairs[:, :-1] + pairs[:, 1:]) * np.float32(0.25), canvas.frame)
    # Memory that is asked for anew for every offset costs more than the arithmetic.
    difference, colour = np.empty_like(here), np.empty_like(guide_terms[0].wanted)
    unary = _unexplained(canvas, offsets).repeat(BLOCK // 2, 1).repeat(BLOCK // 2, 2)
    for k, (dy, dx) in enumerate(offsets.tolist()):
        legal = canvas.moved(canvas.known_mask, dy, dx)
        cost = unary[k]
        cost += rim.misfit(_differ(here, canvas.moved(planes, dy, dx), difference), legal)
        cost += np.float32(UPRIGHT * abs(dy) / longer_side)
        for weight, wanted, smooth in guide_terms:
            differs = _truncated(_differ(wanted, smooth.moved(dy, dx), colour), colour[1])
            differs *= weight
            cost += differs
        cost += np.multiply(unknown_share.moved(dy, dx), np.float32(IMPOSSIBLE), out=colour[0])
    unary[:, halved(canvas.hole) == 0] = 0
    return unary


def _unexplained(canvas: _Canvas, offsets: Offsets) -> FloatArray:
    """What offsets cost because they would not copy the surroundings: K(h/4)(w/4), for each block.

    An offset that repeats a facade's windows beside the hole is right in the hole's middle too,
    whatever the guide shows there. He & Sun's few dominant offsets have no such weight; here those
    compete with many others.

    Args:
        canvas: the frame.
        offsets: K2.
    """
    grid = np.indices((canvas.frame.h // BLOCK, canvas.frame.w // BLOCK))
    hole = np.zeros_like(canvas.known_mask)
    hole[canvas.frame.slices] = canvas.hole
    ring = dilate_square(hole, SURROUNDINGS_DEPTH) & canvas.known_mask
    places = spread(np.argwhere(ring), RING_PIXELS)
    if not len(places):
        return np.zeros((len(offsets), *grid.shape[1:]), np.float32)
    there = places + offsets[:, None]
    legal = ((there >= 0) & (there < ring.shape)).all(2)
    there[~legal] = 0
    legal &= canvas.known_mask[there[..., 0], there[..., 1]]
    colours = canvas.colours[there[..., 0], there[..., 1]]
    difference = mean_difference(colours, canvas.colours[places[:, 0], places[:, 1]])
    misfit = np.minimum(difference, TRUNCATED) * legal
    weight = SURROUNDINGS * _repetition(misfit, legal, offsets)
    if not weight:
        return np.zeros((len(offsets), *grid.shape[1:]), np.float32)
    centres = (grid.reshape(2, -1) + 0.5) * BLOCK + [[canvas.frame.y], [canvas.frame.x]]
    distance = ((places[:, :, None] - centres) ** 2).sum(1) / (2 * SURROUNDINGS_REACH**2)
    share = np.exp(distance.min(0) - distance)
    share /= share.sum(0)
    # Where little can be compared, half of the worst is as likely.
    cost = product(misfit, share) + UNSEEN * TRUNCATED / 2
    cost /= product(legal, share) + UNSEEN
    return weight * cost.reshape(len(offsets), *grid.shape[1:])


def _repetition(misfit: FloatArray, legal: Mask, offsets: Offsets) -> float:
    """How surely a photo repeats itself, in [0, 1].

    Args:
        misfit: KN, of each offset at N pixels around the hole; 0 where not legal.
        legal: KN bool, where the offset's source is known.
        offsets: K2.
    """
    seen = legal.sum(1)
    counts = (np.hypot(*offsets.T) >= LEAST_REACH) & (seen >= LEAST_LEGAL * legal.shape[1])
    if counts.sum() <= 2 * BEST_OFFSETS:
        return 0.0
    each = np.sort(misfit[counts].sum(1) / seen[counts])
    ratio = float(each[:BEST_OFFSETS].mean() / max(float(np.median(each)), 1e-6))
    return float(np.clip((REPEATS_NOT - ratio) / (REPEATS_NOT - REPEATS), 0, 1))


def _differ(ours: FloatArray, theirs: FloatArray, scratch: FloatArray) -> FloatArray:
    """The absolute difference of two pictures, 3hw, summed over RGB; hw in ``scratch``, 3hw."""
    for one, other, plane in zip(ours, theirs, scratch, strict=True):
        cv2.absdiff(one, other, dst=plane)
    summed: FloatArray = scratch[0]
    summed += scratch[1]
    summed += scratch[2]
    return summed


def _truncated(difference: FloatArray, scratch: FloatArray) -> FloatArray:
    """Differences summed over RGB, at most what counts; hw in ``scratch``."""
    cv2.threshold(difference, 3 * TRUNCATED, 0, cv2.THRESH_TRUNC, dst=scratch)
    return scratch


def halved(plane: NDArray[Any]) -> FloatArray:
    """The mean of every 2 x 2 pixels: hw -> (h/2)(w/2) float32."""
    return resize(plane.astype(np.float32), (plane.shape[0] // 2, plane.shape[1] // 2))


def mean_difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """...3 and ...3 -> ..., the mean absolute difference over RGB.

    NumPy's own mean is slow on an axis of three.
    """
    difference = np.abs(a - b)
    mean: FloatArray = (difference[..., 0] + difference[..., 1] + difference[..., 2]) / np.float32(
        3
    )
    return mean
