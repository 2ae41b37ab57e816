"""Losses, one pure function per equation. Pictures are N3HW in [0, 1], masks N1HW with 1 = known.

Kulkarni et al., equations 3-9 (with Liu et al.'s K = 1/(C H W)); Jiang & Zhang, section 3.2; Wu
& Cui, section 3.1; Nazeri et al. 2019, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def hole_l1(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Eq. 7: mean over all pixels of |(1 - M)(I_out - I_gt)|."""
    return ((1 - mask) * (output - truth)).abs().mean()


def valid_l1(output: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Eq. 8: mean over all pixels of |M (I_out - I_gt)|."""
    return (mask * (output - truth)).abs().mean()


def total_variation(composite: Tensor, mask: Tensor | None = None) -> Tensor:
    """Eq. 3: mean absolute difference of neighbouring pixels.

    With a mask, only pairs whose pixels both lie in the hole or beside it count.
    """
    across = (composite[..., :, 1:] - composite[..., :, :-1]).abs()
    down = (composite[..., 1:, :] - composite[..., :-1, :]).abs()
    if mask is None:
        return across.mean() + down.mean()
    near = F.max_pool2d(1 - mask, 3, 1, 1)
    return (across * (near[..., :, 1:] * near[..., :, :-1])).mean() + (
        down * (near[..., 1:, :] * near[..., :-1, :])
    ).mean()


def perceptual(features: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Eq. 4 for one of its two pictures: the sum over layers of the mean absolute difference."""
    return torch.stack([(a - b).abs().mean() for a, b in zip(features, truth, strict=True)]).sum()


def normalised_perceptual(features: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Squared distance of unit feature vectors, mean over places, mean over layers.

    This is LPIPS without its learned weights. It is not in the papers; the shipped weights use
    it beside eq. 5 because it follows human judgement better than eq. 4.
    """
    total = []
    for a, b in zip(features, truth, strict=True):
        a = a / (a.pow(2).sum(1, keepdim=True) + 1e-6).sqrt()
        b = b / (b.pow(2).sum(1, keepdim=True) + 1e-6).sqrt()
        total.append((a - b).pow(2).sum(1).mean())
    return torch.stack(total).mean()


def gram(features: Tensor) -> Tensor:
    """Eq. 6: NCHW -> NCC, with K = 1/(C H W)."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (features.shape[1] * flat.shape[2])


def style(features: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Eq. 5 for one of its two pictures: eq. 4 of the Gram matrices."""
    return torch.stack(
        [(gram(a) - gram(b)).abs().mean() for a, b in zip(features, truth, strict=True)]
    ).sum()


def adversarial_l1(scores: Tensor, real: bool) -> Tensor:
    """Jiang & Zhang 4.3 (iii): L1 distance of the patch map from 1 (real) or 0 (reconstructed)."""
    return (scores - float(real)).abs().mean()


def adversarial_bce(logits: Tensor, real: bool) -> Tensor:
    """Cross-entropy of logits, the first GAN's loss (Nazeri et al. 2019, eq. 2).

    A generator is trained with ``real`` on its own output.
    """
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """SN-PatchGAN's discriminator loss (Yu et al. 2019)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """SN-PatchGAN's generator loss."""
    return -fake.mean()
