"""Serve until the process is interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..batch.settings import BatchSettings
from ..config import Settings
from ..errors import UsageError
from ..system.extras import install_command
from ..web.listening import interrupted_by_signals, listen, serve_app
from .options import PORT
from .service import Service

#: Seconds in which a client reads its answer when the service ends.
ANSWERING = 10


def serve(
    settings: Settings,
    batch: BatchSettings,
    host: str,
    port: int | None,
    settings_from: Mapping[str, Mapping[str, Any]],
) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP; the photo in progress is finished and answered then.

    Args:
        settings: the settings of the picture.
        batch: the settings of single photos.
        host: the address to listen at.
        port: the port; None for the usual one or the next free one.
        settings_from: options that settings files set, by the files' addresses.

    Raises:
        UsageError: the address is not available, the settings cannot work, or FastAPI is not
            installed.
    """
    try:
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401

        from .app import build
    except ImportError as error:
        raise UsageError(f"serve needs FastAPI ({error}): {install_command('serve')}") from error
    with interrupted_by_signals():
        service = Service(settings, batch, settings_from=settings_from)
        try:
            serve_app(
                build(service, host),
                listen(host, port, PORT),
                host,
                "remove-objects serve",
                risk="send photos to be cleaned",
                ending=service.end,
                is_busy=service.is_busy,
                patience=ANSWERING,
            )
        except KeyboardInterrupt:
            pass
        finally:
            service.close()
