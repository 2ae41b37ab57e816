"""Which photo each pixel comes from."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.inpaint.series import choice
from remove_objects.pipeline.inpaint.series.choice import Borrowed, choose
from remove_objects.pipeline.inpaint.series.matching import Match, View, match, view_of
from tests.support.places import SIZE, box_mask, only_hole, place, taken

HOLE = box_mask(130, 80, 50, 70)
#: Somebody whom no class names: within the hole, so that nothing beside it tells.
BLOB = box_mask(145, 100, 20, 26)
TRUTH = taken(place())


@pytest.fixture(scope="module")
def view() -> View:
    rgb = TRUTH.copy()
    rgb[HOLE] = (255, 0, 0)
    return view_of(rgb, HOLE, only_hole(HOLE))


def shows(view: View, name: str, *, covered: np.ndarray | None = None, blob: bool = False) -> Match:
    """What a photo of an unmoved camera shows, each with other grain."""
    # Whoever has the blob fits best beside the hole: nothing but the others tells.
    grain = 0.0 if blob else 1.5
    noise = np.random.default_rng(sum(name.encode())).normal(0, grain, TRUTH.shape)
    rgb = (TRUTH + noise).round().clip(0, 255).astype(np.uint8)
    if blob:
        rgb[BLOB] = (230, 230, 60)
    is_open = np.ones(SIZE, bool) if covered is None else ~covered
    one = match(view, name, rgb, is_open, np.eye(3), exact=True)
    assert one is not None
    return one


def error(view: View, lent: Borrowed, where: np.ndarray) -> float:
    """Mean error in grey levels of what is taken of some pixels."""
    at = where[view.box.slices] & lent.taken
    assert at.any()
    return float(np.abs(255 * lent.content - TRUTH[view.box.slices])[at].mean())


def share(lent: Borrowed, where: np.ndarray, view: View) -> float:
    """Share of some pixels that is taken."""
    return float(lent.taken[where[view.box.slices]].mean())


def test_one_photo_fills_the_hole_and_nothing_else(view: View) -> None:
    lent = choose(view, [shows(view, "b")])
    assert lent is not None
    assert lent.box == view.box
    assert np.array_equal(lent.taken, HOLE[view.box.slices])
    assert lent.shares == {"b": pytest.approx(1)}
    assert error(view, lent, HOLE) < 3
    assert (lent.content[~lent.taken] == 0).all()
    assert (lent.content >= 0).all()
    assert (lent.content <= 1).all()
    assert 0 < lent.misfit < 0.03


def test_what_several_agree_on_wins_over_a_dissenter(view: View) -> None:
    """Wherever the dissenter stands in the order."""
    others = [shows(view, name) for name in "bcd"]
    alone = choose(view, [shows(view, "x", blob=True)])
    assert alone is not None
    assert error(view, alone, BLOB) > 40
    for at in (0, 3):
        lent = choose(view, [*others[:at], shows(view, "x", blob=True), *others[at:]])
        assert lent is not None
        assert error(view, lent, BLOB) < 4
        assert share(lent, HOLE, view) == 1


def test_pixels_that_nobody_shows_are_left(view: View) -> None:
    half, third = box_mask(155, 80, 25, 70), box_mask(130, 80, 50, 30)
    lent = choose(view, [shows(view, "b", covered=half), shows(view, "c", covered=third)])
    assert lent is not None
    assert share(lent, half & third, view) == 0
    assert share(lent, HOLE & ~(half & third), view) > 0.9
    assert set(lent.shares) == {"b", "c"}
    inside = HOLE[view.box.slices]
    assert sum(lent.shares.values()) == pytest.approx(lent.taken.sum() / inside.sum())
    # Where one alone shows the place, its pixels are taken.
    assert lent.shares["b"] >= 0.9 * (third & HOLE & ~half).sum() / HOLE.sum()
    assert lent.shares["c"] >= 0.9 * (half & ~third).sum() / HOLE.sum()
    assert error(view, lent, HOLE) < 3


def test_without_photos_nothing_is_taken(view: View) -> None:
    assert choose(view, []) is None
    nothing = shows(view, "b")._replace(
        small_open=np.zeros(view.small_known.shape, bool), is_open=np.zeros(HOLE.shape, bool)
    )
    assert choose(view, [nothing]) is None


def test_a_photo_that_fits_worse_is_taken_less(view: View) -> None:
    good, bad = shows(view, "b"), shows(view, "c")._replace(misfit=0.2)
    lent = choose(view, [bad, good])
    assert lent is not None
    assert lent.shares["b"] > 0.95


def test_a_photo_has_one_voice_however_many_planes_it_has(view: View) -> None:
    """Three planes of the dissenter do not agree with each other against two others."""
    dissent = shows(view, "x", blob=True)
    lent = choose(view, [shows(view, "b"), dissent, dissent, dissent, shows(view, "c")])
    assert lent is not None
    without = choose(view, [shows(view, "b"), dissent, shows(view, "c")])
    assert without is not None
    assert error(view, without, BLOB) < 4
    assert error(view, lent, BLOB) < 4


def test_the_choice_is_the_same_every_time(view: View) -> None:
    found = []
    for _ in range(2):
        matches = [shows(view, "b"), shows(view, "c", covered=BLOB), shows(view, "x", blob=True)]
        lent = choose(view, matches)
        assert lent is not None
        found.append(lent)
    first, second = found
    assert np.array_equal(first.content, second.content)
    assert (first.shares, first.misfit) == (second.shares, second.misfit)


def test_the_median_is_of_what_is_open() -> None:
    rng = np.random.default_rng(0)
    planes = rng.random((5, 9, 8, 3)).astype(np.float32)
    opens = rng.random((5, 9, 8)) < 0.5
    opens[:, 0, 0], opens[:, 0, 1] = False, True
    agreed = choice._agreed(planes, opens)
    for y, x in np.ndindex(9, 8):
        seen = planes[opens[:, y, x], y, x]
        wanted = np.median(seen, axis=0) if len(seen) else np.zeros(3)
        assert np.allclose(agreed[y, x], wanted, atol=1e-6)
    assert agreed.dtype == np.float32
