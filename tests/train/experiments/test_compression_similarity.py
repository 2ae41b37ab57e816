"""Table 2's fillers: texture selection as printed, no read under the hole, metrics by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from remove_objects.train.evaluation.similarity import Similarity
from remove_objects.train.experiments import compression_similarity
from remove_objects.train.experiments.request import TableRequest
from remove_objects.train.experiments.runs import Budget
from remove_objects.train.experiments.toy_data import RandomClassifier, generate
from remove_objects.train.features import feature_network
from remove_objects.train.tasks.compression import CompressionTask
from remove_objects.train.tasks.edge_connect import EdgeConnectTask
from remove_objects.train.tasks.edsr import EDSRTask
from remove_objects.train.tasks.gated_conv import GatedConvTask
from remove_objects.train.tasks.partial_conv import PartialConvTask


def stripes() -> tuple[Tensor, Tensor]:
    """A picture of four blocks in a row, dark to light, and a mask that hides the last."""
    picture = torch.zeros(1, 3, 8, 32)
    for i in range(4):
        picture[..., 8 * i : 8 * i + 8] = 0.2 + 0.2 * i
    picture[0, 0, 0, 8] = 0.9  # marks the second block
    mask = torch.ones(1, 1, 8, 32)
    mask[..., 24:] = 0
    return picture, mask


def test_the_block_of_the_nearest_colour_is_copied_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, mask = stripes()
    answer = torch.zeros(1, 3, 1, 4)
    answer[..., 3] = 0.41  # nearest to the second block
    monkeypatch.setattr(
        "remove_objects.train.experiments.texture_selection.stretch", lambda picture, known: None
    )
    composite = compression_similarity.selected(answer, picture, mask)
    assert torch.equal(composite[..., :24], picture[..., :24])
    assert torch.equal(composite[..., 24:], picture[..., 8:16])


def test_a_near_pixel_of_the_stretched_picture_is_used() -> None:
    picture, mask = stripes()
    answer = torch.zeros(1, 3, 1, 4)
    answer[..., 3] = 0.6
    composite = compression_similarity.selected(answer, picture, mask)
    # The known three quarters are stretched over the frame: their last quarter is the third
    # block, 0.6, which was also copied.
    assert float((composite[..., 26:] - 0.6).abs().max()) < 1e-5


def case(data: Path) -> tuple[compression_similarity.Test, TableRequest]:
    call = TableRequest(
        folder=data,
        budget=Budget(steps=1, batch=2),
        data=data,
        width=4,
        size=128,
        features="random",
    )
    files = sorted((data / "scenes" / "val").iterdir())
    x, m = compression_similarity.squares(files, compression_similarity.holes.edge, 128)
    judge = Similarity(RandomClassifier())
    return compression_similarity.Test(
        x, m, [f.name for f in files], None, judge, judge.logits(x)
    ), call


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("generated"), train=3, test=3)


def poisoned(test: compression_similarity.Test) -> compression_similarity.Test:
    """The same pictures with noise under the holes, where no filler may read."""
    noise = torch.rand(test.pictures.shape, generator=torch.Generator().manual_seed(5))
    return compression_similarity.Test(
        torch.where(test.masks > 0.5, test.pictures, noise),
        test.masks,
        test.names,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    "kind", ["compression", "edsr", "gated-conv", "partial-conv", "edge-connect"]
)
def test_no_arm_reads_under_the_hole(data: Path, kind: str) -> None:
    test, call = case(data)
    files = sorted((data / "scenes" / "train").iterdir())
    arms = {
        a.name: a
        for a in compression_similarity._arms(
            "scenes", files, call, feature_network("random"), test
        )
    }
    task = arms[f"scenes-{kind}"].task(0)
    expected = {
        "compression": CompressionTask,
        "edsr": EDSRTask,
        "gated-conv": GatedConvTask,
        "partial-conv": PartialConvTask,
        "edge-connect": EdgeConnectTask,
    }
    assert type(task) is expected[kind]
    network = task.network.eval()
    answer: Callable[[compression_similarity.Test], Tensor] = (
        (
            lambda t: compression_similarity.selected(
                compression_similarity.coarse(network, t), t.pictures, t.masks
            )
        )
        if kind == "compression"
        else (lambda t: compression_similarity.filled(task, network, t))
    )
    with torch.inference_mode():
        clean, dirty = (answer(t) for t in (test, poisoned(test)))
    inside = (
        (1 - test.masks) if kind == "compression" else torch.ones_like(test.masks)
    )  # selection keeps what is known
    assert torch.equal(clean * inside, dirty * inside)
    assert bool(torch.isfinite(clean).all())


def test_the_programs_texture_does_not_read_there_either(data: Path) -> None:
    test, _ = case(data)
    answers = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    clean, dirty = (
        compression_similarity._by_picture(
            compression_similarity._coherent, answers, t.pictures, t.masks
        )
        for t in (test, poisoned(test))
    )
    assert torch.equal(clean * (1 - test.masks), dirty * (1 - test.masks))


def test_metrics_of_known_fills(data: Path) -> None:
    test, _ = case(data)
    same = compression_similarity.measured(test, test.pictures)
    assert {(r["l1"], r["l2"], r["hole_l1"], r["similarity"], r["similarity5"]) for r in same} == {
        (0.0, 0.0, 0.0, 1.0, 1.0)
    }
    shifted = compression_similarity.measured(test, test.pictures + 0.1 * (1 - test.masks))
    for row, mask in zip(shifted, test.masks, strict=True):
        share = float(1 - mask.mean())
        assert row["l1"] == pytest.approx(0.1 * share, rel=1e-3)
        assert row["l2"] == pytest.approx(0.01 * share, rel=1e-3)
        assert row["hole_l1"] == pytest.approx(0.1, rel=1e-3)
    assert np.isnan([r["lpips"] for r in shifted]).all()


def test_claims_compare_picture_by_picture() -> None:
    def row(similarity: list[float], l1: float, lpips: float) -> list[dict[str, Any]]:
        return [
            {
                "picture": str(i),
                "similarity": s,
                "similarity5": s,
                "l1": l1,
                "lpips": lpips,
                "l2": 0.0,
                "hole_l1": 0.0,
            }
            for i, s in enumerate(similarity)
        ]

    rows = {f"scenes | {o}": row([0.0] * 8, 0.1, 0.3) for o in compression_similarity.OTHERS}
    rows |= {
        "scenes | sts": row([1.0] * 8, 0.2, 0.2),
        "scenes | srn": row([1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0], 0.2, 0.2),
    }
    noise = {
        f"{s}-{a}": dict.fromkeys(("similarity", "similarity5", "l1", "lpips"), 0.0)
        for s in compression_similarity.SETS
        for a in ("compression", *compression_similarity.OTHERS)
    }
    verdicts = [c.verdict for c in compression_similarity._claims("scenes", rows, noise)]
    assert verdicts == ["not decided", "held", "held", "held", "held"]
    noise["scenes-compression"]["similarity"] = 1.5  # another training might reverse it
    assert [c.verdict for c in compression_similarity._claims("scenes", rows, noise)][
        1
    ] == "not decided"
    rows = {name.replace("scenes", "faces"): own for name, own in rows.items()}
    (faces,) = compression_similarity._claims("faces", rows, noise)
    assert faces.verdict == "not held"  # its LPIPS is lower


def test_without_a_classifier_similarity_is_left_out(data: Path) -> None:
    test, _ = case(data)
    bare = compression_similarity.Test(test.pictures, test.masks, test.names, None, None, None)
    assert np.isnan(compression_similarity.measured(bare, test.pictures)[0]["similarity"])
    assert (
        compression_similarity._classifier(TableRequest(folder=data, budget=Budget(1, 1)))[0]
        is None
    )
    assert isinstance(
        compression_similarity._classifier(
            TableRequest(folder=data, budget=Budget(1, 1), classifier=Path("random"))
        )[0],
        Similarity,
    )


def test_the_random_classifier_is_always_the_same() -> None:
    x = torch.rand(2, 3, 32, 32)
    one, two = (RandomClassifier() for _ in range(2))
    assert isinstance(one, nn.Module)
    assert torch.equal(one(x), two(x))
