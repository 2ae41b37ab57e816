"""Which bicycle, motorbike or horse goes with its rider."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.detect.leftovers import View
from remove_objects.pipeline.detect.ridden import FAINT, MOUNTS, SURE, ridden
from remove_objects.pipeline.types import Box

SIZE = (200, 240)
HORSE = Box(80, 90, 90, 80)
RIDER = Box(110, 40, 30, 80)


def view(
    mount: Box = HORSE, name: str = "horse", probability: float = 0.9, crop: Box | None = None
) -> View:
    seen = np.zeros((21, *SIZE), np.float32)
    seen[CATEGORIES.index(name)][mount.slices] = probability
    seen[0] = 1 - seen.sum(0)
    crop = crop or Box.full(SIZE)
    return View(crop, seen[:, crop.y : crop.bottom, crop.x : crop.right])


def holes(*people: Box) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    for person in people:
        mask[person.slices] = True
    return mask


@pytest.mark.parametrize("name", MOUNTS)
def test_a_mount_goes_with_its_rider(name: str) -> None:
    (mount,) = ridden(view(name=name), holes(RIDER))
    assert not mount.is_cut
    assert not (holes(RIDER)[mount.box.slices] & mount.mask).any()
    left = holes(HORSE) & ~holes(RIDER)
    found = np.zeros(SIZE, bool)
    found[mount.box.slices] = mount.mask
    assert (found & left).sum() > 0.97 * left.sum()
    assert found.sum() < 1.1 * left.sum()


@pytest.mark.parametrize(
    "person",
    [
        Box(30, 60, 30, 110),  # apart
        Box(60, 60, 21, 112),  # beside it, and touching it
        Box(110, 100, 30, 90),  # in front of it: the feet are lower than the hooves
        Box(110, 85, 30, 60),  # a small one behind it
        Box(100, 0, 40, 60),  # above it, apart
    ],
)
def test_who_does_not_ride_takes_nothing_along(person: Box) -> None:
    assert ridden(view(), holes(person)) == []


def with_head(tall: int) -> View:
    """``HORSE`` with its neck and head at the left, so high."""
    given = view()
    head = Box(80, 90 - tall, 24, tall)
    given.seen[CATEGORIES.index("horse")][head.slices] = 0.9
    given.seen[0][head.slices] = 0
    return given


@pytest.mark.parametrize("tall", [10, 40, 60])
def test_a_horse_that_holds_its_head_high_goes_with_its_rider(tall: int) -> None:
    (mount,) = ridden(with_head(tall), holes(RIDER))
    assert mount.box.y <= 92 - tall


@pytest.mark.parametrize(
    "groom",
    [
        Box(110, 40, 30, 128),  # in front of it
        Box(110, 40, 30, 145),
        Box(60, 40, 40, 130),  # at its head
        Box(150, 60, 40, 110),  # at its tail
    ],
)
def test_who_leads_a_horse_that_holds_its_head_high_goes_alone(groom: Box) -> None:
    assert ridden(with_head(50), holes(groom)) == []


def test_a_horse_of_two_riders_goes_once() -> None:
    assert len(ridden(view(), holes(RIDER, Box(150, 50, 18, 60)))) == 1


def test_other_animals_and_doubtful_mounts_stay() -> None:
    assert ridden(view(name="dog"), holes(RIDER)) == []
    assert ridden(view(probability=(SURE + FAINT) / 2), holes(RIDER)) == []
    assert ridden(view(mount=Box(120, 110, 8, 14)), holes(RIDER)) == []  # something small


def test_specks_are_no_riders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dust of a mask has thousands of parts: a map of each would fill the memory."""
    asked: list[np.ndarray] = []

    def is_ridden(mount: np.ndarray, rider: np.ndarray) -> bool:
        asked.append(rider)
        return True

    monkeypatch.setattr("remove_objects.pipeline.detect.ridden.is_ridden", is_ridden)
    dust = np.zeros(SIZE, bool)
    dust[::4, ::4] = True
    assert ridden(view(), dust) == []
    assert asked == []
    assert len(ridden(view(), dust | holes(RIDER))) == 1
    assert len(asked) == 1


def test_nothing_removed_or_nothing_to_ride() -> None:
    assert ridden(view(), holes()) == []
    assert ridden(view(mount=Box(0, 0, 0, 0)), holes(RIDER)) == []


def test_a_mount_that_the_view_cuts_is_told() -> None:
    (mount,) = ridden(view(crop=Box(60, 20, 80, 180)), holes(RIDER))
    assert mount.is_cut
    assert mount.box.right == 140
    reaching = Box(100, 90, 140, 80)
    (mount,) = ridden(view(mount=reaching), holes(Box(140, 40, 30, 80)))
    assert not mount.is_cut  # the photo ends there


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_rider_whose_hole_divides_the_horse_takes_both_halves(mirrored: bool) -> None:
    each = view()
    holed = each.seen.copy()
    rider = Box(112, 40, 26, 135)  # the hole reaches down through the horse
    holed[:, rider.y : rider.bottom, rider.x : rider.right] = 0
    mask = holes(rider)
    if mirrored:
        holed, mask = holed[:, :, ::-1].copy(), mask[:, ::-1].copy()
    found = ridden(View(each.crop, holed), mask)
    assert len(found) == 2
    both = np.zeros(SIZE, bool)
    for mount in found:
        both[mount.box.slices] |= mount.mask
    left = holes(HORSE) & ~holes(rider)
    left = left[:, ::-1] if mirrored else left
    assert (both & left).sum() > 0.97 * left.sum()


def test_a_view_that_ends_inside_one_half_decides_on_neither() -> None:
    """One half would go, and the other one stay."""
    seen = view().seen.copy()
    rider = Box(112, 40, 26, 135)
    seen[:, rider.y : rider.bottom, rider.x : rider.right] = 0
    for crop in (Box(100, 20, 140, 180), Box(20, 20, 140, 180)):  # ends left, ends right
        cut = View(crop, seen[:, crop.y : crop.bottom, crop.x : crop.right])
        found = ridden(cut, holes(rider))
        assert len(found) == 2
        assert all(mount.is_cut for mount in found)


def test_a_horse_on_the_other_side_that_stands_lower_is_another_one() -> None:
    seen = view().seen.copy()
    rider = Box(140, 40, 30, 80)  # at the end of its horse
    other = Box(172, 150, 60, 45)
    seen[CATEGORIES.index("horse")][other.slices] = 0.9
    found = ridden(View(Box.full(SIZE), seen), holes(rider))
    assert all(mount.box.right <= rider.right + 2 for mount in found)
