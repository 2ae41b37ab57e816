"""From a checkpoint to a weight that ships: fp16 safetensors named by hash, a model card, an entry in the index."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..models.checkpoint import save_weights, sha256
from ..models.segmenter import CompactSegmenter
from . import engine
from .data.pictures import find_images, read_rgb

#: What each network's input is, for the index: how a pixel in [0, 255] becomes the network's number.
PREPROCESSING = {
    "compact-segmenter": "longer side to 513 pixels, padded with 0 to 16k+1, RGB / 127.5 - 1",
    "partial-conv": "RGB / 255, holes 0, sides padded to multiples of 128 with unknown pixels",
    "skip-ce": "128x128, RGB / 127.5 - 1, holes 0",
    "edsr": "a photo at an eighth of its size, RGB / 127.5 - 1",
    "scene-classifier": "224x224 (size in the config), RGB / 255",
    "gated-conv": "sides in multiples of 4, RGB / 127.5 - 1, and the mask",
    "edge-connect": "sides in multiples of 4, RGB / 127.5 - 1, Canny's edges of the known part (train.data.edges), and the mask",
    "compression": "256 pixels on the longer side, multiples of 8, RGB / 127.5 - 1, holes 0, and the mask",
}
TERMS = {
    "scenes/train": "one photo per ImageNet class, BSDS500 train, Urban100: research",
    "segmentation/voc_train": "Pascal VOC / SBD, Flickr terms: research",
    "segmentation/ccp_person": "Clothing Co-Parsing, Apache-2.0 repository, photo rights unclear",
    "segmentation/human": "Human-Segmentation-Dataset, web images, rights unclear",
    "segmentation/camvid_train": "CamVid: research",
    "faces/train": "UTKFace: non-commercial research",
}


def export(kind: str, task: Any, run: Path, folder: Path, recipe: dict[str, Any]) -> Path:
    """Write the averaged weights of ``run``'s checkpoint into ``folder``, with card and index entry.

    Args:
        kind: the weight's kind and file name.
        task: a task of the same network; its parameters are overwritten.
        run: holds ``best.pt``.
        folder: usually ``models/weights``.
        recipe: from ``train.cli.make_task``.

    Returns:
        The weight's path. An older weight of the kind is deleted, with its card and the card's picture.

    Raises:
        FileNotFoundError: nothing was trained in ``run``.
    """
    best = engine.averaged_network(run, task)
    network = best.network
    path = save_weights(network, folder, kind, metadata={"step": str(best.step)})
    index_path = folder / "index.json"
    index = json.loads(index_path.read_text(encoding="utf-8")) if index_path.exists() else {}
    old = index.get(kind, {}).get("file")
    if old and old != path.name:
        for suffix in (".safetensors", ".md", ".jpg"):
            (folder / old).with_suffix(suffix).unlink(missing_ok=True)
    index[kind] = {
        "file": path.name,
        "sha256": sha256(path),
        "network": type(network).__name__,
        "config": asdict(network.config),  # type: ignore[call-overload]
        "preprocessing": PREPROCESSING[kind],
    }
    if isinstance(network, CompactSegmenter):
        from ..models.categories import CATEGORIES

        index[kind]["categories"] = list(CATEGORIES)
    index_path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    grid = card_grid(kind, task, network)
    if grid is not None:
        cv2.imwrite(
            str(path.with_suffix(".jpg")),
            cv2.cvtColor(grid, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, 88],
        )
    path.with_suffix(".md").write_text(
        _card(kind, path, best, recipe, pictured=grid is not None), encoding="utf-8"
    )
    return path


def card_grid(kind: str, task: Any, network: Any) -> NDArray[np.uint8] | None:
    """The network at work on pictures that may be shown: those of ``sample_images/`` of a checkout; None without them.

    For the face network the squares are the faces that the Haar cascades find there, for the others the pictures' centres.
    """
    from .tasks import base

    folder = Path(__file__).parent.parent / "sample_images"
    if not folder.is_dir() or not isinstance(task, base.InpaintingTask):
        return None
    pictures = [read_rgb(p) for p in find_images([folder]) if not p.parent.name.startswith(".")]
    if kind == "skip-ce":
        pictures = [face for p in pictures for face in _faces(p)]
    if not pictures:
        return None
    task.held_out = base.squares_with_holes(pictures, task.crops.holes, task.schedule.size)
    return task.samples(network)


def _faces(rgb: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    from ..pipeline.detect.faces import FaceDetector

    found = []
    for face in FaceDetector(offline=True).detect(rgb):
        w = face.frame
        if w.x >= 0 and w.y >= 0 and w.x + w.w <= rgb.shape[1] and w.y + w.h <= rgb.shape[0]:
            found.append(rgb[w.slices])
    return found


def _card(
    kind: str, path: Path, best: engine.Averaged, recipe: dict[str, Any], *, pictured: bool
) -> str:
    network, step = best.network, best.step
    config = asdict(network.config)  # type: ignore[call-overload]
    parameters = sum(p.numel() for p in network.parameters())
    folders = "\n".join(
        f"- `{f}`: {next((t for k, t in TERMS.items() if f.startswith(k)), 'see its source')}"
        for f in recipe["folders"]
    )
    numbers = {
        k: str(v)
        for k, v in recipe.items()
        if k not in ("folders", "options", "source", "batch", "steps")
    }
    command = (
        f"train-inpainter {kind} {recipe.get('source', '--data DATA')}{recipe.get('options', '')}"
    )
    batch = recipe["batch"]
    where = " and ".join(best.machines)
    trained = f"{step} steps of batch {batch} ({step * batch} samples) in {best.seconds / 60:.0f} minutes on {where}"
    length = (
        f"{trained}. Commands:"
        if step
        else "**No step of training yet**: these are the values that the run begins with. Commands:"
    )
    columns = "With its hole, the network's whole answer, the composite, the truth"
    picture = f"\n![{columns}]({path.with_suffix('.jpg').name})\n" if pictured else ""
    return f"""# {path.name}

`{type(network).__name__}`, {parameters / 1e6:.2f} M parameters, fp16, config `{json.dumps(config)}`.

## Training

{length}

    {command}
    {command} --export models/weights

Recipe: `{json.dumps(numbers)}`

Data ({recipe["pictures"]} pictures; for research, not for commerce):

{folders}

## Figures

On pictures held out from training, from the run's own log: `{json.dumps(best.figures)}`
{picture}"""
