"""The user's own masks: which file is the mask of which photo, decided from names before any work.

Of the photo ``rome/a.jpg`` these are masks, in a folder of masks that has its tree:
``rome/a.jpg.png`` (the full name), ``rome/a.png`` (the same stem), and what other programs write:
``rome/a_mask.png``, ``a-mask.png``, ``a_mask001.png`` (LaMa), ``mask_a.png``. Any format that is
read will do. Upper and lower case count as one where that leaves no doubt, Unicode's spellings
always.
A single file is the mask of every photo of its shape. The layers of a saved mask
(``a.layers.png`` beside ``a.png``) are the mask of nothing.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from .. import images
from ..errors import PhotoError, UsageError
from ..images.suffixes import RAW_SUFFIXES, is_readable
from ..storage.fetch import local_copy
from ..storage.layout import JOURNAL_NAME
from ..storage.location import Location, RemotePath, is_plain_name
from ..system.text import all_of, some
from .left_out import is_system_folder
from .names import InputPhoto, folded, layers_name
from .passed_over import UNREAD_PICTURE, kind_of

if TYPE_CHECKING:
    from ..report.schema import Entry

#: What other programs add to a photo's name: LaMa ``a_mask001``, ComfyUI ``a_mask_00001_``, IOPaint
#: ``a_mask``, Photoshop ``a-mask`` and ``a mask``; ``a.mask``, ``a (mask)``, ``1mask``, ``aMask``.
#: Browsers and file managers add ``(1)`` and ``copy`` to that.
_MARKED = re.compile(
    r"(?P<photo>.+?)(?:[ _.\-]+[(\[]?|(?<=\d)|[(\[]|(?-i:(?<=[a-z])(?=M)))"
    r"masks?[)\]]?(?:[ _.\-]?\d{1,6}_?)?[)\]]?(?: ?\(\d+\)| copy(?: \d+)?| - Copy)?"
    r"|masks?[ _\-]+(?P<rest>.+)",
    re.IGNORECASE | re.DOTALL,
)
#: A mask's name that names no photo, such as ``mask.gif``.
_BARE = re.compile(r"masks?(?:[ _.\-]?\d+)?(?: ?\(\d+\)| copy(?: \d+)?| - Copy)?", re.IGNORECASE)
#: What sets of pairs add to a photo's name where they add ``mask`` to the mask's: ``x_input.png``
#: beside ``x_mask.png``, ``img_001.png`` beside ``mask_001.png``.
_PAIRED = re.compile(
    r"(?P<end>.+)[ _.\-](?:input|image|img|photo|original|orig)"
    r"|(?:input|image|img|photo|original|orig)[ _.\-](?P<rest>.+)",
    re.IGNORECASE | re.DOTALL,
)
#: Formats of photos that a mask is hardly ever in: two of them with one stem are one shot.
_OF_CAMERAS = {".jpg", ".jpeg", ".jpe", ".jfif", ".heic", ".heif", ".hif", ".avif", *RAW_SUFFIXES}
#: Begins the reason of a photo that the one mask for all photos does not fit.
OTHER_SHAPE = "the mask for all photos has another shape: "
#: So many ways to understand masks have sentences of their own.
_WAYS = 3


class Photo(Protocol):
    """What matching needs to know of a photo."""

    @property
    def source(self) -> Location:
        """Its file."""

    @property
    def given_names(self) -> tuple[PurePosixPath, ...]:
        """Its possible names in the folder of masks, best first."""


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A file in the folder of masks.

    Attributes:
        file: the file.
        name: its name relative to the folder, as it is listed.
        base: its folder and its name without the suffix, in Unicode's composed form (NFC).
        marked: the same without what other programs add; None if they added nothing.
        is_bare: whether it names no photo: ``mask.png``.
    """

    file: Location
    name: str
    base: str
    marked: str | None
    is_bare: bool = False

    @classmethod
    def of(cls, file: Location, name: str) -> MaskFile:
        """Return the mask file of a listed name."""
        folder, slash, last = _composed(name).rpartition("/")
        stem = last.rpartition(".")[0]
        found = _MARKED.fullmatch(stem)
        photo = None if found is None else found["photo"] or found["rest"]
        marked = None if photo is None else f"{folder}{slash}{photo}"
        is_bare = _BARE.fullmatch(stem) is not None
        return cls(file, name, f"{folder}{slash}{stem}", marked, is_bare)


