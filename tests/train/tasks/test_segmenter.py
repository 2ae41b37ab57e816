"""The distillation: crops with their labels, the beginning as the teacher, losses, what is counted and shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
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
from remove_objects.train.data import labelled
from remove_objects.train.data.labelled import (
    NOBODY,
    PALETTE,
    PERSON,
    VOID,
    LabelledCrops,
    read_pair,
)
from remove_objects.train.segmentation_metrics import (
    confusion,
    intersection_over_union,
    predict_labels,
)
from remove_objects.train.tasks import segmenter
from remove_objects.train.tasks.segmenter import Distillation, label_loss
from remove_objects.train.teacher import init_from_imagenet, init_from_teacher


def channels_last(conv: nn.Conv2d) -> tuple[int, ...]:
    """A convolution's shape as TensorFlow keeps it: (out, h, w, in), depthwise (1, h, w, channels)."""
    out, before, h, w = conv.weight.shape
    return (1, h, w, out) if conv.groups > 1 else (out, h, w, before)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Constants of a teacher of random numbers, under the names of TensorFlow's."""
    network, rng = CompactSegmenter(), np.random.default_rng(0)
    features, aspp = network.encoder.features, network.decoder.aspp[0]
    shapes = {"MobilenetV2|Conv": channels_last(features[0][0])}
    for i in range(17):
        block, key = features[i + 1].conv, "MobilenetV2|expanded_conv" + (f"_{i}" if i else "")
        if i:
            shapes[f"{key}|expand"] = channels_last(block[0][0])
        shapes[f"{key}|depthwise"] = channels_last(block[-3][0])
        shapes[f"{key}|project"] = channels_last(block[-2])
    shapes["aspp0"] = channels_last(aspp.convs[0][0])
    shapes["image_pooling"] = channels_last(aspp.convs[4][1])
    shapes["concat_projection"] = (256, 1, 1, 512)
    shapes["logits|semantic"] = (21, 1, 1, 256)
    constants = {}
    for key, shape in shapes.items():
        spread = np.sqrt(2 / (np.prod(shape[1:3]) if shape[0] == 1 else np.prod(shape[1:])))
        constants[f"{key}|weights_quant|FakeQuant"] = (rng.standard_normal(shape) * spread).astype(
            np.float32
        )
        bias = (
            "logits|semantic|biases" if key == "logits|semantic" else f"{key}|BatchNorm_Fold|bias"
        )
        constants[bias] = (
            rng.standard_normal(shape[3] if shape[0] == 1 else shape[0]).astype(np.float32) / 10
        )
    path = tmp_path_factory.mktemp("teacher") / "teacher.npz"
    np.savez(path, **constants)
    return path


