"""``evaluate-inpainter pairs``: removal with true ground truth.

Each pair shows the same place with and without something, and a mask marks what that is:
``NAME_input.*``, ``NAME_mask.*`` and ``NAME_gt.*`` in one folder, or files of one name in the
folders ``input``, ``mask`` and ``truth``. Those of the data folder are people.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...pipeline.config import FAIL_HOLE_SHARE, GivenWeights, Settings
from ...pipeline.errors import UnreadableError, UsageError
from ...pipeline.images import read_own_mask, read_photo
from ...pipeline.images.suffixes import is_readable
from ...pipeline.inpaint.classical import METHODS
from ...pipeline.pixels import eight_bits
from ...pipeline.quality.lpips import Perceptual
from ...pipeline.remover import ObjectRemover
from ...pipeline.system.text import printable
from ...pipeline.types import Mask, Pixels
from .kept import Row, keep_sheet, with_hole
from .probes import SHEETS, classical, errors

log = logging.getLogger(__name__)

#: The words for each part of a pair, behind a name or as a folder's name, the usual one first.
PARTS: Mapping[str, tuple[str, ...]] = {
    "input": ("input", "photo"),
    "mask": ("mask", "masks"),
    "truth": ("gt", "truth"),
}
#: So many faults are named.
_NAMED = 5
_LAYOUT = (
    "a pair is NAME_input.*, NAME_mask.* and NAME_gt.*, or a file of one name in each of the "
    "folders input, mask and truth"
)


@dataclass(frozen=True)
class Pair:
    """The files of a pair.

    Attributes:
        name: what they have in common.
        input: the photo.
        mask: what is to go, in white.
        truth: the same place without it.
    """

    name: str
    input: Path
    mask: Path
    truth: Path

    def read(self) -> tuple[Pixels, Pixels, Mask]:
        """Read the pair.

        Returns:
            (photo, the same place without what is to go, HW bool mask of what is to go): HWC uint8
            RGB of one size. A mask of the photo's shape at another size is resized, as those of
            ``remove-objects --masks`` are.

        Raises:
            UnreadableError: a file cannot be read, the sizes differ, or the mask marks nothing, or
                more than can be filled.
        """
        photo, truth = read_photo(self.input), read_photo(self.truth)
        if photo.size != truth.size:
            (h, w), (height, width) = photo.size, truth.size
            raise UnreadableError(
                f"{self.truth}: {width} x {height} pixels, and its photo {self.input.name} has "
                f"{w} x {h}; both must show the same frame"
            )
        own = read_own_mask(self.mask, photo)
        if own.why_none:
            raise UnreadableError(
                f"{self.mask}: this mask is empty: no pixel of it is white; paint what is to go"
            )
        if (share := float(own.mask.mean())) > FAIL_HOLE_SHARE:
            raise UnreadableError(
                f"{self.mask}: marks {share:.0%} of the photo, too much to be filled; white is "
                "what is to go, so invert it if it is meant the other way round"
            )
        for note in own.notes:
            log.warning("%s: %s", printable(str(self.mask)), printable(note))
        return eight_bits(photo.rgb), eight_bits(truth.rgb), own.mask


def find_pairs(folder: Path) -> list[Pair]:
    """Find the pairs of a folder, by name.

    Raises:
        UsageError: there is no such folder, it has no pairs, or parts of pairs are missing or come
            twice; the message names them.
    """
    if not folder.is_dir():
        why = "a file, and pairs are a folder" if folder.exists() else "no such folder of pairs"
        raise UsageError(f"{folder}: {why}; {_LAYOUT}")
    found: dict[str, dict[str, Path]] = {}
    faults: list[str] = []
    for part, name, file in _parts(folder):
        if part in (own := found.setdefault(name, {})):
            faults.append(f"{name} has two files of its {part}, {own[part].name} and {file.name}")
        own[part] = file
    if not found:
        raise UsageError(f"{folder}: no pairs found; {_LAYOUT}")
    for name, own in sorted(found.items()):
        if missing := [part for part in PARTS if part not in own]:
            faults.append(f"{name} has no {' and no '.join(missing)}")
    _refuse(folder, faults, len(found), _LAYOUT)
    return [Pair(name, **own) for name, own in sorted(found.items())]


def _parts(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield part, name and file of each picture that is a part of a pair."""
    folders = {
        part: next((folder / word for word in (part, *words) if (folder / word).is_dir()), None)
        for part, words in PARTS.items()
    }
    if any(folders.values()):
        for part, place in folders.items():
            for file in sorted(place.rglob("*")) if place is not None else ():
                if _is_picture(file):
                    yield part, file.relative_to(place or folder).with_suffix("").as_posix(), file
        return
    words_of = {word: part for part, words in PARTS.items() for word in words}
    for file in sorted(folder.iterdir()):
        name, _, word = file.stem.rpartition("_")
        if name and word.lower() in words_of and _is_picture(file):
            yield words_of[word.lower()], name, file


