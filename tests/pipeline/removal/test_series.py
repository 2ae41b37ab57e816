"""What the photos of a series lend to a removal, from alignment to the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.inpaint.series.alignment import features_of
from remove_objects.pipeline.networks import Networks
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.removal.series import Hidden, SeriesPhoto, borrowed, may_move
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Mask, Outcome, Photo
from tests.support.places import SIZE, box_mask, hand, other_light, place, taken
from tests.support.tiny_effects import SeesColours

PERSON = box_mask(130, 80, 40, 70)
ELSEWHERE = box_mask(30, 90, 40, 70)
RED = (255, 0, 0)
SETTINGS = Settings(segmenter="compact", probe=False, offline=True, dilate=0)
BORDER = 16


@pytest.fixture
def remover(red_is_person: None) -> ObjectRemover:
    return ObjectRemover(SETTINGS)


def with_person(rgb: np.ndarray, where: Mask) -> np.ndarray:
    """The photo with somebody in it."""
    result = rgb.copy()
    result[where] = np.array(RED) * (np.iinfo(rgb.dtype).max // 255)
    return result


def lender(
    name: str = "b.jpg", move: np.ndarray | None = None, where: Mask = ELSEWHERE, seed: int = 0
) -> np.ndarray:
    """Another photo of the place, in other light, with somebody elsewhere."""
    return with_person(other_light(taken(place(seed), move)), where)


def as_series(
    remover: ObjectRemover, photos: dict[str, np.ndarray], removal: Removal, fixed: bool = False
) -> list[SeriesPhoto]:
    """Other photos as a worker lends them."""
    found = []
    for name, rgb in photos.items():
        hidden = remover.hidden(Photo(rgb), removal)
        features = None if fixed else features_of(rgb, hidden.covered)
        found.append(SeriesPhoto(name, rgb, hidden, features))
    return found


def levels(outcome: Outcome, truth: np.ndarray, where: Mask) -> float:
    """Mean error in grey levels of 8 bits."""
    assert outcome.result is not None
    white = np.iinfo(truth.dtype).max
    difference = np.abs(outcome.result.astype(float) - truth)[where]
    return float(difference.mean() * 255 / white)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("fixed", [True, False])
def test_the_true_background_comes_back(remover: ObjectRemover, fixed: bool, dtype: type) -> None:
    factor = 1 if dtype is np.uint8 else 257
    truth = taken(place()).astype(dtype) * factor
    photo = with_person(truth, PERSON)
    other = lender(move=None if fixed else hand()).astype(dtype) * factor
    removal = Removal.from_settings(SETTINGS, ["person"])
    series = as_series(remover, {"b.jpg": other}, removal, fixed)
    together = remover.clean(Photo(photo), removal, series=series)
    alone = remover.clean(Photo(photo), removal)
    assert together.mask is not None
    assert np.array_equal(together.mask, PERSON)
    assert together.result is not None
    assert together.result.dtype == dtype
    assert np.array_equal(together.result[~PERSON], photo[~PERSON])
    assert levels(together, truth, PERSON) < 5
    assert levels(alone, truth, PERSON) > 15
    (hole,) = together.holes
    assert hole.borrowed == {"b.jpg": pytest.approx(1, abs=0.01)}
    assert alone.holes[0].borrowed == {}
    assert hole.score is not None
    assert alone.holes[0].score is not None
    assert hole.score < 0.5 * alone.holes[0].score
    assert "series" in together.stages
    assert "series" not in alone.stages


def test_what_no_photo_shows_is_filled_by_the_inpainter(remover: ObjectRemover) -> None:
    """Somebody stands in the other photo before the right half of the hole."""
    truth = taken(place())
    photo, stands = with_person(truth, PERSON), box_mask(150, 60, 60, 110)
    removal = Removal.from_settings(SETTINGS, ["person"])
    series = as_series(remover, {"b.jpg": lender(where=stands)}, removal, fixed=True)
    outcome = remover.clean(Photo(photo), removal, series=series)
    assert outcome.result is not None
    left, right = PERSON & ~stands, PERSON & stands
    assert levels(outcome, truth, left) < 6
    assert levels(outcome, truth, right) > 15
    assert not (outcome.result == RED).all(2).any()
    (hole,) = outcome.holes
    assert hole.borrowed == {"b.jpg": pytest.approx(0.5, abs=0.05)}


def test_a_photo_of_another_place_lends_nothing(remover: ObjectRemover) -> None:
    photo = with_person(taken(place()), PERSON)
    removal = Removal.from_settings(SETTINGS, ["person"])
    alone = remover.clean(Photo(photo), removal)
    for fixed in (True, False):
        series = as_series(remover, {"b.jpg": lender(seed=4)}, removal, fixed)
        outcome = remover.clean(Photo(photo), removal, series=series)
        assert outcome.holes[0].borrowed == {}
        assert np.array_equal(np.asarray(outcome.result), np.asarray(alone.result))
        assert outcome.score == alone.score


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_camera_that_is_said_to_be_fixed_and_moved_lends_nothing(
    remover: ObjectRemover, dtype: type
) -> None:
    """Beside the hole is flat sky, in which nothing tells that the camera moved."""
    sky, scale = box_mask(80, 30, 150, 160), np.iinfo(dtype).max // 255
    removal, shares = Removal.from_settings(SETTINGS, mask=PERSON), []
    scene = taken(place())
    for move in (0, 12):
        photo, other = scene.copy(), np.roll(scene, move, axis=1)
        photo[sky], other[sky] = 120, 120
        photo, other = ((one.astype(int) * scale).astype(dtype) for one in (photo, other))
        series = [SeriesPhoto("b", other, Hidden.surely(np.zeros(SIZE, bool)), None)]
        outcome = remover.clean(Photo(photo), removal, series=series)
        shares.append(outcome.holes[0].borrowed.get("b", 0.0))
    assert shares == [pytest.approx(1, abs=0.01), 0]


def in_grey(rgb: np.ndarray) -> np.ndarray:
    return rgb[..., 1:2].repeat(3, 2)


@pytest.mark.parametrize("tone", [(1, 1, 1), (1.1, 0.95, 0.75)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_photo_of_one_tone_lends_a_photo_in_colour_nothing(
    remover: ObjectRemover, dtype: type, tone: tuple[float, float, float]
) -> None:
    """Nor does one in colour lend it something: black and white, and sepia."""
    scale = np.iinfo(dtype).max // 255
    truth = (taken(place()).astype(int) * scale).astype(dtype)
    removal = Removal.from_settings(SETTINGS, ["person"])
    toned = (in_grey(taken(place(), hand())) * np.array(tone)).clip(0, 255).astype(np.uint8)
    nobody = Hidden.surely(ELSEWHERE)
    other = with_person(toned, ELSEWHERE)
    pairs = [(truth, other)] if tone == (1, 1, 1) else [(truth, other), (toned, truth)]
    for photo, lends in pairs:
        series = [SeriesPhoto("b", lends, nobody, features_of(lends, ELSEWHERE))]
        outcome = remover.clean(Photo(with_person(photo, PERSON)), removal, series=series)
        assert outcome.holes[0].borrowed == {}


def test_a_photo_in_colour_lends_a_black_and_white_photo_grey(remover: ObjectRemover) -> None:
    truth = in_grey(taken(place()))
    removal = Removal.from_settings(SETTINGS, mask=PERSON)
    # Its colours vary where the ground is grey.
    other = truth.astype(int)
    other[..., 0] += (20 * np.sin(np.arange(SIZE[1]) / 9)).astype(int)
    other = other.clip(0, 255).astype(np.uint8)
    series = [SeriesPhoto("b", other, Hidden.surely(np.zeros(SIZE, bool)), None)]
    outcome = remover.clean(Photo(with_person(truth, PERSON)), removal, series=series)
    assert outcome.holes[0].borrowed == {"b": pytest.approx(1, abs=0.01)}
    assert outcome.result is not None
    assert np.ptp(outcome.result[PERSON].astype(int), axis=-1).max() <= 2


def test_nothing_that_is_covered_and_nothing_under_the_hole_is_read(
    remover: ObjectRemover,
) -> None:
    """Neither who goes nor who is covered elsewhere changes a pixel of the result."""
    removal = Removal.from_settings(SETTINGS, mask=PERSON)
    results = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        photo, other = taken(place()), lender(move=hand())
        photo[PERSON] = rng.integers(0, 255, (int(PERSON.sum()), 3))
        other[ELSEWHERE] = rng.integers(0, 255, (int(ELSEWHERE.sum()), 3))
        series = [SeriesPhoto("b", other, Hidden.surely(ELSEWHERE), features_of(other, ELSEWHERE))]
        outcome = remover.clean(Photo(photo), removal, series=series)
        assert outcome.holes[0].borrowed
        assert outcome.result is not None
        results.append(outcome.result)
    assert np.array_equal(*results)


def test_the_same_photos_give_the_same_result(remover: ObjectRemover) -> None:
    photo, removal = (
        with_person(taken(place()), PERSON),
        Removal.from_settings(SETTINGS, ["person"]),
    )
    others = {"b": lender(move=hand()), "c": lender(move=hand(-2, 0.98, -8, 5))}
    outcomes = []
    for _ in range(2):
        series = as_series(remover, others, removal)
        outcomes.append(remover.clean(Photo(photo), removal, series=series))
    first, second = outcomes
    assert set(first.holes[0].borrowed) <= {"b", "c"}
    assert first.holes == second.holes
    assert np.array_equal(np.asarray(first.result), np.asarray(second.result))


@pytest.mark.parametrize("fixed", [True, False])
def test_a_photo_with_margins_borrows_for_its_picture(remover: ObjectRemover, fixed: bool) -> None:
    """Places of the box of the picture are those of the photo when a camera did not move."""

    def framed(rgb: np.ndarray) -> np.ndarray:
        pad = ((BORDER, BORDER), (2 * BORDER, 2 * BORDER), (0, 0))
        return np.pad(rgb, pad, constant_values=255)

    truth = framed(taken(place()))
    where = np.pad(PERSON, ((BORDER, BORDER), (2 * BORDER, 2 * BORDER)))
    photo = framed(with_person(taken(place()), PERSON))
    other = framed(lender(move=None if fixed else hand()))
    removal = Removal.from_settings(SETTINGS, ["person"])
    series = as_series(remover, {"b": other}, removal, fixed)
    assert series[0].hidden.covered[:BORDER].all()
    outcome = remover.clean(Photo(photo), removal, series=series)
    assert outcome.mask is not None
    assert np.array_equal(outcome.mask, where)
    assert levels(outcome, truth, where) < 5
    assert np.array_equal(np.asarray(outcome.result)[~where], photo[~where])
    assert outcome.holes[0].borrowed == {"b": pytest.approx(1, abs=0.01)}


def test_a_series_is_asked_only_for_a_hole(remover: ObjectRemover) -> None:
    class Asked:
        """Notes that it was asked."""

        count = 0

        def __iter__(self) -> Iterator[SeriesPhoto]:
            self.count += 1
            return iter(())

    asked, removal = Asked(), Removal.from_settings(SETTINGS, ["person"])
    rgb = taken(place())
    remover.clean(Photo(rgb), removal, series=asked)
    remover.clean(Photo(with_person(rgb, PERSON)), replace(removal, dry_run=True), series=asked)
    assert asked.count == 0
    remover.clean(Photo(with_person(rgb, PERSON)), removal, series=asked)
    assert asked.count == 1


def test_photos_are_loaded_one_at_a_time() -> None:
    """Each is used before the next one is asked for, for all holes."""
    rgb, mask = taken(place()), PERSON | ELSEWHERE
    holes = find_holes(mask)
    assert len(holes) == 2
    order: list[str] = []

    def photos(names: Sequence[str]) -> Iterator[SeriesPhoto]:
        for name in names:
            order.append(name)
            yield SeriesPhoto(name, rgb, Hidden.surely(np.zeros(SIZE, bool)), None)

    first, second = borrowed(rgb, mask, holes, photos("bcd"))
    assert order == ["b", "c", "d"]
    assert first is not None
    assert second is not None
    assert sum(first.shares.values()) == pytest.approx(1)
    assert sum(second.shares.values()) == pytest.approx(1)


class TestCovered:
    """``ObjectRemover.hidden``: where a photo does not show the place."""

    def test_whoever_stays_is_covered(self, remover: ObjectRemover) -> None:
        small = box_mask(250, 100, 14, 20)
        photo = Photo(with_person(with_person(taken(place()), PERSON), small))
        for choice in ({"min_size": 0.02}, {"keep": "largest"}, {"max_size": 0.02}):
            settings = replace(SETTINGS, **choice)
            removal = Removal.from_settings(settings, ["person"])
            removed = remover.select(photo, removal).hole_mask
            assert (removed & (PERSON | small)).sum() < (PERSON | small).sum()
            assert np.array_equal(remover.hidden(photo, removal).covered, PERSON | small)
        picked = replace(Removal.from_settings(SETTINGS, ["person"]), all_stay="all stay")
        assert not remover.select(photo, picked).hole_mask.any()
        assert np.array_equal(remover.hidden(photo, picked).covered, PERSON | small)

    def test_what_goes_along_or_may_do_so_is_covered(
        self, remover: ObjectRemover, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Networks, "effects", SeesColours(faint=0.8))
        ground = np.full((240, 320, 3), 200, np.uint8)
        ground[..., 2] = 150
        person = box_mask(100, 60, 40, 80)
        removal = Removal.from_settings(SETTINGS, ["person"])
        for grey in (50, 100):
            rgb = with_person(ground, person)
            shadow = box_mask(140, 122, 60, 18)
            rgb[shadow] = grey
            covered = remover.hidden(Photo(rgb), removal).covered
            assert covered[person].all()
            assert covered[shadow].mean() > 0.8
            assert covered.mean() < 0.2

    def test_nobody_covers_nothing(self, remover: ObjectRemover) -> None:
        removal = Removal.from_settings(SETTINGS, ["person"])
        assert not remover.hidden(Photo(taken(place())), removal).covered.any()

    def test_an_own_mask_is_covered(self, remover: ObjectRemover) -> None:
        removal = Removal.from_settings(SETTINGS, mask=ELSEWHERE)
        photo = Photo(with_person(taken(place()), PERSON))
        assert np.array_equal(remover.hidden(photo, removal).covered, ELSEWHERE)

    def test_what_is_no_picture_is_covered(self, remover: ObjectRemover) -> None:
        rgb = with_person(taken(place()), PERSON)
        removal = Removal.from_settings(SETTINGS, ["person"])
        alpha = np.full(SIZE, 255, np.uint8)
        alpha[:40, :60] = 0
        covered = remover.hidden(Photo(rgb, alpha), removal).covered
        assert covered[:40, :60].all()
        assert covered[PERSON].all()
        assert not covered[200:, 200:].any()


class TestDoubtful:
    """``Hidden.doubtful``: what may have moved meanwhile."""

    def test_other_classes_that_move_are_in_doubt_and_furniture_is_not(self) -> None:
        seen = np.zeros((21, 24, 32), np.float32)
        seen[0] = 1
        for name, column in (("dog", 4), ("chair", 14), ("person", 24)):
            here = slice(8, 16), slice(column, column + 4)
            seen[(CATEGORIES.index(name), *here)], seen[(0, *here)] = 0.4, 0.6
        covered = box_mask(235, 60, 80, 120)
        found = may_move(seen, covered.shape, ["person"], 2)
        assert found[80:160, 40:80].mean() > 0.95
        assert not found[:, 120:200].any()
        assert found[80:160, 240:280].mean() > 0.95
        assert may_move(seen, covered.shape, ["chair"], 2)[80:160, 140:180].mean() > 0.95

    def test_a_dog_that_a_neighbour_shows_is_not_taken_into_a_persons_hole(
        self, remover: ObjectRemover
    ) -> None:
        """What somebody hides is in another photo partly hidden by a dog that runs by."""
        truth = taken(place())
        photo = with_person(truth, PERSON)
        walker = box_mask(140, 100, 14, 30)
        other = lender(move=None)
        other[walker] = (20, 230, 40)

        def green(rgb: np.ndarray, *_: object) -> np.ndarray:
            seen = np.zeros((21, *rgb.shape[:2]), np.float32)
            seen[CATEGORIES.index("dog")] = (rgb == (20, 230, 40)).all(2)
            seen[0] = 1 - seen[1:].sum(0)
            return seen

        removal = Removal.from_settings(SETTINGS, ["person"])
        (plain,) = as_series(remover, {"b.jpg": other}, removal)
        covered = plain.hidden.covered
        assert not (covered & walker).any()
        doubt = may_move(green(other), covered.shape, ["person"], 1) & ~covered
        for hidden, is_taken in ((Hidden(covered, doubt), False), (Hidden.surely(covered), True)):
            series = [plain._replace(hidden=hidden)]
            outcome = remover.clean(Photo(photo), removal, series=series)
            assert outcome.result is not None
            far = np.abs(outcome.result[walker].astype(int) - (20, 230, 40)).max(1)
            assert (far < 60).mean() > 0.8 if is_taken else (far < 60).mean() < 0.05
