"""A file that crashes, stalls or bloats its decoder is one photo's error, in a child process."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import images
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import read, sandbox, sandbox_worker
from remove_objects.pipeline.system.subprocess_pool import SubprocessPool
from tests.support.bombs import jpeg_of_many_scans, tiff_of_one_vast_tile
from tests.support.scenes import scene

posix = pytest.mark.skipif(os.name != "posix", reason="limits on a process are POSIX's")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[SubprocessPool]:
    """A pool of decoders of this test alone."""
    pool = SubprocessPool(sandbox_worker.main)
    monkeypatch.setattr(sandbox, "_decoders", pool)
    yield pool
    pool.close()


@pytest.fixture
def fault(pool: SubprocessPool, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make decoders run ``code`` before they read a file with ``fault`` in its name."""

    def plant(code: str, more: str = "") -> None:
        patch = (
            "import os, signal, time\n"
            "from remove_objects.pipeline.images import sandbox_worker as d\n"
            "real = d.read_photo\n"
            "def read(path, **more):\n"
            f"    if 'fault' in path.name:\n        {code}\n"
            "    return real(path, **more)\n"
            f"d.read_photo = read\n{more}\n"
        )
        before, _, after = pool.code.partition("from remove_objects")
        pool.code = f"exec({before + patch!r}); from remove_objects{after}"

    return plant


def save(path: Path, seed: int = 0) -> Path:
    Image.fromarray(scene(seed=seed)).save(path)
    return path


def test_a_photo_comes_back_as_read_in_this_process_and_is_writable(
    tmp_path: Path, pool: SubprocessPool
) -> None:
    path = save(tmp_path / "a.png")
    apart, here = images.read_photo(path), read.read_photo(path)
    np.testing.assert_array_equal(apart.rgb, here.rgb)
    assert (apart.path, apart.native.format, apart.warnings) == (
        here.path,
        here.native.format,
        here.warnings,
    )
    apart.rgb[0, 0] = 1


def test_a_relative_path_starts_from_the_programs_current_folder(
    tmp_path: Path, pool: SubprocessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        save(Path("a.png"), seed)
        np.testing.assert_array_equal(images.read_photo(Path("a.png")).rgb, scene(seed=seed))
    with pytest.raises(UnreadableError, match=r"^b\.png: no such file"):
        images.read_photo(Path("b.png"))


@posix
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("os.abort()", "ended by SIGABRT"),
        ("os._exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL"),
        ("raise ZeroDivisionError('a bug of our own')", "a bug of our own"),
    ],
    ids=["segmentation fault", "abort", "exit", "killed", "a fault of our own"],
)
def test_a_crashed_decoder_is_one_photos_error_and_the_next_is_read(
    code: str, says: str, fault: Any, tmp_path: Path
) -> None:
    fault(code)
    bad, good = save(tmp_path / "fault.png"), save(tmp_path / "good.png")
    for _ in range(2):
        with pytest.raises(UnreadableError, match=says) as error:
            images.read_photo(bad)
        assert str(bad) in str(error.value)
        assert images.read_photo(good).size == (120, 160)


@posix
def test_a_batch_continues_after_a_crash(fault: Any, red_is_person: None, tmp_path: Path) -> None:
    fault("os.kill(os.getpid(), signal.SIGSEGV)")
    (tmp_path / "in").mkdir()
    for i, name in enumerate(("a.png", "fault.png", "z.png")):
        save(tmp_path / "in" / name, i)
    result = remove_folder(
        [tmp_path / "in"],
        Settings(probe=False),
        BatchSettings(classes=("person",), output=tmp_path / "out"),
    )
    entries = {entry["input"]: entry for entry in result.photos}
    assert entries["fault.png"]["status"] == "failed"
    assert "fault.png" in entries["fault.png"]["error"]
    assert "SIGSEGV" in entries["fault.png"]["error"]
    assert (tmp_path / "out" / "a.png").is_file()
    assert (tmp_path / "out" / "z.png").is_file()


