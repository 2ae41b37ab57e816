"""The journal: rows survive crashes, full disks and failed uploads; damaged rows are ignored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec
import pytest

from remove_objects.pipeline.batch.journal import Journal, row_line
from remove_objects.pipeline.batch.output.remote import RemoteJournal
from remove_objects.pipeline.batch.worker import failed_entry
from remove_objects.pipeline.errors import OutputError, UnwritableError
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from remove_objects.pipeline.storage.location import RemotePath
from remove_objects.pipeline.storage.stamp import stamp
from tests.support.memory_store import remote
from tools.faults.points import ended, limit_files, start

FACTS = {"weights": {"compact-segmenter": "0" * 64}, "warnings": [], "device": "cuda"}


def row(name: str, identity: str = "", **more: Any) -> dict[str, Any]:
    return {"input": name, "identity": identity, "entry": failed_entry(name, "damaged"), **more}


def test_rows_are_read_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.add(row("a", "1")) == ["a"]  # durable at once
    journal.add(row("deep/b", "2"))
    again = Journal(tmp_path)
    assert again.rows == journal.rows
    assert list(again.rows) == ["a", "deep/b"]
    assert not again.complete


def test_a_later_row_replaces_an_earlier_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for identity in ("1", "2"):
        journal.add(row("a", identity))
    assert Journal(tmp_path).rows["a"]["identity"] == "2"


def test_a_journal_that_was_removed_meanwhile_still_holds_the_settings(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    made = {"made_with": "x", "settings": {"dilate": 3}}
    journal.add(row("a", **made))
    journal.path.unlink()
    journal.add(row("b", **made))
    journal.add(row("c", **made))
    again = Journal(tmp_path)
    assert (set(again.rows), again.settings) == ({"b", "c"}, {"x": {"dilate": 3}})
    assert journal.path.read_bytes().count(b"dilate") == 1


def test_a_completed_run_is_an_earlier_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add(row("a", facts={"device": "cpu"}))
    journal.finish()
    again = Journal(tmp_path)
    assert (again.complete, again.earlier, again.facts) == (True, {"a"}, [])
    again.add(row("b", facts=FACTS))
    later = Journal(tmp_path)
    assert (later.complete, later.earlier) == (False, {"a"})
    assert later.facts == [FACTS]
    later.add(row("a", "2"))
    assert later.earlier == set()


@pytest.mark.parametrize(
    "damaged",
    [
        b'{"input": "b", "entry": {"inp',
        b"[" * 100_000,
        b"[]",
        b"null",
        b'{"input": "b"}',
        json.dumps({"input": "b", "entry": {"input": "b"}}).encode(),
        json.dumps(row("b") | {"input": "c"}).encode(),
        b"\xff\xfe",
    ],
    ids=["cut short", "nested", "list", "null", "no entry", "half an entry", "other name", "bytes"],
)
def test_a_damaged_row_is_ignored_and_its_neighbours_are_not(
    damaged: bytes, tmp_path: Path
) -> None:
    (tmp_path / JOURNAL_NAME).write_bytes(row_line(row("a")) + damaged + b"\n" + row_line(row("d")))
    assert set(Journal(tmp_path).rows) == {"a", "d"}


@pytest.mark.parametrize(
    "facts",
    [
        {"device": "cuda"},
        FACTS | {"weights": []},
        FACTS | {"weights": {"a": 1}},
        FACTS | {"warnings": "none"},
        FACTS | {"device": None},
        [],
        "cpu",
        1,
    ],
)
def test_facts_of_another_shape_are_ignored_and_the_photo_is_not(
    facts: Any, tmp_path: Path
) -> None:
    (tmp_path / JOURNAL_NAME).write_bytes(row_line(row("a", facts=facts)) + row_line(row("b")))
    journal = Journal(tmp_path)
    assert set(journal.rows) == {"a", "b"}
    assert journal.facts == []


def test_a_row_after_a_cut_line_begins_a_new_one(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).write_bytes(row_line(row("a")) + row_line(row("b"))[:40])
    Journal(tmp_path).add(row("c"))
    assert set(Journal(tmp_path).rows) == {"a", "c"}


def test_it_owns_only_the_file_that_a_run_wrote(tmp_path: Path) -> None:
    result = tmp_path / "a.png"
    result.write_bytes(b"ours")
    journal = Journal(tmp_path)
    journal.add(row("a.png", written=stamp(result)))
    journal.add(row("b.png", written=None))
    assert journal.owns("a.png", result)
    assert not journal.owns("b.png", result)
    assert not journal.owns("c.png", result)
    result.write_bytes(b"changed by somebody")
    assert not journal.owns("a.png", result)


@pytest.mark.slow
def test_a_full_disk_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.add(row("a"))
    before = (tmp_path / JOURNAL_NAME).read_bytes()

    def work() -> int:
        limit_files(len(before) + 10, deadly=False)
        with pytest.raises(OutputError, match=r"journal\.jsonl: cannot be written"):
            journal.add(row("b"))
        return 0

    assert ended(start(work)) == 0
    assert (tmp_path / JOURNAL_NAME).read_bytes() == before
    journal.add(row("c"))
    assert set(Journal(tmp_path).rows) == {"a", "c"}


def test_a_remote_journal_is_uploaded_in_pieces_that_become_one_file(
    memory: fsspec.AbstractFileSystem,
) -> None:
    folder = remote("memory://out")
    journal = RemoteJournal(folder)
    assert journal.add(row("a", "1")) == []  # buffered
    assert journal.flush() == ["a"]
    assert RemoteJournal(folder).rows["a"]["identity"] == "1"
    later = RemoteJournal(folder)
    later.add(row("a", "2"))
    later.flush()
    third = RemoteJournal(folder)
    assert (third.rows["a"]["identity"], third.complete) == ("2", False)
    third.finish()
    assert [p.rpartition("/")[2] for p in memory.find("/out")] == [JOURNAL_NAME]
    assert RemoteJournal(folder).complete


def test_a_piece_that_cannot_be_uploaded_goes_with_the_next(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remove_objects.pipeline.batch.output.remote.INTERVAL", 0.0)
    journal = RemoteJournal(remote("memory://out"))
    put = RemotePath.put

    def broken(*_: object) -> None:
        raise UnwritableError("the network is down")

    monkeypatch.setattr(RemotePath, "put", broken)
    assert journal.add(row("a")) == []
    with pytest.raises(UnwritableError):
        journal.flush()
    monkeypatch.setattr(RemotePath, "put", put)
    assert journal.add(row("b")) == ["a", "b"]
    assert set(RemoteJournal(remote("memory://out")).rows) == {"a", "b"}
