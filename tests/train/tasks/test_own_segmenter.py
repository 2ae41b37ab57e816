"""A segmenter of own classes: trained from a folder, saved as smp does, and used."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from remove_objects.models import own_segmenter
from remove_objects.train import cli
from remove_objects.train.request import PLACEHOLDER
from remove_objects.train.tasks.own_segmenter import dice_loss

#: A net of a few thousand weights that learns a flat colour in seconds.
TINY = (
    *("--arch", "fpn", "--encoder", "mobilenet_v2", "--size", "64", "--batch", "4"),
    *("--held-out", "2", "--workers", "0", "--device", "cpu", "--precision", "32-true"),
)


def photos(folder: Path, count: int = 8, size: int = 96) -> tuple[Path, Path]:
    """Noise with a red and a blue square, and their labels."""
    rng = np.random.default_rng(0)
    for n in range(count):
        photo = rng.integers(60, 120, (size, size, 3), np.uint8)
        label = np.zeros((size, size), np.uint8)
        for number, colour in ((1, (230, 20, 20)), (2, (20, 20, 230))):
            y, x = (int(v) for v in rng.integers(0, size - 30, 2))
            photo[y : y + 24, x : x + 24] = colour
            label[y : y + 24, x : x + 24] = number
        for name, picture in (("images", photo), ("labels", label)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / name / f"{n}.png")
    return folder / "images", folder / "labels"


def command(images: Path, labels: Path, run: Path, *more: str) -> list[str]:
    return [
        *("segmenter", "--images", str(images), "--labels", str(labels)),
        *("--classes", "red,blue", "--run", str(run), *TINY, *more),
    ]


@pytest.mark.slow
def test_a_run_is_saved_as_smp_does_resumes_and_is_exported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture
) -> None:
    import segmentation_models_pytorch as smp

    caplog.set_level(logging.INFO)
    images, labels = photos(tmp_path)
    run = tmp_path / "run"
    assert cli.main(command(images, labels, run, "--steps", "2", "--every", "1")) == 0
    assert "6 photos to train on: the encoder keeps its weights" in caplog.text
    assert "that of the bundled compact segmenter" in caplog.text
    told = capsys.readouterr().out.splitlines()
    assert str(run / "model") in told[-2]
    assert told[-1] == (
        f"next: remove-objects --segmenter compact,{run / 'model'} --class red,blue {images}"
    )
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {"val_iou_red", "val_iou_blue", "val_mean"} <= set(rows[-1])
    model = own_segmenter.read_model(run / "model")
    assert (model.classes, model.exclusive, model.architecture) == (("red", "blue"), True, "FPN")
    assert model.normalisation == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    ours = own_segmenter.load_model(model).network
    plain = smp.from_pretrained(run / "model").eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(ours(picture), plain(picture))
    before = {k: v.clone() for k, v in ours.encoder.state_dict().items()}
    assert cli.main(command(images, labels, run, "--steps", "4", "--every", "1")) == 0
    assert "resumed at step 2" in caplog.text
    again = own_segmenter.load_model(own_segmenter.read_model(run / "model")).network
    # The encoder is frozen but for the convolution that the compact segmenter does not have.
    frozen = {k for k in before if not k.startswith("features.18.")}
    assert all(torch.equal(again.encoder.state_dict()[k], before[k]) for k in frozen)
    exported = tmp_path / "exported"
    assert cli.main(command(images, labels, run, "--export", str(exported))) == 0
    card = exported / "README.md"
    assert PLACEHOLDER in card.read_text()
    assert "license" not in card.read_text(), "nobody but its owner knows the model's licence"
    assert f"say in {card} whose the pictures are" in caplog.text
    terms = ["--export", str(exported), "--terms", "my own photos, CC BY 4.0"]
    assert cli.main(command(images, labels, run, *terms)) == 0
    assert "my own photos, CC BY 4.0" in card.read_text()
    assert PLACEHOLDER not in card.read_text()
    used = f"next: remove-objects --segmenter compact,{exported} --class red,blue {images}"
    assert used in caplog.text
    assert (exported / "model.safetensors").read_bytes() == (
        run / "model" / "model.safetensors"
    ).read_bytes()
    (exported / "config.json").write_text('{"_model_class": "Unet"}')
    assert cli.main(command(images, labels, run, "--export", str(exported))) == 2
    capsys.readouterr()
    assert cli.main(command(images, labels, run, "--export", str(run / "model"))) == 2
    assert "the run's own model is there already; name another" in capsys.readouterr().err
    other = ["edsr", "--images", str(images), "--run", str(run), "--device", "cpu"]
    assert cli.main([*other, "--workers", "0", "--size", "32"]) == 2
    assert f"{run}: holds a run of segmenter; name another --run" in capsys.readouterr().err
    with pytest.raises(own_segmenter.OwnModelError, match=r"a run's folder; its model is .*model"):
        own_segmenter.read_model(run)
    mine = tmp_path / "mine" / "README.md"
    mine.parent.mkdir()
    mine.write_text("of mine")
    assert cli.main(command(images, labels, run, "--export", str(mine.parent))) == 2
    assert f"{mine}: the model's card would replace this file" in capsys.readouterr().err
    assert [p.read_text() for p in mine.parent.iterdir()] == ["of mine"]
    weights = (run / "model" / "model.safetensors").read_bytes()
    assert cli.main(command(images, labels, run, "--classes", "blue,red")) == 2
    assert "was begun with red,blue; resume it with these" in capsys.readouterr().err
    assert (run / "model" / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--classes", "red"), "has the value 2, and --classes names 1"),
        (("--classes", "red,blue,green"), "no label shows 'green'"),
        (("--classes", "red,Red"), "'red' is given twice"),
        (("--classes", "red,all"), "no class can be named 'all'"),
        (("--classes", ""), "needs --images DIR"),
        (("--arch", "unetx"), "segmentation-models-pytorch has unet, "),
        (("--encoder", "resnet1o1"), "has no such encoder (did you mean resnet101?); it has "),
        (("--encoder", "../evil"), "has no such encoder"),
        (("--encoder", "tu-../evil"), "cannot build FPN of it"),
        (("--size", "60"), "takes multiples of 32, such as 64"),
        (("--batch", "1"), "batch norm needs 2 or more"),
        (("--encoder-weights", "imagenet"), "is not cached"),
        (("--encoder-weights", "moon"), "mobilenet_v2 has imagenet"),
        (("--encoder", "resnet18", "--encoder-weights", "compact"), "belongs to --encoder mobil"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture, change: tuple[str, ...], message: str
) -> None:
    images, labels = photos(tmp_path, 4)
    assert cli.main(command(images, labels, tmp_path / "run", *change)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_s_folder_that_is_a_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    images, labels = photos(tmp_path, 4)
    (tmp_path / "notes").write_text("of mine")
    assert cli.main(command(images, labels, tmp_path / "notes")) == 2
    assert f"--run {tmp_path / 'notes'}: a file; name a folder" in capsys.readouterr().err
    command_of = command(images, labels, tmp_path / "run", "--export", str(tmp_path / "notes"))
    assert cli.main(command_of) == 2
    assert f"--export {tmp_path / 'notes'}: a file; name a folder" in capsys.readouterr().err
    (labels / "0.png").rename(tmp_path / "0.png")
    for path in labels.iterdir():
        path.unlink()
    (tmp_path / "0.png").rename(labels / "0.png")
    assert cli.main(command(images, labels, tmp_path / "run", "--classes", "red,blue")) == 2
    assert "1 picture; training needs 2 or more" in capsys.readouterr().err


def test_labels_for_a_network_without_own_classes_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    images, labels = photos(tmp_path, 4)
    other = ["edsr", *command(images, labels, tmp_path / "run")[1:]]
    assert cli.main(other) == 2
    assert "--labels, --classes and --arch are of train-inpainter segmenter" in (
        capsys.readouterr().err
    )


def test_a_photo_that_cannot_be_read_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from remove_objects.train.data.own_labels import find_labelled

    images, labels = photos(tmp_path, 4)
    whole = (images / "1.png").read_bytes()
    (images / "1.png").write_bytes(whole[: len(whole) // 50])
    found = find_labelled([images], labels, ["red", "blue"])
    assert [photo.name for photo, _ in found.pairs] == ["0.png", "2.png", "3.png"]
    assert "1.png: not a readable picture; left out" in caplog.text
    for photo in images.iterdir():
        photo.write_bytes(b"no picture")
    with pytest.raises(OSError, match=r"0\.png: not a readable picture, and no other photo"):
        find_labelled([images], labels, ["red", "blue"])


def test_a_label_on_its_side_is_refused_before_training(tmp_path: Path) -> None:
    from remove_objects.train.data.own_labels import find_labelled

    images, labels = photos(tmp_path, 4)
    turned = Image.Exif()
    turned[0x0112] = 6
    for path in (images / "0.png", labels / "0.png"):
        with Image.open(path) as picture:
            cut = picture.crop((0, 0, 90, 60))
        cut.save(path, exif=turned) if path.parent == images else cut.save(path)
    with pytest.raises(ValueError, match=r"90x60 .* has 60x90; draw labels .* upright"):
        find_labelled([images], labels, ["red", "blue"])


def test_labels_that_do_not_fit_their_photos_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    images, labels = photos(tmp_path, 4)
    Image.new("L", (50, 40)).save(labels / "2.png")
    assert cli.main(command(images, labels, tmp_path / "run")) == 2
    assert "2.png: 50x40 pixels, and its photo" in capsys.readouterr().err
    (labels / "2.png").write_bytes(b"no picture")
    assert cli.main(command(images, labels, tmp_path / "run")) == 2
    assert "2.png: not a readable label picture" in capsys.readouterr().err
    assert cli.main(command(images, tmp_path / "none", tmp_path / "run")) == 2
    assert "none of 4 photos has a label; that of" in capsys.readouterr().err


def test_the_dice_loss_counts_shown_classes_over_known_pixels() -> None:
    label = torch.zeros(1, 4, 4, dtype=torch.long)
    label[0, :2], label[0, 3] = 1, 255
    sure = torch.full((1, 3, 4, 4), -20.0)
    sure[0, 0, 2:], sure[0, 1, :2] = 20.0, 20.0
    sure[0, :, 3] = torch.tensor([[-20.0], [-20.0], [20.0]])  # unknown pixels do not count
    assert float(dice_loss(sure, label)) == pytest.approx(0, abs=1e-6)
    wrong = sure.roll(1, 1)
    assert float(dice_loss(wrong, label)) > 0.8
    assert float(dice_loss(sure, torch.full_like(label, 255))) == 0


def test_black_and_white_palette_and_one_bit_labels_are_read(tmp_path: Path) -> None:
    from remove_objects.train.data.own_labels import find_labelled, read_labelled

    images, labels = tmp_path / "images", tmp_path / "labels"
    for folder in (images, labels):
        folder.mkdir()
    drawn = np.zeros((20, 30), np.uint8)
    drawn[4:9, 5:20] = 255
    for n in range(3):
        cv2.imwrite(str(images / f"{n}.jpg"), np.zeros((20, 30, 3), np.uint8))
    Image.fromarray(drawn).save(labels / "0.png")
    Image.fromarray(drawn).convert("1").save(labels / "1.png")
    Image.fromarray(np.dstack([drawn] * 3)).save(labels / "2.png")
    found = find_labelled([images], labels, ["spot"])
    assert found.white
    assert found.counts == (3,)
    for pair in found.pairs:
        assert (read_labelled(*pair, white=True)[1] == (drawn > 0)).all()
    palette = Image.fromarray((drawn > 0).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 250, 10, 90])
    palette.save(labels / "2.png")
    mixed = find_labelled([images], labels, ["spot"])
    assert not mixed.white  # 255 is unknown then
    assert (read_labelled(*mixed.pairs[2], white=False)[1] == (drawn > 0)).all()


@pytest.mark.slow
def test_a_new_users_path_from_labelled_photos_to_cleaned_ones(tmp_path: Path) -> None:
    from remove_objects.pipeline import cli as cleaning
    from remove_objects.pipeline.report.files import read_report

    images, labels = photos(tmp_path, 12)
    run = tmp_path / "run"
    call = command(images, labels, run, "--steps", "40", "--learning-rate", "0.01")
    assert cli.main(call) == 0
    clean = [
        *("--segmenter", f"compact,{run / 'model'}", "--class", "reds", "--offline"),
        *("--no-probe", "--with", "none", "--save-masks", "-o", str(tmp_path / "out")),
    ]
    assert cleaning.main([*clean, str(images)]) == 0
    report = read_report(tmp_path / "out" / "report.json")
    assert report["run"]["settings"]["classes"] == ["red"]
    assert len(report["run"]["weights"]["model"]) == 64
    missed = 0.0
    for path in sorted(images.iterdir()):
        mask = np.asarray(Image.open(tmp_path / "out" / "masks" / path.name)) > 0
        label = np.asarray(Image.open(labels / path.name))
        missed += float((~mask)[label == 1].mean()) / 12
        assert mask[label == 2].mean() < 0.5 or (label == 1).sum() < 100
    assert missed < 0.2
