"""The board as a Gradio application behind its guard: one page, the named calls, and the pictures to look at.

The page's editor is the board's own (``board_page``), put into a ``gr.HTML``: Gradio's ImageEditor sends whole layers as pictures of the
photo's size at every stroke, cannot be drawn with or zoomed by keys, and names few of its buttons.
"""

from __future__ import annotations

import os
import re
from importlib import resources
from typing import Any
from urllib.parse import quote

from ..errors import RemoveObjectsError, UsageError
from ..system.text import printable
from ..types import Box
from .board import Board
from .guard import UPLOAD_BYTES, App, Guard
from .render import LONGEST

PAGE = resources.files(__package__) / "page"
_FILES = {
    "board.css": "text/css",
    "board.js": "text/javascript",
    "canvas.js": "text/javascript",
    "calls.js": "text/javascript",
}
_HEAD = """<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/board/page/board.css">
<script type="module" src="/board/page/board.js"></script>"""


def build(board: Board, host: str) -> App:
    """The whole server, ASGI. ``host`` is the address it will listen at.

    Raises:
        UsageError: Gradio is not installed.
    """
    # Before the import, because Gradio reads them once: no telemetry, and uploads into a folder of this process alone.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(board.uploads)
    try:
        import gradio as gr
        from fastapi import FastAPI

        from .api import calls
    except ImportError as error:
        raise UsageError(
            f"the board needs Gradio ({error}): pip install 'remove-objects[board]'"
        ) from error

    with gr.Blocks(title="Mask board", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(
            (PAGE / "board.html").read_text(encoding="utf-8"),
            elem_id="mask-board-frame",
            apply_default_css=False,
        )
        for call in calls(board):
            # Not through Gradio's queue: the answers are quick, and the one slow call at a time is refereed by the board.
            gr.api(call, api_name=call.__name__, queue=False)
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    _add_routes(server, board)
    # A font by name is one of the system's; Gradio's own themes fetch theirs.
    theme = gr.themes.Base(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    gr.mount_gradio_app(
        server, blocks, path="/", server_name=host, footer_links=[], ssr_mode=False, mcp_server=False, pwa=False, show_error=True,
        max_file_size=UPLOAD_BYTES, theme=theme, head=_HEAD,
    )  # fmt: skip
    return Guard(server, host, board.uploads)


def _add_routes(server: Any, board: Board) -> None:
    from starlette.responses import FileResponse, PlainTextResponse, Response

    def page_file(request: Any) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return PlainTextResponse("not found", 404)
        return Response(
            (PAGE / name).read_bytes(),
            media_type=_FILES[name],
            headers={"cache-control": "no-cache"},
        )

    def view(request: Any) -> Response:
        try:
            box, size = (
                request.query_params.get("box"),
                request.query_params.get("size", f"{LONGEST},{LONGEST}"),
            )
            part = Box(*_numbers(box, 4)) if box else None
            width, height = _numbers(size, 2)
            body = board.view(
                request.path_params["photo"], request.path_params["layer"], part, width, height
            )
        except RemoveObjectsError as error:
            return PlainTextResponse(printable(str(error)), 404)
        return Response(body, media_type="image/png", headers={"cache-control": "no-store"})

    def download(request: Any) -> Response:
        try:
            path, name = board.download(request.path_params["photo"], request.path_params["what"])
        except RemoveObjectsError as error:
            return PlainTextResponse(printable(str(error)), 404)
        headers = {
            "content-disposition": f"attachment; filename*=UTF-8''{quote(printable(name), safe='')}",
            "cache-control": "no-store",
        }
        return FileResponse(path, media_type="application/octet-stream", headers=headers)

    server.add_route("/board/page/{name}", page_file)
    server.add_route("/board/view/{photo}/{layer}", view)
    server.add_route("/board/download/{photo}/{what}", download)


def _numbers(text: str, count: int) -> tuple[int, ...]:
    if not re.fullmatch(rf"\d{{1,6}}(?:,\d{{1,6}}){{{count - 1}}}", text):
        raise UsageError(f"expected {count} whole numbers with commas between them")
    return tuple(int(t) for t in text.split(","))
