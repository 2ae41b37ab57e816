"""The generator of wires and dates: what it labels is what it changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.quality import own_classes


@pytest.mark.parametrize("add", [own_classes.with_wires, own_classes.with_date])
def test_what_is_covered_is_changed_and_the_rest_stays(add: object) -> None:
    drawn = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        photo = np.full((150, 200, 3), 120, np.uint8)
        picture, covered = add(photo, rng)
        assert picture.shape == photo.shape
        assert covered.shape == photo.shape[:2]
        assert 0 <= covered.min() <= covered.max() <= 1
        changed = (picture != photo).any(-1)
        drawn += int(changed.sum())
        if add is own_classes.with_wires:
            assert not changed[covered == 0].any()
    assert drawn


def test_a_set_has_images_labels_and_held_out_scenes(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for n in range(10):
        Image.fromarray(np.full((60, 80, 3), 20 * n, np.uint8)).save(photos / f"{n}.png")
    assert own_classes.make([photos], tmp_path / "out") == (9, 1)
    labels = sorted((tmp_path / "out" / "labels").iterdir())
    assert len(labels) == len(list((tmp_path / "out" / "images").iterdir())) == 9
    values = {int(v) for path in labels for v in np.unique(np.asarray(Image.open(path)))}
    assert values == {0, 1, 2}
    held_out = tmp_path / "out" / "held_out"
    assert [p.name for p in (held_out / "clean").iterdir()] == ["photos-9.png"]
