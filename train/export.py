"""From a checkpoint to a weight that ships: fp16 safetensors named by hash, a model card, an entry in the index."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from models.checkpoint import save_weights, sha256
from models.segmenter import CompactSegmenter
from train import engine

#: What each network's input is, for the index: how a pixel in [0, 255] becomes the network's number.
PREPROCESSING = {
    "compact-segmenter": "longer side to 513 pixels, padded with 0 to 16k+1, RGB / 127.5 - 1",
    "partial-conv": "RGB / 255, holes 0, sides padded to multiples of 128 with unknown pixels",
    "skip-ce": "128x128, RGB / 127.5 - 1, holes 0",
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
        run: holds ``checkpoint.pt`` and ``log.jsonl``.
        folder: usually ``models/weights``.
        recipe: from ``train.main.make_task``.

    Returns:
        The weight's path. An older weight of the kind is deleted, with its card.
    """
    if not (run / "checkpoint.pt").exists():
        raise FileNotFoundError(f"{run / 'checkpoint.pt'}: no checkpoint to export; train first")
    network, step, seconds = engine.averaged_network(run, task)
    path = save_weights(network, folder, kind, metadata={"step": str(step)})
    index_path = folder / "index.json"
    index = json.loads(index_path.read_text(encoding="utf-8")) if index_path.exists() else {}
    old = index.get(kind, {}).get("file")
    if old and old != path.name:
        for stale in (folder / old, folder / old.replace(".safetensors", ".md")):
            stale.unlink(missing_ok=True)
    index[kind] = {
        "file": path.name,
        "sha256": sha256(path),
        "network": type(network).__name__,
        "config": asdict(network.config),  # type: ignore[call-overload]
        "preprocessing": PREPROCESSING[kind],
    }
    if isinstance(network, CompactSegmenter):
        from models.categories import CATEGORIES

        index[kind]["categories"] = list(CATEGORIES)
    index_path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    card = _card(kind, path, network, step, seconds, recipe, _last_figures(run / "log.jsonl"))
    path.with_suffix(".md").write_text(card, encoding="utf-8")
    return path


def _last_figures(log: Path) -> dict[str, float]:
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    found = [r for r in rows if any(k.startswith("val_") for k in r)]
    return found[-1] if found else {}


def _card(
    kind: str, path: Path, network: torch.nn.Module, step: int, seconds: float, recipe: dict[str, Any], figures: dict[str, float]
) -> str:  # fmt: skip
    config = asdict(network.config)  # type: ignore[call-overload]
    parameters = sum(p.numel() for p in network.parameters())
    folders = "\n".join(f"- `{f}`: {next((t for k, t in TERMS.items() if f.startswith(k)), 'see its source')}" for f in recipe["folders"])
    numbers = {k: str(v) for k, v in recipe.items() if k not in ("folders", "preset")}
    command = f"train-inpainter {kind} --data DATA{recipe.get('options', '')}"
    batch = recipe["schedule"].batch if "schedule" in recipe else recipe.get("batch", 0)
    trained = f"{step} steps of batch {batch} ({step * batch} samples) in {seconds / 60:.0f} minutes on two CPU cores"
    length = f"{trained}. Commands:" if step else "**No step of training yet**: these are the values that the run begins with. Commands:"
    return f"""# {path.name}

`{type(network).__name__}`, {parameters / 1e6:.2f} M parameters, fp16, config `{json.dumps(config)}`.

## Training

{length}

    {command}
    {command} --export models/weights

Recipe: `{json.dumps(numbers)}`

Data (for research, not for commerce):

{folders}

## Figures

On pictures held out from training, from the run's own log: `{json.dumps(figures)}`
"""
