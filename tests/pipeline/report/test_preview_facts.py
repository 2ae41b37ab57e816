"""The page decodes each preview once, and again only if its file changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from remove_objects.pipeline.report import preview_facts, previews
from remove_objects.pipeline.report.files import write_reports
from remove_objects.pipeline.report.preview_facts import NAME, PreviewFacts
from remove_objects.pipeline.storage.layout import OWN
from tests.support.pages import RUN, many


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded; a few are already remembered."""
    names: list[str] = []
    real = preview_facts._decoded

    def counted(kind: str, file: Path) -> Any:
        names.append(file.name)
        return real(kind, file)

    monkeypatch.setattr(preview_facts, "_decoded", counted)
    monkeypatch.setattr(preview_facts, "LEAST", 10)
    return names


def test_each_preview_is_decoded_once(tmp_path: Path, decoded: list[str]) -> None:
    photos = many(tmp_path, 14)
    page = tmp_path / "report.html"
    write_reports(tmp_path, RUN, photos, {})
    first, count = page.read_bytes(), len(decoded)
    assert count == len(list((tmp_path / "report_files").iterdir()))
    write_reports(tmp_path, RUN, photos, {})
    assert len(decoded) == count
    assert page.read_bytes() == first
    # Of one that changed, the facts are told anew.
    file = previews.find(tmp_path, photos[0]["input"])["mask"]
    Image.new("RGBA", (360, 270), (255, 0, 0, 90)).save(file, lossless=True)
    write_reports(tmp_path, RUN, photos, {})
    assert decoded[count:] == [file.name]
    assert page.read_bytes() != first
    # And what is damaged is left out, and looked at again each time.
    file.write_bytes(b"no picture")
    write_reports(tmp_path, RUN, photos, {})
    write_reports(tmp_path, RUN, photos, {})
    assert decoded[count + 1 :] == [file.name] * 2


def test_rows_of_photos_that_are_gone_go(tmp_path: Path, decoded: list[str]) -> None:
    photos = many(tmp_path, 28)
    write_reports(tmp_path, RUN, photos, {})
    remembered = tmp_path / OWN / NAME
    all_rows = json.loads(remembered.read_bytes())
    write_reports(tmp_path, RUN, photos[:14], {})
    assert 10 < len(json.loads(remembered.read_bytes())) < len(all_rows)


def test_of_a_few_nothing_is_remembered(tmp_path: Path) -> None:
    write_reports(tmp_path, RUN, many(tmp_path, 7), {})
    assert not (tmp_path / OWN).exists()


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[1, 2]",
        "\udcff",
        '{"MASK": [SIZE, 5, 3]}',
        '{"MASK": [SIZE, 5, 360, 1000000000, 0.5]}',
        '{"MASK": [SIZE, 5, 360, 270, 7.5]}',
        '{"MASK": [SIZE, 5, 360, 270, "<script>"]}',
        '{"MASK": [SIZE, 5, true, 270, 0.5]}',
        '{"MASK": [SIZE, 6, 360, 270, 0.5]}',
    ],
)
def test_what_is_damaged_forged_or_old_is_not_believed(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "report_files"
    folder.mkdir()
    mask = Image.new("RGBA", (40, 30))
    mask.save(folder / "a-before.webp", lossless=True)
    mask.paste((255, 0, 0, 90), (20, 0, 40, 30))
    file = folder / "a-mask.webp"
    mask.save(file, lossless=True)
    os.utime(file, ns=(5, 5))
    (tmp_path / OWN).mkdir()
    forged = content.replace("MASK", file.name).replace("SIZE", str(file.stat().st_size))
    (tmp_path / OWN / NAME).write_bytes(forged.encode("utf-8", "surrogateescape"))
    facts = PreviewFacts(tmp_path).of({"before": folder / "a-before.webp", "mask": file})
    assert facts.size == (40, 30)
    assert facts.middle == 0.75


def test_a_link_is_neither_read_nor_written_through(tmp_path: Path, decoded: list[str]) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"{}")
    out = tmp_path / "out"
    photos = many(out, 14)
    (out / OWN).mkdir()
    (out / OWN / NAME).symlink_to(secret)
    write_reports(out, RUN, photos, {})
    assert secret.read_bytes() == b"{}"
