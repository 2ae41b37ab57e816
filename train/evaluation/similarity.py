"""Similarity and Similarity5: does a classification network see the same thing in the output as in the truth (Wu & Cui, 4.1, eq. 4).

It scores and never trains: a network that had learned to please the classifier would be measured by its own teacher.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


def similarity(found_logits: Tensor, truth_logits: Tensor, top: int = 1) -> Tensor:
    """Whether the output's first class is among the truth's ``top`` first ones: the indicator I of eq. 4, picture by picture.

    ``top`` = 1 is Similarity; 5 is Similarity5, "if the index is in the top-5 index of the VGG output of the ground truth" (Table 2).
    Of equal logits the lower index comes first, on every device. With no more than ``top`` classes every answer is true.

    Args:
        found_logits: NxK, of the inpainted pictures.
        truth_logits: NxK, of the ground truth, by the same classifier.
        top: 1 or more.

    Returns:
        N bool; its mean is the table's figure.

    Raises:
        ValueError: other shapes, no class at all, ``top`` below 1, or a logit that is NaN, which would be neither like nor unlike.
    """
    if (
        found_logits.ndim != 2
        or found_logits.shape != truth_logits.shape
        or not found_logits.shape[1]
    ):
        raise ValueError(
            f"logits of {tuple(found_logits.shape)} and {tuple(truth_logits.shape)}; expected two of one shape NxK, K > 0"
        )
    if top < 1:
        raise ValueError(
            f"top {top}; expected 1 (Similarity), 5 (Similarity5) or another count of classes"
        )
    if bool(found_logits.isnan().any() | truth_logits.isnan().any()):
        raise ValueError(
            "a logit is NaN: the classifier has no answer; look for NaN in the pictures"
        )
    places = torch.arange(found_logits.shape[1], device=found_logits.device)
    highest = found_logits == found_logits.amax(1, keepdim=True)
    # argmax and topk leave open which of equal values they take.
    index = torch.where(highest, places, len(places)).amin(1, keepdim=True)
    own = truth_logits.gather(1, index)
    before = (truth_logits > own) | ((truth_logits == own) & (places < index))
    return before.sum(1) < top


class Similar(NamedTuple):
    """N bool each: ``similar`` by the first class, ``similar5`` by the truth's first five."""

    similar: Tensor
    similar5: Tensor


class Similarity:
    """Equation 4's CN and indicator on batches of pictures. No gradient leaves it, so nothing can be trained on it.

    Args:
        classifier: N3HW in [0, 1] -> NxK logits, from ``train.classifiers.load_classifier``; put into evaluation mode.
        batch: pictures that it sees at a time.
    """

    def __init__(self, classifier: nn.Module, batch: int = 16) -> None:
        self.classifier, self.batch = classifier.eval().requires_grad_(False), batch

    def __call__(self, found: Tensor, truth: Tensor) -> Similar:
        """Compare pictures N3HW in [0, 1] (the outputs may be of another size than the truth), on the classifier's device."""
        return self.of_logits(self.logits(found), self.logits(truth))

    @staticmethod
    def of_logits(found: Tensor, truth: Tensor) -> Similar:
        """The same of NxK logits: where several networks answer to one truth, its own are computed once."""
        return Similar(similarity(found, truth), similarity(found, truth, top=5))

    @torch.inference_mode()
    def logits(self, pictures: Tensor) -> Tensor:
        """NxK float32."""
        return torch.cat(
            [self.classifier(part).float() for part in torch.split(pictures, self.batch)]
        )
