"""Networks on the features of the compact segmenter's encoder, and so of no other one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError
from .segmenters import CompactSegmenterAdapter

if TYPE_CHECKING:
    import torch
    from torch import nn


def load_companion(
    name: str, network_class: type[nn.Module], compact: CompactSegmenterAdapter, weight: Path | None
) -> tuple[Any, str]:
    """Load a network beside the compact segmenter.

    Args:
        name: of the shipped weight, such as ``object-refiner``.
        network_class: its class.
        compact: whose encoder gives the features.
        weight: a weight file that replaces the shipped one, for measurements.

    Returns:
        (the network in inference mode on the segmenter's device; sha256 of its weight file)

    Raises:
        WeightsError: the weight is damaged, or was trained with another compact segmenter.
    """
    import torch

    from ...models.checkpoint import CheckpointError, load_weights, sha256
    from ...models.folding import fold_batch_norm
    from ...models.shipped import load_shipped

    try:
        if weight is None:
            network, digest = load_shipped(name, network_class)
        else:
            network, digest = load_weights(weight, network_class), sha256(weight)
    except CheckpointError as error:
        raise WeightsError(str(error)) from error
    encoder: str = network.config.encoder
    if encoder not in ("", compact.sha256):
        raise WeightsError(
            f"the {name} was trained with the compact-segmenter {encoder[:8]}, and "
            f"{compact.sha256[:8]} is installed; reinstall the package"
        )
    folded = fold_batch_norm(network)
    return folded.to(compact.device, memory_format=torch.channels_last), digest


def picture_tensor(crops: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """Crops NHW3 RGB as a network takes them: N3HW float32 in [-1, 1], channels last."""
    import torch

    image = as_tensor(crops.transpose(0, 3, 1, 2), device).div(127.5).sub(1)
    return image.contiguous(memory_format=torch.channels_last)


def as_tensor(array: NDArray[np.generic], device: torch.device) -> torch.Tensor:
    """An array as float32 on a device."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(array)).to(device).float()


def ships(name: str) -> bool:
    """Whether the weight of that name ships.

    Raises:
        WeightsError: the index of the weights is damaged.
    """
    from ...models.checkpoint import CheckpointError
    from ...models.shipped import is_shipped

    try:
        return is_shipped(name)
    except CheckpointError as error:
        raise WeightsError(str(error)) from error
