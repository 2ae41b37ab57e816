"""What a mask file may hold: white on black, other marks, and pictures that are no masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images.mask_contents import Meaning, understand
from remove_objects.pipeline.images.read import read_photo
from tests.support.scenes import scene

SIZE = (96, 128)
SAMPLES = Path(__file__).parents[3] / "sample_images"


def _shape() -> np.ndarray[Any, np.dtype[np.bool_]]:
    image = Image.new("1", SIZE[::-1])
    draw = ImageDraw.Draw(image)
    draw.ellipse((30, 20, 70, 80), fill=1)
    draw.line((90, 10, 110, 85), fill=1, width=3)
    return np.array(image)


SHAPE = _shape()
BYTES = (SHAPE * 255).astype(np.uint8)
GREY = Image.fromarray(BYTES)
NOTHING, FULL = np.zeros_like(BYTES), np.full_like(BYTES, 255)
PHOTO = scene(*SIZE)
#: VOC's colours of the labels 0 to 3, and white rims.
VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [0] * 756


def stack(*bands: Any) -> Image.Image:
    return Image.fromarray(np.dstack([np.asarray(band, np.uint8) for band in bands]))


def painted(colour: tuple[int, ...], ground: Any = 0) -> Image.Image:
    return Image.fromarray(np.where(SHAPE[..., None], np.array(colour), ground).astype(np.uint8))


def soft(image: Image.Image, radius: float = 1.5) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def indexed(labels: Any, palette: list[int]) -> Image.Image:
    image = Image.fromarray(np.asarray(labels, np.uint8), "P")
    image.putpalette(palette)
    return image


def read(image: Image.Image, folder: Path, suffix: str = "png", **options: Any) -> Meaning:
    path = folder / f"m.{suffix}"
    image.save(path, **options)
    return understand(read_photo(path))


def likeness(meaning: Meaning) -> float:
    """Return the intersection over union of a mask and ``SHAPE``."""
    return float((meaning.mask & SHAPE).sum() / (meaning.mask | SHAPE).sum())


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tif"])
@pytest.mark.parametrize("change", [None, soft, lambda g: soft(g, 4), lambda g: g.convert("RGB")])
def test_white_on_black_needs_no_words(
    suffix: str, change: Callable[[Image.Image], Image.Image] | None, tmp_path: Path
) -> None:
    meaning = read(GREY if change is None else change(GREY), tmp_path, suffix)
    assert meaning.how == ""
    assert likeness(meaning) > (0.99 if change is None else 0.8)


@pytest.mark.parametrize("quality", [10, 30, 75])
def test_the_noise_of_jpeg_is_no_texture(quality: int, tmp_path: Path) -> None:
    for mode in ("L", "RGB"):
        assert likeness(read(GREY.convert(mode), tmp_path, "jpg", quality=quality)) > 0.97


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (stack(NOTHING, NOTHING, NOTHING, BYTES), "opaque pixels are removed (it is black"),
        (Image.merge("LA", (Image.fromarray(NOTHING), GREY)), "opaque pixels are removed"),
        (stack(BYTES, NOTHING, NOTHING, BYTES), "opaque pixels are removed (it is red"),
        (stack(BYTES, NOTHING, NOTHING, BYTES // 2), "opaque pixels are removed (it is red"),
        (stack(NOTHING, FULL, NOTHING, soft(GREY)), "opaque pixels are removed (it is green"),
        (stack(BYTES, BYTES, BYTES, BYTES), ""),
        (stack(FULL, FULL, FULL, BYTES), ""),
        (stack(BYTES, BYTES, BYTES, np.where(SHAPE, 255, 120)), ""),
        (stack(NOTHING, NOTHING, NOTHING, 255 - BYTES), "transparent pixels are removed"),
        (stack(FULL, FULL, FULL, 255 - BYTES), "transparent pixels are removed"),
    ],
)
def test_an_alpha_channel_is_understood(image: Image.Image, words: str, tmp_path: Path) -> None:
    meaning = read(image, tmp_path)
    assert words in meaning.how
    assert bool(words) == bool(meaning.how)
    assert likeness(meaning) > 0.9


SECOND = np.zeros(SIZE, bool)
SECOND[10:20, 5:20] = True
#: Labels of small things are nowhere wider than 4 pixels.
LINES = np.zeros(SIZE, bool)
LINES[88:92, 5:25] = True


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(SHAPE.astype(np.uint8)), SHAPE),
        (Image.fromarray(SHAPE.astype(np.uint16)), SHAPE),
        (Image.fromarray((SHAPE * 15).astype(np.uint8)), SHAPE),
        (Image.fromarray((SHAPE * 100).astype(np.uint8)), SHAPE),
        (Image.fromarray((SHAPE * 1 + SECOND * 7).astype(np.uint8)), SHAPE | SECOND),
        (Image.fromarray(np.where(SECOND, 255, SHAPE * 15).astype(np.uint8)), SHAPE | SECOND),
        (indexed(SHAPE, VOC), SHAPE),
        (indexed(SHAPE * 1 + SECOND * 2, VOC), SHAPE | SECOND),
        (indexed(SHAPE, [0, 0, 0]), SHAPE),
        (Image.fromarray((SHAPE + np.uint8(1)).astype(np.uint8)), SHAPE),
        (Image.fromarray((LINES * 1 + (SHAPE & ~LINES) * 2).astype(np.uint8)), SHAPE | LINES),
        (Image.fromarray((LINES * 7 + (SHAPE & ~LINES) * 15).astype(np.uint8)), SHAPE | LINES),
    ],
)
def test_labels_are_understood(image: Image.Image, expected: Any, tmp_path: Path) -> None:
    meaning = read(image, tmp_path)
    np.testing.assert_array_equal(meaning.mask, expected)
    assert meaning.how


@pytest.mark.parametrize("ground", [0, 255])
@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((255, 0, 0), "red"),
        ((0, 255, 0), "green"),
        ((255, 0, 255), "magenta"),
        ((120, 0, 0), "red"),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_one_strong_colour_is_understood(
    suffix: str, colour: tuple[int, ...], name: str, ground: int, tmp_path: Path
) -> None:
    for image in (painted(colour, ground), soft(painted(colour, ground))):
        meaning = read(image, tmp_path, suffix)
        assert meaning.how.startswith(f"{name} is removed")
        assert likeness(meaning) > 0.9


@pytest.mark.parametrize(
    ("colour", "ground", "how"),
    [
        ((253, 231, 37), (68, 1, 84), "brighter of its two colours is removed (it is yellow on"),
        ((0, 255, 0), (0, 0, 255), "it is green on blue"),
    ],
)
def test_a_plot_of_a_mask_is_understood(
    colour: tuple[int, ...], ground: tuple[int, ...], how: str, tmp_path: Path
) -> None:
    meaning = read(painted(colour, np.array(ground)), tmp_path)
    assert how in meaning.how
    assert likeness(meaning) == 1


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (painted((255, 255, 255), np.array((0, 0, 255))), "blue in .* also along its border"),
        (painted((0, 0, 0), np.array((0, 255, 0))), "green in .* also along its border"),
        (painted((255, 0, 0), np.array((90, 90, 90))), "it is (grey and red|red and grey)"),
        (Image.fromarray((1 + SHAPE * 1 + SECOND * 2).astype(np.uint8)), "several dark levels"),
    ],
)
def test_two_colours_that_may_mean_either_are_refused(
    image: Image.Image, found: str, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableError, match=found):
        read(image, tmp_path)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("ground", [0, 255])
def test_a_small_object_that_was_cut_out_is_no_mask(ground: int, mode: str, tmp_path: Path) -> None:
    with Image.open(SAMPLES / "cat_in_hedge.jpg") as photo:
        cut = np.full((240, 320, 3), ground, np.uint8)
        cut[100:140, 150:180] = np.asarray(photo.resize((320, 240)))[100:140, 150:180]
    with pytest.raises(UnreadableError, match="photo"):
        read(Image.fromarray(cut).convert(mode), tmp_path)


def test_a_mask_in_two_other_levels_is_understood(tmp_path: Path) -> None:
    meaning = read(Image.fromarray((SHAPE * 100).astype(np.uint8)), tmp_path, "jpg")
    assert "brighter of its two levels" in meaning.how
    assert likeness(meaning) > 0.97
    bright = Image.fromarray(np.where(SHAPE, 220, 30).astype(np.uint8))
    assert read(bright, tmp_path, "jpg").how == ""


def test_black_and_white_pictures(tmp_path: Path) -> None:
    assert not read(Image.fromarray(NOTHING), tmp_path, "jpg").mask.any()
    assert read(Image.fromarray(FULL), tmp_path).mask.all()
    assert not read(stack(PHOTO, NOTHING), tmp_path).mask.any()


COLOURS = Image.fromarray(PHOTO)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize(
    ("image", "found"),
    [
        (COLOURS, "photo"),
        (COLOURS.convert("L"), "many levels"),
        (COLOURS.point(lambda level: level // 5), "photo"),
        (painted((255, 0, 0), PHOTO), "painted red"),
        (painted((0, 0, 0), PHOTO), "photo"),
        (painted((255, 255, 255), PHOTO), "photo"),
        (painted((255, 255, 255), np.asarray(COLOURS.convert("L"))[..., None]), "like a photo"),
        (Image.blend(COLOURS, painted((255, 0, 0), PHOTO), 0.5), "a photo"),
    ],
)
def test_a_photo_is_no_mask(image: Image.Image, found: str, suffix: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=f"this is no mask: .*{found}.*paint what is to go"):
        read(image, tmp_path, suffix)


@pytest.mark.parametrize("width", [150, 172])
def test_a_soft_rim_may_be_two_fifths_of_the_picture(width: int, tmp_path: Path) -> None:
    """A smooth ramp between black and white; more than half is exactly one or the other."""
    levels = np.zeros((300, 400), np.uint8)
    levels[:, 200:] = 255
    levels[:, 200 - width // 2 : 200 + width // 2] = np.rint(np.linspace(51, 204, width))
    if width < 165:
        assert read(Image.fromarray(levels), tmp_path).mask.mean() == 0.5
    else:
        with pytest.raises(UnreadableError, match="very soft rims"):
            read(Image.fromarray(levels), tmp_path)


def test_a_mask_whose_rims_are_too_soft_is_not_called_a_photo_alone(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="a photo, or a mask with very soft rims"):
        read(soft(GREY, 14), tmp_path)


@pytest.mark.parametrize("noise", [(0, 40), (30, 0)])
def test_a_grey_photo_of_two_levels_has_texture_at_one_of_them(
    noise: tuple[int, int], tmp_path: Path
) -> None:
    """Dark birds before a white sky; snow before a dark forest."""
    bright, dark = np.random.default_rng(0).integers(0, 41, (2, *SIZE))
    levels = np.where(SHAPE, 20 + dark * noise[1] // 40, 250 - bright * noise[0] // 40)
    with pytest.raises(UnreadableError, match="many levels"):
        read(Image.fromarray(levels.astype(np.uint8)), tmp_path)


def test_a_photo_with_transparent_pixels_is_no_mask(tmp_path: Path) -> None:
    for alpha in (BYTES, 255 - BYTES):
        with pytest.raises(UnreadableError, match=r"a photo of which \d+% is transparent"):
            read(stack(PHOTO, alpha), tmp_path)


def test_what_may_mean_either_is_refused(tmp_path: Path) -> None:
    half = np.zeros(SIZE, np.uint8)
    half[:, :80] = 255
    with pytest.raises(UnreadableError, match="either may be meant"):
        read(stack(NOTHING, NOTHING, NOTHING, half), tmp_path)
    with pytest.raises(UnreadableError, match=r"several grey levels \(0, 20, 150\)"):
        read(Image.fromarray((SHAPE * 20 + SECOND * 150).astype(np.uint8)), tmp_path)


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.*g")))
def test_no_sample_picture_is_taken_for_a_mask(name: str, tmp_path: Path) -> None:
    with Image.open(SAMPLES / name) as picture:
        for image in (picture.convert("RGB"), picture.convert("L"), picture.resize((64, 48))):
            with pytest.raises(UnreadableError, match="this is no mask"):
                read(image, tmp_path)
