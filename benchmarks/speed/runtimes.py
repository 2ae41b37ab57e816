"""Compare runtimes on the networks of one photo: PyTorch, compiled PyTorch, ONNX Runtime, OpenVINO.

    pip install onnx onnxscript onnxruntime openvino      # missing ones are skipped
    python -m benchmarks.speed.runtimes [--repeats 7] [--compile]

Prints the median processor seconds of calls that take turns, the speed relative to PyTorch as the
pipeline runs it (bf16 where the processor multiplies it), and the largest difference from PyTorch's
output in fp32. Each runtime gets as many threads as PyTorch; OMP_NUM_THREADS=1 makes processor
seconds comparable.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from remove_objects.models.precision import autocast


def networks() -> Iterator[tuple[str, nn.Module, tuple[Tensor, ...]]]:
    """Yield (name, network, inputs): the networks of a photo with one hole, and FCN-ResNet101."""
    from torchvision.models.segmentation import fcn_resnet101

    from remove_objects.models.folding import fold_batch_norm
    from remove_objects.pipeline.networks import Networks

    torch.manual_seed(0)
    loaded = Networks()
    from remove_objects.pipeline.detect.segmenters import CompactSegmenterAdapter

    yield (
        "compact segmenter, 513",
        CompactSegmenterAdapter(torch.device("cpu")).network,
        (torch.rand(1, 3, 513, 513) * 2 - 1,),
    )
    mask = torch.ones(1, 1, 512, 512)
    mask[..., 150:380, 150:380] = 0
    yield (
        "partial convolution, 512",
        loaded.inpainters.network("partial-conv"),
        (torch.rand(1, 3, 512, 512), mask),
    )
    large = fcn_resnet101(
        weights=None, weights_backbone=None, num_classes=21, aux_loss=False
    ).eval()
    yield (
        "fcn_resnet101, 520",
        OutputOnly(fold_batch_norm(large)).eval(),
        (torch.rand(1, 3, 520, 520),),
    )


class OutputOnly(nn.Module):
    """Returns the ``out`` entry of torchvision's dictionary."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map N3HW to N(classes)HW."""
        return self.network(x)["out"]


def runtimes(
    network: nn.Module, inputs: tuple[Tensor, ...], folder: Path, compiled: bool
) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Yield (name, a call that returns the output)."""
    network = network.to(memory_format=torch.channels_last)
    fast = tuple(x.contiguous(memory_format=torch.channels_last) for x in inputs)

    def eager(run: Callable[..., Any]) -> Tensor:
        with torch.inference_mode():
            output = run(*fast)
        return output[0] if isinstance(output, tuple) else output

    def as_in_the_pipeline() -> Tensor:
        with autocast(torch.device("cpu"), inputs[0].shape[-1]):
            return eager(network)

    yield "pytorch fp32", lambda: eager(network)
    yield "pytorch", as_in_the_pipeline
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, fast)  # type: ignore[no-untyped-call]
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
    yield "frozen script", lambda: eager(frozen)
    if compiled:
        faster = torch.compile(network)
        yield "torch.compile", lambda: eager(faster)
    if not (find_spec("onnx") and find_spec("onnxscript")):
        print("ONNX is skipped: install onnx and onnxscript")
        return
    path = folder / "network.onnx"
    torch.onnx.export(network, inputs, str(path), dynamo=True, external_data=False, verbose=False)
    threads, arrays = torch.get_num_threads(), [x.numpy() for x in inputs]
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        feed = dict(zip([i.name for i in session.get_inputs()], arrays, strict=True))
        yield "onnxruntime", lambda: torch.from_numpy(session.run(None, feed)[0])
    except ModuleNotFoundError as missing:
        print(f"ONNX Runtime is skipped: {missing}")
    try:
        import openvino

        model = openvino.Core().compile_model(
            str(path), "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        )
        yield "openvino", lambda: torch.from_numpy(model(arrays)[0].copy())
    except ModuleNotFoundError as missing:
        print(f"OpenVINO is skipped: {missing}")


def in_turns(calls: dict[str, Callable[[], Tensor]], repeats: int) -> dict[str, float]:
    """The median processor seconds of each call; in each of the rounds every one has its turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.process_time()
            call()
            times[name].append(time.process_time() - began)
    return {name: median(taken) for name, taken in times.items()}


def main() -> int:
    """Run the command."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--repeats", type=int, default=7)
    p.add_argument(
        "--compile",
        action="store_true",
        help="include torch.compile: it takes minutes and needs a C++ compiler",
    )
    args = p.parse_args()
    print(f"{'network':28}{'runtime':16}{'seconds':>9}{'x':>7}{'difference':>13}")
    with tempfile.TemporaryDirectory() as scratch:
        for name, network, inputs in networks():
            calls = dict(runtimes(network, inputs, Path(scratch), args.compile))
            outputs = {runtime: call().float() for runtime, call in calls.items()}
            seconds = in_turns(calls, args.repeats)
            for runtime, output in outputs.items():
                difference = float((output - outputs["pytorch fp32"]).abs().max())
                faster = seconds["pytorch"] / seconds[runtime]
                row = f"{seconds[runtime]:9.3f}{faster:7.2f}{difference:13.2g}"
                print(f"{name:28}{runtime:16}{row}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
