"""From a checkpoint to a weight that ships: safetensors, a model card, an entry in the index."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..models.checkpoint import save_weights, sha256
from ..models.own_segmenter import refuse_other_model
from . import engine
from .data import datasets
from .data.pictures import find_images, read_rgb
from .recipe import Recipe
from .tasks.base import NetworkTask

#: Source and terms of the picture folders, by the beginning of their names.
TERMS = {
    "scenes/train": "one photo per ImageNet class, BSDS500 train, Urban100: research",
    "scenes/street": "streets, from pedestrian sets without a licence: research",
    "scenes/rooms": "Houses-dataset (arXiv 1609.08399), no licence: research",
    "segmentation/voc_train": "Pascal VOC / SBD, Flickr terms: research",
    "segmentation/ccp_person": "Clothing Co-Parsing, Apache-2.0 repository, photo rights unclear",
    "segmentation/human": "Human-Segmentation-Dataset, web images, rights unclear",
    "segmentation/camvid_train": "CamVid: research",
    "instances": "451 photos of public repositories, each object labelled: COCO train2017 (290; "
    "annotations CC BY 4.0, Flickr terms), Penn-Fudan pedestrians (150), Pascal VOC 2007 (11): "
    "research",
    "instance_boxes": "COCO train2017 (1,260 photos of a public repository, with boxes of their "
    "people), annotations CC BY 4.0, Flickr terms: research",
    "instance_singles": "COCO val2017 (822 photos of one person each, of public repositories, none "
    "of them in coco_val), annotations CC BY 4.0, Flickr terms: research",
    "effects/cameras": "moments of 26 fixed cameras, videos of public repositories, most of them "
    "without a licence: research",
    "effects/photos": "Clothing Co-Parsing; COCO train2017, Flickr terms; DAVIS 2016 train; VOC; "
    "Stanford 40 Actions; ECSSD; sports and street photos of public repositories without a "
    "licence: research",
    "effects/things": "cut-outs of these, of Caltech-101 (CC BY 4.0) and of shop photos: research",
    "faces/train": "UTKFace: non-commercial research",
    **datasets.TERMS,
}


def export(model: str, task: NetworkTask, run: Path, folder: Path, recipe: Recipe) -> Path:
    """Write the best averaged weights of a run, with model card and index entry.

    An older weight of the same model in ``folder`` is deleted, with its card and the card's
    picture.

    Args:
        model: name of the network, and of the weight file.
        task: a task of the same network; its parameters are overwritten.
        run: the run's folder, which holds ``best.pt``.
        folder: usually ``models/weights``.
        recipe: of the same request as ``task``.

    Returns:
        The weight's path.

    Raises:
        FileNotFoundError: nothing was trained in ``run``.
    """
    best = engine.averaged_network(run, task)
    network = best.network
    path = save_weights(network, folder, model, metadata={"step": str(best.step)})
    _enter(folder / "index.json", model, path, task, network)
    grid = card_grid(task, network)
    if grid is not None:
        cv2.imwrite(
            str(path.with_suffix(".jpg")),
            cv2.cvtColor(grid, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, 88],
        )
    card = _card(model, path, best, recipe, with_picture=grid is not None)
    path.with_suffix(".md").write_text(card, encoding="utf-8")
    return path


def copy_saved(saved: Path, folder: Path) -> Path:
    """Copy the network that a run saved in a format of its own.

    Args:
        saved: the run's folder of it.
        folder: for the files.

    Returns:
        ``folder``.

    Raises:
        FileNotFoundError: nothing was trained.
        OwnModelError: another model lies there.
    """
    if not saved.is_dir():
        raise FileNotFoundError(f"{saved}: no model to export; train first")
    refuse_other_model(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(saved.iterdir()):
        shutil.copyfile(path, folder / path.name)
    return folder


def _enter(index_path: Path, model: str, path: Path, task: NetworkTask, network: Any) -> None:
    """Enter a weight into the index, and delete the files of the weight that it replaces."""
    index = json.loads(index_path.read_text(encoding="utf-8")) if index_path.exists() else {}
    old = index.get(model, {}).get("file")
    if old and old != path.name:
        for suffix in (".safetensors", ".md", ".jpg"):
            (path.parent / old).with_suffix(suffix).unlink(missing_ok=True)
    index[model] = {
        "file": path.name,
        "sha256": sha256(path),
        "network": type(network).__name__,
        "config": asdict(network.config),
        "preprocessing": task.preprocessing,
        **task.index_facts(),
    }
    index_path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def card_grid(task: NetworkTask, network: Any) -> NDArray[np.uint8] | None:
    """The network's results on pictures that may be shown: those of a checkout's ``sample_images``.

    Returns:
        HWC uint8 RGB; None without a checkout, or if the task has nothing to show.
    """
    folder = Path(__file__).parent.parent / "sample_images"
    if not folder.is_dir():
        return None
    files = [p for p in find_images([folder]) if not p.parent.name.startswith(".")]
    return task.card_samples(network, [read_rgb(p) for p in files])


def _card(
    model: str, path: Path, best: engine.Averaged, recipe: Recipe, *, with_picture: bool
) -> str:
    """The model card in Markdown."""
    network, step = best.network, best.step
    config = asdict(network.config)  # type: ignore[call-overload]
    parameters = sum(p.numel() for p in network.parameters())
    folders = "\n".join(
        f"- `{f}`: {next((t for k, t in TERMS.items() if f.startswith(k)), 'see its source')}"
        for f in recipe.folders
    )
    command = f"train-inpainter {model} {recipe.source}{recipe.options}"
    length = (
        f"{step} steps of batch {recipe.batch} ({step * recipe.batch} samples) "
        f"in {best.seconds / 60:.0f} minutes on {' and '.join(best.machines)}"
        if step
        else "**No step of training yet**: these are the values that the run starts with"
    )
    columns = "With its hole, the network's whole output, the composite, the ground truth"
    picture = f"\n![{columns}]({path.with_suffix('.jpg').name})\n" if with_picture else ""
    kind = f"`{type(network).__name__}`, {parameters / 1e6:.2f} M parameters, fp16"
    return f"""# {path.name}

{kind}, config `{json.dumps(config)}`.

## Training

{length}. Commands:

    {command}
    {command} --export models/weights

Recipe: `{json.dumps(recipe.card_entries())}`

Data ({recipe.pictures} pictures; for research, not for commerce):

{folders}

## Figures

On pictures held out from training, from the run's own log: `{json.dumps(best.metrics)}`
{picture}"""
