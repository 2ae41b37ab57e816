"""EXIF is rebuilt from known tags of the right form and size; everything else is dropped."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from PIL import Image

from remove_objects.pipeline.images.metadata.exif import known_exif, known_value
from remove_objects.pipeline.images.metadata.exif_tags import IMAGE, PHOTO

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 3


def block(order: str, tags: dict[int, tuple[int, int, bytes]], behind: bytes = b"") -> bytes:
    """EXIF of one directory, tag -> (type, count, value), and of bytes that belong to no tag."""
    at = 8 + 2 + 12 * len(tags) + 4
    entries, values = struct.pack(order + "H", len(tags)), b""
    for tag, (kind, count, value) in tags.items():
        entries += struct.pack(order + "HHI", tag, kind, count)
        if len(value) <= 4:
            entries += value.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", at + len(values))
            values += value
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    return head + entries + bytes(4) + values + behind


def read(exif: bytes | None, group: int = 0) -> dict[int, Any]:
    parsed = Image.Exif()
    parsed.load(b"Exif\0\0" + (exif or b""))
    return dict(parsed.get_ifd(group)) if group else dict(parsed)


def camera() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x9C9B] = "Cam", 6, "Title".encode("utf-16-le") + b"\0\0"
    exif[0x8769] = {
        0x829A: 0.008,
        0x9003: "2026:11:28 10:00:00",
        0x9286: b"ASCII\0\0\0a comment",
        0x927C: b"MAKER" + PICTURE,
        0xA002: 4000,
        0xA432: (24.0, 70.0, 2.8, 2.8),
        0xA434: "Lens 24-70",
        0xEA1C: bytes(2000),
    }
    exif[0x8825] = {1: "N", 2: (50.0, 6.0, 30.5), 29: "2026:11:28"}
    return exif


def test_a_cameras_tags_stay_and_its_maker_note_and_padding_go() -> None:
    before = camera().tobytes()
    known = known_exif(before[6:], (30, 40), turn=8)
    assert known.dropped == ("MakerNote", "tag 0xEA1C")
    assert known.block is not None
    assert len(known.block) < 600
    assert read(known.block)[0x010F] == "Cam"
    assert read(known.block)[0x0112] == 8
    inner = read(known.block, 0x8769)
    old = read(before[6:], 0x8769)
    assert inner[0xA002] == 40
    same = {0x829A, 0x9003, 0x9286, 0xA432, 0xA434}
    assert set(inner) == same | {0xA002}
    assert {tag: inner[tag] for tag in same} == {tag: old[tag] for tag in same}
    assert read(known.block, 0x8825) == read(before[6:], 0x8825)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 129])
@pytest.mark.parametrize("tag", [0x010E, 0x0110, 0x0112, 0x0201, 0x9286, 0xA432, 0xC4A5, 0xFDE8])
def test_no_tag_of_any_type_holds_a_picture(order: str, kind: int, tag: int) -> None:
    size = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}.get(kind, 1)
    content = PICTURE[: len(PICTURE) // 8 * 8]
    planted = block(order, {tag: (kind, len(content) // size, content)}, behind=PICTURE)
    known = known_exif(planted, (30, 40))
    assert known.block is None
    assert len(known.dropped) == 1


def test_a_tag_is_kept_once_and_nothing_behind_its_text() -> None:
    value = b"Cam\0" + b"editor" + b"\0" + PICTURE
    assert known_value(IMAGE[0x010F], 2, b"Cam\0\0\0", "<") == b"Cam\0"
    assert (
        known_value(IMAGE[0x8298], 2, b"photographer\0editor\0", "<") == b"photographer\0editor\0"
    )
    assert known_value(IMAGE[0x8298], 2, value, "<") == b"Cam\0editor\0"
    twice = bytearray(block("<", {0x010F: (2, 4, b"One\0"), 0x0110: (2, 4, b"Two\0")}))
    twice[22:24] = twice[10:12]
    assert read(known_exif(bytes(twice), (2, 3)).block) == {0x010F: "One"}


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"ASCII\0\0\0a comment   \0\0", b"ASCII\0\0\0a comment"),
        (b"UNICODE\0" + "Zoë".encode("utf-16-le"), b"UNICODE\0" + "Zoë".encode("utf-16-le")),
        (bytes(8) + b"a comment", bytes(8) + b"a comment"),
        (bytes(130), b""),
        (b"no code", b"no code"),
        (b"ASCII\0\0\0" + PICTURE, None),
        (b"ASCII\0\0\0" + b"x" * 2001, None),
    ],
)
def test_a_comment_is_kept_as_a_text(content: bytes, kept: bytes | None) -> None:
    assert known_value(PHOTO[0x9286], 7, content, "<") == kept


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_picture_in_pieces_of_several_tags_goes_and_short_texts_stay(order: str) -> None:
    code = base64.b64encode(PICTURE)
    tags = {
        tag: (2, 60, code[60 * i : 60 * i + 59] + b"\0")
        for i, tag in enumerate((0x010D, 0x010E, 0x0131, 0x013B, 0x013C, 0x8298))
    }
    known = known_exif(block(order, {**tags, 0x010F: (2, 4, b"Cam\0")}), (2, 3))
    assert read(known.block) == {0x010F: "Cam"}
    assert len(known.dropped) == len(tags)


def test_texts_of_every_script_stay() -> None:
    polish = "Łódź, ulica Piotrkowska, późny wieczór".encode()
    wide = "Київ, вулиця Хрещатик, ввечері".encode("utf-16-le")
    tags = {
        0x010E: (2, len(polish) + 1, polish + b"\0"),
        0x9C9B: (1, len(wide) + 2, wide + b"\0\0"),
    }
    assert known_exif(block("<", tags), (2, 3)).dropped == ()


def test_an_orientation_is_added_where_pixels_are_stored_turned() -> None:
    known = known_exif(block(">", {0x010F: (2, 4, b"Cam\0")}), (2, 3), turn=6)
    assert read(known.block) == {0x010F: "Cam", 0x0112: 6}


@pytest.mark.parametrize("cut", range(0, 400, 13))
def test_damaged_exif_never_raises(cut: int) -> None:
    whole = camera().tobytes()[6:]
    for damaged in (whole[:cut], whole[:cut] + b"\xff" * 8 + whole[cut + 8 :]):
        known = known_exif(damaged, (2, 3))
        assert known.block is None or PICTURE not in known.block


def test_circular_directories_end() -> None:
    around = block("<", {0x8769: (4, 1, struct.pack("<I", 8)), 0x8825: (4, 1, b"\x08\0\0\0")})
    assert known_exif(around, (2, 3)).block is None
