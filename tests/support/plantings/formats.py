"""The places of each format: a payload becomes a whole file, with a photo that can be cleaned."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from io import BytesIO
from typing import Any, NamedTuple

from PIL import Image, TiffImagePlugin

from remove_objects.pipeline.images.containers.jpeg import Segment, assemble, parse
from tests.support.planted import pillow_heif
from tests.support.scenes import scene

from . import exif, xmp
from .containers import (
    bmff_box,
    png_chunk,
    private_profile,
    riff_chunk,
    with_longer_mdat,
    with_meta,
    with_png_chunk,
    with_riff_chunks,
)

#: Height and width of the photo, and its hole (y, x, height, width).
SIZE, HOLE = (48, 64), (16, 24, 14, 12)
_XMP, _EXIF = b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0"
_ICC_PLACES = {
    "a profile's private tag": ("tag",),
    "a profile's description": ("text",),
    "a profile's copyright": ("copyright",),
    "a gap in a profile": ("gap",),
    "behind a profile": ("end",),
}
Plant = Callable[[bytes], bytes]


class Place(NamedTuple):
    """A place: whether it takes texts only, and how a file with a payload there is made."""

    texts: bool
    plant: Plant


@cache
def photo(format: str, **options: Any) -> bytes:
    """A photo of a format."""
    image = Image.fromarray(scene(*SIZE, person=(HOLE[1], HOLE[0], HOLE[3], HOLE[2])) // 16 * 16)
    memory = BytesIO()
    if format == "HEIF":
        pillow_heif.from_pillow(image).save(memory, quality=60)
        return memory.getvalue()
    if format == "GIF":
        image = image.quantize(32)
    image.save(memory, format, **options)
    return memory.getvalue()


def _saved(format: str, **options: Any) -> bytes:
    """The photo with metadata that Pillow or pillow-heif writes."""
    memory = BytesIO()
    with Image.open(BytesIO(photo(format))) as image:
        if format == "HEIF":
            pillow_heif.from_pillow(image).save(memory, quality=60, **options)
        else:
            image.save(memory, format, **options)
    return memory.getvalue()


def _shared(
    format: str, with_exif: Plant, with_xmp: Plant, with_profile: Plant
) -> Iterator[tuple[str, Place]]:
    """EXIF's, XMP's and the profile's places, in the format's own containers of them."""
    for name, place in exif.PLACES.items():
        texts = name in exif.TEXTS
        yield f"EXIF, {name}", Place(texts, lambda p, place=place: with_exif(place(p)))  # type: ignore[misc]
    yield "EXIF, no EXIF", Place(False, with_exif)
    for name, write in xmp.PLACES.items():
        yield f"XMP, {name}", Place(True, lambda p, write=write: with_xmp(write(p.decode())))  # type: ignore[misc]
    for name, places in _ICC_PLACES.items():
        yield (
            f"ICC, {name}",
            Place(False, lambda p, places=places: with_profile(private_profile(p, places=places))),  # type: ignore[misc]
        )


def cuts(place: str) -> bool:
    """Whether a place cuts the payload into pieces, or changes some of its bytes."""
    words = (
        *("chain", "several", "keywords", "ancestors", "masks", "a resource's name"),
        *(
            "last block",
            "further scan",
            "unused tables",
            "between segments",
            "unused colours",
            "a restart",
            "an unknown extension",
            "an application",
        ),
    )
    return any(word in place for word in words)


def _unused_colours(format: str) -> Plant:
    """Between the colours of a palette that pixels use."""

    def plant(payload: bytes) -> bytes:
        with Image.open(BytesIO(photo("PNG"))) as image:
            small = image.convert("RGB").quantize(10)
        colours = bytes(small.getpalette("RGB") or ())[:30]
        between = payload[-3 * 245 :]  # a JPEG's beginning is any JPEG's
        small.putpalette(colours + between.ljust(3 * 245, b"\1") + b"\xff\xff\xff")
        small.putpixel((0, 0), 255)
        memory = BytesIO()
        small.save(memory, format, optimize=False)
        return memory.getvalue()

    return plant


# --- JPEG


def _jpeg(*segments: Segment, trailer: bytes = b"", format: str = "JPEG") -> bytes:
    own = parse(photo(format)).segments
    return assemble([own[0], *segments, *own[1:]]) + trailer


def _chain(marker: int, payload: bytes, size: int, head: bytes = b"") -> list[Segment]:
    return [Segment(marker, head + payload[at : at + size]) for at in range(0, len(payload), size)]


def _profile_segments(profile: bytes) -> bytes:
    return _jpeg(Segment(0xE2, b"ICC_PROFILE\0\1\1" + profile))


def _extended_xmp(payload: bytes) -> bytes:
    content = b"<own:preview>" + payload + b"</own:preview>"
    digest = b"0123456789ABCDEF0123456789ABCDEF"
    main = xmp.packet(attributes=f'xmpNote:HasExtendedXMP="{digest.decode()}"')
    head = b"http://ns.adobe.com/xmp/extension/\0" + digest
    head += struct.pack(">II", len(content), 0)
    return _jpeg(Segment(0xE1, _XMP + main), Segment(0xE1, head + content))


def _multi_picture(payload: bytes) -> bytes:
    """A directory of pictures (MPF) whose second one is the payload, behind the first."""
    first = len(photo("JPEG")) + 200
    entries = struct.pack("<IIIHH", 0x030000, first, 0, 0, 0)
    entries += struct.pack("<IIIHH", 0, len(payload), first, 0, 0)
    directory = struct.pack("<2sHIH", b"II", 42, 8, 2)
    directory += struct.pack("<HHII", 0xB001, 4, 1, 2)
    directory += struct.pack("<HHII", 0xB002, 7, len(entries), 50) + bytes(4)
    return _jpeg(Segment(0xE2, b"MPF\0" + directory.ljust(50, b"\0") + entries), trailer=payload)


def _behind_the_last_block(payload: bytes) -> bytes:
    *ahead, last = parse(photo("JPEG")).segments
    stuffed = payload.replace(b"\xff", b"\xff\0")
    return assemble([*ahead, Segment(last.marker, last.payload, last.scan + stuffed)])


def _before_a_restart(payload: bytes) -> bytes:
    *ahead, last = parse(photo("JPEG", quality=90, restart_marker_blocks=4)).segments
    stuffed = payload.replace(b"\xff", b"\xff\0")
    scan = last.scan.replace(b"\xff\xd1", stuffed + b"\xff\xd1", 1)
    return assemble([*ahead, Segment(last.marker, last.payload, scan)])


def _between_segments(payload: bytes) -> bytes:
    content = photo("JPEG")
    at = content.index(b"\xff\xdb")
    return content[:at] + payload.replace(b"\xff", b"\xfe") + content[at:]


def _unused_tables(payload: bytes) -> bytes:
    pieces = [payload[at : at + 128].ljust(128, b"\1") for at in range(0, len(payload), 128)]
    safe = [piece.replace(b"\0\0", b"\0\1") for piece in pieces]
    return _jpeg(*(Segment(0xDB, b"\x13" + piece) for piece in safe))


def _jpeg_places() -> dict[str, Place]:
    places = dict(
        _shared(
            "JPEG",
            lambda block: _jpeg(*_whole(0xE1, _EXIF + block)),
            lambda packet: _jpeg(*_whole(0xE1, _XMP + packet)),
            _profile_segments,
        )
    )
    segments: dict[str, Plant] = {
        "a comment": lambda p: _jpeg(Segment(0xFE, p)),
        "a chain of comments": lambda p: _jpeg(*_chain(0xFE, p, 100)),
        "a comment between the tables and the scan": _comment_before_scan,
        **{
            f"APP{number}": lambda p, number=number: _jpeg(Segment(0xE0 + number, b"Own\0" + p))  # type: ignore[misc]
            for number in range(16)
        },
        "a chain of APP5": lambda p: _jpeg(*_chain(0xE5, p, 200, b"Own\0")),
        "APP12, Ducky": lambda p: _jpeg(Segment(0xEC, b"Ducky\0\1\0\4\0\0\0\x50" + p)),
        "APP14, Adobe": lambda p: _jpeg(Segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + p)),
        "APP2, FlashPix": lambda p: _jpeg(Segment(0xE2, b"FPXR\0\0\1" + p)),
        "APP11, a content credential": lambda p: _jpeg(Segment(0xEB, b"JP\0\1\0\0\0\1" + p)),
        "a JFIF thumbnail": lambda p: _jpeg(Segment(0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\x14\x18" + p)),
        "a JFXX thumbnail": lambda p: _jpeg(Segment(0xE0, b"JFXX\0\x10" + p)),
        "a JFXX thumbnail of samples": lambda p: _jpeg(Segment(0xE0, b"JFXX\0\x13\x14\x18" + p)),
        "extended XMP": _extended_xmp,
        "a second picture": _multi_picture,
        "behind the end": lambda p: _jpeg(trailer=p),
        "behind the last block": _behind_the_last_block,
        "before a restart": _before_a_restart,
        "between segments": _between_segments,
        "unused tables": _unused_tables,
        "a number of lines": lambda p: assemble([*parse(photo("JPEG")).segments, Segment(0xDC, p)]),
    }
    places |= {name: Place(name == "extended XMP", plant) for name, plant in segments.items()}
    for name, write in xmp.RESOURCES.items():
        places[f"Photoshop, {name}"] = Place(
            False,
            lambda p, write=write: _jpeg(Segment(0xED, b"Photoshop 3.0\0" + write(p))),  # type: ignore[misc]
        )
    return places


def _comment_before_scan(payload: bytes) -> bytes:
    *ahead, last = parse(photo("JPEG")).segments
    return assemble([*ahead, Segment(0xFE, payload), last])


def _whole(marker: int, payload: bytes) -> list[Segment]:
    return [Segment(marker, payload[:65533])]


# --- PNG


def _png(name: bytes, payload: bytes, *, before: bytes = b"") -> bytes:
    return with_png_chunk(photo("PNG"), name, payload, before=before)


def _international(keyword: bytes, text: bytes, *, packed: bool = False) -> bytes:
    content = zlib.compress(text) if packed else text
    return keyword + (b"\0\1\0\0\0" if packed else b"\0\0\0\0\0") + content


def _workflow(payload: bytes) -> bytes:
    nodes = {"3": {"class_type": "LoadImage", "inputs": {"image": payload.decode(), "seed": 7}}}
    return b"workflow\0" + json.dumps({"nodes": nodes, "version": 0.4}).encode()


def _raw_profile(kind: bytes, content: bytes) -> bytes:
    lines = "\n".join(content.hex()[at : at + 72] for at in range(0, 2 * len(content), 72))
    text = b"\n%s\n%8d\n%s\n" % (kind, len(content), lines.encode())
    return b"Raw profile type " + kind + b"\0\0" + zlib.compress(text)


def _behind_the_samples(payload: bytes) -> bytes:
    content = photo("PNG")
    at = content.index(b"IDAT") - 4
    size = int.from_bytes(content[at : at + 4], "big")
    samples = png_chunk(b"IDAT", content[at + 8 : at + 8 + size] + payload)
    return content[:at] + samples + content[at + 12 + size :]


def _png_places() -> dict[str, Place]:
    places = dict(
        _shared(
            "PNG",
            lambda block: _png(b"eXIf", block),
            lambda packet: _png(b"iTXt", _international(b"XML:com.adobe.xmp", packet)),
            lambda profile: _png(b"iCCP", b"icc\0\0" + zlib.compress(profile)),
        )
    )
    keywords = ("Comment", "Description", "Title", "Author", "Software", "Source", "preview",
                "prompt", "parameters", "workflow", "Thumb::Image")  # fmt: skip
    for keyword in keywords:
        word = keyword.encode()
        texts: dict[str, Plant] = {
            "tEXt": lambda p, word=word: _png(b"tEXt", word + b"\0" + p),  # type: ignore[misc]
            "zTXt": lambda p, word=word: _png(b"zTXt", word + b"\0\0" + zlib.compress(p)),  # type: ignore[misc]
            "iTXt": lambda p, word=word: _png(b"iTXt", _international(word, p)),  # type: ignore[misc]
            "packed iTXt": lambda p, word=word: _png(b"iTXt", _international(word, p, packed=True)),  # type: ignore[misc]
        }
        places |= {f"{kind} {keyword}": Place(True, plant) for kind, plant in texts.items()}
    others: dict[str, Plant] = {
        "unused colours": _unused_colours("PNG"),
        "a private chunk": lambda p: _png(b"prVw", p),
        "a private chunk behind the samples": lambda p: _png(b"prVw", p, before=b"IEND"),
        "a content credential": lambda p: _png(b"caBX", p),
        "behind the end": lambda p: photo("PNG") + p,
        "a long gamma": lambda p: _png(b"gAMA", struct.pack(">I", 45455) + p),
        "a long intent": lambda p: _png(b"sRGB", b"\0" + p),
        "long significant bits": lambda p: _png(b"sBIT", b"\x08\x08\x08" + p),
        "a long density": lambda p: _png(b"pHYs", struct.pack(">IIB", 3000, 3000, 1) + p),
        "a long time": lambda p: _png(b"tIME", struct.pack(">HBBBBB", 2026, 1, 2, 3, 4, 5) + p),
        "a suggested palette": lambda p: _png(b"sPLT", b"palette\0\x08" + p),
        "a calibration": lambda p: _png(b"pCAL", b"pixels\0" + bytes(8) + b"\0\0" + p),
        "a scale": lambda p: _png(b"sCAL", b"\1" + p),
        "a long offset": lambda p: _png(b"oFFs", bytes(9) + p),
        "a histogram": lambda p: _png(b"hIST", p),
        "stereo": lambda p: _png(b"sTER", b"\0" + p),
        "GIF's application": lambda p: _png(b"gIFx", b"OwnName\0" + p),
        "a background": lambda p: _png(b"bKGD", bytes(6) + p),
        "a profile that is none": lambda p: _png(b"iCCP", b"icc\0\0" + zlib.compress(p)),
        "behind the samples' stream": _behind_the_samples,
        "further samples": lambda p: _png(b"IDAT", p, before=b"IEND"),
        "a raw profile of IPTC": lambda p: _png(b"zTXt", _raw_profile(b"iptc", p)),
        "a raw profile of EXIF": lambda p: _png(b"zTXt", _raw_profile(b"exif", p)),
        "a raw profile of XMP": lambda p: _png(b"zTXt", _raw_profile(b"xmp", p)),
    }  # fmt: skip
    places |= {name: Place(False, plant) for name, plant in others.items()}
    places["a workflow"] = Place(True, lambda p: _png(b"tEXt", _workflow(p)))
    places["a translated keyword"] = Place(
        True, lambda p: _png(b"iTXt", b"Title\0\0\0en\0" + p + b"\0a title")
    )
    for name, write in xmp.IPTC.items():
        places[f"raw IPTC, {name}"] = Place(
            False,
            lambda p, write=write: _png(
                b"zTXt", _raw_profile(b"iptc", xmp.resource(0x0404, write(p)))
            ),  # type: ignore[misc]
        )
    return places


# --- WebP


def _webp_places(lossless: bool) -> dict[str, Place]:
    base = partial(photo, "WEBP", lossless=lossless)
    tiny = exif.block(exif.ordinary())
    extended = partial(_webp_with, lossless=lossless, exif=tiny)
    places = dict(
        _shared(
            "WEBP",
            lambda block: _webp_with(lossless=lossless, exif=block),
            lambda packet: _webp_with(lossless=lossless, xmp=packet),
            lambda profile: _webp_with(lossless=lossless, icc_profile=profile),
        )
    )
    others: dict[str, Plant] = {
        "an unknown chunk": lambda p: with_riff_chunks(extended(), behind=riff_chunk(b"prVw", p)),
        "an unknown chunk of a plain file": lambda p: with_riff_chunks(
            base(), behind=riff_chunk(b"prVw", p)
        ),
        "behind the list": lambda p: base() + p,
        "a second picture": lambda p: with_riff_chunks(base(), behind=riff_chunk(b"VP8 ", p)),
        "a second lossless picture": lambda p: with_riff_chunks(
            base(), behind=riff_chunk(b"VP8L", p)
        ),
        "a stray profile": lambda p: with_riff_chunks(base(), behind=riff_chunk(b"ICCP", p)),
        "a stray alpha channel": lambda p: with_riff_chunks(base(), behind=riff_chunk(b"ALPH", p)),
        "a second EXIF": lambda p: with_riff_chunks(extended(), behind=riff_chunk(b"EXIF", p)),
        "a second XMP": lambda p: with_riff_chunks(extended(), behind=riff_chunk(b"XMP ", p)),
        "behind the samples": lambda p: _longer_samples(base(), p),
    }
    return places | {name: Place(False, plant) for name, plant in others.items()}


def _webp_with(*, lossless: bool, **options: Any) -> bytes:
    memory = BytesIO()
    with Image.open(BytesIO(photo("WEBP", lossless=True))) as image:
        image.save(memory, "WEBP", lossless=lossless, **options)
    return memory.getvalue()


def _longer_samples(content: bytes, more: bytes) -> bytes:
    size = int.from_bytes(content[16:20], "little")
    samples = riff_chunk(content[12:16], content[20 : 20 + size] + more)
    return with_riff_chunks(b"RIFF....WEBP" + samples)


# --- TIFF


_TIFF_TEXTS = {
    "ImageDescription": 270, "Artist": 315, "Software": 305, "Copyright": 33432,
    "PageName": 285, "DocumentName": 269, "HostComputer": 316, "InkNames": 333,
    "TargetPrinter": 337, "GDAL's metadata": 42112, "GDAL's no data": 42113,
    "GeoTIFF's texts": 34737, "DateTime": 306, "an object's name": 0x9C9B,
}  # fmt: skip
_TIFF_TAGS = {
    "primaries": (319, exif.RATIONAL), "a white point": (318, exif.RATIONAL),
    "a dot range": (336, exif.SHORT), "a dot range of bytes": (336, exif.BYTE),
    "a resolution": (282, exif.RATIONAL), "a transfer function": (301, exif.SHORT),
    "GeoTIFF's keys": (34735, exif.SHORT), "GeoTIFF's doubles": (34736, exif.DOUBLE),
    "GeoTIFF's points": (33922, exif.DOUBLE), "XMP": (700, exif.BYTE),
    "Photoshop": (34377, exif.BYTE), "Photoshop's layers": (37724, exif.UNDEFINED),
    "an ICC profile": (34675, exif.UNDEFINED), "a JPEG's tables": (347, exif.UNDEFINED),
    "IPTC as LONG": (33723, exif.LONG), "IPTC as BYTE": (33723, exif.BYTE),
    "DNG's private data": (50740, exif.BYTE), "a maker note": (37500, exif.UNDEFINED),
    "PrintImageMatching": (50341, exif.UNDEFINED), "MODI's text": (37679, exif.BYTE),
    "a sub-image of bytes": (330, exif.UNDEFINED),
}  # fmt: skip
_TIFF_INNER = {
    "EXIF, UserComment": (0x8769, 0x9286), "EXIF, MakerNote": (0x8769, 0x927C),
    "EXIF, a private tag": (0x8769, 0xFDE8), "EXIF, LensModel": (0x8769, 0xA434),
    "EXIF, CFAPattern": (0x8769, 0xA302), "GPS, processing": (0x8825, 27),
    "GPS, area": (0x8825, 28), "GPS, a private tag": (0x8825, 0x77), "a sub-image": (330, 270),
}  # fmt: skip


def _tiff_places() -> dict[str, Place]:
    places = {
        "a gap": Place(False, _tiff_gap),
        "behind the end": Place(False, lambda p: photo("TIFF") + p),
        "a reduced copy": Place(False, _reduced_copy),
    }
    for name, tag in _TIFF_TEXTS.items():
        places[name] = Place(True, partial(_tiff, tag=tag, kind=exif.ASCII))
    for name, (tag, kind) in _TIFF_TAGS.items():
        places[name] = Place(False, partial(_tiff, tag=tag, kind=kind))
    for kind, name in exif._NAMES.items():
        for tag in (65000, 42000):
            places[f"tag {tag} of type {name}"] = Place(False, partial(_tiff, tag=tag, kind=kind))
        if kind not in (exif.ASCII, exif.IFD):
            named = partial(_tiff, tag=270, kind=kind)
            places[f"a description of type {name}"] = Place(False, named)
    for name, (group, tag) in _TIFF_INNER.items():
        places[name] = Place(False, partial(_directory, group=group, tag=tag))
    return places | _tiff_blocks()


def _tiff_blocks() -> dict[str, Place]:
    """IPTC, Photoshop's resources, XMP and colour profiles, each in its tag."""
    places = {}
    for name, write in xmp.IPTC.items():
        for kind in (exif.UNDEFINED, exif.LONG):
            places[f"IPTC of type {exif._NAMES[kind]}, {name}"] = Place(
                False,
                lambda p, write=write, kind=kind: _tiff(write(p), tag=33723, kind=kind),  # type: ignore[misc]
            )
    for name, write in xmp.RESOURCES.items():
        places[f"Photoshop, {name}"] = Place(
            False,
            lambda p, write=write: _tiff(write(p), tag=34377, kind=exif.UNDEFINED),  # type: ignore[misc]
        )
    for name, write_text in xmp.PLACES.items():
        places[f"XMP, {name}"] = Place(
            True,
            lambda p, write=write_text: _tiff(write(p.decode()), tag=700, kind=exif.BYTE),  # type: ignore[misc]
        )
    for name, icc_places in _ICC_PLACES.items():
        places[f"ICC, {name}"] = Place(
            False,
            lambda p, icc=icc_places: _tiff(private_profile(p, places=icc), tag=34675, kind=7),  # type: ignore[misc]
        )
    return places


