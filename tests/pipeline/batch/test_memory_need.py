"""``--max-pixels``: which photos are read, and what is said of memory before they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch import memory_need
from remove_objects.pipeline.batch.memory_need import memory_note, needed_bytes
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import LARGEST_MAX_PIXELS, MAX_PIXELS
from remove_objects.pipeline.errors import UnreadableError, UsageError
from remove_objects.pipeline.images.read import read_photo
from remove_objects.pipeline.images.sandbox import read_photo as read_in_sandbox
from remove_objects.pipeline.system import memory
from tests.support.scenes import scene

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "pixels"),
    [("300M", 300_000_000), ("300mp", 300_000_000), ("1.5 MP", 1_500_000), ("123,456", 123_456)],
)
def test_a_number_of_pixels(text: str, pixels: int) -> None:
    assert cli.parser().parse_args(["--max-pixels", text, "a.jpg"]).max_pixels == pixels


@pytest.mark.parametrize("text", ["0", "-1", "1001M", "many", "3G", "", "1e9", "9" * 400])
def test_what_is_no_number_of_pixels_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.parser().parse_args([f"--max-pixels={text}", "a.jpg"])
    assert "such as 300M" in capsys.readouterr().err


@pytest.mark.parametrize("pixels", [0, LARGEST_MAX_PIXELS + 1])
def test_a_limit_that_cannot_be_is_refused(pixels: int) -> None:
    with pytest.raises(UsageError, match="max_pixels"):
        BatchSettings(max_pixels=pixels)


def test_a_photo_of_200_megapixels_names_the_option_that_reads_it(tmp_path: Path) -> None:
    """Of a phone: 16384 x 12288. A bit a pixel, so that the test takes little memory."""
    Image.new("1", (16384, 12288), 1).save(tmp_path / "phone.png")
    for read in (read_photo, read_in_sandbox):
        with pytest.raises(UnreadableError, match=r"201,326,592 .*limit of 200,000,000"):
            read(tmp_path / "phone.png")
        with pytest.raises(UnreadableError, match=r"--max-pixels 202M"):
            read(tmp_path / "phone.png")


def test_the_limit_reaches_photos_masks_and_ground_truth(
    tmp_path: Path, red_is_person: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("photos", "masks", "truth"):
        (tmp_path / folder).mkdir()
        Image.fromarray(scene()).save(tmp_path / folder / "a.png")  # 160 x 120 pixels
    mask = Image.new("L", (160, 120))
    mask.paste(255, (60, 40, 80, 70))
    mask.resize((320, 240), Image.Resampling.NEAREST).save(tmp_path / "masks" / "a.png")
    call = ["--masks", str(tmp_path / "masks"), "--truth", str(tmp_path / "truth"), "--no-probe"]
    call += ["--overwrite", str(tmp_path / "photos"), "--max-pixels"]
    assert cli.main([*call, "76800"]) == 0
    assert cli.main([*call, "76799"]) == 1
    assert "masks/a.png: the header declares 320 x 240" in capsys.readouterr().err
    assert cli.main([*call, "19199"]) == 1
    assert "photos/a.png: the header declares 160 x 120" in capsys.readouterr().err


def test_the_limit_does_not_make_another_result(
    tmp_path: Path, red_is_person: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(scene()).save(tmp_path / "a.png")
    call = ["--class", "person", "--no-probe", str(tmp_path / "a.png")]
    assert cli.main(call) == 0
    assert cli.main(["--max-pixels", "300M", *call]) == 0
    assert "1 skipped" in capsys.readouterr().out


def test_memory_is_told_before_a_run_with_a_raised_limit(
    tmp_path: Path,
    red_is_person: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, two = needed_bytes(300_000_000), needed_bytes(300_000_000, 2)
    batch = BatchSettings(max_pixels=300_000_000)
    for free, says in (
        (100 * GB, f"300 megapixels takes about {one / GB:.1f} GB of memory, 2 at once"),
        (two - 1, "too little for photos of that size: use --workers 1"),
        (one - 1, "the system may end the run"),
        (None, f"2 at once {two / GB:.1f} GB"),
    ):
        monkeypatch.setattr(memory_need, "free_bytes", lambda free=free: free)
        assert says in str(memory_note(batch, 9))
    assert memory_note(BatchSettings(max_pixels=MAX_PIXELS), 9) is None
    assert "at once" not in str(memory_note(batch, 1))
    assert memory_note(batch, 0) is None
    Image.fromarray(scene()).save(tmp_path / "a.png")
    call = ["--class", "person", "--no-probe", "--max-pixels", "300M", str(tmp_path / "a.png")]
    cli.main(call)
    assert "300 megapixels" in capsys.readouterr().err
    cli.main(call)  # nothing is left to do
    assert "300 megapixels" not in capsys.readouterr().err


def test_free_memory_is_the_machines_or_its_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_of_the_machine", lambda: 8 * GB)
    monkeypatch.setattr(memory, "_GROUPS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    assert memory.free_bytes() == 8 * GB
    (tmp_path / "current").write_text(f"{GB}\n")
    (tmp_path / "max").write_text("max\n")
    assert memory.free_bytes() == 8 * GB
    (tmp_path / "max").write_text(f"{3 * GB}\n")
    assert memory.free_bytes() == 2 * GB


@pytest.mark.skipif(memory._trim() is None, reason="the C library is not glibc")
def test_freed_memory_is_given_back() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    kept = []
    for _ in range(400):  # too small for glibc to take and give each back by itself
        kept.append(bytearray(100_000))
    last = bytearray(100_000)  # above the others, so that the heap cannot shrink
    del kept
    before = resident()
    memory.give_back()
    assert before - resident() > 20 << 20
    assert len(last) == 100_000


def test_only_stages_of_large_photos_give_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = []
    monkeypatch.setattr(memory, "give_back", lambda: given_back.append(1))
    memory.tidy(1224 * 1632 * 3)
    assert not given_back
    memory.tidy(3000 * 4000 * 3)
    assert given_back


def test_other_systems_give_memory_back_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_trim", lambda: None)
    memory.give_back()
