"""Fine-tuning of the scene classifier: classes from folders, crops, metrics, the command."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from remove_objects.models.checkpoint import weights_header
from remove_objects.train import classifiers, engine
from remove_objects.train.classifiers import PlacesVGG16BN, PlacesVGG16BNConfig, load_classifier
from remove_objects.train.cli import main, parse
from remove_objects.train.run import make_task
from remove_objects.train.tasks.scene_classifier import (
    ClassifierTask,
    LabelledPictures,
    find_classes,
)

COLOURS = {
    "a/airfield": (200, 40, 40),
    "a/apartment_building/outdoor": (40, 200, 40),
    "b/beach": (40, 40, 200),
}


class Tiny(nn.Module):
    """Replaces VGG16_BN: 1000 outputs that depend on a picture's colour; batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.layer, self.dropout = nn.BatchNorm2d(3), nn.Linear(3, 1000), nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.layer(self.norm(x).mean((2, 3))))


def write(path: Path, rgb: tuple[int, ...], size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), rgb[::-1], np.uint8))
    return path


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Three classes of four plain pictures each, laid out like Places."""
    for name, (r, g, b) in COLOURS.items():
        for i in range(4):
            write(tmp_path / "places" / name / f"{i}.png", (r + i, g + i, b + i))
    return tmp_path / "places"


def test_a_class_is_a_folder_that_directly_holds_pictures(places: Path) -> None:
    write(
        places / "a" / "apartment_building" / "0.jpg", (9, 9, 9)
    )  # beside its sub-folder, which is another class
    (places / "b" / "empty").mkdir()
    names, files = find_classes([places])
    assert names == (
        "a/airfield",
        "a/apartment_building",
        "a/apartment_building/outdoor",
        "b/beach",
    )
    assert [sum(label == i for _, label in files) for i in range(4)] == [4, 1, 4, 4]
    assert all(path.parent == places / names[label] for path, label in files)


def test_flat_folders_and_several_of_them(tmp_path: Path) -> None:
    for folder, name in (("one", "cat"), ("one", "dog"), ("two", "ant"), ("two", "dog")):
        write(tmp_path / folder / name / "0.png", (1, 2, 3))
    names, files = find_classes([tmp_path / "one", tmp_path / "two"])
    assert names == ("ant", "cat", "dog")
    assert sorted(label for _, label in files) == [0, 1, 2, 2]


def test_folders_without_classes_are_the_users_mistake(places: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"one class \(beach\)"):
        find_classes([places / "b"])
    with pytest.raises(ValueError, match=r"0\.png: lies in no class"):
        find_classes([places / "b" / "beach"])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_classes([tmp_path / "nowhere"])


def test_crops_carry_their_own_class(places: Path, caplog: pytest.LogCaptureFixture) -> None:
    names, files = find_classes([places])
    files[0][0].write_bytes(b"no picture")
    crops = LabelledPictures(files, size=16, seed=0)
    with caplog.at_level(logging.WARNING):
        for n in range(24):
            image, label = crops[n]
            assert (image.shape, image.dtype) == ((3, 16, 16), torch.uint8)
            assert int(image.flatten(1).float().mean(1).argmax()) == [0, 1, 2][label]
            assert names[label] == list(COLOURS)[label]
    assert [r.getMessage() for r in caplog.records] == [
        f"{files[0][0]}: not a readable picture; left out"
    ]


def test_crop_is_a_function_of_seed_and_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = []
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), rng.integers(0, 256, (40, 50, 3), np.uint8))
        files.append((tmp_path / f"{i}.png", i))
    first, again, other = (LabelledPictures(files, size=16, seed=s) for s in (0, 0, 1))
    samples = [first[n] for n in range(6)]
    assert (
        sorted(label for _, label in samples[:3])
        == sorted(label for _, label in samples[3:])
        == [0, 1, 2]
    )
    for n, (image, label) in reversed(list(enumerate(samples))):
        assert torch.equal(again[n][0], image)
        assert again[n][1] == label
        assert not torch.equal(other[n][0], image)


def classifier(places: Path, held_out: int = 3, size: int = 16) -> ClassifierTask:
    names, files = find_classes([places])
    network = PlacesVGG16BN(PlacesVGG16BNConfig(len(names), names, size), Tiny())
    return ClassifierTask(network, files[held_out:], files[:held_out], batch=4, learning_rate=0.01)


def test_batches_and_loss_by_hand(places: Path) -> None:
    task = classifier(places)
    pictures, labels = next(task.batches(0))
    assert (pictures.shape, pictures.dtype, labels.dtype) == (
        (4, 3, 16, 16),
        torch.uint8,
        torch.int64,
    )
    task.network.eval()
    terms = task.losses((pictures, labels))["network"]
    logits = task.network(pictures / 255)
    expected = -torch.stack(
        [logits[i].log_softmax(0)[label] for i, label in enumerate(labels.tolist())]
    ).mean()
    torch.testing.assert_close(terms["entropy"], expected)
    task.network.train()
    task.losses((pictures, labels))["network"]["entropy"].backward()
    # DistributedDataParallel waits for every gradient: none may be missing.
    assert [n for n, p in task.network.named_parameters() if p.grad is None] == []


class Fixed(nn.Module):
    """Logits by a picture's mean red level."""

    def __init__(self, rows: dict[int, list[float]]) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, image: Tensor) -> Tensor:
        return torch.tensor([self.rows[round(float(p[0].mean() * 255))] for p in image]).float()


