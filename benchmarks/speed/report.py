"""Measure the cost of the report: its share of a run's time, and how long a browser opens it.

remove-objects --class person --no-probe photos -o out
python -m benchmarks.speed.report out                   # previews, CSV and page
python -m benchmarks.speed.report out --load 300 2000   # repeats that run's photos, in Chromium
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remove_objects.pipeline.report import page as report_html
from remove_objects.pipeline.report import previews, spreadsheet
from remove_objects.pipeline.report.page_view import Places
from remove_objects.pipeline.storage.layout import PREVIEWS

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)
#: Scrolls for three seconds, 1,500 pixels in each; returns the milliseconds between its frames.
SCROLL = """() => new Promise((done) => {
  const frames = [], begun = performance.now();
  let last = begun;
  const step = (now) => {
    frames.push(now - last);
    last = now;
    window.scrollTo(0, 1.5 * (now - begun));
    if (now < begun + 3000) requestAnimationFrame(step);
    else done(frames.slice(1));
  };
  requestAnimationFrame(step);
})"""


def seconds(work: Callable[[], None]) -> float:
    """Return the best of three times, as the machine may be busy."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def write_page(folder: Path, path: Path, report: dict[str, Any]) -> None:
    """Write ``report.html`` with the previews of a folder."""
    report_html.write_html(
        path,
        report["run"],
        report["photos"],
        lambda entry: previews.find(folder, entry["input"]),
        places=Places(path.parent),
    )


def cost(folder: Path, report: dict[str, Any]) -> None:
    """Print the report's share of a run.

    Stages run in several threads, so the previews are compared with the sum of all stages; the
    files are compared with the run's seconds.
    """
    photos = report["photos"]
    drawn = sum(p["stages"].get("preview", 0.0) for p in photos)
    stages = sum(sum(p["stages"].values()) for p in photos)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        table = seconds(lambda: spreadsheet.write_csv(Path(scratch, "report.csv"), photos))
        page = seconds(lambda: write_page(folder, Path(scratch, "report.html"), report))
    total = report["run"]["seconds"]
    print(
        f"{len(photos)} photos in {total:.1f} s; previews {drawn:.2f} s "
        f"of {stages:.1f} s in all stages ({drawn / stages:.1%})"
    )
    share = (table + page) / total
    print(f"report.csv {table:.3f} s, report.html {page:.3f} s ({share:.1%} of the run)")


def load(folder: Path, report: dict[str, Any], count: int) -> None:
    """Print how long a browser opens a report of ``count`` photos."""
    from playwright.sync_api import sync_playwright

    executable = next(
        program
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (program := shutil.which(name))
    )
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as play:
        out = Path(scratch)
        (out / PREVIEWS).mkdir()
        photos = []
        for number in range(count):
            entry = report["photos"][number % len(report["photos"])]
            photos.append({**entry, "input": f"{number:05d}/{entry['input']}"})
            for kind, file in previews.find(folder, entry["input"]).items():
                shutil.copyfile(file, previews.place(out, photos[-1]["input"], kind))
        written = []
        for _ in range(3):
            begun = time.process_time()
            write_page(out, out / "report.html", {**report, "photos": photos})
            written.append(time.process_time() - begun)
        browser = play.chromium.launch(executable_path=executable, args=list(FLAGS))
        opened = []
        for _ in range(5):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto((out / "report.html").as_uri())
            opened.append(
                page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
            )
            elements = page.evaluate("document.querySelectorAll('*').length")
            frames = sorted(page.evaluate(SCROLL))
            page.close()
        browser.close()
        size = (out / "report.html").stat().st_size / 1e6
        times = ", ".join(f"{t:.2f}" for t in sorted(opened))
        print(f"{count} photos: {size:.1f} MB; opened in {times} s")
        print(
            f"written in {written[0]:.2f} s of processor time, and again, with the previews as "
            f"they were, in {min(written[1:]):.2f} s"
        )
        usual, slow = frames[len(frames) // 2], frames[len(frames) * 19 // 20]
        print(
            f"{elements} elements; {len(frames)} frames while scrolling: "
            f"median {usual:.0f} ms, 95 % within {slow:.0f} ms"
        )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the output folder of a finished run")
    parser.add_argument("--load", type=int, nargs="+", default=(), metavar="PHOTOS")
    args = parser.parse_args()
    report = json.loads(
        (args.folder / "report.json").read_bytes().decode("utf-8", "surrogateescape")
    )
    cost(args.folder, report)
    for count in args.load:
        load(args.folder, report, count)


if __name__ == "__main__":
    main()
