"""``train-inpainter`` end to end on pictures of noise: train, resume, export, and mistakes."""

from __future__ import annotations

import json
import logging
import math
import os
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from remove_objects.models.checkpoint import load_weights, save_weights
from remove_objects.models.compression import CompressionNetwork
from remove_objects.models.edge_connect import EdgeConnect
from remove_objects.models.edsr import EDSR
from remove_objects.models.gated_conv import GatedConvNetwork
from remove_objects.models.kinds import KINDS
from remove_objects.models.partial_conv_unet import PartialConvUNet
from remove_objects.models.skip_context_encoder import SkipContextEncoder, SkipContextEncoderConfig
from remove_objects.train import cli, evaluate_cli
from remove_objects.train.best import read_best, write_best
from remove_objects.train.card import TERMS
from remove_objects.train.cli import main, parse
from remove_objects.train.data.holes import MaskFolder
from remove_objects.train.presets import MODELS, Model, shipped
from remove_objects.train.recipe import Recipe
from remove_objects.train.request import PLACEHOLDER
from remove_objects.train.run import make_task
from remove_objects.train.tasks.base import InpaintingTask
from remove_objects.train.tasks.edsr import EDSRTask
from tests.support.help import assert_help_is_quick
from tests.support.training import (
    command,
)

NETWORKS = {
    "partial-conv": PartialConvUNet,
    "skip-ce": SkipContextEncoder,
    "compression": CompressionNetwork,
    "edsr": EDSR,
    "gated-conv": GatedConvNetwork,
    "edge-connect": EdgeConnect,
}


