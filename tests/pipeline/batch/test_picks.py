"""Picks of a folder: the dry run that shows its objects, and the runs that follow the picks."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch import picked
from remove_objects.pipeline.batch.run import FolderResult, remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.networks import Networks
from remove_objects.pipeline.report import choice, previews
from remove_objects.pipeline.report.baseline import compare
from remove_objects.pipeline.report.picks import pick_settings
from remove_objects.pipeline.storage.layout import OWN
from remove_objects.pipeline.storage.location import parse_location
from tests.support.scenes import scene

if TYPE_CHECKING:
    import fsspec

SETTINGS = Settings(probe=False, offline=True, along=())
LEFT, RIGHT = (slice(60, 160), slice(40, 90)), (slice(80, 150), slice(200, 240))
RED = (255, 0, 0)


@pytest.fixture
def album(tmp_path: Path, red_is_person: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos with two people each, and one without."""
    monkeypatch.setattr(Networks, "instances", None)
    folder = tmp_path / "album"
    (folder / "deep").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "deep/b.png")):
        rgb = scene(240, 320, person=None, seed=seed)
        rgb[LEFT], rgb[RIGHT] = RED, RED
        Image.fromarray(rgb).save(folder / name)
    Image.fromarray(scene(240, 320, person=None, seed=9)).save(folder / "empty.png")
    return folder


def run(album: Path, out: Path, settings: Settings = SETTINGS, **options: Any) -> FolderResult:
    batch = BatchSettings(**{"classes": ("person",), "output": out, "workers": 1, **options})
    return remove_folder([album], settings, batch, command="remove-objects --preview x")


def of(result: FolderResult) -> dict[str, Any]:
    return {entry["input"]: entry for entry in result.photos}


def shown(out: Path, name: str) -> choice.Choice:
    found = choice.read(previews.find(out, name, previews.CHOICE_KINDS)["objects"])
    assert found is not None
    return found


def write_picks(
    place: Path, album: Path, out: Path, removed: Callable[[str, int], bool], **settings: Any
) -> Path:
    """Write what the page would save, each object as ``removed(name, number)`` says."""
    content = {
        "picks_version": 1,
        "settings": pick_settings(["person"], "auto", 0.5, {}) | settings,
        "photos": [
            {
                "name": name,
                "size": shown(out, name)["size"],
                "objects": [
                    {
                        "number": one["number"],
                        "class": one["class"],
                        "box": one["box"],
                        "removed": removed(name, one["number"]),
                    }
                    for one in shown(out, name)["objects"]
                ],
            }
            for name in ("a.png", "deep/b.png")
        ],
    }
    place.write_text(json.dumps(content))
    return place


def who_is_left(out: Path, name: str) -> list[str]:
    rgb = np.asarray(Image.open(out / name))
    places = {"left": LEFT, "right": RIGHT}
    return [side for side, place in places.items() if (rgb[place] == RED).all()]


