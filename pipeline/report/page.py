"""``report.html``: the report to look at. One file that opens from the disk, touches no network and trusts no file name."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..system.atomic import atomic_write
from ..system.text import printable
from .page_view import charts, photo_view, stage_seconds, totals, worst_first

TEMPLATES = Path(__file__).parent / "templates"
#: Bytes of pictures that are put into the file itself. With more it would open slowly, so they stay files beside it.
EMBEDDED_BYTES = 12_000_000
_KINDS = {".jpeg": "image/jpeg", ".webp": "image/webp"}


def write_html(
    path: Path,
    run: dict[str, Any],
    photos: Sequence[dict[str, Any]],
    pictures: Callable[[dict[str, Any]], dict[str, Path]],
) -> None:
    """Write the page atomically.

    Args:
        path: the page; its folder is the output folder.
        run: as in ``report.json``.
        photos: as in ``report.json``, in any order.
        pictures: files of one photo's previews by kind, all below the page's folder; what cannot be read as a picture is left out.

    Raises:
        UnwritableError: the disk's errors.
    """
    # Only a page needs the template engine: the command's --help and runs that fail early do without.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    rows = worst_first(photos)
    looks = [_look(pictures(photo)) for photo in rows]
    embed = sum(look.size_on_disk for look in looks) <= EMBEDDED_BYTES
    refer = _data_uri if embed else partial(_relative, path.parent)

    def finalize(value: Any) -> Any:
        """What the template prints is text that shows, or was made by the template itself."""
        return (
            printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        )

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, finalize=finalize,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "number": _number,
        "percent": _percent,
        "duration": _duration,
        "plain": printable,
    }
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js")
    )
    page = environment.get_template("report.html.j2").generate(
        run=run,
        photos=(
            photo_view(
                photo,
                {kind: refer(file) for kind, file in look.files.items()},
                look.shape,
                look.middle,
            )
            for photo, look in zip(rows, looks, strict=True)
        ),
        count=len(rows),
        totals=totals(photos),
        charts=charts(photos),
        stages=stage_seconds(photos),
        classes=sorted({c for p in photos for c in p["classes"]}),
        routes=sorted({h["route"] for p in photos for h in p["holes"]}),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script, embed),
        embedded=embed,
    )
    with atomic_write(path) as file:
        for piece in page:
            file.write(piece.encode("utf-8"))


def _policy(style: str, script: str, embed: bool) -> str:
    """Nothing but this very style and script, and pictures: even a name that became HTML could load and run nothing."""
    one, other = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    images = "data:" if embed else "data: 'self'"
    own = f"style-src 'sha256-{one}'; script-src 'sha256-{other}'"
    return f"default-src 'none'; {own}; img-src {images}; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class _Look:
    """The pictures of one photo that are whole, their bytes, (width, height) of the one before, and where across it the mask lies."""

    files: dict[str, Path]
    size_on_disk: int
    shape: tuple[int, int] | None
    middle: float


def _look(found: dict[str, Path]) -> _Look:
    from PIL import Image

    shapes, size, middle = {}, 0, 0.5
    for kind, file in found.items():
        try:
            with Image.open(file) as image:
                if kind == "mask" and (box := image.getbbox()) is not None:
                    middle = (box[0] + box[2]) / 2 / image.width
                size += file.stat().st_size
                shapes[kind] = image.size
        except OSError:
            continue
    return _Look({kind: found[kind] for kind in shapes}, size, shapes.get("before"), middle)


def _data_uri(file: Path) -> str:
    return f"data:{_KINDS[file.suffix]};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _relative(folder: Path, file: Path) -> str:
    """Names of previews are hexadecimal: nothing in them needs escaping."""
    return file.relative_to(folder).as_posix()


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    """With one digit below 10 %: 0.4 % and 4.1 % are different holes."""
    if value is None:
        return "–"
    return f"{value:.0%}" if value >= 0.0995 or value == 0 else f"{max(value, 0.001):.1%}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
