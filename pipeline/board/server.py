"""The board as a Gradio application behind its guard: the page, the named calls, and the pictures.

The editor of ``page/`` is the board's own, shown in a ``gr.HTML``. Gradio's ImageEditor sends whole
layers at the photo's size with every stroke, cannot be drawn with or zoomed by keys, and leaves
most of its buttons unnamed.
"""

from __future__ import annotations

import os
import re
from importlib import resources
from typing import Any

from ..errors import RemoveObjectsError, UsageError
from ..storage.layout import REPORT_PAGE
from ..system.extras import install_command
from ..system.text import printable
from ..types import Box
from ..web.answers import attachment, inline
from ..web.guard import UPLOAD_BYTES, App, Guard, Paths
from . import report_page
from .board import Board
from .render import LONGEST

#: The page, Gradio's own scripts, its interface for named calls, and the board's pictures.
PATHS = Paths(
    re.compile(
        r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json"
        r"|/(?:assets|static)/[\w.@/-]+"
        r"|/gradio_api/(?:info/?|openapi\.json|startup-events|upload|queue/(?:join|data)"
        r"|heartbeat/\w+|cancel|reset/?)"
        r"|/gradio_api/(?:run|call|api)/\w+(?:/\w+)?/?"
        r"|/board/page/[a-z_]+\.(?:css|js)|/board/view/\w+/[a-z-]+|/board/download/\w+/[a-z]+"
        rf"|{report_page.PATHS}"
    ),
    "/gradio_api/upload",
    re.compile(r"/gradio_api/(?:(?:run|call|api)/.*|queue/join)"),
)
PAGE = resources.files(__package__) / "page"
#: The media types of the page's files that are served; ``board.html`` is part of Gradio's page.
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}
_HEAD = """<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/board/page/board.css">
<script type="module" src="/board/page/board.js"></script>"""


def build(board: Board, host: str) -> App:
    """Build the whole server as an ASGI application.

    Args:
        board: the state that the server shows and changes.
        host: the address at which it will listen.

    Raises:
        UsageError: Gradio is not installed.
    """
    # Gradio reads these once, at its import: no telemetry, and uploads go into a folder of this
    # process alone.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(board.uploads)
    try:
        import gradio as gr
        from fastapi import FastAPI

        from .api import calls
    except ImportError as error:
        raise UsageError(f"the board needs Gradio ({error}): {install_command('board')}") from error

    with gr.Blocks(title="Mask board", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(
            (PAGE / "board.html").read_text(encoding="utf-8"),
            elem_id="mask-board-frame",
            apply_default_css=False,
        )
        for call in calls(board):
            # Not through Gradio's queue: the answers are quick, and the board itself runs one slow
            # call at a time.
            gr.api(call, api_name=call.__name__, queue=False)
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    _add_routes(server, board)
    _add_report(server, board)
    # System fonts: Gradio's own themes download theirs.
    theme = gr.themes.Base(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    gr.mount_gradio_app(
        server,
        blocks,
        path="/",
        server_name=host,
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        show_error=True,
        max_file_size=UPLOAD_BYTES,
        theme=theme,
        head=_HEAD,
    )
    return Guard(server, host, board.uploads, PATHS, lambda: board.folder)


def page_files() -> dict[str, str]:
    """Return the names and media types of the page's files that are served.

    The folder's listing decides, so a request's name is only ever compared, never made a path.
    """
    suffixes = {entry.name: os.path.splitext(entry.name)[1] for entry in PAGE.iterdir()}
    return {
        name: _MEDIA_TYPES[suffix] for name, suffix in suffixes.items() if suffix in _MEDIA_TYPES
    }


def _add_routes(server: Any, board: Board) -> None:
    from starlette.responses import FileResponse, PlainTextResponse, Response

    files = page_files()

    def page_file(request: Any) -> Response:
        name = request.path_params["name"]
        if name not in files:
            return PlainTextResponse("not found", 404)
        return Response(
            (PAGE / name).read_bytes(),
            media_type=files[name],
            headers={"cache-control": "no-cache"},
        )

    def view(request: Any) -> Response:
        try:
            box = request.query_params.get("box")
            size = request.query_params.get("size", f"{LONGEST},{LONGEST}")
            window = Box(*_integers(box, 4)) if box else None
            width, height = _integers(size, 2)
            body = board.view(
                request.path_params["photo"], request.path_params["layer"], window, width, height
            )
        except RemoveObjectsError as error:
            return PlainTextResponse(printable(str(error)), 404)
        return Response(body, media_type="image/png", headers={"cache-control": "no-store"})

    def download(request: Any) -> Response:
        try:
            path, name = board.download(request.path_params["photo"], request.path_params["what"])
        except RemoveObjectsError as error:
            return PlainTextResponse(printable(str(error)), 404)
        return FileResponse(path, media_type="application/octet-stream", headers=attachment(name))

    server.add_route("/board/page/{name}", page_file)
    server.add_route("/board/view/{photo}/{layer}", view)
    server.add_route("/board/download/{photo}/{what}", download)


def _add_report(server: Any, board: Board) -> None:
    from starlette.responses import FileResponse, PlainTextResponse, Response

    def report(request: Any) -> Response:
        path, photo = request.path_params["path"], request.query_params.get("photo", "")
        if path == REPORT_PAGE:
            try:
                text = board.report_html()
            except RemoveObjectsError as error:
                return PlainTextResponse(printable(str(error)), 404)
            return Response(text.encode(), media_type="text/html")
        file = board.report_file(path, photo)
        if file is None:
            return PlainTextResponse("not found", 404)
        kind = report_page.media_type(file)
        return FileResponse(file, media_type=kind, headers=inline(file.name))

    server.add_route(report_page.PREFIX + "{path:path}", report)


def _integers(text: str, count: int) -> tuple[int, ...]:
    """Parse ``count`` integers of a query, separated by commas.

    Raises:
        UsageError: ``text`` is anything else.
    """
    if not re.fullmatch(rf"\d{{1,6}}(?:,\d{{1,6}}){{{count - 1}}}", text):
        raise UsageError(f"expected {count} whole numbers with commas between them")
    return tuple(int(number) for number in text.split(","))
