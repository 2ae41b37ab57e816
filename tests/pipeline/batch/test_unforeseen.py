"""An exception that nobody foresaw fails its photo alone, in every stage, and hides nothing.

With ``--engine ray``: ``engines/test_ray_actors.py``; through a pipe: ``test_stream.py``; at the
mask board: ``board/test_server.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from remove_objects.pipeline import cli, remover
from remove_objects.pipeline.batch import worker
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.errors import OutputError, UsageError, WeightsError
from tests.pipeline.batch.test_worker import Bench
from tests.support import unforeseen
from tests.support.faults import FAST_OPTIONS
from tools.faults.checks import results


def clean(photos: Path, out: Path, *options: str) -> int:
    arguments = ["--class", "person", *FAST_OPTIONS, "--save-masks", *options]
    return cli.main([*arguments, "-o", str(out), str(photos)])


def entries(out: Path) -> dict[str, dict[str, Any]]:
    photos = json.loads((out / "report.json").read_text())["photos"]
    return {entry["input"]: entry for entry in photos}


@pytest.fixture
def photos(tmp_path: Path, cheap: None) -> Path:
    return unforeseen.make(tmp_path / "photos")


@pytest.mark.parametrize("workers", ["1", "3"])
def test_the_other_photos_are_cleaned_and_the_next_run_tries_again(
    workers: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert clean(photos, whole, "-q") == 0
    with pytest.MonkeyPatch.context() as patch:
        unforeseen.plant(patch.setattr)
        assert clean(photos, out, "--workers", workers) == 1
    found, errors = entries(out), capsys.readouterr().err
    assert {name for name, entry in found.items() if entry["status"] != "failed"} == {
        *unforeseen.FINE
    }
    for stage, (_, _, error) in unforeseen.STAGES.items():
        message = found[f"{stage}.png"]["error"]
        assert message.startswith(
            f"{photos / stage}.png: a fault of this program ended the work on this photo "
            f"({type(error).__name__} at remove_objects/pipeline/"
        )
        assert " ".join(str(error).split()) in message
        assert "please report it" in message
        assert f"failed: {stage}.png: {message}" in errors
        assert f"{stage}.png: a fault of this program:\nTraceback" in errors
    assert errors.count("Traceback") == len(unforeseen.STAGES)
    assert clean(photos, out) == 0
    assert results(out) == results(whole)
    assert {entry["status"] for entry in entries(out).values()} == {
        entry["status"] for entry in entries(whole).values()
    } | {"skipped"}


def test_the_place_is_the_innermost_one_of_the_package(photos: Path, tmp_path: Path) -> None:
    """And not the line of NumPy that raised it, nor the worker that caught it."""
    line = next(
        number
        for number, text in enumerate(Path(remover.__file__).read_text().splitlines(), 1)
        if "first = select(" in text
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remover, "select", lambda *_: np.zeros(2) + np.zeros(3))
        assert clean(photos, tmp_path / "out", "-q") == 1
    message = entries(tmp_path / "out")["a.png"]["error"]
    assert f"(ValueError at remove_objects/pipeline/remover.py:{line}: operands could" in message


def test_in_a_dry_run_too(photos: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        unforeseen.plant(patch.setattr)
        assert clean(photos, tmp_path / "out", "--dry-run") == 1
    found = entries(tmp_path / "out")
    assert {name for name, entry in found.items() if entry["status"] == "failed"} == {
        *("read.png", "select.png", "preview.png", "entry.png")
    }


def test_a_fault_of_every_photo_is_traced_once(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def faulty(self: object, photo: Any, *_: object, **__: object) -> None:
        raise ValueError(f"nothing fits {photo.path}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remover.ObjectRemover, "clean", faulty)
        assert clean(photos, tmp_path / "out") == 1
    errors = capsys.readouterr().err
    assert errors.count("Traceback") == 1
    assert errors.count("failed: ") == len(entries(tmp_path / "out"))


def test_an_entry_that_no_report_can_hold_fails_its_photo(photos: Path, tmp_path: Path) -> None:
    """It would end the run when the report is written, and each later one when it is read."""
    make_entry = worker.report.photo_entry
    odd: dict[str, dict[str, Any]] = {
        "a.png": {"score": float("inf")},
        "z.png": {"reason": "\ud800"},
    }

    def entry(name: str, outcome: Any, **more: Any) -> Any:
        made = make_entry(name, outcome, **more)
        return made if outcome.error else {**made, **odd.get(name, {})}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.report, "photo_entry", entry)
        assert clean(photos, tmp_path / "out", "-q") == 1
    found = entries(tmp_path / "out")
    assert {name for name, e in found.items() if e["status"] == "failed"} == set(odd)
    assert clean(photos, tmp_path / "out", "-q") == 0


@pytest.mark.parametrize(
    "error", [OutputError("full"), WeightsError("missing"), UsageError("wrong")]
)
def test_an_error_that_every_photo_would_meet_ends_the_run(
    error: Exception, photos: Path, tmp_path: Path
) -> None:
    begun = []

    def end(self: object, photo: Any, *_: object, **__: object) -> None:
        begun.append(photo)
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remover.ObjectRemover, "clean", end)
        assert clean(photos, tmp_path / "out", "--workers", "1") == (
            1 if isinstance(error, OutputError) else 2
        )
    assert len(begun) == 1


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_a_request_to_end_passes(
    interrupt: type[BaseException], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object, **__: object) -> None:
        raise interrupt

    monkeypatch.setattr(remover.ObjectRemover, "clean", end)
    with pytest.raises(interrupt):
        Bench(photos).row("a.png")


def test_want_of_memory_is_no_fault_of_the_program(photos: Path, tmp_path: Path) -> None:
    def greedy(self: object, photo: Any, *_: object, **__: object) -> None:
        if photo.path.name == "a.png":
            torch.empty(1 << 50, dtype=torch.uint8)
        raise MemoryError("Unable to allocate 1.00 PiB")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remover.ObjectRemover, "clean", greedy)
        assert clean(photos, tmp_path / "out", "-q") == 1
    for name in unforeseen.FINE:
        message = entries(tmp_path / "out")[name]["error"]
        assert "the memory did not suffice: " in message
        assert "--workers" in message
        assert "fault of this program" not in message


def test_previews_that_cannot_be_removed_do_not_hide_the_failure(
    photos: Path, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no such preview")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalOutput, "discard_previews", broken)
        (photos / "a.png").write_bytes(b"no picture")
        assert clean(photos, tmp_path / "out", "-q") == 1
    found = entries(tmp_path / "out")
    assert "not a" in found["a.png"]["error"] or "no picture" in found["a.png"]["error"]
    assert "no such preview" in found["z.png"]["error"]
