"""What goes along with an object: shadows and reflections, of found and of given masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from remove_objects.pipeline.config import ALONG, Settings
from remove_objects.pipeline.detect import segmenters
from remove_objects.pipeline.detect.effects import Effect
from remove_objects.pipeline.detect.segmenters import Chosen
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.networks import Networks
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Box, Layer, Photo, Status
from tests.support.box_segmenter import BoxSegmenter
from tests.support.scenes import scene
from tests.support.tiny_effects import SeesColours

SETTINGS = Settings(probe=False, offline=True)
PERSON, SHADOW, POOL = Box(110, 60, 30, 80), Box(150, 122, 60, 18), Box(110, 150, 30, 40)
BAG = Box(84, 90, 26, 20)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> SeesColours:
    """The effects network of every remover."""
    network = SeesColours()
    monkeypatch.setattr(Networks, "effects", network)
    return network


def rgb(*, faint: bool = False) -> np.ndarray:
    picture = scene(240, 280, person=(PERSON.x, PERSON.y, PERSON.w, PERSON.h))
    picture[SHADOW.slices] = (100, 100, 100) if faint else (50, 50, 50)
    picture[POOL.slices] = (30, 30, 120)
    return picture


def given() -> np.ndarray:
    mask = np.zeros((240, 280), bool)
    mask[PERSON.slices] = True
    return mask


def loaded(settings: Settings = SETTINGS) -> ObjectRemover:
    """A remover whose segmenter is loaded: the look at things that stay uses that."""
    remover = ObjectRemover(settings)
    assert remover.networks.segmenter is remover.networks.onlooker
    return remover


def removal(settings: Settings, *, is_given: bool) -> Removal:
    if is_given:
        return Removal.from_settings(settings, mask=given())
    return Removal.from_settings(settings, ["person"])


@pytest.mark.parametrize("is_given", [False, True])
def test_shadow_and_reflection_go_too(
    red_is_person: None, network: SeesColours, is_given: bool
) -> None:
    outcome = loaded().clean(Photo(rgb()), removal(SETTINGS, is_given=is_given))
    assert outcome.layers is not None
    assert outcome.mask is not None
    assert np.array_equal(outcome.layers > 0, outcome.mask)
    for box, layer in ((PERSON, Layer.OBJECT), (SHADOW, Layer.SHADOW), (POOL, Layer.REFLECTION)):
        inner = Box(box.x + 8, box.y + 4, box.w - 10, box.h - 8)
        assert (outcome.layers[inner.slices] == layer).mean() > 0.95
    assert outcome.result is not None
    assert (outcome.result[SHADOW.slices] == 50).mean() < 0.1


@pytest.mark.parametrize("is_given", [False, True])
def test_what_it_carries_goes_too(
    red_is_person: None, network: SeesColours, is_given: bool
) -> None:
    picture = rgb()
    picture[BAG.slices] = (30, 200, 30)
    outcome = loaded().clean(Photo(picture), removal(SETTINGS, is_given=is_given))
    assert outcome.layers is not None
    assert outcome.result is not None
    inner = BAG.grown(-3, picture.shape)
    assert (outcome.layers[inner.slices] == Layer.CARRIED).all()
    assert not (outcome.result[BAG.slices] == (30, 200, 30)).all(2).any()


def test_the_rest_goes_without_what_is_carried(red_is_person: None, network: SeesColours) -> None:
    settings = replace(SETTINGS, along=("shadow",))
    picture = rgb()
    picture[BAG.slices] = (30, 200, 30)
    outcome = loaded(settings).clean(Photo(picture), removal(settings, is_given=True))
    assert outcome.layers is not None
    assert not (outcome.layers == Layer.CARRIED).any()
    assert (outcome.layers == Layer.SHADOW).any()


def test_a_person_who_stays_is_not_carried(red_is_person: None, network: SeesColours) -> None:
    """Beside a given mask the segmenter knows a person where the network sees something held."""

    class SeesRed(SeesColours):
        def effects(self, views: np.ndarray, removed: np.ndarray) -> np.ndarray:
            found = super().effects(views, removed)
            found[:, 2] = np.where(views[..., 0] > 230, 0.98, 0)
            return found

    picture = rgb()
    neighbour = Box(PERSON.right, 70, 20, 60)
    picture[neighbour.slices] = (255, 0, 0)
    remover = loaded()
    remover.networks.use_effects(SeesRed())  # type: ignore[arg-type]
    outcome = remover.clean(Photo(picture), removal(SETTINGS, is_given=True))
    assert outcome.mask is not None
    assert not outcome.mask[75:125, neighbour.x + 10 : neighbour.right].any()


@pytest.mark.parametrize("is_given", [False, True])
def test_none_takes_the_object_alone(
    red_is_person: None, network: SeesColours, is_given: bool
) -> None:
    settings = replace(SETTINGS, along=(), dilate=0)
    outcome = loaded(settings).clean(Photo(rgb()), removal(settings, is_given=is_given))
    assert outcome.mask is not None
    assert np.array_equal(outcome.mask, given())
    assert network.sizes == []


def test_one_kind_of_two(red_is_person: None, network: SeesColours) -> None:
    settings = replace(SETTINGS, along=("reflection",))
    outcome = loaded(settings).clean(Photo(rgb()), removal(settings, is_given=True))
    assert outcome.layers is not None
    assert not (outcome.layers == Layer.SHADOW).any()
    assert (outcome.layers == Layer.REFLECTION).any()


def test_the_network_is_asked_once(red_is_person: None, network: SeesColours) -> None:
    loaded().clean(Photo(rgb()), removal(SETTINGS, is_given=False))
    assert len(network.sizes) == 1


def test_a_doubtful_shadow_stays_and_is_for_review(
    red_is_person: None, network: SeesColours
) -> None:
    network.faint = 0.8
    outcome = loaded().clean(Photo(rgb(faint=True)), removal(SETTINGS, is_given=True))
    assert outcome.layers is not None
    assert not (outcome.layers == Layer.SHADOW).any()
    assert outcome.status is Status.REVIEW
    assert "a shadow may have stayed" in outcome.reason
    # The stand-in takes a part of the ground for a faint shadow, too.
    places = [one for one in outcome.leftovers if one.why == "a shadow may have stayed"]
    assert any(one.box.intersects(SHADOW) for one in places)
    assert not any(one.kept for one in places)


def test_no_slit_stays_between_an_object_and_its_shadow(
    red_is_person: None, network: SeesColours
) -> None:
    """A tight mask misses a dark part of the object, which is none of the network's shadow."""
    picture = rgb()
    picture[SHADOW.y : SHADOW.bottom, PERSON.right : SHADOW.x] = (100, 100, 100)
    picture[SHADOW.y : SHADOW.bottom, PERSON.right + 3 : SHADOW.x] = (50, 50, 50)
    settings = replace(SETTINGS, dilate=0)
    outcome = loaded(settings).clean(Photo(picture), removal(settings, is_given=True))
    assert outcome.layers is not None
    between = outcome.layers[SHADOW.y + 3 : SHADOW.bottom - 3, PERSON.right : SHADOW.x]
    assert (between == Layer.SHADOW).all()


