"""The shipped pictures: listed, small, rebuildable, with exact ground truth; and a run on them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).resolve().parents[2] / "sample_images"
#: Paths of the pictures in the folder, and of those whose ground truth is known, without suffix.
PICTURES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.rglob("[!.]*.*")
    if path.suffix in (".jpg", ".png") and path.relative_to(FOLDER).parts[0][0] != "."
)
COMPOSITES = sorted(
    path.relative_to(FOLDER / ".truth").with_suffix("").as_posix()
    for path in (FOLDER / ".truth").rglob("*.jpg")
)
#: Pictures of one place.
SERIES = [f"one_place/visit_{number}.jpg" for number in (1, 2, 3)]
ROUTES = {
    "astronaut.jpg": "edge",
    "brick_wall.jpg": "free-form",
    "cat_in_hedge.jpg": "free-form",
    "far_moon.jpg": "free-form",
    "launch_pad.jpg": "edge",
    "mural.jpg": "face",
    "photographer.png": "edge",
    **dict.fromkeys(SERIES, "edge"),
}


def pixels(path: Path) -> np.ndarray:
    """RGB samples as int32."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(np.int32)


def mask(path: Path) -> np.ndarray:
    """A mask file as bool."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L")) > 127


def blocks(touched: np.ndarray) -> np.ndarray:
    """``touched`` enlarged to the whole 8x8 blocks of JPEG."""
    height, width = touched.shape
    padded = np.pad(touched, ((0, -height % 8), (0, -width % 8)))
    coarse = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8).any((1, 3))
    return coarse.repeat(8, 0).repeat(8, 1)[:height, :width]


def test_the_set_is_what_the_specification_asks_for() -> None:
    assert len(PICTURES) >= 6
    assert set(PICTURES) == {*ROUTES, "coffee.jpg"}
    assert len(COMPOSITES) == 8
    assert all(f"{name}.jpg" in PICTURES for name in COMPOSITES)
    masks = sorted((FOLDER / ".masks").rglob("*.png"))
    assert masks == sorted(FOLDER / ".masks" / f"{name}.png" for name in COMPOSITES)


def test_every_picture_is_listed_with_its_size_and_its_sources() -> None:
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    for name in PICTURES:
        rows = [line for line in lines if line.startswith(f"| `{name}`")]
        assert len(rows) == 2, name
        with Image.open(FOLDER / name) as image:
            assert f"{image.width} × {image.height}" in rows[0], name


def test_the_pictures_are_small() -> None:
    assert (
        sum(
            path.stat().st_size
            for path in FOLDER.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        )
        < 2_000_000
    )
    for name in PICTURES:
        with Image.open(FOLDER / name) as image:
            assert 480 <= max(image.size) <= 720, name


@pytest.mark.parametrize("name", COMPOSITES)
def test_ground_truth_and_composite_differ_at_the_object_alone(name: str) -> None:
    truth, composite = pixels(FOLDER / ".truth" / f"{name}.jpg"), pixels(FOLDER / f"{name}.jpg")
    thing = mask(FOLDER / ".masks" / f"{name}.png")
    assert truth.shape == composite.shape == (*thing.shape, 3)
    difference = np.abs(truth - composite).max(2)
    touched = blocks(thing)
    assert difference[~touched].max() <= 12  # the codec, encoding the same pixels again
    assert (difference[~touched] > 0).mean() < 0.02
    assert difference[touched & ~thing].mean() < 6  # the object's edge changes its block
    assert difference[thing].mean() > 30
    assert 0.02 < thing.mean() < 0.25


def test_the_builder_makes_the_same_pictures(tmp_path: Path) -> None:
    if find_spec("matplotlib") is None:
        pytest.skip("the builder takes one picture out of matplotlib")
    subprocess.run([sys.executable, str(FOLDER / "build.py"), str(tmp_path)], check=True)
    built = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    kept = [Path(name) for name in PICTURES]
    kept += [
        path.relative_to(FOLDER)
        for folder in (".truth", ".masks")
        for path in (FOLDER / folder).rglob("*.*")
    ]
    assert built == sorted(kept)
    for path in built:
        assert np.abs(pixels(tmp_path / path) - pixels(FOLDER / path)).mean() < 1.0, path


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, dict[str, Any]]:
    """README's command on the set: exit code, output folder, the report's entries by name.

    Without YuNet: the Haar cascades detect fewer faces.
    """
    from remove_objects.pipeline.cli import main

    output = tmp_path_factory.mktemp("sample") / "cleaned"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(output.parent / "no cache"))
        options = (
            "--offline --segmenter compact --class person --class cat --save-masks --no-probe "
            "--device cpu --workers 1"
        )
        code = main([*options.split(), "-o", str(output), str(FOLDER)])
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    return code, output, {entry["input"]: entry for entry in report["photos"]}


@pytest.mark.slow
def test_one_command_reaches_every_route_and_leaves_one_unchanged(
    cleaned: tuple[int, Path, dict[str, Any]],
) -> None:
    code, output, entries = cleaned
    assert code == 0
    assert sorted(entries) == PICTURES
    for name, route in ROUTES.items():
        assert entries[name]["status"] in ("ok", "review"), entries[name]
        assert {hole["route"] for hole in entries[name]["holes"]} == {route}, entries[name]["holes"]
    assert entries["coffee.jpg"]["status"] == "unchanged"
    assert (output / "coffee.jpg").read_bytes() == (FOLDER / "coffee.jpg").read_bytes()
    assert entries["astronaut.jpg"]["status"] == "review"
    assert entries["photographer.png"]["fidelity"]["changed_outside"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPOSITES)
def test_the_pasted_object_is_detected(
    cleaned: tuple[int, Path, dict[str, Any]], name: str
) -> None:
    detected = mask(cleaned[1] / "masks" / f"{name}.png")
    thing = mask(FOLDER / ".masks" / f"{name}.png")
    assert (detected & thing).sum() / thing.sum() > 0.93
    assert (detected & thing).sum() / detected.sum() > 0.55  # dilation takes a rim around it


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPOSITES)
def test_the_result_is_closer_to_the_ground_truth_than_the_object(
    cleaned: tuple[int, Path, dict[str, Any]], name: str
) -> None:
    thing = mask(FOLDER / ".masks" / f"{name}.png")
    truth = pixels(FOLDER / ".truth" / f"{name}.jpg")
    untouched, result = (
        np.abs(pixels(path / f"{name}.jpg") - truth)[thing].mean() for path in (FOLDER, cleaned[1])
    )
    assert result < untouched, (
        f"{result:.1f} levels off the truth, the object itself {untouched:.1f}"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SERIES)
def test_pictures_of_one_place_show_what_another_one_hides(
    cleaned: tuple[int, Path, dict[str, Any]], name: str
) -> None:
    thing = mask((FOLDER / ".masks" / name).with_suffix(".png"))
    error = np.abs(pixels(cleaned[1] / name) - pixels(FOLDER / ".truth" / name))[thing].mean()
    assert error < 6
    for hole in cleaned[2][name]["holes"]:
        assert set(hole["borrowed"]) <= set(SERIES) - {name}
        assert sum(hole["borrowed"].values()) > 0.9
