"""The options of ``remove-objects serve``."""

from __future__ import annotations

#: The usual port.
PORT = 7880

DESCRIPTION = """Clean photos that other programs send by HTTP, until Ctrl-C or SIGTERM.

A photo in; the result, its mask and the outcome out: docs/serve.md has examples, and the service
describes itself at /openapi.json. --class names what goes where a request names nothing. The
options are those of remove-objects, without those that belong to a folder."""

EPILOG = """exit codes:
  0    stopped by Ctrl-C or SIGTERM
  2    the call was wrong, or the address is taken
A folder whose own name is serve: ./serve"""
