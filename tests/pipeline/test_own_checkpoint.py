"""``--segmenter NAME=FILE`` through the command: torchvision's network, the user's weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.board.run_settings import settings_of
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.detect.segmenters import TorchvisionSegmenter
from remove_objects.pipeline.removal import selection
from remove_objects.pipeline.report.files import read_report
from tests.support.red_fcn import red_fcn
from tests.support.scenes import scene

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FCN-ResNet101's architecture, with weights that see a person in pure red."""
    folder = tmp_path_factory.mktemp("own")
    red_fcn(folder)
    return folder / "fcn.pth"


@pytest.fixture
def photos(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one photo of a red person, for a network that sees it at a small size."""
    (tmp_path / "photos").mkdir()
    Image.fromarray(scene()).save(tmp_path / "photos" / "a.png")
    whole = TorchvisionSegmenter.probabilities

    def small(self: Any, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        return whole(self, rgb, longest or 160)

    monkeypatch.setattr(TorchvisionSegmenter, "probabilities", small)
    # The untrained compact segmenter beside it sees no trace of anything.
    monkeypatch.setattr(selection, "LEAST_PEAK", 1.1)
    return tmp_path / "photos"


def run(photos: Path, segmenter: str, *more: str) -> tuple[int, Any]:
    out = photos.parent / "out"
    named = ("--class", "person", "--segmenter", segmenter, "--no-probe", "-q")
    code = cli.main([*named, "-o", str(out), *more, str(photos)])
    report = out / "report.json"
    return code, read_report(report) if report.exists() else None


def test_a_file_of_ones_own_cleans_is_named_by_hash_and_is_new_work_once_it_changes(
    photos: Path, checkpoint: Path, tmp_path: Path
) -> None:
    own = tmp_path / "mine.pth"
    own.write_bytes(checkpoint.read_bytes())
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    code, report = run(photos, f"fcn_resnet101={own}")
    (photo,) = report["photos"]
    assert code == 0
    assert photo["status"] in ("ok", "review")
    assert photo["classes"]["person"] > 0
    assert report["run"]["weights"]["fcn_resnet101"] == digest
    assert report["run"]["settings"]["weights"] == {"fcn_resnet101": digest}
    assert report["run"]["settings"]["prefilter"] is False
    code, again = run(photos, f"fcn_resnet101={own}")
    assert (code, again["photos"][0]["status"]) == (0, "skipped")
    state = torch.load(own, weights_only=True)
    state["classifier.4.bias"][0] += 1e-3
    torch.save(state, own)
    code, changed = run(photos, f"fcn_resnet101={own}")
    assert (code, changed["photos"][0]["status"]) == (0, photo["status"])
    assert changed["run"]["weights"]["fcn_resnet101"] != digest


def test_the_prefilter_vetoes_if_it_is_asked_too(photos: Path, checkpoint: Path) -> None:
    code, report = run(photos, f"fcn_resnet101={checkpoint}", "--prefilter")
    (photo,) = report["photos"]
    assert (code, photo["status"]) == (0, "unchanged")
    assert "the prefilter found no trace, fcn_resnet101 was not run" in photo["reason"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"half a file", "not a readable checkpoint"),
        ({"epoch": 3}, "holds no state_dict"),
        ({"model": {"conv1.weight": torch.zeros(2)}}, "is no fcn_resnet101"),
    ],
)
def test_a_file_that_will_not_do_ends_the_call_with_a_sentence(
    content: Any, message: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "mine.pth"
    if isinstance(content, bytes):
        own.write_bytes(content)
    elif content is not None:
        torch.save(content, own)
    try:
        code, report = run(photos, f"fcn_resnet101={own}")
    except SystemExit as ended:  # by the parser
        code, report = ended.code, None
    said = capsys.readouterr().err
    assert code == 2
    assert message in said
    assert "mine.pth" in said
    assert report is None


def test_the_board_opens_no_file_that_a_run_names_and_keeps_its_settings(tmp_path: Path) -> None:
    own = tmp_path / "mine.pth"
    own.touch()
    given = Settings(segmenter=f"fcn_resnet101={own}", threshold=0.4)
    recorded: Any = {"settings": given.recorded()}
    for _ in range(2):
        left = settings_of(recorded)
        assert (left.segmenter, left.threshold) == ("auto", 0.4)
        own.unlink(missing_ok=True)  # the second time it is gone
