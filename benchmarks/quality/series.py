"""Measure what other photos of the place are worth, on pairs with true backgrounds.

    python -m benchmarks.quality.series pairs --data DATA [--pictures DIR] [--count N]
    python -m benchmarks.quality.series looks --data DATA [--pictures DIR]
    python -m benchmarks.quality.series strangers --data DATA
    python -m benchmarks.quality.series made --data DATA [--pictures DIR] [--count N] [--partly]

``pairs``: ``removal/pairs`` and ``removal/pairs_with_shadow``, of fixed cameras, the object's mask
given; the other pictures of a camera are the neighbours. *hand-held*: each neighbour is turned,
moved and scaled as by a hand, and has another exposure, white balance, sharpness and JPEG quality.
LPIPS is the mean over the hole, and the ratio is to the fill from the photo alone. ``looks``:
``removal/series``, of a moving camera; nobody knows what is behind the objects, so that the covered
share is told, and the pictures are for looking. ``strangers``: every two of the first 100 photos of
a folder that are taken for one place; ``scenes/street`` has several photos of many places, so that
its pairs have to be looked at. ``made``: as ``pairs``, of training scenes with pasted people; what
is chosen is chosen by these. ``--partly``: the people move by half their width only, so that no
photo shows all that is behind them.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from remove_objects.pipeline.batch.series import MOST
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.inpaint.series.alignment import features_of, planes
from remove_objects.pipeline.quality.verdict import BORROWED_ERROR, OF_MISFIT, expected_error
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.removal.series import SeriesPhoto
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Mask, Outcome, Photo, Pixels
from remove_objects.train.data.pictures import read_rgb

#: A hand turns by so many degrees, and moves, scales and leans by these shares of the photo;
#: exposure and white balance change by these shares; blur in pixels, and JPEG quality.
TURN, MOVE, SCALE, LEAN = 3.0, 0.05, 0.05, 0.03
EXPOSURE, BALANCE, BLUR, QUALITY = 0.2, 0.05, 0.9, (80, 96)
#: Height of a pasted person as a share of the scene's, and people of a scene.
TALL, PEOPLE = (0.25, 0.6), 2
#: Steps to one side of people who hardly move, as shares of their width.
STEPS = 0.15, 0.3, 0.45, 0.6
#: Height of a row of pictures.
SHOWN = 320


class View(NamedTuple):
    """A picture of a place.

    Attributes:
        name: of its file.
        rgb: HWC uint8.
        mask: HW bool, the objects.
        truth: HWC, the place without them; None if nobody knows.
    """

    name: str
    rgb: Pixels
    mask: Mask
    truth: Pixels | None


class Expected(NamedTuple):
    """What a photo's expected error is made of; means over its holes.

    Attributes:
        filled: of what was filled.
        borrowed: share that other photos show.
        misfit: the same, by how badly those photos fit.
    """

    filled: float
    borrowed: float
    misfit: float

    @classmethod
    def of(cls, outcome: Outcome) -> Expected:
        """Of an outcome, by the constants that made its scores."""
        parts = []
        for hole in outcome.holes:
            assert hole.features is not None
            assert hole.score is not None
            known = sum(hole.borrowed.values())
            filled = expected_error(hole.features)
            lent = (hole.score - (1 - known) * filled) / max(known, 1e-6)
            misfit = (lent - BORROWED_ERROR) / OF_MISFIT if known else 0.0
            parts.append((hole.share, (1 - known) * filled, known, known * misfit))
        share, *rest = np.array(parts).T
        return cls(*(float((share * each).sum() / share.sum()) for each in rest))

    def score(self, error: float, of_misfit: float) -> float:
        """The expected error with other constants."""
        return self.filled + self.borrowed * error + self.misfit * of_misfit


class Row(NamedTuple):
    """A photo that was cleaned alone and with its neighbours."""

    alone: float
    together: float
    covered: float
    score: float
    ratio_of_time: float
    expected: Expected


def cameras(folder: Path) -> dict[str, list[View]]:
    """The views of each camera, in the order in which they were taken."""
    found: dict[str, list[View]] = defaultdict(list)
    for path in sorted(folder.glob("*_input.*")):
        name = path.stem.removesuffix("_input")
        mask = read_rgb(folder / f"{name}_mask.png")[..., 0] > 127
        truth = read_rgb(path.with_name(path.name.replace("_input", "_gt")))
        found[name.rpartition("_")[0] or folder.name].append(
            View(name, read_rgb(path), mask, truth)
        )
    return found


def by_hand(view: View, rng: np.random.Generator) -> tuple[Pixels, Mask]:
    """(a view as a hand would have taken it, HW bool: its objects and what lies beyond it)."""
    height, width = view.mask.shape
    turn, scale = np.deg2rad(rng.uniform(-TURN, TURN)), 1 + rng.uniform(-SCALE, SCALE)
    similar = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([width, height]) / 2
    shift = middle - similar @ middle + rng.uniform(-MOVE, MOVE, 2) * (width, height)
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = similar, shift
    matrix[2, :2] = rng.uniform(-LEAN, LEAN, 2) / (width, height)
    size = width, height
    rgb = cv2.warpPerspective(view.rgb, matrix, size, flags=cv2.INTER_CUBIC)
    mask = cv2.warpPerspective(view.mask.astype(np.uint8), matrix, size) > 0
    inside = cv2.warpPerspective(np.full(view.mask.shape, 255, np.uint8), matrix, size)
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8))
    light = rng.uniform(1 - EXPOSURE, 1 + EXPOSURE) * rng.uniform(1 - BALANCE, 1 + BALANCE, 3)
    changed = np.clip(rgb.astype(np.float32) * light.astype(np.float32), 0, 255)
    changed = cv2.GaussianBlur(changed, (0, 0), rng.uniform(0.2, BLUR))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITY))]
    _, data = cv2.imencode(".jpg", changed[..., ::-1].round().astype(np.uint8), quality)
    taken = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert taken is not None
    return np.ascontiguousarray(taken[..., ::-1]), mask | (inside < 255)


class Cleaner:
    """Cleans views alone and with neighbours."""

    def __init__(self) -> None:
        self.settings = Settings(segmenter="compact", offline=True, probe=False)
        self.remover = ObjectRemover(self.settings)

    def removal(self, mask: Mask) -> Removal:
        """What is removed from a view."""
        return Removal.from_settings(self.settings, ("person",), mask)

    def neighbour(self, view: View, rgb: Pixels, mask: Mask, *, exact: bool = False) -> SeriesPhoto:
        """A view as a neighbour: its objects are covered with all that goes along."""
        hidden = self.remover.hidden(Photo(rgb), self.removal(mask))
        features = None if exact else features_of(rgb, hidden.covered)
        return SeriesPhoto(view.name, rgb, hidden, features)

    def clean(self, view: View, series: Sequence[SeriesPhoto] | None) -> tuple[Outcome, float]:
        """(outcome, seconds)."""
        begun = time.perf_counter()
        outcome = self.remover.clean(Photo(view.rgb), self.removal(view.mask), series=series)
        return outcome, time.perf_counter() - begun

    def lpips(self, outcome: Outcome, truth: Pixels) -> float:
        """Mean over the hole."""
        found = self.remover.error_in_holes(outcome, Photo(truth)).lpips
        assert found is not None, "LPIPS needs SqueezeNet's weights"
        return found


def covered_share(outcome: Outcome) -> float:
    """Share of the holes that comes from other photos."""
    total = sum(hole.share for hole in outcome.holes)
    lent = sum(hole.share * sum(hole.borrowed.values()) for hole in outcome.holes)
    return lent / total if total else 0.0


def nearest(views: Sequence[View], number: int) -> list[View]:
    """The neighbours of a view."""
    order = sorted(range(len(views)), key=lambda other: (abs(other - number), other))
    return [views[other] for other in order[1 : MOST + 1]]


def measured(
    cleaner: Cleaner, view: View, series: Sequence[SeriesPhoto], out: Path | None
) -> Row | None:
    """A view's row; None if nothing of it is removed."""
    alone, seconds = cleaner.clean(view, None)
    together, more = cleaner.clean(view, series)
    if alone.result is None or together.result is None or view.truth is None:
        return None
    if out is not None:
        save(out, view, alone, together)
    return Row(
        cleaner.lpips(alone, view.truth),
        cleaner.lpips(together, view.truth),
        covered_share(together),
        together.score or 0.0,
        more / seconds,
        Expected.of(together),
    )


