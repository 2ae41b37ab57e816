"""``--engine ray`` on a real cluster of two workers.

Its report is the local engine's, whatever process dies; either engine resumes; S3 to S3.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.engines import threads
from remove_objects.pipeline.batch.engines.ray_actors import CleaningActor
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.report import choice, previews
from remove_objects.pipeline.report.picks import pick_settings
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from tests.support import unforeseen
from tests.support.faults import FAST, FAST_OPTIONS
from tests.support.hand_held import HEIGHT, WIDTH, held, place, save, with_person
from tests.support.own_models import write_model
from tests.support.s3_server import Bucket, s3_bucket
from tests.support.scenes import scene

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="Ray is not installed: pip install '.[distributed]'",
    ),
]
needs_s3 = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("moto", "s3fs", "flask_cors")),
    reason="no S3 server: pip install '.[test]'",
)
ROOT = Path(__file__).parents[4]
OPTIONS = [*FAST_OPTIONS, "--device", "cpu", "--quiet"]
PHOTOS = 12
#: The command with a terminal's Ctrl-C. A suite in the background ignores the signal, and the
#: command would leave it ignored.
LISTENING = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from remove_objects.pipeline.cli import main; sys.exit(main())"
)
#: Keys of an entry that may differ between two runs over the same photos.
LOOSE = ("seconds", "stages")


def processes(root: int) -> dict[int, str]:
    """Return all descendants of a process: pid -> title."""
    parents, titles = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int(
                    (folder / "stat").read_text().rpartition(")")[2].split()[1]
                )
                titles[int(folder.name)] = (
                    (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
    descendants, level = {}, {root}
    while level := {pid for pid, parent in parents.items() if parent in level}:
        descendants |= {pid: titles[pid] for pid in level}
    return descendants


def until(condition: Callable[[], Any], message: str, seconds: float = 240) -> Any:
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, message
        time.sleep(0.05)
    return value


class Cluster:
    """A running cluster, and the command run against it."""

    def __init__(self, process: subprocess.Popen[str], environment: dict[str, str]) -> None:
        self.process, self.environment = process, environment

    def start(self, *arguments: object, engine: str = "ray") -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-c",
            LISTENING,
            *OPTIONS,
            "--engine",
            engine,
            *map(str, arguments),
        ]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            env=self.environment,
            cwd=ROOT,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: object, engine: str = "ray", code: int = 0) -> str:
        process = self.start(*arguments, engine=engine)
        output, errors = process.communicate(timeout=400)
        assert process.returncode == code, output + errors
        return errors

    def actors(self) -> list[int]:
        return [
            pid
            for pid, title in processes(self.process.pid).items()
            if title.startswith("ray::CleaningActor")
        ]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket | None]:
    if any(importlib.util.find_spec(name) is None for name in ("moto", "s3fs", "flask_cors")):
        yield None
        return
    with s3_bucket(tmp_path_factory.mktemp("s3") / "log") as bucket:
        yield bucket


@pytest.fixture(scope="module")
def environment(
    bucket: Bucket | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of driver and workers.

    It has this checkout, no cache, no network, and a token that only this cluster accepts.
    """
    # Not below pytest's folder: a socket's path may have at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as ray_folder:
        yield {
            **os.environ,
            **({} if bucket is None else bucket.environment),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_TMPDIR": ray_folder,
            "RAY_USAGE_STATS_ENABLED": "0",
            "REMOVE_OBJECTS_OFFLINE": "1",
            "TORCH_HOME": str(tmp_path_factory.mktemp("cache")),
        }


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str]) -> Iterator[Cluster]:
    """A cluster with two cores, which leaves no process behind."""
    pipe = subprocess.PIPE
    command = [
        sys.executable,
        str(ROOT / "tests" / "support" / "ray_process.py"),
    ]
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    address = process.stdout.readline().strip()
    assert address, process.stderr.read()
    started = set(processes(process.pid))
    yield Cluster(process, environment | {"RAY_ADDRESS": address})
    started |= set(processes(process.pid))
    process.stdin.close()
    process.wait(120)
    process.stdout.close()
    process.stderr.close()
    until(lambda: not any(_is_ray(pid) for pid in started), "processes of Ray are left", 60)


