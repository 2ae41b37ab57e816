"""LPIPS (Zhang et al. 2018) over a backbone's file that was checked: nothing in the file can run.

The lpips package would have torchvision read torch's cache, which checks no hash there and unpickles whatever it finds.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from .checkpoint import CheckpointError

#: What ``load_lpips`` makes.
BACKBONES = ("squeeze", "alex")


def load_lpips(backbone: str, path: Path) -> Any:
    """The lpips package's network with the convolutions of a torchvision classifier, in evaluation mode, without gradients.

    Args:
        backbone: one of ``BACKBONES``.
        path: torchvision's ``.pth`` file of it.

    Raises:
        CheckpointError: the file is no state dict of tensors, or one of another network.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")  # lpips calls torchvision in its old way
        import lpips

        network = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        # ``slice3.6.squeeze.weight`` is torchvision's ``features.6.squeeze.weight``.
        wanted = {
            name: state[re.sub(r"^slice\d+\.", "features.", name)]
            for name in network.net.state_dict()
        }
        network.net.load_state_dict(wanted)
    except (
        Exception
    ) as error:  # torch raises pickle's, zipfile's and its own errors for damaged files
        raise CheckpointError(
            f"{path}: no weights of LPIPS' {backbone} backbone ({error}); delete the file and run again"
        ) from error
    return network.eval().requires_grad_(False)
