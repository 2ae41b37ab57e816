"""Claims: they recognise our own files, and none is left when a run ends.

``test_killed.py`` tests that the next run after a crash uses them.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import pytest

from remove_objects.pipeline.batch.journal import Journal, JournalRow
from remove_objects.pipeline.batch.output.claims import (
    CLAIMS,
    Claim,
    claim_name,
    claim_text,
    is_redundant,
    layers_key,
    mask_key,
    recover,
    waiting_layers,
    waiting_mask,
)
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.output.remote import RemoteOutput
from remove_objects.pipeline.batch.output.replaced import versions
from remove_objects.pipeline.errors import UnwritableError
from remove_objects.pipeline.report.entry import photo_entry
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from remove_objects.pipeline.storage.stamp import is_unchanged, mark, stamp
from remove_objects.pipeline.types import Outcome, Status
from tests.support.memory_store import remote

NAME = PurePosixPath("a.png")


@pytest.fixture
def output(tmp_path: Path) -> LocalOutput:
    (tmp_path / "out").mkdir()
    return LocalOutput(tmp_path / "out")


def write_result(output: LocalOutput, key: str, name: PurePosixPath = NAME) -> Path:
    """Write a file under its final name, with its claim."""
    part = output.folder / ".part"
    part.write_bytes(key.encode())
    output.claim(Claim(key, name), part)
    return part.rename(output.folder / name)


def claims(output: LocalOutput) -> set[str]:
    return {p.name for p in (output.folder / CLAIMS).glob("*")}


def test_photo_mask_and_layers_have_claims_that_are_released_together(output: LocalOutput) -> None:
    write_result(output, "a.png")
    write_result(output, mask_key("a.png"), PurePosixPath("mask.png"))
    write_result(output, layers_key("a.png"), PurePosixPath("layers.png"))
    keys = "a.png", mask_key("a.png"), layers_key("a.png")
    assert claims(output) == set(map(claim_name, keys))
    output.release(["a.png"])
    assert claims(output) == set()
    assert (output.folder / CLAIMS).is_dir()  # another thread may be about to write a claim into it
    output.remove_redundant_claims({})
    assert not (output.folder / CLAIMS).exists()


def test_a_claim_stays_while_the_journal_does_not_know_its_file(output: LocalOutput) -> None:
    file = write_result(output, "a.png")
    mask = write_result(output, mask_key("a.png"), PurePosixPath("mask.png"))
    layers = write_result(output, layers_key("a.png"), PurePosixPath("layers.png"))
    row: Any = {"written": [1, 2], "mask_written": stamp(mask), "layers_written": [1, 2]}
    output.remove_redundant_claims({"a.png": row})
    assert claims(output) == {claim_name("a.png"), claim_name(layers_key("a.png"))}
    row["layers_written"] = stamp(layers)
    output.remove_redundant_claims({"a.png": row})
    assert claims(output) == {claim_name("a.png")}
    row["written"] = stamp(file)
    output.remove_redundant_claims({"a.png": row})
    assert not (output.folder / CLAIMS).exists()


def test_a_claim_stays_while_the_photo_is_a_failed_one(output: LocalOutput) -> None:
    """The work failed behind the writing: the row has the file's stamp, and no result."""
    file = write_result(output, "a.png")
    row: Any = {"written": stamp(file), "entry": {"status": "failed", "output": None}}
    output.remove_redundant_claims({"a.png": row})
    assert claims(output) == {claim_name("a.png")}


def test_a_claim_without_a_file_is_removed(output: LocalOutput) -> None:
    write_result(output, "a.png").unlink()
    output.remove_redundant_claims({})
    assert not (output.folder / CLAIMS).exists()


