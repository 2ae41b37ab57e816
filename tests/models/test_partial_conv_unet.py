"""The partial-convolution U-Net against section 2.5 of its paper."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from remove_objects.models.partial_conv import PartialConv2d
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from tests.support.network_contract import HoleContract


class TestContract(HoleContract):
    network_class = PartialConvUNet
    config = PartialConvUNetConfig(width=2)
    wider = PartialConvUNetConfig(width=3)
    sizes = ((128, 128), (128, 256))
    illegal = (((129, 128), (256, 128)), ((100, 300), (128, 384)), ((128, 64), (128, 128)))

    def output_shape(self, n: int, height: int, width: int) -> tuple[int, ...]:
        return n, 3, height, width


class TestContractWithBase(TestContract):
    config = PartialConvUNetConfig(width=2, base=32)
    wider = PartialConvUNetConfig(width=3, base=32)


Call = tuple[list[Tensor], list[Tensor], Tensor, Tensor]


def record(network: PartialConvUNet, image: Tensor, mask: Tensor) -> tuple[dict[str, Call], Tensor]:
    """Run the network and record every partial convolution's inputs and outputs.

    Returns:
        (features in, masks in, features out, mask out) by layer name, and the network's output.
    """
    calls: dict[str, Call] = {}

    def hook(name: str) -> Any:
        def keep(
            _: Any, given: tuple[list[Tensor], list[Tensor]], result: tuple[Tensor, Tensor]
        ) -> None:
            calls[name] = (*given, *result)

        return keep

    for name, module in network.named_modules():
        if isinstance(module, PartialConv2d):
            module.register_forward_hook(hook(name))
    with torch.no_grad():
        output = network(image, mask)
    return calls, output


def small_run() -> tuple[dict[str, Call], Tensor, Tensor]:
    mask = torch.ones(1, 1, 128, 256)
    mask[..., 10:120, 20:180] = 0
    calls, output = record(
        PartialConvUNet(PartialConvUNetConfig(2)), torch.rand(1, 3, 128, 256), mask
    )
    return calls, output, mask


def test_paper_model_has_the_paper_channels_and_kernels() -> None:
    with torch.device("meta"):
        network = PartialConvUNet(PartialConvUNetConfig(64))
    widths = [64, 128, 256, 512, 512, 512, 512]
    down = [
        [(c.groups, c.conv.out_channels, c.kernel_size) for c in encoder]
        for encoder in network.encoders
    ]
    before = [3, *widths[:-1]]
    kernels = [7, 5, 5, 3, 3, 3, 3]
    assert down == [
        [((b,), w, k), ((w,), w, k)] for b, w, k in zip(before, widths, kernels, strict=True)
    ]
    up = [
        [(c.groups, c.conv.out_channels, c.kernel_size) for c in decoder]
        for decoder in network.decoders
    ]
    below = [*widths[1:], 512]
    assert up == [
        [((b, w), w, 3), ((w,), w if i else 3, 3)]
        for i, (b, w) in enumerate(zip(below, widths, strict=True))
    ]
    convs = [m.conv for m in network.modules() if isinstance(m, PartialConv2d)]
    assert len(convs) == 28
    assert all(
        c.stride == c.dilation == (1, 1) and c.padding == (c.kernel_size[0] // 2,) * 2
        for c in convs
    )


def test_encoder_and_decoder_i_work_at_the_same_size() -> None:
    calls, _, _ = small_run()
    for level in range(7):
        size = (128 // 2**level, 256 // 2**level)
        for name in ("encoders", "decoders"):
            for i in range(2):
                features, masks, output, mask = calls[f"{name}.{level}.{i}"]
                assert {t.shape[-2:] for t in (*features, *masks, output, mask)} == {size}


def test_going_down_relu_then_max_pool_on_features_and_mask() -> None:
    calls, _, given = small_run()
    assert torch.equal(calls["encoders.0.0"][1][0], given)
    for level in range(7):
        first, second = calls[f"encoders.{level}.0"], calls[f"encoders.{level}.1"]
        assert torch.equal(second[0][0], F.relu(first[2]))
        assert torch.equal(second[1][0], first[3])
        following = calls[f"encoders.{level + 1}.0"] if level < 6 else None
        if following:
            assert torch.equal(following[0][0], F.max_pool2d(F.relu(second[2]), 2))
            assert torch.equal(following[1][0], F.max_pool2d(second[3], 2))
    assert calls["encoders.0.0"][3].min() == 0, (
        "the hole must be larger than the first kernel, or the masks prove nothing"
    )


def test_going_up_enlarge_join_the_skip_and_leaky_relu() -> None:
    calls, _, _ = small_run()
    for level in range(7):
        (below, skip), (mask, skip_mask), result, _ = calls[f"decoders.{level}.0"]
        deeper = calls[f"decoders.{level + 1}.1"] if level < 6 else None
        encoder = calls[f"encoders.{level}.1"]
        if deeper:
            x = F.interpolate(
                F.leaky_relu(deeper[2], 0.2), scale_factor=2, mode="bilinear", align_corners=False
            )
            m = deeper[3].repeat_interleave(2, 2).repeat_interleave(2, 3)
        else:
            x = F.interpolate(
                F.max_pool2d(F.relu(encoder[2]), 2),
                scale_factor=2,
                mode="bilinear",
                align_corners=False,
            )
            m = F.max_pool2d(encoder[3], 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
        torch.testing.assert_close(below, x)
        assert torch.equal(mask, m)
        assert torch.equal(skip, F.relu(encoder[2]))
        assert torch.equal(skip_mask, encoder[3])
        if level:
            assert torch.equal(calls[f"decoders.{level}.1"][0][0], F.leaky_relu(result, 0.2))


def test_mask_is_enlarged_without_blur() -> None:
    mask = torch.zeros(1, 1, 128, 1024)
    mask[..., :8] = 1
    calls, _ = record(PartialConvUNet(PartialConvUNetConfig(2)), torch.rand(1, 3, 128, 1024), mask)
    for level in range(5):  # the deeper maps are filled
        deeper, enlarged = calls[f"decoders.{level + 1}.1"][3], calls[f"decoders.{level}.0"][1][0]
        assert 0 < deeper.mean() < 1
        assert torch.equal(enlarged, deeper.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_topmost_decoder_has_no_activation() -> None:
    calls, output, _ = small_run()
    result = calls["decoders.0.0"][2]
    assert result.min() < 0
    assert torch.equal(calls["decoders.0.1"][0][0], result)
    last = calls["decoders.0.1"][2]
    assert last.min() < 0
    torch.testing.assert_close(output, last + 0.5)


def test_features_are_0_wherever_their_mask_is() -> None:
    # The layers rely on it and do not check. The picture is so wide, and its known part so small,
    # that unknown pixels remain at the start of the decoder.
    mask = torch.zeros(1, 1, 128, 4096)
    mask[..., :40, :40] = 1
    calls, _ = record(PartialConvUNet(PartialConvUNetConfig(2)), torch.rand(1, 3, 128, 4096), mask)
    unknown = set()
    for name, (features, masks, _, _) in calls.items():
        for x, m in zip(features, masks, strict=True):
            assert x[m.expand_as(x) == 0].eq(0).all(), name
            unknown |= {name} if m.eq(0).any() else set()
    assert {"encoders.0.0", "encoders.6.0", "decoders.6.0", "decoders.0.0"} <= unknown


def test_one_known_pixel_fills_the_whole_picture() -> None:
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 3, 120] = 1
    calls, _ = record(PartialConvUNet(PartialConvUNetConfig(2)), torch.rand(1, 3, 128, 128), mask)
    assert calls["encoders.0.1"][3].mean() < 0.02
    assert calls["decoders.0.1"][3].eq(1).all()


def test_with_a_base_colours_may_be_anything() -> None:
    """Adding a colour to the known pixels adds it to the output.

    The layers see only the difference from the base. Checked in float64: in float32 the untrained
    network amplifies the rounding of ``image + 0.7`` (6e-8) by some 10^3, by how much depends on
    the order of the processor's additions.
    """
    network = PartialConvUNet(PartialConvUNetConfig(2, base=32)).eval().double()
    image = torch.rand(1, 3, 128, 128, dtype=torch.float64)
    mask = (torch.rand(1, 1, 128, 128) > 0.3).double()
    with torch.no_grad():
        torch.testing.assert_close(
            network(image + 0.7, mask), network(image, mask) + 0.7, atol=1e-9, rtol=0
        )
