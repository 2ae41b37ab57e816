"""Samples of the effects network: objects with known shadows and reflections in scenes.

Some objects go and some stay, each with its effects; only the effects of those that go are asked
for. What the scene's own things throw, and shadows of what the picture does not show, stay too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ....pipeline.types import FloatArray, Mask
from ..labelled import PERSON
from ..objects.canvases import lit
from ..objects.cut_outs import PRECISE, CutOut, CutOuts
from ..objects.photo_noise import photo_noise
from ..objects.rough import rough_probability
from ..objects.scenes import Scenes
from ..objects.shadows import Stand
from .lamps import Lighting, foreign_shadow, random_lighting, thrown, touching
from .mirrors import Mirror, mirrored, random_mirror

#: Change of brightness in [0, 1] from which an effect is visible at all, and from which surely.
VISIBLE, CLEAR = 0.012, 0.045
#: Share of scenes seen from above, with a reflecting surface, and with a foreign shadow.
ABOVE, REFLECTING, FOREIGN = 0.12, 0.24, 0.45
#: Share of the samples whose objects have no effect at all, as on grass or in the air.
BARE = 0.08
#: Smallest and largest height of an object as a share of the picture's side.
SMALLEST, LARGEST = 0.09, 0.8
#: Number of objects that go, and that stay: probabilities of 1, 2, ... and of 0, 1, ...
GO, STAY = (0.66, 0.22, 0.12), (0.42, 0.28, 0.18, 0.12)
#: An object's own pixels, and so many around them, are not asked for.
WITHIN = 1


@dataclass(frozen=True, eq=False)
class Thing:
    """An object in a scene.

    Attributes:
        colours: HWC float32.
        alpha: HW float32 in [0, 1].
        stand: how it stands.
        depth: its thickness as a share of its height.
        goes: whether it is removed.
    """

    colours: FloatArray
    alpha: FloatArray
    stand: Stand
    depth: float
    goes: bool


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and what is known of it.

    Attributes:
        image: HWC float32 in [0, 255].
        without: the same without what goes and its effects.
        goes: HW float32 in [0, 1], the objects that go.
        effects: 2HW float32 in [0, 1]: how visible shadow and reflection are.
    """

    image: FloatArray
    without: FloatArray
    goes: FloatArray
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
        self.scenes = Scenes(data, held_out=held_out)
        self.cut_outs = CutOuts(cut_outs, held_out=held_out)
        whole = [e for e in self.cut_outs.entries if sum(e.cut) <= 1 and not e.cut[0]]
        if not whole:
            raise ValueError(f"{cut_outs}: no object is cut by at most one border, and not above")
        self.people = [e for e in whole if e.source in PRECISE] or whole
        self.others = [e for e in whole if e.source not in PRECISE] or whole

    def __getitem__(self, n: int) -> Scene:
        rng = np.random.default_rng((self.seed, n, 11))
        size = self.size
        ground = self.scenes.draw(size, rng, closest=0.35).astype(np.float32)
        above = rng.random() < ABOVE
        things = self._things(ground, rng, above=above)
        light = random_lighting(rng, above=above)
        if rng.random() < BARE:
            light = Lighting((), 0.0, 0.0, light.tint)
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
            things.append(self._placed(entry, tall, ground, rng, goes=k < go, above=above))
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
        rgba = self.cut_outs[entry].astype(np.float32)
        scale = height * size / max(rgba.shape[:2])
        if scale < 0.9:
            rgba = cv2.resize(rgba, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            scale = 1.0
        h, w = rgba.shape[:2]
        turn = rng.uniform(-np.pi, np.pi) if above else np.deg2rad(rng.normal(0, 4))
        flip = -1 if rng.random() < 0.5 else 1
        cos, sin = scale * np.cos(turn), scale * np.sin(turn)
        linear = np.array([[flip * cos, -sin], [flip * sin, cos]], np.float32)
        middle = rng.uniform(0.02, 0.98) * size
        # The foot lies in the lower part of the picture, where ground is.
        foot = rng.uniform(0.3, 1.05) * size if rng.random() < 0.9 else rng.uniform(0.1, 1.2) * size
        if entry.cut[2] and not above:  # the photo ends there: so does this picture
            foot = size + 0.02 * size
        centre = np.array([w / 2, h / 2], np.float32)
        move = np.array([middle, foot - scale * h / 2], np.float32) - linear @ centre
        matrix = np.hstack([linear, move[:, None]]).astype(np.float32)
        layer = cv2.warpAffine(rgba, matrix, (size, size), flags=cv2.INTER_LINEAR)
        alpha = np.ascontiguousarray(layer[..., 3]) / 255
        colours = lit(layer[..., :3], alpha, ground, rng, least=0.75)  # type: ignore[arg-type]
        rows = np.nonzero(alpha.max(1) > 0.4)[0]
        if len(rows) and rows[-1] < size - 1:
            foot = float(rows[-1] + 1)
        stand = Stand(float(foot), float(middle), float(scale * h))
        is_thick = entry.category != PERSON and rng.random() < 0.6
        depth = float(rng.uniform(0.15, 0.6)) if is_thick else 0.0
        return Thing(colours, alpha.astype(np.float32), stand, depth, goes)


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
    with_all, without = lit
    for thing in things:
        a = thing.alpha
        with_all = with_all + a[..., None] * (thing.colours - with_all)
        effects *= 1 - a
        if thing.goes:
            goes = np.maximum(goes, a)
        else:
            without = without + a[..., None] * (thing.colours - without)
            goes *= 1 - a
    pictures = [np.clip(p, 0, 255).astype(np.float32) for p in (with_all, without)]
    return Scene(pictures[0], pictures[1], goes, effects.astype(np.float32))


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
        np.maximum(gain, 0.12, out=gain)
    for thing in things:
        low = 1 - touching(thing.alpha, thing.stand, light, rng)
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
        """(3HW RGB, 1HW mask, 2HW effects, 1HW weight), uint8, 0 to 255."""
        scene = self.scenes[n]
        rng = np.random.default_rng((self.scenes.seed, n, 12))
        image = photo_noise(_coloured(scene.image / 255, rng), rng)
        mask = given_mask(scene, rng)
        return to_tensors(image, mask, scene)


def given_mask(scene: Scene, rng: np.random.Generator) -> Mask:
    """The objects that go as a segmenter or a person marks them: rarely to the pixel."""
    alpha = scene.goes
    size = len(alpha)
    way = rng.random()
    mask: Mask = alpha >= 0.5
    if way < 0.3:
        mask = rough_probability(alpha, rng) >= 0.5
    if 0.2 < way < 0.8:
        mask = _widened(mask, int(rng.integers(1, max(2, round(0.04 * size)))))
    if way > 0.85:  # a generous brush takes the shadow at the foot along
        near = _widened(mask, int(rng.integers(2, max(3, round(0.08 * size)))))
        mask = mask | (near & (scene.effects.max(0) >= 0.5))
    return mask if mask.any() else alpha >= min(0.5, float(alpha.max()))


def to_tensors(image: NDArray[np.uint8], mask: Mask, scene: Scene) -> tuple[Tensor, ...]:
    """As ``EffectSamples`` gives them. The weight is 0 on what goes, and under the mask."""
    within = _widened(scene.goes >= 0.3, WITHIN) | mask
    maps = [mask[None].astype(np.float32), scene.effects, (~within)[None].astype(np.float32)]
    picture = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return picture, *(torch.from_numpy((m * 255).round().astype(np.uint8)) for m in maps)


def _widened(mask: Mask, radius: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def _coloured(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """HWC in [0, 1], each channel a little brighter or darker; now and then grey."""
    found = image * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.04:
        found = np.repeat(found.mean(2, keepdims=True), 3, axis=2)
    return np.clip(found, 0, 1).astype(np.float32)
