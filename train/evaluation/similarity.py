"""Similarity and Similarity5 (Wu & Cui, section 4.1, equation 4).

They tell whether a classifier assigns the output the same class as the ground truth. The
classifier scores and never trains: it could not judge a network that had learned to please it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


def similarity(output_logits: Tensor, truth_logits: Tensor, top: int = 1) -> Tensor:
    """The indicator I of eq. 4: is the output's first class among the truth's first ``top``?

    ``top`` = 1 is Similarity; 5 is Similarity5, "if the index is in the top-5 index of the VGG
    output of the ground truth" (Table 2). Of equal logits the lower index comes first, on every
    device. With no more than ``top`` classes every result is true.

    Args:
        output_logits: NxK, of the inpainted pictures.
        truth_logits: NxK, of the ground truth, by the same classifier.
        top: 1 or more.

    Returns:
        N bool; its mean is the table's value.

    Raises:
        ValueError: the shapes differ, there is no class, ``top`` is below 1, or a logit is NaN,
            which is neither similar nor dissimilar.
    """
    if (
        output_logits.ndim != 2
        or output_logits.shape != truth_logits.shape
        or not output_logits.shape[1]
    ):
        raise ValueError(
            f"logits of {tuple(output_logits.shape)} and {tuple(truth_logits.shape)}; "
            "expected two of one shape NxK, K > 0"
        )
    if top < 1:
        raise ValueError(
            f"top {top}; expected 1 (Similarity), 5 (Similarity5) or another count of classes"
        )
    if bool(output_logits.isnan().any() | truth_logits.isnan().any()):
        raise ValueError("a logit is NaN: the classifier has no result; check the pictures for NaN")
    places = torch.arange(output_logits.shape[1], device=output_logits.device)
    highest = output_logits == output_logits.amax(1, keepdim=True)
    # argmax and topk do not define which of equal values they take.
    index = torch.where(highest, places, len(places)).amin(1, keepdim=True)
    chosen = truth_logits.gather(1, index)
    before = (truth_logits > chosen) | ((truth_logits == chosen) & (places < index))
    return before.sum(1) < top


class Similar(NamedTuple):
    """Similarity of N pictures, N bool each.

    Attributes:
        similar: by the first class.
        similar5: by the truth's first five classes.
    """

    similar: Tensor
    similar5: Tensor


class Similarity:
    """Equation 4's classifier and indicator on batches of pictures.

    No gradient passes through it, so nothing can be trained on it.

    Args:
        classifier: N3HW in [0, 1] -> NxK logits, from ``train.classifiers.load_classifier``;
            set to evaluation mode.
        batch: pictures per batch.
    """

    def __init__(self, classifier: nn.Module, batch: int = 16) -> None:
        self.classifier, self.batch = classifier.eval().requires_grad_(False), batch

    def __call__(self, output: Tensor, truth: Tensor) -> Similar:
        """Compare pictures N3HW in [0, 1] on the classifier's device.

        The outputs may be of another size than the ground truth.
        """
        return self.of_logits(self.logits(output), self.logits(truth))

    @staticmethod
    def of_logits(output: Tensor, truth: Tensor) -> Similar:
        """The same of NxK logits: with several networks the ground truth's are computed once."""
        return Similar(similarity(output, truth), similarity(output, truth, top=5))

    @torch.inference_mode()
    def logits(self, pictures: Tensor) -> Tensor:
        """The logits of pictures N3HW in [0, 1], NxK float32."""
        return torch.cat(
            [self.classifier(batch).float() for batch in torch.split(pictures, self.batch)]
        )
