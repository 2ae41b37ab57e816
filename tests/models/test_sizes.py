"""Legal sizes."""

from __future__ import annotations

import re

import pytest
import torch

from remove_objects.models.sizes import require_multiple


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 24)])
def test_multiples_are_legal(height: int, width: int) -> None:
    require_multiple(torch.zeros(1, 3, height, width), 8)


@pytest.mark.parametrize(
    ("size", "smallest", "message"),
    [
        ((9, 16), 1, "multiples of 8, got 9x16; pad to 16x16"),
        ((8, 17), 1, "multiples of 8, got 8x17; pad to 8x24"),
        ((8, 32), 16, "multiples of 8, at least 16, got 8x32; pad to 16x32"),
    ],
)
def test_the_error_names_the_next_legal_size(
    size: tuple[int, int], smallest: int, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        require_multiple(torch.zeros(1, 3, *size), 8, smallest)
