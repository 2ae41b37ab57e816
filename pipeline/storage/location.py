"""Files and folders that are not on this machine's disks: as much of ``pathlib`` as a run needs, over any filesystem fsspec knows.

A location is a ``Path`` or a ``RemotePath``. What a ``RemotePath`` shows (``str``) never holds a password or a signature; what it opens does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from ..errors import UnreadableError, UnwritableError, UsageError
from ..system.text import redacted
from .stamp import Stamp, stamp

#: Stores on which a put appears whole or not at all; elsewhere a file is put under another name and moved.
_ATOMIC = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"}

#: The package that brings a filesystem, where it is ours to name.
_PACKAGES = {
    "s3": "remove-objects[distributed]",
    "s3a": "remove-objects[distributed]",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
}

_LOCAL = {"file", "local"}

_NOTHING = PurePosixPath()


@dataclass(frozen=True, slots=True, repr=False)
class RemotePath:
    """One file or folder: ``relative`` below the address ``root``. ``known`` is its stamp where a listing has told it already."""

    root: str
    relative: PurePosixPath = _NOTHING
    known: Stamp | None = field(default=None, compare=False)

    def __truediv__(self, other: str | PurePosixPath) -> RemotePath:
        return RemotePath(self.root, self.relative / other)

    def __str__(self) -> str:
        shown = redacted(self.root).rstrip("/")
        return shown if self.relative == _NOTHING else f"{shown}/{self.relative}"

    def __repr__(self) -> str:
        return f"RemotePath({self})"

    @property
    def name(self) -> str:
        return self.relative.name or self.path.rsplit("/", 1)[-1]

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    def with_name(self, name: str) -> RemotePath:
        return RemotePath(self.root, self.relative.with_name(name))

    def with_suffix(self, suffix: str) -> RemotePath:
        return RemotePath(self.root, self.relative.with_suffix(suffix))

    @property
    def filesystem(self) -> Any:
        return _opened(self.root)[0]

    @property
    def path(self) -> str:
        """As the filesystem names it, without a slash at its end."""
        base = str(_opened(self.root)[1]).rstrip("/")
        return base if self.relative == _NOTHING else f"{base}/{self.relative}"

    @property
    def parent(self) -> RemotePath | None:
        """The folder it lies in; None for a bucket or a root, and where the address has a query."""
        if self.relative != _NOTHING:
            return replace(self, relative=self.relative.parent, known=None)
        head, _, last = self.root.rstrip("/").rpartition("/")
        return (
            RemotePath(head)
            if last and "?" not in self.root and not head.endswith((":/", "/"))
            else None
        )

    def is_below(self, other: RemotePath) -> bool:
        """Whether it is ``other`` or lies in it."""
        return bool(self.filesystem == other.filesystem) and f"{self.path}/".startswith(
            f"{other.path}/"
        )

    def files(self) -> dict[str, RemotePath]:
        """All files below by their names relative to this one, with their stamps; ``""`` is the file itself. Empty where nothing is.

        Names that no folder could hold (``..``, two slashes) are given too: ``is_plain_name`` tells them.
        """
        with _translate_errors(self, "listed", UsageError):
            self.filesystem.invalidate_cache()
            try:
                listing: dict[str, dict[str, Any]] = self.filesystem.find(self.path, detail=True)
            except FileNotFoundError:
                return {}
            found = {}
            for path, info in listing.items():
                if path.startswith(f"{self.path}/") or path == self.path:
                    name = path[len(self.path) + 1 :]
                    found[name] = RemotePath(self.root, self.relative / name, _stamp(info))
            return found

    def stamp(self) -> Stamp | None:
        """Its size and what else tells this content from another: the store's ETag, or its time of change. None where it is not."""
        with _translate_errors(self, "looked at", UnreadableError):
            try:
                self.filesystem.invalidate_cache()
                info = self.filesystem.info(self.path)
            except FileNotFoundError:
                return None
            return None if info.get("type") == "directory" else _stamp(info)

    def read(self) -> bytes | None:
        """Its content; None where it is not."""
        with _translate_errors(self, "read", UnreadableError):
            try:
                return bytes(self.filesystem.cat_file(self.path))
            except FileNotFoundError:
                return None

    def fetch(self, into: Path) -> None:
        """Copy it into a file of this machine. Raises ``UnreadableError``."""
        with _translate_errors(self, "fetched", UnreadableError):
            self.filesystem.get_file(self.path, str(into))

    def put(self, source: Path) -> None:
        """Make a file of this machine stand here, whole or not at all. Raises ``UnwritableError``."""
        with _translate_errors(self, "written", UnwritableError):
            if _protocol(self.root) in _ATOMIC:
                self.filesystem.put_file(str(source), self.path)
                return
            part = str(PurePosixPath(self.path).with_name(f".{PurePosixPath(self.path).name}.part"))
            self.filesystem.makedirs(str(PurePosixPath(self.path).parent), exist_ok=True)
            self.filesystem.put_file(str(source), part)
            if self.filesystem.exists(self.path):
                self.filesystem.rm_file(self.path)  # not every filesystem moves over a file
            self.filesystem.mv(part, self.path)

    def write(self, content: bytes) -> None:
        """Like ``put``, for what is small."""
        import tempfile

        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            self.put(Path(file.name))

    def delete(self) -> None:
        """It is gone when this returns, or never was."""
        with _translate_errors(self, "deleted", UnwritableError):
            try:
                self.filesystem.rm_file(self.path)
            except FileNotFoundError:
                return