@posix
def test_processor_time_is_limited(fault: Any, tmp_path: Path) -> None:
    fault("while True: pass", "d.OPEN_SECONDS = 0")
    path = save(tmp_path / "fault.png")
    begun = time.monotonic()
    with pytest.raises(
        UnreadableError, match="far longer than a picture of its size needs"
    ) as error:
        images.read_photo(path)
    assert str(path) in str(error.value)
    assert time.monotonic() - begun < 60  # a second of processor time, on a busy machine


def test_a_decoder_that_waits_for_ever_is_killed_after_a_while(
    fault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault("time.sleep(3600)")
    monkeypatch.setattr(sandbox, "PATIENCE", 2.0)
    path = save(tmp_path / "fault.png")
    with pytest.raises(UnreadableError, match="no answer from its decoder within 2 s") as error:
        images.read_photo(path)
    assert str(path) in str(error.value)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux keeps to a limit of memory"
)
def test_memory_is_limited_by_the_pixels_that_the_header_declares(
    tmp_path: Path, pool: SubprocessPool
) -> None:
    bomb, plain = tmp_path / "tile.tif", tmp_path / "plain.tif"
    bomb.write_bytes(tiff_of_one_vast_tile())
    assert len(bomb.read_bytes()) < 4_000_000
    with pytest.raises(UnreadableError) as error:
        images.read_photo(bomb)
    assert str(bomb) in str(error.value)
    plain.write_bytes(tiff_of_one_vast_tile(1024))  # the same with a tile of 3 MB
    assert images.read_photo(plain).size == (16, 16)


def test_a_jpeg_of_a_thousand_scans_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scans.jpg"
    path.write_bytes(jpeg_of_many_scans(50))
    assert read.read_photo(path).size == (64, 64)
    path.write_bytes(jpeg_of_many_scans(1000))

    def decoded(*_: object) -> None:
        raise AssertionError("the bomb was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(
        UnreadableError, match=r"1,00\d scans where a progressive JPEG has a dozen"
    ) as error:
        read.read_photo(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("suffix", ["webp", "tif"])
def test_a_vast_file_is_refused_before_it_is_read(suffix: str, tmp_path: Path) -> None:
    """Decoders of WebP and AVIF would read the whole file: 3 GB, of which the disk holds none."""
    path = tmp_path / f"vast.{suffix}"
    Image.fromarray(scene()).save(path)
    os.truncate(path, 3 << 30)
    with pytest.raises(UnreadableError, match="3,221,225,472 bytes, more than any photo") as error:
        read.read_photo(path)
    assert str(path) in str(error.value)


@posix
def test_ctrl_c_during_a_read_leaves_no_half_answer_behind(fault: Any, tmp_path: Path) -> None:
    fault("time.sleep(1)")
    bad, good = save(tmp_path / "fault.png", 1), save(tmp_path / "good.png", 2)
    good_pixels = read.read_photo(good).rgb
    images.read_photo(good)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            images.read_photo(bad)
    finally:
        signal.signal(signal.SIGALRM, before)
    np.testing.assert_array_equal(images.read_photo(good).rgb, good_pixels)


def test_decoders_are_kept_and_end_with_the_program(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    script = (
        "import sys; from pathlib import Path\n"
        "from remove_objects.pipeline import images\n"
        "from remove_objects.pipeline.images import sandbox\n"
        "for _ in range(3): images.read_photo(Path(sys.argv[1]))\n"
        "(one,) = sandbox._decoders.idle; print(one.pid)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(path)],
        capture_output=True,
        text=True,
        cwd=root,
        check=True,
    )
    assert done.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


def test_without_child_processes_the_photo_is_read_in_this_one(
    tmp_path: Path,
    pool: SubprocessPool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    caplog.set_level(logging.WARNING)  # the command's --quiet, in another test, may have raised it
    monkeypatch.setattr(subprocess, "Popen", refused)
    for _ in range(2):
        assert images.read_photo(save(tmp_path / "a.png")).size == (120, 160)
    assert caplog.text.count("decoded in this process") == 1
