"""What a mask file means: which of its pixels remove.

White removes and black stays. Programs also write masks as an alpha channel, as labels (0 and 1)
or in one strong colour; those are understood, with a sentence that says how. A picture that is
neither, such as a photo with the object erased, is refused: any threshold would remove something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableError
from ..pixels import eight_bits
from ..types import Mask, Photo, Pixels
from .paste import luma

_Bytes = NDArray[np.uint8]

#: Distance between the channels of a pixel, of 255, up to which it counts as grey: JPEG's noise.
_GREY_CHROMA = 24
#: Share of a grey picture's pixels that may have more.
_MOST_COLOURED = 0.0005
#: Distance between the channels of a pixel of a strong colour.
_STRONG_CHROMA = 64
#: Most levels or colours of a map of labels; VOC has 21 labels, Cityscapes 34.
_MOST_LABELS = 64
#: So few dark levels are labels also where all areas of a label are narrow.
_FEW_LABELS = 8
#: Distance from both levels of a two-valued picture, of their contrast, up to which it is noise.
_NOISE = 0.15
#: Share of the labelled squares of 2 x 2 pixels that have one label.
_FLAT = 0.6
#: Least share of the picture that is exactly at one of the two levels.
_EXACT = 0.5
#: The same where the levels are close to each other.
_EXACT_IF_CLOSE = 0.9
#: Share of pixels that differ from their left neighbour, at most, in a map of coloured labels.
_MOST_RIMS = 0.15
#: Share of the picture that may be textured between the two levels; in a picture of fewer pixels
#: than ``_FEW`` on its shorter side, rims take so much more of it.
_MOST_TEXTURE = 0.01
_FEW = 480
#: The same, as a share of what is removed, or of what stays if that is less.
_MOST_TEXTURE_INSIDE = 0.15
#: Change of brightness from pixel to pixel, of 255, up to which an area is smooth.
_SMOOTH = 6
#: Share of the middle of what is removed, or of what stays, that may be rough.
_MOST_ROUGH = 0.2
#: What stands out from the ground is shaded, as a cut-out object is, if in its middle, so many
#: pixels from its rim, more than these shares are far from the other level, and rough. Of 351 soft
#: and lossy masks of real objects none is, of 49 cut-out objects that passed the other limits 47.
_RIM = 11
_MOST_FAR, _MOST_ROUGH_FAR = 0.1, 0.03
#: The middle must have so many pixels, and be this share of what stands out: letters have none.
_LEAST_MIDDLE, _LEAST_MIDDLE_SHARE = 16, 0.05
#: Share of the picture that a middle needs to be looked at.
_LEAST_INSIDE = 0.005
#: Share of the picture that may lie between the two levels at all, as wide soft rims do.
_MOST_SOFT = 0.4
#: Share of a mask's border that is opaque where its transparent pixels are the object.
_FRAMING = 0.75
#: Least share of the ground of a mask in one colour.
_LEAST_GROUND = 0.1
#: Width in pixels of an area whose middle is free of the colours that JPEG's blocks mix at rims.
_BLOCK = 17
#: White as 24 bits.
_WHITE = 0xFFFFFF
#: Colours of strokes, with the words for them.
_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "magenta": (255, 0, 255),
    "cyan": (0, 255, 255),
    "orange": (255, 128, 0),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
}
_GREYS = ("black", "grey", "white")
#: How labels are understood.
_HOW_LABELS = "every level but 0 is removed, as labels are (it has {})"
#: The last words of every refusal.
REMEDY = "paint what is to go in white and the rest in black, in a file of its own"


@dataclass(frozen=True, eq=False, slots=True)
class Meaning:
    """What a mask file means.

    Attributes:
        mask: HW bool, True = remove.
        how: how it was understood; empty for white on black.
    """

    mask: Mask
    how: str = ""


class _NoMaskError(Exception):
    """The picture is no mask; the message says what it is."""


def understand(picture: Photo) -> Meaning:
    """Find out which pixels of a mask file remove.

    Args:
        picture: the mask as read.

    Raises:
        UnreadableError: it is no mask. The message says what was found, and lacks the file's name.
    """
    try:
        if picture.alpha is not None and not _is_opaque(picture.alpha):
            return _with_alpha(picture, picture.alpha)
        return _opaque(picture.rgb, picture)
    except _NoMaskError as error:
        raise UnreadableError(f"this is no mask: {error}; {REMEDY}") from error


def _is_opaque(alpha: Pixels) -> bool:
    return int(alpha.min()) == np.iinfo(alpha.dtype).max


def _with_alpha(picture: Photo, alpha: Pixels) -> Meaning:
    """Read a mask with transparent pixels: one colour over nothing, or a picture over black."""
    if not alpha.any():
        return Meaning(np.zeros(alpha.shape, bool))
    colour = _single_colour(picture.rgb, alpha)
    if colour is not None:
        return _alpha_alone(alpha, colour)
    full = np.iinfo(alpha.dtype).max
    over_black = (picture.rgb.astype(np.uint32) * alpha[..., None] // full).astype(alpha.dtype)
    try:
        return _opaque(cast(Pixels, over_black), picture)
    except _NoMaskError as error:
        clear = float((alpha <= full // 2).mean())
        raise _NoMaskError(
            f"a photo of which {_percent(clear)} is transparent (the object erased, or all but "
            "the object)"
        ) from error


def _single_colour(rgb: Pixels, alpha: Pixels) -> tuple[int, ...] | None:
    """Return the one colour of all pixels that show, of 255; None if there are several."""
    shown = alpha > np.iinfo(alpha.dtype).max // 4
    if not shown.any():
        shown = alpha > 0
    colours = eight_bits(rgb[shown])
    least, most = colours.min(axis=0), colours.max(axis=0)
    if (most.astype(int) - least > _GREY_CHROMA // 2).any():
        return None
    return tuple(int(value) for value in colours[0])


def _alpha_alone(alpha: Pixels, colour: tuple[int, ...]) -> Meaning:
    """Read a mask of one colour: opaque removes, unless it frames a smaller transparent part."""
    opaque = _two_valued(eight_bits(alpha), "an alpha channel")
    share, named = float(opaque.mean()), _name_of(colour)
    if share <= 0.5:
        how = (
            "" if named == "white" else f"its opaque pixels are removed (it is {named} on nothing)"
        )
        return Meaning(opaque, how)
    if float(_border(opaque).mean()) >= _FRAMING and share < 1:
        how = f"its transparent pixels are removed, because opaque {named} lies all around them"
        return Meaning(~opaque, how)
    raise _NoMaskError(
        f"it is {named} and opaque in {_percent(share)} of the picture, and transparent elsewhere: "
        "either may be meant"
    )


def _border(mask: Mask) -> Mask:
    return np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])


def _opaque(rgb: Pixels, picture: Photo) -> Meaning:
    """Read a mask without transparency."""
    colours = eight_bits(rgb)
    chroma = _chroma(colours)
    if float((chroma > _GREY_CHROMA).mean()) <= _MOST_COLOURED:
        is_plain = rgb.dtype == np.uint8 and not chroma.any()  # its luma is any of its channels
        levels = np.ascontiguousarray(colours[..., 0]) if is_plain else luma(rgb)
        return _grey(levels, picture)
    if (meaning := _one_colour(colours)) is not None:
        return meaning
    if _is_lossless(picture):
        if (meaning := _colour_labels(colours)) is not None:
            return meaning
        if (meaning := _two_colours(colours)) is not None:
            return meaning
    raise _NoMaskError(_described(colours))


def _chroma(colours: _Bytes) -> _Bytes:
    """Return the distance between the strongest and the weakest channel: HWC -> HW."""
    red, green, blue = cv2.split(colours)
    most = cv2.max(cv2.max(red, green), blue)
    least = cv2.min(cv2.min(red, green), blue)
    return cast(_Bytes, cv2.subtract(most, least))


def _is_lossless(picture: Photo) -> bool:
    return bool(getattr(picture.native, "lossless", True))


# --- grey -----------------------------------------------------------------------------------------


def _grey(levels: Pixels, picture: Photo) -> Meaning:
    """Read a grey mask: black and white, two other levels, or labels."""
    present = np.flatnonzero(np.bincount(levels.ravel()))
    if len(present) == 1 and (index := _indices(picture)) is not None and np.ptp(index):
        levels, present = index, np.flatnonzero(np.bincount(index.ravel()))
    half = np.iinfo(levels.dtype).max // 2
    white = np.iinfo(levels.dtype).max
    if len(present) == 1 or (len(present) == 2 and present[0] == 0 and present[1] == white):
        return Meaning(levels > half)
    if _is_lossless(picture) and len(present) <= _MOST_LABELS and present[0] == 0:
        meaning = _labels(levels, present)
        if meaning is not None:
            return meaning
    if present[-1] < half // 8:
        if _is_lossless(picture) and present[0] > 0 and _is_flat(levels, 0):
            return _labels_without_ground(levels, present)
        return Meaning(np.zeros(levels.shape, bool))  # black, with the noise of a lossy format
    return _black_and_white(levels, "a grey picture")


def _indices(picture: Photo) -> Pixels | None:
    """Return the indices of a picture with a palette."""
    layout = getattr(picture.native, "layout", None)
    if layout is None or layout.mode not in ("P", "PA") or layout.bands is None:
        return None
    bands: Pixels = layout.bands
    return bands if bands.ndim == 2 else cast(Pixels, np.ascontiguousarray(bands[..., 0]))


def _labels(levels: Pixels, present: NDArray[np.int64]) -> Meaning | None:
    """Read labels: 0 stays, everything else is removed. Returns None for black and white.

    Args:
        levels: HW.
        present: the levels, ascending, with 0 first. The highest may be white, which marks the
            rims of labels ("void").
    """
    white = int(np.iinfo(levels.dtype).max)
    half, top = white // 2, int(present[-1])
    between = present[(present > 0) & (present < min(top, half + 1))]
    if not len(between):
        return None if top > half else Meaning(levels > 0, _HOW_LABELS.format(_shown(present)))
    is_told = (top <= half and len(present) <= _FEW_LABELS) or any(
        _has_core(levels == level) for level in between
    )
    if not is_told or not _is_flat(levels, 0):
        return None  # soft rims, or a dark photo
    if top <= half or (top == white and present[-2] < white // 4):
        return Meaning(levels > 0, _HOW_LABELS.format(_shown(present)))
    raise _NoMaskError(
        f"it has areas of several grey levels ({_shown(present)}), and which of them are meant "
        "cannot be told"
    )


def _labels_without_ground(levels: Pixels, present: NDArray[np.int64]) -> Meaning:
    """Read labels none of which is 0: of two, the higher is removed."""
    if len(present) > 2:
        raise _NoMaskError(
            f"it has areas of several dark levels ({_shown(present)}) and none of level 0, and "
            "which of them are meant cannot be told"
        )
    how = f"the brighter of its two levels ({present[0]} and {present[1]}) is removed"
    return Meaning(levels == present[1], how)


def _is_flat(codes: NDArray[np.generic], ground: int) -> bool:
    """Whether the areas that are not the ground are painted evenly, and not shaded.

    Args:
        codes: HW, a number for every level or colour.
        ground: the number of the ground.
    """
    same = (codes[:, 1:] == codes[:, :-1]).astype(np.uint8)
    below = (codes[1:] == codes[:-1]).astype(np.uint8)
    even = (same[1:] & same[:-1] & below[:, 1:] & below[:, :-1]).astype(bool)
    inside = (codes != ground)[1:, 1:]
    return bool((even & inside).sum() >= _FLAT * max(1, inside.sum()))


def _has_core(area: Mask) -> bool:
    """Whether an area is anywhere wider than a rim."""
    return bool(np.count_nonzero(_core(area)) >= 4)


def _core(area: Mask, width: int = 5) -> Mask:
    """Return the middles of all squares of ``width`` pixels that lie in the area."""
    return cv2.erode(area.view(np.uint8), np.ones((width, width), np.uint8)).view(bool)


def _shown(levels: NDArray[np.int64]) -> str:
    """Return the first few levels as text."""
    text = ", ".join(str(int(level)) for level in levels[:6])
    return f"{text} and {len(levels) - 6} more" if len(levels) > 6 else text


def _black_and_white(levels: Pixels, what: str) -> Meaning:
    """Read a picture of two levels, with noise and soft rims."""
    values = eight_bits(levels)
    dark, bright = _two_levels(values)
    _refuse_picture(values, dark, bright, what)
    half = np.iinfo(levels.dtype).max // 2
    if dark <= 127 < bright:
        return Meaning(levels > half)
    how = f"the brighter of its two levels ({dark} and {bright} of 255) is removed"
    return Meaning(values > (dark + bright) // 2, how)


def _two_valued(values: _Bytes, what: str) -> Mask:
    """Return the brighter pixels of a picture of two levels, wherever these lie."""
    if not np.ptp(values):
        return values > 127
    dark, bright = _two_levels(values)
    _refuse_picture(values, dark, bright, what)
    return values > (dark + bright) // 2


def _two_levels(values: _Bytes) -> tuple[int, int]:
    """Return the medians of the pixels below and above Otsu's threshold."""
    threshold, _ = cv2.threshold(values, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    count = np.bincount(values.ravel(), minlength=256)
    below, above = count.copy(), count.copy()
    below[int(threshold) + 1 :] = 0
    above[: int(threshold) + 1] = 0
    return _median(below), _median(above)


def _median(count: NDArray[np.int64]) -> int:
    """Return the median of values that were counted."""
    return int(np.searchsorted(np.cumsum(count), (count.sum() + 1) // 2))


def _refuse_picture(values: _Bytes, dark: int, bright: int, what: str) -> None:
    """Refuse a picture with more between its two levels than noise and soft rims.

    Rims are narrow, or smooth; a photo has wide areas with texture, also at its two levels.
    """
    contrast = max(1, bright - dark)
    rough = np.abs(cv2.Laplacian(values, cv2.CV_16S))
    core = _core(~_near(values, dark, bright, max(16, round(_NOISE * contrast))))
    texture = float((core & (rough > max(_SMOOTH, contrast // 24))).mean())
    exact = float(_near(values, dark, bright, max(2, contrast // 50)).mean())
    removed = values > (dark + bright) // 2
    share = float(removed.mean())
    most = _MOST_TEXTURE * min(3.0, max(1.0, _FEW / min(values.shape)))
    has_texture = (
        texture > min(most, _MOST_TEXTURE_INSIDE * min(share, 1 - share))
        or any(_is_rough(rough, area) for area in (removed, ~removed))
        or _is_shaded(values, rough, dark, bright)
        or _is_shaded(values, rough, bright, dark)
    )
    least = _EXACT if contrast >= 96 else _EXACT_IF_CLOSE
    if has_texture or float(core.mean()) > _MOST_SOFT or exact < least:
        like = "a photo" if has_texture else "a photo, or a mask with very soft rims"
        raise _NoMaskError(
            f"{what} of many levels, like {like} ({_percent(exact)} of it is exactly dark or "
            "exactly bright)"
        )


def _is_rough(rough: NDArray[np.int16], area: Mask) -> bool:
    """Whether the middle of an area, away from its rims, has texture."""
    inside = _core(area, _BLOCK)
    if float(inside.mean()) < _LEAST_INSIDE:
        return False
    return float((rough[inside] > _SMOOTH).mean()) > _MOST_ROUGH


def _is_shaded(values: _Bytes, rough: NDArray[np.int16], ground: int, level: int) -> bool:
    """Whether what stands out from the ground has shades, as a cut-out object has.

    Paint has one level up to its rims, which may be soft: then it is smooth.
    """
    contrast = abs(level - ground)
    noise = round(_NOISE * contrast)
    apart = ~_near(values, ground, ground, noise)
    middle = _core(apart, _RIM)
    count = int(np.count_nonzero(middle))
    if count < max(_LEAST_MIDDLE, _LEAST_MIDDLE_SHARE * np.count_nonzero(apart)):
        return False
    far = ~_near(values[middle], level, level, noise)
    uneven = rough[middle] > max(_SMOOTH, contrast // 12)
    return float(far.mean()) > _MOST_FAR and float(uneven.mean()) > _MOST_ROUGH_FAR


def _near(values: _Bytes, dark: int, bright: int, distance: int) -> Mask:
    """Return the pixels at most ``distance`` from one of two levels."""
    levels = np.arange(256)
    near = (np.abs(levels - dark) <= distance) | (np.abs(levels - bright) <= distance)
    return near[values]


# --- colour ---------------------------------------------------------------------------------------


def _one_colour(colours: _Bytes) -> Meaning | None:
    """Read a mask of one strong colour on black or white; None if it is another picture."""
    strong = _chroma(colours) >= _STRONG_CHROMA
    if not strong.any():
        return None
    colour = np.median(colours[strong], axis=0)
    for name, ground in _grounds(colours):
        along, off = _between(colours, ground, colour)
        if float(_core(off).mean()) > 0.002 or float(off.mean()) > 0.1:
            continue
        try:
            mask = _two_valued(along, "")
        except _NoMaskError:
            continue
        inside = _core(mask, _BLOCK)
        if inside.any() and not _is_even(colours[inside], colour):
            continue
        named = _name_of(tuple(int(value) for value in colour))
        _refuse_ground(mask, named, name)
        return Meaning(mask, f"{named} is removed (it is {named} on {name})")
    return None


def _refuse_ground(mask: Mask, named: str, other: str) -> None:
    """Refuse a colour that is most of the picture and lies all around it, as a ground does."""
    share = float(mask.mean())
    if 0.5 < share < 1 and float(_border(mask).mean()) >= _FRAMING:
        raise _NoMaskError(
            f"it is {named} in {_percent(share)} of the picture, also along its border, and "
            f"{other} elsewhere: either may be meant"
        )


def _two_colours(colours: _Bytes) -> Meaning | None:
    """Read a picture of exactly two colours, as plots of a mask are; None if there are more."""
    first = colours[0, 0]
    is_other = (colours != first).any(axis=-1)
    if not is_other.any():
        return None
    second = colours[is_other][0]
    if (colours[is_other] != second).any():
        return None
    light = [float(luma(colour.reshape(1, 1, 3))[0, 0]) for colour in (first, second)]
    mask = is_other if light[1] > light[0] else ~is_other
    named, other = (
        _name_of(tuple(int(value) for value in colour))
        for colour in ((second, first) if light[1] > light[0] else (first, second))
    )
    if abs(light[1] - light[0]) < _STRONG_CHROMA:
        raise _NoMaskError(f"it is {named} and {other}, and which is meant cannot be told")
    _refuse_ground(mask, named, other)
    return Meaning(mask, f"the brighter of its two colours is removed (it is {named} on {other})")


def _is_even(colours: _Bytes, colour: NDArray[np.float64]) -> bool:
    """Whether most of some pixels (N x 3) have a colour, as paint has, and a cut-out object not."""
    return float((np.abs(colours - colour).max(axis=-1) <= 20).mean()) >= 0.7


def _grounds(colours: _Bytes) -> list[tuple[str, int]]:
    """Return black and white, that of which there is more first, without those of too little."""
    least, most = colours.min(axis=-1), colours.max(axis=-1)
    shares = {("black", 0): (most <= 48).mean(), ("white", 255): (least >= 207).mean()}
    return sorted(
        (key for key in shares if shares[key] > _LEAST_GROUND), key=lambda key: -shares[key]
    )


def _between(colours: _Bytes, ground: int, colour: NDArray[np.float64]) -> tuple[_Bytes, Mask]:
    """Place every pixel on the line from the ground to a colour.

    Returns:
        HW uint8, 0 at the ground and 255 at the colour; HW bool, True far from the line.
    """
    along, off = np.empty(colours.shape[:2], np.uint8), np.empty(colours.shape[:2], bool)
    line = (colour - ground).astype(np.float32)
    length = float(line @ line)
    for rows in _strips(colours):
        from_ground = colours[rows].astype(np.float32) - ground
        share = np.clip(from_ground @ line / length, 0, 1)
        distance = np.linalg.norm(from_ground - share[..., None] * line, axis=-1)
        along[rows], off[rows] = np.rint(share * 255), distance > 60
    return along, off


def _strips(colours: _Bytes) -> Iterator[slice]:
    """Yield strips of rows, so that floats need little memory."""
    height, width = colours.shape[:2]
    step = max(1, (1 << 20) // width)
    for top in range(0, height, step):
        yield slice(top, top + step)


def _colour_labels(colours: _Bytes) -> Meaning | None:
    """Read a map of labels in colours on black, or on white; None if it is another picture."""
    codes = colours[..., 0].astype(np.uint32) << 16
    codes |= colours[..., 1].astype(np.uint32) << 8
    codes |= colours[..., 2]
    changes = codes[:, 1:] != codes[:, :-1]
    if float(changes.mean()) > _MOST_RIMS:
        return None
    found = np.unique(np.concatenate([codes[:, 0], codes[:, 1:][changes]]))
    if len(found) > _MOST_LABELS:
        return None
    black, white = float((codes == 0).mean()), float((codes == _WHITE).mean())
    if black > 0 and (white == 0 or black >= 0.5):
        ground, name = 0, "black"
    elif white > 0.2 and black == 0:
        ground, name = _WHITE, "white"
    else:
        return None
    if not _is_flat(codes, ground):
        return None
    if len(found) == 2:
        colour = int(found[found != ground][0])
        named = _name_of((colour >> 16, colour >> 8 & 255, colour & 255))
        _refuse_ground(codes != ground, named, name)
        return Meaning(codes != ground, f"{named} is removed (it is {named} on {name})")
    return Meaning(codes != ground, f"its {len(found) - 1} colours on {name} are removed")


def _described(colours: _Bytes) -> str:
    """Say what a picture is that is no mask."""
    blurred = cv2.blur(colours, (5, 5))
    even = cv2.absdiff(colours, cast(_Bytes, blurred)).max(axis=-1) <= 8
    painted = even & (_chroma(colours) >= 160)
    if float(painted.mean()) > 0.002:
        colour = np.median(colours[painted], axis=0)
        near = np.abs(colours[painted].astype(int) - colour.astype(int)).max(axis=-1) <= 12
        if float(near.mean()) > 0.9:
            named = _name_of(tuple(int(value) for value in colour))
            return (
                f"a photo with {_percent(float(painted.mean()))} of it painted {named} (the "
                "paint alone, on black, would be one)"
            )
    return "a picture of many colours, like a photo"


def _name_of(colour: tuple[int, ...]) -> str:
    """Return the word for a colour, by its hue."""
    levels = np.array(colour, float)
    is_grey = bool(np.ptp(levels) < _STRONG_CHROMA // 2)
    wanted = levels if is_grey else (levels - levels.min()) * 255 / np.ptp(levels)
    return min(
        (name for name in _COLOURS if (name in _GREYS) == is_grey),
        key=lambda name: float(np.abs(np.array(_COLOURS[name], float) - wanted).sum()),
    )


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.095 else f"{share:.1%}"
