"""Training of EdgeConnect (Nazeri et al. 2019), a baseline of Wu & Cui's Table 2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from ...models.discriminators import (
    MatchedPatchDiscriminator,
    MatchedPatchDiscriminatorConfig,
)
from ...models.edge_connect import EdgeConnect, EdgeConnectConfig, luminance
from .. import losses
from ..data.edges import EdgeCrops, known_edges
from ..data.pictures import Stream, batches
from ..recipe import Discriminator, EdgeConnectWeights
from .base import InpaintingTask, Losses, frozen


class EdgeConnectTask(InpaintingTask):
    """Both networks of EdgeConnect in one run (sections 3.1, 3.2 and 4.1).

    The edge network learns during the whole run. The painter sees the true edges in the first
    half and the predicted ones, detached, in the second: the authors' stages 2 and 3. The edge
    network sees Canny's edges of the known part, as in use; the authors' sees the true
    picture's edges there in training, which reveal the hole near its border. Perceptual and
    style losses count the painter's whole output. The held-out metrics, of painted pictures,
    judge both networks together.

    Args:
        width: channels of both networks.
        weights: the lambdas.
        discriminator: the size of both discriminators, and what the painter's judges.
        **common: see ``InpaintingTask``.
    """

    network_class: ClassVar[type[nn.Module]] = EdgeConnect
    telling = ("l1", "perceptual", "edge_adversarial")
    preprocessing: ClassVar[str] = (
        "sides in multiples of 4, RGB / 127.5 - 1, "
        "Canny's edges of the known part (train.data.edges), and the mask"
    )

    def __init__(
        self,
        *,
        width: int,
        weights: EdgeConnectWeights,
        discriminator: Discriminator,
        **common: Any,
    ) -> None:
        network = EdgeConnect(EdgeConnectConfig(width))
        super().__init__(network, **common)
        self.weights, self.judges = weights, discriminator
        # Checkpoints hold these names.
        self.modules = {"edges": network.edges, "painter": network.painter}
        self.optimizers = {name: self.adam(module) for name, module in self.modules.items()}
        self.clip = {name: norm for norm in self.clip.values() for name in self.modules}
        for name, channels in (("edge_judge", 2), ("judge", 3)):
            config = MatchedPatchDiscriminatorConfig(discriminator.width, channels)
            self.add_discriminator(MatchedPatchDiscriminator(config), name)
        self.paints_from_true_edges = True

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        """(picture N3HW in [0, 1], mask, edges of the known part, all edges; these N1HW each)."""
        stream = Stream(self.schedule.batch, accumulate, rank, world)
        for picture, *maps in batches(
            EdgeCrops(self.crops), stream, start, workers=self.workers, to_float=False
        ):
            yield picture.float().div_(255), *(m.float() for m in maps)

    def set_progress(self, share: float) -> None:
        """Set the learning rates, and which edges the painter sees."""
        super().set_progress(share)
        self.paints_from_true_edges = share < 0.5

    @classmethod
    def learns_from_features(cls, numbers: Mapping[str, Any]) -> bool:
        """See ``InpaintingTask``."""
        return True

    @classmethod
    def fill(cls, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """The painter's output along the edge network's edges; see ``InpaintingTask``."""
        return network(picture * 2 - 1, known_edges(picture, mask), mask) / 2 + 0.5

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """Equations 2 and 11 of the two networks; cross-entropy of their discriminators."""
        picture, mask, known_part, true = batch
        image, grey, w = picture * 2 - 1, luminance(picture), self.weights
        predicted = self.modules["edges"](image, known_part, mask).float()
        guide = (
            true
            if self.paints_from_true_edges
            else torch.where(mask < 0.5, predicted.detach(), known_part)
        )
        painted = self.modules["painter"](image, guide, mask).float() / 2 + 0.5

        true_map, predicted_map = (torch.cat([grey, edges], dim=1) for edges in (true, predicted))
        edge_discriminator_loss = self._discriminate("edge_judge", true_map, predicted_map)
        of_predicted = self._features("edge_judge", predicted_map)
        of_true = self._features("edge_judge", true_map)
        edge_terms = {
            "edge_adversarial": w.edge_adversarial * losses.adversarial_bce(of_predicted[-1], True),
            # Equation 3 of Nazeri et al. is equation 4 of Kulkarni et al.
            "matching": w.matching * losses.perceptual(of_predicted, of_true),
        }
        judged = self.judged(painted, picture * mask + painted * (1 - mask))
        discriminator_loss = self._discriminate("judge", picture, judged)
        adversarial = losses.adversarial_bce(self._features("judge", judged)[-1], True)
        hole_share = (1 - mask).mean().clamp(min=1e-3)
        painter_terms = {
            "l1": w.l1 * (painted - picture).abs().mean() / hole_share,
            "adversarial": w.adversarial * adversarial,
        }
        if self.features is not None:
            perceptual, style = self.perceptual_and_style(painted, picture, mask)
            painter_terms |= {"perceptual": w.perceptual * perceptual, "style": w.style * style}
        return {
            "edges": edge_terms,
            "painter": painter_terms,
            "edge_judge": {"edges_judged": edge_discriminator_loss},
            "judge": {"judged": discriminator_loss},
        }

    def _discriminate(self, name: str, real: Tensor, fake: Tensor) -> Tensor:
        """The loss of the discriminator ``name``."""
        of_real, of_fake = self.modules[name](torch.cat([real, fake.detach()])).float().chunk(2)
        return (losses.adversarial_bce(of_real, True) + losses.adversarial_bce(of_fake, False)) / 2

    def _features(self, name: str, x: Tensor) -> list[Tensor]:
        """The features of ``x`` in the frozen discriminator ``name``, then its logits."""
        with frozen(self.discriminators[name]) as discriminator, self.autocast():
            maps = cast(MatchedPatchDiscriminator, discriminator).features(x)
        return [f.float() for f in maps]