@dataclass(frozen=True, slots=True)
class OwnMasks:
    """The user's masks.

    Attributes:
        place: the folder, or the file.
        files: the masks in the folder, sorted by name; empty for a single file.
        is_file: whether it is a single file, for every photo of its shape.
        unread: names of pictures in the folder of a kind that is not read, such as PSD, sorted.
        notes: sentences for the user about files that are named as masks, and are no photos.
    """

    place: Location
    files: tuple[MaskFile, ...] = ()
    is_file: bool = False
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matched:
    """Which mask belongs to which photo.

    Attributes:
        masks: the mask of each photo, in their order; None for a photo without one.
        notes: sentences for the user.
    """

    masks: tuple[Location | None, ...]
    notes: tuple[str, ...] = ()


def find_masks(place: Location, output: Location) -> OwnMasks:
    """List the user's masks.

    Args:
        place: a folder, which is searched recursively, or a single file.
        output: the output folder, which holds no masks of the user.

    Raises:
        UsageError: nothing is there, or it cannot be listed.
    """
    if isinstance(place, RemotePath):
        files = place.files()
        if set(files) == {""}:
            return OwnMasks(files[""], is_file=True)
        listed: Iterable[tuple[str, Location]] = (
            (name, file)
            for name, file in files.items()
            if is_plain_name(name)
            and not (isinstance(output, RemotePath) and file.is_below(output))
        )
        missing = not files
    else:
        if place.is_file():
            return OwnMasks(place, is_file=True)
        listed, missing = _local_files(place, output), not place.is_dir()
    if missing:
        raise UsageError(f"{place}: no such folder of masks, and no such file")
    masks, unread = [], []
    for name, file in listed:
        if is_readable(name):
            masks.append(MaskFile.of(file, name))
        elif kind_of(PurePosixPath(name).name) == UNREAD_PICTURE:
            unread.append(name)
    masks.sort(key=lambda mask: mask.name)
    return OwnMasks(place, tuple(masks), unread=tuple(sorted(unread)))


def _local_files(folder: Path, output: Location) -> Iterator[tuple[str, Location]]:
    """Yield the files below a folder, with their names; links to folders are followed.

    Folders of thumbnails and trash, and results of earlier runs, hold no masks. Every folder is
    searched once. Links wait for the folders that are none: whose masks lie there under their own
    names.
    """
    seen = {output.resolve()} if isinstance(output, Path) else set()

    def fail(error: OSError) -> None:
        raise UsageError(f"{error.filename}: cannot be listed ({error.strerror})") from error

    waiting = [folder]
    while waiting:
        top = waiting.pop(0)
        if top.resolve() in seen:
            continue
        for where, names, files in os.walk(top, onerror=fail):
            here = Path(where)
            seen.add(here.resolve())
            inner = [here / name for name in sorted(names) if not _holds_no_masks(here / name)]
            waiting += [path for path in inner if path.is_symlink()]
            # Links among them are not followed here.
            names[:] = [path.name for path in inner if path.resolve() not in seen]
            for path in (here / name for name in files):
                if path.is_file():
                    yield path.relative_to(folder).as_posix(), path


