"""Whole runs over generated folders: tree, masks, failures, refusals, and the report's shape."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.output.claims import CLAIMS
from remove_objects.pipeline.batch.output.replaced import versions
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings, FolderOptions
from remove_objects.pipeline.config import PictureOptions, Settings
from remove_objects.pipeline.errors import UnwritableError, UsageError
from remove_objects.pipeline.report.schema import Entry
from remove_objects.pipeline.types import Status

PERSON = BatchSettings(classes=("person",), workers=2)


def batch(folder: Path, **changes: object) -> BatchSettings:
    return BatchSettings(**{"classes": ("person",), "output": folder, **changes})  # type: ignore[arg-type]


def load(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def test_a_folder_keeps_its_tree_and_gets_its_report(photos: Path, tmp_path: Path) -> None:
    inputs = {p: p.read_bytes() for p in photos.rglob("*.png")}
    out = tmp_path / "out"
    result = remove_folder(
        [photos], Settings(), batch(out, save_masks=True), command="remove-objects test"
    )
    report = load(out)
    assert report["schema_version"] == 1
    assert set(report["run"]) == {
        "version",
        "command",
        "inputs",
        "settings",
        "weights",
        "device",
        "seconds",
        "warnings",
    }
    assert report["run"]["inputs"] == [str(photos)]
    assert report["run"]["command"] == "remove-objects test"
    assert (
        set(report["run"]["weights"]) == {"box", "partial-conv", "compression"}
        or "box" in report["run"]["weights"]
    )
    by_name = {p["input"]: p for p in report["photos"]}
    assert list(by_name) == ["deep/edge.png", "deep/er/empty.png", "middle.png"]
    assert by_name["deep/er/empty.png"]["status"] == "unchanged"
    assert (out / "deep/er/empty.png").read_bytes() == inputs[photos / "deep/er/empty.png"]
    assert by_name["deep/edge.png"]["holes"][0]["route"] == "edge"
    assert by_name["middle.png"]["holes"][0]["route"] == "free-form"
    for name in ("deep/edge.png", "middle.png"):
        entry = by_name[name]
        assert entry["status"] in ("ok", "review")
        assert entry["fidelity"] == {"changed_outside": 0, "psnr_outside": None}
        assert entry["classes"]["person"] > 0
        assert 0 < entry["hole_share"] < 0.5
        assert set(entry["holes"][0]) == {
            "box",
            "share",
            "route",
            "why",
            "seam",
            "score",
            "signs",
            "probe",
        }
        assert set(entry["holes"][0]["probe"]) == {"l1", "psnr", "ssim", "lpips"}
        assert entry["holes"][0]["probe"]["lpips"] is None  # no backbone in an empty cache
        mask = np.asarray(Image.open(out / entry["mask"]))
        before, after = (
            np.asarray(Image.open(photos / name)),
            np.asarray(Image.open(out / entry["output"])),
        )
        assert np.array_equal(before[~mask], after[~mask])
        assert not (after == (255, 0, 0)).all(2).any()  # the red box is gone
        assert entry["residue"] == 0
    (warning,) = [w for w in report["run"]["warnings"] if "LPIPS" in w]
    # What it means for the photos comes before what is missing.
    assert warning.startswith("the verdicts are a little less sure, because one of the networks")
    assert {p: p.read_bytes() for p in photos.rglob("*.png")} == inputs
    assert result.report == out / "report.json"
    assert not list(out.rglob(".*.part"))


def test_saved_masks_go_back_in_and_give_the_same_photo(photos: Path, tmp_path: Path) -> None:
    remove_folder([photos], Settings(), batch(tmp_path / "a", save_masks=True))
    remove_folder(
        [photos], Settings(), BatchSettings(output=tmp_path / "b", masks=tmp_path / "a" / "masks")
    )
    for name in ("middle.png", "deep/edge.png"):
        assert np.array_equal(
            np.asarray(Image.open(tmp_path / "a" / name)),
            np.asarray(Image.open(tmp_path / "b" / name)),
        )
    entry = next(p for p in load(tmp_path / "b")["photos"] if p["input"] == "deep/er/empty.png")
    assert entry["status"] == "unchanged"
    assert "no mask" in entry["reason"]


def test_a_foreign_file_in_the_way_is_not_overwritten(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "middle.png").write_bytes(b"somebody's own file")
    result = remove_folder([photos], Settings(probe=False), batch(out))
    entry = next(p for p in result.photos if p["input"] == "middle.png")
    assert entry["status"] == "failed"
    assert "--overwrite" in entry["error"]
    assert (out / "middle.png").read_bytes() == b"somebody's own file"
    again = remove_folder([photos], Settings(probe=False), batch(out, overwrite=True))
    assert all(p["status"] != "failed" for p in again.photos)


@pytest.mark.parametrize("whole", [True, False], ids=["folder", "one result"])
def test_a_result_that_is_removed_during_the_run_is_reported(
    whole: bool, photos: Path, tmp_path: Path
) -> None:
    out, removed = tmp_path / "out", []

    def remove(_: int, entry: Entry | None) -> None:
        if entry is not None and entry["output"] is not None and not removed:
            removed.append(entry["input"])
            shutil.rmtree(out) if whole else (out / entry["output"]).unlink()

    result = remove_folder([photos], Settings(probe=False), batch(out), progress=remove)
    failed = [p for p in result.photos if p["status"] == "failed"]
    assert removed[0] in [p["input"] for p in failed]
    assert all("was removed before the run ended" in str(p["error"]) for p in failed)
    assert load(out)["photos"] == sorted(result.photos, key=lambda p: p["input"])
    for entry in result.photos:
        assert entry["status"] == "failed" or (out / str(entry["output"])).is_file()
    again = remove_folder([photos], Settings(probe=False), batch(out))
    assert all(p["status"] != "failed" for p in again.photos)
    assert all((out / str(p["output"])).is_file() for p in again.photos)


def test_a_mask_that_is_not_ours_is_not_overwritten(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "masks").mkdir(parents=True)
    (out / "masks" / "middle.png").write_bytes(b"somebody's own mask")

    def statuses(**changes: object) -> dict[str, str]:
        done = remove_folder(
            [photos], Settings(probe=False), batch(out, save_masks=True, **changes)
        )
        return {p["input"]: p["error"] or p["status"] for p in done.photos}

    assert (
        "masks/middle.png: exists and is not what an earlier run wrote here"
        in statuses()["middle.png"]
    )
    assert (out / "masks" / "middle.png").read_bytes() == b"somebody's own mask"
    assert not (out / "middle.png").exists()
    assert statuses(overwrite=True)["middle.png"] in ("ok", "review")

    # On the user's word our own mask may be replaced, even after a run that wrote none, and so may
    # one that somebody edited; both are kept.
    def again(classes: tuple[str, ...], dilate: int = 0) -> str:
        done = remove_folder(
            [photos],
            Settings(probe=False, dilate=dilate),
            BatchSettings(classes=classes, output=out, save_masks=True, workers=1, overwrite=True),
        )
        entry = next(p for p in done.photos if p["input"] == "middle.png")
        return entry["error"] or entry["status"]

    assert again(("dog",)) == "unchanged"
    assert again(("person",), 5) in ("ok", "review")
    Image.new("1", (9, 9)).save(out / "masks" / "middle.png")
    mended = (out / "masks" / "middle.png").read_bytes()
    assert again(("person",), 7) in ("ok", "review")
    kept = [v.path.read_bytes() for v in versions(out, PurePosixPath("masks/middle.png"))]
    assert b"somebody's own mask" in kept
    assert mended in kept


def test_the_mask_of_a_photo_that_could_not_be_written_is_recognised_as_ours(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def status() -> str:
        done = remove_folder([photos], Settings(probe=False), batch(out, save_masks=True))
        return next(p["status"] for p in done.photos if p["input"] == "middle.png")

    def refuse(*_: object, **__: object) -> None:
        raise UnwritableError("no room for it")

    with monkeypatch.context() as patch:
        patch.setattr("remove_objects.pipeline.images.save_outcome", refuse)
        assert status() == "failed"
        assert (out / "masks" / "middle.png").exists()
        assert not (out / CLAIMS).exists()
        assert status() == "failed"  # because of the photo again, not of its mask
    assert status() in ("ok", "review")


def test_a_dry_run_between_two_runs_does_not_make_their_files_foreign(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for dry, dilate in ((False, 5), (True, 5), (True, 6), (False, 7)):
        done = remove_folder(
            [photos],
            Settings(probe=False, dilate=dilate),
            batch(out, dry_run=dry, save_masks=True, overwrite=dilate > 5),
        )
        assert [p["output"] for p in load(out)["photos"]] == [
            "deep/edge.png",
            "deep/er/empty.png",
            "middle.png",
        ]
        assert "failed" not in {p["status"] for p in done.photos}, [p["error"] for p in done.photos]


def test_a_dry_run_does_not_report_a_file_that_somebody_changed(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    remove_folder([photos], Settings(), batch(out))
    Image.new("RGB", (8, 8)).save(out / "middle.png")
    remove_folder([photos], Settings(), batch(out, dry_run=True, overwrite=True))
    outputs = {p["input"]: p["output"] for p in load(out)["photos"]}
    assert outputs["middle.png"] is None  # not what a run wrote
    assert outputs["deep/edge.png"] == "deep/edge.png"


def test_wrong_calls_are_refused_before_any_work(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="aeroplane, bicycle"):
        remove_folder([photos], Settings(), batch(tmp_path / "out", classes=("persn",)))
    with pytest.raises(UsageError, match="--class"):
        remove_folder([photos], Settings(), batch(tmp_path / "out", classes=()))
    with pytest.raises(UsageError, match="both input and output"):
        remove_folder([photos], Settings(), batch(photos))
    with pytest.raises(UsageError, match="no such folder of masks"):
        remove_folder([photos], Settings(), BatchSettings(masks=tmp_path / "none"))
    assert not (tmp_path / "out").exists()


def test_paths_may_be_text_and_a_single_input_needs_no_list(photos: Path, tmp_path: Path) -> None:
    settings = Settings(probe=False)
    as_text = BatchSettings(classes=("person",), output=f"{tmp_path}/out", workers=1)
    assert as_text.output == tmp_path / "out"
    first = remove_folder([str(photos)], settings, as_text)
    assert first.photos
    for inputs in (str(photos), photos, iter([photos])):
        again = remove_folder(inputs, settings, as_text)
        assert len(again.photos) == len(first.photos)
        assert again.run["inputs"] == [str(photos)]


def test_what_is_no_path_is_refused() -> None:
    with pytest.raises(UsageError, match="output: expected a path or an address, got 5"):
        BatchSettings(output=5)
    with pytest.raises(UsageError, match="inputs: expected a path or an address, got 5"):
        remove_folder([5], Settings(), PERSON)
    with pytest.raises(UsageError, match="workers must be 1 to 256 photos at once, or auto; got 0"):
        BatchSettings(workers=0)


@pytest.mark.parametrize("photo", ["text", "path", "list"])
def test_settings_are_keywords_too(photos: Path, tmp_path: Path, photo: str) -> None:
    given = {"text": f"{photos}/middle.png", "path": photos / "middle.png"}
    inputs = given.get(photo, [photos / "middle.png"])
    kept = BatchSettings(classes=["dog"], save_masks=True)
    done = remove_folder(
        inputs,
        Settings(probe=False),
        kept,
        classes="person",
        output=str(tmp_path / "out"),
        along="shadow",
        exclude="raw/",
    )
    assert [entry["status"] for entry in done.photos] == ["ok"]
    assert (done.count("ok"), done.count(Status.OK), done.count("review")) == (1, 1, 0)
    with pytest.raises(UsageError, match=r"status must be one of ok, .*; got the text 'okay'"):
        done.count("okay")
    told = done.run["settings"]
    assert (told["classes"], told["exclude"], told["workers"]) == (["person"], ["raw/"], 2)
    assert (told["along"], told["probe"], told["save_masks"]) == (("shadow",), False, True)
    assert (tmp_path / "out" / "masks" / "middle.png").is_file()


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"inputs": 5}, "inputs takes the path of a photo or folder, or a list of paths; got 5"),
        ({"inputs": None}, "got None"),
        ({"inputs": b"photos"}, "got 6 bytes"),
        ({"inputs": ""}, "inputs: got an empty text; the current folder is"),
        ({"inputs": np.zeros((4, 9, 3), np.uint8)}, r"array 4x9x3 uint8; remove\(\) cleans"),
        ({"inputs": Image.new("L", (9, 4))}, r"PIL picture 9x4 of mode L; remove\(\) cleans"),
        ({"settings": "person"}, "settings takes a Settings.*got the text 'person'; classes are"),
        ({"settings": BatchSettings()}, "a BatchSettings is given as batch=…"),
        ({"batch": "out"}, "batch takes a BatchSettings.*; got the text 'out'"),
        ({"classes": 5}, "classes takes class names.*; got 5"),
        ({"classes": ["person", None]}, "classes takes class names.*; one of them is None"),
        ({"output": 5}, "output: expected a path or an address, got 5"),
        ({"workers": "2"}, "workers must be 1 to 256 photos at once, or auto; got the text '2'"),
        ({"max_pixels": 2.5}, "max_pixels must be 1 to .* pixels; got 2.5"),
        ({"overwrite": "no"}, "overwrite takes True or False; got the text 'no'"),
        ({"series": None}, "series must be one of auto, off, fixed; got None"),
        ({"engine": None}, "engine must be one of local, ray; got None"),
        ({"exclude": 5}, "exclude takes patterns.*; got 5"),
        ({"progress": True}, "progress takes a function .*; got True"),
        ({"stop": 1}, "leave it out; got 1"),
        ({"masks": 5}, "masks: expected a path or an address, got 5"),
    ],
)
def test_a_wrong_type_gets_a_sentence(tmp_path: Path, wrong: dict[str, object], found: str) -> None:
    call = {"inputs": tmp_path, "classes": "person", "output": tmp_path / "out", **wrong}
    with pytest.raises(UsageError, match=found):
        remove_folder(**call)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "meant"), [("clases", "classes"), ("treshold", "threshold"), ("out", "output")]
)
def test_a_keyword_that_is_none_gets_the_one_that_was_meant(
    tmp_path: Path, wrong: str, meant: str
) -> None:
    with pytest.raises(TypeError, match=f"takes no '{wrong}'; did you mean '{meant}'"):
        remove_folder(tmp_path, **{wrong: "person"})


def test_the_home_is_found_in_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert BatchSettings(output="~/out").output == tmp_path / "out"
    assert BatchSettings(output=Path("~/out")).output == Path("~/out")  # of the command line


def test_every_setting_is_a_keyword() -> None:
    """Type checkers read the keywords from these."""
    assert set(PictureOptions.__annotations__) == {f.name for f in fields(Settings)}
    assert set(FolderOptions.__annotations__) - set(PictureOptions.__annotations__) == {
        f.name for f in fields(BatchSettings)
    } - {"classes", "output"}


def test_workers_do_not_change_the_result(photos: Path, tmp_path: Path) -> None:
    one = remove_folder([photos], Settings(probe=False), batch(tmp_path / "one", workers=1))
    many = remove_folder([photos], Settings(probe=False), batch(tmp_path / "many", workers=4))
    for photo in one.photos:
        assert (tmp_path / "one" / photo["output"]).read_bytes() == (
            tmp_path / "many" / photo["output"]
        ).read_bytes()
    assert {p["input"] for p in one.photos} == {p["input"] for p in many.photos}


def test_a_dry_run_writes_masks_and_report_only(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = remove_folder([photos], Settings(), batch(out, dry_run=True, save_masks=True))
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.png")) == [
        "masks/deep/edge.layers.png",
        "masks/deep/edge.png",
        "masks/middle.layers.png",
        "masks/middle.png",
    ]
    assert all(p["output"] is None for p in result.photos)


def test_a_photo_that_is_all_person_fails_clearly(tmp_path: Path, red_is_person: None) -> None:
    Image.new("RGB", (80, 60), (255, 0, 0)).save(tmp_path / "red.png")
    result = remove_folder([tmp_path / "red.png"], Settings(), batch(tmp_path / "out"))
    assert result.photos[0]["status"] == "failed"
    assert "nothing is left" in result.photos[0]["reason"]


def test_a_bad_photo_is_an_entry_and_does_not_end_the_run(photos: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    result = remove_folder([photos], Settings(probe=False), batch(tmp_path / "out"))
    by_name = {p["input"]: p for p in result.photos}
    assert by_name["broken.jpg"]["status"] == "failed"
    assert "broken.jpg" in by_name["broken.jpg"]["error"]
    assert not (tmp_path / "out" / "broken.jpg").exists()
    assert by_name["middle.png"]["status"] in ("ok", "review")
