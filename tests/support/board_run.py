"""A run over three photos for the board's tests, and what a person does with it."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from tests.support.scenes import scene


def make_run(root: Path, *, save_masks: bool = True) -> Path:
    """Clean ``photos/`` to ``cleaned/``: three photos, two of them to check."""
    folder = root / "photos"
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(scene(seed=1)).save(folder / "a.png")
    exif = Image.Exif()
    exif[0x010E] = "a description"
    Image.fromarray(scene(seed=2)).save(folder / "b.jpg", quality=92, exif=exif)
    Image.fromarray(scene(seed=3)).save(folder / "deep" / "c.png")
    command(folder, save_masks=save_masks)
    mark(
        root / "cleaned",
        {"a.png": ("review", 0.2), "b.jpg": ("review", 0.7), "deep/c.png": ("ok", 0.9)},
    )
    return root / "cleaned"


def command(
    folder: Path, *, overwrite: bool = False, save_masks: bool = True, **settings: object
) -> list[dict]:
    """Run the command again; returns the report's entries."""
    return remove_folder(
        [folder],
        Settings(probe=False, **settings),
        BatchSettings(classes=("person",), save_masks=save_masks, workers=1, overwrite=overwrite),
        command=f"remove-objects --class person --no-probe --save-masks {folder}",
    ).photos


def mark(cleaned: Path, marks: dict[str, tuple[str, float | None]]) -> None:
    """Change status and score of entries in the report and the journal, as a stricter run would."""

    def marked(entry: dict) -> dict:
        status, score = marks.get(entry["input"], (entry["status"], entry["score"]))
        return {**entry, "status": status, "score": score}

    report = load(cleaned)
    report["photos"] = [marked(p) for p in report["photos"]]
    (cleaned / "report.json").write_text(json.dumps(report))
    lines = [json.loads(line) for line in (cleaned / JOURNAL_NAME).read_text().splitlines()]
    lines = [
        {**line, "entry": marked(line["entry"])} if "entry" in line else line for line in lines
    ]
    (cleaned / JOURNAL_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))


def load(cleaned: Path) -> dict:
    """Read the report."""
    return json.loads((cleaned / "report.json").read_text())


def entry_of(cleaned: Path, name: str) -> dict:
    """Return a photo's entry of the report."""
    (entry,) = [entry for entry in load(cleaned)["photos"] if entry["input"] == name]
    return entry


def review(board: Board, name: str) -> dict:
    """Review a photo as a person does: add a stroke, fill, save."""
    fill(board, name)
    return board.save(name)


def fill(board: Board, name: str) -> None:
    """Add a stroke, and fill."""
    board.stroke(name, [[100, 20], [130, 40]], 6)
    board.fill(name, "auto", False, False)