def _holds_no_masks(folder: Path) -> bool:
    return is_system_folder(folder.name, folder.parent.name) or (folder / JOURNAL_NAME).is_file()


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def refuse_bad_file(place: Location, max_pixels: int) -> None:
    """Refuse the one mask for all photos if it can be the mask of none, before any work.

    Args:
        place: the file.
        max_pixels: the limit on the mask's size.

    Raises:
        UsageError: the file cannot be read, is no mask, or removes nothing.
    """
    try:
        with local_copy(place) as file:
            images.refuse_no_mask(file, max_pixels=max_pixels)
    except (PhotoError, OSError) as error:
        raise UsageError(f"--masks {error}") from error


def hold_inputs(masks: Location, inputs: Iterable[Location]) -> bool:
    """Whether an input is the folder of masks or lies inside it."""
    if isinstance(masks, RemotePath):
        return any(isinstance(given, RemotePath) and given.is_below(masks) for given in inputs)
    if not masks.is_dir():
        return False
    top = masks.resolve()
    local = [given for given in inputs if isinstance(given, Path)]
    folders = {given if given.is_dir() else given.parent for given in local}
    return any(folder.resolve().is_relative_to(top) for folder in folders)


# --- masks and photos in one folder ---------------------------------------------------------------


def tell_apart(
    photos: Sequence[InputPhoto], masks: OwnMasks, key_of: Callable[[Location], str]
) -> tuple[list[InputPhoto], OwnMasks]:
    """Separate photos from masks, where a folder holds both: a mask is never cleaned as a photo.

    There a mask has a name such as ``a_mask.png``, ``a.jpg.png`` or ``mask.png``, and may have its
    layers beside it; every other file is a photo. Beside the one mask for all photos other masks
    may lie, which nobody uses.

    Args:
        photos: the photos that were found, masks among them.
        masks: the masks that were found, photos among them.
        key_of: returns the key of a file.

    Returns:
        The photos, and the masks with notes on what was passed over.

    Raises:
        UsageError: names do not tell which file is the mask: ``a.jpg`` beside ``a.png``.
    """
    if masks.is_file:
        return _without_masks(photos, masks, key_of)
    found = {photo.key for photo in photos}
    keyed = [(key_of(mask.file), mask) for mask in masks.files]
    shared = {key: mask for key, mask in keyed if key in found}
    is_mask = _mask_test(shared.values())
    are_masks = {key for key, mask in keyed if key not in shared or is_mask(mask)}
    is_layers = _layers_test([mask for key, mask in keyed if key in are_masks])
    are_layers = {key for key, mask in keyed if is_layers(mask)}
    others = {key: mask for key, mask in shared.items() if key not in are_masks | are_layers}
    _refuse_same_stems(others.values(), masks.place)
    files = tuple(mask for key, mask in keyed if key in are_masks - are_layers)
    photos = [photo for photo in photos if photo.key not in are_masks | are_layers]
    return photos, replace(masks, files=files)


def _layers_test(masks: Iterable[MaskFile]) -> Callable[[MaskFile], bool]:
    """Return whether a file is the layers of one of the masks, by its name."""
    names = (folded(mask.name) for mask in masks)
    layers = {str(layers_name(PurePosixPath(name))) for name in names if name.endswith(".png")}

    def test(file: MaskFile) -> bool:
        return folded(file.name) in layers

    return test


def _without_masks(
    photos: Sequence[InputPhoto], masks: OwnMasks, key_of: Callable[[Location], str]
) -> tuple[list[InputPhoto], OwnMasks]:
    """Return the photos that are neither the mask for all nor named as the mask of one.

    A JPEG is named so only if the photo lies beside it: it may show somebody with a mask.
    """
    place = masks.place
    keys = {key_of(place)}
    if place.parent is not None:
        keys.add(key_of(place.parent / layers_name(PurePosixPath(place.name))))
    photos = [p for p in photos if p.key not in keys and not _is_same_file(p.source, place)]
    files = {
        photo.key: MaskFile.of(photo.source, f"{photo.root}/{photo.relative}") for photo in photos
    }
    is_mask, is_beside = _mask_test(files.values()), _beside_test(files.values())
    idle = {
        key
        for key, file in files.items()
        if is_mask(file) and (is_beside(file) or not _is_of_camera(file.name))
    }
    is_layers = _layers_test(file for key, file in files.items() if key in idle)
    idle |= {key for key, file in files.items() if is_layers(file)}
    names = tuple(str(photo.relative) for photo in photos if photo.key in idle)
    return [photo for photo in photos if photo.key not in idle], replace(
        masks, notes=tuple(_told_of_idle(names))
    )


