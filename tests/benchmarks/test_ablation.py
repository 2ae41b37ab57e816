"""The ablation: its arms, who wins, and that no arm but the bound reads under a hole."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.quality import ablation
from benchmarks.quality.ablation import BOUND, SHIPPED, arms, best_other, filled_by
from remove_objects.models.compression import CompressionConfig, CompressionNetwork
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from remove_objects.models.skip_context_encoder import SkipContextEncoder, SkipContextEncoderConfig
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.pipeline.types import Pixels, Route
from remove_objects.train.data import holes
from remove_objects.train.experiments.results import Row
from remove_objects.train.experiments.routing import Kind

EDGE = Kind("edge", "scenes", Route.EDGE, holes.edge)
FREE_FORM = Kind("free-form-10-20", "scenes", Route.FREE_FORM, holes.FreeForm(0.1, 0.2))
FACE = Kind("face-square", "faces", Route.FACE, partial(holes.rectangle, centred=True))
KINDS = [EDGE, FREE_FORM, FACE]


class Planted(Inpainters):
    """Networks of a few channels; one may be replaced by a better one."""

    def __init__(self, **better: nn.Module) -> None:
        super().__init__(torch.device("cpu"))
        torch.manual_seed(0)
        self.own: dict[str, nn.Module] = {
            "partial-conv": PartialConvUNet(PartialConvUNetConfig(2, base=32)),
            "skip-ce": SkipContextEncoder(SkipContextEncoderConfig(3, 4)),
            "compression": CompressionNetwork(CompressionConfig(4, base=32)),
        }
        self.own |= {kind.replace("_", "-"): network for kind, network in better.items()}
        for network in self.own.values():
            network.eval()

    def network(self, kind: str) -> nn.Module:
        """One of them."""
        return self.own[kind]


class Ramp(PartialConvUNet):
    """Knows what the pictures of ``ramps`` are like, once it is trained."""

    trained = False

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """The ramp that the known pixels lie on, by least squares."""
        if not self.trained:
            return super().forward(image, mask)
        h, w = image.shape[-2:]
        y, x = torch.meshgrid(torch.arange(h) / h, torch.arange(w) / w, indexing="ij")
        known = mask[0, 0] > 0
        plane = torch.stack([torch.ones(h, w), y, x], -1)
        fit = torch.linalg.lstsq(plane[known], image[0][:, known].T).solution
        return (plane @ fit).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def ramps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three pictures whose colours rise evenly."""
    folder, rng = tmp_path_factory.mktemp("ramps"), np.random.default_rng(0)
    y, x = np.mgrid[:128, :128, :1][:2] / 128
    files = []
    for i in range(3):
        picture = 128 + 90 * ((x - 0.5) * rng.uniform(-1, 1, 3) + (y - 0.5) * rng.uniform(-1, 1, 3))
        files.append(folder / f"{i}.png")
        cv2.imwrite(str(files[-1]), picture.astype(np.uint8))
    return files


def l1(result: Pixels, truth: Pixels) -> float:
    """The distance of these tests: LPIPS' backbone is not part of a checkout."""
    return float(np.abs(result.astype(float) - truth.astype(float)).mean())


