"""Samples of the effects network: objects with known shadows and reflections in scenes.

Some objects go and some stay, each with its effects; only the effects of those that go are asked
for. What the scene's own things throw, and shadows of what the picture does not show, stay too.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from ....pipeline.types import FloatArray
from ..labelled import PERSON
from ..objects.canvases import lit
from ..objects.cut_outs import PRECISE, CutOut, CutOuts
from ..objects.pasting import laid
from ..objects.photo_noise import photo_noise
from ..objects.scenes import Scenes
from ..objects.shadows import Stand
from .lamps import Lighting, foreign_shadow, random_lighting, thrown, touching
from .mirrors import Mirror, mirrored, random_mirror
from .things import ThingPool, in_hands
from .views import coloured, given_mask, to_tensors

log = logging.getLogger(__name__)

#: Change of brightness in [0, 1] from which an effect is visible at all, and from which surely.
VISIBLE, CLEAR = 0.012, 0.045
#: Share of scenes seen from above, with a reflecting surface, and with a foreign shadow.
ABOVE, REFLECTING, FOREIGN = 0.12, 0.24, 0.45
#: Share of the samples whose objects have no effect at all, as on grass or in the air.
BARE = 0.25
#: Smallest and largest height of an object as a share of the picture's side.
SMALLEST, LARGEST = 0.13, 0.8
#: Number of objects that go, and that stay: probabilities of 1, 2, ... and of 0, 1, ...
GO, STAY = (0.66, 0.22, 0.12), (0.42, 0.28, 0.18, 0.12)
#: Least share of the light that reaches a shadow.
DARKEST = 0.12
#: Folders of the photos that things are put into, and how often each is drawn: those with ground
#: above all. What stands in them throws its own shadow, which stays.
GROUNDS = {
    "scenes/street": 0.28,
    "segmentation/voc_train/images": 0.18,
    "scenes/train": 0.14,
    "scenes/rooms": 0.25,
    "segmentation/camvid_train/images": 0.15,
}
#: Share of the grounds that are cut from a photo's lower part.
LOW = 0.6
#: Share of the objects that go which lie in the middle, as in the program's views.
CENTRED = 0.7
#: Share of the people who carry something.
CARRIES = 0.6
#: Share of the masks that hold what is carried.
WITH_CARRIED = 0.2


@dataclass(frozen=True, eq=False)
class Thing:
    """An object in a scene.

    Attributes:
        colours: HWC float32.
        alpha: HW float32 in [0, 1].
        stand: how it stands.
        depth: its thickness as a share of its height.
        goes: whether it is removed.
        carried: HW float32 in [0, 1], the part of ``alpha`` that it only carries; None = nothing.
    """

    colours: FloatArray
    alpha: FloatArray
    stand: Stand
    depth: float
    goes: bool
    carried: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and what is known of it.

    Attributes:
        image: HWC float32 in [0, 255].
        without: the same without what goes and its effects.
        goes: HW float32 in [0, 1], the objects that go, and what they carry.
        carried: HW float32 in [0, 1], the part of ``goes`` that is only carried.
        effects: 2HW float32 in [0, 1]: how visible shadow and reflection are.
    """

    image: FloatArray
    without: FloatArray
    goes: FloatArray
    carried: FloatArray
    effects: FloatArray