OTHER_TYPES = [
    {"input": 1, "output": "a"},
    {"input": "a", "output": 1},
    {"input": [], "output": "a"},
    {"input": "a", "output": "\0"},
]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        *(json.dumps(claim).encode() for claim in OTHER_TYPES),
    ],
)
def test_a_damaged_claim_is_redundant(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert is_redundant(text, {}, lambda name, old: is_unchanged(tmp_path / name, old))


@pytest.mark.parametrize("is_remote", [False, True])
def test_a_claim_tells_our_own_file_from_a_foreign_one(
    is_remote: bool, memory: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    output = RemoteOutput(remote("memory://out")) if is_remote else LocalOutput(tmp_path / "out")
    part, name = tmp_path / "part", PurePosixPath("a.png")

    def take_the_name() -> None:
        if not is_remote:
            part.replace(tmp_path / "out" / "a.png")

    (tmp_path / "out").mkdir()
    part.write_bytes(b"ours")
    output.claim(Claim("a.png", name), part)
    take_the_name()  # and then the run crashed, before the journal's row
    part.write_bytes(b"ours, again")
    output.claim(Claim("a.png", name), part)
    take_the_name()
    output.release(["a.png"])
    part.write_bytes(b"ours, a third time")
    with pytest.raises(UnwritableError, match="exists and is not"):
        output.claim(Claim("a.png", name), part)
    output.claim(Claim("a.png", name, output.stamp(name)), part)  # the journal knows it


class TestRecover:
    """The board was killed between the result and the journal's row."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / CLAIMS).mkdir()
        (tmp_path / "a.png").write_bytes(b"mended")
        waiting_mask(tmp_path, "a.png").write_bytes(b"drawn")
        waiting_layers(tmp_path, "a.png").write_bytes(b"its layers")
        return tmp_path

    def row(self, folder: Path, name: str = "a.png") -> JournalRow:
        entry = photo_entry(name, Outcome(Status.REVIEW, "mended"), output=name, mask="masks/a.png")
        entry["reviewed"] = True
        return {
            "input": name,
            "identity": None,
            "written": mark(folder / "a.png"),
            "mask_written": mark(waiting_mask(folder, "a.png")),
            "layers_written": mark(waiting_layers(folder, "a.png")),
            "entry": entry,
        }

    def leave_claim(self, folder: Path, row: JournalRow) -> Path:
        claim = folder / CLAIMS / claim_name(row["input"])
        name = PurePosixPath(str(row["entry"]["output"]))
        claim.write_bytes(claim_text(row["input"], name, row.get("written"), None, row))
        return claim

    def test_the_row_is_appended_and_mask_and_layers_take_their_names(self, folder: Path) -> None:
        row = self.row(folder)
        self.leave_claim(folder, row)
        (folder / "masks").mkdir()
        (folder / "masks" / "a.png").write_bytes(b"the run's mask")
        (folder / "masks" / "a.layers.png").write_bytes(b"the run's layers")
        Journal(folder).finish()
        assert recover(folder, Journal(folder)) == ["a.png"]
        journal = Journal(folder)
        assert journal.rows["a.png"] == row
        assert journal.complete
        assert (folder / "masks" / "a.png").read_bytes() == b"drawn"
        assert (folder / "masks" / "a.layers.png").read_bytes() == b"its layers"
        for name, content in (("a.png", b"the run's mask"), ("a.layers.png", b"the run's layers")):
            kept = [v.path.read_bytes() for v in versions(folder, PurePosixPath("masks", name))]
            assert kept == [content]
        assert not (folder / CLAIMS).exists()
        assert recover(folder, journal) == []

    def test_a_claim_that_is_in_the_journal_already_is_removed(self, folder: Path) -> None:
        row = self.row(folder)
        self.leave_claim(folder, row)
        Journal(folder).add(row)
        (folder / "masks").mkdir()
        waiting_mask(folder, "a.png").rename(folder / "masks" / "a.png")
        assert recover(folder, Journal(folder)) == []
        assert len((folder / JOURNAL_NAME).read_text().splitlines()) == 1
        assert not (folder / CLAIMS).exists()

    @pytest.mark.parametrize("is_forged", [False, True])
    def test_what_the_claim_drops_goes_if_it_is_the_photos_own(
        self, folder: Path, is_forged: bool
    ) -> None:
        row = self.row(folder)
        row["entry"]["mask"] = None
        (folder / "masks").mkdir()
        own = ["masks/a.png", "masks/a.layers.png"]
        names = ["masks/b.png", "masks/b.layers.png"] if is_forged else own
        for name in names:
            (folder / name).write_bytes(name.encode())
        dropped = [(PurePosixPath(name), mark(folder / name)) for name in names]
        text = claim_text("a.png", NAME, row.get("written"), None, row, dropped)
        (folder / CLAIMS / claim_name("a.png")).write_bytes(text)
        assert recover(folder, Journal(folder)) == ["a.png"]
        for name in names:
            assert (folder / name).exists() == is_forged
            kept = [v.path.read_bytes() for v in versions(folder, PurePosixPath(name))]
            assert kept == ([] if is_forged else [name.encode()])

    def test_what_waits_without_a_claim_is_removed(self, folder: Path) -> None:
        assert recover(folder, Journal(folder)) == []
        assert not (folder / CLAIMS).exists()

    def test_nothing_is_recovered_for_another_file(self, folder: Path) -> None:
        self.leave_claim(folder, self.row(folder))
        (folder / "a.png").write_bytes(b"the earlier result")
        assert recover(folder, Journal(folder)) == []
        assert not (folder / "masks").exists()
        assert not (folder / JOURNAL_NAME).exists()

    @pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "deep/../../a.png"])
    def test_a_claim_names_no_file_outside_the_folder(self, folder: Path, name: str) -> None:
        row = self.row(folder, name)
        self.leave_claim(folder, row)
        assert recover(folder, Journal(folder)) == []

    def test_links_are_not_followed(self, folder: Path) -> None:
        elsewhere = folder.parent / "elsewhere"
        elsewhere.mkdir()
        (folder / "masks").symlink_to(elsewhere)
        self.leave_claim(folder, self.row(folder))
        with pytest.raises(UnwritableError, match="link"):
            recover(folder, Journal(folder))
        assert list(elsewhere.iterdir()) == []
        (folder / "masks").unlink()
        (folder / CLAIMS).rename(elsewhere / "claims")
        (folder / CLAIMS).symlink_to(elsewhere / "claims")
        assert recover(folder, Journal(folder)) == []

    @pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"row": {}}', b'{"row": 1}'])
    def test_a_damaged_claim_is_ignored(self, folder: Path, text: bytes) -> None:
        (folder / CLAIMS / claim_name("a.png")).write_bytes(text)
        assert recover(folder, Journal(folder)) == []