def test_a_dark_part_of_the_object_beside_a_tight_mask_is_no_thing_that_stays(
    red_is_person: None, network: SeesColours
) -> None:
    """The segmenter sees the whole object, the mask covers most of it, the shadow the rest."""
    picture = rgb()
    picture[SHADOW.y - 4 : SHADOW.y + 8, PERSON.right : PERSON.right + 12] = (255, 0, 0)

    class SeesLow(SeesColours):
        def effects(self, views: np.ndarray, removed: np.ndarray) -> np.ndarray:
            found = super().effects(views, removed)
            found[:, 0] = np.maximum(found[:, 0], 0.98 * (views[..., 0] > 230) * ~removed)
            return found

    remover = loaded()
    remover.networks.use_effects(SeesLow())  # type: ignore[arg-type]
    outcome = remover.clean(Photo(picture), removal(SETTINGS, is_given=True))
    assert outcome.mask is not None
    assert outcome.mask[SHADOW.y : SHADOW.y + 6, PERSON.right : PERSON.right + 10].mean() > 0.9


def test_a_dry_run_tells_of_a_doubtful_shadow(red_is_person: None, network: SeesColours) -> None:
    network.faint = 0.8
    asked = replace(removal(SETTINGS, is_given=True), dry_run=True)
    outcome = loaded().clean(Photo(rgb(faint=True)), asked)
    assert outcome.status is Status.REVIEW
    assert outcome.reason.startswith("dry run: nothing was filled; a shadow may have stayed")
    assert any(one.box.intersects(SHADOW) for one in outcome.leftovers)


