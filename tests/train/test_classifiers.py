"""The classifiers: MobileNetV2 against its arithmetic, VGG16_BN with its new layer, downloads."""

from __future__ import annotations

import os
import pickle
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from remove_objects.models.checkpoint import CheckpointError, save_weights
from remove_objects.models.hub import VGG16_BN
from remove_objects.train import classifiers
from remove_objects.train.classifiers import (
    ClassifierMobileNetV2,
    PlacesVGG16BN,
    PlacesVGG16BNConfig,
    imagenet_backbone,
    load_classifier,
)
from remove_objects.train.data.pictures import read_rgb
from remove_objects.train.mobilenet_v2 import BLOCKS, LAYERS, SameConv2d, scaled

CONSTANTS = (
    Path(os.environ.get("REMOVE_OBJECTS_DATA", "/nowhere")).parent
    / "weights/segmentation/mobilenet_v2_1.0_224_dequantised.npz"
)
SAMPLES = Path(__file__).parents[2] / "sample_images"


def made_up() -> dict[str, NDArray[np.float32]]:
    """Random constants of every layer, some under names that TensorFlow Lite has joined."""
    rng = np.random.default_rng(0)
    constants = {"MobilenetV2|Logits|Squeeze": np.zeros(2, np.float32)}
    for layer in LAYERS:
        inputs = np.prod(layer.shape[1:3]) if layer.depthwise else np.prod(layer.shape[1:])
        joined = "MobilenetV2|another|Conv2D_Fold;" if layer.name.endswith("project") else ""
        constants[joined + layer.weight] = (
            rng.standard_normal(layer.shape) * np.sqrt(2 / inputs)
        ).astype(np.float32)
        outputs = layer.shape[3] if layer.depthwise else layer.shape[0]
        constants[joined + layer.bias] = (rng.standard_normal(outputs) / 10).astype(np.float32)
    return constants


@pytest.fixture(scope="module")
def constants() -> dict[str, NDArray[np.float32]]:
    return made_up()