def rows_of(**arms: list[float]) -> dict[str, list[Row]]:
    """Rows with the same values in use and alone."""
    return {
        arm: [{"picture": str(i), "use": v, "alone": v} for i, v in enumerate(values)]
        for arm, values in arms.items()
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_its_arms_and_a_row_per_picture(kind: Kind, ramps: list[Path]) -> None:
    rows = ablation.measure(Planted(), kind, ramps, l1, size=128)
    expected = {
        Route.EDGE: [SHIPPED, "random", "base", "grey", "partial-conv", "compression", BOUND],
        Route.FREE_FORM: [SHIPPED, "random", "base", "grey"],
        Route.FACE: [SHIPPED, "random", "grey"],
    }[kind.route]
    assert list(rows) == expected
    for of_arm in rows.values():
        assert [row["picture"] for row in of_arm] == [file.name for file in ramps]
        assert all(np.isfinite([row["use"], row["alone"]]).all() for row in of_arm)


def test_planted_better_weights_win(ramps: list[Path]) -> None:
    better = Ramp(PartialConvUNetConfig(2, base=32))
    better.trained = True
    rows = ablation.measure(Planted(partial_conv=better), FREE_FORM, ramps, l1, size=128)
    means = {arm: float(np.mean([row["alone"] for row in r])) for arm, r in rows.items()}
    assert means[SHIPPED] < 0.3 * means[best_other(means)]
    said = ablation.render({"edge": rows})
    assert float(said.split("|\n\n")[1].rsplit("|", 1)[0].rsplit("|", 1)[1]) < 0.3


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_lies_under_a_hole_changes_no_arm_but_the_bound(kind: Kind) -> None:
    rng = np.random.default_rng(1)
    rgb = cv2.resize(rng.integers(0, 256, (6, 6, 3), np.uint8), (128, 128))
    hole = kind.hole(128, np.random.default_rng(0))
    noise = np.where(hole[..., None], rng.integers(0, 256, rgb.shape), rgb).astype(np.uint8)
    shipped, known = Planted(), torch.from_numpy(~hole)[None, None].float()
    pictures = torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255
    noisy = torch.from_numpy(noise).permute(2, 0, 1)[None] / 255
    for name, arm in arms(shipped, kind, pictures * known, known).items():
        if name != BOUND:
            both = (filled_by(arm, kind, p, hole) for p in (rgb, noise))
            for one, other in zip(*both, strict=True):
                assert np.array_equal(one[hole], other[hole]), name
            with torch.inference_mode():  # nor does a network itself, which gets no blank window
                for network in arm.others.values():
                    assert torch.equal(network(pictures, known), network(noisy, known)), name


def test_the_bound_answers_an_eighth_of_the_truth() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    mask = np.zeros((256, 256), bool)
    mask[:77] = True
    bound = ablation.Truth()
    bound.show(rgb, ablation.find_holes(mask)[0])
    answer = bound(torch.zeros(1, 3, 256, 256), torch.ones(1, 1, 256, 256))
    eighth = cv2.resize(rgb, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs((answer[0].permute(1, 2, 0).numpy() + 1) * 127.5 - eighth).max() < 1


def test_random_weights_are_those_of_the_seed_and_leave_the_generator_alone() -> None:
    shipped, state = Planted().network("compression"), torch.random.get_rng_state()
    blank = torch.zeros(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    one, same, other = (ablation.untrained(shipped, *blank, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = [next(network.parameters()) for network in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_best_other_is_neither_the_network_nor_the_bound() -> None:
    assert best_other({SHIPPED: 0.1, "random": 0.3, "grey": 0.2, BOUND: 0.05}) == "grey"


def test_the_table_gives_difference_interval_and_ratio() -> None:
    rows = rows_of(shipped=[0.1, 0.2, 0.3], random=[0.3, 0.4, 0.5], bound=[0.0, 0.0, 0.0])
    line = ablation.render({"edge": rows}).splitlines()[2]
    assert line.endswith("| -0.2000 [-0.2000, -0.2000] (random) | 0.50 |")


def test_a_file_has_a_row_per_picture(tmp_path: Path) -> None:
    ablation.save({"edge": rows_of(shipped=[0.1, 0.2], grey=[0.3, 0.4])}, tmp_path / "rows.csv")
    with open(tmp_path / "rows.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["arm"], r["picture"], float(r["use"])) for r in rows] == [
        ("shipped", "0", 0.1),
        ("shipped", "1", 0.2),
        ("grey", "0", 0.3),
        ("grey", "1", 0.4),
    ]


def test_pictures_come_evenly_from_every_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(10):
            (tmp_path / name / f"{i}.png").touch()
    files = ablation.pictures_of(tmp_path, "a,b", 4)
    assert [str(f.relative_to(tmp_path)) for f in files] == [
        "a/0.png",
        "a/5.png",
        "b/0.png",
        "b/5.png",
    ]
