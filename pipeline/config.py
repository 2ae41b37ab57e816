"""The settings of the picture, and the thresholds that the documentation quotes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from ..models.categories import CLASSES, RELATED, SYNONYMS
from ..models.kinds import KINDS
from .errors import UsageError, WeightsError
from .given import closest, flag, number, one_of, shown, texts, whole
from .segmenter_names import SegmenterNames, parse_segmenter

if TYPE_CHECKING:
    from ..models.own_weights import OwnWeight

ROUTES = ("auto", "edge", "face", "free-form")
DEVICES = ("auto", "cpu", "cuda", "mps")
DETAILS = ("texture", "none")
RAW_OUTPUTS = ("tiff", "jpeg")
COMPARISONS = ("navier-stokes", "telea")
METADATA = ("known", "all")
ALONG = ("shadow", "reflection", "carried")
KEEP = ("none", "main", "faces", "largest")

#: The most pixels of a photo, and the most that ``--max-pixels`` allows: OpenCV decodes no more
#: than 2^30.
MAX_PIXELS, LARGEST_MAX_PIXELS = 200_000_000, 1_000_000_000


#: A user's own weight files: a file by the name of each network, or files that are open already.
GivenWeights: TypeAlias = "Mapping[str, str | os.PathLike[str]] | tuple[OwnWeight, ...]"


@dataclass(frozen=True)
class Settings:
    """The user's choices. Two runs with equal settings give equal pictures.

    A journal identifies finished photos by all of these keys and values: another key would let
    finished photos be processed again (``pipeline.batch.ledger``).

    Attributes:
        segmenter: what finds the objects, see ``segmenter_names.parse_segmenter``; ``auto`` prefers
            ``fcn_resnet101``.
        threshold: the least probability of a removed pixel, in (0, 1), of the removed classes
            together.
        dilate: radius in pixels by which the mask is widened; None for ``auto_dilate`` of a
            segmented mask, or along its edge where that was refined, and to its object's edge of
            a given one.
        along: what goes along with a removed object, of ``ALONG``; empty = nothing.
        keep: who stays of the objects that were found: ``none``, ``main`` (the people whom the
            photo is of), ``faces`` (who looks at the camera), or ``largest:N``.
        min_size: objects below this share of the photo stay, in [0, 1].
        max_size: objects above this share of the photo stay, in [0, 1].
        route: the inpainter; ``auto`` chooses one for each hole.
        detail: ``texture`` fills holes with the photo's own texture, ``none`` with the networks'
            enlarged prediction.
        device: the device of the networks.
        probe: measure the inpainter's error on a moved hole, where every pixel is known.
        lossless: write PNG if the photo's own format is lossy.
        offline: never use the network.
        compare: classical methods that fill the same holes too, for the report.
        prefilter: run the compact segmenter first, and a slower one only on photos in which it
            sees a trace of the classes; None: for ``auto`` only, see ``uses_prefilter``.
        raw_output: the format of a cleaned RAW photo, ``tiff`` (16 bits) or ``jpeg``.
        strip_metadata: write photos, unchanged ones too, without the metadata that their pixels
            do not need.
        keep_metadata: what a photo keeps in which something was removed: ``known`` metadata only,
            or ``all``, in which a picture of what was removed may survive.
        weights: weight files of the user's own instead of the bundled ones, ``.safetensors``, by
            the names of their networks (``models.kinds.KINDS``). They are read and checked when
            the settings are made, so that a run has one and the same weight from beginning to end.
    """

    segmenter: str = "auto"
    threshold: float = 0.5
    dilate: int | None = None
    along: tuple[str, ...] = ALONG
    keep: str = "none"
    min_size: float = 0.0
    max_size: float = 1.0
    route: str = "auto"
    detail: str = "texture"
    device: str = "auto"
    probe: bool = True
    lossless: bool = False
    offline: bool = False
    compare: tuple[str, ...] = ()
    prefilter: bool | None = None
    strip_metadata: bool = False
    keep_metadata: str = "known"
    raw_output: str = "tiff"
    weights: GivenWeights = ()

    @property
    def segmenters(self) -> SegmenterNames:
        """What ``segmenter`` names."""
        return parse_segmenter(self.segmenter)

    @property
    def uses_prefilter(self) -> bool:
        """Whether the compact segmenter may skip photos: by default not what was asked by name."""
        if self.prefilter is not None:
            return self.prefilter
        return self.segmenters.network in ("auto", "compact")

    @property
    def known_classes(self) -> tuple[str, ...]:
        """The names of all classes that ``segmenter`` finds."""
        return self.segmenters.classes

    @property
    def chooses(self) -> bool:
        """Whether some of the objects that are found may stay."""
        return (self.keep, self.min_size, self.max_size) != ("none", 0.0, 1.0)

    @property
    def own_weights(self) -> tuple[OwnWeight, ...]:
        """The user's own weights, open; see ``weights``."""
        return self.weights if isinstance(self.weights, tuple) else ()

    def recorded(self) -> dict[str, Any]:
        """The settings as reports and journals hold them: of ``weights`` the hashes, by network.

        The weights' file of a segmenter is one of them, and ``prefilter`` is what holds.

        Raises:
            UsageError: the segmenter's file cannot be read.
        """
        weights = {own.kind: own.sha256 for own in self.own_weights}
        return {
            **{each.name: getattr(self, each.name) for each in fields(self)},
            "prefilter": self.uses_prefilter,
            "weights": {**weights, **self.segmenters.digests()},
        }

    def __post_init__(self) -> None:
        for name, value, legal in (
            ("route", self.route, ROUTES),
            ("detail", self.detail, DETAILS),
            ("device", self.device, DEVICES),
            ("keep_metadata", self.keep_metadata, METADATA),
            ("raw_output", self.raw_output, RAW_OUTPUTS),
        ):
            one_of(name, value, legal)
        self._set("segmenter", parse_segmenter(self.segmenter).text)
        _ = self.known_classes  # refuses a folder without a model
        for name in ("probe", "lossless", "offline", "strip_metadata"):
            flag(name, getattr(self, name))
        if self.prefilter is not None:
            flag("prefilter", self.prefilter)
        if self.strip_metadata and self.keep_metadata == "all":
            raise UsageError(
                "--strip-metadata removes what --keep-metadata all keeps; give one of them"
            )
        if self.lossless and self.raw_output == "jpeg":
            raise UsageError("--lossless and --raw-output jpeg contradict each other; give one")
        self._set("compare", _known("compare", self.compare, COMPARISONS))
        along: Any = self.along
        nothing = along is None or (isinstance(along, str) and along == "none")
        self._set("along", () if nothing else _known("along (--with)", along, ALONG))
        parse_keep(self.keep)
        self._check_numbers()
        self._set("weights", _open_weights(self.weights))

    def _set(self, name: str, value: Any) -> None:
        """Set a field to what was meant, while the settings are made."""
        object.__setattr__(self, name, value)

    def _check_numbers(self) -> None:
        least, most = number(self.min_size), number(self.max_size)
        if least is None or most is None or not 0 <= least < most <= 1:
            raise UsageError(
                "--min-size and --max-size are shares of the photo, 0 to 1, the first below the "
                f"second; got {shown(self.min_size)} and {shown(self.max_size)}"
            )
        threshold = number(self.threshold)
        if threshold is None or not 0 < threshold < 1:
            raise UsageError(f"threshold must lie between 0 and 1; got {shown(self.threshold)}")
        for name, value in (("min_size", least), ("max_size", most), ("threshold", threshold)):
            self._set(name, value)
        width: Any = self.dilate
        if isinstance(width, str) and width == "auto":
            self._set("dilate", None)
        elif width is not None:
            dilate = whole(width)
            if dilate is None or not 0 <= dilate <= 2000:
                raise UsageError(
                    f"dilate must be 'auto' or 0 to 2000 whole pixels; got {shown(self.dilate)}"
                )
            self._set("dilate", dilate)


