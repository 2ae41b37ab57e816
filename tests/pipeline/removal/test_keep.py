"""Who goes and who stays, and that those who stay are safe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings, auto_dilate, parse_keep
from remove_objects.pipeline.detect.faces import FaceDetector
from remove_objects.pipeline.detect.mask import dilate
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.networks import Networks
from remove_objects.pipeline.removal import keep, main_people, objects
from remove_objects.pipeline.removal.main_people import Traits, log_odds
from remove_objects.pipeline.removal.objects import Objects
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.storage.location import as_location
from remove_objects.pipeline.types import Box, Face, Outcome, Photo, Status
from tests.support.scenes import scene

SETTINGS = Settings(probe=False, offline=True, along=())
LARGE, MIDDLE, SMALL = Box(100, 60, 60, 140), Box(230, 90, 40, 90), Box(30, 120, 16, 40)


@pytest.fixture(autouse=True)
def parts_are_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connected parts are objects."""
    monkeypatch.setattr(Networks, "instances", None)


def picture(*people: Box) -> np.ndarray:
    rgb = scene(240, 320, person=(0, 0, 1, 1))
    rgb[:2, :2] = rgb[4, 4]
    for box in people:
        rgb[box.slices] = (255, 0, 0)
    return rgb


def clean(rgb: np.ndarray, settings: Settings = SETTINGS, *, dry_run: bool = False) -> Outcome:
    remover = ObjectRemover(settings)
    return remover.clean(Photo(rgb), Removal.from_settings(settings, ["person"], dry_run=dry_run))


def test_objects_are_listed_the_largest_first(red_is_person: None) -> None:
    outcome = clean(picture(SMALL, LARGE, MIDDLE))
    assert [one.number for one in outcome.objects] == [1, 2, 3]
    assert [one.category for one in outcome.objects] == ["person"] * 3
    assert [one.removed for one in outcome.objects] == [True] * 3
    assert {one.why for one in outcome.objects} == {"requested"}
    for one, box in zip(outcome.objects, (LARGE, MIDDLE, SMALL), strict=True):
        assert abs(one.box.x - box.x) <= 2
        assert abs(one.box.bottom - box.bottom) <= 2
        assert one.share == pytest.approx(box.area / (240 * 320), rel=0.12)
        assert one.confidence > 0.8


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"keep": "largest"}, [1]),
        ({"keep": "largest:2"}, [1, 2]),
        ({"min_size": 0.02}, [3]),
        ({"max_size": 0.05}, [1]),
        ({"min_size": 0.02, "max_size": 0.05}, [1, 3]),
        ({"keep": "largest:1", "min_size": 0.02}, [1, 3]),
    ],
)
def test_who_is_kept_stays_as_it_is(
    red_is_person: None, options: dict[str, object], kept: list[int]
) -> None:
    rgb = picture(SMALL, LARGE, MIDDLE)
    outcome = clean(rgb, replace(SETTINGS, **options))  # type: ignore[arg-type]
    assert [one.number for one in outcome.objects if not one.removed] == kept
    assert outcome.mask is not None
    assert outcome.result is not None
    for number, box in enumerate((LARGE, MIDDLE, SMALL), 1):
        if number in kept:
            assert not outcome.mask[box.slices].any()
            assert (outcome.result[box.slices] == rgb[box.slices]).all()
        else:
            assert outcome.mask[box.slices].all()
    # Who stays is no residue, and nothing that was left.
    assert outcome.leftovers == ()


def test_nobody_is_left_to_go(red_is_person: None) -> None:
    outcome = clean(picture(LARGE, SMALL), replace(SETTINGS, keep="largest:5"))
    assert outcome.status is Status.UNCHANGED
    assert outcome.reason == "everything that was found stays (--keep largest:5)"
    assert [one.removed for one in outcome.objects] == [False, False]


