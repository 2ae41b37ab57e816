"""Own classes beside those of Pascal VOC, from ``--class`` to the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from remove_objects.models.categories import CLASSES
from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import open_photos
from remove_objects.pipeline.config import Settings, resolve_classes
from remove_objects.pipeline.detect.own import OwnFound, own_objects
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.removal.clickable import object_at
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.report.files import read_report
from remove_objects.pipeline.system.signals import Stop
from remove_objects.pipeline.types import Photo
from remove_objects.pipeline.watch.watch import Times, Watch
from tests.support.own_models import sees_colours, write_model
from tests.support.scenes import scene

GREEN, YELLOW, RED = (0, 255, 0), (255, 255, 0), (255, 0, 0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("own") / "wires")


@pytest.fixture
def photo() -> np.ndarray:
    """A scene with a green wire, a yellow date and a red person."""
    rgb = cv2.resize(scene(), (240, 180)) // 2 + 60
    rgb[40:42] = GREEN
    for x in range(150, 180, 6):
        rgb[160:168, x : x + 3] = YELLOW
    rgb[80:130, 30:60] = RED
    return rgb


@pytest.fixture
def photos(photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the photo as ``a.png``; own models see pure colours."""
    sees_colours(monkeypatch)
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo).save(tmp_path / "photos" / "a.png")
    return tmp_path / "photos"


def test_own_classes_are_resolved_beside_the_others(model: Path) -> None:
    both = Settings(segmenter=f"compact,{model}").known_classes
    assert both == (*CLASSES, "wire", "date")
    assert resolve_classes("Wires, people", both) == ("person", "wire")
    assert resolve_classes("all", both) == both
    with pytest.raises(UsageError, match=r"'wir' \(did you mean wire\?\)"):
        resolve_classes("wir", both)
    alone = Settings(segmenter=str(model)).known_classes
    assert resolve_classes("all", alone) == ("wire", "date")
    with pytest.raises(UsageError, match="the classes are: wire, date, or all; --segmenter compa"):
        resolve_classes("person", alone)
    with pytest.raises(UsageError, match="unknown class 'wire'"):
        resolve_classes("wire")


def test_an_own_name_goes_before_a_synonym() -> None:
    known = (*CLASSES, "plane")
    assert resolve_classes("plane", known) == ("plane",)
    assert resolve_classes("aeroplane,planes", known) == ("aeroplane", "plane")


@pytest.mark.usefixtures("red_is_person")
@pytest.mark.parametrize(
    ("classes", "found"),
    [
        ("wire", {"wire"}),
        ("date,person", {"date", "person"}),
        ("all", {"wire", "date", "person"}),
        ("person", {"person"}),
    ],
)
def test_what_is_named_goes_and_all_else_stays(
    model: Path,
    photo: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    classes: str,
    found: set[str],
) -> None:
    sees_colours(monkeypatch)
    remover = ObjectRemover(
        segmenter=f"compact,{model}", offline=True, dilate=0, probe=False, along="none"
    )
    image, outcome = remover.remove(photo, classes)
    assert set(outcome.classes) == found
    assert {one.category for one in outcome.objects} == found
    for name, colour in (("wire", GREEN), ("date", YELLOW), ("person", RED)):
        place = (photo == colour).all(-1)
        assert outcome.mask is not None
        assert outcome.mask[place].all() == (name in found), name
        assert (image[place] == colour).all() == (name not in found), name
    assert ("wires" in remover.networks.weights()) == bool(found & {"wire", "date"})


