"""Networks exported to ONNX compute what PyTorch computes.

Nothing in the package exports: programs that run without PyTorch would, by ``torch.onnx.export``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from remove_objects.models.partial_conv import known_count
from tests.support.tiny_networks import NETWORKS

REASON = "not installed: pip install onnx onnxscript onnxruntime"
for needed in ("onnx", "onnxscript"):
    pytest.importorskip(needed, reason=f"{needed} is {REASON}")
onnxruntime = pytest.importorskip("onnxruntime", reason=f"onnxruntime is {REASON}")

pytestmark = pytest.mark.filterwarnings("default")  # the exporter's own, of torch's next versions


def picture_and_mask(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture of random colours, and a mask with a hole that is no square."""
    mask = torch.ones(1, 1, height, width)
    mask[..., 20:60, 30:100] = 0
    return torch.rand(1, 3, height, width), mask


def difference(network: torch.nn.Module, inputs: tuple[torch.Tensor, ...], file: Path) -> float:
    """The largest difference of the exported network's first output, as a share of PyTorch's range.

    Untrained networks have outputs far from [0, 1].
    """
    torch.onnx.export(network, inputs, str(file), dynamo=True, external_data=False, verbose=False)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [declared.name for declared in session.get_inputs()]
    exported = session.run(None, dict(zip(names, (x.numpy() for x in inputs), strict=True)))[0]
    with torch.inference_mode():
        expected = network(*inputs)
    expected = expected[0] if isinstance(expected, tuple) else expected
    return float((torch.from_numpy(exported) - expected).abs().max() / expected.abs().max())


class Count(torch.nn.Module):
    """``known_count`` under windows of 7 pixels."""

    def forward(self, mask: torch.Tensor) -> torch.Tensor:
        """Map N1HW to N1HW."""
        return known_count(mask, 7)


def test_known_pixels_are_counted_exactly(tmp_path: Path) -> None:
    # Written with another divisor of the pooling, an export had counts up to 49 times too small.
    mask = (torch.rand(1, 1, 40, 56) < 0.6).float()
    assert difference(Count().eval(), (mask,), tmp_path / "count.onnx") == 0


@pytest.mark.parametrize("kind", ["compact-segmenter", "partial-conv"])
def test_an_exported_network_computes_the_same(kind: str, tmp_path: Path) -> None:
    segments = kind == "compact-segmenter"
    inputs = picture_and_mask(97, 129)[:1] if segments else picture_and_mask(128, 256)
    assert difference(NETWORKS[kind]().eval(), inputs, tmp_path / "network.onnx") < 1e-4