def _is_ray(pid: int) -> bool:
    try:
        return b"ray" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def make(folder: Path, count: int = PHOTOS) -> Path:
    """Make a tree of photos in ``in``, and their masks; one has none, and one is not a photo."""
    for i in range(count):
        name = f"{'deep/' * (i % 3)}p{i:02d}.png"
        for kind, picture in (
            ("in", Image.fromarray(scene(seed=i, person=None))),
            ("masks", Image.fromarray(_mask(i))),
        ):
            path = folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "in" or i:
                picture.save(path)
    (folder / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    return folder


def _mask(i: int) -> np.ndarray:
    mask = np.zeros((120, 160), bool)
    mask[30:80, 10 * (i % 6) : 10 * (i % 6) + 30] = True
    return mask


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of the local engine; a foreign file is in its way."""
    out = tmp_path_factory.mktemp("local")
    (out / "p03.png").write_bytes(b"somebody's own file")
    batch = BatchSettings(output=out, masks=photos / "masks", save_masks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(out / ".no-cache"))
        remove_folder([photos / "in"], Settings(**FAST, device="cpu"), batch)
    return out


def entries(report: bytes | Path, *hide: object) -> list[dict]:
    """Return the report's entries without ``LOOSE`` and folder names; ``hide``: longest first."""
    text = (report / "report.json").read_text() if isinstance(report, Path) else report.decode()
    for name in hide:
        text = text.replace(str(name), "…")
    photos = json.loads(text)["photos"]
    assert len({p["input"] for p in photos}) == len(photos)
    return [{k: v for k, v in p.items() if k not in LOOSE} for p in photos]


def journal(out: Path) -> list[dict]:
    """Return the rows of an output's journal."""
    return [json.loads(line) for line in (out / JOURNAL_NAME).read_text().splitlines()]


def rows(out: Path) -> int:
    return (out / JOURNAL_NAME).read_bytes().count(b"\n") if (out / JOURNAL_NAME).exists() else 0


def assert_same_files(out: Path, whole: Path) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        wanted = (
            p for p in folder.rglob("*") if p.is_file() and not p.name.startswith((".", "report."))
        )
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in wanted}

    assert files(out) == files(whole)
    assert not (out / ".remove-objects-claims").exists()


def test_a_killed_worker_loses_nothing(
    cluster: Cluster, photos: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "p03.png").write_bytes(b"somebody's own file")
    before = {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}
    run = cluster.start(
        "--masks", photos / "masks", "--save-masks", "-o", out, "--actors", 2, photos / "in"
    )
    until(lambda: rows(out) >= 2 or run.poll() is not None, "no photo was done")
    victim = cluster.actors()[0]
    os.kill(victim, signal.SIGKILL)
    output, errors = run.communicate(timeout=400)
    assert run.returncode == 1, output + errors  # broken.jpg, and the file in the way
    assert victim not in cluster.actors()
    assert entries(out, out, photos) == entries(whole, whole, photos)
    assert {p["input"]: p["status"] for p in entries(out) if p["status"] == "failed"} == {
        "broken.jpg": "failed",
        "p03.png": "failed",
    }
    # A line for each photo but the refused one, and the last line.
    assert rows(out) == PHOTOS + 1
    assert_same_files(out, whole)
    assert before == {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}
    run_facts = json.loads((out / "report.json").read_text())["run"]
    assert run_facts["weights"] == json.loads((whole / "report.json").read_text())["run"]["weights"]
    assert run_facts["device"] == "cpu"


