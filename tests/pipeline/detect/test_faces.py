"""The Haar cascades, which always work, on a face that scikit-image ships."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.detect import faces
from remove_objects.pipeline.detect.faces import FaceDetector


@pytest.fixture
def detector(tiny: Path) -> FaceDetector:
    """A detector without YuNet."""
    return FaceDetector(offline=True)


def test_without_yunet_the_cascades_are_used(detector: FaceDetector) -> None:
    assert detector.name == "haar"


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


def test_a_wall_has_no_face(detector: FaceDetector) -> None:
    assert detector.detect(np.full((200, 300, 3), 128, np.uint8)) == []


def test_a_damaged_yunet_file_falls_back_to_the_cascades(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "face_detection_yunet_2023mar.onnx").write_bytes(b"not the file")
    assert FaceDetector(offline=True).name == "haar"
    assert faces.YUNET_SCORE > 0.5


def test_the_frame_holds_the_face_as_the_training_pictures_do() -> None:
    """Brow to chin and ear to ear: on the astronaut about 95 pixels around (222, 121)."""
    from skimage.data import astronaut

    frame = FaceDetector(offline=True).detect(astronaut())[0].frame
    assert frame.w == frame.h
    assert 80 <= frame.w <= 115
    assert abs(frame.x + frame.w / 2 - 222) < 20
    assert abs(frame.y + frame.h / 2 - 121) < 15
