"""The three inpainters at the photo's own resolution: crop, run the network, enlarge.

No function here reads a pixel under any hole of the photo: windows are masked first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..errors import WeightsError
from ..geometry import surroundings
from ..pixels import blur, depth_inside, resize
from ..types import Box, Face, FloatArray, Hole, Mask, Pixels, Route
from .route import face_of
from .texture.patch import texture_patch
from .windows import (
    EDGE_BLOCKS,
    edge_window,
    enlarge,
    masked_window,
    pad,
    resize_known,
    shrink_known,
)

if TYPE_CHECKING:
    import torch

    from ...models.own_weights import OwnWeight

#: Longest side in pixels of a free-form window inside the network (it was trained on 256 pixels),
#: and the widest gap in pixels (twice the hole's greatest depth) that the network bridges.
FREE_FORM_SIZE, FREE_FORM_GAP = 256, 110

#: Side in pixels of the square that the face network takes.
FACE_SIZE = 128

#: Known pixels beside the hole that a fill contains, for ``composite.blend_into`` to compare with.
RIM = 72

#: The face network's own blur, as a standard deviation in its pixels.
FACE_BLUR = 0.75
#: How strong the copied grain of a face is at most, of a colour in [0, 1]. Skin and hair have less;
#: what is stronger is an edge from elsewhere, which looks like a crack.
FACE_GRAIN = 0.03

#: How much of the blocks' colours is the compression network's at a border, the rest the U-Net's.
EDGE_LEAD = 0.5


@dataclass(frozen=True, eq=False)
class Fill:
    """New content for a window of the photo; only the hole's pixels are meaningful.

    Attributes:
        crop: the part of the photo that the network saw.
        prediction: hw3 float32 in [0, 1], the network's output for ``crop``, at its size or
            smaller.
        window: the part of the photo that this fill covers; it may be smaller than ``crop``.
        textured: hw3 float32 in [0, 1] of ``window``, the photo's own texture guided by the
            prediction. None if no texture was requested, if the network's pixels are as fine as
            the photo's, or if too little is known to copy from.
    """

    crop: Box
    prediction: FloatArray
    window: Box
    textured: FloatArray | None = None

    @property
    def upsampled(self) -> FloatArray:
        """The prediction at the window's size; computed on demand: it is large and rarely used."""
        return enlarge(self.prediction, self.crop)[self.window.relative_to(self.crop).slices]

    @property
    def rgb(self) -> FloatArray:
        """The content to use by default: textured if there is texture."""
        return self.upsampled if self.textured is None else self.textured


