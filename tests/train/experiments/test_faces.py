"""Labels, balance and yaw of the test faces."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from remove_objects.pipeline.detect.faces import yaw
from remove_objects.train.experiments.faces import balanced, read_labels, turned


def test_labels_by_file_name(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(
        "file,age,gender,race\n"
        "val/a.jpg,12,male,Asian\nval/b.jpg,13,female,White\nval/c.jpg,?,female,White\n",
        encoding="utf-8",
    )
    labels = read_labels(path)
    assert labels["a.jpg"] == {"group": "Asian", "age_band": "0-12", "gender": "male"}
    assert labels["b.jpg"]["age_band"] == "13-29"
    assert labels["c.jpg"]["age_band"] == ""


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("file,age\na.jpg,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="gender, race missing"):
        read_labels(path)


def test_every_cell_is_as_often_as_every_other() -> None:
    files = [Path(f"{i:03d}.jpg") for i in range(100)]
    labels = {
        f.name: {"group": "rare" if i < 4 else "common", "age_band": "0-12"}
        for i, f in enumerate(files)
    }
    chosen = balanced(files, labels)
    groups = Counter(labels[f.name]["group"] for f in chosen)
    assert groups == {"rare": 50, "common": 50}
    seen = Counter(chosen)
    assert {seen[f] for f in files[:4]} <= {12, 13}, "the rare ones repeat alike"
    assert max(seen[f] for f in files[4:]) == 1
    assert balanced(files, labels) == chosen


def test_neither_a_frontal_face_nor_a_tilted_head_is_turned() -> None:
    frontal = np.array([(40, 50), (80, 50), (60, 70), (45, 95), (75, 95)], float)
    assert yaw(frontal) == pytest.approx(0)
    angle = np.deg2rad(30)
    tilted = frontal @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert yaw(tilted) == pytest.approx(0, abs=1e-9)
    aside = frontal.copy()
    aside[2, 0] += 10
    assert yaw(aside) == pytest.approx(0.25)


def test_without_yunet_no_yaw_is_known(tmp_path: Path) -> None:
    assert np.isnan(turned([tmp_path / "a.jpg"])).all()
