"""Text for people: characters that a terminal would interpret are escaped."""

from __future__ import annotations

from remove_objects.pipeline.system.text import printable


def test_control_characters_and_undecodable_bytes_are_escaped() -> None:
    assert printable("a\x1b[31mé\udcff") == "a\\x1b[31mé\\udcff"
