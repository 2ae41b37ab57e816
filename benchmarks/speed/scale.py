"""Measure the overhead of Ray on one machine: the same photos by both engines.

    python -m benchmarks.speed.scale --count 200              # sample pictures at 1024 pixels
    python -m benchmarks.speed.scale --count 200 --turns 3    # medians of three alternating turns
    python -m benchmarks.speed.scale --count 30 --side 512 --actors 2 --json scale.json

Each engine runs in its own process. ``overhead`` compares the whole runs, with the start of cluster
and actors; ``steady`` excludes the start: photos per second between the first and the last finished
photo. ``core_seconds`` are the same in processor time of all processes (Linux), which a busy
machine changes little. docs/scale.md uses them in its formula.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from remove_objects.pipeline.system.cores import usable_cores

ROOT = Path(__file__).resolve().parents[2]


def prepare(folder: Path, count: int, side: int) -> None:
    """Write ``count`` JPEGs, each a different crop of a sample picture."""
    from PIL import Image

    pictures = []
    for path in sorted((ROOT / "sample_images").rglob("*.jpg")):
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
            with Image.open(path) as image:
                scale = side / max(image.size)
                pictures.append(
                    image.convert("RGB").resize(
                        (round(image.width * scale), round(image.height * scale))
                    )
                )
    for i in range(count):
        picture = pictures[i % len(pictures)]
        crop = picture.crop((i // len(pictures), 0, picture.width, picture.height))
        crop.save(folder / f"{i:05d}.jpg", quality=92)


def clean(folder: Path, engine: str, count: int, probe: bool) -> dict[str, Any]:
    """Run an engine in this process: seconds in total, to the first photo and per photo."""
    begun = time.monotonic()
    from remove_objects.pipeline.batch.run import remove_folder
    from remove_objects.pipeline.batch.settings import BatchSettings
    from remove_objects.pipeline.config import Settings
    from remove_objects.pipeline.report.schema import Entry

    done: list[tuple[float, float]] = []

    def progress(_: int, entry: Entry | None) -> None:
        if entry is not None:
            done.append((time.monotonic() - begun, entry["seconds"]))

    options: dict[str, Any] = (
        {"engine": "ray", "actors": count} if engine == "ray" else {"workers": count}
    )
    batch = BatchSettings(classes=("person",), output=folder / engine, **options)
    settings = Settings(segmenter="compact", device="cpu", offline=True, probe=probe)
    result = remove_folder([folder / "in"], settings, batch, progress=progress)
    failed = [p["error"] for p in result.photos if p["status"] == "failed"]
    assert not failed, failed[0]
    first, last = done[0], done[-1]
    return {
        "first_done": begun + first[0],
        "seconds": round(time.monotonic() - begun, 2),
        "start_seconds": round(first[0] - first[1], 2),
        "photos_per_second_steady": round((len(done) - 1) / (last[0] - first[0]), 3),
        "seconds_per_photo": round(sum(s for _, s in done) / len(done), 3),
    }


class CoreSeconds:
    """Processor time of a process and all its descendants, those that have ended included (Linux).

    Args:
        pid: of the process.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._last = pid, dict[tuple[int, str], float]()
        #: (seconds of the monotonic clock, processor seconds so far).
        self.samples: list[tuple[float, float]] = []

    def sample(self) -> None:
        """Look at all processes: what one that ends took since the last look is missed."""
        pids, tick = [self._pid], os.sysconf("SC_CLK_TCK")
        for pid in pids:  # the list grows during the loop
            proc = Path("/proc") / str(pid)
            try:
                fields = (proc / "stat").read_text().rpartition(")")[2].split()
                for task in (proc / "task").iterdir():
                    pids += [int(child) for child in (task / "children").read_text().split()]
            except OSError:  # the process has ended
                continue
            self._last[pid, fields[19]] = (int(fields[11]) + int(fields[12])) / tick
        self.samples.append((time.monotonic(), sum(self._last.values())))

    def at(self, moment: float) -> float:
        """The processor seconds at a moment of the monotonic clock."""
        return max((used for when, used in self.samples if when <= moment), default=0.0)


