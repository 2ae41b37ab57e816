"""``ObjectRemover`` on single pictures: what it returns, its progress, and settings per removal."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import assert_type

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms

from remove_objects.pipeline import remover
from remove_objects.pipeline.config import (
    COMPARISONS,
    FAIL_HOLE_SHARE,
    REVIEW_LEFT_OUTSIDE,
    Settings,
)
from remove_objects.pipeline.errors import UnreadableError, UsageError
from remove_objects.pipeline.images.masks import EMPTY
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover, remove
from remove_objects.pipeline.report.entry import photo_entry
from remove_objects.pipeline.types import Box, Layer, Photo, Route, Status
from tests.support.scenes import scene, two_people
from tests.support.tiny_effects import SeesColours

SAMPLES = Path(__file__).resolve().parents[2] / "sample_images"
#: Settings of the file that is written: neither a network nor a removal depends on them.
WRITTEN = {"lossless", "strip_metadata", "keep_metadata", "raw_output"}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_pil_images_come_back_as_they_were_given(red_is_person: None, mode: str) -> None:
    picture = Image.fromarray(scene()).convert(mode)
    result = ObjectRemover(Settings(probe=False)).remove(picture, classes=["person"])
    assert result.image.mode == mode
    assert result.image.size == picture.size
    if mode != "L":  # red is not red in grey
        assert result.outcome.holes


def test_arrays_come_back_as_arrays_and_are_not_changed(red_is_person: None) -> None:
    picture = scene()
    before = picture.copy()
    image, outcome = ObjectRemover(Settings(probe=False)).remove(picture, classes=["person"])
    assert np.array_equal(picture, before)
    assert image.dtype == np.uint8
    assert outcome.mask is not None
    assert np.array_equal(image[~outcome.mask], before[~outcome.mask])
    assert not np.array_equal(image, before)


def test_a_refusal_names_the_kind_of_the_picture_or_what_is_missing(red_is_person: None) -> None:
    with pytest.raises(UsageError, match="float64"):
        ObjectRemover().remove(np.zeros((5, 5, 3)), classes=["person"])
    with pytest.raises(UsageError, match="at least one class"):
        ObjectRemover().remove(scene())
    with pytest.raises(UsageError, match="the mask is 5x4 pixels, the picture 160x120"):
        ObjectRemover().remove(scene(), hole=np.zeros((4, 5), bool))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr", "HSV", "LAB"])
def test_no_mode_changes_a_pixel_outside_the_hole(mode: str) -> None:
    if mode == "P":
        picture = Image.fromarray(scene()).quantize(64)
    elif mode == "LAB":
        picture = Image.new("LAB", (90, 60), 99)
    else:
        picture = Image.fromarray(scene()).convert(mode)
    hole = np.zeros(picture.size[::-1], bool)
    hole[20:30, 20:30] = True
    result = ObjectRemover(Settings(probe=False, offline=True)).remove(picture, hole=hole).image
    assert result.mode == mode
    assert result.getpalette() == picture.getpalette()
    assert np.array_equal(np.asarray(result)[~hole], np.asarray(picture)[~hole])


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "La", "PA"])
def test_a_mode_whose_values_would_be_lost_is_refused(mode: str) -> None:
    with pytest.raises(UsageError, match=f"a PIL picture 9x9 of mode {mode}; give the path of its"):
        ObjectRemover().remove(Image.new(mode, (9, 9)), hole=np.zeros((9, 9), bool))


@pytest.mark.parametrize("picture", [np.zeros((0, 9, 3), np.uint8), Image.new("RGB", (9, 0))])
def test_a_picture_without_pixels_is_refused(picture: object) -> None:
    with pytest.raises(UsageError, match="with pixels"):
        ObjectRemover().remove(picture, hole=np.zeros((0, 9), bool))


@pytest.mark.parametrize(
    ("mask", "found"),
    [
        (np.zeros((60, 90, 1), bool), r"got an array 60x90x1 bool; mask.squeeze\(\) may"),
        (np.zeros(60 * 90, bool), "got an array 5400 bool"),
        (np.zeros((60, 90), np.float32), "got an array 60x90 float32; mask > 0 makes one"),
        (np.zeros((60, 90, 3), np.uint8), r"60x90x3 uint8; Image.fromarray\(mask\) makes"),
        (np.zeros((4, 5), bool), "the mask is 5x4 pixels, the picture 90x60"),
        (np.full((4, 9), 255, np.uint8), "this mask is 9 x 4 pixels, its photo 90 x 60"),
        (Image.new("F", (90, 60)), "got a PIL picture 90x60 of mode F"),
        (Image.new("1", (60, 90)), "this mask is 60 x 90 pixels.*it seems to lie on its side"),
        (Image.fromarray(scene(60, 90)), "this is no mask: .*; paint what is to go in white"),
        ([[True]], r"mask takes the pixels to remove: .*; got a list \[\[True\]\]"),
        ("", "mask: got an empty text"),
    ],
)
def test_a_mask_of_another_kind_is_refused(mask: object, found: str) -> None:
    for name in ("mask", "hole"):
        with pytest.raises(UsageError, match=found):
            ObjectRemover().remove(np.zeros((60, 90, 3), np.uint8), **{name: mask})


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    picture = Image.fromarray(scene())
    (tmp_path / "note.jpg").write_text("no picture")
    for path, found in (("none.jpg", "none.jpg: no such file"), ("note.jpg", "not a picture of a")):
        with pytest.raises(UnreadableError, match=found):
            ObjectRemover().remove(tmp_path / path, "person")
        with pytest.raises(UnreadableError, match=found):
            ObjectRemover().remove(picture, mask=str(tmp_path / path))
    with pytest.raises(UsageError, match=r"is a folder; remove_folder\(\) cleans folders"):
        ObjectRemover().remove(tmp_path, "person")


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (None, "got None"),
        (b"123", r"got 3 bytes; Image.open\(io.BytesIO\("),
        (["a.jpg", "b.jpg"], r"got a list .*; remove_folder\(\) takes several photos"),
        (np.zeros((4, 9, 3)), r"got an array 4x9x3 float64; of values from 0 to 1, \(image \* 255"),
        (np.zeros((4, 9), np.uint8), r"got an array 4x9 uint8; Image.fromarray\(image\) makes"),
        (np.zeros((4, 9, 1), np.uint8), r"Image.fromarray\(image.squeeze\(\)\) makes"),
        (
            np.zeros((4, 9, 4), np.uint8),
            r"got an array 4x9x4 uint8; Image.fromarray\(image\) makes",
        ),
        (np.zeros((3, 4, 9), np.uint8), "got an array 3x4x9 uint8"),
        (torch.zeros(3, 4, 9), "got a Tensor 3x4x9 torch.float32"),
        (Image, "image takes a photo: .*; got a module"),
    ],
)
def test_what_is_no_picture_gets_a_sentence(image: object, found: str) -> None:
    with pytest.raises(UsageError, match=found):
        ObjectRemover().remove(image, "person")


def test_a_remedy_of_a_message_works(red_is_person: None) -> None:
    image = scene() / 255
    image = (image * 255).round().astype(np.uint8)
    assert remove(image, "person").outcome.holes
    rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    assert remove(Image.fromarray(rgba), "person").image.mode == "RGBA"


@pytest.mark.parametrize("kind", ["text", "Path", "PIL", "array", "16 bits"])
def test_a_picture_may_be_a_file_an_image_or_an_array(
    kind: str, red_is_person: None, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(scene()).save(path)
    given = {
        "text": str(path),
        "Path": path,
        "PIL": Image.fromarray(scene()),
        "array": scene(),
        "16 bits": scene().astype(np.uint16) * 257,
    }[kind]
    result, outcome = remove(given, "person", probe=False)
    assert outcome.holes
    is_array = kind in ("array", "16 bits")
    assert isinstance(result, np.ndarray if is_array else Image.Image)
    expected = remove(scene(), ["person"], probe=False).image
    if kind == "16 bits":
        assert result.dtype == np.uint16
        return
    assert np.array_equal(np.asarray(result), expected)
    assert not np.array_equal(expected, scene())


def test_a_file_is_upright_and_keeps_its_profile(red_is_person: None, tmp_path: Path) -> None:
    path, profile = tmp_path / "phone.jpg", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = Image.fromarray(np.rot90(scene()).copy())
    sideways.save(path, exif=exif, icc_profile=profile.tobytes(), quality=100, subsampling=0)
    result = remove(path, "person").image
    assert result.size == scene().shape[1::-1]
    assert result.info["icc_profile"]
    with Image.open(path) as opened:
        unturned, outcome = remove(opened, "person")
    assert unturned.size == sideways.size
    assert unturned.info["icc_profile"] == result.info["icc_profile"]
    assert any("(EXIF orientation 6): give its path" in each for each in outcome.warnings)
    nobody = remove(path, "dog")
    assert nobody.outcome.status is Status.UNCHANGED
    assert nobody.image.size == result.size


@pytest.mark.parametrize("kind", ["text", "Path", "L", "1", "RGBA", "uint8", "labels", "bool"])
def test_a_mask_may_be_a_file_an_image_or_an_array(kind: str, tiny: Path, tmp_path: Path) -> None:
    mask = np.zeros(scene().shape[:2], bool)
    mask[40:60, 60:90] = True
    grey = mask.astype(np.uint8) * 255
    path = tmp_path / "mask.png"
    Image.fromarray(grey).save(path)
    clear = Image.new("RGBA", (160, 120))
    clear.paste((255, 255, 255, 255), mask=Image.fromarray(mask))
    given = {
        "text": str(path),
        "Path": path,
        "L": Image.fromarray(grey),
        "1": Image.fromarray(mask),
        "RGBA": clear,
        "uint8": grey,
        "labels": mask.astype(np.uint8),
        "bool": mask,
    }[kind]
    outcome = remove(scene(), mask=given, probe=False, dilate=0, along=()).outcome
    assert np.array_equal(outcome.mask, mask)
    assert any("as labels are" in each for each in outcome.warnings) == (kind == "labels")


def test_an_empty_mask_says_so(tiny: Path) -> None:
    outcome = remove(scene(), mask=Image.new("L", (160, 120))).outcome
    assert (outcome.status, outcome.reason) == (Status.UNCHANGED, EMPTY)


@pytest.mark.parametrize(
    "classes", ["mask.png", Path("mask.png"), Image.new("1", (9, 9)), np.zeros((9, 9), bool)]
)
def test_a_mask_in_the_place_of_classes_gets_its_own(classes: object) -> None:
    with pytest.raises(UsageError, match="such as 'person', and a mask is given as mask=…; got"):
        remove(scene(), classes)


def test_a_call_without_classes_and_mask_or_with_both_masks_is_refused() -> None:
    with pytest.raises(UsageError, match="such as classes='person', or give the mask"):
        remove(scene())
    with pytest.raises(UsageError, match="hole is another name of mask"):
        ObjectRemover().remove(scene(), mask="a.png", hole="a.png")
    with pytest.raises(TypeError, match=r"remove\(\) takes no 'hole'; did you mean 'mask'"):
        remove(scene(), **{"hole": "a.png"})
    with pytest.raises(TypeError, match=r"takes no 'output'; the result is the picture, and .*"):
        remove(scene(), "person", **{"output": "clean.jpg"})
    with pytest.raises(TypeError, match=r"takes no 'workers'; it belongs to remove_folder\(\)"):
        remove(scene(), "person", **{"workers": 4})
    with pytest.raises(TypeError, match=r"ObjectRemover\(\) takes no 'ofline'; did .* 'offline'"):
        ObjectRemover(**{"ofline": True})
    with pytest.raises(UsageError, match=r"settings takes a Settings.*; got the text 'compact'"):
        ObjectRemover("compact")


def test_networks_stay_from_call_to_call(red_is_person: None) -> None:
    remove(scene(), "person", probe=False)
    first = remover._remover(Settings(probe=False))
    remove(scene(), "person", settings=Settings(probe=False))
    assert remover._remover(Settings(probe=False)) is first


def test_a_picture_is_logged(red_is_person: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "remove_objects")
    remove(scene(), "dog")
    assert caplog.messages == ["an array 120x160x3 uint8: unchanged, no dog was found"]


def test_results_are_of_the_type_that_was_given(red_is_person: None, tmp_path: Path) -> None:
    """Type checkers read this test."""
    path = tmp_path / "photo.png"
    picture = Image.fromarray(scene())
    picture.save(path)
    assert_type(remove(path, "dog").image, Image.Image)
    assert_type(remove(str(path), "dog").image, Image.Image)
    assert_type(ObjectRemover(offline=True).remove(picture, ["dog"]).image, Image.Image)
    pixels: NDArray[np.uint8] = scene()
    assert_type(ObjectRemover().remove(pixels, "dog").image, NDArray[np.uint8])
    assert_type(remove(pixels, "dog").outcome.score, float | None)


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        ("persn", "unknown class 'persn'"),
        ([5], "one of them is 5"),
        (5, "classes takes class names, such as 'person' .*; got 5"),
        (b"person", "got 6 bytes"),
    ],
)
def test_what_is_no_class_is_refused(classes: object, found: str) -> None:
    with pytest.raises(UsageError, match=found):
        ObjectRemover().remove(scene(), classes)


def test_numbers_of_other_types_and_single_names_are_read() -> None:
    settings = Settings(
        threshold=np.float32(0.25), dilate=np.int64(3), along="shadow", compare=["telea"]
    )
    same = Settings(threshold=0.25, dilate=3, along=("shadow",), compare=("telea",))
    assert settings == same
    assert Settings(dilate="auto") == Settings()
    assert Settings(along="none") == Settings(along=None) == Settings(along=())
    assert json.dumps(asdict(settings)) == json.dumps(asdict(same))


def test_classes_may_come_one_by_one(red_is_person: None) -> None:
    remover = ObjectRemover(Settings(probe=False))
    assert remover.remove(scene(), (name for name in ["person"])).outcome.holes


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"dilate": "much"}, "dilate must be 'auto' or 0 .*; got the text 'much'"),
        ({"dilate": 2.5}, "whole pixels; got 2.5"),
        ({"threshold": "0.5"}, "threshold must lie between 0 and 1"),
        ({"threshold": True}, "threshold must lie between 0 and 1; got True"),
        ({"compare": 5}, "compare takes navier-stokes and telea, such as .*; got 5"),
        ({"along": [None]}, "one of them is None"),
        ({"keep": None}, "keep must be .*; got None"),
        ({"min_size": "0.1"}, "got the text '0.1' and 1.0"),
        ({"probe": "no"}, "probe takes True or False; got the text 'no'"),
        ({"device": ["cpu"]}, "device must be one of .*; got a list"),
    ],
)
def test_settings_of_another_type_are_refused(wrong: dict[str, object], found: str) -> None:
    with pytest.raises(UsageError, match=found):
        Settings(**wrong)


def test_the_probe_decides_between_texture_and_plain(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = scene(160, 200, person=(60, 40, 50, 70))
    texture, plain = (
        ObjectRemover(Settings(probe=False, detail=d)).remove(picture, classes=["person"])
        for d in ("texture", "none")
    )
    assert not np.array_equal(texture.image, plain.image)
    for figures, expected in (
        ([0.1, 0.5], texture.image),
        ([0.5, 0.1], plain.image),
        ([None, None], texture.image),
    ):
        answers = iter(figures)
        monkeypatch.setattr(
            "remove_objects.pipeline.quality.lpips.Perceptual.distance",
            lambda *_, answers=answers: next(answers),
        )
        result = ObjectRemover(Settings()).remove(picture, classes=["person"])
        (hole,) = result.outcome.holes
        assert np.array_equal(result.image, expected)
        assert ("texture made the probe worse" in hole.routing.why) == (expected is plain.image)
        assert hole.probe is not None
        assert hole.probe.lpips == (None if figures[0] is None else 0.1)


def test_every_setting_belongs_to_networks_or_removal_or_writing() -> None:
    networks, removal = ({f.name for f in fields(c)} for c in (NetworkSettings, Removal))
    assert not networks & removal
    of_the_call = {"classes", "mask", "dry_run", "picks", "all_stay", "shown"}
    assert {f.name for f in fields(Settings)} == networks | (removal - of_the_call) | WRITTEN


def test_the_settings_of_a_remover_are_read_only() -> None:
    remover = ObjectRemover(Settings(segmenter="compact"))
    with pytest.raises(AttributeError):
        remover.settings = Settings(segmenter="fcn_resnet101")  # type: ignore[misc]


def test_removals_of_one_remover_may_differ(red_is_person: None) -> None:
    remover, photo = ObjectRemover(Settings(probe=False)), Photo(two_people())
    segmenter = remover.networks.segmenter
    for route in (Route.EDGE, Route.FREE_FORM):
        settings = replace(remover.settings, route=route.value, dilate=0, compare=COMPARISONS)
        outcome = remover.clean(photo, Removal.from_settings(settings, ["person"]))
        assert {hole.routing.route for hole in outcome.holes} == {route}
        assert set(outcome.compared) == set(COMPARISONS)
        assert outcome.mask is not None
        assert outcome.mask.sum() == 600 + 1200
    assert remover.networks.segmenter is segmenter


def test_the_callback_of_the_progress_can_cancel(red_is_person: None) -> None:
    class Cancelled(Exception):
        """Raised by the callback below."""

    def progress(share: float, stage: str) -> None:
        if stage == "probe":
            raise Cancelled

    remover = ObjectRemover(Settings())
    photo = Photo(two_people())
    before = photo.rgb.copy()
    with pytest.raises(Cancelled):
        remover.clean(photo, Removal.from_settings(remover.settings, ["person"]), progress=progress)
    assert np.array_equal(photo.rgb, before)


def test_nothing_is_filled_without_a_hole_or_in_a_dry_run(red_is_person: None) -> None:
    remover = ObjectRemover(Settings())
    empty = remover.clean(Photo(scene(person=None)), Removal.from_settings(Settings(), ["person"]))
    assert (empty.status, empty.reason, empty.result) == (
        Status.UNCHANGED,
        "no person was found",
        None,
    )
    no_mask = np.zeros(Photo(two_people()).size, bool)
    outcome = remover.clean(Photo(two_people()), Removal.from_settings(Settings(), mask=no_mask))
    assert (outcome.status, outcome.reason) == (Status.UNCHANGED, "the mask is empty")
    dry = remover.clean(
        Photo(two_people()), Removal.from_settings(Settings(), ["person"], dry_run=True)
    )
    assert (dry.status, dry.result, len(dry.holes)) == (Status.OK, None, 2)
    assert all((hole.seam, hole.probe) == (None, None) for hole in dry.holes)
    assert dry.score is not None


def test_a_mask_that_leaves_nothing_to_fill_from_fails(tiny: object) -> None:
    remover = ObjectRemover(Settings())
    mask = np.ones((100, 100), bool)
    mask[: int(100 * (1 - FAIL_HOLE_SHARE)) - 1] = False
    outcome = remover.clean(Photo(scene(100, 100)), Removal.from_settings(Settings(), mask=mask))
    assert outcome.status is Status.FAILED
    assert outcome.error == outcome.reason
    assert outcome.result is None


def test_a_tight_mask_to_the_letter_is_for_review(tiny: object) -> None:
    """The verdict sees what is left of the object, and says what to do."""
    rgb = scene(200, 240, person=(90, 60, 60, 80))
    mask = np.zeros(rgb.shape[:2], bool)
    mask[64:136, 94:146] = True
    remover = ObjectRemover(Settings(segmenter="compact", offline=True, probe=False))
    outcomes = [
        remover.clean(
            Photo(rgb), Removal.from_settings(replace(remover.settings, dilate=d), mask=mask)
        )
        for d in (0, None)
    ]
    assert "the mask ends inside it" in outcomes[0].reason
    assert "the mask ends" not in outcomes[1].reason
    left = [photo_entry("a", o, output=None, mask=None)["left_outside"] for o in outcomes]
    assert left[0] > REVIEW_LEFT_OUTSIDE >= left[1] >= 0


#: Holes on the face of ``astronaut.jpg``, which is about 100 pixels wide around (222, 120): left,
#: top, right, bottom. The last covers the hair and half of the face, nearly the most that stays.
ON_FACE = {
    "a scratch": (236, 120, 241, 150),
    "a cheek": (232, 118, 262, 148),
    "the brow and the hair": (152, 40, 292, 106),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("factor", [1, 3])
@pytest.mark.parametrize("where", ON_FACE)
def test_a_hole_on_a_face_that_stays_goes_to_the_face_network(
    where: str, factor: int, dtype: type, tiny: Path
) -> None:
    """Through the whole removal, with the Haar cascades, whatever the hole's and photo's size."""
    with Image.open(SAMPLES / "astronaut.jpg") as picture:
        large = picture.resize((factor * picture.width, factor * picture.height))
        rgb = np.asarray(large).astype(dtype) * (1 if dtype is np.uint8 else 257)
    mask = np.zeros(rgb.shape[:2], bool)
    left, top, right, bottom = (factor * edge for edge in ON_FACE[where])
    mask[top:bottom, left:right] = True
    remover = ObjectRemover(Settings(probe=False, offline=True, dilate=0))
    outcome = remover.clean(Photo(rgb), Removal.from_settings(remover.settings, mask=mask))
    (hole,) = outcome.holes
    assert hole.routing.route is Route.FACE, hole.routing
    assert "face that stays" in hole.routing.why
    assert set(remover.networks.inpainters.weights) == {"skip-ce"}
    assert outcome.result is not None
    assert not np.array_equal(outcome.result[mask], rgb[mask])


def test_a_hole_far_from_the_face_does_not_go_to_the_face_network(tiny: Path) -> None:
    with Image.open(SAMPLES / "astronaut.jpg") as picture:
        rgb = np.asarray(picture)
    mask = np.zeros(rgb.shape[:2], bool)
    mask[330:360, 180:210] = True
    remover = ObjectRemover(Settings(probe=False, offline=True, dilate=0))
    outcome = remover.clean(Photo(rgb), Removal.from_settings(remover.settings, mask=mask))
    (hole,) = outcome.holes
    assert hole.routing.route is Route.FREE_FORM
    assert "skip-ce" not in remover.networks.inpainters.weights


@pytest.mark.parametrize("border", [0, 16])
@pytest.mark.parametrize("grey", [50, 100])
def test_what_is_chosen_says_why_and_what_is_doubtful(
    red_is_person: None, monkeypatch: pytest.MonkeyPatch, grey: int, border: int
) -> None:
    """In a frame, too: mask, layers and places are the whole photo's."""
    picture = scene(240, 280, person=(100, 60, 40, 80))
    picture[122:140, 140:200] = grey
    shadow = Box(140 + border, 122 + border, 60, 18)
    framed = np.pad(picture, ((border, border), (border, border), (0, 0)), constant_values=255)
    monkeypatch.setattr(Networks, "effects", SeesColours(faint=0.8))
    settings = Settings(segmenter="compact", probe=False)
    removal = Removal.from_settings(settings, ["person"])
    remover = ObjectRemover(settings)
    assert remover.networks.segmenter is remover.networks.onlooker
    chosen = remover.choose(Photo(framed), removal)
    assert np.array_equal(chosen.layers > 0, chosen.selection.hole_mask)
    assert (chosen.layers[border + 60 : border + 140, border + 100 : border + 140] == 1).all()
    assert ((chosen.layers[shadow.slices] == Layer.SHADOW).mean() > 0.8) == (grey == 50)
    places = [place for place in chosen.doubtful if place.why == "a shadow may have stayed"]
    assert any(place.box.intersects(shadow) for place in places) == (grey == 100)
    outcome = remover.clean(Photo(framed), replace(removal, dry_run=True))
    assert outcome.layers is not None
    assert np.array_equal(outcome.layers, chosen.layers)
