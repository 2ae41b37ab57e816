"""What is left of an object: noticed, widened once, and judged alike of given and found masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline import remover as remover_module
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.detect import leftovers, regions, segmenters
from remove_objects.pipeline.detect.leftovers import Left
from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.detect.segmenters import TorchvisionSegmenter
from remove_objects.pipeline.removal.completeness import Completeness
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.removal.selection import Selection
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.report.entry import photo_entry
from remove_objects.pipeline.report.page_view import photo_view
from remove_objects.pipeline.report.schema import is_entry
from remove_objects.pipeline.types import Box, Photo, Status
from tests.support.box_segmenter import BoxSegmenter
from tests.support.red_fcn import UNSEEN, red_fcn
from tests.support.scenes import scene

SETTINGS = Settings(probe=False, offline=True)
#: Left, top, width, height of the red box that stands for a person.
PERSON = (90, 60, 60, 80)


def photo() -> Photo:
    return Photo(scene(240, 280, person=PERSON))


def loaded() -> ObjectRemover:
    """A remover whose segmenter is loaded: the look around the holes uses that."""
    remover = ObjectRemover(SETTINGS)
    assert remover.networks.segmenter is remover.networks.onlooker
    return remover


def without_legs() -> np.ndarray:
    """A mask that misses the lower quarter of the person."""
    mask = np.zeros((240, 280), bool)
    mask[57:120, 87:153] = True
    return mask


def test_a_mask_to_the_letter_is_not_widened_and_the_place_is_marked(red_is_person: None) -> None:
    remover = loaded()
    settings = replace(SETTINGS, dilate=0)
    outcome = remover.clean(photo(), Removal.from_settings(settings, mask=without_legs()))
    assert outcome.mask is not None
    assert np.array_equal(outcome.mask, without_legs())
    assert outcome.status is Status.REVIEW
    # The fill may copy the red, which is marked too.
    (left,) = [one for one in outcome.leftovers if one.why.startswith("something of the person")]
    assert (left.box.x, left.box.y, left.box.w, left.box.h) == (90, 120, 60, 20)
    assert "something of the person seems to be left in the middle" in outcome.reason
    assert "60x20 pixels" in outcome.figures
    row = photo_entry("a", outcome, output=None, mask=None)
    assert is_entry(row)
    assert [90, 120, 60, 20] in [one["box"] for one in row["leftovers"]]


def test_the_verdict_does_not_depend_on_who_drew_the_mask(red_is_person: None) -> None:
    remover = ObjectRemover(SETTINGS)
    found = remover.clean(photo(), Removal.from_settings(SETTINGS, ["person"]))
    given = remover.clean(
        photo(), Removal.from_settings(replace(SETTINGS, dilate=0), mask=found.mask)
    )
    assert (found.status, found.reason, found.score) == (given.status, given.reason, given.score)
    assert found.leftovers == given.leftovers == ()


#: A second person, far from the first.
FAR_PERSON = (220, 70, 30, 60)


def of_two(second: tuple[int, int, int, int]) -> tuple[Photo, np.ndarray]:
    """A photo of two persons, and a mask of the first, whole."""
    rgb = scene(240, 280, person=PERSON)
    x, y, w, h = second
    rgb[y : y + h, x : x + w] = (255, 0, 0)
    mask = np.zeros((240, 280), bool)
    mask[55:145, 85:155] = True
    return Photo(rgb), mask


def test_who_removes_one_of_two_by_a_mask_keeps_the_other(red_is_person: None) -> None:
    both, mask = of_two(FAR_PERSON)
    outcome = loaded().clean(both, Removal.from_settings(replace(SETTINGS, dilate=0), mask=mask))
    (left,) = outcome.leftovers
    assert (left.box.as_list(), left.kept) == (list(FAR_PERSON), True)
    assert outcome.status is Status.OK, outcome.reason
    assert "not requested: another person seems to be there at the right" in outcome.reason
    row = photo_entry("a", outcome, output=None, mask=None)
    assert is_entry(row)
    assert [one["kept"] for one in row["leftovers"]] == [True]
    assert not photo_view(row, {}, None)["past"]["leftovers"]


def test_one_who_still_stands_fails_a_request_of_the_class_whoever_drew_the_mask(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, mask = of_two(FAR_PERSON)
    chosen = Selection(mask, find_holes(mask), {"person": 0.1})
    settings = replace(SETTINGS, dilate=0)
    given = loaded().clean(both, Removal.from_settings(settings, ["person"], mask))
    # Without widening, both runs remove the same pixels.
    monkeypatch.setattr(Completeness, "widened", lambda _, selection, *__: selection)
    monkeypatch.setattr(remover_module, "select", lambda *_: chosen)
    found = loaded().clean(both, Removal.from_settings(settings, ["person"]))
    for outcome in (given, found):
        assert outcome.status is Status.REVIEW
        assert [one.kept for one in outcome.leftovers] == [False]
        assert "another person seems to be there at the right" in outcome.reason
    assert (given.reason, given.leftovers) == (found.reason, found.leftovers)


def test_a_piece_near_the_mask_counts_as_the_objects_own(red_is_person: None) -> None:
    """A head that a fence cuts off: apart, but nearer than a quarter of its size."""
    both, mask = of_two((85, 7, 60, 38))
    outcome = loaded().clean(both, Removal.from_settings(replace(SETTINGS, dilate=0), mask=mask))
    assert outcome.status is Status.REVIEW
    assert [one.kept for one in outcome.leftovers] == [False]


def test_a_found_mask_is_widened_once_by_what_is_left(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segmenter of the selection misses the legs; the look around the hole sees them."""
    legs_missed = without_legs()
    chosen = Selection(legs_missed, find_holes(legs_missed), {"person": 0.1})
    monkeypatch.setattr(remover_module, "select", lambda *_: chosen)
    outcome = loaded().clean(photo(), Removal.from_settings(SETTINGS, ["person"]))
    assert outcome.mask is not None
    red = (photo().rgb == (255, 0, 0)).all(2)
    assert not (red & ~outcome.mask).any()
    assert outcome.leftovers == ()


