"""The segmenter's initial values: a teacher's function, and an ImageNet encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from segmentation_models_pytorch import encoders
from torch import Tensor, nn

from remove_objects.models.segmenter import CompactSegmenter
from remove_objects.train.teacher import init_from_imagenet


@torch.no_grad()
def test_student_starts_with_the_teachers_function(
    teacher: Path, student: CompactSegmenter
) -> None:
    constants = np.load(teacher)

    def dense(key: str, x: Tensor) -> Tensor:
        bias = (
            "logits|semantic|biases" if key == "logits|semantic" else f"{key}|BatchNorm_Fold|bias"
        )
        weight = torch.from_numpy(constants[f"{key}|weights_quant|FakeQuant"]).permute(0, 3, 1, 2)
        return F.conv2d(x, weight, torch.from_numpy(constants[bias]))

    student.eval()
    image = torch.rand(1, 3, 65, 65) * 2 - 1
    deep = student.encoder(image)[1]
    # The teacher's head by hand: one convolution; the mean of all places; both through another;
    # the classes.
    pooled = (
        dense("image_pooling", deep.mean((2, 3), keepdim=True))
        .relu()
        .expand(-1, -1, *deep.shape[-2:])
    )
    joined = dense(
        "concat_projection", torch.cat([pooled, dense("aspp0", deep).relu()], dim=1)
    ).relu()
    fine = F.interpolate(joined, size=(17, 17), mode="bilinear", align_corners=True)
    torch.testing.assert_close(student(image), dense("logits|semantic", fine), rtol=1e-3, atol=1e-4)
    first = torch.from_numpy(constants["MobilenetV2|Conv|weights_quant|FakeQuant"]).permute(
        0, 3, 1, 2
    )
    expected = F.conv2d(
        image, first, torch.from_numpy(constants["MobilenetV2|Conv|BatchNorm_Fold|bias"]), 2, 1
    ).clamp(0, 6)
    torch.testing.assert_close(student.encoder.features[0](image), expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_imagenets_encoder_gets_the_pictures_that_it_expects(published: nn.Module) -> None:
    network = CompactSegmenter()
    init_from_imagenet(network)
    network.eval()
    rgb = torch.rand(1, 3, 65, 65)
    settings = encoders.get_preprocessing_params("mobilenet_v2", "imagenet")
    mean, std = (torch.tensor(settings[k])[:, None, None] for k in ("mean", "std"))
    ours = network.encoder.features[:4](rgb * 2 - 1)
    theirs = published.features[:4]((rgb - mean) / std)  # type: ignore[index]
    # Padding is grey for one network and ImageNet's mean for the other.
    torch.testing.assert_close(ours[..., 3:-3, 3:-3], theirs[..., 3:-3, 3:-3], rtol=1e-3, atol=1e-3)
