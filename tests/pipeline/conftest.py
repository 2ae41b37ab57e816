"""Small networks in the place of the shipped ones, so that the pipeline's own logic is tested in milliseconds."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from models.checkpoint import save_weights, sha256
from models.compression import CompressionConfig, CompressionNetwork
from models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from models.segmenter import CompactSegmenter, CompactSegmenterConfig
from models.skip_context_encoder import SkipContextEncoder, SkipContextEncoderConfig
from pipeline.labelling import Costs
from pipeline.types import Box

if TYPE_CHECKING:
    from tests.pipeline.faults import Ground

#: jpeglib has no wheel for some machines; there every JPEG is encoded anew, upright.
needs_jpeglib = pytest.mark.skipif(importlib.util.find_spec("jpeglib") is None, reason="jpeglib has no wheel for this machine")

NETWORKS = {
    "compact-segmenter": lambda: CompactSegmenter(CompactSegmenterConfig(width=32)),
    "partial-conv": lambda: PartialConvUNet(PartialConvUNetConfig(2)),
    "skip-ce": lambda: SkipContextEncoder(SkipContextEncoderConfig(3, 4)),
    "compression": lambda: CompressionNetwork(CompressionConfig(4)),
}


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight folder of untrained networks, with an index like the shipped one."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    index = {}
    for kind, make in NETWORKS.items():
        path = save_weights(make(), folder, kind)
        index[kind] = {"file": path.name, "sha256": sha256(path)}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def tiny(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Shipped weights replaced by ``tiny_weights``, an empty cache, and no network."""
    monkeypatch.setattr("models.weights.FOLDER", tiny_weights)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty-cache"))
    monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    return tiny_weights


def assert_help_is_quick(module: ModuleType, says: str, absent: set[str]) -> None:
    """The command's ``--help`` says ``says``, and loads none of the heavy modules ``absent``."""
    script = (
        f"import sys, {module.__name__} as command\n"
        "try: command.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"assert not {absent!r} & set(sys.modules)"
    )
    begun = time.monotonic()
    folder = Path(str(module.__file__)).parents[1]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert time.monotonic() - begun < 3  # 0.1 s on an idle machine; torch alone would take longer than this bound on a busy one


@pytest.fixture(scope="module")
def ground(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """What the tests of faults stand on; runs in children of this process have the tiny networks too."""
    from tests.pipeline.faults import Ground

    folder = tmp_path_factory.mktemp("ground")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.weights.FOLDER", tiny_weights)
        patch.setenv("TORCH_HOME", str(folder / "no-cache"))
        yield Ground(folder)


class BoxSegmenter:
    """Sees a ``person`` wherever a photo is pure red: the pipeline's tests decide what is found."""

    name = "box"
    quick = True

    def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        peak = np.iinfo(rgb.dtype).max
        red = (rgb[..., 0] > 0.9 * peak) & (rgb[..., 1] < 0.1 * peak) & (rgb[..., 2] < 0.1 * peak)
        found = np.zeros((21, *red.shape), np.float32)
        found[15], found[0] = red, ~red
        return found


@pytest.fixture
def red_is_person(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every remover segments with ``BoxSegmenter``."""
    from pipeline import segment

    monkeypatch.setattr(segment, "choose_segmenter", lambda *a, **k: segment.Chosen(BoxSegmenter(), {"box": "0" * 64}))


def scene(height: int = 120, width: int = 160, *, person: tuple[int, int, int, int] | None = (60, 40, 20, 30), seed: int = 0) -> np.ndarray:
    """A smooth picture with grain, and a red box (x, y, w, h) where a person stands."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:height, :width]
    base = np.stack([60 + 80 * xx / width, 70 + 60 * yy / height, 120 + 20 * np.sin(xx / 9)], 2) + rng.normal(0, 3, (height, width, 3))
    picture = base.clip(0, 220).astype(np.uint8)
    if person:
        x, y, w, h = person
        picture[y : y + h, x : x + w] = (255, 0, 0)
    return picture


def stacked_costs(sources: np.ndarray, unary: np.ndarray, hole: np.ndarray, picture: np.ndarray | None = None) -> Costs:
    """Costs whose sources are given outright, Khw3, all of them legal; ``picture`` is the first of them unless given."""
    count, h, w, _ = sources.shape
    return Costs(
        Box(0, 0, w, h), unary, hole, ~hole, sources[0] if picture is None else picture,
        sources.reshape(-1, 3), np.ones(count * h * w, bool), 0, w, np.arange(count) * h * w,
    )  # fmt: skip
