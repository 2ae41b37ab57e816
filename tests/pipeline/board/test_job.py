"""One fill or segmentation at a time: cancellation, and settings that differ from fill to fill."""

from __future__ import annotations

import threading

import pytest

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.job import CancelledError
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.inpaint.inpainters import Inpainters


def test_a_fill_in_progress_is_cancelled(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    board.stroke("a.png", [[60, 40]], 8)
    entered, go = threading.Event(), threading.Event()
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
    board.stroke("b.jpg", [[60, 40]], 8)
    with pytest.raises(UsageError, match="in progress"):
        board.fill("b.jpg")
    assert board.cancel()["stopping"]
    go.set()
    thread.join(20)
    assert len(raised) == 1
    assert board.progress()["photo"] is None
    assert board.open("a.png")["filled"] is None
    board.fill("a.png")  # the next fill works
    assert board.open("a.png")["filled"] == 1


def test_a_changed_setting_never_meets_networks_that_were_loaded_for_another(
    board: Board,
) -> None:
    board.select_class("a.png", ["person"], 3)
    wishes = (("free-form", True, False), ("edge", False, False), ("auto", False, True))
    for route, compare, probe in wishes:
        filled = board.fill("a.png", route, compare, probe)
        (hole,) = filled["report"]["holes"]
        assert hole["route"] == ("free-form" if route == "auto" else route)
        assert bool(filled["compared"]) == compare
        assert (hole["probe"] is not None) == probe
    with board.job.run("p0") as remover:
        assert remover.settings == board.opened.settings == Settings(probe=False)
        with pytest.raises(AttributeError):
            remover.settings = Settings(detail="none")
    assert board.job._remover is remover  # one remover for all of them, with its networks