def recipe_of(model: str, data: Path, *more: str) -> Recipe:
    return make_task(parse(command(model, data, data / "run", *more)))[1]


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("model", NETWORKS)
def test_two_steps_resume_and_export(
    model: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    assert main(command(model, data, run, "--steps", "2")) == 0
    assert main(command(model, data, run, "--steps", "3", "--every", "1")) == 0
    assert [(r["step"], "val_psnr" in r) for r in rows(run)] == [(2, True), (3, False), (3, True)]
    assert all(math.isfinite(v) for r in rows(run) for v in r.values())
    assert {"val_hole_l1", "val_psnr"} == set(rows(run)[-1]) - {"step"}
    said = capsys.readouterr().out
    assert f"{model}: the best weights are those of step " in said
    assert f"they are in {run / 'best.safetensors'}" in said
    assert [p.name for p in sorted((run / "samples").iterdir())] == ["0000002.png", "0000003.png"]
    side = shipped(model).schedule.size
    assert cv2.imread(str(run / "samples" / "0000003.png")).shape == (2 * side, 4 * side, 3)

    # Neither the pictures nor the options are needed again.
    assert main([model, "--run", str(run), "--export", str(weights)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.parent == weights
    network = load_weights(path, NETWORKS[model])
    assert network.config.width == 4
    entry = json.loads((weights / "index.json").read_text())[model]
    assert entry["file"] == path.name
    load_weights(path, NETWORKS[model], expected_sha256=entry["sha256"])
    best = read_best(run, NETWORKS[model])
    for name, parameter in network.named_parameters():
        expected = best.network.get_parameter(name)
        torch.testing.assert_close(parameter, expected, rtol=1e-3, atol=1e-4)

    card = path.with_suffix(".md").read_text()
    assert f"{best.step} steps of batch 2 ({2 * best.step} samples)" in card
    assert f"on {os.cpu_count()} CPU cores" in card
    called = f"train-inpainter {model} --data {data.name} --run run --features none --width 4 "
    assert f"    {called}" in card
    assert str(data) not in card
    assert str(tmp_path) not in card
    assert json.dumps(best.metrics) in card
    assert '"preset": "shipped"' in card
    assert str(shipped(model).holes) in card
    for folder in shipped(model).folders:
        assert f"- `{folder}`: {PLACEHOLDER}" in card  # their terms are the owner's to tell
    uses = f"remove-objects --weights {model}={path.name}" in card
    assert uses == (model in KINDS)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run."""
    run = tmp_path_factory.mktemp("trained") / "run"
    assert main(command("compression", data, run, "--steps", "1")) == 0
    return run


def exported(run: Path, folder: Path, *more: str) -> int:
    return main(["compression", "--run", str(run), "--export", str(folder), *more])


def better(run: Path, folder: Path) -> Path:
    """A run whose best weights are others."""
    best = read_best(run, CompressionNetwork)
    for parameter in best.network.parameters():
        parameter.data += 1
    folder.mkdir(parents=True)
    write_best(folder, replace(best, step=77, machines=("a far one", "another")))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_export_is_of_the_best_weights(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = better(trained, tmp_path / "run")
    capsys.readouterr()
    assert exported(run, tmp_path / "weights") == 0
    path = Path(capsys.readouterr().out.strip())
    card = path.with_suffix(".md").read_text()
    assert "77 steps of batch 2" in card
    assert "on a far one and another." in card


def test_an_export_touches_no_file_of_another(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    weights = tmp_path / "weights"
    assert exported(trained, weights) == 0
    first = Path(capsys.readouterr().out.strip())
    card = first.with_suffix(".md")
    card.write_text(card.read_text() + "\nWritten by hand.\n")
    before = contents(weights)

    caplog.set_level(logging.INFO)
    assert exported(better(trained, tmp_path / "run"), weights) == 0
    second = Path(capsys.readouterr().out.strip())
    after = contents(weights)
    assert before.items() <= after.items()  # the index too
    assert second.name in after
    assert f"index.json still names {first.name}; --replace {first.name}" in caplog.text

    assert exported(trained, weights) == 0  # again
    assert contents(weights) == after
    assert f"{first} was there already" in caplog.text


def test_an_older_weight_is_replaced_by_its_name(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "weights"
    assert exported(trained, weights) == 0
    first = Path(capsys.readouterr().out.strip())
    run, before = better(trained, tmp_path / "run"), contents(weights)
    assert exported(run, weights, "--replace", "compression-01234567.safetensors") == 2
    assert f"names {first.name}, so" in capsys.readouterr().err
    assert contents(weights) == before
    assert exported(run, weights, "--replace", first.name) == 0
    second = Path(capsys.readouterr().out.strip())
    stems = {name.partition(".")[0] for name in contents(weights)}
    assert stems == {"index", second.stem}
    assert json.loads((weights / "index.json").read_text())["compression"]["file"] == second.name


@pytest.mark.parametrize("text", ["[1]", '{"compression": 1}', "not JSON"])
def test_an_index_of_something_else_stays(
    text: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "index.json").write_text(text)
    assert exported(trained, tmp_path) == 2
    assert f"{tmp_path / 'index.json'}: is no list of weights" in capsys.readouterr().err
    assert contents(tmp_path) == {"index.json": text.encode()}


def test_the_terms_of_the_pictures_are_the_users(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    caplog.set_level(logging.INFO)
    assert exported(trained, tmp_path) == 0
    path = Path(capsys.readouterr().out.strip())
    card = path.with_suffix(".md")
    assert PLACEHOLDER in card.read_text()
    assert f"say in {card} whose the pictures are" in caplog.text
    assert not any(terms in card.read_text() for terms in TERMS.values())
    assert "not for commerce" not in card.read_text()
    caplog.clear()
    assert exported(trained, tmp_path, "--terms", "my own, CC BY 4.0") == 0
    assert "- `scenes/train`: my own, CC BY 4.0\n" in card.read_text()
    assert PLACEHOLDER not in card.read_text()
    assert "whose the pictures are" not in caplog.text


def test_a_weight_that_ships_has_the_known_terms(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", tmp_path)
    assert exported(trained, tmp_path) == 0
    card = next(tmp_path.glob("*.md")).read_text()
    assert f"- `scenes/train`: {TERMS['scenes/train']}\n" in card
    assert "for research, not for commerce" in card


def test_an_export_says_what_to_do_next(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    caplog.set_level(logging.INFO)
    assert exported(trained, tmp_path) == 0
    path = capsys.readouterr().out.strip()
    assert f"remove-objects --weights compression={path} --class person photos" in caplog.text


def test_a_run_of_another_network_is_not_exported(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["edsr", "--run", str(trained), "--export", str(tmp_path / "weights")]) == 2
    assert "holds a run of compression" in capsys.readouterr().err
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("variant", [0, 1])
def test_other_models_of_the_face_network(variant: int, data: Path, tmp_path: Path) -> None:
    assert main(command("skip-ce", data, tmp_path, "--steps", "1", "--variant", str(variant))) == 0
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["parts"]["network"]
    assert any(k.startswith("fc.") for k in state) == (variant == 0)


@pytest.mark.parametrize("variant", range(4))
def test_card_names_the_model_of_the_face_network(variant: int, data: Path) -> None:
    recipe = recipe_of("skip-ce", data, "--variant", str(variant))
    assert recipe.facts["network"]["variant"] == variant


def test_paper_preset_trains(data: Path, tmp_path: Path) -> None:
    assert (
        main(
            command(
                "partial-conv",
                data,
                tmp_path,
                "--preset",
                "paper",
                "--size",
                "128",
                "--steps",
                "1",
                "--every",
                "1",
            )
        )
        == 0
    )
    assert rows(tmp_path)[0].keys() >= {"valid", "hole", "tv"}
    assert "network_gradient" not in rows(tmp_path)[0]  # the paper does not clip it
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    for name, value in state["parts"]["network"].items():  # no average: the last weights
        assert torch.equal(state["ema"][f"module.{name}"], value)
    group = state["parts"]["network_optimizer"]["param_groups"][0]
    assert (group["lr"], group["betas"]) == (2e-4, (0.9, 0.999))


def test_recipe_of_the_paper_counts_its_epochs_in_steps(data: Path) -> None:
    paper = "--preset", "paper", "--held-out", "1"
    recipe = recipe_of("skip-ce", data, *paper)
    assert (recipe.pictures, recipe.batch, recipe.steps, recipe.average) == (
        2,
        2,
        40,
        0.0,
    )
    assert recipe_of("skip-ce", data, *paper, "--batch", "1").steps == 80
    assert recipe_of("skip-ce", data, *paper, "--batch", "1", "--accumulate", "4").steps == 20
    assert recipe_of("skip-ce", data, *paper, "--steps", "5").steps == 5
    assert recipe_of("partial-conv", data, "--preset", "paper", "--size", "128").steps == 34_500


def test_epochs_count_every_process(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paper = "--preset", "paper", "--held-out", "1", "--batch", "1"
    assert recipe_of("skip-ce", data, *paper, "--devices", "2").steps == 40
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert recipe_of("skip-ce", data, *paper).steps == 20


def test_run_of_no_steps_keeps_its_initial_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The length that --steps 0 must not mean.
    model = replace(MODELS["compression"], shipped=replace(shipped("compression"), steps=2))
    monkeypatch.setitem(MODELS, "compression", model)
    assert main(command("compression", data, tmp_path, "--steps", "0")) == 0
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 0


def test_a_run_starts_from_a_weight_file(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command("compression", data, tmp_path / "first", "--steps", "1")) == 0
    assert (
        main(
            command("compression", data, tmp_path / "first", "--export", str(tmp_path / "weights"))
        )
        == 0
    )
    file = next((tmp_path / "weights").glob("*.safetensors"))
    more = "--init-from", str(file)
    assert (
        main(
            command("compression", data, tmp_path / "second", "--steps", "0", "--seed", "5", *more)
        )
        == 0
    )
    state = torch.load(tmp_path / "second" / "checkpoint.pt", weights_only=True)
    for kept in (
        state["parts"]["network"],
        {k.removeprefix("module."): v for k, v in state["ema"].items()},
    ):
        for name, parameter in load_weights(file, CompressionNetwork).named_parameters():
            torch.testing.assert_close(kept[name], parameter.detach())
    # A resumed run continues from its own checkpoint, also after the weight was replaced by a
    # later one.
    elsewhere = file.rename(tmp_path / file.name)
    assert main(command("compression", data, tmp_path / "second", "--steps", "1", *more)) == 0
    after = torch.load(tmp_path / "second" / "checkpoint.pt", weights_only=True)
    assert main(command("compression", data, tmp_path / "second", "--steps", "1", *more)) == 0
    again = torch.load(tmp_path / "second" / "checkpoint.pt", weights_only=True)
    assert all(
        torch.equal(v, again["parts"]["network"][k]) for k, v in after["parts"]["network"].items()
    )
    elsewhere.rename(file)
    assert recipe_of("compression", data, *more).start == file.name

    capsys.readouterr()
    assert (
        main(
            [
                *command("compression", data, tmp_path / "third", "--steps", "1", *more),
                "--width",
                "3",
            ]
        )
        == 2
    )
    assert "--width" in capsys.readouterr().err
    assert main(command("partial-conv", data, tmp_path / "third", "--steps", "1", *more)) == 2
    assert "holds a CompressionNetwork, expected a PartialConvUNet" in capsys.readouterr().err
    assert not (tmp_path / "third").exists()


def test_a_run_starts_wider_and_deeper_than_its_weight(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = save_weights(
        SkipContextEncoder(SkipContextEncoderConfig(3, 2)).eval(), tmp_path, "skip-ce", half=False
    )
    more = "--steps", "0", "--width", "3", "--blocks", "1", "--begin-with", str(narrow)
    assert main(command("skip-ce", data, tmp_path / "run", *more)) == 0
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    wide = SkipContextEncoder(SkipContextEncoderConfig(3, 3, 1)).eval()
    wide.load_state_dict(state["parts"]["network"])
    picture, known = torch.rand(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
    torch.testing.assert_close(
        wide(picture, known),
        load_weights(narrow, SkipContextEncoder)(picture, known),
        rtol=0,
        atol=1e-5,
    )

    capsys.readouterr()
    assert main([*command("skip-ce", data, tmp_path / "other", *more), "--variant", "2"]) == 2
    assert "they differ in more than the width and the blocks" in capsys.readouterr().err
    assert main([*command("skip-ce", data, tmp_path / "other", *more), "--width", "1"]) == 2
    assert "give a --width of that or more" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_card_shows_the_command_without_absolute_paths() -> None:
    words = ["edsr", "--images", "/home/anna/my photos", "--images=/srv/more", "--masks", "../m"]
    assert parse(words).command == (
        "train-inpainter edsr --images 'my photos' --images=more --masks ../m"
    )


def test_own_pictures_and_masks(data: Path, tmp_path: Path) -> None:
    images, masks = tmp_path / "my images", tmp_path / "my masks"
    shutil.copytree(data / "faces" / "train", images / "a")
    shutil.copytree(data / "scenes" / "train", tmp_path / "more")
    masks.mkdir()
    half = np.zeros((64, 64), np.uint8)
    half[:, :32] = 255
    cv2.imwrite(str(masks / "half.png"), half)
    own = "--images", str(images), "--images", str(tmp_path / "more"), "--masks", str(masks)
    nowhere = tmp_path / "nowhere"
    task, recipe = make_task(parse(command("compression", nowhere, tmp_path / "run", *own)))
    assert isinstance(task, InpaintingTask)
    assert len(task.crops.paths) == recipe.pictures == 4  # six, and two are held out
    assert {p.parent for p in task.crops.paths} <= {images / "a", tmp_path / "more"}
    assert isinstance(task.crops.holes, MaskFolder)
    assert (recipe.folders, recipe.images) == ((), ("my images", "more"))
    assert recipe.facts["holes"] == "my masks"
    assert main(command("compression", nowhere, tmp_path / "run", "--steps", "1", *own)) == 0


def test_accumulated_batches_are_one_batch_on_the_card(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "--steps", "1", "--batch", "1", "--accumulate", "3"
    assert main(command("compression", data, tmp_path / "run", *more)) == 0
    capsys.readouterr()
    assert (
        main(
            command(
                "compression", data, tmp_path / "run", *more, "--export", str(tmp_path / "weights")
            )
        )
        == 0
    )
    card = Path(capsys.readouterr().out.strip()).with_suffix(".md").read_text()
    assert "1 steps of batch 3 (3 samples)" in card


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK"])  # torchrun's and Fabric's own launcher's
def test_only_the_first_process_prints(
    name: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("remove_objects.train.engine.train", lambda *_: {"step": 1.0})
    monkeypatch.setattr("remove_objects.train.next_steps.after_training", lambda _: ["done"])
    for rank, said in (("0", "done\n"), ("1", "")):
        monkeypatch.setenv(name, rank)
        assert main(command("compression", data, tmp_path, "--steps", "1")) == 0
        assert capsys.readouterr().out == said


def test_missing_data_is_the_users_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command("compression", tmp_path / "nowhere", tmp_path / "run", "--steps", "1")) == 2
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["variant", "blocks"])
@pytest.mark.parametrize("model", ["partial-conv", "compression", "edsr"])
def test_option_of_another_model_is_the_users_mistake(
    option: str, model: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(model, data, tmp_path / "run", "--steps", "1", f"--{option}", "0")) == 2
    assert f"--{option} belongs to skip-ce" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_too_few_pictures_for_the_held_out_set_name_the_option(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main([*command("compression", data, tmp_path / "run", "--steps", "1"), "--held-out", "64"])
        == 2
    )
    assert "--held-out" in capsys.readouterr().err


def test_damaged_checkpoint_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\3\4 and no more")
    assert main(command("compression", data, tmp_path, "--steps", "1")) == 2
    assert f"{tmp_path / 'checkpoint.pt'}: not a readable checkpoint" in capsys.readouterr().err


def test_diverged_run_ends_with_another_code(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(command("compression", data, tmp_path, "--steps", "9", "--learning-rate", "1e30")) == 1
    )
    assert "lower learning rate" in capsys.readouterr().err
    assert not (tmp_path / "checkpoint.pt").exists()


def test_export_before_training_is_the_users_mistake(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(command("compression", data, tmp_path / "run", "--export", str(tmp_path / "weights")))
        == 2
    )
    assert "train first" in capsys.readouterr().err
    assert not (tmp_path / "weights").exists()


def documented(program: str) -> list[str]:
    """The command lines of a program in the indented blocks of the documentation."""
    docs = Path(__file__).parents[2] / "docs"
    text = "\n".join((docs / name).read_text() for name in ("training.md", "experiments.md"))
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return [line.split("  #")[0] for line in lines if line.startswith(f"{program} ")]


@pytest.mark.parametrize("command_line", documented("train-inpainter"))
def test_documented_training_commands_exist(command_line: str) -> None:
    assert parse(shlex.split(command_line)[1:]).model in MODELS


@pytest.mark.parametrize("command_line", documented("evaluate-inpainter"))
def test_documented_measurements_exist(command_line: str) -> None:
    assert evaluate_cli.parser().parse_args(shlex.split(command_line)[1:]).table


def test_an_earlier_name_of_an_option_still_works() -> None:
    assert parse(["edsr", "--begin-with", "a.safetensors"]).init_from == Path("a.safetensors")
    assert parse(["edsr", "--init-from", "a.safetensors"]).init_from == Path("a.safetensors")


@pytest.mark.parametrize(("cores", "workers"), [(1, 0), (2, 1), (4, 3), (64, 8)])
def test_pictures_are_decoded_on_the_cores_that_the_process_may_use(
    cores: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr("remove_objects.pipeline.system.cores._GROUP", Path("none"))
    assert parse(["edsr", "--data", "x", "--run", "y"]).workers == workers
    assert parse(["edsr", "--data", "x", "--run", "y", "--workers", "5"]).workers == 5


@pytest.mark.parametrize("module", [cli, evaluate_cli])
@pytest.mark.alone
def test_help_loads_no_torch(module: ModuleType) -> None:
    assert_help_is_quick(module, "--device", {"torch", "numpy", "cv2"})


def test_a_new_network_is_one_task_and_one_record(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class NewTask(EDSRTask):
        preprocessing = "as edsr"

        @classmethod
        def index_facts(cls) -> dict[str, str]:
            return {"made_for": "this test"}

    small = replace(shipped("edsr"), network={"width": 2, "blocks": 1})
    monkeypatch.setitem(MODELS, "new", Model(task=lambda: NewTask, shipped=small))
    options = "--features none --batch 1 --size 16 --held-out 2 --steps 1 --device cpu --workers 0"
    run = ["new", "--data", str(data), "--run", str(tmp_path / "run"), *shlex.split(options)]
    assert main(run) == 0
    capsys.readouterr()
    assert main([*run, "--export", str(tmp_path / "weights")]) == 0
    entry = json.loads((tmp_path / "weights" / "index.json").read_text())["new"]
    assert (entry["preprocessing"], entry["made_for"]) == ("as edsr", "this test")
    assert Path(capsys.readouterr().out.strip()).name == entry["file"]
