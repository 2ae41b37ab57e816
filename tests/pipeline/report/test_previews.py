"""The report's previews: size, content, safe names, and the kinds that each run writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UnwritableError
from remove_objects.pipeline.report import previews
from remove_objects.pipeline.types import (
    Box,
    HoleOutcome,
    Layer,
    Outcome,
    Photo,
    Route,
    Routing,
    Status,
)
from tests.support.pages import entry, outcome, write_page
from tests.support.scenes import scene


def pixels(path: Path) -> np.ndarray:
    """The samples of a picture."""
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_the_kinds_are_before_mask_after_and_each_method(tmp_path: Path) -> None:
    rgb = scene(300, 400)
    previews.write(tmp_path, "a.jpg", Photo(rgb), outcome(rgb))
    files = previews.find(tmp_path, "a.jpg")
    assert list(files) == ["before", "mask", "after", "navier-stokes"]
    assert {p.parent for p in files.values()} == {tmp_path / "report_files"}
    before, after = pixels(files["before"]), pixels(files["after"])
    assert before.shape == after.shape == (270, 360, 3)
    inside = 45, 62  # of the red box, 0.9 of the photo's coordinates
    assert before[inside][0] > 200
    assert before[inside][1] < 60
    assert after[inside][0] < 160
    assert np.abs(after[200:] - before[200:]).max() == 0
    assert pixels(files["navier-stokes"])[inside].max() < 40


@pytest.mark.parametrize("name", ["a.HEIC", "deep/b.cr2", "c.tif"])
def test_what_no_browser_shows_has_large_previews(tmp_path: Path, name: str) -> None:
    rgb = scene(1500, 2000)
    previews.write(tmp_path, name, Photo(rgb), outcome(rgb))
    files = previews.find(tmp_path, name)
    assert list(files) == [*previews.SMALL_KINDS[:4], "before-large", "after-large"]
    for kind in previews.LARGE_KINDS:
        assert pixels(files[kind]).shape == (1200, 1600, 3)
    text = write_page(tmp_path, [entry(name)]).read_text()
    for kind in previews.LARGE_KINDS:
        assert f'data-large="report_files/{files[kind].name}"' in text
    previews.discard(tmp_path, name)
    assert previews.find(tmp_path, name) == {}
    previews.write(tmp_path, name, Photo(rgb[:200, :300]), outcome(rgb[:200, :300]))
    assert not set(previews.find(tmp_path, name)) & set(previews.LARGE_KINDS)


def test_a_small_photo_keeps_its_size_and_a_long_one_keeps_a_row() -> None:
    rgb = scene(50, 70)
    assert np.array_equal(previews.reduce_picture(rgb), rgb)
    assert previews.reduce_picture(np.zeros((1, 9001, 3), np.uint8)).shape == (1, 360, 3)
    assert previews.reduce_picture(np.zeros((3001, 11, 3), np.uint8)).shape == (360, 1, 3)


@pytest.mark.parametrize("size", [(721, 1443), (1080, 1440), (361, 300), (2999, 4001)])
def test_a_reduced_picture_is_the_mean_over_areas(size: tuple[int, int]) -> None:
    height, width = size
    ramp = np.broadcast_to(np.linspace(0, 255, width)[None, :, None], (height, width, 3)).astype(
        np.uint8
    )
    small = previews.reduce_picture(ramp)
    assert max(small.shape[:2]) == 360
    expected = np.linspace(0, 255, small.shape[1] * 2 + 1)[1::2]  # at each pixel's middle
    assert np.abs(small.astype(float) - expected[None, :, None]).max() < 2.5
    grain = np.where(np.indices(size).sum(0)[..., None] % 2, 255, 0).repeat(3, 2).astype(np.uint8)
    assert np.abs(previews.reduce_picture(grain)[1:-1, 1:-1].astype(float) - 127.5).max() <= (
        3 if size != (361, 300) else 128
    )


def test_16_bits_become_8() -> None:
    rgb = scene(80, 90)
    assert np.array_equal(previews.reduce_picture(rgb.astype(np.uint16) * 257), rgb)


def test_the_mask_shows_a_line_of_one_pixel_and_has_a_rim() -> None:
    mask = np.zeros((1600, 2000), bool)
    mask[:, 700] = True
    drawn = previews.draw_mask(mask)
    assert drawn.shape == (288, 360, 4)
    assert (drawn[:, 125:128, 3] > 0).any(1).all()
    assert not drawn[:, 140:].any()
    mask = np.zeros((100, 100), bool)
    mask[40:60, 40:60] = True
    drawn = previews.draw_mask(mask)
    assert tuple(drawn[50, 50]) == previews.tint(Layer.OBJECT)
    assert tuple(drawn[50, 40]) == previews.LIGHT
    assert tuple(drawn[50, 39]) == previews.DARK
    assert not drawn[50, 38].any()


def test_each_layer_has_its_colour_inside_one_line() -> None:
    layers = np.zeros((100, 100), np.uint8)
    layers[40:60, 20:40] = Layer.OBJECT
    layers[50:60, 40:60] = Layer.SHADOW
    layers[60:80, 20:40] = Layer.REFLECTION
    drawn = previews.draw_mask(layers > 0, layers=layers)
    for layer, place in (
        (Layer.OBJECT, (50, 30)),
        (Layer.SHADOW, (55, 50)),
        (Layer.REFLECTION, (70, 30)),
    ):
        assert tuple(drawn[place]) == previews.tint(layer)
    # The line goes around everything, and not between the layers.
    lines = drawn.copy()
    lines[drawn[..., 3] == previews.OPACITY] = 0
    plain = previews.draw_mask(layers > 0)
    of_plain = plain.copy()
    of_plain[plain[..., 3] == previews.OPACITY] = 0
    assert np.array_equal(lines, of_plain)
    assert np.array_equal(
        previews.draw_mask(layers == 1, layers=layers * (layers == 1)),
        (previews.draw_mask(layers == 1)),
    )


def test_a_reduced_pixel_has_the_colour_of_most_of_it() -> None:
    layers = np.zeros((1440, 1440), np.uint8)
    layers[:, :] = Layer.OBJECT
    layers[:, 402:] = Layer.SHADOW  # 2 of the 4 columns that become one
    layers[:, 401] = Layer.SHADOW
    drawn = previews.draw_mask(layers > 0, layers=layers)
    assert drawn.shape == (360, 360, 4)
    columns = [tuple(drawn[180, x]) for x in (99, 100, 101)]
    assert columns == [previews.tint(x) for x in (Layer.OBJECT, Layer.SHADOW, Layer.SHADOW)]


def test_several_holes_have_numbers_and_a_single_one_has_none() -> None:
    mask = np.zeros((200, 300), bool)
    boxes = Box(10, 10, 80, 80), Box(150, 60, 100, 100)
    for box in boxes:
        mask[box.slices] = True
    holes = [HoleOutcome(box, 0.1, Routing(Route.EDGE, "why"), None, None) for box in boxes]
    plain, one, two = (previews.draw_mask(mask, some) for some in ((), holes[:1], holes))
    assert np.array_equal(plain, one)
    for box in boxes:
        changed = (plain != two).any(2)[box.slices]
        rows, columns = np.nonzero(changed)
        assert abs(rows.mean() - box.h / 2) < 6
        assert abs(columns.mean() - box.w / 2) < 6
    assert not (plain != two)[:, 95:145].any()


ODD = [
    "a\nb.jpg",
    "../../etc/passwd",
    "b\udcff.jpg",
    "🙂/" + "x" * 300,
    "con:\\|?*.jpg",
    "<b>.jpg",
    "\ud800.jpg",
]


@pytest.mark.parametrize("name", ODD)
def test_any_name_is_a_plain_file_in_the_folder(tmp_path: Path, name: str) -> None:
    rgb = scene(30, 40, person=None)
    previews.write(tmp_path, name, Photo(rgb), Outcome(Status.UNCHANGED, ""))
    (file,) = (tmp_path / "report_files").iterdir()
    assert previews.find(tmp_path, name) == {"before": file}
    assert file.name.replace("-before.jpeg", "").isalnum()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report_files"]
    previews.discard(tmp_path, name)
    assert previews.find(tmp_path, name) == {}


def test_an_unchanged_photo_has_the_preview_before_alone(tmp_path: Path) -> None:
    rgb = scene(person=None)
    nothing = Outcome(Status.UNCHANGED, "", mask=np.zeros(rgb.shape[:2], bool))
    previews.write(tmp_path, "a.jpg", Photo(rgb), nothing)
    assert list(previews.find(tmp_path, "a.jpg")) == ["before"]


def test_a_preview_that_cannot_be_written_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb = scene()
    previews.write(tmp_path, "a.jpg", Photo(rgb), outcome(rgb))
    earlier = {p: p.read_bytes() for p in (tmp_path / "report_files").iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("remove_objects.pipeline.system.confined.OpenFolder.replace", full)
    with pytest.raises(UnwritableError, match="No space left"):
        previews.write(tmp_path, "a.jpg", Photo(255 - rgb), outcome(rgb))
    assert {p: p.read_bytes() for p in (tmp_path / "report_files").iterdir()} == earlier


@pytest.fixture
def photos(tmp_path: Path, red_is_person: None) -> Path:
    """A folder with a photo of a person, and one without."""
    (tmp_path / "in").mkdir()
    Image.fromarray(scene()).save(tmp_path / "in" / "a.png")
    Image.fromarray(scene(person=None)).save(tmp_path / "in" / "b.png")
    return tmp_path / "in"


def run(photos: Path, **changes: object) -> dict[str, dict]:
    """Clean the photos; entries by name."""
    settings = Settings(probe=False, compare=("telea",))
    batch = BatchSettings(classes=("person",), output=photos.parent / "out", **changes)  # type: ignore[arg-type]
    return {p["input"]: p for p in remove_folder([photos], settings, batch).photos}


def kinds(photos: Path, name: str) -> list[str]:
    """The kinds of the existing previews."""
    return list(previews.find(photos.parent / "out", name))


def test_a_run_writes_previews_and_their_time(photos: Path) -> None:
    entries = run(photos)
    assert kinds(photos, "a.png") == ["before", "mask", "after", "telea"]
    assert kinds(photos, "b.png") == ["before"]
    assert entries["a.png"]["stages"]["preview"] > 0


def test_a_dry_run_has_before_and_mask(photos: Path) -> None:
    run(photos, dry_run=True)
    assert kinds(photos, "a.png") == ["before", "mask"]


def test_previews_of_an_unreadable_photo_stay_as_long_as_its_result(photos: Path) -> None:
    run(photos)
    (photos / "a.png").write_bytes(b"no picture")
    assert run(photos)["a.png"]["status"] == "failed"
    assert kinds(photos, "a.png") == ["before", "mask", "after", "telea"]
    (photos.parent / "out" / "a.png").unlink()
    assert run(photos)["a.png"]["status"] == "failed"
    assert kinds(photos, "a.png") == []


def test_previews_that_cannot_be_written_are_a_warning(photos: Path) -> None:
    (photos.parent / "out").mkdir()
    (photos.parent / "out" / "report_files").write_text("a file is in the way")
    entry = run(photos)["a.png"]
    assert entry["status"] in ("ok", "review")
    assert (photos.parent / "out" / "a.png").is_file()
    assert "report_files" in entry["warnings"][-1]
    assert "no picture" in entry["warnings"][-1]


def test_previews_are_never_an_input(photos: Path) -> None:
    run(photos, save_masks=False)
    out = photos.parent / "out"
    again = plan_run([out], photos.parent / "again")
    assert [str(job.relative) for job in again.photos] == ["a.png", "b.png"]
    # A folder of that name that no run wrote is the user's own.
    (photos / "report_files").mkdir()
    Image.fromarray(scene()).save(photos / "report_files" / "c.png")
    assert "report_files/c.png" in [str(job.relative) for job in plan_run([photos], out).photos]


def test_a_resumed_run_keeps_its_previews(photos: Path) -> None:
    run(photos)
    stamps = {p: p.stat().st_mtime_ns for p in (photos.parent / "out" / "report_files").iterdir()}
    assert run(photos)["a.png"]["status"] == "skipped"
    assert {
        p: p.stat().st_mtime_ns for p in (photos.parent / "out" / "report_files").iterdir()
    } == stamps
    page = (photos.parent / "out" / "report.html").read_text()
    assert page.count('class="after"') == 1
    journal = [
        json.loads(line)
        for line in (photos.parent / "out" / ".remove-objects-journal.jsonl")
        .read_text()
        .splitlines()
    ]
    assert sum("input" in row for row in journal) == 2


def test_the_callers_arrays_are_not_changed(tmp_path: Path) -> None:
    rgb = scene()
    given = outcome(rgb)
    before = rgb.copy(), given.mask.copy(), given.result.copy()  # type: ignore[union-attr]
    previews.write(tmp_path, "a", Photo(rgb), given)
    assert all(
        np.array_equal(a, b) for a, b in zip(before, (rgb, given.mask, given.result), strict=True)
    )
