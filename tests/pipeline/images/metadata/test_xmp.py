"""XMP is rebuilt from known properties whose texts are texts; everything else is dropped."""

from __future__ import annotations

import base64
from typing import Any
from xml.etree import ElementTree

import pytest

from remove_objects.pipeline.images.metadata.xmp import known_xmp

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
PICTURE = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 3).decode()
LIGHTROOM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:aux="http://ns.adobe.com/exif/1.0/aux/"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
    xmp:Rating="4" xmp:CreateDate="2026-11-28T10:00:00.12+01:00" aux:Lens="24-70 mm f/2.8"
    tiff:Orientation="6" exif:PixelXDimension="4000" xmpMM:DocumentID="xmp.did:1"
    crs:Exposure2012="+0.10">
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Rain &amp; <![CDATA[<sun>]]></rdf:li></rdf:Alt>
   </dc:title>
   <dc:subject><rdf:Bag><rdf:li>wall</rdf:li><rdf:li>Zoë</rdf:li></rdf:Bag></dc:subject>
   <crs:ToneCurve><rdf:Seq><rdf:li>0, 0</rdf:li></rdf:Seq></crs:ToneCurve>
   <xmpMM:History><rdf:Seq><rdf:li rdf:parseType="Resource"/></rdf:Seq></xmpMM:History>
   <exif:Flash rdf:parseType="Resource"><exif:Fired>False</exif:Fired><exif:Mode>2</exif:Mode>
   </exif:Flash>
   <Iptc4xmpCore:CreatorContactInfo Iptc4xmpCore:CiAdrCity="Oslo"
    Iptc4xmpCore:CiEmailWork="a@example.com"/>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta><?xpacket end="w"?>"""


def packet(inside: str = "", attributes: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:g="http://ns.google.com/photos/1.0/image/" '
        f"{attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def properties(packet: bytes) -> Any:
    """The properties of a packet by their names; a list's items are a list."""

    def value(element: ElementTree.Element) -> Any:
        found: dict[str, Any] = {}
        for child in element:
            name = child.tag.rpartition("}")[2]
            items = found.setdefault(name, [])
            items.append(value(child))
        short = {name: items[0] if len(items) == 1 else items for name, items in found.items()}
        return short or element.text

    return value(ElementTree.fromstring(packet.decode())[0][0])


def test_lightrooms_properties_and_settings_stay_and_an_old_curve_goes() -> None:
    known = known_xmp(LIGHTROOM.encode(), (30, 40), turn=8)
    assert known.dropped == ("crs:ToneCurve",)
    assert known.block is not None
    assert properties(known.block) == {
        "Rating": "4",
        "CreateDate": "2026-11-28T10:00:00.12+01:00",
        "Lens": "24-70 mm f/2.8",
        "Orientation": "8",
        "PixelXDimension": "40",
        "DocumentID": "xmp.did:1",
        "Exposure2012": "+0.10",
        "History": {"Seq": {"li": None}},
        "title": {"Alt": {"li": "Rain & <sun>"}},
        "subject": {"Bag": {"li": ["wall", "Zoë"]}},
        "Flash": {"Fired": "False", "Mode": "2"},
        "CreatorContactInfo": {"CiAdrCity": "Oslo", "CiEmailWork": "a@example.com"},
    }
    assert b'xml:lang="x-default"' in known.block
    assert known_xmp(known.block, (30, 40), turn=8).block == known.block
    assert known_xmp(known.block, (30, 40), turn=8).dropped == ()


