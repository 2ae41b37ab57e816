"""The page as text: what it says, its order, and that no name becomes part of its markup."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UnwritableError
from remove_objects.pipeline.report import html, previews
from remove_objects.pipeline.report import page as report_html
from remove_objects.pipeline.report.files import write_reports
from remove_objects.pipeline.report.page_view import address
from remove_objects.pipeline.types import LAYER_COLOURS, Layer, Photo
from tests.support.pages import RUN, entry, hole, outcome, write_page
from tests.support.scenes import scene

#: Names, and the text that the page shows for them.
HOSTILE = {
    "<img src=x onerror=alert(1)>.jpg": "<img src=x onerror=alert(1)>.jpg",
    '"><script>alert(1)</script>.jpg': '"><script>alert(1)</script>.jpg',
    "'onmouseover='alert(1).jpg": "'onmouseover='alert(1).jpg",
    "a\nb\r\x1b.jpg": r"a\nb\r\x1b.jpg",
    "evil\u202egpj.exe.jpg": r"evil\u202egpj.exe.jpg",
    "broken\udcff.jpg": r"broken\udcff.jpg",
    "{{ 7 * 7 }}{% raw %}.jpg": "{{ 7 * 7 }}{% raw %}.jpg",
    "</style></script><!--.jpg": "</style></script><!--.jpg",
    "</noscript><script>alert(1)</script>.jpg": "</noscript><script>alert(1)</script>.jpg",
    "javascript:alert(1).jpg": "javascript:alert(1).jpg",
    "שלום 🙂 #1?&amp;.jpg": "שלום 🙂 #1?&amp;.jpg",
}


class Page(HTMLParser):
    """The tags of a page with their attributes, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)

    def of(self, tag: str, css: str | None = None) -> list[dict[str, str | None]]:
        """The attributes of every ``tag``, or of those with a CSS class."""
        return [
            a
            for t, a in self.tags
            if t == tag and (css is None or css in (a.get("class") or "").split())
        ]

    @property
    def pictures(self) -> list[dict[str, str | None]]:
        """The attributes of the photos' pictures; those of the viewer have a name of their own."""
        return [a for a in self.of("img") if "id" not in a]

    @property
    def names(self) -> list[str | None]:
        """The names of the photos in their order."""
        return [a["data-name"] for a in self.of("article")]

    @property
    def text(self) -> str:
        """All texts with single spaces."""
        return " ".join(" ".join(self.texts).split())


def page(folder: Path, photos: list[dict[str, Any]], run: dict[str, Any] | None = None) -> Page:
    """Write a page and parse it."""
    return Page(write_page(folder, photos, run).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "shown"), HOSTILE.items())
def test_a_name_is_text_everywhere_on_the_page(tmp_path: Path, name: str, shown: str) -> None:
    def everywhere(text: str) -> list[dict[str, Any]]:
        holes = [hole(why=text, compare={text: {"seam": 1.0, "probe": None}})]
        return [entry(text, reason=text, warnings=[text], mask=f"masks/{text}", holes=holes)]

    # The same markup as for a plain name: the same tags with the same attributes. A slash makes a
    # folder, which has a tag of its own.
    plain = page(tmp_path / "plain", everywhere("x/" * name.count("/") + "x.jpg"), {"command": "x"})
    odd = page(tmp_path / "odd", everywhere(name), {"command": name})
    assert [(t, sorted(a)) for t, a in odd.tags] == [(t, sorted(a)) for t, a in plain.tags]
    assert odd.names == [shown]
    assert odd.text.count(shown) >= 5  # command, reason, warning, method, why
    assert {a["href"] for a in odd.of("a") if a.get("class") != "skip"} == {
        address(name),
        address(f"masks/{name}"),
    }


