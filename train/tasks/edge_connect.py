"""How the two baselines of Wu & Cui's Table 2 are trained: DeepFill v2's coarse network and EdgeConnect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
from .base import InpaintingTask, Losses, frozen


@dataclass(frozen=True)
class EdgeConnectWeights:
    """The lambdas of equations 2 and 11: ``edge_adversarial`` and ``matching`` of the edge network, the others of the painter."""

    edge_adversarial: float = 1.0
    matching: float = 10.0
    l1: float = 1.0
    adversarial: float = 0.1
    perceptual: float = 0.1
    style: float = 250.0


class EdgeConnectTask(InpaintingTask):
    """Both networks of EdgeConnect in one run (Nazeri et al. 2019, sections 3.1, 3.2 and 4.1); whether they fit is seen by what is painted.

    The edge network learns all through. The painter is shown the true edges in the first half of the run and the drawn ones, detached, in
    the second: the authors' stages 2 and 3. The edge network sees Canny's edges of the known part, as in use; theirs sees in training
    the true picture's edges there, which near the rim tell of the hole. Perceptual and style losses look at the painter's whole answer.
    ``judge_rate``: the discriminators' learning rate as a share of the networks'.
    """

    def __init__(
        self, *, width: int, weights: EdgeConnectWeights, judge_rate: float, **common: Any
    ) -> None:
        network = EdgeConnect(EdgeConnectConfig(width))
        super().__init__(network, **common)
        self.weights, self.judge_rate = weights, judge_rate
        self.judges: dict[str, MatchedPatchDiscriminator] = {
            "edge_judge": MatchedPatchDiscriminator(MatchedPatchDiscriminatorConfig(width, 2)),
            "judge": MatchedPatchDiscriminator(MatchedPatchDiscriminatorConfig(width, 3)),
        }
        self.modules = {"edges": network.edges, "painter": network.painter, **self.judges}
        self.optimizers = {name: self.adam(module) for name, module in self.modules.items()}
        self.shown_true_edges = True

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        """(picture, mask, edges of the known part, edges of all): N3HW in [0, 1], thrice N1HW."""
        stream = Stream(self.schedule.batch, accumulate, rank, world)
        for picture, *maps in batches(
            EdgeCrops(self.crops), stream, start, workers=self.workers, to_float=False
        ):
            yield picture.float().div_(255), *(m.float() for m in maps)

    def set_progress(self, share: float) -> None:
        """The schedule; the discriminators' share of it; whose edges the painter is shown."""
        super().set_progress(share)
        self.shown_true_edges = share < 0.5
        for name in self.judges:
            for group in self.optimizers[name].param_groups:
                group["lr"] *= self.judge_rate

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return network(picture * 2 - 1, known_edges(picture, mask), mask) / 2 + 0.5

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        picture, mask, seen, true = batch
        image, grey, w = picture * 2 - 1, luminance(picture), self.weights
        drawn = self.modules["edges"](image, seen, mask).float()
        guide = true if self.shown_true_edges else torch.where(mask < 0.5, drawn.detach(), seen)
        painted = self.modules["painter"](image, guide, mask).float() / 2 + 0.5

        true_map, drawn_map = torch.cat([grey, true], dim=1), torch.cat([grey, drawn], dim=1)
        edges_judged = self._judge("edge_judge", true_map, drawn_map)
        of_drawn, of_true = (
            self._look_of("edge_judge", drawn_map),
            self._look_of("edge_judge", true_map),
        )
        edge_parts = {
            "edge_adversarial": w.edge_adversarial * losses.adversarial_bce(of_drawn[-1], True),
            "matching": w.matching
            * losses.perceptual(of_drawn, of_true),  # equation 3 is the other paper's eq. 4
        }
        judged = self._judge("judge", picture, painted)
        adversarial = losses.adversarial_bce(self._look_of("judge", painted)[-1], True)
        hole_share = (1 - mask).mean().clamp(min=1e-3)
        parts = {
            "l1": w.l1 * (painted - picture).abs().mean() / hole_share,
            "adversarial": w.adversarial * adversarial,
        }
        if self.features is not None:
            perceptual, style = self.look(painted, picture, mask)
            parts |= {"perceptual": w.perceptual * perceptual, "style": w.style * style}
        return {
            "edges": edge_parts,
            "painter": parts,
            "edge_judge": {"edges_judged": edges_judged},
            "judge": {"judged": judged},
        }

    def _judge(self, name: str, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss."""
        of_real, of_fake = self.modules[name](torch.cat([real, fake.detach()])).float().chunk(2)
        return (losses.adversarial_bce(of_real, True) + losses.adversarial_bce(of_fake, False)) / 2

    def _look_of(self, name: str, x: Tensor) -> list[Tensor]:
        """What the discriminator, which does not learn from it, makes of ``x``: features, then logits."""
        with frozen(self.judges[name]), self.autocast():
            return [f.float() for f in self.judges[name].features(x)]