def _is_picture(file: Path) -> bool:
    return file.is_file() and is_readable(file.name) and not file.name.startswith(".")


def _refuse(folder: Path, faults: Sequence[str], count: int, remedy: str) -> None:
    """Refuse pairs with faults, before anything is measured: a mean over the others would lie."""
    if not faults:
        return
    named = [printable(fault) for fault in faults[:_NAMED]]
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    raise UsageError(
        f"{folder}: {_of(len(faults), 'fault')} in {_of(count, 'pair')}, nothing was measured: "
        f"{'; '.join(named)}{more}. {remedy[0].upper()}{remedy[1:]}"
    )


def _of(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def evaluate_pairs(
    pairs: Sequence[Pair],
    *,
    keep: Path | None,
    weights: GivenWeights = (),
    people: bool = False,
) -> list[Row]:
    """The metrics inside the given masks: the pipeline, Navier-Stokes and Telea.

    The pipeline runs with the given masks, with which nothing goes along, and of ``people`` with
    ``--class person`` too. In the latter case the holes are the segmenter's, but the metrics still
    count the *given* masks, so that a person who was not removed counts.

    Args:
        pairs: see ``find_pairs``.
        keep: folder for the pictures side by side, or None.
        weights: the user's own, which replace bundled ones.
        people: whether what is to go are people.

    Returns:
        A row for each pair and filler.

    Raises:
        UsageError: pairs cannot be read, or do not fit together; none is measured then.
        WeightsError: a weight does not fit.
    """
    settings = Settings(segmenter="compact", offline=True, probe=False, weights=weights)
    _refuse_unfit(pairs)
    remover, alone = ObjectRemover(settings), ObjectRemover(replace(settings, along=()))
    perceptual = Perceptual(remover.networks.device, offline=False)
    if perceptual.missing:
        print(perceptual.missing)
    rows: list[Row] = []
    for n, pair in enumerate(pairs):
        rgb, truth, hole = pair.read()
        blank = np.where(hole[..., None], 0, rgb).astype(np.uint8)
        given = "ours, masks given" if people else "ours"
        cleaned = alone.remove(rgb, mask=hole)
        if cleaned.outcome.result is None:
            raise UsageError(f"{pair.input}: cannot be filled ({cleaned.outcome.reason})")
        results = {given: cleaned.image}
        if people:
            results["ours, --class person"] = remover.remove(rgb, classes=["person"]).image
        results |= {method: classical(method)(blank, hole) for method in METHODS}
        for name, result in results.items():
            metrics = _errors(result, truth, hole, perceptual)
            rows.append(Row("pairs", pair.name, name, float(hole.mean()), metrics))
        if n < SHEETS:
            shown = {"before": rgb, "hole": with_hole(rgb, hole), **results, "truth": truth}
            keep_sheet(keep, pair.name.replace("/", "_"), [*shown.values()], [*shown])
    return rows


def _refuse_unfit(pairs: Sequence[Pair]) -> None:
    """Refuse pairs that cannot be measured, all at once and before hours of work."""
    faults: list[str] = []
    for pair in pairs:
        try:
            pair.read()
        except UnreadableError as error:
            faults.append(str(error))
    if faults:
        folder = pairs[0].input.parent
        _refuse(folder, faults, len(pairs), "mend these pairs, or move them away")


def _errors(result: Pixels, truth: Pixels, hole: Mask, perceptual: Perceptual) -> dict[str, float]:
    """The metrics of one result.

    Light and passers-by differ between the two pictures: outside the hole the result gets the
    ground truth's pixels.
    """
    composite = np.where(hole[..., None], result, truth)
    found = errors(composite, truth, hole, perceptual)
    return {name: found[name] for name in ("lpips", "hole_psnr", "hole_l1", "hole_ssim")}


def render_pairs(table: dict[str, Any]) -> str:
    """The metrics as a text table."""
    lines = [f"{'filler':24}{'LPIPS':>8}{'hole PSNR':>11}{'hole L1':>9}{'hole SSIM':>11}{'n':>4}"]
    for name, r in table.items():
        lines.append(
            f"{name:24}{r['lpips']:8.4f}{r['hole_psnr']:11.2f}{r['hole_l1']:9.4f}"
            f"{r['hole_ssim']:11.3f}{r['count']:4}"
        )
    return "\n".join(lines)
