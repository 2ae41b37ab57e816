"""What the user's hands do to inputs, outputs and the program's own files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from remove_objects.pipeline.storage.layout import JOURNAL_NAME, PREVIEWS
from remove_objects.pipeline.system import lock
from tests.support.states.model import REPORTS, STORE
from tests.support.states.pictures import mask_bytes
from tests.support.states.world import ALBUMS, TIME, World

CLAIMS = ".remove-objects-claims"
DAY = 86_400_000_000_000


def _photo(world: World, album: str, number: int) -> Path | None:
    photos = world.photos(album)
    return photos[number % len(photos)] if photos else None


def _replace(world: World, album: str, number: int) -> None:
    if photo := _photo(world, album, number):
        world.new_photo(photo)


def _replace_later(world: World, album: str, number: int) -> None:
    if photo := _photo(world, album, number):
        world.new_photo(photo, TIME + DAY)


def _swap(world: World, album: str, number: int) -> None:
    """Exchange two photos of one suffix, of two albums or, for a lack of them, with a new one."""
    one = _photo(world, album, number)
    others = [p for a in ALBUMS for p in world.photos(a) if one and p != one]
    if one and (same := [p for p in others if p.suffix == one.suffix]):
        world.swap(one, same[number % len(same)])


def _rename(world: World, album: str, number: int) -> None:
    if photo := _photo(world, album, number):
        photo.rename(photo.with_stem(f"IMG_{3 + number}"))


def _remove(world: World, album: str, number: int) -> None:
    if photo := _photo(world, album, number):
        photo.unlink()


def _add(world: World, album: str, number: int) -> None:
    name = f"IMG_{1 + number % 4}{'.jpg' if number % 2 else '.png'}"
    world.new_photo(world.folders[album] / ("" if number < 4 else "sub") / name)


def _rename_album(world: World, album: str, number: int) -> None:
    folder = world.folders[album]
    names = [ALBUMS[album], f"moved/{album}", f"{ALBUMS[album]}-2"]
    new = world.ground / names[number % 3]
    if folder.is_dir() and not new.exists():
        new.parent.mkdir(exist_ok=True)
        folder.rename(new)
        world.folders[album] = new


def _touch(world: World, album: str, number: int) -> None:
    if photo := _photo(world, album, number):
        photo.chmod((0o600, 0o644, 0o640)[number % 3])
        os.utime(photo, ns=(TIME, TIME + DAY * number))


def _new_mask(world: World, album: str, number: int) -> None:
    world.put(world.masks / f"IMG_{1 + number % 3}.png", mask_bytes(), TIME + number * DAY)


#: What the user does to inputs: world, album, a number that chooses among them.
AT_INPUTS: dict[str, Callable[[World, str, int], None]] = {
    "replace a photo": _replace,
    "replace a photo by a later one": _replace_later,
    "swap two photos": _swap,
    "rename a photo": _rename,
    "remove a photo": _remove,
    "add a photo": _add,
    "rename an album": _rename_album,
    "change a photo's time and rights": _touch,
    "draw a mask": _new_mask,
}


def shown(folder: Path, *, masks: bool = False) -> list[Path]:
    """Return the results of an output folder, or its masks."""
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if hidden or parts[0] in (*REPORTS, PREVIEWS) or not path.is_file():
            continue
        if (parts[0] == "masks") == masks:
            found.append(path)
    return found


def _pick(files: list[Path], number: int) -> Path | None:
    return files[number % len(files)] if files else None


def _edit_result(world: World, folder: Path, number: int) -> None:
    """Edit a result; every other time to the same size and time."""
    if path := _pick(shown(folder), number):
        status = path.stat()
        world.new_photo(path, status.st_mtime_ns if number % 2 else TIME + DAY)
        if number % 2 and path.stat().st_size < status.st_size:
            filler = b"\0" * (status.st_size - path.stat().st_size)
            world.put(path, path.read_bytes() + filler, status.st_mtime_ns)


def _edit_mask(world: World, folder: Path, number: int) -> None:
    if path := _pick(shown(folder, masks=True), number):
        world.put(path, mask_bytes(), path.stat().st_mtime_ns + number * DAY)


def _remove_result(world: World, folder: Path, number: int) -> None:
    if path := _pick(shown(folder), number):
        path.unlink()


def _remove_mask(world: World, folder: Path, number: int) -> None:
    if path := _pick(shown(folder, masks=True), number):
        path.unlink()


def _remove_report(world: World, folder: Path, number: int) -> None:
    (folder / REPORTS[number % len(REPORTS)]).unlink(missing_ok=True)


def _remove_line(world: World, folder: Path, number: int) -> bool:
    """Remove the journal's last line, of a photo perhaps."""
    journal = folder / JOURNAL_NAME
    if not journal.is_file() or journal.is_symlink():
        return False
    lines = journal.read_bytes().splitlines(keepends=True)
    world.put(journal, b"".join(lines[:-1]))
    return b'"input"' in b"".join(lines[-1:])


