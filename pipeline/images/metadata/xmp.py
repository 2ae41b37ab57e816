"""XMP with the known properties only: parsed, checked, and written as a new packet."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from .iptc import KnownBlock
from .text import are_known_texts, are_no_pieces
from .xmp_properties import (
    HEIGHTS,
    MOST_IDENTIFIERS,
    ORIENTATION,
    PREFIXES,
    PROPERTIES,
    RDF,
    WIDTHS,
    XML,
    are_settings,
    is_identifier,
)

#: Bytes of the largest packet that is parsed. Lightroom's settings take some hundred kilobytes.
_LARGEST_PACKET = 4 << 20
_MOST_NODES = 20_000
#: An rdf:RDF within x:xmpmeta holds descriptions, and they hold properties. A contact's address is
#: a list of structures of lists: the deepest value that cameras and editors write.
_DEEPEST_VALUE = 8
#: Characters of all texts together.
_MOST_CHARACTERS = 30_000
#: Bytes of the new packet: it must fit into a JPEG's segment.
_LARGEST_RESULT = 65_000
_LISTS = frozenset(("Alt", "Bag", "Seq"))
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,32}")
#: Expat joins a namespace and a name by it; no namespace contains it.
_SEPARATOR = " "

Name = tuple[str, str]


@dataclass(slots=True)
class _Node:
    """An element, or an attribute that is a property."""

    name: Name
    text: str = ""
    language: str = ""
    children: list[_Node] = field(default_factory=list)

    @property
    def is_list(self) -> bool:
        return self.name[0] == RDF and self.name[1] in _LISTS


class _UnreadableError(Exception):
    """The packet is no XMP within the bounds."""


def known_xmp(packet: bytes, size: tuple[int, int], turn: int = 1) -> KnownBlock:
    """Rebuild XMP from its known properties, true for the new picture.

    Args:
        packet: XMP.
        size: height and width of the picture's stored pixels.
        turn: the orientation 1-8 in which they lie.
    """
    try:
        properties, dropped = _parsed(packet)
    except (_UnreadableError, expat.ExpatError):
        return KnownBlock(None, ("XMP that cannot be parsed",))
    kept: dict[Name, _Node] = {}
    room, identifiers = _MOST_CHARACTERS, 0
    for node in properties:
        texts = _texts(node)
        room -= sum(map(len, texts))
        identifiers += _count_identifiers(node)
        known = _is_known(node, _DEEPEST_VALUE) and are_settings(node.name, texts)
        if not known or not are_known_texts(texts) or room < 0 or identifiers > MOST_IDENTIFIERS:
            dropped[_shown(node.name)] = None
        else:
            kept.setdefault(node.name, node)
    if not are_no_pieces(text for node in kept.values() for text in _texts(node)):
        dropped |= dict.fromkeys(_shown(name) for name in kept)
        kept = {}
    _make_true(kept, size, turn)
    block = _written(list(kept.values()))
    while len(block) > _LARGEST_RESULT:
        longest = max(kept, key=lambda name: len(_element(kept[name])))
        dropped[_shown(longest)] = None
        del kept[longest]
        block = _written(list(kept.values()))
    return KnownBlock(block if kept else None, tuple(dropped))


class _Reader:
    """Expat's handlers: they keep known properties, and pass over the content of all others."""

    def __init__(self) -> None:
        self.properties: list[_Node] = []
        self.dropped: dict[str, None] = {}
        self._stack: list[_Node] = []
        self._passed_over = 0
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._passed_over:
            self._passed_over += 1
            return
        self._count += 1
        if self._count > _MOST_NODES or len(self._stack) > 4 * _DEEPEST_VALUE:
            raise _UnreadableError
        name, prefix = _split(tag)
        node = _Node(name)
        if self._is_property() and not self._is_kept(name, prefix):
            self._passed_over = 1
            return
        self._stack.append(node)
        for attribute, value in attributes.items():
            self._attribute(node, *_split(attribute), value)

    def end(self, tag: str) -> None:
        if self._passed_over:
            self._passed_over -= 1
            return
        node = self._stack.pop()
        if self._is_property():
            self.properties.append(node)
        elif self._stack and not _is_frame(self._stack[-1]):
            self._stack[-1].children.append(node)

    def text(self, text: str) -> None:
        if not self._passed_over and self._stack:
            self._stack[-1].text += text

    def _is_property(self) -> bool:
        """Whether the element in the making is a property of the photo."""
        return (
            bool(self._stack)
            and self._stack[-1].name == (RDF, "Description")
            and all(_is_frame(node) for node in self._stack)
        )

    def _is_kept(self, name: Name, prefix: str) -> bool:
        kept = name[1] in PROPERTIES.get(name[0], ())
        if not kept:
            self.dropped[_shown(name, prefix)] = None
        return kept

    def _attribute(self, node: _Node, name: Name, prefix: str, value: str) -> None:
        if name == (XML, "lang"):
            node.language = value
        elif name[0] == RDF:
            if name[1] == "resource":
                node.text = value
        elif node.name == (RDF, "Description") and all(map(_is_frame, self._stack)):
            if self._is_kept(name, prefix):
                self.properties.append(_Node(name, value))
        elif name[0]:
            node.children.append(_Node(name, value))


