"""The Haar cascades, which always work, on a face that scikit-image ships; and the network."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from remove_objects.models.checkpoint import save_weights
from remove_objects.models.face_detector import FaceDetector as FaceNetwork
from remove_objects.models.face_detector import FaceDetectorConfig
from remove_objects.models.own_weights import OwnWeight, open_weights
from remove_objects.pipeline.detect import faces
from remove_objects.pipeline.detect.face_network import faces_of
from remove_objects.pipeline.detect.faces import FaceDetector
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.types import Box

CPU = torch.device("cpu")


@pytest.fixture
def detector(tiny: Path) -> FaceDetector:
    """A detector without YuNet."""
    return FaceDetector(CPU, offline=True)


def test_without_yunet_the_cascades_are_used(detector: FaceDetector) -> None:
    assert detector.name == "haar"
    assert detector.sha256 == ""
    assert "YuNet is" in detector.missing


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_face_is_found_where_it_is(detector: FaceDetector, dtype: type) -> None:
    from skimage.data import astronaut

    rgb = astronaut() if dtype is np.uint8 else astronaut().astype(np.uint16) * 257
    detected = detector.detect(rgb)
    assert detected
    best = detected[0].box
    # The astronaut's face: about 100 pixels around (222, 120).
    assert abs(best.x + best.w / 2 - 222) < 25
    assert abs(best.y + best.h / 2 - 120) < 25
    large = detector.detect(cv2.resize(rgb, None, fx=3, fy=3))[0].box
    assert abs(large.x + large.w / 2 - 3 * 222) < 75


def test_only_faces_that_matter_are_looked_for(detector: FaceDetector) -> None:
    from skimage.data import astronaut

    every = detector.detect(astronaut())
    assert detector.detect(astronaut(), least=80)[0].box.intersects(every[0].box)
    assert detector.detect(astronaut(), least=400) == []
    assert detector.detect(astronaut(), least=4000) == []


def test_small_faces_are_looked_for_near_the_holes_only(detector: FaceDetector) -> None:
    from skimage.data import astronaut

    photo = np.full((1000, 1000, 3), 128, np.uint8)
    photo[:512, :512] = astronaut()
    everywhere = detector.detect(photo, least=60)[0].box
    near = detector.detect(photo, 60, [Box(200, 100, 30, 30)])[0].box
    assert near.intersection(everywhere).area > 0.8 * max(near.area, everywhere.area)
    elsewhere = detector.detect(photo, 60, [Box(900, 900, 30, 30)])
    assert not any(face.box.intersects(everywhere) for face in elsewhere)
    # Large ones are found from afar, and boxes that are most of the photo cost no second search.
    large = cv2.resize(photo, None, fx=5, fy=5)[:2600, :2600]
    assert detector.detect(large, 60, [Box(1000, 500, 30, 30)])
    assert detector.detect(photo, 60, [Box(0, 0, 900, 900)])[0].box == everywhere


@pytest.fixture
def own(tiny: Path, tmp_path: Path) -> OwnWeight:
    """A network that was trained on nothing."""
    torch.manual_seed(0)
    network = FaceNetwork(FaceDetectorConfig((4, 6), 8))
    (own,) = open_weights({"face-detector": save_weights(network, tmp_path, "face-detector")})
    return own


def test_where_only_large_faces_matter_the_network_sees_the_photo_smaller(
    own: OwnWeight, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = FaceDetector(CPU, offline=True, weights=[own])
    seen = []

    def picture_of(rgb: np.ndarray, longest: int) -> tuple[torch.Tensor, float]:
        seen.append(longest)
        return torch.zeros(1, 3, 33, 33), 0.1

    monkeypatch.setattr(faces, "picture_of", picture_of)
    photo = np.zeros((1200, 1600, 3), np.uint8)
    for least in (0, 10, 100, 1000):
        detector.detect(photo, least)
    assert seen[0] == seen[1] == faces.FACES_SIZE
    assert seen[1] > seen[2] > seen[3] == faces.LEAST_SIZE


def test_a_wall_has_no_face(detector: FaceDetector) -> None:
    assert detector.detect(np.full((200, 300, 3), 128, np.uint8)) == []


def test_boxes_follow_the_peaks_once_each_and_stay_inside_the_photo() -> None:
    logits = np.full((1, 9, 9), -9, np.float32)
    logits[0, 4, 4], logits[0, 4, 6], logits[0, 0, 8] = 4, 2, 1
    sides = np.full((4, 9, 9), 20, np.float32)
    turn = np.zeros((1, 9, 9), np.float32)
    turn[0, 4, 4] = 0.5
    found = faces_of([logits, sides, turn], 0.5, (130, 130, 3))
    assert found[:, :4].tolist() == [[24, 24, 104, 104], [88, 0, 130, 40]]
    assert found[0, 4:].tolist() == pytest.approx([1 / (1 + np.exp(-4)), 0.5])


def test_a_damaged_yunet_file_falls_back_to_the_cascades(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "face_detection_yunet_2023mar.onnx").write_bytes(b"not the file")
    assert FaceDetector(CPU, offline=True).name == "haar"


def test_a_weight_of_the_users_is_used_and_named(own: OwnWeight) -> None:
    networks = Networks(NetworkSettings("compact", device="cpu", weights=(own,)))
    networks.faces.detect(np.zeros((40, 60, 3), np.uint8))
    assert networks.faces.name == "face-detector"
    assert networks.weights() == {"face-detector": own.sha256}
    assert networks.warnings() == []  # YuNet is not missed


def test_a_bundled_weight_goes_before_the_cascades(
    own: OwnWeight, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "weights")
    (folder / "face.safetensors").write_bytes(own.content)
    index = json.loads((folder / "index.json").read_text())
    index["face-detector"] = {"file": "face.safetensors", "sha256": own.sha256}
    (folder / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", folder)
    assert FaceDetector(CPU, offline=True).sha256 == own.sha256


def test_the_frame_holds_the_face_as_the_training_pictures_do() -> None:
    """Brow to chin and ear to ear: on the astronaut about 95 pixels around (222, 121)."""
    from skimage.data import astronaut

    frame = FaceDetector(CPU, offline=True).detect(astronaut())[0].frame
    assert frame.w == frame.h
    assert 80 <= frame.w <= 115
    assert abs(frame.x + frame.w / 2 - 222) < 20
    assert abs(frame.y + frame.h / 2 - 121) < 15
