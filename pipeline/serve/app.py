"""The service as an ASGI application behind the guard: its paths, and its own description.

Only ``serve.command`` imports this module, because it imports FastAPI. Types and docstrings here
become ``/openapi.json``.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable
from functools import wraps
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, Query, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from ... import __version__
from ..errors import UnreadableError, UnwritableError, UsageError
from ..system.text import printable
from ..web.answers import attachment, explained
from ..web.guard import UPLOAD_BYTES, App, Guard, Paths
from ..web.uploads import no_room_for_uploads
from .service import KEPT, KEPT_SECONDS, BusyError, Cleaned, Service, UnknownError

PATHS = Paths(
    re.compile(r"/|/openapi\.json|/photos|/photos/[0-9a-f]{16}(?:/(?:result|mask))?"), "/photos"
)
#: The HTTP status of an error answer by its code; of any other code 500.
_STATUS = {
    UsageError.code: 400,
    UnknownError.code: 404,
    UnreadableError.code: 422,
    BusyError.code: 503,
    UnwritableError.code: 507,
}
#: How an error answer looks, for the description.
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": meaning,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["error", "code"],
                    "properties": {"error": {"type": "string"}, "code": {"type": "string"}},
                }
            }
        },
    }
    for status, meaning in {
        400: "The request is wrong (code usage).",
        404: "There is no such result, or not any more (code unknown).",
        413: f"The request is larger than {UPLOAD_BYTES >> 20} MB (plain text).",
        422: "The photo or its mask cannot be read (code unreadable).",
        500: "The memory did not suffice (code memory), or a fault of the program (code fault).",
        503: "Too many photos wait (code busy); send it again later.",
        507: "The disk of temporary files is full, or refuses (code unwritable).",
    }.items()
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def build(service: Service, host: str) -> App:
    """Build the whole server.

    Args:
        service: the state that it serves.
        host: the address at which it will listen.
    """
    server = FastAPI(
        title="remove-objects",
        summary="A photo in; the result, its mask and the outcome out.",
        description="Only programs on the service's machine may ask it, and no web page. The "
        f"latest {KEPT} results are kept, for {KEPT_SECONDS / 60:.0f} minutes.",
        version=__version__,
        docs_url=None,  # these pages would load their scripts from elsewhere
        redoc_url=None,
    )

    def about() -> dict[str, str]:
        """Say what this is, and where its description lies."""
        return {"service": "remove-objects", "version": __version__, "openapi": "/openapi.json"}

    def clean(
        photo: Annotated[UploadFile, File(description="The photo's file.")],
        classes: Annotated[
            list[str] | None,
            Form(
                alias="class",
                description="What to remove: person, car, dog …; repeatable. Left out: what the "
                "service was started with.",
            ),
        ] = None,
        mask: Annotated[
            UploadFile | None,
            File(description="The photo's own mask, white = remove; it alone says what goes."),
        ] = None,
        answer: Annotated[
            str,
            Query(
                pattern="^(json|result)$",
                description="json: the outcome, with the paths of result and mask; result: the "
                "cleaned photo itself, with the status in the header x-status.",
            ),
        ] = "json",
    ) -> Any:
        """Clean a photo: wait for it, and answer its outcome."""
        own = None if mask is None else mask.file
        cleaned = service.clean(photo.file, photo.filename or "", classes or (), own)
        if answer == "json":
            return cleaned
        found = file(cleaned.photo, "result")
        found.headers["x-status"] = cleaned.status
        found.headers["x-photo"] = cleaned.photo
        return found

    def outcome(photo: str) -> Cleaned:
        """Return the outcome of a photo that was cleaned."""
        return service.found(photo)

    def result(photo: str) -> Response:
        """Return the cleaned photo, in its own format."""
        return file(photo, "result")

    def mask_of(photo: str) -> Response:
        """Return the mask, a PNG of the photo's size: white where something was removed."""
        return file(photo, "mask")

    def forget(photo: str) -> Response:
        """Delete a photo's result, mask and outcome."""
        service.forget(photo)
        return Response(status_code=204)

    def file(photo: str, what: str) -> Response:
        content, name = service.file(photo, what)
        kind = mimetypes.guess_type(PurePosixPath(name).name)[0] or "application/octet-stream"
        return Response(content, media_type=kind, headers=attachment(name))

    def add(path: str, function: Any, method: str, **more: Any) -> None:
        responses = {**_ERRORS, **more.pop("responses", {})}
        explaining = _with_errors(function, service)
        server.add_api_route(path, explaining, methods=[method], responses=responses, **more)

    add("/", about, "GET")
    add("/photos", clean, "POST", response_model=Cleaned)
    add("/photos/{photo}", outcome, "GET", response_model=Cleaned)
    add("/photos/{photo}", forget, "DELETE", status_code=204, response_class=Response)
    add("/photos/{photo}/result", result, "GET", responses=_FILE, response_class=Response)
    add("/photos/{photo}/mask", mask_of, "GET", responses=_FILE, response_class=Response)
    server.add_exception_handler(RequestValidationError, _invalid)
    server.add_exception_handler(HTTPException, _refused)
    return Guard(server, host, service.uploads, PATHS, service.ensure_folder)


def _with_errors(function: Callable[..., Any], service: Service) -> Callable[..., Any]:
    """Answer the errors of a function; Starlette would answer only those that it knows."""

    @wraps(function)
    def with_errors(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            named = function.__name__, "the service", service.settings_from
            return _error(*explained(error, *named))

    return with_errors


def _invalid(_request: Any, error: RequestValidationError) -> Response:
    """Answer a request whose fields are missing or of another kind."""
    first = error.errors()[0]
    where = " ".join(str(step) for step in first["loc"])
    return _error(f"invalid {where}: {first['msg']}", UsageError.code)


def _refused(_request: Any, error: HTTPException) -> Response:
    """Answer a request that never reaches a function: its form is broken, or its method unknown."""
    cause = error.__cause__
    if isinstance(cause, OSError):  # the form's files wait on the disk
        return _error(no_room_for_uploads(cause), UnwritableError.code)
    answer = _error(f"the request is wrong: {error.detail}", UsageError.code, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


def _error(message: str, code: str, status: int | None = None) -> Response:
    headers = {"retry-after": "30"} if code == BusyError.code else {}
    content = {"error": printable(message), "code": code}
    return JSONResponse(content, status or _STATUS.get(code, 500), headers)
