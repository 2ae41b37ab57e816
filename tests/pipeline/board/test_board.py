"""The board without its page: drawing, filling, cancelling, saving and downloading, as a person or a program asks for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.board import session_store
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import Opened, is_plain, open_photos
from remove_objects.pipeline.board.job import CancelledError
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import ExistsError, UnreadableError, UnwritableError, UsageError
from remove_objects.pipeline.system.text import printable
from remove_objects.pipeline.types import Box
from tests.support.scenes import scene


@pytest.fixture
def folder(tmp_path: Path, red_is_person: None) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(scene(seed=1)).save(photos / "a.png")
    Image.fromarray(scene(seed=2)).save(photos / "b.jpg", quality=90)
    return photos


@pytest.fixture
def board(folder: Path) -> Iterator[Board]:
    made = Board(open_photos(folder, None, Settings(probe=False)))
    yield made
    made.close()


def test_a_stroke_is_filled_and_nothing_else_changes(board: Board, folder: Path) -> None:
    before = (folder / "a.png").read_bytes()
    board.stroke("a.png", [[60, 40], [80, 70]], 12)
    state = board.fill("a.png")
    assert state["fill_is_current"]
    assert state["report"]["holes"][0]["route"] == "free-form"
    assert (
        set(state["report"]["holes"][0]["compare"])
        == {"navier-stokes", "telea"}
        == set(state["compared"])
    )
    said = board.save("a.png")
    result, photo = np.asarray(Image.open(said["output"])), np.asarray(Image.open(folder / "a.png"))
    changed = (result != photo).any(2)
    mask = np.asarray(Image.open(said["mask"]))
    assert changed.sum() > 400
    assert not (changed & ~mask).any()
    yy, xx = np.nonzero(mask)
    assert (xx.min() >= 47, xx.max() <= 92, yy.min() >= 27, yy.max() <= 82) == (True,) * 4
    assert Path(said["output"]) == folder.parent / "cleaned" / "a.png"
    assert (folder / "a.png").read_bytes() == before


def test_a_fill_of_another_mask_is_not_saved(board: Board) -> None:
    with pytest.raises(UsageError, match="fill first"):
        board.save("a.png")
    board.stroke("a.png", [[60, 40]], 8)
    board.fill("a.png", compare=False)
    board.stroke("a.png", [[100, 40]], 8)
    with pytest.raises(UsageError, match="fill again"):
        board.save("a.png")
    with pytest.raises(UsageError, match="fill again"):
        board.download("a.png", "result")
    board.edit("a.png", "undo")
    with pytest.raises(
        UsageError, match="fill again"
    ):  # never the same revision twice, so that nothing is taken for current by chance
        board.save("a.png")


def test_a_class_is_added_and_taken_away_with_its_widening(board: Board) -> None:
    state = board.select_class("a.png", ["person"], 0)
    red = (np.asarray(Image.open(board.sessions.find("a.png").source)) == (255, 0, 0)).all(2)
    mask = board.sessions.session("a.png").editor.mask
    assert state["found"] == pytest.approx(red.mean(), abs=1e-4)
    assert np.array_equal(mask, red)
    board.stroke("a.png", [[140, 100]], 5)
    wide = board.select_class("a.png", ["person"], 6, "subtract")
    assert wide["found"] > state["found"]
    assert not (board.sessions.session("a.png").editor.mask & red).any()
    assert board.sessions.session("a.png").editor.mask[100, 140]
    for classes, says in (([], "at least one"), (["unicorn"], "unicorn")):
        with pytest.raises(UsageError, match=says):
            board.select_class("a.png", classes)


def test_what_is_at_work_can_be_cancelled(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    board.stroke("a.png", [[60, 40]], 8)
    entered, go = threading.Event(), threading.Event()
    from remove_objects.pipeline.inpaint.inpainters import Inpainters

    real = Inpainters.fill

    def slow(*arguments: object, **more: object) -> object:
        entered.set()
        assert go.wait(20)
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Inpainters, "fill", slow)
    raised: list[BaseException] = []

    def fill() -> None:
        try:
            board.fill("a.png")
        except CancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=fill)
    thread.start()
    assert entered.wait(20)
    assert board.progress()["photo"] == "p0"
    assert board.progress()["stage"] == "inpaint"
    with pytest.raises(UsageError, match="in progress"):
        board.fill("b.jpg")
    assert board.cancel()["stopping"]
    go.set()
    thread.join(20)
    assert len(raised) == 1
    assert board.progress()["photo"] is None
    assert board.open("a.png")["filled"] is None
    board.fill("a.png")  # and it works again
    assert board.open("a.png")["filled"] == 1


def test_files_that_are_in_the_way_are_replaced_only_when_asked(board: Board, folder: Path) -> None:
    (folder.parent / "cleaned").mkdir()
    (folder.parent / "cleaned" / "a.png").write_bytes(b"somebody's own file")
    board.stroke("a.png", [[60, 40]], 8)
    board.fill("a.png", compare=False)
    with pytest.raises(ExistsError, match="neither the board nor the run wrote it"):
        board.save("a.png")
    board.save("a.png", True)
    board.stroke("a.png", [[100, 40]], 8)
    board.fill("a.png", compare=False)
    board.save("a.png")  # what the board itself wrote is its own


def test_an_input_is_never_a_target(folder: Path) -> None:
    (folder.parent / "cleaned").mkdir()
    (folder.parent / "cleaned" / "a.png").symlink_to(folder / "a.png")
    board = Board(open_photos(folder / "b.jpg", folder.parent / "cleaned", Settings(probe=False)))
    item = board.sessions.find("b.jpg")
    (folder.parent / "cleaned" / "b.jpg").symlink_to(item.source)
    before = item.source.read_bytes()
    board.stroke("b.jpg", [[60, 40]], 8)
    board.fill("b.jpg", compare=False)
    with pytest.raises(UnwritableError, match="results never replace it"):
        board.save("b.jpg", True)
    assert item.source.read_bytes() == before


def test_a_photo_that_is_almost_all_mask_has_no_result(board: Board) -> None:
    board.stroke("a.png", [[0, 60], [160, 60]], 200)
    assert board.fill("a.png")["report"]["status"] == "failed"
    with pytest.raises(UnwritableError, match="nothing is left"):
        board.save("a.png")


@pytest.mark.parametrize("photo", ["../a.png", "/etc/passwd", "p99", "", "a.png\0", "photos/a.png"])
def test_a_name_is_never_a_path(board: Board, photo: str) -> None:
    with pytest.raises(UsageError, match="not one of the opened photos"):
        board.open(photo)


def test_edits_survive_other_photos_and_memory_stays_bounded(folder: Path) -> None:
    for i in range(6):
        Image.fromarray(scene(seed=i)).save(folder / f"n{i}.png")
    board = Board(open_photos(folder, None, Settings()))
    board.stroke("a.png", [[60, 40]], 8)
    mask = board.sessions.session("a.png").editor.mask
    for i in range(6):
        board.open(f"n{i}.png")
    assert len(board.sessions._sessions) == session_store.OPEN_AT_ONCE
    assert "p0" not in board.sessions._sessions
    assert np.array_equal(board.sessions.session("a.png").editor.mask, mask)
    assert board.sessions._packed == {}


def upload(board: Board, source: Path, name: str | None = None) -> dict:
    board.uploads.mkdir(exist_ok=True)
    sent = board.uploads / "sent"
    sent.write_bytes(source.read_bytes())
    return board.upload(sent, name or source.name)


def test_a_photo_through_the_page_is_downloaded_in_its_own_format(folder: Path) -> None:
    board = Board(Opened("empty", "", settings=Settings(probe=False)))
    photo = upload(board, folder / "b.jpg")
    assert photo["saves_to"] is None
    key = photo["photo"]
    board.stroke(key, [[60, 40]], 8)
    board.fill(key, compare=False)
    with pytest.raises(UsageError, match="download"):
        board.save(key)
    path, name = board.download(key, "result")
    assert name == "b.jpg"
    assert path.read_bytes()[:3] == b"\xff\xd8\xff"
    path, name = board.download(key, "mask")
    assert name == "b-mask.png"
    assert np.array_equal(np.asarray(Image.open(path)), board.sessions.session(key).editor.mask)
    with pytest.raises(UsageError, match="result and mask"):
        board.download(key, "../b")
    assert path.is_relative_to(board.folder)
    board.close()
    assert not board.folder.exists()


def test_uploads_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(Opened("empty", ""))
    monkeypatch.setattr(session_store, "UPLOAD_PIXELS", 100)
    with pytest.raises(UnreadableError, match="more than the limit of 100") as refused:
        upload(board, folder / "a.png")
    assert str(board.folder) not in str(refused.value)
    assert board.sessions.items == {}
    monkeypatch.undo()
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing more")
    with pytest.raises(UnreadableError, match=r"^broken\.png"):
        upload(board, folder / "broken.png")
    monkeypatch.setattr(session_store, "UPLOADS_KEPT", 2)
    keys = [upload(board, folder / "a.png")["photo"] for _ in range(4)]
    assert list(board.sessions.items) == keys[-2:]
    assert len([p for p in board.folder.iterdir() if p.is_file()]) == 2
    board.close()


@pytest.mark.parametrize(
    "name",
    ["../../evil.png", "C:\\evil.png", "a\nb.png", "<img src=x onerror=alert(1)>.png", "." * 300],
)
def test_odd_names_stay_names(folder: Path, name: str) -> None:
    board = Board(Opened("empty", ""))
    photo = upload(board, folder / "a.png", name)
    assert "\n" not in photo["name"]
    assert "/" not in photo["name"]
    (kept,) = [p for p in board.folder.iterdir() if p.is_file()]
    assert kept.is_relative_to(board.folder)
    board.close()


def test_a_mask_file_is_laid_in(board: Board, folder: Path) -> None:
    mask = np.zeros((240, 320), bool)
    mask[20:60, 40:80] = True
    path = folder.parent / "mask.png"
    Image.fromarray(mask).save(path)
    board.load_mask("a.png", path)
    assert np.array_equal(board.sessions.session("a.png").editor.mask, mask[::2, ::2])
    Image.new("L", (50, 50)).save(path)
    with pytest.raises(UnreadableError, match="same shape"):
        board.load_mask("a.png", path)


def test_a_saved_mask_that_does_not_fit_is_said_and_not_used(folder: Path) -> None:
    (folder.parent / "cleaned" / "masks").mkdir(parents=True)
    Image.new("L", (50, 50), 255).save(folder.parent / "cleaned" / "masks" / "a.png")
    board = Board(open_photos(folder, None, Settings()))
    photo = board.open("a.png")
    assert photo["share"] == 0
    assert any("not used" in note for note in photo["notes"])


def test_links_out_of_the_folder_are_not_opened(folder: Path) -> None:
    secret = folder.parent / "secret.png"
    Image.new("RGB", (9, 9)).save(secret)
    (folder / "link.png").symlink_to(secret)
    board = Board(open_photos(folder, None, Settings()))
    with pytest.raises(UnreadableError, match="outside the opened folder"):
        board.open("link.png")


def test_views_show_the_photo_as_it_is(board: Board, folder: Path) -> None:
    from io import BytesIO

    photo = np.asarray(Image.open(folder / "a.png"))
    part = Image.open(BytesIO(board.view("a.png", "photo", Box(10, 20, 30, 40), 500, 500)))
    assert np.array_equal(np.asarray(part), photo[20:60, 10:40])
    assert np.asarray(Image.open(BytesIO(board.view("a.png", "photo", None, 80, 60)))).shape == (
        60,
        80,
        3,
    )
    board.stroke("a.png", [[60, 40]], 8)
    shown = np.asarray(Image.open(BytesIO(board.view("a.png", "mask", None, 160, 120))))
    assert np.array_equal(shown[..., 3] == 255, board.sessions.session("a.png").editor.mask)
    for layer, box, size in (
        ("result", None, 9),
        ("photo", Box(150, 0, 20, 20), 9),
        ("photo", Box(0, 0, 0, 5), 9),
        ("photo", None, 9999),
    ):
        with pytest.raises(UsageError):
            board.view("a.png", layer, box, size, size)


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a.jpg", 1), ("deep/a.jpg", 1), ("..", 0), ("a/../b", 0), ("/a", 0), ("", 0), ("a\0", 0)],
)
def test_plain_names(name: str, plain: int) -> None:
    assert is_plain(name) == bool(plain)


def test_names_are_printed_as_what_they_are() -> None:
    assert printable("a\x1b[31mé\udcff") == "a\\x1b[31mé\\udcff"


def test_a_run_without_metadata_is_saved_without_it_too(folder: Path) -> None:
    source = folder / "b.jpg"
    exif = Image.Exif()
    exif[0x013B] = "a photographer"
    Image.open(source).save(source, exif=exif, quality=90)
    board = Board(open_photos(folder, None, Settings(probe=False, strip_metadata=True)))
    try:
        board.stroke("b.jpg", [[60, 40], [80, 70]], 12)
        board.fill("b.jpg", compare=False)
        filled = Path(board.save("b.jpg")["output"]).read_bytes()
        board.edit("b.jpg", "clear")
        board.fill("b.jpg", compare=False)
        copied = Path(board.save("b.jpg", replace_existing=True)["output"]).read_bytes()
    finally:
        board.close()
    assert b"photographer" in source.read_bytes()
    assert b"photographer" not in filled + copied
