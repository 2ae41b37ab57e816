"""The same picture at two sizes is measured the same way, and gets the same score."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects import ObjectRemover, Settings
from remove_objects.pipeline.pixels import blur, resize
from remove_objects.pipeline.types import HoleOutcome

#: (height, width) of a large photo, and of the same one sent by a messenger.
LARGE, SMALL = (960, 1440), (320, 480)


def masonry() -> np.ndarray:
    """Blocks of mottled stone with joints, as sharp as a large photo is at its own pixels."""
    height, width = LARGE
    rng = np.random.default_rng(0)
    picture = np.full((height, width, 3), 120, np.float32)
    for cell, strength in ((4, 8), (16, 14), (64, 22)):
        noise = rng.normal(0, 1, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        noise = 0.4 * noise + 0.6 * noise[..., :1]
        picture += strength * resize(noise, LARGE, cv2.INTER_CUBIC)
    for row, y in enumerate(range(0, height, 96)):
        picture[y : y + 9] -= 50
        for x in range(96 * (row % 2), width, 192):
            picture[y : y + 96, x : x + 9] -= 50
    picture = blur(picture, 2.5) + rng.normal(0, 2, (height, width, 1))
    return picture.clip(0, 255).astype(np.uint8)


def oval(height: int, width: int) -> np.ndarray:
    """A mask left of the middle, HW bool."""
    mask = np.zeros((height, width), np.uint8)
    centre = round(0.45 * width), round(0.55 * height)
    cv2.ellipse(mask, centre, (round(0.1 * width), round(0.14 * width)), 15, 0, 360, 1, -1)
    return mask > 0


@pytest.mark.slow
def test_a_photo_at_two_sizes_has_the_same_seam_and_the_same_score() -> None:
    remover = ObjectRemover(Settings(segmenter="compact", offline=True, dilate=0, probe=False))
    large = masonry()
    holes: list[HoleOutcome] = []
    for picture in (large, resize(large, SMALL)):
        (hole,) = remover.remove(picture, hole=oval(*picture.shape[:2])).outcome.holes
        holes.append(hole)
    one, other = holes
    assert one.seam == pytest.approx(other.seam, rel=0.2)
    assert one.score == pytest.approx(other.score, rel=0.1)
    assert one.features is not None
    assert other.features is not None
    assert one.features.structure == pytest.approx(other.features.structure, rel=0.1)
    assert one.features.depth == pytest.approx(other.features.depth, rel=0.1)
