"""Trees of files for plans, which open no photo."""

from __future__ import annotations

from pathlib import Path

from remove_objects.pipeline.batch.scan import Plan


def touch(root: Path, *names: str) -> None:
    """Write files that are no photos but for their names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"never opened by scan")


def relatives(plan: Plan) -> list[str]:
    """Return the names of a plan's photos."""
    return [str(photo.relative) for photo in plan.photos]