class PictureOptions(TypedDict, total=False):
    """The fields of ``Settings`` as keywords of a call; several names are one text or several."""

    segmenter: str
    threshold: float
    dilate: int | Literal["auto"] | None
    along: str | Iterable[str] | None
    keep: str
    min_size: float
    max_size: float
    route: str
    detail: str
    device: str
    probe: bool
    lossless: bool
    offline: bool
    compare: str | Iterable[str]
    prefilter: bool | None
    strip_metadata: bool
    keep_metadata: str
    raw_output: str
    weights: GivenWeights


def with_options(settings: Settings | None, options: Mapping[str, Any]) -> Settings:
    """Return the settings of a call, in which its keywords replace fields.

    Raises:
        UsageError: they are no settings, or a value is not legal.
    """
    if settings is not None and not isinstance(settings, Settings):
        raise UsageError(
            f"settings takes a Settings, such as Settings(offline=True); got {shown(settings)}; "
            "classes are named by classes='person'"
        )
    return replace(settings or Settings(), **options)


def parse_keep(text: str) -> tuple[str, int]:
    """Read who stays.

    Returns:
        (one of ``KEEP``; the number of ``largest``, else 0).

    Raises:
        UsageError: it is none of them.
    """
    got = f"'{text}'" if isinstance(text, str) else shown(text)
    rule, _, many = text.partition(":") if isinstance(text, str) else ("", "", "")
    if rule == "largest" and ((many.isascii() and many.isdigit()) or text == "largest"):
        count = int(many or 1)
        if count:
            return rule, count
    elif rule in KEEP and text == rule and rule != "largest":
        return rule, 0
    raise UsageError(
        f"keep must be {', '.join(KEEP)} or largest:N, N a whole number from 1 on; got {got}"
    )


