"""Rebuild the metrics that ``.ci/baseline`` checks, ``baseline*.json``.

    python sample_images/build_baseline.py [FOLDER]

Run it after an *intended* change of metrics, check the difference, and commit both together. The
files hold only what is compared: no times, reasons, paths or properties of the machine.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

#: The options of ``.ci/baseline``; a test compares the two.
OPTIONS = (
    "--offline",
    "--segmenter",
    "compact",
    "--device",
    "cpu",
    "--class",
    "person",
    "--class",
    "cat",
    "--truth",
    "sample_images/.truth",
)
#: Baselines, and the options that each adds to ``OPTIONS``.
BASELINES = {"baseline.json": (), "baseline-plain.json": ("--detail", "none", "--no-probe")}
#: Kept keys of a photo and of a hole.
PHOTO = ("input", "status", "hole_share", "fidelity", "residue", "score", "truth", "holes")
HOLE = ("box", "route", "seam", "score", "signs", "probe")


def main(target: Path) -> int:
    """Measure the sample pictures with the bundled networks and write the baselines.

    Args:
        target: folder for the baselines; nothing is written if a photo fails.

    Returns:
        The command's exit code.
    """
    from remove_objects.pipeline.cli import main as remove_objects
    from remove_objects.pipeline.report.files import read_report

    os.chdir(HERE.parent)
    reports = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCH_HOME"] = str(Path(folder, "cache"))
        os.environ["REMOVE_OBJECTS_BF16"] = "0"
        for name, more in BASELINES.items():
            if code := remove_objects(
                [*OPTIONS, *more, "--output", str(Path(folder, name)), "sample_images"]
            ):
                return code
            reports[name] = stripped(read_report(Path(folder, name, "report.json")))
    for name, report in reports.items():
        (target / name).write_text(
            json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return 0


def stripped(report: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce a report to settings, weights and what ``pipeline.report.baseline`` compares."""
    run, photos = report["run"], []
    for photo in report["photos"]:
        row = {key: photo[key] for key in PHOTO}
        row["holes"] = [{key: hole[key] for key in HOLE} for hole in photo["holes"]]
        photos.append(row)
    return {
        "schema_version": report["schema_version"],
        "run": {key: run[key] for key in ("settings", "weights", "device")},
        "photos": photos,
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE))
