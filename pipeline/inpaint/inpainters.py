"""The three inpainters at the photo's own size: a window around the hole, the network at its working size, the way back.

Nothing here reads a pixel under any hole of the photo: windows are masked before anything else happens to them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..errors import WeightsError
from ..geometry import context_window
from ..types import Box, Face, FloatArray, Hole, Mask, Pixels, Route
from .route import face_of
from .texture.patch import texture_patch

if TYPE_CHECKING:
    import torch

from .windows import (
    EDGE_BLOCKS,
    _pad,
    edge_window,
    enlarge,
    masked_window,
    resize_known,
    shrink_known,
)

#: Longest side of a free-form window at work (the network has seen 256 pixels), and the widest gap (twice the greatest depth, in
#: pixels) that it bridges.
FREE_FORM_SIZE, FREE_FORM_GAP = 256, 110

FACE_SIZE = 128

#: Known pixels beside the hole that a fill holds: what ``composite.lead_in`` looks at.
RIM = 72

#: What the face network blurs, as a standard deviation in its own pixels.
FACE_BLUR = 0.75


@dataclass(frozen=True, eq=False)
class Fill:
    """A part of the photo with the hole's new content: hw3 float32 in [0, 1]; only the hole's pixels are of use.

    ``answer`` is the network's for what it saw, ``seen``, of that size or smaller; ``detailed`` the photo's own texture led by it, of
    ``window``, which may be a part of ``seen``; None where it was not asked for, the network's pixels are as fine, or too little is known
    to copy from.
    """

    seen: Box
    answer: FloatArray
    window: Box
    detailed: FloatArray | None = None

    @property
    def plain(self) -> FloatArray:
        """The network's answer at the window's size: made when asked for, because it is large and mostly not."""
        part = replace(self.window, x=self.window.x - self.seen.x, y=self.window.y - self.seen.y)
        return enlarge(self.answer, self.seen)[part.slices]

    @property
    def rgb(self) -> FloatArray:
        """The one to use, where nothing speaks against the texture."""
        return self.plain if self.detailed is None else self.detailed


class Inpainters:
    """Loads each network once, when it is first needed. Safe to use from several threads."""

    def __init__(self, device: torch.device, *, detail: bool = True) -> None:
        self.device, self.detail = device, detail
        self.weights: dict[str, str] = {}
        self._networks: dict[str, Any] = {}
        self._lock = threading.Lock()

    def network(self, kind: str) -> Any:
        """The loaded network of a weight's kind."""
        with self._lock:
            if kind not in self._networks:
                self._networks[kind] = self._load(kind)
            return self._networks[kind]

    def _load(self, kind: str) -> Any:
        import torch

        from ...models.checkpoint import CheckpointError
        from ...models.compression import CompressionNetwork
        from ...models.folding import fold_batch_norm
        from ...models.partial_conv_unet import PartialConvUNet
        from ...models.shipped import load_shipped
        from ...models.skip_context_encoder import SkipContextEncoder

        classes = {
            "partial-conv": PartialConvUNet,
            "skip-ce": SkipContextEncoder,
            "compression": CompressionNetwork,
        }
        try:
            network, self.weights[kind] = load_shipped(kind, classes[kind])
        except CheckpointError as error:
            raise WeightsError(str(error)) from error
        return fold_batch_norm(network).to(self.device, memory_format=torch.channels_last)

    def fill(
        self, rgb: Pixels, unknown: Mask, hole: Hole, route: Route, faces: Sequence[Face] = ()
    ) -> Fill:
        """Fill one hole.

        Args:
            rgb: the photo, HWC uint8 or uint16.
            unknown: HW bool, all holes of the photo; none of these pixels is read.
            hole: the one to fill.
            route: by which inpainter.
            faces: for the face route's window.
        """
        if route is Route.EDGE:
            return self._edge(rgb, unknown, hole)
        if route is Route.FACE:
            face = face_of(hole, faces)
            return self._face(rgb, unknown, hole, face.frame if face else None)
        return self._free_form(rgb, unknown, hole)

    def _free_form(self, rgb: Pixels, unknown: Mask, hole: Hole) -> Fill:
        height, width = unknown.shape
        window = context_window(hole.box, height, width, context=0.5, least=128)
        picture, known = masked_window(rgb, unknown, window)
        depth = float(
            cv2.distanceTransform(
                np.pad(hole.mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5
            ).max()
        )
        scale = min(
            1.0, FREE_FORM_SIZE / max(window.w, window.h), FREE_FORM_GAP / max(1.0, 2 * depth)
        )
        small, small_known = shrink_known(picture, known, scale)
        output = self._run("partial-conv", small, small_known, multiple=128)
        output = np.clip(output, 0, 1)
        return self._detailed(
            window, picture, known, np.where(small_known[..., None], small, output), output
        )

    def _detailed(
        self,
        seen: Box,
        picture: Pixels,
        known: Mask,
        answer: FloatArray,
        guide: FloatArray,
        *,
        fine: bool = True,
    ) -> Fill:
        """The fill of what was seen, with its texture where there can be one."""
        patch = texture_patch(picture, known, guide, margin=RIM, fine=fine) if self.detail else None
        if patch is None:
            return Fill(seen, answer, seen)
        rows, columns = patch.part
        window = Box(
            seen.x + columns.start,
            seen.y + rows.start,
            columns.stop - columns.start,
            rows.stop - rows.start,
        )
        return Fill(seen, answer, window, np.clip(patch.content, 0, 1, out=patch.content))

    def _edge(self, rgb: Pixels, unknown: Mask, hole: Hole) -> Fill:
        window = edge_window(hole, *unknown.shape)
        picture, known = masked_window(rgb, unknown, window)
        block = max(1, -(-max(window.w, window.h) // EDGE_BLOCKS))
        gh, gw = -(-window.h // block), -(-window.w // block)
        # The frame is filled up to whole blocks with unknown pixels; the network works at 8 pixels a block.
        padded, padded_known = _pad(picture, known, gh * block, gw * block)
        small, small_known = resize_known(padded, padded_known, gh * 8, gw * 8)
        coarse = np.clip(
            self._run("compression", small * 2 - 1, small_known, multiple=8) / 2 + 0.5, 0, 1
        )
        guide = cv2.resize(coarse, (gw * block, gh * block), interpolation=cv2.INTER_LINEAR)[
            : window.h, : window.w
        ]
        return self._detailed(window, picture, known, guide, guide, fine=False)  # type: ignore[arg-type]

    def _face(self, rgb: Pixels, unknown: Mask, hole: Hole, frame: Box | None) -> Fill:
        b = hole.box
        margin = max(b.w, b.h) // 8
        x0, y0, x1, y1 = b.x - margin, b.y - margin, b.x + b.w + margin, b.y + b.h + margin
        if frame is None:
            side = 2 * max(b.w, b.h)
            frame = Box(b.x + b.w // 2 - side // 2, b.y + b.h // 2 - side // 2, side, side)
        x0, y0, x1, y1 = (
            min(x0, frame.x),
            min(y0, frame.y),
            max(x1, frame.x + frame.w),
            max(y1, frame.y + frame.h),
        )
        side = max(x1 - x0, y1 - y0)
        return self.face_frame(
            rgb, unknown, Box((x0 + x1 - side) // 2, (y0 + y1 - side) // 2, side, side)
        )

    def face_frame(self, rgb: Pixels, unknown: Mask, square: Box) -> Fill:
        """The face network on a square of the photo. It may reach over the border; there it is unknown."""
        height, width = unknown.shape
        left, top = max(0, -square.x), max(0, -square.y)
        window = Box(square.x + left, square.y + top, 0, 0)
        window = Box(
            window.x,
            window.y,
            min(width, square.x + square.w) - window.x,
            min(height, square.y + square.h) - window.y,
        )
        picture, known = masked_window(rgb, unknown, window)
        frame = np.zeros((square.h, square.w, 3), picture.dtype)
        frame_known = np.zeros((square.h, square.w), bool)
        frame[top : top + window.h, left : left + window.w] = picture
        frame_known[top : top + window.h, left : left + window.w] = known
        small, small_known = resize_known(frame, frame_known, FACE_SIZE, FACE_SIZE)
        output = self._run("skip-ce", small * 2 - 1, small_known, multiple=FACE_SIZE) / 2 + 0.5
        answer = np.where(small_known[..., None], small, np.clip(output, 0, 1))
        inside = slice(top, top + window.h), slice(left, left + window.w)
        plain = np.clip(
            cv2.resize(answer, (square.w, square.h), interpolation=cv2.INTER_CUBIC)[inside], 0, 1
        )
        blur = FACE_BLUR * square.w / FACE_SIZE
        if blur < 1:
            return Fill(
                window, plain, window
            )  # the network's own pixels are as fine as the photo's
        found = self._detailed(window, picture, known, plain, plain)
        if found.detailed is None:
            return found
        # Features are the network's, only what is finer than its pixels is copied: skin and hair have grain, and eyes stay where they are.
        grain = found.detailed - cv2.GaussianBlur(found.detailed, (0, 0), blur)
        return replace(found, detailed=np.clip(found.plain + grain, 0, 1))

    def _run(self, kind: str, picture: FloatArray, known: Mask, *, multiple: int) -> FloatArray:
        """One network on one window: pads to a legal size with unknown pixels, and cuts the answer back."""
        import torch

        from ...models.precision import autocast

        h, w = known.shape
        padded, padded_known = _pad(
            picture, known, -(-h // multiple) * multiple, -(-w // multiple) * multiple
        )
        x = (
            torch.from_numpy(padded)
            .permute(2, 0, 1)[None]
            .to(self.device, memory_format=torch.channels_last)
        )
        m = torch.from_numpy(padded_known.astype(np.float32))[None, None].to(self.device)
        with torch.inference_mode(), autocast(self.device):
            y = (
                self.network(kind)(x.contiguous(memory_format=torch.channels_last), m)[0]
                .permute(1, 2, 0)
                .float()
                .cpu()
                .numpy()
            )
        factor = padded.shape[0] // y.shape[0]
        return np.ascontiguousarray(y[: -(-h // factor), : -(-w // factor)], dtype=np.float32)