def machine() -> int:
    """Return the current GFLOP/s of NumPy's matrix products.

    It tells a slow engine from a busy machine.
    """
    import numpy as np

    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    taken = []
    for _ in range(4):
        begun = time.perf_counter()
        a @ a
        taken.append(time.perf_counter() - begun)
    return round(2 * 2048**3 / statistics.median(taken) / 1e9)


def turn(
    folder: Path, engines: Sequence[str], count: int, actors: int, probe: bool
) -> dict[str, Any]:
    """Run each engine once, in its own process."""
    results: dict[str, Any] = {}
    for engine in engines:
        rate = machine()
        command = [
            sys.executable,
            "-m",
            "benchmarks.speed.scale",
            "--run",
            engine,
            str(folder),
            "--actors",
            str(actors),
            *([] if probe else ["--no-probe"]),
        ]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        used = CoreSeconds(process.pid)
        while process.poll() is None:
            used.sample()
            time.sleep(0.2)
        assert process.stdout is not None
        if process.returncode:
            raise RuntimeError(f"the run by the engine {engine} ended with {process.returncode}")
        found = json.loads(process.stdout.read().splitlines()[-1])
        start, total = used.at(found.pop("first_done")), used.samples[-1][1]
        results[engine] = found | {
            "gflops_before": rate,
            "core_seconds": round(total, 1),
            "core_seconds_to_first_photo": round(start, 1),
            "core_seconds_a_photo": round((total - start) / max(1, count - 1), 3),
        }
        shutil.rmtree(folder / engine)
    return results


def measure(count: int, side: int, actors: int, probe: bool, turns: int) -> dict[str, Any]:
    """Run both engines several times and compare them."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "in").mkdir()
        prepare(Path(scratch) / "in", count, side)
        # The order alternates, so that a machine that becomes slower affects both engines.
        results = [
            turn(Path(scratch), ("local", "ray")[:: 1 if i % 2 == 0 else -1], count, actors, probe)
            for i in range(turns)
        ]

    def median(of: Callable[[dict[str, Any]], float]) -> float:
        return round(statistics.median(map(of, results)), 3)

    return {
        "photos": count,
        "longer_side": side,
        "cores": actors,
        "load": [round(x, 1) for x in os.getloadavg()],
        "turns": results,
        "overhead": median(lambda t: t["ray"]["seconds"] / t["local"]["seconds"] - 1),
        "overhead_steady": median(
            lambda t: (
                t["local"]["photos_per_second_steady"] / t["ray"]["photos_per_second_steady"] - 1
            )
        ),
        "overhead_core_seconds": median(
            lambda t: t["ray"]["core_seconds_a_photo"] / t["local"]["core_seconds_a_photo"] - 1
        ),
        "seconds_per_photo_and_core": {
            engine: median(lambda t, engine=engine: actors / t[engine]["photos_per_second_steady"])  # type: ignore[misc]
            for engine in ("local", "ray")
        },
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200, help="photos (default 200)")
    parser.add_argument(
        "--side", type=int, default=1024, help="pixels along the longer side (default 1024)"
    )
    parser.add_argument(
        "--actors",
        type=int,
        default=usable_cores(),
        help="cores for both engines (default: all)",
    )
    parser.add_argument(
        "--turns", type=int, default=1, help="number of turns; medians are printed (default 1)"
    )
    parser.add_argument("--no-probe", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--run", nargs=2, metavar=("ENGINE", "DIR"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(clean(Path(args.run[1]), args.run[0], args.actors, not args.no_probe)))
        return
    table = json.dumps(
        measure(args.count, args.side, args.actors, not args.no_probe, args.turns), indent=1
    )
    print(table)
    if args.json:
        args.json.write_text(table + "\n")


if __name__ == "__main__":
    main()
