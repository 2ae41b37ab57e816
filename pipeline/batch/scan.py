"""The plan of a run: which photos are cleaned, and where each result goes.

Everything is decided, or refused, before any work starts, and from names. A photo is opened only
to recognise one whose folder was moved.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..errors import UsageError
from ..images.suffixes import SUFFIXES
from ..storage.location import Location, RemotePath
from . import own_masks
from .find import Search, why_missing, without_repeats
from .left_out import Exclusions
from .names import InputPhoto, layers_name, mask_names, possible_masks, refuse_collisions
from .sources import KnownPhotos, name_photos, source_keys


@dataclass(frozen=True, slots=True)
class PlannedPhoto:
    """One photo of the plan.

    Attributes:
        source: its file.
        relative: its name in the output folder and in the report.
        target: the file of its result.
        mask_target: the file of its mask, if masks are saved.
        given_names: its possible names in the folders of ``--masks`` and ``--truth``, best first.
        mask_name: the name of its mask in the output folder.
        key: the text by which the journal knows its file, see ``sources.source_key``.
        missing: why a listed file cannot be cleaned; empty if it exists.
        own_mask: the user's own mask of it; None if there is none.
    """

    source: Location
    relative: PurePosixPath
    target: Location
    mask_target: Location
    given_names: tuple[PurePosixPath, ...]
    mask_name: PurePosixPath
    key: str
    missing: str = ""
    own_mask: Location | None = None

    def truth_candidates(self, truth: Location) -> list[Location]:
        """Return the possible files of the ground truth: the photo's own name, or as PNG."""
        paths = [truth / name for name in self.given_names]
        return [
            file
            for path in paths
            for file in (path, path.with_name(f"{path.name}.png"), path.with_suffix(".png"))
        ]


@dataclass(frozen=True, slots=True)
class Plan:
    """The photos of a run.

    Attributes:
        photos: in the order of their names.
        output: the output folder.
        notes: sentences for the user about files that are passed over.
        told: those of them that the terminal shows too, because somebody may miss the files.
    """

    photos: tuple[PlannedPhoto, ...]
    output: Location
    notes: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def plan_run(
    inputs: Sequence[Location],
    output: Location | None = None,
    *,
    listed: Sequence[Location] = (),
    exclude: Sequence[Location] = (),
    masks: Location | None = None,
    patterns: Sequence[str] = (),
    lossless: bool = False,
    raw_output: str = "tiff",
    known: Callable[[Location], KnownPhotos] = lambda _: KnownPhotos(),
    wanted: Callable[[Location], bool] | None = None,
) -> Plan:
    """Plan the run over files and folders, which are searched recursively.

    Hidden files, the output folder, ``exclude``, folders of thumbnails and trash, and the previews
    and saved masks of any earlier run are not searched. Links to folders are not followed.
    ``pipeline.batch.sources`` says where the results of several source folders lie.

    Args:
        inputs: photos and folders.
        output: the output folder; by default ``cleaned`` beside the input.
        listed: further photos and folders; one that is missing becomes a ``missing`` photo.
        exclude: folders of ground truth, and others without photos.
        masks: the user's own masks, a folder or a file, see ``own_masks``.
        patterns: files and folders to pass over, see ``left_out.Exclusions``.
        lossless: whether lossy photos become PNGs, whose names are then kept free too.
        raw_output: what RAW photos become, whose names are kept free too.
        known: returns the photos of earlier runs into an output folder.
        wanted: whether a found file is cleaned; None for every one.

    Raises:
        UsageError: an input is missing, no photo is found, an input would be overwritten, two
            photos would write one file, ``exclude`` or ``masks`` lies in the output folder, no
            photo has a mask, or it cannot be told which mask is whose.
    """
    given_all = (*inputs, *listed)
    if not given_all:
        raise UsageError("no input was given: name at least one photo or folder")
    for given in inputs:
        if isinstance(given, Path) and (why := why_missing(given)):
            raise UsageError(f"{given}: {why}")
    output = output_folder(given_all, output)
    _refuse_overlaps(given_all, output)
    without_photos = [*exclude]
    if masks is not None and not own_masks.hold_inputs(masks, given_all):
        without_photos.append(masks)
    for folder in (*exclude, *([masks] if masks else ())):
        _refuse_results_among(folder, output)

    def masks_of(folder: Location) -> set[str]:
        saved = filter(None, _saved_masks(known(folder)).values())
        return {str(name) for mask in saved for name in (mask, layers_name(mask))}

    search = Search((output, *without_photos), source_keys(), Exclusions(patterns), masks_of)
    earlier = known(output)
    found, own = _find_all(inputs, listed, search), None
    if wanted is not None:
        found = [photo for photo in found if wanted(photo.source)]
        _refuse_no_photo(found, inputs, search)
    if masks is not None:
        found, own = own_masks.tell_apart(found, own_masks.find_masks(masks, output), source_keys())
        search.told.extend(own.notes)
        _refuse_no_photo(found, inputs, search)
    photos = name_photos(found, earlier, search.told)
    photos.sort(key=lambda photo: (str(photo.relative), str(photo.source)))
    refuse_collisions(photos, output, lossless, raw_output)
    names = mask_names([photo.relative for photo in photos], _saved_masks(earlier))
    shared = Counter(str(photo.below_root) for photo in photos)
    planned = [
        PlannedPhoto(
            photo.source,
            photo.relative,
            output / photo.relative,
            output / mask,
            _given_names(photo, shared[str(photo.below_root)] == 1),
            mask,
            photo.key,
            photo.missing,
        )
        for photo, mask in zip(photos, names, strict=True)
    ]
    _refuse_masks_on_results(planned, output)
    if own is not None:
        planned = _with_masks(planned, own, search)
    return Plan(tuple(planned), output, (*search.told, *search.unmissed), tuple(search.told))


