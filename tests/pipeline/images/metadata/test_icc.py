"""A colour profile keeps its standard tags; colours stay exactly equal, and nothing else stays."""

from __future__ import annotations

import base64
import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from remove_objects.pipeline.images.metadata.icc import known_profile

PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + bytes(range(256)) * 3
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def tags_of(profile: bytes) -> list[tuple[bytes, bytes]]:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count))
    return [(name, profile[at : at + size]) for name, at, size in entries]


def profile_of(tags: list[tuple[bytes, bytes]], gap: bytes = b"", header: bytes = SRGB) -> bytes:
    """A profile of these tags, with bytes between table and tags."""
    at = 132 + 12 * len(tags) + len(gap)
    table, values = struct.pack(">I", len(tags)), b""
    for name, content in tags:
        table += struct.pack(">4sII", name, at + len(values), len(content))
        values += content + bytes(-len(content) % 4)
    size = struct.pack(">I", at + len(values))
    return size + header[4:128] + table + gap + values


def text(content: bytes) -> bytes:
    return b"text" + bytes(4) + content + b"\0"


def converted(profile: bytes) -> np.ndarray:
    """The colours of a ramp in Lab, as this profile reads them."""
    ramp = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("LAB"), "RGB", "LAB")
    return np.asarray(ImageCms.applyTransform(Image.fromarray(ramp), transform))


def test_a_profile_of_standard_tags_stays_to_the_byte() -> None:
    assert known_profile(SRGB) == (SRGB, ())


PLANTED = {
    "private tag": profile_of([*tags_of(SRGB), (b"prVt", b"data" + bytes(4) + PICTURE)]),
    "private type": profile_of([*tags_of(SRGB), (b"bkpt", b"data" + bytes(4) + PICTURE)]),
    "measurements": profile_of([*tags_of(SRGB), (b"targ", text(PICTURE))]),
    "gap": profile_of(tags_of(SRGB), gap=PICTURE + bytes(-len(PICTURE) % 4)),
    "behind": SRGB + PICTURE,
    "header": SRGB[:100] + PICTURE[:28] + SRGB[128:],
    "copyright": profile_of([(n, text(PICTURE) if n == b"cprt" else c) for n, c in tags_of(SRGB)]),
    "behind a white point": profile_of(
        [(n, c + PICTURE if n == b"wtpt" else c) for n, c in tags_of(SRGB)]
    ),
    "behind a curve": profile_of(
        [(n, c + PICTURE if n == b"rTRC" else c) for n, c in tags_of(SRGB)]
    ),
    "behind a description": profile_of(
        [(n, c + PICTURE if n == b"desc" else c) for n, c in tags_of(SRGB)]
    ),
}


@pytest.mark.parametrize("place", PLANTED)
def test_a_picture_goes_and_colours_stay_exactly_equal(place: str) -> None:
    assert PICTURE[:20] in PLANTED[place]
    known = known_profile(PLANTED[place])
    assert known.profile is not None
    assert PICTURE[3:15] not in known.profile
    assert len(known.profile) <= len(SRGB) + 64
    np.testing.assert_array_equal(converted(known.profile), converted(SRGB))
    assert known_profile(known.profile) == (known.profile, ())


@pytest.mark.parametrize("name", [b"cprt", b"desc"])
def test_a_text_that_is_dropped_is_named(name: bytes) -> None:
    content = text(base64.b64encode(PICTURE))
    tags = [(n, content if n == name else c) for n, c in tags_of(SRGB)]
    assert known_profile(profile_of(tags)).dropped == (f"ICC '{name.decode()}'",)


def test_version_2s_description_stays_in_each_script() -> None:
    wide = "sRGB".encode("utf-16-be") + b"\0\0"
    description = b"desc" + bytes(4) + struct.pack(">I", 5) + b"sRGB\0" + bytes(4)
    description += struct.pack(">I", 5) + wide + b"\0\0\5sRGB\0" + bytes(62)
    profile = profile_of([(n, description if n == b"desc" else c) for n, c in tags_of(SRGB)])
    assert known_profile(profile) == (profile, ())


def curve(values: np.ndarray) -> bytes:
    return struct.pack(">4s4xI", b"curv", len(values)) + values.astype(">u2").tobytes()


def lut(colours: np.ndarray) -> bytes:
    """A table of 8 bits from RGB to Lab with 9 points on each axis."""
    ramp = bytes(range(256)) * 3
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return b"mft1" + bytes(4) + bytes((3, 3, 9, 0)) + matrix + ramp + colours.tobytes() + ramp


def test_curves_and_tables_stay_and_noise_in_their_place_goes() -> None:
    noise = np.random.default_rng(0)
    rising = curve(np.linspace(0, 65535, 1024))
    points = np.linspace(0, 255, 9).astype(np.uint8)
    smooth = np.stack(np.meshgrid(points, points, points, indexing="ij"), -1)
    tags = [*tags_of(SRGB), (b"A2B0", lut(smooth)), (b"kTRC", rising)]
    assert known_profile(profile_of(tags)).dropped == ()
    rough = noise.integers(0, 256, smooth.shape, np.uint8)
    tags = [
        *tags_of(SRGB),
        (b"A2B0", lut(rough)),
        (b"kTRC", curve(noise.integers(0, 65536, 1024))),
    ]
    assert known_profile(profile_of(tags)).dropped == ("ICC 'A2B0'", "ICC 'kTRC'")


@pytest.mark.parametrize("content", [b"", b"no profile", SRGB[:130], SRGB[:300], bytes(600)])
def test_a_damaged_profile_is_dropped(content: bytes) -> None:
    assert known_profile(content) == (None, ("a damaged colour profile",))


def test_damaged_profiles_never_raise() -> None:
    random = np.random.default_rng(1)
    for _ in range(500):
        damaged = np.frombuffer(SRGB, np.uint8).copy()
        damaged[random.integers(0, len(SRGB), 4)] = random.integers(0, 256, 4)
        known_profile(damaged.tobytes())
