"""Folders of smp: what their configurations say, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from remove_objects.models import own_segmenter
from remove_objects.models.own_segmenter import (
    Normalisation,
    OwnModelError,
    load_model,
    photo_probabilities,
    read_model,
)
from tests.support.own_models import NORMALISATION, write_model

HALF = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "wires")


def changed(saved: Path, folder: Path, **more: Any) -> Path:
    """The model with another configuration; a value of None drops the key."""
    folder.mkdir()
    config = json.loads((saved / "config.json").read_text()) | more
    config = {k: v for k, v in config.items() if v is not None or k == "encoder_weights"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").symlink_to(saved / "model.safetensors")
    return folder


def test_a_folder_is_read_and_loaded(saved: Path) -> None:
    model = read_model(saved)
    assert (model.classes, model.exclusive, model.named) == (("wire", "date"), True, True)
    assert (model.architecture, model.encoder, model.longest) == ("Unet", "resnet18", 256)
    loaded = load_model(model)
    assert loaded.normalisation == NORMALISATION
    assert len(loaded.sha256) == 64
    assert not loaded.network.training


def test_a_model_of_others_is_named_after_its_folder(saved: Path, tmp_path: Path) -> None:
    ours = dict.fromkeys(("_class_names", "_input_mean", "_input_std", "_longest_side"))
    model = read_model(changed(saved, tmp_path / "My models!", **ours))
    assert model.classes == ("My-models-1", "My-models-2")
    assert model.longest == own_segmenter.DEFAULT_LONGEST
    assert load_model(model).normalisation == own_segmenter.IMAGENET
    separate = read_model(changed(saved, tmp_path / "litter", **ours, activation="sigmoid"))
    assert (separate.classes, separate.exclusive) == (
        ("litter-1", "litter-2", "litter-3"),
        False,
    )
    names = ["can", "cup", "bag"]
    each = read_model(changed(saved, tmp_path / "each", _class_names=names))
    assert (each.classes, each.exclusive) == (("can", "cup", "bag"), False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_model_class": "Llama"}, "_model_class is 'Llama'; expected one of"),
        ({"_model_class": "__init__"}, "_model_class is '__init__'"),
        ({"_model_class": None}, "_model_class is None"),
        ({"encoder_name": None}, "encoder_name is None"),
        ({"encoder_name": "../../etc"}, "encoder_name is '../../etc'"),
        ({"encoder_name": "tu-hf-hub:evil/model"}, "encoder_name is 'tu-hf-hub:evil/model'"),
        ({"encoder_name": "resnet18000"}, "cannot build Unet of it"),
        ({"classes": None}, "classes is None; expected a number"),
        ({"classes": "3"}, "classes is '3'"),
        ({"classes": True}, "classes is True"),
        ({"classes": 10**9}, "classes is 1000000000"),
        ({"classes": 7}, "2 names for a network of 7 maps; expected 6"),
        ({"classes": 2}, "holds other weights than config.json says"),
        ({"in_channels": 4}, "in_channels is 4; photos have 3"),
        ({"decoder_channels": [10**8, 8, 8]}, "decoder_channels is 100000000; expected at most"),
        ({"decoder_channels": [8] * 99}, "which no network takes"),
        ({"decoder_channels": [8, 8]}, "cannot build Unet of it"),
        ({"checkpoint_path": "/etc/passwd"}, "Unet of segmentation-models-pytorch takes no check"),
        ({"encoder_depth": 4, "decoder_channels": [8, 8, 8, 8]}, "holds other weights"),
        ({"_class_names": "wire"}, "class names are a list of texts"),
        ({"_class_names": ["wire", ""]}, "a class name is 1 to 40 letters"),
        ({"_class_names": ["wire", "a,b"]}, "a class name is 1 to 40 letters"),
        ({"_class_names": ["wire", "<b>x</b>"]}, "a class name is 1 to 40 letters"),
        ({"_class_names": ["wire", "W I R E"]}, "is given twice"),
        ({"_class_names": ["all", "wire"]}, "no class can be named 'all'"),
        ({"_input_mean": [0.5]}, "_input_mean is [0.5]; expected three numbers"),
        ({"_input_std": [0, 1, 1]}, "pictures are divided by it"),
        ({"_longest_side": 1}, "_longest_side is 1; expected 32"),
    ],
)
def test_a_configuration_that_does_not_fit_is_one_sentence(
    saved: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folder = changed(saved, tmp_path / "model", **change)
    with pytest.raises(OwnModelError) as raised:
        load_model(read_model(folder))
    assert message in str(raised.value)
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x04", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "is no configuration of a model"),
        (b" " * 1_000_001, "larger than 1,000,000 bytes"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(OwnModelError, match=message):
        read_model(tmp_path)


def test_weights_are_read_from_safetensors_alone(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(OwnModelError, match="an own model is the folder"):
        read_model(tmp_path)
    (tmp_path / "config.json").write_bytes((saved / "config.json").read_bytes())
    with pytest.raises(OwnModelError, match=r"holds no model.safetensors"):
        read_model(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(OwnModelError, match=r"pytorch_model.bin, a pickle, .* save_pretrained"):
        read_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(OwnModelError, match="not readable weights"):
        load_model(read_model(tmp_path))


class Bright(nn.Module):
    """Two maps that exclude each other: dark, and bright; sees sides of multiples of 32 alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[-1] % 32 == x.shape[-2] % 32 == 0
        mean = x.mean(1, keepdim=True) * 20
        return torch.cat([-mean, mean], dim=1)


@pytest.mark.parametrize("size", [(40, 70), (33, 1500), (1300, 1100), (5, 5)])
def test_a_picture_of_any_size_is_seen_in_windows(size: tuple[int, int]) -> None:
    rgb = np.zeros((*size, 3), np.uint8)
    rgb[: size[0] // 2, : size[1] // 2] = 255
    found = photo_probabilities(Bright(), rgb, HALF, exclusive=True)
    assert found.shape == (1, *size)
    assert np.allclose(found[0], rgb[..., 0] > 0, atol=0.01)


def test_reading_a_configuration_loads_no_library(saved: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from remove_objects.pipeline.config import Settings, resolve_classes\n"
        f"s = Settings(segmenter='compact,{saved}')\n"
        "print(*resolve_classes('wires,people', s.known_classes))\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('torch', 'timm', 'numpy', 'cv2')\n"
        "       or 'segmentation_models' in m])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["person wire", "[]"]
