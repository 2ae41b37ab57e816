"""Fixtures of the training tests: no network, no cached weights, and a small data folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from segmentation_models_pytorch import encoders
from torch import nn

from remove_objects.models.segmenter import CompactSegmenter
from remove_objects.train.teacher import init_from_teacher


@pytest.fixture(scope="session")
def torch_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty cache for torch."""
    return tmp_path_factory.mktemp("torch-home")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, torch_home: Path) -> None:
    monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(torch_home))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of the presets, with three pictures of noise each."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("scenes/train", "faces/train", "segmentation/voc_train/images"):
        (folder / name).mkdir(parents=True)
        for i in range(3):
            coarse = rng.integers(0, 256, (5, 6, 3), np.uint8)
            cv2.imwrite(
                str(folder / name / f"{i}.png"),
                cv2.resize(coarse, (140, 132), interpolation=cv2.INTER_CUBIC),
            )
    label, mask = np.zeros((132, 140), np.uint8), np.zeros((64, 64), np.uint8)
    label[10:110, 20:60] = 15
    mask[20:40, 16:48] = 255
    for name, picture in (("segmentation/voc_train/labels", label), ("masks/irregular", mask)):
        (folder / name).mkdir(parents=True)
        cv2.imwrite(str(folder / name / "0.png"), picture)
    return folder


@pytest.fixture(scope="session")
def labelled_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for the refiner: five photos of a red person from near, and five scenes."""
    folder = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    images, labels = (folder / "segmentation/ccp_person" / name for name in ("images", "labels"))
    for path in (images, labels, folder / "scenes/train"):
        path.mkdir(parents=True)
    for i in range(5):
        coarse = rng.integers(0, 160, (5, 6, 3), np.uint8)
        scene = cv2.resize(coarse, (200, 220), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "scenes/train" / f"{i}.jpg"), scene)
        label = np.zeros((220, 200), np.uint8)
        cv2.ellipse(label, (100, 110), (40 + i, 80), 10 * i, 0, 360, 15, -1)
        scene[label > 0] = (0, 0, 230)  # BGR
        cv2.imwrite(str(images / f"{i}.png"), scene)
        cv2.imwrite(str(labels / f"{i}.png"), label)
    return folder


def channels_last(conv: nn.Conv2d) -> tuple[int, ...]:
    """A convolution's shape in TensorFlow: (out, h, w, in), depthwise (1, h, w, channels)."""
    out, before, h, w = conv.weight.shape
    return (1, h, w, out) if conv.groups > 1 else (out, h, w, before)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Constants of a teacher of random numbers, under TensorFlow's names."""
    network, rng = CompactSegmenter(), np.random.default_rng(0)
    features, aspp = network.encoder.features, network.decoder.aspp[0]
    shapes = {"MobilenetV2|Conv": channels_last(features[0][0])}
    for i in range(17):
        block, key = features[i + 1].conv, "MobilenetV2|expanded_conv" + (f"_{i}" if i else "")
        if i:
            shapes[f"{key}|expand"] = channels_last(block[0][0])
        shapes[f"{key}|depthwise"] = channels_last(block[-3][0])
        shapes[f"{key}|project"] = channels_last(block[-2])
    shapes["aspp0"] = channels_last(aspp.convs[0][0])
    shapes["image_pooling"] = channels_last(aspp.convs[4][1])
    shapes["concat_projection"] = (256, 1, 1, 512)
    shapes["logits|semantic"] = (21, 1, 1, 256)
    constants = {}
    for key, shape in shapes.items():
        spread = np.sqrt(2 / (np.prod(shape[1:3]) if shape[0] == 1 else np.prod(shape[1:])))
        constants[f"{key}|weights_quant|FakeQuant"] = (rng.standard_normal(shape) * spread).astype(
            np.float32
        )
        bias = (
            "logits|semantic|biases" if key == "logits|semantic" else f"{key}|BatchNorm_Fold|bias"
        )
        constants[bias] = (
            rng.standard_normal(shape[3] if shape[0] == 1 else shape[0]).astype(np.float32) / 10
        )
    path = tmp_path_factory.mktemp("teacher") / "teacher.npz"
    np.savez(path, **constants)
    return path


@pytest.fixture(scope="module")
def student(teacher: Path) -> CompactSegmenter:
    network = CompactSegmenter()
    init_from_teacher(network, teacher)
    return network


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """The encoder that smp publishes, with random numbers: nothing is downloaded."""
    torch.manual_seed(0)
    encoder = encoders.get_encoder("mobilenet_v2", weights=None)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    monkeypatch.delenv("REMOVE_OBJECTS_OFFLINE", raising=False)
    monkeypatch.setattr(
        encoders,
        "get_encoder",
        lambda name, weights: {("mobilenet_v2", "imagenet"): encoder}[name, weights],
    )
    # These are downloaded too.
    settings = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    monkeypatch.setattr(encoders, "get_preprocessing_params", lambda name, weights: settings)
    return encoder.eval()