def test_the_page_says_what_the_report_says(tmp_path: Path) -> None:
    compare = {
        "navier-stokes": {
            "seam": 0.77,
            "probe": {"l1": 0.2, "psnr": 18.0, "ssim": 0.4, "lpips": 0.333},
        }
    }
    truth = {"l1": 0.1, "psnr": 20.5, "ssim": 0.5, "lpips": 0.0321}
    rgb = scene()
    previews.write(tmp_path, "deep/b.jpg", Photo(rgb), outcome(rgb))
    photos = [
        entry(
            "deep/b.jpg",
            "review",
            score=0.25,
            left_outside=0.42,
            layers={"object": 0.021, "shadow": 0.0047},
            truth=truth,
            reason="a seam",
            figures="the seam is 2.5 (to check above 2)",
            holes=[hole(2.5, 0.2, score=0.25, compare=compare)],
        ),
        entry("c.jpg", "failed"),
    ]
    parsed = page(
        tmp_path,
        photos,
        {"warnings": ["LPIPS is unavailable"], "settings": RUN["settings"] | {"threshold": 0.4}},
    )
    assert parsed.names == ["c.jpg", "deep/b.jpg"]
    for said in (
        "2 photos",
        "1 not done",
        "1 to check",
        "Check this one : a seam",
        "the seam is 2.5 (to check above 2)",
        "How sure not sure",
        "1 min 23 s on cpu",
        "1.2.3",
        "LPIPS is unavailable",
        "0.4",
        "0" * 64,
        "damaged",
        "a seam",
        "0.250",
        "left beside",
        "42%",
        "object 2.1%",
        "shadow 0.5%",
        "2.50",
        "0.200",
        "0.032",
        "20.5 dB",
        "Navier–Stokes",
        "0.333",
        "nothing else fits",
        "20 × 30 pixels at 60, 40",
        "could not be read",
        "person 2.0%",
        "Do not publish",
    ):
        assert said in parsed.text, said
    # Figures are behind a fold, and charts, settings and notes behind others.
    assert all("open" not in a for a in parsed.of("details"))
    swatches = [a["fill"] for a in parsed.of("rect") if "fill" in a]
    assert swatches == [
        "#" + bytes(LAYER_COLOURS[layer]).hex() for layer in (Layer.OBJECT, Layer.SHADOW)
    ]
    # The hole's middle, (60 + 10) / 160.
    assert [a["value"] for a in parsed.of("input") if "id" not in a] == ["44"]


def test_a_metric_that_was_not_measured_is_not_shown(tmp_path: Path) -> None:
    text = write_page(tmp_path, [entry("a.jpg", holes=[hole(None, None)], residue=None)]).read_text(
        encoding="utf-8"
    )
    (metrics,) = re.findall(r'<dl class="metrics">(.*?)</dl>', text, re.DOTALL)
    assert re.findall("<dt>(.*?)</dt>", metrics) == ["holes", "outside", "time"]
    parsed = Page(text)
    assert "None" not in parsed.text
    assert [a["class"] for a in parsed.of("figure")] == ["chart stages"]


def test_a_hole_says_which_photos_it_borrowed_from(tmp_path: Path) -> None:
    """A line for each hole that did, with the largest share first, and names that are only text."""
    hostile = "<img src=x onerror=alert(1)>\n.jpg"
    holes = [
        hole(borrowed={"day/IMG_101.jpg": 0.18, "day/IMG_102.jpg": 0.82}),
        hole(),
        hole(borrowed={hostile: 0.034}),
    ]
    text = write_page(tmp_path, [entry("a.jpg", holes=holes)]).read_text("utf-8")
    page = Page(text)
    assert len(page.of("tr", "borrowed")) == 2
    first = "82% from day/IMG_102.jpg, 18% from day/IMG_101.jpg: other photos of the place"
    second = r"3.4% from <img src=x onerror=alert(1)>\n.jpg: another photo of the place"
    assert page.text.count(first) == page.text.count(second) == 1
    assert page.text.index(first) < page.text.index(second)
    assert not page.pictures
    assert (
        "of the place" not in Page(write_page(tmp_path, [entry("a.jpg")]).read_text("utf-8")).text
    )


