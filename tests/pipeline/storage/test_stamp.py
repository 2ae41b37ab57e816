"""Stamps change with a file; fingerprints change with settings, and survive any name."""

from __future__ import annotations

import os
from pathlib import Path

from remove_objects.pipeline.storage.stamp import fingerprint, stamp


def test_a_stamp_changes_with_size_and_time(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    assert stamp(file) is None
    file.write_bytes(b"one")
    os.utime(file, ns=(0, 5))
    assert stamp(file) == [3, 5]
    os.utime(file, ns=(0, 6))
    assert stamp(file) == [3, 6]
    file.write_bytes(b"three")
    os.utime(file, ns=(0, 6))
    assert stamp(file) == [5, 6]


def test_a_fingerprint_depends_on_values_and_not_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint("a", "b") != fingerprint("ab")
    assert len(fingerprint(Path("a\udcff.jpg"))) == 32
