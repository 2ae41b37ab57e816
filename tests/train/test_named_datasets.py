"""``--dataset NAME --root DIR`` of ``train-inpainter`` and of ``evaluate-inpainter``'s tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.train import evaluate_cli
from remove_objects.train.cli import main, parse
from remove_objects.train.data import pictures as read
from remove_objects.train.experiments import compression_similarity, results, routing
from remove_objects.train.experiments.request import TableRequest, pictures
from remove_objects.train.experiments.runs import Budget
from remove_objects.train.run import make_task
from remove_objects.train.tasks import base
from remove_objects.train.tasks.base import InpaintingTask
from remove_objects.train.tasks.scene_classifier import ClassifierTask

#: Pictures of CelebA's three parts.
TRAINING = ("000001.jpg", "000002.jpg", "000003.jpg")
VALIDATION = ("170000.jpg", "170001.jpg")
TEST = ("190000.jpg", "190001.jpg", "190002.jpg")

SMALL = ("--features", "none", "--batch", "1", "--steps", "1", "--device", "cpu", "--workers", "0")


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(coarse, (178, 218), interpolation=cv2.INTER_CUBIC))


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    for n, name in enumerate((*TRAINING, *VALIDATION, *TEST)):
        draw(tmp_path / "celeba" / "img_align_celeba" / name, n)
    return tmp_path / "celeba"


@pytest.fixture
def places(tmp_path: Path) -> Path:
    for n in range(1, 5):
        draw(tmp_path / "places" / "data_256" / "a" / "airfield" / f"{n:08d}.jpg", n)
        draw(tmp_path / "places" / "data_256" / "b" / "bank" / f"{n:08d}.jpg", n + 10)
        draw(tmp_path / "places" / "val_256" / f"Places365_val_{n:08d}.jpg", n + 20)
    return tmp_path / "places"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of all pictures that are read."""
    names: set[str] = set()
    read_rgb = read.read_rgb

    def recorded(path: Path) -> np.ndarray:
        names.add(path.name)
        return read_rgb(path)

    for module in (read, base):
        monkeypatch.setattr(module, "read_rgb", recorded)
    return names


@pytest.mark.parametrize("held_out", [1, 64])
def test_training_reads_the_training_part_and_its_metrics_the_validation_part(
    held_out: int, celeba: Path, tmp_path: Path, opened: set[str]
) -> None:
    options = ("skip-ce", "--dataset", "celeba", "--root", str(celeba), "--preset", "paper")
    small = (*SMALL, "--steps", "6", "--held-out", str(held_out), "--width", "4")
    run = ("--run", str(tmp_path / "run"))
    assert main([*options, *small, *run, "--evaluate-every", "3", "--every", "3"]) == 0
    assert opened & {*TRAINING, *TEST} == set(TRAINING)
    assert len(opened & set(VALIDATION)) == min(held_out, 2)
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert any("val_psnr" in json.loads(line) for line in log)