def _parsed(packet: bytes) -> tuple[list[_Node], dict[str, None]]:
    """Return the known properties, unchecked, and the names of the others.

    Raises:
        _UnreadableError: it is too large, or declares entities.
        expat.ExpatError: it is no XML.
    """
    packet = packet.strip(b"\0 \t\r\n")
    if len(packet) > _LARGEST_PACKET:
        raise _UnreadableError
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.namespace_prefixes = True
    reader = _Reader()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.Parse(packet, True)
    return reader.properties, reader.dropped


def _refuse(*_: object) -> None:
    raise _UnreadableError


def _split(name: str) -> tuple[Name, str]:
    """Return an element's or attribute's name, and its prefix in the packet."""
    namespace, local, prefix = (*name.split(_SEPARATOR), "", "")[:3]
    return ((namespace, local), prefix) if local else (("", namespace), "")


def _is_frame(node: _Node) -> bool:
    """Whether an element only holds properties: x:xmpmeta, rdf:RDF, rdf:Description."""
    return node.name in ((RDF, "RDF"), (RDF, "Description")) or node.name[1] in (
        "xmpmeta",
        "xapmeta",
    )


def _shown(name: Name, prefix: str = "") -> str:
    """Return a property's name for people: its prefix only, if no property of it is known."""
    namespace, local = name
    if namespace in PREFIXES:
        return f"{PREFIXES[namespace]}:{local if local.isidentifier() else '?'}"
    return f"XMP {prefix[:32] if _LANGUAGE.fullmatch(prefix[:32]) else '?'}:*"


def _is_known(node: _Node, depth: int) -> bool:
    """Whether a value is built of lists, fields of known names, and texts, only."""
    if depth == 0 or (node.language and not _LANGUAGE.fullmatch(node.language)):
        return False
    if node.children and node.text.strip():
        return False
    for child in node.children:
        namespace, local = child.name
        known = (
            local == "li"
            if node.is_list
            else local in (*_LISTS, "Description")
            if namespace == RDF
            else local in PROPERTIES.get(namespace, ())
        )
        if not known or not _is_known(child, depth - 1):
            return False
    return True


def _texts(node: _Node) -> list[str]:
    """Return the texts that people read: identifiers are none."""
    is_text = not node.children and not is_identifier(node.name, node.text.strip())
    own = [node.text.strip()] if is_text else []
    return [*own, *(text for child in node.children for text in _texts(child))]


def _count_identifiers(node: _Node) -> int:
    own = int(not node.children and is_identifier(node.name, node.text.strip()))
    return own + sum(map(_count_identifiers, node.children))


def _make_true(kept: dict[Name, _Node], size: tuple[int, int], turn: int) -> None:
    """Set orientation and sizes where they are declared."""
    values = {
        ORIENTATION: turn,
        **dict.fromkeys(HEIGHTS, size[0]),
        **dict.fromkeys(WIDTHS, size[1]),
    }
    for name, value in values.items():
        if name in kept:
            kept[name] = _Node(name, str(value))


def _written(properties: list[_Node]) -> bytes:
    namespaces = sorted({namespace for node in properties for namespace in _namespaces(node)})
    declared = "".join(f' xmlns:{PREFIXES[space]}="{escape(space)}"' for space in namespaces)
    lines = [
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">',
        f'<rdf:Description rdf:about=""{declared}>',
        *(_element(node) for node in properties),
        "</rdf:Description></rdf:RDF></x:xmpmeta>",
        '<?xpacket end="w"?>',
    ]
    return "\n".join(lines).encode()


def _namespaces(node: _Node) -> set[str]:
    own = {node.name[0]} - {RDF}
    return own.union(*(_namespaces(child) for child in node.children))


def _element(node: _Node) -> str:
    namespace, local = node.name
    name = f"{'rdf' if namespace == RDF else PREFIXES[namespace]}:{local}"
    language = f' xml:lang="{node.language}"' if node.language else ""
    if not node.children:
        return f"<{name}{language}>{escape(node.text.strip())}</{name}>"
    is_structure = any(child.name[0] != RDF for child in node.children)
    if is_structure and node.name != (RDF, "Description"):
        language += ' rdf:parseType="Resource"'
    return f"<{name}{language}>{''.join(map(_element, node.children))}</{name}>"