@pytest.fixture(scope="module")
def file(
    constants: dict[str, NDArray[np.float32]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("mobilenet") / "constants.npz"
    np.savez(path, **constants)  # type: ignore[arg-type]
    return path


def test_table_of_layers() -> None:
    assert len(BLOCKS) == 17
    assert len(LAYERS) == 1 + 2 + 16 * 3 + 2
    assert [layer.shape for layer in LAYERS[:3]] == [(32, 3, 3, 3), (1, 3, 3, 32), (16, 1, 1, 32)]
    shapes = {layer.name: layer.shape for layer in LAYERS}
    assert shapes["expanded_conv_13|expand"] == (576, 1, 1, 96)
    assert shapes["expanded_conv_16|project"] == (320, 1, 1, 960)
    assert [layer.name for layer in LAYERS if layer.stride == 2] == [
        "Conv",
        *(f"expanded_conv_{i}|depthwise" for i in (1, 3, 6, 13)),
    ]


@pytest.mark.parametrize(
    ("size", "expected"), [((4, 4), (2, 2)), ((5, 4), (3, 2)), ((1, 7), (1, 4))]
)
def test_odd_padding_goes_to_bottom_and_right(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    conv = SameConv2d(1, 1, 3, 2)
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    assert conv(torch.ones(1, 1, *size)).shape[2:] == expected
    output = conv(torch.arange(1.0, 17).view(1, 1, 4, 4))[0, 0]
    # 1 2 3 4 / 5 6 7 8 / 9 10 11 12 / 13 14 15 16, and a zero at the right and at the bottom.
    assert output.tolist() == [[54, 45], [72, 54]]


@torch.no_grad()
def test_mobilenet_is_its_arithmetic(constants: dict[str, NDArray[np.float32]], file: Path) -> None:
    arrays = {name.split(";")[-1]: torch.from_numpy(value) for name, value in constants.items()}

    def layer(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = arrays[f"MobilenetV2|{name}|weights_quant|FakeQuantWithMinMaxVars"]
        bias = arrays.get(
            f"MobilenetV2|{name}|BatchNorm_Fold|bias", arrays.get(f"MobilenetV2|{name}|biases")
        )
        if name.endswith("depthwise"):
            weight = weight.permute(3, 0, 1, 2)
            x = F.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))
            return F.conv2d(x, weight, bias, stride, groups=len(weight))
        return F.conv2d(x, weight.permute(0, 3, 1, 2), bias, stride)

    image = torch.rand(2, 3, 224, 224)
    x = layer("Conv", F.pad(image * 2 - 1, (0, 1, 0, 1)), 2).clamp(0, 6)
    x = layer("expanded_conv|project", layer("expanded_conv|depthwise", x).clamp(0, 6))
    for i in range(1, 17):
        y = layer(f"expanded_conv_{i}|expand", x).clamp(0, 6)
        y = layer(f"expanded_conv_{i}|depthwise", y, 2 if i in (1, 3, 6, 13) else 1).clamp(0, 6)
        y = layer(f"expanded_conv_{i}|project", y)
        x = y if i in (1, 3, 6, 10, 13, 16) else x + y
    assert x.shape == (2, 320, 7, 7)
    pooled = layer("Conv_1", x).clamp(0, 6).mean((2, 3), keepdim=True)
    expected = layer("Logits|Conv2d_1c_1x1", pooled)[:, :, 0, 0]

    output = load_classifier(file)(image)
    assert output.shape == (2, 1001)
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(output, expected, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_pictures_of_any_size_are_scaled(file: Path) -> None:
    network = load_classifier(file)
    image = torch.rand(1, 3, 100, 300)
    torch.testing.assert_close(network(image), network(scaled(image, 224)))
    large = torch.zeros(1, 3, 896, 896)
    large[..., ::4] = (
        1  # every fourth column: grey once it is antialiased, stripes or nothing otherwise
    )
    assert float(scaled(large, 224)[..., 8:-8].std()) < 0.01


def test_mobilenet_does_not_train(file: Path) -> None:
    network = load_classifier(file)
    assert not network.training
    assert not [p for p in network.parameters() if p.requires_grad]


def test_constants_that_are_not_mobilenets_are_named(
    constants: dict[str, NDArray[np.float32]], tmp_path: Path
) -> None:
    path = tmp_path / "constants.npz"
    missing = {k: v for k, v in constants.items() if k != "MobilenetV2|Conv_1|BatchNorm_Fold|bias"}
    np.savez(path, **missing)  # type: ignore[arg-type]
    with pytest.raises(
        CheckpointError, match=r"constants\.npz: nothing for MobilenetV2\|Conv_1\|weights_quant"
    ):
        ClassifierMobileNetV2(path)
    np.savez(
        path, **{**constants, "MobilenetV2|Conv|BatchNorm_Fold|bias": np.zeros(31, np.float32)}
    )  # type: ignore[arg-type]
    with pytest.raises(
        CheckpointError,
        match=r"\(31,\) for MobilenetV2\|Conv\|.*expected \(32, 3, 3, 3\) and \(32,\)",
    ):
        ClassifierMobileNetV2(path)


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_files_without_constants_are_refused(tmp_path: Path) -> None:
    path, target = tmp_path / "x.npz", tmp_path / "made-by-the-pickle"
    with pytest.raises(FileNotFoundError, match=r"x\.npz: no such file"):
        load_classifier(path)
    for content in (b"", b"<html>", b"PK\3\4 and no more"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"x\.npz: not a readable \.npz"):
            load_classifier(path)
    np.savez(path, a=np.array([Bomb(target)], object))
    with pytest.raises(CheckpointError, match=r"x\.npz: not a readable"):
        load_classifier(path)
    path.write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(CheckpointError, match=r"x\.npz: not a readable"):
        load_classifier(path)
    path.rename(tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"not '\.pth'"):
        load_classifier(tmp_path / "x.pth")
    assert not target.exists()


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("coffee.jpg", {968}),
        ("photographer.png", {873}),
        ("launch_pad.jpg", {658, 745, 813}),
        ("cat_in_hedge.jpg", {282, 283, 286}),
    ],
    ids=[
        "espresso",
        "tripod",
        "missile, projectile or space shuttle",
        "tabby, tiger or Egyptian cat",
    ],
)
@torch.no_grad()
def test_real_pictures_get_their_classes(picture: str, expected: set[int]) -> None:
    if not CONSTANTS.is_file():
        pytest.skip("set REMOVE_OBJECTS_DATA to the folder beside weights/segmentation")
    image = torch.from_numpy(read_rgb(SAMPLES / picture)).permute(2, 0, 1)[None].float() / 255
    order = load_classifier(CONSTANTS)(image)[0].argsort(descending=True).tolist()
    # The cat looks out of a hedge that fills the picture: her class is the second.
    assert expected & set(order[: 2 if picture.startswith("cat") else 1])


class Tiny(nn.Module):
    """Stands in for VGG16_BN: 1000 outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1000)
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        return self.layer(x.mean((2, 3)))


@torch.no_grad()
def test_new_layer_lies_on_the_thousand_outputs() -> None:
    backbone = Tiny()
    network = PlacesVGG16BN(PlacesVGG16BNConfig(5, size=8), backbone)
    image = torch.rand(2, 3, 20, 12)
    output = network(image)
    shown = backbone.seen[0]
    assert shown.shape == (2, 3, 8, 8)
    for c, (mean, std) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        torch.testing.assert_close(shown[:, c], (scaled(image, 8)[:, c] - mean) / std)
    torch.testing.assert_close(output, backbone(shown) @ network.head.weight.T + network.head.bias)
    assert PlacesVGG16BN(backbone=backbone)(image).shape == (2, 365)
    assert backbone.seen[-1].shape == (2, 3, 224, 224)


def test_a_name_for_each_class_or_none() -> None:
    with pytest.raises(ValueError, match="2 names for 3 classes"):
        PlacesVGG16BNConfig(3, ("a", "b"))


def test_backbone_is_torchvisions_vgg16_bn() -> None:
    with torch.device("meta"):
        network = PlacesVGG16BN()
    assert sum(p.numel() for p in network.parameters()) == 138_365_992 + 1000 * 365 + 365
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 13


def test_exported_file_is_loaded_with_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifiers, "untrained_backbone", Tiny)
    network = PlacesVGG16BN(PlacesVGG16BNConfig(2, ("a/airfield", "a/attic"), 16)).eval()
    path = save_weights(network, tmp_path, "scene-classifier", half=False)
    again = load_classifier(path)
    assert isinstance(again, PlacesVGG16BN)
    assert again.config == network.config
    assert not again.training
    assert not [p for p in again.parameters() if p.requires_grad]
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(again(image), network(image))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="sha256"):
        load_classifier(path)


def refuse(requested: list[Any]) -> Any:
    def connect(address: Any, *_: Any, **__: Any) -> None:
        requested.append(address)
        raise OSError("no network in tests")

    return connect


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_offline_contacts_no_server_and_names_the_remedy(
    by: str, monkeypatch: pytest.MonkeyPatch, torch_home: Path
) -> None:
    requested: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", refuse(requested))
    if by == "argument":
        monkeypatch.delenv("REMOVE_OBJECTS_OFFLINE")
    with pytest.raises(FileNotFoundError) as error:
        imagenet_backbone(offline=by == "argument")
    assert requested == []
    folder = torch_home / "hub" / "checkpoints"
    assert str(error.value) == (
        "vgg16_bn-6c64b313.pth is not cached and the network is not to be used; "
        f"put https://download.pytorch.org/models/vgg16_bn-6c64b313.pth into {folder}, "
        "then run again"
    )


def test_dead_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", refuse(requested))
    monkeypatch.delenv("REMOVE_OBJECTS_OFFLINE")
    with pytest.raises(FileNotFoundError, match="did not answer"):
        imagenet_backbone()
    assert requested == [("download.pytorch.org", 443)]


def test_address_is_torchvisions() -> None:
    from torchvision.models import VGG16_BN_Weights

    assert VGG16_BN_Weights.IMAGENET1K_V1.url == VGG16_BN.url
    assert VGG16_BN.filename == f"vgg16_bn-{VGG16_BN.sha256}.pth" == VGG16_BN.url.rpartition("/")[2]


def test_cached_file_that_is_not_the_published_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / VGG16_BN.filename
    path.parent.mkdir(parents=True)
    target = tmp_path / "made-by-the-pickle"
    torch.save({"features.0.weight": Bomb(target)}, path)
    with pytest.raises(CheckpointError, match="published is 6c64b313"):
        imagenet_backbone()
    assert not target.exists()


def test_cached_file_of_the_right_hash_is_loaded_and_no_code_in_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remove_objects.models.checkpoint import sha256

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(classifiers, "untrained_backbone", Tiny)
    path = tmp_path / "hub" / "checkpoints" / VGG16_BN.filename
    path.parent.mkdir(parents=True)
    published = Tiny()
    torch.save(published.state_dict(), path)
    monkeypatch.setattr(
        "remove_objects.models.hub.VGG16_BN",
        VGG16_BN.__class__(VGG16_BN.url, VGG16_BN.filename, sha256(path)),
    )
    output = imagenet_backbone(offline=True)
    assert torch.equal(output.layer.weight, published.layer.weight)  # type: ignore[union-attr,arg-type]
    target = tmp_path / "made-by-the-pickle"
    torch.save({"layer.weight": Bomb(target)}, path)
    monkeypatch.setattr(
        "remove_objects.models.hub.VGG16_BN",
        VGG16_BN.__class__(VGG16_BN.url, VGG16_BN.filename, sha256(path)),
    )
    with pytest.raises(pickle.UnpicklingError):
        imagenet_backbone(offline=True)
    assert not target.exists()
