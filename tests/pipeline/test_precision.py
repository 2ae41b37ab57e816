"""Fast arithmetic against exact: masks and fills in bf16 and fp32 are visually the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from remove_objects.models import precision
from remove_objects.pipeline.detect.mask import find_holes, removed_probability
from remove_objects.pipeline.detect.segmenters import CompactSegmenterAdapter
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.pipeline.types import Route
from remove_objects.train.data.pictures import read_rgb

CPU = torch.device("cpu")
SAMPLES = Path(__file__).parents[2] / "sample_images"


@pytest.fixture(params=[False, True], ids=["fp32", "bf16"])
def fast(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the hardware has bf16, once False and once True."""
    chosen: bool = request.param
    monkeypatch.setattr(precision, "has_bf16", lambda device: chosen)
    return chosen


def in_both(monkeypatch: pytest.MonkeyPatch, run: Callable[[], np.ndarray]) -> list[np.ndarray]:
    """The results of ``run`` in fp32 and in bf16."""
    results = []
    for chosen in (False, True):
        monkeypatch.setattr(precision, "has_bf16", lambda device, chosen=chosen: chosen)
        results.append(run())
    return results


def test_autocast_is_on_where_the_hardware_has_it(fast: bool) -> None:
    with precision.autocast(CPU, precision.NARROW):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype is (torch.bfloat16 if fast else torch.float32)


def test_a_narrow_picture_is_computed_in_fp32(fast: bool) -> None:
    with precision.autocast(CPU, precision.NARROW - 1):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype is torch.float32


def leave_nans_in_memory(*_: object) -> None:
    """Free memory that holds NaNs, which the next computation is likely to be given."""
    for size in (64, 256, 1_000, 4_000, 16_000, 64_000, 200_000):
        freed = [torch.full((size,), torch.nan, dtype=torch.bfloat16) for _ in range(4)]
        freed += [torch.full((size,), torch.nan) for _ in range(4)]
        del freed


def nans_before_each_convolution(network: torch.nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_pre_hook(leave_nans_in_memory)


@pytest.mark.parametrize(("height", "width"), [(900, 1), (900, 2), (900, 60), (1, 900)])
def test_no_network_reads_uninitialised_memory(height: int, width: int) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    mask = np.zeros((height, width), bool)
    mask[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = True
    (hole,) = find_holes(mask)
    inpainters, segmenter = Inpainters(CPU, detail=False), CompactSegmenterAdapter(CPU)
    nans_before_each_convolution(segmenter.network)
    assert np.isfinite(segmenter.probabilities(photo)).all()
    for kind, route in (("compression", Route.EDGE), ("partial-conv", Route.FREE_FORM)):
        nans_before_each_convolution(inpainters.network(kind))
        assert np.isfinite(inpainters.fill(photo, mask, hole, route).rgb).all()


def test_bf16_follows_the_processors_capabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    for capabilities, expected in (
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx2": True}, False),
        ({}, False),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda c=capabilities: c, raising=False)
        assert precision.has_bf16("cpu") is expected
    assert precision.has_bf16("mps") is False


def test_bf16_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    monkeypatch.setenv("REMOVE_OBJECTS_BF16", "0")
    assert precision.has_bf16("cpu") is False
    monkeypatch.setenv("REMOVE_OBJECTS_BF16", "1")
    assert precision.has_bf16("cpu") is True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "category"), [("brick_wall.jpg", "person"), ("cat_in_hedge.jpg", "cat")]
)
def test_masks_of_bf16_are_those_of_fp32(
    monkeypatch: pytest.MonkeyPatch, name: str, category: str
) -> None:
    rgb = read_rgb(SAMPLES / name)

    def run() -> np.ndarray:
        return (
            removed_probability(CompactSegmenterAdapter(CPU).probabilities(rgb), [category]) >= 0.5
        )

    exact, quick = in_both(monkeypatch, run)
    assert exact.mean() > 0.01
    assert (exact & quick).sum() / (exact | quick).sum() >= 0.995


@pytest.mark.slow
@pytest.mark.parametrize("route", list(Route))
def test_fills_of_bf16_are_those_of_fp32(monkeypatch: pytest.MonkeyPatch, route: Route) -> None:
    rgb = cv2.resize(read_rgb(SAMPLES / "coffee.jpg"), (300, 200), interpolation=cv2.INTER_AREA)
    hole_mask = np.zeros(rgb.shape[:2], bool)
    rows, columns = (
        (slice(60, 120), slice(0, 70)) if route is Route.EDGE else (slice(60, 120), slice(100, 170))
    )
    hole_mask[rows, columns] = True
    (hole,) = find_holes(hole_mask)

    def run() -> np.ndarray:
        fill = Inpainters(CPU, detail=False).fill(rgb, hole_mask, hole, route)
        inside = hole_mask[fill.window.slices]
        return fill.upsampled[inside]

    exact, quick = in_both(monkeypatch, run)
    assert not np.array_equal(exact, quick), "bf16 was not used"
    psnr = -10 * np.log10(((exact - quick) ** 2).mean())
    assert psnr >= 45, f"{psnr:.1f} dB"
