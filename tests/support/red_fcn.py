"""FCN-ResNet101's real architecture, with weights that see a person in pure red alone."""

from __future__ import annotations

from pathlib import Path

import torch

from remove_objects.models.categories import CATEGORIES
from remove_objects.models.torchvision_segmentation import load_network
from remove_objects.pipeline.detect.segmenters import TorchvisionSegmenter

#: A red that the network does not see with these weights, and ``BoxSegmenter`` does.
UNSEEN = (255, 0, 24)


def red_fcn(folder: Path) -> TorchvisionSegmenter:
    """Make the network, and load it from a file as the published one is loaded.

    The residual branches are silent; redness goes along the shortcuts in the first channel.
    """
    from torchvision.models.segmentation import fcn_resnet101

    network = fcn_resnet101(weights=None, weights_backbone=None, aux_loss=True)
    backbone, head = network.backbone, network.classifier
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if ".bn3." in name:
                parameter.zero_()
        # Of normalised colours: red alone; a tenth of blue or green outweighs it.
        backbone.conv1.weight.zero_()
        backbone.conv1.weight[0, :, 3, 3] = torch.tensor([1.0, -20.0, -20.0])
        black = -0.406 / 0.225 - 0.456 / 0.224
        backbone.bn1.bias[0] = 20 * black - 1.5
        shortcuts = [backbone[f"layer{i}"][0].downsample[0] for i in range(1, 5)]
        for convolution in (*shortcuts, head[0]):
            convolution.weight.zero_()
            middle = convolution.kernel_size[0] // 2
            convolution.weight[0, 0, middle, middle] = 1
        head[4].weight.zero_()
        head[4].bias.zero_()
        head[4].weight[CATEGORIES.index("person"), 0] = 40
        head[4].bias[0] = 10
    torch.save(network.state_dict(), folder / "fcn.pth")
    return fcn_of(folder / "fcn.pth")


def fcn_of(path: Path) -> TorchvisionSegmenter:
    """FCN-ResNet101 with the weights of a file."""
    network = load_network("fcn_resnet101", path)
    return TorchvisionSegmenter("fcn_resnet101", network, torch.device("cpu"))
