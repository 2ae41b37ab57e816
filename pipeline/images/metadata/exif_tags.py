"""The tags of EXIF and TIFF that are kept, each with its form and its largest size.

They are those of Exif 3.0 and of TIFF 6.0 that say when, where, with what and by whom a photo was
taken. A tag that is not here, or has another form, is dropped: above all maker notes, which hold
previews in a place that only their maker knows.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from .text import LONGEST_TEXT


class Form(Enum):
    """What a tag's value is."""

    #: ASCII, Latin-1 or UTF-8.
    TEXT = "text"
    #: A text behind eight bytes that name its encoding.
    CODED_TEXT = "coded text"
    #: UTF-16, least byte first, as Windows writes it.
    WIDE_TEXT = "wide text"
    #: Integers, fractions or floats.
    NUMBERS = "numbers"
    #: Bytes that are a version or a code.
    BYTES = "bytes"


class Rule(NamedTuple):
    """A tag's form and size: at most so many characters, numbers or bytes."""

    form: Form
    most: int


EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD = 0x8769, 0x8825, 0xA005
MAKER_NOTE = 0x927C

_SHORT, _NAME = 64, 256


def _texts(most: int, *tags: int) -> dict[int, Rule]:
    return {tag: Rule(Form.TEXT, most) for tag in tags}


def _numbers(most: int, *tags: int) -> dict[int, Rule]:
    return {tag: Rule(Form.NUMBERS, most) for tag in tags}


def _bytes(most: int, *tags: int) -> dict[int, Rule]:
    return {tag: Rule(Form.BYTES, most) for tag in tags}


#: The first directory: the picture, its camera and its people.
IMAGE: dict[int, Rule] = {
    # Description; copyright.
    **_texts(LONGEST_TEXT, 0x010E, 0x8298),
    # Program; document, maker, model, page, software, artist, computer.
    **_texts(_NAME, 0x000B, 0x010D, 0x010F, 0x0110, 0x011D, 0x0131, 0x013B, 0x013C),
    **_texts(_SHORT, 0x0132),  # the date of the change
    # Sizes, compression, colour model, orientation, samples, densities, planes, unit, rating.
    **_numbers(1, 0x0100, 0x0101, 0x0103, 0x0106, 0x0112, 0x0115, 0x011A, 0x011B, 0x011C, 0x0128),
    **_numbers(1, 0x0213, 0x4746, 0x4749),
    **_numbers(2, 0x013E),  # white point
    **_numbers(3, 0x0211),
    **_numbers(4, 0x0102),
    **_numbers(6, 0x013F, 0x0214),  # primaries, black and white
    # Title, comment, author, keywords and subject, as Windows writes them.
    **{tag: Rule(Form.WIDE_TEXT, LONGEST_TEXT) for tag in range(0x9C9B, 0x9CA0)},
}

#: The EXIF directory: how the photo was taken.
PHOTO: dict[int, Rule] = {
    # Exposure, aperture, program, time zone, sensitivities.
    **_numbers(1, 0x829A, 0x829D, 0x8822, 0x882B, *range(0x8830, 0x8836)),
    **_numbers(2, 0x882A),
    **_numbers(4, 0x8827),
    **_texts(_NAME, 0x8824),
    **_bytes(4, 0x9000, 0x9101, 0xA000),  # versions, components
    # Dates, offsets from UTC, fractions of seconds.
    **_texts(_SHORT, 0x9003, 0x9004, *range(0x9010, 0x9013), *range(0x9290, 0x9293)),
    # Compression, shutter, aperture, brightness, bias, distance, metering, light, flash, focus.
    **_numbers(1, 0x9102, *range(0x9201, 0x920B)),
    **_numbers(4, 0x9214),
    0x9286: Rule(Form.CODED_TEXT, LONGEST_TEXT),  # the user's comment
    # Temperature, humidity, pressure, depth, acceleration, elevation.
    **_numbers(1, *range(0x9400, 0x9406)),
    # Colour space, size, flash energy, focal plane, exposure index, sensor.
    **_numbers(1, 0xA001, 0xA002, 0xA003, 0xA20B, 0xA20E, 0xA20F, 0xA210, 0xA215, 0xA217),
    **_numbers(2, 0xA214),
    **_texts(_SHORT, 0xA004, 0xA420),  # sound file, identifier
    **_bytes(1, 0xA300, 0xA301),  # file source, scene type
    **_bytes(12, 0xA302),  # colour filter
    # Rendering to contrast, saturation, sharpness, distance range; gamma; composite.
    **_numbers(1, *range(0xA401, 0xA40B), 0xA40C, 0xA460, 0xA500),
    **_numbers(2, 0xA461),
    # Owner, serial numbers, lens; title, photographer, editor, firmware, programs.
    **_texts(_NAME, 0xA430, 0xA431, *range(0xA433, 0xA43D)),
    **_numbers(4, 0xA432),  # the lens' range
}

#: The GPS directory: where the photo was taken.
PLACE: dict[int, Rule] = {
    **_numbers(4, 0x00),
    **_texts(_SHORT, 0x01, 0x03, 0x09, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x13, 0x15, 0x17, 0x19, 0x1D),
    **_texts(_NAME, 0x08),
    **_numbers(3, 0x02, 0x04, 0x07, 0x14, 0x16),
    **_numbers(1, 0x05, 0x06, 0x0B, 0x0D, 0x0F, 0x11, 0x18, 0x1A, 0x1E, 0x1F),
    **{tag: Rule(Form.CODED_TEXT, _NAME) for tag in (0x1B, 0x1C)},
}

#: The interoperability directory.
INTEROPERABILITY: dict[int, Rule] = {
    **_texts(4, 0x0001),
    **_bytes(4, 0x0002),
    **_numbers(1, 0x1001, 0x1002),
}

#: Tags of a TIFF's first directory besides ``IMAGE`` and ``PHOTO``: page, and GeoTIFF.
TIFF: dict[int, Rule] = {
    **_numbers(1, 0x011E, 0x011F),
    **_numbers(8, 0x0150),  # dot range
    **_numbers(3, 0x830E),
    **_numbers(96, 0x8482),
    **_numbers(16, 0x85D8),
    **_numbers(512, 0x87AF),
    **_numbers(64, 0x87B0),
    **_texts(LONGEST_TEXT, 0x87B1, 0xA480),
    **_texts(_SHORT, 0xA481),
}
