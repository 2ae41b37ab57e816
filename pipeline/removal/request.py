"""The request for one removal: everything except the networks that carry it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..config import Settings
from ..types import Mask, Pick


@dataclass(frozen=True, eq=False)
class Removal:
    """What to remove from one photo, and how.

    No field decides which network is loaded: two removals may differ in any of them and share the
    same networks. ``pipeline.networks.NetworkSettings`` holds the rest.

    Attributes:
        classes: names of the classes to remove. With a ``mask``, the classes that the mask covers,
            as far as they are known: the residue is measured for them.
        mask: HW bool, True = remove; ``None`` to segment the photo.
        threshold: least probability in (0, 1) at which a pixel belongs to ``classes``.
        dilate: radius in pixels by which the mask is dilated; ``None`` for ``config.auto_dilate``
            of a segmented mask, or along its edge where that was refined (``detect.refine``), and
            to its object's edge (``detect.edge``) of a given one.
        along: what goes along with the removed objects, of ``config.ALONG``.
        keep: who stays of the objects that are found, see ``config.Settings``.
        min_size: objects below this share of the photo stay.
        max_size: objects above this share of the photo stay.
        route: ``auto``, or the route of every hole.
        probe: whether each hole is probed on known pixels of the same photo.
        compare: classical methods that fill the same holes for comparison.
        prefilter: whether the compact segmenter decides if a slower one runs at all.
        dry_run: stop after routing; nothing is filled.
        picks: what a person decided about the photo's objects, which precedes ``keep`` and sizes;
            None if nobody did.
        all_stay: why everything stays that is found; empty if ``picks`` and ``keep`` decide.
        shown: the share of the photo that the pixels are, which may be those of its picture alone
            (``removal.picture``): ``min_size`` and ``max_size`` are of the whole photo.
    """

    classes: tuple[str, ...]
    mask: Mask | None
    threshold: float
    dilate: int | None
    along: tuple[str, ...]
    keep: str
    min_size: float
    max_size: float
    route: str
    probe: bool
    compare: tuple[str, ...]
    prefilter: bool
    dry_run: bool = False
    picks: tuple[Pick, ...] | None = None
    all_stay: str = ""
    shown: float = 1.0

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        classes: Sequence[str] = (),
        mask: Mask | None = None,
        *,
        dry_run: bool = False,
        picks: tuple[Pick, ...] | None = None,
    ) -> Removal:
        """Make the request from the user's settings, which have been checked."""
        return cls(
            classes=tuple(classes),
            mask=mask,
            threshold=settings.threshold,
            dilate=settings.dilate,
            along=settings.along,
            keep=settings.keep,
            min_size=settings.min_size,
            max_size=settings.max_size,
            route=settings.route,
            probe=settings.probe,
            compare=settings.compare,
            prefilter=settings.uses_prefilter,
            dry_run=dry_run,
            picks=picks,
        )

    def of_everything(self) -> Removal:
        """The same request without anybody who stays."""
        return replace(self, keep="none", min_size=0.0, max_size=1.0, picks=None, all_stay="")

    @property
    def is_of_everything(self) -> bool:
        """Whether it selects what ``of_everything`` does."""
        sizes = self.min_size, self.max_size
        return self.keep == "none" and sizes == (0, 1) and self.picks is None and not self.all_stay
