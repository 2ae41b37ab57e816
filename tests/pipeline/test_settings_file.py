"""Settings files: who goes first, what is told, and what a file beside photos must not say."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli, settings_file
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.watch.watch import Watch
from tests.support.scenes import scene

NAME = "remove-objects.toml"
#: Options that no file may hold, whoever wrote it: they read, write or replace other files, or
#: belong to one call.
COMMAND_LINE_ONLY = {
    *("output", "masks", "picks", "preview", "files-from", "truth", "baseline", "tolerance"),
    "weights",
    *("overwrite", "add", "dry-run", "engine", "actors", "gpus-per-actor", "no-settings", "json"),
    "print-completion",
    *("quiet", "verbose", "help", "version", "no-prefilter"),
}


@pytest.fixture
def photos(tmp_path: Path, cheap: None) -> Path:
    """A folder with a red box, which is a person, and a blue one, which is a dog."""
    picture = scene()
    picture[20:40, 120:140] = (0, 0, 255)
    (tmp_path / "in").mkdir()
    Image.fromarray(picture).save(tmp_path / "in" / "a.png")
    return tmp_path / "in"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the user's own settings file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    place = tmp_path / "configuration" / "remove-objects" / NAME
    place.parent.mkdir(parents=True)
    return place


def main(arguments: list[str]) -> int:
    """Run the command without the probe, for which these networks are too cheap."""
    return cli.main(["--no-probe", *arguments])


def run_of(photos: Path) -> dict:
    """The report's ``run``."""
    return json.loads((photos.parent / "cleaned" / "report.json").read_text())["run"]


