"""Which pixels are of one object: photo and class mask in, a vote of each pixel for a box out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .object_unet import ObjectUNet

#: Pixels of the picture between two places of the output.
PLACES = 2
#: Largest logarithm of a box's side in the network's unit.
_LARGEST = 4.0


@dataclass(frozen=True)
class ObjectInstancesConfig:
    """Size of an ``ObjectInstances``, and the encoder that it was trained on.

    Attributes:
        widths: channels at stride 2, 4, 8 and 16.
        encoder: sha256 of the compact segmenter's weight file whose encoder gives the features;
            empty if the network was trained on none.
    """

    widths: tuple[int, int, int, int] = (24, 48, 96, 128)
    encoder: str = ""


class ObjectInstances(ObjectUNet):
    """Map a view of objects of one class to votes: each pixel's object has this bounding box.

    Pixels of one object vote for one box, and those of its neighbour for another, however much the
    two touch or overlap (Neven et al. 2019, *Instance Segmentation by Jointly Optimizing Spatial
    Embeddings and Clustering Bandwidth*, with a box in place of a centre: an adult and the child
    in front have the same centre, but not the same box). A mask is wider than its objects, and has
    parts that are of none: a chair between two people. The network says which pixels belong to an
    object.
    """

    config_class = ObjectInstancesConfig

    def __init__(self, config: ObjectInstancesConfig | None = None) -> None:
        config = config or ObjectInstancesConfig()
        super().__init__(config.widths)
        self.config = config
        self.head = nn.Conv2d(config.widths[0], 6, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        """Vote.

        Args:
            image: N3HW RGB in [-1, 1], H and W multiples of 16.
            mask: N1HW in [0, 1], all objects of a class.
            features: ``MobileNetV2.levels(image)``.

        Returns:
            (N4hw float32 boxes: left, top, right, bottom in pixels of the view, they may lie
            outside; N1hw logits of how well a vote's box overlaps its object's; N1hw logits of the
            pixel being of an object), h = H / 2; place (y, x) is at pixel (2 y + 1/2, 2 x + 1/2).
            Outside the mask they mean nothing.

        Raises:
            ValueError: an illegal size; the message names the next legal one.
        """
        votes = self.head(self.decoded(image, mask, *features)).float()
        unit = max(image.shape[2:]) / 4
        h, w = votes.shape[2:]
        y = torch.arange(h, device=votes.device).view(1, 1, h, 1) * PLACES + (PLACES - 1) / 2
        x = torch.arange(w, device=votes.device).view(1, 1, 1, w) * PLACES + (PLACES - 1) / 2
        middle_x, middle_y = x + unit * votes[:, :1], y + unit * votes[:, 1:2]
        half = votes[:, 2:4].clamp(-_LARGEST, _LARGEST).exp() * (unit / 2)
        corners = [middle_x - half[:, :1], middle_y - half[:, 1:]]
        corners += [middle_x + half[:, :1], middle_y + half[:, 1:]]
        return torch.cat(corners, dim=1), votes[:, 4:5], votes[:, 5:]