#: Enough photos that two actors cannot finish them before a signal arrives.
MANY = 60


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("many"), MANY)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_photos_in_progress_and_the_local_engine_resumes(
    number: signal.Signals, cluster: Cluster, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["--masks", many / "masks", "--save-masks", "-o", out, many / "in"]
    run = cluster.start("--actors", "2", *arguments)
    # The actors' files tell: the driver may learn of many photos at once.
    until(lambda: any(out.rglob("p*.png")) or run.poll() is not None, "no photo was done")
    os.kill(run.pid, number)
    output, errors = run.communicate(timeout=120)
    assert run.returncode == 1, output + errors
    assert "once more stops now" in errors
    assert "the same command resumes from here" in errors
    report = json.loads((out / "report.json").read_text())
    assert 0 < len(report["photos"]) < MANY + 1
    written = {str(p.relative_to(out)) for p in out.rglob("p*.png") if "masks" not in p.parts}
    assert written == {p["output"] for p in report["photos"] if p["output"]}
    assert rows(out) == len(report["photos"])
    assert any("stopped by the user" in w for w in report["run"]["warnings"])
    until(lambda: not cluster.actors(), "the workers of a stopped run continue")
    cluster.run(*arguments, engine="local", code=1)
    done = [
        row["input"]
        for row in journal(out)
        if "input" in row and row["entry"]["status"] != "failed"
    ]
    assert len(done) == len(set(done)) == MANY  # no photo was processed twice
    assert {p["input"]: p["status"] for p in entries(out) if p["status"] == "failed"} == {
        "broken.jpg": "failed"
    }


def test_ray_skips_photos_that_the_local_engine_finished(cluster: Cluster, tmp_path: Path) -> None:
    make(tmp_path, 4)
    (tmp_path / "in" / "broken.jpg").unlink()
    arguments = ["--masks", tmp_path / "masks", "-o", tmp_path / "out", tmp_path / "in"]
    cluster.run(*arguments, engine="local")
    Image.fromarray(scene(seed=9)).save(tmp_path / "in" / "new.png")
    cluster.run(*arguments)
    statuses = {p["input"]: p["status"] for p in entries(tmp_path / "out")}
    assert statuses.pop("new.png") == "unchanged"  # it has no mask
    assert len(statuses) == 4
    assert set(statuses.values()) == {"skipped"}


def test_own_classes_are_found_as_by_the_local_engine(cluster: Cluster, tmp_path: Path) -> None:
    make(tmp_path, 3)
    (tmp_path / "in" / "broken.jpg").unlink()
    model = write_model(tmp_path / "wires")
    options = ["--class", "wire", "--segmenter", model, "--with", "none", tmp_path / "in"]
    outputs = {"ray": tmp_path / "ray", "local": tmp_path / "local"}
    for engine, out in outputs.items():
        cluster.run("-o", out, *options, engine=engine)
    first, second = (entries(out, out) for out in outputs.values())
    assert first == second
    assert len(first) == 3
    assert_same_files(outputs["ray"], outputs["local"])


def test_an_actor_on_a_machine_without_the_own_model_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "use_threads", lambda *counts: None)
    model = write_model(tmp_path / "wires")
    settings = Settings(segmenter=f"compact,{model}", offline=True)
    shutil.rmtree(model)
    batch = BatchSettings(classes=("wire",), output=tmp_path / "out")
    never_reached: Any = None
    error = CleaningActor((settings, batch, ("wire",), never_reached, 1)).ready()
    assert isinstance(error, UsageError)
    assert str(model) in str(error)


def test_a_series_is_filled_as_by_the_local_engine(cluster: Cluster, tmp_path: Path) -> None:
    """The task of each photo names its neighbours, and each actor loads them for itself."""
    source, masks = tmp_path / "in", tmp_path / "masks"
    for number in range(4):
        x, name = 20 + 70 * number, f"IMG_{number}.png"
        save(with_person(held(place(1), 4 * number), x), source / name, 2 * number)
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[80:140, x : x + 30] = True
        masks.mkdir(exist_ok=True)
        Image.fromarray(mask).save(masks / name)
    outputs = {"ray": tmp_path / "ray", "local": tmp_path / "local"}
    for engine, out in outputs.items():
        options = ("--actors", 2) if engine == "ray" else ()
        cluster.run("--masks", masks, "--save-masks", "-o", out, *options, source, engine=engine)
    first, second = (entries(out, out) for out in outputs.values())
    assert first == second
    lent = [hole["borrowed"] for entry in first for hole in entry["holes"]]
    assert len(lent) == 4
    assert all(lent)
    assert_same_files(outputs["ray"], outputs["local"])
    keys = ("source", "source_mark", "taken", "made_with", "neighbours", "borrowed")
    journals = [
        {row["input"]: [row[key] for key in keys] for row in journal(out) if "input" in row}
        for out in outputs.values()
    ]
    assert journals[0] == journals[1]
    assert len(journals[0]) == 4
    # Either engine knows the other's neighbours, and one that changed makes photos new.
    cluster.run("--masks", masks, "--save-masks", "-o", outputs["local"], source)
    assert {entry["status"] for entry in entries(outputs["local"])} == {"skipped"}
    lender = next(iter(lent[0]))
    save(with_person(held(place(1), 2), 250, 20), source / lender, 2 * int(lender[4]))
    uses = {entry["input"] for entry in first if lender in entry["holes"][0]["borrowed"]}
    cluster.run("--masks", masks, "--save-masks", "-o", outputs["local"], source)
    new = {e["input"] for e in entries(outputs["local"]) if e["status"] != "skipped"}
    assert new == uses | {lender}


