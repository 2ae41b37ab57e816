"""Results that a run continues, or that a killed run left without a row: none is lost or undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from remove_objects.pipeline.batch.ledger import Ledger
from remove_objects.pipeline.batch.output.replaced import versions
from remove_objects.pipeline.config import Settings
from tests.pipeline.batch.test_never_lost import BLUE, has, mend, paint, report, run

NAME = "both.png"


@pytest.fixture
def walk(tmp_path: Path, cheap: None) -> Path:
    """A folder with a photo of a person and a dog."""
    paint(tmp_path / "walk" / NAME, 1, dog=True)
    return tmp_path / "walk"


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return a function that runs another, which ends between result and journal row."""

    class Killed(BaseException):
        pass

    def add(*_: object) -> None:
        raise Killed

    def kill(call: Callable[[], object]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "add", add)
            with pytest.raises(Killed):
                call()

    return kill


def test_a_result_continued_from_a_mended_one_is_not_made_anew_for_the_report(
    walk: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run([walk], out)
    mend(out, NAME)
    run([walk], out, "dog", add=True)
    before = (out / NAME).read_bytes()
    assert run([walk], out, "dog", "person", save_masks=True).photos[0]["status"] == "skipped"
    paint(walk / NAME, 5, dog=True)
    assert run([walk], out, "dog", "person").photos[0]["status"] == "failed"
    assert (out / NAME).read_bytes() == before
    run([walk], out, "dog", "person", overwrite=True)
    kept = versions(out, PurePosixPath(NAME))
    assert before in [v.path.read_bytes() for v in kept if v.made_from is None]


def test_no_class_is_added_to_the_result_of_a_changed_photo(
    walk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    out = tmp_path / "out"
    run([walk], out)
    before = (out / NAME).read_bytes()
    paint(walk / NAME, 5, dog=True)
    entry = run([walk], out, "dog", add=True).photos[0]
    assert entry["status"] == "failed"
    assert "no class can be added" in str(entry["error"])
    assert "1 result stays although its photo or mask changed" in caplog.text
    assert (out / NAME).read_bytes() == before


@pytest.mark.parametrize("mended", [False, True])
def test_a_killed_addition_is_repeated_by_the_same_command(
    mended: bool,
    walk: Path,
    tmp_path: Path,
    killed: Callable[[Callable[[], object]], None],
) -> None:
    ends = []
    for out in (tmp_path / "killed", tmp_path / "undisturbed"):
        run([walk], out)
        if mended:
            mend(out, NAME)
        before = (out / NAME).read_bytes()
        if out.name == "killed":
            killed(lambda out=out: run([walk], out, "dog", add=True))
            assert not has(out / NAME, BLUE)
        entry = run([walk], out, "dog", add=True).photos[0]
        assert entry["classes"].keys() >= ({"dog"} if mended else {"dog", "person"})
        assert not has(out / NAME, BLUE)
        assert before in [v.path.read_bytes() for v in versions(out, PurePosixPath(NAME))]
        ends.append((out / NAME).read_bytes())
    assert ends[0] == ends[1]


def test_a_dry_run_after_a_kill_does_not_make_the_result_a_foreign_file(
    walk: Path, tmp_path: Path, killed: Callable[[Callable[[], object]], None]
) -> None:
    out = tmp_path / "out"
    killed(lambda: run([walk], out))
    assert run([walk], out, dry_run=True).photos[0]["status"] in ("ok", "review")
    assert run([walk], out).photos[0]["status"] in ("ok", "review")


def test_a_kept_file_of_a_killed_run_does_not_get_the_row_of_the_file_before(
    walk: Path, tmp_path: Path, killed: Callable[[Callable[[], object]], None]
) -> None:
    out = tmp_path / "out"
    run([walk], out)
    mend(out, NAME)
    mended = (out / NAME).read_bytes()
    killed(lambda: run([walk], out, "dog", overwrite=True))
    run([walk], out, "person", "dog", overwrite=True)
    for version in versions(out, PurePosixPath(NAME)):
        reviewed = version.row is not None and version.row["entry"].get("reviewed")
        assert bool(reviewed) == (version.path.read_bytes() == mended)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_photo_with_the_name_of_a_lossless_result_does_not_replace_it(
    overwrite: bool, tmp_path: Path, cheap: None
) -> None:
    walk, out = tmp_path / "walk", tmp_path / "out"
    lossless = Settings(probe=False, lossless=True, threshold=0.4)
    paint(walk / "a.jpg", 1)
    run([walk], out, settings=lossless)
    before = (out / "a.jpg.png").read_bytes()
    paint(walk / "a.jpg.png", 4)
    entry = run([walk / "a.jpg.png"], out, settings=lossless, overwrite=overwrite).photos[0]
    assert "is the result of another photo, a.jpg" in str(entry["error"])
    assert (out / "a.jpg.png").read_bytes() == before
    assert report(out)["a.jpg"]["status"] == "skipped"