def _tiff_entries() -> tuple[list[exif.Entry], bytes]:
    """The photo's own entries, and its one strip."""
    rgb = scene(*SIZE, person=(HOLE[1], HOLE[0], HOLE[3], HOLE[2]))
    height, width = SIZE
    shorts = {256: width, 257: height, 259: 1, 262: 2, 277: 3, 278: height}
    entries = [exif.Entry(tag, 3, struct.pack("<H", value)) for tag, value in shorts.items()]
    entries.append(exif.Entry(258, 3, struct.pack("<3H", 8, 8, 8)))
    return entries, rgb.tobytes()


def _tiff_of(*more: exif.Entry, second: list[exif.Entry] | None = None) -> bytes:
    """A TIFF with further entries in its directory; they take the place of its own."""
    entries, strip = _tiff_entries()
    tags = {entry.tag for entry in more}
    entries = [entry for entry in entries if entry.tag not in tags]

    def whole(at: int) -> bytes:
        places = [
            exif.Entry(273, 4, struct.pack("<I", at)),
            exif.Entry(279, 4, struct.pack("<I", len(strip))),
        ]
        return exif.block([*entries, *places, *more], second=second)

    return whole(len(whole(0))) + strip


def _tiff(payload: bytes, *, tag: int, kind: int) -> bytes:
    return _tiff_of(exif.Entry(tag, kind, payload))


