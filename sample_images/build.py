"""Rebuild ``sample_images/`` from pictures in installed packages.

    python sample_images/build.py [FOLDER]

Needs scikit-image (which remove-objects installs) and matplotlib. Nothing is downloaded and nothing
is random: the same versions of the packages give the same files. ``.cutouts/`` holds the outlines
of the pasted objects, one mask each, of the size of its source; they were traced by hand and
cleaned with GrabCut once.

Every composite is made on its ground truth *as stored*: the ground truth is written as JPEG, read
back, pasted on, and written at the same quality. Ground truth and composite therefore differ in the
8x8 blocks that the object touches, and by a level or two in a few other pixels.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

HERE = Path(__file__).resolve().parent
QUALITY = 88
#: Number of times that a ground truth is written and read. After two, another round changes almost
#: nothing (many rounds make some blocks drift).
STEADY = 2
WIDTH, HEIGHT = 640, 480
#: Folder of the pictures of one place.
VISIT = "one_place"

Plane = npt.NDArray[np.float32]  # HW, 0 to 1
Picture = npt.NDArray[np.float32]  # HW3, 0 to 255


@dataclass(frozen=True)
class Scene:
    """A scene.

    Attributes:
        truth: the scene without the object.
        objects: the object's colours.
        visible: its visible share of each pixel.
    """

    truth: Picture
    objects: Picture
    visible: Plane


def main(folder: Path) -> None:
    """Write all pictures into a folder."""
    for name in (".truth", ".masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_file("skimage", "data/camera.png"), folder / "photographer.png")
    _save(_picture("skimage", "data/astronaut.png"), folder / "astronaut.jpg")
    _save(_picture("skimage", "data/coffee.png"), folder / "coffee.jpg")
    for name, draw in SCENES.items():
        _compose(draw(), folder, name)
    for sub in (folder, folder / ".truth", folder / ".masks"):
        (sub / VISIT).mkdir(exist_ok=True)
    for number, scene in enumerate(visit(), start=1):
        _compose(scene, folder, f"{VISIT}/visit_{number}")


def launch_pad() -> Scene:
    """Draw an evening at the launch pad; the astronaut stands at the bottom border."""
    truth = _picture("skimage", "data/rocket.jpg")
    colours, alpha = _cutout("astronaut", rows=(0, 372))
    # Evening light: dimmer and colder, from the lamps of the pad.
    light = np.linspace(0.90, 0.50, colours.shape[1], dtype=np.float32)[None, :, None]
    return Scene(
        truth,
        *_place(
            colours * light * (0.97, 0.95, 1.05), alpha, 0.50, (427, 640), left=445, bottom=427
        ),
    )


def far_moon() -> Scene:
    """Draw a gravel moon under the Hubble deep field.

    The astronaut stands behind a ridge, fully inside the picture.
    """
    sky = _crop(_scaled(_picture("skimage", "data/hubble_deep_field.jpg"), 0.8), 70, 60)
    x = np.arange(WIDTH, dtype=np.float32)
    hills = 268 + 14 * np.sin(x / 97 + 0.6) + 5 * np.sin(x / 31) + 1.5 * np.sin(x / 9 + 1)
    ridge = (
        388 + 20 * np.sin(x / 150 + 2.2) + 4 * np.sin(x / 40) + _rough(WIDTH, seed=5, size=6) * 5
    )
    stones = _grey("gravel.png")
    plain = _ground(stones, horizon=236, depth=6.0)
    plain = (
        _tint(plain, dark=(14, 12, 13), bright=(196, 186, 178))
        * np.linspace(0.55, 0.85, HEIGHT, dtype=np.float32)[:, None, None]
    )
    near = _tint(_crop(_scaled(stones, 1.25), 20, 0), dark=(8, 7, 8), bright=(205, 196, 188))
    below = np.arange(HEIGHT, dtype=np.float32)[:, None] - ridge
    near = near * np.clip(1.0 - below / 260, 0.5, 1)[..., None]
    truth = _over(sky, plain, _below(hills))
    front = _below(ridge)
    truth = _over(truth, near, front)
    colours, alpha = _cutout("astronaut", rows=(0, 372))
    light = np.linspace(1.0, 0.62, colours.shape[1], dtype=np.float32)[None, :, None]
    objects, visible = _place(colours * light, alpha, 0.80, (HEIGHT, WIDTH), left=215, bottom=440)
    return Scene(truth, objects, visible * (1 - front))


def brick_wall() -> Scene:
    """Draw a brick wall behind grass; a man stands in the grass, fully inside the picture."""
    truth, front = _wall(seed=1, grass=80)
    colours, alpha = _cutout("photographer", rows=(0, 490))
    skin = np.clip((colours.mean(2, keepdims=True) - 40) / 60, 0, 1)  # the source is grey
    colours = colours * (1 + skin * (np.array([1.10, 0.93, 0.80], np.float32) - 1))
    objects, visible = _place(colours, alpha, 0.66, (HEIGHT, WIDTH), left=170, bottom=448)
    return Scene(truth, objects, visible * (1 - front))


def mural() -> Scene:
    """Draw a face painted on a brick wall, with a person in front: only the person is removed.

    The face consists of coarse dots on a loud ground: face detectors detect it, segmenters of
    photographs see no person.
    """
    wall, front = _wall(seed=2, grass=74)
    face, head = _cutout("astronaut", rows=(0, 230))
    tone = np.clip((face.mean(2) / 255 - 0.15) / 0.60, 0, 1)
    rows = np.arange(len(tone), dtype=np.float32)[:, None]
    tone = tone * np.clip((rows - 20) / 60, 0.5, 1)  # darker hair
    painted, shown = _place(
        np.repeat(tone[..., None], 3, 2), head, 2.2, (HEIGHT, WIDTH), left=-110, bottom=518
    )
    ink = cv2.GaussianBlur(
        _dots(np.where(shown > 0.5, painted[..., 0], 1), pitch=5.5), (0, 0), 0.4
    )[..., None]
    paint = (1 - ink) * np.array((232, 116, 58), np.float32) + ink * np.array(
        (40, 40, 40), np.float32
    )
    relief = cv2.GaussianBlur(wall.mean(2), (0, 0), 0.8)[..., None] / 120
    # Joints across the face would hide it from Haar cascades.
    plain = 1 - np.clip(2 * cv2.GaussianBlur(shown, (0, 0), 8), 0, 1)[..., None]
    truth = _over(wall, paint * np.clip(relief, 0.5, 1.25) ** (0.12 * plain), 1 - front)
    colours, alpha = _cutout("hopper", rows=(0, 600))
    objects, visible = _place(colours, alpha, 0.26, (HEIGHT, WIDTH), left=410, bottom=440)
    return Scene(truth, objects, visible * (1 - front))


def cat_in_hedge() -> Scene:
    """Draw a cat that looks out of a gap in a hedge, fully inside the picture."""
    truth = _green(_crop(_scaled(_grey("grass.png"), 1.25), 60, 0), 1.0)
    colours = _picture("skimage", "data/chelsea.png")
    colours = _scaled(colours, 0.88)
    h, w = colours.shape[:2]
    left, top = 118, 108
    objects, _ = _place(
        colours, np.ones((h, w), np.float32), 1.0, (HEIGHT, WIDTH), left=left, bottom=top + h
    )
    gap = _gap(centre=(306, 236), radii=(168, 116), seed=7)
    depth = np.clip(cv2.distanceTransform((gap > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / 26, 0, 1)
    return Scene(truth, objects * (0.35 + 0.65 * depth[..., None]), gap)


def visit() -> list[Scene]:
    """Draw three pictures of one place, taken by hand one after the other; people walk through.

    What somebody hides in one of them, another one shows.
    """
    place = _picture("skimage", "data/rocket.jpg")
    middle = np.array([place.shape[1], place.shape[0]], np.float32) / 2
    scenes = []
    for hand in VISITS:
        turn = cv2.getRotationMatrix2D(tuple(middle.tolist()), hand.degrees, hand.scale)
        turn[:, 2] += np.array(hand.shift) - middle + np.array([VISIT_WIDTH, VISIT_HEIGHT]) / 2
        seen = cv2.warpAffine(place, turn, (VISIT_WIDTH, VISIT_HEIGHT), flags=cv2.INTER_CUBIC)
        objects, visible = np.zeros_like(seen), np.zeros(seen.shape[:2], np.float32)
        for name, rows, scale, left, bottom in hand.people:
            colours, alpha = _cutout(name, rows=rows)
            # Evening light, as at the launch pad.
            light = np.linspace(0.90, 0.50, colours.shape[1], dtype=np.float32)[None, :, None]
            colours, alpha = _place(
                colours * light * (0.97, 0.95, 1.05),
                alpha,
                scale,
                (VISIT_HEIGHT, VISIT_WIDTH),
                left=left,
                bottom=bottom,
            )
            objects, visible = _over(objects, colours, alpha), np.maximum(visible, alpha)
        scenes.append(Scene(seen * hand.light, objects * hand.light, visible))
    return scenes


@dataclass(frozen=True)
class Hand:
    """How a hand took a picture.

    Attributes:
        degrees: that the camera turned.
        scale: factor of what it shows.
        shift: pixels (x, y) by which the place moved.
        light: exposure and white balance, a factor of each channel.
        people: (outline, rows of it, scale, left border, bottom border) of those who walk through.
    """

    degrees: float
    scale: float
    shift: tuple[float, float]
    light: tuple[float, float, float]
    people: tuple[tuple[str, tuple[int, int], float, int, int], ...]


VISIT_WIDTH, VISIT_HEIGHT = 576, 384
VISITS = (
    Hand(0.0, 1.0, (0, 0), (1.0, 1.0, 1.0), (("hopper", (0, 600), 0.42, 285, 384),)),
    Hand(1.3, 1.03, (-7, 4), (1.08, 1.06, 1.02), (("astronaut", (0, 372), 0.62, 10, 384),)),
    Hand(-0.9, 1.015, (6, -3), (0.93, 0.95, 0.97), (("photographer", (0, 490), 0.6, 330, 384),)),
)


SCENES: dict[str, Callable[[], Scene]] = {
    "launch_pad": launch_pad,
    "far_moon": far_moon,
    "brick_wall": brick_wall,
    "mural": mural,
    "cat_in_hedge": cat_in_hedge,
}


def _compose(scene: Scene, folder: Path, name: str) -> None:
    truth, stored = scene.truth, folder / ".truth" / f"{name}.jpg"
    for _ in range(STEADY):
        _save(truth, stored)
        with Image.open(stored) as image:
            truth = np.asarray(image.convert("RGB"), np.float32)
    _save(_over(truth, scene.objects, scene.visible), folder / f"{name}.jpg")
    Image.fromarray(scene.visible > 1 / 255).save(folder / ".masks" / f"{name}.png", optimize=True)


def _wall(seed: int, grass: int) -> tuple[Picture, Plane]:
    """Draw a red brick wall with grass at its foot: (picture, mask of the grass)."""
    grey = cv2.rotate(_grey("brick.png"), cv2.ROTATE_90_CLOCKWISE)
    grey = _crop(_scaled(grey, 1.25), 80, 0)
    mortar = np.clip((cv2.GaussianBlur(grey, (0, 0), 1.0) - 0.42) / 0.12, 0, 1)[..., None]
    wall = grey[..., None] * ((1 - mortar) * (385, 205, 160) + mortar * (300, 280, 255)).astype(
        np.float32
    )
    blades = _blades(WIDTH, HEIGHT, foot=HEIGHT - grass + 34, seed=seed)
    shade = np.clip((HEIGHT - grass + 20 - np.arange(HEIGHT, dtype=np.float32)) / 70, 0, 1)[
        :, None, None
    ]
    meadow = _green(_crop(_scaled(_grey("grass.png"), 1.25), 150, 0), 1.0)
    return _over(wall * (0.72 + 0.28 * shade), meadow, blades), blades


def _dots(tone: Plane, pitch: float) -> Plane:
    """Draw a picture with a printer's dots, in rows that lean by 23 degrees.

    Args:
        tone: HW, 1 = white.
        pitch: distance of the dots in pixels.

    Returns:
        HW, 1 = ink.
    """
    k = 4
    height, width = tone.shape
    cos, sin = float(np.cos(0.4)), float(np.sin(0.4))
    y, x = np.mgrid[0 : height * k, 0 : width * k].astype(np.float32) / k
    u, v = (x * cos + y * sin) / pitch, (y * cos - x * sin) / pitch
    column, row = np.round(u), np.round(v)
    smooth = cv2.GaussianBlur(tone.astype(np.float32), (0, 0), pitch / 3)
    middle_x, middle_y = (column * cos - row * sin) * pitch, (column * sin + row * cos) * pitch
    local = cv2.remap(smooth, middle_x, middle_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    radius = 1.15 * np.sqrt(np.clip(1 - local, 0, 1) / np.pi)
    ink = (np.hypot(u - column, v - row) < radius).astype(np.float32)
    return cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)


def _ground(texture: Plane, horizon: float, depth: float) -> Plane:
    """Draw a texture as a plane towards a horizon.

    It is drawn three times as large and averaged, to prevent aliasing in the distance.
    """
    k = 3
    tile = np.hstack([texture, texture[:, ::-1]])
    tile = np.vstack([tile, tile[::-1]])
    y, x = np.mgrid[0 : HEIGHT * k, 0 : WIDTH * k].astype(np.float32) / k
    far = depth * 60 / np.maximum(y - horizon, 8)
    u = ((x - WIDTH / 2) * far * 0.5 + 300) % tile.shape[1]
    v = (far * 300) % tile.shape[0]
    drawn = cv2.remap(tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return cv2.resize(drawn, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def _blades(width: int, height: int, foot: int, seed: int) -> Plane:
    """Draw the mask, 0 to 1, of blades of grass and the ground below them."""
    rng = np.random.default_rng(seed)
    k = 4
    canvas = np.zeros((height * k, width * k), np.uint8)
    canvas[(foot + 6) * k :] = 255
    for x in rng.uniform(-10, width + 10, width * 2):
        tall, lean, thick = rng.uniform(14, 44), rng.normal(0, 10), rng.uniform(1.6, 3.2)
        base = foot + 14
        points = [
            (x - thick, base),
            (x + lean * 0.4 - thick * 0.6, base - tall * 0.6),
            (x + lean, base - tall),
        ]
        points += [(x + lean * 0.4 + thick * 0.6, base - tall * 0.6), (x + thick, base)]
        cv2.fillPoly(canvas, [np.round(np.array(points) * k).astype(np.int32)], 255)
    return (
        cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    )


def _gap(centre: tuple[int, int], radii: tuple[int, int], seed: int) -> Plane:
    """Draw an oval gap with leaves across its rim: 1 = inside."""
    rng = np.random.default_rng(seed)
    k = 4
    canvas = np.zeros((HEIGHT * k, WIDTH * k), np.uint8)
    cv2.ellipse(
        canvas, (centre[0] * k, centre[1] * k), (radii[0] * k, radii[1] * k), 0, 0, 360, 255, -1
    )
    for angle in rng.uniform(0, 2 * np.pi, 260):
        rim = np.array([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)])
        inward = np.array([-np.cos(angle), -np.sin(angle)])
        turn = rng.normal(0, 0.7)
        inward = np.array(
            [
                inward[0] * np.cos(turn) - inward[1] * np.sin(turn),
                inward[0] * np.sin(turn) + inward[1] * np.cos(turn),
            ]
        )
        across = np.array([-inward[1], inward[0]]) * rng.uniform(2, 5)
        tip, root = rim + inward * rng.uniform(8, 38), rim - inward * 14
        points = [root - across, rim - across * 0.8, tip, rim + across * 0.8, root + across]
        cv2.fillPoly(canvas, [np.round(np.array(points) * k).astype(np.int32)], 0)
    return (
        cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    )


def _rough(length: int, seed: int, size: float) -> npt.NDArray[np.float32]:
    line = np.random.default_rng(seed).normal(0, 1, (1, length)).astype(np.float32)
    smooth = cv2.GaussianBlur(line, (0, 0), size)[0]
    return smooth / np.abs(smooth).max()


def _below(line: npt.NDArray[np.float32]) -> Plane:
    """Draw 1 below a line (one height per column) and 0 above, soft over a pixel and a half."""
    rows = np.arange(HEIGHT, dtype=np.float32)[:, None]
    return np.clip((rows - line) / 1.5 + 0.5, 0, 1)


def _green(grey: Plane, light: float) -> Picture:
    return _tint(grey * light, dark=(10, 18, 4), bright=(172, 214, 96))


def _tint(grey: Plane, dark: tuple[int, int, int], bright: tuple[int, int, int]) -> Picture:
    low, high = np.array(dark, np.float32), np.array(bright, np.float32)
    return low + grey[..., None] * (high - low)


def _over(below: Picture, above: Picture, alpha: Plane) -> Picture:
    return below + alpha[..., None] * (above - below)


def _cutout(name: str, rows: tuple[int, int]) -> tuple[Picture, Plane]:
    """Return a person's colours and outline, cropped to some rows of the source."""
    package, path = CUTOUTS[name]
    with Image.open(HERE / ".cutouts" / f"{name}.png") as outline:
        alpha = np.asarray(outline.convert("L"), np.float32) / np.float32(255)
    colours = _picture(package, path)
    return colours[slice(*rows)], alpha[slice(*rows)]