class Inpainters:
    """The inpainting networks, each loaded on first use. Safe to use from several threads.

    Args:
        device: where the networks run.
        detail: whether fills get the photo's own texture.
        weights: the user's own, which replace bundled ones.

    Attributes:
        device: where the networks run.
        detail: whether fills get the photo's own texture.
        weights: sha256 of every weight loaded so far, by kind.
    """

    def __init__(
        self, device: torch.device, *, detail: bool = True, weights: Iterable[OwnWeight] = ()
    ) -> None:
        self.device, self.detail, self._own = device, detail, tuple(weights)
        self.weights: dict[str, str] = {}
        self._networks: dict[str, Any] = {}
        self._lock = threading.Lock()

    def network(self, kind: str) -> Any:
        """The network of a weight's kind (``partial-conv``, ``skip-ce`` or ``compression``).

        Raises:
            WeightsError: the weight is missing or damaged.
        """
        with self._lock:
            if kind not in self._networks:
                self._networks[kind] = self._load(kind)
            return self._networks[kind]

    def _load(self, kind: str) -> Any:
        """Load a network onto the device, ready for inference."""
        import torch

        from ...models.checkpoint import CheckpointError
        from ...models.folding import fold_batch_norm
        from ...models.own_weights import load_network

        try:
            network, self.weights[kind] = load_network(kind, self._own)
        except CheckpointError as error:
            raise WeightsError(str(error)) from error
        return fold_batch_norm(network).to(self.device, memory_format=torch.channels_last)

    def fill(
        self, rgb: Pixels, hole_mask: Mask, hole: Hole, route: Route, faces: Sequence[Face] = ()
    ) -> Fill:
        """Fill one hole.

        Args:
            rgb: the photo, HWC uint8 or uint16.
            hole_mask: HW bool, all holes of the photo; none of these pixels is read.
            hole: the hole to fill.
            route: the inpainter to use.
            faces: the photo's faces, which position the face route's window.

        Raises:
            WeightsError: the network's weight is missing or damaged.
        """
        if route is Route.EDGE:
            return self._edge(rgb, hole_mask, hole)
        if route is Route.FACE:
            face = face_of(hole, faces)
            return self._face(rgb, hole_mask, hole, face.frame if face else None)
        return self._free_form(rgb, hole_mask, hole)

    def _free_form(self, rgb: Pixels, hole_mask: Mask, hole: Hole) -> Fill:
        """Partial-convolution U-Net on a window with context on every side."""
        window = surroundings(hole.box, *hole_mask.shape)
        picture, known_mask = masked_window(rgb, hole_mask, window)
        depth = float(depth_inside(np.pad(hole.mask, 1)).max())
        scale = min(
            1.0, FREE_FORM_SIZE / max(window.w, window.h), FREE_FORM_GAP / max(1.0, 2 * depth)
        )
        small, small_known = shrink_known(picture, known_mask, scale)
        output = self._run("partial-conv", small, small_known, multiple=128)
        output = np.clip(output, 0, 1)
        return self.with_texture(
            window, picture, known_mask, np.where(small_known[..., None], small, output), output
        )

    def with_texture(
        self,
        crop: Box,
        picture: Pixels,
        known_mask: Mask,
        prediction: FloatArray,
        guide: FloatArray,
    ) -> Fill:
        """The fill of a crop, with the photo's own texture if ``detail`` is on and enough is known.

        Args:
            crop: position of ``picture`` in the photo.
            picture: hw3, the crop in the photo's own samples, 0 where unknown.
            known_mask: hw bool.
            prediction: hw3 in [0, 1], the network's output at any size.
            guide: hw3 in [0, 1] at any size, the coarse picture that the texture follows.
        """
        patch = texture_patch(picture, known_mask, guide, margin=RIM) if self.detail else None
        if patch is None:
            return Fill(crop, prediction, crop)
        window = patch.box.shifted(crop.y, crop.x)
        return Fill(crop, prediction, window, np.clip(patch.content, 0, 1, out=patch.content))

    def _edge(self, rgb: Pixels, hole_mask: Mask, hole: Hole) -> Fill:
        """Compression network of Wu & Cui, refined by partial convolutions: together the guide.

        The compression network predicts the colours of whole blocks, the U-Net what is finer.
        """
        window = edge_window(hole, *hole_mask.shape)
        picture, known_mask = masked_window(rgb, hole_mask, window)
        block = max(1, -(-max(window.w, window.h) // EDGE_BLOCKS))
        gh, gw = -(-window.h // block), -(-window.w // block)
        # Unknown pixels complete the last blocks; the networks take 8 pixels per block.
        padded, padded_known = pad(picture, known_mask, gh * block, gw * block)
        small, small_known = resize_known(padded, padded_known, gh * 8, gw * 8)
        blocks = self._run("compression", small * 2 - 1, small_known, multiple=8) / 2 + 0.5
        finer = self._run("partial-conv", small, small_known, multiple=128)
        guide = led_by_blocks(np.clip(blocks, 0, 1), np.clip(finer, 0, 1))
        guide = resize(guide, (gh * block, gw * block), cv2.INTER_LINEAR)[: window.h, : window.w]
        return self.with_texture(window, picture, known_mask, guide, guide)

    def _face(self, rgb: Pixels, hole_mask: Mask, hole: Hole, frame: Box | None) -> Fill:
        """Skip context encoder on the face's frame, enlarged to a square that contains the hole.

        Without a face (``frame`` is None) the square is centred on the hole.
        """
        box = hole.box
        margin = max(box.w, box.h) // 8
        if frame is None:
            side = 2 * max(box.w, box.h)
            frame = Box(box.x + box.w // 2 - side // 2, box.y + box.h // 2 - side // 2, side, side)
        both = frame.union(
            Box(box.x - margin, box.y - margin, box.w + 2 * margin, box.h + 2 * margin)
        )
        side = max(both.w, both.h)
        x, y = (both.x + both.right - side) // 2, (both.y + both.bottom - side) // 2
        return self.face_frame(rgb, hole_mask, Box(x, y, side, side))

    def face_frame(self, rgb: Pixels, hole_mask: Mask, square: Box) -> Fill:
        """Fill a square of the photo by the face network.

        Args:
            rgb: the photo, HWC uint8 or uint16.
            hole_mask: HW bool, all holes of the photo.
            square: it may reach over the photo's border, where pixels are unknown.
        """
        window = square.intersection(Box.full(hole_mask.shape))
        inside = window.relative_to(square).slices
        picture, known_mask = masked_window(rgb, hole_mask, window)
        frame = np.zeros((square.h, square.w, 3), picture.dtype)
        frame_known = np.zeros((square.h, square.w), bool)
        frame[inside] = picture
        frame_known[inside] = known_mask
        small, small_known = resize_known(frame, frame_known, FACE_SIZE, FACE_SIZE)
        output = self._run("skip-ce", small * 2 - 1, small_known, multiple=FACE_SIZE) / 2 + 0.5
        prediction = np.where(small_known[..., None], small, np.clip(output, 0, 1))
        upsampled = resize(prediction, (square.h, square.w), cv2.INTER_CUBIC)[inside]
        upsampled = np.clip(upsampled, 0, 1)
        sigma = FACE_BLUR * square.w / FACE_SIZE
        if sigma < 1:  # the network's own pixels are as fine as the photo's
            return Fill(window, upsampled, window)
        fill = self.with_texture(window, picture, known_mask, upsampled, upsampled)
        if fill.textured is None:
            return fill
        # The face's features come from the network and stay in place; only detail finer than its
        # pixels is copied: skin and hair have grain.
        grain = np.clip(fill.textured - blur(fill.textured, sigma), -FACE_GRAIN, FACE_GRAIN)
        return replace(fill, textured=np.clip(fill.upsampled + grain, 0, 1))

    def _run(
        self, kind: str, picture: FloatArray, known_mask: Mask, *, multiple: int
    ) -> FloatArray:
        """Run one network on one window.

        Args:
            kind: as in ``network``.
            picture: hw3 float32 in the network's own range.
            known_mask: hw bool.
            multiple: the network takes sides that are multiples of this; unknown pixels are
                padded, and the output is cut back.

        Returns:
            hw3 float32, smaller than the input by the network's own factor.
        """
        import torch

        from ...models.precision import autocast

        h, w = known_mask.shape
        padded, padded_known = pad(
            picture, known_mask, -(-h // multiple) * multiple, -(-w // multiple) * multiple
        )
        x = (
            torch.from_numpy(padded)
            .permute(2, 0, 1)[None]
            .to(self.device, memory_format=torch.channels_last)
        )
        m = torch.from_numpy(padded_known.astype(np.float32))[None, None].to(self.device)
        with torch.inference_mode(), autocast(self.device, padded.shape[1]):
            y = (
                self.network(kind)(x.contiguous(memory_format=torch.channels_last), m)[0]
                .permute(1, 2, 0)
                .float()
                .cpu()
                .numpy()
            )
        factor = padded.shape[0] // y.shape[0]
        return np.ascontiguousarray(y[: -(-h // factor), : -(-w // factor)], dtype=np.float32)


def led_by_blocks(blocks: FloatArray, finer: FloatArray) -> FloatArray:
    """A prediction whose blocks have the mean of two colours: its own, and those of ``blocks``.

    Args:
        blocks: hw3 in [0, 1], a colour per block.
        finer: HW3 in [0, 1], of which H and W are multiples of h and w.

    Returns:
        HW3 in [0, 1].
    """
    size = finer.shape[:2]
    own = resize(finer, blocks.shape[:2], cv2.INTER_AREA)
    shift = resize(EDGE_LEAD * (blocks - own), size, cv2.INTER_LINEAR)
    return np.clip(finer + shift, 0, 1)
