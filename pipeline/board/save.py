"""Save a result of the board: everything that can fail fails before the first file is replaced.

Photo and mask are written under hidden names beside their targets and then renamed. An input is
never a target.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .. import images
from ..errors import ExistsError, UnwritableError
from ..system.atomic import Placement
from ..types import Mask, Outcome, Photo


@dataclass(frozen=True, slots=True)
class SavedResult:
    """A saved result.

    Attributes:
        path: the photo's file.
        mask_path: the mask's file.
        outcome: the outcome with its fidelity.
    """

    path: Path
    mask_path: Path
    outcome: Outcome


def save_result(
    photo: Photo,
    mask: Mask,
    outcome: Outcome,
    target: Path,
    mask_target: Path,
    *,
    options: images.SaveOptions,
    may_replace: Callable[[Path], bool],
) -> SavedResult:
    """Write result and mask at full resolution, in the photo's own format and with its metadata.

    Args:
        photo: the photo as read; with an empty mask the result is a copy of its file.
        mask: HW bool, the filled mask.
        outcome: the outcome of the fill.
        target: the result's file; a lossless one of a lossy photo gets ``.png`` behind this name.
        mask_target: the mask's PNG.
        options: as for ``images.save_outcome``.
        may_replace: decides whether an existing file at the target may be replaced.

    Raises:
        ExistsError: the target exists and may not be replaced.
        UnwritableError: nothing was filled, the target is the input, or the disk refuses.
    """
    staged_mask = mask_target.with_name(f".{secrets.token_hex(8)}.part")

    def check(_: Path, final: Path) -> None:
        if photo.path is not None and _same_file(final, photo.path):
            raise UnwritableError(
                f"{final} is the photo itself: results never replace it; "
                "name another folder with --output"
            )
        if final.exists() and not may_replace(final):
            raise ExistsError(
                f"{final}: exists, and neither the board nor the run wrote it; "
                "replace it, or move it away"
            )
        images.write_mask(mask, staged_mask)

    try:
        saved = images.save_outcome(
            photo, outcome, target, options, placement=Placement(before=check)
        )
        try:
            os.replace(staged_mask, mask_target)
        except OSError as error:
            raise UnwritableError(
                f"{mask_target}: cannot be put in its place ({error.strerror or error}); "
                "check the folder's permissions"
            ) from error
    finally:
        with suppress(OSError):
            staged_mask.unlink(missing_ok=True)
    return SavedResult(saved.path, mask_target, saved.outcome)


def _same_file(one: Path, other: Path) -> bool:
    """Whether two paths name one file, or would."""
    try:
        return one.resolve() == other.resolve() or (one.exists() and one.samefile(other))
    except OSError:
        return False
