"""A long run looked at from outside: do memory, open files and pace stay what they were at its start?

    python benchmarks/speed/soak.py --count 2000                 # sample pictures, each file another crop, 384 pixels along the longer side
    python benchmarks/speed/soak.py --count 1000 --probe --json soak.json

``remove-objects`` runs in a process of its own. Twice a second its resident memory and open files are read from ``/proc`` (Linux), and
its journal says how many photos are done. The first and the last 200 photos are compared; the very first 50 are left out, in which networks
are loaded and caches fill. Exit code 1 when something is not flat.
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

ROOT = Path(__file__).resolve().parents[2]

from benchmarks.speed.scale import prepare

JOURNAL = ".remove-objects-journal.jsonl"
WARM, WINDOW = 50, 200


def observe(process: subprocess.Popen[bytes], journal: Path) -> tuple[list[dict[str, float]], int]:
    """(samples of {seconds, photos, rss_mb, files}, the exit code)."""
    begun, samples, done, read = time.monotonic(), [], 0, 0
    proc = Path("/proc") / str(process.pid)
    page = os.sysconf("SC_PAGE_SIZE")
    while process.poll() is None:
        if journal.exists():
            with journal.open("rb") as file:
                file.seek(read)
                text = file.read()
            lines = text[: text.rfind(b"\n") + 1]  # one may be half written
            read, done = read + len(lines), done + lines.count(b'"entry"')
        try:
            resident = int((proc / "statm").read_text().split()[1]) * page / 2**20
            files = len(os.listdir(proc / "fd"))
        except (OSError, IndexError):  # it ended in between
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
    """The first window of photos beside the last, and whether each figure is flat: pace and memory within 10 %, files within 8."""
    total = samples[-1]["photos"]
    window = min(WINDOW, int((total - WARM) // 3))
    if window < 10:
        raise SystemExit(
            f"{total:.0f} photos are too few to see anything; take --count {WARM + 30} or more"
        )
    found: dict[str, Any] = {
        "photos": total,
        "window": window,
        "seconds": round(samples[-1]["seconds"], 1),
    }
    for name, low in (("first", WARM), ("last", total - window)):
        part = [s for s in samples if low <= s["photos"] <= low + window]
        pace = (part[-1]["photos"] - part[0]["photos"]) / (part[-1]["seconds"] - part[0]["seconds"])
        memory, files = (statistics.median(s[f] for s in part) for f in ("rss_mb", "files"))
        found[name] = {"photos_per_second": round(pace, 3), "rss_mb": round(memory), "files": files}
    first, last = found["first"], found["last"]
    found["peak_mb"] = round(max(s["rss_mb"] for s in samples))
    found["flat"] = {
        "pace": last["photos_per_second"] >= 0.9 * first["photos_per_second"],
        "memory": last["rss_mb"] <= 1.1 * first["rss_mb"],
        "files": last["files"] <= first["files"] + 8,
    }
    return found


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
    found = judge(samples)
    print(json.dumps(found, indent=1))
    if args.json:
        args.json.write_text(
            json.dumps({**found, "samples": samples[:: max(1, len(samples) // 200)]}, indent=1)
            + "\n",
            encoding="utf-8",
        )
    return 0 if all(found["flat"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
