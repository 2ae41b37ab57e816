"""The networks that ``train-inpainter`` trains, and every number of their training, on one page.

To add a network, write its task in ``train.tasks`` and add one record to ``MODELS``. Nothing here
loads torch before a record's ``task`` is called, so that ``--help`` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from .recipe import Discriminator, EdgeConnectWeights, PartialConvWeights, Preset, Schedule

if TYPE_CHECKING:
    from .tasks.base import NetworkTask


@dataclass(frozen=True)
class Model:
    """One network that ``train-inpainter`` trains.

    Attributes:
        task: imports and returns the class that trains the network.
        paper: the numbers that the network's paper trained it with.
        departures: what of ``paper`` is not the paper's own, because it says nothing, contradicts
            itself, or cannot be had here; by subject, with what was decided. A test builds two
            steps from each paper's text and compares them with two steps of ``paper``.
        shipped: the numbers that made, or continue to make, the weight in ``models/weights``.
        why: a reason for every number in which ``shipped`` differs from ``paper``; keys as in
            ``differences``. A test holds the three together.
    """

    task: Callable[[], type[NetworkTask]]
    paper: Preset | None = None
    departures: Mapping[str, str] = field(default_factory=dict)
    shipped: Preset | None = None
    why: Mapping[str, str] = field(default_factory=dict)

    def preset(self, name: str) -> Preset | None:
        """The preset ``paper`` or ``shipped``; None if the task keeps its own numbers."""
        return self.paper if name == "paper" else self.shipped


def _partial_conv() -> type[NetworkTask]:
    from .tasks.partial_conv import PartialConvTask

    return PartialConvTask


def _skip_context() -> type[NetworkTask]:
    from .tasks.skip_context import SkipContextTask

    return SkipContextTask


def _compression() -> type[NetworkTask]:
    from .tasks.compression import CompressionTask

    return CompressionTask


def _edsr() -> type[NetworkTask]:
    from .tasks.edsr import EDSRTask

    return EDSRTask


def _gated_conv() -> type[NetworkTask]:
    from .tasks.gated_conv import GatedConvTask

    return GatedConvTask


def _edge_connect() -> type[NetworkTask]:
    from .tasks.edge_connect import EdgeConnectTask

    return EdgeConnectTask


def _segmenter() -> type[NetworkTask]:
    from .tasks.segmenter import Distillation

    return Distillation


def _own_segmenter() -> type[NetworkTask]:
    from .tasks.own_segmenter import OwnSegmenterTask

    return OwnSegmenterTask


def _object_refiner() -> type[NetworkTask]:
    from .tasks.object_refiner import ObjectRefinerTask

    return ObjectRefinerTask


def _object_effects() -> type[NetworkTask]:
    from .tasks.object_effects import ObjectEffectsTask

    return ObjectEffectsTask


def _object_instances() -> type[NetworkTask]:
    from .tasks.object_instances import ObjectInstancesTask

    return ObjectInstancesTask


def _object_detector() -> type[NetworkTask]:
    from .tasks.object_detector import ObjectDetectorTask

    return ObjectDetectorTask


def _face_detector() -> type[NetworkTask]:
    from .tasks.face_detector import FaceDetectorTask

    return FaceDetectorTask


def _scene_classifier() -> type[NetworkTask]:
    from .tasks.scene_classifier import ClassifierTask

    return ClassifierTask


SCENES = ("scenes/train", "segmentation/voc_train/images", "segmentation/camvid_train/images")
PHOTOS = (*SCENES, "segmentation/ccp_person/images", "segmentation/human/images")
#: With streets and rooms, which the others have few of: what people are removed from.
PLACES = (*PHOTOS, "scenes/street", "scenes/rooms")
FACES = ("faces/train",)

_SHORT = "a run on two CPU cores has hours, not days"
_SCHEDULE = "a short run gains most from a high rate that falls at the end"
_BASE = (
    "deep in a hole a short run predicts the mean of all photos, grey on a red wall; "
    "with a smooth base that mean is the photo's own"
)
_SEMANTIC = (
    "the feature network's layers see a few pixels each; "
    "a segmenter's see whether an object is whole (Suvorov et al. 2022)"
)
_TABLE = "one table compares it with the compression network: same pictures, holes, size and length"
_CLIP = "at a high rate a single batch can undo many steps"
_FLIP = "mirrored photos are photos too, and there are few here"
_PRECISION = "bf16 is twice as fast where the hardware multiplies it"
_BEST = "the run keeps the checkpoint with the best held-out metric beside the last one"
_AVERAGE = "the averaged weights are better than the last ones, and cost nothing in use"
_CROP = "the feature network on whole pictures costs several times the inpainter"

MODELS: dict[str, Model] = {
    "partial-conv": Model(
        task=_partial_conv,
        # Kulkarni et al.: 34,500 iterations of 3 at 256x256 (2.7), eq. 3-9.
        paper=Preset(
            Schedule(
                batch=3,
                size=256,
                learning_rate=2e-4,
                betas=(0.9, 0.999),
                warmup=0,
                decay_from=1.0,
                zoom=(1.0, 1.0),
                flip=False,
                perceptual="l1",
                perceptual_crop=0,
            ),
            PHOTOS,
            ((1.0, "irregular"),),
            {
                "width": 64,
                "base": 0,
                "lsuv": False,
                "weights": PartialConvWeights(),
                "adversarial": 0.0,
                "discriminator": None,
                "discriminator_lr_scale": 1.0,
                "semantic": 0.0,
                "clip": 0.0,
            },
            average=0.0,
            precision="32-true",
            steps=34_500,
        ),
        departures={
            "pictures": "photos of the data folder: CelebA-HQ and Places2 are unavailable here",
            "holes": "the paper does not describe its training masks: Liu et al.'s are irregular",
            "optimizer": "not in the paper: Liu et al.'s Adam at 2e-4",
            "weights": "the lambdas of equation 9 are not in the paper: Liu et al.'s",
            "total variation": (
                "equation 3 adds up values of pixels: Liu et al.'s differences of neighbours in "
                "the hole and beside it"
            ),
            "means": "equations 3-8 print sums or plain bars: means, with Liu et al.'s K in eq. 6",
            "best": _BEST,
        },
        shipped=Preset(
            Schedule(
                batch=4,
                size=256,
                learning_rate=3e-4,
                betas=(0.9, 0.999),
                warmup=0.02,
                decay_from=0.6,
                zoom=(0.4, 1.0),
                flip=True,
                perceptual="normalised",
                perceptual_crop=128,
            ),
            PLACES,
            ((0.5, "irregular"), (0.15, "strokes"), (0.25, "objects"), (0.1, "any-rectangle")),
            {
                "width": 24,
                "base": 32,
                "lsuv": True,
                "weights": PartialConvWeights(
                    tv=0.1, valid=0.5, hole=3.0, perceptual=1.0, style=4.0, features_of_output=False
                ),
                "adversarial": 0.01,
                "discriminator": Discriminator(24, "composite", (2, 2, 2)),
                "discriminator_lr_scale": 1.0,
                "semantic": 2.0,
                "clip": 5.0,
            },
            average=0.999,
            precision="auto",
            steps=40_000,
        ),
        why={
            "schedule.batch": "steadier steps at a high rate",
            "schedule.learning_rate": _SCHEDULE,
            "schedule.warmup": "without normalisation the first steps at this rate diverge",
            "schedule.decay_from": _SCHEDULE,
            "schedule.zoom": "parts of photos, at the scale of the holes; and more variety",
            "schedule.flip": _FLIP,
            "schedule.perceptual": (
                "unit features follow human judgement better than eq. 4, "
                "whose bright layers drown the others"
            ),
            "schedule.perceptual_crop": _CROP,
            "folders": "people are removed from streets and rooms, of which the others show few",
            "holes": (
                "removal leaves holes of objects' shapes; "
                "strokes and rectangles keep the network from learning one kind of outline"
            ),
            "network.width": f"{_SHORT}, and the weight ships",
            "network.base": _BASE,
            "network.lsuv": (
                "equation 1's ratio amplifies the border of the small maps at all of 28 layers: "
                "the first outputs are far too large, and a short run is spent on undoing that"
            ),
            "network.semantic": _SEMANTIC,
            "network.adversarial": "the other losses accept a blur, a discriminator does not",
            "network.discriminator": "small enough to cost less than the network itself",
            "network.clip": _CLIP,
            "network.weights": (
                "in Liu et al.'s weights L1 dominates, which is a blur at this length; "
                "in these the perceptual losses do"
            ),
            "steps": _SHORT,
            "average": _AVERAGE,
            "precision": _PRECISION,
        },
    ),
    "skip-ce": Model(
        task=_skip_context,
        # Jiang & Zhang: Adam 2e-4 for both networks, 40 epochs (4.3), L1 = 0.001 adv + 0.999 rec
        # and L2 = half real + half fake (3.2), 128x128 with a hole of 64x64 (4.1).
        paper=Preset(
            Schedule(
                batch=64,
                size=128,
                learning_rate=2e-4,
                betas=(0.5, 0.999),
                warmup=0,
                decay_from=1.0,
                zoom=(1.0, 1.0),
                flip=False,
                perceptual="normalised",
                perceptual_crop=64,
            ),
            FACES,
            ((1.0, "rectangle"),),
            {
                "variant": 3,
                "width": 64,
                "blocks": 0,
                "adversarial": 0.001,
                "discriminator": Discriminator(64, "output", grows=True),
                "discriminator_lr_scale": 1.0,
                "perceptual": 0.0,
                "style": 0.0,
                "l1": 0.0,
                "semantic": 0.0,
                "clip": 0.0,
            },
            average=0.0,
            precision="32-true",
            epochs=40,
        ),
        departures={
            "pictures": "UTKFace stands in for CelebA, which is unavailable here",
            "batch": "not in the paper: 64, as Context Encoders' code has it",
            "betas": "not in the paper, which cites Context Encoders: theirs",
            "discriminator": (
                "the paper names neither width nor depth: Context Encoders' 64 channels and four "
                "halvings; it judges all that the network returns, for Models 0 and 1 the hole"
            ),
            "best": _BEST,
        },
        shipped=Preset(
            Schedule(
                batch=16,
                size=128,
                learning_rate=5e-4,
                betas=(0.5, 0.999),
                warmup=0.01,
                decay_from=0.7,
                zoom=(0.88, 1.0),
                flip=True,
                perceptual="normalised",
                perceptual_crop=64,
            ),
            FACES,
            (
                (0.25, "centred"),
                (0.25, "rectangle"),
                (0.125, "irregular"),
                (0.125, "strokes"),
                (0.25, "free-form-50-80"),
            ),
            {
                "variant": 3,
                "width": 64,
                "blocks": 0,
                "adversarial": 0.02,
                "discriminator": Discriminator(32, "composite", grows=True),
                "discriminator_lr_scale": 1.0,
                "perceptual": 1.0,
                "style": 4.0,
                "l1": 3.0,
                "semantic": 2.0,
                "clip": 0.0,
            },
            average=0.999,
            precision="auto",
            steps=20_000,
        ),
        why={
            "schedule.batch": _SHORT,
            "schedule.learning_rate": _SCHEDULE,
            "schedule.warmup": _SCHEDULE,
            "schedule.decay_from": _SCHEDULE,
            "schedule.zoom": "slightly smaller crops stand in for more faces",
            "schedule.flip": _FLIP,
            "holes": (
                "the pipeline's holes on faces are not squares: some are strokes or irregular, "
                "and some cover most of the face"
            ),
            "network.adversarial": "stronger, because 0.001 leaves the blur of L2",
            "network.discriminator": (
                "half the width costs less; in use only the hole is taken, so it judges that alone "
                "among the true pixels"
            ),
            "network.semantic": _SEMANTIC,
            "network.perceptual": "L2 alone is a blur; features follow human judgement",
            "network.style": "texture of skin and hair, which L2 averages away",
            "network.l1": "sharper than L2 inside the hole",
            "steps": _SHORT,
            "epochs": "counted in steps, because several data mixes are compared",
            "average": _AVERAGE,
            "precision": _PRECISION,
        },
    ),
    "compression": Model(
        task=_compression,
        # Wu & Cui: Adam 2e-4, SN-PatchGAN on the down-sampled output, L1 and a variance loss
        # (3 and 3.1), whole pictures of 256x256 with about 30 % missing at one side (4.1).
        paper=Preset(
            Schedule(
                batch=8,
                size=256,
                learning_rate=2e-4,
                betas=(0.9, 0.999),
                warmup=0,
                decay_from=1.0,
                zoom=(1.0, 1.0),
                flip=False,
                perceptual="normalised",
                perceptual_crop=64,
            ),
            SCENES,
            ((1.0, "edge"),),
            {
                "width": 64,
                "base": 0,
                "adversarial": 0.01,
                "discriminator": Discriminator(64, "output", (2,) * 6, one_score=False),
                "discriminator_lr_scale": 1.0,
                "variance": 0.1,
                "hole_weight": 1.0,
                "clip": 0.0,
            },
            average=0.0,
            precision="32-true",
            steps=100_000,
        ),
        departures={
            "pictures": "photos of the data folder: Places2 is unavailable here",
            "batch and length": "not in the paper: 100,000 steps of 8",
            "betas": "not in the paper: Adam's own",
            "weights": (
                "not in the paper: L1 has 1, so that it leads; SN-PatchGAN 0.01, the variance 0.1"
            ),
            "variance": "the paper prints no formula: total variation of the whole output",
            "discriminator": "not in the paper: SN-PatchGAN as Yu et al. have it, with the mask",
            "best": _BEST,
        },
        shipped=Preset(
            Schedule(
                batch=8,
                size=128,
                learning_rate=5e-4,
                betas=(0.9, 0.999),
                warmup=0.01,
                decay_from=0.7,
                zoom=(0.6, 1.0),
                flip=True,
                perceptual="normalised",
                perceptual_crop=64,
            ),
            SCENES,
            ((1.0, "edge"),),
            {
                "width": 16,
                "base": 32,
                "adversarial": 0.003,
                "discriminator": Discriminator(32, "composite", (1, 2, 2)),
                "discriminator_lr_scale": 1.0,
                "variance": 0.05,
                "hole_weight": 2.0,
                "clip": 5.0,
            },
            average=0.999,
            precision="auto",
            steps=20_000,
        ),
        why={
            "schedule.size": _SHORT,
            "schedule.learning_rate": _SCHEDULE,
            "schedule.warmup": _SCHEDULE,
            "schedule.decay_from": _SCHEDULE,
            "schedule.zoom": "the network sees most of a photo at once: large parts, not details",
            "schedule.flip": _FLIP,
            "network.base": _BASE,
            "network.width": f"{_SHORT}, and the weight ships",
            "network.adversarial": "weaker: the texture comes from the photo, the colour from here",
            "network.discriminator": (
                "six halvings leave one score of a 16x16 output; in use only the hole is taken, so "
                "it judges that alone among the true pixels"
            ),
            "network.variance": "weaker: at 32x32 it flattens real edges",
            "network.hole_weight": "the known part needs no network",
            "network.clip": _CLIP,
            "steps": _SHORT,
            "average": _AVERAGE,
            "precision": _PRECISION,
        },
    ),
    "edsr": Model(
        task=_edsr,
        # Lim et al. 2017, the baseline: 64 channels, 16 blocks, L1, Adam 1e-4, 300,000 updates
        # of 16.
        paper=Preset(
            Schedule(
                batch=16,
                size=256,
                learning_rate=1e-4,
                betas=(0.9, 0.999),
                warmup=0,
                decay_from=1.0,
                zoom=(1.0, 1.0),
                flip=True,
                perceptual="normalised",
                perceptual_crop=64,
            ),
            SCENES,
            ((1.0, "edge"),),
            {"width": 64, "blocks": 16, "clip": 0.0, "discriminator_lr_scale": 1.0},
            average=0.0,
            precision="32-true",
            steps=300_000,
        ),
        departures={
            "pictures": "photos of the data folder: DIV2K is unavailable here",
            "crops": (
                "whole pictures at 256x256, as Wu & Cui enlarge them, mirrored but not turned; "
                "theirs are 48x48 pixels of the small picture, at its own scale"
            ),
            "learning rate": "constant; theirs is halved after 200,000 updates",
            "best": _BEST,
        },
        # Not trained yet: texture selection is the decompression in use.
        shipped=Preset(
            Schedule(
                batch=8,
                size=128,
                learning_rate=1e-4,
                betas=(0.9, 0.999),
                warmup=0.01,
                decay_from=0.7,
                zoom=(0.4, 1.0),
                flip=True,
                perceptual="normalised",
                perceptual_crop=64,
            ),
            SCENES,
            ((1.0, "edge"),),
            {"width": 64, "blocks": 16, "clip": 0.0, "discriminator_lr_scale": 1.0},
            average=0.999,
            precision="auto",
            steps=20_000,
        ),
        why={
            "schedule.batch": _SHORT,
            "schedule.size": _SHORT,
            "schedule.warmup": _SCHEDULE,
            "schedule.decay_from": _SCHEDULE,
            "schedule.zoom": "parts of photos hold more detail than whole ones at this size",
            "steps": _SHORT,
            "average": _AVERAGE,
            "precision": _PRECISION,
        },
    ),
    "gated-conv": Model(
        task=_gated_conv,
        # A baseline of Wu & Cui's Table 2 as its own authors, Yu et al. 2019, trained it: Adam
        # 1e-4 (0.5, 0.999), 16 of 256x256, L1 and SN-PatchGAN 1:1, which judges the composite
        # with its mask.
        paper=Preset(
            Schedule(
                batch=16,
                size=256,
                learning_rate=1e-4,
                betas=(0.5, 0.999),
                warmup=0,
                decay_from=1.0,
                zoom=(1.0, 1.0),
                flip=False,
                perceptual="normalised",
                perceptual_crop=64,
            ),
            SCENES,
            ((0.5, "any-rectangle"), (0.5, "strokes")),
            {
                "width": 48,
                "attention": False,
                "adversarial": 1.0,
                "discriminator": Discriminator(
                    64, "composite", (2,) * 6, one_score=False, grows=True
                ),
                "discriminator_lr_scale": 1.0,
                "clip": 0.0,
            },
            average=0.0,
            precision="32-true",
            steps=1_000_000,
        ),
        departures={
            "pictures": "photos of the data folder: Places2 is unavailable here",
            "network": "their first network of two, the one without attention",
            "holes": "a rectangle or strokes; theirs are both together",
            "length": "not in the paper: a million steps",
            "start": "see ``models.gated_conv``: with theirs only a very long run learns anything",
            "best": _BEST,
        },
        # Never ships. Data, holes, size and length are compression's, so that one table can
        # compare them.
        shipped=Preset(
            Schedule(
                batch=8,
                size=128,
                learning_rate=3e-4,
                betas=(0.5, 0.999),
                warmup=0.01,
                decay_from=0.7,
                zoom=(0.6, 1.0),
                flip=True,
                perceptual="normalised",
                perceptual_crop=64,
            ),
            SCENES,
            ((1.0, "edge"),),
            {
                "width": 16,
                "attention": False,
                "adversarial": 0.05,
                "discriminator": Discriminator(
                    21, "composite", (2,) * 6, one_score=False, grows=True
                ),
                "discriminator_lr_scale": 1.0,
                "clip": 0.0,
            },
            average=0.999,
            precision="auto",
            steps=20_000,
        ),
        why={
            "schedule.batch": _TABLE,
            "schedule.size": _TABLE,
            "schedule.learning_rate": _SCHEDULE,
            "schedule.warmup": _SCHEDULE,
            "schedule.decay_from": _SCHEDULE,
            "schedule.zoom": _TABLE,
            "schedule.flip": _TABLE,
            "holes": _TABLE,
            "network.width": _SHORT,
            "network.discriminator": "as much narrower as the network itself",
            "network.adversarial": (
                "at 1:1 a short run follows the discriminator: "
                "L1 rises from the first steps, at 0.05 it falls"
            ),
            "steps": _TABLE,
            "average": _AVERAGE,
            "precision": _PRECISION,
        },
    ),
    "edge-connect": Model(
        task=_edge_connect,
        # A baseline of Wu & Cui's Table 2 as its own authors, Nazeri et al. 2019, trained it:
        # Adam 1e-4 (0, 0.9), a tenth of it for the discriminators, 8 of 256x256, Liu et al.'s
        # holes, mirrored pictures, and the 2e6 steps of their code.
        paper=Preset(
            Schedule(
                batch=8,
                size=256,
                learning_rate=1e-4,
                betas=(0.0, 0.9),
                warmup=0,
                decay_from=1.0,
                zoom=(1.0, 1.0),
                flip=True,
                perceptual="l1",
                perceptual_crop=0,
            ),
            SCENES,
            ((1.0, "irregular"),),
            {
                "width": 64,
                "weights": EdgeConnectWeights(),
                "discriminator": Discriminator(64, "output", grows=True),
                "discriminator_lr_scale": 0.1,
                "clip": 0.0,
            },
            average=0.0,
            precision="32-true",
            steps=2_000_000,
        ),
        departures={
            "pictures": "photos of the data folder: Places2 is unavailable here",
            "stages": "both networks in one run, the painter with true edges in its first half",
            "edges": "of the known part, as in use; theirs are the true picture's in training",
            "learning rate": "constant; theirs falls to 1e-5 once the losses are flat",
            "features": "those of --features for perceptual and style loss; theirs are VGG-19's",
            "best": _BEST,
        },
        # Never ships; as gated-conv.
        shipped=Preset(
            Schedule(
                batch=8,
                size=128,
                learning_rate=3e-4,
                betas=(0.0, 0.9),
                warmup=0.01,
                decay_from=0.7,
                zoom=(0.6, 1.0),
                flip=True,
                perceptual="l1",
                perceptual_crop=64,
            ),
            SCENES,
            ((1.0, "edge"),),
            {
                "width": 16,
                "weights": EdgeConnectWeights(),
                "discriminator": Discriminator(16, "output", grows=True),
                "discriminator_lr_scale": 0.1,
                "clip": 0.0,
            },
            average=0.999,
            precision="auto",
            steps=20_000,
        ),
        why={
            "schedule.size": _TABLE,
            "schedule.learning_rate": _SCHEDULE,
            "schedule.warmup": _SCHEDULE,
            "schedule.decay_from": _SCHEDULE,
            "schedule.zoom": _TABLE,
            "schedule.perceptual_crop": _CROP,
            "holes": _TABLE,
            "network.width": _SHORT,
            "network.discriminator": "as much narrower as the network itself",
            "steps": _TABLE,
            "average": _AVERAGE,
            "precision": _PRECISION,
        },
    ),
    # The networks that are not inpainters keep their numbers in their tasks.
    "compact-segmenter": Model(task=_segmenter),
    "segmenter": Model(task=_own_segmenter),
    "object-refiner": Model(task=_object_refiner),
    "object-detector": Model(task=_object_detector),
    "object-effects": Model(task=_object_effects),
    "object-instances": Model(task=_object_instances),
    "face-detector": Model(task=_face_detector),
    "scene-classifier": Model(task=_scene_classifier),
}


def paper(model: str) -> Preset:
    """The preset of a model's paper."""
    preset = MODELS[model].paper
    assert preset is not None, f"{model} has no paper preset"
    return preset


def shipped(model: str) -> Preset:
    """The preset of a model's shipped weight."""
    preset = MODELS[model].shipped
    assert preset is not None, f"{model} has no shipped preset"
    return preset


def differences(model: str) -> dict[str, tuple[Any, Any]]:
    """Compare a model's two presets.

    Returns:
        (paper's, shipped) for every number in which they differ, by a key like ``schedule.batch``.
    """
    different: dict[str, tuple[Any, Any]] = {}
    for f in fields(Preset):
        a, b = getattr(paper(model), f.name), getattr(shipped(model), f.name)
        if f.name == "schedule":
            pairs = {g.name: (getattr(a, g.name), getattr(b, g.name)) for g in fields(Schedule)}
        elif f.name == "network":
            pairs = {k: (a.get(k), b.get(k)) for k in {**a, **b}}
        else:
            pairs = {"": (a, b)}
        different |= {
            f"{f.name}.{k}".rstrip("."): pair for k, pair in pairs.items() if pair[0] != pair[1]
        }
    return different
