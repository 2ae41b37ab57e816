"""Start a network from a weight file, also from a narrower or shallower network's.

After Net2Net (Chen et al. 2016): the larger network gives the same output as the smaller one,
and training continues with more capacity. Net2Net copies channels and divides the following
weights between the copies. Here the new channels are as random as a fresh network's, and no old
channel reads them yet: the output stays the same, and no two channels are copies that equal
gradients keep equal. New residual blocks are as their constructor makes them: they add zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..models.checkpoint import load_weights
from ..models.partial_conv import PartialConv2d
from ..models.partial_conv_unet import PartialConvUNet
from ..models.skip_context_encoder import SkipContextEncoder

#: Networks that ``widen`` can treat: it knows the maps that each layer's input is made of.
WIDENED = (PartialConvUNet, SkipContextEncoder)


def init_from(network: Any, path: Path) -> None:
    """Set ``network`` to the values of a weight file of it, or ``widen`` it from a smaller one.

    Raises:
        CheckpointError: the file is not a weight of this network.
        ValueError: the file's network has another shape, which ``widen`` cannot treat.
    """
    source = load_weights(path, type(network))
    if source.config == network.config:
        network.load_state_dict(source.state_dict())
        return
    wanted, given = (
        {**vars(config), "width": None, "blocks": None}
        for config in (network.config, source.config)
    )
    try:
        if wanted != given:
            raise ValueError("they differ in more than the width and the blocks")
        widen(network, source)
    except ValueError as error:
        raise ValueError(
            f"{path}: is of {source.config}, this run's is {network.config}: {error}"
        ) from error


@torch.no_grad()
def widen(network: nn.Module, narrow: nn.Module) -> None:
    """Set ``network`` to give the output of ``narrow``, a narrower or shallower one of its class.

    Args:
        network: fresh from its constructor; changed in place. Its config differs from
            ``narrow``'s only in ``width`` and ``blocks``.
        narrow: the trained network.

    Raises:
        ValueError: the class is not in ``WIDENED``, or ``network`` is the narrower or shallower
            one.
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
            inherited = torch.zeros(new.in_channels, dtype=torch.bool)
            inherited[_old_inputs(_inputs(network, name), _inputs(narrow, name))] = True
            count = old.out_channels
            new.weight[:count, ~inherited] = 0
            new.weight[:count, inherited] = old.weight
            if old.bias is not None and new.bias is not None:
                new.bias[:count] = old.bias
        elif isinstance(old, nn.BatchNorm2d):
            values = new.state_dict()
            for key, value in old.state_dict().items():
                values[key][tuple(slice(n) for n in value.shape)] = value


def _inputs(network: nn.Module, name: str) -> tuple[int, ...]:
    """The channels of each map whose concatenation is the input of the convolution ``name``."""
    layer = network.get_submodule(name)
    assert isinstance(layer, nn.Conv2d)
    above = network.get_submodule(name.rpartition(".")[0])
    if isinstance(above, PartialConv2d):
        return above.groups
    if name.endswith("merge.0"):
        return (layer.in_channels // 2,) * 2
    if name == "head":  # with a skip its input is the features and the masked picture
        features = network.config.width  # type: ignore[union-attr]
        return (features, layer.in_channels - features)  # type: ignore[return-value,operator]
    return (layer.in_channels,)


def _old_inputs(new: tuple[int, ...], old: tuple[int, ...]) -> Tensor:
    """Indices of a narrower layer's input channels in the wider layer: each map's first ones."""
    starts = [sum(new[:i]) for i in range(len(new))]
    return torch.cat([torch.arange(n) + start for start, n in zip(starts, old, strict=True)])
