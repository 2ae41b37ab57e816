"""The detector in the pipeline: peaks to boxes, its weight, and a pass shared with a segmenter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from remove_objects.models.checkpoint import save_weights, sha256
from remove_objects.models.object_detector import ObjectDetector, ObjectDetectorConfig
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.detect import multi_scale
from remove_objects.pipeline.detect.detector import PLACES, boxes_of
from remove_objects.pipeline.detect.segmenters import (
    NEARER_SIZE,
    CompactSegmenterAdapter,
    Segmenter,
    resize_longest,
)
from remove_objects.pipeline.errors import WeightsError
from remove_objects.pipeline.networks import Networks, NetworkSettings
from tests.support.red_fcn import fcn_of
from tests.support.scenes import scene


def peaks(*objects: tuple[int, int, int, float], reach: float = 20.0) -> np.ndarray:
    """n6, the boxes of (class, row, column, score) of objects that reach so far to each side."""
    heat, sides = np.zeros((20, 12, 16), np.float32), np.full((4, 12, 16), reach, np.float32)
    for category, y, x, score in objects:
        heat[category - 1, y, x] = score
        heat[category - 1, y, x - 1] = score / 2  # no peak
    return boxes_of(heat, sides)


def test_a_peak_is_a_box_around_its_place() -> None:
    (box,) = peaks((15, 5, 9, 0.8))
    x, y = 9 * PLACES, 5 * PLACES
    np.testing.assert_allclose(box, (x - 20, y - 20, x + 20, y + 20, 0.8, 15), rtol=1e-6)


def test_the_best_box_of_an_object_stays_and_comes_first() -> None:
    found = peaks((15, 5, 9, 0.4), (15, 6, 9, 0.0), (15, 7, 10, 0.7), (12, 5, 9, 0.3), reach=60.0)
    assert found[:, 4].tolist() == pytest.approx([0.7, 0.3])
    assert found[:, 5].tolist() == [15, 12]  # a dog may stand where a person is


def test_faint_peaks_and_no_peaks() -> None:
    assert peaks((15, 5, 9, 0.05)).shape == (0, 6)
    assert peaks().dtype == np.float32


@pytest.fixture
def with_detector(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of untrained weights, with an untrained detector of its compact segmenter."""
    folder = shutil.copytree(tiny, tmp_path / "weights")
    add(folder, json.loads((folder / "index.json").read_text())["compact-segmenter"]["sha256"])
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", folder)
    return folder


def add(folder: Path, encoder: str) -> None:
    network = ObjectDetector(ObjectDetectorConfig(20, (8, 6), encoder))
    torch.nn.init.zeros_(network.centres.bias)  # something is found
    path = save_weights(network, folder, "object-detector")
    index = json.loads((folder / "index.json").read_text())
    index["object-detector"] = {"file": path.name, "sha256": sha256(path)}
    (folder / "index.json").write_text(json.dumps(index))


def networks(**options: bool) -> Networks:
    return Networks(NetworkSettings(segmenter="compact", device="cpu", offline=True), **options)


def test_there_is_no_detector_without_its_weight(tiny: Path) -> None:
    assert networks().detector is None


def test_the_detector_shares_the_compact_segmenter(with_detector: Path) -> None:
    loaded = networks()
    assert loaded.detector is not None
    assert loaded.detector is loaded.detector
    assert loaded.detector.compact is loaded.segmenter
    assert set(loaded.weights()) == {"compact-segmenter", "object-detector"}
    assert networks(detect=False).detector is None


def test_a_detector_of_another_encoder_is_refused(with_detector: Path) -> None:
    add(with_detector, "ab" * 32)
    with pytest.raises(WeightsError, match="trained with the compact-segmenter abababab"):
        _ = networks().detector


def test_one_pass_gives_the_same_map_and_the_same_boxes(with_detector: Path) -> None:
    loaded, photo = networks(), scene(120, 160)
    detector, segmenter = loaded.detector, loaded.segmenter
    assert detector is not None
    looks = multi_scale.look(segmenter, photo, detector)
    np.testing.assert_allclose(
        looks.probabilities, multi_scale.two_scale(segmenter, photo), atol=1e-5
    )
    picture = np.ascontiguousarray(resize_longest(photo, NEARER_SIZE)[:, ::-1])
    mirrored = detector.boxes(detector.compact.levels(picture), *picture.shape[:2])
    assert len(looks.boxes) == len(mirrored) > 0
    left, right = mirrored[:, 0].copy(), mirrored[:, 2].copy()
    mirrored[:, 0], mirrored[:, 2] = 1 - right, 1 - left
    np.testing.assert_allclose(looks.boxes, mirrored, atol=1e-5)


def test_beside_a_slow_segmenter_it_makes_a_pass_of_its_own(with_detector: Path) -> None:
    loaded, photo = networks(), scene(120, 160)
    detector = loaded.detector
    assert detector is not None

    class Slow(Segmenter):
        name, quick = "slow", False

        def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
            return np.full((21, 30, 40), 1 / 21, np.float32)

    looks = multi_scale.look(Slow(), photo, detector)
    assert looks.probabilities.shape == (21, 30, 40)
    np.testing.assert_array_equal(looks.boxes, detector.detect(photo))
    assert isinstance(detector.compact, CompactSegmenterAdapter)


@pytest.mark.slow
def test_it_detects_what_fcn_resnet101_does_not_see(
    with_detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models.segmentation import fcn_resnet101

    from remove_objects.pipeline.detect import segmenters
    from remove_objects.pipeline.removal.request import Removal
    from remove_objects.pipeline.remover import ObjectRemover
    from remove_objects.pipeline.types import Photo

    network = fcn_resnet101(weights=None, weights_backbone=None, aux_loss=True)
    torch.nn.init.zeros_(network.classifier[4].weight)
    torch.nn.init.zeros_(network.classifier[4].bias)
    with torch.no_grad():
        network.classifier[4].bias[0] = 9  # it sees nothing but background
    torch.save(network.state_dict(), tmp_path / "fcn.pth")
    fcn = fcn_of(tmp_path / "fcn.pth")
    chosen = segmenters.Chosen(fcn, {})
    monkeypatch.setattr(segmenters, "choose_segmenter", lambda *_, **__: chosen)
    remover = ObjectRemover(Settings(offline=True, prefilter=False))
    detector = remover.networks.detector
    assert detector is not None
    boxes = np.array([[0.25, 0.25, 0.75, 0.75, 0.9, 15]], np.float32)
    monkeypatch.setattr(type(detector), "detect", lambda *_: boxes)
    looked: list[tuple[int, ...]] = []

    def sees_a_person(_: object, rgb: np.ndarray, *__: object) -> segmenters.Objectness:
        looked.append(rgb.shape)
        person = np.full((32, 32), 0.9, np.float32)
        return segmenters.Objectness(person, 1 - person)

    monkeypatch.setattr(CompactSegmenterAdapter, "objectness", sees_a_person)
    removal = Removal.from_settings(remover.settings, ["person"])
    selection = remover.select(Photo(scene(96, 128)), removal)
    assert len(looked) == 1  # the compact segmenter sees the box's crop, and nothing else
    assert selection.hole_mask[40:56, 50:78].all()
