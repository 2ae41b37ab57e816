"""The segments of a JPEG file and the bytes behind them, without decoding its pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

APP0, APP1, APP2, APP12, APP13, APP14, APP15, COM = 0xE0, 0xE1, 0xE2, 0xEC, 0xED, 0xEE, 0xEF, 0xFE
SOI, SOS, EOI = 0xD8, 0xDA, 0xD9
EXIF, XMP, ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
PHOTOSHOP, JFIF, ADOBE = b"Photoshop 3.0\0", b"JFIF\0", b"Adobe"
#: Bytes of the largest payload of a segment.
LARGEST = 65533
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_MARKER = re.compile(rb"\xff+[\x01-\xfe]")
# A stuffed zero and restart markers belong to the scan.
_END_OF_SCAN = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment.

    Attributes:
        marker: the second byte of its marker.
        payload: its content.
        scan: the entropy-coded data behind a SOS segment; empty for every other.
    """

    marker: int
    payload: bytes
    scan: bytes = b""

    def encode(self) -> bytes:
        """Return the segment's bytes in a file."""
        head = struct.pack(">BBH", 0xFF, self.marker, len(self.payload) + 2)
        return head + self.payload + self.scan

    @property
    def is_metadata(self) -> bool:
        """Whether the samples can be decoded without it."""
        return APP0 <= self.marker <= APP15 or self.marker == COM


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed file.

    Attributes:
        segments: the first picture's segments in file order.
        trailer: the bytes behind the picture's end: a second picture, a video, padding.
        ended: whether the file contains that end.
    """

    segments: tuple[Segment, ...]
    trailer: bytes
    ended: bool

    def first(self, marker: int, start: bytes = b"") -> bytes | None:
        """Return the payload of the first segment of this marker that begins with ``start``."""
        payloads = (s.payload for s in self.segments if s.marker == marker)
        return next((payload for payload in payloads if payload.startswith(start)), None)

    @property
    def frame(self) -> Segment | None:
        """The frame header (SOF)."""
        return next((s for s in self.segments if s.marker in _FRAMES), None)

    @property
    def is_progressive(self) -> bool:
        """Whether the frame is progressive."""
        return self.frame is not None and self.frame.marker in _PROGRESSIVE

    @property
    def has_all_scans(self) -> bool:
        """Whether the scans hold every coefficient of every component at full precision.

        A progressive JPEG that is cut between two scans can be decoded, but shows less than it did.
        """
        if self.frame is None or len(self.frame.payload) < 6:
            return False
        names = self.frame.payload[6 : 6 + 3 * self.frame.payload[5] : 3]
        missing = {(name, number) for name in names for number in range(64)}
        for scan in (s for s in self.segments if s.marker == SOS and s.payload):
            count = scan.payload[0]
            if len(scan.payload) < 4 + 2 * count:
                return False
            first, last, precision = scan.payload[1 + 2 * count : 4 + 2 * count]
            if not self.is_progressive:
                first, last, precision = 0, 63, 0
            if not precision & 15:
                span = range(first, last + 1)
                missing -= {(n, k) for n in scan.payload[1 : 1 + 2 * count : 2] for k in span}
        return not missing

    @property
    def is_rgb(self) -> bool:
        """Whether the three components are red, green and blue.

        By libjpeg's rules: JFIF means YCbCr, else Adobe's segment decides, else the components'
        names.
        """
        if self.first(APP0, JFIF) is not None:
            return False
        adobe = self.first(APP14, ADOBE)
        if adobe is not None and len(adobe) >= 12:
            return adobe[11] == 0
        return self.frame is not None and self.frame.payload[6::3] == b"RGB"


def parse(content: bytes) -> Parsed:
    """Parse a JPEG file up to where it is malformed, which is for the decoder to report."""
    segments: list[Segment] = []
    at = 2
    while match := _MARKER.search(content, at):
        marker, at = content[match.end() - 1], match.end()
        if marker == EOI:
            return Parsed(tuple(segments), content[at:], ended=True)
        if marker in (1, SOI) or 0xD0 <= marker <= 0xD7:  # these have no payload
            continue
        size = int.from_bytes(content[at : at + 2], "big")
        if size < 2 or at + size > len(content):
            break
        payload, at = content[at + 2 : at + size], at + size
        scan = b""
        if marker == SOS:
            end = _END_OF_SCAN.search(content, at)
            scan = content[at : end.start() if end else len(content)]
            at += len(scan)
        segments.append(Segment(marker, payload, scan))
    return Parsed(tuple(segments), b"", ended=False)


def assemble(segments: Iterable[Segment]) -> bytes:
    """Return a file of these segments."""
    content = (segment.encode() for segment in segments)
    return b"".join((bytes((0xFF, SOI)), *content, bytes((0xFF, EOI))))


def icc_segments(profile: bytes | None) -> Iterator[Segment]:
    """Yield a colour profile in as many segments as it takes."""
    room = LARGEST - len(ICC) - 2
    chunks = [profile[at : at + room] for at in range(0, len(profile), room)] if profile else []
    for number, chunk in enumerate(chunks, 1):
        yield Segment(APP2, ICC + bytes((number, len(chunks))) + chunk)
