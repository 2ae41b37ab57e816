"""Holes that are filled one by one, probes on known pixels, and errors against known pixels."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.removal.filling import HoleFiller, error_inside
from remove_objects.pipeline.removal.progress import Stages
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.types import Route, Routing
from tests.support.scenes import scene, two_people

ROUTING = Routing(Route.FREE_FORM, "why")


@pytest.fixture
def networks(tiny: object) -> Networks:
    """Untrained networks."""
    return Networks(NetworkSettings(segmenter="compact", offline=True))


def red(rgb: np.ndarray) -> np.ndarray:
    """The mask of a scene's objects."""
    return (rgb == (255, 0, 0)).all(2)


def test_each_fill_changes_its_own_hole_alone(networks: Networks) -> None:
    rgb = two_people()
    mask = red(rgb)
    removal = Removal.from_settings(Settings(probe=False, compare=("telea",)), mask=mask)
    filler = HoleFiller(rgb, mask, removal, networks)
    filled = np.zeros_like(mask)
    for hole in find_holes(mask):
        before = filler.result.copy()
        outcome = filler.fill(hole, ROUTING, Stages())
        assert outcome.hole is hole
        assert outcome.probe is None
        assert set(outcome.compared) == {"telea"}
        changed = (filler.result != before).any(2)
        assert changed[hole.box.slices][hole.mask].any()
        filled[hole.box.slices] |= hole.mask
        assert not changed[~filled].any()
    assert np.array_equal(filled, mask)
    assert np.array_equal(filler.compared["telea"][~mask], rgb[~mask])
    assert red(rgb).any()


def test_the_order_of_holes_does_not_change_the_result(networks: Networks) -> None:
    rgb = two_people()
    mask = red(rgb)
    results = []
    for step in (1, -1):
        removal = Removal.from_settings(Settings(probe=False), mask=mask)
        filler = HoleFiller(rgb, mask, removal, networks)
        for hole in find_holes(mask)[::step]:
            filler.fill(hole, ROUTING, Stages())
        results.append(filler.result)
    assert np.array_equal(*results)


def test_a_probe_leaves_the_result_alone(networks: Networks) -> None:
    rgb = scene()
    mask = red(rgb)
    filler = HoleFiller(rgb, mask, Removal.from_settings(Settings(), mask=mask), networks)
    (hole,) = find_holes(mask)
    outcome = filler.fill(hole, ROUTING, Stages())
    assert outcome.probe is not None
    assert np.array_equal(filler.result[~mask], rgb[~mask])
    measured = filler.measure(outcome, None, None)
    assert (measured.probe, measured.routing.route) == (outcome.probe, Route.FREE_FORM)
    assert measured.features is not None
    assert measured.features.segmented == 0.0
    assert measured.features.certainty is None


def test_an_error_counts_pixels_inside_alone(networks: Networks) -> None:
    truth = scene()
    inside = np.zeros(truth.shape[:2], bool)
    inside[10:20, 10:20] = True
    result = truth.copy()
    result[~inside] = 0
    assert error_inside(result, truth, inside, networks).l1 == 0
    result[inside] = 255 - truth[inside]
    expected = np.abs(255 - 2 * truth[inside].astype(float)).mean() / 255
    assert error_inside(result, truth, inside, networks).l1 == pytest.approx(expected, rel=1e-5)
