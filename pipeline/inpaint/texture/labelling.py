"""Which offset each pixel of a hole takes: a Markov random field over few offsets (Pritch et al. 2009, shift-map editing).

The cost of an offset at a pixel is how far its source is from the guide in colour (equation 1 of Wu & Cui, at the working resolution)
and, beside the rim, how badly the source's surroundings fit what is known there. The cost of two neighbours with different offsets is
what the two sources disagree about on both sides of their border. Blocks of pixels are labelled first, all at once, by belief
propagation (min-sum); then the seams move pixel by pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...types import Box, FloatArray, Mask
from .offsets import Offsets

Labels = NDArray[np.int64]

#: Side of a block in pixels, offsets that a block considers, rounds of messages, sweeps over pixels.
BLOCK, PER_BLOCK, ROUNDS, SWEEPS = 4, 20, 40, 4
#: Weights of the guide's colour, of the fit at the rim, of the seam; the price of any seam at all; where differences stop to count.
GUIDE, RIM, SEAM, ANY_SEAM, TRUNCATED = 0.5, 6.0, 1.0, 0.02, 0.3
#: Standard deviation in pixels of the smoothing at which colours are compared with the guide, and of the rim's reach into the hole. A
#: guide is a blur: compared more finely, plain sources would win over textured ones.
GUIDE_SMOOTH, RIM_REACH = 8.0, 3.0
#: Beside what is known a guide is no blur: there its colour weighs ``FINE`` more, compared at a smoothing of ``FINE_SMOOTH`` pixels, and
#: the less the deeper in the hole, over ``FINE_REACH`` pixels.
FINE, FINE_SMOOTH, FINE_REACH = 6.0, 2.0, 3.0
#: Price of an offset up or down by the whole window: photos are upright, what belongs here is rather found beside than above.
UPRIGHT = 0.1
IMPOSSIBLE = 1e3


@dataclass(frozen=True, eq=False)
class Costs:
    """What every offset would put on the frame around the hole, and what that costs.

    ``frame``: in the picture, sides multiples of ``BLOCK``; ``unary``: K(h/2)(w/2), the cost at each 2 x 2 pixels; ``hole`` and ``known``
    hw; ``picture`` hw3. Places outside the picture are neither hole nor known. Sources are looked up, not stored: ``colours`` N3 and
    ``whole`` N are the picture and what is known of it with a border that every source lies in, row after row; ``start`` is the frame's
    corner there, ``stride`` the length of a row and ``moves`` K the offsets along it.
    """

    frame: Box
    unary: FloatArray
    hole: Mask
    known: Mask
    picture: FloatArray
    colours: FloatArray
    whole: Mask
    start: int
    stride: int
    moves: Labels

    def sources(self, labels: Labels, y: Labels, x: Labels) -> FloatArray:
        """The colours, ...3, that offsets put at places of the frame; a pixel further out at most."""
        return self.colours.take(self._places(labels, y, x), axis=0)

    def legal(self, labels: Labels, y: Labels, x: Labels) -> Mask:
        """Whether those are known."""
        return self.whole.take(self._places(labels, y, x))  # type: ignore[return-value]

    def _places(self, labels: Labels, y: Labels, x: Labels) -> Labels:
        return self.moves[labels] + (self.start + y * self.stride + x)  # type: ignore[no-any-return]


def label(
    picture: FloatArray, known: Mask, guide: FloatArray, offsets: Offsets, *, fine: bool = True
) -> tuple[Costs, Labels]:
    """The offset of every hole pixel.

    Args:
        picture: HW3 in [0, 1]; read only where known.
        known: HW bool, False somewhere.
        guide: HW3 in [0, 1].
        offsets: K2, K > 0.
        fine: whether the guide is sharp beside what is known.

    Returns:
        (the frame around the hole and what every offset would put there, hw index into ``offsets``; -1 where nothing is to be filled).
    """
    costs = _costs(picture, known, guide, offsets, fine=fine)
    return costs, _refine(costs, _label_blocks(costs))


def _costs(
    picture: FloatArray, known: Mask, guide: FloatArray, offsets: Offsets, *, fine: bool
) -> Costs:
    h, w = known.shape
    ys, xs = np.nonzero(~known)
    margin = 2 * BLOCK
    y0, x0 = max(0, int(ys.min()) - margin), max(0, int(xs.min()) - margin)
    fh = -(-(min(h, int(ys.max()) + 1 + margin) - y0) // BLOCK) * BLOCK
    fw = -(-(min(w, int(xs.max()) + 1 + margin) - x0) // BLOCK) * BLOCK
    # A border that the frame lies in, as it stands and moved by any offset, with one pixel more: seams look at neighbours.
    least, most = np.minimum(offsets.min(0), 0).tolist(), np.maximum(offsets.max(0), 0).tolist()
    top, left = (max(0, 1 - start - move) for start, move in zip((y0, x0), least, strict=True))
    bottom, right = (
        max(0, start + n + move + 1 - side)
        for start, n, move, side in zip((y0, x0), (fh, fw), most, (h, w), strict=True)
    )

    def bordered(plane: NDArray[Any]) -> NDArray[Any]:
        return np.pad(plane, ((top, bottom), (left, right), *((0, 0),) * (plane.ndim - 2)))

    picture, whole = (
        bordered(np.where(known[..., None], picture, 0).astype(np.float32)),
        bordered(known),
    )
    plain = picture[top : top + h, left : left + w]

    def smoothed(sigma: float) -> FloatArray:
        weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), sigma)
        found = cv2.GaussianBlur(plain, (0, 0), sigma) / np.maximum(weight, 1e-3)[..., None]
        return np.ascontiguousarray(bordered(found.astype(np.float32)).transpose(2, 0, 1))

    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
    y0, x0 = y0 + top, x0 + left

    def moved(plane: NDArray[Any], dy: int, dx: int) -> NDArray[Any]:
        return plane[..., y0 + dy : y0 + dy + fh, x0 + dx : x0 + dx + fw]

    here, here_known = moved(planes, 0, 0), moved(whole, 0, 0)
    hole = moved(bordered(~known), 0, 0)

    def led(sigma: float) -> FloatArray:
        return moved(bordered(cv2.GaussianBlur(guide, (0, 0), sigma / 2)).transpose(2, 0, 1), 0, 0)[
            :, ::2, ::2
        ]

    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    at_rim = _halved(RIM * np.exp(-depth / RIM_REACH))
    scales: list[tuple[FloatArray | float, FloatArray, FloatArray]] = [
        (GUIDE, led(GUIDE_SMOOTH), smoothed(GUIDE_SMOOTH))
    ]
    if fine:
        scales.append(
            (FINE * np.exp(-depth[::2, ::2] / FINE_REACH), led(FINE_SMOOTH), smoothed(FINE_SMOOTH))
        )
    reach = RIM_REACH / 2
    all_known = cv2.GaussianBlur(_halved(here_known), (0, 0), reach)
    at_rim /= np.maximum(all_known, 1e-3)
    unary = np.empty((len(offsets), fh // 2, fw // 2), np.float32)
    for k, (dy, dx) in enumerate(offsets.tolist()):
        legal = moved(whole, dy, dx)
        both = here_known & legal
        misfit = np.minimum(np.abs(here - moved(planes, dy, dx)).sum(0), 3 * TRUNCATED) * both
        # What cannot be compared costs half of the worst: else offsets that compare least would win.
        missed = all_known - cv2.GaussianBlur(_halved(both), (0, 0), reach)
        misfit = cv2.GaussianBlur(_halved(misfit), (0, 0), reach) / 3 + TRUNCATED / 2 * missed
        unary[k] = at_rim * misfit + UPRIGHT * abs(dy) / max(h, w)
        for weight, wanted, smooth in scales:
            colour = np.abs(wanted - moved(smooth, dy, dx)[:, ::2, ::2]).sum(0)
            unary[k] += weight * np.minimum(colour / 3, TRUNCATED)
        unary[k] += IMPOSSIBLE * _halved(~legal)
    unary[:, _halved(hole) == 0] = 0
    stride = planes.shape[2]
    return Costs(
        Box(x0 - left, y0 - top, fw, fh), unary, hole, here_known, np.ascontiguousarray(here.transpose(1, 2, 0)),
        picture.reshape(-1, 3), whole.reshape(-1), y0 * stride + x0, stride, offsets[:, 0] * stride + offsets[:, 1],
    )  # fmt: skip


def _halved(plane: NDArray[Any]) -> FloatArray:
    """The mean of every 2 x 2 pixels."""
    return cv2.resize(
        plane.astype(np.float32),
        (plane.shape[1] // 2, plane.shape[0] // 2),
        interpolation=cv2.INTER_AREA,
    )  # type: ignore[return-value]


def _label_blocks(costs: Costs) -> Labels:
    """Min-sum belief propagation over blocks, each with its ``PER_BLOCK`` cheapest offsets; hw labels, the same within a block."""
    count = len(costs.unary)
    gh, gw = costs.hole.shape[0] // BLOCK, costs.hole.shape[1] // BLOCK
    of_hole = _halved(costs.hole).reshape(gh, BLOCK // 2, gw, BLOCK // 2).sum((1, 3))
    node = of_hole > 0
    index = np.full((gh, gw), -1)
    index[node] = np.arange(int(node.sum()))
    own = (costs.unary * _halved(costs.hole)).reshape(count, gh, BLOCK // 2, gw, BLOCK // 2).sum(
        (2, 4)
    )[:, node].T / of_hole[node, None]
    kept = min(PER_BLOCK, count)
    # In the offsets' own order, so that neighbours which keep all of them compare like with like.
    options = np.sort(np.argpartition(own, kept - 1, axis=1)[:, :kept], axis=1)
    # Options first, blocks and edges in rows: what is done for every pair of options is then done for all edges at once.
    own = np.ascontiguousarray(np.take_along_axis(own, options, axis=1).astype(np.float32).T)
    pairs = _edges(costs, index, options)
    messages = [
        (np.zeros((kept, len(first)), np.float32), np.zeros((kept, len(first)), np.float32))
        for first, _, _ in pairs
    ]
    for _ in range(ROUNDS):
        belief = _beliefs(own, pairs, messages)
        messages = [_passed(belief, *pair, *old) for pair, old in zip(pairs, messages, strict=True)]
    best = _beliefs(own, pairs, messages).argmin(0)
    blocks = np.full((gh, gw), -1)
    blocks[node] = options[np.arange(len(options)), best]
    return np.where(costs.hole, blocks.repeat(BLOCK, 0).repeat(BLOCK, 1), -1)


#: Of all neighbours in one direction: first block, second block, and options x options x E, what each pair of options costs.
_Pairs = tuple[Labels, Labels, FloatArray]


def _beliefs(
    own: FloatArray, pairs: list[_Pairs], messages: list[tuple[FloatArray, FloatArray]]
) -> FloatArray:
    belief = own.copy()
    for (first, second, _), (forth, back) in zip(pairs, messages, strict=True):
        belief[:, second] += forth  # in one direction no block is the second, or the first, of two
        belief[:, first] += back
    return belief


def _passed(
    belief: FloatArray,
    first: Labels,
    second: Labels,
    price: FloatArray,
    forth: FloatArray,
    back: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """The next messages to the second blocks and to the first ones."""
    from_first, from_second = belief[:, first] - back, belief[:, second] - forth
    fresh_forth, fresh_back = from_first[0] + price[0], from_second[0] + price[:, 0]
    scratch = np.empty_like(fresh_forth)
    for k in range(1, len(price)):
        np.minimum(fresh_forth, np.add(from_first[k], price[k], out=scratch), out=fresh_forth)
        np.minimum(fresh_back, np.add(from_second[k], price[:, k], out=scratch), out=fresh_back)
    # Half of the old message: undamped, loops of blocks swing between two answers.
    return 0.5 * (forth + fresh_forth - fresh_forth.min(0)), 0.5 * (
        back + fresh_back - fresh_back.min(0)
    )


def _edges(costs: Costs, index: Labels, options: Labels) -> list[_Pairs]:
    """The neighbours beside each other, and those below each other.

    The price is the root mean square difference of the two sources over the two lines of pixels at the border.
    """
    found = []
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
        ours = costs.sources(options[a][:, :, None], py, px).reshape(
            len(a), options.shape[1], 6 * BLOCK
        )
        theirs = costs.sources(options[b][:, :, None], py, px).reshape(
            len(a), options.shape[1], 6 * BLOCK
        )
        squares = (
            _squares(ours)[:, :, None]
            + _squares(theirs)[:, None]
            - 2 * ours @ theirs.transpose(0, 2, 1)
        )
        price = 2 * SEAM * np.sqrt(np.maximum(squares, 0) / ours.shape[2]) + ANY_SEAM
        price[options[a][:, :, None] == options[b][:, None]] = 0
        found.append((a, b, np.ascontiguousarray(price.astype(np.float32).transpose(1, 2, 0))))
    return found


def _squares(rows: FloatArray) -> FloatArray:
    return np.einsum("ekn,ekn->ek", rows, rows)  # type: ignore[no-any-return]


def _refine(costs: Costs, labels: Labels) -> Labels:
    """Iterated conditional modes over pixels: each may take the label of a neighbour, where that is cheaper."""
    labels = labels.copy()
    h, w = labels.shape
    hy, hx = np.nonzero(costs.hole)
    for _ in range(SWEEPS):
        changed = 0
        for parity in (0, 1):
            mine = (hy + hx) % 2 == parity
            y, x = hy[mine], hx[mine]
            around = [
                (np.clip(y + dy, 0, h - 1), np.clip(x + dx, 0, w - 1))
                for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))
            ]
            own = labels[y, x]
            moving = np.any([labels[q] != own for q in around], axis=0)
            y, x, own = y[moving], x[moving], own[moving]
            around = [(qy[moving], qx[moving]) for qy, qx in around]
            if not len(y):
                continue
            tried = np.stack(
                [own] + [np.where(labels[q] >= 0, labels[q], own) for q in around], axis=1
            )
            cost = costs.unary[tried, y[:, None] // 2, x[:, None] // 2] + sum(
                _seam(costs, labels, tried, y, x, *q) for q in around
            )
            best = np.take_along_axis(tried, cost.argmin(1)[:, None], axis=1)[:, 0]
            changed += int((best != own).sum())
            labels[y, x] = best
        if not changed:
            break
    return labels


def _seam(
    costs: Costs, labels: Labels, tried: Labels, y: Labels, x: Labels, qy: Labels, qx: Labels
) -> FloatArray:
    """For every tried label at (y, x) the price of the border with the neighbour at (qy, qx), which is hole, known, or outside."""
    theirs = labels[qy, qx]
    known = theirs < 0
    source = np.maximum(theirs, 0)
    at_theirs = np.where(known[:, None], costs.picture[qy, qx], costs.sources(source, qy, qx))
    there = mean_difference(costs.sources(tried, qy[:, None], qx[:, None]), at_theirs[:, None])
    here = mean_difference(
        costs.sources(tried, y[:, None], x[:, None]), costs.sources(source, y, x)[:, None]
    )
    price = SEAM * (there + np.where(known[:, None], there, here)) + ANY_SEAM
    price[(tried == theirs[:, None]) | (known & ~costs.known[qy, qx])[:, None]] = 0
    return price


def mean_difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """...3 and ...3 to ...: the mean absolute difference over RGB. (NumPy's own mean is slow on an axis of three.)"""
    difference = np.abs(a - b)
    return (difference[..., 0] + difference[..., 1] + difference[..., 2]) / np.float32(3)  # type: ignore[no-any-return]
