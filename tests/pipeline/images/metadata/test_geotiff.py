"""GeoTIFF's arrays stay if they hold measures and keys, and go if they hold anything else."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from remove_objects.pipeline.images.metadata.geotiff import is_plausible

KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 2054, 34737, 7, 0)


@pytest.mark.parametrize(
    ("tag", "value", "plausible"),
    [
        (33550, (0.5, 0.5, 0.0), True),
        (33922, (0.0, 0.0, 0.0, 440720.0, 3751320.0, -12.5), True),
        (34264, (1e-5, 0.0, 0.0, 6378137.0), True),
        (34736, 298.257223563, True),
        (34736, (float("nan"),), False),
        (33922, struct.unpack("<12d", random.Random(1).randbytes(96)), False),
        (34735, KEYS, True),
        (34735, (*KEYS[:3], 2, *KEYS[4:]), False),
        (34735, (*KEYS[:4], *KEYS[8:12], *KEYS[4:8], *KEYS[12:]), False),
        (34735, struct.unpack("<48H", random.Random(2).randbytes(96)), False),
        (34735, 5, False),
        (270, "a caption", True),
    ],
)
def test_arrays_hold_what_their_tags_say(tag: int, value: Any, plausible: bool) -> None:
    assert is_plausible(tag, value) is plausible
