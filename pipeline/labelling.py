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

from pipeline.offsets import Offsets
from pipeline.types import Box, FloatArray, Mask

Labels = NDArray[np.int64]

#: Side of a block in pixels, offsets that a block considers, rounds of messages, sweeps over pixels.
BLOCK, PER_BLOCK, ROUNDS, SWEEPS = 4, 32, 24, 8
#: Weights of the guide's colour, of the fit at the rim, of the seam; the price of any seam at all; where differences stop to count.
GUIDE, RIM, SEAM, ANY_SEAM, TRUNCATED = 0.5, 6.0, 1.0, 0.02, 0.3
#: Standard deviation in pixels of the smoothing at which colours are compared with the guide, and of the rim's reach into the hole. A
#: guide is a blur: compared more finely, plain sources would win over textured ones.
GUIDE_SMOOTH, RIM_REACH = 8.0, 3.0
#: Price of an offset up or down by the whole window: photos are upright, what belongs here is rather found beside than above.
UPRIGHT = 0.1
IMPOSSIBLE = 1e3


@dataclass(frozen=True, eq=False)
class Costs:
    """What every offset would put on the frame around the hole, and what that costs.

    ``frame``: in the picture, sides multiples of ``BLOCK``; ``sources`` Khw3: the picture shifted by each offset, ``legal`` Khw where that
    is known; ``unary`` Khw; ``hole`` and ``known`` hw; ``picture`` hw3. Places outside the picture are neither hole nor known.
    """

    frame: Box
    sources: FloatArray
    legal: Mask
    unary: FloatArray
    hole: Mask
    known: Mask
    picture: FloatArray


def label(picture: FloatArray, known: Mask, guide: FloatArray, offsets: Offsets) -> tuple[Costs, Labels]:
    """The offset of every hole pixel.

    Args:
        picture: HW3 in [0, 1]; read only where known.
        known: HW bool, False somewhere.
        guide: HW3 in [0, 1].
        offsets: K2, K > 0.

    Returns:
        (the frame around the hole and what every offset would put there, hw index into ``offsets``; -1 where nothing is to be filled).
    """
    costs = _costs(picture, known, guide, offsets)
    return costs, _refine(costs, _label_blocks(costs))


def _costs(picture: FloatArray, known: Mask, guide: FloatArray, offsets: Offsets) -> Costs:
    h, w = known.shape
    ys, xs = np.nonzero(~known)
    margin = 2 * BLOCK
    y0, x0 = max(0, int(ys.min()) - margin), max(0, int(xs.min()) - margin)
    fh = -(-(min(h, int(ys.max()) + 1 + margin) - y0) // BLOCK) * BLOCK
    fw = -(-(min(w, int(xs.max()) + 1 + margin) - x0) // BLOCK) * BLOCK
    frame = Box(x0, y0, fw, fh)
    smooth_weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), GUIDE_SMOOTH)
    smooth = (cv2.GaussianBlur(picture, (0, 0), GUIDE_SMOOTH) / np.maximum(smooth_weight, 1e-3)[..., None]).astype(np.float32)
    here, here_known = _window(picture, frame, 0, 0), _window(known, frame, 0, 0)
    hole = _window(~known, frame, 0, 0)
    wanted = cv2.GaussianBlur(_window(guide, frame, 0, 0), (0, 0), GUIDE_SMOOTH / 2)
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    at_rim = RIM * np.exp(-depth / RIM_REACH)
    all_known = cv2.GaussianBlur(here_known.astype(np.float32), (0, 0), RIM_REACH)
    sources = np.empty((len(offsets), fh, fw, 3), np.float32)
    unary = np.empty((len(offsets), fh, fw), np.float32)
    legal = np.empty((len(offsets), fh, fw), bool)
    for k, (dy, dx) in enumerate(offsets.tolist()):
        sources[k] = _window(picture, frame, dy, dx)
        legal[k] = _window(known, frame, dy, dx)
        colour = np.minimum(np.abs(wanted - _window(smooth, frame, dy, dx)).mean(2), TRUNCATED)
        both = here_known & legal[k]
        misfit = np.where(both, np.minimum(np.abs(here - sources[k]).mean(2), TRUNCATED), 0).astype(np.float32)
        compared = cv2.GaussianBlur(both.astype(np.float32), (0, 0), RIM_REACH)
        # What cannot be compared costs half of the worst: else offsets that compare least would win.
        misfit = cv2.GaussianBlur(misfit, (0, 0), RIM_REACH) + TRUNCATED / 2 * (all_known - compared)  # type: ignore[assignment]
        unary[k] = GUIDE * colour + at_rim * misfit / np.maximum(all_known, 1e-3) + UPRIGHT * abs(dy) / max(h, w)
        unary[k][~legal[k]] = IMPOSSIBLE
    unary[:, ~hole] = 0
    return Costs(frame, sources, legal, unary, hole, here_known, here)


def _window(plane: NDArray[Any], frame: Box, dy: int, dx: int) -> NDArray[Any]:
    """The frame, moved by an offset, cut from ``plane``; zero (False) outside."""
    h, w = plane.shape[:2]
    y, x = frame.y + dy, frame.x + dx
    top, left = max(0, -y), max(0, -x)
    bottom, right = min(frame.h, h - y), min(frame.w, w - x)
    out = np.zeros((frame.h, frame.w, *plane.shape[2:]), plane.dtype)
    if bottom > top and right > left:
        out[top:bottom, left:right] = plane[y + top : y + bottom, x + left : x + right]
    return out