def _directory(payload: bytes, *, group: int, tag: int) -> bytes:
    return _tiff_of(exif.Entry(group, exif.LONG, [exif.Entry(tag, exif.UNDEFINED, payload)]))


def _tiff_gap(payload: bytes) -> bytes:
    content = _tiff_of()
    size = SIZE[0] * SIZE[1] * 3
    whole = bytearray(content[:-size])
    at = whole.index(struct.pack("<HHI", 273, 4, 1)) + 8
    struct.pack_into("<I", whole, at, len(whole) + len(payload))
    return bytes(whole) + payload + content[-size:]


def _reduced_copy(payload: bytes) -> bytes:
    """A second page, a thumbnail of grey samples that are the payload."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    memory = BytesIO()
    small = Image.frombytes("L", (len(payload), 1), payload)
    with Image.open(BytesIO(photo("TIFF"))) as image:
        small.encoderinfo = {"tiffinfo": tags}
        image.save(memory, "TIFF", save_all=True, append_images=[small])
    return memory.getvalue()


# --- GIF and BMP


def _gif_block(label: bytes, head: bytes, payload: bytes) -> bytes:
    pieces = [payload[at : at + 255] for at in range(0, len(payload), 255)]
    return b"\x21" + label + head + b"".join(bytes((len(p),)) + p for p in pieces) + b"\0"


def _gif(block: bytes, *, behind: bool = False) -> bytes:
    content = photo("GIF")
    start = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    at = len(content) - 1 if behind else start
    return content[:at] + block + content[at:]


def _gif_places() -> dict[str, Place]:
    magic = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    plants: dict[str, Plant] = {
        "a comment": lambda p: _gif(_gif_block(b"\xfe", b"", p)),
        "several comments": lambda p: _gif(
            b"".join(_gif_block(b"\xfe", b"", p[at : at + 60]) for at in range(0, len(p), 60))
        ),
        "a comment behind the samples": lambda p: _gif(_gif_block(b"\xfe", b"", p), behind=True),
        "an application": lambda p: _gif(_gif_block(b"\xff", b"\x0bOWNAPP  1.0", p)),
        "an application behind": lambda p: _gif(
            _gif_block(b"\xff", b"\x0bOWNAPP  1.0", p), behind=True
        ),
        "ICC": lambda p: _gif(_gif_block(b"\xff", b"\x0bICCRGBG1012", p)),
        "unused colours": _unused_colours("GIF"),
        "an unknown extension": lambda p: _gif(_gif_block(b"\x42", b"", p)),
        "behind the end": lambda p: photo("GIF") + p,
    }
    places = {name: Place(False, plant) for name, plant in plants.items()}
    for name, write in xmp.PLACES.items():
        if name == "UTF-16":  # its zeros end the block
            continue
        places[f"XMP, {name}"] = Place(
            True,
            lambda p, write=write: _gif(  # type: ignore[misc]
                b"\x21\xff\x0bXMP DataXMP" + write(p.decode()) + magic
            ),
        )
    return places


def _bmp_places() -> dict[str, Place]:
    def gap(payload: bytes) -> bytes:
        content = bytearray(photo("BMP"))
        struct.pack_into("<I", content, 10, 54 + len(payload))
        return bytes(content[:54]) + payload + bytes(content[54:])

    def profile(payload: bytes) -> bytes:
        content = photo("BMP")
        pixels = content[54:]
        head = struct.pack("<IiiHHII", 124, SIZE[1], SIZE[0], 1, 24, 0, len(pixels))
        head = head.ljust(56, b"\0") + b"DEBM"  # an embedded profile
        head = head.ljust(112, b"\0") + struct.pack("<II", 124 + len(pixels), len(payload))
        start = 14 + 124
        size = start + len(pixels) + len(payload)
        file = struct.pack("<2sIHHI", b"BM", size, 0, 0, start)
        return file + head.ljust(124, b"\0") + pixels + payload

    plants = {
        "a gap": gap,
        "a profile": profile,
        "behind the end": lambda p: photo("BMP") + p,
    }
    return {name: Place(False, plant) for name, plant in plants.items()}


# --- AVIF and HEIC


def _free_item(
    kind: bytes, payload: bytes, base: Callable[[], bytes], *, more: bytes = b""
) -> bytes:
    """A file with a further item of a type; its bytes lie in a second box of samples."""
    content = base()

    def described(body: bytes) -> bytes:
        (count,) = struct.unpack_from(">H", body, 4)
        item = bmff_box(b"infe", struct.pack(">B3xHH4s", 2, 77, 0, kind) + b"\0" + more)
        return body[:4] + struct.pack(">H", count + 1) + body[6:] + item

    place = 0
    for _ in range(2):  # the place follows from the length
        entry = struct.pack(">HHHHII", 77, 0, 0, 1, place, len(payload))
        new = with_meta(content, (b"iinf",), described, entry)
        place = len(new) + 8
    return new + bmff_box(b"mdat", payload)


def _with_exif(format: str, block: bytes) -> bytes:
    """The photo with EXIF as it is; the writers would put some of it in order."""
    stand_in = exif.block([exif.Entry(0x0131, exif.ASCII, b"stand-in\0")])
    stand_in += bytes(number % 251 + 1 for number in range(max(0, len(block) - len(stand_in))))
    saved = _saved(format, exif=stand_in)
    assert saved.count(stand_in) == 1
    return saved.replace(stand_in, block.ljust(len(stand_in), b"\0"))


def _source(payload: bytes) -> bytes:
    """Where an item's bytes lie, if in another file."""
    address = bmff_box(b"url ", bytes(4) + payload + b"\0")
    return bmff_box(b"dinf", bmff_box(b"dref", bytes(4) + struct.pack(">I", 1) + address))