@pytest.mark.parametrize(
    "planted",
    [
        packet(f"<g:Data>{PICTURE}</g:Data>"),
        packet(f"<xmp:Thumbnails><rdf:Alt><rdf:li>{PICTURE}</rdf:li></rdf:Alt></xmp:Thumbnails>"),
        packet(f"<dc:description>{PICTURE}</dc:description>"),
        packet(f"<dc:title>a<g:Data>{PICTURE}</g:Data></dc:title>"),
        packet(f"<dc:title><rdf:Alt><rdf:li g:Data='{PICTURE}'>a</rdf:li></rdf:Alt></dc:title>"),
        packet(f"<dc:title><rdf:Alt><rdf:li xml:lang='{PICTURE}'>a</rdf:li></rdf:Alt></dc:title>"),
        packet(
            "<dc:subject><rdf:Bag>"
            + "".join(f"<rdf:li>{PICTURE[i : i + 40]}</rdf:li>" for i in range(0, 1000, 40))
            + "</rdf:Bag></dc:subject>"
        ),
        packet(f"<dc:title/><!-- {PICTURE} --><?pi {PICTURE}?>"),
        packet(attributes=f"dc:format='{PICTURE}'"),
        packet() + f"<!-- {PICTURE} -->".encode(),
        packet().replace(
            b"<x:xmpmeta", f"<!DOCTYPE a [<!ENTITY p '{PICTURE}'>]><x:xmpmeta".encode()
        ),
        packet("<dc:title>&#x2F;9j" + PICTURE[4:] + "</dc:title>"),
        packet().decode().encode("utf-16"),
        b"\0" + packet(),
        f"<a {PICTURE}".encode(),
    ],
)
def test_no_picture_survives(planted: bytes) -> None:
    known = known_xmp(planted, (30, 40))
    assert PICTURE[8:40].encode() not in (known.block or b"")


def test_settings_are_numbers_and_identifiers_are_few() -> None:
    spaces = (
        'xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" '
        'xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" '
        'xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"'
    )
    identifier = "xmp.iid:9b1c2b5e-97f4-4f1a-9d0a-0c5bd3f1a111"
    event = f"<rdf:li stEvt:action='saved' stEvt:instanceID='{identifier}'/>"
    curve = "".join(f"<rdf:li>{n}, {n}</rdf:li>" for n in range(30))

    def kept(inside: str) -> bytes:
        return known_xmp(packet(inside, spaces), (30, 40)).block or b""

    assert kept("<crs:Tint>+7</crs:Tint>").count(b"+7") == 1
    assert kept("<crs:Tint>/9j/4AAQ</crs:Tint>") == b""
    assert kept(f"<crs:ToneCurvePV2012><rdf:Seq>{curve}</rdf:Seq></crs:ToneCurvePV2012>") == b""
    for count, stays in ((16, 16), (17, 0)):
        history = f"<xmpMM:History><rdf:Seq>{event * count}</rdf:Seq></xmpMM:History>"
        assert kept(history).count(identifier.encode()) == stays


def test_entities_are_refused_and_depth_is_bounded() -> None:
    bomb = b"<!DOCTYPE a [<!ENTITY b 'bbbbbbbbbb'><!ENTITY c '&b;&b;&b;'>]>" + packet(
        "<dc:title>&c;</dc:title>"
    )
    assert known_xmp(bomb, (2, 3)) == (None, ("XMP that cannot be parsed",))
    deep = packet(
        "<dc:title>" + "<rdf:Bag><rdf:li>" * 5000 + "</rdf:li></rdf:Bag>" * 5000 + "</dc:title>"
    )
    assert known_xmp(deep, (2, 3)).block is None


def test_a_packet_that_fits_into_no_segment_loses_its_longest_property() -> None:
    words = "".join(f"<rdf:li>東京の壁 {number}</rdf:li>" for number in range(900))
    others = f"<dc:title>A wall</dc:title><dc:type><rdf:Bag>{words}</rdf:Bag></dc:type>"
    known = known_xmp(
        packet(f"<dc:subject><rdf:Bag>{words * 2}</rdf:Bag></dc:subject>{others}"), (2, 3)
    )
    assert known.dropped == ("dc:subject",)
    assert known.block is not None
    assert b"A wall" in known.block
    assert len(known.block) < 65_000


def test_white_space_around_a_packet_is_no_fault() -> None:
    assert known_xmp(b"\n " + packet("<dc:title>A</dc:title>") + b"\n\0\0", (2, 3)).dropped == ()
