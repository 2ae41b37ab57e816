"""Initial values of the compact segmenter: a teacher's constants, or an ImageNet encoder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..models.segmenter import CompactSegmenter
from ..pipeline.system.extras import import_extra


def init_from_teacher(network: CompactSegmenter, constants: Path) -> None:
    """Set ``network`` to compute the function of its teacher, DeepLabV3-MobileNetV2.

    The teacher has no atrous branches and no fine features: their weights start at zero, and
    the extra convolutions as the identity.

    Args:
        network: in any state; changed in place.
        constants: the teacher's dequantised constants (.npz; TensorFlow names with ``|`` for
            ``/``, batch norm folded).
    """
    layers = _read_constants(constants)
    with torch.no_grad():
        _reset_batch_norm(network)
        _set_encoder(network, layers)
        _set_decoder(network, layers)


def _read_constants(constants: Path) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """(weight, bias) of each of the teacher's layers, by TensorFlow's name."""
    layers: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    with np.load(constants, allow_pickle=False) as z:
        names = list(z.files)
        for name in names:
            if "weights_quant" not in name:
                continue
            key = name.split(";")[-1].split("|weights_quant")[0]
            # A bias's name ends in its layer's name; TensorFlow Lite puts the names of equal
            # tensors in front of it.
            bias = next(
                n
                for n in names
                if n.split(";")[-1] in (f"{key}|BatchNorm_Fold|bias",)
                or (key == "logits|semantic" and n.endswith("|biases"))
            )
            layers[key] = z[name], z[bias]
    return layers


def _reset_batch_norm(network: nn.Module) -> None:
    """Make every batch norm the identity but for its bias."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
            module.running_mean.zero_()  # type: ignore[union-attr]
            module.running_var.fill_(1 - module.eps)  # type: ignore[union-attr]


def _set_encoder(
    network: CompactSegmenter, layers: dict[str, tuple[NDArray[Any], NDArray[Any]]]
) -> None:
    """Set the encoder, MobileNetV2, to the teacher's."""
    f: Any = network.encoder.features
    _set(f[0][0], f[0][1], layers["MobilenetV2|Conv"])
    for i in range(17):
        block = f[i + 1].conv
        key = "MobilenetV2|expanded_conv" + (f"_{i}" if i else "")
        if i:
            _set(block[0][0], block[0][1], layers[f"{key}|expand"])
        _set(block[-3][0], block[-3][1], layers[f"{key}|depthwise"])
        _set(block[-2], block[-1], layers[f"{key}|project"])


def _set_decoder(
    network: CompactSegmenter, layers: dict[str, tuple[NDArray[Any], NDArray[Any]]]
) -> None:
    """Set pyramid and head to the teacher's, its missing branches to zero or the identity."""
    aspp: Any = network.decoder.aspp
    width = network.config.width
    pyramid, separable = aspp[0], aspp[1]
    _set(pyramid.convs[0][0], pyramid.convs[0][1], layers["aspp0"])
    _set(pyramid.convs[4][1], pyramid.convs[4][2], layers["image_pooling"])
    weight, bias = layers["concat_projection"]  # inputs: image pooling first, then aspp0
    project = pyramid.project[0].weight
    project.zero_()
    kernel = torch.from_numpy(weight).permute(0, 3, 1, 2)
    project[:, 4 * width :], project[:, :width] = kernel[:, :width], kernel[:, width:]
    pyramid.project[1].bias.copy_(torch.from_numpy(bias))
    _set_identity(separable)
    _set_identity(network.decoder.block2[0])  # type: ignore[arg-type]
    weight, bias = layers["logits|semantic"]
    network.head.weight.copy_(torch.from_numpy(weight).permute(0, 3, 1, 2))
    network.head.bias.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]


def init_from_imagenet(network: CompactSegmenter) -> None:
    """Set the encoder of ``network`` to the one that segmentation-models-pytorch publishes.

    It is a safetensors file of a pinned revision. The published encoder expects pictures
    normalised by ImageNet's mean and deviation, this network photos in [-1, 1]: the first
    convolution absorbs the difference.

    Raises:
        OSError: it is neither cached nor downloadable, or the environment variable
            ``REMOVE_OBJECTS_OFFLINE`` forbids the download.
        UsageError: the extra ``train`` is not installed.
    """
    encoder, mean, std = _imagenet_encoder()
    network.encoder.load_state_dict(
        {k: v for k, v in encoder.state_dict().items() if not k.startswith("features.18.")}
    )
    first: Any = network.encoder.features[0]
    conv, norm = first[0], first[1]
    with torch.no_grad():
        # The input is (x / 2 + 1/2 - mean) / std. Its constant part is subtracted from the
        # running mean of the batch norm.
        norm.running_mean -= (conv.weight * ((0.5 - mean) / std)[:, None, None]).sum((1, 2, 3))
        conv.weight *= (0.5 / std)[:, None, None]


def _imagenet_encoder() -> tuple[nn.Module, Tensor, Tensor]:
    """The published encoder, and the mean and deviation that its pictures are normalised by."""
    import_extra(
        "segmentation_models_pytorch",
        "--encoder imagenet needs segmentation-models-pytorch",
        "train",
    )
    from huggingface_hub import try_to_load_from_cache
    from segmentation_models_pytorch.encoders import encoders, get_encoder, get_preprocessing_params

    published = encoders["mobilenet_v2"]["pretrained_settings"]["imagenet"]
    repository, revision = published["repo_id"], published["revision"]
    remedy = "train once while online, or name a teacher's constants with --encoder FILE.npz"
    if os.environ.get("REMOVE_OBJECTS_OFFLINE"):
        for name in ("config.json", "model.safetensors"):
            if not isinstance(try_to_load_from_cache(repository, name, revision=revision), str):
                raise OSError(
                    f"{repository}: not cached, and the network is not to be used; {remedy}"
                )
    try:
        encoder = get_encoder("mobilenet_v2", weights="imagenet")
        settings = get_preprocessing_params("mobilenet_v2", "imagenet")
    # The client's errors differ from version to version, and not all are OSErrors.
    except Exception as error:
        raise OSError(f"{repository}: could not be downloaded ({error}); {remedy}") from error
    return encoder, torch.tensor(settings["mean"]), torch.tensor(settings["std"])


def _set(
    conv: nn.Conv2d, norm: nn.BatchNorm2d, constants: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    """Set a convolution's weight, and the bias of the batch norm behind it."""
    weight = torch.from_numpy(constants[0])
    # TensorFlow keeps (out, h, w, in), and (1, h, w, channels) for depthwise convolutions.
    weight = weight.permute(3, 0, 1, 2) if conv.groups > 1 else weight.permute(0, 3, 1, 2)
    conv.weight.copy_(weight)
    norm.bias.copy_(torch.from_numpy(constants[1]))


def _set_identity(separable: nn.Sequential) -> None:
    """Set a separable convolution to pass its first channels on unchanged."""
    depthwise, pointwise = separable[0], separable[1]
    assert isinstance(depthwise, nn.Conv2d)
    assert isinstance(pointwise, nn.Conv2d)
    depthwise.weight.zero_()
    depthwise.weight[:, :, 1, 1] = 1
    pointwise.weight.zero_()
    out = pointwise.out_channels
    pointwise.weight[:, :out, 0, 0] = torch.eye(out)
