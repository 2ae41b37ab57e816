"""The command ``mask-board``: its refusals, its modes, and a --help that loads no network."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import gradio
import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board import cli
from remove_objects.pipeline.board.api import calls
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.config import ALONG, Settings
from remove_objects.pipeline.report.next_steps import board_command, own_networks
from remove_objects.pipeline.system.extras import install_command
from remove_objects.pipeline.web.listening import listen
from tests.support.help import assert_help_is_quick
from tests.support.scenes import scene


def opened(*arguments: str) -> Board:
    return Board(cli.open_path(cli.parser().parse_args(arguments)))


@pytest.mark.alone
def test_help_is_quick_and_loads_no_torch() -> None:
    assert_help_is_quick(cli, "--host", {"torch", "cv2", "numpy", "gradio", "shtab"})


def test_a_path_that_cannot_be_opened_is_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        ([str(tmp_path / "nowhere")], "no such file"),
        ([str(tmp_path / "empty")], "no photo"),
        (["--input", str(tmp_path), str(tmp_path / "empty")], "goes with the output folder"),
        (["--input", str(tmp_path)], "goes with the output folder"),
    ):
        assert cli.main(arguments) == 2
        assert message in capsys.readouterr().err


def test_without_gradio_the_message_names_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(scene()).save(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert cli.main([str(tmp_path / "a.png")]) == 2
    assert install_command("board") in capsys.readouterr().err


def test_a_port_in_use_is_reported_and_the_default_gives_way() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(cli.UsageError, match="another --port"):
            listen("127.0.0.1", port, 1)
        with listen("127.0.0.1", None, port) as other:
            assert port < other.getsockname()[1] < port + 20


def test_an_unknown_address_is_reported() -> None:
    with pytest.raises(cli.UsageError, match="no such address"):
        listen("no.such.host.invalid", 0, 1)


def test_a_photo_and_a_folder_open_in_their_modes(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(scene()).save(photos / "a.png")
    Image.fromarray(scene()).save(photos / "b.png")
    assert opened().photos()["mode"] == "empty"
    one = opened(str(photos / "b.png")).photos()
    assert (one["mode"], [p["name"] for p in one["photos"]]) == ("photo", ["b.png"])
    assert one["output"] == str(photos / "cleaned")
    folder = opened(str(photos), "-o", str(tmp_path / "there")).photos()
    assert (folder["mode"], [p["name"] for p in folder["photos"]]) == ("folder", ["a.png", "b.png"])
    assert folder["output"] == str(tmp_path / "there")


def test_a_run_keeps_its_settings_unless_the_command_line_changes_them(tmp_path: Path) -> None:
    photos, cleaned = tmp_path / "photos", tmp_path / "cleaned"
    photos.mkdir()
    cleaned.mkdir()
    Image.fromarray(scene()).save(photos / "a.png")
    row = {
        "input": "a.png",
        "status": "review",
        "score": None,
        "reason": "",
        "mask": None,
        "holes": [],
    }
    settings = {
        "segmenter": "compact",
        "threshold": 0.4,
        "dilate": 9,
        "route": "edge",
        "device": "cuda",
        "offline": True,
        "from_later": 1,
    }
    run = {"command": "", "settings": settings | {"classes": ["dog"]}}
    (cleaned / "report.json").write_text(
        json.dumps({"schema_version": 1, "run": run, "photos": [row]})
    )
    opened_run = opened(str(cleaned)).opened
    assert (
        opened_run.settings.segmenter,
        opened_run.settings.threshold,
        opened_run.settings.offline,
    ) == (
        "compact",
        0.4,
        True,
    )
    assert (opened_run.settings.dilate, opened_run.settings.route, opened_run.settings.device) == (
        None,
        "auto",
        "auto",
    )
    assert opened_run.classes == ("dog",)
    assert opened(str(cleaned), "--segmenter", "auto").opened.settings.segmenter == "auto"
    assert cli.main([str(cleaned), "-o", str(tmp_path / "x")]) == 2


@pytest.mark.parametrize(
    ("recorded", "left"),
    [
        ("compact,/somewhere/wires", "compact"),
        ("/somewhere/wires", "auto"),
        ("fcn_resnet101=/somewhere/mine.pth", "auto"),
        ("deeplabv3_resnet50", "deeplabv3_resnet50"),
    ],
)
def test_no_file_is_opened_because_a_report_names_it(
    tmp_path: Path, recorded: str, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, cleaned = tmp_path / "photos", tmp_path / "cleaned"
    photos.mkdir()
    cleaned.mkdir()
    Image.fromarray(scene()).save(photos / "a.png")
    row = {"input": "a.png", "status": "ok", "reason": "", "mask": None, "holes": []}
    settings = {"segmenter": recorded, "threshold": 0.4, "classes": ["dog", "wire"]}
    report = {"schema_version": 1, "run": {"command": "", "settings": settings}, "photos": [row]}
    (cleaned / "report.json").write_text(json.dumps(report))

    def refuse(*_: object) -> None:
        raise AssertionError("a file that the report names was opened")

    for name in ("_folder", "_checkpoint"):
        monkeypatch.setattr(f"remove_objects.pipeline.segmenter_names.{name}", refuse)
    opened_run = opened(str(cleaned)).opened
    assert (opened_run.settings.segmenter, opened_run.settings.threshold) == (left, 0.4)
    said = f"give --segmenter {recorded} to use the run's"
    assert any(said in note for note in opened_run.notes) == (recorded != left)


def test_the_command_that_mends_a_run_names_its_own_segmenter(tmp_path: Path) -> None:
    run: Any = {"settings": {"segmenter": "compact,/my models/wires"}}
    options = own_networks(run, ["--class", "wire"])
    assert options == ["--segmenter", "compact,/my models/wires"]
    command = board_command(tmp_path, options, anywhere=True)
    assert "--segmenter 'compact,/my models/wires'" in command
    run["settings"]["segmenter"] = "compact"
    assert own_networks(run, []) == []


def test_what_goes_along_is_the_runs_choice_or_the_command_lines(
    tmp_path: Path, cheap: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(scene()).save(tmp_path / "a.png")
    photo, cleaned = str(tmp_path / "a.png"), str(tmp_path / "cleaned")
    assert opened(photo).opened.settings.along == ALONG
    assert opened("--with", "shadow", photo).opened.settings.along == ("shadow",)
    remove_folder(
        [tmp_path / "a.png"],
        Settings(probe=False, along=("reflection",)),
        BatchSettings(classes=("person",), workers=1),
    )
    assert opened(cleaned).opened.settings.along == ("reflection",)
    assert opened("--with", "none", cleaned).opened.settings.along == ()
    for wrong in ("", "none,shadow", "glow"):
        with pytest.raises((SystemExit, cli.UsageError)):
            opened("--with", wrong, photo)
    assert "none alone" in capsys.readouterr().err


def test_settings_files_count_for_photos_and_the_users_machine_for_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def settings_of(*arguments: str) -> Settings:
        """The settings with which the board opens."""
        boards: list[Settings] = []
        monkeypatch.setattr(cli, "serve", lambda board, *_, **__: boards.append(board.opened))
        assert cli.main(list(arguments)) == 0
        return boards[0].settings

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    own, photos = tmp_path / "remove-objects" / "remove-objects.toml", tmp_path / "photos"
    own.parent.mkdir()
    own.write_text("offline = true\nsegmenter = 'compact'\nstrip-metadata = true\n")
    photos.mkdir()
    Image.fromarray(scene(person=None)).save(photos / "a.png")
    beside = photos / "remove-objects.toml"
    beside.write_text("class = 'person'\nwith = 'shadow'\nsegmenter = 'auto'\nlossless = true")
    settings = settings_of("--with", "none", str(photos))
    assert settings == Settings(along=(), lossless=True, offline=True, strip_metadata=True)
    said = capsys.readouterr().err
    assert f'settings of {beside}: segmenter = "auto", lossless = true' in said
    assert f"settings of {own}: offline = true, strip-metadata = true" in said
    assert settings_of("--no-settings", str(photos)) == Settings()
    # A run has its own settings, which already hold what the files said then.
    run = BatchSettings(classes=("person",), output=tmp_path / "cleaned")
    remove_folder(photos, Settings(segmenter="compact", probe=False, lossless=True), run)
    settings = settings_of(str(tmp_path / "cleaned"))
    assert settings.offline
    assert not settings.strip_metadata
    assert settings.segmenter == "compact"
    beside.write_text("output = '/etc'")
    assert cli.main([str(photos)]) == 2
    assert "belongs on the command line (--output)" in capsys.readouterr().err


def test_an_error_about_an_option_of_a_file_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    own = tmp_path / "remove-objects" / "remove-objects.toml"
    own.parent.mkdir()
    own.write_text("device = 'cuda'")
    Image.fromarray(scene()).save(tmp_path / "a.png")
    said: list[str] = []

    def select(board: Board, *_: object, **__: object) -> None:
        """Ask the board as its page does, and then let it meet the same error itself."""
        call = next(each for each in calls(board) if each.__name__ == "select_class")
        board.open("a.png")
        with pytest.raises(gradio.Error) as answer:
            call("a.png", ["person"], -1, "add")
        said.append(str(answer.value.message))
        board.select_class("a.png", ["person"], None, "add")

    monkeypatch.setattr(cli, "serve", select)
    assert cli.main([str(tmp_path / "a.png")]) == 2
    said.append(capsys.readouterr().err.splitlines()[-1].removeprefix("mask-board: "))
    assert said == [f"--device cuda: this machine offers cpu; --device is from {own}"] * 2


def test_every_file_of_the_page_is_in_the_package() -> None:
    import tomllib

    room = Path(cli.__file__).parent
    setup = tomllib.loads((room.parents[1] / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = setup["package-data"]["remove_objects.pipeline.board"]
    packaged = {path for pattern in patterns for path in room.glob(pattern)}
    assert packaged == set((room / "page").iterdir())
    assert {"board.html", "board.css", "board.js"} <= {path.name for path in packaged}
