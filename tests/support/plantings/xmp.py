"""XMP and IPTC with a payload in each place that their structure has."""

from __future__ import annotations

import struct
import textwrap
from collections.abc import Callable
from functools import partial
from html import escape

_OPEN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_NAMESPACES = " ".join(
    f'xmlns:{prefix}="{address}"'
    for prefix, address in {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "dc": "http://purl.org/dc/elements/1.1/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "xmpGImg": "http://ns.adobe.com/xap/1.0/g/img/",
        "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
        "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "tiff": "http://ns.adobe.com/tiff/1.0/",
        "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
        "xmpNote": "http://ns.adobe.com/xmp/note/",
        "aux": "http://ns.adobe.com/exif/1.0/aux/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "own": "http://example.com/own/",
    }.items()
)


def packet(
    inside: str = "", attributes: str = "", *, ahead: str = "", behind: str = "", end: str = ""
) -> bytes:
    """A packet of one description."""
    return (
        f'{_OPEN}{ahead}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {_NAMESPACES}>'
        f'<rdf:Description rdf:about="" dc:format="image/jpeg" {attributes}>{inside}'
        f'</rdf:Description></rdf:RDF></x:xmpmeta>{behind}<?xpacket end="w"?>{end}'
    ).encode()


def _bag(name: str, texts: list[str], kind: str = "Bag") -> str:
    items = "".join(f"<rdf:li>{escape(text)}</rdf:li>" for text in texts)
    return f"<{name}><rdf:{kind}>{items}</rdf:{kind}></{name}>"


def _thumbnail(text: str) -> str:
    image = f"<xmpGImg:format>JPEG</xmpGImg:format><xmpGImg:image>{escape(text)}</xmpGImg:image>"
    item = f'<rdf:li rdf:parseType="Resource">{image}</rdf:li>'
    return f"<xmp:Thumbnails><rdf:Alt>{item}</rdf:Alt></xmp:Thumbnails>"


def _alternative(text: str) -> str:
    item = f'<rdf:li xml:lang="x-default">{escape(text)}</rdf:li>'
    return f"<dc:description><rdf:Alt>{item}</rdf:Alt></dc:description>"


def _history(text: str) -> str:
    item = f'<rdf:li stEvt:action="saved" stEvt:parameters="{escape(text)}"/>'
    return f"<xmpMM:History><rdf:Seq>{item}</rdf:Seq></xmpMM:History>"


#: Every place, by name; each takes a text.
PLACES: dict[str, Callable[[str], bytes]] = {
    "a known attribute": lambda t: packet(attributes=f'photoshop:Instructions="{escape(t)}"'),
    "an attribute of a known namespace": lambda t: packet(attributes=f'xmp:Preview="{escape(t)}"'),
    "an unknown attribute": lambda t: packet(attributes=f'own:preview="{escape(t)}"'),
    "a known element": lambda t: packet(f"<photoshop:Headline>{escape(t)}</photoshop:Headline>"),
    "an unknown element": lambda t: packet(f"<own:preview>{escape(t)}</own:preview>"),
    "an unknown resource": lambda t: packet(f'<own:preview rdf:resource="{escape(t)}"/>'),
    "a thumbnail": lambda t: packet(_thumbnail(t)),
    "a description": lambda t: packet(_alternative(t)),
    "keywords": lambda t: packet(_bag("dc:subject", textwrap.wrap(t, 60))),
    "a creator": lambda t: packet(_bag("dc:creator", [t], "Seq")),
    "history": lambda t: packet(_history(t)),
    "a document's ancestors": lambda t: packet(
        _bag("photoshop:DocumentAncestors", textwrap.wrap(t, 90))
    ),
    "raw settings": lambda t: packet(attributes=f'crs:Look="{escape(t)}"'),
    "raw masks": lambda t: packet(_bag("crs:ToneCurve", textwrap.wrap(t, 99), "Seq")),
    "a user comment": lambda t: packet(
        f'<exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">{escape(t)}</rdf:li></rdf:Alt>'
        "</exif:UserComment>"
    ),
    "a comment": lambda t: packet(f"<!-- {t.replace('--', '- -')} -->"),
    "an instruction": lambda t: packet(f"<?preview {escape(t)}?>"),
    "CDATA": lambda t: packet(f"<own:preview><![CDATA[{t}]]></own:preview>"),
    "a namespace's address": lambda t: packet(
        attributes=f'xmlns:pic="http://example.com/{escape(t)}" pic:a="1"'
    ),
    "the subject's address": lambda t: packet().replace(
        b'rdf:about=""', f'rdf:about="{escape(t)}"'.encode()
    ),
    "loose text": lambda t: packet(escape(t)),
    "before the root": lambda t: packet(ahead=f"<!-- {t.replace('--', '- -')} -->"),
    "behind the root": lambda t: packet(behind=f"<!-- {t.replace('--', '- -')} -->"),
    "behind the packet": lambda t: packet(end=t),
    "UTF-16": lambda t: (
        "\ufeff" + packet(f"<own:preview>{escape(t)}</own:preview>").decode()
    ).encode("utf-16-le"),
    "no XML": lambda t: t.encode(),
}  # fmt: skip


