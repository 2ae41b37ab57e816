"""Models 0 to 3 of the skip-connection context encoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from remove_objects.models.skip_context_encoder import (
    ChannelwiseFullyConnected,
    SkipContextEncoder,
    SkipContextEncoderConfig,
)
from tests.support.network_contract import HoleContract, rectangle_mask


class SkipContextContract(HoleContract):
    network_class = SkipContextEncoder
    sizes = ((128, 128),)
    illegal = (((64, 64), (128, 128)), ((128, 129), (128, 128)), ((256, 128), (128, 128)))


class TestModel0(SkipContextContract):
    config, wider = SkipContextEncoderConfig(0, 2), SkipContextEncoderConfig(0, 3)

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 3, 64, 64


class TestModel1(TestModel0):
    config, wider = SkipContextEncoderConfig(1, 2), SkipContextEncoderConfig(1, 3)


class TestModel2(SkipContextContract):
    config, wider = SkipContextEncoderConfig(2, 2), SkipContextEncoderConfig(2, 3)

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 3, 128, 128


class TestModel3(TestModel2):
    config, wider = SkipContextEncoderConfig(3, 2), SkipContextEncoderConfig(3, 3)


class TestModel3WithBlocks(TestModel3):
    config, wider = SkipContextEncoderConfig(3, 2, 2), SkipContextEncoderConfig(3, 3, 2)

    def build(self, config: SkipContextEncoderConfig | None = None) -> nn.Module:
        """Imitate training: a new block outputs 0 and passes no gradient to its convolutions."""
        network = super().build(config)
        for blocks in (*network.down_blocks, *network.up_blocks):  # type: ignore[misc]
            for block in blocks:
                nn.init.uniform_(block.body[-1].weight, 0.5, 1)
        return network


def network(variant: int, width: int = 2) -> SkipContextEncoder:
    return SkipContextEncoder(SkipContextEncoderConfig(variant, width)).eval()


def faces(n: int = 1) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 3, 128, 128) * 2 - 1, rectangle_mask(n, 128, 128)


def test_channelwise_fc_is_a_matrix_a_channel() -> None:
    layer = ChannelwiseFullyConnected(3, 2)
    nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 2, 2)
    expected = torch.zeros(2, 3, 2, 2)
    for n in range(2):
        for c in range(3):
            for to in range(4):
                expected[n, c, to // 2, to % 2] = layer.bias[c, to]
                for source in range(4):
                    expected[n, c, to // 2, to % 2] += (
                        x[n, c, source // 2, source % 2] * layer.weight[c, source, to]
                    )
    torch.testing.assert_close(layer(x), expected)


def test_only_model_0_has_it_and_it_is_all_that_model_1_lacks() -> None:
    layers = [
        [m for m in network(v).modules() if isinstance(m, ChannelwiseFullyConnected)]
        for v in range(4)
    ]
    assert [len(matches) for matches in layers] == [1, 0, 0, 0]
    counts = [sum(p.numel() for p in network(v).parameters()) for v in range(4)]
    channels = 2 * 8  # width 2: 16 channels of 4x4 pixels at the bottom
    assert counts[0] - counts[1] == channels * (16 * 16 + 16)
    assert counts[1] < counts[2] < counts[3]


def test_encoder_is_4x4_stride_2_relu_batch_norm_down_to_4_pixels() -> None:
    model = network(3, 64)
    convs = [m for m in model.encoder.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size, c.stride, c.out_channels) for c in convs] == [
        ((4, 4), (2, 2), c) for c in (64, 64, 128, 256, 512)
    ]
    kinds = [[type(m).__name__ for m in layer] for layer in model.encoder]
    assert kinds == [["Conv2d", "BatchNorm2d", "ReLU"]] * 5
    assert not [m for m in model.decoder.modules() if isinstance(m, nn.ReLU)]
    assert [m.negative_slope for m in model.decoder.modules() if isinstance(m, nn.LeakyReLU)] == [
        0.2
    ] * 8
    assert len([m for m in model.decoder.modules() if isinstance(m, nn.BatchNorm2d)]) == 8


@torch.no_grad()
def test_model_3_concatenates_c_to_2c_and_convolves_back_to_c() -> None:
    model = network(3, 3)
    maps: list[Tensor] = []
    merges: list[tuple[Tensor, Tensor]] = []
    heads: list[Tensor] = []
    for layer in model.encoder:
        layer.register_forward_hook(lambda _m, _i, out: maps.append(out.clone()))
    for up in model.decoder:
        assert up.merge is not None
        up.merge.register_forward_hook(
            lambda _m, given, out: merges.append((given[0].clone(), out))
        )
    model.head.register_forward_pre_hook(lambda _m, given: heads.append(given[0]))
    image, mask = faces()
    model(image, mask)

    assert [m.shape[-1] for m in maps] == [64, 32, 16, 8, 4]
    assert [given.shape[-1] for given, _ in merges] == [8, 16, 32, 64]
    for (given, out), skip in zip(merges, reversed(maps[:-1]), strict=True):
        c = skip.shape[1]
        assert (given.shape[1], out.shape[1]) == (2 * c, c)
        assert out.shape[-2:] == skip.shape[-2:]
        assert torch.equal(given[:, c:], skip)
    assert torch.equal(heads[0][:, -3:], image * mask)


def test_models_without_skips_have_no_merging_convolution() -> None:
    for variant in range(3):
        assert all(up.merge is None for up in network(variant).decoder)


@pytest.mark.parametrize("variant", range(4))
@torch.no_grad()
def test_output_ends_in_tanh(variant: int) -> None:
    model = network(variant)
    before: list[Tensor] = []
    model.head.register_forward_hook(lambda _m, _i, out: before.append(out))
    model.head.bias.copy_(torch.tensor([-3.0, 0.0, 3.0]))
    output = model(*faces())
    assert before[0].abs().max() > 2
    assert output.abs().max() <= 1
    assert torch.equal(output, before[0].tanh())


@torch.no_grad()
def test_blocks_lie_behind_the_middle_maps_and_what_they_give_is_what_is_skipped() -> None:
    model = SkipContextEncoder(SkipContextEncoderConfig(3, 2, 2)).eval()
    seen: list[tuple[int, int]] = []
    joined: list[Tensor] = []
    given: list[Tensor] = []
    for blocks in (*model.down_blocks, *model.up_blocks):
        for block in blocks:
            nn.init.ones_(block.body[-1].weight)
            block.register_forward_hook(
                lambda m, _i, out: seen.append((m.body[0].in_channels, out.shape[-1]))
            )
    for blocks in model.down_blocks:
        blocks.register_forward_hook(lambda _m, _i, out: given.append(out.clone()))
    for up in model.decoder:
        assert up.merge is not None
        up.merge.register_forward_pre_hook(lambda _m, x: joined.append(x[0].clone()))
    model(*faces())
    # channels (width 2) and pixels: down at 16 and 8, up at 8, 16 and 32
    assert seen == [(4, 16)] * 2 + [(8, 8)] * 4 + [(4, 16)] * 2 + [(2, 32)] * 2
    for x, skip in zip(joined, reversed(given[:-1]), strict=True):
        assert torch.equal(x[:, skip.shape[1] :], skip)


@torch.no_grad()
def test_fresh_blocks_add_nothing() -> None:
    plain, deep = network(3), SkipContextEncoder(SkipContextEncoderConfig(3, 2, 3)).eval()
    missing = deep.load_state_dict(plain.state_dict(), strict=False)
    assert missing.missing_keys
    assert not missing.unexpected_keys
    inputs = faces()
    assert torch.equal(deep(*inputs), plain(*inputs))


def test_there_is_no_fifth_model_and_no_block_less_than_none() -> None:
    with pytest.raises(ValueError, match="got 4"):
        SkipContextEncoderConfig(4)
    with pytest.raises(ValueError, match="blocks must be 0 or more, got -1"):
        SkipContextEncoderConfig(3, 2, -1)
