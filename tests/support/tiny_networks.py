"""Untrained networks of a few channels, one of each kind that ships."""

from __future__ import annotations

from remove_objects.models.compression import CompressionConfig, CompressionNetwork
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from remove_objects.models.segmenter import CompactSegmenter, CompactSegmenterConfig
from remove_objects.models.skip_context_encoder import SkipContextEncoder, SkipContextEncoderConfig

NETWORKS = {
    "compact-segmenter": lambda: CompactSegmenter(CompactSegmenterConfig(width=32)),
    "partial-conv": lambda: PartialConvUNet(PartialConvUNetConfig(2)),
    "skip-ce": lambda: SkipContextEncoder(SkipContextEncoderConfig(3, 4)),
    "compression": lambda: CompressionNetwork(CompressionConfig(4)),
}
