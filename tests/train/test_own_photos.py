"""``train-inpainter NAME --images DIR``: training from a folder of photos and nothing else."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from remove_objects.models.checkpoint import weights_header
from remove_objects.models.shipped import FOLDER, shipped_entry
from remove_objects.pipeline.cli import main as remove_objects
from remove_objects.train import next_steps
from remove_objects.train.best import BEST_BY
from remove_objects.train.cli import main, parse
from remove_objects.train.data.chosen import choose_holes, warn_of_small_photos
from remove_objects.train.data.holes import blobs, free_form
from remove_objects.train.data.silhouettes import find_silhouettes
from remove_objects.train.evaluate_cli import main as evaluate_inpainter
from remove_objects.train.features import choose_features
from remove_objects.train.presets import shipped
from remove_objects.train.run import make_task
from remove_objects.train.tasks.base import InpaintingTask

SAMPLES = Path(__file__).parents[2] / "sample_images"
INPAINTERS = ("partial-conv", "skip-ce", "compression", "edsr", "gated-conv", "edge-connect")
SMALL = ("--width", "4", "--batch", "2", "--device", "cpu", "--workers", "0", "--steps", "1")


def write_photos(folder: Path, count: int, size: tuple[int, int] = (150, 140)) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        coarse = rng.integers(0, 256, (5, 6, 3), np.uint8)
        photo = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{i}.png"), photo)
    return folder


def write_plain(folder: Path) -> list[Path]:
    """A photo without any object."""
    cv2.imwrite(str(folder / "plain.png"), np.full((140, 150, 3), 128, np.uint8))
    return [folder / "plain.png"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder but for a folder of three photos, and the program is called in it."""
    monkeypatch.chdir(tmp_path)
    return write_photos(tmp_path / "photos", 3)


def task_of(*arguments: str) -> InpaintingTask:
    task = make_task(parse(arguments))[0]
    assert isinstance(task, InpaintingTask)
    return task


