"""``--weights NAME=FILE`` on every way through the program, on tiny networks."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from remove_objects import ObjectRemover, Settings, UsageError, WeightsError, remove, remove_folder
from remove_objects.models import own_weights
from remove_objects.models.checkpoint import save_weights, sha256
from remove_objects.models.object_effects import ObjectEffects, ObjectEffectsConfig
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.engines.ray_actors import CleaningActor
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board import cli as board_cli
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.report.next_steps import own_networks
from remove_objects.pipeline.serve.service import Service
from remove_objects.pipeline.storage.layout import REPLACED
from remove_objects.pipeline.system.signals import Stop
from remove_objects.pipeline.watch.watch import Times, Watch
from tests.support.scenes import scene
from tests.support.tiny_networks import NETWORKS

FAST = ["--segmenter", "compact", "--detail", "none", "--device", "cpu", "--series", "off"]


@pytest.fixture
def photos(tmp_path: Path, red_is_person: None) -> Path:
    """Two photos, each with a red person."""
    (tmp_path / "in").mkdir()
    for seed, name in enumerate(("a.png", "b.png")):
        Image.fromarray(scene(seed=seed)).save(tmp_path / "in" / name)
    return tmp_path / "in"


def write(path: Path, seed: int) -> Path:
    """Write a weight of partial-conv that the seed makes."""
    torch.manual_seed(seed)
    folder = path.parent / f"seed-{seed}"
    made = save_weights(PartialConvUNet(PartialConvUNetConfig(3)), folder, "partial-conv")
    return made.replace(path)


@pytest.fixture
def weight(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return write(tmp_path / "runs" / "best.safetensors", 1)


def clean(photos: Path, *options: object, code: int = 0) -> dict[str, Any]:
    """Clean into ``out`` beside the photos; returns the report."""
    out = photos.parent / "out"
    arguments = [*FAST, "--class", "person", "--no-probe", "-o", out, *options, photos]
    assert cli.main([str(word) for word in arguments]) == code
    report: dict[str, Any] = json.loads((out / "report.json").read_text()) if out.exists() else {}
    return report


def pixels(folder: Path, name: str = "a.png") -> np.ndarray:
    with Image.open(folder / name) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_run_fills_by_the_users_weight_and_names_it_by_hash(photos: Path, weight: Path) -> None:
    bundled = clean(photos)
    before = pixels(photos.parent / "out")
    shutil.rmtree(photos.parent / "out")
    report = clean(photos, "--weights", f"partial-conv={weight}")
    assert report["run"]["weights"]["partial-conv"] == sha256(weight)
    assert bundled["run"]["weights"]["partial-conv"] != sha256(weight)
    assert report["run"]["settings"]["weights"] == {"partial-conv": sha256(weight)}
    assert bundled["run"]["settings"]["weights"] == {}
    assert (pixels(photos.parent / "out") != before).any()
    removed = remove(photos / "a.png", "person", **library(weight))
    np.testing.assert_array_equal(np.asarray(removed.image), pixels(photos.parent / "out"))


def library(weight: Path) -> dict[str, Any]:
    """The options of ``clean`` for a call from Python."""
    fast = {"segmenter": "compact", "detail": "none", "device": "cpu", "probe": False}
    return {**fast, "weights": {"partial-conv": weight}}


def test_probe_and_comparison_use_the_same_weight_and_it_loads_once(
    photos: Path, weight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = own_weights.load_network

    def counted(kind: str, weights: Any = ()) -> Any:
        loaded.append(kind)
        return load(kind, weights)

    monkeypatch.setattr(own_weights, "load_network", counted)
    options = [*FAST, "--class", "person", "--workers", "2", "--compare", "telea"]
    options += ["--weights", f"partial-conv={weight}", "--route", "free-form", str(photos)]
    assert cli.main(options) == 0
    report = json.loads((photos.parent / "cleaned" / "report.json").read_text())
    assert report["run"]["weights"]["partial-conv"] == sha256(weight)
    assert any(hole["probe"] for photo in report["photos"] for hole in photo["holes"])
    assert loaded.count("partial-conv") == 1


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("partial-conv", "--weights takes NAME=FILE"),
        ("partial-conv=", "--weights takes NAME=FILE"),
        ("partial_conv=x", "unknown network, 'partial_conv' (did you mean partial-conv?)"),
        ("unet=x", "the networks are compact-segmenter, compression, face-detector"),
        ("partial-conv=none.safetensors", "none.safetensors: no such file"),
        ("partial-conv=s3://bucket/x.safetensors", "takes a file of this machine"),
        ("skip-ce=WEIGHT", "the weights of partial-conv, not of skip-ce"),
        ("partial-conv=WEIGHT --weights partial-conv=x", "names partial-conv twice"),
    ],
)
@pytest.mark.parametrize("way", ["run", "pipe", "watch", "serve", "board"])
def test_exit_2_before_any_photo_is_touched(
    photos: Path,
    weight: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    option: str,
    says: str,
) -> None:
    given = ["--weights", *option.replace("WEIGHT", str(weight)).split()]
    out = ["--class", "person", "-o", str(photos.parent / "out")]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    calls: dict[str, Callable[[], int]] = {
        "run": lambda: cli.main([*out, *given, str(photos)]),
        "pipe": lambda: cli.main(["--class", "person", *given, "-"]),
        "watch": lambda: cli.main(["watch", *out, *given, str(photos)]),
        "serve": lambda: cli.main(["serve", "--class", "person", *given]),
        "board": lambda: board_cli.main([*given, str(photos)]),
    }
    assert calls[way]() == 2
    assert says in capsys.readouterr().err
    assert not (photos.parent / "out").exists()


def test_a_second_run_with_the_same_weight_has_nothing_to_do(photos: Path, weight: Path) -> None:
    option = "--weights", f"partial-conv={weight}"
    clean(photos, *option)
    moved = weight.rename(weight.with_name("moved.safetensors"))
    report = clean(photos, "--weights", f"partial-conv={moved}")
    assert {photo["status"] for photo in report["photos"]} == {"skipped"}


def test_a_changed_weight_makes_the_photos_new_and_keeps_the_earlier_results(
    photos: Path, weight: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    option = "--weights", f"partial-conv={weight}"
    clean(photos, *option)
    before = pixels(photos.parent / "out")
    write(weight, 2)
    report = clean(photos, *option)
    assert (
        "2 photos were cleaned with other files of --weights or --segmenter"
        in capsys.readouterr().err
    )
    assert {photo["status"] for photo in report["photos"]} <= {"ok", "review"}
    assert report["run"]["weights"]["partial-conv"] == sha256(weight)
    assert (pixels(photos.parent / "out") != before).any()
    kept = (photos.parent / "out" / REPLACED / "a.png").glob("*.png")
    assert [(pixels(file.parent, file.name) == before).all() for file in kept] == [True]
    again = clean(photos, *option)
    assert {photo["status"] for photo in again["photos"]} == {"skipped"}


def test_results_of_other_networks_are_replaced_on_the_users_word_only(
    photos: Path, weight: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    option = "--weights", f"partial-conv={weight}"
    clean(photos)
    before = pixels(photos.parent / "out")
    clean(photos, *option, code=2)
    message = capsys.readouterr().err
    assert f"without --weights; now --weights partial-conv={sha256(weight)[:8]}…" in message
    np.testing.assert_array_equal(pixels(photos.parent / "out"), before)
    report = clean(photos, *option, "--overwrite")
    assert report["run"]["weights"]["partial-conv"] == sha256(weight)
    clean(photos, code=2)


def test_python_takes_weights_by_name(photos: Path, weight: Path, tmp_path: Path) -> None:
    done = remove_folder(photos, classes="person", output=tmp_path / "o", **library(weight))
    assert done.run["weights"]["partial-conv"] == sha256(weight)
    settings = Settings(weights={"partial-conv": str(weight)})
    assert settings == Settings(weights={"partial-conv": weight})
    assert settings != Settings()
    assert replace(settings, threshold=0.4).own_weights == settings.own_weights
    assert json.loads(json.dumps(settings.recorded()))["weights"] == {
        "partial-conv": sha256(weight)
    }
    for wrong in ("best.safetensors", ["best.safetensors"], {"partial-conv": 3}, {3: weight}):
        with pytest.raises(UsageError, match="weights"):
            ObjectRemover(weights=wrong)  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="a folder"):
        ObjectRemover(weights={"partial-conv": weight.parent})


def test_home_is_understood(weight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell replaces the ~ behind an equals sign."""
    monkeypatch.setenv("HOME", str(weight.parent))
    (own,) = Settings(weights={"partial-conv": "~/best.safetensors"}).own_weights
    assert own.sha256 == sha256(weight)


