"""The table of effects, on drawn pairs and with a network that knows shadows by their colour."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.networks import Networks
from remove_objects.pipeline.types import Box
from remove_objects.train.evaluate_cli import main
from remove_objects.train.evaluation import effects
from tests.support.tiny_effects import SeesColours

OBJECT, SHADOW = Box(60, 40, 20, 50), Box(80, 78, 40, 12)


def textured(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(150, 6, (130, 180, 1)).repeat(3, 2)
    return noise.clip(90, 220).astype(np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "removal" / "pairs_with_shadow"
    folder.mkdir(parents=True)
    for i, stem in enumerate(("road_1", "road_2", "yard_1")):
        empty = textured(i)
        photo = empty.copy()
        photo[SHADOW.slices] = 50
        photo[OBJECT.slices] = (200, 60, 90)
        mask, effect = (np.zeros((130, 180), np.uint8) for _ in range(2))
        mask[OBJECT.slices] = effect[OBJECT.slices] = effect[SHADOW.slices] = 255
        lossless = [cv2.IMWRITE_WEBP_QUALITY, 101]
        cv2.imwrite(str(folder / f"{stem}_input.webp"), photo, lossless)
        cv2.imwrite(str(folder / f"{stem}_gt.webp"), empty, lossless)
        cv2.imwrite(str(folder / f"{stem}_mask.png"), mask)
        cv2.imwrite(str(folder / f"{stem}_effect.png"), effect)
    coco = tmp_path / "segmentation/coco_val"
    for path in (coco / "images", coco / "instances", tmp_path / "scenes/rooms"):
        path.mkdir(parents=True)
    for i in range(3):
        instances = np.zeros((130, 180), np.uint16)
        instances[30:80, 40 + 20 * i : 70 + 20 * i] = 15001
        cv2.imwrite(str(coco / "instances" / f"{i}.png"), instances)
        cv2.imwrite(str(coco / "images" / f"{i}.jpg"), textured(10 + i))
        cv2.imwrite(str(tmp_path / "scenes/rooms" / f"r{i}.jpg"), textured(20 + i))
    return tmp_path


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> SeesColours:
    network = SeesColours()
    monkeypatch.setattr(Networks, "effects", network)
    return network


def test_what_is_found_stands_between_the_masks(
    data: Path, network: SeesColours, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["effects", "--data", str(data), "--count", "4"]
    command += ["--json", str(data / "out.json"), "--pictures", str(data / "sheets")]
    assert main(command) == 0
    table = json.loads((data / "out.json").read_text())
    rows = {(row["scene"], row["way"]): row for row in table["pairs"]}
    assert rows["road", "found"]["count"] == 2
    for scene in ("road", "yard"):
        alone, even, found, true = (
            rows[scene, way]
            for way in ("objects' mask", "widened evenly", "found", "all that changed")
        )
        assert alone["recall"] < 0.3
        assert found["recall"] > 0.9
        assert found["false"] < 0.1
        assert alone["psnr"] < found["psnr"] - 3
        assert even["psnr"] < found["psnr"]
        assert found["psnr"] == pytest.approx(true["psnr"], abs=3)
    assert {row["count"] for row in table["pasted"].values()} == {4}
    assert all(row["median"] == 0 for row in table["pasted"].values())
    assert "widened evenly" in capsys.readouterr().out
    assert (data / "sheets" / "road_1.png").exists()


def test_what_is_found_beside_pasted_objects_is_false(data: Path, network: SeesColours) -> None:
    for path in (data / "scenes/rooms").iterdir():
        dark = np.full((130, 180, 3), 50, np.uint8)
        cv2.imwrite(str(path), dark)
    table = effects.evaluate_effects(data, count=3)["pasted"]
    assert table["scenes/rooms"]["above 20 %"] == 3
    assert table["segmentation/coco_val/images"]["above 2 %"] == 0


def test_an_even_widening_reaches_the_area() -> None:
    mask = np.zeros((60, 60), bool)
    mask[20:30, 20:30] = True
    wide = effects.widened_to(mask, 300)
    assert 300 <= wide.sum() < 420
    assert np.array_equal(effects.widened_to(mask, 50), mask)


def test_mistakes_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Networks, "effects", None)
    assert main(["effects", "--data", str(tmp_path)]) == 2
    assert "name one with --weights" in capsys.readouterr().err
    monkeypatch.setattr(Networks, "effects", SeesColours())
    assert main(["effects", "--data", str(tmp_path)]) == 2
    assert "no *_input.webp found" in capsys.readouterr().err