@pytest.mark.parametrize("model", INPAINTERS)
def test_the_first_command_trains(
    model: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = () if model == "skip-ce" else ("--size", "128")
    assert main([model, "--images", "photos", *SMALL, *size]) == 0
    header = weights_header(Path("runs") / model / "best.safetensors")
    assert (header["kind"], json.loads(header["config"])["width"]) == (model, 4)
    said = capsys.readouterr().out
    assert f"runs/{model}/best.safetensors" in said
    uses = model in ("partial-conv", "skip-ce", "compression")
    weights = f"--weights {model}=runs/{model}/best.safetensors --class person photos"
    assert (f"next: remove-objects {weights}" in said) == uses
    assert (f"next: train-inpainter {model} --export my-weights" in said) != uses


@pytest.mark.parametrize(
    ("count", "more", "held_out"),
    [(2, (), 1), (30, (), 3), (20, ("--held-out", "7"), 7), (700, (), 64)],
)
def test_a_tenth_is_held_out(count: int, more: tuple[str, ...], held_out: int) -> None:
    assert parse(["edsr", *more]).held_out_of(count) == held_out


def test_pictures_that_the_run_writes_and_masks_are_not_trained_on(photos: Path) -> None:
    write_photos(photos / "runs" / "edsr" / "samples", 2)
    write_photos(photos / "masks", 2)
    run = ("--images", str(photos), "--run", str(photos / "runs" / "edsr"))
    task = task_of("edsr", *run, "--masks", str(photos / "masks"), *SMALL)
    assert len(task.crops.paths) + len(task.held_out[0]) == 3
    assert {path.parent for path in task.crops.paths} == {photos}


def test_a_damaged_photo_is_left_out_wherever_it_falls(photos: Path) -> None:
    for damaged in sorted(photos.iterdir()):
        content = damaged.read_bytes()
        damaged.write_bytes(b"not a picture")
        run = ("--run", f"run-{damaged.stem}")
        assert main(["edsr", "--images", "photos", *run, *SMALL, "--size", "32"]) == 0
        damaged.write_bytes(content)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("edsr",), "edsr needs pictures: --images DIR"),
        (("edsr", "--images", "nowhere"), "nowhere: no such folder"),
        (("edsr", "--images", "one"), "1 picture in one; training needs 2 or more"),
        (("edsr", "--images", "raw"), "found in raw, but 2 .heic; convert photos to JPEG or PNG"),
        (("edsr", "--images", "photos", "--held-out", "3"), "set --held-out"),
        (("partial-conv", "--images", "photos", "--size", "100"), "such as --size 128"),
        (("skip-ce", "--images", "photos", "--size", "256"), "takes pictures of 128 pixels alone"),
        (("edge-connect", "--images", "photos", "--features", "vgg16"), "--features none"),
        (("edge-connect", "--images", "photos", "--preset", "paper"), "--features none"),
        (("partial-conv", "--images", "photos", "--data", "none"), "without --data"),
        (("edsr", "--images", "photos", "--masks", "none"), "no mask pictures"),
        (("edsr", "--images", "photos", "--init-from", "shipped"), "no weight of edsr ships"),
    ],
)
def test_a_message_names_what_helps(
    arguments: tuple[str, ...], words: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photos(Path("one"), 1)
    Path("raw").mkdir()
    for name in ("a.heic", "b.HEIC"):
        (Path("raw") / name).touch()
    assert main([*arguments, "--device", "cpu", "--workers", "0", "--steps", "1"]) == 2
    assert words in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_full_memory_names_what_helps(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr("remove_objects.train.engine.train", full)
    assert main(["edsr", "--images", "photos", *SMALL]) == 1
    said = capsys.readouterr().err
    assert "a smaller --batch" in said
    assert "CUDA out of memory" in said


def test_small_photos_name_the_size_that_fits(
    photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = sorted(write_photos(photos, 4).iterdir())
    (photos / "0.png").write_bytes(b"not a picture")
    warn_of_small_photos(files, 256, 128)
    assert "3 of 3 photos are much smaller than the crops of 256 pixels" in caplog.text
    assert caplog.text.rstrip().endswith("--size 128 trains on smaller crops")
    caplog.clear()
    warn_of_small_photos(files, 512, 0)  # the size cannot be changed
    assert "--size" not in caplog.text
    caplog.clear()
    warn_of_small_photos(files, 128, 128)
    assert not caplog.text


def test_without_a_data_folder_holes_are_drawn_that_need_no_files(
    photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    request = parse(["partial-conv", "--images", "photos"])
    files = write_plain(photos)
    holes, kinds = choose_holes(request, shipped("partial-conv").holes, files)
    assert kinds == ((0.5, "free-form"), (0.15, "strokes"), (0.25, "blobs"), (0.1, "any-rectangle"))
    assert "strokes and patches stand in for the data folder's irregular masks" in caplog.text
    assert "round patches, because the bundled segmenter found no object" in caplog.text
    shares = [holes(64, np.random.default_rng(i)).mean() for i in range(40)]
    assert 0 < min(shares) < 0.1 < max(shares) <= 0.6


def test_silhouettes_are_those_of_objects_in_the_photos(
    photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    files = [SAMPLES / "astronaut.jpg", *write_plain(photos), SAMPLES / "README.md"]
    (shape,) = find_silhouettes(files)
    assert 0.3 < shape.mean() < 0.95  # the astronaut in her bounding box
    request = parse(["partial-conv", "--images", "photos"])
    holes, kinds = choose_holes(request, ((1.0, "objects"),), files)
    assert kinds == ((1.0, "silhouettes"),)
    assert "silhouettes of 1 objects that the bundled segmenter found" in caplog.text
    first, second = (holes(64, np.random.default_rng(i)) for i in (1, 2))
    assert (first != second).any()


@pytest.mark.parametrize("seed", range(3))
def test_free_form_holes_cover_up_to_three_fifths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = [free_form(64, rng).mean() for _ in range(20)]
    assert min(shares) > 0
    assert max(shares) <= 0.6
    assert np.std(shares) > 0.05
    assert blobs(64, rng).any()


@pytest.mark.parametrize("has_vgg", [False, True])
def test_the_feature_network_is_one_that_is_there(
    has_vgg: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "squeezenet1_1-b8a52dc0.pth").touch()  # it scores, so that it must not teach
    if has_vgg:
        (cache / "vgg16-397923af.pth").touch()
    name, why = choose_features("auto", learns=True)
    assert name == ("vgg16" if has_vgg else "none")
    assert ("which is in torch's cache" if has_vgg else "--features vgg16 downloads it") in why
    assert choose_features("auto", learns=False)[0] == "none"
    assert choose_features("squeezenet", learns=True)[0] == "squeezenet"


def test_a_resumed_run_keeps_its_feature_network(
    photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run = ["edge-connect", "--images", "photos", *SMALL, "--size", "32"]
    assert main([*run, "--features", "random"]) == 0
    caplog.clear()
    assert main([*run, "--steps", "2"]) == 0
    assert "features: random, as the run began" in caplog.text


def test_a_start_from_another_network_s_weight_is_refused(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["edge-connect", "--images", "photos", *SMALL, "--size", "32"]
    other = FOLDER / shipped_entry("compression")["file"]
    assert main([*run, "--init-from", str(other)]) == 2
    said = capsys.readouterr().err
    assert f"--init-from {other}: holds a " in said
    assert "; name a weight that train-inpainter edge-connect wrote" in said


def test_a_run_that_starts_with_the_bundled_weight_is_never_worse(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = SMALL[2:]  # its own width
    run = ["compression", "--images", "photos", "--init-from", "shipped", *options]
    # A rate that spoils the weight.
    assert main([*run, "--learning-rate", "0.1", "--size", "32", "--steps", "4"]) == 0
    said = capsys.readouterr().out
    assert "the best weights are those that the run started with" in said
    header = weights_header(Path("runs/compression/best.safetensors"))
    assert json.loads(header["step"]) == 0
    assert json.loads(header["recipe"])["start"] == shipped_entry("compression")["file"]
    assert main(["compression", "--export", "mine"]) == 0
    card = next(Path("mine").glob("*.md")).read_text()
    assert f"It started from `{shipped_entry('compression')['file']}`" in card


def test_whichever_metric_chose_the_best_weights_is_told() -> None:
    for number, (name, _) in enumerate(BEST_BY):
        metrics = {other: 0.5 for other, _ in BEST_BY[number:]}
        assert f"({next_steps._TOLD[name]} on the held-out" in next_steps._metric(metrics, {})


def test_a_better_network_says_by_how_much(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["edsr", "--images", "photos", *SMALL, "--size", "32", "--evaluate-every", "1"]
    assert main([*run, "--steps", "6", "--learning-rate", "0.01"]) == 0
    said = capsys.readouterr().out
    assert "L1 in the holes on the held-out pictures: " in said
    assert " at step 1, " in said
    assert "lower is better" in said


def documented_path() -> list[str]:
    """The command lines of the documentation's way from a folder of photos to a better result."""
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    section = text.split("## From a folder of photos\n")[1].split("\n## ")[0]
    return [line.strip() for line in section.splitlines() if line.startswith("    ")]


def test_every_line_of_the_documented_path_works(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photos(Path("other-photos"), 1)
    mains = {
        "train-inpainter": (main, ["--device", "cpu", "--workers", "0"]),
        "remove-objects": (remove_objects, ["--offline", "--workers", "1"]),
        "evaluate-inpainter": (evaluate_inpainter, ["--count", "1"]),
    }
    ran = []
    for line in documented_path():
        program, *arguments = shlex.split(line)
        call, more = mains[program]
        if "--steps" in arguments:  # in seconds instead of hours
            arguments[arguments.index("--steps") + 1] = "1"
            more = [*more, "--batch", "1", "--size", "128"]
        assert call([*arguments, *more]) == 0, line
        ran.append(program)
    assert (
        ran == ["train-inpainter", "remove-objects", "train-inpainter"] + ["evaluate-inpainter"] * 2
    )
    report = json.loads(Path("cleaned/report.json").read_text())
    sha256 = hashlib.sha256(Path("runs/mine/best.safetensors").read_bytes()).hexdigest()
    assert report["run"]["settings"]["weights"] == {"partial-conv": sha256}
    card = next(Path("my-weights").glob("*.md")).read_text()
    assert "- `photos`: my own photos\n" in card
    assert "train-inpainter partial-conv --images photos --init-from shipped --steps 1 " in card
