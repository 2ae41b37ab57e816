"""What the pages have in common: templates, policy, style and script, addresses of pictures.

A page is one file that opens from the disk, uses no network and trusts no file name.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..system.text import printable

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"
#: Up to this many bytes of previews are embedded in the page. With more it would open slowly, so
#: they stay files beside it.
EMBEDDED_BYTES = 12_000_000
_KINDS = {".jpeg": "image/jpeg", ".webp": "image/webp"}


def text_of(*names: str) -> str:
    """The text of styles or scripts, one after the other."""
    return "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)


@cache
def template(name: str) -> Template:
    """Compile a page's template, once: it takes longer than a small page."""
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
    return environment.get_template(name)


def policy(style: str, script: str, embed: bool) -> str:
    """Allow this style, this script and pictures: a name that became HTML could run nothing."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    images = "data:" if embed else "data: 'self'"
    inline = f"style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'"
    return f"default-src 'none'; {inline}; img-src {images}; base-uri 'none'; form-action 'none'"


def data_uri(file: Path) -> str:
    """A preview as an address that holds it."""
    return f"data:{_KINDS[file.suffix]};base64,{base64.b64encode(file.read_bytes()).decode()}"


def relative(folder: Path, file: Path) -> str:
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
