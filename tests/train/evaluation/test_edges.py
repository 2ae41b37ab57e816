"""The table of edges, on drawn objects and with a refiner that knows them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.networks import Networks
from remove_objects.train.evaluate_cli import main
from remove_objects.train.evaluation import edges


class SeesRed:
    def alphas(self, crops: np.ndarray, coarse: np.ndarray) -> np.ndarray:
        return ((crops[..., 0] > 200) & (crops[..., 1] < 60)).astype(np.float32)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "removal" / "objects"
    folder.mkdir(parents=True)
    for i in range(2):
        photo, mask = np.full((120, 160, 3), 120, np.uint8), np.zeros((120, 160), np.uint8)
        photo[30:90, 40 + i : 100] = (0, 0, 255)  # BGR
        mask[30:90, 40 + i : 100] = 255
        cv2.imwrite(str(folder / f"dog_{i:05}.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, 100])
        cv2.imwrite(str(folder / f"dog_{i:05}_mask.png"), mask)

    def coarse(  # type: ignore[no-untyped-def]
        rgb: np.ndarray, _: object, classes: tuple[str, ...], threshold: float, networks: object
    ):
        assert classes == ("dog",)
        red = ((rgb[..., 0] > 200) & (rgb[..., 1] < 60)).astype(np.float32)
        return cv2.resize(cv2.erode(red, np.ones((9, 9))), (40, 30), interpolation=cv2.INTER_AREA)

    monkeypatch.setattr(edges.multi_scale, "look", lambda *_: None)
    monkeypatch.setattr(edges, "whole_objects", coarse)
    return tmp_path


def test_the_refined_mask_stands_beside_the_segmenters(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Networks, "refiner", SeesRed())
    assert main(["edges", "--data", str(data), "--json", str(data / "out.json")]) == 0
    table = edges.evaluate_edges(data, count=9)
    assert table["count"] == 2
    assert table["segmenter +0"]["missed"] > 0.1
    assert table["refined +0"]["missed"] < 0.02
    assert table["refined, to its edge"]["missed"] == 0
    assert table["refined, to its edge"]["hole"] < table["segmenter +8"]["hole"]
    assert "refined, to its edge" in capsys.readouterr().out
    assert (data / "out.json").exists()


def test_without_a_refiner_only_the_segmenters_curve_is_printed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Networks, "refiner", None)
    table = edges.evaluate_edges(data, count=1)
    assert table["count"] == 1
    assert all(name == "count" or name.startswith("segmenter") for name in table)


def test_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edges", "--data", str(tmp_path)]) == 2
    assert "no photos found" in capsys.readouterr().err