def test_remove_sees_that_a_file_changed(photos: Path, weight: Path) -> None:
    first = np.asarray(remove(photos / "a.png", "person", **library(weight)).image)
    write(weight, 5)
    assert (np.asarray(remove(photos / "a.png", "person", **library(weight)).image) != first).any()


def test_a_worker_of_another_machine_has_the_files_bytes(
    photos: Path, weight: Path, tmp_path: Path
) -> None:
    """What Ray sends is the pickled settings; there the file is not to be had."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install '.[distributed]'")
    import ray.cloudpickle as cloudpickle

    digest = sha256(weight)
    sent = cloudpickle.dumps(Settings(**library(weight)))
    weight.unlink()
    settings = cloudpickle.loads(sent)
    actor = CleaningActor((settings, BatchSettings(), ("person",), LocalOutput(tmp_path), 1))
    networks = actor.worker.remover.networks
    assert networks.inpainters.network("partial-conv").config.width == 3
    assert networks.weights()["partial-conv"] == digest


def test_service_and_watch_fill_by_the_weight_that_they_began_with(
    photos: Path, weight: Path
) -> None:
    """A training that goes on meanwhile changes nothing."""
    settings, digest = Settings(**library(weight)), sha256(weight)
    expected = np.asarray(remove(photos / "a.png", "person", settings=settings).image)
    batch = BatchSettings(classes=("person",), output=photos.parent / "out")
    service, stop = Service(settings, batch), Stop()

    def entries(entry: Any) -> None:
        if len(seen := [*seen_by_watch, entry["input"]]) == 2:
            stop.request()
        seen_by_watch[:] = seen

    seen_by_watch: list[str] = []
    times = Times(settle=0, interval=0.02, pause=0.05)
    watch = Watch(photos, settings, batch, times=times, cleaned=entries)
    write(weight, 7)
    try:
        cleaned = service.clean(io.BytesIO((photos / "a.png").read_bytes()), "a.png", [])
        with Image.open(io.BytesIO(service.file(cleaned.photo, "result")[0])) as picture:
            np.testing.assert_array_equal(np.asarray(picture), expected)
    finally:
        service.close()
    watch.run(stop)
    np.testing.assert_array_equal(pixels(photos.parent / "out"), expected)
    report = json.loads((photos.parent / "out" / "report.json").read_text())
    assert report["run"]["weights"]["partial-conv"] == digest


def test_bundled_companions_keep_the_segmenter_that_they_were_trained_with(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "weights")
    index = json.loads((folder / "index.json").read_text())
    bundled = index["compact-segmenter"]["sha256"]
    network = ObjectEffects(ObjectEffectsConfig((8, 8, 8, 8), bundled))
    path = save_weights(network, folder, "object-effects")
    index["object-effects"] = {"file": path.name, "sha256": sha256(path)}
    (folder / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", folder)
    torch.manual_seed(9)
    compact = save_weights(NETWORKS["compact-segmenter"](), tmp_path, "compact-segmenter")
    effects = save_weights(
        ObjectEffects(ObjectEffectsConfig((8, 8, 8, 8), sha256(compact))),
        tmp_path,
        "object-effects",
    )

    def used(weights: dict[str, Path]) -> dict[str, str]:
        settings = Settings(segmenter="compact", device="cpu", offline=True, weights=weights)
        networks = Networks(NetworkSettings.from_settings(settings))
        assert networks.segmenter.name == "compact"
        assert networks.effects is not None
        views = np.zeros((1, 64, 64, 3), np.uint8)
        assert networks.effects.effects(views, np.ones((1, 64, 64), bool)).shape == (1, 3, 64, 64)
        return networks.weights()

    own, shipped = sha256(compact), index["object-effects"]["sha256"]
    assert used({}) == {"compact-segmenter": bundled, "object-effects": shipped}
    assert used({"compact-segmenter": compact}) == {
        "compact-segmenter": own,
        "bundled compact-segmenter": bundled,
        "object-effects": shipped,
    }
    assert used({"compact-segmenter": compact, "object-effects": effects}) == {
        "compact-segmenter": own,
        "object-effects": sha256(effects),
    }
    same = folder / index["compact-segmenter"]["file"]
    assert used({"compact-segmenter": same}) == used({})


def test_the_board_fills_by_the_given_weight_and_tells_of_another_one_of_the_run(
    photos: Path, weight: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    option = "--weights", f"partial-conv={weight}"
    clean(photos, *option)
    out = str(photos.parent / "out")

    def board(*options: str) -> tuple[str, ...]:
        args = board_cli.parser().parse_args([*options, "--device", "cpu", out])
        opened = board_cli.open_path(args)
        board = Board(opened)
        with board.job.run("p0") as remover:
            used = remover.networks.inpainters.network("partial-conv").config.width
            assert used == (3 if options else 2)
        board.close()
        return opened.notes

    assert board(*option) == ()
    (note,) = board()
    assert "give --weights partial-conv=FILE to use the run's" in note
    report = json.loads(Path(out, "report.json").read_text())
    report["run"]["settings"]["weights"] = {"partial-conv": "/etc/passwd"}
    Path(out, "report.json").write_text(json.dumps(report))
    board()  # what a report says is never opened
    write(weight, 4)
    clean(photos, "--weights", f"partial-conv={weight}", "--overwrite")
    shutil.rmtree(out)
    clean(photos)
    (note,) = board(*option)
    assert note.endswith("leave --weights out")


def test_the_next_command_of_a_run_has_its_weights() -> None:
    words = ["--class", "person", "--weights", "skip-ce=a b", "--we=partial-conv=c", "in", "--with"]
    expected = ["--weights", "skip-ce=a b", "--weights", "partial-conv=c"]
    run: Any = {"settings": {}}
    assert own_networks(run, words) == expected
