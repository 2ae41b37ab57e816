"""Every link, file, module and option that the documentation names exists."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from remove_objects.pipeline import cli
from remove_objects.pipeline.board import cli as board_cli
from remove_objects.train import cli as train_cli
from remove_objects.train import evaluate_cli

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "sample_images" / "README.md",
    *sorted((ROOT / "models" / "weights").glob("*.md")),
]
#: Folders of programs.
FOLDERS = (
    *("remove_objects", "pipeline", "models", "train"),
    *("tests", "benchmarks", "tools", "sample_images"),
)
PARSERS = {
    "remove-objects watch": cli.watch_parser(),
    "remove-objects serve": cli.serve_parser(),
    "remove-objects": cli.parser(),
    "mask-board": board_cli.parser(),
    "train-inpainter": train_cli.parser(),
    "evaluate-inpainter": evaluate_cli.parser(),
}
#: Options of other programs: pip, torchrun, Ray, pip-audit, systemctl, curl.
FOREIGN = {
    *("--index-url", "--nproc-per-node", "--head", "--address", "--strict"),
    *("--user", "--now", "--fail"),
}

LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
#: An indented block's line, a fenced line, or code in a sentence.
CODE = re.compile(r"^(?: {4}|```\n)(.*)$|(?<!`)`([^`\n]+)`", re.MULTILINE)
MODULE = re.compile(r"python -m ((?:benchmarks|tools)[\w.]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
FILE = re.compile(r"(?<![\w./*-])(?:[\w.-]+/)*[\w-]+\.(?:py|js|css|toml)(?!\w)")
#: Files of a user: scripts in examples, and settings.
OTHER_FILES = {"train.py", "remove-objects.toml"}


def read(page: Path) -> str:
    """A page's text."""
    return page.read_text(encoding="utf-8")


def code(page: Path) -> Iterator[str]:
    """Every line of code on a page, in a block or in a sentence."""
    for match in CODE.finditer(read(page)):
        yield match[1] or match[2] or ""


def anchors(page: Path) -> set[str]:
    """The anchors that a repository's web page gives the headings of a Markdown file."""
    headings = HEADING.findall(FENCE.sub("", read(page)))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@cache
def repository_files() -> frozenset[str]:
    """The paths of the repository's files, and every ending of them that begins at a slash."""
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.is_file())
    paths = [file.relative_to(ROOT).parts for file in (*files, *ROOT.glob("*.toml"))]
    return frozenset("/".join(path[i:]) for path in paths for i in range(len(path)))


def parser_options(parser: argparse.ArgumentParser) -> set[str]:
    """The long options of a command, from its help."""
    return set(OPTION.findall(parser.format_help()))


def source_options(file: Path) -> set[str]:
    """The long options of a script, from its source."""
    return set(re.findall(r'"(--[a-z][a-z0-9-]*)"', read(file)))


def legal_options(line: str) -> set[str]:
    """The options of the command in a line of code; of all commands if it has none."""
    if module := MODULE.search(line):
        return source_options(module_file(module[1]))
    for command, parser in PARSERS.items():
        if re.search(rf"(?:^|&& |\w=\S+ ){command}(?: |$)", line):
            return parser_options(parser)
    scripts = (f for folder in ("benchmarks", "tools") for f in (ROOT / folder).rglob("*.py"))
    return FOREIGN.union(*map(parser_options, PARSERS.values()), *map(source_options, scripts))


def module_file(name: str) -> Path:
    """The file of a module, whether it exists or not."""
    return ROOT.joinpath(*name.split(".")).with_suffix(".py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    wrong = []
    for target, anchor in LINK.findall(read(page)):
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(f"{target}#{anchor}")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    names = {name for line in code(page) for name in FILE.findall(line)}
    assert names - OTHER_FILES - repository_files() == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_can_be_run(page: Path) -> None:
    names = [name for line in code(page) for name in MODULE.findall(line)]
    assert [name for name in names if not module_file(name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_exist(page: Path) -> None:
    wrong = [
        f"{option} in: {line}"
        for line in code(page)
        for option in OPTION.findall(line)
        if option not in legal_options(line)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("remove-objects --begin-with x", "--begin-with"),
        ("pip install . && mask-board --truth x", "--truth"),
        ("python -m benchmarks.speed.scale --class x", "--class"),
        ("--no-such-option", "--no-such-option"),
    ],
)
def test_an_option_of_another_command_is_noticed(line: str, option: str) -> None:
    assert option not in legal_options(line)


def test_every_extra_is_in_the_readme() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table = re.findall(r"^\| `([\w-]+)` \|", read(ROOT / "README.md"), re.MULTILINE)
    assert sorted(table) == sorted(setup["project"]["optional-dependencies"])


def test_a_heading_with_punctuation_has_its_anchor(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# `skip-ce`: a, b & C\n", encoding="utf-8")
    assert anchors(page) == {"skip-ce-a-b--c"}
