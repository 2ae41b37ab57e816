"""A user's own weight files: each that does not fit is refused in a sentence that names it."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from remove_objects.models import shipped
from remove_objects.models.checkpoint import CheckpointError, save_weights, sha256
from remove_objects.models.edsr import EDSR, EDSRConfig
from remove_objects.models.kinds import KINDS, kind_of, network_class
from remove_objects.models.object_effects import ObjectEffects, ObjectEffectsConfig
from remove_objects.models.own_weights import OwnWeight, load_network, open_weights
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from remove_objects.models.segmenter import CompactSegmenter, CompactSegmenterConfig
from remove_objects.models.skip_context_encoder import SkipContextEncoder, SkipContextEncoderConfig
from tests.support.tiny_networks import NETWORKS


@pytest.fixture
def weight(tmp_path: Path) -> Path:
    """A weight of partial-conv, two channels wide, as a training run leaves it."""
    torch.manual_seed(1)
    written = save_weights(PartialConvUNet(PartialConvUNetConfig(2)), tmp_path, "partial-conv")
    return written.rename(tmp_path / "best.safetensors")


def header(path: Path, **entries: str | None) -> Path:
    """Give a weight another header; None removes an entry."""
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        full = {**file.metadata(), **entries}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {k: v for k, v in full.items() if v is not None})
    return path


def test_every_kind_that_ships_is_known_by_its_class() -> None:
    index = json.loads(shipped.shipped_index())
    assert {kind: network_class(kind).__name__ for kind in index} == {
        kind: entry["network"] for kind, entry in index.items()
    }
    assert all(kind_of(network_class(kind).__name__) == kind for kind in KINDS)


def test_a_weight_is_built_by_its_own_config_and_stays_what_it_was(weight: Path) -> None:
    digest = sha256(weight)
    (own,) = opened = open_weights({"partial-conv": weight})
    assert (own.kind, own.sha256, own.file) == ("partial-conv", digest, str(weight))
    weight.write_bytes(b"another file meanwhile")
    network, loaded = load_network("partial-conv", opened)
    assert loaded == digest
    assert network.config.width == 2
    assert not network.training
    again: tuple[OwnWeight, ...] = pickle.loads(pickle.dumps(opened))  # to another machine
    assert again == opened
    torch.testing.assert_close(again[0].load().state_dict(), network.state_dict())
    assert open_weights({"partial-conv": own}) == opened
    assert "content" not in repr(opened)


def test_without_an_own_weight_the_bundled_one_is_loaded(weight: Path) -> None:
    opened = open_weights({"partial-conv": weight})
    network, digest = load_network("compression", opened)
    assert digest == shipped.shipped_entry("compression")["sha256"]
    assert type(network).__name__ == "CompressionNetwork"


def _folder(path: Path) -> Path:
    return path.parent


def _absent(path: Path) -> Path:
    return path.with_name("none.safetensors")


def _empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def _truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-100])
    return path


def _text(path: Path) -> Path:
    path.write_text("partial-conv: 0.3, trained on Sunday\n" * 9)
    return path


def _checkpoint(path: Path) -> Path:
    torch.save({"step": 1}, path.with_name("best.pt"))
    return path.with_name("best.pt")


def _disguised(path: Path) -> Path:
    torch.save({"step": 1}, path)
    return path


def _bare_pickle(path: Path) -> Path:
    path.write_bytes(pickle.dumps({"step": 1}))
    return path


def _of_face(path: Path) -> Path:
    network = SkipContextEncoder(SkipContextEncoderConfig(3, 4))
    return save_weights(network, path.parent, "skip-ce")


def _of_edsr(path: Path) -> Path:
    return save_weights(EDSR(EDSRConfig(2, 1)), path.parent, "edsr")


def _foreign(path: Path) -> Path:
    save_file({"conv.weight": torch.zeros(3)}, path)
    return path


def _no_config(path: Path) -> Path:
    return header(path, config=None)


def _odd_config(path: Path) -> Path:
    return header(path, config='{"depth": 3}')


def _huge_config(path: Path) -> Path:
    return header(path, config='{"width": 100000, "base": 0}')


def _other_width(path: Path) -> Path:
    return header(path, config=json.dumps(asdict(PartialConvUNetConfig(3))))


def _diverged(path: Path) -> Path:
    network = PartialConvUNet(PartialConvUNetConfig(2))
    with torch.no_grad():
        next(network.parameters())[0] = float("nan")
    return save_weights(network, path.parent, "partial-conv")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_folder, "a folder; name the weight file in it, such as partial-conv="),
        (_absent, "no such file; name the weight of partial-conv"),
        (_empty, "an empty file; copy or export the weight again"),
        (_truncated, "a damaged or incomplete .safetensors file of"),
        (_text, "a damaged or incomplete .safetensors file of"),
        (_checkpoint, "a checkpoint of PyTorch (a pickle), which can run code"),
        (_disguised, "a checkpoint of PyTorch (a pickle), which can run code"),
        (_bare_pickle, "a checkpoint of PyTorch (a pickle), which can run code"),
        (_of_face, "the weights of skip-ce, not of partial-conv; give the file as skip-ce="),
        (_of_edsr, "the weights of EDSR, which cleans no photos"),
        (_foreign, "tensors (1) of a network that the file does not name"),
        (_no_config, "the config in its header makes no PartialConvUNet"),
        (_odd_config, "the config in its header makes no PartialConvUNet"),
        (_huge_config, "width is 100000"),
        (_other_width, "does not fit a PartialConvUNet of its own config"),
        (_diverged, "has values that are no finite numbers"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    weight: Path, make: Callable[[Path], Path], says: str
) -> None:
    path = make(weight)
    with pytest.raises(CheckpointError) as error:
        open_weights({"partial-conv": path})
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message
    assert len(message) < 400 + 2 * len(str(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(CheckpointError, match="no regular file"):
        open_weights({"partial-conv": tmp_path / "pipe.safetensors"})


def test_networks_that_cannot_clean_are_refused(tmp_path: Path) -> None:
    square = SkipContextEncoder(SkipContextEncoderConfig(1, 4))
    with pytest.raises(CheckpointError, match="train one with --variant 2 or 3"):
        open_weights({"skip-ce": save_weights(square, tmp_path, "skip-ce")})
    two = CompactSegmenter(CompactSegmenterConfig(2, 32))
    with pytest.raises(CheckpointError, match="of 2 classes, where cleaning takes one of 21"):
        open_weights({"compact-segmenter": save_weights(two, tmp_path, "compact-segmenter")})


def test_a_companion_needs_the_segmenter_that_it_was_trained_with(tmp_path: Path) -> None:
    torch.manual_seed(2)
    compact = save_weights(NETWORKS["compact-segmenter"](), tmp_path, "compact-segmenter")

    def effects(encoder: str) -> Path:
        network = ObjectEffects(ObjectEffectsConfig((8, 8, 8, 8), encoder))
        return save_weights(network, tmp_path, "object-effects")

    bundled = shipped.shipped_entry("compact-segmenter")["sha256"]
    for encoder in ("", bundled):
        open_weights({"object-effects": effects(encoder)})
    foreign = effects(sha256(compact))
    with pytest.raises(CheckpointError, match=f"compact-segmenter {sha256(compact)[:8]}, and"):
        open_weights({"object-effects": foreign})
    opened = open_weights({"object-effects": foreign, "compact-segmenter": compact})
    assert [own.kind for own in opened] == ["compact-segmenter", "object-effects"]
