"""Checkpoints of torchvision's segmentation networks: published files' form, and one's own."""

from __future__ import annotations

import argparse
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from remove_objects.models import hub
from remove_objects.models.categories import CATEGORIES
from remove_objects.models.checkpoint import CheckpointError, sha256
from remove_objects.models.folding import fold_batch_norm
from remove_objects.models.torchvision_segmentation import (
    build_network,
    load_network,
    load_own_network,
)

#: The smallest of them.
SMALL = "lraspp_mobilenet_v3_large"


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(SMALL)


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def assert_same(one: nn.Module, other: nn.Module) -> None:
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


@pytest.mark.parametrize("name", hub.SEGMENTERS)
def test_addresses_and_hashes_are_torchvisions(name: str) -> None:
    from torchvision.models import get_model_weights

    weights = get_model_weights(name)["COCO_WITH_VOC_LABELS_V1"]  # type: ignore[index]
    remote = hub.SEGMENTERS[name]
    assert remote.url == weights.url
    assert weights.url.endswith(f"-{remote.sha256}.pth")
    assert len(remote.sha256) == 8
    assert len(weights.meta["categories"]) == len(CATEGORIES)


def test_a_published_file_has_an_auxiliary_head_that_is_left_out(tmp_path: Path) -> None:
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    torch.manual_seed(0)
    published = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, aux_loss=True)
    path = saved(published.state_dict(), tmp_path / "file.pth")
    loaded = load_network("deeplabv3_mobilenet_v3_large", path)
    assert loaded.aux_classifier is None
    x = torch.rand(1, 3, 65, 65)
    with torch.inference_mode():
        assert torch.equal(loaded(x)["out"], published.eval()(x)["out"])


@pytest.mark.parametrize("name", hub.SEGMENTERS)
def test_folded_batch_norm_changes_no_answer(name: str) -> None:
    torch.manual_seed(0)
    network, x = build_network(name), torch.rand(1, 3, 65, 49)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    with torch.inference_mode():
        before = network(x)["out"]
        error = (fold_batch_norm(network)(x)["out"] - before).abs().max()
    assert error < 1e-4 * before.abs().max()


def test_own_files_of_every_form_are_read(network: nn.Module, tmp_path: Path) -> None:
    state = network.state_dict()
    # What references/segmentation/train.py of torchvision writes.
    training = {
        "model": state,
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.02}]},
        "lr_scheduler": {"last_epoch": 3},
        "epoch": 29,
        "args": argparse.Namespace(model=SMALL, lr=0.02, aux_loss=False, weights=None),
    }
    parallel = {f"module.{name}": tensor for name, tensor in state.items()}
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    for number, content in enumerate((state, training, {"state_dict": parallel})):
        assert_same(network, load_network(SMALL, saved(content, tmp_path / f"{number}.pth")))
    save_file(state, tmp_path / "own.safetensors")
    assert_same(network, load_network(SMALL, tmp_path / "own.safetensors"))
    small = load_network(SMALL, saved(half, tmp_path / "half.pth"))
    assert all(v.dtype != torch.float16 for v in small.state_dict().values())


def test_digits_of_a_hash_in_the_name_are_checked_a_date_is_not(
    network: nn.Module, tmp_path: Path
) -> None:
    path = saved(network.state_dict(), tmp_path / "mine.pth")
    right = path.rename(tmp_path / f"mine-{sha256(path)[:8]}.pth")
    load_own_network(SMALL, right)
    load_own_network(SMALL, right.rename(tmp_path / "mine-20261130.pth"))
    wrong = (tmp_path / "mine-20261130.pth").rename(tmp_path / "mine-0000000a.pth")
    with pytest.raises(CheckpointError, match="sha256 is"):
        load_own_network(SMALL, wrong)


class Hostile:
    """Runs a command where a pickle is loaded carelessly."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.proof),)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_that_would_run_code_is_refused_unread(wrapped: bool, tmp_path: Path) -> None:
    hostile: Any = Hostile(tmp_path / "proof")
    path = saved({"model": hostile} if wrapped else hostile, tmp_path / "mine.pth")
    with pytest.raises(CheckpointError, match=r"mine.pth: holds more than .* could run code"):
        load_network(SMALL, path)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(hostile))
    with pytest.raises(CheckpointError, match=r"plain.pth: "):
        load_network(SMALL, tmp_path / "plain.pth")
    assert not (tmp_path / "proof").exists()


def _with(name: str, tensor: torch.Tensor) -> Any:
    def change(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {**state, name: tensor}

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: {}, "is no lraspp_mobilenet_v3_large; it holds none of torchvision's"),
        (lambda _: [1, 2], "holds no state_dict; expected tensors by name"),
        (lambda _: {"epoch": 3}, "holds no state_dict"),
        (
            lambda _: build_network("deeplabv3_mobilenet_v3_large").state_dict(),
            "it holds a deeplabv3_mobilenet_v3_large, so name it deeplabv3_mobilenet_v3_large=FILE",
        ),
        (
            _with("classifier.low_classifier.weight", torch.zeros(5, 40, 1, 1)),
            "has 5 classes; expected 21: the background and Pascal VOC's twenty",
        ),
        (
            _with("classifier.scale.1.weight", torch.zeros(128, 900, 1, 1)),
            r"is no lraspp_mobilenet_v3_large; classifier.scale.1.weight is \(128, 900, 1, 1\)",
        ),
        (_with("backbone.0.0.weight", torch.full((16, 3, 3, 3), torch.nan)), "is not finite"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(
    change: Any, message: str, network: nn.Module, tmp_path: Path
) -> None:
    path = saved(change(dict(network.state_dict())), tmp_path / "mine.pth")
    with pytest.raises(CheckpointError, match=f"mine.pth: .*{message}"):
        load_network(SMALL, path)


@pytest.mark.parametrize("name", ["mine.pth", "mine.safetensors", "mine"])
@pytest.mark.parametrize("content", [b"", b"half a file" * 100])
def test_a_damaged_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name}: "):
        load_network(SMALL, tmp_path / name)
