"""Close the seams of a copied hole in the gradient domain (Perez et al. 2003, screened).

Copies keep their texture, and their light matches. Where two sources meet, or a source meets the
rim, their colours differ. A correction absorbs these differences and is otherwise as flat as
possible: weighted least squares over all pairs of neighbouring pixels, one linear system on the
grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...types import FloatArray
from .costs import Costs, Labels

#: Weight of the pull of every pixel's correction towards zero. The correction fades over about
#: 1 / sqrt(SCREEN) pixels, so that a bad border does not tint the whole hole.
SCREEN = 3e-3
#: Mean absolute difference in [0, 1] above which two sources (or a source and the rim) show
#: different things, and are not made to match.
DIFFERENT = 0.12
#: How many times a difference of colour counts as one of light.
COLOUR = 1.5
#: The solver stops when the residual falls to this share of the right-hand side, or after so many
#: steps.
TOLERANCE, STEPS = 1e-3, 200

#: (rows, columns) of n pixels.
_Places = tuple[NDArray[np.int64], NDArray[np.int64]]


def correction(costs: Costs, labels: Labels) -> FloatArray:
    """The colour to add to each hole pixel's copy.

    Args:
        costs: of the frame.
        labels: hw, -1 where nothing is filled.

    Returns:
        hw3 float32; zero outside the hole.
    """
    hole = labels >= 0
    h, w = hole.shape
    diagonal, right = np.full((h, w), SCREEN, np.float32), np.zeros((3, h, w), np.float32)
    links = []
    for dy, dx in ((0, 1), (1, 0)):
        near, far = (slice(0, h - dy), slice(0, w - dx)), (slice(dy, h), slice(dx, w))
        inner = hole[near] & hole[far]
        link = inner.astype(np.float32)
        # Within one source there is no jump. Where two sources meet, correction(far) -
        # correction(near) shall equal the jump between them.
        y, x = np.nonzero(inner & (labels[near] != labels[far]))
        jump = _jump(costs, labels[y, x], labels[y + dy, x + dx], (y, x), (y + dy, x + dx))
        link[y, x] = _weight(jump)
        pull = (link[y, x][:, None] * jump).T
        right[:, y, x] -= pull
        right[:, y + dy, x + dx] += pull
        diagonal[near] += link
        diagonal[far] += link
        links.append(link)
        # At the rim the correction itself shall equal the difference from the known pixel.
        y, x = np.nonzero(hole[near] & ~hole[far] & costs.known_mask[far])
        _add_rim(costs, labels, diagonal, right, (y, x), (y + dy, x + dx))
        y, x = np.nonzero(hole[far] & ~hole[near] & costs.known_mask[near])
        _add_rim(costs, labels, diagonal, right, (y + dy, x + dx), (y, x))
    solution = solve(diagonal, links[0], links[1], right)
    return np.where(hole[..., None], solution.transpose(1, 2, 0), 0)


def _add_rim(
    costs: Costs,
    labels: Labels,
    diagonal: FloatArray,
    right: FloatArray,
    pixels: _Places,
    neighbours: _Places,
) -> None:
    """Add, in place, the terms of hole pixels and their known neighbours to the linear system."""
    comparable = costs.index.legal(labels[pixels], *neighbours)
    py, px, ky, kx = (v[comparable] for v in (*pixels, *neighbours))
    difference = costs.picture[ky, kx] - costs.index.sources(labels[py, px], ky, kx)
    weight = _weight(difference)
    diagonal[py, px] += weight
    right[:, py, px] += (weight[:, None] * difference).T


def _jump(costs: Costs, mine: Labels, theirs: Labels, here: _Places, there: _Places) -> FloatArray:
    """By how much one source is brighter than its neighbour's, on both sides of their border.

    Args:
        costs: of the frame.
        mine: n, the labels at ``here``.
        theirs: n, the labels at ``there``.
        here: n pixels.
        there: their neighbours.

    Returns:
        n3; 0 where the sources cannot be compared.
    """
    sources, legal = costs.index.sources, costs.index.legal
    jump = 0.5 * (
        sources(mine, *there)
        - sources(theirs, *there)
        + sources(mine, *here)
        - sources(theirs, *here)
    )
    jump[~(legal(mine, *there) & legal(theirs, *here))] = 0
    return jump


def _weight(difference: FloatArray) -> FloatArray:
    """n3 -> n: 1 for a difference of light, towards 0 for different things.

    Light changes all channels alike: what changes some of them only is another colour.
    """
    light = difference.mean(-1, keepdims=True)
    size = np.abs(light[..., 0]) + COLOUR * np.abs(difference - light).mean(-1)
    weight: FloatArray = 1 / (1 + (size / DIFFERENT) ** 4)
    return weight


def solve(
    diagonal: FloatArray, across: FloatArray, down: FloatArray, right: FloatArray
) -> FloatArray:
    """Conjugate gradients with a diagonal preconditioner, for h x w unknowns, all channels at once.

    A library's solver takes one channel at a time and looks up every neighbour in a list, and its
    inner products go through BLAS, whose threads wait for each other on vectors this short: on a
    busy machine that took a hundred times as long as the arithmetic.

    Args:
        diagonal: hw, of the system.
        across: h(w - 1), how strongly each unknown is linked to the next in its row; the system's
            entry is minus that.
        down: (h - 1)w, the same in columns.
        right: chw, the right-hand side.

    Returns:
        chw float32: a colour correction is needed to a thousandth only, and the arithmetic is bound
        by memory, so not float64.
    """
    c, (h, w) = len(right), diagonal.shape
    # Scale to a unit diagonal and flatten. Links across row ends are zero.
    scale = 1 / np.sqrt(diagonal)
    beside, below = np.zeros((2, h, w), np.float32)
    beside[:, :-1] = across * scale[:, :-1] * scale[:, 1:]
    below[:-1] = down * scale[:-1] * scale[1:]
    links = tuple((step, link.reshape(-1)[:-step]) for step, link in ((1, beside), (w, below)))
    residual = (right * scale).reshape(c, -1).astype(np.float32)
    direction, solution = residual.copy(), np.zeros_like(residual)
    applied, scratch = np.empty_like(residual), np.empty_like(residual)
    energy = _dots(residual, residual)
    enough = TOLERANCE**2 * energy
    for _ in range(STEPS):
        if (energy <= enough).all():
            break
        applied[:] = direction
        for step, link in links:
            linked = scratch[:, step:]
            applied[:, :-step] -= np.multiply(direction[:, step:], link, out=linked)
            applied[:, step:] -= np.multiply(direction[:, :-step], link, out=linked)
        length = energy / np.maximum(_dots(direction, applied), np.float32(1e-30))
        solution += np.multiply(direction, length, out=scratch)
        residual -= np.multiply(applied, length, out=applied)
        before, energy = energy, _dots(residual, residual)
        direction *= energy / np.maximum(before, np.float32(1e-30))
        direction += residual
    return solution.reshape(c, h, w) * scale


def _dots(a: FloatArray, b: FloatArray) -> FloatArray:
    """c1: the inner product of each channel, without BLAS."""
    products: FloatArray = np.einsum("cn,cn->c", a, b)
    return products[:, None]