def _label_blocks(costs: Costs) -> Labels:
    """Min-sum belief propagation over blocks, each with its ``PER_BLOCK`` cheapest offsets; hw labels, the same within a block."""
    count, fh, fw = costs.unary.shape
    gh, gw = fh // BLOCK, fw // BLOCK
    of_hole = costs.hole.reshape(gh, BLOCK, gw, BLOCK).sum((1, 3))
    node = of_hole > 0
    index = np.full((gh, gw), -1)
    index[node] = np.arange(int(node.sum()))
    own = ((costs.unary * costs.hole).reshape(count, gh, BLOCK, gw, BLOCK).sum((2, 4)) / np.maximum(of_hole, 1))[:, node].T
    kept = min(PER_BLOCK, count)
    # In the offsets' own order, so that neighbours which keep all of them compare like with like.
    options = np.sort(np.argpartition(own, kept - 1, axis=1)[:, :kept], axis=1)
    own = np.take_along_axis(own, options, axis=1).astype(np.float32)
    first, second, price = _edges(costs, index, options)
    forth, back = np.zeros((len(first), kept), np.float32), np.zeros((len(first), kept), np.float32)
    for _ in range(ROUNDS):
        belief = _beliefs(own, first, second, forth, back)
        fresh_forth = ((belief[first] - back)[:, :, None] + price).min(1)
        fresh_back = ((belief[second] - forth)[:, None, :] + price).min(2)
        # Half of the old message: undamped, loops of blocks swing between two answers.
        forth = 0.5 * (forth + fresh_forth - fresh_forth.min(1, keepdims=True))
        back = 0.5 * (back + fresh_back - fresh_back.min(1, keepdims=True))
    belief = _beliefs(own, first, second, forth, back)
    blocks = np.full((gh, gw), -1)
    blocks[node] = np.take_along_axis(options, belief.argmin(1)[:, None], axis=1)[:, 0]
    return np.where(costs.hole, blocks.repeat(BLOCK, 0).repeat(BLOCK, 1), -1)


def _beliefs(own: FloatArray, first: Labels, second: Labels, forth: FloatArray, back: FloatArray) -> FloatArray:
    belief = own.copy()
    np.add.at(belief, second, forth)
    np.add.at(belief, first, back)
    return belief


def _edges(costs: Costs, index: Labels, options: Labels) -> tuple[Labels, Labels, FloatArray]:
    """(first block, second block, E x options x options price) of every pair of neighbouring blocks.

    The price is the root mean square difference of the two sources over the two lines of pixels at the border.
    """
    firsts, seconds, prices = [], [], []
    line = np.arange(BLOCK)
    for dy, dx in ((0, 1), (1, 0)):
        a, b = index[: index.shape[0] - dy, : index.shape[1] - dx], index[dy:, dx:]
        ys, xs = np.nonzero((a >= 0) & (b >= 0))
        a, b = a[ys, xs], b[ys, xs]
        if dx:
            py, px = np.broadcast_arrays(ys[:, None, None] * BLOCK + line[:, None], (xs[:, None, None] + 1) * BLOCK + np.array([-1, 0]))
        else:
            py, px = np.broadcast_arrays((ys[:, None, None] + 1) * BLOCK + np.array([-1, 0]), xs[:, None, None] * BLOCK + line[:, None])
        py, px = py.reshape(len(a), 1, 2 * BLOCK), px.reshape(len(a), 1, 2 * BLOCK)
        ours = costs.sources[options[a][:, :, None], py, px].reshape(len(a), options.shape[1], 6 * BLOCK)
        theirs = costs.sources[options[b][:, :, None], py, px].reshape(len(a), options.shape[1], 6 * BLOCK)
        squares = (ours**2).sum(2)[:, :, None] + (theirs**2).sum(2)[:, None] - 2 * ours @ theirs.transpose(0, 2, 1)
        price = 2 * SEAM * np.sqrt(np.maximum(squares, 0) / ours.shape[2]) + ANY_SEAM
        price[options[a][:, :, None] == options[b][:, None]] = 0
        firsts.append(a)
        seconds.append(b)
        prices.append(price.astype(np.float32))
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(prices)


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
            around = [(np.clip(y + dy, 0, h - 1), np.clip(x + dx, 0, w - 1)) for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
            own = labels[y, x]
            moving = np.any([labels[q] != own for q in around], axis=0)
            y, x, own = y[moving], x[moving], own[moving]
            around = [(qy[moving], qx[moving]) for qy, qx in around]
            if not len(y):
                continue
            tried = np.stack([own] + [np.where(labels[q] >= 0, labels[q], own) for q in around], axis=1)
            cost = costs.unary[tried, y[:, None], x[:, None]] + sum(_seam(costs, labels, tried, y, x, *q) for q in around)
            best = np.take_along_axis(tried, cost.argmin(1)[:, None], axis=1)[:, 0]
            changed += int((best != own).sum())
            labels[y, x] = best
        if not changed:
            break
    return labels


def _seam(costs: Costs, labels: Labels, tried: Labels, y: Labels, x: Labels, qy: Labels, qx: Labels) -> FloatArray:
    """For every tried label at (y, x) the price of the border with the neighbour at (qy, qx), which is hole, known, or outside."""
    theirs = labels[qy, qx]
    known = theirs < 0
    source = np.maximum(theirs, 0)
    at_theirs = np.where(known[:, None], costs.picture[qy, qx], costs.sources[source, qy, qx])
    there = np.abs(costs.sources[tried, qy[:, None], qx[:, None]] - at_theirs[:, None]).mean(2)
    here = np.abs(costs.sources[tried, y[:, None], x[:, None]] - costs.sources[source, y, x][:, None]).mean(2)
    price = SEAM * (there + np.where(known[:, None], there, here)) + ANY_SEAM
    price[(tried == theirs[:, None]) | (known & ~costs.known[qy, qx])[:, None]] = 0
    return price
