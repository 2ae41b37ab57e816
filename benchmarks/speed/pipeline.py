"""Speed of the pipeline beside the machine's own limit, and beside its peers, in one run.

    python benchmarks/speed/pipeline.py [--quick] [--repeats 5] [--json FILE]

Every stage on a photo of 2 megapixels with one hole: median seconds, spread, counted FLOPs, and the share of the matrix-product rate of
this very machine that they reach. Then whole runs of ``remove-objects`` in processes of their own: seconds a photo, start to first photo,
peak memory. Last, every goal beside what was measured. A sample picture is enlarged, so nothing but the repository is needed;
FCN-ResNet101 has random weights, which take as long as the published ones. Figures of one run are compared with each other only.
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
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]

SAMPLE = ROOT / "sample_images" / "brick_wall.jpg"
SIZES = {"2mp": (1224, 1632), "12mp": (3000, 4000), "48mp": (6000, 8000)}
#: Multiply-adds count twice. LaMa's generator at 512 x 512 (Suvorov et al. 2022, big-lama).
LAMA = 440e9


def median(run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Seconds of ``run`` after one call that does not count."""
    run()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begun)
    return {"seconds": statistics.median(taken), "spread": max(taken) - min(taken)}


def gemm(dtype: Any, repeats: int, size: int = 2048) -> float:
    """FLOP a second of a product of two square matrices."""
    import torch

    a, b = (torch.randn(size, size, dtype=dtype) for _ in range(2))
    return 2 * size**3 / median(lambda: a @ b, repeats)["seconds"]


def flops(run: Callable[[], Any]) -> int:
    """Of the networks in one call: all are convolutions (the texture's search for offsets multiplies matrices, which is none)."""
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
    """The sample enlarged to ``size`` (height, width), as a JPEG."""
    picture = cv2.imread(str(SAMPLE))
    assert picture is not None
    path = folder / f"{name}.jpg"
    cv2.imwrite(
        str(path),
        cv2.resize(picture, size[::-1], interpolation=cv2.INTER_CUBIC),
        [cv2.IMWRITE_JPEG_QUALITY, 92],
    )
    return path