def test_the_command_line_goes_first_then_the_photos_file_then_the_users(
    photos: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.write_text('class = "dog"\nthreshold = 0.3\nroute = "face"\nworkers = 1\nlossless = true\n')
    (photos / NAME).write_text('class = ["person"]\nthreshold = 0.4\nno-probe = true\n')
    assert cli.main(["--threshold", "0.6", str(photos)]) == 0
    run = run_of(photos)
    assert run["settings"]["classes"] == ["person"]
    assert run["settings"]["threshold"] == 0.6
    assert run["settings"]["route"] == "face"
    assert run["settings"]["workers"] == 1
    assert run["settings"]["detail"] == "texture"  # the default
    assert run["settings_from"] == {
        str(photos / NAME): {"class": ["person"], "no-probe": True},
        str(own): {"route": "face", "workers": 1, "lossless": True},
    }
    said = capsys.readouterr().err
    assert f'settings of {photos / NAME}: class = ["person"], no-probe = true' in said
    assert f'settings of {own}: route = "face", workers = 1, lossless = true' in said
    page = (photos.parent / "cleaned" / "report.html").read_text(encoding="utf-8")
    assert f"settings of {own}" in page
    # The settings file is no photo, and nobody needs to be told that it is none.
    assert "passed over" not in said
    assert not (photos.parent / "cleaned" / NAME).exists()


def test_a_repeated_option_replaces_the_files_list(photos: Path) -> None:
    (photos / NAME).write_text('class = ["dog"]\nexclude = ["*.png"]\n')
    assert main(["--class", "person", "--exclude", "*.tif", str(photos)]) == 0
    assert run_of(photos)["settings"]["classes"] == ["person"]
    assert "settings_from" not in run_of(photos)


def test_no_settings_reads_none(photos: Path, own: Path) -> None:
    own.write_text("not = [toml")
    (photos / NAME).write_text('output = "/etc"')
    assert main(["--no-settings", "--class", "person", str(photos)]) == 0


def test_a_changed_file_is_a_changed_option(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, result = photos / NAME, photos.parent / "cleaned" / "a.png"
    file.write_text('class = ["person"]')
    assert main([str(photos)]) == 0
    before = result.read_bytes()
    assert main([str(photos)]) == 0
    assert "1 skipped" in capsys.readouterr().out
    file.write_text('class = ["person"]\nkeep = "largest"\n')
    assert main([str(photos)]) == 2  # as with --keep typed anew
    assert f"--keep is from {file}" in capsys.readouterr().err
    assert result.read_bytes() == before
    file.write_text('class = ["person"]\nsave-masks = true\n')
    assert main([str(photos)]) == 0
    assert (photos.parent / "cleaned" / "masks" / "a.png").is_file()
    assert "skipped" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("classs = 'dog'", "classs", r"unknown key (did you mean class?)"),
        ("save_masks = true", "save_masks", r"(did you mean save-masks?)"),
        ("[run]\nkeep = 'main'", "run", "unknown key"),
        ("threshold = '0.5'", "threshold", 'must be a number, such as 0.5; got "0.5"'),
        ("threshold = true", "threshold", "must be a number, such as 0.5; got true"),
        ("threshold = 3", "threshold", "between 0 and 1"),
        ("threshold = nan", "threshold", "between 0 and 1"),
        ("class = 3", "class", "a list of texts"),
        ("class = ['dog', 3]", "class", "a list of texts"),
        ("class = ['unicorn']", "class", "unknown class 'unicorn'"),
        ("class = [['dog']]", "class", "a list of texts"),
        ("save-masks = 'yes'", "save-masks", 'must be true or false; got "yes"'),
        ("save-masks = 1", "save-masks", "must be true or false; got 1"),
        ("keep = 'largest:0'", "keep", "N a whole number"),
        ("keep = ['main']", "keep", "a text in quotes"),
        ("dilate = 1.5", "dilate", "a whole number or a text"),
        ("dilate = 'much'", "dilate", "'auto' or a number of pixels"),
        ("dilate = -1", "dilate", "0 to 2000"),
        ("route = 'sky'", "route", 'must be one of auto, edge, face, free-form; got "sky"'),
        ("series = 'on'", "series", "must be one of auto, off, fixed"),
        ("with = ['shadows']", "with", "takes shadow, reflection and carried; got 'shadows'"),
        ("exclude = ['./raw']", "exclude", "matches no file"),
        ("exclude = 'a*b*c*d*e'", "exclude", "may have 3 asterisks"),
        ("min-size = 2", "min-size", "shares of the photo"),
        ("compare = 'lama'", "compare", "takes navier-stokes and telea"),
        ("no-probe = 1979-05-27", "no-probe", "must be true or false"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_file(
    tmp_path: Path, text: str, key: str, says: str
) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(UsageError) as caught:
        settings_file.file_beside([tmp_path], cli.parser())
    assert str(caught.value).startswith(f"{tmp_path / NAME}: {key}: ")
    assert says in str(caught.value)


def test_a_wrong_file_ends_the_call_before_any_work(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / NAME).write_text("save-masks = 1")
    assert main(["--class", "person", str(photos)]) == 2
    assert f"{photos / NAME}: save-masks: must be true or false" in capsys.readouterr().err
    assert not (photos.parent / "cleaned").exists()


@pytest.mark.parametrize(
    "content",
    [b"keep = ", b"\xff\xfek\0e\0", b"a = " + b"[" * 30_000, b"#" * 70_000, b"a = " + b"9" * 9_000],
)
def test_what_is_no_settings_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(UsageError, match=f"^{tmp_path / NAME}: (is no|larger)"):
        settings_file.file_beside([tmp_path], cli.parser())


def test_a_file_saved_with_windows_byte_order_mark_is_read(photos: Path) -> None:
    (photos / NAME).write_bytes(b"\xef\xbb\xbfclass = 'people'\r\n")
    assert main([str(photos)]) == 0


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda place: os.symlink("gone", place)])
def test_a_pipe_a_folder_or_a_broken_link_does_not_hang(tmp_path: Path, make: object) -> None:
    make(tmp_path / NAME)
    with pytest.raises(UsageError, match=f"{tmp_path / NAME}: no regular file"):
        settings_file.file_beside([tmp_path], cli.parser())


def test_every_option_is_for_files_or_for_the_command_line_alone() -> None:
    """Whoever adds an option decides whether a file that comes with photos may set it."""
    options = set(settings_file._options(cli.parser()))
    assert options == set(settings_file.KEYS) | COMMAND_LINE_ONLY
    assert not set(settings_file.KEYS) & COMMAND_LINE_ONLY


def test_no_file_says_what_is_read_written_or_replaced(
    photos: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = photos.parent / "elsewhere"
    for beside in (True, False):
        for key in COMMAND_LINE_ONLY:
            with pytest.raises(UsageError, match=rf"belongs on the command line \(--{key}\)"):
                content = f"{key} = '{elsewhere}'".encode()
                settings_file._checked("file", content, cli.parser(), beside=beside)
    for file in (photos / NAME, own):
        file.write_text(f"output = '{elsewhere}'")
        assert main(["--class", "person", str(photos)]) == 2
        assert f"{file}: output: belongs on the command line" in capsys.readouterr().err
        file.unlink()
    assert not elsewhere.exists()


@pytest.mark.parametrize(
    "text",
    [
        "offline = false",
        "device = 'cuda'",
        "workers = 256",
        "max-pixels = '1000M'",
        "keep-metadata = 'all'",
        "strip-metadata = false",
        "fail-on = 'failed'",
    ],
)
def test_a_file_that_came_with_photos_decides_nothing_of_the_users(own: Path, text: str) -> None:
    own.write_text(text)
    settings_file.user_file(cli.parser())
    with pytest.raises(UsageError, match="beside photos, which may have come with them") as caught:
        settings_file._checked("file", text.encode(), cli.parser(), beside=True)
    assert str(own) in str(caught.value)


@pytest.mark.parametrize(
    ("stronger", "own_text", "setting"),
    [
        (["--strip-metadata"], "keep-metadata = 'all'", ("keep_metadata", "known")),
        (["--keep-metadata", "all"], "strip-metadata = true", ("strip_metadata", False)),
        # No contradiction: what the user always wants stays.
        (["--keep-metadata", "known"], "strip-metadata = true", ("strip_metadata", True)),
        (["--lossless"], "raw-output = 'jpeg'", ("raw_output", "tiff")),
    ],
)
def test_what_contradicts_a_stronger_source_does_not_count(
    photos: Path, own: Path, stronger: list[str], own_text: str, setting: tuple[str, object]
) -> None:
    own.write_text(own_text)
    assert main(["--class", "person", *stronger, str(photos)]) == 0
    assert run_of(photos)["settings"][setting[0]] == setting[1]


def test_own_masks_alone_say_what_goes(photos: Path, own: Path) -> None:
    own.write_text("class = 'person'\nkeep = 'main'\n")
    mask = np.zeros((120, 160), np.uint8)
    mask[20:40, 120:140] = 255
    Image.fromarray(mask).save(photos.parent / "mask.png")
    assert main(["--masks", str(photos.parent / "mask.png"), str(photos)]) == 0
    assert "settings_from" not in run_of(photos)


def test_an_error_about_an_option_of_a_file_names_the_file(
    photos: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.write_text("keep = 'main'")
    assert main(["--class", "dog", str(photos)]) == 2
    assert f"--keep is from {own}" in capsys.readouterr().err


def test_folders_with_different_settings_are_separate_calls(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = photos.parent / "other"
    other.mkdir()
    Image.fromarray(scene()).save(other / "b.png")
    (photos / NAME).write_text("class = 'person'")
    assert main([str(photos), str(other)]) == 2
    said = capsys.readouterr().err
    assert f"{photos / NAME} is not for the photos of {other}, which have no such file" in said
    (other / NAME).write_text("# the same\nclass = ['person']")
    assert main([str(photos), str(other)]) == 0


def test_a_given_photo_has_the_settings_of_its_folder(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / NAME).write_text("class = 'person'")
    monkeypatch.chdir(photos)
    assert main(["a.png", "-o", str(photos.parent / "cleaned")]) == 0
    assert run_of(photos)["settings_from"] == {str(photos / NAME): {"class": "person"}}


def test_a_place_that_cannot_be_examined_has_no_settings(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its entry says what is wrong with it, as before; the others are cleaned."""
    (photos / "circle").symlink_to("circle")
    places = [photos / "circle", photos / ("x" * 5000), photos / "a.png" / "b.png"]
    (photos.parent / "list").write_text("\n".join(map(str, places)))
    call = ["--class", "person", "--files-from", str(photos.parent / "list"), str(photos)]
    assert main([*call, "-o", str(photos.parent / "cleaned")]) == 1
    assert "1 ok" in capsys.readouterr().out


def test_the_settings_of_a_subfolder_are_told_and_not_read(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "rome").mkdir()
    (photos / "rome" / NAME).write_text("class = 'dog'")
    assert main(["--class", "person", str(photos)]) == 0
    assert f"passed over 1 {NAME} of a subfolder" in capsys.readouterr().err


def test_a_folder_in_a_bucket_has_settings_too(
    cheap: None, memory: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = io.BytesIO()
    Image.fromarray(scene()).save(file, "PNG")
    memory.pipe("/photos/a.png", file.getvalue())
    memory.pipe(f"/photos/{NAME}", b"class = 'person'")
    assert main(["memory://photos", "-o", str(tmp_path / "cleaned")]) == 0
    assert "settings of memory://photos/remove-objects.toml" in capsys.readouterr().err


def test_a_photo_in_a_pipe_has_the_users_settings(
    cheap: None, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is for folders does not count: else the one photo would be excluded.
    own.write_text("class = 'person'\nexclude = '*.png'\nsave-masks = true\nfail-on = 'review'")
    file, output = io.BytesIO(), io.BytesIO()
    Image.fromarray(scene()).save(file, "PNG")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.getvalue())))
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(output))
    assert main(["-"]) in (0, 1)
    assert output.getvalue().startswith(b"\x89PNG")
    assert output.getvalue() != file.getvalue()


def test_a_watch_has_the_settings_of_its_folder(
    photos: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / NAME).write_text("class = 'person'\nno-probe = true")
    own.write_text("class = 'dog'\nworkers = 1")
    begun: list[Watch] = []
    monkeypatch.setattr(Watch, "run", lambda watch, stop: begun.append(watch))
    assert cli.main(["watch", str(photos), "--settle", "0.1"]) == 0
    (watch,) = begun
    assert watch.batch.classes == ("person",)
    assert watch.batch.workers == 1
    assert watch.settings_from == {
        str(photos / NAME): {"class": "person", "no-probe": True},
        str(own): {"workers": 1},
    }


def test_without_a_home_there_is_no_file_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda name: name)
    assert settings_file.user_place() is None
    # The standard says to ignore what is not absolute.
    monkeypatch.setattr("os.path.expanduser", lambda name: name.replace("~", "/home/ada"))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert settings_file.user_place() == Path("/home/ada/.config/remove-objects") / NAME
