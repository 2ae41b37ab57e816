"""Windows, masking and the way back, for every route and odd sizes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.pipeline.inpaint.windows import edge_window, resize_known
from remove_objects.pipeline.types import Box, Face, Hole, Mask, Route
from tests.support.scenes import scene

CASES = [
    (Route.FREE_FORM, Box(40, 30, 30, 25), (120, 160)),
    (Route.FREE_FORM, Box(200, 300, 260, 180), (700, 900)),
    (Route.EDGE, Box(0, 30, 40, 60), (120, 160)),
    (Route.EDGE, Box(700, 0, 200, 650), (700, 900)),
    (Route.EDGE, Box(30, 85, 80, 35), (120, 160)),
    (Route.EDGE, Box(60, 40, 30, 20), (120, 160)),
    (Route.EDGE, Box(40, 30, 90, 80), (120, 160)),
    (Route.EDGE, Box(600, 400, 200, 250), (700, 900)),
    (Route.FACE, Box(60, 40, 30, 20), (120, 160)),
    (Route.FACE, Box(2, 2, 30, 20), (120, 160)),
]


def case(box: Box, size: tuple[int, int]) -> tuple[np.ndarray, Mask, Hole]:
    rgb = scene(*size, person=None)
    mask = np.zeros(size, bool)
    mask[box.slices] = True
    return rgb, mask, find_holes(mask)[0]


@pytest.fixture
def inpainters(tiny: Path) -> Inpainters:
    return Inpainters(torch.device("cpu"))


@pytest.mark.parametrize(("route", "box", "size"), CASES)
def test_the_window_holds_the_hole_and_nothing_under_it_is_read(
    inpainters: Inpainters, route: Route, box: Box, size: tuple[int, int]
) -> None:
    rgb, mask, hole = case(box, size)
    faces = (
        [Face(Box(max(0, box.x - 15), max(0, box.y - 15), 70, 70), 1.0)]
        if route is Route.FACE
        else []
    )
    fill = inpainters.fill(rgb, mask, hole, route, faces)
    assert fill.rgb.shape == (fill.window.h, fill.window.w, 3)
    assert fill.window.x <= box.x
    assert fill.window.y <= box.y
    assert fill.window.x + fill.window.w >= box.x + box.w
    assert fill.window.y + fill.window.h >= box.y + box.h
    assert np.isfinite(fill.rgb).all()
    assert fill.rgb.min() >= 0
    assert fill.rgb.max() <= 1
    other = rgb.copy()
    other[mask] = 255 - other[mask]
    assert np.array_equal(inpainters.fill(other, mask, hole, route, faces).rgb, fill.rgb)


@pytest.mark.parametrize("route", list(Route))
def test_other_holes_are_not_read_either(inpainters: Inpainters, route: Route) -> None:
    rgb, mask, hole = case(Box(0, 30, 30, 40), (120, 160))
    mask[30:70, 45:60] = True
    before = inpainters.fill(rgb, mask, hole, route).rgb
    rgb[30:70, 45:60] = 255
    assert np.array_equal(inpainters.fill(rgb, mask, hole, route).rgb, before)


def test_each_network_loads_once(inpainters: Inpainters) -> None:
    rgb, mask, hole = case(Box(40, 30, 30, 25), (120, 160))
    inpainters.fill(rgb, mask, hole, Route.FREE_FORM)
    first = inpainters.network("partial-conv")
    inpainters.fill(rgb, mask, hole, Route.FREE_FORM)
    assert inpainters.network("partial-conv") is first
    assert list(inpainters.weights) == ["partial-conv"]


def test_sixteen_bit_photos_give_the_same_answer(inpainters: Inpainters) -> None:
    rgb, mask, hole = case(Box(40, 30, 30, 25), (120, 160))
    narrow = inpainters.fill(rgb, mask, hole, Route.FREE_FORM).rgb
    wide = inpainters.fill(rgb.astype(np.uint16) * 257, mask, hole, Route.FREE_FORM).rgb
    assert np.abs(narrow - wide).max() < 1e-3


def test_resizing_takes_nothing_from_the_hole() -> None:
    picture = np.full((40, 40, 3), 0.5, np.float32)
    known = np.ones((40, 40), bool)
    known[10:23, 10:23] = False
    picture[~known] = 0
    small, small_known = resize_known(picture, known, 10, 10)
    assert np.allclose(small[small_known], 0.5, atol=1e-4)
    assert not small_known[3:5, 3:5].any()


@pytest.mark.parametrize(
    "box",
    [Box(0, 300, 90, 200), Box(810, 300, 90, 200), Box(300, 0, 200, 90), Box(300, 610, 200, 90)],
)
def test_the_edge_window_gives_the_hole_its_share(box: Box) -> None:
    _, _, hole = case(box, (700, 900))
    window = edge_window(hole, 700, 900)
    depth, across = (box.w, window.w) if box.w < box.h else (box.h, window.h)
    assert depth / across == pytest.approx(0.3, abs=0.01)
    assert Box(max(window.x, box.x), max(window.y, box.y), box.w, box.h) == box
