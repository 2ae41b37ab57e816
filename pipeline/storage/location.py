"""Remote files and folders: the part of ``pathlib`` that a run needs, over any fsspec filesystem.

A location is a ``Path`` or a ``RemotePath``. The text of a ``RemotePath`` (``str``) never holds a
password or a signature; the address that it opens does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from ..errors import UnreadableError, UnwritableError, UsageError
from ..given import shown
from ..system.text import redacted
from .stamp import Stamp, is_unchanged, mark, stamp

#: Stores on which an upload is atomic; elsewhere a file is uploaded under another name and moved.
_ATOMIC = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"}

#: The package that provides a filesystem, for the message where it is missing.
_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
}

_LOCAL = {"file", "local"}

#: Keys of a listing that tell one content from another, best first.
_CONTENT_MARKS = (
    *("ETag", "etag", "md5Hash"),
    *("LastModified", "last_modified", "mtime", "modified"),
)

_NOTHING = PurePosixPath()


@dataclass(frozen=True, slots=True, repr=False)
class RemotePath:
    """A remote file or folder.

    Attributes:
        root: the address, such as ``s3://bucket/photos``.
        relative: the path below ``root``.
        known: the stamp, if a listing has already reported it.
    """

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
        """The last component of the path."""
        return self.relative.name or self.path.rsplit("/", 1)[-1]

    @property
    def suffix(self) -> str:
        """The name's ending, with its dot."""
        return PurePosixPath(self.name).suffix

    def with_name(self, name: str) -> RemotePath:
        """Return the path with another last component."""
        return RemotePath(self.root, self.relative.with_name(name))

    def with_suffix(self, suffix: str) -> RemotePath:
        """Return the path with another ending."""
        return RemotePath(self.root, self.relative.with_suffix(suffix))

    @property
    def filesystem(self) -> Any:
        """The fsspec filesystem that holds it."""
        return _opened(self.root)[0]

    @property
    def path(self) -> str:
        """The filesystem's own name for it, without a trailing slash."""
        base = str(_opened(self.root)[1]).rstrip("/")
        return base if self.relative == _NOTHING else f"{base}/{self.relative}"

    @property
    def parent(self) -> RemotePath | None:
        """The folder that holds it; None for a bucket, a root, or an address with a query."""
        if self.relative != _NOTHING:
            return replace(self, relative=self.relative.parent, known=None)
        head, _, last = self.root.rstrip("/").rpartition("/")
        return (
            RemotePath(head)
            if last and "?" not in self.root and not head.endswith((":/", "/"))
            else None
        )

    def is_below(self, other: RemotePath) -> bool:
        """Whether it is ``other`` or lies inside it."""
        return bool(self.filesystem == other.filesystem) and f"{self.path}/".startswith(
            f"{other.path}/"
        )

    def files(self) -> dict[str, RemotePath]:
        """List all files below, with their stamps.

        Names that no folder could hold (``..``, two slashes) are listed too; ``is_plain_name``
        recognises them.

        Returns:
            Files by their names relative to this folder. The name ``""`` is this file itself.
            Empty if nothing exists here.

        Raises:
            UsageError: the folder cannot be listed.
        """
        with _translate_errors(self, "listed", UsageError):
            self.filesystem.invalidate_cache()
            try:
                listing: dict[str, dict[str, Any]] = self.filesystem.find(self.path, detail=True)
            except FileNotFoundError:
                return {}
            files = {}
            for path, info in listing.items():
                if path.startswith(f"{self.path}/") or path == self.path:
                    name = path[len(self.path) + 1 :]
                    files[name] = RemotePath(self.root, self.relative / name, _stamp(info))
            return files

    def stamp(self) -> Stamp | None:
        """Return its size and the store's ETag, or its modification time where there is no ETag.

        Returns:
            The stamp; None if there is no such file.

        Raises:
            UnreadableError: the store does not answer.
        """
        with _translate_errors(self, "examined", UnreadableError):
            try:
                self.filesystem.invalidate_cache()
                info = self.filesystem.info(self.path)
            except FileNotFoundError:
                return None
            return None if info.get("type") == "directory" else _stamp(info)

    def read(self, at_most: int | None = None) -> bytes | None:
        """Return the content, or its first bytes; None if there is no such file.

        Raises:
            UnreadableError: the file cannot be read.
        """
        with _translate_errors(self, "read", UnreadableError):
            try:
                return bytes(self.filesystem.cat_file(self.path, end=at_most))
            except FileNotFoundError:
                return None

    def fetch(self, into: Path) -> None:
        """Download it to a local file.

        Raises:
            UnreadableError: the download fails.
        """
        with _translate_errors(self, "downloaded", UnreadableError):
            self.filesystem.get_file(self.path, str(into))

    def put(self, source: Path) -> None:
        """Upload a local file to this place, atomically.

        Raises:
            UnwritableError: the upload fails.
        """
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
        """Upload a small content, like ``put``."""
        import tempfile

        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            self.put(Path(file.name))

    def delete(self) -> None:
        """Delete the file, if it exists.

        Raises:
            UnwritableError: the file cannot be deleted.
        """
        with _translate_errors(self, "deleted", UnwritableError):
            try:
                self.filesystem.rm_file(self.path)
            except FileNotFoundError:
                return


