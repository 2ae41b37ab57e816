"""Networks on the features of the compact segmenter's encoder, and so of no other one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WeightsError
from .segmenters import CompactSegmenterAdapter

if TYPE_CHECKING:
    import torch

    from ...models.own_weights import OwnWeight


def load_companion(
    name: str, compact: CompactSegmenterAdapter, weights: Iterable[OwnWeight]
) -> tuple[Any, str]:
    """Load a network beside the compact segmenter.

    Args:
        name: of the network, such as ``object-refiner``.
        compact: whose encoder gives the features.
        weights: the user's own, which replace bundled ones.

    Returns:
        (the network in inference mode on the segmenter's device; sha256 of its weight file)

    Raises:
        WeightsError: the weight is damaged, or was trained with another compact segmenter.
    """
    import torch

    from ...models.checkpoint import CheckpointError
    from ...models.folding import fold_batch_norm
    from ...models.own_weights import load_network

    try:
        network, digest = load_network(name, weights)
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


def trained_with(name: str, weights: Iterable[OwnWeight]) -> str:
    """The sha256 of the compact segmenter that a network was trained with; empty if of any.

    Args:
        name: of the network.
        weights: the user's own. Bundled ones belong to the bundled segmenter.

    Raises:
        WeightsError: the index of the weights is damaged.
    """
    from ...models.checkpoint import CheckpointError
    from ...models.own_weights import find_own
    from ...models.shipped import shipped_entry

    own = find_own(weights, name)
    if own is not None:
        return str(own.config.get("encoder", ""))
    try:
        return shipped_entry("compact-segmenter")["sha256"]
    except CheckpointError as error:
        raise WeightsError(str(error)) from error


def has_weight(name: str, weights: Iterable[OwnWeight]) -> bool:
    """Whether there is a weight of a network: a bundled one, or one of the user's.

    Raises:
        WeightsError: the index of the weights is damaged.
    """
    from ...models.checkpoint import CheckpointError
    from ...models.own_weights import find_own
    from ...models.shipped import is_shipped

    if find_own(weights, name) is not None:
        return True
    try:
        return is_shipped(name)
    except CheckpointError as error:
        raise WeightsError(str(error)) from error
