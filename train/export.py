"""From a run's best weights to a file of their own: safetensors, a model card, an index entry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..models import shipped
from ..models.checkpoint import name_with_hash, sha256, weights_bytes
from ..models.own_segmenter import CARD, refuse_other_model
from ..pipeline.errors import UsageError
from ..pipeline.system.atomic import atomic_write
from .best import Averaged, kind_of_best, read_best
from .card import model_card
from .data.holes import named_mixture
from .data.pictures import find_images, read_rgb
from .request import PLACEHOLDER
from .tasks.base import NetworkTask

INDEX = "index.json"


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        path: the weight's file, or the folder of a model in a format of its own.
        others: the file that the index names instead of ``path``; empty if it names this one.
        has_terms: whether the card says what the pictures' terms are.
        is_new: False if the folder had the very file already.
    """

    path: Path
    others: str = ""
    has_terms: bool = True
    is_new: bool = True

    @property
    def card(self) -> Path:
        """The weight's model card."""
        return self.path / CARD if self.path.is_dir() else self.path.with_suffix(".md")


def export(
    model: str,
    task: type[NetworkTask],
    run: Path,
    folder: Path,
    *,
    terms: str = "",
    replace: str = "",
) -> Exported:
    """Write the best averaged weights of a run, with model card and index entry.

    It needs the run's folder alone. No file that is in ``folder`` is written over, and none is
    deleted but the one that ``replace`` names.

    Args:
        model: name of the network, and of the weight file.
        task: the class that trains the network.
        run: the run's folder, which holds ``best.safetensors``.
        folder: created if missing.
        terms: what the owner of the training pictures allows, for the card.
        replace: name of the file that the index has for this network: it is deleted, with its card
            and the card's picture, and the index names the new file.

    Raises:
        FileNotFoundError: nothing was trained in ``run``.
        UsageError: the run is another network's, the index is not ours, or does not name
            ``replace``.
    """
    if (kind := kind_of_best(run)) != model:
        raise UsageError(f"{run}: holds a run of {kind}; call train-inpainter {kind} to export it")
    best = read_best(run, task.network_class)
    index = _index(folder)
    data = weights_bytes(best.network, model, metadata={"step": str(best.step)})
    path = folder / name_with_hash(model, data)
    before = str(index.get(model, {}).get("file", ""))
    if replace and replace not in (before, path.name):
        holds = f"names {before}" if before else f"names no weight of {model}"
        raise UsageError(f"{folder / INDEX}: {holds}, so {replace} cannot be replaced")
    folder.mkdir(parents=True, exist_ok=True)
    if is_new := not path.exists():
        _write(path, data)
    bundled = folder.resolve() == shipped.FOLDER.resolve()
    _write_picture(path.with_suffix(".jpg"), task, best)
    card = path.with_suffix(".md")
    if not card.exists():
        _write(card, model_card(path, best, terms=terms, bundled=bundled).encode("utf-8"))
    has_terms = _fill_in(card, terms)
    enters = before in ("", path.name, replace)
    if enters:
        index[model] = _entry(path, task, best)
        _write(folder / INDEX, (json.dumps(index, indent=2, sort_keys=True) + "\n").encode())
        if before and before != path.name:
            for suffix in (".safetensors", ".md", ".jpg"):
                (folder / before).with_suffix(suffix).unlink(missing_ok=True)
    return Exported(path, "" if enters else before, has_terms, is_new)


def copy_saved(saved: Path, folder: Path, *, terms: str = "") -> Exported:
    """Copy the network that a run saved in a format of its own.

    Args:
        saved: the run's folder of it.
        folder: for the files.
        terms: what the owner of the training pictures allows, for the card.

    Raises:
        FileNotFoundError: nothing was trained.
        OwnModelError: another model lies there.
        UsageError: ``folder`` is the run's.
    """
    if not saved.is_dir():
        raise FileNotFoundError(f"{saved}: no model to export; train first")
    if folder.resolve() == saved.resolve():
        raise UsageError(f"{folder}: the run's own model is there already; name another folder")
    refuse_other_model(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # The card last: a copy that was cut short is known as ours by its configuration.
    for path in sorted(saved.iterdir(), key=lambda file: (file.suffix == ".md", file.name)):
        shutil.copyfile(path, folder / path.name)
    return Exported(folder, has_terms=_fill_in(folder / CARD, terms))


def _fill_in(card: Path, terms: str) -> bool:
    """Write the pictures' terms, if given, where a card asks; returns whether it has them now."""
    text = card.read_text(encoding="utf-8")
    if PLACEHOLDER not in text:
        return True
    if terms:
        _write(card, text.replace(PLACEHOLDER, terms).encode("utf-8"))
    return bool(terms)


def _index(folder: Path) -> dict[str, Any]:
    """The entries of a folder's index by network.

    Raises:
        UsageError: a file of another kind has its name.
    """
    path = folder / INDEX
    if not path.exists():
        return {}
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        index = None
    if not isinstance(index, dict) or not all(
        isinstance(entry, dict) and {"file", "sha256"} <= set(entry) for entry in index.values()
    ):
        raise UsageError(f"{path}: is no list of weights, and stays as it is; name another folder")
    return index


def _entry(path: Path, task: type[NetworkTask], best: Averaged) -> dict[str, Any]:
    """The index entry of a weight."""
    return {
        "file": path.name,
        "sha256": sha256(path),
        "network": type(best.network).__name__,
        "config": asdict(best.network.config),  # type: ignore[call-overload]
        "preprocessing": task.preprocessing,
        **task.index_facts(),
    }


def _write(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with atomic_write(path) as file:
        file.write(data)


def _write_picture(path: Path, task: type[NetworkTask], best: Averaged) -> None:
    """Write the card's picture, if there is none and something can be shown."""
    if path.exists():
        return
    grid = card_grid(task, best.network, best.recipe)
    if grid is not None:
        bgr = cv2.cvtColor(grid, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])
        _write(path, data.tobytes())


def card_grid(
    task: type[NetworkTask], network: Any, recipe: Mapping[str, Any]
) -> NDArray[np.uint8] | None:
    """The network's results on pictures that may be shown: those of a checkout's ``sample_images``.

    Returns:
        HWC uint8 RGB; None without a checkout, or if the task has nothing to show.
    """
    folder = Path(__file__).parent.parent / "sample_images"
    if not folder.is_dir() or not recipe["holes"]:
        return None
    files = [p for p in find_images([folder]) if not p.parent.name.startswith(".")]
    photos = [read_rgb(p) for p in files]
    return task.card_samples(network, photos, named_mixture(recipe["holes"]), recipe["size"])
