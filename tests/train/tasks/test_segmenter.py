"""The distillation: its losses, the student's smaller view, held-out metrics, the whole command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from segmentation_models_pytorch import encoders
from torch import Tensor, nn

from remove_objects.models.checkpoint import load_weights
from remove_objects.models.segmenter import CompactSegmenter
from remove_objects.train.cli import main
from remove_objects.train.data.labelled import (
    NOT_PERSON,
    PALETTE,
    PERSON,
    VOID,
    read_pair,
)
from remove_objects.train.segmentation_metrics import (
    predict_labels,
)
from remove_objects.train.tasks import segmenter
from remove_objects.train.tasks.segmenter import Distillation, label_loss
from remove_objects.train.teacher import init_from_imagenet


def test_label_loss_by_hand() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 21, 3, 3) * 4
    probabilities = F.interpolate(logits, size=(9, 9), mode="bilinear", align_corners=True)[
        0
    ].softmax(0)
    label = torch.full((1, 9, 9), 7)
    label[0, 2], label[0, 4:] = NOT_PERSON, VOID
    surprise = torch.cat(
        [-probabilities[7, [0, 1, 3]].log().flatten(), -(1 - probabilities[PERSON, 2]).log()]
    )
    assert float(label_loss(logits, label)) == pytest.approx(float(surprise.mean()), rel=1e-4)
    # The other classes are not pushed down.
    logits.requires_grad_()
    label_loss(logits, torch.full((1, 9, 9), NOT_PERSON)).backward()
    assert logits.grad is not None
    assert (logits.grad[:, PERSON] > 0).all()
    assert (logits.grad[:, :PERSON] < 0).all()
    assert float(label_loss(logits, torch.full((1, 9, 9), VOID)).detach()) == 0


def distillation(student: CompactSegmenter, data: Path, held_out: int = 1) -> Distillation:
    task = Distillation(
        student, data, batch=2, size=33, learning_rate=1e-3, seed=0, held_out=held_out
    )
    task.prepare(Fabric(accelerator="cpu", devices=1))
    return task


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """The student sees the teacher's size."""
    monkeypatch.setattr(segmenter, "FULL_SIZE_EVERY", 1)


