"""Cut-outs: clean colours, soft edges, and which are held out."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from remove_objects.train.data.objects import cut_outs
from remove_objects.train.data.objects.cut_outs import CutOuts


@pytest.fixture
def built(labelled_people: Path, tmp_path: Path) -> Path:
    cut_outs.build(labelled_people, tmp_path)
    return tmp_path


def test_every_object_is_cut_out_once(built: Path) -> None:
    training, held_out = (CutOuts(built, held_out=held) for held in (False, True))
    assert (len(training.entries), len(held_out.entries)) == (4, 1)
    for entry in (*training.entries, *held_out.entries):
        assert entry.category == 15
        assert entry.cut == (False, False, False, False)
        rgba = training[entry]
        assert rgba.shape == (entry.height, entry.width, 4)
        middle = rgba[entry.height // 2, entry.width // 2]
        assert middle[0] > 200
        assert middle[3] == 255
        assert not rgba[[0, -1], :, 3].any()
        assert not rgba[:, [0, -1], 3].any()


def test_it_is_not_made_again(built: Path, labelled_people: Path) -> None:
    before = (built / "cut_outs.json").stat().st_mtime_ns
    cut_outs.build(labelled_people, built)
    assert (built / "cut_outs.json").stat().st_mtime_ns == before


def test_no_rim_of_the_old_background_is_visible() -> None:
    image = np.full((80, 80, 3), 0, np.uint8)
    mask = np.zeros((80, 80), np.uint8)
    image[20:60, 20:60], mask[20:60, 20:60] = 200, 1
    rgba = cut_outs.cut_out(image, mask, 1).astype(int)
    assert rgba[rgba[..., 3] > 40][:, :3].min() > 190


def test_borders_that_cut_an_object_are_known() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[5:, :10] = 1
    assert cut_outs.borders_of(mask) == (False, False, True, True)


def test_a_damaged_photo_is_left_out_and_an_empty_folder_is_a_mistake(
    labelled_people: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = shutil.copytree(labelled_people, tmp_path / "data")
    damaged = data / "segmentation/ccp_person/images/3.png"
    damaged.write_bytes(b"no picture")
    with caplog.at_level(logging.WARNING):
        cut_outs.build(data, tmp_path / "store")
    assert str(damaged) in caplog.text
    assert len(CutOuts(tmp_path / "store", held_out=False).entries) == 3
    with pytest.raises(FileNotFoundError, match="no labelled objects"):
        cut_outs.build(tmp_path / "nowhere", tmp_path / "other")
