"""Texts that people write stay; a picture in any encoding, with any line breaks, does not."""

from __future__ import annotations

import base64
import binascii
import io
import json
import quopri
import re
from collections.abc import Callable

import pytest
from PIL import Image

from remove_objects.pipeline.images.metadata.text import (
    are_known_texts,
    are_no_pieces,
    decoded,
    is_known_text,
)
from tests.support.scenes import scene


def picture() -> bytes:
    """A JPEG as small as a thumbnail."""
    memory = io.BytesIO()
    Image.fromarray(scene()).resize((40, 30)).save(memory, "JPEG", quality=60)
    return memory.getvalue()


PICTURE = picture()
ENCODINGS: dict[str, Callable[[bytes], str]] = {
    "base64": lambda raw: base64.b64encode(raw).decode(),
    "base64 for addresses": lambda raw: base64.urlsafe_b64encode(raw).decode(),
    "base64 backwards": lambda raw: base64.b64encode(raw).decode()[::-1],
    "base64 in JSON": lambda raw: base64.b64encode(raw).decode().replace("/", "\\/"),
    "base32": lambda raw: base64.b32encode(raw).decode(),
    "base85": lambda raw: base64.b85encode(raw).decode(),
    "ascii85": lambda raw: base64.a85encode(raw).decode(),
    "hexadecimal": lambda raw: raw.hex(),
    "capital hexadecimal": lambda raw: raw.hex().upper(),
    "pairs of digits": lambda raw: raw.hex(" "),
    "escaped": lambda raw: "".join(f"\\x{byte:02x}" for byte in raw),
    "percent": lambda raw: "".join(f"%{byte:02X}" for byte in raw),
    "entities": lambda raw: "".join(f"&#{byte};" for byte in raw),
    "quoted-printable": lambda raw: quopri.encodestring(raw).decode("latin-1"),
    "uuencode": lambda raw: "".join(
        binascii.b2a_uu(raw[at : at + 45]).decode() for at in range(0, len(raw), 45)
    ),
    "numbers": lambda raw: ", ".join(map(str, raw)),
    "bits": lambda raw: "".join(f"{byte:08b}" for byte in raw),
    "Latin-1": lambda raw: raw.decode("latin-1"),
    "UTF-16": lambda raw: raw[: len(raw) // 2 * 2].decode("utf-16-le", "replace"),
    "full-width base64": lambda raw: "".join(
        chr(ord(c) + 0xFEE0) for c in base64.b64encode(raw).decode()
    ),
    "base64 with spaces of no width": lambda raw: "\u200b".join(base64.b64encode(raw).decode()),
    "base64 with accents": lambda raw: "\u0301".join(base64.b64encode(raw).decode()),
    "Braille": lambda raw: "".join(chr(0x2800 + byte) for byte in raw),
    "emoji": lambda raw: "".join(chr(0x1F300 + byte) for byte in raw),
    "JSON": lambda raw: json.dumps({"prompt": {"3": {"inputs": {"image": "x" * 90}}}}),
    "data URI": lambda raw: "A caption. " * 9 + "data:image/png,0",
}
TEXTS = [
    "Die Gäste des Fests am 24.12.2025 um 18:30 Uhr; Karten: "
    "https://www.example.com/veranstaltungen/2025/weihnachten?id=1234 (ab 12,50 €). ",
    "New York, Brooklyn Bridge, Canon EOS R5, RF24-105mm F4 L IS USM, ISO100, 1/250s, f/8 ",
    "#sunset #beach #travel #photography #nikon #d850 #landscape #ocean #summer2025 #love ",
    "Людина біля стіни, Київ, 2024. ",
    "東京タワーの前に立つ男性。2025年11月28日撮影。",
    "© 2025 Jane Doe, all rights reserved. jane.doe@example.com, +49 30 1234567, example.com ",
    "Đường phố Hà Nội vào buổi sáng, người đàn ông đứng bên bức tường gạch đỏ. ",
    "Été à la plage avec les copains, c'était génial, on y retourne l'année prochaine! 🏖️☀️ ",
    "(Photo by John A. Smith/Getty Images/AFP) *** Local Caption *** 00012345 ",
    "ImageMagick 6.9.11-60 Q16 x86_64 2021-01-25 https://imagemagick.org; libheif 1.17 ",
]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("length", [300, 2000])
def test_an_encoded_picture_is_no_text(encoding: str, length: int) -> None:
    text = ENCODINGS[encoding](PICTURE)[:length]
    assert not is_known_text(text)
    assert not is_known_text(f"A man beside a wall, in the morning sun. {text}")


@pytest.mark.parametrize("width", [4, 8, 60, 76])
@pytest.mark.parametrize("between", [" ", "\n", "\r\n\t"])
def test_line_breaks_hide_no_picture(width: int, between: str) -> None:
    text = base64.b64encode(PICTURE).decode()[:1000]
    assert not is_known_text(between.join(re.findall(f".{{1,{width}}}", text)))


def test_a_list_of_short_pieces_is_no_list_of_keywords() -> None:
    pieces = re.findall(".{1,60}", base64.b64encode(PICTURE).decode())
    assert all(map(is_known_text, pieces))
    assert not are_known_texts(pieces)
    assert are_known_texts(["New York", "Brooklyn", "United States", "Bridge"] * 50)


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_base64_that_passes_for_chinese_is_no_text(order: str) -> None:
    text = base64.b64encode(PICTURE)[:400].decode(order)
    assert not is_known_text(text)
    assert not is_known_text(f"壁の前の男性。{text}")


def test_a_picture_in_pieces_of_several_fields_is_found() -> None:
    pieces = re.findall(".{1,60}", base64.b64encode(PICTURE).decode())
    assert not are_no_pieces(["Canon", "Canon EOS R5", *pieces, "2026:11:28 10:00:00"])
    assert are_no_pieces(["Canon", "Canon EOS R5", *TEXTS, "2026:11:28 10:00:00"])
    assert are_no_pieces(["2026-11-28T10:00:00.123+01:00"] * 20)


@pytest.mark.parametrize("text", TEXTS)
def test_what_people_write_stays(text: str) -> None:
    assert is_known_text(text)
    assert is_known_text((text * 100)[:2000])
    assert not is_known_text((text * 100)[:2001])


@pytest.mark.parametrize("text", ["a\0b", "\x1b[0m", "\x85", "\ue000", "\ud800", "\uffff"])
def test_controls_and_private_characters_are_no_text(text: str) -> None:
    assert not is_known_text(text)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"plain", "plain"),
        ("Zoë".encode(), "Zoë"),
        (b"Zo\xeb", "Zoë"),
        (b"a\0b", "a"),
        (b"\1", None),
    ],
)
def test_bytes_are_decoded_up_to_their_end(content: bytes, text: str | None) -> None:
    assert decoded(content) == text
