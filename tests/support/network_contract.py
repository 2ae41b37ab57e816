"""The contracts of the networks.

A network's test class inherits the contracts that apply and says how the network is built.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from remove_objects.models.checkpoint import load_weights, save_weights


def rectangle_mask(n: int, height: int, width: int) -> Tensor:
    """N1HW, 1 = known: a hole of half the size in the middle."""
    mask = torch.ones(n, 1, height, width)
    mask[..., height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = 0
    return mask


class NetworkContract:
    """The contract of every network of ``models``."""

    network_class: type[nn.Module]
    #: The smallest config, and one with more channels.
    config: Any
    wider: Any
    #: Legal (height, width).
    sizes: tuple[tuple[int, int], ...]
    masked = True
    #: Parameters without gradient for any input (a bias that the next norm cancels).
    idle: frozenset[str] = frozenset()
    #: Whether gradients are taken in training mode; otherwise in evaluation mode.
    learns_in_training_mode = True

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        raise TypeError(f"{type(self).__name__} must say its output's shape")

    def build(self, config: Any = None) -> nn.Module:
        return self.network_class(config or self.config)

    def trained(self) -> nn.Module:
        """Build a network in evaluation mode whose buffers differ from their initial values."""
        network = self.build().train()
        with torch.no_grad():
            for _ in range(2):
                network(*self.inputs(2, *self.sizes[0]))
        return network.eval()

    def inputs(self, n: int, height: int, width: int) -> tuple[Tensor, ...]:
        image = torch.rand(n, 3, height, width) * 2 - 1
        return (image, rectangle_mask(n, height, width)) if self.masked else (image,)

    @torch.no_grad()
    def test_output_shape_and_type(self) -> None:
        network = self.build().eval()
        for height, width in self.sizes:
            for n in (1, 2):
                output = network(*self.inputs(n, height, width))
                assert tuple(output.shape) == self.output_shape(n, height, width)
                assert output.dtype == torch.float32
                assert output.isfinite().all()

    @pytest.mark.parametrize("training", [False, True])
    @torch.no_grad()
    def test_leaves_its_inputs_alone(self, training: bool) -> None:
        network = self.build().train(training)
        inputs = self.inputs(2, *self.sizes[0])
        before = [t.clone() for t in inputs]
        network(*inputs)
        assert all(torch.equal(a, b) for a, b in zip(inputs, before, strict=True))

    @torch.no_grad()
    def test_evaluation_is_deterministic_and_changes_no_state(self) -> None:
        network = self.trained()
        state = {k: v.clone() for k, v in network.state_dict().items()}
        inputs = self.inputs(2, *self.sizes[0])
        assert torch.equal(network(*inputs), network(*inputs))
        assert all(torch.equal(v, state[k]) for k, v in network.state_dict().items())

    @torch.no_grad()
    def test_pictures_of_a_batch_do_not_see_each_other(self) -> None:
        network = self.trained()
        inputs = self.inputs(2, *self.sizes[0])
        together = network(*inputs)
        alone = network(*(t[1:] for t in inputs))
        torch.testing.assert_close(
            together[1:], alone, rtol=1e-4, atol=1e-4 * float(alone.abs().max())
        )

    def test_gradients_reach_every_parameter(self) -> None:
        network = self.build().train(self.learns_in_training_mode)
        output = network(*self.inputs(2, *self.sizes[0]))
        (output * torch.randn_like(output)).sum().backward()
        largest = {
            name: 0.0 if p.grad is None else float(p.grad.abs().max())
            for name, p in network.named_parameters()
        }
        # A norm over the batch leaves rounding noise, not 0, where the true gradient is 0.
        floor = 1e-5 * max(largest.values()) if self.learns_in_training_mode else 0.0
        assert {name for name, value in largest.items() if value <= floor} == self.idle

    def test_width_sets_the_parameter_count(self) -> None:
        counts = [
            sum(p.numel() for p in self.build(c).parameters()) for c in (self.config, self.wider)
        ]
        assert counts[0] < counts[1]

    def test_config_is_frozen(self) -> None:
        config = self.build().config
        field = dataclasses.fields(config)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(config, field, 1)

    def test_without_a_config_it_is_the_default(self) -> None:
        with torch.device("meta"):
            assert self.network_class().config == self.network_class.config_class()

    @torch.no_grad()
    def test_save_and_load_give_the_same_network(self, tmp_path: Path) -> None:
        network = self.trained()
        path = save_weights(network, tmp_path, "net", half=False, metadata={"note": "by a test"})
        assert path.name == f"net-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.safetensors"
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata()
        assert header["network"] == self.network_class.__name__
        assert json.loads(header["config"]) == json.loads(
            json.dumps(dataclasses.asdict(self.config))
        )
        assert header["note"] == "by a test"

        loaded = load_weights(path, self.network_class)
        assert loaded.config == self.config
        assert not any(m.training for m in loaded.modules())
        inputs = self.inputs(1, *self.sizes[0])
        assert torch.equal(loaded(*inputs), network(*inputs))

    @torch.no_grad()
    def test_half_precision_file_gives_nearly_the_same_network(self, tmp_path: Path) -> None:
        network = self.trained()
        path = save_weights(network, tmp_path, "net")
        with safe_open(str(path), framework="pt") as file:
            kinds = {file.get_tensor(key).dtype for key in list(file.keys())}
        assert torch.float16 in kinds
        assert torch.float32 not in kinds
        loaded = load_weights(path, self.network_class)
        assert all(
            v.dtype == torch.float32 for v in loaded.state_dict().values() if v.is_floating_point()
        )
        inputs = self.inputs(1, *self.sizes[0])
        expected = network(*inputs)
        torch.testing.assert_close(
            loaded(*inputs), expected, rtol=0, atol=0.02 * float(expected.abs().max())
        )


class SizeContract(NetworkContract):
    """The contract of networks with illegal sizes: the error names the next legal one."""

    #: Illegal (height, width), and the legal one that the message must name.
    illegal: tuple[tuple[tuple[int, int], tuple[int, int]], ...]

    @torch.no_grad()
    def test_illegal_size_is_an_error_that_names_the_next_legal_one(self) -> None:
        network = self.build().eval()
        for (height, width), (legal_height, legal_width) in self.illegal:
            with pytest.raises(ValueError, match=rf"\b{legal_height}x{legal_width}\b") as error:
                network(*self.inputs(1, height, width))
            assert f"{height}x{width}" in str(error.value)
            network(*self.inputs(1, legal_height, legal_width))


class HoleContract(SizeContract):
    """The contract of inpainters: a hole's pixels are never read."""

    def answer(self, network: nn.Module, image: Tensor, mask: Tensor) -> Tensor:
        """Return the network's picture; overridden for networks with more inputs."""
        return network(image, mask)

    def holes(self, height: int, width: int) -> list[Tensor]:
        edge, all_but_a_corner = torch.ones(1, 1, height, width), torch.zeros(1, 1, height, width)
        edge[..., : width // 3] = 0
        all_but_a_corner[..., :2, :2] = 1
        scattered = (torch.rand(1, 1, height, width) < 0.7).float()
        return [
            rectangle_mask(1, height, width),
            edge,
            scattered,
            all_but_a_corner,
            torch.zeros(1, 1, height, width),
        ]

    @torch.no_grad()
    def test_pixels_under_a_hole_are_never_read(self) -> None:
        network = self.trained()
        height, width = self.sizes[0]
        image, *_ = self.inputs(1, height, width)
        for mask in self.holes(height, width):
            expected = self.answer(network, image, mask)
            for other in (
                torch.zeros_like(image),
                torch.rand_like(image),
                torch.full_like(image, 1e4),
            ):
                assert torch.equal(
                    self.answer(network, torch.where(mask > 0, image, other), mask), expected
                )

    @torch.no_grad()
    def test_known_pixels_and_the_mask_are_read(self) -> None:
        network = self.trained()
        height, width = self.sizes[0]
        image, *_, mask = self.inputs(1, height, width)
        expected = self.answer(network, image, mask)
        assert not torch.equal(
            self.answer(network, torch.where(mask > 0, -image, image), mask), expected
        )
        assert not torch.equal(self.answer(network, image, torch.ones_like(mask)), expected)
