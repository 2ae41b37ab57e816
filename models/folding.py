"""Fold batch norm into the convolution before it, for inference.

The sums are the same, with one pass less over every feature map.
"""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norm(network: Network) -> Network:
    """Fold every batch norm that directly follows a convolution with as many channels, in place.

    "Follows" means the next child of the same module, in the order of creation; torchvision's,
    smp's and this package's blocks are built that way. A norm behind anything else (a gate, an
    addition) stays.

    Args:
        network: a network in evaluation mode; it cannot be trained afterwards.

    Returns:
        ``network``.

    Raises:
        ValueError: the network is in training mode, in which a norm depends on the batch.
    """
    if network.training:
        raise ValueError("batch norm can be folded in evaluation mode only; call eval() first")
    for module in list(network.modules()):
        before: nn.Conv2d | None = None
        for name, child in list(module.named_children()):
            if (
                isinstance(child, nn.BatchNorm2d)
                and before is not None
                and before.out_channels == child.num_features
            ):
                _fold(before, child)
                setattr(module, name, nn.Identity())
                before = None
            else:
                before = _last_convolution(child)
    return network


def _last_convolution(module: nn.Module) -> nn.Conv2d | None:
    """Return the convolution at the end of a module, if any.

    That is the module itself, or the last of a sequence of convolutions (depthwise, then
    pointwise).
    """
    if isinstance(module, nn.Conv2d):
        return module
    if (
        isinstance(module, nn.Sequential)
        and len(module)
        and all(isinstance(m, nn.Conv2d) for m in module)
    ):
        return module[-1]  # type: ignore[return-value]
    return None


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
