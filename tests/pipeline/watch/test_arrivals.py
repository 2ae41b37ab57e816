"""When a photo has arrived: settled, finished, and no temporary file of another program."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from remove_objects.pipeline.watch.arrivals import UNFINISHED, Arrivals, is_unfinished


class Clock:
    """Goes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def arrivals(tmp_path: Path, clock: Clock) -> Arrivals:
    """The folder of the test; a photo settles in five seconds."""
    return Arrivals(tmp_path, settle=5, clock=clock)


def settled(arrivals: Arrivals, clock: Clock, seconds: float = 0) -> list[str]:
    """Look after some seconds; return the settled photos' names below the folder."""
    clock.now += seconds
    return sorted(str(path.relative_to(arrivals.folder)) for path in arrivals.look())


def test_a_photo_settles_once_size_and_time_have_not_changed(
    tmp_path: Path, arrivals: Arrivals, clock: Clock
) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"1")
    assert settled(arrivals, clock) == []
    assert settled(arrivals, clock, 4) == []
    photo.write_bytes(b"12")  # it grows
    assert settled(arrivals, clock, 4) == []
    os.utime(photo, ns=(0, 5))  # a copy sets the time at its end
    assert settled(arrivals, clock, 4) == []
    assert settled(arrivals, clock, 5) == ["a.jpg"]
    photo.write_bytes(b"123")
    assert settled(arrivals, clock, 1) == []
    assert settled(arrivals, clock, 5) == ["a.jpg"]


def test_subfolders_are_watched_and_hidden_or_excluded_ones_not(
    tmp_path: Path, clock: Clock
) -> None:
    for name in ("x/y/a.jpg", ".stversions/b.jpg", "raw/c.jpg", "out/d.jpg", "e.txt", ".f.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    arrivals = Arrivals(tmp_path, [tmp_path / "out"], ["raw/"], settle=1, clock=clock)
    assert settled(arrivals, clock) == []
    assert settled(arrivals, clock, 1) == ["x/y/a.jpg"]


def test_an_empty_file_has_not_arrived(tmp_path: Path, arrivals: Arrivals, clock: Clock) -> None:
    (tmp_path / "a.jpg").touch()  # a browser keeps the name free
    assert settled(arrivals, clock) == []
    assert settled(arrivals, clock, 60) == []


@pytest.mark.parametrize("ending", UNFINISHED)
def test_a_photo_beside_its_unfinished_part_has_not_arrived(
    tmp_path: Path, arrivals: Arrivals, clock: Clock, ending: str
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"1")
    part = tmp_path / f"a.jpg{ending}"
    part.write_bytes(b"1")
    settled(arrivals, clock)
    assert settled(arrivals, clock, 60) == []
    assert arrivals.blocked == {tmp_path / "a.jpg"}
    part.unlink()
    assert settled(arrivals, clock) == ["a.jpg"]
    assert not arrivals.blocked


@pytest.mark.parametrize(
    "name",
    [
        "a.part.jpg",
        "a.TMP.JPG",
        "~$a.jpg",
        "~syncthing~a.jpg",
        "Unconfirmed 123.jpg",
        "a.jpg.download/a.jpg",
        "x/y.crdownload/z/a.jpg",
    ],
)
def test_temporary_names_that_end_as_photos(name: str) -> None:
    assert is_unfinished(PurePosixPath(name))


@pytest.mark.parametrize("name", ["a.jpg", "party.jpg", "part/a.jpg", "tmp/temp.jpg", "~a.jpg"])
def test_ordinary_names(name: str) -> None:
    assert not is_unfinished(PurePosixPath(name))


def test_what_is_gone_is_forgotten(tmp_path: Path, arrivals: Arrivals, clock: Clock) -> None:
    for number in range(50):
        (tmp_path / f"{number}.jpg").write_bytes(b"1")
        settled(arrivals, clock)
        (tmp_path / f"{number}.jpg").unlink()
    settled(arrivals, clock)
    assert len(arrivals) == 0
