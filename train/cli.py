"""``train-inpainter MODEL --data DIR``: the command line of the training code."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..pipeline.errors import RemoveObjectsError
from ..pipeline.system.cores import usable_cores, wait_asleep
from .presets import MODELS
from .request import DATASETS, Request, shown_command

log = logging.getLogger(__name__)


def parser() -> argparse.ArgumentParser:
    """The command's options; their names are the fields of ``Request``."""
    p = argparse.ArgumentParser(
        "train-inpainter",
        description="Train one network of remove-objects, resume it, or export its weights.",
    )
    p.add_argument("--version", action="version", version=f"train-inpainter {__version__}")
    p.add_argument("model", choices=MODELS)
    p.add_argument(
        "--data",
        type=Path,
        help="data folder that holds the preset's folders; not needed with --images, --dataset",
    )
    p.add_argument(
        "--run", type=Path, help="folder for checkpoints, log and samples (default: runs/MODEL)"
    )
    p.add_argument(
        "--preset",
        choices=("shipped", "paper"),
        default="shipped",
        help="which numbers of train/presets.py to use (default: shipped)",
    )
    p.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        help="folder of photos to train on (scene-classifier: its classes); repeats",
    )
    p.add_argument(
        "--dataset",
        choices=DATASETS,
        help="train on the training part of this set, found below --root as its archives unpack",
    )
    p.add_argument("--root", type=Path, metavar="DIR", help="folder of --dataset")
    p.add_argument(
        "--masks",
        type=Path,
        help="take holes from this folder of mask pictures (white = hole) instead of drawing them "
        "as the preset says",
    )
    p.add_argument(
        "--features",
        default="auto",
        help="feature network of the losses: vgg16, squeezenet (torchvision's hub), a .pth file of "
        "VGG-19's first layers or of torchvision's vgg16-397923af, none, or auto: vgg16 if torch's "
        "cache has it (default)",
    )
    p.add_argument(
        "--encoder",
        help="segmenter: an encoder of segmentation-models-pytorch (default: mobilenet_v2); "
        "compact-segmenter: a teacher's constants (.npz), or imagenet (default): a downloaded "
        "encoder",
    )
    p.add_argument(
        "--encoder-weights",
        default="auto",
        metavar="NAME",
        help="segmenter: what the encoder begins with: imagenet and the like, compact (the bundled "
        "segmenter's, for mobilenet_v2), none, or auto: the first of them that can be had "
        "(default)",
    )
    p.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="segmenter: a PNG for each photo, by its name: 0 = none, 1 = the first class, …, 255 "
        "= unknown; for one class also white on black",
    )
    p.add_argument(
        "--classes", default="", metavar="NAME,…", help="segmenter: the classes' names, in order"
    )
    p.add_argument(
        "--arch",
        help="segmenter: an architecture of segmentation-models-pytorch, such as unet (default), "
        "fpn or deeplabv3plus",
    )
    p.add_argument(
        "--teacher",
        type=Path,
        metavar="DIR",
        help="object-detector: folder of NanoDet-m's files, whose boxes it learns from; "
        "face-detector: the same of YuNet's file",
    )
    p.add_argument(
        "--init-from",
        "--begin-with",
        type=Path,
        metavar="FILE",
        help="start a new run from these weights, a .safetensors, or from the bundled ones: "
        "shipped; --width or --blocks may be larger than the file's",
    )
    p.add_argument("--variant", type=int, choices=range(4), help="skip-ce: Model 0, 1, 2 or 3")
    p.add_argument("--width", type=int, help="channels (default: the preset's)")
    p.add_argument(
        "--blocks",
        type=int,
        help="skip-ce: residual blocks behind each middle map (default: the preset's)",
    )
    p.add_argument("--steps", type=int, help="length of the whole run (default: the preset's)")
    p.add_argument(
        "--minutes",
        type=float,
        default=float("inf"),
        help="stop after this time; the same command resumes",
    )
    p.add_argument("--batch", type=int, help="pictures per batch and process")
    p.add_argument(
        "--accumulate",
        type=int,
        default=1,
        help="batches whose gradients make one step (default: 1)",
    )
    p.add_argument(
        "--learning-rate",
        type=float,
        help="default: the preset's; may change when a run is resumed",
    )
    p.add_argument("--size", type=int, help="side of the training crops in pixels")
    p.add_argument(
        "--held-out",
        type=int,
        help="pictures kept from training, for the log's metrics (default: a tenth, at most 64)",
    )
    p.add_argument(
        "--every",
        type=int,
        default=100,
        help="steps between log lines and checkpoints (default: 100)",
    )
    p.add_argument(
        "--evaluate-every",
        type=int,
        help="steps between held-out metrics and samples (default: 1000, or a tenth of a shorter "
        "run)",
    )
    p.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    p.add_argument(
        "--devices",
        type=int,
        default=1,
        help="accelerators (or CPU processes) of this machine; torchrun's count takes precedence",
    )
    p.add_argument(
        "--precision",
        help="auto (bf16 where the hardware has it), 32-true, bf16-mixed or 16-mixed (default: the "
        "preset's, which is auto for all but paper)",
    )
    p.add_argument(
        "--workers",
        type=int,
        help="processes that decode pictures (default: one per spare core, at most 8)",
    )
    p.add_argument("--seed", type=int, default=0)
    p.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="do not train: write the run's best weights, with a model card, into this folder; "
        "needs no other option but --run",
    )
    p.add_argument(
        "--terms",
        default="",
        metavar="TEXT",
        help="with --export: what the owner of the training pictures allows, for the card",
    )
    p.add_argument(
        "--replace",
        default="",
        metavar="FILE",
        help="with --export: delete this older weight of the folder, which its index.json names",
    )
    return p


def parse(argv: Sequence[str] | None = None) -> Request:
    """The request of a command line; ends the process with code 2 if there is a mistake in it."""
    arguments = sys.argv[1:] if argv is None else argv
    options = vars(parser().parse_args(arguments))
    options["command"] = shown_command("train-inpainter", arguments)
    if options["workers"] is None:
        options["workers"] = min(8, usable_cores() - 1)
    return Request(**{**options, "images": tuple(options["images"])})


def main(argv: Sequence[str] | None = None) -> int:
    """Train or export.

    Returns:
        The exit code: 2 = the user's mistake, 1 = the loss diverged or the memory is full.
    """
    request = parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    wait_asleep()
    from . import engine, next_steps, run

    try:
        if request.export:
            exported = run.export_weights(request, request.export)
            print(exported.path)
            for line in next_steps.after_export(request, exported):
                log.info(line)
            return 0
        run.train(request)
    except (ValueError, OSError, RemoveObjectsError) as error:
        print(f"train-inpainter: {error}", file=sys.stderr)
        return 2
    except engine.NonFiniteLossError as error:
        print(f"train-inpainter: {error}", file=sys.stderr)
        return 1
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        print(f"train-inpainter: {next_steps.out_of_memory(request, error)}", file=sys.stderr)
        return 1
    if engine.is_first_process():
        for line in next_steps.after_training(request):
            print(line)
    return 0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the processor's or the accelerator's memory is full."""
    words = ("out of memory", "can't allocate memory", "not enough memory", "killed by signal")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


if __name__ == "__main__":
    sys.exit(main())
