"""What is remembered of a photo: what is removed from it, and what is seen in it.

In a series each photo is cleaned, and is a neighbour of others. Either way it is asked first what
is to be removed from it; whoever is asked second goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from ..detect.leftovers import Left
from ..inpaint.series.alignment import Features
from ..types import Mask, Pixels
from .along import Found, Whole
from .selection import Sighting
from .series import Hidden


class Decision(NamedTuple):
    """What is removed from a photo, without what the segmenter saw, which takes most memory.

    Attributes:
        whole: the objects, and what goes along with them.
        left: what the photo shows beside ``whole.objects``; None if nobody looked.
        found: what may go along.
        widened: whether the holes were widened by what was left.
        hidden: what hides the place.
    """

    whole: Whole
    left: list[Left] | None
    found: Found
    widened: bool
    hidden: Hidden


class Recall(Protocol):
    """What is remembered of one photo, as long as its file and the settings are the same."""

    def decision(self, decide: Callable[[], Decision]) -> Decision:
        """What is removed if nobody stays; ``decide`` finds it out, and is not always called."""

    def sighting(self, look: Callable[[], Sighting | None]) -> Sighting | None:
        """What is found before anybody decides who stays; ``look`` is not always called.

        What it returns has no ``seen``. Only where somebody may stay is it asked for twice.
        """

    def features(self, rgb: Pixels, covered: Mask) -> Features:
        """As ``alignment.features_of``, of the photo's own pixels or of its picture's."""
