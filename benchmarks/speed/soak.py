"""Observe a long run: do memory, open files and pace stay constant?

    python -m benchmarks.speed.soak --count 2000    # crops of sample pictures, 384 pixels
    python -m benchmarks.speed.soak --count 1000 --probe --json soak.json

``remove-objects`` runs in its own process. Twice a second the benchmark reads its resident memory
and open files from ``/proc`` (Linux), and the number of finished photos from its journal. It
compares the first and the last 200 photos, except the very first 50, during which networks load and
caches fill. The exit code is 1 if something is not constant.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.speed.scale import ROOT, prepare

JOURNAL = ".remove-objects-journal.jsonl"
WARM, WINDOW = 50, 200


def observe(process: subprocess.Popen[bytes], journal: Path) -> tuple[list[dict[str, float]], int]:
    """Return (samples of {seconds, photos, rss_mb, files}, the exit code)."""
    begun, samples, done, read = time.monotonic(), [], 0, 0
    proc = Path("/proc") / str(process.pid)
    page = os.sysconf("SC_PAGE_SIZE")
    while process.poll() is None:
        if journal.exists():
            with journal.open("rb") as file:
                file.seek(read)
                text = file.read()
            lines = text[: text.rfind(b"\n") + 1]  # the last line may be incomplete
            read, done = read + len(lines), done + lines.count(b'"entry"')
        try:
            resident = int((proc / "statm").read_text().split()[1]) * page / 2**20
            files = len(os.listdir(proc / "fd"))
        except (OSError, IndexError):  # the process has ended
            continue
        samples.append(
            {
                "seconds": time.monotonic() - begun,
                "photos": done,
                "rss_mb": resident,
                "files": files,
            }
        )
        time.sleep(0.5)
    return samples, process.returncode


def judge(samples: list[dict[str, float]]) -> dict[str, Any]:
    """Compare the first window of photos with the last.

    ``flat`` says which metrics are constant: pace and memory within 10 %, files within 8.
    """
    total = samples[-1]["photos"]
    window = min(WINDOW, int((total - WARM) // 3))
    if window < 10:
        raise SystemExit(
            f"{total:.0f} photos are too few for a comparison; take --count {WARM + 30} or more"
        )
    verdict: dict[str, Any] = {
        "photos": total,
        "window": window,
        "seconds": round(samples[-1]["seconds"], 1),
    }
    for name, low in (("first", WARM), ("last", total - window)):
        chosen = [s for s in samples if low <= s["photos"] <= low + window]
        begin, end = chosen[0], chosen[-1]
        pace = (end["photos"] - begin["photos"]) / (end["seconds"] - begin["seconds"])
        verdict[name] = {
            "photos_per_second": round(pace, 3),
            "rss_mb": round(statistics.median(s["rss_mb"] for s in chosen)),
            "files": statistics.median(s["files"] for s in chosen),
        }
    first, last = verdict["first"], verdict["last"]
    verdict["peak_mb"] = round(max(s["rss_mb"] for s in samples))
    verdict["flat"] = {
        "pace": last["photos_per_second"] >= 0.9 * first["photos_per_second"],
        "memory": last["rss_mb"] <= 1.1 * first["rss_mb"],
        "files": last["files"] <= first["files"] + 8,
    }
    return verdict


def main() -> int:
    """Run the command."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--count", type=int, default=2000)
    p.add_argument("--side", type=int, default=384, help="longer side in pixels")
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--probe", action="store_true")
    p.add_argument("--json", type=Path)
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photos, output = Path(scratch) / "in", Path(scratch) / "out"
        photos.mkdir()
        prepare(photos, args.count, args.side)
        command = [
            sys.executable,
            "-m",
            "remove_objects.pipeline.cli",
            "--class",
            "person",
            "--segmenter",
            "compact",
            "--offline",
            "--workers",
        ]
        command += [
            str(args.workers),
            *([] if args.probe else ["--no-probe"]),
            "-o",
            str(output),
            str(photos),
        ]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        samples, code = observe(process, output / JOURNAL)
        if code != 0:
            raise SystemExit(f"remove-objects ended with {code}")
    verdict = judge(samples)
    print(json.dumps(verdict, indent=1))
    if args.json:
        few = samples[:: max(1, len(samples) // 200)]
        text = json.dumps({**verdict, "samples": few}, indent=1)
        args.json.write_text(text + "\n", encoding="utf-8")
    return 0 if all(verdict["flat"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
