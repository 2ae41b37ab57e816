"""Which photos to clean and where each result goes: decided, and refused if it cannot work, before any work starts.

Only names are looked at here, never contents. No target is ever an input, no two photos share a target, nothing lands outside
the output folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import UsageError
from ..images.suffixes import SUFFIXES
from ..storage.location import Location, RemotePath
from .find import find_photos, without_repeats
from .names import mask_names, refuse_collisions


@dataclass(frozen=True, slots=True)
class PlannedPhoto:
    """One photo: its file, its name in the report, where its result goes and where its mask goes if masks are saved."""

    source: Location
    relative: PurePosixPath
    target: Location
    mask_target: Location

    def mask_candidates(self, masks_dir: Location) -> list[Location]:
        """Where the user's own mask may be, best first: ``a.jpg.png`` names one photo only, ``a.png`` may be meant for several."""
        here = masks_dir / self.relative
        return [here.with_name(f"{here.name}.png"), here.with_suffix(".png")]

    def truth_candidates(self, truth_dir: Location) -> list[Location]:
        """Where the picture without the object may be: under the photo's own name, or as PNG."""
        here = truth_dir / self.relative
        return [here, here.with_name(f"{here.name}.png"), here.with_suffix(".png")]


@dataclass(frozen=True, slots=True)
class Plan:
    """The photos in the order of their names, the output folder, and what the user should know of what was passed over."""

    photos: tuple[PlannedPhoto, ...]
    output: Location
    notes: tuple[str, ...] = ()


def plan_run(
    inputs: Sequence[Location],
    output: Location | None = None,
    *,
    exclude: Sequence[Location] = (),
    lossless: bool = False,
) -> Plan:
    """Plan the run over files and folders (recursive).

    ``output`` defaults to ``cleaned`` beside the input. Hidden files, ``exclude`` (the masks' folder) and the output folder itself
    are not looked into, nor the small pictures of any earlier report; links to folders are not followed. With ``lossless`` the names of
    the PNGs that lossy photos become are kept free too. Raises ``UsageError`` where an input is missing, no photo is found, an input
    would be overwritten, or two photos would write one file.
    """
    if not inputs:
        raise UsageError("no input was given: name at least one photo or folder")
    for given in inputs:
        if isinstance(given, Path):
            _refuse_missing(given)
    target_folder = _output(inputs, output)
    _refuse_overlap(inputs, target_folder)
    notes: list[str] = []
    skipped = (target_folder, *exclude)
    found = list(
        without_repeats(item for given in inputs for item in find_photos(given, skipped, notes))
    )
    if not found:
        raise UsageError(
            f"no photo in {', '.join(str(given) for given in inputs)}: looked for {' '.join(sorted(SUFFIXES))}"
            + "".join(f"; {note}" for note in notes)
        )
    found.sort(key=lambda item: (str(item.relative), str(item.source)))
    refuse_collisions(found, target_folder, lossless)
    masks = mask_names([item.relative for item in found])
    photos = [
        PlannedPhoto(
            item.source, item.relative, target_folder / item.relative, target_folder / mask
        )
        for item, mask in zip(found, masks, strict=True)
    ]
    results = {job.target for job in photos}
    for job in photos:
        if job.mask_target in results:
            raise UsageError(
                f"the mask of {job.source} would be written where a result goes, {job.mask_target}: rename the folder masks"
            )
    return Plan(tuple(photos), target_folder, tuple(notes))


def _refuse_missing(given: Path) -> None:
    try:
        usable, exists = given.is_dir() or given.is_file(), given.exists()
    except OSError as error:
        raise UsageError(f"{given}: cannot be looked at ({error.strerror})") from error
    if not usable:
        raise UsageError(
            f"{given}: {'neither a file nor a folder' if exists else 'no such file or folder'}"
        )


def _output(inputs: Sequence[Location], output: Location | None) -> Location:
    """The output folder, absolute. Links in the part the user gave are kept: the result stands where the user looks for it."""
    if output is None:
        beside = list(dict.fromkeys(_beside(given) for given in inputs))
        if len(beside) > 1:
            where = ", ".join(str(path).removesuffix("/cleaned") for path in beside[:3])
            raise UsageError(
                f"the inputs lie in different folders ({where}): name one output with --output"
            )
        output = beside[0]
    if isinstance(output, RemotePath):
        return output
    output = _absolute(output)
    if output.is_symlink() and not output.exists():
        raise UsageError(
            f"{output}: a link that leads nowhere; remove it, or name another folder with --output"
        )
    if output.exists() and not output.is_dir():
        raise UsageError(
            f"{output}: the output must be a folder, and this is a file; name another with --output"
        )
    return output


def _beside(given: Location) -> Location:
    parent = _absolute(given).parent if isinstance(given, Path) else given.parent
    if parent is None:
        raise UsageError(f"{given}: there is no folder beside it; name one with --output")
    return parent / "cleaned"


def _absolute(path: Path) -> Path:
    try:
        return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
    except (OSError, RuntimeError) as error:  # links that lead in a circle
        raise UsageError(f"{path}: cannot be followed ({error}); name another folder") from error


def _refuse_overlap(inputs: Sequence[Location], output: Location) -> None:
    for given in inputs:
        if (
            isinstance(given, RemotePath)
            and isinstance(output, RemotePath)
            and given.is_below(output)
        ):
            same = output.is_below(given)
            what = "is both input and output" if same else f"lies inside the output folder {output}"
            raise UsageError(f"{given} {what}: name another folder with --output")
        if isinstance(given, RemotePath) or isinstance(output, RemotePath):
            continue
        real_output = output.resolve()
        real = given.resolve()
        if real == real_output:
            raise UsageError(f"{given} is both input and output: name another folder with --output")
        if real.is_relative_to(real_output) or _absolute(given).is_relative_to(output):
            raise UsageError(
                f"{given} lies inside the output folder {output}: name another folder with --output"
            )