def test_the_run_tells_the_page_where_its_files_are(tmp_path: Path, red_is_person: None) -> None:
    photos, out = tmp_path / "ü #1", tmp_path / "clean 'ed"
    photos.mkdir()
    Image.fromarray(scene()).save(photos / "a b.png")
    (photos / "not a photo.jpg").write_bytes(b"")
    batch = BatchSettings(classes=("person",), output=out, workers=1, save_masks=True)
    remove_folder([photos], Settings(probe=False), batch)
    page = Page((out / "report.html").read_text(encoding="utf-8"))
    links = [(a["class"], a["href"]) for a in page.of("a") if a.get("class") != "skip"]
    assert sorted(links) == [
        ("original", "../%C3%BC%20%231/a%20b.png"),
        ("original", "../%C3%BC%20%231/not%20a%20photo.jpg"),
        ("result", "a%20b.png"),
        ("saved-mask", "masks/a%20b.png"),
    ]
    for _, href in links:
        assert (out / unquote(href or "")).is_file()


def test_what_needs_mending_has_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    photos = [
        entry("a.jpg", "review"),
        entry("b.jpg", "review", reviewed=True),
        entry("c.jpg", "failed"),
        entry("d.jpg", "failed", hole_share=0.95),
        entry("e.jpg", "skipped", earlier_status="review"),
        entry("f.jpg", "skipped", earlier_status="ok"),
        entry("g.jpg"),
    ]
    write_reports(folder, RUN, photos)
    text = (folder / "report.html").read_text("utf-8")
    commands = re.findall('class="mend">.*?<code>(.*?)</code>', text)
    assert len(commands) == 3
    shown = Page(commands[0]).text
    assert shlex.split(shown)[-1] == str(folder.resolve())
    assert "mask-board" in shown or "remove_objects.pipeline.board.cli" in shown
    assert "3 of 7 photos to check" in Page(text).text
    # What goes to a bucket is not where it was written.
    write_reports(folder, RUN, photos, {"a.jpg": str(tmp_path / "a.jpg")}, stays=False)
    text = (folder / "report.html").read_text("utf-8")
    assert 'class="mend"' not in text
    assert 'class="original"' not in text


def test_an_empty_run_has_a_page(tmp_path: Path) -> None:
    assert "0 photos" in page(tmp_path, []).text


def test_previews_are_embedded_up_to_a_size_and_files_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb = scene(300, 400)
    for name in ("a.jpg", "b.jpg"):
        previews.write(tmp_path, name, Photo(rgb), outcome(rgb))
    photos = [
        entry(n, holes=[hole(compare={"navier-stokes": {"seam": 1.0, "probe": None}})])
        for n in ("a.jpg", "b.jpg")
    ]
    files = list((tmp_path / "report_files").iterdir())
    total = sum(f.stat().st_size for f in files)
    monkeypatch.setattr(html, "EMBEDDED_BYTES", total)
    sources = [a["src"] or "" for a in page(tmp_path, photos).pictures if "src" in a]
    assert {base64.b64decode(s.split(",")[1]) for s in sources} == {f.read_bytes() for f in files}
    assert len(sources) == 8  # each once
    assert "contains the photos" in page(tmp_path, photos).text
    monkeypatch.setattr(html, "EMBEDDED_BYTES", total - 1)
    beside = page(tmp_path, photos)
    assert sorted(a["src"] or "" for a in beside.pictures if "src" in a) == sorted(
        f"report_files/{f.name}" for f in files
    )
    assert "shows the photos" in beside.text


