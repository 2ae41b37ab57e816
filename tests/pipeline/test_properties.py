"""Properties of every photo, mask and report, tested by Hypothesis on hundreds of examples."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from remove_objects.pipeline.detect.mask import dilate, find_holes
from remove_objects.pipeline.geometry import context_window, hole_within
from remove_objects.pipeline.inpaint.composite import blend_into
from remove_objects.pipeline.inpaint.route import choose_route
from remove_objects.pipeline.inpaint.windows import edge_window, enlarge, masked_window
from remove_objects.pipeline.report.baseline import compare
from remove_objects.pipeline.report.entry_metrics import (
    boxes,
    overlap,
    verdict_basis,
    worst_metrics,
)
from remove_objects.pipeline.report.files import SCHEMA_VERSION
from remove_objects.pipeline.report.page_view import totals
from remove_objects.pipeline.report.ranking import look_first, worst_first
from remove_objects.pipeline.report.tolerance import tolerances
from remove_objects.pipeline.types import Box, Face, Route

#: The same examples on every run and machine, without a time limit: a busy machine is no fault.
quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)

sizes = st.tuples(st.integers(1, 90), st.integers(1, 90))


@st.composite
def masks(draw: st.DrawFn, least: int = 1) -> np.ndarray:
    """HW bool with at least ``least`` and at most 6 rectangles, and a few single pixels."""
    height, width = draw(sizes)
    mask = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(least, 6))):
        y, x = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        mask[y : y + draw(st.integers(1, 40)), x : x + draw(st.integers(1, 40))] = True
    for _ in range(draw(st.integers(0, 3))):
        mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return mask


@st.composite
def boxes_in(draw: st.DrawFn, height: int, width: int) -> Box:
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return Box(x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))


@quick
@given(mask=masks(), seed=st.integers(0, 2**32 - 1), deep=st.booleans())
def test_the_composite_changes_nothing_outside_the_holes(
    mask: np.ndarray, seed: int, deep: bool
) -> None:
    rng = np.random.default_rng(seed)
    dtype = np.uint16 if deep else np.uint8
    photo = rng.integers(0, np.iinfo(dtype).max, (*mask.shape, 3), endpoint=True).astype(dtype)
    result = photo.copy()
    for hole in find_holes(mask):
        before = result.copy()
        window = context_window(hole.box, *mask.shape, context=0.5, least=16)
        fill = rng.normal(0.5, 2.0, (window.h, window.w, 3)).astype(
            np.float32
        )  # also far outside [0, 1]
        blend_into(result, fill, window, hole, mask)
        elsewhere = np.ones(mask.shape, bool)
        elsewhere[hole.box.slices] &= ~hole.mask
        assert np.array_equal(result[elsewhere], before[elsewhere])
    assert np.array_equal(result[~mask], photo[~mask])
    assert result.dtype == dtype


@quick
@given(mask=masks(), other=st.data(), radius=st.integers(0, 30), more=st.integers(0, 30))
def test_dilation_is_monotone_in_the_mask_and_in_the_radius(
    mask: np.ndarray, other: st.DataObject, radius: int, more: int
) -> None:
    larger = mask | other.draw(
        arrays.arrays(bool, mask.shape, elements=st.booleans(), fill=st.just(False))
    )
    widened = dilate(mask, radius)
    assert not (mask & ~widened).any()
    assert not (widened & ~dilate(larger, radius)).any()
    assert not (widened & ~dilate(mask, radius + more)).any()


@quick
@given(mask=masks(0), radius=st.integers(0, 12))
def test_dilation_follows_its_definition(mask: np.ndarray, radius: int) -> None:
    rows, columns = np.nonzero(mask)
    yy, xx = np.mgrid[: mask.shape[0], : mask.shape[1]]
    expected = np.zeros(mask.shape, bool)
    for y, x in zip(rows.tolist(), columns.tolist(), strict=True):
        near = slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)
        expected[near] |= (yy[near] - y) ** 2 + (xx[near] - x) ** 2 <= radius**2
    assert np.array_equal(dilate(mask, radius), expected)


@quick
@given(mask=masks(0))
def test_holes_partition_the_mask(mask: np.ndarray) -> None:
    holes = find_holes(mask)
    times = np.zeros(mask.shape, int)
    for hole in holes:
        assert hole.mask.shape == (hole.box.h, hole.box.w)
        assert hole.share == pytest.approx(hole.mask.sum() / mask.size)
        # The box is tight: a pixel of the hole lies on each of its sides.
        assert all(
            side.any() for side in (hole.mask[0], hole.mask[-1], hole.mask[:, 0], hole.mask[:, -1])
        )
        times[hole.box.slices] += hole.mask
    assert np.array_equal(times, mask.astype(int))
    assert [h.share for h in holes] == sorted((h.share for h in holes), reverse=True)


@quick
@given(mask=masks(), forced=st.sampled_from(["auto", *(r.value for r in Route)]), data=st.data())
def test_every_hole_has_a_route_with_a_reason_and_a_window_around_it(
    mask: np.ndarray, forced: str, data: st.DataObject
) -> None:
    height, width = mask.shape
    faces = data.draw(
        st.lists(st.builds(Face, boxes_in(height, width), st.floats(0, 1)), max_size=3)
    )
    for hole in find_holes(mask):
        routing = choose_route(hole, mask, faces, forced)
        assert routing.route in Route
        assert routing.why
        assert forced in ("auto", routing.route.value)
        if routing.route is Route.EDGE:
            window = edge_window(hole, height, width)
            assert window.union(hole.box) == window
            assert window.grown(0, (height, width)) == window


@quick
@given(data=st.data(), context=st.floats(0, 3), least=st.integers(1, 200))
def test_any_window_maps_back_exactly(data: st.DataObject, context: float, least: int) -> None:
    mask = data.draw(masks())
    height, width = mask.shape
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    photo = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    for hole in find_holes(mask):
        for window in (
            context_window(hole.box, height, width, context=context, least=least),
            edge_window(hole, height, width),
        ):
            picture, known = masked_window(photo, mask, window)
            assert picture.shape[:2] == known.shape == (window.h, window.w)
            # Put back in its place, the window equals the photo where that is known, and the hole
            # is where it was.
            back = np.zeros_like(photo)
            back[window.slices] = picture
            inside = np.zeros(mask.shape, bool)
            inside[window.slices] = known
            assert np.array_equal(back[inside], photo[inside])
            assert not (inside & mask).any()
            place = np.zeros(mask.shape, bool)
            place[window.slices] = hole_within(hole, window)
            expected = np.zeros(mask.shape, bool)
            expected[hole.box.slices] = hole.mask
            assert np.array_equal(place, expected)
            prediction = rng.random((max(1, window.h // 2), max(1, window.w // 2), 3)).astype(
                np.float32
            )
            assert enlarge(prediction, window).shape == (window.h, window.w, 3)


numbers = st.one_of(st.none(), st.floats(0, 50).map(lambda v: round(v, 5)))
probes = st.one_of(
    st.none(), st.fixed_dictionaries(dict.fromkeys(("l1", "psnr", "ssim", "lpips"), numbers))
)


@st.composite
def entries(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Entries of a report, with different names."""
    entries = []
    for name in draw(
        st.lists(st.text("abc/", min_size=1, max_size=4), min_size=1, max_size=6, unique=True)
    ):
        boxes = draw(st.lists(st.tuples(*[st.integers(1, 30)] * 4), max_size=3))
        holes = [
            {
                "box": list(box),
                "share": 0.1,
                "route": draw(st.sampled_from([r.value for r in Route])),
                "why": "because",
                "seam": draw(numbers),
                "score": draw(numbers),
                "signs": {"depth": 2.0},
                "probe": draw(probes),
            }
            for box in boxes
        ]
        status = draw(st.sampled_from(["ok", "review", "failed", "unchanged"]))
        entries.append(
            {
                "input": name,
                "output": name,
                "mask": None,
                "status": status,
                "reason": "so",
                "classes": {"person": 0.1},
                "hole_share": draw(st.floats(0, 1)),
                "fidelity": {"changed_outside": draw(st.integers(0, 3)), "psnr_outside": None},
                "residue": draw(numbers),
                "score": draw(numbers),
                "truth": draw(probes),
                "seconds": draw(st.floats(0, 9)),
                "stages": {"read": 0.5},
                "error": None,
                "warnings": [],
                "holes": holes,
            }
        )
    return entries


