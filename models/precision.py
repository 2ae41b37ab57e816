"""Which arithmetic a device is fast in. bf16 halves the time where the hardware multiplies it; emulated, it is many times slower."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch


def has_bf16(device: str) -> bool:
    """Whether the device's own instructions multiply bf16: ``cpu`` (AVX512-BF16, AMX, ARM's), ``cuda`` (Ampere and later); else False.

    ``REMOVE_OBJECTS_BF16=0`` says no to all: figures that machines with and without it are to agree on.
    """
    if os.environ.get("REMOVE_OBJECTS_BF16") == "0":
        return False
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bf16 for convolutions and products where ``has_bf16`` says so; otherwise everything stays fp32."""
    return torch.autocast(device.type, torch.bfloat16) if has_bf16(device.type) else nullcontext()
