"""Crops through a refiner and back. Nearly all tests use one that needs no network."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from remove_objects.models.categories import CATEGORIES
from remove_objects.models.checkpoint import save_weights, sha256
from remove_objects.models.object_refiner import ObjectRefiner, ObjectRefinerConfig
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.detect import refine
from remove_objects.pipeline.detect.mask import dilate
from remove_objects.pipeline.detect.segmenters import Chosen
from remove_objects.pipeline.errors import WeightsError
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.pixels import blur
from remove_objects.pipeline.types import Box
from tests.support.red_fcn import fcn_of
from tests.support.scenes import scene

THRESHOLD = 0.5


class SeesRed:
    """Its alpha is how red a pixel is. It remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def alphas(self, crops: np.ndarray, coarse: np.ndarray) -> np.ndarray:
        assert crops.dtype == np.uint8
        assert coarse.dtype == np.float32
        assert crops.shape[:3] == coarse.shape
        assert not any(side % refine.STRIDE for side in coarse.shape[1:])
        self.given.append(crops)
        others = crops[..., 1:].max(3).astype(np.float32)
        return np.clip((crops[..., 0] - others) / 255, 0, 1).astype(np.float32)


class Blind:
    """Sees nothing anywhere."""

    def alphas(self, crops: np.ndarray, coarse: np.ndarray) -> np.ndarray:
        return np.zeros_like(coarse)


def grey(height: int, width: int, *red: Box) -> np.ndarray:
    picture = np.full((height, width, 3), 120, np.uint8)
    for box in red:
        picture[box.slices] = (255, 0, 0)
    return picture


def coarse_of(rgb: np.ndarray, scale: int = 8) -> np.ndarray:
    """A coarse probability of what is red: blurred and reduced."""
    red = (rgb[..., 0] > 200).astype(np.float32)
    h, w = (max(1, n // scale) for n in red.shape)
    return refine._resized(blur(red, scale / 2), (h, w))


def holes(
    rgb: np.ndarray, radius: int | None = 0, refiner: refine.Refiner | None = None
) -> np.ndarray:
    return refine.refined_holes(refiner or SeesRed(), rgb, coarse_of(rgb), THRESHOLD, radius)


@pytest.mark.parametrize(
    "box",
    [
        Box(100, 60, 60, 90),
        Box(0, 0, 50, 40),  # a corner
        Box(230, 100, 90, 140),  # two borders
        Box(0, 0, 320, 240),  # everything
        Box(20, 110, 280, 12),  # long and thin
    ],
)
def test_the_mask_ends_where_the_object_does(box: Box) -> None:
    rgb = grey(240, 320, box)
    truth = rgb[..., 0] == 255
    found = holes(rgb)
    assert (found ^ truth).sum() <= 2 * (box.w + box.h)  # one pixel along the rim
    followed = holes(rgb, None)
    assert not (truth & ~followed).any()
    assert not (followed & ~dilate(truth, 6)).any()


def test_an_even_radius_widens_the_refined_mask_evenly() -> None:
    rgb = grey(240, 320, Box(100, 60, 60, 90))
    assert np.array_equal(holes(rgb, 7), dilate(holes(rgb, 0), 7))


def test_a_soft_edge_is_widened_more_than_a_sharp_one() -> None:
    sharp = grey(240, 320, Box(100, 60, 60, 90))
    soft = blur(sharp, 6.0)
    grown = [int(holes(rgb, None).sum() - holes(rgb, 0).sum()) for rgb in (sharp, soft)]
    assert grown[1] > 2 * grown[0] > 0


def test_the_width_of_an_edge_by_hand() -> None:
    ramp = np.clip((np.arange(64) - 20) / 10, 0, 1).astype(np.float32)
    alpha = np.tile(ramp, (48, 1))  # from 0.1 at column 21 to 0.9 at column 29
    width = refine.edge_width(alpha)
    assert width[24, 24] == pytest.approx(8, abs=1.5)
    assert width.max() <= refine.WIDEST
    assert not refine.edge_width(np.zeros((32, 32), np.float32)).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 3), (40, 1)])
def test_the_smallest_photos(size: tuple[int, int]) -> None:
    for rgb in (grey(*size), grey(*size, Box(0, 0, size[1], size[0]))):
        for radius in (None, 0, 5):
            found = refine.refined_holes(
                SeesRed(), rgb, (rgb[..., 0] > 200).astype(np.float32), THRESHOLD, radius
            )
            assert found.shape == size
            expected = rgb[0, 0, 0] > 200 and rgb[..., 0].size >= 4  # fewer are a speck
            assert found.all() == found.any() == expected


