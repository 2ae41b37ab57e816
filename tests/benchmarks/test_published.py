"""The comparison with fills that another project publishes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.quality import published
from remove_objects.pipeline.types import Pixels
from tests.support.scenes import scene


def _difference(ours: Pixels, truth: Pixels) -> float:
    return float(np.abs(ours.astype(float) - truth).mean())


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """One picture of 64 x 96, a hole that is black in its mask, and a perfect result."""
    rgb = scene(64, 96, person=None)
    mask = np.full((64, 96), 255, np.uint8)
    mask[20:44, 30:60] = 0
    for name, content in (
        ("images", rgb[..., ::-1]),
        ("masks", mask),
        ("results/best", rgb[..., ::-1]),
    ):
        (tmp_path / name).mkdir(parents=True)
        assert cv2.imwrite(str(tmp_path / name / "a.png"), content)
    return tmp_path


def _grey(rgb: Pixels, hole: np.ndarray) -> Pixels:
    """A filler that must not see what lies under the hole."""
    assert (rgb[hole] == 128).all()
    return np.where(hole[..., None], 90, rgb).astype(np.uint8)


def test_each_result_is_measured_on_the_hole_alone(
    examples: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(published, "lpips", lambda: _difference)
    monkeypatch.setattr(published, "Inpainters", lambda _: None)
    monkeypatch.setattr(published, "ours", lambda *_: _grey)
    monkeypatch.setattr("sys.argv", ["published", str(examples)])
    published.main()
    first, ours, classical, best = capsys.readouterr().out.splitlines()
    assert first == "1 pictures, holes of 12% in the mean"
    assert best.split() == ["best", "LPIPS", "0.000,", "PSNR", "138.13", "dB"]
    assert [line.split()[0] for line in (ours, classical)] == ["ours", "navier-stokes"]
    for line in (ours, classical):
        assert 0 < float(line.split()[2].rstrip(",")) < 20


def test_a_picture_without_a_mask_is_named(examples: Path) -> None:
    (examples / "masks" / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"masks: no file a\.\*"):
        published.beside(examples / "masks", "a")
