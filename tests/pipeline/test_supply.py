"""Weights, through the command: damaged files and the absence of the network.

A damaged file is refused with its remedy, or left unused with a warning. With ``--offline`` no
connection is ever tried.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from remove_objects.models.download_cache import cache_folder
from remove_objects.models.hub import SEGMENTERS, SQUEEZENET, YUNET
from remove_objects.pipeline import cli
from remove_objects.pipeline.report.files import read_report
from tests.support.scenes import scene

ROOT = Path(__file__).parents[2]
PERSON = ["--class", "person", "--offline"]
#: The command in a process that records and refuses every connection to another machine.
RECORDED = """
import json, os, sys
CONNECTIONS = {
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto",
    "socket.sendmsg", "urllib.Request",
}
def record(event, arguments):
    if event in CONNECTIONS:
        with open(os.environ["CALLS"], "a") as file:
            file.write(f"{event} {arguments!r}\\n")
        raise ConnectionRefusedError("the test refuses every connection")
sys.addaudithook(record)
import remove_objects.models.shipped
from pathlib import Path
remove_objects.models.shipped.FOLDER = Path(os.environ["WEIGHTS"])
from remove_objects.pipeline.cli import main
sys.exit(main())
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    mask = Image.new("L", (160, 120))
    mask.paste(255, (60, 40, 80, 70))
    mask.save(tmp_path / "masks" / "a.png")
    Image.fromarray(scene()).save(tmp_path / "photos" / "a.png")
    return tmp_path / "photos"


def run(photos: Path, weights: Path, *arguments: str) -> tuple[int, str, list[str]]:
    """Return (exit code, output, connections that it tried)."""
    calls = photos.parent / "calls"
    environment = {
        k: v for k, v in os.environ.items() if k not in ("REMOVE_OBJECTS_OFFLINE", "TORCH_HOME")
    }
    environment |= {
        "CALLS": str(calls),
        "WEIGHTS": str(weights),
        "TORCH_HOME": str(photos.parent / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    command = [
        sys.executable,
        "-c",
        RECORDED,
        "--class",
        "person",
        "-o",
        str(photos.parent / "out"),
        *arguments,
    ]
    done = subprocess.run(
        [*command, str(photos)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    return (
        done.returncode,
        done.stdout + done.stderr,
        calls.read_text().splitlines() if calls.exists() else [],
    )


@pytest.mark.network
@pytest.mark.slow
def test_offline_no_connection_is_tried_and_without_a_network_the_command_works_too(
    photos: Path, tiny_weights: Path
) -> None:
    # With a mask and a class every network is used; the segmenter measures the residue.
    given = ["--masks", str(photos.parent / "masks"), "--overwrite"]
    code, said, calls = run(photos, tiny_weights, *given, "--offline")
    assert (code, calls) == (0, []), said
    code, said, calls = run(photos, tiny_weights, *given)
    assert code == 0, said
    for host in ("download.pytorch.org", "media.githubusercontent.com"):
        assert any(host in call for call in calls)  # so the recording works
    assert "did not answer" in said


@pytest.mark.network
def test_fcn_by_name_is_refused_offline(photos: Path, tiny_weights: Path) -> None:
    code, said, calls = run(photos, tiny_weights, "--offline", "--segmenter", "fcn_resnet101")
    assert (code, calls) == (2, [])
    assert SEGMENTERS["fcn_resnet101"].url in said
    assert "--segmenter compact" in said


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04.", b"half a file" * 1000], ids=["empty", "pickle", "cut"]
)
def test_a_damaged_cache_is_left_unused_with_a_warning(
    content: bytes, photos: Path, tiny: Path, tmp_path: Path, red_is_person: None
) -> None:
    """The file stays as it is: it may belong to the user."""
    cache_folder().mkdir(parents=True)
    for remote in (YUNET, SQUEEZENET):
        (cache_folder() / remote.filename).write_bytes(content)
    assert (
        cli.main(["--class", "person", "--offline", "-q", "-o", str(tmp_path / "out"), str(photos)])
        == 0
    )
    warnings = read_report(tmp_path / "out" / "report.json")["run"]["warnings"]
    for remote in (YUNET, SQUEEZENET):
        (warning,) = [w for w in warnings if remote.filename in w]
        assert "sha256" in warning
        assert "delete the file and run again" in warning
    for remote in (YUNET, SQUEEZENET):
        assert (cache_folder() / remote.filename).read_bytes() == content


def test_a_damaged_segmenter_is_refused_by_name_and_a_warning_otherwise(
    photos: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    cache_folder().mkdir(parents=True)
    (cache_folder() / SEGMENTERS["fcn_resnet101"].filename).write_bytes(b"half a file")
    out = tmp_path / "out"
    assert cli.main([*PERSON, "--segmenter", "fcn_resnet101", "-o", str(out), str(photos)]) == 2
    assert "delete the file and run again" in capsys.readouterr().err
    assert cli.main(["--class", "person", "--offline", "-q", "-o", str(out), str(photos)]) == 0
    assert any(
        "delete the file and run again" in w
        for w in read_report(out / "report.json")["run"]["warnings"]
    )


@pytest.mark.parametrize(
    "fault",
    [
        "a byte",
        "missing",
        "cut short",
        "no index",
        "index not JSON",
        "index without it",
        "index no table",
    ],
)
def test_a_damaged_shipped_weight_ends_the_run_with_its_remedy(
    fault: str,
    photos: Path,
    tiny: Path,
    tmp_path: Path,
    red_is_person: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(tiny, folder)
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", folder)
    index = json.loads((folder / "index.json").read_text())
    file = folder / index["partial-conv"]["file"]
    content = bytearray(file.read_bytes())
    match fault:
        case "a byte":
            content[-1] ^= 1
            file.write_bytes(content)
        case "missing":
            file.unlink()
        case "cut short":
            file.write_bytes(content[:1000])
        case "no index":
            (folder / "index.json").unlink()
        case "index not JSON":
            (folder / "index.json").write_text("{")
        case "index without it":
            (folder / "index.json").write_text(
                json.dumps({k: v for k, v in index.items() if k != "partial-conv"})
            )
        case _:
            (folder / "index.json").write_text(json.dumps(index | {"partial-conv": "a file"}))
    code = cli.main([*PERSON, "-q", "--no-probe", "-o", str(tmp_path / "out"), str(photos)])
    said = capsys.readouterr().err
    assert code == 2
    assert "reinstall the package" in said
    assert str(folder) in said
