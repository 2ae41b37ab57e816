"""What ``train-inpainter`` says at its end: what there is now, and the next command."""

from __future__ import annotations

import shlex
from pathlib import Path

from ..models.kinds import KINDS
from .export import INDEX, Exported
from .request import Request


def after_export(request: Request, exported: Exported) -> list[str]:
    """What an export wrote, and what is to be done with it."""
    folder, path = exported.path.parent, exported.path
    lines = [] if exported.is_new else [f"{path} was there already, of the same values"]
    if exported.others:
        lines.append(
            f"{folder / INDEX} still names {exported.others}; "
            f"--replace {exported.others} deletes that and names this one"
        )
    if not exported.has_terms:
        lines.append(
            f"say in {exported.card} whose the pictures are, or export again with --terms TEXT"
        )
    return [*lines, *use(request.model, path, request.images)]


def use(kind: str, path: Path, images: tuple[Path, ...]) -> list[str]:
    """The command that uses a weight; none if no command takes it."""
    if kind not in KINDS:
        return []
    photos = str(images[0]) if images else "photos"
    command = ["remove-objects", "--weights", f"{kind}={path}", "--class", "person", photos]
    return [f"next: {shlex.join(command)}"]