def measure(
    cleaner: Cleaner,
    view: View,
    ways: Mapping[str, Sequence[SeriesPhoto]],
    rows: dict[str, list[Row]],
    pictures: Path | None,
) -> None:
    """Add a view's row for the neighbours of each way."""
    for way, series in ways.items():
        out = pictures and pictures / f"{way}_{view.name}.jpg"
        row = measured(cleaner, view, series, out)
        rows[way] += [] if row is None else [row]


def save(out: Path, view: View, alone: Outcome, together: Outcome) -> None:
    """Write the photo, both results, and the truth side by side."""
    out.parent.mkdir(parents=True, exist_ok=True)
    pictures = [view.rgb, alone.result, together.result, view.truth]
    shown = [
        cv2.resize(one, (round(one.shape[1] * SHOWN / one.shape[0]), SHOWN))
        for one in pictures
        if one is not None
    ]
    cv2.imwrite(str(out), np.hstack(shown)[..., ::-1])


def told(name: str, rows: Sequence[Row]) -> None:
    """Print the means of some rows."""
    if not rows:
        return
    alone, together, covered, score, spent = (
        np.array(column) for column in list(zip(*rows, strict=True))[:-1]
    )
    worse = int((together > 1.05 * alone).sum())
    print(
        f"{name:28}{len(rows):4}  alone {alone.mean():.3f}  together {together.mean():.3f}"
        f"  ratio {together.mean() / alone.mean():.2f}  covered {covered.mean():.0%}"
        f"  worse than 1.05 x alone {worse}, at most {(together / alone).max():.2f}"
        f"  score {score.mean():.3f}  time {np.median(spent):.2f} x",
        flush=True,
    )


