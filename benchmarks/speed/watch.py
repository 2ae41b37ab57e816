"""How long a round of ``remove-objects watch`` takes in a folder that holds many photos already.

    python -m benchmarks.speed.watch --photos 1500

The photos are tiny and the networks cost nothing, so that what is measured is the watch itself: the
look into the folder, the plan, the journal, and the report that is written anew. The photos that
are there already are copies of one, and so are the rows that the journal has of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from remove_objects.pipeline.batch.journal import row_line
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.report import previews
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from remove_objects.pipeline.storage.stamp import mark
from remove_objects.pipeline.system.lock import WATCH, folder_lock
from remove_objects.pipeline.system.signals import Stop
from remove_objects.pipeline.watch.watch import Times, Watch
from tests.support.scenes import scene
from tests.support.states.networks import cheap_networks

#: Seconds in which a photo settles.
SETTLE = 0.1


class Ground:
    """A watched folder and its output folder."""

    def __init__(self, place: Path) -> None:
        self.folder, self.out, self.count = place / "photos", place / "out", 0
        self.folder.mkdir()

    def watch(self) -> Watch:
        """Return a watch of the folder."""
        # Series are found by looking at all photos; they are another matter.
        batch = BatchSettings(classes=("person",), output=self.out, workers=1, series="off")
        settings = Settings(probe=False, offline=True)
        return Watch(self.folder, settings, batch, times=Times(settle=SETTLE))

    def put(self) -> None:
        """Let a photo arrive."""
        picture = scene(60, 80, person=(20, 20, 12, 16), seed=self.count)
        Image.fromarray(picture).save(self.folder / f"{self.count:05}.png")
        self.count += 1

    def copy(self, photos: int) -> None:
        """Make copies of the only photo, cleaned, until there are so many."""
        journal = self.out / JOURNAL_NAME
        rows = [json.loads(line) for line in journal.read_text().splitlines()]
        row: dict[str, Any] = next(row for row in rows if "entry" in row)
        name, source = row["input"], Path(row["source"])
        with journal.open("ab") as file:
            while self.count < photos:
                new = f"{self.count:05}.png"
                shutil.copy2(source, source.with_name(new))
                shutil.copy2(self.out / name, self.out / new)
                for kind, picture in previews.find(self.out, name).items():
                    shutil.copy2(picture, previews.place(self.out, new, kind))
                marks = {
                    "source": str(source.with_name(new)),
                    "source_mark": mark(source.with_name(new)),
                    "written": mark(self.out / new),
                }
                entry = {**row["entry"], "input": new, "output": new}
                file.write(row_line({**row, **marks, "input": new, "entry": entry}))
                self.count += 1
            file.write(row_line({"complete": True}))


def settled(watch: Watch, stop: Stop) -> tuple[float, float]:
    """Look until what is there is cleaned; returns the seconds, and those of the processor."""
    watch._look(stop)
    time.sleep(1.5 * SETTLE)
    begun, spent = time.monotonic(), time.process_time()
    watch._look(stop)
    return time.monotonic() - begun, time.process_time() - spent


def rounds(place: Path, photos: int, count: int) -> list[tuple[float, float]]:
    """Return the seconds of rounds that clean one further photo each."""
    ground, stop = Ground(place), Stop()
    ground.put()
    first = ground.watch()
    with folder_lock(ground.out, lambda: None, name=WATCH):
        settled(first, stop)
        ground.copy(photos)
        watch, measured = ground.watch(), []
        settled(watch, stop)
        for _ in range(count):
            ground.put()
            measured.append(settled(watch, stop))
    assert sum(watch.counts.values()) == count, f"{watch.counts} instead of {count}"
    report = json.loads((ground.out / "report.json").read_text())
    assert len(report["photos"]) == photos + count, f"{len(report['photos'])} photos are reported"
    return measured


def main() -> None:
    """Measure, and print one line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--photos", type=int, default=1500, help="photos that are there already")
    p.add_argument("--rounds", type=int, default=5, help="photos that arrive, one by one")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as place, cheap_networks():
        measured = rounds(Path(place), args.photos, args.rounds)
    wall, spent = (statistics.median(each) for each in zip(*measured, strict=True))
    print(
        f"{args.photos} photos and one more: {wall:.2f} s, of them {spent:.2f} s of the processor "
        f"(medians of {args.rounds} rounds)"
    )


if __name__ == "__main__":
    main()