def test_a_hole_stops_at_who_stays(red_is_person: None) -> None:
    """A stranger stands 2 pixels from the one who stays: the dilation would reach over."""
    stranger = Box(LARGE.right + 2, 100, 30, 80)
    rgb = picture(LARGE, stranger)
    outcome = clean(rgb, replace(SETTINGS, keep="largest", dilate=8))
    assert len(outcome.objects) == 2
    assert outcome.mask is not None
    assert not outcome.mask[LARGE.slices].any()
    assert outcome.mask[stranger.slices].all()


def test_who_stays_is_no_source_of_texture(red_is_person: None) -> None:
    outcome = clean(picture(LARGE, MIDDLE), replace(SETTINGS, keep="largest"))
    assert outcome.result is not None
    assert outcome.mask is not None
    filled = outcome.result[outcome.mask].astype(int)
    red = (filled[:, 0] > 180) & (filled[:, 1] < 80) & (filled[:, 2] < 80)
    assert red.mean() < 0.01


def test_faces_decide(red_is_person: None, monkeypatch: pytest.MonkeyPatch) -> None:
    face = Face(Box(MIDDLE.x + 8, MIDDLE.y + 4, 24, 24), 0.9)
    monkeypatch.setattr(FaceDetector, "detect", lambda *_: [face])
    outcome = clean(picture(LARGE, MIDDLE), replace(SETTINGS, keep="faces"))
    assert [(one.removed, one.why) for one in outcome.objects] == [
        (True, "requested"),
        (False, "looks at the camera"),
    ]


