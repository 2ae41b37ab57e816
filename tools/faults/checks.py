"""What must hold of an output folder whatever was done to a run: after the fault, and after the next run."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

#: Of an entry and of a run, what two runs over the same photos may say differently.
TIMES = ("seconds", "stages")
#: Files that say when they were made: their content is compared, not their bytes.
REPORTS = ("report.json", "report.csv", "report.html")


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by its name."""
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
    }


def results(folder: Path) -> dict[str, str]:
    """Of ``digests`` what people look at: photos, masks, small pictures; nothing hidden, no report."""
    shown = {
        name: digest
        for name, digest in digests(folder).items()
        if not any(part.startswith(".") for part in name.split("/"))
    }
    return {name: digest for name, digest in shown.items() if name not in REPORTS}


def wrong_after_fault(out: Path, whole: Path) -> list[str]:
    """What stands in ``out`` under a final name and is not whole, as it is in ``whole``, which an undisturbed run wrote."""
    wanted = results(whole)
    found = [
        f"{name} is not what an undisturbed run writes"
        for name, digest in results(out).items()
        if wanted.get(name) != digest
    ]
    for name in REPORTS:
        try:
            _check_report(out / name)
        except (ValueError, KeyError, AssertionError) as error:
            found.append(f"{name} is not whole: {error}")
    return found


def wrong_after_resume(out: Path, whole: Path) -> list[str]:
    """In what the folder of a run that went on differs from that of an undisturbed one, times left aside."""
    found = wrong_after_fault(out, whole)
    found += [f"{name} is missing" for name in sorted(set(results(whole)) - set(results(out)))]
    for name in REPORTS:
        if not (out / name).is_file():
            found.append(f"{name} is missing")
        elif _told(out, name, whole) != _told(whole, name, whole):
            found.append(f"{name} says something else than that of an undisturbed run")
    hidden = [
        path
        for path in out.rglob(".*")
        if path.name not in (".remove-objects-journal.jsonl", ".remove-objects-lock")
    ]
    found += [f"{path.relative_to(out)} was left behind" for path in hidden]
    return found


def report(folder: Path) -> dict[str, Any]:
    """``report.json`` without its times, its warnings in order: threads may come to them in another."""
    found: dict[str, Any] = json.loads(
        (folder / "report.json").read_text(encoding="utf-8", errors="surrogateescape")
    )
    found["run"] = {key: value for key, value in found["run"].items() if key not in TIMES} | {
        "warnings": sorted(found["run"]["warnings"])
    }
    found["photos"] = [
        {key: value for key, value in photo.items() if key not in TIMES}
        for photo in found["photos"]
    ]
    return found


def _told(folder: Path, name: str, whole: Path) -> Any:
    """What a report says, with the folder's own name as that of ``whole``."""
    if name == "report.json":
        return json.loads(json.dumps(report(folder)).replace(str(folder), str(whole)))
    if name == "report.csv":
        table = list(csv.DictReader(io.StringIO((folder / name).read_text(encoding="utf-8"))))
        return [{key: value for key, value in row.items() if key not in TIMES} for row in table]
    page = (folder / name).read_text(encoding="utf-8").replace(str(folder), str(whole))
    return sorted(
        re.findall(r"data:image/[a-z]+;base64,[^\"']+", page)
    )  # times and bars of times stand all over the rest


def _check_report(path: Path) -> None:
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    if path.suffix == ".json":
        assert json.loads(text)["photos"] is not None
    elif path.suffix == ".csv":
        assert text.endswith("\n"), "its last line is cut"
    else:
        assert text.rstrip().endswith("</html>"), "its end is cut"
