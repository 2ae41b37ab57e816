"""Compare runtimes on the networks of one photo: PyTorch, compiled PyTorch, ONNX Runtime, OpenVINO.

    pip install onnx onnxscript onnxruntime openvino      # missing ones are skipped
    python -m benchmarks.speed.runtimes [--repeats 7] [--compile]

Prints median seconds, the speed relative to PyTorch, and the largest difference between their
outputs. Each runtime gets as many threads as PyTorch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.speed.pipeline import median


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

    yield "pytorch", lambda: eager(network)
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
            base: tuple[float, Tensor] | None = None
            for runtime, call in runtimes(network, inputs, Path(scratch), args.compile):
                output, seconds = call(), median(call, args.repeats)["seconds"]
                base = base or (seconds, output)
                difference = float((output - base[1]).abs().max())
                row = f"{seconds:9.3f}{base[0] / seconds:7.2f}{difference:13.2g}"
                print(f"{name:28}{runtime:16}{row}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