def test_a_profile_does_not_look_at_the_camera(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = Face(Box(MIDDLE.x + 8, MIDDLE.y + 4, 24, 24), 0.9, turn=0.8)
    monkeypatch.setattr(FaceDetector, "detect", lambda *_: [face])
    outcome = clean(picture(LARGE, MIDDLE), replace(SETTINGS, keep="faces"))
    assert all(one.removed for one in outcome.objects)


@pytest.fixture
def by_height(monkeypatch: pytest.MonkeyPatch) -> None:
    """Main is who takes 0.06 of the photo, surely from a little more on."""
    areas = {"area": 10.0}  # LARGE takes 0.11 of the photo, the doubtful one 0.064
    monkeypatch.setattr(main_people, "SLOPES", areas)
    monkeypatch.setattr(main_people, "BASE", -10 * float(np.log(0.06)) + keep.DOUBT)
    monkeypatch.setattr(FaceDetector, "detect", lambda *_: [])


def test_main_people_stay(red_is_person: None, by_height: None) -> None:
    outcome = clean(picture(LARGE, MIDDLE, SMALL), replace(SETTINGS, keep="main"))
    assert [one.removed for one in outcome.objects] == [False, True, True]
    assert outcome.objects[0].why == "main subject"
    assert not any("main subject" in each for each in outcome.warnings)


def test_in_doubt_a_person_stays_and_the_photo_is_reviewed(
    red_is_person: None, by_height: None
) -> None:
    doubtful = Box(230, 80, 40, 123)  # a little more than 0.06 of the photo
    rgb = picture(LARGE, doubtful, SMALL)
    outcome = clean(rgb, replace(SETTINGS, keep="main"))
    assert [one.removed for one in outcome.objects] == [False, False, True]
    assert outcome.objects[1].why == "may be a main subject"
    assert outcome.status is Status.REVIEW
    assert "may be a bystander, and is kept: person 2 at the right" in outcome.reason
    dry = clean(rgb, replace(SETTINGS, keep="main"), dry_run=True)
    assert dry.status is Status.REVIEW
    assert "person 2" in dry.reason


def test_in_doubt_the_photo_is_reviewed_also_if_everybody_stays(
    red_is_person: None, by_height: None
) -> None:
    rgb = picture(Box(230, 80, 40, 123))
    for dry_run in (False, True):
        outcome = clean(rgb, replace(SETTINGS, keep="main"), dry_run=dry_run)
        assert outcome.status is Status.REVIEW
        assert outcome.reason == (
            "everything that was found stays (--keep main); "
            "may be a bystander, and is kept: person 1 at the right"
        )
        assert outcome.result is None
    sure = clean(picture(LARGE), replace(SETTINGS, keep="main"))
    assert sure.status is Status.UNCHANGED


def test_a_photo_without_a_main_subject_keeps_nobody_and_says_so(
    red_is_person: None, by_height: None
) -> None:
    outcome = clean(picture(MIDDLE, SMALL), replace(SETTINGS, keep="main"))
    assert [one.removed for one in outcome.objects] == [True, True]
    assert "no main subject was found: nobody is kept" in outcome.warnings
    outcome = clean(picture(MIDDLE, SMALL), replace(SETTINGS, keep="main", min_size=0.02))
    assert [one.removed for one in outcome.objects] == [True, False]
    assert "no main subject was found" in outcome.warnings


def test_objects_lie_where_the_photo_has_them_despite_a_margin(red_is_person: None) -> None:
    inner = picture(LARGE, SMALL)
    rgb = np.full((300, 400, 3), 255, np.uint8)
    rgb[30:270, 40:360] = inner
    outcome = clean(rgb, replace(SETTINGS, keep="largest"))
    first = outcome.objects[0]
    assert abs(first.box.x - LARGE.x - 40) <= 3
    assert abs(first.box.y - LARGE.y - 30) <= 3
    assert first.share == pytest.approx(LARGE.area / rgb[..., 0].size, rel=0.1)


@pytest.mark.parametrize(
    ("options", "stays"),
    [
        ({"min_size": 0.09}, True),
        ({"min_size": 0.06}, False),
        ({"max_size": 0.06}, True),
        ({"max_size": 0.09}, False),
    ],
)
def test_sizes_are_shares_of_the_photo_despite_a_margin(
    red_is_person: None, options: dict[str, float], stays: bool
) -> None:
    """LARGE takes 0.11 of the picture, and 0.07 of the photo."""
    rgb = np.full((300, 400, 3), 255, np.uint8)
    rgb[30:270, 40:360] = picture(LARGE)
    outcome = clean(rgb, replace(SETTINGS, **options))  # type: ignore[arg-type]
    (one,) = outcome.objects
    assert one.share == pytest.approx(0.07, rel=0.15)
    assert one.removed != stays


@pytest.mark.parametrize(
    ("box", "confidence", "stays"),
    [
        (Box(175, 100, 10, 20), 0.4, True),
        (Box(175, 100, 10, 20), 0.8, False),  # surely another one
        (Box(230, 100, 10, 20), 0.4, False),  # far away
        (Box(165, 60, 30, 40), 0.4, False),  # large
    ],
)
def test_a_fragment_beside_who_stays_is_a_part_of_it(
    box: Box, confidence: float, stays: bool
) -> None:
    labels = np.zeros((240, 320), np.uint16)
    labels[LARGE.slices], labels[box.slices] = 1, 2
    found = tuple(
        keep.FoundObject(n, "person", one, one.area / labels.size, sure)
        for n, (one, sure) in enumerate(((LARGE, 0.9), (box, confidence)), 1)
    )
    removal = Removal.from_settings(replace(SETTINGS, keep="largest"), ["person"])
    rgb = picture(LARGE, box)
    networks = ObjectRemover(SETTINGS).networks
    decided = keep.decided(rgb, Objects(labels, found), dict, removal, networks)
    assert decided.found[1].removed != stays
    if stays:
        assert decided.found[1].why == "seems to be a part of person 1"
        # Where fainter objects are asked for, this one is sure.
        faint = replace(removal, threshold=0.1)
        decided = keep.decided(rgb, Objects(labels, found), dict, faint, networks)
        assert decided.found[1].removed


def seen(labels: np.ndarray, **others: Box) -> np.ndarray:
    """Class probabilities that say so: the labels are people, and classes lie in boxes."""
    found = np.zeros((21, *labels.shape), np.float32)
    found[15] = labels > 0
    for name, box in others.items():
        found[CATEGORIES.index(name)][box.slices] = 1
    found[0] = 1 - found[1:].sum(0).clip(0, 1)
    return found


def people(labels: np.ndarray, *boxes: Box) -> Objects:
    for number, box in enumerate(boxes, 1):
        labels[box.slices] = number
    found = tuple(
        keep.FoundObject(n, "person", box, box.area / labels.size, 0.9)
        for n, box in enumerate(boxes, 1)
    )
    return Objects(labels, found)


def test_traits_of_a_large_sharp_face_in_the_middle() -> None:
    rng = np.random.default_rng(0)
    rgb = np.full((200, 300, 3), 120, np.uint8)
    near, far = Box(120, 40, 60, 150), Box(0, 60, 20, 60)
    rgb[near.slices] = rng.integers(0, 255, (150, 60, 3))
    objects = people(np.zeros((200, 300), np.uint16), near, far)
    face = Face(Box(140, 45, 20, 20), 0.9)
    traits = main_people.traits_of(rgb, objects, seen(objects.labels), [face])
    one, other = traits[1], traits[2]
    assert (one.group_faces, other.group_faces) == (1, 0)
    assert (one.cut, other.cut, one.beheaded, other.beheaded) == (0, 1, 0, 0)
    assert one.relative == 0 > other.relative
    assert one.sharpness > 2 > other.sharpness
    assert one.aside == one.group_aside < 0.1 < other.aside
    assert one.area == pytest.approx(np.log(9000 / 60000))
    assert one.others == pytest.approx(np.log(2))


def test_a_group_stands_where_its_middle_is_and_faces_as_one_of_it() -> None:
    """Three of like height, hand in hand from the left border on; a child and a far one apart."""
    row = [Box(2 + 40 * k, 60, 40, 100) for k in range(3)]
    child, far = Box(122, 125, 20, 35), Box(260, 60, 30, 100)
    objects = people(np.zeros((200, 300), np.uint16), *row, child, far)
    rgb = np.full((200, 300, 3), 120, np.uint8)
    face = Face(Box(15, 62, 20, 20), 0.9)
    traits = main_people.traits_of(rgb, objects, seen(objects.labels), [face])
    assert [traits[n].group_faces for n in range(1, 6)] == [1, 1, 1, 0, 0]
    middle = abs((2 + 122) / 300 - 1)
    assert [traits[n].group_aside for n in (1, 2, 3)] == pytest.approx([middle] * 3)
    assert traits[4].group_aside == traits[4].aside
    assert traits[1].aside > traits[2].aside > traits[3].aside


def test_an_animal_counts_beside_its_person_and_furniture_anywhere() -> None:
    rider, other = Box(60, 40, 40, 100), Box(240, 40, 40, 100)
    objects = people(np.zeros((200, 300), np.uint16), rider, other)
    given = seen(objects.labels, horse=Box(40, 120, 80, 60), sofa=Box(150, 150, 50, 50))
    rgb = np.full((200, 300, 3), 120, np.uint8)
    traits = main_people.traits_of(rgb, objects, given, [])
    assert traits[1].animal > -1.5 > -3.5 > traits[2].animal
    assert traits[1].furniture == traits[2].furniture > np.log(0.02)
    assert traits[1].people == pytest.approx(np.log(8000 / 60000 + 0.01), abs=0.02)


def test_somebody_of_a_pixel_has_traits() -> None:
    """Reduced to the map's size, a person may have no pixel left."""
    labels = np.zeros((2100, 3000), np.uint16)
    objects = people(labels, Box(100, 100, 900, 1500), Box(2001, 2001, 1, 1))
    rgb = np.full((*labels.shape, 3), 120, np.uint8)
    traits = main_people.traits_of(rgb, objects, seen(labels[::10, ::10]), [])
    assert all(np.isfinite(traits[2]))


def test_the_shipped_rule_prefers_who_poses() -> None:
    posing = Traits(-1.5, 0.0, 0.1, 0.1, 1.0, 0.5, 0.0, 0.0, 0.0, 0.95, -3.9, -1.5, -4.0)
    passing = Traits(-4.5, -3.0, 0.8, 0.8, 0.0, 0.0, 1.0, 0.0, 1.4, 0.7, -3.9, -1.5, -3.0)
    assert log_odds(posing) > keep.SURE
    assert log_odds(passing) < keep.DOUBT


@pytest.mark.parametrize(
    ("text", "read"),
    [("none", ("none", 0)), ("main", ("main", 0)), ("faces", ("faces", 0)),
     ("largest", ("largest", 1)), ("largest:3", ("largest", 3))],
)  # fmt: skip
def test_the_rules(text: str, read: tuple[str, int]) -> None:
    assert parse_keep(text) == read


@pytest.mark.parametrize(
    "text", ["", "mine", "main:2", "largest:0", "largest:-1", "largest:x", "largest:", "MAIN"]
)
def test_other_rules_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"largest:N"):
        Settings(keep=text)


