"""Fixtures for runs over folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.support.scenes import scene


@pytest.fixture
def photos(tmp_path: Path, red_is_person: None) -> Path:
    """Three photos: a person in the middle, one at the edge, and none."""
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    Image.fromarray(scene(seed=1)).save(folder / "middle.png")
    Image.fromarray(scene(person=(0, 40, 30, 50), seed=2)).save(folder / "deep" / "edge.png")
    Image.fromarray(scene(person=None, seed=3)).save(folder / "deep" / "er" / "empty.png")
    return folder
