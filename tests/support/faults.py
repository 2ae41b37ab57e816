"""Small photos, and checks of the folder that a disturbed run over them leaves behind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from remove_objects.pipeline import images
from remove_objects.pipeline.batch.run import FolderResult, remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.images import masks, read
from remove_objects.pipeline.images.dct import splice, worker
from remove_objects.pipeline.system.signals import Stop
from tests.support.scenes import scene
from tools.faults.checks import digests, wrong_after_fault, wrong_after_resume

#: No probe, no texture, and no face detection, which would take most of the time.
FAST: dict[str, Any] = {"probe": False, "detail": "none", "route": "free-form", "offline": True}
#: The same settings as options of the command.
FAST_OPTIONS = ["--no-probe", "--detail", "none", "--route", "free-form", "--offline"]
OPTIONS = [*FAST_OPTIONS, "--save-masks", "-q"]


def decode_here() -> None:
    """Let this process, a child that ends soon, decode photos and splice JPEGs itself.

    Its own child processes would take longer to start than it lives. The files are the same.
    """

    def ask(folder: Path) -> None:
        earlier = tempfile.tempdir
        try:
            worker.splice(folder)
        finally:
            tempfile.tempdir = earlier

    images.read_photo = masks.read_photo = read.read_photo
    splice._ask = ask


class Ground:
    """Photos and masks, and the output folder of an undisturbed run over them (``whole``)."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.whole = folder, folder / "whole"
        for name, seed in (("a.png", 1), ("deep/b.jpg", 2), ("deep/c.jpg", 3)):
            path = folder / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(scene(48, 64, person=None, seed=seed)).save(path)
        (folder / "in" / "broken.png").write_bytes(b"no picture")
        mask = np.zeros((48, 64), bool)
        mask[18:30, 24:38] = True
        for name in ("a.png", "deep/b.png"):  # c.jpg has none, and is copied
            path = folder / "masks" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(path)
        self.inputs = digests(folder / "in")
        self.clean(self.whole)

    def clean(self, out: Path, *, workers: int = 1, stop: Stop | None = None) -> FolderResult:
        batch = BatchSettings(
            output=out, masks=self.folder / "masks", save_masks=True, workers=workers
        )
        return remove_folder([self.folder / "in"], Settings(**FAST), batch, stop=stop)

    def assert_nothing_is_half(self, out: Path) -> None:
        assert wrong_after_fault(out, self.whole) == []
        assert digests(self.folder / "in") == self.inputs

    def assert_resumes(self, out: Path) -> None:
        assert self.clean(out).stopped is None
        assert wrong_after_resume(out, self.whole) == []
        assert digests(self.folder / "in") == self.inputs
