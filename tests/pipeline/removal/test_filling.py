"""Holes that are filled one by one, probes on known pixels, and errors against known pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.inpaint.inpainters import Fill
from remove_objects.pipeline.inpaint.series.choice import Borrowed
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.removal.filling import HoleFiller, error_inside
from remove_objects.pipeline.removal.progress import Stages
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.types import Box, Hole, Route, Routing
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


@pytest.mark.parametrize(("box", "share"), [((80, 60, 80, 80), 0.25), ((60, 0, 120, 240), 0.5)])
def test_a_hole_has_a_share_of_what_it_is_filled_from(
    networks: Networks, box: tuple[int, int, int, int], share: float
) -> None:
    """Where the photo has room, a full box has at most a quarter; before the fill it is known."""
    rgb = np.full((240, 240, 3), 90, np.uint8)
    mask = np.zeros(rgb.shape[:2], bool)
    mask[Box(*box).slices] = True
    removal = Removal.from_settings(Settings(probe=False), mask=mask)
    filler = HoleFiller(rgb, mask, removal, networks)
    (hole,) = find_holes(mask)
    foreseen = filler.foresee(hole, ROUTING, None, None)
    measured = filler.measure(filler.fill(hole, ROUTING, Stages()), None, None)
    assert foreseen.of_window == measured.of_window == pytest.approx(share)


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


def lent(rgb: np.ndarray, hole: Hole, taken: np.ndarray) -> Borrowed:
    """Grey for some pixels of a hole, from two other photos.

    Args:
        rgb: the photo.
        hole: of it.
        taken: bool of the hole's box.
    """
    box = hole.box.grown(8, rgb.shape)
    whole = np.zeros((box.h, box.w), bool)
    whole[hole.box.relative_to(box).slices] = taken & hole.mask
    content = np.where(whole[..., None], np.full((box.h, box.w, 3), 0.4, np.float32), 0)
    share = float(whole.sum() / hole.mask.sum())
    return Borrowed(box, content.astype(np.float32), whole, {"b": share / 2, "c": share / 2}, 0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_lent_is_context_of_the_rest(
    networks: Networks, monkeypatch: pytest.MonkeyPatch, dtype: type
) -> None:
    """The inpainter sees what was borrowed, and fills what is left alone."""
    rgb = two_people().astype(dtype) * (1 if dtype is np.uint8 else 257)
    mask = red(two_people())
    white = np.iinfo(dtype).max
    filler = HoleFiller(
        rgb, mask, Removal.from_settings(Settings(probe=False), mask=mask), networks
    )
    hole, other = find_holes(mask)
    taken = np.zeros_like(hole.mask)
    taken[:, :12] = True
    asked: list[tuple[np.ndarray, np.ndarray, Hole]] = []
    fill = networks.inpainters.fill

    def spy(seen: np.ndarray, unread: np.ndarray, rest: Hole, *rest_of: Any) -> Fill:
        asked.append((seen.copy(), unread.copy(), rest))
        return fill(seen, unread, rest, *rest_of)

    monkeypatch.setattr(networks.inpainters, "fill", spy)
    outcome = filler.fill(hole, ROUTING, Stages(), lent(rgb, hole, taken))
    ((seen, unread, rest),) = asked
    whole, left = np.zeros_like(mask), np.zeros_like(mask)
    whole[hole.box.slices] = taken & hole.mask
    left[hole.box.slices] = hole.mask & ~taken
    inside = np.zeros_like(mask)
    inside[rest.box.slices] = rest.mask
    assert np.array_equal(inside, left)
    assert not unread[whole].any()
    assert unread[left].all()
    assert unread[other.box.slices][other.mask].all()
    # In the middle of what was taken the seam's correction has faded.
    middle = seen[hole.box.slices][10:-10, 6:9].astype(float) / white
    assert np.abs(middle - 0.4).max() < 0.06
    # What was borrowed stays as it was while the rest is filled.
    assert np.array_equal(filler.result[whole], seen[whole])
    assert not (filler.result[left] == rgb[left]).all(1).any()
    assert np.array_equal(filler.result[~(whole | left)], rgb[~(whole | left)])
    assert outcome.borrowed == {"b": pytest.approx(0.15), "c": pytest.approx(0.15)}
    assert outcome.misfit == 0.01
    measured = filler.measure(outcome, None, None)
    assert measured.borrowed == outcome.borrowed
    plain = filler.measure(filler.fill(hole, ROUTING, Stages()), None, None)
    assert plain.borrowed == {}


def test_a_hole_that_others_show_needs_no_inpainter_and_no_probe(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb = scene()
    mask = red(rgb)
    (hole,) = find_holes(mask)

    def refuse(*_: Any) -> Fill:
        raise AssertionError("nothing is left to fill")

    monkeypatch.setattr(networks.inpainters, "fill", refuse)
    removal = Removal.from_settings(Settings(compare=("telea",)), mask=mask)
    filler = HoleFiller(rgb, mask, removal, networks)
    outcome = filler.fill(hole, ROUTING, Stages(), lent(rgb, hole, np.ones_like(hole.mask)))
    assert outcome.probe is None
    assert outcome.compared["telea"].probe is None
    assert not red(filler.result).any()
    assert np.array_equal(filler.result[~mask], rgb[~mask])
    assert sum(outcome.borrowed.values()) == pytest.approx(1)
    with pytest.raises(AssertionError, match="nothing is left"):
        filler.fill(hole, ROUTING, Stages())


def test_specks_that_nobody_shows_are_filled(networks: Networks) -> None:
    """However many they are, nothing of the object stays."""
    rgb = scene()
    mask = red(rgb)
    (hole,) = find_holes(mask)
    taken = np.ones_like(hole.mask)
    taken[::7, ::7] = False
    removal = Removal.from_settings(Settings(probe=False), mask=mask)
    filler = HoleFiller(rgb, mask, removal, networks)
    filler.fill(hole, ROUTING, Stages(), lent(rgb, hole, taken))
    assert not red(filler.result).any()
