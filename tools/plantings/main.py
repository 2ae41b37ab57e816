"""Plant a picture of the removed object in every place of every format, and count survivors.

    python -m tools.plantings.main --kinds 2 --modes DEFAULT STRIPPED UNCHANGED

Each planting is one file: it is read, cleaned and saved by the program's own functions, and its
result is searched for the picture by decoding whatever decodes. The exit code is 1 if a picture
survives, or a planted file does not hold it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.support.plantings.detector import holds_object
from tests.support.plantings.trial import Mode, Planting, plantings, trial


def run_one(planting: Planting, modes: list[Mode]) -> list[str]:
    """Return what became of one planting in each mode, behind whether its file holds the picture.

    An exception of the program is an outcome, too: it begins with ``ERROR``.
    """
    with tempfile.TemporaryDirectory() as folder:
        outcomes = ["" if holds_object(planting.content) else "not planted"]
        for mode in modes:
            try:
                outcomes.append(trial(planting, mode, Path(folder)))
            except Exception as error:  # a finding, and the others are still tried
                outcomes.append(f"ERROR {error!r}")
    return outcomes


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(prog="tools.plantings.main", description=__doc__)
    made.add_argument("--kinds", type=int, default=2, help="kinds planted at each place")
    made.add_argument("--modes", nargs="+", choices=[m.name for m in Mode], default=["DEFAULT"])
    made.add_argument("--formats", nargs="+", help="file name endings")
    made.add_argument("--match", default="", help="only plantings whose name contains this")
    made.add_argument("--jobs", type=int, default=2, help="processes")
    made.add_argument("--sample", type=int, default=1, help="only each so many-th planting")
    return made


def main() -> int:
    """Run the plantings and print a table of each format, and the survivors by place and kind."""
    args = parser().parse_args()
    modes = [Mode[name] for name in args.modes]
    chosen = [
        planting
        for planting in plantings(args.kinds)
        if (not args.formats or planting.format in args.formats)
        and args.match in f"{planting.place} as {planting.kind}"
    ][:: args.sample]
    start = time.monotonic()
    with ProcessPoolExecutor(args.jobs) as pool:
        results = list(pool.map(partial(run_one, modes=modes), chosen, chunksize=8))
    bad = 0
    for number, mode in enumerate(modes, 1):
        bad += show(mode, [(p, r[number]) for p, r in zip(chosen, results, strict=True)])
    missing = [p for p, r in zip(chosen, results, strict=True) if r[0]]
    for planting in missing:
        print(f"not planted: {planting.format}: {planting.place} as {planting.kind}")
    print(f"{len(chosen)} plantings, {time.monotonic() - start:.0f} s")
    return int(bool(bad or missing))


def show(mode: Mode, results: list[tuple[Planting, str]]) -> int:
    """Print one mode's table; return the number of survivors and errors."""
    by_format: dict[str, Counter[str]] = defaultdict(Counter)
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    refused: Counter[str] = Counter()
    for planting, outcome in results:
        word = outcome.split()[0].rstrip(":")
        by_format[planting.format][word] += 1
        if word in ("left", "ERROR"):
            text = f"{planting.kind} {outcome}" if word == "ERROR" else planting.kind
            places[planting.format, planting.place].append(text)
        elif word == "refused":
            refused[f"{planting.format}: {planting.place}: {outcome[:110]}"] += 1
    print(f"\n## {mode.value}\n\n| format | plantings | left | gone | refused | errors |")
    print("| --- | --- | --- | --- | --- | --- |")
    for format, counts in [*by_format.items(), ("all", sum(by_format.values(), Counter()))]:
        numbers = (counts[word] for word in ("left", "gone", "refused", "ERROR"))
        print(f"| {format} | {counts.total()} | {' | '.join(map(str, numbers))} |")
    print()
    for (format, place), kinds in places.items():
        print(f"left: {format}: {place}: {', '.join(kinds)}")
    for text, count in refused.items():
        print(f"{text} ({count})")
    return sum(counts["left"] + counts["ERROR"] for counts in by_format.values())


if __name__ == "__main__":
    sys.exit(main())
