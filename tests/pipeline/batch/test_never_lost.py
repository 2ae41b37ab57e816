"""A finished result is never lost, replaced by another photo's, or undone without a word."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.journal import Journal, JournalRow
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.output.replaced import versions
from remove_objects.pipeline.batch.run import FolderResult, remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.report.files import REPORTS
from remove_objects.pipeline.storage.layout import JOURNAL_NAME, REPLACED
from remove_objects.pipeline.storage.location import RemotePath, parse_location
from tests.support.scenes import scene

QUICK = Settings(probe=False)
TIME = 1_700_000_000 * 10**9


def paint(path: Path, seed: int, *, dog: bool = False, person: bool = True) -> Path:
    """Write a photo of a person in red and perhaps a dog in blue; all have one time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = scene(64, 96, person=(10, 20, 12, 20) if person else None, seed=seed)
    if dog:
        picture[20:40, 60:75] = (0, 0, 255)
    Image.fromarray(picture).save(path)
    os.utime(path, ns=(TIME, TIME))
    return path


def paint_taken(path: Path, seed: int, *, taken: int | None = None) -> Path:
    """Write a photo that a camera took at another second for each ``seed``, or at ``taken``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 10:00:{taken or seed:02d}"
    picture = Image.fromarray(scene(64, 96, person=(10, 20, 12, 20), seed=seed))
    picture.save(path, exif=exif)
    return path


def run(
    inputs: Any, out: Path, *classes: str, settings: Settings = QUICK, **more: Any
) -> FolderResult:
    batch = BatchSettings(classes=classes or ("person",), output=out, workers=1, **more)
    return remove_folder(inputs, settings, batch)


def report(out: Path) -> dict[str, dict[str, Any]]:
    return {p["input"]: p for p in json.loads((out / "report.json").read_text())["photos"]}


def has(path: Path, colour: tuple[int, int, int]) -> bool:
    return bool((np.asarray(Image.open(path)) == colour).all(2).any())


RED, BLUE = (255, 0, 0), (0, 0, 255)


class Cities(NamedTuple):
    """Two folders with a photo of the same name, size and time, and the folder of results."""

    rome: Path
    oslo: Path
    out: Path


@pytest.fixture
def cities(tmp_path: Path, cheap: None) -> Cities:
    """Nothing is cleaned yet."""
    cities = Cities(tmp_path / "rome", tmp_path / "oslo", tmp_path / "out")
    paint(cities.rome / "IMG_1.bmp", 1)
    paint(cities.oslo / "IMG_1.bmp", 2)
    sizes = {(folder / "IMG_1.bmp").stat().st_size for folder in (cities.rome, cities.oslo)}
    assert len(sizes) == 1
    return cities


@pytest.fixture
def cleaned(cities: Cities) -> Cities:
    """The photo of ``rome`` is cleaned."""
    run([cities.rome], cities.out)
    return cities


class TestSources:
    """Which photo a result belongs to."""

    def test_a_second_folder_does_not_replace_the_first_ones_results(self, cleaned: Cities) -> None:
        rome, oslo, out = cleaned
        first = (out / "IMG_1.bmp").read_bytes()
        second = run([oslo], out)
        assert [p["output"] for p in second.photos] == ["oslo/IMG_1.bmp"]
        assert second.photos[0]["status"] in ("ok", "review")
        assert (out / "IMG_1.bmp").read_bytes() == first
        assert not has(out / "oslo/IMG_1.bmp", RED)
        assert set(report(out)) == {"IMG_1.bmp", "oslo/IMG_1.bmp"}
        for folder in (rome, oslo):
            assert [p["status"] for p in run([folder], out).photos] == ["skipped"]

    def test_the_default_output_keeps_them_apart_too(
        self, cities: Cities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        options = ["--class", "person", "--no-probe", "--offline", "--quiet", "--workers", "1"]
        assert cli.main([*options, "rome"]) == 0
        first = (tmp_path / "cleaned/IMG_1.bmp").read_bytes()
        assert cli.main([*options, "oslo"]) == 0
        assert (tmp_path / "cleaned/IMG_1.bmp").read_bytes() == first
        assert not has(tmp_path / "cleaned/oslo/IMG_1.bmp", RED)

    def test_one_command_puts_them_side_by_side(self, cities: Cities) -> None:
        done = run([cities.rome, cities.oslo], cities.out, save_masks=True)
        assert {p["input"]: p["mask"] for p in done.photos} == {
            "rome/IMG_1.bmp": "masks/rome/IMG_1.png",
            "oslo/IMG_1.bmp": "masks/oslo/IMG_1.png",
        }

    def test_a_new_subfolder_with_the_name_of_another_source_keeps_off_its_results(
        self, cleaned: Cities
    ) -> None:
        rome, oslo, out = cleaned
        run([oslo], out)
        paint(rome / "oslo/IMG_1.bmp", 9)
        for _ in range(2):
            entries = run([rome, oslo], out).photos
            assert {p["input"] for p in entries} == {
                "IMG_1.bmp",
                "oslo/IMG_1.bmp",
                "rome/oslo/IMG_1.bmp",
            }
        assert {p["status"] for p in entries} == {"skipped"}
        assert not (out / REPLACED).exists()

    def test_a_folder_that_holds_a_known_source_does_not_get_the_top(
        self, cities: Cities, tmp_path: Path
    ) -> None:
        rome, oslo, out = cities
        trip = tmp_path / "trip"
        trip.mkdir()
        oslo.rename(trip / "oslo")
        run([rome], out)
        run([trip / "oslo"], out)
        paint(trip / "IMG_1.bmp", 9)
        done = {p["input"]: p["status"] for p in run([trip], out).photos}
        assert set(done) == {"oslo/IMG_1.bmp", "trip/IMG_1.bmp"}
        assert done["oslo/IMG_1.bmp"] == "skipped"
        assert done["trip/IMG_1.bmp"] in ("ok", "review")
        assert not (out / REPLACED).exists()

    def test_a_new_subfolder_and_a_new_source_of_its_name_lie_side_by_side(
        self, cleaned: Cities
    ) -> None:
        rome, oslo, out = cleaned
        paint(rome / "oslo/IMG_1.bmp", 9)
        names = {p["input"] for p in run([rome, oslo], out).photos}
        assert len(names) == 3
        assert {"IMG_1.bmp", "oslo/IMG_1.bmp"} < names

    def test_a_moved_folder_is_not_cleaned_again(self, cleaned: Cities, tmp_path: Path) -> None:
        rome, _, out = cleaned
        moved = rome.rename(tmp_path / "roma")
        for _ in range(2):
            assert [(p["input"], p["status"]) for p in run([moved], out).photos] == [
                ("IMG_1.bmp", "skipped")
            ]

    def test_a_photo_that_changes_in_a_moved_folder_keeps_its_name_in_every_run(
        self, cleaned: Cities, tmp_path: Path
    ) -> None:
        rome, _, out = cleaned
        paint(rome / "IMG_2.bmp", 3)
        run([rome], out)
        moved = rome.rename(tmp_path / "roma")
        paint(moved / "IMG_2.bmp", 4)
        for _ in range(2):  # only the first run recognises the folder by the other photo
            added = {p["input"]: p["status"] for p in run([moved], out, "dog", add=True).photos}
            assert set(added) == {"IMG_1.bmp", "IMG_2.bmp"}
            assert added["IMG_2.bmp"] == "failed"
        again = {p["input"]: p["status"] for p in run([moved], out, "person", "dog").photos}
        assert set(again) == {"IMG_1.bmp", "IMG_2.bmp"}
        assert again["IMG_1.bmp"] == "skipped"
        assert again["IMG_2.bmp"] in ("ok", "review")
        assert set(report(out)) == set(again)
        assert len(versions(out, PurePosixPath("IMG_2.bmp"))) == 1

    def test_swapped_photos_of_equal_size_and_time_are_cleaned_again(self, cities: Cities) -> None:
        rome, _, out = cities
        a, b = rome / "IMG_1.bmp", paint(rome / "IMG_2.bmp", 3)
        run([rome], out)
        before = {name: (out / name).read_bytes() for name in ("IMG_1.bmp", "IMG_2.bmp")}
        a.rename(rome / "x.bmp")
        b.rename(a)
        (rome / "x.bmp").rename(b)
        again = run([rome], out)
        assert {p["status"] for p in again.photos} <= {"ok", "review"}
        assert (out / "IMG_1.bmp").read_bytes() == before["IMG_2.bmp"]
        assert (out / "IMG_2.bmp").read_bytes() == before["IMG_1.bmp"]

    def test_the_original_over_a_result_of_equal_size_and_time_is_noticed(
        self, cleaned: Cities
    ) -> None:
        rome, _, out = cleaned
        original = (rome / "IMG_1.bmp").read_bytes()
        (out / "IMG_1.bmp").write_bytes(original)
        os.utime(out / "IMG_1.bmp", ns=(TIME, TIME))
        again = run([rome], out).photos[0]
        assert again["status"] == "failed"
        assert "is not what an earlier run wrote here" in str(again["error"])
        assert (out / "IMG_1.bmp").read_bytes() == original

    def test_a_run_that_ended_while_this_one_planned_is_noticed(
        self, cities: Cities, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rome, oslo, out = cities
        hold = LocalOutput.hold

        @contextmanager
        def late(output: LocalOutput, names: Iterable[PurePosixPath]) -> Iterator[None]:
            monkeypatch.setattr(LocalOutput, "hold", hold)
            run([rome], out)
            with hold(output, names):
                yield

        monkeypatch.setattr(LocalOutput, "hold", late)
        with pytest.raises(UsageError, match="another run wrote there"):
            run([oslo], out)
        assert set(report(out)) == {"IMG_1.bmp"}

    def test_the_next_card_at_the_same_path_does_not_replace_the_last_ones_results(
        self, tmp_path: Path, cheap: None
    ) -> None:
        card, out = tmp_path / "card", tmp_path / "out"
        results = {}
        for number in (1, 2, 3):
            shutil.rmtree(card, ignore_errors=True)
            paint_taken(card / "100" / "IMG_1.jpg", number)
            paint_taken(card / "100" / f"IMG_{number + 1}.jpg", number + 10)
            warnings = " ".join(run([card], out).warnings)
            name = ("100", "card/100", "card-2/100")[number - 1]
            results[name] = (out / name / "IMG_1.jpg").read_bytes()
            assert (out / name / f"IMG_{number + 1}.jpg").exists()
            assert ("another photo" in warnings) == (number > 1)
        assert {n: (out / n / "IMG_1.jpg").read_bytes() for n in results} == results
        assert not (out / REPLACED).exists()
        # The first card again, moved to the archive by now: nothing is done.
        archive = paint_taken(tmp_path / "archive" / "100" / "IMG_1.jpg", 1)
        assert [p["status"] for p in run([archive.parents[1]], out).photos] == ["skipped"]
        # The second card again.
        paint_taken(card / "100" / "IMG_1.jpg", 2)
        (entry,) = run([card / "100" / "IMG_1.jpg"], out).photos
        assert (entry["input"], entry["status"]) == ("card/100/IMG_1.jpg", "skipped")

    def test_an_edited_photo_is_the_same_one(self, tmp_path: Path, cheap: None) -> None:
        photo, out = paint_taken(tmp_path / "rome" / "IMG_1.jpg", 1), tmp_path / "out"
        run([photo], out)
        paint_taken(photo, 2, taken=1)
        (entry,) = run([photo], out).photos
        assert entry["input"] == "IMG_1.jpg"
        assert entry["status"] in ("ok", "review")
        assert (out / REPLACED).exists()

    def test_a_killed_runs_result_is_not_another_folders(self, cities: Cities) -> None:
        rome, oslo, out = cities
        add = Journal.add

        def killed(journal: Journal, row: JournalRow) -> list[str]:
            raise SystemExit("killed after the result took its name")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Journal, "add", killed)
            with pytest.raises(SystemExit):
                run([rome], out)
        assert Journal.add is add
        first = (out / "IMG_1.bmp").read_bytes()
        assert [p["output"] for p in run([oslo], out).photos] == ["oslo/IMG_1.bmp"]
        assert (out / "IMG_1.bmp").read_bytes() == first
        assert [p["output"] for p in run([rome], out).photos] == ["IMG_1.bmp"]
        assert (out / "IMG_1.bmp").read_bytes() == first
        assert set(report(out)) == {"IMG_1.bmp", "oslo/IMG_1.bmp"}


class TestOtherSettings:
    """Results that were made with other settings, or by hand."""

    @pytest.mark.parametrize(
        ("classes", "settings", "more", "said"),
        [
            (("dog",), QUICK, {}, "--class person; now --class dog"),
            (("person", "dog"), QUICK, {}, "now --class dog, --class person"),
            (("person",), Settings(probe=False, dilate=9), {}, "--dilate auto; now --dilate 9"),
            (
                ("person",),
                Settings(probe=False, lossless=True),
                {},
                "(without --lossless; now with",
            ),
            (("all",), QUICK, {}, "(--class person; now --class all)"),
            (("person",), Settings(probe=False, keep="main"), {}, "(--keep none; now --keep main)"),
            (("dog",), QUICK, {"dry_run": True}, "--class person"),
        ],
    )
    def test_the_run_is_refused_before_any_work(
        self,
        classes: tuple[str, ...],
        settings: Settings,
        more: dict[str, Any],
        said: str,
        cleaned: Cities,
    ) -> None:
        rome, _, out = cleaned
        paint(rome / "new.bmp", 5)
        before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
        with pytest.raises(UsageError) as refused:
            run([rome], out, *classes, settings=settings, **more)
        for text in (said, "IMG_1.bmp", "Nothing was done", "--overwrite", "--output"):
            assert text in str(refused.value)
        # Whoever chooses cannot add: that would see the objects of the new classes alone.
        can_add = "class" in said and not settings.chooses
        assert ("--add" in str(refused.value)) == can_add
        now = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
        assert {p: c for p, c in now.items() if "lock" not in p.name} == {
            p: c for p, c in before.items() if "lock" not in p.name
        }

    @pytest.mark.parametrize(
        ("key", "values"),
        [
            ("source_mark", ("damaged",)),
            ("made_with", (3,)),
            ("written", ("damaged",)),
            ("entry", (None,)),
        ],
    )
    @pytest.mark.parametrize("how", ["of another shape", "gone"])
    def test_a_damaged_row_is_counted_and_nothing_false_is_said_of_its_result(
        self, key: str, values: tuple[Any], how: str, cleaned: Cities
    ) -> None:
        rome, _, out = cleaned
        file = out / JOURNAL_NAME
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            if key in row:
                (row[key],) = values
                if how == "gone":
                    del row[key]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        before = (out / "IMG_1.bmp").read_bytes()
        counted = f"{file}: 1 row cannot be read or lacks parts"
        if key in ("source_mark", "made_with"):
            with pytest.raises(UsageError, match="lost or damaged") as refused:
                run([rome], out)
            assert counted in str(refused.value)
        else:
            done = run([rome], out)
            (entry,) = done.photos
            assert any(counted in warning for warning in done.warnings)
            assert any("1 file that the journal does not know" in w for w in done.warnings)
            if key == "written":
                assert "its row of the journal is damaged" in entry["error"]
        assert (out / "IMG_1.bmp").read_bytes() == before
        run([rome], out, overwrite=True)
        assert not any("lacks parts" in warning for warning in run([rome], out).warnings)

    def test_a_line_that_a_crash_cut_short_is_not_worth_a_word(self, cleaned: Cities) -> None:
        rome, _, out = cleaned
        with (out / JOURNAL_NAME).open("a") as file:
            file.write('{"input": "IMG_2.bmp", "ent')
        assert not any("lacks parts" in warning for warning in run([rome], out).warnings)

    def test_overwrite_replaces_and_keeps_the_earlier_result(self, cleaned: Cities) -> None:
        rome, _, out = cleaned
        before = (out / "IMG_1.bmp").read_bytes()
        again = run([rome], out, "dog", overwrite=True)
        assert [p["status"] for p in again.photos] == ["unchanged"]
        [version] = versions(out, PurePosixPath("IMG_1.bmp"))
        assert version.path.read_bytes() == before
        assert version.row is not None
        assert version.row["entry"]["classes"].keys() == {"person"}
        name = version.path.relative_to(out).as_posix()
        assert f"the file that was replaced is kept: {name}" in again.photos[0]["warnings"]
        assert any(REPLACED in warning for warning in again.warnings)

    def test_only_three_results_that_a_run_can_make_again_are_kept(self, cities: Cities) -> None:
        rome, _, out = cities
        made: list[bytes] = []
        (out / "IMG_1.bmp").parent.mkdir()
        (out / "IMG_1.bmp").write_bytes(b"somebody's own")
        for dilate in range(3, 9):
            run([rome], out, settings=Settings(probe=False, dilate=dilate), overwrite=True)
            made.append((out / "IMG_1.bmp").read_bytes())
        kept = [v.path.read_bytes() for v in versions(out, PurePosixPath("IMG_1.bmp"))]
        assert kept == [b"somebody's own", *made[-4:-1]]

    def test_a_result_changed_by_hand_is_refused_at_once_and_the_others_are_cleaned(
        self, cleaned: Cities, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("WARNING")
        rome, _, out = cleaned
        Image.new("RGB", (9, 9)).save(out / "IMG_1.bmp")
        by_hand = (out / "IMG_1.bmp").read_bytes()
        paint(rome / "new.bmp", 5)
        entries = {p["input"]: p for p in run([rome], out).photos}
        assert entries["IMG_1.bmp"]["status"] == "failed"
        assert entries["IMG_1.bmp"]["seconds"] == 0
        assert entries["new.bmp"]["status"] in ("ok", "review")
        assert (out / "IMG_1.bmp").read_bytes() == by_hand
        assert "1 file that a person made or changed stays where results would go" in caplog.text

    def test_a_changed_photo_is_cleaned_again_and_its_earlier_result_is_kept(
        self, cleaned: Cities, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("WARNING")
        rome, _, out = cleaned
        before = (out / "IMG_1.bmp").read_bytes()
        paint(rome / "IMG_1.bmp", 7)  # of the same size and time
        again = run([rome], out).photos[0]
        assert again["status"] in ("ok", "review")
        assert [v.path.read_bytes() for v in versions(out, PurePosixPath("IMG_1.bmp"))] == [before]
        assert "1 photo changed since its result was made" in caplog.text

    def test_a_failed_try_leaves_the_earlier_result_in_the_report(self, cleaned: Cities) -> None:
        rome, oslo, out = cleaned
        (rome / "IMG_1.bmp").write_bytes(b"no picture")
        assert run([rome], out).photos[0]["status"] == "failed"
        assert report(out)["IMG_1.bmp"]["output"] == "IMG_1.bmp"
        run([oslo], out)
        assert report(out)["IMG_1.bmp"]["status"] == "skipped"

    def test_a_reviewed_photo_stays_in_a_run_with_another_class(self, cleaned: Cities) -> None:
        rome, _, out = cleaned
        mend(out, "IMG_1.bmp")
        mended = (out / "IMG_1.bmp").read_bytes()
        with pytest.raises(UsageError, match="other settings"):
            run([rome], out, "dog")
        assert run([rome], out, save_masks=True).photos[0]["status"] == "skipped"
        assert (out / "IMG_1.bmp").read_bytes() == mended
        run([rome], out, "dog", overwrite=True)
        kept = versions(out, PurePosixPath("IMG_1.bmp"))
        assert [v.path.read_bytes() for v in kept if v.made_from is None][-1] == mended


def mend(out: Path, name: str) -> None:
    """Fill a stroke at the board, and save."""
    board = Board(run_folder.open_run(out))
    board.stroke(name, [[40, 50], [50, 50]], 4)
    board.fill(name, compare=False, probe=False)
    board.save(name)
    board.close()


class TestAdd:
    """More classes are removed from earlier results."""

    @pytest.fixture
    def walk(self, tmp_path: Path, cheap: None) -> Path:
        paint(tmp_path / "walk/both.png", 1, dog=True)
        paint(tmp_path / "walk/person.png", 2)
        paint(tmp_path / "walk/none.png", 3, person=False)
        return tmp_path / "walk"

    @pytest.mark.parametrize("classes", [("dog",), ("person", "dog")])
    def test_the_earlier_result_is_continued(
        self, classes: tuple[str, ...], walk: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        run([walk], out, save_masks=True)
        before = np.asarray(Image.open(out / "both.png"))
        untouched = (out / "person.png").read_bytes()
        entries = {p["input"]: p for p in run([walk], out, *classes, add=True).photos}
        after = np.asarray(Image.open(out / "both.png"))
        assert not has(out / "both.png", RED)
        assert not has(out / "both.png", BLUE)
        changed = (before != after).any(2)
        assert changed.any()
        assert not changed[:, :50].any()  # where the person was, nothing is made again
        assert (out / "person.png").read_bytes() == untouched
        both = entries["both.png"]
        assert set(both["classes"]) == {"person", "dog"}
        assert len(both["holes"]) == 2
        assert both["reason"].startswith("dog added to an earlier result: ")
        assert entries["none.png"]["status"] == "unchanged"
        for names in (("person", "dog"),):
            assert {p["status"] for p in run([walk], out, *names).photos} == {"skipped"}

    def test_a_mended_photo_is_continued(self, walk: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        run([walk], out)
        mend(out, "both.png")
        mended = (out / "both.png").read_bytes()
        before = np.asarray(Image.open(out / "both.png"))
        mend(out, "person.png")
        entries = {p["input"]: p for p in run([walk], out, "dog", add=True).photos}
        after = np.asarray(Image.open(out / "both.png"))
        assert np.array_equal(before[:, :55], after[:, :55])
        assert not has(out / "both.png", BLUE)
        assert "reviewed" not in entries["both.png"]
        assert entries["person.png"]["reviewed"]
        assert mended in [v.path.read_bytes() for v in versions(out, PurePosixPath("both.png"))]

    def test_masks_and_lossless_names_are_continued(self, tmp_path: Path, cheap: None) -> None:
        photo = tmp_path / "walk/a.jpg"
        photo.parent.mkdir()
        picture = scene(64, 96, person=(10, 20, 12, 20), seed=1)
        picture[20:44, 60:84] = (0, 0, 255)
        Image.fromarray(picture).save(photo, quality=100, subsampling=0)
        out, lossless = tmp_path / "out", Settings(probe=False, lossless=True, threshold=0.4)
        run([photo], out, settings=lossless, save_masks=True)
        first = np.asarray(Image.open(out / "masks/a.png"))
        entry = run([photo], out, "dog", settings=lossless, save_masks=True, add=True).photos[0]
        assert entry["output"] == "a.jpg.png"
        assert not (out / "a.jpg").exists()
        whole = np.asarray(Image.open(out / "masks/a.png"))
        assert (whole >= first).all()
        assert whole.sum() > first.sum()

    @pytest.mark.parametrize(
        ("more", "match"),
        [
            ({"overwrite": True}, "give one of them"),
            ({"classes": ()}, "--add needs the classes"),
            ({"dry_run": True}, "leave out --dry-run"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, more: dict[str, Any], match: str) -> None:
        with pytest.raises(UsageError, match=match):
            BatchSettings(**{"classes": ("dog",), "add": True, **more})


class TestReport:
    """The report tells of all that stands in the output folder."""

    def test_a_second_call_does_not_forget_the_first(self, cities: Cities) -> None:
        rome, _, out = cities
        paint(rome / "IMG_2.bmp", 4)
        (rome / "broken.bmp").write_bytes(b"no picture")
        for name in ("IMG_1.bmp", "broken.bmp", "IMG_2.bmp"):
            run([rome / name], out)
        entries = report(out)
        assert set(entries) == {"IMG_1.bmp", "IMG_2.bmp", "broken.bmp"}
        assert entries["IMG_1.bmp"]["earlier_status"] in ("ok", "review")
        assert entries["broken.bmp"]["status"] == "failed"
        assert entries["IMG_2.bmp"]["status"] in ("ok", "review")

    def test_the_exit_code_and_the_result_are_those_of_the_call(self, cities: Cities) -> None:
        rome, oslo, out = cities
        (rome / "broken.bmp").write_bytes(b"no picture")
        options = ["--class", "person", "--no-probe", "--offline", "--quiet", "-o", str(out)]
        assert cli.main([*options, str(rome)]) == 1
        assert cli.main([*options, str(oslo)]) == 0
        done = run([oslo], out)
        assert [p["input"] for p in done.photos] == ["oslo/IMG_1.bmp"]
        assert {p["input"] for p in done.others} == {"IMG_1.bmp", "broken.bmp"}
        assert {p["input"] for p in done.written()["photos"]} == set(report(out))

    def test_a_result_that_is_gone_or_changed_is_not_in_it(self, cities: Cities) -> None:
        rome, oslo, out = cities
        paint(rome / "IMG_2.bmp", 4)
        run([rome], out)
        (out / "IMG_1.bmp").unlink()
        (out / "IMG_2.bmp").write_bytes(b"by hand")
        run([oslo], out)
        assert set(report(out)) == {"oslo/IMG_1.bmp"}

    @pytest.mark.parametrize("earlier", [False, True])
    def test_a_file_that_is_none_is_kept_before_it_is_replaced(
        self, earlier: bool, cities: Cities, caplog: pytest.LogCaptureFixture
    ) -> None:
        rome, _, out = cities
        if earlier:
            run([rome], out)
        out.mkdir(exist_ok=True)
        texts = {name: f"the user's {name}".encode() for name in REPORTS}
        for name, text in texts.items():
            (out / name).write_bytes(text)
        with caplog.at_level(logging.WARNING):
            done = run([rome], out)
        for name, text in texts.items():
            (version,) = versions(out, PurePosixPath(name))
            assert version.path.read_bytes() == text
            said = f"{out}/{name}: was not a report of this program, which writes one of that name"
            kept = f"{said}; it is kept: {version.path.relative_to(out)}"
            assert kept in done.warnings
            assert kept in caplog.messages
        assert set(report(out)) == {"IMG_1.bmp"}
        done = run([rome], out)
        assert not any("was not a report" in warning for warning in done.warnings)
        assert all(len(versions(out, PurePosixPath(name))) == 1 for name in REPORTS)

    def test_one_in_a_bucket_is_kept_too(self, cities: Cities) -> None:
        out = parse_location("memory://foreign-reports")
        assert isinstance(out, RemotePath)
        for name in REPORTS:
            (out / name).write(b"the user's")
        for _ in range(2):
            run([cities.rome], out)  # type: ignore[arg-type]
        store = (out / REPLACED).files()
        kept = [name for name, file in store.items() if file.read() == b"the user's"]
        assert sorted(PurePosixPath(name).parent.name for name in kept) == sorted(REPORTS)

    def test_the_board_keeps_it_too(self, cities: Cities) -> None:
        rome, _, out = cities
        run([rome], out)
        (out / "report.csv").write_bytes(b"the user's")
        board = Board(run_folder.open_run(out))
        for _ in range(2):
            board.accept("IMG_1.bmp")
        board.close()
        (version,) = versions(out, PurePosixPath("report.csv"))
        assert version.path.read_bytes() == b"the user's"
        warnings = json.loads((out / "report.json").read_text())["run"]["warnings"]
        assert sum("report.csv: was not a report" in warning for warning in warnings) == 1