def _is_same_file(one: Location, other: Location) -> bool:
    """Whether two local names lead to one file, over links."""
    try:
        return isinstance(one, Path) and isinstance(other, Path) and one.samefile(other)
    except OSError:
        return False  # one of them is missing


def _beside_test(files: Collection[MaskFile]) -> Callable[[MaskFile], bool]:
    """Return whether the photo lies beside a file that is named as its mask."""
    names = {folded(file.name) for file in files}
    pairs = {pair for file in files if (pair := _pair(PurePosixPath(file.name))) is not None}
    photos = names | {folded(file.base) for file in files} | {folded(pair) for pair in pairs}

    def test(file: MaskFile) -> bool:
        if folded(file.base) in names:
            return True
        return file.marked is not None and folded(file.marked) in photos

    return test


def _mask_test(files: Collection[MaskFile]) -> Callable[[MaskFile], bool]:
    """Return whether a file is a mask by its name, among photos and masks of one folder.

    ``me_mask.jpg`` is a photo, of somebody with a mask, if ``me_mask_mask.png`` is its mask and
    there is no ``me.jpg``, or ``me_mask.png`` is the mask of that.
    """
    names = {folded(file.name) for file in files}
    bases = {folded(file.base) for file in files}
    marked = {folded(file.marked) for file in files if file.marked is not None}
    drawn = {folded(file.base) for file in files if not _is_of_camera(file.name)}

    def test(file: MaskFile) -> bool:
        if folded(file.base) in names:
            return True
        if file.marked is None and not file.is_bare:
            return False
        name, base = folded(file.name), folded(file.base)
        if not (name in bases or name in marked or base in marked):
            return True
        # It has a mask: is it one, too?
        if _is_of_camera(file.name) and base in drawn:
            return False
        return file.marked is not None and bool({folded(file.marked)} & (bases | names))

    return test


def _refuse_same_stems(photos: Iterable[MaskFile], folder: Location) -> None:
    """Refuse files of one stem of which one may be the mask of the other."""
    by_stem: dict[str, list[MaskFile]] = {}
    for photo in photos:
        by_stem.setdefault(folded(photo.base), []).append(photo)
    for same in by_stem.values():
        if len(same) > 1 and any(not _is_of_camera(photo.name) for photo in same):
            names = all_of([photo.name for photo in same])
            stem = PurePosixPath(same[0].name).stem
            raise UsageError(
                f"{folder} holds masks and photos, and {names} have one name: is one the mask of "
                f"the other? Call masks {stem}_mask.png, or put them into a folder of their own"
            )