@pytest.fixture(scope="module")
def student(teacher: Path) -> CompactSegmenter:
    network = CompactSegmenter()
    init_from_teacher(network, teacher)
    return network


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A dark photo with a bright person in its left third, and the label."""
    photo, label = np.full((40, 60, 3), 40, np.uint8), np.zeros((40, 60), np.uint8)
    photo[:, :20], label[:, :20] = 200, 15
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    cv2.imwrite(str(tmp_path / "label.png"), label)
    return tmp_path / "photo.png", tmp_path / "label.png"


def test_crop_lies_on_its_label(pair: tuple[Path, Path]) -> None:
    crops = LabelledCrops([pair], size=64, seed=0)
    left, right, widths = 0, 0, set()
    for n in range(20):
        image, label = crops[n]
        assert (image.shape, image.dtype) == ((3, 64, 64), torch.uint8)
        assert (label.shape, label.dtype) == ((64, 64), torch.uint8)
        assert set(label.unique().tolist()) <= {0, 15}
        assert (
            (image[0] > 120) == (label == 15)
        ).float().mean() > 0.95  # but for the border between them
        place = (label == 15).nonzero()[:, 1].float()
        other = (label == 0).nonzero()[:, 1].float()
        if len(place) and len(other):
            left, right = (
                left + int(place.mean() < other.mean()),
                right + int(place.mean() > other.mean()),
            )
        assert (
            int(((label[0, 1:] == 15) != (label[0, :-1] == 15)).sum()) <= 1
        )  # nothing beside itself
        widths.add(int((label[0] == 15).sum()))
    assert min(left, right) > 2  # mirrored or not
    assert len(widths) > 5  # at many places
    # The person is 20 of 40 pixels' height wide: at most 64 / 0.7 / 2 here.
    assert max(widths) <= 46


def test_crops_of_a_square_photo_are_as_large_as_the_photo_or_closer(tmp_path: Path) -> None:
    label = np.zeros((40, 40), np.uint8)
    label[10:30, 10:30] = 15
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((40, 40, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "label.png"), label)
    crops = LabelledCrops([(tmp_path / "photo.png", tmp_path / "label.png")], size=80, seed=0)
    labels = [crops[n][1] for n in range(40)]
    whole = [label for label in labels if not label[[0, -1]].any() and not label[:, [0, -1]].any()]
    sides = [int(label.any(0).sum()) for label in whole]
    assert 40 <= min(sides) < 42
    assert 52 < max(sides) <= 80 / 2 / labelled.CLOSEST + 1


def test_where_only_people_are_named_nothing_is_said_of_other_things(
    pair: tuple[Path, Path],
) -> None:
    named, unnamed = (
        LabelledCrops([pair], size=65, seed=0, people_only=only) for only in ((), (pair[0].parent,))
    )
    for n in range(4):
        image, label = named[n]
        assert torch.equal(image, unnamed[n][0])
        assert torch.equal(torch.where(label == 0, NOBODY, label), unnamed[n][1])


def test_label_loss_by_hand() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 21, 3, 3) * 4
    probabilities = F.interpolate(logits, size=(9, 9), mode="bilinear", align_corners=True)[
        0
    ].softmax(0)
    label = torch.full((1, 9, 9), 7)
    label[0, 2], label[0, 4:] = NOBODY, VOID
    surprise = torch.cat(
        [-probabilities[7, [0, 1, 3]].log().flatten(), -(1 - probabilities[PERSON, 2]).log()]
    )
    assert float(label_loss(logits, label)) == pytest.approx(float(surprise.mean()), rel=1e-4)
    # Whatever else is there is not pushed from its place.
    logits.requires_grad_()
    label_loss(logits, torch.full((1, 9, 9), NOBODY)).backward()
    assert logits.grad is not None
    assert (logits.grad[:, PERSON] > 0).all()
    assert (logits.grad[:, :PERSON] < 0).all()
    assert float(label_loss(logits, torch.full((1, 9, 9), VOID)).detach()) == 0


def test_sample_is_a_function_of_seed_and_number(pair: tuple[Path, Path]) -> None:
    first, again, other = (LabelledCrops([pair] * 3, size=33, seed=s) for s in (0, 0, 1))
    found = [first[n] for n in range(4)]
    for n, (image, label) in reversed(list(enumerate(found))):
        assert torch.equal(again[n][0], image)
        assert torch.equal(again[n][1], label)
        assert not torch.equal(other[n][0], image)
    assert len({image.numpy().tobytes() for image, _ in found}) == 4


def test_every_file_once_an_epoch(pair: tuple[Path, Path], tmp_path: Path) -> None:
    files: list[tuple[Path, Path | None]] = []
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((40, 60), i, np.uint8))
        files.append((pair[0], tmp_path / f"{i}.png"))
    crops = LabelledCrops(files, size=17, seed=0)
    seen = [int(crops[n][1].min()) for n in range(18)]
    epochs = [seen[i : i + 3] for i in range(0, 18, 3)]
    assert all(sorted(e) == [0, 1, 2] for e in epochs)
    assert len({tuple(e) for e in epochs}) > 1


def test_photo_without_a_label_is_void(pair: tuple[Path, Path]) -> None:
    assert (LabelledCrops([(pair[0], None)], size=33, seed=0)[0][1] == VOID).all()
    image, label = read_pair(pair[0], None)
    assert image.shape == (40, 60, 3)
    assert (label == np.full((40, 60), VOID)).all()


def test_label_that_cannot_be_one_is_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"photo\.png: expected one channel of class ids"):
        read_pair(pair[0], pair[0])
    with pytest.raises(OSError, match=r"none\.png: not a readable label"):
        read_pair(pair[0], tmp_path / "none.png")


def test_palette_is_pascal_vocs() -> None:
    assert PALETTE.shape == (256, 3)
    assert PALETTE.dtype == np.uint8
    assert PALETTE[:4].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert PALETTE[15].tolist() == [192, 128, 128]
    assert PALETTE[255].tolist() == [224, 224, 192]
    assert len({tuple(c) for c in PALETTE[:21].tolist()}) == 21


@torch.no_grad()
def test_student_begins_as_the_teacher(teacher: Path, student: CompactSegmenter) -> None:
    constants = np.load(teacher)

    def dense(key: str, x: Tensor) -> Tensor:
        bias = (
            "logits|semantic|biases" if key == "logits|semantic" else f"{key}|BatchNorm_Fold|bias"
        )
        weight = torch.from_numpy(constants[f"{key}|weights_quant|FakeQuant"]).permute(0, 3, 1, 2)
        return F.conv2d(x, weight, torch.from_numpy(constants[bias]))

    student.eval()
    image = torch.rand(1, 3, 65, 65) * 2 - 1
    deep = student.encoder(image)[1]
    # The teacher's head by hand: one convolution, the mean of all places, together through another, the classes.
    pooled = (
        dense("image_pooling", deep.mean((2, 3), keepdim=True))
        .relu()
        .expand(-1, -1, *deep.shape[-2:])
    )
    joined = dense(
        "concat_projection", torch.cat([pooled, dense("aspp0", deep).relu()], dim=1)
    ).relu()
    fine = F.interpolate(joined, size=(17, 17), mode="bilinear", align_corners=True)
    torch.testing.assert_close(student(image), dense("logits|semantic", fine), rtol=1e-3, atol=1e-4)
    first = torch.from_numpy(constants["MobilenetV2|Conv|weights_quant|FakeQuant"]).permute(
        0, 3, 1, 2
    )
    expected = F.conv2d(
        image, first, torch.from_numpy(constants["MobilenetV2|Conv|BatchNorm_Fold|bias"]), 2, 1
    ).clamp(0, 6)
    torch.testing.assert_close(student.encoder.features[0](image), expected, rtol=1e-3, atol=1e-4)


def distillation(student: CompactSegmenter, data: Path, held_out: int = 1) -> Distillation:
    task = Distillation(
        student, data, batch=2, size=33, learning_rate=1e-3, seed=0, held_out=held_out
    )
    task.prepare(Fabric(accelerator="cpu", devices=1))
    return task


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """The student sees what the teacher sees."""
    monkeypatch.setattr(segmenter, "FULL_SIZE_EVERY", 1)


@pytest.mark.usefixtures("near")
def test_losses_by_hand(student: CompactSegmenter, data: Path) -> None:
    task = distillation(student, data)
    image = torch.randint(0, 256, (2, 3, 33, 33), dtype=torch.uint8)
    label = torch.full((2, 33, 33), VOID, dtype=torch.uint8)
    label[0, :15], label[1, 20:, 20:] = 15, 3
    found = task.losses((image, label))["network"]
    photo = image.float() / 127.5 - 1
    side = CompactSegmenter.legal_size(round(33 * segmenter.SECOND_SCALE))
    nearer = F.interpolate(photo.flip(3), size=(side, side), mode="bilinear")
    with torch.no_grad():  # the student is still the teacher
        seen = student(photo)
        looks = [
            seen.softmax(1),
            F.adaptive_avg_pool2d(student(nearer).softmax(1).flip(3), seen.shape[2:]),
        ]
        distance = F.kl_div(seen.log_softmax(1), sum(looks) / 2, reduction="none").sum(1)  # type: ignore[arg-type]
        thing = F.adaptive_avg_pool2d((label < 21).float()[:, None], seen.shape[2:])[:, 0]
        assert float(found["soft"].detach()) == pytest.approx(
            float((distance * (1 - thing)).mean()), rel=1e-3
        )
        logits = F.interpolate(
            student(image.float() / 127.5 - 1), size=(33, 33), mode="bilinear", align_corners=True
        )
    surprise = -logits.log_softmax(1)
    expected = torch.cat(
        [surprise[0, 15, :15].flatten(), surprise[1, 3, 20:, 20:].flatten()]
    ).mean()
    assert float(found["hard"].detach()) == pytest.approx(0.3 * float(expected), rel=1e-3)
    few = torch.full_like(label, VOID)
    few[0, 0, 0] = 15  # a pixel alone does not weigh as much as a picture
    expected = surprise[0, 15, 0, 0] / (2 * 33 * 33 // 4)
    assert float(task.losses((image, few))["network"]["hard"].detach()) == pytest.approx(
        0.3 * float(expected), rel=1e-3
    )
    nothing = task.losses((image, torch.full_like(label, VOID)))["network"]
    assert float(nothing["hard"].detach()) == 0


def test_the_student_sees_from_afar_what_the_teacher_sees_from_near(
    student: CompactSegmenter, data: Path
) -> None:
    task, sizes = distillation(student, data), []
    torch.manual_seed(3)
    image = (
        F.interpolate(torch.rand(1, 3, 5, 5), size=(97, 97), mode="bilinear") * 2 - 1
    )  # coarse: as good from afar
    for _ in range(60):
        seen = task._reduce(image)
        assert seen.shape[2] == seen.shape[3] == CompactSegmenter.legal_size(seen.shape[3])
        assert (
            float((F.interpolate(seen, size=(97, 97), mode="bilinear") - image).abs().mean()) < 0.1
        )
        sizes.append(seen.shape[3])
    assert min(sizes) == CompactSegmenter.legal_size(round(97 * segmenter.SMALLEST_SCALE))
    assert 10 < sizes.count(97) < 50  # as near, or hardly smaller: sizes are 16 k + 1
    assert len(set(sizes)) > 3
    task.teacher.head.bias.data[15] += 3  # type: ignore[union-attr,operator]
    batch = (
        torch.randint(0, 256, (1, 3, 97, 97), dtype=torch.uint8),
        torch.full((1, 97, 97), VOID, dtype=torch.uint8),
    )
    for _ in range(4):
        assert float(task.losses(batch)["network"]["soft"].detach()) > 0.001


@pytest.mark.usefixtures("near")
def test_the_teacher_has_nothing_to_say_of_labelled_objects(
    student: CompactSegmenter, data: Path
) -> None:
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
    assert all(label is None for _, label in task.crops.files)  # the teacher answers for them


def test_held_out_photos_are_looked_at_near_and_far(
    student: CompactSegmenter, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = distillation(student, data)
    truth = read_pair(*task.held_out[0])[1]
    right = {segmenter.NEAR: 1.0, segmenter.FAR: 0.5}  # of the rows, from the top

    def predict(_: nn.Module, image: np.ndarray, longest: int, _device: object) -> np.ndarray:
        found = truth.copy()
        found[round(len(truth) * right[longest]) :] = 7
        return found

    monkeypatch.setattr(segmenter, "predict_labels", predict)
    figures = task.evaluate(student)
    assert figures["val_near_mean"] == 1
    assert figures["val_far_mean"] == pytest.approx(0.5, abs=0.05)
    assert figures["val_mean"] == pytest.approx((1 + figures["val_far_mean"]) / 2)


def test_a_bicycle_beside_a_labelled_person_is_no_mistake(
    student: CompactSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = np.zeros((40, 60), np.uint8)
    person[:, :20] = PERSON
    found = person.copy()
    found[:20, 30:] = 2
    monkeypatch.setattr(segmenter, "predict_labels", lambda *_: found.copy())
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
    found[30:, 30:] = PERSON  # but a person where there is none is one
    assert distillation(student, tmp_path / "human").evaluate(student)["val_near_person"] < 1


@torch.no_grad()
def test_samples_show_photo_found_and_labelled(student: CompactSegmenter, data: Path) -> None:
    task = distillation(student, data)
    grid = task.samples(student.eval())
    assert grid is not None
    assert (grid.shape, grid.dtype) == ((192, 768, 3), np.uint8)
    image, label = read_pair(*task.held_out[0])
    found = predict_labels(student, image, 513)
    assert (found.shape, found.dtype) == (image.shape[:2], np.uint8)
    for i, expected in enumerate((image, PALETTE[found], PALETTE[label])):
        assert np.array_equal(grid[:, 256 * i : 256 * (i + 1)], cv2.resize(expected, (256, 192)))
    assert distillation(student, data, held_out=0).samples(student) is None


def test_confusion_leaves_void_out() -> None:
    truth, found = np.array([[0, 15, 15, 255]], np.uint8), np.array([[0, 15, 0, 15]], np.uint8)
    counts = confusion(found, truth)
    assert counts.shape == (21, 21)
    assert counts.sum() == 3
    assert (counts[0, 0], counts[15, 15], counts[15, 0], counts[0, 15]) == (1, 1, 1, 0)


def test_intersection_over_union_by_hand() -> None:
    counts = np.zeros((21, 21), np.int64)
    counts[0, 0], counts[0, 15], counts[15, 15], counts[15, 0], counts[0, 8] = 6, 1, 2, 1, 3
    figures = intersection_over_union(counts)
    assert set(figures) == {"background", "person", "mean"}  # cat was found but is not in the truth
    assert figures["background"] == pytest.approx(6 / 11)
    assert figures["person"] == pytest.approx(2 / 4)
    assert figures["mean"] == pytest.approx((6 / 11 + 0.5) / 2)


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
    assert card.count(f" --init-from {path.name}") == 2


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[nn.Module]:
    """The encoder that smp publishes, with random numbers in it: nothing is downloaded."""
    torch.manual_seed(0)
    encoder = encoders.get_encoder("mobilenet_v2", weights=None)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    monkeypatch.delenv("REMOVE_OBJECTS_OFFLINE", raising=False)
    with monkeypatch.context() as patched:
        patched.setattr(
            encoders,
            "get_encoder",
            lambda name, weights: {("mobilenet_v2", "imagenet"): encoder}[name, weights],
        )
        # Read from the network too.
        settings = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
        patched.setattr(encoders, "get_preprocessing_params", lambda name, weights: settings)
        yield encoder.eval()


@torch.no_grad()
def test_the_encoder_from_imagenet_sees_what_it_learned_to_see(published: nn.Module) -> None:
    network = CompactSegmenter()
    init_from_imagenet(network)
    network.eval()
    rgb = torch.rand(1, 3, 65, 65)
    settings = encoders.get_preprocessing_params("mobilenet_v2", "imagenet")
    mean, std = (torch.tensor(settings[k])[:, None, None] for k in ("mean", "std"))
    ours = network.encoder.features[:4](rgb * 2 - 1)
    theirs = published.features[:4]((rgb - mean) / std)  # type: ignore[index]
    # Beyond its edge a photo is grey to the one and ImageNet's mean to the other.
    torch.testing.assert_close(ours[..., 3:-3, 3:-3], theirs[..., 3:-3, 3:-3], rtol=1e-3, atol=1e-3)


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


def test_an_encoder_that_cannot_be_had_is_an_error_with_its_remedy(
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
