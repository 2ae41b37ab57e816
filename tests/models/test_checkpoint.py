"""Weight files: which are refused, and that no code of a refused file runs."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from remove_objects.models.checkpoint import (
    CheckpointError,
    load_weights,
    save_weights,
    sha256,
    weights_header,
)
from remove_objects.models.discriminators import PatchDiscriminator, PatchDiscriminatorConfig
from remove_objects.models.edsr import EDSR, EDSRConfig


@pytest.fixture
def network() -> EDSR:
    return EDSR(EDSRConfig(2, 1))


@pytest.fixture
def weight(network: EDSR, tmp_path: Path) -> Path:
    return save_weights(network, tmp_path / "a" / "new" / "folder", "edsr-x8")


def named(data: bytes, folder: Path) -> Path:
    """Write bytes into a file with their hash in its name."""
    path = folder / f"net-{hashlib.sha256(data).hexdigest()[:8]}.safetensors"
    path.write_bytes(data)
    return path


def edited(network: EDSR, folder: Path, header: dict[str, str | None]) -> Path:
    """Save a network with other header entries; None removes an entry."""
    full = {"network": "EDSR", "config": json.dumps(asdict(network.config)), **header}
    return named(
        save(dict(network.state_dict()), {k: v for k, v in full.items() if v is not None}), folder
    )


class Bomb:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".bin", ".pkl", ""])
def test_pickle_is_refused_unread(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / "made-by-the-pickle"
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(pickle.dumps({"state": Bomb(target)}))
    with pytest.raises(CheckpointError, match="may be a pickle") as error:
        load_weights(path, EDSR, expected_sha256=sha256(path))
    assert str(path) in str(error.value)
    assert not target.exists()
    pickle.loads(path.read_bytes())
    assert target.is_dir()


@pytest.mark.parametrize("container", ["pickle", "torch"])
def test_pickle_under_a_safe_name_does_not_run(tmp_path: Path, container: str) -> None:
    target = tmp_path / "made-by-the-pickle"
    plain = tmp_path / "bomb"
    if container == "pickle":
        plain.write_bytes(pickle.dumps(Bomb(target)))
    else:
        torch.save(Bomb(target), plain)
    path = named(plain.read_bytes(), tmp_path)
    with pytest.raises(CheckpointError, match="not a readable safetensors file") as error:
        load_weights(path, EDSR)
    assert str(path) in str(error.value)
    assert not target.exists()


def test_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net-01234567.safetensors"
    with pytest.raises(CheckpointError, match="no such weight file") as error:
        load_weights(path, EDSR)
    assert str(path) in str(error.value)


def test_one_changed_byte_is_found(weight: Path) -> None:
    data = bytearray(weight.read_bytes())
    data[-1] ^= 1
    weight.write_bytes(data)
    with pytest.raises(CheckpointError, match="sha256") as error:
        load_weights(weight, EDSR)
    assert str(weight) in str(error.value)
    assert weight.stem[-8:] in str(error.value)


def test_full_hash_is_checked_when_given(weight: Path) -> None:
    digest = sha256(weight)
    load_weights(weight, EDSR, expected_sha256=digest)
    wrong = digest[:-1] + (
        "0" if digest[-1] != "0" else "1"
    )  # the eight digits in the name still fit
    with pytest.raises(CheckpointError, match="sha256") as error:
        load_weights(weight, EDSR, expected_sha256=wrong)
    assert str(weight) in str(error.value)


def test_eight_digits_in_the_name_are_checked(weight: Path) -> None:
    digest = sha256(weight)
    other = "0" * 8 if digest[:8] != "0" * 8 else "1" * 8
    wrong = weight.rename(weight.with_name(f"edsr-{other}.safetensors"))
    with pytest.raises(CheckpointError, match="sha256"):
        load_weights(wrong, EDSR)
    load_weights(wrong.rename(wrong.with_name(f"other-name-{digest[:8]}.safetensors")), EDSR)


@pytest.mark.parametrize("stem", ["best", "edsr-x8", "my-network", "net-0123456"])
def test_a_name_without_digits_promises_no_hash(weight: Path, stem: str) -> None:
    path = weight.rename(weight.with_name(f"{stem}.safetensors"))
    assert load_weights(path, EDSR).config == EDSRConfig(2, 1)
    assert load_weights(path, EDSR, expected_sha256=sha256(path)).config == EDSRConfig(2, 1)
    with pytest.raises(CheckpointError, match="sha256"):
        load_weights(path, EDSR, expected_sha256="0" * 64)


def test_the_header_tells_the_kind_and_the_config(weight: Path) -> None:
    header = weights_header(weight)
    assert (header["kind"], header["network"]) == ("edsr-x8", "EDSR")
    assert json.loads(header["config"]) == asdict(EDSRConfig(2, 1))
    with pytest.raises(CheckpointError, match="no such weight file"):
        weights_header(weight.with_name("other.safetensors"))
    with pytest.raises(CheckpointError, match="may be a pickle"):
        weights_header(weight.with_suffix(".pt"))
    weight.write_bytes(weight.read_bytes()[:50])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        weights_header(weight)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.999])
def test_truncated_file_is_refused_even_with_a_fitting_name(
    weight: Path, tmp_path: Path, share: float
) -> None:
    data = weight.read_bytes()
    data = data[: int(len(data) * share)]
    path = named(data, tmp_path)
    with pytest.raises(CheckpointError, match="not a readable safetensors file") as error:
        load_weights(path, EDSR)
    assert str(path) in str(error.value)
    weight.write_bytes(data)
    with pytest.raises(CheckpointError, match="sha256"):
        load_weights(weight, EDSR)


def test_wrong_network_is_refused_by_name(tmp_path: Path) -> None:
    path = save_weights(PatchDiscriminator(PatchDiscriminatorConfig(2)), tmp_path, "judge")
    with pytest.raises(
        CheckpointError, match="holds a PatchDiscriminator, expected a EDSR"
    ) as error:
        load_weights(path, EDSR)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"network": None}, "holds a None"),
        ({"config": '{"width": 3, "blocks": 1, "residual_scale": 1.0}'}, "does not fit"),
        ({"config": '{"width": 2, "blocks": 2, "residual_scale": 1.0}'}, "does not fit"),
        ({"config": None}, "config"),
        ({"config": "{"}, "config"),
        ({"config": '{"depth": 2}'}, "config"),
    ],
)
def test_header_that_does_not_fit_is_a_checkpoint_error(
    network: EDSR, tmp_path: Path, header: dict[str, str | None], message: str
) -> None:
    load_weights(edited(network, tmp_path, {}), EDSR)
    path = edited(network, tmp_path, header)
    with pytest.raises(CheckpointError, match=message) as error:
        load_weights(path, EDSR)
    assert str(path) in str(error.value)


def test_equal_networks_make_equal_files(network: EDSR, tmp_path: Path) -> None:
    paths = [
        save_weights(network, tmp_path / str(i), "net", metadata={"b": "2", "a": "1", "c": "é"})
        for i in range(8)
    ]
    assert len({p.name for p in paths}) == 1  # safetensors itself orders its header at random
    assert len({p.read_bytes() for p in paths}) == 1
    with safe_open(str(paths[0]), framework="pt") as file:
        assert file.metadata()["c"] == "é"
    assert int.from_bytes(paths[0].read_bytes()[:8], "little") % 8 == 0


def test_saving_leaves_the_network_as_it_was(network: EDSR, tmp_path: Path) -> None:
    network.train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    save_weights(network.to(memory_format=torch.channels_last), tmp_path, "net")
    assert network.training
    assert all(
        v.dtype == torch.float32 and torch.equal(v, before[k])
        for k, v in network.state_dict().items()
    )


def test_lists_of_a_config_come_back_as_tuples(tmp_path: Path) -> None:
    from remove_objects.models.discriminators import (
        SNPatchDiscriminator,
        SNPatchDiscriminatorConfig,
    )

    path = save_weights(
        SNPatchDiscriminator(SNPatchDiscriminatorConfig(2, (1, 2))), tmp_path, "judge"
    )
    assert load_weights(path, SNPatchDiscriminator).config.strides == (1, 2)
