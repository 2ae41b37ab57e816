"""LPIPS (Zhang et al. 2018) with a hash-checked backbone file that cannot run code.

The lpips package would let torchvision read torch's cache, which checks no hash there and unpickles
any file.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from .checkpoint import CheckpointError

#: The backbones that ``load_lpips`` supports.
BACKBONES = ("squeeze", "alex")


def load_lpips(backbone: str, path: Path) -> Any:
    """Load the lpips package's network with the convolutions of a torchvision classifier.

    Args:
        backbone: one of ``BACKBONES``.
        path: torchvision's ``.pth`` file of the backbone.

    Returns:
        The network in evaluation mode, without gradients.

    Raises:
        CheckpointError: the file is no state dict of tensors, or belongs to another network.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")  # lpips uses deprecated arguments of torchvision
        import lpips

        network = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        # ``slice3.6.squeeze.weight`` is torchvision's ``features.6.squeeze.weight``.
        convolutions = {
            name: state[re.sub(r"^slice\d+\.", "features.", name)]
            for name in network.net.state_dict()
        }
        network.net.load_state_dict(convolutions)
    except Exception as error:  # torch raises pickle's, zipfile's and its own for damaged files
        raise CheckpointError(
            f"{path}: no weights of LPIPS' {backbone} backbone ({error}); "
            "delete the file and run again"
        ) from error
    return network.eval().requires_grad_(False)