@pytest.mark.parametrize(
    "sizes", [(-0.1, 1.0), (0.5, 0.5), (0.2, 0.1), (0.0, 1.1), (float("nan"), 1)]
)
def test_sizes_are_shares(sizes: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="min-size"):
        Settings(min_size=sizes[0], max_size=sizes[1])


def test_the_dilation_around_the_kept_is_less_than_the_holes() -> None:
    labels = np.zeros((1000, 1000), np.uint16)
    labels[400:600, 300:500], labels[400:600, 500:700] = 1, 2
    found = tuple(
        keep.FoundObject(n, "person", Box(100 + 200 * n, 400, 200, 200), 0.04, 0.9, n == 2)
        for n in (1, 2)
    )
    kept = Objects(labels, found).kept()
    assert kept is not None
    assert not kept[labels == 2].any()
    assert kept[labels == 1].all()
    around = kept.sum() - 40000
    assert 0 < around < 40000 * auto_dilate(1000, 1000) / 50
    assert Objects(labels, tuple(replace(one, removed=True) for one in found)).kept() is None


def test_each_dilation_around_the_kept_is_computed_once_for_a_photo(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []

    def counted(mask: np.ndarray, radius: int) -> np.ndarray:
        computed.append(radius)
        return dilate(mask, radius)

    monkeypatch.setattr(objects, "dilate", counted)
    outcome = clean(picture(SMALL, LARGE, MIDDLE), replace(SETTINGS, keep="largest"))
    assert outcome.result is not None
    assert len(computed) == len(set(computed)) == 2


def test_a_decided_otherwise_object_has_a_dilation_of_its_own() -> None:
    labels = np.zeros((100, 100), np.uint16)
    labels[40:60, 10:30], labels[40:60, 60:80] = 1, 2
    found = tuple(
        keep.FoundObject(n, "person", Box(50 * n - 40, 40, 20, 20), 0.04, 0.9, n == 2)
        for n in (1, 2)
    )
    first = Objects(labels, found)
    kept = first.kept()
    assert kept is not None
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = True
    other = replace(first, found=tuple(replace(one, removed=not one.removed) for one in found))
    kept = other.kept()
    assert kept is not None
    assert kept[labels == 2].all()
    assert not kept[labels == 1].any()


@pytest.mark.parametrize("options", [{"keep": "main"}, {"min_size": 0.1}, {"max_size": 0.5}])
def test_own_masks_say_themselves_what_goes(options: dict[str, object], tmp_path: Path) -> None:
    batch = BatchSettings(masks=as_location(tmp_path), output=as_location(tmp_path / "out"))
    with pytest.raises(UsageError, match="--masks says itself what goes"):
        remove_folder([tmp_path], Settings(**options), batch)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"keep": "largest"}, {"min_size": 0.1}, {"max_size": 0.5}])
def test_added_classes_leave_nothing_to_choose(options: dict[str, object], tmp_path: Path) -> None:
    """Whom an earlier run kept, a run that sees only the new classes would not spare."""
    batch = BatchSettings(classes=("dog",), add=True, output=as_location(tmp_path / "out"))
    with pytest.raises(UsageError, match="give --overwrite instead of --add"):
        remove_folder([tmp_path], Settings(**options), batch)  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["main", "faces"])
def test_rules_about_people_want_their_class(rule: str, tmp_path: Path) -> None:
    batch = BatchSettings(classes=("dog", "car"), output=as_location(tmp_path / "out"))
    with pytest.raises(UsageError, match=f"--keep {rule} chooses among people.*--class person"):
        remove_folder([tmp_path], Settings(keep=rule), batch)