def record(number: int, data: int, content: bytes) -> bytes:
    """A record of IPTC."""
    if len(content) < 0x8000:
        return struct.pack(">BBBH", 0x1C, number, data, len(content)) + content
    return struct.pack(">BBBHI", 0x1C, number, data, 0x8004, len(content)) + content


def resource(number: int, data: bytes, name: bytes = b"") -> bytes:
    """One of Photoshop's resources."""
    named = bytes((len(name),)) + name
    named += bytes(len(named) % 2)
    head = b"8BIM" + struct.pack(">H", number) + named
    return head + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)


def _records(*records: bytes) -> bytes:
    return b"".join((record(1, 90, b"\x1b%G"), record(2, 0, b"\0\2"), *records))


def _pieces(payload: bytes, size: int) -> list[bytes]:
    return [payload[at : at + size] for at in range(0, len(payload), size)]


#: Every place in IPTC, by name.
IPTC: dict[str, Callable[[bytes], bytes]] = {
    "the caption": lambda p: _records(record(2, 120, p)),
    "the title": lambda p: _records(record(2, 5, p)),
    "keywords": lambda p: _records(*(record(2, 25, piece) for piece in _pieces(p, 60))),
    "a creator": lambda p: _records(record(2, 80, p)),
    "a date": lambda p: _records(record(2, 55, p)),
    "an unknown field": lambda p: _records(record(2, 230, p)),
    "the preview": lambda p: _records(record(2, 200, b"\0\x0b"), record(2, 202, p)),
    "a sub-file": lambda p: _records(record(7, 10, b"\0"), record(8, 10, p)),
    "an object's size": lambda p: _records(record(7, 90, p)),
    "an unknown record": lambda p: _records(record(240, 1, p)),
    "the envelope": lambda p: _records(record(1, 30, p)),
    "behind the records": lambda p: _records(record(2, 5, b"A title")) + b"\0" + p,
}


def _as_resource(payload: bytes, *, place: Callable[[bytes], bytes]) -> bytes:
    return resource(0x0404, place(payload))


#: Every place in Photoshop's resources, by name.
RESOURCES: dict[str, Callable[[bytes], bytes]] = {
    **{f"IPTC, {name}": partial(_as_resource, place=place) for name, place in IPTC.items()},
    "the thumbnail": lambda p: resource(1036, bytes(28) + p),
    "the old thumbnail": lambda p: resource(1033, bytes(28) + p),
    "an unknown resource": lambda p: resource(4242, p),
    "a path": lambda p: resource(2000, p),
    "a resource's name": lambda p: b"".join(
        resource(1005, bytes(16), piece) for piece in _pieces(p, 200)
    ),
    "the resolution": lambda p: resource(1005, struct.pack(">IHH", 72 << 16, 1, 1) * 2 + p),
    "EXIF": lambda p: resource(1058, p),
    "XMP": lambda p: resource(1060, p),
    "the colour profile": lambda p: resource(1039, p),
    "the copyright's address": lambda p: resource(1035, p),
    "slices": lambda p: resource(1050, p),
    "a plug-in's resource": lambda p: resource(4000, p),
    "behind the resources": lambda p: resource(1011, bytes(9)) + p,
    "several resources": lambda p: b"".join(
        resource(4300 + n, piece) for n, piece in enumerate(_pieces(p, 100))
    ),
}  # fmt: skip
