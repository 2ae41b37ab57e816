"""Training of the compact segmenter.

With a teacher's constants it begins as the teacher, and learns from labels and from the teacher's soft answers (distillation) to see from
afar what the teacher sees from near. Without, it begins with an encoder that knows ImageNet, and learns from labels alone.
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from models.folding import fold_batch_norm
from models.segmenter import CompactSegmenter, photo_logits
from pipeline.segment import shrink
from train.cut_outs import CutOuts
from train.data import Stream, batches, epoch_order, read_rgb

#: Label folders below the data folder. In ``human`` and ``camvid`` only some classes are labelled; the rest is void or background.
LABELLED = ("segmentation/voc_train", "segmentation/ccp_person", "segmentation/human", "segmentation/camvid_train")
UNLABELLED = ("scenes/train",)
#: Labels that a teacher knows better than a student learns them: it was trained with them, and answers for photos of other kinds too.
TEACHERS_OWN = "segmentation/voc_train"
#: Label folders that name people and a few other things: where nothing is named may be a bicycle or a chair, but nobody.
PEOPLE_ONLY = ("segmentation/ccp_person", "segmentation/human", "segmentation/camvid_train")
#: The student's picture is the crop made smaller, down to this share of its side (log-uniform), but for one batch in ``AS_NEAR``: so it
#: learns to see from afar what the teacher sees from near.
FARTHEST, AS_NEAR = 0.5, 2
#: The teacher looks at the crop and once more, mirrored, at so many times its size: the mean of both is better than either. Of a photo of
#: 4:3 it then sees the longer side at 430 to 610 pixels and at 600 to 850: at 1025 its IoU on VOC's animals is 0.71, at 513 0.84.
SECOND_LOOK = 1.4
#: A crop shows a photo's shorter side whole, or down to this share of it.
CLOSEST = 0.7
#: Where objects to paste come from: half of them are people, cut out exactly.
CUT_OUT_OF = (("segmentation/ccp_person", "segmentation/human"), ("segmentation/voc_train",))
#: Longer side in pixels at which a photo is looked at for the held-out figures, and once more from a distance: what is small then was not.
NEAR, FAR = 513, 193
#: Photos a step, and the side of a crop in pixels.
BATCH, SIZE = 6, 321
VOID, NOBODY = 255, 254
PERSON = 15


def _voc_palette() -> NDArray[np.uint8]:
    """Pascal VOC's colours: the bits of a class id spread over red, green and blue, highest first."""
    ids = np.arange(256)
    bits = (ids[:, None] >> np.arange(8)) & 1
    weight = 128 >> (np.arange(8) // 3)
    return np.stack([(bits * weight * (np.arange(8) % 3 == c)).sum(1) for c in range(3)], axis=1).astype(np.uint8)


PALETTE = _voc_palette()


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
                if n.split(";")[-1] in (f"{key}|BatchNorm_Fold|bias",) or (key == "logits|semantic" and n.endswith("|biases"))
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
    network.encoder.load_state_dict({k: v for k, v in encoder.state_dict().items() if not k.startswith("features.18.")})
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
            if not isinstance(try_to_load_from_cache(published["repo_id"], name, revision=published["revision"]), str):
                raise OSError(f"{published['repo_id']}: not cached, and the network is not to be used; {remedy}")
    try:
        encoder = get_encoder("mobilenet_v2", weights="imagenet")
        settings = get_preprocessing_params("mobilenet_v2", "imagenet")
    except Exception as error:  # its client's errors differ from version to version, and not all are OSErrors
        raise OSError(f"{published['repo_id']}: could not be downloaded ({error}); {remedy}") from error
    return encoder, torch.tensor(settings["mean"]), torch.tensor(settings["std"])


def _set(conv: nn.Conv2d, norm: nn.BatchNorm2d, constants: tuple[NDArray[Any], NDArray[Any]]) -> None:
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


class LabelledCrops(Dataset[tuple[Tensor, Tensor]]):
    """An endless row of (photo crop, class ids); sample n is a function of ``seed`` and n alone."""

    def __init__(
        self, files: Sequence[tuple[Path, Path | None]], *, size: int, seed: int, cut_outs: CutOuts | None = None,
        people_only: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        self.files, self.size, self.seed, self.cut_outs, self.people_only = list(files), size, seed, cut_outs, tuple(people_only)

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        """(3HW uint8 RGB, HW uint8 class ids, 254 = anything but a person, 255 = void).

        A square of a photo, mirrored or not, things pasted into it or not.
        """
        epoch, index = divmod(n, len(self.files))
        order = epoch_order(len(self.files), self.seed, epoch)
        rng = np.random.default_rng((self.seed, n))
        path, label_path = self.files[int(order[index])]
        image, label = self._crop(*read_pair(path, label_path), rng)
        if self.names_people_only(path):
            label = np.where(label == 0, np.uint8(NOBODY), label)
        if self.cut_outs is not None:
            self.cut_outs.paste_some(image, label, rng)
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), torch.from_numpy(np.ascontiguousarray(label))

    def names_people_only(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self.people_only)

    def _crop(
        self, image: NDArray[np.uint8], label: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:  # fmt: skip
        scale = self.size / min(image.shape[:2]) / float(np.exp(rng.uniform(np.log(CLOSEST), 0)))
        h, w = (max(self.size, round(side * scale)) for side in image.shape[:2])
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)  # type: ignore[assignment]
        label = cv2.resize(label, (w, h), interpolation=cv2.INTER_NEAREST)  # type: ignore[assignment]
        top, left = (int(rng.integers(0, side - self.size + 1)) for side in image.shape[:2])
        image, label = image[top : top + self.size, left : left + self.size], label[top : top + self.size, left : left + self.size]
        image = np.clip(image.astype(np.float32) * rng.uniform(0.85, 1.15) + rng.uniform(-12, 12), 0, 255).astype(np.uint8)
        if rng.random() < 0.5:
            image, label = image[:, ::-1], label[:, ::-1]
        return image, label


class Distillation:
    """Cross-entropy on labels plus the teacher's soft answer (KL), on mirrored, scaled, cropped photos with small things pasted in.

    The teacher is the network as it comes, and sees them larger than the student. Without one (``teacher=False``) there are labels alone:
    photos that have none are left out, and batch norm follows the photos.
    """

    def __init__(
        self, network: CompactSegmenter, data: Path, *, batch: int, size: int, learning_rate: float, seed: int, held_out: int,
        workers: int = 0, teacher: bool = True,
    ) -> None:  # fmt: skip
        if not teacher and batch < 2:
            raise ValueError(f"expected a batch of 2 or more: batch norm over the whole picture's mean has one value a photo, got {batch}")
        # Without channels_last the depthwise convolutions' backward pass is eleven times slower on a CPU.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.teacher = fold_batch_norm(copy.deepcopy(network).eval()).requires_grad_(False) if teacher else None
        files: list[tuple[Path, Path | None]] = []
        for folder in LABELLED:
            for path in sorted((data / folder / "images").glob("*")):
                label = data / folder / "labels" / f"{path.stem}.png"
                files.append((path, label if label.exists() else None))
        if teacher:
            files += [(p, None) for f in UNLABELLED for p in sorted((data / f).glob("*.jpg"))]
        else:
            files = [pair for pair in files if pair[1] is not None]
        if not files:
            raise FileNotFoundError(f"{data}: none of {', '.join(LABELLED + (UNLABELLED if teacher else ()))} found below it")
        order = np.random.default_rng(0).permutation(len(files))
        self.held_out = [files[i] for i in order if files[i][1] is not None][:held_out]
        left_out = set(self.held_out)
        files = [f for f in files if f not in left_out]
        things = [[f for f in files if f[1] is not None and any(f[0].is_relative_to(data / g) for g in group)] for group in CUT_OUT_OF]
        if teacher:
            files = [(f, None) if f.is_relative_to(data / TEACHERS_OWN) else (f, label) for f, label in files]
        people_only = [data / folder for folder in PEOPLE_ONLY]
        self.crops = LabelledCrops(files, size=size, seed=seed, cut_outs=CutOuts(things, read_pair), people_only=people_only)
        self.batch, self.learning_rate, self.workers = batch, learning_rate, workers
        fresh = [p for n, p in network.named_parameters() if n.startswith(("decoder.", "head."))]
        old = [p for n, p in network.named_parameters() if not n.startswith(("decoder.", "head."))]
        groups = [{"params": old, "lr": learning_rate * 0.2}, {"params": fresh, "lr": learning_rate}]
        self.modules: dict[str, nn.Module] = {"network": self.network}
        self.optimizers: dict[str, torch.optim.Optimizer] = {"network": torch.optim.Adam(groups)}
        self.clip = {"network": 2.0}
        self.device: torch.device = torch.device("cpu")
        self.autocast: Any = nullcontext

    def prepare(self, fabric: Fabric) -> None:
        """The teacher works where, and as precisely as, the network does."""
        self.device, self.autocast = fabric.device, fabric.autocast
        # Batch norm is the teacher's, folded: it has no statistics to follow, so it stays as in use.
        self.modules["network"].train(self.teacher is None)
        if self.teacher is not None:
            self.teacher.to(fabric.device)

    def batches(self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1) -> Iterator[tuple[Tensor, ...]]:
        return batches(self.crops, Stream(self.batch, accumulate, rank, world), start, workers=self.workers, to_float=False)

    def set_progress(self, share: float) -> None:
        factor = min(1.0, share / 0.02 + 0.01) * (0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * share))))
        for group, base in zip(self.optimizers["network"].param_groups, (0.2, 1.0), strict=True):
            group["lr"] = self.learning_rate * base * factor

    def losses(self, batch: tuple[Tensor, ...]) -> dict[str, dict[str, Tensor]]:
        image = batch[0].float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        label = batch[1].long()
        logits = self.modules["network"](self._from_afar(image)).float()
        hard = label_loss(logits, label)
        if self.teacher is None:
            return {"network": {"hard": hard}}
        height, width = logits.shape[-2:]
        soft = self._looks(image, (height, width))
        distance = F.kl_div(logits.log_softmax(1), soft, reduction="none").sum(1)
        # Of a labelled object the teacher has nothing to say: it misses what is small.
        thing = ((label > 0) & (label < NOBODY)).float()[:, None]
        distance = distance * (1 - F.adaptive_avg_pool2d(thing, (height, width))[:, 0])
        return {"network": {"hard": 0.3 * hard, "soft": 1.0 * distance.mean()}}

    @torch.no_grad()
    def _looks(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """The mean of what the teacher sees of a batch N3HW from near and from nearer: N(classes)hw probabilities at ``size``."""
        assert self.teacher is not None
        nearer = _resized(image.flip(3), SECOND_LOOK)
        with self.autocast():
            near, nearer = self.teacher(image).float().softmax(1), self.teacher(nearer).float().softmax(1).flip(3)
        return (F.adaptive_avg_pool2d(near, size) + F.adaptive_avg_pool2d(nearer, size)) / 2

    def _from_afar(self, image: Tensor) -> Tensor:
        """A batch N3HW made smaller, all of it as much, to a legal size."""
        if int(torch.randint(AS_NEAR, ())) == 0:
            return image
        return _resized(image, FARTHEST ** float(torch.rand(())))

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """IoU on the held-out photos, mean and person, near and far; ``val_mean`` is the mean of both."""
        looks = {"near": NEAR, "far": FAR}
        counts = {name: np.zeros((21, 21), np.int64) for name in looks}
        for path, label_path in self.held_out:
            image, label = read_pair(path, label_path)
            for name, longest in looks.items():
                found_here = predict_labels(network, image, longest, self.device)
                if self.crops.names_people_only(path):
                    # A bicycle beside a person is no mistake.
                    found_here[(label == 0) & (found_here != PERSON)] = 0
                counts[name] += confusion(found_here, label)
        found = {name: intersection_over_union(c) for name, c in counts.items()}
        figures = {f"val_{name}_{k}": f[k] for name, f in found.items() for k in ("mean", "person") if k in f}
        return figures | {"val_mean": (figures["val_near_mean"] + figures["val_far_mean"]) / 2}

    def samples(self, network: nn.Module) -> NDArray[np.uint8] | None:
        """The first six held-out photos with the found classes beside the labelled ones, in VOC's colours."""
        rows = []
        for path, label_path in self.held_out[:6]:
            image, label = read_pair(path, label_path)
            found = predict_labels(network, image, NEAR, self.device)
            rows.append(np.concatenate([cv2.resize(p, (256, 192)) for p in (image, PALETTE[found], PALETTE[label])], axis=1))
        return np.concatenate(rows) if rows else None


def label_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy with labels of which some say only who is not there.

    Args:
        logits: N(classes)hw, enlarged with aligned corners to the label's size.
        label: NHW class ids, ``NOBODY`` = any class but a person, ``VOID`` = unknown.

    Returns:
        its mean over the known pixels, or over a quarter of all where fewer are known: else each of a few would weigh as much as a picture.
    """
    big = F.interpolate(logits, size=label.shape[-2:], mode="bilinear", align_corners=True)
    entropy = F.cross_entropy(big, torch.where(label < NOBODY, label, VOID), ignore_index=VOID, reduction="none")
    nobody = label == NOBODY
    if nobody.any():
        others = torch.cat([big[:, :PERSON], big[:, PERSON + 1 :]], dim=1)
        entropy = torch.where(nobody, big.logsumexp(1) - others.logsumexp(1), entropy)
    return entropy.sum() / (label != VOID).sum().clamp(min=label.numel() // 4)


def _resized(image: Tensor, scale: float) -> Tensor:
    """A batch N3HW at so many times its size, to a legal one."""
    size = [CompactSegmenter.legal_size(round(side * scale)) for side in image.shape[-2:]]
    other = F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=scale < 1)
    return other.contiguous(memory_format=torch.channels_last)


def predict_labels(
    network: nn.Module, image: NDArray[np.uint8], longest: int, device: torch.device | str = "cpu"
) -> NDArray[np.uint8]:  # fmt: skip
    """Class ids at the photo's size: RGB HWC uint8 in, HW uint8 out. The network sees it at ``longest`` pixels."""
    logits = photo_logits(network, shrink(image, longest), device)[None]
    return F.interpolate(logits, size=image.shape[:2], mode="bilinear", align_corners=False)[0].argmax(0).byte().cpu().numpy()


def confusion(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Counts by (truth, found), 21 x 21; void pixels left out."""
    known = truth < 21
    return np.bincount(truth[known].astype(int) * 21 + found[known], minlength=441).reshape(21, 21)


def intersection_over_union(counts: NDArray[np.int64]) -> dict[str, float]:
    """IoU by class name for the classes present in the truth, and their ``mean``."""
    from models.categories import CATEGORIES

    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    present = counts.sum(1) > 0
    figures = {CATEGORIES[i]: float(counts[i, i] / union[i]) for i in range(21) if present[i]}
    return {**figures, "mean": float(np.mean(list(figures.values())))}


def read_pair(path: Path, label_path: Path | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photo (HWC RGB) and its label (HW class ids, 255 = void; all void where there is none)."""
    image = read_rgb(path)
    label = cv2.imread(str(label_path), cv2.IMREAD_UNCHANGED) if label_path else np.full(image.shape[:2], VOID, np.uint8)
    if label is None:
        raise OSError(f"{label_path}: not a readable label picture")
    if label.ndim == 3:
        raise ValueError(f"{label_path}: expected one channel of class ids, got {label.shape}")
    return image, label  # type: ignore[return-value]


def make_distillation(args: argparse.Namespace) -> tuple[Distillation, dict[str, Any]]:
    """The task of ``train-inpainter compact-segmenter``."""
    network, teacher = CompactSegmenter(), args.encoder != "imagenet"
    if teacher:
        begin_as_teacher(network, Path(args.encoder))
    else:
        begin_with_imagenet(network)
    task = Distillation(
        network, args.data, batch=args.batch or BATCH, size=args.size or SIZE, seed=args.seed, held_out=args.held_out,
        learning_rate=args.learning_rate or (1e-4 if teacher else 1e-3), workers=args.workers, teacher=teacher,
    )  # fmt: skip
    steps = 1600 if args.steps is None else args.steps
    return task, {
        "folders": LABELLED + (UNLABELLED if teacher else ()),
        "teacher" if teacher else "encoder": Path(args.encoder).name,
        "pictures": len(task.crops.files),
        "steps": steps,
        "batch": task.batch * args.accumulate * int(os.environ.get("WORLD_SIZE", args.devices)),
        "average": 0.999,
        "options": f" --encoder {Path(args.encoder).name} --steps {steps} --batch {task.batch} --size {task.crops.size}"
        f" --learning-rate {task.learning_rate}",
    }
