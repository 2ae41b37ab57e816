"""Quality features of pictures whose answer can be computed by hand."""

import numpy as np
import pytest

from remove_objects.pipeline.quality import features
from remove_objects.pipeline.types import Box, Hole


def square(
    x: int, y: int, side: int, height: int = 100, width: int = 100
) -> tuple[Hole, np.ndarray]:
    """A square hole, and the mask of all holes."""
    hole_mask = np.zeros((height, width), bool)
    hole_mask[y : y + side, x : x + side] = True
    return Hole(
        Box(x, y, side, side), np.ones((side, side), bool), side * side / height / width
    ), hole_mask


def test_depth_is_the_radius_over_the_photos_side() -> None:
    hole, _ = square(30, 30, 40)
    assert features.depth(hole, 100, 100) == pytest.approx(0.2, abs=0.02)
    wide = Hole(Box(0, 0, 1200, 100), np.ones((100, 1200), bool), 0.1)
    assert features.depth(wide, 1000, 1200) == pytest.approx(50 / np.sqrt(1.2e6), rel=0.1)


def test_structure_beside_the_hole_counts_and_grain_does_not() -> None:
    hole, hole_mask = square(40, 40, 20)
    rng = np.random.default_rng(0)
    calm = np.full((100, 100, 3), 90, np.uint8)
    grain = (calm + rng.integers(-20, 20, (100, 100, 3))).astype(np.uint8)
    kerb = calm.copy()
    kerb[:, 50:] = 200
    strengths = [
        features.structure(features.surroundings(p, hole, hole_mask)) for p in (calm, grain, kerb)
    ]
    assert strengths[0] == pytest.approx(0.0, abs=1e-6)
    assert strengths[2] > 5 * strengths[1] > 0
    deep = kerb.astype(np.uint16) * 257
    assert features.structure(features.surroundings(deep, hole, hole_mask)) == pytest.approx(
        strengths[2], rel=0.01
    )


def test_surroundings_are_of_the_reduced_photo_and_exclude_every_hole() -> None:
    hole, hole_mask = square(300, 300, 900, 1500, 1600)
    hole_mask[:100] = True  # another hole
    near = features.surroundings(np.zeros((1500, 1600, 3), np.uint8), hole, hole_mask)
    # A fifth of the photo's size: 180 pixels of hole, 60 and 16 around it, cut off at the border.
    assert near.picture.shape == (300, 316, 3)
    assert near.hole.shape == near.known.shape == near.clear.shape == (300, 316)
    assert near.hole.sum() == pytest.approx(180**2, rel=0.02)
    assert not (near.clear & near.hole).any()
    assert not near.clear[:20].any()
    assert near.clear[21:55].all()


def test_without_known_pixels_beside_the_hole_there_is_no_structure() -> None:
    hole = Hole(Box(0, 0, 50, 50), np.ones((50, 50), bool), 1.0)
    blank = np.zeros((50, 50, 3), np.uint8)
    near = features.surroundings(blank, hole, np.ones((50, 50), bool))
    assert features.structure(near) is None


def test_certainty_is_of_the_hole_alone() -> None:
    hole, _ = square(40, 40, 20)
    probability = np.full((50, 50), 0.5, np.float32)
    probability[20:30, 20:30] = 1
    assert features.certainty(probability, hole, 100, 100) == (1.0, 0.0)
    probability[20:30, 20:25] = 0.5
    mean, ambiguity = features.certainty(probability, hole, 100, 100)
    assert mean == pytest.approx(0.75)
    assert ambiguity == pytest.approx(0.5)


def test_a_hole_smaller_than_a_cell_of_the_segmenter_still_counts() -> None:
    hole = Hole(Box(500, 700, 3, 3), np.ones((3, 3), bool), 1e-5)
    probability = np.zeros((10, 10), np.float32)
    probability[7, 5] = 1.0
    assert features.certainty(probability, hole, 1000, 1000) == (1.0, 0.0)
