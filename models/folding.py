"""Batch norm folded into the convolution before it: the same sums in one pass less over every map. For networks that only answer."""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norm(network: Network) -> Network:
    """Fold every batch norm that directly follows a convolution of its channels, in place.

    "Follows" means as children of one module, in the order in which they were made: so are torchvision's, smp's and our own blocks. A
    norm behind something else (a gate, an addition) keeps its place.

    Args:
        network: in evaluation mode; it must not train any more.

    Returns:
        ``network``.

    Raises:
        ValueError: it is in training mode, where a norm follows the batch.
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
    """The module itself, or the end of a row of nothing but convolutions (depthwise, then pointwise)."""
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