def test_a_preview_and_its_picks_work_on_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("astronaut.jpg", "photographer.png"):
        shutil.copy(ROOT / "sample_images" / name, source)
    arguments = ["--class", "person", "-o", out, source]
    cluster.run("--preview", *arguments)
    assert (out / "preview.html").is_file()
    photos = []
    for name in ("astronaut.jpg", "photographer.png"):
        found = choice.read(previews.place(out, name, "objects"))
        assert found is not None
        keys = ("number", "class", "box")
        objects = [{key: one[key] for key in keys} for one in found["objects"]]
        assert objects
        goes = name == "photographer.png"
        objects = [{**one, "removed": goes} for one in objects]
        photos.append({"name": name, "size": found["size"], "objects": objects})
    settings = pick_settings(["person"], "compact", 0.5, {})
    picks = tmp_path / "picks.json"
    picks.write_text(
        json.dumps({"picks_version": 1, "settings": settings, "photos": photos}), encoding="utf-8"
    )
    cluster.run("--picks", picks, *arguments)
    whys = {p["input"]: {one["why"] for one in p["objects"]} for p in entries(out)}
    assert whys == {"astronaut.jpg": {"picked to stay"}, "photographer.png": {"picked to go"}}
    for name in whys:
        same = (out / name).read_bytes() == (source / name).read_bytes()
        assert same == (name == "astronaut.jpg")
    cluster.run("--picks", picks, *arguments, engine="local")
    assert {p["status"] for p in entries(out)} == {"skipped"}


