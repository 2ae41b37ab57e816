"""``report.html``: one file that opens from the disk, uses no network and trusts no file name.

``pipeline.report.ranking`` orders its list of photos; ``pipeline.report.page_view`` fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..system.atomic import ANYWHERE, Placement, atomic_write
from . import html
from .page_memory import PageMemory
from .page_view import (
    ROUTES,
    TALLY,
    Places,
    charts,
    needs_mending,
    photo_view,
    stage_seconds,
    totals,
)
from .preview_facts import PreviewFacts, Previews
from .previews import LARGE_KINDS
from .ranking import worst_first

if TYPE_CHECKING:
    from markupsafe import Markup

    from .schema import Entry, RunEntry


def write_html(
    path: Path,
    run: RunEntry,
    photos: Sequence[Entry],
    pictures: Callable[[Entry], dict[str, Path]],
    placement: Placement = ANYWHERE,
    places: Places | None = None,
    memory: PageMemory | None = None,
) -> None:
    """Write the page atomically.

    Args:
        path: the page; its folder is the output folder.
        run: as in ``report.json``.
        photos: as in ``report.json``, in any order.
        pictures: files of one photo's previews by kind, all below the page's folder; a file that
            cannot be read as a picture is left out.
        placement: where the page may lie, and its rights.
        places: where the run's files lie; None if it is not known.
        memory: of the page before, which gets what is drawn now; None to draw all.

    Raises:
        UnwritableError: the disk's errors.
    """
    stays = places is not None and places.folder is not None
    facts = PreviewFacts(path.parent if stays else None)
    page = render_html(path.parent, run, photos, pictures, places, memory, facts=facts)
    with atomic_write(path, placement=placement) as file:
        # A template yields hundreds of thousands of small pieces.
        while text := "".join(islice(page, 10_000)):
            file.write(text.encode("utf-8"))
    facts.remember(replace(placement, before=None))


def render_html(
    folder: Path,
    run: RunEntry,
    photos: Sequence[Entry],
    pictures: Callable[[Entry], dict[str, Path]],
    places: Places | None = None,
    memory: PageMemory | None = None,
    *,
    may_embed: bool = True,
    facts: PreviewFacts | None = None,
) -> Iterator[str]:
    """Yield the page in pieces; the other arguments are those of ``write_html``.

    Args:
        folder: the output folder.
        run: as in ``report.json``.
        photos: as in ``report.json``.
        pictures: files of previews.
        places: where the run's files lie.
        memory: as for ``write_html``.
        may_embed: whether the page holds its previews itself if they are small.
        facts: of the previews; None for those that are remembered in ``folder``.
    """
    from markupsafe import Markup

    rows = worst_first(photos)
    places, facts = places or Places(), facts or PreviewFacts(folder)
    if memory is not None:
        memory.forget_others([photo["input"] for photo in rows])
    previews = [facts.of(pictures(photo)) for photo in rows]
    embed = may_embed and sum(p.size_on_disk for p in previews) <= html.EMBEDDED_BYTES
    beside = partial(html.relative, folder)
    refer = html.data_uri if embed else beside

    def drawn(photo: Entry, preview: Previews, card: Callable[[Any], Markup]) -> Markup:
        """Return a photo's card, drawn by the template's ``card`` or remembered."""

        def draw() -> Markup:
            shown = {
                kind: (beside if kind in LARGE_KINDS else refer)(file)
                for kind, file in preview.files.items()
            }
            return card(photo_view(photo, shown, preview.size, preview.middle, places))

        if memory is None:
            return draw()
        source = (places.sources or {}).get(photo["input"])
        others = embed, places.folder, source, mending
        return memory.card(photo, preview.files, others, draw)

    mending = places.mending()
    style = html.text_of("base.css", "report.css", "viewer.css")
    script = html.text_of("viewer.js", "report.js")
    return html.template("report.html.j2").generate(
        run=run,
        photos=(
            partial(drawn, photo, preview) for photo, preview in zip(rows, previews, strict=True)
        ),
        count=len(rows),
        totals=totals(photos),
        charts=charts(photos),
        stages=stage_seconds(photos),
        classes=sorted({c for p in photos for c in p["classes"]}),
        routes=sorted({h["route"] for p in photos for h in p["holes"]}),
        route_names=ROUTES,
        tally=TALLY,
        to_check=sum(needs_mending(p) for p in photos),
        earlier=sum(p["status"] == "skipped" for p in photos),
        style=Markup(style),
        script=Markup(script),
        # The viewer shows files beside the page, wherever the previews are.
        policy=html.policy(style, script, embed=False),
        embedded=embed,
    )