def test_a_shadow_does_not_make_a_photo_fail(red_is_person: None, network: SeesColours) -> None:
    picture = np.full((100, 100, 3), 50, np.uint8)
    picture[95:] = 170
    mask = np.zeros((100, 100), bool)
    mask[:85] = True
    settings = replace(SETTINGS, dilate=0)
    outcome = loaded(settings).clean(Photo(picture), Removal.from_settings(settings, mask=mask))
    assert network.sizes
    assert outcome.status is Status.REVIEW
    assert outcome.mask is not None
    assert np.array_equal(outcome.mask, mask)


class SeesTwoKinds(SeesColours):
    """Takes a reflection for a faint shadow too."""

    def effects(self, views: np.ndarray, removed: np.ndarray) -> np.ndarray:
        found = super().effects(views, removed)
        found[:, 0] = np.maximum(found[:, 0], 0.85 * found[:, 1])
        return found


def test_where_a_reflection_goes_no_shadow_may_have_stayed(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Networks, "effects", SeesTwoKinds())
    outcome = loaded().clean(Photo(rgb()), removal(SETTINGS, is_given=True))
    assert outcome.layers is not None
    assert (outcome.layers == Layer.REFLECTION).any()
    assert [one.why for one in outcome.leftovers if "stayed" in one.why] == []