class EffectScenes:
    """An endless sequence of scenes: number n is a function of ``seed`` and n alone.

    Args:
        data: data folder.
        cut_outs: folder that ``cut_outs.build`` wrote.
        size: side of a scene in pixels.
        held_out: of photos and objects that are never trained on, or of the others.
        seed: see above.

    Raises:
        FileNotFoundError: there are no scenes.
        ValueError: there are no objects that are nearly whole.
    """

    def __init__(
        self, data: Path, cut_outs: Path, size: int, *, held_out: bool = False, seed: int = 0
    ) -> None:
        self.size, self.seed = size, seed
        self.scenes = Scenes(data, held_out=held_out, folders=GROUNDS)
        self.cut_outs = CutOuts(cut_outs, held_out=held_out)
        self.things = ThingPool(data, held_out=held_out)
        whole = [e for e in self.cut_outs.entries if sum(e.cut) <= 1 and not e.cut[0]]
        if not whole:
            raise ValueError(f"{cut_outs}: no object is cut by at most one border, and not above")
        self.people = [e for e in whole if e.source in PRECISE] or whole
        self.others = [e for e in whole if e.source not in PRECISE] or whole

    def __getitem__(self, n: int) -> Scene:
        rng = np.random.default_rng((self.seed, n, 11))
        size = self.size
        ground = self.scenes.draw(size, rng, closest=0.35, low=LOW).astype(np.float32)
        above = rng.random() < ABOVE
        things = self._things(ground, rng, above=above)
        light = random_lighting(rng, above=above)
        if rng.random() < BARE:
            light = Lighting((), 0.0, 0.0, 0.0, light.tint)
        mirror = random_mirror(rng) if not above and rng.random() < REFLECTING else None
        return composed(ground, things, light, mirror, rng)

    def _things(self, ground: FloatArray, rng: np.random.Generator, *, above: bool) -> list[Thing]:
        """The objects, farther ones first."""
        go = 1 + int(rng.choice(len(GO), p=GO))
        stay = int(rng.choice(len(STAY), p=STAY))
        height = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))))
        things = []
        for k in range(go + stay):
            pool = self.people if rng.random() < 0.5 else self.others
            entry = pool[int(rng.integers(len(pool)))]
            tall = height * rng.uniform(0.8, 1.2) if k < go else height * rng.uniform(0.4, 1.5)
            thing = self._placed(entry, tall, ground, rng, goes=k < go, above=above)
            if entry.category == PERSON and self.things and rng.random() < CARRIES:
                thing = self._carrying(thing, ground, rng)
            things.append(thing)
        return sorted(things, key=lambda thing: thing.stand.foot)

    def _placed(
        self,
        entry: CutOut,
        height: float,
        ground: FloatArray,
        rng: np.random.Generator,
        *,
        goes: bool,
        above: bool,
    ) -> Thing:
        """An object at a random place; its longer side takes ``height`` of the picture."""
        size = self.size
        rgba = self.cut_outs[entry]
        scale = height * size / max(rgba.shape[:2])
        tall = scale * rgba.shape[0]
        turn = rng.uniform(-np.pi, np.pi) if above else np.deg2rad(rng.normal(0, 4))
        mirrored = rng.random() < 0.5
        if goes and rng.random() < CENTRED:  # a view's middle is what goes
            middle = rng.normal(0.5, 0.15) * size
            foot = rng.normal(0.5, 0.12) * size + tall / 2
        else:  # the foot lies in the lower part of the picture, where ground is
            middle = rng.uniform(0.02, 0.98) * size
            foot = rng.uniform(0.3, 1.05) * size
        if entry.cut[2] and not above:  # the photo ends there: so does this picture
            foot = size + 0.02 * size
        layer = laid(rgba, scale, (middle, foot - tall / 2), size, turn=turn, mirrored=mirrored)
        alpha = np.ascontiguousarray(layer[..., 3]) / 255
        colours = lit(layer[..., :3], alpha, ground, rng, least=0.75)
        rows = np.nonzero(alpha.max(1) > 0.4)[0]
        if len(rows) and rows[-1] < size - 1:
            foot = float(rows[-1] + 1)
        stand = Stand(float(foot), float(middle), float(tall))
        is_thick = entry.category != PERSON and rng.random() < 0.6
        depth = float(rng.uniform(0.15, 0.6)) if is_thick else 0.0
        return Thing(colours, alpha.astype(np.float32), stand, depth, goes)

    def _carrying(self, thing: Thing, ground: FloatArray, rng: np.random.Generator) -> Thing:
        """A person with something in the hands, on the back or under the feet."""
        try:
            kind, rgba = self.things.draw(rng)
        except OSError as error:
            log.warning("%s; left out", error)
            return thing
        colours, whole, hides = in_hands(kind, rgba, thing.alpha, rng)
        colours = lit(colours, whole, ground, rng, least=0.75)
        seen = whole if hides else whole * (1 - thing.alpha)
        alpha = 1 - (1 - thing.alpha) * (1 - whole)
        share = (seen / np.maximum(alpha, 1e-3))[..., None]
        mixed = thing.colours + share * (colours - thing.colours)
        return replace(
            thing, colours=mixed.astype(np.float32), alpha=alpha.astype(np.float32), carried=seen
        )


