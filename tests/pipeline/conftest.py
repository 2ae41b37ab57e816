"""Small networks instead of the shipped ones, so that tests of the pipeline's logic are quick."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from remove_objects.models.checkpoint import save_weights, sha256
from remove_objects.pipeline import remover
from tests.support.box_segmenter import BoxSegmenter
from tests.support.states.networks import cheap_networks
from tests.support.tiny_networks import NETWORKS

if TYPE_CHECKING:
    import fsspec

    from tests.support.faults import Ground


@pytest.fixture(autouse=True)
def _no_networks_of_earlier_tests() -> None:
    """``remove`` keeps its networks from call to call, and tests replace them."""
    remover._remover.cache_clear()


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight folder of untrained networks, with an index like the shipped one."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    index = {}
    for kind, make in NETWORKS.items():
        path = save_weights(make(), folder, kind)
        index[kind] = {"file": path.name, "sha256": sha256(path)}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def tiny(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Shipped weights replaced by ``tiny_weights``, an empty cache, and no network."""
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", tiny_weights)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty-cache"))
    monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    return tiny_weights


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """fsspec's file system in memory, empty; each reader of a file has a position of its own.

    As fsspec has it, all readers of a file share one, and two threads that read at once get
    parts of it. No store that people use does that.
    """
    import fsspec
    from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

    shared = MemoryFileSystem._open

    def alone(self: MemoryFileSystem, path: str, mode: str = "rb", **options: object) -> MemoryFile:
        file = shared(self, path, mode, **options)
        return MemoryFile(self, path, file.getvalue()) if mode == "rb" else file

    monkeypatch.setattr(MemoryFileSystem, "_open", alone)
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    yield filesystem
    filesystem.store.clear()


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Photos for the tests of faults; networks cost nothing, in forked child processes too."""
    from tests.support.faults import Ground

    with cheap_networks():
        yield Ground(tmp_path_factory.mktemp("ground"))


@pytest.fixture
def red_is_person(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every remover segments with ``BoxSegmenter``."""
    from remove_objects.pipeline.detect import segmenters

    monkeypatch.setattr(
        segmenters,
        "choose_segmenter",
        lambda *a, **k: segmenters.Chosen(BoxSegmenter(), {"box": "0" * 64}),
    )


@pytest.fixture
def cheap() -> Iterator[None]:
    """Every remover sees persons in red and dogs in blue, and makes them grey.

    For tests of files, which do not depend on what is in the pictures.
    """
    with cheap_networks():
        yield
