"""Measure the pipeline's speed against the machine's limit and against other libraries, in one run.

    python -m benchmarks.speed.pipeline [--quick] [--repeats 5] [--json FILE]

Every stage runs on a photo of 2 megapixels with one hole: median seconds, spread, counted FLOPs,
and the share of this machine's matrix-product rate that they reach. Whole runs of
``remove-objects`` follow, each in its own process: seconds per photo, time to the first photo, peak
memory. The last table compares every goal with its measurement. The photo is an enlarged sample
picture, so the repository suffices; FCN-ResNet101 has random weights, which take as long as the
published ones. Compare only numbers of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]

SAMPLE = ROOT / "sample_images" / "brick_wall.jpg"
SIZES = {"2mp": (1224, 1632), "12mp": (3000, 4000), "48mp": (6000, 8000)}
#: Behind a size: the photos are one series.
SERIES = " series"
#: Behind a size: the photos have a mask of so many equal holes, each ``HOLE`` of the photo.
ONE_HOLE, TWO_HOLES, HOLE = " one hole", " two holes", 0.05
#: Photos in progress at once, as by default.
AT_ONCE = 2
#: Multiply-adds count twice. LaMa's generator at 512 x 512 (Suvorov et al. 2022, big-lama).
LAMA = 440e9


def median(run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Time several calls of ``run`` after one that does not count: median and spread in seconds."""
    run()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begun)
    return {"seconds": statistics.median(taken), "spread": max(taken) - min(taken)}


def gemm(dtype: Any, repeats: int, size: int = 2048) -> float:
    """Return the FLOP/s of a product of two square matrices."""
    import torch

    a, b = (torch.randn(size, size, dtype=dtype) for _ in range(2))
    return 2 * size**3 / median(lambda: a @ b, repeats)["seconds"]