@pytest.mark.usefixtures("near")
def test_losses_by_hand(student: CompactSegmenter, data: Path) -> None:
    task = distillation(student, data)
    image = torch.randint(0, 256, (2, 3, 33, 33), dtype=torch.uint8)
    label = torch.full((2, 33, 33), VOID, dtype=torch.uint8)
    label[0, :15], label[1, 20:, 20:] = 15, 3
    terms = task.losses((image, label))["network"]
    photo = image.float() / 127.5 - 1
    side = CompactSegmenter.legal_size(round(33 * segmenter.SECOND_SCALE))
    nearer = F.interpolate(photo.flip(3), size=(side, side), mode="bilinear")
    with torch.no_grad():  # the student still equals the teacher
        seen = student(photo)
        looks = [
            seen.softmax(1),
            F.adaptive_avg_pool2d(student(nearer).softmax(1).flip(3), seen.shape[2:]),
        ]
        distance = F.kl_div(seen.log_softmax(1), sum(looks) / 2, reduction="none").sum(1)  # type: ignore[arg-type]
        thing = F.adaptive_avg_pool2d((label < 21).float()[:, None], seen.shape[2:])[:, 0]
        assert float(terms["soft"].detach()) == pytest.approx(
            float((distance * (1 - thing)).mean()), rel=1e-3
        )
        logits = F.interpolate(
            student(image.float() / 127.5 - 1), size=(33, 33), mode="bilinear", align_corners=True
        )
    surprise = -logits.log_softmax(1)
    expected = torch.cat(
        [surprise[0, 15, :15].flatten(), surprise[1, 3, 20:, 20:].flatten()]
    ).mean()
    assert float(terms["hard"].detach()) == pytest.approx(0.3 * float(expected), rel=1e-3)
    few = torch.full_like(label, VOID)
    few[0, 0, 0] = 15  # one pixel does not weigh as much as a picture
    expected = surprise[0, 15, 0, 0] / (2 * 33 * 33 // 4)
    assert float(task.losses((image, few))["network"]["hard"].detach()) == pytest.approx(
        0.3 * float(expected), rel=1e-3
    )
    nothing = task.losses((image, torch.full_like(label, VOID)))["network"]
    assert float(nothing["hard"].detach()) == 0


def test_the_student_sees_a_smaller_picture_than_the_teacher(
    student: CompactSegmenter, data: Path
) -> None:
    task, sizes = distillation(student, data), []
    torch.manual_seed(3)
    image = (
        F.interpolate(torch.rand(1, 3, 5, 5), size=(97, 97), mode="bilinear") * 2 - 1
    )  # coarse, so that a reduced copy is as good
    for _ in range(60):
        seen = task._reduce(image)
        assert seen.shape[2] == seen.shape[3] == CompactSegmenter.legal_size(seen.shape[3])
        assert (
            float((F.interpolate(seen, size=(97, 97), mode="bilinear") - image).abs().mean()) < 0.1
        )
        sizes.append(seen.shape[3])
    assert min(sizes) == CompactSegmenter.legal_size(round(97 * segmenter.SMALLEST_SCALE))
    assert 10 < sizes.count(97) < 50  # full size, or rounded to it: sizes are 16 k + 1
    assert len(set(sizes)) > 3
    task.teacher.head.bias.data[15] += 3  # type: ignore[union-attr,operator]
    batch = (
        torch.randint(0, 256, (1, 3, 97, 97), dtype=torch.uint8),
        torch.full((1, 97, 97), VOID, dtype=torch.uint8),
    )
    for _ in range(4):
        assert float(task.losses(batch)["network"]["soft"].detach()) > 0.001


@pytest.mark.usefixtures("near")
def test_the_teacher_has_no_say_on_labelled_objects(student: CompactSegmenter, data: Path) -> None:
    task = distillation(student, data)
    with torch.no_grad():
        task.teacher.head.bias[15] += 3  # type: ignore[union-attr,index,operator]
    image = torch.randint(0, 256, (1, 3, 33, 33), dtype=torch.uint8)
    label = torch.zeros(1, 33, 33, dtype=torch.uint8)

    def soft(label: Tensor) -> float:
        return float(task.losses((image, label))["network"]["soft"].detach())

    whole = soft(label)
    assert whole > 0.01
    assert soft(torch.full_like(label, VOID)) == pytest.approx(whole)
    assert soft(torch.full_like(label, 12)) == 0
    label[:, :16] = 12
    assert 0.2 * whole < soft(label) < 0.8 * whole


@pytest.mark.usefixtures("near")
def test_every_parameter_learns(student: CompactSegmenter, data: Path) -> None:
    task = distillation(student, data)
    torch.stack(list(task.losses(next(task.batches(0)))["network"].values())).sum().backward()
    # DistributedDataParallel waits for every gradient: none may be missing.
    assert [n for n, p in student.named_parameters() if p.grad is None] == []
    student.zero_grad()


def test_held_out_photos_are_labelled_and_never_trained_on(
    student: CompactSegmenter, data: Path
) -> None:
    task = distillation(student, data)
    folder = data / "segmentation" / "voc_train"
    assert task.held_out == [(folder / "images" / "0.png", folder / "labels" / "0.png")]
    assert sorted(task.crops.files) == [(folder / "images" / f"{i}.png", None) for i in (1, 2)]
    with pytest.raises(FileNotFoundError, match="segmentation/voc_train"):
        distillation(student, data / "nowhere")


def test_nothing_is_cut_out_of_held_out_photos(
    student: CompactSegmenter, data: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(data, tmp_path / "data")
    folder = data / "segmentation" / "voc_train"
    for i in (1, 2):
        shutil.copy(folder / "labels" / "0.png", folder / "labels" / f"{i}.png")
    task = distillation(student, data)
    assert task.crops.copy_paste is not None
    (group,) = task.crops.copy_paste.groups
    assert not set(group) & set(task.held_out)
    assert {photo for photo, _ in group} == {photo for photo, _ in task.crops.files}
    assert len(group) == 2
    assert all(label is None for _, label in task.crops.files)  # the teacher labels them


def test_held_out_photos_are_evaluated_near_and_far(
    student: CompactSegmenter, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = distillation(student, data)
    truth = read_pair(*task.held_out[0])[1]
    right = {segmenter.NEAR: 1.0, segmenter.FAR: 0.5}  # of the rows, from the top

    def predict(_: nn.Module, image: np.ndarray, longest: int, _device: object) -> np.ndarray:
        predicted = truth.copy()
        predicted[round(len(truth) * right[longest]) :] = 7
        return predicted

    monkeypatch.setattr(segmenter, "predict_labels", predict)
    figures = task.evaluate(student)
    assert figures["val_near_mean"] == 1
    assert figures["val_far_mean"] == pytest.approx(0.5, abs=0.05)
    assert figures["val_mean"] == pytest.approx((1 + figures["val_far_mean"]) / 2)


def test_a_bicycle_beside_a_labelled_person_is_not_a_mistake(
    student: CompactSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = np.zeros((40, 60), np.uint8)
    person[:, :20] = PERSON
    predicted = person.copy()
    predicted[:20, 30:] = 2
    monkeypatch.setattr(segmenter, "predict_labels", lambda *_: predicted.copy())
    figures = {}
    for name in ("human", "voc_train"):
        folder = tmp_path / name / "segmentation" / name
        (folder / "images").mkdir(parents=True)
        (folder / "labels").mkdir()
        for i in range(2):
            cv2.imwrite(str(folder / "images" / f"{i}.png"), np.zeros((40, 60, 3), np.uint8))
            cv2.imwrite(str(folder / "labels" / f"{i}.png"), person)
        figures[name] = distillation(student, tmp_path / name).evaluate(student)
    assert figures["human"]["val_near_mean"] == 1
    assert figures["voc_train"]["val_near_mean"] < 1
    predicted[30:, 30:] = PERSON  # but a person where the label has none is a mistake
    assert distillation(student, tmp_path / "human").evaluate(student)["val_near_person"] < 1


@torch.no_grad()
def test_samples_show_photo_prediction_and_label(student: CompactSegmenter, data: Path) -> None:
    task = distillation(student, data)
    grid = task.samples(student.eval())
    assert grid is not None
    assert (grid.shape, grid.dtype) == ((192, 768, 3), np.uint8)
    image, label = read_pair(*task.held_out[0])
    predicted = predict_labels(student, image, 513)
    assert (predicted.shape, predicted.dtype) == (image.shape[:2], np.uint8)
    for i, expected in enumerate((image, PALETTE[predicted], PALETTE[label])):
        assert np.array_equal(grid[:, 256 * i : 256 * (i + 1)], cv2.resize(expected, (256, 192)))
    assert distillation(student, data, held_out=0).samples(student) is None


def test_train_and_export(
    teacher: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    command = [
        "compact-segmenter",
        "--data",
        str(data),
        "--run",
        str(run),
        "--encoder",
        str(teacher),
        "--held-out",
        "1",
    ]
    command += [
        "--batch",
        "2",
        "--size",
        "33",
        "--steps",
        "1",
        "--every",
        "1",
        "--workers",
        "0",
        "--device",
        "cpu",
    ]
    assert main(command) == 0
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert rows[0].keys() >= {"hard", "soft"}
    assert rows[1].keys() >= {"val_mean", "val_near_person", "val_far_person"}
    assert (run / "samples" / "0000001.png").exists()
    capsys.readouterr()
    assert main([*command, "--export", str(tmp_path / "weights")]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert load_weights(path, CompactSegmenter).config == CompactSegmenter().config
    entry = json.loads((tmp_path / "weights" / "index.json").read_text())["compact-segmenter"]
    assert entry["categories"][15] == "person"
    assert "1 steps of batch 2" in path.with_suffix(".md").read_text()
    again = [*command, "--run", str(tmp_path / "again"), "--init-from", str(path)]
    assert main(again) == 0
    assert main([*again, "--export", str(tmp_path / "more weights")]) == 0
    card = next((tmp_path / "more weights").glob("*.md")).read_text()
    assert card.count(f" --init-from {path.name}") == 1
    assert f"It started from `{path.name}`" in card


def test_without_a_teacher_labels_alone_teach_and_batch_norm_follows(
    published: nn.Module, data: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(data, tmp_path / "data")
    folder = data / "segmentation" / "voc_train"
    for i in (1, 2):
        label = np.zeros(read_pair(folder / "images" / f"{i}.png", None)[0].shape[:2], np.uint8)
        label[:, : 10 * i] = 15
        cv2.imwrite(str(folder / "labels" / f"{i}.png"), label)
    network = CompactSegmenter()
    init_from_imagenet(network)
    (data / "scenes" / "train").mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(data / "scenes" / "train" / "unlabelled.jpg"), np.zeros((40, 60, 3), np.uint8))
    task = Distillation(
        network, data, batch=2, size=33, learning_rate=1e-3, seed=0, held_out=1, teacher=False
    )
    task.prepare(Fabric(accelerator="cpu", devices=1))
    seen = [image.name for image, _ in task.crops.files + task.held_out]
    assert sorted(seen) == ["0.png", "1.png", "2.png"]
    before = network.head.weight.detach().clone(), network.decoder.block1[1].running_mean.clone()
    losses = task.losses(next(task.batches(0)))["network"]
    assert losses.keys() == {"hard"}
    losses["hard"].backward()
    task.optimizers["network"].step()
    assert not torch.equal(network.head.weight, before[0])
    assert not torch.equal(network.decoder.block1[1].running_mean, before[1])
    with pytest.raises(ValueError, match="batch of 2"):
        Distillation(
            network, data, batch=1, size=33, learning_rate=1e-3, seed=0, held_out=1, teacher=False
        )

    command = [
        "compact-segmenter",
        "--data",
        str(data),
        "--run",
        str(tmp_path / "run"),
        "--held-out",
        "1",
        "--device",
        "cpu",
    ]
    command += ["--batch", "2", "--size", "33", "--steps", "1", "--every", "1", "--workers", "0"]
    assert main(command) == 0
    assert main([*command, "--export", str(tmp_path / "weights")]) == 0
    assert '"encoder": "imagenet"' in next((tmp_path / "weights").glob("*.md")).read_text()


def test_an_unavailable_encoder_is_an_error_with_its_remedy(
    published: nn.Module,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["compact-segmenter", "--data", str(data), "--run", str(tmp_path / "run")]

    def no_way(name: str, weights: str) -> nn.Module:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(encoders, "get_encoder", no_way)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "no route to host" in error
    assert "--encoder FILE.npz" in error
    monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *args, **kwargs: None)
    assert main(command) == 2
    assert "not cached, and the network is not to be used" in capsys.readouterr().err
