"""Every training test: no network, no cached weights. And the data folder that the presets look for, in small."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def torch_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Torch's cache without a file in it."""
    return tmp_path_factory.mktemp("torch-home")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, torch_home: Path) -> None:
    monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(torch_home))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that the presets look for, with three pictures of noise each."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("scenes/train", "faces/train", "segmentation/voc_train/images"):
        (folder / name).mkdir(parents=True)
        for i in range(3):
            coarse = rng.integers(0, 256, (5, 6, 3), np.uint8)
            cv2.imwrite(
                str(folder / name / f"{i}.png"),
                cv2.resize(coarse, (140, 132), interpolation=cv2.INTER_CUBIC),
            )
    label, mask = np.zeros((132, 140), np.uint8), np.zeros((64, 64), np.uint8)
    label[10:110, 20:60] = 15
    mask[20:40, 16:48] = 255
    for name, picture in (("segmentation/voc_train/labels", label), ("masks/irregular", mask)):
        (folder / name).mkdir(parents=True)
        cv2.imwrite(str(folder / name / "0.png"), picture)
    return folder
