"""The correction of copied pixels: light matches, different things stay apart."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture.blending import correction
from remove_objects.pipeline.inpaint.texture.costs import Costs
from tests.support.costs import stacked_costs


def halves(left: float, right: float) -> tuple[Costs, np.ndarray, np.ndarray]:
    """A grey picture with a hole, its halves copied from a source ``left`` or ``right`` brighter.

    Returns:
        (costs, labels, the copied picture).
    """
    h, w = 24, 32
    hole = np.zeros((h, w), bool)
    hole[4:20, 4:28] = True
    picture = np.full((h, w, 3), 0.5, np.float32)
    sources = np.stack([picture + left, picture + right])
    labels = np.where(hole, (np.arange(w) >= w // 2).astype(int)[None].repeat(h, 0), -1)
    costs = stacked_costs(sources, np.zeros((2, h // 2, w // 2), np.float32), hole, picture)
    return costs, labels, np.where((labels == 1)[..., None], sources[1], sources[0])


def test_light_that_is_a_little_off_meets_at_the_seam_and_the_rim() -> None:
    costs, labels, copied = halves(0.04, -0.04)
    closed = copied + correction(costs, labels)
    across = np.abs(closed[4:20, 15] - closed[4:20, 16]).mean()
    assert across < 0.1 * np.abs(copied[4:20, 15] - copied[4:20, 16]).mean()
    assert np.abs(closed[4, 4:28] - 0.5).mean() < 0.1 * 0.04
    # The correction is flat but for the seam: no texture is made or lost inside a half.
    assert np.abs(np.diff(correction(costs, labels)[6:18, 6:14], axis=1)).max() < 0.005


def test_different_things_are_not_made_to_meet() -> None:
    costs, labels, _ = halves(0.45, 0.45)
    assert np.abs(correction(costs, labels)).max() < 0.3 * 0.45


def test_a_colour_does_not_run_from_the_rim_into_the_hole() -> None:
    """Cyan and grey are about as bright: a sign that a hole cuts tints nothing around it."""
    costs, labels, _ = halves(0.0, 0.0)
    sign = np.array([0.45, 0.85, 0.9], np.float32) - 0.25
    costs.picture[:4] = sign  # all along the upper rim
    tint = np.abs(correction(costs, labels))
    assert np.abs(sign - 0.5).mean() > 0.1
    assert tint.max() < 0.25 * np.abs(sign - 0.5).max()
    costs.picture[:4] = 0.5 + 0.08  # while a difference of light is evened out
    assert correction(costs, labels)[4, 8:24].min() > 0.7 * 0.08


def test_equal_light_stays_and_nothing_outside_changes() -> None:
    costs, labels, _ = halves(0.0, 0.0)
    assert np.abs(correction(costs, labels)).max() == 0
    costs, labels, _ = halves(0.05, -0.02)
    assert np.abs(correction(costs, labels)[labels < 0]).max() == 0


def test_correction_solves_its_least_squares() -> None:
    """A dense system of the same terms, written out pair by pair, has the same solution."""
    from remove_objects.pipeline.inpaint.texture import blending

    costs, labels, _ = halves(0.03, -0.05)
    labels[:, 10:] = -1
    costs.hole_mask[:, 10:] = False
    costs.known_mask[:, 10:] = True
    places = [tuple(p) for p in np.argwhere(labels >= 0)]
    number = {p: i for i, p in enumerate(places)}
    system, right = np.eye(len(places)) * blending.SCREEN, np.zeros(len(places))
    for (y, x), i in number.items():
        for q in ((y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x)):
            if q in number:  # the same source on both sides: no jump
                system[i, i] += 1
                system[i, number[q]] -= 1
            else:
                weight = 1 / (1 + (0.03 / blending.DIFFERENT) ** 4)
                system[i, i] += weight
                right[i] += weight * -0.03
    expected = np.linalg.solve(system, right)
    solution = correction(costs, labels)[labels >= 0]
    assert solution == pytest.approx(expected[:, None].repeat(3, 1), abs=2e-4)


def test_the_solver_agrees_with_a_direct_one() -> None:
    from scipy.sparse import diags
    from scipy.sparse.linalg import spsolve

    from remove_objects.pipeline.inpaint.texture.blending import solve

    rng = np.random.default_rng(0)
    h, w = 20, 30
    across, down = (
        rng.uniform(0, 1, (h, w - 1)).astype(np.float32),
        rng.uniform(0, 1, (h - 1, w)).astype(np.float32),
    )
    diagonal = np.full((h, w), 0.02, np.float32)
    for linked, link in (
        ((slice(None), slice(1, None)), across),
        ((slice(None), slice(-1)), across),
        ((slice(1, None),), down),
        ((slice(-1),), down),
    ):
        diagonal[linked] += link
    right = rng.normal(size=(3, h, w)).astype(np.float32)
    right[2] = 0  # a channel without differences stays 0
    solution = solve(diagonal, across, down, right)
    # The last of a row is not linked to the first of the next.
    beside = np.pad(across, ((0, 0), (0, 1))).ravel()[:-1]
    system = diags(
        [diagonal.ravel(), -beside, -beside, -down.ravel(), -down.ravel()], [0, 1, -1, w, -w]
    ).tocsc()
    wanted = np.stack([spsolve(system, channel.ravel()).reshape(h, w) for channel in right])
    assert np.abs(solution - wanted).max() < 0.02 * np.abs(wanted).max()
    assert np.abs(solution[2]).max() == 0
