"""``train-inpainter MODEL --data DIR``: the command line of the training code."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..pipeline.errors import RemoveObjectsError

if TYPE_CHECKING:
    from .data.holes import HoleGenerator
    from .engine import Task
    from .presets import Preset

MODELS = (
    "partial-conv",
    "skip-ce",
    "compression",
    "edsr",
    "gated-conv",
    "edge-connect",
    "compact-segmenter",
    "scene-classifier",
)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        "train-inpainter",
        description="Train one network of remove-objects, resume it, or export its weights.",
    )
    p.add_argument("model", choices=MODELS)
    p.add_argument(
        "--data",
        type=Path,
        help="data folder; the preset's folders are looked for below it (scene-classifier: not needed)",
    )
    p.add_argument(
        "--run", type=Path, help="folder for checkpoints, log and samples (default: runs/MODEL)"
    )
    p.add_argument(
        "--preset",
        choices=("shipped", "paper"),
        default="shipped",
        help="whose numbers: train/presets.py (default: shipped)",
    )
    p.add_argument(
        "--images",
        type=Path,
        action="append",
        help="pictures instead of the preset's (scene-classifier: its classes); repeats",
    )
    p.add_argument(
        "--masks",
        type=Path,
        help="holes from this folder of mask pictures (white = hole) instead of the preset's",
    )
    p.add_argument(
        "--features",
        default="vgg16",
        help="feature network: vgg16, squeezenet (torchvision's hub), a .pth file, or none",
    )
    p.add_argument(
        "--encoder",
        default="imagenet",
        help="compact-segmenter: a teacher's constants (.npz), or imagenet: an encoder that is downloaded",
    )
    p.add_argument(
        "--begin-with",
        type=Path,
        metavar="FILE",
        help="a new run begins with these weights, a .safetensors; with a larger --width or more --blocks too",
    )
    p.add_argument("--variant", type=int, choices=range(4), help="skip-ce: Model 0, 1, 2 or 3")
    p.add_argument("--width", type=int, help="channels; the preset's otherwise")
    p.add_argument(
        "--blocks",
        type=int,
        help="skip-ce: residual blocks behind each of its middle maps; the preset's otherwise",
    )
    p.add_argument("--steps", type=int, help="length of the whole run; the preset's otherwise")
    p.add_argument(
        "--minutes",
        type=float,
        default=float("inf"),
        help="stop after this time; the same command resumes",
    )
    p.add_argument("--batch", type=int, help="pictures a batch and process")
    p.add_argument(
        "--accumulate",
        type=int,
        default=1,
        help="batches whose gradients make one step (default 1)",
    )
    p.add_argument(
        "--learning-rate",
        type=float,
        help="the preset's otherwise; may change when a run is resumed",
    )
    p.add_argument("--size", type=int, help="side of the training crops in pixels")
    p.add_argument(
        "--held-out",
        type=int,
        default=64,
        help="pictures kept from training, for the figures in the log",
    )
    p.add_argument(
        "--every",
        type=int,
        default=100,
        help="steps between log lines and checkpoints (default 100)",
    )
    p.add_argument(
        "--evaluate-every",
        type=int,
        default=1000,
        help="steps between held-out figures and samples (default 1000)",
    )
    p.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    p.add_argument(
        "--devices",
        type=int,
        default=1,
        help="accelerators (or CPU processes) of this machine; torchrun's count goes first",
    )
    p.add_argument(
        "--precision",
        default="auto",
        help="32-true, bf16-mixed or 16-mixed (default: bf16 where the hardware has it)",
    )
    p.add_argument(
        "--workers",
        type=int,
        help="processes that decode pictures (default: the cores left over, at most 8)",
    )
    p.add_argument("--seed", type=int, default=0)
    p.add_argument(
        "--export", type=Path, help="no training: write the best averaged weights into this folder"
    )
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.workers is None:
        args.workers = max(0, min(8, (os.cpu_count() or 1) - 1))
    from . import engine

    folder = args.run or Path("runs") / args.model
    try:
        task, recipe = make_task(args)
        if args.export:
            from .export import export

            print(export(args.model, task, folder, args.export, recipe))
            return 0
        # A run that goes on has its own values, and its beginning may be gone.
        if args.begin_with and not (folder / "checkpoint.pt").exists():
            begin_with(task.network, args.begin_with)
        run = engine.Run(
            steps=recipe["steps"],
            minutes=args.minutes,
            every=args.every,
            evaluate_every=args.evaluate_every,
            accumulate=args.accumulate,
            average=recipe["average"],
            precision=engine.best_precision(args.device)
            if args.precision == "auto"
            else args.precision,
            device=args.device,
            devices=args.devices,
            seed=args.seed,
        )
        figures = engine.train(task, folder, run)
    except (FileNotFoundError, ValueError, OSError, RemoveObjectsError) as error:
        print(f"train-inpainter: {error}", file=sys.stderr)
        return 2
    except engine.NonFiniteLossError as error:
        print(f"train-inpainter: {error}", file=sys.stderr)
        return 1
    if engine.is_first_process():
        print(figures)
    return 0


def make_task(args: argparse.Namespace) -> tuple[Task, dict[str, Any]]:
    """The task of the command line, and its recipe: what the engine and the card are told of it."""
    import torch

    torch.manual_seed(args.seed)
    task, recipe = _make_task(args)
    if args.begin_with:
        recipe["options"] += f" --begin-with {args.begin_with.name}"
    return task, recipe


def _make_task(args: argparse.Namespace) -> tuple[Task, dict[str, Any]]:
    if args.model == "scene-classifier":
        from .tasks.scene_classifier import make_classifier

        return make_classifier(args)
    if args.data is None:
        raise ValueError(
            f"{args.model} needs --data: the folder below which the preset's folders lie"
        )
    if args.model == "compact-segmenter":
        from .tasks.segmenter import make_distillation

        return make_distillation(args)
    from ..pipeline.quality.lpips import lpips_network
    from . import features
    from .data.pictures import find_images
    from .presets import PRESETS
    from .tasks import base, compression, edge_connect, edsr, gated_conv, partial_conv, skip_context

    preset = adapted(PRESETS[args.preset][args.model], args)
    folders = tuple(args.images or [args.data / f for f in preset.folders])
    training, held_out = base.split(find_images(folders), args.held_out)
    holes = hole_generator(preset, args.masks, args.data)
    lpips, why = (None, "") if args.export else lpips_network(offline=False)
    if why:
        logging.getLogger(__name__).warning("held-out pictures: %s", why)
    common = {
        "schedule": preset.schedule,
        "pictures": training,
        "holes": holes,
        "held_out": base.held_out_set(held_out, holes, preset.schedule.size),
        "features": None if args.features == "none" else features.feature_network(args.features),
        "scorer": features.Scorer(lpips) if lpips is not None else None,
        "workers": args.workers,
        "segmenter": features.SegmenterFeatures() if preset.network.get("semantic") else None,
    }
    kinds: dict[str, Any] = {
        "partial-conv": partial_conv.PartialConvTask,
        "skip-ce": skip_context.SkipContextTask,
        "compression": compression.CompressionTask,
        "edsr": edsr.EDSRTask,
        "gated-conv": gated_conv.GatedConvTask,
        "edge-connect": edge_connect.EdgeConnectTask,
    }
    batch = (
        preset.schedule.batch * args.accumulate * int(os.environ.get("WORLD_SIZE", args.devices))
    )
    recipe = {
        "preset": args.preset,
        "schedule": preset.schedule,
        "network": preset.network,
        "folders": tuple(str(f) for f in args.images) if args.images else preset.folders,
        "holes": str(args.masks.name) if args.masks else preset.holes,
        "pictures": len(training),
        "steps": preset.steps or preset.epochs * len(training) // batch
        if args.steps is None
        else args.steps,
        "batch": batch,
        "average": preset.average,
        "options": _options(args),
    }
    return kinds[args.model](**preset.network, **common), recipe


def begin_with(network: Any, path: Path) -> None:
    """Set ``network`` to the values of a weight file; a narrower one's answer stays what it was (``train.net2net``).

    Raises:
        CheckpointError: not a weight of this network.
        ValueError: of the same network in another shape.
    """
    from ..models.checkpoint import load_weights

    found = load_weights(path, type(network))
    if found.config == network.config:
        network.load_state_dict(found.state_dict())
        return
    from .net2net import widen

    mine, theirs = (
        {**vars(config), "width": None, "blocks": None} for config in (network.config, found.config)
    )
    try:
        if mine != theirs:
            raise ValueError("they differ in more than the width and the blocks")
        widen(network, found)
    except ValueError as error:
        raise ValueError(
            f"{path}: is of {found.config}, this run's is {network.config}: {error}"
        ) from error


def adapted(preset: Preset, args: argparse.Namespace) -> Preset:
    """The preset with what the command line changes."""
    changes = {"batch": args.batch, "learning_rate": args.learning_rate, "size": args.size}
    schedule = replace(preset.schedule, seed=args.seed, **{k: v for k, v in changes.items() if v})
    network = dict(preset.network)
    holes = preset.holes
    if args.width:
        network["width"] = args.width
    for name in ("variant", "blocks"):
        if getattr(args, name) is not None and args.model != "skip-ce":
            raise ValueError(f"--{name} belongs to skip-ce; leave it out")
    if args.blocks is not None:
        network["blocks"] = args.blocks
    if args.variant is not None:
        network["variant"] = args.variant
        if args.variant < 2:
            holes = (
                (1.0, "rectangle"),
            )  # Models 0 and 1 answer with a 64x64 square and nothing else
    return replace(preset, schedule=schedule, network=network, holes=holes)


def hole_generator(preset: Preset, folder: Path | None, data: Path) -> HoleGenerator:
    """The preset's mixture of holes, or a folder of masks."""
    from .data import holes

    if folder is not None:
        return holes.MaskFolder(folder)
    kinds: dict[str, Any] = {
        "edge": lambda: holes.edge,
        "rectangle": lambda: holes.rectangle,
        "centred": lambda: holes.centred,
        "any-rectangle": lambda: holes.any_rectangle,
        "strokes": lambda: holes.strokes,
        "blobs": lambda: holes.blobs,
        "free-form-10-20": lambda: holes.FreeForm(0.1, 0.2),
        "free-form-40-50": lambda: holes.FreeForm(0.4, 0.5),
        "irregular": lambda: holes.MaskFolder(data / "masks" / "irregular"),
        "objects": lambda: holes.ObjectShapes(
            [data / "segmentation" / s / "labels" for s in ("voc_train", "human")]
        ),
    }
    return holes.Mixture([(weight, kinds[name]()) for weight, name in preset.holes])


def _options(args: argparse.Namespace) -> str:
    """The options of a run that its card must name, so that the command on it makes the weight again."""
    names = ("steps", "batch", "size", "width", "blocks", "variant", "learning_rate")
    given = [
        f" --{n.replace('_', '-')} {getattr(args, n)}"
        for n in names
        if getattr(args, n) is not None
    ]
    if args.preset != "shipped":
        given.append(f" --preset {args.preset}")
    if args.accumulate != 1:
        given.append(f" --accumulate {args.accumulate}")
    own = args.features in ("none", "vgg16", "squeezenet")
    return "".join(given) + f" --features {args.features if own else 'FEATURES'}"


if __name__ == "__main__":
    sys.exit(main())
