"""Settings of a run that concern the folder and not the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..config import LARGEST_MAX_PIXELS, MAX_PIXELS, PictureOptions
from ..errors import UsageError
from ..given import flag, number, one_of, shown, texts, whole
from ..storage.location import AnyPath, Location, as_location
from ..system.cores import usable_cores
from .left_out import Exclusions

ENGINES = ("local", "ray")
#: How the photos of one place are found: see ``BatchSettings.series``.
SERIES = ("auto", "off", "fixed")
#: Photos at once by ``workers="auto"``, at most: each takes memory.
AUTO, MOST_AUTO = "auto", 8


@dataclass(frozen=True)
class BatchSettings:
    """Settings of the folder. Folders are local or remote; text becomes a location.

    Attributes:
        classes: names of the classes to remove; ``all`` is every one.
        output: the output folder; None for ``cleaned`` beside the input.
        masks: the user's own masks: a folder, or one file for all photos (``own_masks``).
        exclude: patterns of files and folders to pass over, as in a ``.gitignore``, relative to
            each given folder.
        max_pixels: the most pixels, width times height, of a photo, mask or ground truth.
        picks: a file of a person's decisions about the photos' objects, see ``report.picks``.
        preview: show each photo's objects on ``preview.html``, where a person picks who goes and
            who stays; implies ``dry_run``.
        truth: ground truth, the photos without the objects, by the same relative names. The report
            then holds the error against it.
        series: ``auto`` finds the photos of one place that were taken one after the other, and
            fills what one hides by what another shows; ``fixed`` takes all photos of one folder
            and size for photos of a camera that did not move; ``off`` uses no other photo.
        save_masks: write every photo's mask.
        workers: photos at once, threads of the engine ``local``; ``auto`` for one on each core,
            ``MOST_AUTO`` at most, which becomes their number.
        overwrite: process finished photos again, and replace other files. What is replaced stays
            in the folder ``.remove-objects-replaced`` of the output.
        add: remove the classes from the results of earlier runs too.
        dry_run: segment and report only; write no photo.
        engine: ``local`` works with threads of this process, ``ray`` with processes of a cluster.
        actors: processes of the engine ``ray``; None for one per core, or one per GPU.
        gpus_per_actor: GPUs of each of these processes; None for 1 if the cluster has any and
            the device allows it.
    """

    classes: tuple[str, ...] = ()
    output: Location | None = None
    masks: Location | None = None
    picks: Location | None = None
    preview: bool = False
    truth: Location | None = None
    exclude: tuple[str, ...] = ()
    max_pixels: int = MAX_PIXELS
    series: str = "auto"
    save_masks: bool = False
    workers: int = 2
    overwrite: bool = False
    add: bool = False
    dry_run: bool = False
    engine: str = "local"
    actors: int | None = None
    gpus_per_actor: float | None = None

    def __post_init__(self) -> None:
        for name in ("output", "masks", "picks", "truth"):
            given = getattr(self, name)
            if given is not None:
                self._set(name, as_location(given, name))
        self._set("classes", texts("classes", self.classes, "class names", "person"))
        self._set("exclude", texts("exclude", self.exclude, "patterns", "raw/"))
        Exclusions(self.exclude)
        for name in ("preview", "save_masks", "overwrite", "add", "dry_run"):
            flag(name, getattr(self, name))
        self._check_numbers()
        one_of("series", self.series, SERIES)
        if self.preview:
            self._set("dry_run", True)
        self._check_engine()
        self._check_add()
        self._check_picking()

    def _set(self, name: str, value: Any) -> None:
        """Set a field to what was meant, while the settings are made."""
        object.__setattr__(self, name, value)

    def _check_numbers(self) -> None:
        pixels, workers = whole(self.max_pixels), _workers(self.workers)
        if pixels is None or not 1 <= pixels <= LARGEST_MAX_PIXELS:
            got = shown(self.max_pixels) if pixels is None else f"{pixels:,}"
            raise UsageError(f"max_pixels must be 1 to {LARGEST_MAX_PIXELS:,} pixels; got {got}")
        if workers is None or not 1 <= workers <= 256:
            raise UsageError(
                f"workers must be 1 to 256 photos at once, or auto; got {shown(self.workers)}"
            )
        self._set("max_pixels", pixels)
        self._set("workers", workers)

    def _check_engine(self) -> None:
        one_of("engine", self.engine, ENGINES)
        if self.engine != "ray" and (self.actors is not None or self.gpus_per_actor is not None):
            raise UsageError(
                "--actors and --gpus-per-actor belong to --engine ray; "
                "--workers belongs to the local engine"
            )
        if self.actors is not None:
            actors = whole(self.actors)
            if actors is None or actors < 1:
                raise UsageError(f"--actors must be at least 1; got {shown(self.actors)}")
            self._set("actors", actors)
        if self.gpus_per_actor is not None:
            gpus = number(self.gpus_per_actor)
            if gpus is None or not 0 <= gpus <= 64:
                raise UsageError(
                    "--gpus-per-actor must be 0 to 64, fractions allowed; "
                    f"got {shown(self.gpus_per_actor)}"
                )
            self._set("gpus_per_actor", gpus)

    @property
    def uses_series(self) -> bool:
        """Whether photos are filled by what others show.

        A dry run fills nothing, and added classes go from results, which no other photo shows.
        """
        return self.series != "off" and not self.dry_run and not self.add

    def _check_add(self) -> None:
        if not self.add:
            return
        if self.overwrite:
            raise UsageError(
                "--add continues from the earlier results and --overwrite starts again; "
                "give one of them"
            )
        if not self.classes:
            raise UsageError("--add needs the classes to remove too: name them with --class")
        others = {
            "--masks": self.masks is not None,
            "--picks": self.picks is not None,
            "--preview": self.preview,
            "--dry-run": self.dry_run,
        }
        if other := next((option for option, given in others.items() if given), None):
            raise UsageError(f"--add finds and removes classes; leave out {other}")

    def _check_picking(self) -> None:
        """Refuse to pick objects where masks alone say what goes."""
        if self.masks is None or not (self.preview or self.picks is not None):
            return
        option = "--preview" if self.preview else "--picks"
        raise UsageError(
            f"{option} is about objects that are found, and with --masks the masks alone say what "
            "goes; give one of them"
        )


def _workers(given: object) -> int | None:
    """The number of photos at once; None if it is none."""
    return min(MOST_AUTO, usable_cores()) if given == AUTO else whole(given)


class FolderOptions(PictureOptions, total=False):
    """The fields of ``Settings`` and ``BatchSettings`` as keywords of a call.

    ``classes`` and ``output`` are missing: a call has them as arguments of their own.
    """

    masks: AnyPath | None
    picks: AnyPath | None
    preview: bool
    truth: AnyPath | None
    exclude: str | Iterable[str]
    max_pixels: int
    series: str
    save_masks: bool
    workers: int | str
    overwrite: bool
    add: bool
    dry_run: bool
    engine: str
    actors: int | None
    gpus_per_actor: float | None
