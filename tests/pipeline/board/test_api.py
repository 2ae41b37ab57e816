"""The board's HTTP interface without its server: a fault of the program ends no board."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

gradio = pytest.importorskip("gradio", reason="Gradio is not installed: pip install '.[board]'")


def named_calls(**actions: Any) -> dict[str, Any]:
    from remove_objects.pipeline.board.api import calls

    board = SimpleNamespace(opened=SimpleNamespace(settings_from=()), **actions)
    return {call.__name__: call for call in calls(board)}


def test_a_fault_of_the_program_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fill(*_: object) -> None:
        raise IndexError("list index out of range")

    calls = named_calls(fill=fill, progress=lambda: {"photo": None})
    with pytest.raises(gradio.Error) as caught:
        calls["fill"]("p0", "auto", False, False)
    assert caught.value.title == "fault"
    assert "IndexError at remove_objects/pipeline/board/api.py" in caught.value.message
    assert "list index out of range" in caught.value.message
    assert "fill: a fault of this program:\nTraceback" in caplog.text
    assert calls["progress"]() == {"photo": None}


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: no memory")])
def test_want_of_memory_has_its_own_code(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fill(*_: object) -> None:
        raise error

    with pytest.raises(gradio.Error) as caught:
        named_calls(fill=fill)["fill"]("p0", "auto", False, False)
    assert caught.value.title == "memory"
    assert not caplog.text
