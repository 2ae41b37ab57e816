"""What ``--segmenter`` names: networks, files of weights and folders of own models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.segmenter_names import SegmenterNames, parse_segmenter


def write_configuration(folder: Path) -> None:
    """What a command line reads of a model."""
    config = {"_model_class": "Unet", "encoder_name": "resnet18", "classes": 1}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").touch()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("wires", "date, printed", "a=b", "compact"):
        (tmp_path / folder).mkdir()
        write_configuration(tmp_path / folder)
    (tmp_path / "mine.pth").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_told_from_files_and_folders(here: Path) -> None:
    wires, printed = here / "wires", here / "date, printed"
    assert parse_segmenter("auto") == SegmenterNames("auto")
    assert parse_segmenter("compact,wires/") == SegmenterNames("compact", None, (wires,))
    assert parse_segmenter("wires, compact") == SegmenterNames("compact", None, (wires,))
    assert parse_segmenter("wires/") == SegmenterNames(None, None, (wires,))
    assert parse_segmenter("./compact") == SegmenterNames(None, None, (here / "compact",))
    assert parse_segmenter("a=b") == SegmenterNames(None, None, (here / "a=b",))
    assert parse_segmenter("wires,compact,wires/") == SegmenterNames("compact", None, (wires,))
    both = SegmenterNames("compact", None, (printed, wires))
    assert parse_segmenter("compact,date, printed,wires") == both
    assert parse_segmenter(["compact", printed, wires]) == both
    own = SegmenterNames("fcn_resnet101", here / "mine.pth")
    assert parse_segmenter("fcn_resnet101=mine.pth") == own


def test_the_text_of_settings_means_the_same_from_any_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given in ("compact,date, printed/,wires", "fcn_resnet101=mine.pth,wires", "wires"):
        settings = Settings(segmenter=given)
        monkeypatch.chdir("/")
        assert parse_segmenter(settings.segmenter) == settings.segmenters
        assert Settings(segmenter=settings.segmenter) == settings
        monkeypatch.chdir(here)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("compcat", r"or the folder of an own model; got 'compcat' \(did you mean compact\?\)"),
        ("nowhere/", "nowhere/: there is no such folder"),
        ("mine.pth", "mine.pth: a file, and an own model is the folder that holds config.json"),
        ("fcn_resnet101=none.pth", "none.pth: there is no such file"),
        ("compact=mine.pth", "compact takes no file"),
        ("auto,compact", "auto and compact find the same classes; give one of them"),
        ("", "takes a name or a folder of a model; got the text ''"),
        (",", "got none"),
        (None, "got None"),
        (b"compact", "got 7 bytes"),
        (["compact", 3], "got 3"),
        ([], "got none"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(here: Path, given: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_segmenter(given)