def stages(folder: Path, repeats: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """(our stages, the peers) on the photo of 2 megapixels."""
    import torch
    from torchvision.models.segmentation import FCN_ResNet101_Weights, fcn_resnet101

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
    unknown, hole = outcome.mask, max(mask.find_holes(outcome.mask), key=lambda h: h.share)
    inpainters = remover.networks.inpainters
    filler = HoleFiller(rgb, unknown, removal, remover.networks)
    filler.result = outcome.result
    found: dict[str, Any] = {
        "photo": {
            "height": rgb.shape[0],
            "width": rgb.shape[1],
            "hole_share": round(outcome.hole_share, 4),
        }
    }

    def add(name: str, run: Callable[[], Any], *, network: bool = False) -> None:
        found[name] = median(run, repeats) | ({"flops": flops(run)} if network else {})

    add("read", lambda: images.read_photo(path))
    add(
        "segment compact, one look",
        lambda: remover.networks.segmenter.probabilities(rgb),
        network=True,
    )
    add(
        "segment compact, with closer looks",
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
    large = segmenters.FCNSegmenter(str(weights), torch.device("cpu"))
    add("segment fcn_resnet101", lambda: large.probabilities(rgb), network=True)
    add("faces", lambda: remover.networks.faces.detect(rgb))
    plain = replace(remover.settings, detail="none")
    networks_alone = ObjectRemover(plain).networks.inpainters
    for route in Route:
        add(
            f"inpaint {route.value}, network",
            lambda route=route: networks_alone.fill(rgb, unknown, hole, route),
            network=True,
        )
        add(
            f"inpaint {route.value}, with detail",
            lambda route=route: inpainters.fill(rgb, unknown, hole, route),
            network=True,
        )
    fill = inpainters.fill(rgb, unknown, hole, Route.FREE_FORM)
    add("composite", lambda: composite.blend_into(rgb.copy(), fill.rgb, fill.window, hole, unknown))
    place = probe.probe_hole(hole, unknown, Route.FREE_FORM)
    if place is not None:
        add("probe", lambda: filler.probe(place, Route.FREE_FORM))
    filled = FilledHole(hole, outcome.holes[0].routing, None, {})
    add("measure", lambda: filler.measure(filled, None))
    add("preview", lambda: previews.write(folder, "stages.jpg", photo, outcome))
    out = folder / "written.jpg"
    add("write", lambda: images.write_photo(photo, outcome.result, unknown, out, lossless=False))

    peers: dict[str, Any] = {}
    for method in ("navier-stokes", "telea"):
        peers[method] = median(
            lambda method=method: fill_classically(rgb, unknown, hole, method), max(1, repeats // 2)
        )
    # torchvision's own way: its transforms, contiguous fp32, its network as it comes.
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
        add(
            f"free-form at 512, {name}",
            lambda fills=fills: fills.fill(small, missing, square, Route.FREE_FORM),
            network=True,
        )
    return found, peers


def whole_run(folder: Path, size: str, count: int, *options: str) -> dict[str, float]:
    """``remove-objects`` on ``count`` copies in a process of its own: seconds in all and a photo, and its peak memory in MB."""
    photos = folder / f"{size}-{count}"
    photos.mkdir(exist_ok=True)
    first = photo_file(photos, SIZES[size], "0000")
    for i in range(1, count):
        (photos / f"{i:04d}.jpg").write_bytes(first.read_bytes())
    output = folder / f"{size}-{count}-out"
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
    # The journal of an earlier run would count as this one's first photo.
    shutil.rmtree(output, ignore_errors=True)
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, *options, str(photos)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    first_done = peak = looked = 0.0
    journal = output / ".remove-objects-journal.jsonl"
    while process.poll() is None:
        if not first_done and journal.exists() and journal.stat().st_size:
            first_done = time.perf_counter() - begun
        if time.perf_counter() - looked > 0.25:  # counting a process' pages holds it up
            peak, looked = max(peak, resident_mb(process.pid)), time.perf_counter()
        time.sleep(0.02)
    total, status = time.perf_counter() - begun, process.returncode
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    if status not in (0, 1) or len(report["photos"]) != count:
        raise RuntimeError(f"remove-objects ended with {status}; see {output}")
    # Medians: the first photo's stages hold the loading of the networks.
    by_stage = {
        stage: statistics.median(p["stages"][stage] for p in report["photos"])
        for stage in report["photos"][0]["stages"]
    }
    return {
        "photos": count,
        "seconds": total,
        "first_photo": first_done or total,
        "seconds_a_photo_after_the_first": (total - first_done) / (count - 1)
        if count > 1 and first_done
        else total,
        "peak_mb": peak,
        "stages": {stage: round(seconds, 3) for stage, seconds in by_stage.items()},  # type: ignore[dict-item]
    }


def resident_mb(pid: int) -> float:
    """Memory of a process and its children now (Linux), what they share counted once. ``ru_maxrss`` will not do: a child's begins with its
    parent's, which here has FCN-ResNet101 in it."""
    pids, total = [pid], 0.0
    for each in pids:  # grows while it is walked
        proc = Path("/proc") / str(each)
        try:
            pids += [
                int(child)
                for task in (proc / "task").iterdir()
                for child in (task / "children").read_text().split()
            ]
            found = re.search(r"^Pss:\s+(\d+)", (proc / "smaps_rollup").read_text(), re.MULTILINE)
        except OSError:  # it ended in between
            continue
        total += int(found[1]) / 1024 if found else 0.0
    return total


def help_seconds(repeats: int) -> dict[str, float]:
    """``remove-objects --help``, from the shell's view."""
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
    """Each goal beside its figure: all are ratios or bounds within this run. None: was not measured."""
    found, peers, rate, runs = result["stages"], result["peers"], result["gemm"], result["runs"]
    best = max(rate.values())
    fcn, plain = found["segment fcn_resnet101"], peers["torchvision fcn_resnet101, plain call"]
    networks = (
        found["segment compact, with closer looks"]["flops"] * 2
        + found["inpaint free-form, with detail"]["flops"]
    )
    least = networks / best + found["read"]["seconds"] + found["write"]["seconds"]
    small = runs["2mp"]["seconds_a_photo_after_the_first"]
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
        ("2 megapixels, seconds a photo", small, "<=", 1.0),
        ("2 megapixels, against networks at the limit + decode + encode", small / least, "<=", 1.5),
        (
            "12 megapixels against 2",
            runs["12mp"]["seconds_a_photo_after_the_first"] / small,
            "<=",
            2.5,
        ),
        (
            "free-form at 512, x faster than LaMa's load",
            LAMA / best / found["free-form at 512, with detail"]["seconds"],
            ">=",
            12.0,
        ),
        (
            "the same, its network alone (at a reduced size, as it works)",
            LAMA / best / found["free-form at 512, network"]["seconds"],
            ">=",
            12.0,
        ),
        ("--help, seconds", result["help"]["seconds"], "<=", 0.3),
        ("first photo after a cold start, seconds", runs["2mp"]["first_photo"], "<=", 6.0),
        ("peak memory at 12 megapixels, GB", runs["12mp"]["peak_mb"] / 1024, "<=", 1.5),
        (
            "peak memory at 48 megapixels, GB",
            runs["48mp"]["peak_mb"] / 1024 if "48mp" in runs else None,
            "<=",
            3.0,
        ),
    ]
    return [
        {
            "goal": name,
            "measured": value,
            "wanted": f"{sign} {bound:g}",
            "reached": None
            if value is None
            else value >= bound
            if sign == ">="
            else value <= bound,
        }
        for name, value, sign, bound in rows
    ]


def show(result: dict[str, Any]) -> None:
    """The figures as text."""
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
        times = f"{run['photos']} photos in {run['seconds']:.1f} s, first after {run['first_photo']:.1f} s"
        print(f"run {name}: {times}, peak {run['peak_mb']:.0f} MB; {run['stages']}")
    for goal in result["goals"]:
        measured = "not measured" if goal["measured"] is None else f"{goal['measured']:.2f}"
        verdict = "" if goal["reached"] is None else "reached" if goal["reached"] else "NOT REACHED"
        print(f"{goal['goal']:66}{measured:>13}{goal['wanted']:>9}  {verdict}")


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument(
        "--quick",
        action="store_true",
        help="one repeat, few photos, no 48 megapixels: to see that it runs",
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
        """The best rate seen so far: a machine that others work on too is at times half as fast."""
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
        sizes = ["2mp", "12mp"] if args.quick else list(SIZES)
        counts = {"2mp": count, "12mp": max(2, count // 3), "48mp": 2}
        result["runs"] = {
            size: whole_run(folder, size, counts[size], "--no-probe") for size in sizes
        }
    limit()
    result["goals"] = goals(result)
    show(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
