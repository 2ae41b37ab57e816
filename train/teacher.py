"""TODO docstring."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..models.segmenter import CompactSegmenter


def begin_as_teacher(network: CompactSegmenter, constants: Path) -> None:
    """Set ``network`` to compute what the teacher computes.

    Args:
        network: any state; changed in place.
        constants: DeepLabV3-MobileNetV2's dequantised constants (.npz; TensorFlow names with ``|`` for ``/``, batch norm folded).

    The teacher has no atrous branches and no fine features: here their shares begin at zero, and the extra convolutions as the identity.
    """
    found: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    with np.load(constants, allow_pickle=False) as z:
        names = list(z.files)
        for name in names:
            if "weights_quant" not in name:
                continue
            key = name.split(";")[-1].split("|weights_quant")[0]
            # The bias's name ends in its own layer's; TensorFlow Lite joins the names of equal tensors in front of it.
            bias = next(
                n
                for n in names
                if n.split(";")[-1] in (f"{key}|BatchNorm_Fold|bias",)
                or (key == "logits|semantic" and n.endswith("|biases"))
            )
            found[key] = z[name], z[bias]
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
                module.running_mean.zero_()  # type: ignore[union-attr]
                module.running_var.fill_(1 - module.eps)  # type: ignore[union-attr]
        f: Any = network.encoder.features
        _set(f[0][0], f[0][1], found["MobilenetV2|Conv"])
        for i in range(17):
            block = f[i + 1].conv
            key = "MobilenetV2|expanded_conv" + (f"_{i}" if i else "")
            if i:
                _set(block[0][0], block[0][1], found[f"{key}|expand"])
            _set(block[-3][0], block[-3][1], found[f"{key}|depthwise"])
            _set(block[-2], block[-1], found[f"{key}|project"])
        aspp: Any = network.decoder.aspp
        width = network.config.width
        pyramid, separable, separable_norm = aspp[0], aspp[1], aspp[2]
        _set(pyramid.convs[0][0], pyramid.convs[0][1], found["aspp0"])
        _set(pyramid.convs[4][1], pyramid.convs[4][2], found["image_pooling"])
        weight, bias = found["concat_projection"]  # inputs: image pooling first, then aspp0
        project = pyramid.project[0].weight
        project.zero_()
        kernel = torch.from_numpy(weight).permute(0, 3, 1, 2)
        project[:, 4 * width :], project[:, :width] = kernel[:, :width], kernel[:, width:]
        pyramid.project[1].bias.copy_(torch.from_numpy(bias))
        _identity(separable)
        _identity(network.decoder.block2[0])  # type: ignore[arg-type]
        assert isinstance(separable_norm, nn.BatchNorm2d)
        weight, bias = found["logits|semantic"]
        network.head.weight.copy_(torch.from_numpy(weight).permute(0, 3, 1, 2))
        network.head.bias.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]


def begin_with_imagenet(network: CompactSegmenter) -> None:
    """Give ``network`` the encoder that segmentation-models-pytorch publishes (safetensors, a pinned revision); changed in place.

    That encoder wants ImageNet's mean and deviation, this network photos in [-1, 1]: the difference goes into its first convolution.

    Raises:
        OSError: it is not in the cache and cannot be downloaded, or is not to be (environment variable ``REMOVE_OBJECTS_OFFLINE``).
    """
    encoder, mean, std = _imagenet_encoder()
    network.encoder.load_state_dict(
        {k: v for k, v in encoder.state_dict().items() if not k.startswith("features.18.")}
    )
    first: Any = network.encoder.features[0]
    conv, norm = first[0], first[1]
    with torch.no_grad():
        # (x / 2 + 1/2 - mean) / std, of which the constant part is taken off the mean that batch norm subtracts.
        norm.running_mean -= (conv.weight * ((0.5 - mean) / std)[:, None, None]).sum((1, 2, 3))
        conv.weight *= (0.5 / std)[:, None, None]


def _imagenet_encoder() -> tuple[nn.Module, Tensor, Tensor]:
    from huggingface_hub import try_to_load_from_cache
    from segmentation_models_pytorch.encoders import encoders, get_encoder, get_preprocessing_params

    published = encoders["mobilenet_v2"]["pretrained_settings"]["imagenet"]
    remedy = "train with a network once, or name a teacher's constants with --encoder FILE.npz"
    if os.environ.get("REMOVE_OBJECTS_OFFLINE"):
        for name in ("config.json", "model.safetensors"):
            if not isinstance(
                try_to_load_from_cache(published["repo_id"], name, revision=published["revision"]),
                str,
            ):
                raise OSError(
                    f"{published['repo_id']}: not cached, and the network is not to be used; {remedy}"
                )
    try:
        encoder = get_encoder("mobilenet_v2", weights="imagenet")
        settings = get_preprocessing_params("mobilenet_v2", "imagenet")
    except (
        Exception
    ) as error:  # its client's errors differ from version to version, and not all are OSErrors
        raise OSError(
            f"{published['repo_id']}: could not be downloaded ({error}); {remedy}"
        ) from error
    return encoder, torch.tensor(settings["mean"]), torch.tensor(settings["std"])


def _set(
    conv: nn.Conv2d, norm: nn.BatchNorm2d, constants: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    weight = torch.from_numpy(constants[0])
    # TensorFlow keeps (out, h, w, in), and (1, h, w, channels) for depthwise convolutions.
    weight = weight.permute(3, 0, 1, 2) if conv.groups > 1 else weight.permute(0, 3, 1, 2)
    conv.weight.copy_(weight)
    norm.bias.copy_(torch.from_numpy(constants[1]))


def _identity(separable: nn.Sequential) -> None:
    depthwise, pointwise = separable[0], separable[1]
    assert isinstance(depthwise, nn.Conv2d)
    assert isinstance(pointwise, nn.Conv2d)
    depthwise.weight.zero_()
    depthwise.weight[:, :, 1, 1] = 1
    pointwise.weight.zero_()
    out = pointwise.out_channels
    pointwise.weight[:, :out, 0, 0] = torch.eye(out)
