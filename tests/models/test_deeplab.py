"""MobileNetV2 and DeepLabV3+ in plain torch, against segmentation-models-pytorch's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.deeplabv3.decoder import (
    DeepLabV3PlusDecoder as TheirDecoder,
)
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn

from remove_objects.models.deeplab import DeepLabV3PlusDecoder, MobileNetV2


def randomized(module: nn.Module) -> nn.Module:
    """Randomise the batch norms' statistics, so that a wrong use of them shows."""
    torch.manual_seed(0)
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.running_mean, -0.2, 0.2)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.2, 0.2)
    return module.eval()


@torch.no_grad()
def test_the_encoder_answers_as_theirs_with_the_same_weights() -> None:
    theirs = randomized(get_encoder("mobilenet_v2", weights=None, output_stride=16))
    undilated = theirs.features[14].conv[1][0]  # type: ignore[index,union-attr]
    undilated.dilation, undilated.padding = (1, 1), (1, 1)
    theirs.features[18] = nn.Identity()  # type: ignore[index,operator]
    ours = MobileNetV2().eval()
    ours.load_state_dict(theirs.state_dict())
    image = torch.rand(1, 3, 65, 49) * 2 - 1
    expected: list[Tensor] = theirs(image)
    fine, deep = ours(image)
    assert (fine.shape, deep.shape) == ((1, 24, 17, 13), (1, 320, 5, 4))
    torch.testing.assert_close(fine, expected[2])
    torch.testing.assert_close(deep, expected[5])


@torch.no_grad()
def test_the_decoder_answers_as_theirs_with_the_same_weights() -> None:
    theirs = randomized(
        TheirDecoder(
            encoder_channels=(3, 16, 24, 32, 96, 320),
            encoder_depth=5,
            out_channels=16,
            atrous_rates=(2, 3, 4),
            output_stride=16,
            aspp_separable=True,
            aspp_dropout=0.0,
        )
    )
    ours = DeepLabV3PlusDecoder(16, (2, 3, 4)).eval()
    ours.load_state_dict(theirs.state_dict())
    fine, deep = torch.randn(1, 24, 20, 16), torch.randn(1, 320, 5, 4)
    torch.testing.assert_close(ours(fine, deep), theirs([fine, fine, fine, fine, fine, deep]))
    # The ratio of the sizes is no whole factor, as in CompactSegmenter; smp's cannot do that.
    fine = torch.randn(1, 24, 17, 13)
    joined = torch.cat(
        [
            F.interpolate(theirs.aspp(deep), (17, 13), mode="bilinear", align_corners=True),
            theirs.block1(fine),
        ],
        dim=1,
    )  # type: ignore[operator]
    torch.testing.assert_close(ours(fine, deep), theirs.block2(joined))  # type: ignore[operator]


def test_a_photo_is_segmented_without_torchs_compiler_or_torchvision() -> None:
    """Importing them takes longer than cleaning a photo."""
    program = """
import sys
import numpy as np
from remove_objects.pipeline.networks import Networks, NetworkSettings
networks = Networks(NetworkSettings(segmenter="compact", device="cpu", offline=True))
networks.segmenter.probabilities(np.zeros((64, 64, 3), np.uint8))
networks.inpainters
slow = ("torchvision", "timm", "lightning_fabric", "huggingface_hub",
        "segmentation_models_pytorch", "torch._dynamo", "torch._inductor")
print(*(module for module in slow if module in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_filters_with_holes_learn_in_fp32_and_answer_as_the_rest_does() -> None:
    network = MobileNetV2()
    types: dict[str, set[torch.dtype]] = {}

    def note(module: nn.Module, _: object, out: Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        types.setdefault("holes" if module.dilation[0] > 1 else "other", set()).add(out.dtype)

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    image = torch.rand(1, 3, 33, 33)
    with torch.autocast("cpu", torch.bfloat16):
        network(image)[1].float().sum().backward()
    assert types == {"holes": {torch.float32}, "other": {torch.bfloat16}}
    types.clear()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        network(image)
    assert types == {"holes": {torch.bfloat16}, "other": {torch.bfloat16}}
