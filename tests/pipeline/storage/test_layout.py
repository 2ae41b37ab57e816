"""Names in an output folder."""

from __future__ import annotations

import pytest

from remove_objects.pipeline.storage.layout import is_plain


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a.jpg", 1), ("deep/a.jpg", 1), ("..", 0), ("a/../b", 0), ("/a", 0), ("", 0), ("a\0", 0)],
)
def test_plain_names_go_only_down(name: str, plain: int) -> None:
    assert is_plain(name) == bool(plain)