def test_held_out_metrics_by_hand(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = {
        10: [9.0, 0, 0, 0, 0, 0, 0],
        20: [6, 5, 4, 3, 2, 1, 0],
        30: [6, 5, 4, 3, 2, 1, 0],
        40: [0, 1, 2, 3, 4, 5, 6],
    }
    labels = {10: 0, 20: 4, 30: 5, 40: 6}
    held_out = [
        (write(tmp_path / f"{red}.png", (red, 0, 0)), label) for red, label in labels.items()
    ]
    (tmp_path / "bad.png").write_bytes(b"no picture")
    task = ClassifierTask(
        PlacesVGG16BN(PlacesVGG16BNConfig(7, size=16), Tiny()),
        held_out,
        [*held_out, (tmp_path / "bad.png", 0)],
        batch=2,
        learning_rate=1,
    )
    with caplog.at_level(logging.WARNING):
        metrics = task.evaluate(Fixed(rows))
    assert (metrics["val_accuracy"], metrics["val_accuracy5"]) == (0.5, 0.75)
    entropies = [
        float(-torch.tensor(rows[red]).float().log_softmax(0)[label])
        for red, label in labels.items()
    ]
    assert metrics["val_loss"] == pytest.approx(sum(entropies) / 4, rel=1e-5)
    assert [r.getMessage() for r in caplog.records] == [
        f"{tmp_path / 'bad.png'}: not a readable picture; left out"
    ]
    task.held_out = [(tmp_path / "bad.png", 0)] * 17
    with pytest.raises(OSError, match="none of 17 held-out pictures"):
        task.evaluate(Fixed(rows))
    assert task.samples(Fixed(rows)) is None


@torch.no_grad()
def test_few_classes_are_all_among_the_first_five(places: Path) -> None:
    task = classifier(places)
    assert task.evaluate(task.network.eval())["val_accuracy5"] == 1


def test_learning_rate_rises_and_falls(places: Path) -> None:
    task = classifier(places)
    rates = []
    for share in (0, 0.02, 0.5, 1):
        task.set_progress(share)
        rates.append(task.optimizers["network"].param_groups[0]["lr"])
    assert rates == pytest.approx([0.0001, 0.01, 0.00505, 0.0001], rel=0.02)


@pytest.mark.parametrize(
    ("accuracies", "kept"), [([0.25, 0.75, 0.5], 2), ([0.5, 0.5, 0.25], 1), ([0.0, 0.0, 0.25], 3)]
)
def test_best_is_the_highest_accuracy_not_the_lowest_loss(
    accuracies: list[float],
    kept: int,
    places: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = classifier(places)
    figures = iter(
        [
            {"val_accuracy": a, "val_accuracy5": 1 - a, "val_loss": 9 - i}
            for i, a in enumerate(accuracies)
        ]
    )
    monkeypatch.setattr(task, "evaluate", lambda _: next(figures))
    engine.train(task, tmp_path / "run", engine.Run(steps=3, evaluate_every=1))
    assert weights_header(tmp_path / "run" / "best.safetensors")["step"] == str(kept)


def test_it_learns_what_is_easy(places: Path, tmp_path: Path) -> None:
    task = classifier(places)
    task.learning_rate = 0.05
    with torch.no_grad():
        before = task.evaluate(task.network.eval())["val_loss"]
    task.network.train()
    metrics = engine.train(task, tmp_path / "run", engine.Run(steps=40, average=0.0))
    assert metrics["val_accuracy"] == 1
    assert metrics["val_loss"] < before / 2


def test_resumed_run_equals_the_uninterrupted_one(places: Path, tmp_path: Path) -> None:
    for name, parts in (("whole", (4,)), ("parts", (2, 4))):
        for steps in parts:
            torch.manual_seed(0)
            task = classifier(places)
            # Runs of different lengths have different learning rates at the same step.
            task.set_progress = lambda share: None  # type: ignore[method-assign]
            engine.train(task, tmp_path / name, engine.Run(steps=steps))
    whole, parts_ = (
        torch.load(tmp_path / n / "checkpoint.pt", weights_only=True)["ema"]
        for n in ("whole", "parts")
    )
    assert all(torch.equal(whole[k], parts_[k]) for k in whole)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Both builders of the backbone return the tiny one; records which was called."""
    requested: list[str] = []

    def builder(name: str) -> object:
        def build() -> nn.Module:
            requested.append(name)
            return Tiny()

        return build

    for name in ("imagenet_backbone", "untrained_backbone"):
        monkeypatch.setattr(classifiers, name, builder(name))
    return requested


def command(places: Path, run: Path, *more: str) -> list[str]:
    here = [
        "--batch",
        "4",
        "--size",
        "16",
        "--held-out",
        "3",
        "--workers",
        "0",
        "--device",
        "cpu",
        "--precision",
        "32-true",
    ]
    return ["scene-classifier", "--images", str(places), "--run", str(run), *here, *more]


def test_train_resume_and_export(
    places: Path, tmp_path: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run, folder = tmp_path / "run", tmp_path / "classifier"
    assert main(command(places, run, "--steps", "2", "--every", "1")) == 0
    assert main(command(places, run, "--steps", "3", "--every", "1")) == 0
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [(r["step"], "entropy" in r, "val_accuracy" in r) for r in log] == [
        (1, True, False), (1, False, True), (2, True, False), (2, False, True), (3, True, False),
        (3, False, True),
    ]  # fmt: skip
    assert all(math.isfinite(v) for r in log for v in r.values())
    capsys.readouterr()
    assert main(command(places, run, "--steps", "3", "--export", str(folder))) == 0
    assert tiny == [
        "imagenet_backbone",
        "untrained_backbone",
        "untrained_backbone",
    ]  # only a new run needs ImageNet's weights

    path = Path(capsys.readouterr().out.strip())
    assert path.parent == folder
    network = load_classifier(path)
    assert isinstance(network, PlacesVGG16BN)
    assert network.config == PlacesVGG16BNConfig(3, tuple(COLOURS), 16)
    best = load_classifier(run / "best.safetensors")
    torch.testing.assert_close(network.head.weight, best.head.weight, rtol=1e-3, atol=1e-4)
    entry = json.loads((folder / "index.json").read_text())["scene-classifier"]
    assert (entry["file"], entry["network"], entry["config"]["names"]) == (
        path.name,
        "PlacesVGG16BN",
        list(COLOURS),
    )
    card = path.with_suffix(".md").read_text()
    assert f"train-inpainter scene-classifier --images {places.name} " in card
    assert str(places) not in card
    assert '"learning_rate": "0.001"' in card
    assert '"classes": "3"' in card
    assert "never train an inpainter" in card


def test_length_is_ten_epochs(
    places: Path, tmp_path: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(places, tmp_path / "run", "--every", "100")) == 0
    # Ten times nine pictures, four per step.
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 22


def test_class_without_a_picture_to_train_on_is_named(
    places: Path, tmp_path: Path, tiny: list[str], caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    with caplog.at_level(logging.WARNING):
        assert main([*command(places, tmp_path / "run", "--steps", "0"), "--held-out", "11"]) == 0
    warnings = [r.getMessage() for r in caplog.records if "set --held-out lower" in r.getMessage()]
    assert len(warnings) == 1
    assert sum(name in warnings[0] for name in COLOURS) == 2


def test_missing_pictures_or_weights_are_named_with_the_remedy(
    places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scene-classifier", "--run", str(tmp_path / "run")]) == 2
    assert "needs --images" in capsys.readouterr().err
    assert (
        main(command(places, tmp_path / "run", "--steps", "1")) == 2
    )  # the tests' cache is empty and they are offline
    assert (
        "put https://download.pytorch.org/models/vgg16_bn-6c64b313.pth into"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("model", "what"),
    [("compression", "pictures: --images DIR"), ("compact-segmenter", "--data: the folder below")],
)
def test_other_models_still_need_their_data(
    model: str, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([model, "--run", str(tmp_path / "run")]) == 2
    assert f"{model} needs {what}" in capsys.readouterr().err


def test_checkpoint_of_other_classes_is_named(
    places: Path, tmp_path: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(places, tmp_path / "run", "--steps", "1")) == 0
    write(places / "c" / "castle" / "0.png", (7, 7, 7))
    assert main(command(places, tmp_path / "run", "--steps", "2")) == 2
    assert "of another shape" in capsys.readouterr().err


def test_batch_of_a_step_counts_every_process(
    places: Path, tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    args = command(places, tmp_path / "run", "--accumulate", "2", "--devices", "2")
    assert make_task(parse(args))[1].batch == 16
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert make_task(parse(args))[1].batch == 24
