"""What a person decided, matched with what is found, and that it decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.networks import Networks
from remove_objects.pipeline.removal.picked import GO, STAY, decide_picked, overlap
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Box, FoundObject, Outcome, Photo, Pick, Status
from tests.support.scenes import scene

SETTINGS = Settings(probe=False, offline=True, along=())
LARGE, MIDDLE, SMALL = Box(100, 60, 60, 140), Box(230, 90, 40, 90), Box(30, 120, 16, 40)


def found(number: int, box: Box, category: str = "person") -> FoundObject:
    return FoundObject(number, category, box, 0.01, 0.9, why="requested")


def test_overlap() -> None:
    assert overlap(Box(0, 0, 10, 10), Box(0, 0, 10, 10)) == 1
    assert overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap(Box(0, 0, 10, 10), Box(20, 0, 10, 10)) == 0
    assert overlap(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0


def test_the_number_decides_where_the_box_fits() -> None:
    # Both boxes overlap with both picks, and each pick with the other object more.
    objects = [found(1, Box(0, 0, 100, 100)), found(2, Box(20, 0, 100, 100))]
    picks = [Pick(1, "person", Box(18, 0, 100, 100), True), Pick(2, "person", LARGE, False)]
    decided, unfit = decide_picked(picks, objects)
    assert set(decided) == {1}
    assert decided[1].removed
    assert unfit == (picks[1],)


def test_another_number_counts_where_its_box_fits() -> None:
    objects = [found(1, LARGE), found(2, MIDDLE), found(3, SMALL)]
    # What was number 1 vanished: everybody else moved up.
    picks = [
        Pick(1, "person", Box(0, 0, 20, 20), True),
        Pick(2, "person", LARGE, False),
        Pick(3, "person", MIDDLE.shifted(2, 1), True),
        Pick(4, "person", SMALL, False),
    ]
    decided, unfit = decide_picked(picks, objects)
    assert {n: (one.removed, one.why) for n, one in decided.items()} == {
        1: (False, STAY),
        2: (True, GO),
        3: (False, STAY),
    }
    assert unfit == (picks[0],)


def test_the_best_box_is_taken_and_each_object_once() -> None:
    objects = [found(7, Box(0, 0, 100, 100))]
    picks = [
        Pick(1, "person", Box(40, 0, 100, 100), True),
        Pick(2, "person", Box(10, 0, 100, 100), False),
    ]
    decided, unfit = decide_picked(picks, objects)
    assert not decided[7].removed
    assert unfit == (picks[0],)


@pytest.mark.parametrize(
    "pick",
    [Pick(1, "dog", LARGE, False), Pick(1, "person", LARGE.shifted(0, 50), False)],
)
def test_another_class_or_place_fits_nothing(pick: Pick) -> None:
    assert decide_picked([pick], [found(1, LARGE)]) == ({}, (pick,))


def test_a_pick_ends_the_doubt() -> None:
    doubtful = replace(found(1, LARGE), removed=False, doubtful=True)
    decided, _ = decide_picked([Pick(1, "person", LARGE, False)], [doubtful])
    assert not decided[1].doubtful


# --- in a photo -----------------------------------------------------------------------------------


@pytest.fixture
def _parts_are_objects(monkeypatch: pytest.MonkeyPatch, red_is_person: None) -> None:
    monkeypatch.setattr(Networks, "instances", None)


def picture(*people: Box, margin: int = 0) -> np.ndarray:
    rgb = scene(240, 320, person=(0, 0, 1, 1))
    rgb[:2, :2] = rgb[4, 4]
    for box in people:
        rgb[box.slices] = (255, 0, 0)
    return np.pad(rgb, ((margin, margin), (margin, margin), (0, 0)))


def clean(
    rgb: np.ndarray, picks: list[Pick], settings: Settings = SETTINGS, *, dry_run: bool = False
) -> Outcome:
    removal = Removal.from_settings(settings, ["person"], picks=tuple(picks), dry_run=dry_run)
    return ObjectRemover(settings).clean(Photo(rgb), removal)


@pytest.mark.usefixtures("_parts_are_objects")
@pytest.mark.parametrize("options", [{}, {"keep": "largest"}, {"min_size": 0.5}])
def test_picks_come_before_the_other_options(options: dict[str, object]) -> None:
    rgb = picture(SMALL, LARGE, MIDDLE)
    picks = [
        Pick(1, "person", LARGE, True),
        Pick(2, "person", MIDDLE, False),
        Pick(3, "person", SMALL, True),
    ]
    outcome = clean(rgb, picks, replace(SETTINGS, **options))  # type: ignore[arg-type]
    assert [(one.removed, one.why) for one in outcome.objects] == [
        (True, GO),
        (False, STAY),
        (True, GO),
    ]
    assert outcome.result is not None
    assert (outcome.result[MIDDLE.slices] == rgb[MIDDLE.slices]).all()
    assert not (outcome.result[LARGE.slices] == (255, 0, 0)).all(2).any()
    assert outcome.warnings == ()


@pytest.mark.usefixtures("_parts_are_objects")
def test_objects_without_a_pick_follow_the_other_options() -> None:
    rgb = picture(SMALL, LARGE, MIDDLE)
    picks = [Pick(1, "person", LARGE, True)]
    outcome = clean(rgb, picks, replace(SETTINGS, min_size=0.02))
    assert [one.removed for one in outcome.objects] == [True, True, False]
    assert "--min-size" in outcome.objects[2].why


@pytest.mark.usefixtures("_parts_are_objects")
def test_a_pick_that_fits_nothing_is_told_and_for_review() -> None:
    gone = Pick(9, "person", Box(280, 10, 30, 30), False)
    outcome = clean(picture(LARGE), [Pick(1, "person", LARGE, True), gone])
    assert outcome.status is Status.REVIEW
    said = "picked objects were not found: person 9 at the upper right"
    assert outcome.warnings == (said,)
    assert said in outcome.reason


@pytest.mark.usefixtures("_parts_are_objects")
def test_it_is_told_of_a_photo_without_objects_too() -> None:
    outcome = clean(picture(), [Pick(1, "person", LARGE, False)])
    assert outcome.status is Status.REVIEW
    assert outcome.reason.startswith("no person was found")
    assert outcome.result is None
    assert len(outcome.warnings) == 1


@pytest.mark.usefixtures("_parts_are_objects")
def test_everybody_may_stay() -> None:
    outcome = clean(picture(LARGE), [Pick(1, "person", LARGE, False)])
    assert outcome.status is Status.UNCHANGED
    assert outcome.reason == "everything that was found stays (--picks)"


@pytest.mark.usefixtures("_parts_are_objects")
def test_picks_are_of_the_photo_with_its_margins() -> None:
    rgb = picture(SMALL, LARGE, margin=30)
    large = LARGE.shifted(30, 30)
    outcome = clean(rgb, [Pick(1, "person", large, False)], dry_run=True)
    assert [one.removed for one in outcome.objects] == [False, True]
    assert overlap(outcome.objects[0].box, large) > 0.9
    assert outcome.warnings == ()
    assert outcome.labels is not None
    assert outcome.labels.shape == rgb.shape[:2]
    assert (outcome.labels[large.slices] == 1).mean() > 0.9


@pytest.mark.usefixtures("_parts_are_objects")
def test_only_a_dry_run_holds_the_labels() -> None:
    picks = [Pick(1, "person", LARGE, True)]
    assert clean(picture(LARGE), picks).labels is None
    assert clean(picture(LARGE), picks, dry_run=True).labels is not None
