"""A result from the board to the disk: all that can go wrong goes wrong before the first file is replaced.

The photo and its mask are written whole under hidden names beside their targets and then renamed; never is an input a target.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .. import images
from ..errors import UnwritableError
from ..types import Fidelity, Mask, Outcome, Photo, Status


@dataclass(frozen=True, slots=True)
class Saved:
    """The result's file, its mask's, and what is known of the result, with its fidelity."""

    path: Path
    mask_path: Path
    outcome: Outcome


def save_result(
    photo: Photo, source: Path, mask: Mask, outcome: Outcome, target: Path, mask_target: Path, *,
    lossless: bool, strip: bool, may_replace: Callable[[Path], bool],
) -> Saved:  # fmt: skip
    """Write result and mask, at full resolution, in the photo's own format and with its metadata.

    Args:
        photo: as read.
        source: its file; with an empty mask the result is a copy of it.
        mask: HW bool, what was filled.
        outcome: of the fill.
        target: the result's file (with ``lossless`` a lossy photo's gets ``.png`` behind its name).
        mask_target: the mask's PNG.
        lossless: as for ``images.write_photo``.
        strip: likewise, for a copy too.
        may_replace: asked about a file that stands where the result goes.

    Raises:
        UnwritableError: nothing was filled, the target is the input or may not be replaced, or the disk refuses.
    """
    if outcome.status is Status.FAILED:
        raise UnwritableError(f"there is no result to save: {outcome.reason}")
    staged = target.with_name(f".{secrets.token_hex(8)}.part")
    staged_mask = mask_target.with_name(f".{secrets.token_hex(8)}.part")
    written = staged
    try:
        if outcome.result is None:
            if strip:
                images.strip_photo(photo, source, staged)
            else:
                images.copy_photo(source, staged)
            final, fidelity = target, Fidelity(0, None)
        else:
            result = images.write_photo(
                photo, outcome.result, mask, staged, lossless=lossless, strip=strip
            )
            written = result.path
            final = target if written == staged else target.with_name(f"{target.name}.png")
            fidelity = Fidelity(result.changed_outside, result.psnr_outside)
            outcome = replace(outcome, warnings=(*outcome.warnings, *filter(None, [result.note])))
        if _same(final, source):
            raise UnwritableError(
                f"{final} is the photo itself: results never replace it; name another folder with --output"
            )
        if final.exists() and not may_replace(final):
            raise UnwritableError(
                f"{final}: exists and is not what the board or the run wrote here; choose 'replace' to save over it"
            )
        images.write_mask(mask, staged_mask)
        try:
            os.replace(written, final)
            os.replace(staged_mask, mask_target)
        except OSError as error:
            raise UnwritableError(
                f"{final}: cannot be put in its place ({error.strerror or error}); check the folder's rights"
            ) from error
    finally:
        for left in (staged, written, staged_mask):
            with suppress(OSError):
                left.unlink(missing_ok=True)
    return Saved(final, mask_target, replace(outcome, fidelity=fidelity))


def _same(one: Path, other: Path) -> bool:
    """Whether two names are one file, or would be."""
    try:
        return one.resolve() == other.resolve() or (one.exists() and one.samefile(other))
    except OSError:
        return False