def _add_strange_line(world: World, folder: Path, number: int) -> None:
    """Add a row of another shape, as another version might write it."""
    journal = folder / JOURNAL_NAME
    if not journal.is_file() or journal.is_symlink():
        return
    rows = [json.loads(line) for line in journal.read_bytes().splitlines() if line.strip()]
    entries = [row["entry"] for row in rows if "entry" in row]
    strange = [
        {"input": 3, "facts": 7},
        {"input": "IMG_9.jpg", "entry": {**(entries[-1] or {}), "input": "IMG_9.jpg"}, "facts": [1]}
        if entries
        else {},
        {"made_with": ["x"], "settings": None},
        [1, 2],
        {"input": "../x", "entry": None, "source_mark": "?", "written": {"a": 1}},
        {"complete": "yes", "facts": {"weights": 3}},
    ]
    line = json.dumps(strange[number % len(strange)]).encode()
    world.put(journal, journal.read_bytes() + line + b"\n")


def _foreign_result(world: World, folder: Path, number: int) -> None:
    name = ("IMG_1.jpg", "IMG_2.png", "rome/IMG_1.jpg", "oslo/IMG_1.jpg")[number % 4]
    if not (folder / name).exists():
        world.new_photo(folder / name)


def _foreign_mask(world: World, folder: Path, number: int) -> None:
    name = ("IMG_1.png", "IMG_2.png", "rome/IMG_1.png", "oslo/IMG_1.png")[number % 4]
    if not (folder / "masks" / name).exists() and not (folder / "masks").is_symlink():
        world.put(folder / "masks" / name, mask_bytes())


def _copy(world: World, folder: Path, number: int) -> None:
    world.copy_with_links(folder)


def _touch_result(world: World, folder: Path, number: int) -> None:
    if path := _pick(shown(folder), number):
        path.chmod((0o600, 0o644, 0o640)[number % 3])
        os.utime(path, ns=(TIME, TIME + DAY * number))


def _link_result(world: World, folder: Path, number: int) -> None:
    """Put a link to an input where a result goes."""
    path = folder / ("IMG_1.jpg", "IMG_2.png")[number % 2]
    photo = _photo(world, "rome", number)
    if photo and not path.exists() and not path.is_symlink():
        path.symlink_to(photo)


def _clear_store(world: World, folder: Path, number: int) -> None:
    if not (folder / STORE).is_symlink():
        shutil.rmtree(folder / STORE, ignore_errors=True)


#: What the user does to an output folder. True: the program may no longer know its own files.
AT_OUTPUTS: dict[str, Callable[[World, Path, int], bool | None]] = {
    "edit a result": _edit_result,
    "edit a mask": _edit_mask,
    "remove a result": _remove_result,
    "remove a mask": _remove_mask,
    "remove a report": _remove_report,
    "remove the journal's last line": _remove_line,
    "add a strange line to the journal": _add_strange_line,
    "put a file where a result goes": _foreign_result,
    "put a file where a mask goes": _foreign_mask,
    "copy it with hard links": _copy,
    "change a result's time and rights": _touch_result,
    "put a link where a result goes": _link_result,
    "clear the store": _clear_store,
}

#: The program's own names, and whether they are folders.
_OWN = {
    lock.NAME: False,
    lock.HOLDER: False,
    JOURNAL_NAME: False,
    "report.json": False,
    CLAIMS: True,
    "masks": True,
    PREVIEWS: True,
    STORE: True,
}
LINKED = tuple(_OWN)
#: Where a link leads: to the file itself, moved or with a second name, or to an input.
LEADS = ("moved", "hard", "input")


def link(world: World, folder: Path, name: str, to: str) -> bool:
    """Put a link under one of the program's names; True if its notes are elsewhere now."""
    path, is_folder = folder / name, _OWN[name]
    if path.is_symlink() or (to == "hard" and is_folder):
        return False
    away = world.outside / f"{len(list(world.outside.iterdir()))}-{name.lstrip('.')}"
    if to == "input":
        return _link_to_input(world, folder, name)
    if not path.exists():
        (away.mkdir if is_folder else away.touch)()
    elif to == "moved":
        path.rename(away)
    else:
        os.link(path, away)
        return False
    if to == "hard":
        os.link(away, path)
        return False
    path.symlink_to(away)
    return name in (JOURNAL_NAME, CLAIMS)


def _link_to_input(world: World, folder: Path, name: str) -> bool:
    path, photo = folder / name, _photo(world, "rome", 0)
    target = photo.parent if photo and _OWN[name] else photo
    if target is None or path.exists():
        return False
    path.symlink_to(target)
    return name in (JOURNAL_NAME, CLAIMS)


def remove_links(folder: Path) -> None:
    """Remove every symbolic link below a folder."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_symlink():
            path.unlink()
