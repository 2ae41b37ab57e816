"""Completion of a command line by the shell's TAB key; a script for each shell, by shtab."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

#: The shells for which there is a script.
SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")

#: What the shell completes by itself, by the option's metavar.
_FILES = ("PATH", "FILE", "DIR|FILE")
_FOLDERS = ("DIR",)


def add_completion(
    group: argparse._ArgumentGroup, names: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Add ``--print-completion`` to a group of a parser's options.

    Args:
        group: the group.
        names: values to offer, by their names in the parsed arguments, for options that take others
            too and so have no ``choices``.
    """

    class Print(argparse.Action):
        """Prints the script and ends the command."""

        def __call__(
            self,
            parser: argparse.ArgumentParser,
            _args: Any,
            shell: Any,
            _option: str | None = None,
        ) -> None:
            print(completion_script(parser, shell, names or {}))
            parser.exit()

    group.add_argument(
        "--print-completion",
        action=Print,
        choices=SHELLS,
        metavar="SHELL",
        help=f"print the script by which TAB completes this command: {', '.join(SHELLS)} "
        "(docs/commandline.md)",
    )


def completion_script(
    parser: argparse.ArgumentParser, shell: str, names: Mapping[str, Sequence[str]]
) -> str:
    """Return a shell's script; the parser is spoiled.

    Args:
        parser: the command's parser.
        shell: one of ``SHELLS``.
        names: values to offer, by the options' names in the parsed arguments.
    """
    import shtab

    for action in parser._actions:
        if action.dest in names:
            action.choices = list(names[action.dest])
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))
