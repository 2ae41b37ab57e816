"""``report.html``: one file that opens from the disk, uses no network and trusts no file name.

``pipeline.report.ranking`` orders its list of photos; ``pipeline.report.page_view`` fills it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..system.atomic import ANYWHERE, Placement, atomic_write
from ..system.text import printable
from .page_view import charts, photo_view, stage_seconds, totals
from .ranking import worst_first

if TYPE_CHECKING:
    from jinja2 import Template

    from .schema import Entry, RunEntry

TEMPLATES = Path(__file__).parent / "templates"
#: Up to this many bytes of previews are embedded in the page. With more it would open slowly, so
#: they stay files beside it.
EMBEDDED_BYTES = 12_000_000
_KINDS = {".jpeg": "image/jpeg", ".webp": "image/webp"}


def write_html(
    path: Path,
    run: RunEntry,
    photos: Sequence[Entry],
    pictures: Callable[[Entry], dict[str, Path]],
    placement: Placement = ANYWHERE,
) -> None:
    """Write the page atomically.

    Args:
        path: the page; its folder is the output folder.
        run: as in ``report.json``.
        photos: as in ``report.json``, in any order.
        pictures: files of one photo's previews by kind, all below the page's folder; a file that
            cannot be read as a picture is left out.
        placement: where the page may lie, and its rights.

    Raises:
        UnwritableError: the disk's errors.
    """
    from markupsafe import Markup

    rows = worst_first(photos)
    previews = [_readable(pictures(photo)) for photo in rows]
    embed = sum(p.size_on_disk for p in previews) <= EMBEDDED_BYTES
    refer = _data_uri if embed else partial(_relative, path.parent)

    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js")
    )
    page = _template().generate(
        run=run,
        photos=(
            photo_view(
                photo,
                {kind: refer(file) for kind, file in preview.files.items()},
                preview.size,
                preview.middle,
            )
            for photo, preview in zip(rows, previews, strict=True)
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
    with atomic_write(path, placement=placement) as file:
        for piece in page:
            file.write(piece.encode("utf-8"))


@cache
def _template() -> Template:
    """Compile the page's template, once: it takes longer than a small page."""
    # Only a page needs the template engine: --help and runs that fail early do not wait for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        """Make every text printable, except the markup that the template itself makes."""
        if isinstance(value, str) and not isinstance(value, Markup):
            return printable(value)
        return value

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "percent": _percent,
        "duration": _duration,
        "plain": printable,
    }
    return environment.get_template("report.html.j2")


def _policy(style: str, script: str, embed: bool) -> str:
    """Allow this style, this script and pictures: a name that became HTML could run nothing."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    images = "data:" if embed else "data: 'self'"
    inline = f"style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'"
    return f"default-src 'none'; {inline}; img-src {images}; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class _Previews:
    """The readable previews of one photo.

    Attributes:
        files: by kind.
        size_on_disk: bytes of all of them.
        size: (width, height) of the preview before removal; None without one.
        middle: horizontal centre of the mask in [0, 1].
    """

    files: dict[str, Path]
    size_on_disk: int
    size: tuple[int, int] | None
    middle: float


def _readable(files: dict[str, Path]) -> _Previews:
    from PIL import Image

    sizes, size_on_disk, middle = {}, 0, 0.5
    for kind, file in files.items():
        try:
            with Image.open(file) as image:
                if kind == "mask" and (box := image.getbbox()) is not None:
                    middle = (box[0] + box[2]) / 2 / image.width
                size_on_disk += file.stat().st_size
                sizes[kind] = image.size
        except Exception:  # Pillow raises whatever a damaged file leads to, and the page goes on
            continue
    readable = {kind: files[kind] for kind in sizes}
    return _Previews(readable, size_on_disk, sizes.get("before"), middle)


def _data_uri(file: Path) -> str:
    return f"data:{_KINDS[file.suffix]};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _relative(folder: Path, file: Path) -> str:
    """The address of a preview; its name is hexadecimal, so nothing needs escaping."""
    return file.relative_to(folder).as_posix()


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    """Percentage, below 10 % with one decimal: 0.4 % and 4.1 % are different holes."""
    if value is None:
        return "–"
    return f"{value:.0%}" if value >= 0.0995 or value == 0 else f"{max(value, 0.001):.1%}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