def _group(payload: bytes) -> bytes:
    """Items that belong together, by their numbers."""
    numbers = payload + bytes(-len(payload) % 4)
    head = bytes(4) + struct.pack(">II", 9, len(numbers) // 4)
    return bmff_box(b"grpl", bmff_box(b"altr", head + numbers))


def _bmff_places(format: str) -> dict[str, Place]:
    base = partial(photo, format)
    places = dict(
        _shared(
            format,
            lambda block: _with_exif(format, block),
            lambda packet: _saved(format, xmp=packet),
            lambda profile: _saved(format, icc_profile=profile),
        )
    )
    inside: dict[str, Plant] = {
        **{
            f"a box {kind.decode()} at the end": lambda p, kind=kind: base() + bmff_box(kind, p)  # type: ignore[misc]
            for kind in (b"free", b"skip", b"uuid", b"mpvd", b"wide", b"prvt", b"mdat")
        },
        "a free box inside": lambda p: with_meta(base(), (), lambda b: b + bmff_box(b"free", p)),
        "a uuid inside": lambda p: with_meta(base(), (), lambda b: b + bmff_box(b"uuid", p)),
        "a group": lambda p: with_meta(base(), (), lambda b: b + _group(p)),
        "a source": lambda p: with_meta(base(), (), lambda b: b + _source(p)),
        "a description": lambda p: with_meta(
            base(), (b"iprp", b"ipco"), lambda b: b + bmff_box(b"udes", bytes(4) + p + b"\0\0\0\0")
        ),
        "an unknown property": lambda p: with_meta(
            base(), (b"iprp", b"ipco"), lambda b: b + bmff_box(b"prvt", p)
        ),
        "a long property": lambda p: with_meta(
            base(), (b"iprp", b"ipco", b"ispe"), lambda b: b + p
        ),
        "the handler's name": lambda p: with_meta(
            base(), (b"hdlr",), lambda b: b[:24] + p.replace(b"\0", b"\1") + b"\0"
        ),
        "unreferenced samples": lambda p: with_longer_mdat(base(), p),
        "an item's name": lambda p: _free_item(b"prvt", b"x", base, more=p.replace(b"\0", b"\1")),
        "an unknown item": lambda p: _free_item(b"prvt", p, base),
        "an item of a MIME type": lambda p: _free_item(b"mime", p, base, more=b"image/jpeg\0"),
        "an item of a URI": lambda p: _free_item(b"uri ", p, base, more=b"http://example.com\0"),
        "a second EXIF": lambda p: _free_item(b"Exif", p, base),
        "unreferenced data": lambda p: with_meta(base(), (), lambda b: b + bmff_box(b"idat", p)),
    }
    found = places | {name: Place(False, plant) for name, plant in inside.items()}
    del found["a group" if format == "HEIF" else "EXIF, no EXIF"]  # its decoder refuses it
    return found


@cache
def places() -> Mapping[str, Mapping[str, Place]]:
    """All places, by the name of the format and their own."""
    found = {
        "jpg": _jpeg_places(),
        "png": _png_places(),
        "webp": _webp_places(False),
        "lossless.webp": _webp_places(True),
        "tif": _tiff_places(),
        "gif": _gif_places(),
        "bmp": _bmp_places(),
        "avif": _bmff_places("AVIF"),
    }
    if pillow_heif is not None:
        found["heic"] = _bmff_places("HEIF")
    return found
