"""``train-inpainter MODEL --data DIR``: the command line of the training code."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train.engine import Task

MODELS = ("partial-conv", "skip-ce", "compression", "edsr", "compact-segmenter")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser("train-inpainter", description="Train one network of remove-objects, resume it, or export its weights.")
    p.add_argument("model", choices=MODELS)
    p.add_argument("--data", type=Path, required=True, help="data folder; the preset's folders are looked for below it")
    p.add_argument("--run", type=Path, help="folder for checkpoint and log (default: runs/MODEL)")
    p.add_argument("--features", default="vgg16", help="feature network: vgg16 (torchvision's hub), a .pth file, or none")
    p.add_argument("--encoder", type=Path, help="compact-segmenter: .npz of the encoder to begin with")
    p.add_argument("--variant", type=int, choices=range(4), help="skip-ce: Model 0, 1, 2 or 3")
    p.add_argument("--width", type=int, help="channels; the preset's otherwise")
    p.add_argument("--steps", type=int, help="length of the whole run; the preset's otherwise")
    p.add_argument("--batch", type=int)
    p.add_argument("--learning-rate", type=float, help="the preset's otherwise; may change when a run is resumed")
    p.add_argument("--size", type=int, help="side of the training crops in pixels")
    p.add_argument("--minutes", type=float, default=float("inf"), help="stop after this time; the same command resumes")
    p.add_argument("--held-out", type=int, default=64, help="pictures kept from training, for the figures in the log")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--export", type=Path, help="no training: write the checkpoint's averaged weights into this folder")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from train import engine

    folder = args.run or Path("runs") / args.model
    try:
        task, steps, recipe = make_task(args)
        if args.export:
            from train.export import export

            print(export(args.model, task, folder, args.export, recipe))
            return 0
        figures = engine.train(task, folder, steps=steps, minutes=args.minutes)
    except (FileNotFoundError, ValueError) as error:
        print(f"train-inpainter: {error}", file=sys.stderr)
        return 2
    except engine.NonFiniteLossError as error:
        print(f"train-inpainter: {error}", file=sys.stderr)
        return 1
    print(figures)
    return 0


def make_task(args: argparse.Namespace) -> tuple[Task, int, dict[str, Any]]:
    """The task of the command line: (task, whole length in steps, what to say of it on the card)."""
    import torch

    torch.manual_seed(args.seed)
    if args.model == "compact-segmenter":
        from train.distill import make_distillation

        return make_distillation(args)
    from train import tasks
    from train.data import Pictures, find_images
    from train.features import feature_network
    from train.presets import SHIPPED

    preset = SHIPPED[args.model]
    schedule = replace(preset.schedule, seed=args.seed)
    if args.batch:
        schedule = replace(schedule, batch=args.batch)
    if args.learning_rate:
        schedule = replace(schedule, learning_rate=args.learning_rate)
    if args.size:
        schedule = replace(schedule, size=args.size)
    training, held_out = tasks.split(find_images([args.data / f for f in preset.folders]), args.held_out)
    if args.export:
        training = training[:1]
    network = dict(preset.network)
    if args.width:
        network["width"] = args.width
    if args.variant is not None:
        if args.model != "skip-ce":
            raise ValueError("--variant belongs to skip-ce; leave it out")
        network["variant"] = args.variant
    holes = _holes(args.model, args.data, network.get("variant", 3))
    common = {
        "schedule": schedule,
        "pictures": Pictures(training),
        "holes": holes,
        "held_out": tasks.held_out_set(Pictures(held_out), holes, schedule.size, args.held_out),
        "features": None if args.features == "none" else feature_network(args.features),
        "perceptual_crop": preset.perceptual_crop,
    }
    kinds: dict[str, Any] = {
        "partial-conv": tasks.PartialConvTask,
        "skip-ce": tasks.SkipContextTask,
        "compression": tasks.CompressionTask,
        "edsr": tasks.EDSRTask,
    }
    recipe = {"preset": preset, "schedule": schedule, "network": network, "folders": preset.folders, "options": _options(args)}
    return kinds[args.model](**network, **common), args.steps or preset.steps, recipe


def _options(args: argparse.Namespace) -> str:
    """The options of a run that its card must name, so that the command on it makes the weight again."""
    names = ("steps", "batch", "size", "width", "variant", "learning_rate")
    given = [f" --{n.replace('_', '-')} {getattr(args, n)}" for n in names if getattr(args, n)]
    return "".join(given) + (" --features FEATURES" if args.features not in ("none", "vgg16") else f" --features {args.features}")


def _holes(model: str, data: Path, variant: int) -> Any:
    from functools import partial

    from train import holes

    if model in ("compression", "edsr"):
        return holes.mixture([(1.0, holes.edge)])
    if model == "skip-ce" and variant < 2:
        return holes.rectangle  # Models 0 and 1 answer with a 64x64 square and nothing else
    shapes = holes.object_shapes([data / "segmentation" / s / "labels" for s in ("voc_train", "human")])
    irregular = holes.mask_folder(data / "masks" / "irregular")
    if model == "partial-conv":
        kinds = [
            (0.5, irregular),
            (0.15, holes.strokes),
            (0.25, shapes),
            (0.1, lambda s, r: holes.rectangle(s, r, side=int(r.integers(s // 8, s // 2)))),
        ]
        return holes.mixture(kinds)
    centred = partial(holes.rectangle, centred=True)
    return holes.mixture([(0.35, centred), (0.35, holes.rectangle), (0.15, irregular), (0.15, holes.strokes)])


if __name__ == "__main__":
    sys.exit(main())