Location: TypeAlias = Path | RemotePath


def parse_location(text: str) -> Location:
    """What a user's PATH names: ``s3://bucket/photos`` is elsewhere, all else (``file://`` too) is a path of this machine.

    Raises:
        UsageError: a protocol that fsspec does not know, a chain of them, or the package for it is not installed.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.:-]*", scheme):
        return Path(text)
    if "::" in text:
        raise UsageError(
            f"{redacted(text)}: addresses in a chain (::) are not taken; name one folder"
        )
    if scheme in _LOCAL:
        return Path(rest)
    if ".." in rest.split("/"):
        raise UsageError(
            f"{redacted(text)}: an address with '..' is not taken; name the folder itself"
        )
    _opened(text)
    return RemotePath(text.rstrip("/"))


def local_path(place: Location) -> Path:
    """A location that can only be on this machine, because nothing else was given."""
    assert isinstance(place, Path)
    return place


def relative_name(folder: Location, place: Location) -> PurePosixPath:
    """The name of ``place``, which lies in ``folder``, relative to it."""
    if isinstance(folder, RemotePath) and isinstance(place, RemotePath):
        return place.relative.relative_to(folder.relative)
    return PurePosixPath(local_path(place).relative_to(local_path(folder)).as_posix())


def location_stamp(place: Location) -> Stamp | None:
    """What tells that a file is still the same one; None where there is none."""
    if isinstance(place, Path):
        return stamp(place)
    return place.stamp() if place.known is None else place.known


def is_plain_name(name: str) -> bool:
    """Whether a listed name may become a path: relative, no empty part, none that climbs, nothing that another system reads as a slash."""
    return (
        bool(name)
        and "\\" not in name
        and "\0" not in name
        and all(part not in ("", ".", "..") for part in name.split("/"))
    )


@lru_cache(maxsize=64)
def _opened(root: str) -> tuple[Any, str]:
    import fsspec
    from fsspec.core import url_to_fs

    protocol = _protocol(root)
    if protocol not in fsspec.available_protocols():
        raise UsageError(
            f"{redacted(root)}: no filesystem is known by {protocol}://; there are s3://, gs://, abfs://, sftp:// and more"
        )
    try:
        opened: tuple[Any, str] = url_to_fs(root)
    except ImportError as error:
        package = _PACKAGES.get(protocol, f"for {protocol}:// that fsspec names: {error}")
        raise UsageError(
            f"{redacted(root)}: needs the package {package}; pip install it"
        ) from error
    except Exception as error:
        raise UsageError(
            f"{redacted(root)}: cannot be opened ({_error_text(error, root)})"
        ) from error
    return opened


def _protocol(root: str) -> str:
    return root.partition("://")[0]


def _stamp(info: dict[str, Any]) -> Stamp:
    mark = next(
        (
            info[key]
            for key in (
                "ETag",
                "etag",
                "md5Hash",
                "LastModified",
                "last_modified",
                "mtime",
                "modified",
            )
            if info.get(key)
        ),
        None,
    )
    return [int(info.get("size") or 0), None if mark is None else str(mark).strip('"')]


def _error_text(error: BaseException, root: str) -> str:
    """An error in words, without what its filesystem may have quoted of the address."""
    text = redacted(str(error) or type(error).__name__)
    secret = re.search(r"://([^/@\s]*)@", root)
    for part in (secret.group(1), *secret.group(1).split(":", 1)) if secret else ():
        if len(part) > 3:
            text = text.replace(part, "***")
    return text


@contextmanager
def _translate_errors(place: RemotePath, what: str, kind: type[Exception]) -> Iterator[None]:
    """Filesystems raise errors of their own libraries, few of them ``OSError``: all become this package's."""
    try:
        yield
    except (UsageError, UnreadableError, UnwritableError):
        raise
    except Exception as error:
        raise kind(f"{place}: cannot be {what} ({_error_text(error, place.root)})") from error
