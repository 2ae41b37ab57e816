"""Closing the seams of a copied hole in the gradient domain (Perez et al. 2003, screened): copies keep their texture, their light meets.

Where two sources meet, or a source meets the rim, they disagree by some colour. A correction is sought that takes up these differences
and is otherwise as flat as can be: weighted least squares over all neighbouring pixels, one linear system on the grid.
"""

from __future__ import annotations

import numpy as np

from ...types import FloatArray
from .labelling import Costs, Labels, mean_difference

#: Pull of every pixel's correction towards none: it fades over about 1 / sqrt(SCREEN) pixels, so that a bad border does not tint the hole.
SCREEN = 3e-3
#: Mean absolute difference in [0, 1] above which two sources (or source and rim) show different things, and are not made to meet.
DIFFERENT = 0.12
#: The solver stops where the residual is this share of the right side, or after so many steps.
TOLERANCE, STEPS = 1e-3, 200


def correction(costs: Costs, labels: Labels) -> FloatArray:
    """What to add to each hole pixel's copy.

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
        # Within one source there is nothing to take up; where two meet, correction(far) - correction(near) is the jump between them.
        y, x = np.nonzero(inner & (labels[near] != labels[far]))
        jump = _jump(costs, labels[y, x], labels[y + dy, x + dx], (y, x), (y + dy, x + dx))
        link[y, x] = _weight(jump)
        pull = (link[y, x][:, None] * jump).T
        right[:, y, x] -= pull
        right[:, y + dy, x + dx] += pull
        diagonal[near] += link
        diagonal[far] += link
        links.append(link)
        # At the rim the correction itself is the difference from what is known there.
        for mine, theirs, (oy, ox), (qy, qx) in (
            (near, far, (0, 0), (dy, dx)),
            (far, near, (dy, dx), (0, 0)),
        ):
            y, x = np.nonzero(hole[mine] & ~hole[theirs] & costs.known[theirs])
            py, px, ky, kx = y + oy, x + ox, y + qy, x + qx
            comparable = costs.legal(labels[py, px], ky, kx)
            py, px, ky, kx = py[comparable], px[comparable], ky[comparable], kx[comparable]
            rim = costs.picture[ky, kx] - costs.sources(labels[py, px], ky, kx)
            weight = _weight(rim)
            diagonal[py, px] += weight
            right[:, py, px] += (weight[:, None] * rim).T
    found = solve(diagonal, links[0], links[1], right)
    return np.where(hole[..., None], found.transpose(1, 2, 0), 0)


def _jump(
    costs: Costs,
    mine: Labels,
    theirs: Labels,
    here: tuple[Labels, Labels],
    there: tuple[Labels, Labels],
) -> FloatArray:
    """By how much one source is brighter than its neighbour's, on both sides of their border; 0 where they cannot be compared."""
    jump = 0.5 * (
        costs.sources(mine, *there)
        - costs.sources(theirs, *there)
        + costs.sources(mine, *here)
        - costs.sources(theirs, *here)
    )
    jump[~(costs.legal(mine, *there) & costs.legal(theirs, *here))] = 0
    return jump


def _weight(difference: FloatArray) -> FloatArray:
    """n3 -> n: 1 for a difference of light, towards 0 for different things."""
    return 1 / (1 + (mean_difference(difference, np.zeros_like(difference)) / DIFFERENT) ** 4)  # type: ignore[no-any-return]


def solve(
    diagonal: FloatArray, across: FloatArray, down: FloatArray, right: FloatArray
) -> FloatArray:
    """Conjugate gradients with a diagonal preconditioner on a grid of h x w unknowns, all channels at once.

    Args:
        diagonal: hw, of the system.
        across: h(w - 1), how strongly each unknown is bound to the next in its row: minus that is the system's entry.
        down: (h - 1)w, the same in columns.
        right: chw.

    Returns:
        chw float32. It is a correction of colours to a thousandth, and memory is what the arithmetic waits for: so no float64.

    A library's solver takes one channel at a time, looks every neighbour up in a list, and its inner products go through BLAS, whose
    threads wait for each other on vectors this short: on a machine with other work that took a hundred times as long as the arithmetic.
    """
    c, (h, w) = len(right), diagonal.shape
    # Scaled so that the diagonal is 1, and in one row: a link from the end of a line to the next one's beginning is none.
    scale = 1 / np.sqrt(diagonal)
    beside, below = np.zeros((2, h, w), np.float32)
    beside[:, :-1] = across * scale[:, :-1] * scale[:, 1:]
    below[:-1] = down * scale[:-1] * scale[1:]
    links = tuple((step, link.reshape(-1)[:-step]) for step, link in ((1, beside), (w, below)))
    residual = (right * scale).reshape(c, -1).astype(np.float32)
    direction, answer, applied, scratch = (
        residual.copy(),
        np.zeros_like(residual),
        np.empty_like(residual),
        np.empty_like(residual),
    )
    energy = _dots(residual, residual)
    enough = TOLERANCE**2 * energy
    for _ in range(STEPS):
        if (energy <= enough).all():
            break
        applied[:] = direction
        for step, link in links:
            part = scratch[:, step:]
            applied[:, :-step] -= np.multiply(direction[:, step:], link, out=part)
            applied[:, step:] -= np.multiply(direction[:, :-step], link, out=part)
        length = energy / np.maximum(_dots(direction, applied), np.float32(1e-30))
        answer += np.multiply(direction, length, out=scratch)
        residual -= np.multiply(applied, length, out=applied)
        before, energy = energy, _dots(residual, residual)
        direction *= energy / np.maximum(before, np.float32(1e-30))
        direction += residual
    return answer.reshape(c, h, w) * scale


def _dots(a: FloatArray, b: FloatArray) -> FloatArray:
    """c1: the inner product of each channel, without BLAS."""
    return np.einsum("cn,cn->c", a, b)[:, None]  # type: ignore[no-any-return]
