"""What is left of claims when a run ends. That a next run goes by them: ``test_killed.py``."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from remove_objects.pipeline.batch.output.claims import CLAIMS, claim_name, is_redundant, mask_key
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.storage.stamp import stamp

NAME = PurePosixPath("a.png")


@pytest.fixture
def output(tmp_path: Path) -> LocalOutput:
    (tmp_path / "out").mkdir()
    return LocalOutput(tmp_path / "out")


def written(output: LocalOutput, key: str, name: PurePosixPath = NAME) -> Path:
    """A file that has taken its name, and its claim."""
    part = output.folder / ".part"
    part.write_bytes(key.encode())
    output.claim(key, name, part, None)
    return part.rename(output.folder / name)


def claims(output: LocalOutput) -> set[str]:
    return {p.name for p in (output.folder / CLAIMS).glob("*")}


def test_photo_and_mask_are_claimed_apart_and_released_together(output: LocalOutput) -> None:
    written(output, "a.png")
    written(output, mask_key("a.png"), PurePosixPath("mask.png"))
    assert claims(output) == {claim_name("a.png"), claim_name(mask_key("a.png"))}
    output.release(["a.png"])
    assert claims(output) == set()
    assert (output.folder / CLAIMS).is_dir()  # another photo's claim may be on its way into it
    output.remove_redundant_claims({})
    assert not (output.folder / CLAIMS).exists()


def test_a_claim_stays_while_it_alone_knows_what_stands_there(output: LocalOutput) -> None:
    file = written(output, "a.png")
    mask = written(output, mask_key("a.png"), PurePosixPath("mask.png"))
    output.remove_redundant_claims({"a.png": {"written": [1, 2], "mask_written": stamp(mask)}})
    assert claims(output) == {claim_name("a.png")}
    output.remove_redundant_claims({"a.png": {"written": stamp(file), "mask_written": stamp(mask)}})
    assert not (output.folder / CLAIMS).exists()


def test_a_claim_of_what_never_took_its_name_goes(output: LocalOutput) -> None:
    written(output, "a.png").unlink()
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
def test_a_damaged_claim_tells_nothing(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert is_redundant(text, {}, lambda name: stamp(tmp_path / name))
