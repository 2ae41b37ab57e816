"""What a search passes over: counted by kind, and told in one line.

Nobody misses a text file or a sidecar; a RAW file, a film or a linked folder that is left out must
be told where the user looks, which is the terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ..images.suffixes import RAW_SUFFIXES
from ..system.extras import install_command

#: The kind of RAW files, where the package that reads them is not installed.
RAW = "RAW"
#: The kind of pictures that the program does not read.
UNREAD_PICTURE = "picture of a kind that is not read"

#: Kinds of files that somebody may miss, by their endings, in the order in which they are told.
KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        RAW: tuple(sorted(RAW_SUFFIXES)),
        "RAW of a kind that is not read": (
            *(".3fr", ".crw", ".dcr", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mef", ".mos"),
            *(".mrw", ".raw", ".rwl", ".sr2", ".srf", ".x3f"),
        ),
        "video": (
            *(".3g2", ".3gp", ".avi", ".dv", ".flv", ".insv", ".lrv", ".m2ts", ".m4v", ".mkv"),
            *(".mod", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".tod", ".vob"),
            *(".webm", ".wmv"),
        ),
        "image sequence": (".avifs", ".heics", ".heifs"),
        UNREAD_PICTURE: (
            *(".afphoto", ".ai", ".apng", ".clip", ".dds", ".djvu", ".eps", ".exr", ".fits"),
            *(".hdr", ".ico", ".insp", ".j2c", ".j2k", ".jp2", ".jpf", ".jps", ".jpx", ".jxl"),
            *(".jxr", ".kra", ".mpo", ".ora", ".pbm", ".pcx", ".pgm", ".pict", ".pnm", ".ppm"),
            *(".psb", ".psd", ".psp", ".qoi", ".svg", ".tga", ".wdp", ".xcf"),
        ),
        "archive: unpack it": (".7z", ".cbz", ".gz", ".rar", ".tar", ".tgz", ".zip"),
    }
)
_KIND_OF = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes}

#: Things that are no ordinary file: one, and several.
LINKED_FOLDER = ("link to a folder", "links to folders")
BROKEN_LINK = ("broken link", "broken links")
SPECIAL = ("pipe or device", "pipes or devices")
EXCLUDED = ("file or folder by --exclude", "files and folders by --exclude")
SETTINGS_BELOW = (
    "remove-objects.toml of a subfolder, which counts only if you clean that folder itself",
    "remove-objects.toml of subfolders, which count only if you clean those folders themselves",
)
_OTHER = ("other file", "other files")
_SYSTEM = ("folder of thumbnails or trash", "folders of thumbnails or trash")


class PassedOver:
    """Counts what one input holds besides photos.

    Attributes:
        suffixes: the files that somebody may miss, by their endings.
        things: links, pipes and excluded files, by the words for one and for several.
        others: the number of files that nobody misses.
        system: the number of folders that hold no photos of the user.
    """

    def __init__(self) -> None:
        self.suffixes: Counter[str] = Counter()
        self.things: Counter[tuple[str, str]] = Counter()
        self.others = self.system = 0

    def add_file(self, name: str) -> None:
        """Count a regular file that is no photo by its name."""
        suffix = _suffix(name)
        if suffix in _KIND_OF:
            self.suffixes[suffix] += 1
        else:
            self.others += 1

    @property
    def count(self) -> int:
        """The number of files, links and other things, without folders."""
        return self.suffixes.total() + self.things.total() + self.others

    @property
    def matters(self) -> bool:
        """Whether somebody may miss something of it."""
        return bool(self.suffixes or self.things)

    def __str__(self) -> str:
        """Return the kinds with their counts; empty if nothing was passed over."""
        parts = [
            f"{', '.join(f'{self.suffixes[s]} {s}' for s in present)} ({_told(kind)})"
            for kind, suffixes in KINDS.items()
            if (present := self._present(suffixes))
        ]
        parts += [_counted(count, words) for words, count in self.things.items()]
        parts += [
            _counted(count, words)
            for count, words in ((self.others, _OTHER), (self.system, _SYSTEM))
            if count
        ]
        return ", ".join(parts)

    def _present(self, suffixes: Iterable[str]) -> list[str]:
        """Return the endings of which there are files, the most frequent first."""
        present = [suffix for suffix in suffixes if self.suffixes[suffix]]
        return sorted(present, key=lambda suffix: -self.suffixes[suffix])


def kind_of(name: str) -> str | None:
    """Return the kind of a file that somebody may miss; None for all others."""
    kind = _KIND_OF.get(_suffix(name))
    return None if kind is None else _told(kind)


def _told(kind: str) -> str:
    """A kind with what to do about it."""
    return f"{kind}: {install_command('raw')}" if kind == RAW else kind


def _suffix(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if stem and dot else ""


def _counted(count: int, words: tuple[str, str]) -> str:
    return f"{count} {words[0] if count == 1 else words[1]}"
