"""Give a result of the board its name: everything that can fail fails before a file is replaced.

Result, mask and layers are complete under other names before one takes its own. What they replace
is kept first (``pipeline.batch.output.replaced``). In a run's folder a claim with the journal's row
goes before them, so that a crash at any moment loses nothing (``pipeline.batch.output.claims``). An
input is never a target.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from ..batch.output.claims import CLAIMS, claim_name, made_from
from ..batch.output.replaced import keep
from ..errors import ExistsError, UnwritableError
from ..storage.stamp import content_hash, is_unchanged, mark
from ..system.atomic import unwritable
from ..system.confined import is_link, link_message, move, remove

if TYPE_CHECKING:
    from ..batch.journal import JournalRow


@dataclass(frozen=True, slots=True)
class Beside:
    """A file beside the result: its mask, or the mask's layers.

    Attributes:
        target: its name.
        stamp: the key of a journal's row that holds its stamp.
        part: the new file under a temporary name; None to leave the standing one.
        drops: whether a file of ours stands under the name, and goes, because the result has none.
    """

    target: Path
    stamp: Literal["mask_written", "layers_written"]
    part: Path | None = None
    drops: bool = False


@dataclass(frozen=True, slots=True)
class NewFiles:
    """Complete files that wait for their names.

    Attributes:
        output: the output folder.
        part: the result under a temporary name.
        target: its name.
        mask: its mask.
        layers: the mask's layers.
        obsolete: a file of ours that the result replaces under another name (``a.jpg.png`` by
            ``a.jpg``), if any.
    """

    output: Path
    part: Path
    target: Path
    mask: Beside
    layers: Beside
    obsolete: Path | None = None

    @property
    def beside(self) -> tuple[Beside, Beside]:
        """The files beside the result, in the order in which they take their names."""
        return self.mask, self.layers

    @property
    def targets(self) -> list[Path]:
        """The files that would be replaced."""
        return [self.target, *(each.target for each in self.beside if each.part is not None)]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known about the files that stand in the output folder for one photo.

    Attributes:
        row: the journal's row; None without a run, or if the run does not know the photo.
        owns: whether this board or a run wrote a file, and it is unchanged since.
        opened_ns: when the board opened the folder, in ns since 1970.
    """

    row: JournalRow | None = None
    owns: Callable[[Path], bool] = field(default=lambda _: False)
    opened_ns: int = 0

    def is_newer(self, path: Path) -> bool:
        """Whether a file changed since the board opened the folder."""
        status = path.lstat()
        return max(status.st_mtime_ns, status.st_ctime_ns) > self.opened_ns


@contextmanager
def temporary_name(target: Path, output: Path) -> Iterator[Path]:
    """Yield a hidden name beside ``target``; what lies under it is removed after the block."""
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
    finally:
        # A lossless result of a lossy photo, or that of a RAW, gets an ending behind its name.
        for ending in ("", ".png", ".tif", ".jpg"):
            leftover = part.with_name(f"{part.name}{ending}")
            with suppress(OSError, UnwritableError):
                remove(leftover, output)


@contextmanager
def temporary_beside(output: Path, photo: str, part: Path) -> Iterator[Path]:
    """Yield the name ``part`` under which a mask or its layers wait beside their claim.

    It is removed after the block unless the claim is still there, which ``claims.recover`` reads.
    """
    try:
        yield part
    finally:
        if not (output / CLAIMS / claim_name(photo)).exists():
            with suppress(OSError, UnwritableError):
                remove(part, output)
        with suppress(OSError):
            (output / CLAIMS).rmdir()  # fails unless it is empty


def check_targets(new: NewFiles, standing: Standing, source: Path, *, replace: bool) -> None:
    """Refuse targets that may not be replaced.

    Args:
        new: the new files.
        standing: the files in their places.
        source: the photo's file.
        replace: replace files that neither the board nor the run wrote.

    Raises:
        UnwritableError: a target is the photo itself, or a link.
        ExistsError: a foreign file is in the way.
    """
    if _same_file(new.target, source):
        raise UnwritableError(
            f"{new.target} is the photo itself: results never replace it; "
            "name another folder with --output"
        )
    for path in new.targets:
        if is_link(path):
            raise UnwritableError(link_message(path))
    foreign = [path for path in new.targets if os.path.lexists(path) and not standing.owns(path)]
    if foreign and not replace:
        it, they, it_is, exist = "it", "it", "it is", "exists"
        if len(foreign) > 1:
            it, they, it_is, exist = "them", "they", "they are", "exist"
        # Another board may have written them, or a run whose journal is gone.
        what = (
            f"{they} changed since this board opened the folder, not by this board"
            if all(standing.is_newer(path) for path in foreign)
            else f"neither this board nor a run known to the journal wrote {it} as {it_is} now"
        )
        raise ExistsError(
            f"{' and '.join(str(path) for path in foreign)}: {exist}, and {what}; "
            f"replace {it}, or move {it} away"
        )


def keep_replaced(new: NewFiles, standing: Standing) -> None:
    """Keep the files that are about to be replaced.

    A run can make its own unreviewed result again, and its mask with it, from the same photo; these
    are kept in a limited number, everything else without a limit.

    Raises:
        UnwritableError: a file cannot be kept, so it must not be replaced.
    """
    row = standing.row
    mask, layers = (content_hash(mark(each.target)) for each in new.beside)
    results = [new.target] + ([new.obsolete] if new.obsolete else [])
    for path in results:
        is_described = row is not None and is_unchanged(path, row.get("written"))
        keep(
            new.output,
            name_in(new.output, path),
            row if is_described else None,
            made_from(row) if is_described else None,
            mask=mask,
            layers=layers,
        )
    for each in new.beside:
        if each.part is not None or each.drops:
            is_described = row is not None and is_unchanged(each.target, row.get(each.stamp))
            name = name_in(new.output, each.target)
            keep(new.output, name, None, made_from(row) if is_described else None)


def take_names(new: NewFiles, *, mask_first: bool) -> None:
    """Rename the new files, and remove a mask, or its layers, that the result does not have.

    Args:
        new: the new files.
        mask_first: mask and layers take their names first, so that a crash in between loses no
            drawn mask. With a claim the order is the other one: the claim knows them.

    Raises:
        UnwritableError: the disk refuses.
    """
    renames = [(each.part, each.target) for each in new.beside if each.part is not None]
    renames.insert(len(renames) if mask_first else 0, (new.part, new.target))
    for part, target in renames:
        try:
            move(part, target, new.output)
        except OSError as error:
            raise unwritable(target, error) from error
    for target in (each.target for each in new.beside if each.drops):
        try:
            remove(target, new.output)
        except OSError as error:
            raise unwritable(target, error) from error


def name_in(output: Path, path: Path) -> PurePosixPath:
    """Return a file's name in the output folder."""
    return PurePosixPath(path.relative_to(output).as_posix())


def _same_file(one: Path, other: Path) -> bool:
    """Whether two paths name one file, or would."""
    try:
        return one.resolve() == other.resolve() or (one.exists() and one.samefile(other))
    except OSError:
        return False
