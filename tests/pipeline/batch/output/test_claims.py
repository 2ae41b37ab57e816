"""Claims: they recognise our own files, and none is left when a run ends.

``test_killed.py`` tests that the next run after a crash uses them.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import fsspec
import pytest

from remove_objects.pipeline.batch.output.claims import CLAIMS, claim_name, is_redundant, mask_key
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.output.remote import RemoteOutput
from remove_objects.pipeline.errors import UnwritableError
from remove_objects.pipeline.storage.stamp import stamp
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
    output.claim(key, name, part, None)
    return part.rename(output.folder / name)


def claims(output: LocalOutput) -> set[str]:
    return {p.name for p in (output.folder / CLAIMS).glob("*")}


def test_photo_and_mask_have_separate_claims_and_are_released_together(output: LocalOutput) -> None:
    write_result(output, "a.png")
    write_result(output, mask_key("a.png"), PurePosixPath("mask.png"))
    assert claims(output) == {claim_name("a.png"), claim_name(mask_key("a.png"))}
    output.release(["a.png"])
    assert claims(output) == set()
    assert (output.folder / CLAIMS).is_dir()  # another thread may be about to write a claim into it
    output.remove_redundant_claims({})
    assert not (output.folder / CLAIMS).exists()


def test_a_claim_stays_while_the_journal_does_not_know_its_file(output: LocalOutput) -> None:
    file = write_result(output, "a.png")
    mask = write_result(output, mask_key("a.png"), PurePosixPath("mask.png"))
    output.remove_redundant_claims({"a.png": {"written": [1, 2], "mask_written": stamp(mask)}})
    assert claims(output) == {claim_name("a.png")}
    output.remove_redundant_claims({"a.png": {"written": stamp(file), "mask_written": stamp(mask)}})
    assert not (output.folder / CLAIMS).exists()


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
    assert is_redundant(text, {}, lambda name: stamp(tmp_path / name))


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
    output.claim("a.png", name, part, None)
    take_the_name()  # and then the run crashed, before the journal's row
    part.write_bytes(b"ours, again")
    output.claim("a.png", name, part, None)
    take_the_name()
    output.release(["a.png"])
    part.write_bytes(b"ours, a third time")
    with pytest.raises(UnwritableError, match="exists and is not"):
        output.claim("a.png", name, part, None)
    output.claim("a.png", name, part, output.stamp(name))  # the journal knows it