def _is_raw(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in RAW_SUFFIXES


def _is_of_camera(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _OF_CAMERAS


# --- matching -------------------------------------------------------------------------------------


def match(photos: Sequence[Photo], masks: OwnMasks) -> Matched:
    """Find the mask of every photo.

    A mask by a photo's full name is nobody else's. A mask by a stem serves every photo of that
    stem: RAW and JPEG of one shot. Names are compared as they are first; without regard to case
    where nothing is left of them otherwise.

    Args:
        photos: the photos of the run.
        masks: the masks, without the photos themselves.

    Raises:
        UsageError: a photo has several masks, or no photo has any.
    """
    if masks.is_file:
        return Matched((masks.place,) * len(photos))
    files = tuple(m for m in masks.files if not _is_raw(m.name))
    masks = replace(masks, files=files)
    matching = _Matching(files)
    for fold in (str, _loose):
        for photo_key in (_full, _stem):
            matching.add(photos, photo_key, fold)
    for fold in (str, _loose):
        matching.add_pairs(photos, fold)
    found = matching.found
    if not found:
        raise UsageError(_nothing_matched(photos, masks))
    _refuse_several(photos, found)
    given = tuple(found[i][0].file if i in found else None for i in range(len(photos)))
    return Matched(given, tuple(_notes(photos, masks, found)))


def _loose(name: str) -> str:
    """Return a name without case and typographic variants: macOS's narrow space is a space."""
    return unicodedata.normalize("NFKC", name).casefold()


def _full(name: PurePosixPath) -> str:
    return _composed(str(name))


def _stem(name: PurePosixPath) -> str:
    return _composed(str(name.with_name(name.stem)))


def _pair(name: PurePosixPath) -> str | None:
    """Return a stem without what sets of pairs add to it; None if they added nothing."""
    found = _PAIRED.fullmatch(name.stem)
    if found is None:
        return None
    return _composed(str(name.with_name(found["end"] or found["rest"])))


@dataclass
class _Matching:
    """Masks and photos that were brought together so far.

    Attributes:
        files: all masks.
        found: the masks of each photo, by the photo's index.
        taken: names of masks that have a photo.
    """

    files: Sequence[MaskFile]
    found: dict[int, list[MaskFile]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def add(
        self,
        photos: Sequence[Photo],
        photo_key: Callable[[PurePosixPath], str],
        fold: Callable[[str], str],
    ) -> None:
        """Give masks to the photos without one, by one way of comparing names."""
        left = [mask for mask in self.files if mask.name not in self.taken]
        plain = _by_key(left, lambda mask: mask.base, fold)
        new: dict[int, list[MaskFile]] = {}
        for i, keys in self._keys(photos, photo_key, fold):
            if masks := next((plain[key] for key in keys if key in plain), None):
                new[i] = list(masks)
        keys_of = dict(self._keys(photos, photo_key, fold))
        every = _by_key(left, lambda mask: mask.marked, fold)
        unmasked = {key for i, keys in keys_of.items() if i not in new for key in keys}
        for i in [i for i in new if any(key in every for key in keys_of[i])]:
            # with_mask.jpg has with_mask_mask.png: then with_mask.png is the mask of with.jpg.
            if all(m.marked is not None and fold(m.marked) in unmasked for m in new[i]):
                del new[i]
        # A mask whose whole name is a photo's is not another's: a_mask.jpg may be a photo.
        own = {mask.name for masks in new.values() for mask in masks}
        marked = _by_key([m for m in left if m.name not in own], lambda mask: mask.marked, fold)
        for i, keys in self._keys(photos, photo_key, fold):
            if masks := next((marked[key] for key in keys if key in marked), None):
                new.setdefault(i, []).extend(masks)
        self.found |= new
        self.taken |= {mask.name for masks in new.values() for mask in masks}

    def add_pairs(self, photos: Sequence[Photo], fold: Callable[[str], str]) -> None:
        """Give masks to the photos without one by names such as ``x_input`` and ``x_mask``.

        A mask that two stems would share stays without a photo.
        """
        left = [mask for mask in self.files if mask.name not in self.taken]
        marked = _by_key(left, lambda mask: mask.marked, fold)
        by_key: dict[str, dict[str, list[int]]] = {}
        for i, photo in enumerate(photos):
            name = photo.given_names[0]
            if i not in self.found and (key := _pair(name)) is not None and fold(key) in marked:
                by_key.setdefault(fold(key), {}).setdefault(_stem(name), []).append(i)
        for key, stems in by_key.items():
            if len(stems) == 1:
                self.found |= dict.fromkeys(next(iter(stems.values())), marked[key])
                self.taken |= {mask.name for mask in marked[key]}

    def _keys(
        self,
        photos: Sequence[Photo],
        photo_key: Callable[[PurePosixPath], str],
        fold: Callable[[str], str],
    ) -> Iterator[tuple[int, list[str]]]:
        for i, photo in enumerate(photos):
            if i not in self.found:
                yield i, [fold(photo_key(name)) for name in photo.given_names]


def _by_key(
    files: Iterable[MaskFile], of: Callable[[MaskFile], str | None], fold: Callable[[str], str]
) -> dict[str, list[MaskFile]]:
    index: dict[str, list[MaskFile]] = {}
    for mask in files:
        if (key := of(mask)) is not None:
            index.setdefault(fold(key), []).append(mask)
    return index


def _refuse_several(photos: Sequence[Photo], found: Mapping[int, Sequence[MaskFile]]) -> None:
    for i, masks in sorted(found.items()):
        if len(masks) > 1:
            raise UsageError(
                f"{photos[i].source} has several masks, {all_of([mask.name for mask in masks])}: "
                "leave the right one in the folder, or join them into one"
            )
    for mask, sharing in _sharing(found):
        stems = {_stem(photos[i].given_names[0]) for i in sharing}
        if len(stems) > 1 and len({_loose(stem) for stem in stems}) == 1:
            names = all_of([str(photos[i].given_names[0]) for i in sharing])
            raise UsageError(
                f"{mask} would be the mask of {names}, whose names differ in case only: "
                "call it by the full name of one of them"
            )


def _sharing(found: Mapping[int, Sequence[MaskFile]]) -> list[tuple[str, list[int]]]:
    """Return the masks that several photos have, with these photos."""
    by_mask: dict[str, list[int]] = {}
    for i, masks in sorted(found.items()):
        by_mask.setdefault(masks[0].name, []).append(i)
    return [(name, sharing) for name, sharing in by_mask.items() if len(sharing) > 1]


# --- sentences ------------------------------------------------------------------------------------


def _notes(
    photos: Sequence[Photo], masks: OwnMasks, found: Mapping[int, Sequence[MaskFile]]
) -> Iterator[str]:
    without = [str(p.given_names[0]) for i, p in enumerate(photos) if i not in found]
    if without:
        what = "1 photo has" if len(without) == 1 else f"{len(without)} photos have"
        stay = "stays as it is" if len(without) == 1 else "stay as they are"
        yield f"{what} no mask in {masks.place} and {stay}: {some(without)}"
    used = {mask.name for several in found.values() for mask in several}
    idle = [m.name for m in masks.files if m.name not in used and not _is_hidden(m.name)]
    if idle:
        what = "1 mask belongs" if len(idle) == 1 else f"{len(idle)} masks belong"
        yield f"{masks.place}: {what} to no photo: {some(idle)}"
    if without and masks.unread:
        yield f"{masks.place}: {_unread(masks.unread)}"
    for name, sharing in _sharing(found):
        yield f"{name} is the mask of {all_of([str(photos[i].given_names[0]) for i in sharing])}"


def _told_of_idle(names: Sequence[str]) -> Iterator[str]:
    """Yield a sentence about masks beside the photos, where one mask is for all."""
    if names:
        what = "1 file is named as a mask" if len(names) == 1 else f"{len(names)} files are named"
        what += " and is not cleaned" if len(names) == 1 else " as masks and are not cleaned"
        yield f"{what}: {some(sorted(names))}"


def told_of(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield sentences about the masks of finished photos, for the terminal.

    Args:
        entries: of all photos of the run, in any order.
    """
    entries = sorted(entries, key=lambda entry: entry["input"])
    yield from _told_of_shape(entries)
    empty = [entry["input"] for entry in entries if images.EMPTY in entry["reason"]]
    if empty:
        what = "1 mask is empty, and its photo stays as it is"
        many = f"{len(empty)} masks are empty, and their photos stay as they are"
        yield f"{what if len(empty) == 1 else many}: {some(empty)}"
    yield from _told_of_understood(entries)
    inverted = _warned(entries, images.MOSTLY_WHITE)
    if inverted:
        what = "1 mask removes most of its photo"
        many = f"{len(inverted)} masks remove most of their photos"
        yield (
            f"{what if len(inverted) == 1 else many} and may be inverted; white removes, black "
            f"stays: {some(inverted)}"
        )
    turned = _warned(entries, images.EITHER_WAY)
    if turned:
        what = "1 mask" if len(turned) == 1 else f"{len(turned)} masks"
        yield (
            f"{what} may be drawn on stored pixels, which EXIF turns; look whether the right place "
            f"was removed: {some(turned)}"
        )


def _told_of_shape(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield a sentence about the photos that the mask for all photos does not fit."""
    others = [entry for entry in entries if OTHER_SHAPE in entry["reason"]]
    if not others:
        return
    if fits_none(entries):
        yield f"no photo was cleaned: {others[0]['reason'].partition(OTHER_SHAPE)[2]}"
        return
    what = "1 photo has" if len(others) == 1 else f"{len(others)} photos have"
    stay = "stays as it is" if len(others) == 1 else "stay as they are"
    names = some([entry["input"] for entry in others])
    yield f"{what} another shape than the mask for all photos and {stay}: {names}"


def _told_of_understood(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield a sentence for each of the commonest ways in which masks were understood."""
    by_way: dict[str, list[str]] = {}
    for entry in entries:
        for warning in entry["warnings"]:
            if warning.startswith(images.UNDERSTOOD):
                way = warning.removeprefix(images.UNDERSTOOD)
                by_way.setdefault(way, []).append(entry["input"])
    ways = sorted(by_way, key=lambda way: -len(by_way[way]))
    for way in ways[:_WAYS]:
        names = by_way[way]
        what = "1 mask is" if len(names) == 1 else f"{len(names)} masks are"
        yield f"{what} not white on black: {way}: {some(names)}"
    rest = [name for way in ways[_WAYS:] for name in by_way[way]]
    if rest:
        what = "1 mask was" if len(rest) == 1 else f"{len(rest)} masks were"
        yield f"{what} understood in another way; the report says how: {some(rest)}"


def _warned(entries: Sequence[Entry], begin: str) -> list[str]:
    """Return the photos with a warning that begins so."""
    return [e["input"] for e in entries if any(w.startswith(begin) for w in e["warnings"])]


def fits_none(entries: Sequence[Entry]) -> bool:
    """Whether the one mask for all photos has the shape of none of them."""
    return bool(entries) and all(OTHER_SHAPE in entry["reason"] for entry in entries)


def _nothing_matched(photos: Sequence[Photo], masks: OwnMasks) -> str:
    """Say what was looked for, and what a file that was found would have to be called."""
    photo = photos[0].given_names[0]
    stem = photo.with_name(photo.stem)
    wanted = f"call the mask of {photo} {stem}.png, {photo}.png or {stem}_mask.png, in any format"
    files = [mask.name for mask in masks.files if not _is_hidden(mask.name)]
    if not files:
        unread = f" that can be read: {_unread(masks.unread)}" if masks.unread else ""
        return f"{masks.place} holds no mask{unread}; {wanted}"
    how = f"if {files[0]} is its mask, call it {stem}{PurePosixPath(files[0]).suffix}"
    if len(files) == 1:
        how += f"; if it is for every photo, give the file: --masks {masks.place / files[0]}"
    return f"no photo has a mask in {masks.place}, which holds {some(files)}: {wanted}; {how}"


def _unread(names: Sequence[str]) -> str:
    """Say what becomes of pictures of a kind that is not read."""
    what = "1 picture is" if len(names) == 1 else f"{len(names)} pictures are"
    return f"{what} of a kind that is not read, such as PSD; export as PNG: {some(names)}"


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
