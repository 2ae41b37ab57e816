"""Measure training speed against the machine's limit, and the cost of partial convolution.

    python -m benchmarks.speed.training [--seconds 10] [--device cpu] [--precision 32-true]

Compare only numbers of the same run. torch counts the FLOPs of forward and backward passes: 2 per
multiply-add, for convolutions and matrix products only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from remove_objects.models.partial_conv_unet import (
    ENCODER_KERNELS,
    LEAKY_SLOPE,
    PartialConvUNet,
    PartialConvUNetConfig,
)
from remove_objects.models.segmenter import CompactSegmenter
from remove_objects.train.data import holes, labelled
from remove_objects.train.engine import Task
from remove_objects.train.presets import MODELS, shipped
from remove_objects.train.tasks import base, segmenter

INPAINTERS = ("partial-conv", "skip-ce", "compression", "edsr")


class OrdinaryUNet(nn.Module):
    """``PartialConvUNet`` with ordinary convolutions.

    Layers, channels, activations and their order are the same; there are no masks.
    """

    def __init__(self, config: PartialConvUNetConfig) -> None:
        super().__init__()
        channels = config.channels
        self.encoders, self.decoders = nn.ModuleList(), nn.ModuleList()
        before = 3
        for width, kernel in zip(channels, ENCODER_KERNELS, strict=True):
            self.encoders.append(
                nn.ModuleList([_conv(before, width, kernel), _conv(width, width, kernel)])
            )
            before = width
        for level, width in enumerate(channels):
            below = channels[min(level + 1, len(channels) - 1)]
            self.decoders.append(
                nn.ModuleList(
                    [_conv(below + width, width, 3), _conv(width, 3 if level == 0 else width, 3)]
                )
            )

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Map N3HW to N3HW; the mask is ignored."""
        x = image - 0.5
        skips = []
        for encoder in self.encoders:
            for conv in encoder:  # type: ignore[attr-defined]
                x = F.relu(conv(x))
            skips.append(x)
            x = F.max_pool2d(x, 2)
        for level in reversed(range(len(skips))):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            first, second = self.decoders[level].children()
            x = first(torch.cat([x, skips[level]], 1))
            x = F.leaky_relu(x, LEAKY_SLOPE) if level else x
            x = second(x)
            x = F.leaky_relu(x, LEAKY_SLOPE) if level else x
        return x + 0.5


