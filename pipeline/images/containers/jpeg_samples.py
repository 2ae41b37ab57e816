"""The segments that a JPEG's samples need: each table that a scan uses, and each scan, once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .jpeg import SOS, Parsed, Segment

_HUFFMAN, _CONDITIONS, _QUANTISATION, _RESTARTS = 0xC4, 0xCC, 0xDB, 0xDD
#: Baseline, extended and progressive frames, Huffman or arithmetic coding.
_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC9, 0xCA))
_END_OF_INTERVAL = re.compile(rb"..(\xff[\xd0-\xd7])", re.DOTALL)
_NEEDED = _FRAMES | {SOS, _HUFFMAN, _CONDITIONS, _QUANTISATION, _RESTARTS}
#: Bytes that are cut off to see whether they matter. A later scan of a progressive file holds
#: single bits, and its last ones may all be zeros, which change nothing.
_SLACK, _PROGRESSIVE_SLACK = 2, 16

#: A class (0 for DC and quantisation, 1 for AC) and a number.
_Slot = tuple[int, int]


def needed_segments(parsed: Parsed) -> tuple[Segment, ...]:
    """Return the frame, the scans of all components, and the tables that they use.

    Tables that no scan uses, scans of components that are complete, and unknown segments are left
    out: a decoder skips them, whatever they hold.
    """
    kept = []
    seen: set[int] = set()
    for segment in parsed.segments:
        if segment.marker == SOS and not parsed.is_progressive:
            components = set(segment.payload[1:-3:2])
            if components <= seen:
                continue
            seen |= components
        if segment.marker in _NEEDED:
            kept.append(segment)
    return tuple(_with_used_tables(kept))


def _with_used_tables(segments: list[Segment]) -> Iterator[Segment]:
    """Yield the segments, the tables without those that are replaced or never used."""
    quantised = {b for s in segments if s.marker in _FRAMES for b in s.payload[8::3]}
    later: dict[int, set[_Slot]] = {_HUFFMAN: set(), _QUANTISATION: set()}
    kept: list[Segment] = []
    for segment in reversed(segments):
        if segment.marker == SOS:
            for selector in segment.payload[2:-3:2]:
                later[_HUFFMAN] |= {(0, selector >> 4), (1, selector & 15)}
            later[_QUANTISATION] = {(0, number) for number in quantised}
            kept.append(segment)
        elif segment.marker in later:
            used = later[segment.marker]
            tables = []
            for slot, table in reversed(list(_tables(segment))):
                if slot in used:
                    used.discard(slot)
                    tables.append(table)
            if tables:
                kept.append(Segment(segment.marker, b"".join(reversed(tables))))
        else:
            kept.append(segment)
    return reversed(kept)


def _tables(segment: Segment) -> Iterator[tuple[_Slot, bytes]]:
    payload, at = segment.payload, 0
    while at < len(payload):
        head = payload[at]
        if segment.marker == _QUANTISATION:
            size, slot = 1 + 64 * (2 if head >> 4 else 1), (0, head & 15)
        else:
            size, slot = 17 + sum(payload[at + 1 : at + 17]), (head >> 4, head & 15)
        yield slot, payload[at : at + size]
        at += size


def has_bytes_behind_its_samples(
    parsed: Parsed,
    segments: tuple[Segment, ...],
    looks_the_same: Callable[[tuple[Segment, ...]], bool],
) -> bool:
    """Whether a scan goes on behind its last block.

    Args:
        parsed: the file.
        segments: its needed segments.
        looks_the_same: whether a file of other segments has the same pixels.
    """
    slack = _PROGRESSIVE_SLACK if parsed.is_progressive else _SLACK
    return any(
        looks_the_same((*segments[:number], _shorter(segment, slack), *segments[number + 1 :]))
        for number, segment in enumerate(segments)
        if segment.marker == SOS
    )


def without_ends_of_intervals(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Return the file with each restart interval of its scans a little shorter."""
    return tuple(
        Segment(s.marker, s.payload, _END_OF_INTERVAL.sub(rb"\1", s.scan)) if s.scan else s
        for s in segments
    )


def restart_interval(segments: tuple[Segment, ...]) -> int:
    """Return the number of MCUs between restart markers; 0 for none."""
    return next((int.from_bytes(s.payload, "big") for s in segments if s.marker == _RESTARTS), 0)


def _shorter(segment: Segment, slack: int) -> Segment:
    """Return a scan without its last bytes: the last block ends in them, if nothing is behind."""
    cut = min(slack, -(-len(segment.scan) // 2))
    return Segment(segment.marker, segment.payload, segment.scan[: len(segment.scan) - cut])
