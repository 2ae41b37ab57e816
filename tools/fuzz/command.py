"""Damaged files through the whole command.

The files have odd names, some masks are damaged too, and the report must mention every file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images.read import read_photo
from remove_objects.pipeline.report.files import read_report
from tools.fuzz.files import mutate
from tools.package_tree import ROOT

#: Files per run.
A_RUN = 80
#: Prefixes of the file names.
NAMES = (
    "plain",
    "new\nline",
    "\U0001f600 smile",
    "\u202eltr",
    "-dash",
    "tab\t",
    "quote\"'",
    "<img src=x onerror=alert(1)>",
    os.fsdecode(b"bytes-\xff\xfe"),
    "x" * 200,
)


def run_command(
    count: int, seed: int, whole: list[tuple[str, bytes]], keep: Path
) -> dict[str, Any]:
    """Run ``remove-objects`` on ``count`` mutated photos, a third of them with mutated masks.

    Returns:
        ``files``, ``runs``, ``statuses`` (photos by verdict) and ``findings`` (descriptions).
    """
    statuses: Counter[str] = Counter()
    findings: list[str] = []
    runs = -(-count // A_RUN)
    for run in range(runs):
        with tempfile.TemporaryDirectory() as scratch:
            files = min(A_RUN, count - run * A_RUN)
            faults = _one_run(Path(scratch), seed, run, files, whole, statuses)
            if faults:
                findings += [f"run {run}: {text}" for text in faults]
                _keep(Path(scratch), keep / f"command-{seed}-{run}")
    return {"files": count, "runs": runs, "statuses": dict(statuses), "findings": findings}


def _one_run(
    scratch: Path,
    seed: int,
    run: int,
    count: int,
    whole: list[tuple[str, bytes]],
    statuses: Counter[str],
) -> list[str]:
    """Run the command once and describe its faults; count photos by verdict in ``statuses``."""
    photos, masks, out = scratch / "photos", scratch / "masks", scratch / "out"
    names = _write_files(photos, masks, seed, run, count, whole)
    command = [
        sys.executable,
        "-m",
        "remove_objects.pipeline.cli",
        "--masks",
        str(masks),
        "--no-probe",
        "--detail",
        "none",
        "--offline",
        "-o",
        str(out),
    ]
    done = subprocess.run([*command, str(photos)], capture_output=True, cwd=ROOT, check=False)
    if done.returncode not in (0, 1):
        return [f"exit code {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}"]
    findings = []
    if b"Traceback" in done.stderr:
        findings.append(f"a traceback: {done.stderr.decode(errors='replace')[-2000:]}")
    entries = {entry["input"]: entry for entry in read_report(out / "report.json")["photos"]}
    if set(entries) != set(names):
        findings.append(f"the report has other files: {sorted(set(entries) ^ set(names))!r}")
    for name, entry in entries.items():
        statuses[entry["status"]] += 1
        if entry["status"] == "failed":
            if name not in entry["error"] and not entry["hole_share"]:
                findings.append(f"{name!r}: its error does not name it: {entry['error']!r}")
        elif not (out / (entry["output"] or "")).is_file():
            findings.append(f"{name!r}: no result")
    if (done.returncode == 1) != any(entry["status"] == "failed" for entry in entries.values()):
        findings.append(f"exit code {done.returncode} with {json.dumps(dict(statuses))}")
    return findings


def _write_files(
    photos: Path, masks: Path, seed: int, run: int, count: int, whole: list[tuple[str, bytes]]
) -> list[str]:
    """Write the photos and masks of a run, and return the photos' names."""
    photos.mkdir()
    masks.mkdir()
    names = []
    for i in range(count):
        random = np.random.default_rng([seed, 1_000_000, run, i])
        name, content = whole[int(random.integers(len(whole)))]
        names.append(f"{NAMES[i % len(NAMES)]}{i}{Path(name).suffix}")
        photo, mask = photos / names[-1], masks / f"{names[-1]}.png"
        photo.write_bytes(mutate(random, name, content, []) if i % 4 else content)
        _mask_for(content, photos.parent / name).save(mask)
        if i % 3 == 0:
            mask.write_bytes(mutate(random, "m.png", mask.read_bytes(), []))
    return names


def _mask_for(content: bytes, scratch: Path) -> Image.Image:
    """Draw a mask of the undamaged file's size, so that files that stay readable are filled."""
    scratch.write_bytes(content)
    try:
        height, width = read_photo(scratch, max_pixels=1_000_000).size
    except UnreadableError:
        height, width = 72, 96
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).rectangle((width // 3, height // 3, width // 2, height // 2), fill=255)
    return mask


def _keep(scratch: Path, target: Path) -> None:
    """Keep the files of a run with faults."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        scratch.rename(target)
    scratch.mkdir(exist_ok=True)  # the temporary directory's context removes it
