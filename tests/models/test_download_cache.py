"""A place for downloads, whoever the user is: no home, no password entry, a read-only home."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from remove_objects.models.checkpoint import CheckpointError
from remove_objects.models.download_cache import (
    cache_folder,
    cache_folders,
    make_cache_folder,
    temporary_cache,
)
from remove_objects.models.hub import RemoteFile, cached, fetch

REMOTE = RemoteFile("http://127.0.0.1:9/net.pth", "net.pth", "0" * 64)


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be a user without a home and without an entry in the password file."""
    import pwd

    def unknown(_: Any) -> Any:
        raise KeyError("uid not found")

    def no_home(_: Any = None) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(Path, "home", no_home)


def test_torchs_own_cache_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home/.cache/torch/hub/checkpoints"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg/torch/hub/checkpoints"
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    assert cache_folder() == tmp_path / "torch/hub/checkpoints"


def test_without_a_home_downloads_are_kept_among_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody(monkeypatch)
    assert cache_folder() == temporary_cache()
    assert cached(REMOTE) is None
    make_cache_folder(cache_folder())
    assert os.stat(cache_folder().parents[2]).st_mode & 0o777 == 0o700
    (cache_folder() / "net.pth").write_bytes(b"weights")
    assert cached(REMOTE) == cache_folder() / "net.pth"


def test_a_home_that_cannot_be_written_is_read_and_a_download_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "image"
    (home / "hub" / "checkpoints").mkdir(parents=True)
    (home / "hub" / "checkpoints" / "net.pth").write_bytes(b"weights")
    monkeypatch.setenv("TORCH_HOME", str(home))
    monkeypatch.setattr(os, "access", lambda path, _: not Path(path).is_relative_to(home))
    assert cached(REMOTE) == home / "hub/checkpoints/net.pth"
    assert cache_folder() == temporary_cache()


def test_the_place_of_a_download_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(CheckpointError, match="by hand"):  # nobody listens on that port
        fetch(REMOTE, progress=False)
    assert str(temporary_cache()) in caplog.text
    assert "TORCH_HOME" in caplog.text


def test_no_place_at_all_is_an_error_that_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(CheckpointError, match=r"cannot be written.*TORCH_HOME"):
        fetch(REMOTE, progress=False)


@pytest.mark.skipif(os.name == "nt", reason="Windows' temporary folder is the user's own")
def test_another_users_temporary_folder_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody(monkeypatch)
    make_cache_folder(temporary_cache())
    (temporary_cache() / "net.pth").write_bytes(b"planted")
    top = temporary_cache().parents[2]
    top.chmod(0o777)
    assert cached(REMOTE) is None
    with pytest.raises(CheckpointError, match="belongs to somebody else"):
        fetch(REMOTE, progress=False)
    top.chmod(0o700)
    top.rename(top.with_name("elsewhere"))
    top.symlink_to(top.with_name("elsewhere"))
    assert cached(REMOTE) is None
    assert len(cache_folders()) == 1