def test_a_preview_fills_nothing_and_writes_the_page(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = {file: file.read_bytes() for file in album.rglob("*.png")}
    result = run(album, out, replace(SETTINGS, keep="largest"), preview=True)
    assert result.preview == out / "preview.html"
    assert not [file for file in out.rglob("*.png") if OWN not in file.parts]
    assert "&#34;weights&#34;: {&#34;box&#34;: &#34;000" in (out / "preview.html").read_text()
    assert {file: file.read_bytes() for file in album.rglob("*.png")} == before
    assert all(entry["output"] is None for entry in result.photos)
    assert result.run["settings"]["dry_run"]
    text = (out / "preview.html").read_text()
    assert text.index("deep/</span>b.png") > text.index("<span></span>a.png")
    assert text.index("<b>empty.png</b>") > text.index("b.png")
    assert 'data-size="[320, 240]"' in text
    assert "remove-objects --picks picks.json x" in text
    a = shown(out, "a.png")
    assert a["size"] == (320, 240)
    assert [(one["removed"], one["why"]) for one in a["objects"]] == [
        (False, "the largest"),
        (True, "requested"),
    ]
    assert shown(out, "empty.png")["objects"] == []


def test_picks_decide_photo_by_photo(album: Path, tmp_path: Path) -> None:
    run(album, tmp_path / "preview", preview=True)
    picks = write_picks(
        tmp_path / "picks.json",
        album,
        tmp_path / "preview",
        lambda name, number: number == (1 if name == "a.png" else 2),
    )
    result = run(album, tmp_path / "out", replace(SETTINGS, keep="largest"), picks=picks)
    assert who_is_left(tmp_path / "out", "a.png") == ["right"]
    assert who_is_left(tmp_path / "out", "deep/b.png") == ["left"]
    whys = [one["why"] for one in of(result)["a.png"]["objects"]]
    assert whys == ["picked to go", "picked to stay"]
    assert of(result)["empty.png"]["status"] == "unchanged"


def test_only_photos_with_other_picks_are_processed_again(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(album, tmp_path / "preview", preview=True)

    def picks(name: str, removed: Callable[[str, int], bool]) -> Path:
        return write_picks(tmp_path / name, album, tmp_path / "preview", removed)

    first = picks("1.json", lambda name, number: number == 1)
    assert all(e["status"] != "skipped" for e in run(album, out, picks=first).photos)
    again = run(album, out, picks=first)
    assert all(e["status"] == "skipped" for e in again.photos)
    second = picks("2.json", lambda name, number: (number == 1) == (name == "a.png"))
    changed = run(album, out, picks=second)
    assert {n: e["status"] == "skipped" for n, e in of(changed).items()} == {
        "a.png": True,
        "deep/b.png": False,
        "empty.png": True,
    }
    assert who_is_left(out, "deep/b.png") == ["left"]
    assert any("1 photo has other picks" in warning for warning in changed.warnings)
    assert len(list((out / ".remove-objects-replaced/deep/b.png").glob("*.png"))) == 1
    # Without the file, both photos are as they would be without picks.
    none = run(album, out)
    assert {n for n, e in of(none).items() if e["status"] != "skipped"} == {"a.png", "deep/b.png"}
    assert who_is_left(out, "a.png") == []


def test_a_preview_shows_results_that_stand_and_touches_none(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(album, out, save_masks=True)
    ours = [f for f in out.rglob("*") if f.is_file() and f.name[:7] not in ("report.", ".remove")]
    files = {file: file.read_bytes() for file in ours}
    assert len(files) > 9
    result = run(album, out, replace(SETTINGS, keep="largest"), preview=True, save_masks=True)
    assert {f: f.read_bytes() for f in files} == files
    assert {e["status"] for e in result.photos} == {"skipped"}
    assert {e["output"] for e in result.photos} == {"a.png", "deep/b.png", "empty.png"}
    assert not shown(out, "a.png")["objects"][0]["removed"]
    assert "deep/</span>b.png" in (out / "preview.html").read_text()
    # The run after it still knows its results.
    assert {e["status"] for e in run(album, out, save_masks=True).photos} == {"skipped"}


def test_a_second_preview_looks_again_only_where_it_must(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    kept = replace(SETTINGS, keep="largest")
    run(album, out, dry_run=True)
    assert not previews.find(out, "a.png", previews.CHOICE_KINDS)
    run(album, out, preview=True)
    before = (out / "preview.html").read_text()
    result = run(album, out, preview=True)
    assert {e["status"] for e in result.photos} == {"skipped"}
    after = (out / "preview.html").read_text()
    for beginning, end in (("data-picks=", ">"), ("<main", "</main>")):
        part = after.partition(beginning)[2].partition(end)[0]
        assert part == before.partition(beginning)[2].partition(end)[0] != ""
    # Dry runs of other settings between two previews: the page must not show the older ones.
    run(album, out, kept, dry_run=True)
    run(album, out, kept, preview=True)
    assert not shown(out, "a.png")["objects"][0]["removed"]
    previews.place(out, "a.png", "choice").unlink()
    result = run(album, out, kept, preview=True)
    assert [n for n, e in of(result).items() if e["status"] != "skipped"] == ["a.png"]


def test_a_photo_that_cannot_be_shown_is_told_and_made_again(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(album, out, preview=True)
    previews.place(out, "a.png", "objects").write_bytes(b"{}")
    run(album, out, preview=True)
    text = (out / "preview.html").read_text()
    assert "<li>a.png</li>" in text.partition('id="lost"')[2].partition("</section>")[0]
    assert "a.png" not in text.partition('class="others"')[2]
    run(album, out, preview=True, overwrite=True)
    assert shown(out, "a.png")["objects"]
    assert 'id="lost"' not in (out / "preview.html").read_text()


def test_a_preview_begins_with_earlier_picks(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(album, out, preview=True)
    picks = write_picks(tmp_path / "p.json", album, out, lambda name, number: number == 2)
    run(album, out, preview=True, picks=picks)
    assert [one["removed"] for one in shown(out, "a.png")["objects"]] == [False, True]
    assert shown(out, "a.png")["objects"][0]["why"] == "picked to stay"


def test_the_run_after_a_preview_leaves_its_page_whole(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(album, out, preview=True)
    picks = write_picks(tmp_path / "p.json", album, out, lambda name, number: number == 2)
    run(album, out, picks=picks)
    assert len(previews.find(out, "a.png", previews.CHOICE_KINDS)) == 2
    assert "after" in previews.find(out, "a.png")


def test_a_file_called_preview_html_is_kept(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "preview.html").write_text("mine")
    assert not (out / ".remove-objects-replaced").exists()
    result = run(album, out, preview=True)
    (kept,) = (out / ".remove-objects-replaced/preview.html").glob("*.html")
    assert kept.read_text() == "mine"
    assert any("preview.html: was not a report" in warning for warning in result.warnings)
    run(album, out, preview=True)
    assert len(list((out / ".remove-objects-replaced/preview.html").glob("*.html"))) == 1


def test_photos_that_are_gone_are_told(
    album: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(album, tmp_path / "preview", preview=True)
    picks = write_picks(tmp_path / "p.json", album, tmp_path / "preview", lambda *_: True)
    (album / "a.png").unlink()
    with caplog.at_level(logging.WARNING):
        result = run(album, tmp_path / "out", picks=picks)
    said = f"{picks}: has picks of 1 photo that is not here: a.png"
    assert said in result.warnings
    assert said in caplog.messages
    (album / "deep" / "b.png").unlink()
    with pytest.raises(UsageError, match=r"names no photo of this run \(a.png, deep/b.png; here"):
        run(album, tmp_path / "out", picks=picks)


def test_nobody_goes_from_a_photo_of_another_shape(album: Path, tmp_path: Path) -> None:
    """Whom its picks wanted to keep is unknown."""
    run(album, tmp_path / "preview", preview=True)
    picks = write_picks(tmp_path / "p.json", album, tmp_path / "preview", lambda *_: True)
    with Image.open(album / "a.png") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(album / "a.png")
    entry = of(run(album, tmp_path / "out", picks=picks))["a.png"]
    assert entry["status"] == "review"
    assert "picked in a picture of 320x240 pixels, and it has 240x320" in entry["reason"]
    assert entry["warnings"]
    assert entry["objects"]
    assert all(not one["removed"] for one in entry["objects"])
    assert {one["why"] for one in entry["objects"]} == {"picked in another picture"}
    assert (tmp_path / "out" / "a.png").read_bytes() == (album / "a.png").read_bytes()
    again = run(album, tmp_path / "out", picks=picks)
    (note,) = (text for text in again.warnings if text.startswith(f"{picks}: fits not all"))
    assert "in 1 photo, to be looked at: a.png; " in note


def test_a_photo_whose_picked_object_is_gone_is_copied_and_for_review(
    album: Path, tmp_path: Path
) -> None:
    run(album, tmp_path / "preview", preview=True)
    picks = write_picks(tmp_path / "p.json", album, tmp_path / "preview", lambda *_: True)
    (album / "a.png").write_bytes((album / "empty.png").read_bytes())
    out = tmp_path / "out"
    entry = of(run(album, out, picks=picks))["a.png"]
    assert entry["status"] == "review"
    assert "picked objects were not found: person 1 " in entry["reason"]
    assert "person 2 " in entry["warnings"][0]
    assert (out / "a.png").read_bytes() == (album / "a.png").read_bytes()
    assert "picked objects were not found" in (out / "report.html").read_text()


def test_settings_that_do_not_fit_are_told_or_refused(album: Path, tmp_path: Path) -> None:
    run(album, tmp_path / "preview", preview=True)
    options = {"place": tmp_path / "p.json", "album": album, "out": tmp_path / "preview"}
    picks = write_picks(**options, removed=lambda *_: True, threshold=0.4)
    result = run(album, tmp_path / "out", picks=picks)
    assert any("--threshold 0.4; now --threshold 0.5" in warning for warning in result.warnings)
    picks = write_picks(**options, removed=lambda *_: True, classes=["person", "dog"])
    with pytest.raises(UsageError, match="other classes"):
        run(album, tmp_path / "new", picks=picks)
    assert not (tmp_path / "new").exists()
    picks = write_picks(**options, removed=lambda *_: True, weights={"box": "another"})
    result = run(album, tmp_path / "third", picks=picks)
    assert f"{picks}: was made with other weights of box" in result.warnings


def test_a_baseline_compares_runs_with_picks(album: Path, tmp_path: Path) -> None:
    run(album, tmp_path / "preview", preview=True)
    picks = write_picks(tmp_path / "p.json", album, tmp_path / "preview", lambda _, n: n == 1)
    first = run(album, tmp_path / "1", picks=picks).of_this_run()
    second = run(album, tmp_path / "2", picks=picks).of_this_run()
    assert not compare(second, first, {}).worse


def test_the_command_line_compares_runs_with_picks(
    album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--class", "person", "--no-probe", "--with", "none", str(album)]
    run(album, tmp_path / "preview", preview=True)
    picks = write_picks(tmp_path / "p.json", album, tmp_path / "preview", lambda _, n: n == 1)
    assert cli.main(["--picks", str(picks), "-o", str(tmp_path / "1"), *common]) == 0
    baseline = ["--baseline", str(tmp_path / "1" / "report.json")]
    assert cli.main(["--picks", str(picks), "-o", str(tmp_path / "2"), *baseline, *common]) == 0
    content = json.loads(picks.read_text())
    content["photos"][0]["objects"][0]["box"] = [300, 0, 20, 20]
    picks.write_text(json.dumps(content))
    capsys.readouterr()
    assert cli.main(["--picks", str(picks), "-o", str(tmp_path / "3"), *baseline, *common]) == 1
    said = capsys.readouterr()
    assert "a.png" in said.out.partition("worse")[2]
    assert f"{picks}: fits not all that is found in 1 photo, to be looked at: a.png; " in said.err


@pytest.mark.parametrize("option", ["picks", "preview"])
def test_masks_leave_nothing_to_pick(tmp_path: Path, option: str) -> None:
    value: Any = True if option == "preview" else tmp_path / "p.json"
    with pytest.raises(UsageError, match=f"--{option} is about objects that are found"):
        BatchSettings(**{option: value}, masks=tmp_path)
    with pytest.raises(UsageError, match=f"leave out --{option}"):
        BatchSettings(**{option: value}, classes=("person",), add=True)


def test_a_missing_file_is_an_error_before_any_work(album: Path, tmp_path: Path) -> None:
    for name in ("none.json", "album"):
        with pytest.raises(UsageError, match=f"{name}: cannot be read .*--picks takes"):
            run(album, tmp_path / "out", picks=tmp_path / name)
    assert not (tmp_path / "out").exists()


def test_picks_may_lie_behind_a_link(album: Path, tmp_path: Path) -> None:
    run(album, tmp_path / "preview", preview=True)
    there = write_picks(tmp_path / "there.json", album, tmp_path / "preview", lambda _, n: n == 1)
    link = tmp_path / "p.json"
    link.symlink_to(there)
    run(album, tmp_path / "out", picks=link)
    assert who_is_left(tmp_path / "out", "a.png") == ["right"]
    there.unlink()
    with pytest.raises(UsageError, match=r"p\.json: cannot be read \(No such file or directory\)"):
        run(album, tmp_path / "out", picks=link)


def test_a_file_that_is_too_large_is_refused_unread(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picked, "MOST_BYTES", 1_000_000)
    picks = tmp_path / "p.json"
    picks.write_bytes(b" " * 1_000_001)
    with pytest.raises(UsageError, match=r"p\.json: is larger than 1 MB; --picks takes the file"):
        run(album, tmp_path / "out", picks=picks)


def test_another_photo_of_the_name_is_for_review(album: Path, tmp_path: Path) -> None:
    run(album, tmp_path / "preview", preview=True)
    picks = write_picks(tmp_path / "p.json", album, tmp_path / "preview", lambda _, n: n == 1)
    rgb = scene(240, 320, person=None, seed=5)
    rgb[20:70, 260:300] = RED
    Image.fromarray(rgb).save(album / "a.png")
    entry = of(run(album, tmp_path / "out", picks=picks))["a.png"]
    assert entry["status"] == "review"
    assert "picked objects were not found: person 1 " in entry["reason"]
    assert entry["objects"][0]["why"] == "requested"


def test_a_bucket_holds_page_and_picks(
    album: Path, tmp_path: Path, memory: fsspec.AbstractFileSystem
) -> None:
    out = parse_location("memory://bucket/out")
    for file in album.rglob("*.png"):
        memory.pipe(f"/bucket/album/{file.relative_to(album)}", file.read_bytes())
    source = parse_location("memory://bucket/album")
    batch = BatchSettings(classes=("person",), output=out, workers=1)
    result = remove_folder([source], SETTINGS, replace(batch, preview=True))
    assert str(result.preview) == "memory://bucket/out/preview.html"
    assert b"data:image/jpeg" in memory.cat("/bucket/out/preview.html")
    run(album, tmp_path / "preview", preview=True)
    picks = write_picks(tmp_path / "p.json", album, tmp_path / "preview", lambda _, n: n == 1)
    memory.pipe("/bucket/p.json", picks.read_bytes())
    batch = replace(batch, picks=parse_location("memory://bucket/p.json"))
    done = remove_folder([source], SETTINGS, batch)
    assert [one["removed"] for one in of(done)["a.png"]["objects"]] == [True, False]
    assert {e["status"] for e in remove_folder([source], SETTINGS, batch).photos} == {"skipped"}
    batch = replace(batch, picks=parse_location("memory://bucket/none.json"))
    with pytest.raises(UsageError, match=r"none\.json: no such file; --picks takes"):
        remove_folder([source], SETTINGS, batch)


def test_the_command_line_knows_both(
    album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    common = ["--class", "person", "--no-probe", "--with", "none", "-o", str(out), str(album)]
    assert cli.main(["--preview", *common]) == 0
    printed = capsys.readouterr().out
    assert "Pick who goes and who stays, and save your picks" in printed
    assert f"{out}/preview.html" in printed
    assert not [file for file in out.rglob("*.png") if OWN not in file.parts]
    picks = write_picks(tmp_path / "p.json", album, out, lambda _, number: number == 1)
    assert cli.main(["--picks", str(picks), *common]) == 0
    assert who_is_left(out, "a.png") == ["right"]
    picks.write_text("{}")
    assert cli.main(["--picks", str(picks), *common]) == 2
    assert f"{picks}: holds no picks" in capsys.readouterr().err
    for option in (["--preview"], ["--picks", str(picks)]):
        assert cli.main([*option, "--class", "person", "-"]) == 2
        assert f"{option[0]} belongs to a folder" in capsys.readouterr().err


def test_no_class_is_added_to_a_result_that_keeps_somebody(album: Path, tmp_path: Path) -> None:
    """A run with --add sees the new classes alone: its holes could reach over who stays."""
    run(album, tmp_path / "preview", preview=True)
    picks = write_picks(tmp_path / "p.json", album, tmp_path / "preview", lambda _, n: n != 1)
    out = tmp_path / "out"
    run(album, out, picks=picks)
    assert who_is_left(out, "a.png") == ["left"]
    before = (out / "a.png").read_bytes()
    added = of(run(album, out, classes=("dog",), add=True))
    for name in ("a.png", "deep/b.png"):
        assert added[name]["status"] == "failed"
        assert "its result keeps person 1, and --add" in added[name]["reason"]
        assert "--overwrite" in added[name]["reason"]
    assert added["empty.png"]["status"] == "unchanged"
    assert (out / "a.png").read_bytes() == before
