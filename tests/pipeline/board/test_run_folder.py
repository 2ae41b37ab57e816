"""A run's output folder on the board: its photos, their order, their inputs, and saved reviews."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import jsonschema
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.batch.output.replaced import versions
from remove_objects.pipeline.board import run_folder, run_inputs
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.config import LARGEST_MAX_PIXELS, MAX_PIXELS
from remove_objects.pipeline.errors import ExistsError, UnwritableError, UsageError
from remove_objects.pipeline.report import previews
from remove_objects.pipeline.report.page_view import needs_mending
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from tests.support.board_run import command, load, mark, review
from tests.support.scenes import scene


def names(cleaned: Path) -> list[str]:
    return [item.name for item in run_folder.open_run(cleaned).items]


def test_photos_for_review_come_first_worst_first(run: Path) -> None:
    opened = run_folder.open_run(run)
    assert [item.name for item in opened.items] == ["b.jpg", "a.png", "deep/c.png"]
    assert [item.needs_review for item in opened.items] == [True, True, False]
    assert opened.classes == ("person",)
    assert opened.settings.probe is False
    mark(run, {"b.jpg": ("review", None)})
    assert names(run) == [
        "a.png",
        "b.jpg",
        "deep/c.png",
    ]  # photos without a score follow those with one


def test_skipped_photos_keep_the_first_runs_verdict(run: Path) -> None:
    photos = command(run.parent / "photos")
    assert {p["status"] for p in photos} == {"skipped"}
    assert names(run) == ["b.jpg", "a.png", "deep/c.png"]


def test_a_photo_waits_on_the_board_as_on_the_page_also_without_a_journal(run: Path) -> None:
    command(run.parent / "photos")  # finds every photo finished
    (run / JOURNAL_NAME).unlink()
    photos = load(run)["photos"]
    assert {photo["status"] for photo in photos} == {"skipped"}
    waiting = {item.name for item in run_folder.open_run(run).items if item.needs_review}
    assert waiting == {photo["input"] for photo in photos if needs_mending(photo)}
    assert waiting == {"a.png", "b.jpg"}


def test_a_photo_that_only_the_journal_knows_is_opened_and_reported(run: Path) -> None:
    # A run, or another board, died before its report.
    report = load(run)
    report["photos"] = [p for p in report["photos"] if p["input"] != "a.png"]
    (run / "report.json").write_text(json.dumps(report))
    board = Board(run_folder.open_run(run))
    assert names(run) == ["b.jpg", "a.png", "deep/c.png"]
    board.accept("b.jpg")
    told = {p["input"]: p for p in load(run)["photos"]}
    assert set(told) == {"a.png", "b.jpg", "deep/c.png"}
    assert (told["a.png"]["status"], told["a.png"]["earlier_status"]) == ("skipped", "review")


@pytest.mark.parametrize(
    ("recorded", "most"),
    [
        (300_000_000, 300_000_000),  # the run read such photos, so the board does
        (1_000, MAX_PIXELS),
        (10**30, LARGEST_MAX_PIXELS),
        ("many", MAX_PIXELS),
        (None, MAX_PIXELS),
    ],
)
def test_a_photo_may_have_as_many_pixels_as_in_its_run(
    recorded: object, most: int, run: Path
) -> None:
    report = load(run)
    report["run"]["settings"]["max_pixels"] = recorded
    (run / "report.json").write_text(json.dumps(report))
    assert run_folder.open_run(run).max_pixels == most


def test_the_first_mask_is_the_saved_one(run: Path) -> None:
    board = Board(run_folder.open_run(run))
    saved = np.asarray(Image.open(run / "masks" / "b.png"))
    assert saved.any()
    assert np.array_equal(board.sessions.session("b.jpg").editor.mask, saved)
    assert not board.open("b.jpg")["can_undo"]


@pytest.mark.parametrize("name", ["a.png", "b.jpg"])
def test_without_a_saved_mask_the_first_one_is_what_the_result_changed(
    name: str, run: Path
) -> None:
    saved = np.asarray(Image.open((run / "masks" / name).with_suffix(".png")))
    shutil.rmtree(run / "masks")
    board = Board(run_folder.open_run(run))
    photo = board.open(name)
    assert any("this one is what its result changed" in note for note in photo["notes"])
    session = board.sessions.session(name)
    mask, rgb = session.editor.mask, session.photo.rgb
    person = (rgb[..., 0] > 200) & (rgb[..., 1] < 60)
    assert person.any()
    assert mask[person].all()
    assert (mask & ~saved).sum() < 0.05 * saved.sum()  # a JPEG's blocks reach beyond a hole


def test_a_stroke_beside_a_result_without_a_saved_mask_does_not_bring_the_object_back(
    run: Path,
) -> None:
    shutil.rmtree(run / "masks")
    review(Board(run_folder.open_run(run)), "b.jpg")
    result = np.asarray(Image.open(run / "b.jpg"))
    assert not ((result[..., 0] > 200) & (result[..., 1] < 60)).any()


def test_without_mask_and_result_the_page_says_so(run: Path) -> None:
    shutil.rmtree(run / "masks")
    (run / "b.jpg").unlink()
    photo = Board(run_folder.open_run(run)).open("b.jpg")
    assert photo["share"] == 0
    assert any("saved no mask" in note for note in photo["notes"])


def test_a_reviewed_photo_enters_the_run_and_a_later_batch_keeps_it(run: Path) -> None:
    inputs = {p: p.read_bytes() for p in (run.parent / "photos").rglob("*.*")}
    before, untouched = load(run), (run / "a.png").read_bytes()
    pages = [
        run / "report.csv",
        run / "report.html",
        previews.place(run, "b.jpg", "mask"),
        previews.place(run, "b.jpg", "after"),
    ]
    shown = [p.read_bytes() for p in pages]
    board = Board(run_folder.open_run(run))
    state = review(board, "b.jpg")
    assert state["reviewed"]
    assert not state["needs_review"]
    after = load(run)
    entry = next(p for p in after["photos"] if p["input"] == "b.jpg")
    old = next(p for p in before["photos"] if p["input"] == "b.jpg")
    assert entry["reviewed"] is True
    assert set(entry) == {*old, "reviewed", "decision"}
    assert entry["output"] == "b.jpg"
    assert entry["hole_share"] > old["hole_share"]
    assert [p for p in after["photos"] if p["input"] != "b.jpg"] == [
        p for p in before["photos"] if p["input"] != "b.jpg"
    ]
    assert after["run"] == before["run"]
    mask = np.asarray(Image.open(run / entry["mask"]))
    assert np.array_equal(mask, board.sessions.session("b.jpg").editor.mask)
    assert mask[20, 100]
    with Image.open(run / "b.jpg") as picture:
        assert picture.format == "JPEG"
        assert picture.getexif()[0x010E] == "a description"
        result = np.asarray(picture)
    assert not ((result[..., 0] > 200) & (result[..., 1] < 60)).any()  # no red mark is left
    assert (run / "a.png").read_bytes() == untouched
    assert {p: p.read_bytes() for p in (run.parent / "photos").rglob("*.*")} == inputs
    assert not list(run.rglob(".*.part"))

    assert [p.read_bytes() != old for p, old in zip(pages, shown, strict=True)] == [True] * 4
    jsonschema.validate(
        after, json.loads(Path(previews.__file__).with_name("schema.json").read_text())
    )

    saved = (run / "b.jpg").read_bytes(), (run / "masks/b.png").read_bytes()
    later = {p["input"]: p for p in command(run.parent / "photos")}
    assert later["b.jpg"]["status"] == "skipped"  # neither refused nor processed again
    assert later["b.jpg"]["reviewed"] is True
    assert ((run / "b.jpg").read_bytes(), (run / "masks/b.png").read_bytes()) == saved
    assert names(run)[0] == "a.png"  # the next photo to check


def test_a_reviewed_result_stays_when_its_input_changes(run: Path) -> None:
    review(Board(run_folder.open_run(run)), "a.png")
    saved = [(run / name).read_bytes() for name in ("a.png", "masks/a.png")]
    Image.fromarray(scene(seed=8)).save(run.parent / "photos" / "a.png")
    later = {p["input"]: p for p in command(run.parent / "photos")}
    assert later["a.png"]["status"] == "failed"
    assert "changed since its result was saved at the mask board" in later["a.png"]["error"]
    assert later["a.png"]["output"] == "a.png"  # the report names what stands
    assert [(run / name).read_bytes() for name in ("a.png", "masks/a.png")] == saved
    later = {p["input"]: p for p in command(run.parent / "photos", overwrite=True)}
    assert later["a.png"]["status"] in ("ok", "review")
    assert "reviewed" not in later["a.png"]
    kept = [v.path.read_bytes() for v in versions(run, PurePosixPath("a.png"))]
    assert saved[0] in kept


def test_a_result_that_was_changed_is_replaced_only_on_request(run: Path) -> None:
    (run / "b.jpg").write_bytes(b"another program's work")
    board = Board(run_folder.open_run(run))
    board.stroke("b.jpg", [[100, 20]], 6)
    board.fill("b.jpg", "auto", False, False)
    before = (
        (run / "report.json").read_bytes(),
        (run / JOURNAL_NAME).read_bytes(),
        (run / "masks/b.png").read_bytes(),
    )
    with pytest.raises(ExistsError, match=r"exists, and (neither|it changed)"):
        board.save("b.jpg")
    assert (run / "b.jpg").read_bytes() == b"another program's work"
    assert (
        (run / "report.json").read_bytes(),
        (run / JOURNAL_NAME).read_bytes(),
        (run / "masks/b.png").read_bytes(),
    ) == before
    board.save("b.jpg", True)
    assert np.asarray(Image.open(run / "b.jpg")).shape == (120, 160, 3)


def test_a_failing_disk_changes_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(run_folder.open_run(run))
    board.stroke("a.png", [[100, 20]], 6)
    board.fill("a.png", "auto", False, False)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}

    def full(*_: object, **__: object) -> None:
        raise UnwritableError("no space left")

    monkeypatch.setattr("remove_objects.pipeline.images.write_mask", full)
    with pytest.raises(UnwritableError, match="no space"):
        board.save("a.png")
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_a_second_save_replaces_the_first(run: Path) -> None:
    board = Board(run_folder.open_run(run))
    review(board, "a.png")
    board.stroke("a.png", [[20, 100]], 5)
    board.fill("a.png", "auto", False, False)
    board.save("a.png")
    assert Journal(run).owns("a.png", run / "a.png")
    assert Journal(run).complete


def without_inputs(cleaned: Path) -> None:
    report = load(cleaned)
    report["run"]["command"] = ""
    del report["run"]["inputs"]
    (cleaned / "report.json").write_text(json.dumps(report))


def moved(cleaned: Path) -> None:
    (cleaned.parent / "photos").rename(cleaned.parent / "other")


def as_version_0_1_0(cleaned: Path) -> None:
    report = load(cleaned)
    report["run"]["command"] = "remove-objects --class person photos"
    del report["run"]["inputs"]
    (cleaned / "report.json").write_text(json.dumps(report))


def recorded(cleaned: Path) -> None:
    without_inputs(cleaned)
    moved(cleaned)
    (cleaned.parent / "photos").mkdir()
    # A folder beside the output that holds some of the names; it was not cleaned.
    for name in ("a.png", "b.jpg"):
        Image.fromarray(scene(seed=99)).save(cleaned.parent / "photos" / name)
    report = load(cleaned)
    report["run"]["inputs"] = [str(cleaned.parent / "other")]
    (cleaned / "report.json").write_text(json.dumps(report))


@pytest.mark.parametrize(
    "change", [lambda _: None, without_inputs, moved, as_version_0_1_0, recorded]
)
def test_the_inputs_are_located(run: Path, change: Callable[[Path], None]) -> None:
    content = (run.parent / "photos" / "a.png").read_bytes()
    change(run)
    opened = run_folder.open_run(run)
    assert all(item.missing is None for item in opened.items)
    assert (
        next(item for item in opened.items if item.name == "a.png").source.read_bytes() == content
    )


def test_the_command_is_parsed_only_if_the_report_names_no_inputs(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> list[str]:
        raise AssertionError("the recorded command was parsed")

    monkeypatch.setattr(run_inputs, "_command_inputs", refuse)
    assert names(run) == ["b.jpg", "a.png", "deep/c.png"]
    without_inputs(run)
    with pytest.raises(AssertionError, match="was parsed"):
        names(run)


@pytest.mark.parametrize(
    "command",
    ["remove-objects --no-such-option photos", "remove-objects 'photos", "other photos", "", "\0"],
)
def test_a_command_that_no_longer_parses_is_ignored_in_silence(
    run: Path, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    without_inputs(run)
    report = load(run)
    report["run"]["command"] = command
    (run / "report.json").write_text(json.dumps(report))
    assert names(run) == ["b.jpg", "a.png", "deep/c.png"]  # by the names beside the output
    assert capfd.readouterr() == ("", "")


def test_missing_inputs_are_explained(run: Path) -> None:
    elsewhere = run.parent / "far" / "away"
    elsewhere.parent.mkdir()
    (run.parent / "photos").rename(elsewhere)
    with pytest.raises(UsageError, match="--input DIR"):
        run_folder.open_run(run)
    assert all(item.missing is None for item in run_folder.open_run(run, elsewhere).items)
    with pytest.raises(UsageError, match="no such folder"):
        run_folder.open_run(run, run.parent / "nowhere")


def test_the_board_does_not_guess_between_two_folders(run: Path) -> None:
    without_inputs(run)
    shutil.copytree(run.parent / "photos", run.parent / "copy")
    with pytest.raises(UsageError, match="say which one was cleaned with --input"):
        run_folder.open_run(run)


def test_a_missing_photo_is_reported_and_the_others_open(run: Path) -> None:
    (run.parent / "photos" / "b.jpg").unlink()
    board = Board(run_folder.open_run(run))
    row = next(p for p in board.photos()["photos"] if p["name"] == "b.jpg")
    assert "--input DIR" in row["missing"]
    with pytest.raises(Exception, match="was not found"):
        board.open("b.jpg")
    assert board.open("a.png")["width"] == 160


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "/etc/passwd", "deep/../../secret.png", "..\\secret.png", "C:/secret.png"],
)
def test_a_report_cannot_name_files_outside_the_folder(run: Path, name: str) -> None:
    Image.new("RGB", (8, 8)).save(run.parent / "secret.png")
    report = load(run)
    report["photos"][0] |= {"input": name, "output": name, "mask": name}
    (run / "report.json").write_text(json.dumps(report))
    opened = run_folder.open_run(run)
    assert name not in [item.name for item in opened.items]
    assert any(repr(name) in note for note in opened.notes)


def test_masks_and_links_that_leave_the_folder_are_not_opened(run: Path) -> None:
    secret = run.parent / "secret.png"
    Image.new("RGB", (160, 120), "white").save(secret)
    report = load(run)
    report["photos"][0]["mask"] = "../secret.png"
    (run / "report.json").write_text(json.dumps(report))
    (run.parent / "photos" / "b.jpg").unlink()
    (run.parent / "photos" / "b.jpg").symlink_to(secret)
    items = {item.name: item for item in run_folder.open_run(run).items}
    assert items["a.png"].mask is None
    assert "link to a file outside" in (items["b.jpg"].missing or "")


@pytest.mark.parametrize("mask", [None, 3, ["a"], "missing"])
def test_an_entry_of_a_damaged_report_has_no_mask(run: Path, mask: object) -> None:
    report = load(run)
    for entry in report["photos"]:
        del entry["mask"]
        entry |= {} if mask == "missing" else {"mask": mask}
    (run / "report.json").write_text(json.dumps(report))
    assert [item.mask for item in run_folder.open_run(run).items] == [None] * 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"schema_version": 99, "run": {}, "photos": []}',
        "[1]",
        '{"schema_version": 1, "photos": 3}',
    ],
)
def test_an_invalid_report_is_refused_with_the_remedy(run: Path, text: str) -> None:
    (run / "report.json").write_text(text)
    with pytest.raises(UsageError, match="run"):
        run_folder.open_run(run)