def test_sixteen_bits_give_the_same_mask() -> None:
    rgb = grey(240, 320, Box(100, 60, 60, 90))
    wide = rgb.astype(np.uint16) * 257
    coarse = coarse_of(rgb)
    assert np.array_equal(
        refine.refined_holes(SeesRed(), rgb, coarse, THRESHOLD, None),
        refine.refined_holes(SeesRed(), wide, coarse, THRESHOLD, None),
    )


def test_work_and_memory_follow_the_object_and_not_the_photo() -> None:
    height, width = 4000, 6000
    rgb = grey(height, width, Box(3000, 2000, 300, 500))
    coarse = np.zeros((200, 300), np.float32)
    coarse[100:125, 150:165] = 1
    refiner = SeesRed()
    tracemalloc.start()
    refined = refine.refine(refiner, rgb, coarse, THRESHOLD)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (given,) = refiner.given
    assert given.shape[0] == 1
    assert max(given.shape[1:3]) == refine.SIDE
    assert peak < height * width / 2  # bytes; the photo has six times as many
    found = refine.refined_mask(refined, height, width)
    assert found.sum() == pytest.approx(300 * 500, rel=0.03)


def test_a_photo_without_an_object_costs_nothing() -> None:
    refiner = SeesRed()
    assert not holes(grey(240, 320), None, refiner).any()
    assert refiner.given == []


def test_parts_side_by_side_share_a_crop_and_objects_far_apart_do_not() -> None:
    refiner = SeesRed()
    together = grey(480, 640, Box(100, 100, 80, 150), Box(188, 100, 60, 60))
    found = holes(together, 0, refiner)
    assert sum(len(crops) for crops in refiner.given) == 1
    assert (found ^ (together[..., 0] == 255)).sum() < 800
    refiner = SeesRed()
    apart = grey(480, 640, Box(64, 64, 64, 96), Box(480, 320, 64, 96))
    holes(apart, 0, refiner)
    assert sum(len(crops) for crops in refiner.given) == 2
    assert len(refiner.given) == 1  # of one size: one pass


def test_a_crop_speaks_for_its_own_objects_only() -> None:
    labels = np.zeros((32, 64), np.int32)
    labels[8:24, 4:20], labels[8:24, 44:60] = 1, 2
    own = refine._own(np.ones((32, 64), np.float32), labels, [1])
    assert own[:, :31].all()
    assert not own[:, 33:].any()
    both = refine._own(np.ones((32, 64), np.float32), labels, [1, 2])
    assert both.all()


def test_what_is_apart_from_the_segmenters_object_or_far_from_it_stays() -> None:
    rgb = grey(240, 320, Box(100, 60, 60, 90))
    coarse = coarse_of(rgb)
    rgb[60:150, 170:185] = (255, 0, 0)  # beside it
    rgb[100:110, 79:100] = (255, 0, 0)  # connected, and long
    found = refine.refined_holes(SeesRed(), rgb, coarse, THRESHOLD, 0)
    assert found[64:146, 104:156].all()
    assert not found[:, 169:].any()
    assert found[104, 96]
    assert not found[:, :86].any()
    coarse[12:14, 9:13] = np.maximum(coarse[12:14, 9:13], 0.15)  # the segmenter half saw it
    assert refine.refined_holes(SeesRed(), rgb, coarse, THRESHOLD, 0)[104, 82]


def test_an_object_that_the_network_does_not_confirm_keeps_its_coarse_mask() -> None:
    rgb = grey(240, 320, Box(100, 60, 60, 90))
    found = holes(rgb, 0, Blind())
    truth = rgb[..., 0] == 255
    assert (found & truth).sum() / (found | truth).sum() > 0.8


@pytest.mark.parametrize("threshold", [0.2, 0.9])
def test_the_coarse_mask_follows_the_users_threshold(threshold: float) -> None:
    rgb = grey(240, 320, Box(100, 60, 60, 90))
    coarse = coarse_of(rgb)
    found = refine.refined_holes(Blind(), rgb, coarse, threshold, 0)
    expected = refine.resize(coarse, rgb.shape[:2], 1) >= threshold
    assert (found & expected).sum() / (found | expected).sum() > 0.85