def clean_in_process(what: str, folder: Path, environment: dict[str, str]) -> str:
    """Clean a folder as ``ray_process.py`` says, and return what the driver printed."""
    command = [sys.executable, str(ROOT / "tests" / "support" / "ray_process.py"), what, folder]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def test_a_fault_of_the_program_fails_its_photo_alone(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """In every stage; the driver logs the actors' tracebacks, and the next run tries again."""
    photos = unforeseen.make(tmp_path / "in")
    (tmp_path / "masks").mkdir()
    for photo in photos.iterdir():
        Image.fromarray(_mask(1)).save(tmp_path / "masks" / photo.name)
    errors = clean_in_process("--faults", tmp_path, environment)
    outcomes = json.loads((tmp_path / "outcomes.json").read_text())
    failed = {name: error for name, (status, error) in outcomes.items() if status == "failed"}
    assert set(failed) == {f"{stage}.png" for stage in unforeseen.STAGES}
    assert len(outcomes) == len(failed) + len(unforeseen.FINE)
    for stage, (_, _, error) in unforeseen.STAGES.items():
        assert f"({type(error).__name__} at remove_objects/pipeline/" in failed[f"{stage}.png"]
        assert f"{stage}.png: a fault of this program:\nTraceback" in errors
    batch = BatchSettings(output=tmp_path / "out", masks=tmp_path / "masks")
    again = remove_folder([photos], Settings(probe=False, offline=True), batch).photos
    assert {entry["input"] for entry in again if entry["status"] == "skipped"} == {*unforeseen.FINE}
    assert "failed" not in {entry["status"] for entry in again}


def test_a_photo_that_kills_every_worker_is_given_up(
    environment: dict[str, str], tmp_path: Path
) -> None:
    make(tmp_path, 3)
    Image.fromarray(scene()).save(tmp_path / "in" / "poison.png")
    clean_in_process("--poison", tmp_path, environment)
    outcomes = json.loads((tmp_path / "outcomes.json").read_text())
    assert {name: status for name, (status, _) in outcomes.items() if status == "failed"} == {
        "broken.jpg": "failed",
        "poison.png": "failed",
    }
    assert "was killed" in outcomes["poison.png"][1]
    assert len(outcomes) == 5


def results(bucket: Bucket) -> list[str]:
    return [
        key
        for key in bucket.tags()
        if key.startswith("out/") and key.endswith(".png") and "/masks/" not in key
    ]


@needs_s3
def test_s3_to_s3_whatever_dies(
    cluster: Cluster, bucket: Bucket, photos: Path, whole: Path
) -> None:
    bucket.upload(photos / "in", "photos")
    bucket.upload(photos / "masks", "masks")
    bucket.put("photos/sub/../../../evil.png", (photos / "in" / "p03.png").read_bytes())
    bucket.put("out/p03.png", b"somebody's own file")
    inputs = {key: tag for key, tag in bucket.tags().items() if not key.startswith("out/")}
    arguments = [
        "--masks",
        "s3://bucket/masks",
        "--save-masks",
        "-o",
        "s3://bucket/out",
        "s3://bucket/photos",
    ]
    first = cluster.start(*arguments)
    until(lambda: len(results(bucket)) > 2 or first.poll() is not None, "nothing was done")
    first.kill()  # before the first upload of the journal, which does not know these results
    first.communicate(timeout=60)
    until(lambda: not cluster.actors(), "the workers of a dead driver continue")
    cluster.run(*arguments, code=1)
    assert entries(
        bucket.get("out/report.json"), "s3://bucket/out", "s3://bucket/masks", "s3://bucket/photos"
    ) == entries(whole, whole, photos / "masks", photos / "in")
    report = json.loads(bucket.get("out/report.json"))
    assert any("no folder can hold" in w for w in report["run"]["warnings"])
    keys = bucket.tags()
    assert {key: tag for key, tag in keys.items() if not key.startswith("out/")} == inputs
    assert not [key for key in keys if "evil" in key and key.startswith("out/")]
    assert not [key for key in keys if ".remove-objects-claims" in key or "journal.d" in key]
    for path in (p for p in whole.rglob("*.png") if not p.name.startswith(".")):
        assert bucket.get(f"out/{path.relative_to(whole).as_posix()}") == path.read_bytes(), path
    # The other engine skips them all.
    cluster.run(*arguments, engine="local", code=1)
    again = {p["input"]: p["status"] for p in entries(bucket.get("out/report.json"))}
    assert {name for name, status in again.items() if status != "skipped"} == {
        "broken.jpg",
        "p03.png",
    }


@needs_s3
def test_picks_in_a_bucket_are_followed_by_both_engines(
    cluster: Cluster, bucket: Bucket, tmp_path: Path
) -> None:
    names = ("astronaut.jpg", "photographer.png")
    sizes = {}
    for name in names:
        bucket.put(f"album/{name}", (ROOT / "sample_images" / name).read_bytes())
        with Image.open(ROOT / "sample_images" / name) as image:
            sizes[name] = image.size
    arguments = ["--class", "person", "-o", "s3://bucket/picked", "s3://bucket/album"]

    def report() -> dict[str, Any]:
        return {p["input"]: p for p in json.loads(bucket.get("picked/report.json"))["photos"]}

    def pick(goes: str) -> None:
        photos = [
            {
                "name": name,
                "size": sizes[name],
                "objects": [
                    {
                        **{key: one[key] for key in ("number", "class", "box")},
                        "removed": name in goes,
                    }
                    for one in entry["objects"]
                ],
            }
            for name, entry in report().items()
        ]
        settings = pick_settings(["person"], "auto", 0.5, {})
        content = {"picks_version": 1, "settings": settings, "photos": photos}
        bucket.put("own/picks.json", json.dumps(content).encode())

    def same(name: str) -> bool:
        return bucket.get(f"picked/{name}") == bucket.get(f"album/{name}")

    cluster.run("--preview", *arguments)
    assert b"astronaut.jpg" in bucket.get("picked/preview.html")
    assert all(entry["objects"] for entry in report().values())
    pick("photographer.png")
    picks = ("--picks", "s3://bucket/own/picks.json")
    cluster.run(*picks, *arguments)
    assert [same(name) for name in names] == [True, False]
    baseline = tmp_path / "baseline.json"
    baseline.write_bytes(bucket.get("picked/report.json"))
    pick("both: astronaut.jpg, photographer.png")
    cluster.run(*picks, *arguments, engine="local")
    statuses = {name: entry["status"] for name, entry in report().items()}
    assert statuses.pop("photographer.png") == "skipped"
    assert statuses["astronaut.jpg"] in ("ok", "review")
    assert not same("astronaut.jpg")
    # Back to the first ones, and compared with what they gave then.
    pick("photographer.png")
    cluster.run(*picks, "--baseline", baseline, *arguments)
    assert [same(name) for name in names] == [True, False]
    assert {name: entry["status"] == "skipped" for name, entry in report().items()} == {
        "astronaut.jpg": False,
        "photographer.png": True,
    }
