"""Closing the seams of a copied hole in the gradient domain (Perez et al. 2003, screened): copies keep their texture, their light meets.

Where two sources meet, or a source meets the rim, they disagree by some colour. A correction is sought that takes up these differences
and is otherwise as flat as can be: weighted least squares over all neighbouring pixels, one sparse linear system.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags

from pipeline.labelling import Costs, Labels
from pipeline.types import FloatArray

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
    index = np.full(hole.shape, -1)
    index[hole] = np.arange(int(hole.sum()))
    count = int(hole.sum())
    diagonal = np.full(count, SCREEN)
    right = np.zeros((count, 3))
    rows, columns, values = [], [], []
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        y, x = np.nonzero(hole[max(0, -dy) : hole.shape[0] - max(0, dy), max(0, -dx) : hole.shape[1] - max(0, dx)])
        y, x = y + max(0, -dy), x + max(0, -dx)
        qy, qx = y + dy, x + dx
        mine, theirs, p = labels[y, x], labels[qy, qx], index[y, x]
        inner = theirs >= 0
        q = index[qy, qx]
        other = np.maximum(theirs, 0)
        ours_there, ours_here = costs.sources(mine, qy, qx), costs.sources(mine, y, x)
        jump = 0.5 * (ours_there - costs.sources(other, qy, qx) + ours_here - costs.sources(other, y, x))
        compared = costs.legal(mine, qy, qx) & costs.legal(other, y, x)
        jump[(mine == theirs) | ~compared] = 0
        rim = costs.picture[qy, qx] - ours_there
        at_rim = ~inner & costs.known[qy, qx] & costs.legal(mine, qy, qx)
        target = np.where(inner[:, None], jump, np.where(at_rim[:, None], rim, 0))
        weight = 1 / (1 + (np.abs(target).mean(1) / DIFFERENT) ** 4)
        weight[~inner & ~at_rim] = 0
        np.add.at(diagonal, p, weight)
        # correction(q) - correction(p) = jump between sources; correction(p) = rim difference at the rim.
        np.add.at(right, p, np.where(inner[:, None], -1, 1) * weight[:, None] * target)
        rows.append(p[inner])
        columns.append(q[inner])
        values.append(-weight[inner])
    off = coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (count, count))
    result = np.zeros((*hole.shape, 3), np.float32)
    result[hole] = solve((off + diags(diagonal)).tocsr(), right, diagonal)
    return result


def solve(system: csr_matrix, right: NDArray[np.floating], diagonal: NDArray[np.floating]) -> FloatArray:
    """Conjugate gradients with a diagonal preconditioner, all columns of ``right`` (n x c) at once; the system is n x n and positive.

    scipy's own takes one column at a time, and its inner products go through BLAS, whose threads wait for each other on vectors this
    short: on a machine with other work that took a hundred times as long as the arithmetic. In float32, because what is sought is a
    correction of colours to a thousandth, and memory is what the arithmetic waits for.
    """
    system, residual = system.astype(np.float32), right.astype(np.float32)
    inverse = (1 / diagonal).astype(np.float32)[:, None]
    answer, scratch = np.zeros_like(residual), np.empty_like(residual)
    enough = TOLERANCE**2 * _dots(residual, residual)
    direction = residual * inverse
    energy = _dots(residual, direction)
    for _ in range(STEPS):
        if (_dots(residual, residual) <= enough).all():
            break
        applied = system @ direction
        step = energy / np.maximum(_dots(direction, applied), np.float32(1e-30))
        answer += np.multiply(direction, step, out=scratch)
        residual -= np.multiply(applied, step, out=applied)
        scaled = np.multiply(residual, inverse, out=scratch)
        before, energy = energy, _dots(residual, scaled)
        direction *= energy / np.maximum(before, np.float32(1e-30))
        direction += scaled
    return answer


def _dots(a: FloatArray, b: FloatArray) -> FloatArray:
    """The inner product of each pair of columns, without BLAS."""
    return np.einsum("nc,nc->c", a, b)  # type: ignore[no-any-return]
