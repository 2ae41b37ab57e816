"""The folders of the machine: three albums that number their photos alike, masks, and outputs."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.states.commands import Picked
from tests.support.states.disk import CONTENTS, State, look
from tests.support.states.pictures import (
    HEIGHT,
    OBJECTS,
    SHOTS,
    WIDTH,
    Facts,
    digest,
    facts,
    is_photo,
    mask_bytes,
    object_at,
    photo_bytes,
)

#: The albums, by the name that steps call them; two have folders of one name.
ALBUMS = {"rome": "rome", "oslo": "oslo", "far": "far/rome"}
#: What a new photo shows, in turn.
SHOWN = [
    frozenset({"person", "dog", "sign"}),
    frozenset({"person", "shade", "sign"}),
    frozenset({"dog", "sign"}),
    frozenset({"person", "sign"}),
]
#: So many decisions are made before they repeat.
PICK_BITS = 5
#: Every photo's modification time, unless a step changes it: cameras and copies repeat times.
TIME = 1_600_000_000_000_000_000


@dataclass(frozen=True)
class Given:
    """A photo that a command is given.

    Attributes:
        path: its file.
        name: its path relative to the input.
        digest: of its content.
        facts: what it shows.
        mode: its permissions.
        mtime: its modification time in ns.
    """

    path: str
    name: str
    digest: str
    facts: Facts
    mode: int
    mtime: int


class World:
    """Everything on the machine's disk, and what the user's hands do to it.

    Attributes:
        ground: the folder of it all.
        folders: the albums' current folders.
    """

    def __init__(self, ground: Path) -> None:
        self.ground = ground
        self.folders = {album: ground / name for album, name in ALBUMS.items()}
        self._shots = itertools.count()
        self._copies = itertools.count(1)
        for album, names in (
            ("rome", ("IMG_1.jpg", "IMG_2.png")),
            ("oslo", ("IMG_1.jpg", "IMG_2.png")),
            ("far", ("IMG_1.jpg",)),
        ):
            for name in names:
                self.new_photo(self.folders[album] / name)
        for name in ("IMG_1.png", "IMG_2.png"):
            self.put(self.masks / name, mask_bytes())
        self.outside.mkdir()

    @property
    def masks(self) -> Path:
        """The user's own masks."""
        return self.ground / "m"

    @property
    def picks(self) -> Path:
        """What the user picked last."""
        return self.ground / "picks.json"

    @property
    def outside(self) -> Path:
        """Where links lead."""
        return self.ground / "outside"

    @property
    def outputs(self) -> list[Path]:
        """Every folder that a command may write to."""
        return [self.ground / name for name in ("cleaned", "far/cleaned", "moved/cleaned", "out")]

    def look(self) -> dict[str, State]:
        """Return the state of every file."""
        return look(self.ground)

    def put(self, path: Path, content: bytes, mtime: int = TIME) -> None:
        """Put a file in its place, as editors and copies do: under a new inode."""
        self._wait_for_the_clock()
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.parent / f".{path.name}~"
        new.write_bytes(content)
        os.utime(new, ns=(mtime, mtime))
        new.replace(path)

    def pick(self, report: Path, number: int) -> bool:
        """Decide about the objects that a report names, and save it as the page of picks does.

        Args:
            report: ``report.json`` of any run.
            number: its bits say which objects stay.

        Returns:
            Whether it names any.
        """
        try:
            content = json.loads(report.read_bytes())
        except ValueError:  # the user put something else there
            return False
        classes, photos = content["run"]["settings"]["classes"], []
        for entry in content["photos"]:
            objects = []
            for found in entry["objects"]:
                number = number >> 1 | (number & 1) << PICK_BITS - 1
                of = {key: found[key] for key in ("number", "class", "box")}
                objects.append({**of, "removed": not number & 1})
            if objects:
                size = [WIDTH, HEIGHT]
                photos.append({"name": entry["input"], "size": size, "objects": objects})
        settings = {"classes": classes, "segmenter": "auto", "threshold": 0.5, "weights": {}}
        picks = {"picks_version": 1, "settings": settings, "photos": photos}
        if photos:
            self.put(self.picks, json.dumps(picks).encode())
        return bool(photos)

    def picked(self) -> tuple[Picked, ...]:
        """What the user picked last, by what the photos show at the places of the objects."""
        if not self.picks.is_file():
            return ()
        found = []
        for photo in json.loads(self.picks.read_bytes())["photos"]:
            stays, goes = set(), set()
            for one in photo["objects"]:
                (goes if one["removed"] else stays).add(object_at(one["box"]))
            picked = Picked(photo["name"], frozenset(stays), frozenset(goes), json.dumps(photo))
            found.append(picked)
        return tuple(found)

    def new_photo(self, path: Path, mtime: int = TIME) -> None:
        """Put a photo there that nobody has seen before."""
        number = next(self._shots)
        shot = number % len(SHOTS)
        self.put(path, photo_bytes(shot, SHOWN[number % len(SHOWN)], path.suffix), mtime)

    def photos(self, album: str) -> list[Path]:
        """Return an album's photos."""
        folder = self.folders[album]
        found = (p for p in folder.rglob("*") if p.is_file() and is_photo(p.name))
        return sorted(found) if folder.is_dir() else []

    def resolve(self, given: str) -> Path:
        """Return the path of ``album`` or ``album/name`` as it is now."""
        album, _, name = given.partition("/")
        return self.folders[album] / name

    def given(self, inputs: tuple[str, ...]) -> list[Given]:
        """Return the photos that a command with these inputs is given, each once."""
        found: dict[str, Given] = {}
        for given in inputs:
            path = self.resolve(given)
            album = given.partition("/")[0]
            for photo in [path] if path.is_file() else self.photos(album) if path.is_dir() else []:
                base = path.parent if path.is_file() else path
                content, status = photo.read_bytes(), photo.stat()
                found.setdefault(
                    str(photo),
                    Given(
                        str(photo),
                        photo.relative_to(base).as_posix(),
                        digest(content),
                        facts(content),
                        status.st_mode & 0o777,
                        status.st_mtime_ns,
                    ),
                )
        return list(found.values())

    def swap(self, one: Path, other: Path) -> None:
        """Exchange two files, times and all."""
        self._wait_for_the_clock()
        aside = one.with_name(".aside")
        one.rename(aside)
        other.rename(one)
        aside.rename(other)

    def copy_with_links(self, folder: Path) -> None:
        """Copy as ``cp -al`` does: every file of the copy is a hard link."""
        copy = self.ground / f"copy-{next(self._copies)}"
        shutil.copytree(folder, copy, symlinks=True, copy_function=os.link)

    def _wait_for_the_clock(self) -> None:
        """Wait until the disk's clock, which ticks every few milliseconds, gives another time.

        The machine is faster than any user. Two changes within a tick could not be told apart.
        """
        probe = self.ground / ".clock"
        probe.touch()
        first = probe.stat().st_ctime_ns
        while probe.stat().st_ctime_ns == first:
            time.sleep(0.0005)
            probe.touch()
        probe.unlink()


def content_of(state: State | None) -> Facts | None:
    """Return what a file shows; None for a link or no file."""
    if state is None or state.is_link:
        return None
    return facts(CONTENTS[state.content])


def all_objects() -> frozenset[str]:
    """Return every object that a photo may show."""
    return frozenset(OBJECTS)
