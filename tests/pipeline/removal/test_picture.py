"""Margins and transparent pixels are no picture: nothing reads them, nothing changes them."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.removal.picture import picture_of
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Mask, Outcome, Photo, Pixels, Status
from tests.support.scenes import scene

BORDER = 16


@pytest.fixture
def remover(red_is_person: None) -> ObjectRemover:
    return ObjectRemover(Settings(probe=False, compare=("telea",)))


def framed(colour: int, rgb: Pixels) -> Pixels:
    """The picture in a frame."""
    pad = ((BORDER, BORDER), (BORDER, BORDER), (0, 0))
    return np.pad(rgb, pad, constant_values=colour)


def clean(remover: ObjectRemover, photo: Photo, mask: Mask | None, dilate: int = 0) -> Outcome:
    settings = Settings(probe=False, compare=("telea",), dilate=dilate)
    classes = ["person"] if mask is None else []
    return remover.clean(photo, Removal.from_settings(settings, classes, mask))


@pytest.mark.parametrize("colour", [0, 255])
def test_a_framed_photo_is_cleaned_as_the_photo_is(remover: ObjectRemover, colour: int) -> None:
    """A hole at the margin, which covers some of it: the margin stays, the picture is filled."""
    rgb = scene(person=(60, 90, 30, 30))
    alone = clean(remover, Photo(rgb), None)
    whole = framed(colour, rgb)
    for mask in (None, red(whole, beyond=6)):
        outcome = clean(remover, Photo(whole), mask)
        assert outcome.result is not None
        assert outcome.mask is not None
        inner = slice(BORDER, -BORDER), slice(BORDER, -BORDER)
        if mask is None:
            assert alone.result is not None
            assert np.array_equal(outcome.result[inner], alone.result)
            assert outcome.holes[0].routing == alone.holes[0].routing
        else:
            assert np.array_equal(outcome.mask, mask)
            assert "touches the bottom border" in outcome.holes[0].routing.why
        margin = np.ones(whole.shape[:2], bool)
        margin[inner] = False
        assert (outcome.result[margin] == colour).all()
        assert np.array_equal(outcome.result[~outcome.mask], whole[~outcome.mask])
        assert outcome.hole_share == outcome.mask.mean()
        assert outcome.holes[0].share == pytest.approx(outcome.mask[inner].sum() / margin.size)
        hole = outcome.mask.copy()
        hole[margin] = False
        y, x = np.nonzero(hole)
        assert outcome.holes[0].box.as_list() == [
            x.min(),
            y.min(),
            np.ptp(x) + 1,
            np.ptp(y) + 1,
        ]
        (compared,) = outcome.compared.values()
        assert np.array_equal(compared[~outcome.mask], whole[~outcome.mask])


def test_what_an_object_covers_of_the_margin_gets_the_margins_colour(
    remover: ObjectRemover,
) -> None:
    whole = framed(255, scene(person=(60, 90, 30, 30)))
    rows, columns = np.nonzero(red(whole))
    whole[rows.max() :, columns.min() : columns.max() + 1] = (255, 0, 0)
    mask = red(whole)
    assert mask[-1].any()
    outcome = clean(remover, Photo(whole), mask)
    assert outcome.result is not None
    assert (outcome.result[-BORDER:] == 255).all()
    assert not red(outcome.result).any()


def test_each_of_two_margins_inside_each_other_gets_its_own_colour(remover: ObjectRemover) -> None:
    """A film's bars within a white border: the bars are not copied into the hole."""
    whole = framed(255, framed(0, scene(person=(60, 90, 30, 30))))
    rows, columns = np.nonzero(red(whole))
    expected = whole.copy()
    whole[rows.max() :, columns.min() : columns.max() + 1] = (255, 0, 0)
    outcome = clean(remover, Photo(whole), red(whole))
    assert outcome.result is not None
    assert np.array_equal(outcome.result[-2 * BORDER :], expected[-2 * BORDER :])
    filled = outcome.result[red(whole)][: 30 * 30]
    assert (filled.min(1) > 0).mean() > 0.99


def test_a_cut_out_has_no_margins() -> None:
    whole = framed(255, scene())
    alpha = np.full(whole.shape[:2], 255, np.uint8)
    assert picture_of(Photo(whole, alpha), None) is not None
    alpha[30:40, 30:40] = 0
    picture = picture_of(Photo(whole, alpha), None)
    assert picture is not None
    assert not picture.margins
    assert np.array_equal(picture.outside, alpha == 0)


def red(rgb: Pixels, beyond: int = 0) -> Mask:
    """The person, and so many pixels below it."""
    mask = (rgb == (255, 0, 0)).all(2)
    for _ in range(beyond):
        mask[1:] |= mask[:-1].copy()
    return mask


def test_a_mask_on_the_margin_alone_is_about_the_margin(remover: ObjectRemover) -> None:
    whole = framed(255, scene(person=None))
    whole[4:10, 20:60] = 30  # a date on the frame
    mask = np.zeros(whole.shape[:2], bool)
    mask[2:12, 18:62] = True
    outcome = clean(remover, Photo(whole), mask)
    assert outcome.result is not None
    assert outcome.mask is not None
    assert np.array_equal(outcome.mask, mask)


@pytest.mark.parametrize("given", [True, False])
def test_colours_under_alpha_0_are_neither_read_nor_changed(
    remover: ObjectRemover, given: bool
) -> None:
    rgb = scene(person=(60, 60, 30, 40))
    yy, xx = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    alpha = np.where(np.hypot(yy - 50, xx - 75) < 45, 255, 0).astype(np.uint8)
    mask = red(rgb) if given else None
    results = []
    for hidden in ((0, 0, 0), (0, 255, 255)):
        photo = np.where(alpha[..., None] > 0, rgb, np.uint8(hidden)).astype(np.uint8)
        outcome = clean(remover, Photo(photo, alpha), mask)
        assert outcome.result is not None
        assert outcome.mask is not None
        assert np.array_equal(outcome.result[alpha == 0], photo[alpha == 0])
        assert not outcome.mask[alpha == 0].any()
        assert outcome.mask.any()
        results.append(outcome)
    assert np.array_equal(results[0].mask, results[1].mask)
    first, second = (outcome.result for outcome in results)
    assert first is not None
    assert second is not None
    assert np.array_equal(first[alpha > 0], second[alpha > 0])
    assert np.array_equal(
        results[0].compared["telea"][alpha > 0], results[1].compared["telea"][alpha > 0]
    )
    assert results[0].holes[0].seam == results[1].holes[0].seam


def test_a_mask_on_transparent_pixels_alone_changes_nothing(remover: ObjectRemover) -> None:
    rgb = scene()
    alpha = np.full(rgb.shape[:2], 255, np.uint8)
    alpha[:, :40] = 0
    mask = np.zeros(rgb.shape[:2], bool)
    mask[20:50, 5:30] = True
    outcome = clean(remover, Photo(rgb, alpha), mask)
    assert (outcome.status, outcome.result) == (Status.UNCHANGED, None)


def test_the_selection_is_of_the_whole_photo(remover: ObjectRemover) -> None:
    whole = framed(255, scene(person=(60, 40, 20, 30)))
    removal = Removal.from_settings(Settings(dilate=0), ["person"])
    selection = remover.select(Photo(whole), removal)
    assert selection.hole_mask.shape == whole.shape[:2]
    assert selection.holes[0].box.as_list() == pytest.approx(
        [60 + BORDER, 40 + BORDER, 20, 30], abs=3
    )
    assert not selection.hole_mask[:BORDER].any()