def test_many_objects_are_all_removed_and_the_crops_are_limited() -> None:
    rgb = grey(1200, 1600)
    for y in range(10, 1190, 60):
        for x in range(10, 1590, 60):
            rgb[y : y + 30, x : x + 30] = (255, 0, 0)
    refiner = SeesRed()
    found = holes(rgb, None, refiner)
    assert sum(len(crops) for crops in refiner.given) <= refine.MOST
    assert all(len(crops) <= refine.TOGETHER for crops in refiner.given)
    red = rgb[..., 0] == 255
    assert (red & ~found).sum() < 0.02 * red.sum()


def test_the_same_photo_gives_the_same_mask() -> None:
    rgb = scene(240, 320, person=(100, 60, 60, 90))
    assert np.array_equal(holes(rgb, None), holes(rgb, None))


@pytest.fixture
def with_refiner(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of untrained weights, with an untrained refiner of its compact segmenter."""
    folder = shutil.copytree(tiny, tmp_path / "weights")
    index = json.loads((folder / "index.json").read_text())
    network = ObjectRefiner(ObjectRefinerConfig((8, 6, 4, 4), index["compact-segmenter"]["sha256"]))
    path = save_weights(network, folder, "object-refiner")
    index["object-refiner"] = {"file": path.name, "sha256": sha256(path)}
    (folder / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", folder)
    return folder


def networks(**options: bool) -> Networks:
    settings = NetworkSettings(segmenter="compact", device="cpu", offline=True)
    return Networks(settings, **options)


def test_there_is_no_refiner_without_its_weight(tiny: Path) -> None:
    assert networks().refiner is None


def test_the_refiner_shares_the_compact_segmenters_encoder(with_refiner: Path) -> None:
    loaded = networks()
    refiner = loaded.refiner
    assert refiner is not None
    assert refiner is loaded.refiner
    assert refiner.encoder is loaded.segmenter.network.encoder
    assert set(loaded.weights()) == {"compact-segmenter", "object-refiner"}
    assert networks(refine=False).refiner is None


def test_an_untrained_refiner_returns_the_coarse_probability(with_refiner: Path) -> None:
    refiner = networks().refiner
    assert refiner is not None
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 80, 3), np.uint8)
    coarse = np.random.default_rng(1).random((2, 64, 80), np.float32)
    alphas = refiner.alphas(crops, coarse)
    assert alphas.dtype == np.float32
    np.testing.assert_allclose(alphas, coarse.clip(0.05, 0.95), atol=0.01)


def test_a_refiner_of_another_encoder_is_refused(
    with_refiner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ObjectRefiner(ObjectRefinerConfig((8, 6, 4, 4), "ab" * 32))
    path = save_weights(other, with_refiner, "object-refiner")
    index = json.loads((with_refiner / "index.json").read_text())
    index["object-refiner"] = {"file": path.name, "sha256": sha256(path)}
    (with_refiner / "index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match="trained with the compact-segmenter abababab"):
        _ = networks().refiner


@pytest.mark.slow
def test_it_refines_what_fcn_resnet101_finds(
    with_refiner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models.segmentation import fcn_resnet101

    from remove_objects.pipeline.detect import segmenters
    from remove_objects.pipeline.removal.request import Removal
    from remove_objects.pipeline.remover import ObjectRemover
    from remove_objects.pipeline.types import Photo

    network = fcn_resnet101(weights=None, weights_backbone=None, aux_loss=True)
    bias = network.classifier[4].bias
    torch.nn.init.zeros_(network.classifier[4].weight)
    torch.nn.init.zeros_(bias)
    with torch.no_grad():
        bias[CATEGORIES.index("person")] = 9
    torch.save(network.state_dict(), tmp_path / "fcn.pth")
    fcn = fcn_of(tmp_path / "fcn.pth")
    monkeypatch.setattr(segmenters, "choose_segmenter", lambda *_, **__: Chosen(fcn, {}))
    remover = ObjectRemover(Settings(offline=True, prefilter=False, dilate=0))
    removal = Removal.from_settings(remover.settings, ["person"])
    selection = remover.select(Photo(scene(48, 64)), removal)
    assert selection.hole_mask.all()  # it sees people everywhere, and the refiner agrees
    assert set(remover.networks.weights()) == {"compact-segmenter", "object-refiner"}