def _conv(before: int, after: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, padding=kernel // 2)


def seconds_a_call(call: Callable[[], object], budget: float, device: torch.device) -> float:
    """Return the median time of one call over ``budget`` seconds, after two calls to warm up."""
    times: list[float] = []
    for _ in range(2):
        call()
    begun = time.perf_counter()
    while time.perf_counter() - begun < budget or len(times) < 3:
        _synchronise(device)
        start = time.perf_counter()
        call()
        _synchronise(device)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def gemm_limit(fabric: Fabric, budget: float) -> float:
    """Return the FLOP/s of a 2048 x 2048 matrix product in the run's precision: the best rate."""
    a = torch.randn(2048, 2048, device=fabric.device)
    with fabric.autocast(), torch.no_grad():
        return 2 * 2048**3 / seconds_a_call(lambda: a @ a, budget, fabric.device)


def step_of(task: Task, fabric: Fabric, batch: tuple[Tensor, ...]) -> Callable[[], None]:
    """Return a whole training step on a fixed batch: losses, backward, optimizers."""
    for name, module in task.modules.items():
        task.modules[name], task.optimizers[name] = fabric.setup(module, task.optimizers[name])
    task.prepare(fabric)

    def step() -> None:
        for parts in task.losses(batch).values():
            fabric.backward(torch.stack(list(parts.values())).sum())
        for optimizer in task.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return step


def inpainting_step(task: base.InpaintingTask, fabric: Fabric) -> Callable[[], None]:
    """Return a step on noise with one hole."""
    s = task.schedule
    picture = torch.rand(s.batch, 3, s.size, s.size, device=fabric.device)
    mask = torch.ones(s.batch, 1, s.size, s.size, device=fabric.device)
    mask[..., s.size // 4 : s.size // 2, s.size // 4 : 3 * s.size // 4] = 0
    return step_of(task, fabric, (picture, mask))


def segmenter_step(fabric: Fabric) -> tuple[Callable[[], None], int]:
    """Return a step of the compact segmenter, and its FLOPs.

    They include the teacher's passes. The photos are not reduced, like half of those in training.
    The backward pass counts as twice the forward pass: torch counts backward passes of depthwise
    convolutions as if each filter saw every channel.
    """
    segmenter.FULL_SIZE_EVERY = 1
    with tempfile.TemporaryDirectory() as folder:
        for of in labelled.UNLABELLED:
            (Path(folder) / of).mkdir(parents=True)
            (Path(folder) / of / "never-read.jpg").touch()
        batch, size = segmenter.BATCH, segmenter.SIZE
        task = segmenter.Distillation(
            CompactSegmenter(),
            Path(folder),
            batch=batch,
            size=size,
            learning_rate=1e-4,
            seed=0,
            held_out=0,
        )
    picture = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, device=fabric.device)
    label = torch.randint(0, 21, (batch, size, size), dtype=torch.uint8, device=fabric.device)
    step = step_of(task, fabric, (picture, label))
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        task.losses((picture, label))
    with FlopCounterMode(display=False) as student, torch.no_grad():
        task.modules["network"](torch.zeros(batch, 3, size, size, device=fabric.device))
    return step, forward.get_total_flops() + 2 * student.get_total_flops()


def make_task(model: str, network: dict[str, object]) -> base.InpaintingTask:
    """Return the task of a model's shipped preset, with some parameters replaced."""
    preset = shipped(model)
    held_out = (
        torch.rand(8, 3, preset.schedule.size, preset.schedule.size),
        torch.ones(8, 1, preset.schedule.size, preset.schedule.size),
    )
    held_out[1][..., 32:96, 32:96] = 0
    kind = MODELS[model].task()
    assert issubclass(kind, base.InpaintingTask)
    return kind(
        **{**preset.network, **network},
        schedule=preset.schedule,
        pictures=[Path("none")],
        holes=holes.rectangle,
        held_out=held_out,
    )


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--seconds", type=float, default=10.0, help="duration of each measurement")
    p.add_argument("--device", default="cpu")
    p.add_argument("--precision", default="32-true")
    args = p.parse_args()
    fabric = Fabric(accelerator=args.device, devices=1, precision=args.precision)
    limit = gemm_limit(fabric, args.seconds / 2)
    print(
        f"{torch.__version__}, {args.device}, {args.precision}, {torch.get_num_threads()} threads; "
        f"GEMM limit {limit / 1e9:.0f} GFLOP/s"
    )
    print(
        f"{'network':18}{'batch':>7}{'images/s':>10}"
        f"{'GFLOP/image':>13}{'GFLOP/s':>9}{'of limit':>10}"
    )
    for model in (*INPAINTERS, "compact-segmenter"):
        if model in INPAINTERS:
            # Without the feature network: its cost is the same for all, and depends on the choice.
            task = make_task(model, {"perceptual": 0.0} if model == "skip-ce" else {})
            step, batch = inpainting_step(task, fabric), task.schedule.batch
            with FlopCounterMode(display=False) as counter:
                step()
            flops = counter.get_total_flops()
        else:
            (step, flops), batch = segmenter_step(fabric), segmenter.BATCH
        each = seconds_a_call(step, args.seconds, fabric.device)
        rate = flops / each
        print(
            f"{model:18}{batch:7}{batch / each:10.2f}"
            f"{flops / batch / 1e9:13.2f}{rate / 1e9:9.0f}{rate / limit:10.0%}"
        )
    # Without the discriminator, which is the same for both.
    partial_step = inpainting_step(make_task("partial-conv", {"adversarial": 0.0}), fabric)
    task = make_task("partial-conv", {"adversarial": 0.0})
    assert isinstance(task.network, PartialConvUNet)
    ordinary = OrdinaryUNet(task.network.config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task.modules, task.optimizers = {"network": ordinary}, {"network": task.adam(ordinary)}
    ordinary_step = inpainting_step(task, fabric)
    # In turns, so that a busy moment of the machine affects both.
    pairs = [
        (
            seconds_a_call(partial_step, args.seconds / 5, fabric.device),
            seconds_a_call(ordinary_step, args.seconds / 5, fabric.device),
        )
        for _ in range(5)
    ]
    ratios = sorted(a / b for a, b in pairs)
    print(
        "partial convolution / ordinary convolution, same U-Net, one training step: "
        f"{ratios[2]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    main()
