"""Every number of every training run, on one page.

``PAPER`` is each network as its paper trained it, ``SHIPPED`` what made (or goes on making) the weights in ``models/weights``; wherever the
two differ, ``WHY`` gives the reason. A test holds the three together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from .tasks.base import Schedule
from .tasks.edge_connect import EdgeConnectWeights
from .tasks.partial_conv import PartialConvWeights


@dataclass(frozen=True)
class Preset:
    """One network's recipe.

    ``steps``: of the whole run; ``epochs`` instead counts rounds through the pictures. ``folders``: below the data folder. ``holes``:
    (weight, name) as ``train.cli.hole_generator`` knows them. ``network``: the task's own arguments. ``average``: decay of the moving
    average; 0 = none.
    """

    schedule: Schedule
    folders: tuple[str, ...]
    holes: tuple[tuple[float, str], ...]
    network: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    epochs: int = 0
    average: float = 0.999


SCENES = ("scenes/train", "segmentation/voc_train/images", "segmentation/camvid_train/images")
PHOTOS = (*SCENES, "segmentation/ccp_person/images", "segmentation/human/images")
FACES = ("faces/train",)

PAPER: dict[str, Preset] = {
    # Kulkarni et al.: 34,500 iterations of 3, 256x256, eq. 3-9 with Liu et al.'s weights and learning rate. CelebA-HQ and Places2 are not
    # to be had here: the photos of the data folder stand in for them.
    "partial-conv": Preset(
        Schedule(
            batch=3,
            size=256,
            learning_rate=2e-4,
            warmup=0,
            decay_from=1.0,
            zoom=(1.0, 1.0),
            perceptual="l1",
            perceptual_crop=0,
        ),
        PHOTOS,
        ((1.0, "irregular"),),
        {"width": 64, "base": 0, "adversarial": 0.0, "weights": PartialConvWeights()},
        steps=34_500,
        average=0.0,
    ),
    # Jiang & Zhang: Adam 2e-4, 40 epochs, L1 = 0.001 adv + 0.999 rec (3.2), 128x128 with a hole of 64x64. UTKFace stands in for CelebA.
    # The paper names no batch size.
    "skip-ce": Preset(
        Schedule(
            batch=64,
            size=128,
            learning_rate=2e-4,
            betas=(0.5, 0.999),
            warmup=0,
            decay_from=1.0,
            zoom=(1.0, 1.0),
        ),
        FACES,
        ((1.0, "rectangle"),),
        {
            "variant": 3,
            "width": 64,
            "adversarial": 0.001,
            "perceptual": 0.0,
            "style": 0.0,
            "l1": 0.0,
        },
        epochs=40,
        average=0.0,
    ),
    # Wu & Cui: Adam 2e-4, SN-PatchGAN, L1 and a variance loss (3.1), 256x256 with about 30 % missing at one side. No weights of the
    # losses, no batch size and no length are named.
    "compression": Preset(
        Schedule(batch=8, size=256, learning_rate=2e-4, warmup=0, decay_from=1.0),
        SCENES,
        ((1.0, "edge"),),
        {"width": 64, "base": 0, "adversarial": 0.01, "variance": 0.1, "hole_weight": 1.0},
        steps=100_000,
        average=0.0,
    ),
    # Lim et al. 2017, the baseline: 64 channels, 16 blocks, L1, Adam 1e-4, 300,000 updates of 16.
    "edsr": Preset(
        Schedule(batch=16, size=256, learning_rate=1e-4, warmup=0, decay_from=1.0),
        SCENES,
        ((1.0, "edge"),),
        {"width": 64, "blocks": 16},
        steps=300_000,
        average=0.0,
    ),
    # The baselines of Wu & Cui's Table 2, as their own authors trained them; Places2 is not to be had.
    # Yu et al. 2019: Adam 1e-4 (0.5, 0.999), 16 of 256x256, L1 and SN-PatchGAN 1:1. Their holes are a rectangle and strokes together; no
    # length is named.
    "gated-conv": Preset(
        Schedule(
            batch=16, size=256, learning_rate=1e-4, betas=(0.5, 0.999), warmup=0, decay_from=1.0
        ),
        SCENES,
        ((0.5, "any-rectangle"), (0.5, "strokes")),
        {"width": 48, "attention": False, "adversarial": 1.0},
        steps=1_000_000,
        average=0.0,
    ),
    # Nazeri et al. 2019: Adam 1e-4 (0, 0.9), a tenth of it for the discriminators, 8 of 256x256, Liu et al.'s holes, their
    # code's 2e6 steps.
    "edge-connect": Preset(
        Schedule(
            batch=8,
            size=256,
            learning_rate=1e-4,
            betas=(0.0, 0.9),
            warmup=0,
            decay_from=1.0,
            zoom=(1.0, 1.0),
            perceptual="l1",
            perceptual_crop=0,
        ),
        SCENES,
        ((1.0, "irregular"),),
        {"width": 64, "judge_rate": 0.1, "weights": EdgeConnectWeights()},
        steps=2_000_000,
        average=0.0,
    ),
}

SHIPPED: dict[str, Preset] = {
    "partial-conv": Preset(
        Schedule(
            batch=4, size=256, learning_rate=3e-4, decay_from=0.6, warmup=0.02, perceptual_crop=128
        ),
        PHOTOS,
        ((0.5, "irregular"), (0.15, "strokes"), (0.25, "objects"), (0.1, "any-rectangle")),
        {
            "width": 24,
            "base": 32,
            "adversarial": 0.01,
            "semantic": 2.0,
            "weights": PartialConvWeights(
                tv=0.1, valid=0.5, hole=3.0, perceptual=1.0, style=4.0, look_at_output=False
            ),
        },
        steps=40_000,
    ),
    "skip-ce": Preset(
        Schedule(batch=16, size=128, learning_rate=5e-4, betas=(0.5, 0.999), zoom=(0.88, 1.0)),
        FACES,
        ((0.35, "centred"), (0.35, "rectangle"), (0.15, "irregular"), (0.15, "strokes")),
        {
            "variant": 3,
            "width": 64,
            "adversarial": 0.02,
            "perceptual": 1.0,
            "style": 4.0,
            "l1": 3.0,
            "semantic": 2.0,
        },
        steps=20_000,
    ),
    "compression": Preset(
        Schedule(batch=8, size=128, learning_rate=5e-4, zoom=(0.6, 1.0)),
        SCENES,
        ((1.0, "edge"),),
        {"width": 16, "base": 32, "adversarial": 0.003, "variance": 0.05, "hole_weight": 2.0},
        steps=20_000,
    ),
    # Not trained yet: texture selection is the decompression in use.
    "edsr": Preset(
        Schedule(batch=8, size=128, learning_rate=1e-4),
        SCENES,
        ((1.0, "edge"),),
        {"width": 64, "blocks": 16},
        steps=20_000,
    ),
    # The baselines never ship: data, holes, size and length are compression's, so that one table can hold them.
    "gated-conv": Preset(
        Schedule(batch=8, size=128, learning_rate=3e-4, betas=(0.5, 0.999), zoom=(0.6, 1.0)),
        SCENES,
        ((1.0, "edge"),),
        {"width": 16, "attention": False, "adversarial": 0.05},
        steps=20_000,
    ),
    "edge-connect": Preset(
        Schedule(
            batch=8,
            size=128,
            learning_rate=3e-4,
            betas=(0.0, 0.9),
            zoom=(0.6, 1.0),
            perceptual="l1",
        ),
        SCENES,
        ((1.0, "edge"),),
        {"width": 16, "judge_rate": 0.1, "weights": EdgeConnectWeights()},
        steps=20_000,
    ),
}

PRESETS = {"paper": PAPER, "shipped": SHIPPED}

_SHORT = "a run on two CPU cores has hours, not days"
_SCHEDULE = "a short run gains most from a high rate that falls at the end"
_BASE = "deep in a hole a short run answers with the mean of all photos, grey on a red wall; with it the mean is the photo's own"
_SEMANTIC = "the feature network's layers see a few pixels each; a segmenter's see whether a thing is whole (Suvorov et al. 2022)"
_TABLE = (
    "one table compares it with the compression network: the same pictures, holes, size and length"
)
_AVERAGE = "the averaged weights are better than the last ones, and cost nothing in use"

#: For every number in which SHIPPED differs from PAPER: why. Keys as in ``differences``.
WHY: dict[str, dict[str, str]] = {
    "partial-conv": {
        "schedule.batch": "steadier steps at a high rate",
        "schedule.learning_rate": _SCHEDULE,
        "schedule.warmup": "without normalisation the first steps at this rate diverge",
        "schedule.decay_from": _SCHEDULE,
        "schedule.zoom": "parts of photos, at the scale at which holes are filled, and more different pictures",
        "schedule.perceptual": "unit features follow what people see better than eq. 4, whose bright layers drown the others",
        "schedule.perceptual_crop": "the feature network on whole pictures costs several times the inpainter",
        "holes": "what removal leaves are objects' shapes; strokes and rectangles keep it from learning one kind of outline",
        "network.width": f"{_SHORT}, and the weight ships",
        "network.base": _BASE,
        "network.semantic": _SEMANTIC,
        "network.adversarial": "the other losses forgive a blur, a discriminator does not",
        "network.weights": "Liu et al.'s weights lead with L1, which is a blur at this length; these lead with what people see",
        "steps": _SHORT,
        "average": _AVERAGE,
    },
    "skip-ce": {
        "schedule.batch": _SHORT,
        "schedule.learning_rate": _SCHEDULE,
        "schedule.warmup": _SCHEDULE,
        "schedule.decay_from": _SCHEDULE,
        "schedule.zoom": "slightly smaller crops stand in for more faces",
        "holes": "the pipeline's holes on faces are no squares: strokes and irregular ones are among them",
        "network.adversarial": "stronger, because 0.001 leaves the blur of L2",
        "network.semantic": _SEMANTIC,
        "network.perceptual": "L2 alone is a blur; features follow what people see",
        "network.style": "texture of skin and hair, which L2 averages away",
        "network.l1": "sharper than L2 inside the hole",
        "steps": _SHORT,
        "epochs": "counted in steps, because several data mixes are compared",
        "average": _AVERAGE,
    },
    "compression": {
        "schedule.size": _SHORT,
        "schedule.learning_rate": _SCHEDULE,
        "schedule.warmup": _SCHEDULE,
        "schedule.decay_from": _SCHEDULE,
        "schedule.zoom": "the network looks at most of a photo at once: large parts, not details",
        "network.base": _BASE,
        "network.width": f"{_SHORT}, and the weight ships",
        "network.adversarial": "weaker: the texture comes from the photo, the network gives the colour",
        "network.variance": "weaker: at 32x32 it flattens real edges",
        "network.hole_weight": "what is known needs no network",
        "steps": _SHORT,
        "average": _AVERAGE,
    },
    "edsr": {
        "schedule.batch": _SHORT,
        "schedule.size": _SHORT,
        "schedule.warmup": _SCHEDULE,
        "schedule.decay_from": _SCHEDULE,
        "steps": _SHORT,
        "average": _AVERAGE,
    },
    "gated-conv": {
        "schedule.batch": _TABLE,
        "schedule.size": _TABLE,
        "schedule.learning_rate": _SCHEDULE,
        "schedule.warmup": _SCHEDULE,
        "schedule.decay_from": _SCHEDULE,
        "schedule.zoom": _TABLE,
        "holes": _TABLE,
        "network.width": _SHORT,
        "network.adversarial": "at 1:1 a short run follows the discriminator: L1 rises from the first steps on, at 0.05 it falls",
        "steps": _TABLE,
        "average": _AVERAGE,
    },
    "edge-connect": {
        "schedule.size": _TABLE,
        "schedule.learning_rate": _SCHEDULE,
        "schedule.warmup": _SCHEDULE,
        "schedule.decay_from": _SCHEDULE,
        "schedule.zoom": _TABLE,
        "schedule.perceptual_crop": "the feature network on whole pictures costs several times the inpainter",
        "holes": _TABLE,
        "network.width": _SHORT,
        "steps": _TABLE,
        "average": _AVERAGE,
    },
}


def differences(model: str) -> dict[str, tuple[Any, Any]]:
    """(paper's, shipped) for every number in which the two presets of a model differ; keys like ``schedule.batch``."""
    found: dict[str, tuple[Any, Any]] = {}
    paper, shipped = PAPER[model], SHIPPED[model]
    for f in fields(Preset):
        a, b = getattr(paper, f.name), getattr(shipped, f.name)
        if f.name == "schedule":
            pairs = {g.name: (getattr(a, g.name), getattr(b, g.name)) for g in fields(Schedule)}
        elif f.name == "network":
            pairs = {k: (a.get(k), b.get(k)) for k in {**a, **b}}
        else:
            pairs = {"": (a, b)}
        found |= {
            f"{f.name}.{k}".rstrip("."): pair for k, pair in pairs.items() if pair[0] != pair[1]
        }
    return found
