"""Which offset each pixel of a hole takes: a Markov random field over few offsets.

After shift-map editing (Pritch et al. 2009). The unary cost of an offset at a pixel comes from
``costs``. The pairwise cost of two neighbours with different offsets is the difference of the two
sources on both sides of their border. Blocks of pixels are labelled first, all at once, by belief
propagation (min-sum); then the seams move pixel by pixel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...types import FloatArray, Mask
from .costs import BLOCK, Costs, Labels, halved, mean_difference, offset_costs
from .lines import Lines
from .offsets import Offsets

#: Offsets that a block considers, rounds of messages, sweeps over pixels.
PER_BLOCK, ROUNDS, SWEEPS = 20, 40, 4
#: A labelling with fewer offsets is taken if it costs at most so many times the cheapest; the share
#: of the offsets in use that each round keeps, and the fewest that are tried; what its seams may
#: cost, as a share of the cheapest one's.
DEARER, KEPT, FEWEST, FEWER_SEAMS = 1.1, 0.7, 2, 0.85
#: Levels of a colour where sources of blocks are compared: twice as fine as an 8-bit photo's.
LEVELS = 512
#: Weight of a seam; the price of any seam at all.
SEAM, ANY_SEAM = 1.0, 0.02


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
    # Beyond a strip at the photo's border nothing is known, and few offsets only lose the guide.
    rows, columns = hole_mask[[0, -1]], hole_mask[:, [0, -1]]
    if rows.any() or columns.any():
        return costs, refine_pixels(costs, label_blocks(costs))
    return costs, label_pixels(costs)


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
