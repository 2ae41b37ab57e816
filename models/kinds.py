"""The networks that clean photos, by the names of their weights. Nothing here loads torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

#: Of each network its module in this package, and its class.
KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "compact-segmenter": ("segmenter", "CompactSegmenter"),
        "compression": ("compression", "CompressionNetwork"),
        "face-detector": ("face_detector", "FaceDetector"),
        "object-detector": ("object_detector", "ObjectDetector"),
        "object-effects": ("object_effects", "ObjectEffects"),
        "object-instances": ("object_instances", "ObjectInstances"),
        "object-refiner": ("object_refiner", "ObjectRefiner"),
        "partial-conv": ("partial_conv_unet", "PartialConvUNet"),
        "skip-ce": ("skip_context_encoder", "SkipContextEncoder"),
    }
)


def network_class(kind: str) -> type[Any]:
    """Import and return the class of a network.

    Args:
        kind: a key of ``KINDS``.
    """
    module, name = KINDS[kind]
    found: type[Any] = getattr(importlib.import_module(f".{module}", __package__), name)
    return found


def kind_of(name: str) -> str | None:
    """Return the kind of network that a class name is; None if it cleans no photos."""
    return next((kind for kind, (_, each) in KINDS.items() if each == name), None)