@pytest.fixture
def doubtful_shadow(network: SeesColours, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is the upper part of ``SHADOW``, doubtfully."""
    box = Box(SHADOW.x, SHADOW.y, SHADOW.w, 8)
    shadow = Effect("shadow", box, np.ones((box.h, box.w), bool), sure=False)
    monkeypatch.setattr("remove_objects.pipeline.removal.along.find_effects", lambda *_: [shadow])


@pytest.mark.parametrize(("seen", "told"), [(30, 1), (1, 0)])
def test_a_doubtful_shadow_is_told_as_far_as_no_thing_is_there(
    red_is_person: None, doubtful_shadow: None, seen: int, told: int
) -> None:
    picture = rgb(faint=True)
    picture[100:160, SHADOW.x + seen : SHADOW.right + 10] = (255, 0, 0)
    outcome = loaded().clean(Photo(picture), removal(SETTINGS, is_given=True))
    places = [one.box for one in outcome.leftovers if one.why == "a shadow may have stayed"]
    assert len(places) == told
    assert all(box.right <= SHADOW.x + seen + 2 for box in places)


def test_a_shadow_does_not_take_a_thing_along(red_is_person: None, network: SeesColours) -> None:
    """Beside a given mask another person stays, though the shadow falls on its feet."""
    picture = rgb()
    picture[90:132, 190:206] = (255, 0, 0)
    outcome = loaded().clean(Photo(picture), removal(SETTINGS, is_given=True))
    assert outcome.mask is not None
    assert outcome.layers is not None
    assert not outcome.mask[94:128, 193:203].any()
    assert (outcome.layers[SHADOW.slices][:, :30] == Layer.SHADOW).mean() > 0.9


def test_what_lies_in_a_margin_is_of_the_object(red_is_person: None, network: SeesColours) -> None:
    framed = np.zeros((300, 340, 3), np.uint8)
    framed[30:270, 30:310] = rgb()
    mask = np.zeros((300, 340), bool)
    mask[30:270, 30:310] = given()
    mask[:60, 150:160] = True  # reaches over the frame
    outcome = loaded().clean(Photo(framed), Removal.from_settings(SETTINGS, mask=mask))
    assert outcome.mask is not None
    assert outcome.layers is not None
    assert np.array_equal(outcome.layers > 0, outcome.mask)
    assert (outcome.layers[:28][outcome.mask[:28]] == Layer.OBJECT).all()
    assert outcome.mask[:28].any()
    assert (outcome.layers[30:270, 30:310][SHADOW.slices] == Layer.SHADOW).mean() > 0.8


def test_the_mask_of_a_selection_holds_the_effects(
    red_is_person: None, network: SeesColours
) -> None:
    remover = ObjectRemover(SETTINGS)
    selection = remover.select(Photo(rgb()), removal(SETTINGS, is_given=False))
    assert selection.hole_mask[SHADOW.slices].mean() > 0.9


def test_an_unchanged_photo_has_no_effects(red_is_person: None, network: SeesColours) -> None:
    nobody = scene(240, 280, person=None)
    outcome = loaded().clean(Photo(nobody), removal(SETTINGS, is_given=False))
    assert outcome.status is Status.UNCHANGED
    assert network.sizes == []


def test_sixteen_bits(red_is_person: None, network: SeesColours) -> None:
    deep = Photo(rgb().astype(np.uint16) * 257)
    outcome = loaded().clean(deep, removal(SETTINGS, is_given=True))
    assert outcome.mask is not None
    assert outcome.mask[SHADOW.slices].mean() > 0.9


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--with.* takes .*; got 'smell'"):
        Settings(along=("shadow", "smell"))
    with pytest.raises(UsageError, match=r"got 'smell'"):
        Settings(along="smell")  # type: ignore[arg-type]
    assert Settings(along="shadow").along == ("shadow",)  # type: ignore[arg-type]
    assert Settings().along == ALONG


def test_the_command_line_takes_kinds_and_none(tmp_path: Path) -> None:
    from remove_objects.pipeline.cli import _settings, parser

    def along(*options: str) -> tuple[str, ...]:
        return _settings(parser().parse_args(["a.jpg", "--class", "person", *options])).along

    assert along() == ALONG
    assert along("--with", "none") == ()
    assert along("--with", "reflection") == ("reflection",)
    assert along("--with", "shadow, reflection") == ("shadow", "reflection")
    assert along("--with", "shadow,shadow") == ("shadow",)


@pytest.mark.parametrize("text", ["shadow,none", "", ","])
def test_the_command_line_refuses_none_beside_kinds_and_no_kind(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from remove_objects.pipeline.cli import parser

    with pytest.raises(SystemExit) as stopped:
        parser().parse_args(["a.jpg", "--class", "person", "--with", text])
    assert stopped.value.code == 2
    told = f"one or more of shadow, reflection, carried, or none alone; got '{text}'"
    assert told in capsys.readouterr().err


class HorseSegmenter(BoxSegmenter):
    """Sees a horse in pure green, too."""

    def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        found = super().probabilities(rgb, longest)
        peak = np.iinfo(rgb.dtype).max
        green = (rgb[..., 1] > 0.9 * peak) & (rgb[..., 0] < 0.1 * peak) & (rgb[..., 2] < 0.1 * peak)
        found[13], found[0] = green, found[0] * ~green
        return found


@pytest.fixture
def with_horses(red_is_person: None, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Chosen(HorseSegmenter(), {"box": "0" * 64})
    monkeypatch.setattr(segmenters, "choose_segmenter", lambda *a, **k: chosen)


HORSE = Box(70, 110, 90, 80)


def rider() -> np.ndarray:
    picture = scene(240, 280)
    picture[HORSE.slices] = (0, 255, 0)
    picture[PERSON.slices] = (255, 0, 0)
    picture[60:100, 230:236] = (255, 0, 0)  # a bystander
    return picture


@pytest.mark.parametrize("is_given", [False, True])
def test_a_rider_goes_with_the_horse_and_its_shadow(
    with_horses: None, network: SeesColours, is_given: bool
) -> None:
    picture = rider()
    picture[175:190, 160:200] = (50, 50, 50)
    outcome = loaded().clean(Photo(picture), removal(SETTINGS, is_given=is_given))
    assert outcome.mask is not None
    assert outcome.layers is not None
    assert outcome.mask[HORSE.slices].mean() > 0.98
    assert (outcome.layers[130:180, 75:100] == Layer.CARRIED).all()
    assert (outcome.layers[178:187, 168:195] == Layer.SHADOW).mean() > 0.9
    assert not outcome.mask[150, 30]


def test_without_carried_the_horse_stays(with_horses: None, network: SeesColours) -> None:
    settings = replace(SETTINGS, along=("shadow", "reflection"))
    outcome = loaded(settings).clean(Photo(rider()), removal(settings, is_given=True))
    assert outcome.mask is not None
    assert not outcome.mask[130:180, 75:100].any()


def test_a_horse_whose_rider_is_not_removed_stays(with_horses: None, network: SeesColours) -> None:
    mask = np.zeros((240, 280), bool)
    mask[58:102, 228:238] = True  # the bystander
    outcome = loaded().clean(Photo(rider()), Removal.from_settings(SETTINGS, mask=mask))
    assert outcome.mask is not None
    assert not outcome.mask[HORSE.slices].any()


def test_a_mask_to_the_letter_takes_no_horse(with_horses: None, network: SeesColours) -> None:
    settings = replace(SETTINGS, along=(), dilate=0)
    outcome = loaded(settings).clean(Photo(rider()), removal(settings, is_given=True))
    assert outcome.mask is not None
    assert np.array_equal(outcome.mask, given())
