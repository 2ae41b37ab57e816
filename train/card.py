"""The model card: how a weight was made, on whose pictures, and how good it is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..models.kinds import KINDS
from .best import Averaged
from .data import datasets
from .request import PLACEHOLDER

#: Source and terms of the bundled weights' pictures, by the beginning of their folders' names.
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
}


def model_card(path: Path, best: Averaged, *, terms: str, bundled: bool) -> str:
    """The card in Markdown.

    Args:
        path: the weight's file; its picture, if there is one, lies beside it.
        best: the run's best weights.
        terms: what the owner of the pictures allows; empty = the card asks for it.
        bundled: whether the weight ships with the package: the sources of its pictures are known.
    """
    network, recipe = best.network, best.recipe
    parameters = sum(p.numel() for p in network.parameters())
    kind = f"`{type(network).__name__}`, {parameters / 1e6:.2f} M parameters, fp16"
    config = asdict(network.config)  # type: ignore[call-overload]
    known = {**datasets.TERMS, **(TERMS if bundled else {})}
    pictures = [
        *((folder, _known_terms(folder, known)) for folder in recipe["folders"]),
        *((folder, "") for folder in recipe["images"]),
    ]
    folders = "\n".join(f"- `{name}`: {terms or of_it or PLACEHOLDER}" for name, of_it in pictures)
    research = "; for research, not for commerce" if bundled and not terms else ""
    picture = path.with_suffix(".jpg")
    columns = "With its hole, the network's whole output, the composite, the ground truth"
    shown = f"\n![{columns}]({picture.name})\n" if picture.exists() else ""
    return f"""# {path.name}

{kind}, config `{json.dumps(config)}`.
{_use(path, best.kind)}
## Training

{_length(best)}{_start(recipe)} Command:

    {recipe["command"] or f"train-inpainter {best.kind}"}

Recipe: `{json.dumps(recipe["entries"])}`

Data ({recipe["pictures"]} pictures{research}):

{folders}

## Figures

On pictures held out from training, from the run's own log: `{json.dumps(best.metrics)}`
{shown}"""


def _known_terms(folder: str, known: dict[str, str]) -> str:
    """The terms of a folder's pictures, by the beginning of its name; empty if unknown."""
    return next((terms for name, terms in known.items() if folder.startswith(name)), "")


def _use(path: Path, kind: str) -> str:
    """How the weight is used, if a command takes it."""
    if kind not in KINDS:
        return ""
    return f"""
## Use

    remove-objects --weights {kind}={path.name} --class person photos/
"""


def _length(best: Averaged) -> str:
    """How long the run was, in a sentence."""
    if not best.step:
        return "**No step of training yet**: these are the values that the run starts with."
    samples = best.step * best.recipe["batch"]
    return (
        f"{best.step} steps of batch {best.recipe['batch']} ({samples} samples) "
        f"in {best.seconds / 60:.0f} minutes on {' and '.join(best.machines)}."
    )


def _start(recipe: Any) -> str:
    """What the run started from, whose terms hold on."""
    if not recipe["start"]:
        return ""
    return f" It started from `{recipe['start']}`, whose own card says what that was trained on."
