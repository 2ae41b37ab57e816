"""Lamps, and the shadows that objects and what is not in the picture throw on ground and walls.

A silhouette throws its shadow like an upright board on a flat ground, as in ``objects.shadows``;
here the ground may end at a wall, the object may be as thick as a car, and the view may be from
above.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ....pipeline.types import FloatArray
from ..objects.shadows import Stand, Sun, blurred, board_shadow, contact_shadow

#: Kinds of light, and how often each is drawn.
KINDS = {"sun": 0.5, "haze": 0.15, "room": 0.2, "overcast": 0.15}
#: Share of the lamps that stand low: their shadows leave the picture.
LOW_SUN = 0.15
#: Of a thing with depth, the lowest share of its height that stands around its underside.
UNDERSIDE = 0.3
#: Boards that make up the depth of a thick object.
BOARDS = 4


@dataclass(frozen=True)
class Lamp:
    """One light of a scene.

    Attributes:
        sun: where its shadows fall and how soft they are.
        strength: share of the ground's light that comes from it, in [0, 1].
        above: the shift of a shadow in a view from above, in objects' heights; None = any other
            view.
        wall: the height above an object's foot, in objects' heights, where the ground ends at a
            wall; None = nowhere.
    """

    sun: Sun
    strength: float
    above: tuple[float, float] | None = None
    wall: float | None = None


@dataclass(frozen=True)
class Lighting:
    """The lamps of a scene, and the darkness where things touch the ground.

    Attributes:
        lamps: may be none.
        contact: strength of the darkness under things, in [0, 1].
        spread: width of that darkness as a share of a thing's height.
        under: the same strength below a thing that has a depth: little light comes under a car.
        tint: gain of red, green and blue where no lamp shines, 1 on the mean: the sky is blue.
    """

    lamps: tuple[Lamp, ...]
    contact: float
    spread: float
    under: float
    tint: NDArray[np.float32]


def random_lighting(rng: np.random.Generator, *, above: bool) -> Lighting:
    """The light of a scene.

    Args:
        rng: random state.
        above: the scene is seen from above.
    """
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    lamps: list[Lamp] = []
    if kind in ("sun", "haze"):
        blur = rng.uniform(0.0, 0.012) if kind == "sun" else rng.uniform(0.01, 0.05)
        strength = rng.uniform(0.28, 0.75) if kind == "sun" else rng.uniform(0.1, 0.4)
        lamps.append(_lamp(rng, float(blur), float(strength), above=above))
    elif kind == "room":
        count = int(rng.integers(1, 4))
        for _ in range(count):
            blur, strength = rng.uniform(0.01, 0.09), rng.uniform(0.08, 0.45) / count**0.7
            lamps.append(_lamp(rng, float(blur), float(strength), above=above))
    contact = 0.0 if rng.random() < 0.15 else float(rng.uniform(0.1, 0.65))
    under = 0.0 if rng.random() < 0.1 else float(rng.uniform(0.35, 0.95))
    blue = rng.uniform(-0.02, 0.12) if kind in ("sun", "haze") else rng.uniform(-0.04, 0.04)
    tint = np.array([1 - blue, 1, 1 + blue], np.float32)
    return Lighting(tuple(lamps), contact, float(rng.uniform(0.008, 0.09)), under, tint)


def _lamp(rng: np.random.Generator, blur: float, strength: float, *, above: bool) -> Lamp:
    # Most shadows fall sideways or away; a long flat one is as likely as a short steep one.
    up = float(np.exp(rng.uniform(np.log(0.04), np.log(1.0)))) * (1 if rng.random() < 0.6 else -1)
    longest = 4.5 if rng.random() < LOW_SUN else 2.2
    along = float(rng.uniform(-longest, longest) * rng.uniform(0.2, 1.0))
    sun = Sun(along, up, blur, blur + float(rng.uniform(0, 0.05)), float(rng.uniform(0, 0.35)))
    if above:
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.08, 0.7)
        return Lamp(sun, strength, above=(length * np.cos(angle), length * np.sin(angle)))
    wall = float(rng.uniform(0.02, 0.5)) if up > 0 and rng.random() < 0.16 else None
    return Lamp(sun, strength, wall=wall)


def thrown(alpha: FloatArray, stand: Stand, lamp: Lamp, depth: float) -> FloatArray:
    """The share of a lamp's light that an object takes from the ground, HW in [0, 1].

    Args:
        alpha: HW in [0, 1], the object.
        stand: how it stands.
        lamp: the lamp.
        depth: the object's thickness as a share of its height; 0 = a board.
    """
    if lamp.above is not None:
        return _from_above(alpha, stand, lamp)
    sun = lamp.sun
    shadow = board_shadow(alpha, stand, sun)
    if depth:
        h, w = alpha.shape
        for k in range(1, BOARDS):
            shift = depth * stand.height * k / (BOARDS - 1)
            move = np.array([[1, 0, 0.3 * shift], [0, 1, -0.35 * shift]], np.float32)
            shadow = np.maximum(shadow, cv2.warpAffine(shadow, move, (w, h)))
    if lamp.wall is not None:
        shadow = _up_the_wall(shadow, alpha, stand, sun, lamp.wall)
    return shadow


def _up_the_wall(
    shadow: FloatArray, alpha: FloatArray, stand: Stand, sun: Sun, wall: float
) -> FloatArray:
    """A shadow on the ground that stands upright from the row on where a wall begins."""
    h, w = alpha.shape
    row = stand.foot - wall * stand.height
    reached = wall * stand.height / sun.up  # the height of the object whose shadow meets the wall
    move = np.array([[1, 0, sun.along * reached], [0, 1, stand.foot - reached - row]], np.float32)
    # The wall's row ``row`` shows the object's row ``foot - reached``.
    upright = cv2.warpAffine(alpha, move, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    sigma = sun.far * stand.height
    upright = blurred(upright, sigma)
    result = shadow.copy()
    edge = int(np.clip(row, 0, h))
    result[:edge] = upright[:edge]
    return result


def _from_above(alpha: FloatArray, stand: Stand, lamp: Lamp) -> FloatArray:
    """The shadow of a solid thing seen from above: its silhouette, swept along a line."""
    assert lamp.above is not None
    h, w = alpha.shape
    length = max(2, int(np.hypot(*lamp.above) * stand.height / 2))
    swept = alpha
    for k in range(1, min(length, 24) + 1):
        share = k / min(length, 24) * stand.height
        move = np.array([[1, 0, lamp.above[0] * share], [0, 1, lamp.above[1] * share]], np.float32)
        swept = np.maximum(swept, cv2.warpAffine(alpha, move, (w, h)))
    sigma = lamp.sun.near * stand.height
    return blurred(swept, sigma)


def touching(
    alpha: FloatArray, stand: Stand, light: Lighting, depth: float, rng: np.random.Generator
) -> FloatArray:
    """The darkness under and around a thing's foot, HW in [0, 1].

    Args:
        alpha: HW in [0, 1], the thing.
        stand: how it stands.
        light: the scene's.
        depth: the thing's thickness as a share of its height; 0 = a board.
        rng: random state.
    """
    dark = np.zeros_like(alpha)
    if light.contact:
        near = contact_shadow(alpha, stand, light.contact, rng)
        dark = np.maximum(0.7 * near, blurred(near, light.spread * stand.height))
    if depth and light.under:
        dark = np.maximum(dark, light.under * underside(alpha, stand, depth, rng))
    return dark.astype(np.float32)


def underside(
    alpha: FloatArray, stand: Stand, depth: float, rng: np.random.Generator
) -> FloatArray:
    """The ground below a body, between its wheels or legs and a little around them.

    Args:
        alpha: see ``touching``.
        stand: see ``touching``.
        depth: see ``touching``.
        rng: random state.

    Returns:
        HW in [0, 1].
    """
    from_row = int(max(0.0, stand.foot - UNDERSIDE * stand.height))
    low = np.argwhere(alpha[from_row:] >= 0.5)
    below = np.zeros_like(alpha)
    if not len(low):
        return below
    corners = (low[:, ::-1] + np.array([0, from_row])).astype(np.int32)
    cv2.fillConvexPoly(below, cv2.convexHull(corners), 1.0)
    below[: int(stand.foot - rng.uniform(0.06, UNDERSIDE) * stand.height)] = 0
    # A lamp from one side moves it there; from above it reaches a little beyond the body.
    aside = rng.normal(0, 0.25 * depth) * stand.height
    ahead = rng.uniform(0.0, 0.25 * depth) * stand.height
    h, w = alpha.shape
    dark = below
    for share in np.linspace(0.25, 1, BOARDS):
        move = np.array([[1, 0, share * aside], [0, 1, share * ahead]], np.float32)
        dark = np.maximum(dark, cv2.warpAffine(below, move, (w, h)))
    return blurred(dark, float(rng.uniform(0.004, 0.035)) * stand.height)


def foreign_shadow(size: int, rng: np.random.Generator) -> FloatArray:
    """The shadow of something outside the picture: leaves, a house, a pole; HW in [0, 1]."""
    kind = int(rng.integers(4))
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    if kind == 0:  # leaves, somewhere
        cells = int(rng.integers(5, 28))
        noise = cv2.resize(
            rng.normal(0, 1, (cells, cells)).astype(np.float32),
            (size, size),
            interpolation=cv2.INTER_CUBIC,
        )
        centre, reach = rng.uniform(0, 1, 2), rng.uniform(0.15, 0.7)
        noise -= 2.5 * np.maximum(np.hypot(x - centre[0], y - centre[1]) / reach - 0.7, 0)
        shadow = np.clip(noise * rng.uniform(2, 8) + 0.5, 0, 1)
    elif kind == 1:  # the straight edge of a house
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4)
        side = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) - offset
        shadow = np.clip(side * size / rng.uniform(1, 6) + 0.5, 0, 1)
    else:  # a pole, a wire, a railing
        angle = rng.uniform(0, np.pi)
        side = (x - rng.uniform(0, 1)) * np.cos(angle) + (y - rng.uniform(0, 1)) * np.sin(angle)
        if kind == 3:
            period = rng.uniform(0.06, 0.25)
            side = (side + 4) % period - period / 2
        wide = rng.uniform(0.004, 0.03)
        shadow = np.clip((wide - np.abs(side)) * size / rng.uniform(1, 4) + 0.5, 0, 1)
    shadow = shadow.astype(np.float32)
    # The ground only: a shadow rarely covers the sky.
    from_row = rng.uniform(0, 0.5) if rng.random() < 0.6 else 0.0
    return (shadow * (y >= from_row)).astype(np.float32)
