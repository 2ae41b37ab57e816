"""A removed object survives in no thumbnail, preview, second picture, film, depth map or layer."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from remove_objects.pipeline.images import read, read_photo, write_photo
from remove_objects.pipeline.images.containers.jpeg import Segment, assemble, parse
from remove_objects.pipeline.images.metadata.exif_xmp import upright_exif, upright_xmp
from remove_objects.pipeline.images.metadata.hidden import blank_jpegs, may_hold_picture
from remove_objects.pipeline.types import Photo
from tests.support.planted import unpacked
from tests.support.scenes import scene

OBJECT = b"the removed object, as it was"
XMP = "<x:xmpmeta xmlns:x='adobe:ns:meta/' {}>{}</x:xmpmeta>"


def small_jpeg(*inside: Segment) -> bytes:
    """A JPEG of a few pixels with ``OBJECT`` in its last segment, behind those ``inside``."""
    buffer = BytesIO()
    Image.new("RGB", (16, 16), (255, 0, 0)).save(buffer, "JPEG")
    segments = parse(buffer.getvalue()).segments
    return assemble([*inside, *segments, Segment(0xFE, OBJECT)])


def traces(path: Path) -> list[bytes]:
    """Return the encodings of ``OBJECT`` that a file contains, compressed or not.

    As it is, in base64 (at each of three offsets), in hexadecimal.
    """
    everything = unpacked(path.read_bytes())
    joined = re.sub(rb"\s", b"", everything)
    coded = [base64.b64encode(bytes(n) + OBJECT)[(4 if n else 0) : -4] for n in range(3)]
    return [w for w in (OBJECT, *coded, OBJECT.hex().encode()) if w in everything or w in joined]


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def exif_with(first: list[bytes], behind: bytes = b"", link: int = 0) -> bytes:
    """An EXIF block of one directory at 8 and ``behind`` at 200."""
    block = (
        struct.pack("<2sHIH", b"II", 42, 8, len(first)) + b"".join(first) + struct.pack("<I", link)
    )
    return block.ljust(200, b"\0") + behind


def in_exif(block: bytes) -> Segment:
    return Segment(0xE1, b"Exif\0\0" + block)


def strips() -> bytes:
    """A directory at 200 whose thumbnail lies, uncompressed, in two strips at 300 and 400."""
    places, lengths = struct.pack("<II", 300, 400), struct.pack("<II", len(OBJECT), len(OBJECT))
    directory = (
        struct.pack("<H", 2)
        + entry(0x0111, 4, 2, 260)
        + entry(0x0117, 4, 2, 268)
        + struct.pack("<I", 0)
    )
    return (
        directory.ljust(60, b"\0")
        + (places + lengths).ljust(40, b"\0")
        + OBJECT.ljust(100, b"\0")
        + OBJECT
    )


def preview_with_a_thumbnail() -> bytes:
    return small_jpeg(in_exif(b"II*\0" + small_jpeg()))


def resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)


def xmp(attributes: str = "", inside: str = "") -> Segment:
    return Segment(
        0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP.format(attributes, inside).encode()
    )


def in_base_64() -> str:
    return "&#xA;".join(re.findall(".{1,76}", base64.b64encode(small_jpeg()).decode()))


EXTENDED = b"http://ns.adobe.com/xmp/extension/\0" + bytes(40)


def extended_xmp(kind: str) -> Segment:
    data = base64.b64encode(small_jpeg())
    return Segment(0xE1, EXTENDED + b"<x " + kind.encode() + b":Data='" + data + b"'/>")


def photoshop(number: int, data: bytes) -> Segment:
    return Segment(0xED, b"Photoshop 3.0\0" + resource(number, data))


def maker_note(preview: bytes) -> Segment:
    return in_exif(exif_with([entry(0x927C, 7, 900, 200)], preview + b"settings"))


def third_directory() -> Segment:
    """A chain of directories, the third with a thumbnail at 300."""
    second = b"\0\0" + struct.pack("<I", 210) + bytes(4)
    third = struct.pack("<H", 2) + entry(0x0201, 4, 1, 300) + entry(0x0202, 4, 1, len(OBJECT))
    behind = second + third + bytes(64) + OBJECT
    return in_exif(exif_with([entry(0x0112, 3, 1, 1)], behind, link=200))


FILM = b"\0\0\0\x18ftypmp42" + OBJECT * 9
JFIF_THUMBNAIL = b"JFIF\0\1\2\1\0\x48\0\x48\x0a\x01" + OBJECT
GAIN_MAP = Segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0")
#: Segments and trailing bytes in which the object is hidden, by what they are.
JPEG: dict[str, Callable[[], tuple[list[Segment], bytes]]] = {
    "a preview in the maker note that holds a thumbnail of its own": lambda: (
        [maker_note(preview_with_a_thumbnail())],
        b"",
    ),
    "a preview whose first byte the camera overwrites": lambda: (
        [maker_note(b"\x02" + small_jpeg()[1:])],
        b"",
    ),
    "a thumbnail of several strips": lambda: (
        [in_exif(exif_with([entry(0x0112, 3, 1, 1)], strips(), link=200))],
        b"",
    ),
    "a sub-directory's picture": lambda: (
        [in_exif(exif_with([entry(0x014A, 4, 1, 200)], strips()))],
        b"",
    ),
    "a third directory's thumbnail": lambda: ([third_directory()], b""),
    "a gain map (Ultra HDR)": lambda: ([xmp("hdrgm:Version='1.0'"), GAIN_MAP], small_jpeg()),
    "a motion photo's film": lambda: ([xmp("GCamera:MotionPhoto='1'")], FILM),
    "a film behind the end that no metadata mentions": lambda: ([], FILM),
    "a depth map in extended XMP": lambda: (
        [xmp("GDepth:Format='RangeInverse'"), extended_xmp("GDepth")],
        b"",
    ),
    "the original in extended XMP": lambda: ([xmp(), extended_xmp("GImage")], b""),
    "a picture in XMP by another name": lambda: (
        [xmp(inside=f"<y:preview>{in_base_64()}</y:preview>")],
        b"",
    ),
    "an XMP thumbnail": lambda: (
        [xmp(inside=f"<xmp:Thumbnails><a>{in_base_64()}</a></xmp:Thumbnails>")],
        b"",
    ),
    "Photoshop's thumbnail": lambda: ([photoshop(1036, bytes(28) + small_jpeg())], b""),
    "Photoshop's copy of EXIF": lambda: ([photoshop(1058, exif_with([], OBJECT))], b""),
    "an unknown Photoshop resource": lambda: ([photoshop(4242, small_jpeg())], b""),
    "a JFIF thumbnail": lambda: ([Segment(0xE0, JFIF_THUMBNAIL)], b""),
    "a JFIF extension's thumbnail": lambda: ([Segment(0xE0, b"JFXX\0\x10" + small_jpeg())], b""),
    "FlashPix": lambda: ([Segment(0xE2, b"FPXR\0\0\1" + small_jpeg())], b""),
    "a content credential's thumbnail": lambda: (
        [Segment(0xEB, b"JP\0\1\0\0\0\1" + small_jpeg())],
        b"",
    ),
    "a comment": lambda: ([Segment(0xFE, base64.b64encode(small_jpeg()))], b""),
    "picture information": lambda: ([Segment(0xEC, b"Ducky" + small_jpeg())], b""),
    "the rest of an Adobe segment": lambda: (
        [Segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01" + OBJECT)],
        b"",
    ),
}


def cleaned(
    source: Path, target: Path, *, read: Callable[[Path], Photo] = read_photo, **options: Any
) -> Photo:
    photo = read(source)
    hole = np.zeros(photo.size, bool)
    hole[30:80, 50:90] = True
    write_photo(photo, np.full_like(photo.rgb, 120), hole, target, **options)
    return photo


@pytest.mark.parametrize("case", JPEG)
@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("keep_all", [False, True])
def test_no_trace_of_the_object_remains_in_a_jpeg(
    case: str, anew: bool, keep_all: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "s.jpg", tmp_path / "o.jpg"
    planted, trailer = JPEG[case]()
    Image.fromarray(scene()).save(source, quality=90)
    own = parse(source.read_bytes()).segments
    source.write_bytes(assemble([*planted, *own[1:]]) + trailer)
    assert traces(source)
    if anew:
        from remove_objects.pipeline.images.dct import splice

        monkeypatch.setattr(splice.importlib.util, "find_spec", lambda name: None)
    photo = cleaned(source, target, keep_all=keep_all)
    assert traces(target) == []
    assert target.read_bytes().count(b"\xff\xd8\xff") == 1
    if "maker note" in case:
        assert (b"settings" in target.read_bytes()) is keep_all
    if trailer:
        assert any("bytes behind the picture" in warning for warning in photo.warnings)


def test_an_mpos_second_view_is_dropped_with_a_warning(tmp_path: Path) -> None:
    second = Image.open(BytesIO(small_jpeg()))
    Image.fromarray(scene()).save(tmp_path / "s.jpg", "MPO", save_all=True, append_images=[second])
    before = (tmp_path / "s.jpg").read_bytes()
    photo = cleaned(tmp_path / "s.jpg", tmp_path / "o.jpg")
    after = (tmp_path / "o.jpg").read_bytes()
    assert (before.count(b"\xff\xd8\xff"), after.count(b"\xff\xd8\xff")) == (2, 1)
    assert b"MPF\0" not in after
    assert any("further pictures" in warning for warning in photo.warnings)


def png_text(kind: str) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    picture = small_jpeg()
    if kind == "private chunk":
        text.add(b"prVw", picture)
    elif kind == "content credential":
        text.add(b"caBX", picture)
    elif kind == "text in base 64":
        text.add_text("preview", base64.b64encode(picture).decode())
    elif kind == "compressed text":
        text.add_text("preview", base64.b64encode(picture).decode(), zip=True)
    elif kind == "compressed international text":
        text.add_itxt("preview", base64.b64encode(picture).decode(), zip=True)
    else:
        digits = "\n".join(re.findall(".{1,72}", picture.hex()))
        text.add_text("Raw profile type iptc", f"\niptc\n{len(picture)}\n{digits}\n", zip=True)
    return text


@pytest.mark.parametrize(
    "kind",
    [
        "private chunk",
        "content credential",
        "text in base 64",
        "compressed text",
        "compressed international text",
        "raw profile",
    ],
)
def test_no_trace_of_the_object_remains_in_a_png(kind: str, tmp_path: Path) -> None:
    text = png_text(kind)
    text.add_text("Author", "somebody")
    Image.fromarray(scene()).save(tmp_path / "s.png", pnginfo=text)
    with open(tmp_path / "s.png", "ab") as file:
        file.write(small_jpeg())
    assert traces(tmp_path / "s.png")
    cleaned(tmp_path / "s.png", tmp_path / "o.png")
    assert traces(tmp_path / "o.png") == []
    assert b"somebody" in (tmp_path / "o.png").read_bytes()


@pytest.mark.parametrize("tag", [37724, 34377, 65000, 347, 33723])
def test_layers_and_private_pictures_of_a_tiff_are_dropped(tag: int, tmp_path: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag] = resource(1036, small_jpeg()) if tag == 34377 else small_jpeg()
    tags.tagtype[tag] = 7
    tags[315] = "somebody"
    Image.fromarray(scene()).save(tmp_path / "s.tif", tiffinfo=tags)
    assert traces(tmp_path / "s.tif")
    cleaned(tmp_path / "s.tif", tmp_path / "o.tif")
    assert traces(tmp_path / "o.tif") == []
    assert b"somebody" in (tmp_path / "o.tif").read_bytes()


def test_a_tiffs_sub_image_is_dropped(tmp_path: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    inner = TiffImagePlugin.ImageFileDirectory_v2()
    inner[270] = OBJECT.decode()
    tags[330] = inner
    Image.fromarray(scene()).save(tmp_path / "s.tif", tiffinfo=tags)
    with open(tmp_path / "s.tif", "ab") as file:
        file.write(OBJECT)
    cleaned(tmp_path / "s.tif", tmp_path / "o.tif")
    assert traces(tmp_path / "o.tif") == []


def test_a_gifs_comment_that_is_a_picture_is_dropped_and_another_stays(tmp_path: Path) -> None:
    for name, comment in (("a", base64.b64encode(small_jpeg())), ("b", b"a comment")):
        Image.fromarray(scene()).quantize(16).save(tmp_path / f"{name}.gif", comment=comment[:255])
        cleaned(tmp_path / f"{name}.gif", tmp_path / f"{name}o.gif")
    assert b"/9j/" in (tmp_path / "a.gif").read_bytes()
    assert b"/9j/" not in (tmp_path / "ao.gif").read_bytes()
    assert b"a comment" in (tmp_path / "bo.gif").read_bytes()


@pytest.mark.parametrize("lossless", [False, True])
def test_no_trace_of_the_object_remains_in_a_webp(lossless: bool, tmp_path: Path) -> None:
    meta = XMP.format("", f"<y:preview>{in_base_64()}</y:preview>").encode()
    exif = exif_with([entry(0x927C, 7, 900, 200)], small_jpeg())
    Image.fromarray(scene()).save(tmp_path / "s.webp", xmp=meta, exif=exif, lossless=lossless)
    content = bytearray(
        (tmp_path / "s.webp").read_bytes()
        + b"prVw"
        + struct.pack("<I", len(OBJECT) + 1)
        + OBJECT
        + b"\0"
    )
    content[4:8] = struct.pack("<I", len(content) - 8)
    (tmp_path / "s.webp").write_bytes(content)
    assert len(traces(tmp_path / "s.webp")) >= 1
    cleaned(tmp_path / "s.webp", tmp_path / "o.webp")
    assert traces(tmp_path / "o.webp") == []


def test_a_heics_other_pictures_and_thumbnails_are_dropped_with_a_warning(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    file = heif.from_pillow(Image.fromarray(scene()))
    file.add_from_pillow(Image.new("RGB", (64, 64), (255, 0, 0)))
    file[0].info["thumbnails"] = [48]
    file.save(tmp_path / "s.heic", quality=80)
    with open(tmp_path / "s.heic", "ab") as handle:
        handle.write(struct.pack(">I4s", 8 + len(OBJECT), b"mpvd") + OBJECT)
    photo = cleaned(tmp_path / "s.heic", tmp_path / "o.heic")
    assert any("2 pictures" in warning for warning in photo.warnings)
    assert traces(tmp_path / "o.heic") == []
    written = heif.open_heif(tmp_path / "o.heic")
    assert len(written) == 1
    assert not written.info.get("thumbnails")
    assert heif.open_heif(tmp_path / "s.heic").info.get("thumbnails")


@pytest.mark.parametrize("kind", ["depth_images", "aux"])
def test_a_heics_depth_map_is_warned_of(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(Image.fromarray(scene())).save(tmp_path / "s.heic", quality=80)

    class WithLayer(heif.HeifImageFile):  # type: ignore[misc,name-defined]
        """Reads like an iPhone's portrait, which the installed encoder cannot write."""

        def _open(self) -> None:
            super()._open()
            self.info[kind] = ["a layer"]

    with monkeypatch.context() as patched:
        patched.setattr(heif, "HeifImageFile", WithLayer)
        # Read in this process, where the reader is patched.
        photo = cleaned(tmp_path / "s.heic", tmp_path / "o.heic", read=read.read_photo)
    assert any("depth map" in warning for warning in photo.warnings)
    assert read_photo(tmp_path / "o.heic").warnings == ()


