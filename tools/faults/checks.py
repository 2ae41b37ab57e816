"""Conditions that every output folder must satisfy: after a fault, and after the next run."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

#: Keys of an entry and of a run that may differ between two runs over the same photos.
TIMES = ("seconds", "stages")
#: Files that contain times: their content is compared, not their bytes.
REPORTS = ("report.json", "report.csv", "report.html")


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def results(folder: Path) -> dict[str, str]:
    """Return the digests of photos, masks and previews; no hidden files and no reports."""
    shown = {
        name: digest
        for name, digest in digests(folder).items()
        if not any(part.startswith(".") for part in name.split("/"))
    }
    return {name: digest for name, digest in shown.items() if name not in REPORTS}


def wrong_after_fault(out: Path, whole: Path) -> list[str]:
    """Describe the files of ``out`` that differ from those of an undisturbed run, ``whole``.

    Only files under their final names count; missing ones are allowed.
    """
    expected = results(whole)
    wrong = [
        f"{name} differs from an undisturbed run's"
        for name, digest in results(out).items()
        if expected.get(name) != digest
    ]
    for name in REPORTS:
        try:
            _check_report(out / name)
        except (ValueError, KeyError, AssertionError) as error:
            wrong.append(f"{name} is incomplete: {error}")
    return wrong


def wrong_after_resume(out: Path, whole: Path) -> list[str]:
    """Describe how a resumed run's folder differs from an undisturbed one's, except for times."""
    wrong = wrong_after_fault(out, whole)
    wrong += [f"{name} is missing" for name in sorted(set(results(whole)) - set(results(out)))]
    for name in REPORTS:
        if not (out / name).is_file():
            wrong.append(f"{name} is missing")
        elif _content(out, name, whole) != _content(whole, name, whole):
            wrong.append(f"{name} differs from an undisturbed run's")
    hidden = [
        path
        for path in out.rglob(".*")
        if path.name not in (".remove-objects-journal.jsonl", ".remove-objects-lock")
    ]
    wrong += [f"{path.relative_to(out)} was left behind" for path in hidden]
    return wrong


def report(folder: Path) -> dict[str, Any]:
    """Read ``report.json`` without times; warnings are sorted: their order depends on threads."""
    content: dict[str, Any] = json.loads(
        (folder / "report.json").read_text(encoding="utf-8", errors="surrogateescape")
    )
    run = {key: value for key, value in content["run"].items() if key not in TIMES}
    content["run"] = run | {"warnings": sorted(run["warnings"])}
    content["photos"] = [
        {key: value for key, value in photo.items() if key not in TIMES}
        for photo in content["photos"]
    ]
    return content


def _content(folder: Path, name: str, whole: Path) -> Any:
    """Return a report's content, with the folder's name replaced by that of ``whole``."""
    if name == "report.json":
        return json.loads(json.dumps(report(folder)).replace(str(folder), str(whole)))
    if name == "report.csv":
        table = list(csv.DictReader(io.StringIO((folder / name).read_text(encoding="utf-8"))))
        return [{key: value for key, value in row.items() if key not in TIMES} for row in table]
    page = (folder / name).read_text(encoding="utf-8").replace(str(folder), str(whole))
    # Only the pictures: the rest of the page is full of times.
    return sorted(re.findall(r"data:image/[a-z]+;base64,[^\"']+", page))


def _check_report(path: Path) -> None:
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    if path.suffix == ".json":
        assert json.loads(text)["photos"] is not None
    elif path.suffix == ".csv":
        assert text.endswith("\n"), "its last line is incomplete"
    else:
        assert text.rstrip().endswith("</html>"), "its end is missing"
