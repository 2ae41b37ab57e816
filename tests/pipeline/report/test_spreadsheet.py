"""The table: one row for each hole, cells that no spreadsheet runs, UTF-8 for every name."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from remove_objects.pipeline.errors import UnwritableError
from remove_objects.pipeline.report.spreadsheet import HOLE, write_csv
from tests.support.pages import entry, hole


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a table by column."""
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


def test_every_hole_has_a_row_and_a_photo_without_holes_has_one(tmp_path: Path) -> None:
    compare = {
        "telea": {"seam": 0.7, "probe": {"l1": 0.2, "psnr": 18.0, "ssim": 0.4, "lpips": None}}
    }
    holes = [hole(1.5, 0.2, "edge", score=0.25, compare=compare), hole(None, None)]
    truth = {"l1": 0.1, "psnr": 20.5, "ssim": 0.5, "lpips": 0.03}
    photos = [
        entry(
            "b.jpg",
            "review",
            holes=holes,
            score=0.25,
            left_outside=0.42,
            layers={"object": 0.2, "shadow": 0.015},
            truth=truth,
            classes={"person": 0.1, "dog": 0.2},
            warnings=["one", "two"],
        ),
        entry("a.jpg", "unchanged", holes=[]),
        entry("c.jpg", "failed", holes=[], reason="not a picture", fidelity=None),
    ]
    write_csv(tmp_path / "report.csv", photos)
    first, second, third, fourth = read(tmp_path / "report.csv")
    assert (first["input"], first["status"]) == ("a.jpg", "unchanged")
    assert (fourth["input"], fourth["status"]) == ("c.jpg", "failed")
    assert fourth["reason"] == "not a picture"
    for without in (first, fourth):
        of_hole = {k: v for k, v in without.items() if k in HOLE or "probe_" in k or "telea" in k}
        assert len(of_hole) > len(HOLE)
        assert set(of_hole.values()) == {""}
    assert [second["hole"], third["hole"]] == ["1", "2"]
    assert (second["residue"], second["left_outside"]) == ("0.0", "0.42")
    assert (second["shadow"], second["reflection"]) == ("0.015", "")
    assert {second["input"], third["input"]} == {"b.jpg"}
    assert [second[k] for k in ("x", "y", "w", "h", "share", "seam", "hole_score")] == [
        "60",
        "40",
        "20",
        "30",
        "0.03",
        "1.5",
        "0.25",
    ]
    assert [second[f"probe_{k}"] for k in ("l1", "psnr", "ssim", "lpips")] == [
        "0.05",
        "22.5",
        "0.7",
        "0.2",
    ]
    assert [second[f"telea_{k}"] for k in ("seam", "probe_l1", "probe_psnr", "probe_lpips")] == [
        "0.7",
        "0.2",
        "18.0",
        "",
    ]
    assert [second[k] for k in ("depth", "structure", "variety", "certainty")] == [
        "0.1",
        "0.02",
        "",
        "0.9",
    ]
    assert (second["route"], third["route"]) == ("edge", "free-form")
    assert {v for k, v in third.items() if k.startswith(("probe_", "telea_")) or k == "seam"} == {
        ""
    }
    assert [second[f"truth_{k}"] for k in ("l1", "psnr", "ssim", "lpips")] == [
        "0.1",
        "20.5",
        "0.5",
        "0.03",
    ]
    assert (second["score"], second["classes"], second["warnings"], second["changed_outside"]) == (
        "0.25",
        "person dog",
        "one; two",
        "0",
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_name_becomes_a_formula(tmp_path: Path, start: str) -> None:
    name = f'{start}cmd|"/C calc"!A1.jpg'
    write_csv(tmp_path / "report.csv", [entry(name, holes=[hole(why=f"{start}1")])])
    (row,) = read(tmp_path / "report.csv")
    assert (row["input"], row["output"], row["why"]) == (f"'{name}", f"'{name}", f"'{start}1")


#: The starts of formulas in any spreadsheet.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cells(text: str, separator: str) -> list[str]:
    """Split a table as a lenient program does that guessed ``separator``.

    A quote opens a quoted part at a cell's start only; what follows the closing quote is appended.
    A line ends at any line break outside a quoted part.
    """
    found, at = [], 0
    while at < len(text):
        cell = ""
        if text[at] == '"':
            at += 1
            while at < len(text):
                if text[at] == '"':
                    at += 1
                    if text[at : at + 1] != '"':
                        break
                cell += text[at]
                at += 1
        while at < len(text) and text[at] not in (separator, "\r", "\n"):
            cell += text[at]
            at += 1
        at += 1
        found.append(cell)
    return found


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ":", " "])
def test_no_part_of_a_name_becomes_a_formula_whichever_separator_is_guessed(
    separator: str, tmp_path: Path
) -> None:
    starts = ["=", "+", "-", "@", "＝", "＋", "－", "＠"]
    between = [separator, f"{separator}'", f'{separator}"', f'{separator}""', f'"{separator}']
    between += ["\n", "\r", f"{separator} ", f"{separator}\n", f"{separator}{separator}"]
    names = [f"a{gap}{start}HYPERLINK(1){end}" for gap in between for start in starts for end in
             ("", '"', separator)]  # fmt: skip
    names += [f"{start}{gap}" for gap in between for start in starts]
    write_csv(tmp_path / "report.csv", [entry(n, holes=[hole(why=n)]) for n in names])
    found = cells((tmp_path / "report.csv").read_bytes().decode(), separator)
    numbers = re.compile(r"[-+]?[0-9.e-]+(,.*)?", re.DOTALL)
    assert [
        c for c in found if c.lstrip(" ").startswith(FORMULA) and not numbers.fullmatch(c)
    ] == []


@pytest.mark.parametrize("name", ["photo - Copy.jpg", "a-b=c@d+e.jpg", "x/-1.jpg", "it's.jpg"])
def test_ordinary_names_stay_as_they_are(name: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "report.csv", [entry(name, holes=[hole()])])
    assert read(tmp_path / "report.csv")[0]["input"] == name


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    probe = {"l1": 0.5, "psnr": -1.5, "ssim": -0.2, "lpips": 0.9}
    write_csv(tmp_path / "report.csv", [entry("a.jpg", holes=[hole(probe=probe)])])
    (row,) = read(tmp_path / "report.csv")
    assert (row["probe_psnr"], row["probe_ssim"]) == ("-1.5", "-0.2")


def test_an_odd_name_comes_back_and_broken_bytes_are_escaped(tmp_path: Path) -> None:
    names = ['a\nb, "c".jpg', "b\udcff.jpg", "ü🙂.jpg"]
    write_csv(tmp_path / "report.csv", [entry(n, holes=[hole()]) for n in names])
    assert [r["input"] for r in read(tmp_path / "report.csv")] == [
        names[0],
        "b\\udcff.jpg",
        names[2],
    ]


def test_the_table_is_written_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("remove_objects.pipeline.system.confined.OpenFolder.replace", full)
    with pytest.raises(UnwritableError):
        write_csv(tmp_path / "report.csv", [entry("a.jpg")])
    assert list(tmp_path.iterdir()) == []