def test_an_avif_sequence_is_refused(tmp_path: Path) -> None:
    from remove_objects.pipeline.errors import UnreadableError

    frames = [Image.fromarray(np.full((32, 32, 3), 60 * i, np.uint8)) for i in range(3)]
    frames[0].save(tmp_path / "a.avif", save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableError, match=r"3 frames.*split it first"):
        read_photo(tmp_path / "a.avif")


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        (b"a caption", False),
        (b"/9j/ is how base 64 of a JPEG begins", False),
        (base64.b64encode(small_jpeg()), True),
        (b"ffd8ff" + b"00" * 30, True),
        (b"FFD8FF\n" + b"00\n" * 30, True),
        (b"\x89PNG\r\n\x1a\n", True),
        (b"RIFF\1\2\3\4WEBPVP8 ", True),
        (b"\0\0\0\x18ftypisom", True),
        (bytes(range(256)) * 4, False),
    ],
)
def test_content_that_may_hold_a_picture(content: bytes, holds: bool) -> None:
    assert may_hold_picture(content) is holds


def test_a_jpeg_is_blanked_to_its_own_end_and_the_bytes_around_it_stay() -> None:
    data = bytearray(b"before" + preview_with_a_thumbnail() + b"after")
    size = len(data)
    blank_jpegs(data)
    assert (data[:6], data[-5:], len(data)) == (b"before", b"after", size)
    assert not any(data[6:-5])


def test_exif_with_circular_links_ends() -> None:
    around = struct.pack("<H", 1) + entry(0x014A, 4, 1, 200) + struct.pack("<I", 200)
    assert upright_exif(exif_with([entry(0x014A, 4, 1, 8)], around, link=200), (2, 2)) is not None


@pytest.mark.parametrize(
    "text", ["a plain one".encode("utf-16-le"), b"\xfe\xff" + "big".encode("utf-16-be")]
)
def test_xmp_that_cannot_be_searched_is_dropped(text: bytes) -> None:
    assert upright_xmp(text) is None
    assert upright_xmp(b"<x:xmpmeta/>\0") == b"<x:xmpmeta/>\0"