def _known(name: str, given: Any, legal: tuple[str, ...]) -> tuple[str, ...]:
    """Return a setting of one or several legal names as a tuple."""
    kinds = f"{', '.join(legal[:-1])} and {legal[-1]}"
    names = texts(name, given, kinds, legal[0])
    unknown = [each for each in names if each not in legal]
    if unknown:
        raise UsageError(f"{name} takes {kinds}; got '{unknown[0]}'")
    return names


def parse_weights(given: Iterable[str]) -> dict[str, str]:
    """Read the values of ``--weights``, each ``NAME=FILE``, as a file by the name of each network.

    Raises:
        UsageError: one has another form, names an unknown network, or one that another names too.
    """
    files: dict[str, str] = {}
    for text in given:
        kind, is_pair, file = text.partition("=")
        if not (kind and is_pair and file):
            raise UsageError(
                "--weights takes NAME=FILE, such as "
                f"partial-conv=runs/partial-conv/best.safetensors; got '{text}'"
            )
        _refuse_unknown_network(kind)
        if kind in files:
            raise UsageError(
                f"--weights names {kind} twice, as {files[kind]} and as {file}; give one of them"
            )
        files[kind] = file
    return files


def _refuse_unknown_network(kind: Any) -> None:
    if kind in KINDS:
        return
    like = closest(kind.replace("_", "-").lower(), KINDS) if isinstance(kind, str) else None
    meant = f" (did you mean {like}?)" if like else ""
    got = f"'{kind}'" if isinstance(kind, str) else shown(kind)
    raise UsageError(
        f"weights (--weights) names an unknown network, {got}{meant}; the networks are "
        f"{', '.join(KINDS)}"
    )


def _open_weights(given: Any) -> tuple[OwnWeight, ...]:
    """Return a user's own weights, read and checked; none if none are given.

    Raises:
        UsageError: something is no such file, or a network is unknown.
        WeightsError: a file does not fit.
    """
    if not given and isinstance(given, tuple | Mapping):
        return ()
    from ..models.checkpoint import CheckpointError
    from ..models.own_weights import OwnWeight, open_weights

    if isinstance(given, tuple) and all(isinstance(each, OwnWeight) for each in given):
        given = {own.kind: own for own in given}
    if not isinstance(given, Mapping):
        raise UsageError(
            "weights takes files by the names of their networks, such as "
            f"{{'partial-conv': 'runs/mine/best.safetensors'}}; got {shown(given)}"
        )
    files: dict[str, Path | OwnWeight] = {}
    for kind, file in given.items():
        _refuse_unknown_network(kind)
        files[kind] = file if isinstance(file, OwnWeight) else _weight_file(kind, file)
    try:
        return open_weights(files)
    except CheckpointError as error:
        raise WeightsError(str(error)) from error


def _weight_file(kind: str, file: Any) -> Path:
    """Return the path of a weight file; ``~`` is the user's home, which no shell finds here."""
    if not file or not isinstance(file, str | os.PathLike) or isinstance(os.fspath(file), bytes):
        raise UsageError(f"weights takes the path of a file for {kind}; got {shown(file)}")
    text = os.fspath(file)
    if "://" in text:
        raise UsageError(
            f"weights takes a file of this machine for {kind}, not an address; copy the file here"
        )
    return Path(os.path.expanduser(text))