def test_a_found_mask_is_widened_by_regions_that_the_segmenter_does_not_see(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    legs_missed = without_legs()
    chosen = Selection(legs_missed, find_holes(legs_missed), {"person": 0.1})
    legs = Left(Box(90, 120, 60, 20), np.ones((20, 60), bool), "left", 0.2)
    monkeypatch.setattr(remover_module, "select", lambda *_: chosen)
    monkeypatch.setattr(leftovers, "goes_on", lambda *_: [])
    monkeypatch.setattr(regions, "regions_left", lambda *_: [legs])
    selection = loaded().select(photo(), Removal.from_settings(SETTINGS, ["person"]))
    assert selection.hole_mask[legs.box.slices].all()


@pytest.mark.parametrize("kind", ["margins", "grey", "16 bits", "alpha"])
@pytest.mark.parametrize("given", [False, True])
def test_photos_of_every_kind_are_looked_at_and_widened(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch, kind: str, given: bool
) -> None:
    """The place is in pixels of the photo, with margins too, and margins are never removed."""
    rgb, alpha = photo().rgb, None
    person = np.zeros(rgb.shape[:2], bool)
    person[60:140, 90:150] = True
    kept = without_legs()
    if kind == "margins":
        rgb, person, kept = (
            np.pad(p, [(30, 50), (40, 20), (0, 0)][: p.ndim]) for p in (rgb, person, kept)
        )
    elif kind == "16 bits":
        rgb = rgb.astype(np.uint16) * 257
    elif kind == "alpha":
        alpha = np.full(rgb.shape[:2], 255, np.uint8)
        alpha[130:] = 0
    elif kind == "grey":
        # The stand-in knows nothing without red: here grey is what it looks for.
        rgb = np.repeat(rgb.mean(2, keepdims=True).astype(np.uint8), 3, 2)
        rgb[person] = 0
        monkeypatch.setattr(BoxSegmenter, "probabilities", black_is_person)
    if not given:
        part = kept[30:270, 40:320] if kind == "margins" else kept
        if alpha is not None:
            part = part[:130]
        chosen = Selection(part, find_holes(part), {"person": 0.1})
        monkeypatch.setattr(remover_module, "select", lambda *_: chosen)
    removal = Removal.from_settings(SETTINGS, [] if given else ["person"], kept if given else None)
    outcome = loaded().clean(Photo(rgb, alpha), removal)
    assert outcome.mask is not None
    assert outcome.result is not None
    assert outcome.result.dtype == rgb.dtype
    if alpha is not None:
        person &= alpha > 0
        assert not outcome.mask[alpha == 0].any()
    if kind == "margins":
        assert not outcome.mask[:30].any()
    left = person & ~outcome.mask
    for place in outcome.leftovers:
        left[place.box.slices] = False
    assert not left.any()


def black_is_person(_: BoxSegmenter, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
    """A person in black, HWC -> 21HW."""
    found = np.zeros((len(CATEGORIES), *rgb.shape[:2]), np.float32)
    found[CATEGORIES.index("person")] = (rgb < 5).all(2)
    found[0] = 1 - found.sum(0)
    return found


@pytest.fixture(scope="module")
def fcn(tmp_path_factory: pytest.TempPathFactory) -> TorchvisionSegmenter:
    return red_fcn(tmp_path_factory.mktemp("fcn"))


@pytest.fixture
def beside_fcn(
    fcn: TorchvisionSegmenter, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> ObjectRemover:
    """A remover of FCN-ResNet101, which sees red, and of a compact segmenter that sees more."""
    monkeypatch.setattr(segmenters, "choose_segmenter", lambda *_, **__: segmenters.Chosen(fcn, {}))
    for name in ("probabilities", "objectness"):
        monkeypatch.setattr(segmenters.CompactSegmenterAdapter, name, getattr(BoxSegmenter, name))
    remover = ObjectRemover(SETTINGS)
    assert remover.networks.segmenter is fcn
    assert isinstance(remover.networks.onlooker, segmenters.CompactSegmenterAdapter)
    return remover


def alone(remover: ObjectRemover, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let FCN-ResNet101 be its own onlooker, and see the crops: what it misses stays unknown."""
    fcn = property(lambda networks: networks.segmenter)
    for name in ("onlooker", "closer"):
        monkeypatch.setattr(type(remover.networks), name, fcn)


def unseen(x: int, y: int, w: int, h: int) -> Photo:
    """The photo with one more person, or a part of one, that FCN-ResNet101 does not see."""
    rgb = photo().rgb.copy()
    rgb[y : y + h, x : x + w] = UNSEEN
    return Photo(rgb)


@pytest.mark.slow
class TestBesideFCN:
    """With the real architecture; its weights are made so that it sees a person in pure red."""

    def test_the_onlooker_names_who_still_stands(
        self, beside_fcn: ObjectRemover, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        x, y, w, h = 210, 30, 60, 180  # too large for the hole to be widened by it
        both, removal = unseen(x, y, w, h), Removal.from_settings(SETTINGS, ["person"])
        outcome = beside_fcn.clean(both, removal)
        assert outcome.mask is not None
        assert outcome.mask[60:140, 90:150].all()
        assert not outcome.mask[y : y + h, x : x + w].any()
        (left,) = outcome.leftovers
        assert (left.box.as_list(), left.kept) == ([x, y, w, h], False)
        assert outcome.status is Status.REVIEW
        assert "another person seems to be there at the right" in outcome.reason
        assert "compact-segmenter" in beside_fcn.networks.weights()
        alone(beside_fcn, monkeypatch)
        assert beside_fcn.clean(both, removal).leftovers == ()

    def test_the_hole_is_widened_by_what_only_the_compact_segmenter_sees(
        self, beside_fcn: ObjectRemover, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        legs, removal = unseen(90, 140, 60, 40), Removal.from_settings(SETTINGS, ["person"])
        outcome = beside_fcn.clean(legs, removal)
        assert outcome.mask is not None
        assert outcome.mask[60:180, 90:150].all()
        assert outcome.leftovers == ()
        alone(beside_fcn, monkeypatch)
        missed = beside_fcn.clean(legs, removal).mask
        assert missed is not None
        assert not missed[160:180, 90:150].any()

    def test_a_mask_that_misses_a_part_is_told_of_it(
        self, beside_fcn: ObjectRemover, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The part is in a red that FCN-ResNet101 does not see; it is asked nothing."""
        legs = unseen(90, 120, 60, 20)
        removal = Removal.from_settings(replace(SETTINGS, dilate=0), mask=without_legs())
        monkeypatch.setattr(beside_fcn.networks.segmenter, "probabilities", pytest.fail)
        outcome = beside_fcn.clean(legs, removal)
        (left,) = [one for one in outcome.leftovers if one.why.startswith("something of the")]
        assert left.box.as_list() == [90, 120, 60, 20]
        assert outcome.status is Status.REVIEW

    def test_the_look_around_the_holes_takes_no_pass_of_the_slow_network(
        self, beside_fcn: ObjectRemover, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chosen = Selection(without_legs(), find_holes(without_legs()), {"person": 0.1})
        monkeypatch.setattr(remover_module, "select", lambda *_: chosen)
        monkeypatch.setattr(beside_fcn.networks.segmenter, "probabilities", pytest.fail)
        outcome = beside_fcn.clean(photo(), Removal.from_settings(SETTINGS, ["person"]))
        assert outcome.mask is not None
        assert outcome.mask[60:140, 90:150].all()


def test_the_whole_photo_is_not_segmented_twice(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    remover, sizes = loaded(), []
    segment = type(remover.networks.segmenter).probabilities

    def counted(self: BoxSegmenter, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        sizes.append(rgb.shape[:2])
        return segment(self, rgb, longest)

    monkeypatch.setattr(BoxSegmenter, "probabilities", counted)
    remover.select(photo(), Removal.from_settings(SETTINGS, ["person"]))
    # The nearer pass sees an enlarged photo, and a crop is another picture.
    assert sizes.count((240, 280)) == 1