def _with_masks(
    photos: Sequence[PlannedPhoto], masks: own_masks.OwnMasks, search: Search
) -> list[PlannedPhoto]:
    """Return the photos with their masks; what the user is to know goes to ``search.told``."""
    present = [photo for photo in photos if not photo.missing]
    matched = own_masks.match(present, masks)
    search.told.extend(matched.notes)
    by_key = {photo.key: mask for photo, mask in zip(present, matched.masks, strict=True)}
    return [replace(photo, own_mask=by_key.get(photo.key)) for photo in photos]


def _given_names(photo: InputPhoto, is_unique: bool) -> tuple[PurePosixPath, ...]:
    """Return a photo's names in folders of masks and ground truth, best first.

    The name below its own folder counts only if no photo of another folder has it: a mask must
    never serve for another photo.
    """
    if not is_unique or str(photo.below_root) == str(photo.relative):
        return (photo.relative,)
    return photo.relative, photo.below_root


def _saved_masks(known: KnownPhotos) -> dict[str, PurePosixPath | None]:
    """Return the masks that earlier runs saved, by the names of their photos."""
    # The row of a claim that a killed run left has no entry.
    saved = {name: (row.get("entry") or {}).get("mask") for name, row in known.rows.items()}
    return {
        name: None
        if mask is None
        else next((own for own in possible_masks(name) if str(own) == mask), None)
        for name, mask in saved.items()
    }


def _find_all(
    inputs: Sequence[Location], listed: Sequence[Location], search: Search
) -> list[InputPhoto]:
    photos = list(without_repeats(search.photos(inputs, listed)))
    _refuse_no_photo(photos, inputs, search)
    return photos


def _refuse_no_photo(
    photos: Sequence[InputPhoto], inputs: Sequence[Location], search: Search
) -> None:
    if not photos:
        looked_in = ", ".join(map(str, inputs)) or "the files of the list"
        raise UsageError(
            f"no photo in {looked_in}: looked for {' '.join(sorted(SUFFIXES))}"
            + "".join(f"; {note}" for note in (*search.told, *search.unmissed))
        )


def output_folder(inputs: Sequence[Location], output: Location | None) -> Location:
    """Return the output folder as an absolute path.

    Links in the user's path are kept, so the result is where the user looks for it.
    """
    if output is None:
        output = _default_output(inputs)
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


def _default_output(inputs: Sequence[Location]) -> Location:
    """Return ``cleaned`` beside the inputs, which must all lie in one folder."""
    siblings = list(dict.fromkeys(_sibling(given) for given in inputs))
    if len(siblings) > 1:
        where = ", ".join(str(path).removesuffix("/cleaned") for path in siblings[:3])
        raise UsageError(
            f"the inputs lie in different folders ({where}): name one output with --output"
        )
    return siblings[0]


def _sibling(given: Location) -> Location:
    parent = _absolute(given).parent if isinstance(given, Path) else given.parent
    if parent is None:
        raise UsageError(f"{given}: there is no folder beside it; name one with --output")
    return parent / "cleaned"


def _absolute(path: Path) -> Path:
    try:
        return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
    except (OSError, RuntimeError) as error:  # a circle of links
        raise UsageError(f"{path}: cannot be followed ({error}); name another folder") from error


def _overlap(given: Location, output: Location) -> tuple[bool, bool]:
    """Whether ``given`` lies in the output folder, and whether it is that folder."""
    if isinstance(given, RemotePath) and isinstance(output, RemotePath):
        inside = given.is_below(output)
        return inside, inside and output.is_below(given)
    if isinstance(given, Path) and isinstance(output, Path):
        # Path.resolve raises an error of its own about a circle of links, which a list may name.
        real, real_output = (Path(os.path.realpath(place)) for place in (given, output))
        inside = real.is_relative_to(real_output) or _absolute(given).is_relative_to(output)
        return inside, real == real_output
    return False, False


def _refuse_results_among(folder: Location, output: Location) -> None:
    """Refuse an output folder in which results would become masks or ground truth.

    A result among the masks would serve as a mask in the next run, and ``--overwrite`` would
    replace a mask that somebody drew.
    """
    inside, same = _overlap(folder, output)
    if inside:
        where = "is" if same else "lies inside"
        raise UsageError(
            f"{folder} {where} the output folder {output}: results would replace what you gave, or "
            "serve as masks the next time; name another folder with --output"
        )


def _refuse_overlaps(inputs: Iterable[Location], output: Location) -> None:
    """Refuse inputs that are the output folder or lie inside it; of files, once for each folder."""
    apart: set[Path] = set()
    for given in inputs:
        is_plain = isinstance(given, Path) and os.path.isfile(given) and not os.path.islink(given)
        if not is_plain or given.parent not in apart:
            refuse_overlap(given, output)
        if is_plain and isinstance(given, Path):
            apart.add(given.parent)


def refuse_overlap(given: Location, output: Location) -> None:
    """Refuse an input that is the output folder or lies inside it."""
    inside, same = _overlap(given, output)
    if same:
        raise UsageError(f"{given} is both input and output: name another folder with --output")
    if inside:
        raise UsageError(
            f"{given} lies inside the output folder {output}: name another folder with --output"
        )


def _refuse_masks_on_results(photos: Sequence[PlannedPhoto], output: Location) -> None:
    results = {photo.relative for photo in photos}
    for photo in photos:
        for name in (photo.mask_name, layers_name(photo.mask_name)):
            if name in results:
                raise UsageError(
                    f"the mask of {photo.source} would be written where a result goes, "
                    f"{output / name}: rename the folder masks"
                )
