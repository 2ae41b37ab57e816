"""Every route's fill: its window, its range, and that no hole is read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.inpaint.inpainters import (
    EDGE_LEAD,
    FACE_GRAIN,
    Inpainters,
    led_by_blocks,
)
from remove_objects.pipeline.types import Box, Face, FloatArray, Hole, Mask, Route
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
    """(photo, hole mask, its one hole)."""
    rgb = scene(*size, person=None)
    mask = np.zeros(size, bool)
    mask[box.slices] = True
    return rgb, mask, find_holes(mask)[0]


@pytest.fixture
def inpainters(tiny: Path) -> Inpainters:
    """Inpainters with untrained networks."""
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
    assert fill.window.union(box) == fill.window
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


def test_a_fill_without_detail_is_the_upsampled_prediction(tiny: Path) -> None:
    rgb, mask, hole = case(Box(40, 30, 30, 25), (120, 160))
    fill = Inpainters(torch.device("cpu"), detail=False).fill(rgb, mask, hole, Route.FREE_FORM)
    assert fill.textured is None
    assert fill.window == fill.crop
    assert np.array_equal(fill.rgb, fill.upsampled)


def test_the_upsampled_prediction_is_cut_to_the_window(inpainters: Inpainters) -> None:
    rgb, mask, hole = case(Box(200, 300, 260, 180), (700, 900))
    fill = inpainters.fill(rgb, mask, hole, Route.FREE_FORM)
    assert fill.textured is not None
    assert fill.crop.union(fill.window) == fill.crop
    assert fill.upsampled.shape == fill.textured.shape == (fill.window.h, fill.window.w, 3)
    whole = replace(fill, window=fill.crop).upsampled
    assert np.array_equal(fill.upsampled, whole[fill.window.relative_to(fill.crop).slices])


def test_a_face_has_grain_and_no_cracks(inpainters: Inpainters) -> None:
    """Stripes beside a face are far stronger than the grain of skin."""
    rgb, mask, hole = case(Box(240, 200, 200, 200), (700, 900))
    rgb[:, ::8] = 255
    rgb[:, 4::8] = 0
    face = Face(Box(200, 160, 280, 280), 1.0)
    fill = inpainters.fill(rgb, mask, hole, Route.FACE, [face])
    assert fill.textured is not None
    grain = (fill.textured - fill.upsampled)[mask[fill.window.slices]]
    assert 0.8 * FACE_GRAIN < np.abs(grain).max() <= FACE_GRAIN + 1e-6


def test_blocks_lead_the_colours_and_leave_what_is_finer() -> None:
    rng = np.random.default_rng(0)
    finer = (0.5 + 0.1 * rng.standard_normal((64, 48, 3))).astype(np.float32).clip(0.2, 0.8)
    blocks = np.full((8, 6, 3), 0.6, np.float32)
    led = led_by_blocks(blocks, finer)
    shift = led - finer
    wanted = EDGE_LEAD * (0.6 - finer.reshape(8, 8, 6, 8, 3).mean((1, 3)))
    assert shift.reshape(8, 8, 6, 8, 3).mean((1, 3)) == pytest.approx(wanted, abs=0.02)
    assert np.abs(np.diff(shift, axis=0)).max() < 0.02  # nothing as fine as a block's pixels
    own = finer.reshape(8, 8, 6, 8, 3).mean((1, 3))
    assert led_by_blocks(own, finer) == pytest.approx(finer, abs=1e-5)


def test_an_edge_hole_asks_both_networks(
    inpainters: Inpainters, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb, mask, hole = case(Box(0, 30, 40, 60), (120, 160))
    inpainters.fill(rgb, mask, hole, Route.EDGE)
    assert set(inpainters.weights) == {"compression", "partial-conv"}
    middle = {"compression": (0.0, 8), "partial-conv": (0.5, 1)}  # of its values; its reduction

    def prediction(moved: str) -> FloatArray:
        def answer(kind: str, picture: FloatArray, *_: object, **__: object) -> FloatArray:
            value, factor = middle[kind]
            return np.full_like(picture[::factor, ::factor], value + 0.2 * (kind == moved))

        monkeypatch.setattr(inpainters, "_run", answer)
        return inpainters.fill(rgb, mask, hole, Route.EDGE).prediction

    assert prediction("none") == pytest.approx(0.5, abs=1e-5)
    assert prediction("compression") == pytest.approx(0.5 + EDGE_LEAD * 0.1, abs=1e-5)
    assert prediction("partial-conv") == pytest.approx(0.7 - EDGE_LEAD * 0.2, abs=1e-5)