@pytest.mark.usefixtures("red_is_person")
def test_alone_an_own_model_finds_its_classes_and_no_others(
    model: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sees_colours(monkeypatch)
    remover = ObjectRemover(segmenter=str(model), offline=True, dilate=0, probe=False)
    _, outcome = remover.remove(photo, "all")
    assert {one.category for one in outcome.objects} == {"wire", "date"}
    assert outcome.residue == 0
    with pytest.raises(UsageError, match="unknown class 'person'"):
        remover.remove(photo, "person")


@pytest.mark.usefixtures("red_is_person")
def test_the_residue_is_what_the_own_model_still_sees(
    model: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remove_objects.pipeline.removal.filling import PhotoFiller

    sees_colours(monkeypatch)
    fill = PhotoFiller.fill

    def not_filled(self: PhotoFiller, *args: object) -> object:
        filled = fill(self, *args)
        filled.filler.result[:] = photo
        return filled

    monkeypatch.setattr(PhotoFiller, "fill", not_filled)
    remover = ObjectRemover(segmenter=f"compact,{model}", offline=True, dilate=0, probe=False)
    _, outcome = remover.remove(photo, "wire")
    assert outcome.residue == 1
    assert outcome.status.value == "review"


@pytest.mark.usefixtures("red_is_person")
def test_own_objects_are_picked_by_a_click(
    model: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sees_colours(monkeypatch)
    remover = ObjectRemover(segmenter=f"compact,{model}", offline=True)
    objects = remover.clickable(Photo(photo))
    assert {one.found.category for one in objects} == {"person", "wire", "date"}
    wire = object_at(objects, 100, 40)
    assert wire is not None
    assert wire.found.category == "wire"


def test_a_date_is_one_object_and_specks_are_none() -> None:
    date = np.zeros((200, 300), bool)
    for x in range(100, 160, 10):
        date[150:160, x : x + 5] = True
    found = OwnFound({"date": date}, {"date": date.astype(np.float32)})
    ((one, here, box),) = own_objects(found)
    assert (one.number, one.category, one.confidence) == (1, "date", 1)
    assert (here.sum(), one.share) == (date.sum(), date.mean())
    assert box.slices == (slice(150, 160), slice(100, 155))


def test_objects_of_a_class_that_lie_apart_have_their_own_pixels_and_boxes() -> None:
    wire = np.zeros((200, 300), bool)
    wire[10:12, :290] = wire[100, 40:60] = True
    # Within the box of a slanting wire lies another one.
    cv2.line(slanting := np.zeros(wire.shape, np.uint8), (80, 60), (290, 190), 1, 1)
    wire |= slanting > 0
    wire[180:184, 90:95] = True
    found = OwnFound({"wire": wire}, {"wire": wire.astype(np.float32)})
    again = np.zeros_like(wire)
    for number, (one, here, box) in enumerate(own_objects(found), 1):
        assert one.number == number
        assert here.any(0).all() or here.any(1).all(), "the box is the smallest"
        assert not again[box.slices][here > 0].any()
        again[box.slices] |= here > 0
    assert number == 4
    assert (again == wire).all()


@pytest.mark.usefixtures("red_is_person")
def test_the_board_selects_own_classes(model: Path, photo: np.ndarray, photos: Path) -> None:
    settings = Settings(segmenter=f"compact,{model}", offline=True, probe=False)
    board = Board(open_photos(photos, None, settings))
    try:
        state = board.select_class("a.png", ["wires"], 0)
        mask = board.sessions.session("a.png").editor.mask
        assert np.array_equal(mask, (photo == GREEN).all(2))
        assert state["class_share"] == pytest.approx(mask.mean(), abs=1e-4)
        board.select_class("a.png", ["person"], 0)
        assert board.sessions.session("a.png").editor.mask[80:130, 30:60].all()
        with pytest.raises(UsageError, match="did you mean date"):
            board.select_class("a.png", ["dat"])
    finally:
        board.close()


@pytest.mark.usefixtures("red_is_person")
def test_own_classes_are_watched_for(
    model: Path, photo: np.ndarray, photos: Path, tmp_path: Path
) -> None:
    stop = Stop()
    Watch(
        photos,
        Settings(segmenter=f"compact,{model}", offline=True, probe=False),
        BatchSettings(classes=("wire",), output=tmp_path / "out"),
        times=Times(settle=0.1, interval=0.02, pause=0.05),
        command="remove-objects watch",
        tell=lambda sentence: None,
        cleaned=lambda entry: stop.request(),
    ).run(stop)
    (entry,) = read_report(tmp_path / "out" / "report.json")["photos"]
    assert set(entry["classes"]) == {"wire"}
    result = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    assert not (result == GREEN).all(2).any()
    assert (result == YELLOW).all(2).sum() == (photo == YELLOW).all(2).sum()


@pytest.mark.usefixtures("red_is_person")
def test_own_classes_are_served(model: Path, photos: Path) -> None:
    client = pytest.importorskip("fastapi.testclient", reason="pip install '.[serve]'")
    from remove_objects.pipeline.serve.app import build
    from remove_objects.pipeline.serve.service import Service

    settings = Settings(segmenter=f"compact,{model}", offline=True, probe=False)
    service = Service(settings, BatchSettings())
    try:
        asked = client.TestClient(build(service, "127.0.0.1"), base_url="http://127.0.0.1")
        form = {"photo": ("a.png", (photos / "a.png").read_bytes(), "image/png")}
        answer = asked.post("/photos", files=form, data={"class": "wire"}).json()
        assert set(answer["outcome"]["classes"]) == {"wire"}
        refused = asked.post("/photos", files=form, data={"class": "wir"})
        assert "did you mean wire" in refused.json()["error"]
    finally:
        service.close()


@pytest.mark.usefixtures("red_is_person")
def test_a_run_reports_own_classes_and_resumes(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    shutil.copy(photos / "a.png", photos / "b.png")
    call = [
        *("--segmenter", f"compact,{model}", "--class", "wire,person", "--offline"),
        *("--keep", "largest:1", "--no-probe", "--with", "none", str(photos)),
    ]
    assert cli.main(call) == 0
    report = read_report(tmp_path / "cleaned" / "report.json")
    assert report["run"]["settings"]["segmenter"] == f"compact,{model}"
    assert report["run"]["settings"]["classes"] == ["person", "wire"]
    assert len(report["run"]["weights"]["wires"]) == 64
    for entry in report["photos"]:
        assert set(entry["classes"]) <= {"person", "wire"}
        assert {one["class"]: one["removed"] for one in entry["objects"]} == {
            "person": False,
            "wire": True,
        }
    capsys.readouterr()
    assert cli.main(call) == 0
    again = read_report(tmp_path / "cleaned" / "report.json")
    assert {entry["status"] for entry in again["photos"]} == {"skipped"}
    # Another model in the same folder is new work.
    weights = model / "model.safetensors"
    before = weights.read_bytes()
    try:
        write_model(model)
        assert cli.main(call) == 0
        assert "other files of --weights or --segmenter" in capsys.readouterr().err
    finally:
        weights.write_bytes(before)


def test_both_of_two_models_of_one_name_are_new_work_once_they_change(
    photo: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    sees_colours(monkeypatch)
    models = [write_model(tmp_path / run / "model") for run in ("wires", "dates")]
    Image.fromarray(photo).save(tmp_path / "a.png")
    call = [
        *("--segmenter", ",".join(map(str, models)), "--class", "wire", "--offline"),
        *("--no-probe", "--with", "none", str(tmp_path / "a.png")),
    ]
    assert cli.main(call) == 0
    for model in models:
        write_model(model)
        capsys.readouterr()
        assert cli.main(call) == 0
        assert "another file of --weights or --segmenter" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_model_class": "Llama"}, "_model_class is 'Llama'"),
        ({"encoder_name": "tu-hf-hub:a/b"}, "encoder_name"),
        ({"classes": 2}, "holds other weights than config.json says"),
    ],
)
def test_a_model_that_does_not_fit_ends_the_call_with_a_sentence(
    model: Path,
    photo: np.ndarray,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    change: dict[str, object],
    message: str,
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    config = json.loads((model / "config.json").read_text()) | change
    if change == {"classes": 2}:
        config["_class_names"] = ["wire"]
    (broken / "config.json").write_text(json.dumps(config))
    (broken / "model.safetensors").symlink_to(model / "model.safetensors")
    Image.fromarray(photo).save(tmp_path / "a.png")
    call = ["--segmenter", str(broken), "--class", "wire", "--offline", str(tmp_path / "a.png")]
    assert cli.main(call) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_a_file_beside_photos_names_no_folder(
    model: Path, photo: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    (tmp_path / "remove-objects.toml").write_text(f'segmenter = "compact,{model}"')
    assert cli.main(["--class", "person", "--offline", str(tmp_path)]) == 2
    assert "cannot say segmenter = " in capsys.readouterr().err


@pytest.mark.usefixtures("red_is_person")
def test_a_settings_file_names_own_classes(
    model: Path, photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sees_colours(monkeypatch)
    photos, home = tmp_path / "photos", tmp_path / "home"
    for folder in (photos, home / "remove-objects"):
        folder.mkdir(parents=True)
    Image.fromarray(photo).save(photos / "a.png")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    (home / "remove-objects" / "remove-objects.toml").write_text(f'segmenter = "compact,{model}"')
    (photos / "remove-objects.toml").write_text('class = "wire"')
    assert cli.main(["--offline", "--no-probe", str(photos)]) == 0
    (entry,) = read_report(tmp_path / "cleaned" / "report.json")["photos"]
    assert list(entry["classes"]) == ["wire"]