def composed(
    ground: FloatArray,
    things: list[Thing],
    light: Lighting,
    mirror: Mirror | None,
    rng: np.random.Generator,
) -> Scene:
    """Put things into a scene, with their shadows and reflections.

    Args:
        ground: HWC float32 in [0, 255].
        things: farther ones first.
        light: the scene's.
        mirror: what reflects; None = nothing.
        rng: random state.
    """
    size = len(ground)
    # With everything, and without what goes: what differs is what goes and its effects.
    dark, dark_without = _darkness(size, things, light, rng)
    reflections = [
        (thing, *mirrored(thing.colours, thing.alpha, thing.stand, mirror, rng))
        for thing in (things if mirror is not None else [])
        if mirror is not None
    ]
    shaded = [ground * dark, ground * dark_without]
    lit = []
    for picture, only in ((shaded[0], False), (shaded[1], True)):
        for thing, colours, opacity in reflections:
            if not (only and thing.goes):
                picture = picture + opacity[..., None] * (colours - picture)
        lit.append(picture)
    # The shadow alone changes ``shaded``; what changes ``lit`` further is the reflection.
    shadow = np.abs(shaded[1] - shaded[0]).mean(2) / 255
    seen_through = np.ones((size, size), np.float32)
    own = np.zeros((size, size), np.float32)
    for thing, _, opacity in reflections:
        if thing.goes:
            seen_through *= 1 - opacity
            own = np.maximum(own, opacity)
    reflected = np.abs(lit[1] - lit[0]).mean(2) / 255 * (own > 0.02)
    effects = np.stack([_visible(shadow * seen_through), _visible(reflected)])
    goes: FloatArray = np.zeros((size, size), np.float32)
    carried: FloatArray = np.zeros((size, size), np.float32)
    with_all, without = lit
    for thing in things:
        a = thing.alpha
        with_all = with_all + a[..., None] * (thing.colours - with_all)
        effects *= 1 - a
        carried *= 1 - a
        if thing.goes:
            goes = np.maximum(goes, a)
            if thing.carried is not None:
                carried = np.maximum(carried, thing.carried)
        else:
            without = without + a[..., None] * (thing.colours - without)
            goes *= 1 - a
    pictures = [np.clip(p, 0, 255).astype(np.float32) for p in (with_all, without)]
    return Scene(pictures[0], pictures[1], goes, carried, effects.astype(np.float32))


def _darkness(
    size: int, things: list[Thing], light: Lighting, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """HW3 gains of the ground's colours with all shadows, and without those of what goes."""
    gains = [np.ones((size, size), np.float32) for _ in range(2)]
    empty = np.zeros((size, size), np.float32)
    for i, lamp in enumerate(light.lamps):
        covers = [empty, empty]
        if i == 0 and rng.random() < FOREIGN:
            foreign = foreign_shadow(size, rng)
            covers = [foreign, foreign]
        for thing in things:
            shadow = thrown(thing.alpha, thing.stand, lamp, thing.depth)
            covers[0] = np.maximum(covers[0], shadow)
            if not thing.goes:
                covers[1] = np.maximum(covers[1], shadow)
        for gain, cover in zip(gains, covers, strict=True):
            gain -= lamp.strength * cover
    for gain in gains:
        np.maximum(gain, DARKEST, out=gain)
    for thing in things:
        low = 1 - touching(thing.alpha, thing.stand, light, thing.depth, rng)
        gains[0] *= low
        if not thing.goes:
            gains[1] *= low
    return tuple(  # type: ignore[return-value]
        gain[..., None] * (1 + (1 - gain[..., None]) * (light.tint - 1)) for gain in gains
    )


def _visible(change: FloatArray) -> FloatArray:
    """How visible a change of brightness is: 0 below ``VISIBLE``, 1 from ``CLEAR`` on."""
    return np.clip((change - VISIBLE) / (CLEAR - VISIBLE), 0, 1).astype(np.float32)


class EffectSamples(Dataset[tuple[Tensor, ...]]):
    """An endless sequence of samples: number n is a function of the scenes and n alone.

    Args:
        scenes: where they come from.
    """

    def __init__(self, scenes: EffectScenes) -> None:
        self.scenes = scenes

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """As ``views.to_tensors`` gives them."""
        scene = self.scenes[n]
        rng = np.random.default_rng((self.scenes.seed, n, 12))
        image = photo_noise(coloured(scene.image / 255, rng), rng)
        alone = scene.goes * (1 - scene.carried)
        taken = scene.goes if rng.random() < WITH_CARRIED else alone
        mask = given_mask(taken, rng, scene.effects.max(0))
        known = np.ones_like(scene.effects)
        return to_tensors(image, mask, scene.goes, scene.effects, known, carried_is_known=known[0])
