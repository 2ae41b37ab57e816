"""``kill -9`` before every change to the disk, and in the middle of a file.

No file is half written, and the next run resumes.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from remove_objects.pipeline.batch.output.claims import CLAIMS
from remove_objects.pipeline.storage import layout
from remove_objects.pipeline.system import lock
from tests.support.faults import Ground, decode_here
from tools.faults.checks import report, results, wrong_after_fault, wrong_after_resume
from tools.faults.points import at_points, die_at, ended, limit_files, start

pytestmark = pytest.mark.slow


def killed_at(ground: Ground, out: Path, number: int) -> bool:
    """Run, and be killed before the change of this number; returns whether the run reached it."""

    def work() -> None:
        decode_here()
        at_points(out, die_at(number))
        ground.clean(out)

    code = ended(start(work))
    assert code in (0, -signal.SIGKILL)
    return code != 0


def points(ground: Ground, out: Path, *, here: bool = True) -> list[str]:
    """Return the changes of an undisturbed run, with random names replaced by a star.

    Args:
        here: whether the run decodes photos in its own process, as the killed ones do.
    """
    log = out.with_suffix(".log")

    def work() -> None:
        if here:
            decode_here()
        with log.open("w") as file:
            at_points(out, lambda _, what: print(what, file=file, flush=True))
            ground.clean(out)

    assert ended(start(work)) == 0
    return [re.sub(r"[0-9a-f]{16,}", "*", line) for line in log.read_text().splitlines()]


def test_a_run_killed_before_any_change_to_the_disk_leaves_nothing_half_and_resumes(
    ground: Ground, tmp_path: Path
) -> None:
    made = points(ground, tmp_path / "counted")
    assert points(ground, tmp_path / "as the command", here=False) == made
    expected = {
        f"open {lock.HOLDER}",
        "os.rename a.png",
        "os.rename deep/b.jpg",
        "os.rename deep/c.jpg",
        "os.rename masks/a.png",
        "os.rename report_files/*-after.jpeg",
        "os.rename report_files/*-mask.webp",
        f"os.rename {CLAIMS}/*.json",
        f"open {layout.JOURNAL_NAME}",
        "fsync",
        f"os.remove {CLAIMS}/*.json",
        "os.rename report.json",
        "os.rename report.csv",
        "os.rename report.html",
    }
    assert expected <= set(made)
    assert len(made) > 80
    # The last line of the journal says that the run is complete.
    *lines, last = (
        number for number, what in enumerate(made) if what == f"open {layout.JOURNAL_NAME}"
    )
    # To save time: deep/b.jpg, after the line of broken.png, is written in the same way as a.png.
    second = range(lines[1] + 2, lines[2])
    for number in (number for number in range(len(made)) if number not in second):
        out = tmp_path / f"{number}"
        assert killed_at(ground, out, number), made[number]
        if number <= last:
            ground.assert_nothing_is_half(out)
            ground.assert_resumes(out)
        else:
            assert [
                fault
                for fault in wrong_after_resume(out, ground.whole)
                if not fault.endswith("left behind")
            ] == []
            assert {p["status"] for p in ground.clean(out).photos} == {"skipped", "failed"}
            assert {p.name for p in out.rglob(".*")} == {layout.JOURNAL_NAME, lock.NAME}


def test_a_run_killed_twice_between_a_photo_and_its_line_recognises_its_own_file(
    ground: Ground, tmp_path: Path
) -> None:
    made = points(ground, tmp_path / "counted")
    out = tmp_path / "out"
    rename = made.index("os.rename a.png")
    assert killed_at(ground, out, rename + 1)
    assert (out / "a.png").is_file()
    for _ in range(2):
        # A new claim is left behind, and the photo is still the old one.
        assert killed_at(ground, out, points_to(ground, out, "os.rename a.png"))
    ground.assert_nothing_is_half(out)
    ground.assert_resumes(out)


def points_to(ground: Ground, out: Path, what: str) -> int:
    """Return the number of a change in a run over the current folder, which stays unchanged."""
    import shutil

    copy = out.with_name("copy")
    shutil.copytree(out, copy)  # with its files' times
    number = points(ground, copy).index(what)
    shutil.rmtree(copy)
    return number


@pytest.mark.parametrize("size", [1, 60, 200, 700, 2000])
def test_a_run_killed_in_the_middle_of_a_file_leaves_nothing_half_and_resumes(
    size: int, ground: Ground, tmp_path: Path
) -> None:
    def work() -> None:
        limit_files(size, deadly=True)
        ground.clean(tmp_path / "out")

    assert ended(start(work)) == -signal.SIGXFSZ
    ground.assert_nothing_is_half(tmp_path / "out")
    ground.assert_resumes(tmp_path / "out")


def test_after_a_killed_second_run_the_photos_of_the_first_are_still_skipped(
    ground: Ground, tmp_path: Path
) -> None:
    from PIL import Image

    from tests.support.scenes import scene

    out, whole = tmp_path / "out", tmp_path / "whole"
    for folder in (out, whole):
        ground.clean(folder)
    new = ground.folder / "in" / "new.png"
    try:
        Image.fromarray(scene(48, 64, person=None, seed=7)).save(new)
        ground.clean(whole)
        made = points_to(ground, out, f"open {layout.JOURNAL_NAME}")
        assert killed_at(ground, out, made + 2)  # its line is written
        assert ground.clean(out).stopped is None
        assert {p["input"]: p["status"] for p in report(out)["photos"]} == {
            "a.png": "skipped",
            "broken.png": "failed",
            "deep/b.jpg": "skipped",
            "deep/c.jpg": "skipped",
            "new.png": "unchanged",
        }
        assert wrong_after_resume(out, whole) == []
    finally:
        new.unlink(missing_ok=True)


def test_the_checks_detect_every_fault(ground: Ground, tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "out"
    shutil.copytree(ground.whole, out)
    assert wrong_after_resume(out, ground.whole) == []
    photo = out / "deep" / "b.jpg"
    content = photo.read_bytes()
    photo.write_bytes(content[:-20])
    assert wrong_after_fault(out, ground.whole) == ["deep/b.jpg differs from an undisturbed run's"]
    photo.unlink()
    assert wrong_after_fault(out, ground.whole) == []
    assert wrong_after_resume(out, ground.whole) == ["deep/b.jpg is missing"]
    photo.write_bytes(content)
    text = (out / "report.json").read_text()
    (out / "report.json").write_text(text[:-3])
    assert "report.json is incomplete" in wrong_after_fault(out, ground.whole)[0]
    (out / "report.json").write_text(text.replace('"status": "unchanged"', '"status": "ok"'))
    assert wrong_after_resume(out, ground.whole) == [
        "report.json differs from an undisturbed run's"
    ]
    (out / "report.json").write_text(text)
    (out / "deep" / ".0123456789abcdef.part").write_bytes(b"")
    assert wrong_after_resume(out, ground.whole) == ["deep/.0123456789abcdef.part was left behind"]
    assert {"a.png", "deep/b.jpg", "deep/c.jpg", "masks/a.png"} <= set(results(ground.whole))