def test_the_card_names_set_split_and_command(
    celeba: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("skip-ce", "--dataset", "celeba", "--root", str(celeba), "--preset", "paper")
    run = (*options, *SMALL, "--width", "4", "--run", str(tmp_path / "run"))
    assert main(run) == 0
    capsys.readouterr()
    assert main([*run, "--export", str(tmp_path / "weights")]) == 0
    (card,) = (tmp_path / "weights").glob("*.md")
    text = card.read_text(encoding="utf-8")
    assert f"train-inpainter skip-ce --dataset celeba --root {celeba.name} " in text
    assert "- `celeba`: CelebA (Liu et al. 2015): non-commercial research" in text
    assert "CelebA's own parts, by the pictures' numbers" in text
    assert str(tmp_path) not in text


def test_a_set_without_a_validation_part_holds_out_pictures_of_its_training_part(
    places: Path, tmp_path: Path
) -> None:
    options = ("--dataset", "places2", "--root", str(places), "--held-out", "3")
    task, recipe = make_task(parse(["edsr", *options, *SMALL]))
    assert isinstance(task, InpaintingTask)
    assert len(task.crops.paths) == recipe.pictures == 5
    assert len(task.held_out[0]) == 3
    assert all(path.is_relative_to(places / "data_256") for path in task.crops.paths)


def test_the_classifier_learns_places2s_classes(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remove_objects.train import classifiers

    monkeypatch.setattr(classifiers, "imagenet_backbone", classifiers.untrained_backbone)
    options = ("--dataset", "places2", "--root", str(places), "--held-out", "2")
    task, recipe = make_task(parse(["scene-classifier", *options, *SMALL, "--size", "32"]))
    assert isinstance(task, ClassifierTask)
    assert task.network.config.names == ("a/airfield", "b/bank")
    assert recipe.folders == ("places2",)
    assert len(task.pictures.paths) == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["skip-ce", "--dataset", "celeba"], "--dataset celeba needs --root DIR"),
        (["skip-ce", "--root", "DIR"], "--root belongs to --dataset"),
        (["skip-ce", "--dataset", "celeba", "--root", "DIR", "--images", "a"], "leave one out"),
        (["skip-ce", "--dataset", "celeba", "--root", "DIR"], "does not look like celeba"),
        (
            ["compact-segmenter", "--dataset", "places2", "--root", "DIR"],
            "--dataset trains inpainters and scene-classifier",
        ),
        (["scene-classifier", "--dataset", "celeba", "--root", "DIR"], "--dataset places2"),
    ],
)
def test_options_that_do_not_fit_are_told(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").touch()
    named = [option.replace("DIR", str(tmp_path)) for option in options]
    assert main([*named, *SMALL, "--run", str(tmp_path / "run")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def table(**options: object) -> TableRequest:
    return replace(TableRequest(folder=Path("run"), budget=Budget(1, 1)), **options)  # type: ignore[arg-type]


def test_a_table_trains_on_the_training_part_and_measures_on_the_test_part(celeba: Path) -> None:
    files = pictures(table(datasets=(("celeba", celeba),), count=2), "scenes")
    assert [path.name for path in files.train] == list(TRAINING)
    assert len(files.test) == 2
    assert {path.name for path in files.test} < set(TEST)
    assert files.source == {
        "dataset": "celeba",
        "split": "CelebA's own parts, by the pictures' numbers",
        "train_pictures": 3,
        "test_part": 3,
        "test_pictures": 2,
    }


def test_a_table_without_a_test_part_says_so(celeba: Path) -> None:
    for name in TEST:
        (celeba / "img_align_celeba" / name).unlink()
    with pytest.raises(FileNotFoundError, match="no picture of celeba's test part"):
        pictures(table(datasets=(("celeba", celeba),)), "faces")


def test_a_table_of_two_sets_takes_a_dataset_for_each(celeba: Path, places: Path) -> None:
    both = table(datasets=(("celeba", celeba), ("places2", places)))
    assert compression_similarity.sets_of(both) == ["scenes", "faces"]
    assert {path.name for path in pictures(both, "faces").test} == set(TEST)
    assert len(pictures(both, "scenes").test) == 4
    assert {path.name for path in routing.test_files(both, "faces")} == set(TEST)
    only = table(datasets=(("celeba", celeba),))
    assert compression_similarity.sets_of(only) == ["faces"]
    with pytest.raises(FileNotFoundError, match="--data"):
        routing.test_files(only, "scenes")
    twice = table(datasets=(("celeba", celeba), ("celeba-hq", celeba)))
    with pytest.raises(ValueError, match="--dataset celeba, celeba-hq: expected one of faces"):
        pictures(twice, "faces")


def test_a_table_runs_on_a_named_set(
    celeba: Path, tmp_path: Path, opened: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    options = ("--dataset", "celeba", "--root", str(celeba), "--run", str(tmp_path / "run"))
    small = ("--steps", "2", "--batch", "1", "--points", "1", "--width", "2", "--count", "6")
    assert evaluate_cli.main(["skip-ce-lpips", *options, *small, "--features", "none"]) == 0
    assert not opened & set(VALIDATION)
    result = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert result["config"]["pictures"]["dataset"] == "celeba"
    assert result["config"]["pictures"]["test_pictures"] == 3
    assert str(tmp_path) not in json.dumps(result)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["skip-ce-lpips", "--dataset", "celeba"], "needs --root DIR"),
        (["skip-ce-lpips", "--root", "a"], "--root belongs to --dataset"),
        (["skip-ce-lpips", "--dataset", "celeba", "--root", "a", "--test-images", "b"], "leave"),
        (["skip-ce-lpips", "--dataset", "celeba", "--root", "nowhere"], "nowhere: no such folder"),
        (
            ["routing", *("--dataset", "celeba", "--root", "a") * 2, "--root", "b"],
            "2 --dataset and 3 --root",
        ),
        (["probes", "--dataset", "celeba", "--root", "a"], "--dataset belongs to skip-ce-lpips"),
    ],
)
def test_options_of_tables_that_do_not_fit_are_told(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert evaluate_cli.main([*options, "--run", str(tmp_path / "run")]) == 2
    assert words in capsys.readouterr().err


def test_rows_of_other_pictures_are_not_taken_from_an_earlier_run(tmp_path: Path) -> None:
    def measured(value: float) -> Callable[[], dict[str, list[results.Row]]]:
        return lambda: {"edge": [{"picture": "a", "lpips": value}]}

    path, call = tmp_path / "edge.json", table()
    first = routing._cached(path, call, [Path("a.png")], measured(1.0))
    assert routing._cached(path, call, [Path("x/a.png")], measured(2.0)) == first
    other = routing._cached(path, call, [Path("b.png")], measured(2.0))
    assert other["edge"][0]["lpips"] == 2.0
