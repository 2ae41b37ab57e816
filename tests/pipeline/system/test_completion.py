"""TAB completes the commands: bash itself asks the scripts that they print."""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from remove_objects.pipeline import cli
from remove_objects.pipeline.board import cli as board_cli
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
        ("remove-objects --class person --segmenter ", {"auto", "compact", "fcn_resnet101"}),
        ("remove-objects photos --fail", {"--fail-on"}),
        ("remove-objects --fail-on r", {"review"}),
        ("remove-objects pho", {"photos"}),
        ("remove-objects -o pho", {"photos"}),
        ("remove-objects --masks ma", {"mask.png"}),
        ("remove-objects --print-completion b", {"bash"}),
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