Location: TypeAlias = Path | RemotePath
#: A location as a caller gives it.
AnyPath: TypeAlias = Location | os.PathLike[str] | str


def parse_location(text: str) -> Location:
    """Parse a user's PATH: ``s3://bucket/photos`` is remote; all else, ``file://`` too, is local.

    Raises:
        UsageError: fsspec does not know the protocol, its package is not installed, or the
            address is a chain of protocols.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.:-]*", scheme):
        return Path(text)
    if "::" in text:
        raise UsageError(
            f"{redacted(text)}: chained addresses (::) are not supported; name one folder"
        )
    if scheme in _LOCAL:
        return Path(rest)
    if ".." in rest.split("/"):
        raise UsageError(
            f"{redacted(text)}: an address with '..' is not supported; name the folder itself"
        )
    _opened(text)
    return RemotePath(text.rstrip("/"))


def as_location(given: AnyPath, name: str = "") -> Location:
    """Return a caller's path or text as a location; ``parse_location`` reads text.

    In text ``~/`` is the user's home.

    Args:
        given: the path or text.
        name: the argument's, for the message.

    Raises:
        UsageError: it is neither, or the text is empty or no address that can be opened.
    """
    if isinstance(given, Path | RemotePath):
        return given
    if not isinstance(given, str | os.PathLike):
        whose = f"{name}: " if name else ""
        raise UsageError(f"{whose}expected a path or an address, got {shown(given)}")
    if not (text := os.fspath(given)):  # pathlib would take it for the current folder
        raise UsageError(f"{name or 'a path'}: got an empty text; the current folder is '.'")
    if text.startswith(("~/", "~\\")) or text == "~":  # a shell does so for the command line
        with suppress(RuntimeError):  # there is no home
            return Path(text).expanduser()
    return parse_location(text)


def local_path(place: Location) -> Path:
    """Return a location that must be local, because every input was."""
    assert isinstance(place, Path)
    return place


def relative_name(folder: Location, place: Location) -> PurePosixPath:
    """Return the name of ``place`` relative to ``folder``, which holds it."""
    if isinstance(folder, RemotePath) and isinstance(place, RemotePath):
        return place.relative.relative_to(folder.relative)
    return PurePosixPath(local_path(place).relative_to(local_path(folder)).as_posix())


def location_stamp(place: Location) -> Stamp | None:
    """Return the stamp of a local or remote file; None if it does not exist."""
    if isinstance(place, Path):
        return stamp(place)
    return place.stamp() if place.known is None else place.known


def location_mark(place: Location) -> Stamp | None:
    """Return the mark of a local file or the stamp of a remote one; None if it does not exist."""
    return mark(place) if isinstance(place, Path) else location_stamp(place)


def is_same_file(place: Location, recorded: Stamp | None) -> bool:
    """Whether a local or remote file is the one whose mark or stamp was recorded."""
    if isinstance(place, Path):
        return is_unchanged(place, recorded)
    return recorded is not None and location_stamp(place) == recorded


def is_plain_name(name: str) -> bool:
    """Whether a listed name may become a path.

    It must be relative, without empty or climbing components, and without a character that
    another system reads as a slash.
    """
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
            f"{redacted(root)}: no filesystem is known by {protocol}://; "
            "there are s3://, gs://, abfs://, sftp:// and more"
        )
    try:
        opened: tuple[Any, str] = url_to_fs(root)
    except ImportError as error:
        package = _PACKAGES.get(protocol)
        need = (
            f"the package {package}: pip install {package}"
            if package is not None
            else f"a package for {protocol}:// that fsspec names: {error}"
        )
        raise UsageError(f"{redacted(root)}: needs {need}") from error
    except Exception as error:
        raise UsageError(
            f"{redacted(root)}: cannot be opened ({_error_text(error, root)})"
        ) from error
    return opened


def _protocol(root: str) -> str:
    return root.partition("://")[0]


def _stamp(info: dict[str, Any]) -> Stamp:
    mark = next((info[key] for key in _CONTENT_MARKS if info.get(key)), None)
    return [int(info.get("size") or 0), None if mark is None else str(mark).strip('"')]


def _error_text(error: BaseException, root: str) -> str:
    """Return an error's text without the secrets that its filesystem may quote from ``root``."""
    text = redacted(str(error) or type(error).__name__)
    secrets = re.search(r"://([^/@\s]*)@", root)
    for secret in (secrets.group(1), *secrets.group(1).split(":", 1)) if secrets else ():
        if len(secret) > 3:
            text = text.replace(secret, "***")
    return text


@contextmanager
def _translate_errors(place: RemotePath, action: str, kind: type[Exception]) -> Iterator[None]:
    """Turn a filesystem's errors, few of which are ``OSError``, into one of this package's."""
    try:
        yield
    except (UsageError, UnreadableError, UnwritableError):
        raise
    except Exception as error:
        raise kind(f"{place}: cannot be {action} ({_error_text(error, place.root)})") from error
