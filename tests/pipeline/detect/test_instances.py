"""Telling the objects of a class apart: the grouping of votes, and a whole photo's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from remove_objects.pipeline.detect import instances
from remove_objects.pipeline.detect.instances import PLACES, SIDE, Votes, divide, grouped
from remove_objects.pipeline.types import FloatArray, Mask


def votes_for(*parts: tuple[tuple[slice, slice], tuple[float, ...]]) -> tuple[FloatArray, Mask]:
    """(4hw votes, hw mask): in each part all pixels vote for one box."""
    boxes = np.zeros((4, 40, 40), np.float32)
    inside = np.zeros((40, 40), bool)
    for place, box in parts:
        boxes[(slice(None), *place)] = np.array(box, np.float32)[:, None, None]
        inside[place] = True
    return boxes, inside


HALF, ALL = (np.full((40, 40), share, np.float32) for share in (0.5, 1))
LEFT = (slice(5, 35), slice(5, 18)), (10.0, 10.0, 36.0, 70.0)
RIGHT = (slice(5, 35), slice(18, 30)), (36.0, 10.0, 60.0, 70.0)


def test_two_who_touch_are_two() -> None:
    boxes, inside = votes_for(LEFT, RIGHT)
    labels = grouped(boxes, HALF, ALL, inside)
    assert (labels > 0).tolist() == inside.tolist()
    left, right = (set(np.unique(labels[place])) for place, _ in (LEFT, RIGHT))
    assert len(left) == len(right) == 1
    assert left != right


def test_votes_that_waver_a_little_agree() -> None:
    boxes, inside = votes_for(LEFT, RIGHT)
    boxes += np.random.default_rng(0).normal(0, 2, boxes.shape).astype(np.float32)
    labels = grouped(boxes, HALF, ALL, inside)
    assert labels.max() == 2
    assert (labels[LEFT[0]] == labels[20, 10]).mean() > 0.98


def test_a_child_before_an_adult_has_the_same_middle_but_not_the_same_box() -> None:
    adult = (slice(2, 38), slice(8, 30)), (16.0, 4.0, 60.0, 76.0)
    child = (slice(13, 28), slice(14, 24)), (28.0, 26.0, 48.0, 56.0)
    boxes, inside = votes_for(adult, child)
    labels = grouped(boxes, HALF, ALL, inside)
    assert len(np.unique(labels[child[0]])) == 1
    assert labels[20, 18] != labels[4, 10]


def test_a_few_stray_votes_are_nobody() -> None:
    boxes, inside = votes_for(LEFT)
    boxes[:, 20, 10:13] = np.array([0, 0, 8, 8], np.float32)[:, None]
    labels = grouped(boxes, HALF, ALL, inside)
    assert set(np.unique(labels)) == {0, 1}


def test_no_pixel_no_object() -> None:
    boxes, inside = votes_for(LEFT)
    labels = grouped(boxes, ALL, ALL, np.zeros_like(inside))
    assert not labels.any()


class Colours:
    """Votes for the box of the pixels of its own colour, as far as the view shows them."""

    def __init__(self) -> None:
        self.views: list[NDArray[np.uint8]] = []

    def votes(self, views: NDArray[np.uint8], masks: Mask) -> Votes:
        self.views += list(views)
        boxes = np.zeros((len(views), 4, SIDE // PLACES, SIDE // PLACES), np.float32)
        for view, mask, box in zip(views, masks, boxes, strict=True):
            hue = view.argmax(2)
            for colour in range(3):
                y, x = np.nonzero(mask & (hue == colour) & (view.max(2) > 150))
                if len(y):
                    corners = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], np.float32)
                    box[:, (hue == colour)[1::PLACES, 1::PLACES]] = corners[:, None]
        sure = np.ones(boxes[:, 0].shape, np.float32)
        return Votes(boxes, sure, sure)


def photo(height: int, width: int) -> tuple[NDArray[np.uint8], Mask]:
    """Red beside green, and blue far from both, on a dark ground."""
    rgb = np.full((height, width, 3), 40, np.uint8)
    mask = np.zeros((height, width), bool)
    h, w = height // 2, width // 10
    for i, left in enumerate((w, 2 * w, 7 * w)):
        rgb[h // 2 : h // 2 + h, left : left + w, i] = 250
        mask[h // 2 : h // 2 + h, left : left + w] = True
    return rgb, mask


@pytest.mark.parametrize("size", [(120, 200), (900, 1500), (1600, 2400)])
def test_every_object_of_a_photo(size: tuple[int, int]) -> None:
    rgb, mask = photo(*size)
    labels, own = divide(Colours(), rgb, mask)
    assert labels.shape == size
    assert ((labels > 0) == mask).all()
    assert (own == mask).all()
    hue = rgb.argmax(2)
    numbers = []
    for colour in range(3):
        own = labels[mask & (hue == colour)]
        most = int(np.bincount(own).argmax())
        assert (own == most).mean() > 0.95
        numbers.append(most)
    assert sorted(numbers) == [1, 2, 3]


def test_sixteen_bits_are_seen_as_eight() -> None:
    rgb, mask = photo(300, 500)
    eight, sixteen = Colours(), Colours()
    first, _ = divide(eight, rgb, mask)
    second, _ = divide(sixteen, rgb.astype(np.uint16) * 257, mask)
    assert (first == second).all()
    assert all(
        np.abs(a.astype(int) - b).max() <= 2
        for a, b in zip(eight.views, sixteen.views, strict=True)
    )


class KnowsDark(Colours):
    """As ``Colours``; what is dark belongs to nobody, and votes for a box of the whole view."""

    def votes(self, views: NDArray[np.uint8], masks: Mask) -> Votes:
        said = super().votes(views, masks)
        dark = (views.max(3) < 150)[:, 1::PLACES, 1::PLACES]
        said.boxes.transpose(0, 2, 3, 1)[dark] = (0, 0, SIDE, SIDE)
        return said._replace(belongs=(~dark).astype(np.float32))


@pytest.mark.parametrize("size", [(300, 500), (1200, 2000)])
def test_what_belongs_to_nobody_is_no_object_and_goes_with_the_nearest(
    size: tuple[int, int],
) -> None:
    rgb, true = photo(*size)
    wide = np.ones((size[1] // 40, size[1] // 40), np.uint8)
    mask = cv2.dilate(true.astype(np.uint8), wide) > 0
    labels, own = divide(KnowsDark(), rgb, mask)
    assert ((labels > 0) == mask).all()
    assert labels.max() == 3
    assert (own & ~true).sum() < 0.02 * true.sum()
    assert (own & true).sum() > 0.97 * true.sum()
    x = size[1] // 10
    assert labels[-5, x - 2] == labels[-5, x + 5]  # left of red, and red


def test_a_part_that_belongs_to_nobody_is_an_object_all_the_same() -> None:
    mask = np.zeros((200, 300), bool)
    mask[50:150, 100:180] = True
    labels, own = divide(KnowsDark(), np.full((200, 300, 3), 40, np.uint8), mask)
    assert ((labels == 1) == mask).all()
    assert (own == mask).all()


def test_one_who_is_cut_in_two_is_one() -> None:
    rgb, mask = photo(300, 500)
    mask[:, 372:378] = False  # a pole

    class Whole(Colours):
        def votes(self, views: NDArray[np.uint8], masks: Mask) -> Votes:
            return super().votes(views, views.max(3) > 150)

    labels, _ = divide(Whole(), rgb, mask)
    assert labels.max() == 3
    assert labels[150, 360] == labels[150, 390]


def test_dust_needs_no_network() -> None:
    rgb, mask = photo(300, 500)
    few = np.zeros_like(mask)
    few[10:12, 10:12] = few[200:203, 300:302] = True
    network = Colours()
    labels, _ = divide(network, rgb, few)
    assert network.views == []
    assert sorted(np.unique(labels).tolist()) == [0, 1, 2]


def test_an_empty_mask_has_no_objects() -> None:
    rgb, mask = photo(120, 200)
    labels, own = divide(Colours(), rgb, np.zeros_like(mask))
    assert not labels.any()
    assert not own.any()


def test_a_part_at_the_photos_corner_is_seen_with_grey_around() -> None:
    rgb = np.full((200, 200, 3), 40, np.uint8)
    rgb[:60, :30, 0] = 250
    mask = np.zeros((200, 200), bool)
    mask[:60, :30] = True
    network = Colours()
    divide(network, rgb, mask)
    assert (network.views[0][0, 0] == instances.GREY).all()


class WrongFromAfar(Colours):
    """As ``Colours``, but in the first view red's last twentieth votes for green's box."""

    def votes(self, views: NDArray[np.uint8], masks: Mask) -> Votes:
        is_first = not self.views
        said = super().votes(views, masks)
        if is_first:
            columns = np.nonzero((views[0].argmax(2) == 0) & masks[0])[1]
            first, last = columns.min() // PLACES, columns.max() // PLACES
            stripe = slice(last - (last - first) // 20, last + 1)
            said.boxes[0, :, :, stripe] = said.boxes[0, :, :, last + 3][..., None]
        return said


def test_each_of_several_is_looked_at_from_near(monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = np.full((200, 800, 3), 40, np.uint8)
    hue = np.zeros((200, 800), np.intp)
    mask = np.zeros((200, 800), bool)
    for colour, left in enumerate((40, 240, 440)):
        rgb[60:140, left : left + 200, colour] = 250
        hue[60:140, left : left + 200] = colour
        mask[60:140, left : left + 200] = True

    def wrong(network: Colours) -> int:
        labels, _ = divide(network, rgb, mask)
        most = [np.bincount(labels[mask & (hue == c)]).argmax() for c in range(3)]
        assert len(set(most)) == 3
        return int((labels != most[0])[mask & (hue == 0)].sum())

    network = WrongFromAfar()
    assert wrong(network) < 300
    assert len(network.views) == 4  # of the row, and of each of three
    monkeypatch.setattr(instances, "NEARER", 0)
    assert wrong(WrongFromAfar()) > 900
