"""Completion of a command line by the shell's TAB key; a script for each shell, by shtab."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from string import Template
from typing import Any

#: The shells for which there is a script.
SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")

#: What the shell completes by itself, by the option's metavar.
_FILES = ("PATH", "FILE", "DIR|FILE")
_FOLDERS = ("DIR", "FOLDER")
#: Of a command whose first argument may be a fixed word or a file, shtab's scripts complete the
#: words alone, and that of zsh the files alone; these lines at their end complete the other ones.
#: That of tcsh cannot have both.
_FILES_TOO = {
    "bash": "${prefix}_pos_0_COMPGEN=_shtab_compgen_files\n",
    "fish": (
        "complete -c ${command} -n '${prefix}_using; and test $$${prefix}_npos -eq 0' "
        '-ka "(__fish_complete_path (commandline -ct))"\n'
    ),
    "powershell": ("$$${prefix}_compgens['${prefix}_pos_0'] = '_shtab_powershell_compgen_files'\n"),
}
#: Goes into the script of zsh, before it calls the function that is defined anew here.
_WORDS_TOO = """
functions[${prefix}_files]=$$functions[${prefix}]
${prefix}() {
  if (( CURRENT > 2 )) && [[ $$words[2] == (${either}) ]]; then
    local context state line
    local options=${prefix}_$$words[2]_options
    shift words
    (( CURRENT -= 1 ))
    _arguments -s $${(P)options}
  else
    (( CURRENT == 2 )) && compadd -- ${words}
    ${prefix}_files
  fi
}
"""


def add_completion(
    group: argparse._ArgumentGroup,
    names: Mapping[str, Sequence[str]] | None = None,
    words: Callable[[], Mapping[str, argparse.ArgumentParser]] = dict,
    command: Callable[[], argparse.ArgumentParser] | None = None,
) -> None:
    """Add ``--print-completion`` to a group of a parser's options.

    Args:
        group: the group.
        names: values to offer, by their names in the parsed arguments, for options that take others
            too and so have no ``choices``.
        words: returns the parsers of the words that may be the first argument, by word.
        command: makes a parser of the whole command; None for the parser that has the option.
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
            whole = parser if command is None else command()
            print(completion_script(whole, shell, names or {}, words()))
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
    parser: argparse.ArgumentParser,
    shell: str,
    names: Mapping[str, Sequence[str]],
    words: Mapping[str, argparse.ArgumentParser],
) -> str:
    """Return a shell's script; the parsers are spoiled.

    Args:
        parser: the command's parser.
        shell: one of ``SHELLS``.
        names: values to offer, by the options' names in the parsed arguments.
        words: the parsers of the words that may be the first argument.
    """
    import shtab

    for each in (parser, *words.values()):
        _say_what_completes(each, names)
    if not words or shell == "tcsh":
        return str(shtab.complete(parser, shell))
    _add_words(parser, words)
    known = {
        "command": parser.prog,
        "prefix": f"_shtab_{shtab.wordify(parser.prog)}",
        "words": " ".join(words),
        "either": "|".join(words),
    }
    before = Template(_WORDS_TOO).substitute(known) if shell == "zsh" else ""
    after = Template(_FILES_TOO.get(shell, "")).substitute(known)
    return f"{shtab.complete(parser, shell, preamble=before)}\n{after}"


def _say_what_completes(
    parser: argparse.ArgumentParser, names: Mapping[str, Sequence[str]]
) -> None:
    """Tell shtab which options take files, folders, or values of ``names``."""
    import shtab

    for action in parser._actions:
        if action.dest in names:
            action.choices = list(names[action.dest])
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]


def _add_words(
    parser: argparse.ArgumentParser, words: Mapping[str, argparse.ArgumentParser]
) -> None:
    """Put the words before the other arguments, as subcommands, which shtab knows."""
    subcommands = parser.add_subparsers()
    for word, of_word in words.items():
        said = (of_word.description or word).splitlines()[0]
        subcommands.add_parser(word, help=said, add_help=False)
        subcommands._name_parser_map[word] = of_word
    parser._actions.insert(0, parser._actions.pop())
