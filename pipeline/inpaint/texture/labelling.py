"""Which offset each pixel of a hole takes: a Markov random field over few offsets.

After shift-map editing (Pritch et al. 2009). The unary cost of an offset at a pixel is the colour
difference between its source and the guide (equation 1 of Wu & Cui, at the working resolution) and,
beside the rim, how badly the source's surroundings fit the known pixels there. The pairwise cost of
two neighbours with different offsets is the difference of the two sources on both sides of their
border. Blocks of pixels are labelled first, all at once, by belief propagation (min-sum); then the
seams move pixel by pixel.
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

#: Side of a block in pixels, offsets a block considers, rounds of messages, sweeps over pixels.
BLOCK, PER_BLOCK, ROUNDS, SWEEPS = 4, 20, 40, 4
#: A labelling with fewer offsets is taken if it costs at most so many times the cheapest; the share
#: of the offsets in use that each round keeps, and the fewest that are tried; what its seams may
#: cost, as a share of the cheapest one's.
DEARER, KEPT, FEWEST, FEWER_SEAMS = 1.1, 0.7, 2, 0.85
#: Levels of a colour where sources of blocks are compared: twice as fine as an 8-bit photo's.
LEVELS = 512
#: Weights of the guide's colour, of the fit at the rim and of a seam; the price of any seam at all;
#: the colour difference in [0, 1] beyond which differences count the same.
GUIDE, RIM, SEAM, ANY_SEAM, TRUNCATED = 0.5, 6.0, 1.0, 0.02, 0.3
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


def label(
    picture: FloatArray,
    known_mask: Mask,
    hole_mask: Mask,
    guide: FloatArray,
    offsets: Offsets,
    *,
    fine: bool = True,
    lines: Lines | None = None,
) -> tuple[Costs, Labels]:
    """Choose the offset of every hole pixel.

    Args:
        picture: HW3 in [0, 1]; read only where known.
        known_mask: HW bool, False somewhere.
        hole_mask: HW bool, True somewhere; what is neither known nor hole is no part of the photo.
        guide: HW3 in [0, 1].
        offsets: K2, K > 0.
        fine: whether the guide is sharp beside known pixels.
        lines: that cross the hole; None if there are none.

    Returns:
        (the costs on the frame around the hole, hw index into ``offsets``; -1 outside the hole).
    """
    costs = offset_costs(picture, known_mask, hole_mask, guide, offsets, fine=fine, lines=lines)
    return costs, label_pixels(costs)


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


def label_pixels(costs: Costs) -> Labels:
    """Choose the offset of every hole pixel, with as few offsets as do nearly as well as all.

    With hundreds of offsets to choose from, the cheapest labelling is a mosaic of dozens of small
    pieces, each of which fits by chance; what people build goes on in a few large ones. A price on
    each offset in use is the field's answer (Delong et al. 2012, label costs), but its right weight
    differs from photo to photo. Here the least used offsets are left out round by round, as long as
    the whole labelling costs at most ``DEARER`` times the cheapest. If that does not save seams, as
    in grass or fur, the cheapest follows the guide better and stays.

    Returns:
        hw index into the offsets; -1 outside the hole.
    """
    blocks, count = _Blocks(costs), len(costs.unary)
    cheapest = latest = refine_pixels(costs, blocks.labelled(np.arange(count)))
    least = energy(costs, cheapest)
    few, few_costs = cheapest, least
    while True:
        used = np.bincount(latest[costs.hole_mask], minlength=count)
        kept = int(KEPT * np.count_nonzero(used))
        if kept < FEWEST:
            break
        latest = refine_pixels(costs, blocks.labelled(np.sort(_cheapest(-used[None], kept)[0])))
        latest_costs = energy(costs, latest)
        if sum(latest_costs) > DEARER * sum(least):
            break
        few, few_costs = latest, latest_costs
    return few if few_costs.seams <= FEWER_SEAMS * least.seams else cheapest


def label_blocks(costs: Costs) -> Labels:
    """Min-sum belief propagation over blocks, each with its ``PER_BLOCK`` cheapest offsets.

    Returns:
        hw labels, the same within a block; -1 outside the hole.
    """
    return _Blocks(costs).labelled(np.arange(len(costs.unary)))


class _Blocks:
    """The N blocks of a frame that the hole touches, and what each offset costs them.

    Args:
        costs: of the frame.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        count = len(costs.unary)
        gh, gw = costs.hole_mask.shape[0] // BLOCK, costs.hole_mask.shape[1] // BLOCK
        halved_hole = halved(costs.hole_mask)
        hole_share = halved_hole.reshape(gh, BLOCK // 2, gw, BLOCK // 2).sum((1, 3))
        self._node = hole_share > 0
        self._index = np.full((gh, gw), -1)
        self._index[self._node] = np.arange(int(self._node.sum()))
        self._cost = (costs.unary * halved_hole).reshape(count, gh, BLOCK // 2, gw, BLOCK // 2).sum(
            (2, 4)
        )[:, self._node].T / hole_share[self._node, None]

    def labelled(self, offsets: Labels) -> Labels:
        """``label_blocks`` with some of the offsets, K in ascending order."""
        cost = self._cost[:, offsets]
        kept = min(PER_BLOCK, len(offsets))
        # In the offsets' order, so that neighbours with the same options align.
        chosen = np.sort(_cheapest(cost, kept), axis=1)
        options = offsets[chosen]
        # Options first, then blocks or edges: an operation on two options runs over all edges at
        # once.
        own_cost = np.ascontiguousarray(
            np.take_along_axis(cost, chosen, axis=1).astype(np.float32).T
        )
        edges = _edges(self._costs, self._index, options)
        messages = [
            (np.zeros((kept, len(first)), np.float32), np.zeros((kept, len(first)), np.float32))
            for first, _, _ in edges
        ]
        for _ in range(ROUNDS):
            belief = _beliefs(own_cost, edges, messages)
            messages = [
                _next_messages(belief, *edge, *old)
                for edge, old in zip(edges, messages, strict=True)
            ]
        best = _beliefs(own_cost, edges, messages).argmin(0)
        blocks = np.full(self._node.shape, -1)
        blocks[self._node] = options[np.arange(len(options)), best]
        return np.where(self._costs.hole_mask, blocks.repeat(BLOCK, 0).repeat(BLOCK, 1), -1)


def _cheapest(cost: NDArray[Any], count: int) -> Labels:
    """The ``count`` cheapest columns of each row of nk costs, of equal ones the first.

    ``argpartition`` would do with less work, but which of equal ones it takes depends on the
    processor and on NumPy's version.
    """
    return np.argsort(cost, axis=1, kind="stable")[:, :count]


class _Edges(NamedTuple):
    """All E pairs of neighbouring blocks in one direction.

    ``first`` and ``second``: E, the blocks; ``price``: options x options x E, the cost of each pair
    of options.
    """

    first: Labels
    second: Labels
    price: FloatArray


def _beliefs(
    own_cost: FloatArray, edges: list[_Edges], messages: list[tuple[FloatArray, FloatArray]]
) -> FloatArray:
    """Options x blocks: each block's own cost and the messages it receives."""
    belief = own_cost.copy()
    for (first, second, _), (forth, back) in zip(edges, messages, strict=True):
        # In one direction a block is the first of one pair at most, and the second of one at most.
        belief[:, second] += forth
        belief[:, first] += back
    return belief


def _next_messages(
    belief: FloatArray,
    first: Labels,
    second: Labels,
    price: FloatArray,
    forth: FloatArray,
    back: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """The next messages, options x E, to the second blocks and to the first ones."""
    from_first, from_second = belief[:, first] - back, belief[:, second] - forth
    new_forth, new_back = from_first[0] + price[0], from_second[0] + price[:, 0]
    scratch = np.empty_like(new_forth)
    for k in range(1, len(price)):
        np.minimum(new_forth, np.add(from_first[k], price[k], out=scratch), out=new_forth)
        np.minimum(new_back, np.add(from_second[k], price[:, k], out=scratch), out=new_back)
    # Half of the old message: undamped, loops of blocks oscillate between two labellings.
    return 0.5 * (forth + new_forth - new_forth.min(0)), 0.5 * (back + new_back - new_back.min(0))


def _edges(costs: Costs, index: Labels, options: Labels) -> list[_Edges]:
    """The pairs of blocks side by side, and those one above the other.

    The price is the root mean square difference of the two sources over the two lines of pixels at
    the border.

    Args:
        costs: of the frame.
        index: gh gw, the number of each block; -1 outside the hole.
        options: blocks x options, the labels that each block considers.
    """
    edges = []
    line = np.arange(BLOCK)
    for dy, dx in ((0, 1), (1, 0)):
        a, b = index[: index.shape[0] - dy, : index.shape[1] - dx], index[dy:, dx:]
        ys, xs = np.nonzero((a >= 0) & (b >= 0))
        a, b = a[ys, xs], b[ys, xs]
        if dx:
            py, px = np.broadcast_arrays(
                ys[:, None, None] * BLOCK + line[:, None],
                (xs[:, None, None] + 1) * BLOCK + np.array([-1, 0]),
            )
        else:
            py, px = np.broadcast_arrays(
                (ys[:, None, None] + 1) * BLOCK + np.array([-1, 0]),
                xs[:, None, None] * BLOCK + line[:, None],
            )
        py, px = py.reshape(len(a), 1, 2 * BLOCK), px.reshape(len(a), 1, 2 * BLOCK)
        ours, theirs = (
            _whole_levels(costs.index.sources(options[blocks][:, :, None], py, px)).reshape(
                len(a), options.shape[1], 6 * BLOCK
            )
            for blocks in (a, b)
        )
        squares = (
            _squares(ours)[:, :, None]
            + _squares(theirs)[:, None]
            - 2 * ours @ theirs.transpose(0, 2, 1)
        )
        price = 2 * SEAM / LEVELS * np.sqrt(squares / ours.shape[2]) + ANY_SEAM
        price[options[a][:, :, None] == options[b][:, None]] = 0
        price = np.ascontiguousarray(price.astype(np.float32).transpose(1, 2, 0))
        edges.append(_Edges(a, b, price))
    return edges


def _whole_levels(colours: FloatArray) -> FloatArray:
    """Colours in [0, 1] as whole numbers in [0, ``LEVELS``].

    Sums of their products are whole numbers below 2^24, which float32 holds exactly. So the order
    of summing does not matter, which differs between processors and versions of BLAS: in fractions
    like sources would differ by what the order rounds off, and its root is much larger.
    """
    return np.rint(colours * np.float32(LEVELS))


def _squares(rows: FloatArray) -> FloatArray:
    """The sum of squares of each row: ekn -> ek."""
    squares: FloatArray = np.einsum("ekn,ekn->ek", rows, rows)
    return squares


def refine_pixels(costs: Costs, labels: Labels) -> Labels:
    """Iterated conditional modes: each pixel may take a neighbour's label if that is cheaper."""
    labels = labels.copy()
    h, w = labels.shape
    hy, hx = np.nonzero(costs.hole_mask)
    for _ in range(SWEEPS):
        changed = 0
        for parity in (0, 1):
            at_turn = (hy + hx) % 2 == parity
            y, x = hy[at_turn], hx[at_turn]
            around = [
                (np.clip(y + dy, 0, h - 1), np.clip(x + dx, 0, w - 1))
                for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))
            ]
            current = labels[y, x]
            at_seam = np.any([labels[q] != current for q in around], axis=0)
            y, x, current = y[at_seam], x[at_seam], current[at_seam]
            around = [(qy[at_seam], qx[at_seam]) for qy, qx in around]
            if not len(y):
                continue
            tried = np.stack(
                [current] + [np.where(labels[q] >= 0, labels[q], current) for q in around], axis=1
            )
            cost = costs.unary[tried, y[:, None] // 2, x[:, None] // 2] + sum(
                _seam_cost(costs, labels, tried, y, x, *q) for q in around
            )
            best = np.take_along_axis(tried, cost.argmin(1)[:, None], axis=1)[:, 0]
            changed += int((best != current).sum())
            labels[y, x] = best
        if not changed:
            break
    return labels


