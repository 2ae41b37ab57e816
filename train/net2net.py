"""A wider or deeper network that answers as a smaller one did (after Net2Net, Chen et al. 2016): training goes on with room to learn more.

Net2Net copies channels and splits what follows between the copies. Here the new channels are as random as a fresh network's, and nothing
that is old listens to them yet: the answer is the same, and no two channels are twins that the same gradients keep together. New residual
blocks are as their constructor makes them: they add nothing yet.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.partial_conv import PartialConv2d
from ..models.partial_conv_unet import PartialConvUNet
from ..models.skip_context_encoder import SkipContextEncoder

#: Networks whose layers' inputs are known here.
WIDENED = (PartialConvUNet, SkipContextEncoder)


@torch.no_grad()
def widen(network: nn.Module, narrow: nn.Module) -> None:
    """Set ``network``, fresh from its constructor, to answer as ``narrow``, of the same class; only ``width`` and ``blocks`` may differ.

    Raises:
        ValueError: a class that is not in ``WIDENED``, or ``network`` is the narrower or shallower one.
    """
    if type(network) is not type(narrow) or not isinstance(network, WIDENED):
        raise ValueError(f"a {type(narrow).__name__} cannot be made wider; give its own --width")
    if network.config.width < narrow.config.width:  # type: ignore[union-attr,operator]
        widths = network.config.width, narrow.config.width  # type: ignore[union-attr]
        raise ValueError(
            "a width of {} is less than {}; give a --width of that or more".format(*widths)
        )
    blocks, old_blocks = (getattr(n.config, "blocks", 0) for n in (network, narrow))
    if blocks < old_blocks:
        raise ValueError(
            f"{blocks} blocks are fewer than {old_blocks}; give --blocks of that or more"
        )
    layers = dict(network.named_modules())
    for name, old in narrow.named_modules():
        new = layers[name]
        if isinstance(old, nn.Conv2d) and isinstance(new, nn.Conv2d):
            heard = torch.zeros(new.in_channels, dtype=torch.bool)
            heard[_old_inputs(_inputs(network, name), _inputs(narrow, name))] = True
            count = old.out_channels
            new.weight[:count, ~heard] = 0
            new.weight[:count, heard] = old.weight
            if old.bias is not None and new.bias is not None:
                new.bias[:count] = old.bias
        elif isinstance(old, nn.BatchNorm2d):
            values = new.state_dict()
            for key, value in old.state_dict().items():
                values[key][tuple(slice(n) for n in value.shape)] = value


def _inputs(network: nn.Module, name: str) -> tuple[int, ...]:
    """The channels of each map that a convolution's input is joined of."""
    layer = network.get_submodule(name)
    assert isinstance(layer, nn.Conv2d)
    above = network.get_submodule(name.rpartition(".")[0])
    if isinstance(above, PartialConv2d):
        return above.groups
    if name.endswith("merge.0"):
        return (layer.in_channels // 2,) * 2
    if name == "head":  # with a skip the masked picture is joined to the features
        features = network.config.width  # type: ignore[union-attr]
        return (features, layer.in_channels - features)  # type: ignore[return-value,operator]
    return (layer.in_channels,)


def _old_inputs(new: tuple[int, ...], old: tuple[int, ...]) -> Tensor:
    """Where a narrower layer's inputs lie among the wider one's: the first of each map."""
    starts = [sum(new[:i]) for i in range(len(new))]
    return torch.cat([torch.arange(n) + start for start, n in zip(starts, old, strict=True)])
