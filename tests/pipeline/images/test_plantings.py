"""A picture of the removed object in metadata, of any kind and in any place, does not come out.

A sample of the generator's plantings; ``tools.plantings.main`` tries them all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.planted import pillow_heif
from tests.support.plantings.detector import holds_object
from tests.support.plantings.kinds import kinds
from tests.support.plantings.trial import Mode, Planting, plantings, trial

#: Only each so many-th planting; a number that is prime to the number of kinds.
EACH = 27
FORMATS = ("jpg", "png", "webp", "lossless.webp", "tif", "gif", "bmp", "avif", "heic")


def sample(format: str, first: int = 0) -> list[Planting]:
    """Some plantings of a format, every kind and each part of a file among them."""
    if format == "heic" and pillow_heif is None:
        pytest.skip("HEIC needs the package pillow-heif")
    return [planting for planting in plantings(2) if planting.format == format][first::EACH] or [
        Planting(format, "behind the end", "JPEG")
    ]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mode", Mode)
def test_no_planted_picture_survives(format: str, mode: Mode, tmp_path: Path) -> None:
    chosen = sample(format, list(Mode).index(mode) * EACH // 3)
    assert [planting for planting in chosen if not holds_object(planting.content)] == []
    outcomes = {planting: trial(planting, mode, tmp_path) for planting in chosen}
    assert [planting for planting, outcome in outcomes.items() if outcome != "gone"] == []


@pytest.mark.parametrize(
    ("format", "place"),
    [
        ("jpg", "behind the last block"),
        ("jpg", "before a restart"),
        ("jpg", "unused tables"),
        ("jpg", "a number of lines"),
        ("webp", "behind the samples"),
        ("lossless.webp", "behind the samples"),
    ],
)
def test_no_planted_picture_survives_beside_the_samples(
    format: str, place: str, tmp_path: Path
) -> None:
    planting = Planting(format, place, "JPEG")
    assert holds_object(planting.content)
    assert trial(planting, Mode.UNCHANGED, tmp_path) == "gone"


def test_the_detector_finds_every_kind_and_nothing_else() -> None:
    for name, kind in kinds().items():
        assert holds_object(b"\xfe" * 100 + kind.payload + b"\xfe" * 100), name
    assert not holds_object(Path(__file__).read_bytes())
