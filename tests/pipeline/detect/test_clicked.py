"""Selections by clicks on painted things, whose pixels are known."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch

from remove_objects.pipeline.detect.clicked import (
    MOST_CLICKS,
    Click,
    checked_clicks,
    distances,
    select_clicked,
)
from remove_objects.pipeline.detect.segmenters import CompactSegmenterAdapter
from remove_objects.pipeline.errors import UsageError

HEIGHT, WIDTH = 240, 320


@pytest.fixture(scope="module")
def compact() -> CompactSegmenterAdapter:
    """The shipped segmenter."""
    return CompactSegmenterAdapter(torch.device("cpu"))


def ground() -> np.ndarray:
    """A grey-green ground with grain, and light that falls off to the right."""
    rng = np.random.default_rng(0)
    light = np.linspace(150, 90, WIDTH)[None, :, None] * (0.8, 1.0, 0.7)
    return (light + rng.normal(0, 6, (HEIGHT, WIDTH, 3))).clip(0, 255).astype(np.uint8)


def painted(
    picture: np.ndarray, centre: tuple[int, int], axes: tuple[int, int], colour: Sequence[int]
) -> np.ndarray:
    """Paint an ellipse with grain, in place; return its pixels."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    grain = np.random.default_rng(1).normal(0, 6, (HEIGHT, WIDTH, 3))
    picture[mask > 0] = (np.array(colour) + grain).clip(0, 255).astype(np.uint8)[mask > 0]
    return mask > 0


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_one_click_selects_the_one_thing_that_it_is_on(compact: CompactSegmenterAdapter) -> None:
    picture = ground()
    things = [
        painted(picture, (80, 120), (40, 55), (190, 60, 40)),
        painted(picture, (230, 70), (30, 30), (190, 60, 40)),
        painted(picture, (240, 180), (55, 25), (40, 60, 180)),
    ]
    for thing, place in zip(things, ((70, 130), (235, 66), (215, 180)), strict=True):
        found = select_clicked(compact, picture, [Click(*place, True)])
        assert found.shape == (HEIGHT, WIDTH)
        assert found.dtype == bool
        assert overlap(found, thing) > 0.7
        assert not any((found & other).any() for other in things if other is not thing)


def test_further_clicks_add_a_part_and_take_one(compact: CompactSegmenterAdapter) -> None:
    picture = ground()
    body = painted(picture, (160, 150), (40, 50), (40, 60, 180))
    head = painted(picture, (160, 70), (28, 32), (200, 170, 60))
    clicks = [Click(160, 160, True)]
    first = select_clicked(compact, picture, clicks)
    assert overlap(first, body & ~head) > 0.8
    both = select_clicked(compact, picture, [*clicks, Click(160, 60, True)])
    assert overlap(both, body | head) > 0.8
    again = select_clicked(compact, picture, [*clicks, Click(160, 60, True), Click(150, 64, False)])
    assert not again[62:66, 148:152].any()
    assert again[158:162, 158:162].all()


def test_a_click_on_what_is_not_wanted_divides_what_looks_alike(
    compact: CompactSegmenterAdapter,
) -> None:
    """Two discs of one colour, joined by a neck."""
    picture = ground()
    left = painted(picture, (90, 120), (45, 45), (190, 60, 40))
    right = painted(picture, (210, 120), (45, 45), (190, 60, 40))
    painted(picture, (150, 120), (30, 8), (190, 60, 40))
    both = select_clicked(compact, picture, [Click(90, 120, True), Click(210, 120, True)])
    assert (both & right).sum() > 0.7 * right.sum()
    divided = select_clicked(compact, picture, [Click(90, 120, True), Click(210, 120, False)])
    assert (divided & left).sum() > 0.7 * left.sum()
    assert (divided & right).sum() < 0.1 * right.sum()


def test_depth_of_samples_and_size_of_the_photo_do_not_matter(
    compact: CompactSegmenterAdapter,
) -> None:
    picture = ground()
    thing = painted(picture, (80, 120), (40, 55), (190, 60, 40))
    click = Click(70, 130, True)
    eight = select_clicked(compact, picture, [click])
    sixteen = select_clicked(compact, picture.astype(np.uint16) * 257, [click])
    assert overlap(eight, sixteen) > 0.97
    large = cv2.resize(picture, (4 * WIDTH, 4 * HEIGHT), interpolation=cv2.INTER_CUBIC)
    found = select_clicked(compact, large, [Click(280, 520, True)])
    assert overlap(found, np.kron(thing, np.ones((4, 4), bool))) > 0.85
    for shape in ((1, 1, 3), (1, 90, 3), (400, 2, 3)):  # no size is too small
        tiny = select_clicked(compact, np.zeros(shape, np.uint8), [Click(0, 0, True)])
        assert tiny.shape == shape[:2]


def test_nothing_that_is_spared_is_selected(compact: CompactSegmenterAdapter) -> None:
    picture = ground()
    thing = painted(picture, (80, 120), (40, 55), (190, 60, 40))
    spared = np.zeros(thing.shape, bool)
    spared[:, 90:] = True
    found = select_clicked(compact, picture, [Click(70, 130, True)], spared)
    assert not (found & spared).any()
    assert overlap(found, thing & ~spared) > 0.8


def test_distances_are_those_of_the_best_ways() -> None:
    rng = np.random.default_rng(3)
    seeds = np.zeros((9, 12), bool)
    seeds[4, 5] = seeds[0, 0] = True
    down = rng.uniform(1, 2, (8, 12)).astype(np.float32)
    right = rng.uniform(1, 2, (9, 11)).astype(np.float32)
    far, queue = np.full(seeds.shape, np.inf), [(0.0, 4, 5), (0.0, 0, 0)]
    while queue:
        cost, y, x = heapq.heappop(queue)
        if far[y, x] <= cost:
            continue
        far[y, x] = cost
        for ny, nx in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
            if 0 <= ny < 9 and 0 <= nx < 12:
                step = down[min(y, ny), x] if nx == x else right[y, min(x, nx)]
                heapq.heappush(queue, (cost + float(step), ny, nx))
    assert distances(seeds, down, right) == pytest.approx(far, rel=1e-4)


@pytest.mark.parametrize(
    ("clicks", "message"),
    [
        ([], "1 to"),
        ([[1, 1, 1]] * (MOST_CLICKS + 1), "1 to"),
        ([[1, 1]], "a click is"),
        ([[1, 1, 2]], "a click is"),
        ([[1, 1, 0]], "the first click"),
        ([[1, 1, 1], [160, 1, 1]], "outside the photo"),
        ([[1, -0.1, 1]], "outside the photo"),
        ([[float("nan"), 1, 1]], "outside the photo"),
    ],
)
def test_malformed_clicks_are_refused(clicks: list[list[float]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        checked_clicks(clicks, (120, 160))
    assert checked_clicks([[1, 2.5, 1], [159.9, 0, 0]], (120, 160)) == (
        (1, 2.5, True),
        (159.9, 0, False),
    )