@pytest.mark.parametrize("embed", [True, False])
def test_the_policy_allows_this_style_this_script_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embed: bool
) -> None:
    monkeypatch.setattr(html, "EMBEDDED_BYTES", 12_000_000 if embed else -1)
    text = write_page(tmp_path, [entry("a.jpg")]).read_text(encoding="utf-8")
    parsed = Page(text)
    policy = (
        next(
            a["content"]
            for a in parsed.of("meta")
            if a.get("http-equiv") == "Content-Security-Policy"
        )
        or ""
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    hashes = {}
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        hashes[tag] = (
            "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + "'"
        )
    assert rules == {
        "default-src": "'none'",
        "style-src": hashes["style"],
        "script-src": hashes["script"],
        "img-src": "data: 'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    addresses = [
        v or "" for _, a in parsed.tags for k, v in a.items() if k in ("src", "href", "srcset")
    ]
    assert [
        v for v in addresses if not v.startswith(("data:", "#", "report_files/", "a.jpg"))
    ] == []
    assert not [a for _, a in parsed.tags if "style" in a]  # the policy would refuse it


def test_a_damaged_preview_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = scene()
    previews.write(tmp_path, "a.jpg", Photo(rgb), outcome(rgb))
    files = previews.find(tmp_path, "a.jpg")
    files["after"].write_bytes(b"cut short")
    assert len(page(tmp_path, [entry("a.jpg")]).pictures) == 2
    with monkeypatch.context() as patch:
        # Pillow raises whatever a damaged file leads to.
        patch.setattr("PIL.WebPImagePlugin.WebPImageFile.load", lambda *_: 1 // 0)
        assert len(page(tmp_path, [entry("a.jpg")]).pictures) == 1
    files["before"].write_bytes(b"")
    gone = page(tmp_path, [entry("a.jpg")])
    assert gone.pictures == []
    assert "not in report_files" in gone.text


def test_a_page_that_cannot_be_written_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = write_page(tmp_path, [entry("a.jpg")]).read_bytes()
    monkeypatch.setattr(report_html, "photo_view", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_page(tmp_path, [entry("b.jpg")])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.undo()
    monkeypatch.setattr("remove_objects.pipeline.system.confined.OpenFolder.replace", full)
    with pytest.raises(UnwritableError, match="No space left"):
        write_page(tmp_path, [entry("b.jpg")])
    assert (tmp_path / "report.html").read_bytes() == earlier
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_stopped_run_writes_its_page(tmp_path: Path, red_is_person: None) -> None:
    for i in range(4):
        Image.fromarray(scene(seed=i)).save(tmp_path / f"{i}.png")

    def stop(_: int, done: dict[str, Any] | None) -> None:
        if done is not None:
            raise KeyboardInterrupt

    batch, out = (
        BatchSettings(classes=("person",), output=tmp_path / "out", workers=1),
        tmp_path / "out",
    )
    assert remove_folder([tmp_path], Settings(probe=False), batch, progress=stop).stopped
    first = Page((out / "report.html").read_text(encoding="utf-8"))
    assert len(first.names) == 1
    assert "stopped by the user" in first.text
    assert (out / "report.csv").read_text().count("\n") == 2
    remove_folder([tmp_path], Settings(probe=False), batch)
    again = Page((out / "report.html").read_text(encoding="utf-8"))
    assert len(again.names) == 4
    assert len(again.of("img", "after")) == 4


def test_only_methods_of_the_entry_are_compared(tmp_path: Path) -> None:
    rgb = scene()
    # With a preview of Navier-Stokes, which the entry does not mention.
    previews.write(tmp_path, "a.jpg", Photo(rgb), outcome(rgb))
    assert page(tmp_path, [entry("a.jpg")]).of("div", "compare") == []


def test_the_template_engine_is_loaded_only_for_a_page() -> None:
    script = "import sys, remove_objects.pipeline.batch.run; assert 'jinja2' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_templates_schema_and_the_boards_page_are_packed() -> None:
    import tomllib

    root = Path(__file__).parents[3]
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    packed = {
        file.name
        for room in ("board", "report")
        for pattern in settings["package-data"][f"remove_objects.pipeline.{room}"]
        for file in (root / "pipeline" / room).glob(pattern)
    }
    templates = {"report.html.j2", "report.css", "report.js", "base.css"}
    templates |= {"viewer.css", "viewer.js"}
    templates |= {"preview.html.j2", "preview.css", "preview.js"}
    page = {p.name for p in (root / "pipeline" / "board" / "page").iterdir()}
    assert {"board.html", "board.css", "board.js"} <= page
    assert packed == {"schema.json", "summary.json", *templates, *page}
