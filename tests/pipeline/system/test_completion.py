"""TAB completes the commands: the shells themselves ask the scripts that they print."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import pty
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from remove_objects.pipeline import cli
from remove_objects.pipeline.board import cli as board_cli
from remove_objects.pipeline.segmenter_names import NETWORKS
from remove_objects.pipeline.system.completion import SHELLS

COMMANDS = {"remove-objects": cli.parser, "mask-board": board_cli.parser}

#: Sources a command's script, and prints what the shell would offer for its last word.
ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
asked=$(complete -p "$1" | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
"$asked" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(make: Callable[[], argparse.ArgumentParser], shell: str) -> str:
    """What ``--print-completion`` prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as end:
        make().parse_args(["--print-completion", shell])
    assert not end.value.code
    return said.getvalue()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("remove-objects --cl", {"--class"}),
        ("remove-objects --class ca", {"car", "cat"}),
        ("remove-objects --class person --segmenter ", set(NETWORKS)),
        ("remove-objects photos --fail", {"--fail-on"}),
        ("remove-objects --fail-on r", {"review"}),
        ("remove-objects pho", {"photos"}),
        ("remove-objects -o pho", {"photos"}),
        ("remove-objects --masks ma", {"mask.png"}),
        ("remove-objects --print-completion b", {"bash"}),
        ("remove-objects ", {"photos", "mask.png", "watch", "serve"}),
        ("remove-objects wa", {"watch"}),
        ("remove-objects watch ", {"photos"}),  # a folder, so not the mask
        ("remove-objects watch photos --set", {"--settle"}),
        ("remove-objects watch photos --class per", {"person"}),
        ("remove-objects watch --fail", set()),  # which a watch refuses
        ("remove-objects serve ", set()),
        ("remove-objects serve --po", {"--port"}),
        ("remove-objects serve --series", set()),
        ("remove-objects photos --set", set()),
        ("mask-board --strip", {"--strip-metadata"}),
        ("mask-board --series ", {"auto", "off", "fixed"}),
        ("mask-board pho", {"photos"}),
        ("mask-board --input ", {"photos"}),  # a folder, so not the mask
    ],
)
def test_bash_offers_options_values_and_files(tmp_path: Path, line: str, offered: set[str]) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("this system has no bash")
    (tmp_path / "here" / "photos").mkdir(parents=True)
    (tmp_path / "here" / "mask.png").touch()
    words = line.split(" ")
    (tmp_path / "script").write_text(script(COMMANDS[words[0]], "bash"), encoding="utf-8")
    done = subprocess.run(
        [bash, "--norc", "-c", ASK, "bash", str(tmp_path / "script"), *words],
        cwd=tmp_path / "here",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert set(done.stdout.split()) == offered


#: Calls as they are typed, and what they are after TAB.
TYPED = [
    ("remove-objects wa", "remove-objects watch "),
    ("remove-objects pho", "remove-objects photos/"),
    ("remove-objects photos --no-pro", "remove-objects photos --no-probe "),
    ("remove-objects --class ca", "remove-objects --class ca"),  # car, cat
    ("remove-objects watch ", "remove-objects watch photos/"),
    ("remove-objects watch photos --set", "remove-objects watch photos --settle "),
    ("remove-objects watch photos --class pers", "remove-objects watch photos --class person "),
    ("remove-objects watch --fail", "remove-objects watch --fail"),
    ("remove-objects serve --po", "remove-objects serve --port "),
]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of a folder and a file."""
    (tmp_path / "here" / "photos").mkdir(parents=True)
    (tmp_path / "here" / "mask.png").touch()
    return tmp_path / "here"


@pytest.mark.parametrize("autoloaded", [False, True])
def test_zsh_completes_what_is_typed(here: Path, autoloaded: bool) -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("this system has no zsh")
    place, written = here.parent, here.parent / "written"
    (place / "_remove-objects").write_text(script(cli.parser, "zsh"), encoding="utf-8")
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        [zsh, "-f", "-i"],
        cwd=here,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "dumb", "ZDOTDIR": str(place)},
        start_new_session=True,
    )
    os.close(theirs)
    begin = "autoload -Uz compinit; compinit -u -D; "
    if autoloaded:
        begin = f"fpath=({place} $fpath); {begin}"
    else:
        begin += f'eval "$(cat {place}/_remove-objects)"; '
    # A key writes down what stands in the line, and clears it.
    begin += f'down() {{ print -r -- "$BUFFER" >> {written}; BUFFER= }}; zle -N down; '
    begin += "unsetopt automenu listbeep; bindkey '^T' down\n"
    lines = "".join(f"{typed}\t\x14" for typed, _ in TYPED)
    os.write(ours, f"{begin}{lines}exit\n".encode())
    with contextlib.suppress(OSError):  # the shell has ended
        while os.read(ours, 65536):
            pass
    shell.wait(60)
    os.close(ours)
    assert written.read_text().splitlines() == [line for _, line in TYPED]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("remove-objects ", {"photos/", "mask.png", "watch", "serve"}),
        ("remove-objects wa", {"watch"}),
        ("remove-objects pho", {"photos/"}),
        ("remove-objects photos --no-pro", {"--no-probe"}),
        ("remove-objects watch ", {"photos/"}),
        ("remove-objects watch photos --set", {"--settle"}),
        ("remove-objects watch --fail", set()),
        ("remove-objects serve ", set()),
        ("remove-objects serve --po", {"--port"}),
    ],
)
def test_fish_offers_the_same(here: Path, line: str, offered: set[str]) -> None:
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("this system has no fish")
    (here.parent / "script").write_text(script(cli.parser, "fish"), encoding="utf-8")
    ask = f"source {here.parent}/script; complete -C '{line}'"
    done = subprocess.run(
        [fish, "--no-config", "-c", ask], cwd=here, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert {offer.split("\t")[0] for offer in done.stdout.splitlines()} == offered


@pytest.mark.parametrize("make", [cli.watch_parser, cli.serve_parser])
def test_every_word_prints_the_script_of_the_whole_command(
    make: Callable[[], argparse.ArgumentParser],
) -> None:
    assert script(make, "bash") == script(cli.parser, "bash")


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script_with_every_option(command: str, shell: str) -> None:
    said = script(COMMANDS[command], shell)
    assert command in said
    for action in COMMANDS[command]()._actions:
        long = [o for o in action.option_strings if o.startswith("--")]
        assert all(option.removeprefix("--") in said for option in long)


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--print-completion", "cmd"])
    assert end.value.code == 2
    assert "bash" in capsys.readouterr().err
