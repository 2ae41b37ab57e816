"""The targets of the fuzzer: each reads one damaged file like the program and reports the outcome.

They run in a separate process, which reads a request per line and writes an answer per line::

    {"target": "photo", "path": "…"}
    {"outcome": "result", "message": "", "seconds": 0.01, "mb": 3}

``outcome`` is "result", "refused" (an error of the program that names the file) or "finding"
(anything else). If the process ends without an answer, the target crashed.
"""

from __future__ import annotations

import json
import os
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from unittest import mock

import numpy as np

from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import RemoveObjectsError
from remove_objects.pipeline.images import masks, read
from remove_objects.pipeline.images.sandbox_worker import Budget
from remove_objects.pipeline.images.write import write_photo
from remove_objects.pipeline.report.baseline import compare, load_baseline
from remove_objects.pipeline.report.schema import RunEntry
from remove_objects.pipeline.report.tolerance import tolerances
from tools.package_tree import ROOT

#: A run for the reports that the targets write.
RUN: RunEntry = {
    "version": "0",
    "command": "",
    "settings": {},
    "weights": {},
    "device": "cpu",
    "seconds": 1.0,
    "warnings": [],
}


def photo(path: Path) -> None:
    """Read a photo within a decoder's limits, repaint a part, write it, read it again."""
    decoded = read.read_photo(path, opened=Budget(path.stat().st_size).opened)
    height, width = decoded.size
    hole = np.zeros(decoded.size, bool)
    hole[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = True
    rgb = decoded.rgb.copy()
    rgb[hole] = rgb[hole][::-1]
    target = path.with_name(f"written-{path.name}")
    try:
        write_photo(decoded, rgb, hole, target)
    except RemoveObjectsError as error:
        if str(target) not in str(error):
            raise AssertionError(f"the error does not name the file: {error}") from error
        raise type(error)(f"{path}: {error}") from error
    finally:
        for left in path.parent.glob("written-*"):
            left.unlink()


def mask(path: Path) -> None:
    """Read a mask for a photo of 96 x 72 pixels."""
    budget = Budget(path.stat().st_size)
    limited = partial(read.read_photo, opened=budget.opened)
    with mock.patch.object(masks, "read_photo", limited):
        hole_mask = masks.read_mask(path, (72, 96))
    assert hole_mask.shape == (72, 96)
    assert hole_mask.dtype == bool


def baseline(path: Path) -> None:
    """Compare the sample pictures' report with a damaged baseline."""
    report = json.loads((ROOT / "sample_images" / "baseline.json").read_text(encoding="utf-8"))
    from remove_objects.pipeline.report.terminal import baseline_table

    baseline_table(compare(report, load_baseline(path), tolerances()), str(path))


def journal(path: Path) -> None:
    """Resume from a damaged journal: every photo must become a task or an entry."""
    from remove_objects.pipeline.batch import scan
    from remove_objects.pipeline.batch.earlier import earlier_entries
    from remove_objects.pipeline.batch.ledger import Ledger
    from remove_objects.pipeline.batch.run import open_output
    from remove_objects.pipeline.report.files import write_json
    from remove_objects.pipeline.report.spreadsheet import write_csv
    from remove_objects.pipeline.report.terminal import run_summary
    from remove_objects.pipeline.storage.layout import JOURNAL_NAME

    folder = path.parent / "journal"
    folder.mkdir(exist_ok=True)
    (folder / JOURNAL_NAME).unlink(missing_ok=True)
    jobs = scan.plan_run([ROOT / "sample_images"], folder).photos

    def new_ledger() -> Ledger:
        return Ledger(folder, open_output(folder), Settings(), BatchSettings(), ("person",))

    # With the right marks and settings, rows are believed as far as possible.
    begun = {
        task.name: {**task.begun_row(), "source_mark": task.marks()[0]}
        for task in new_ledger().decide(jobs).tasks
    }
    (folder / JOURNAL_NAME).write_bytes(path.read_bytes())
    ledger = new_ledger()
    for row in ledger.journal.rows.values():
        row.update(begun.get(str(row.get("input")), {}))  # type: ignore[typeddict-item]
        ledger.journal.settings[row.get("made_with", "")] = row.get("settings", {})
    ledger.journal.complete = False
    decided = ledger.decide(jobs)
    assert len(decided.tasks) + len(decided.entries) == len(jobs)
    entries = [*decided.entries, *earlier_entries(ledger.journal, ledger.output.standing(), ())]
    write_json(folder / "report.json", RUN, entries)
    write_csv(folder / "report.csv", entries)
    run_summary(RUN, entries)


def board(path: Path) -> None:
    """Open a run with a damaged report in the mask board."""
    from remove_objects.pipeline.board.run_folder import open_run

    folder = path.parent / "run"
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_bytes(path.read_bytes())
    try:
        open_run(folder, ROOT / "sample_images")
    except RemoveObjectsError as error:
        raise type(error)(str(error).replace(str(folder), str(path))) from error


def claim(path: Path) -> None:
    """Read a damaged claim."""
    from remove_objects.pipeline.batch.output.claims import (
        claimed_stamps,
        is_redundant,
        left_claim,
    )
    from remove_objects.pipeline.storage.stamp import is_unchanged

    claimed_stamps(path.read_bytes(), "a.jpg", PurePosixPath("a.jpg"))
    rows: Any = {"a.jpg": {"written": [12, 34]}}

    def stands(name: PurePosixPath, recorded: Any) -> bool:
        return is_unchanged(path.parent / name, recorded)

    left_claim(path.read_bytes(), stands)
    is_redundant(path.read_bytes(), rows, stands)


def weights(path: Path) -> None:
    """Load a damaged weight file with the right hash in its name: the hash does not catch it."""
    from remove_objects.models.checkpoint import CheckpointError, load_weights, sha256
    from remove_objects.models.edsr import EDSR

    named = path.with_name(f"net-{sha256(path)[:8]}.safetensors")
    path.rename(named)
    try:
        load_weights(named, EDSR)
    except CheckpointError as error:
        raise RemoveObjectsError(str(error).replace(str(named), str(path))) from error
    finally:
        named.rename(path)


TARGETS: dict[str, Callable[[Path], None]] = {
    f.__name__: f for f in (photo, mask, baseline, journal, board, claim, weights)
}


def answer(target: str, path: Path) -> dict[str, Any]:
    """Call one target; ``mb`` is its peak memory above the memory before."""
    before, begun = _memory("VmRSS"), time.perf_counter()
    _forget_peak()
    try:
        TARGETS[target](path)
        outcome, message = "result", ""
    except RemoveObjectsError as error:
        message = str(error)
        outcome = "refused" if str(path) in message else "finding"
        message = (
            message if outcome == "refused" else f"the error does not name the file: {message}"
        )
    except Exception:  # any other error is a finding
        outcome, message = "finding", traceback.format_exc()
    seconds = time.perf_counter() - begun
    return {
        "outcome": outcome,
        "message": message,
        "seconds": round(seconds, 3),
        "mb": max(0, _memory("VmHWM") - before) >> 10,
    }


def _memory(field: str) -> int:
    """Return a memory field in kB, or 0 if the system has none."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(text.split(f"{field}:")[1].split()[0])


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def seed_files() -> dict[str, list[tuple[str, bytes]]]:
    """Return undamaged files by target, for targets that read no pictures."""
    report = (ROOT / "sample_images" / "baseline.json").read_bytes()
    rows: list[dict[str, Any]] = [
        {"input": entry["input"], "identity": "x", "written": [1, 2], "entry": _full(entry)}
        for entry in json.loads(report)["photos"]
    ]
    rows.append({"complete": True})
    lines = "\n".join(json.dumps(row) for row in rows) + "\n"
    claims = {"input": "a.jpg", "output": "a.jpg", "written": [12, 34]}
    return {
        "baseline": [("report.json", report)],
        "board": [("report.json", report)],
        "journal": [("journal.jsonl", lines.encode())],
        "claim": [("claim.json", json.dumps(claims).encode())],
        "weights": [("net.safetensors", _weight())],
    }


def _full(entry: dict[str, Any]) -> dict[str, Any]:
    """Complete an entry of a committed baseline, which holds metrics only, like a run's entry."""
    from remove_objects.pipeline.report.entry import photo_entry
    from remove_objects.pipeline.types import Outcome, Status

    whole = photo_entry(entry["input"], Outcome(Status.OK, "fine"), output=None, mask=None)
    hole = {
        "share": 0.1,
        "why": "because",
        "seam": 1.0,
        "score": 0.1,
        "signs": {"depth": 3.0},
        "probe": None,
    }
    return whole | entry | {"holes": [hole | own for own in entry.get("holes", [])]}


def _weight() -> bytes:
    import tempfile

    from remove_objects.models.checkpoint import save_weights
    from remove_objects.models.edsr import EDSR, EDSRConfig

    with tempfile.TemporaryDirectory() as folder:
        return save_weights(EDSR(EDSRConfig(2, 1)), Path(folder), "net").read_bytes()


def main() -> None:
    """Serve until the standard input ends."""
    requests, answers = (
        os.fdopen(os.dup(0), encoding="utf-8"),
        os.fdopen(os.dup(1), "w", encoding="utf-8"),
    )
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    warnings.simplefilter("ignore")
    for line in requests:
        request = json.loads(line)
        answers.write(json.dumps(answer(request["target"], Path(request["path"]))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
