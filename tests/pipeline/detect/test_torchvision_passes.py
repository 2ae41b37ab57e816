"""Which passes torchvision's networks make: the light ones all, the large ones the first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from remove_objects.models.torchvision_segmentation import build_network
from remove_objects.pipeline.detect import mask, multi_scale, segmenters
from remove_objects.pipeline.detect.segmenters import TorchvisionSegmenter
from remove_objects.pipeline.networks import Networks, NetworkSettings
from tests.support.red_fcn import red_fcn
from tests.support.scenes import scene

CPU = torch.device("cpu")


def networks_of(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Networks, segmenters.Segmenter]:
    torch.manual_seed(0)
    segmenter = TorchvisionSegmenter(name, build_network(name), CPU)
    chosen = segmenters.Chosen(segmenter, {name: "0" * 64})
    monkeypatch.setattr(segmenters, "choose_segmenter", lambda *_, **__: chosen)
    return Networks(NetworkSettings(segmenter=name, offline=True)), segmenter


@pytest.mark.parametrize(
    ("name", "light"), [("lraspp_mobilenet_v3_large", True), ("fcn_resnet50", False)]
)
def test_a_light_network_makes_all_passes_and_a_large_one_leaves_crops_to_the_compact_one(
    name: str, light: bool, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks, segmenter = networks_of(name, monkeypatch)
    compact = networks.compact
    assert networks.segmenter is segmenter
    assert networks.closer is (segmenter if light else compact)
    assert networks.prefilter is (None if light else compact)
    assert networks.onlooker is compact  # results are judged by what was fitted on it
    sizes: list[int | None] = []

    def seen(_: Any, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        sizes.append(longest)
        found = np.zeros((21, 60, 80), np.float32)
        found[0] = 0.4
        found[15, 20:30, 20:30] = 0.6
        found[0] = 1 - found[15]
        return found if longest is None else np.repeat(np.repeat(found, 2, 1), 2, 2)

    monkeypatch.setattr(TorchvisionSegmenter, "probabilities", seen)
    looks = multi_scale.look(segmenter, scene(60, 80))
    assert sizes == ([None, segmenters.TORCHVISION_NEARER] if light else [None])
    if light:
        multi_scale.refine_objects(segmenter, scene(60, 80), looks, ("person",), 0.5)
        assert set(sizes[2:]) == {segmenters.TORCHVISION_CROP}


@pytest.mark.slow
def test_the_further_passes_work_with_fcn_resnet101s_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcn = red_fcn(tmp_path)
    whole = TorchvisionSegmenter.probabilities
    monkeypatch.setattr(
        TorchvisionSegmenter,
        "probabilities",
        lambda self, rgb, longest=None: whole(self, rgb, longest or 160),
    )
    photo = scene(120, 160)
    red = (photo[..., 0] > 230) & (photo[..., 1] < 20) & (photo[..., 2] < 20)
    fcn.quick, fcn.nearer, fcn.crop = True, 240, 128
    looks = multi_scale.look(fcn, photo)
    assert looks.probabilities.shape == (21, 180, 240)
    assert looks.first.shape == (21, 120, 160)
    assert np.allclose(looks.probabilities.sum(0), 1, atol=1e-3)
    near = multi_scale.refine_objects(fcn, photo, looks, ("person",), 0.5)
    for seen in (looks.probabilities[15], near.removed):
        found = mask.class_mask(seen, 120, 160, 0.5)
        assert (found & red).sum() > 0.8 * red.sum()
        assert (found & ~red).sum() < 0.5 * red.sum()