CUTOUTS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "photographer": ("skimage", "data/camera.png"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}


def _place(
    colours: Picture, alpha: Plane, scale: float, size: tuple[int, int], *, left: int, bottom: int
) -> tuple[Picture, Plane]:
    """Put scaled colours and outline on an empty canvas.

    Args:
        colours: the object's colours.
        alpha: its outline.
        scale: factor of its size.
        size: (height, width) of the canvas, which crops the object.
        left: left border of the object on the canvas.
        bottom: bottom border of the object on the canvas.
    """
    colours, alpha = _scaled(colours, scale), _scaled(alpha, scale)
    height, width = size
    move = np.array([[1, 0, left], [0, 1, bottom - alpha.shape[0]]], np.float32)
    placed = cv2.warpAffine(colours, move, (width, height), flags=cv2.INTER_NEAREST)
    return placed, cv2.warpAffine(alpha, move, (width, height), flags=cv2.INTER_NEAREST)


def _scaled(array: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.float32]:
    if scale == 1:
        return array
    size = round(array.shape[1] * scale), round(array.shape[0] * scale)
    return cv2.resize(
        array, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    ).clip(0, None)


def _crop(array: npt.NDArray[np.float32], top: int, left: int) -> npt.NDArray[np.float32]:
    return array[top : top + HEIGHT, left : left + WIDTH]


def _grey(name: str) -> Plane:
    return _picture("skimage", f"data/{name}").mean(2) / 255


def _picture(package: str, path: str) -> Picture:
    with Image.open(_file(package, path)) as image:
        return np.asarray(image.convert("RGB"), np.float32)


def _file(package: str, path: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: pip install scikit-image matplotlib")
    return Path(spec.submodule_search_locations[0], path)


def _save(picture: Picture, path: Path) -> None:
    pixels = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=QUALITY, subsampling="4:4:4", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