def flops(run: Callable[[], Any]) -> int:
    """Count the FLOPs of the networks in one call.

    Only convolutions count: the texture's search for offsets multiplies matrices too.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        run()
    return int(
        sum(
            n
            for operation, n in counter.get_flop_counts()["Global"].items()
            if "convolution" in str(operation)
        )
    )


def photo_file(folder: Path, size: tuple[int, int], name: str) -> Path:
    """Write the sample, enlarged to ``size`` (height, width), as a JPEG."""
    picture = cv2.imread(str(SAMPLE))
    assert picture is not None
    path = folder / f"{name}.jpg"
    cv2.imwrite(
        str(path),
        cv2.resize(picture, size[::-1], interpolation=cv2.INTER_CUBIC),
        [cv2.IMWRITE_JPEG_QUALITY, 92],
    )
    return path


def mask_file(folder: Path, size: tuple[int, int], name: str, holes: int) -> None:
    """Write a mask of ``size`` (height, width) with equal discs side by side."""
    height, width = size
    mask = np.zeros(size, np.uint8)
    radius = round(float(np.sqrt(HOLE * height * width / np.pi)))
    for x in (width // 4, 3 * width // 4)[:holes]:
        cv2.circle(mask, (x, height // 2), radius, 255, -1)
    cv2.imwrite(str(folder / f"{name}.png"), mask)


def stages(folder: Path, repeats: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure (the stages, other libraries) on the photo of 2 megapixels."""
    import torch
    from torchvision.models.segmentation import FCN_ResNet101_Weights, fcn_resnet101

    from remove_objects.models.torchvision_segmentation import load_network
    from remove_objects.pipeline import images
    from remove_objects.pipeline.config import Settings
    from remove_objects.pipeline.detect import mask, segmenters
    from remove_objects.pipeline.inpaint import composite
    from remove_objects.pipeline.inpaint.classical import fill_classically
    from remove_objects.pipeline.quality import probe
    from remove_objects.pipeline.removal.filling import FilledHole, HoleFiller
    from remove_objects.pipeline.removal.request import Removal
    from remove_objects.pipeline.remover import ObjectRemover
    from remove_objects.pipeline.report import previews
    from remove_objects.pipeline.types import Route

    path = photo_file(folder, SIZES["2mp"], "stages")
    remover = ObjectRemover(Settings(segmenter="compact", offline=True, probe=True))
    photo = images.read_photo(path)
    rgb = photo.rgb
    removal = Removal.from_settings(remover.settings, ["person"])
    outcome = remover.clean(photo, removal)
    assert outcome.mask is not None
    assert outcome.result is not None
    result, hole_mask = outcome.result, outcome.mask
    hole = max(mask.find_holes(hole_mask), key=lambda h: h.share)
    inpainters = remover.networks.inpainters
    filler = HoleFiller(rgb, hole_mask, removal, remover.networks)
    filler.result = result
    measured: dict[str, Any] = {
        "photo": {
            "height": rgb.shape[0],
            "width": rgb.shape[1],
            "hole_share": round(outcome.hole_share, 4),
        }
    }

    def add(name: str, run: Callable[[], Any], *, network: bool = False) -> None:
        measured[name] = median(run, repeats) | ({"flops": flops(run)} if network else {})

    add("read", lambda: images.read_photo(path))
    add(
        "segment compact, one pass",
        lambda: remover.networks.segmenter.probabilities(rgb),
        network=True,
    )
    add(
        "segment compact, all passes",
        lambda: remover.select(photo, removal),
        network=True,
    )
    torch.manual_seed(0)
    weights = folder / "fcn.pth"
    torch.save(
        fcn_resnet101(
            weights=None, weights_backbone=None, num_classes=21, aux_loss=True
        ).state_dict(),
        weights,
    )
    large = segmenters.TorchvisionSegmenter(
        "fcn_resnet101", load_network("fcn_resnet101", weights), torch.device("cpu")
    )
    add("segment fcn_resnet101", lambda: large.probabilities(rgb), network=True)
    add("faces", lambda: remover.networks.faces.detect(rgb))
    plain = replace(remover.settings, detail="none")
    networks_alone = ObjectRemover(plain).networks.inpainters
    for route in Route:
        call = (rgb, hole_mask, hole, route)
        add(f"inpaint {route.value}, network", partial(networks_alone.fill, *call), network=True)
        add(f"inpaint {route.value}, with detail", partial(inpainters.fill, *call), network=True)
    fill = inpainters.fill(rgb, hole_mask, hole, Route.FREE_FORM)
    add(
        "composite",
        lambda: composite.blend_into(rgb.copy(), fill.rgb, fill.window, hole, hole_mask),
    )
    place = probe.probe_hole(hole, hole_mask, Route.FREE_FORM)
    if place is not None:
        add("probe", lambda: filler.probe(place, Route.FREE_FORM))
    filled = FilledHole(hole, outcome.holes[0].routing, None, {})
    add("measure", lambda: filler.measure(filled, None, None))
    add("preview", lambda: previews.write(folder, "stages.jpg", photo, outcome))
    out = folder / "written.jpg"
    add("write", lambda: images.write_photo(photo, result, hole_mask, out, lossless=False))

    peers: dict[str, Any] = {}
    for method in ("navier-stokes", "telea"):
        peers[method] = median(
            partial(fill_classically, rgb, hole_mask, hole, method), max(1, repeats // 2)
        )
    # As torchvision documents it: its transforms, contiguous fp32, its network unchanged.
    plainly = fcn_resnet101(
        weights=None, weights_backbone=None, num_classes=21, aux_loss=True
    ).eval()
    plainly.load_state_dict(torch.load(weights, weights_only=True))
    transform = FCN_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1.transforms()

    def call_fcn() -> None:
        with torch.no_grad():
            plainly(transform(torch.from_numpy(rgb).permute(2, 0, 1))[None])["out"]

    peers["torchvision fcn_resnet101, plain call"] = median(call_fcn, max(1, repeats // 2)) | {
        "flops": flops(call_fcn)
    }
    small = cv2.resize(rgb, (512, 512), interpolation=cv2.INTER_AREA)
    missing = np.zeros((512, 512), bool)
    missing[150:380, 150:380] = True
    square = mask.find_holes(missing)[0]
    for name, fills in (("network", networks_alone), ("with detail", inpainters)):
        call = (small, missing, square, Route.FREE_FORM)
        add(f"free-form at 512, {name}", partial(fills.fill, *call), network=True)
    return measured, peers


def whole_run(folder: Path, name: str, count: int, *options: str) -> dict[str, Any]:
    """Run ``remove-objects`` on ``count`` copies in its own process: times and peak memory.

    Args:
        folder: for photos and results.
        name: of ``SIZES``; with ``SERIES`` behind it the copies are numbered, as the frames of a
            video, so that they are one series, and else they are photos of different places. With
            ``ONE_HOLE`` or ``TWO_HOLES`` a mask says what is removed.
        count: of photos.
        options: of the command.
    """
    photos = folder / f"{name}-{count}"
    photos.mkdir(exist_ok=True)
    is_series, size = name.endswith(SERIES), SIZES[name.split()[0]]
    names = [f"{i:04d}" if is_series else chr(ord("a") + i) for i in range(count)]
    first = photo_file(photos, size, names[0])
    for other in names[1:]:
        (photos / f"{other}.jpg").write_bytes(first.read_bytes())
    if name.endswith((ONE_HOLE, TWO_HOLES)):
        masks = folder / f"{name}-{count}-masks"
        masks.mkdir(exist_ok=True)
        for each in names:
            mask_file(masks, size, each, 2 if name.endswith(TWO_HOLES) else 1)
        options = *options, "--masks", str(masks)
    output = folder / f"{name}-{count}-out"
    command = [
        sys.executable,
        "-m",
        "remove_objects.pipeline.cli",
        "--class",
        "person",
        "--segmenter",
        "compact",
        "--offline",
        "--overwrite",
        "-o",
        str(output),
    ]
    # The journal of an earlier run would count as the first photo of this one.
    shutil.rmtree(output, ignore_errors=True)
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, *options, str(photos)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    first_done = started = peak = sampled = 0.0
    journal = output / ".remove-objects-journal.jsonl"
    while process.poll() is None:
        done = journal.read_bytes().count(b"\n") if not started and journal.exists() else 0
        if done and not first_done:
            first_done = time.perf_counter() - begun
        if done >= AT_ONCE:
            started = time.perf_counter() - begun
        if time.perf_counter() - sampled > 0.25:  # counting the pages of a process blocks it
            peak, sampled = max(peak, resident_mb(process.pid)), time.perf_counter()
        time.sleep(0.02)
    total, status = time.perf_counter() - begun, process.returncode
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    if status not in (0, 1) or len(report["photos"]) != count:
        raise RuntimeError(f"remove-objects ended with {status}; see {output}")
    # Medians: the first photo's stages include the loading of the networks.
    by_stage = {
        stage: statistics.median(p["stages"][stage] for p in report["photos"])
        for stage in report["photos"][0]["stages"]
    }
    return {
        "photos": count,
        "seconds": total,
        "first_photo": first_done or total,
        # Those that begin together are done together: the time until the next ones are is theirs.
        "seconds_a_photo_after_the_start": (total - started) / (count - AT_ONCE)
        if count > AT_ONCE and started
        else total / count,
        "peak_mb": peak,
        "stages": {stage: round(seconds, 3) for stage, seconds in by_stage.items()},
    }


def resident_mb(pid: int) -> float:
    """Return the current memory of a process and its children (Linux); shared memory counts once.

    ``ru_maxrss`` is unsuitable: a child's starts at its parent's, which includes FCN-ResNet101
    here.
    """
    pids, total = [pid], 0.0
    for each in pids:  # the list grows during the loop
        proc = Path("/proc") / str(each)
        try:
            pids += [
                int(child)
                for task in (proc / "task").iterdir()
                for child in (task / "children").read_text().split()
            ]
            pss = re.search(r"^Pss:\s+(\d+)", (proc / "smaps_rollup").read_text(), re.MULTILINE)
        except OSError:  # the process has ended
            continue
        total += int(pss[1]) / 1024 if pss else 0.0
    return total


def help_seconds(repeats: int) -> dict[str, float]:
    """Time ``remove-objects --help`` from start to exit."""
    return median(
        lambda: subprocess.run(
            [sys.executable, "-m", "remove_objects.pipeline.cli", "--help"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            check=True,
        ),
        repeats,
    )


def goals(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare each goal with its measurement, None if it was not measured.

    All goals are ratios or bounds within this run.
    """
    ours, peers, rate, runs = result["stages"], result["peers"], result["gemm"], result["runs"]
    best = max(rate.values())
    fcn, plain = ours["segment fcn_resnet101"], peers["torchvision fcn_resnet101, plain call"]
    networks = (
        ours["segment compact, all passes"]["flops"] * 2
        + ours["inpaint free-form, with detail"]["flops"]
    )
    least = networks / best + ours["read"]["seconds"] + ours["write"]["seconds"]
    small = runs["2mp"]["seconds_a_photo_after_the_start"]
    rows = [
        (
            "FCN stage against torchvision's plain call, x faster",
            plain["seconds"] / fcn["seconds"],
            ">=",
            3.0,
        ),
        (
            "FCN stage, share of the best matrix-product rate",
            fcn["flops"] / fcn["seconds"] / best,
            ">=",
            0.85,
        ),
        ("2 megapixels, seconds per photo", small, "<=", 1.0),
        ("2 megapixels, against networks at the limit + decode + encode", small / least, "<=", 1.5),
        (
            "12 megapixels against 2",
            runs["12mp"]["seconds_a_photo_after_the_start"] / small,
            "<=",
            2.2,
        ),
        (
            "48 megapixels against 2",
            runs["48mp"]["seconds_a_photo_after_the_start"] / small if "48mp" in runs else None,
            "<=",
            4.0,
        ),
        (
            "two holes against one of the same size",
            runs[f"2mp{TWO_HOLES}"]["seconds_a_photo_after_the_start"]
            / runs[f"2mp{ONE_HOLE}"]["seconds_a_photo_after_the_start"],
            "<=",
            2.2,
        ),
        (
            "free-form at 512, x faster than LaMa's load",
            LAMA / best / ours["free-form at 512, with detail"]["seconds"],
            ">=",
            12.0,
        ),
        (
            "the same, its network alone (at its reduced size)",
            LAMA / best / ours["free-form at 512, network"]["seconds"],
            ">=",
            12.0,
        ),
        ("--help, seconds", result["help"]["seconds"], "<=", 0.3),
        ("first photo after a cold start, seconds", runs["2mp"]["first_photo"], "<=", 4.0),
        ("peak memory at 12 megapixels, GB", runs["12mp"]["peak_mb"] / 1024, "<=", 1.3),
        (
            "peak memory at 48 megapixels, GB",
            runs["48mp"]["peak_mb"] / 1024 if "48mp" in runs else None,
            "<=",
            2.5,
        ),
    ]
    return [
        {
            "goal": name,
            "measured": value,
            "target": f"{sign} {bound:g}",
            "reached": None
            if value is None
            else value >= bound
            if sign == ">="
            else value <= bound,
        }
        for name, value, sign, bound in rows
    ]


def show(result: dict[str, Any]) -> None:
    """Print everything as text."""
    best = max(result["gemm"].values())
    print(
        "matrix products: "
        + ", ".join(f"{k} {v / 1e9:.0f} GFLOP/s" for k, v in result["gemm"].items())
    )
    print(f"{'stage (2 megapixels)':42}{'seconds':>9}{'spread':>8}{'GFLOP':>8}{'of limit':>9}")
    for name, row in {**result["stages"], **result["peers"]}.items():
        if "seconds" in row:
            of_limit = (
                f"{row['flops'] / 1e9:8.1f}{row['flops'] / row['seconds'] / best:9.2f}"
                if "flops" in row
                else ""
            )
            print(f"{name:42}{row['seconds']:9.3f}{row['spread']:8.3f}{of_limit}")
    for name, run in result["runs"].items():
        times = f"{run['photos']} photos in {run['seconds']:.1f} s"
        times += f", first after {run['first_photo']:.1f} s"
        print(f"run {name}: {times}, peak {run['peak_mb']:.0f} MB; {run['stages']}")
    for goal in result["goals"]:
        measured = "not measured" if goal["measured"] is None else f"{goal['measured']:.2f}"
        verdict = "" if goal["reached"] is None else "reached" if goal["reached"] else "NOT REACHED"
        print(f"{goal['goal']:66}{measured:>13}{goal['target']:>9}  {verdict}")


def main() -> int:
    """Run the command."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument(
        "--quick",
        action="store_true",
        help="one repeat, few photos, no 48 megapixels: checks that it works",
    )
    p.add_argument("--repeats", type=int, default=5)
    p.add_argument("--json", type=Path)
    args = p.parse_args()
    import torch

    repeats, count = (1, 2) if args.quick else (args.repeats, 12)
    result: dict[str, Any] = {
        "machine": {
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
    }

    def limit() -> None:
        """Keep the best rate so far: a shared machine is at times half as fast."""
        for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            rate = gemm(kind, repeats, 512 if args.quick else 2048)
            result["gemm"][name] = max(rate, result["gemm"].get(name, 0.0))

    result["gemm"] = {}
    limit()
    result["help"] = help_seconds(repeats)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result["stages"], result["peers"] = stages(folder, repeats)
        limit()
        counts = dict.fromkeys(("2mp", f"2mp{SERIES}", f"2mp{ONE_HOLE}", f"2mp{TWO_HOLES}"), count)
        counts |= {"12mp": max(2, count // 2), "48mp": 4}
        if args.quick:
            del counts["48mp"]
        result["runs"] = {
            name: whole_run(folder, name, photos, "--no-probe") for name, photos in counts.items()
        }
    limit()
    result["goals"] = goals(result)
    show(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
