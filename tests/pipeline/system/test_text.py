"""Text for people: characters that a terminal would interpret are escaped."""

from __future__ import annotations

from remove_objects.pipeline.system.text import all_of, printable, some


def test_control_characters_and_undecodable_bytes_are_escaped() -> None:
    assert printable("a\x1b[31mé\udcff") == "a\\x1b[31mé\\udcff"


def test_of_many_names_a_sentence_has_the_first() -> None:
    assert [some(list("ab")), some(list("abc")), some(list("abcde"))] == [
        *("a, b", "a, b, c", "a, b, c and 2 more")
    ]
    assert [all_of(["a"]), all_of(list("ab")), all_of(list("abc")), all_of(list("abcde"))] == [
        *("a", "a and b", "a, b and c", "a, b, c and 2 more")
    ]
