"""The arithmetic in which a device is fast.

bf16 halves the time if the hardware multiplies it; emulated, it is many times slower.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch

#: If a picture has one or two columns, oneDNN's bf16 convolution with a stride reads scratch memory
#: that it never wrote (seen with torch 2.14 on AMX): where that memory holds a NaN, so does the
#: result. A picture narrower than this many pixels may become as narrow within a network of stride
#: 16.
NARROW = 32


def has_bf16(device: str) -> bool:
    """Return whether the hardware of a device multiplies bf16.

    The environment variable ``REMOVE_OBJECTS_BF16=0`` turns bf16 off, for metrics that must agree
    between machines with and without it.

    Args:
        device: ``cpu`` (True with AVX512-BF16, AMX or ARM's bf16), ``cuda`` (True since Ampere) or
            any other type (always False).
    """
    if os.environ.get("REMOVE_OBJECTS_BF16") == "0":
        return False
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(features.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def autocast(device: torch.device, width: int) -> AbstractContextManager[object]:
    """Return a context of bf16 convolutions and products if ``has_bf16``, else of plain fp32.

    Args:
        device: where the network runs.
        width: of the network's input in pixels. Below ``NARROW`` the context is fp32.
    """
    fast = has_bf16(device.type) and width >= NARROW
    return torch.autocast(device.type, torch.bfloat16) if fast else nullcontext()