class Energy(NamedTuple):
    """What a labelling costs: ``unary``, its pixels alone, and ``seams``, all borders of labels."""

    unary: float
    seams: float


def energy(costs: Costs, labels: Labels) -> Energy:
    """What the labels of a frame's hole, hw, cost."""
    y, x = np.nonzero(costs.hole_mask)
    mine = labels[y, x]
    unary = costs.unary[mine, y // 2, x // 2].sum(dtype=np.float64)
    seams = 0.0
    h, w = labels.shape
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        qy, qx = np.clip(y + dy, 0, h - 1), np.clip(x + dx, 0, w - 1)
        at_seam = labels[qy, qx] != mine
        py, px, qy, qx = (a[at_seam] for a in (y, x, qy, qx))
        price = _seam_cost(costs, labels, mine[at_seam][:, None], py, px, qy, qx)[:, 0]
        # A seam within the hole is met from both its sides.
        seams += (price * np.where(labels[qy, qx] >= 0, 0.5, 1)).sum(dtype=np.float64)
    return Energy(float(unary), float(seams))


def _seam_cost(
    costs: Costs, labels: Labels, tried: Labels, y: Labels, x: Labels, qy: Labels, qx: Labels
) -> FloatArray:
    """The price of the borders between n pixels and a neighbour of each.

    Args:
        costs: of the frame.
        labels: hw.
        tried: n x options, the labels tried at the pixels.
        y: n, rows of the pixels.
        x: n, their columns.
        qy: n, rows of the neighbours, which are hole, known, or outside the picture.
        qx: n, their columns.

    Returns:
        n x options.
    """
    sources = costs.index.sources
    theirs = labels[qy, qx]
    filled = theirs >= 0
    source = np.maximum(theirs, 0)
    at_theirs = np.where(filled[:, None], sources(source, qy, qx), costs.picture[qy, qx])
    there = mean_difference(sources(tried, qy[:, None], qx[:, None]), at_theirs[:, None])
    here = mean_difference(sources(tried, y[:, None], x[:, None]), sources(source, y, x)[:, None])
    price = SEAM * (there + np.where(filled[:, None], here, there)) + ANY_SEAM
    outside = ~filled & ~costs.known_mask[qy, qx]
    price[(tried == theirs[:, None]) | outside[:, None]] = 0
    return price


def mean_difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """...3 and ...3 -> ..., the mean absolute difference over RGB.

    NumPy's own mean is slow on an axis of three.
    """
    difference = np.abs(a - b)
    mean: FloatArray = (difference[..., 0] + difference[..., 1] + difference[..., 2]) / np.float32(
        3
    )
    return mean
