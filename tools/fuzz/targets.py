"""What the fuzzing calls, in a process of its own: each target reads one damaged file as the program does and says what came of it.

    {"target": "photo", "path": "…"} a line in -> {"outcome": "result", "message": "", "seconds": 0.01, "mb": 3} a line out

``outcome`` is "result", "refused" (the program's own error, with the file's name in it) or "finding" (anything else). A target whose
process ends instead of answering has crashed.
"""

from __future__ import annotations

import json
import os
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

import numpy as np

from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import RemoveObjectsError
from remove_objects.pipeline.images import masks, read
from remove_objects.pipeline.images.sandbox_worker import Budget
from remove_objects.pipeline.images.write import write_photo
from remove_objects.pipeline.report.baseline import compare, load_baseline
from remove_objects.pipeline.report.tolerance import tolerances


def photo(path: Path) -> None:
    """Read within the limits of a decoder, a third of it repainted, and written in its own format, from which it is read again."""
    found = read.read_photo(path, opened=Budget(path.stat().st_size).opened)
    height, width = found.size
    hole = np.zeros(found.size, bool)
    hole[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = True
    rgb = found.rgb.copy()
    rgb[hole] = rgb[hole][::-1]
    target = path.with_name(f"written-{path.name}")
    try:
        write_photo(found, rgb, hole, target)
    except RemoveObjectsError as error:
        if str(target) not in str(error):
            raise AssertionError(f"the error does not name the file: {error}") from error
        raise type(error)(f"{path}: {error}") from error
    finally:
        for left in path.parent.glob("written-*"):
            left.unlink()


def mask(path: Path) -> None:
    """As the mask of a photo of 96 x 72."""
    budget = Budget(path.stat().st_size)
    masks.read_photo = lambda file, *, max_pixels: read.read_photo(
        file, max_pixels=max_pixels, opened=budget.opened
    )
    found = masks.read_mask(path, (72, 96))
    assert found.shape == (72, 96)
    assert found.dtype == bool


def baseline(path: Path) -> None:
    """As ``--baseline`` of a run over the sample pictures."""
    report = json.loads((ROOT / "sample_images" / "baseline.json").read_text(encoding="utf-8"))
    from remove_objects.pipeline.report.terminal import baseline_table

    baseline_table(compare(report, load_baseline(path), tolerances()), str(path))


def journal(path: Path) -> None:
    """As the journal of an output folder; whatever stands in it, every photo becomes a task or an entry."""
    from remove_objects.pipeline.batch import scan
    from remove_objects.pipeline.batch.ledger import Ledger
    from remove_objects.pipeline.batch.run import open_output
    from remove_objects.pipeline.report.files import write_json
    from remove_objects.pipeline.report.spreadsheet import write_csv
    from remove_objects.pipeline.report.terminal import run_summary
    from remove_objects.pipeline.storage.layout import JOURNAL_NAME

    folder = path.parent / "journal"
    folder.mkdir(exist_ok=True)
    (folder / JOURNAL_NAME).write_bytes(path.read_bytes())
    jobs = scan.plan_run([ROOT / "sample_images"], folder).photos
    ledger = Ledger(folder, open_output(folder), Settings(), BatchSettings(), ("person",))
    ledger._settings = ""  # with every identity right, rows are believed as far as they ever are
    for row in ledger.journal.rows.values():
        row["identity"] = next(
            (ledger._task(job).identity for job in jobs if str(job.relative) == row.get("input")),
            "",
        )
    ledger.journal.complete = False
    found = list(ledger.look(jobs))
    assert len(found) == len(jobs)
    entries = [entry for entry in found if isinstance(entry, dict)]
    write_json(folder / "report.json", {}, entries)
    write_csv(folder / "report.csv", entries)
    run_summary({"seconds": 1.0}, entries)


def board(path: Path) -> None:
    """As the report of a run that the mask board opens."""
    from remove_objects.pipeline.board.run_folder import open_run

    folder = path.parent / "run"
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_bytes(path.read_bytes())
    try:
        open_run(folder, ROOT / "sample_images")
    except RemoveObjectsError as error:
        raise type(error)(str(error).replace(str(folder), str(path))) from error


def claim(path: Path) -> None:
    """As a claim in an output folder."""
    from remove_objects.pipeline.batch.output.claims import claimed_stamps, is_redundant
    from remove_objects.pipeline.storage.stamp import stamp

    claimed_stamps(path.read_bytes(), "a.jpg", PurePosixPath("a.jpg"))
    is_redundant(
        path.read_bytes(), {"a.jpg": {"written": [12, 34]}}, lambda name: stamp(path.parent / name)
    )


def weights(path: Path) -> None:
    """As a weight file whose name has the right hash: what a hash does not catch."""
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
    """Call one target; ``mb`` is what it needed at its peak above what the process had before."""
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
    except Exception:  # whatever it is, that is what is looked for
        outcome, message = "finding", traceback.format_exc()
    seconds = time.perf_counter() - begun
    return {
        "outcome": outcome,
        "message": message,
        "seconds": round(seconds, 3),
        "mb": max(0, _memory("VmHWM") - before) >> 10,
    }


def _memory(field: str) -> int:
    """In kB; 0 where the system does not tell."""
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
    """Whole files by target, for those that are no pictures."""
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
    """An entry of a committed baseline, which holds figures only, with all that a run writes."""
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
    return whole | entry | {"holes": [hole | found for found in entry.get("holes", [])]}


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
