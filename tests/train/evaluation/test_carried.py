"""The table of carried things, on drawn photos and with a network that knows things by colour."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.networks import Networks
from remove_objects.pipeline.types import Box
from remove_objects.train.evaluate_cli import main
from remove_objects.train.evaluation import carried
from tests.support.tiny_effects import SeesColours

PERSON, BAG, CHAIR = Box(80, 30, 24, 80), Box(104, 60, 20, 20), Box(20, 80, 30, 30)
GREEN = (30, 200, 30)


def draw(folder: Path, name: str, *, bag: tuple[int, int, int], is_held: bool = True) -> None:
    """A photo of a person with a bag, and of a chair; without ``is_held`` the bag is elsewhere."""
    rng = np.random.default_rng(0)
    photo = rng.normal(150, 5, (130, 180, 1)).repeat(3, 2).clip(0, 255).astype(np.uint8)
    labels = np.zeros((130, 180), np.uint16)
    place = BAG if is_held else Box(150, 60, 20, 20)
    for box, value, colour in (
        (PERSON, 101, (200, 60, 90)),
        (place, 3101, bag),
        (CHAIR, 6201, (90, 90, 160)),
    ):
        photo[box.slices], labels[box.slices] = colour, value
    cv2.imwrite(str(folder / "things" / f"{name}.png"), labels)
    rgb = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "images" / f"{name}.jpg"), rgb, [cv2.IMWRITE_JPEG_QUALITY, 100])


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Networks, "effects", SeesColours())
    folder = tmp_path / carried.FOLDER
    for name in ("images", "things"):
        (folder / name).mkdir(parents=True)
    draw(folder, "found", bag=GREEN)
    draw(folder, "missed", bag=(150, 120, 60))
    draw(folder, "put_down", bag=GREEN, is_held=False)
    return tmp_path


def test_things_go_with_their_people_or_are_left(data: Path, tmp_path: Path) -> None:
    rows = carried.evaluate_carried(data, count=9, keep=tmp_path / "seen")
    given = {row.name: row for row in rows["mask"]}
    assert set(given) == {"found", "missed"}  # nobody carries the third one
    assert given["found"].is_whole
    assert given["found"].things["handbag 1"] > carried.GONE
    assert not given["missed"].is_whole
    assert not any(row.taken for row in given.values())
    assert len(list((tmp_path / "seen").glob("*.png"))) == 2


def bag_becomes(folder: Path, value: int) -> None:
    """Label the bag of the first photo so, but for a small part at the person's side."""
    path = str(folder / "things/found.png")
    labels = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    labels[labels == 3101] = value
    labels[70:80, 100:104] = 3101
    cv2.imwrite(path, labels)


def test_what_is_taken_by_mistake_is_told(data: Path) -> None:
    """A green chair at the person's side."""
    bag_becomes(data / carried.FOLDER, 6201)
    (row,) = carried.evaluate_carried(data, count=1)["mask"]
    assert row.taken["category 62 1"] > carried.TAKEN


def test_what_has_no_label_is_taken_by_mistake_too(data: Path) -> None:
    folder = data / carried.FOLDER
    bag_becomes(folder, 0)
    picture = cv2.imread(str(folder / "images/found.jpg"))
    picture[50:100, 104:150] = GREEN[::-1]
    cv2.imwrite(str(folder / "images/found.jpg"), picture)
    (row,) = carried.evaluate_carried(data, count=1)["mask"]
    assert row.taken["unlabelled"] > carried.UNLABELLED


def test_the_command_prints_each_photo(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.json"
    assert main(["carried", "--data", str(data), "--count", "9", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "left  missed  handbag 1 " in out
    assert "1 of 2 whole, something taken by mistake in 0" in out
    assert {row["name"] for row in json.loads(path.read_text())["mask"]} == {"found", "missed"}


def test_no_photo_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["carried", "--data", str(tmp_path)]) == 2
    assert "no thing touches a person" in capsys.readouterr().err
