"""Every table by its command with ``--quick``: it runs, resumes and writes its files.

And no metric depends on the pixels under a hole.
"""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.train.data import holes
from remove_objects.train.evaluate_cli import main
from remove_objects.train.experiments import partial_conv_metrics, routing, skip_ce_lpips
from remove_objects.train.experiments.request import TableRequest, pictures, squares
from remove_objects.train.experiments.runs import Budget
from remove_objects.train.experiments.toy_data import generate

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs each table once; returns its folder."""
    done: dict[str, Path] = {}

    def call(table: str) -> Path:
        if table not in done:
            folder = tmp_path_factory.mktemp(table)
            assert main([table, "--quick", "--run", str(folder)]) == 0
            done[table] = folder
        return done[table]

    return call


TABLES = {
    "skip-ce-lpips": ({"lpips_hole.png", "lpips_output.png", "grid.jpg"}, 5, 9),
    "partial-conv-metrics": ({"psnr.png", "lpips.png", "grid.jpg"}, 5, 12),
    "compression-similarity": (
        {"scenes.jpg", "faces.jpg", "scenes-lpips.png", "faces-l1.png"},
        18,
        4,
    ),
    "routing": ({"lpips.png", "edge.jpg", "face-square.jpg"}, 42, 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_a_quick_table_writes_metrics_rows_plot_and_grid(run: Any, table: str) -> None:
    folder = run(table)
    files, arms, count = TABLES[table]
    result = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert result["table"] == table
    assert result["command"].startswith(f"evaluate-inpainter {table} --quick")
    assert "/" not in result["command"]
    assert len(result["arms"]) == arms
    assert all(c["verdict"] in ("held", "not held", "not decided") for c in result["claims"])
    with open(folder / "pictures.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == arms * count
    for name in files:
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 100


@pytest.mark.slow
def test_arms_of_a_table_saw_the_same_number_of_pictures(run: Any) -> None:
    result = json.loads((run("skip-ce-lpips") / "results.json").read_text(encoding="utf-8"))
    assert {a["samples"] for a in result["arms"].values()} == {8}
    parameters = {name: a["figures"]["parameters"] for name, a in result["arms"].items()}
    assert parameters["model-0"] > parameters["model-1"]
    assert parameters["model-3"] > parameters["model-2"]
    assert parameters["model-3"] == parameters["model-3-balanced"]


@pytest.mark.slow
def test_the_networks_of_table_2_saw_the_same_number_of_pictures(run: Any) -> None:
    result = json.loads(
        (run("compression-similarity") / "results.json").read_text(encoding="utf-8")
    )
    networks = result["config"]["networks"]
    assert len(networks) == 10
    assert {n["samples"] for n in networks.values()} == {8}
    assert all([p["samples"] for p in n["curve"]] == [0, 4, 8] for n in networks.values())


@pytest.mark.slow
def test_a_table_run_again_has_the_same_result(
    run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("skip-ce-lpips")
    before = (folder / "pictures.csv").read_bytes()
    assert main(["skip-ce-lpips", "--quick", "--run", str(folder)]) == 0
    assert "NOT DECIDED: " in capsys.readouterr().out
    assert (folder / "pictures.csv").read_bytes() == before


@pytest.mark.slow
def test_a_table_stopped_mid_way_ends_the_same(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["partial-conv-metrics", "--quick", "--run", str(tmp_path)]
    assert main([*command, "--minutes", "0"]) == 0
    assert "the same command resumes" in capsys.readouterr().out
    assert not (tmp_path / "results.json").exists()
    assert main(command) == 0
    assert (tmp_path / "pictures.csv").read_bytes() == (
        run("partial-conv-metrics") / "pictures.csv"
    ).read_bytes()


def poisoned(x: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
    return torch.where(m > 0.5, x, torch.rand(x.shape))


def test_no_output_of_a_skip_ce_arm_reads_the_hole(tmp_path: Path) -> None:
    _, arm = skip_arm(tmp_path)
    task = arm.task(0)
    x, m = task.held_out
    network = task.network.eval()
    with torch.inference_mode():
        assert torch.equal(task.fill(network, poisoned(x, m), m), task.fill(network, x, m))


def skip_arm(folder: Path) -> tuple[TableRequest, Any]:
    data = generate(folder / "generated", train=4, test=3)
    call = TableRequest(folder=folder, budget=Budget(steps=2, batch=2), data=data, count=3, width=4)
    files = pictures(call, "faces")
    test = squares(files.test, partial(holes.rectangle, centred=True), 128)
    facts = [{"picture": f.name} for f in files.test]
    return call, skip_ce_lpips._arm(
        "model-3", 3, files.train, call, test, partial(skip_ce_lpips.judged, test, facts, None)
    )


def test_metrics_of_a_skip_ce_arm(tmp_path: Path) -> None:
    """A network that returns its input, and one that returns grey, have known metrics."""
    _, arm = skip_arm(tmp_path)
    task = arm.task(0)
    x, _ = task.held_out

    class Grey(torch.nn.Module):
        def forward(self, picture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(picture)

    class Same(torch.nn.Module):
        def forward(self, picture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return picture * mask

    class With(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner, self.anchor = inner, torch.nn.Parameter(torch.zeros(1))

        def forward(self, picture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.inner(picture, mask)

    grey, same = (arm.judge(task, With(n)) for n in (Grey(), Same()))
    expected = float((0.5 - x[0, :, 32:96, 32:96]).abs().mean())
    assert grey[0]["hole_l1"] == pytest.approx(expected, abs=1e-6)
    assert same[0]["hole_l1"] == pytest.approx(expected, abs=1e-6)
    assert grey[0]["known_sharpness"] == pytest.approx(0)
    assert same[0]["known_sharpness"] == pytest.approx(1, abs=1e-4)
    assert same[0]["known_psnr"] > 90 > 30 > grey[0]["known_psnr"]
    assert [r["picture"] for r in grey] == ["val000.png", "val001.png", "val002.png"]


def test_metrics_of_a_partial_conv_row() -> None:
    truth = np.full((32, 32, 3), 0.5, np.float32)
    hole = np.zeros((32, 32), bool)
    hole[:8] = True  # a quarter
    filled = truth.copy()
    filled[:8] += 0.2
    (row,) = partial_conv_metrics._row(filled, None, truth, hole, ("a 0.25", "0.25"), None)
    assert row["l1"] == pytest.approx(0.05, abs=1e-6)
    assert row["hole_l1"] == pytest.approx(0.2, abs=1e-6)
    assert row["mse"] == pytest.approx((0.2 * 255) ** 2 / 4, rel=1e-4)
    assert row["psnr"] == pytest.approx(-10 * np.log10(0.2**2 / 4), abs=1e-3)
    assert row["hole_psnr"] == pytest.approx(-20 * np.log10(0.2), abs=1e-3)
    (same,) = partial_conv_metrics._row(truth, truth, truth, hole, ("a", "0.25"), None)
    assert same["output_mse_n"] == 0
    assert same["ssim"] == pytest.approx(1)


def test_the_tables_masks_have_their_ratio(tmp_path: Path) -> None:
    data = generate(tmp_path, train=1, test=3)
    for ratio in partial_conv_metrics.RATIOS:
        _, masks = squares(
            sorted((data / "scenes" / "val").iterdir()),
            holes.FreeForm(0.9 * ratio, 1.1 * ratio),
            64,
        )
        shares = 1 - masks.mean((1, 2, 3))
        assert bool(((shares >= 0.9 * ratio) & (shares <= 1.1 * ratio + 0.02)).all())


@pytest.mark.slow
def test_no_route_reads_the_hole(tmp_path: Path) -> None:
    data = generate(tmp_path, train=1, test=1)
    kind = next(k for k in routing.kinds(data) if k.name == "free-form-10-20")
    (_, rgb, hole) = next(
        iter(routing._cases(kind, sorted((data / "scenes" / "val").iterdir()), 128))
    )
    inpainters = Inpainters(torch.device("cpu"))
    one, two = (np.where(hole[..., None], value, rgb).astype(np.uint8) for value in (0, 200))
    filled = routing.fills(inpainters, kind, one, hole), routing.fills(inpainters, kind, two, hole)
    for name in filled[0]:
        if name != routing.CLASSICAL:  # OpenCV's own read the pixels there
            assert np.array_equal(filled[0][name], filled[1][name]), name


def test_pictures_of_both_training_and_test_are_refused(tmp_path: Path) -> None:
    data = generate(tmp_path, train=2, test=1)
    call = TableRequest(
        folder=tmp_path,
        budget=Budget(1, 1),
        images=(data / "scenes" / "train",),
        test=(data / "scenes",),
    )
    with pytest.raises(FileNotFoundError, match="both a training and a test picture"):
        pictures(call, "scenes")


def test_a_users_folder_is_split_as_celeba_hq(tmp_path: Path) -> None:
    data = generate(tmp_path, train=20, test=1)
    files = pictures(
        TableRequest(folder=tmp_path, budget=Budget(1, 1), images=(data / "scenes" / "train",)),
        "scenes",
    )
    assert (len(files.train), len(files.test)) == (14, 3)
    assert not set(files.train) & set(files.test)
    again = pictures(
        TableRequest(folder=tmp_path, budget=Budget(1, 1), images=(data / "scenes" / "train",)),
        "scenes",
    )
    assert again == files


def test_a_table_without_pictures_names_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["skip-ce-lpips", "--run", str(tmp_path)]) == 2
    assert "use --data, --images or --quick" in capsys.readouterr().err
    assert (
        main(
            [
                "partial-conv-metrics",
                "--run",
                str(tmp_path),
                "--data",
                str(generate(tmp_path)),
                "--features",
                "none",
            ]
        )
        == 2
    )
    assert "name one with --features" in capsys.readouterr().err
    assert main(["probes"]) == 2
    assert "probes needs --data" in capsys.readouterr().err