def resolve_classes(names: str | Iterable[str], known: Sequence[str] = CLASSES) -> tuple[str, ...]:
    """Turn the user's class names, or the one, into names of the known classes, in their order.

    ``all`` is every class.

    Case, spaces, hyphens and underscores do not count, a comma separates names, and plurals and
    ``SYNONYMS`` are understood: ``People``, ``potted plants``, ``person,dog``.

    Args:
        names: what was given.
        known: the classes that the segmenter finds, see ``Settings.known_classes``.

    Raises:
        UsageError: a name is unknown, and the message says which was meant and lists the classes;
            or something is no text, or an empty one.
    """
    given: list[str] = []
    for name in texts("classes", names, "class names", "person"):
        parts = [part.strip() for part in name.split(",") if part.strip()]
        if not parts:
            raise UsageError(f"a class is a name such as 'person'; got '{name}'")
        given += parts
    known_as = _known_as(tuple(known))
    wanted = {name: known_as.get(_plain(name)) for name in given}
    unknown = [name for name, meant in wanted.items() if meant is None]
    if unknown:
        raise UsageError(_unknown_classes(unknown, known_as, known))
    resolved = set(wanted.values())
    return tuple(known) if "all" in resolved else tuple(c for c in known if c in resolved)


def _plain(name: str) -> str:
    """Return a name without what does not count in it: case, spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name.casefold())


def _plural(word: str) -> str:
    return f"{word}es" if word.endswith(("s", "ch", "sh", "x")) else f"{word}s"


@lru_cache(maxsize=8)
def _known_as(known: tuple[str, ...]) -> Mapping[str, str]:
    """Return the class of each word that is understood; a class's own name goes first."""
    words = {
        form: name
        for name in known
        for word in (_plain(name), *SYNONYMS.get(name, ()))
        for form in (word, _plural(word))
    }
    return {**words, "all": "all"} | {_plain(name): name for name in known}


def _unknown_classes(
    unknown: Iterable[str], known_as: Mapping[str, str], known: Sequence[str]
) -> str:
    """Say which class somebody may have meant by each name, and what there is to choose from."""
    said = []
    for name in unknown:
        meant = _meant(_plain(name), known_as, known)
        said.append(f"'{name}'" + (f" (did you mean {' or '.join(meant)}?)" if meant else ""))
    message = f"unknown class {', '.join(said)}; the classes are: {', '.join(known)}, or all"
    if not set(CLASSES) & set(known) and any(_plain(n) in _known_as(CLASSES) for n in unknown):
        return f"{message}; --segmenter compact,DIR finds person and the like too"
    return message


def _meant(word: str, known_as: Mapping[str, str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that are related to a word, or whose names are like it."""
    meant: dict[str, tuple[str, ...]] = {form: (name,) for form, name in known_as.items()}
    for each, names in RELATED.items():
        if set(names) <= set(known):
            meant = {each: names, _plural(each): names} | meant
    like = closest(word, meant)
    return () if like is None else meant[like]


def auto_dilate(height: int, width: int) -> int:
    """Return the dilation radius for a photo's size: 1.2 % of its longer side, at least 3 pixels.

    The segmenters predict on a grid of about 1/128 of the longer side, so their border is off by
    about one cell.
    """
    return max(3, round(0.012 * max(height, width)))


#: Connected components of a class mask below this share of the photo are dropped as specks.
SPECK_SHARE = 0.0004

#: Share of the photo above which holes alone make the verdict ``review``.
REVIEW_HOLE_SHARE = 0.35

#: The same for one hole's share of its surroundings, from which it is filled. A person's hole is
#: below unless the photo ends nearby: even a square has a quarter of whole surroundings.
REVIEW_WINDOW_SHARE = 1 / 3

#: Share of the photo above which too little is left to fill from, so the photo fails.
FAIL_HOLE_SHARE = 0.90

#: Residue (share of the hole in which the segmenter still sees the removed class) above which the
#: verdict is ``review``.
REVIEW_RESIDUE = 0.20

#: Share of the pixels just outside a hole of the user's own mask that have the object's colours
#: (``pipeline.detect.edge.beside``) above which the verdict is ``review``: a ghost is left.
REVIEW_LEFT_OUTSIDE = 0.20

#: Expected error (``pipeline.quality.verdict.expected_error``) above which the verdict is
#: ``review``: 22 % of the 480 photos on which it was fitted are above (docs/quality-report.md), as
#: many as with the calibration before.
REVIEW_SCORE = 0.305
