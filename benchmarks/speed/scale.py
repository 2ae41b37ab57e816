"""What Ray costs on one machine, and what a core does: the same photos by both engines, each in a process of its own.

python benchmarks/speed/scale.py --count 200                      # the sample pictures again and again, 1024 pixels along the longer side
python benchmarks/speed/scale.py --count 200 --turns 3            # each engine three times, by turns; medians
python benchmarks/speed/scale.py --count 30 --side 512 --actors 2 --json scale.json

``overhead`` is of the whole run, with the start of cluster and actors; ``steady`` leaves the start out: photos a second between the first
and the last that were done. docs/scale.md puts ``seconds_per_photo_and_core`` into its formula.
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

ROOT = Path(__file__).resolve().parents[2]


def prepare(folder: Path, count: int, side: int) -> None:
    """``count`` JPEGs, each another crop of a sample picture, so that no two are the same file."""
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
        image = pictures[i % len(pictures)]
        image.crop((i // len(pictures), 0, image.width, image.height)).save(
            folder / f"{i:05d}.jpg", quality=92
        )


def clean(folder: Path, engine: str, count: int, probe: bool) -> dict[str, Any]:
    """One run in this process: seconds to the first and to the last photo, and how long the photos themselves took."""
    begun = time.monotonic()
    from remove_objects.pipeline.batch.run import remove_folder
    from remove_objects.pipeline.batch.settings import BatchSettings
    from remove_objects.pipeline.config import Settings

    done: list[tuple[float, float]] = []

    def progress(_: int, entry: dict[str, Any] | None) -> None:
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
        "seconds": round(time.monotonic() - begun, 2),
        "start_seconds": round(first[0] - first[1], 2),
        "photos_per_second_steady": round((len(done) - 1) / (last[0] - first[0]), 3),
        "seconds_per_photo": round(sum(s for _, s in done) / len(done), 3),
    }


def machine() -> int:
    """GFLOP a second of NumPy's matrix products at this moment: what tells a slow engine from a slow moment."""
    import numpy as np

    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    taken = []
    for _ in range(4):
        begun = time.perf_counter()
        a @ a
        taken.append(time.perf_counter() - begun)
    return round(2 * 2048**3 / statistics.median(taken) / 1e9)


def turn(folder: Path, engines: Sequence[str], actors: int, probe: bool) -> dict[str, Any]:
    """Each engine once, in a process of its own."""
    found: dict[str, Any] = {}
    for engine in engines:
        rate = machine()
        command = [
            sys.executable,
            __file__,
            "--run",
            engine,
            str(folder),
            "--actors",
            str(actors),
            *([] if probe else ["--no-probe"]),
        ]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        found[engine] = json.loads(done.stdout.splitlines()[-1]) | {"gflops_before": rate}
        shutil.rmtree(folder / engine)
    return found


def measure(count: int, side: int, actors: int, probe: bool, turns: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "in").mkdir()
        prepare(Path(scratch) / "in", count, side)
        # The other one first in every second turn: a machine that grows slower is not one engine's fault.
        found = [
            turn(Path(scratch), ("local", "ray")[:: 1 if i % 2 == 0 else -1], actors, probe)
            for i in range(turns)
        ]

    def median(of: Callable[[dict[str, Any]], float]) -> float:
        return round(statistics.median(map(of, found)), 3)

    return {
        "photos": count,
        "longer_side": side,
        "cores": actors,
        "load": [round(x, 1) for x in os.getloadavg()],
        "turns": found,
        "overhead": median(lambda t: t["ray"]["seconds"] / t["local"]["seconds"] - 1),
        "overhead_steady": median(
            lambda t: (
                t["local"]["photos_per_second_steady"] / t["ray"]["photos_per_second_steady"] - 1
            )
        ),
        "seconds_per_photo_and_core": {
            engine: median(lambda t, engine=engine: actors / t[engine]["photos_per_second_steady"])  # type: ignore[misc]
            for engine in ("local", "ray")
        },
    }


def main() -> None:
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
        default=os.cpu_count() or 1,
        help="cores for both engines (default: all)",
    )
    parser.add_argument(
        "--turns", type=int, default=1, help="how often; medians over the turns (default 1)"
    )
    parser.add_argument("--no-probe", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--run", nargs=2, metavar=("ENGINE", "DIR"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        print(json.dumps(clean(Path(args.run[1]), args.run[0], args.actors, not args.no_probe)))
        return
    found = json.dumps(
        measure(args.count, args.side, args.actors, not args.no_probe, args.turns), indent=1
    )
    print(found)
    if args.json:
        args.json.write_text(found + "\n")


if __name__ == "__main__":
    main()
