"""Every number of every training run, on one page. ``shipped`` made the weights in ``models/weights``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from train.tasks import PartialConvWeights, Schedule


@dataclass(frozen=True)
class Preset:
    """One network's recipe. ``folders``: below the data folder; ``network``: the task's own arguments."""

    steps: int
    schedule: Schedule
    folders: tuple[str, ...]
    network: dict[str, Any] = field(default_factory=dict)
    perceptual_crop: int = 64


PHOTOS = (
    "scenes/train",
    "segmentation/voc_train/images",
    "segmentation/camvid_train/images",
    "segmentation/ccp_person/images",
    "segmentation/human/images",
)
SCENES = ("scenes/train", "segmentation/voc_train/images", "segmentation/camvid_train/images")

SHIPPED: dict[str, Preset] = {
    # Liu et al.'s weights lead with L1, which is a blur at this length of training; these lead with what people see.
    "partial-conv": Preset(
        steps=40_000,
        schedule=Schedule(batch=8, size=128, learning_rate=3e-4, decay_from=0.6, warmup=0.02),
        folders=PHOTOS,
        network={"width": 16, "weights": PartialConvWeights(tv=0.1, valid=0.5, hole=3.0, perceptual=1.0, style=4.0, look_at_output=False)},
    ),
    # Section 3.2's L2 and its weak adversary make a blur; hole L1 and perceptual losses are added, and the adversary is stronger.
    "skip-ce": Preset(
        steps=20_000,
        schedule=Schedule(batch=16, size=128, learning_rate=5e-4, betas=(0.5, 0.999), zoom=(0.88, 1.0)),
        folders=("faces/train",),
        network={"variant": 3, "width": 48, "adversarial": 0.003, "perceptual": 1.0, "style": 4.0, "l1": 3.0},
        perceptual_crop=64,
    ),
    # Not trained yet: texture selection is the decompression in use.
    "edsr": Preset(
        steps=20_000, schedule=Schedule(batch=8, size=128, learning_rate=1e-4), folders=SCENES, network={"width": 64, "blocks": 16}
    ),
    "compression": Preset(
        steps=20_000,
        schedule=Schedule(batch=8, size=128, learning_rate=5e-4, zoom=(0.6, 1.0)),
        folders=SCENES,
        network={"width": 16, "adversarial": 0.003, "variance": 0.05, "hole_weight": 2.0},
    ),
}
