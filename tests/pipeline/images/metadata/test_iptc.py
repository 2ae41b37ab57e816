"""IPTC's and Photoshop's known fields stay, each within its size; everything else is dropped."""

from __future__ import annotations

import base64
import struct

import pytest

from remove_objects.pipeline.images.metadata.iptc import known_iptc, known_resources

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 3


def field(number: int, value: bytes, record: int = 2) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


def resource(number: int, data: bytes, name: bytes = b"\0\0") -> bytes:
    head = b"8BIM" + struct.pack(">H", number) + name + struct.pack(">I", len(data))
    return head + data + b"\0" * (len(data) % 2)


KEPT = (
    field(90, b"\x1b%G", record=1)
    + field(0, b"\0\4")
    + field(5, b"A title")
    + field(25, b"wall")
    + field(25, "Zoë".encode())
    + field(55, b"20261128")
    + field(120, b"A man beside a wall. " * 90)
)


def test_known_fields_stay_to_the_byte() -> None:
    assert known_iptc(KEPT) == (KEPT, ())


@pytest.mark.parametrize(
    ("planted", "name"),
    [
        (field(202, PICTURE), "IPTC 2:202"),
        (field(125, bytes(7360)), "IPTC 2:125"),
        (field(120, PICTURE), "IPTC caption"),
        (field(120, base64.b64encode(PICTURE)), "IPTC caption"),
        (field(90, PICTURE, record=1), "IPTC 1:90"),
        (field(10, PICTURE, record=8), "IPTC 8:10"),
        (field(5, b"x" * 257), "IPTC title"),
        (
            b"".join(field(27, base64.b64encode(PICTURE)[i : i + 60]) for i in range(0, 900, 60)),
            "IPTC location",
        ),
    ],
)
def test_a_field_that_holds_a_picture_goes_alone(planted: bytes, name: str) -> None:
    assert known_iptc(KEPT + planted) == (KEPT, (name,))


def test_bytes_behind_the_fields_go() -> None:
    assert known_iptc(KEPT + PICTURE).block == KEPT
    assert known_iptc(KEPT + b"\x1c\2\x78\x80\4" + PICTURE).block == KEPT
    assert known_iptc(PICTURE) == (None, ())


def test_photoshops_known_resources_stay_without_names() -> None:
    density, flag, address = bytes(16), b"\1", b"https://www.example.com"
    kept = resource(1028, KEPT) + resource(1005, density) + resource(1034, flag)
    kept += resource(1035, address)
    planted = resource(1028, KEPT, b"\5hello") + resource(1005, density) + resource(1034, flag)
    planted += resource(1036, PICTURE) + resource(1035, address) + resource(1034, PICTURE)
    assert known_resources(planted + PICTURE) == (kept, ("Photoshop 1036", "Photoshop 1034"))
