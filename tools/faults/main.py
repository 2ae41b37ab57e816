"""``kill -9`` at random moments of every stage: is a file incomplete, and does the next run finish?

    python -m tools.faults.main --kills 60
    python -m tools.faults.main --kills 200 --seed 7 --json faults.json

The input is a tree of photos in six formats, two without anything to remove, and a file that is no
picture. It is processed once with ``--class``, once with ``--masks``, a probe and a comparison. A
moment is the beginning of a stage or a change to the disk, drawn kind by kind so that each kind has
its turn, plus a random delay. After half of the kills the next run is killed too. Every run is the
command's ``main`` in a fork of this process, which has its modules loaded; the networks load again.
The result of the last run is compared with an undisturbed run's. The exit code is 1 if something is
wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any

from remove_objects.pipeline.batch.journal import Journal
from tools.faults.checks import digests, wrong_after_fault, wrong_after_resume
from tools.faults.points import at_points, ended, start
from tools.package_tree import ROOT

#: The file for the command's messages.
NOWHERE = Path(os.devnull)
#: Kinds of changes to the disk; the first pattern that matches counts.
KINDS = {
    "lock": r"remove-objects-lock",
    "claim": r"remove-objects-claims",
    "journal": r"journal\.jsonl",
    "preview": r"report_files",
    "mask": r"^os\.rename masks/",
    "report": r"^os\.rename report\.",
    "photo's name": r"^os\.rename ",
    "photo's bytes": r"\.part",
    "fsync": r"^fsync",
}
#: The command's options by the kind of run.
RUNS = {
    "class": ["--class", "person", "--no-probe"],
    "masks": ["--masks", "MASKS", "--compare", "telea"],
}


def prepare(folder: Path) -> None:
    """Write photos of at most 128 pixels into ``in`` and masks into ``masks``."""
    import numpy as np
    from PIL import Image, ImageDraw

    with Image.open(ROOT / "sample_images" / "astronaut.jpg") as image:
        person = image.convert("RGB")
        person.thumbnail((128, 128))
    plain = Image.effect_noise((96, 80), 30).convert("RGB")
    (folder / "in" / "deep" / "er").mkdir(parents=True)
    (folder / "masks" / "deep").mkdir(parents=True)
    for i, name in enumerate(
        ["a.jpg", "b.png", "deep/c.webp", "deep/d.tif", "e.bmp", "deep/f.gif"]
    ):
        picture = person.crop((i, 0, person.width, person.height))
        picture = picture.quantize(64) if name.endswith("gif") else picture
        picture.save(folder / "in" / name)
        mask = Image.new("1", picture.size)
        ImageDraw.Draw(mask).ellipse((30 + 2 * i, 30, 60 + 2 * i, 66), fill=1)
        if i < 4:
            mask.save(folder / "masks" / f"{name}.png")
    plain.save(folder / "in" / "deep" / "er" / "plain.png")
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(folder / "in" / "grey.jpg")
    (folder / "in" / "no-picture.jpg").write_bytes(b"\xff\xd8\xff nothing more")


def command(folder: Path, kind: str, out: Path) -> Callable[[], int]:
    """Return a call of the command for a kind of run."""
    from remove_objects.pipeline import cli

    options = [str(folder / "masks") if option == "MASKS" else option for option in RUNS[kind]]
    options += [
        "--save-masks",
        "--segmenter",
        "compact",
        "--offline",
        "--device",
        "cpu",
        "-q",
        "-o",
        str(out),
    ]
    return lambda: cli.main([*options, str(folder / "in")])


def listen(out: Path, on_moment: Callable[[str], None]) -> None:
    """Call ``on_moment`` with the kind of each moment of this process.

    A moment is the beginning of a stage or a change to the disk below ``out``.
    """
    from remove_objects.pipeline.system.stopwatch import Stopwatch

    call = Stopwatch.__call__

    def stage(watch: Stopwatch, name: str) -> AbstractContextManager[None]:
        on_moment(f"stage {name}")
        return call(watch, name)

    setattr(Stopwatch, "__call__", stage)  # noqa: B010 (mypy allows no assignment to a method)
    kinds = KINDS.items()
    at_points(
        out,
        lambda _, change: on_moment(
            next((kind for kind, pattern in kinds if re.search(pattern, change)), "folder")
        ),
    )


def moments(folder: Path, kind: str, out: Path) -> Counter[str]:
    """Count each kind of moment in an undisturbed run, which writes its results into ``out``."""
    log = folder / f"{kind}.log"

    def work() -> int:
        with log.open("w") as file:
            listen(out, lambda what: print(what, file=file, flush=True))
            return command(folder, kind, out)()

    if (code := ended(start(work, NOWHERE), 600)) != 1:  # one file is not a picture
        raise SystemExit(f"the undisturbed run ended with {code}")
    return Counter(log.read_text().splitlines())


def kill(folder: Path, kind: str, out: Path, what: str, number: int, delay: float) -> bool:
    """Kill a run ``delay`` seconds after a moment, and return whether it was still alive."""
    lock, seen = threading.Lock(), 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def on_moment(kind: str) -> None:
        nonlocal seen
        with lock:
            seen += kind == what
            if kind == what and seen == number:
                if not delay:
                    die()
                threading.Timer(delay, die).start()

    def work() -> int:
        listen(out, on_moment)
        return command(folder, kind, out)()

    return ended(start(work, NOWHERE), 600) == -signal.SIGKILL


def remove_hidden(out: Path) -> None:
    """Remove journal, lock and claims."""
    for path in out.glob(".remove-objects-*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def trial(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill as many runs as requested, and describe everything that was wrong afterwards."""
    draw = random.Random(seed)
    prepare(folder)
    inputs = digests(folder / "in") | digests(folder / "masks")
    whole = {kind: folder / f"whole-{kind}" for kind in RUNS}
    known = {kind: moments(folder, kind, whole[kind]) for kind in RUNS}
    done: Counter[str] = Counter()
    wrong: list[str] = []
    kinds = sorted(set().union(*known.values()))
    resumed = again = 0
    out, kind, turns = folder / "out", "", list[str]()
    while sum(done.values()) < kills:
        if not out.exists():
            kind = draw.choice(list(RUNS))
        turns = turns or draw.sample(kinds, len(kinds))
        what = turns.pop()
        if not known[kind][what]:
            continue
        before = out.exists()
        number, delay = draw.randint(1, known[kind][what]), draw.choice((0.0, draw.uniform(0, 0.2)))
        place = f"{kind}: {delay:.3f} s after {what} {number}"
        if kill(folder, kind, out, what, number, delay):
            done[what] += 1
            again += before
            if not Journal(out).complete:
                wrong += [f"{place}: {fault}" for fault in wrong_after_fault(out, whole[kind])]
                if draw.random() < 0.5:
                    continue
                if (code := ended(start(command(folder, kind, out), NOWHERE), 600)) != 1:
                    wrong.append(f"{place}: the next run ended with {code}")
            else:  # the run was complete: only hidden files are left
                remove_hidden(out)
        resumed += 1
        wrong += [f"{place}: {fault}" for fault in wrong_after_resume(out, whole[kind])]
        if digests(folder / "in") | digests(folder / "masks") != inputs:
            wrong.append(f"{place}: the inputs changed")
        shutil.rmtree(out)
        print(
            f"{sum(done.values()):4} kills, {resumed} resumed runs, {len(wrong)} faults",
            flush=True,
        )
    by_moment = {what: done[what] for what in kinds}
    return {
        "seed": seed,
        "kills": sum(done.values()),
        "of_killed_runs": again,
        "went_on": resumed,
        "by_moment": by_moment,
        "wrong": wrong,
    }


def main() -> int:
    """Run the command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--kills", type=int, default=60)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--json", type=Path)
    args = p.parse_args()
    # Modules load before the first fork, so that no run loads them again; networks do not.
    import_module("remove_objects.pipeline.batch.run")

    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        outcome = trial(Path(scratch), args.kills, args.seed)
    outcome["seconds"] = round(time.monotonic() - begun)
    print(json.dumps(outcome, indent=1))
    if args.json:
        args.json.write_text(json.dumps(outcome, indent=1) + "\n", encoding="utf-8")
    return 1 if outcome["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