@quick
@given(photos=entries(), before=entries(), seed=st.integers(0, 999))
def test_a_report_does_not_depend_on_the_order_of_its_photos_and_holes(
    photos: list[dict[str, Any]], before: list[dict[str, Any]], seed: int
) -> None:
    shuffled, shuffled_before = copy.deepcopy(photos), copy.deepcopy(before)
    order = random.Random(seed)
    for report in (shuffled, shuffled_before):
        order.shuffle(report)
        for entry in report:
            order.shuffle(entry["holes"])
    for entry in photos:
        (same,) = [other for other in shuffled if other["input"] == entry["input"]]
        assert worst_metrics(same) == worst_metrics(entry)
        assert verdict_basis(same) == verdict_basis(entry)
        assert overlap(boxes(same), boxes(entry)) == pytest.approx(1.0)
    assert totals(shuffled) == totals(photos)
    assert [p["input"] for p in worst_first(shuffled)] == [p["input"] for p in worst_first(photos)]
    assert [p["input"] for p in look_first(shuffled)] == [p["input"] for p in look_first(photos)]
    one, other = (
        compare(
            {"schema_version": SCHEMA_VERSION, "photos": now},
            {"schema_version": SCHEMA_VERSION, "photos": then},
            tolerances(),
        )
        for now, then in ((photos, before), (shuffled, shuffled_before))
    )
    assert sorted(map(str, one.worse)) == sorted(map(str, other.worse))
    assert sorted(map(str, one.better)) == sorted(map(str, other.better))
    assert one.photos == other.photos