def pairs(args: argparse.Namespace) -> None:
    """Fixed and hand-held."""
    cleaner = Cleaner()
    for folder in ("pairs", "pairs_with_shadow"):
        for camera, views in cameras(args.data / "removal" / folder).items():
            rows: dict[str, list[Row]] = defaultdict(list)
            chosen = views if args.count is None else views[:: max(1, len(views) // args.count)]
            for view in chosen:
                rng = np.random.default_rng(len(view.name) + int(view.name[-4:]))
                near = nearest(views, next(i for i, v in enumerate(views) if v is view))
                ways = {
                    "fixed": [cleaner.neighbour(v, v.rgb, v.mask) for v in near],
                    "fixed, said so": [
                        cleaner.neighbour(v, v.rgb, v.mask, exact=True) for v in near
                    ],
                    "hand-held": [cleaner.neighbour(v, *by_hand(v, rng)) for v in near],
                }
                measure(cleaner, view, ways, rows, args.pictures)
            for way, each in rows.items():
                told(f"{camera}, {way}", each)


def looks(args: argparse.Namespace) -> None:
    """A moving camera."""
    cleaner = Cleaner()
    for folder in sorted((args.data / "removal" / "series").iterdir()):
        views = [
            View(
                path.stem,
                read_rgb(path),
                read_rgb(path.with_name(f"{path.stem}_mask.png"))[..., 0] > 127,
                None,
            )
            for path in sorted(folder.glob("*.jpg"))
        ]
        others = [cleaner.neighbour(v, v.rgb, v.mask) for v in views]
        for i, view in enumerate(views):
            near = sorted((n for n in range(len(views)) if n != i), key=lambda n: abs(n - i))
            alone, _ = cleaner.clean(view, None)
            together, _ = cleaner.clean(view, [others[n] for n in near])
            print(f"{folder.name}/{view.name}: covered {covered_share(together):.0%}", flush=True)
            if args.pictures:
                save(args.pictures / f"{folder.name}_{view.name}.jpg", view, alone, together)


def strangers(args: argparse.Namespace) -> None:
    """Photos of other places that are taken for the same one."""
    folders = ("scenes/val", "scenes/rooms", "scenes/street", "removal/series")
    for folder in folders:
        paths = sorted((args.data / folder).rglob("*.jpg"))
        seen = [
            (p, features_of(rgb, np.zeros(rgb.shape[:2], bool)))
            for p in paths[:100]
            for rgb in [read_rgb(p)]
        ]
        count = wrong = 0
        for i, (path, own) in enumerate(seen):
            for other_path, other in seen[i + 1 :]:
                if folder == "removal/series" and path.parent == other_path.parent:
                    continue
                count += 1
                if planes(own, other):
                    wrong += 1
                    print(f"  {path.name} and {other_path.name}")
        print(
            f"{folder}: {wrong} of {count} pairs of photos of different places are aligned",
            flush=True,
        )


def made(args: argparse.Namespace) -> None:
    """Training scenes with pasted people."""
    cleaner = Cleaner()
    rows: dict[str, list[Row]] = defaultdict(list)
    for view, series in made_series(args.data, args.count or 20, partly=args.partly):
        rng = np.random.default_rng(int(view.name))
        ways = {
            "fixed": [cleaner.neighbour(v, v.rgb, v.mask) for v in series],
            "hand-held": [cleaner.neighbour(v, *by_hand(v, rng)) for v in series],
        }
        measure(cleaner, view, ways, rows, args.pictures)
    for way, each in rows.items():
        told(f"made, {way}", each)
    # What a camera that stood still shows is the truth itself here.
    calibrate(rows["hand-held"])


def calibrate(rows: Sequence[Row]) -> None:
    """Print the constants of the expected error that fit best, and how far it is from the truth."""

    def off(error: float, of_misfit: float) -> float:
        far = [
            abs(np.log(max(row.expected.score(error, of_misfit), 1e-4) / max(row.together, 1e-4)))
            for row in rows
        ]
        return float(np.mean(far))

    grid = [(e, m) for e in np.arange(0, 0.0501, 0.0025) for m in np.arange(0, 6.01, 0.25)]
    best = min(grid, key=lambda each: off(*each))
    for name, each in (("in use", (BORROWED_ERROR, OF_MISFIT)), ("best", best)):
        print(
            f"expected error {each[0]:.4f} + {each[1]:.2f} x misfit ({name}):"
            f" off by a factor of {np.exp(off(*each)):.2f} (geometric mean of {len(rows)})"
        )


def made_series(
    data: Path, count: int, *, partly: bool = False
) -> Iterator[tuple[View, list[View]]]:
    """Views of training scenes, each with four more in which other people stand elsewhere.

    Or, ``partly``, the same ones a few steps further, so that no view shows all of the place.
    """
    scenes = sorted((data / "scenes" / "train").rglob("*.jpg"))
    people = sorted((data / "segmentation" / "ccp_person" / "images").glob("*.jpg"))
    for number in range(count):
        rng = np.random.default_rng(number)
        place = read_rgb(scenes[int(rng.integers(len(scenes)))])
        views = [_peopled(f"{number}", place, people, rng) for _ in range(1 if partly else 5)]
        if partly:
            views += [_stepped(views[0], place, steps, rng) for steps in STEPS]
        yield views[0], [v._replace(name=f"{number}.{i}") for i, v in enumerate(views[1:])]


def _peopled(name: str, place: Pixels, people: Sequence[Path], rng: np.random.Generator) -> View:
    rgb = place.copy()
    mask: Mask = np.zeros(place.shape[:2], bool)
    for _ in range(PEOPLE):
        path = people[int(rng.integers(len(people)))]
        label = read_rgb(path.parents[1] / "labels" / f"{path.stem}.png")[..., 0] == 15
        y, x = np.nonzero(label)
        part = slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1)
        tall = rng.uniform(*TALL) * place.shape[0]
        size = round(tall * label[part].shape[1] / label[part].shape[0]), round(tall)
        person = cv2.resize(read_rgb(path)[part], size, interpolation=cv2.INTER_AREA)
        shape = cv2.resize(label[part].astype(np.uint8), size) > 0
        top = int(rng.integers(max(1, mask.shape[0] - size[1])))
        left = int(rng.integers(max(1, mask.shape[1] - size[0])))
        here = slice(top, top + size[1]), slice(left, left + size[0])
        shape = shape[: mask[here].shape[0], : mask[here].shape[1]]
        rgb[here][shape] = person[: shape.shape[0], : shape.shape[1]][shape]
        mask[here] |= shape
    return View(name, rgb, mask, place)


def _stepped(view: View, place: Pixels, steps: float, rng: np.random.Generator) -> View:
    """A view whose people have moved to one side, by a share of the widest one's width."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(view.mask.astype(np.uint8))
    width = float(stats[1:, cv2.CC_STAT_WIDTH].max()) if len(stats) > 1 else 0.0
    matrix = np.array([[1, 0, steps * width], [0, 1, rng.uniform(-0.05, 0.05) * width]])
    size = view.mask.shape[1], view.mask.shape[0]
    moved = cv2.warpAffine(view.rgb, matrix, size)
    mask = cv2.warpAffine(view.mask.astype(np.uint8), matrix, size) > 0
    return view._replace(rgb=np.where(mask[..., None], moved, place), mask=mask)


WAYS: dict[str, Callable[[argparse.Namespace], None]] = {
    "pairs": pairs,
    "looks": looks,
    "strangers": strangers,
    "made": made,
}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=sorted(WAYS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--partly", action="store_true", help="made: people hardly move")
    args = parser.parse_args()
    WAYS[args.way](args)


if __name__ == "__main__":
    main()
