"""A page that remembers the one before is the page that a run would write anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remove_objects.pipeline.report import page as report_html
from remove_objects.pipeline.report import page_memory, previews
from remove_objects.pipeline.report.files import write_reports
from remove_objects.pipeline.report.page_memory import PageMemory
from tests.support.pages import RUN, entry, many

Entries = list[dict[str, Any]]


def decide(folder: Path, photos: Entries) -> None:
    """A person accepts a result at the board."""
    photos[1] = {**photos[1], "reviewed": True, "decision": "accepted"}


def mend(folder: Path, photos: Entries) -> None:
    """A result is saved anew: its preview changes, and nothing in its entry but a figure."""
    file = previews.place(folder, photos[2]["input"], "after")
    other = previews.place(folder, photos[4]["input"], "after").read_bytes()
    times = file.stat().st_mtime_ns
    file.with_suffix(".new").write_bytes(other)
    os.replace(file.with_suffix(".new"), file)
    os.utime(file, ns=(times, times))  # only size and inode tell it apart


def lose(folder: Path, photos: Entries) -> None:
    """A photo goes, and another one comes."""
    photos.pop(0)
    photos.append(entry("new\udcff.jpg", "failed"))


def clear(folder: Path, photos: Entries) -> None:
    """Somebody deletes a preview."""
    previews.place(folder, photos[4]["input"], "before").unlink()


@pytest.mark.parametrize("change", [decide, mend, lose, clear])
@pytest.mark.parametrize("embeds", [True, False])
def test_what_changed_is_drawn_anew_and_nothing_else(
    change: Callable[[Path, Entries], None],
    embeds: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not embeds:
        monkeypatch.setattr(report_html.html, "EMBEDDED_BYTES", 0)
    drawn: list[str] = []
    real = report_html.photo_view

    def noted(photo: Any, *more: Any) -> Any:
        drawn.append(photo["input"])
        return real(photo, *more)

    monkeypatch.setattr(report_html, "photo_view", noted)
    photos, memory = many(tmp_path, 6), PageMemory()
    sources = {photo["input"]: str(tmp_path / "photos" / photo["input"]) for photo in photos}
    write_reports(tmp_path, RUN, photos, sources, memory)
    assert len(drawn) == 6
    drawn.clear()
    write_reports(tmp_path, RUN, photos, sources, memory)
    assert drawn == []
    change(tmp_path, photos)
    write_reports(tmp_path, RUN, photos, sources, memory)
    assert len(drawn) == 1
    remembered = (tmp_path / "report.html").read_bytes()
    write_reports(tmp_path, RUN, photos, sources)
    assert (tmp_path / "report.html").read_bytes() == remembered
    # An original that lies elsewhere now is another link.
    drawn.clear()
    moved = {**sources, photos[1]["input"]: str(tmp_path / "elsewhere.jpg")}
    write_reports(tmp_path, RUN, photos, moved, memory)
    assert drawn == [photos[1]["input"]]


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    photos, memory = many(tmp_path, 3), PageMemory()
    write_reports(tmp_path, RUN, photos, None, memory)
    write_reports(tmp_path, RUN, photos[:1], None, memory)
    assert len(memory._cards) == 1


def test_no_more_than_a_bound_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_memory, "MOST", 2)
    photos, memory = many(tmp_path, 4), PageMemory()
    pages = set()
    for _ in range(3):
        write_reports(tmp_path, RUN, photos, None, memory)
        pages.add((tmp_path / "report.html").read_bytes())
        assert len(memory._cards) == 2
    assert len(pages) == 1


def test_the_json_is_indented_as_python_does_it(tmp_path: Path) -> None:
    photos = [entry("b\udcff.jpg"), entry("ü🙂\n\u2028.jpg", warnings=[], classes={}, score=1e-7)]
    content = write_reports(tmp_path, RUN, photos).read_bytes()
    report = json.loads(content.decode("utf-8", "surrogateescape"))
    assert [photo["input"] for photo in report["photos"]] == [p["input"] for p in photos]
    text = json.dumps(report, indent=1, ensure_ascii=False)
    assert content == text.encode("utf-8", "surrogateescape")
