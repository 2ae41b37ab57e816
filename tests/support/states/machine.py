"""The machine: runs, the board, the user's hands and kills in any order, with checks."""

from __future__ import annotations

import gc
import json
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.support.states import hands, reports
from tests.support.states.boards import (
    ACTIONS,
    OpenBoard,
    accepted,
    act,
    board_changed,
    fill,
    finished,
    open_board,
)
from tests.support.states.commands import OPTIONS, Command, Ending, run
from tests.support.states.disk import Disturbance, State
from tests.support.states.model import Model
from tests.support.states.world import ALBUMS, PICK_BITS, World

INPUTS = st.sampled_from(
    [
        ("rome",),
        ("oslo",),
        ("far",),
        ("rome", "oslo"),
        ("rome", "far"),
        ("rome/IMG_1.jpg",),
        ("oslo/IMG_1.jpg",),
        ("rome/IMG_1.jpg", "oslo/IMG_1.jpg"),
    ]
)
#: ``m`` is the folder of the user's own masks.
OUTPUTS = st.sampled_from(["cleaned", "cleaned", "cleaned", "out", "out", None, "m"])
CLASSES = st.sampled_from([("person",), ("dog",), ("person", "dog")])
#: Most commands have no option or one.
CHOSEN = st.one_of(
    st.just(()),
    st.sampled_from([(option,) for option in OPTIONS]),
    st.lists(st.sampled_from(OPTIONS), min_size=2, max_size=3, unique=True).map(tuple),
)
NUMBERS = st.integers(0, 5)
#: A run of two photos makes some 60 changes to the disk.
MOMENTS = st.integers(0, 80)
#: Changes before and after a photo takes its name.
BETWEEN_PHOTOS = r"os\.(rename|remove) .*remove-objects-claims"


def _command(
    inputs: tuple[str, ...], output: str | None, classes: tuple[str, ...], options: tuple[str, ...]
) -> Command:
    """Return a command; beside a single photo, the default output would lie in the album."""
    if output is None and any("/" in given for given in inputs):
        output = "cleaned"
    if output == "m":
        options = tuple(dict.fromkeys((*options, "masks")))
    return Command(inputs, output, classes, options)


class StatesMachine(RuleBasedStateMachine):
    """See the module.

    Attributes:
        ignored: kinds of findings that are only counted.
        steps: how many steps all machines made.
        endings: how the commands and the board's actions ended, over all machines.
        findings: how often each kind was found, over all machines.
        place: where the folders are made.
    """

    ignored: ClassVar[frozenset[str]] = frozenset()
    steps: ClassVar[int] = 0
    endings: ClassVar[Counter[str]] = Counter()
    findings: ClassVar[Counter[str]] = Counter()
    place: ClassVar[str | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.ground = Path(tempfile.mkdtemp(prefix="states-", dir=self.place)).resolve()
        self.world = World(self.ground)
        self.model = Model(self.world.outputs, self.ignored, findings=self.findings)
        self.boards: list[OpenBoard] = []
        self.seen = self.world.look()
        self.unused = 0  # boards that were opened since one was used

    def teardown(self) -> None:
        """Remove everything."""
        for opened in self.boards:
            opened.board.close()
        shutil.rmtree(self.ground, ignore_errors=True)

    @initialize()
    def begin(self) -> None:
        """Every example begins with the albums, and without outputs."""

    # Runs.

    @rule(inputs=INPUTS, output=OUTPUTS, classes=CLASSES, options=CHOSEN)
    def run(
        self,
        inputs: tuple[str, ...],
        output: str | None,
        classes: tuple[str, ...],
        options: tuple[str, ...],
    ) -> None:
        """Any command."""
        self.command(_command(inputs, output, classes, options))

    @rule(inputs=INPUTS, options=CHOSEN)
    def run_simply(self, inputs: tuple[str, ...], options: tuple[str, ...]) -> None:
        """README's command, again and again into one folder."""
        self.command(Command(inputs, "cleaned", ("person",), options))

    @rule(inputs=INPUTS, classes=CLASSES, options=CHOSEN)
    def run_twice(
        self, inputs: tuple[str, ...], classes: tuple[str, ...], options: tuple[str, ...]
    ) -> None:
        """A command, and the same command again."""
        command = Command(inputs, "cleaned", classes, options)
        self.command(command, again=not command.is_dry)

    @rule(inputs=INPUTS, output=OUTPUTS, classes=CLASSES, options=CHOSEN, moment=MOMENTS)
    def run_killed(
        self,
        inputs: tuple[str, ...],
        output: str | None,
        classes: tuple[str, ...],
        options: tuple[str, ...],
        moment: int,
    ) -> None:
        """A command whose process dies before a change to the disk."""
        self.command(_command(inputs, output, classes, options), Disturbance(moment))

    @precondition(lambda self: self._runs())
    @rule(
        number=NUMBERS,
        decisions=st.integers(0, 2**PICK_BITS - 1),
        inputs=INPUTS,
        options=CHOSEN,
        moment=st.none() | MOMENTS,
    )
    def run_what_was_picked(
        self,
        number: int,
        decisions: int,
        inputs: tuple[str, ...],
        options: tuple[str, ...],
        moment: int | None,
    ) -> None:
        """Decide about the objects that a report names, and run it, perhaps up to a kill."""
        runs = self._runs()
        output = runs[number % len(runs)]
        if not self.world.pick(self.ground / output / "report.json", decisions):
            return
        self.user_acted("pick")
        classes = json.loads(self.world.picks.read_bytes())["settings"]["classes"]
        options = tuple(dict.fromkeys((*options, "picks")))
        command = Command(inputs, output, tuple(classes), options)
        if moment is None:
            self.command(command, again=not command.is_dry)
        else:
            self.command(command, Disturbance(moment))

    @rule(inputs=INPUTS, moment=NUMBERS)
    def run_without_its_folder(self, inputs: tuple[str, ...], moment: int) -> None:
        """A command whose output folder the user removes meanwhile."""
        command = Command(inputs, "cleaned", ("person",))
        root = self.ground / "cleaned"
        report = root / "report.json"
        earlier = report.read_bytes() if report.is_file() else None

        def remove() -> None:
            if report.is_file() and report.read_bytes() != earlier:
                return  # after its report, the run cannot tell of it
            shutil.rmtree(root, ignore_errors=True)
            self.model.folder_removed(root)
            self.seen = self.world.look()

        self.command(command, Disturbance(moment, remove, BETWEEN_PHOTOS))

    def command(
        self, command: Command, disturbance: Disturbance | None = None, *, again: bool = False
    ) -> None:
        """Give a command, and check what it did."""
        if command.has("picks"):
            picked = self.world.picked()
            command = replace(command, picked=picked) if picked else command.without("picks")
        given = self.world.given(command.inputs)
        root = command.root(self.world)
        ending = run(self.world, command, disturbance)
        self._end("run", ending)
        before, after = self.before, self.seen
        into = root if root in self.world.outputs else None
        self.model.nothing_outside(into, before, after)
        if root is not None and into is None and ending.how != "refused":
            self.model.found("worked among masks", f"{command}")
        if into is not None and ending.how == "refused":
            self.model.nothing_changed(into, before, after)
        sure = ending.how == "completed"
        self.model.run_changed(command, given, before, after, sure=sure)
        self.model.store_is_whole(after)
        if into is not None and ending.how in ("killed", "stopped"):
            self.model.may_have_made(into, given)
            if command.is_dry:
                self.model.dry.add(str(into))
        if into is not None and sure:
            reports.check_given(self.model, into, command, given, ending, after)
            reports.check_report(self.model, into, after, command)
        if sure and again:
            self._run_again(command, ending)

    def _run_again(self, command: Command, first: Ending) -> None:
        before = self.world.look()
        second = run(self.world, command.without("overwrite"))
        self.seen = self.world.look()
        self.endings["run again"] += 1
        reports.check_again(self.model, first, second, before, self.seen)

    # The board.

    @precondition(lambda self: self.unused < 2 and self._runs())
    @rule(number=NUMBERS)
    def open_run(self, number: int) -> None:
        """Open a run's output folder at a board; two boards stay open."""
        runs = self._runs()
        self._open(f"run {runs[number % len(runs)]}")

    @precondition(lambda self: self.unused < 2 and len(self.boards) < 2)
    @rule(album=st.sampled_from(sorted(ALBUMS)))
    def open_album(self, album: str) -> None:
        """Open an album at a board."""
        self._open(album)

    def _runs(self) -> list[str]:
        return [
            root.relative_to(self.ground).as_posix()
            for root in self.world.outputs
            if (root / "report.json").is_file()
        ]

    def _open(self, what: str) -> None:
        if (opened := open_board(self.world, what)) is not None:
            self.boards = [*self.boards, opened]
            if len(self.boards) > 2:
                self.boards.pop(0).board.close()
        self.unused += 1
        self._end("open board", Ending("refused" if opened is None else "completed"))
        root = self.ground / what[4:] if what.startswith("run ") else None
        self.model.nothing_outside(root, self.before, self.seen)
        finished(self.model, self.before, self.seen)

    @precondition(lambda self: self.boards)
    @rule(board=NUMBERS, photo=NUMBERS, how=st.sampled_from(["sign", "person", "alone", "empty"]))
    def fill_at_board(self, board: int, photo: int, how: str) -> None:
        """Mark something and fill it; nothing is written."""
        self.unused = 0
        opened = self.boards[board % len(self.boards)]
        items = opened.items()
        ending = fill(opened, items[photo % len(items)], how)
        self._end("fill", ending)
        self.model.nothing_outside(None, self.before, self.seen)

    @precondition(lambda self: any(opened.filled for opened in self.boards))
    @rule(board=NUMBERS, photo=NUMBERS, told=st.booleans(), action=st.sampled_from(ACTIONS))
    def act_at_board(self, board: int, photo: int, told: bool, action: str) -> None:
        """Save a photo, or what else the board can do with it."""
        self._act(board, photo, told, action, None)

    @precondition(lambda self: any(opened.filled for opened in self.boards))
    @rule(board=NUMBERS, photo=NUMBERS, told=st.booleans(), moment=st.integers(0, 40))
    def save_killed(self, board: int, photo: int, told: bool, moment: int) -> None:
        """Save a photo at a board that dies before a change to the disk."""
        self._act(board, photo, told, "save", Disturbance(moment))

    @precondition(lambda self: self._runs())
    @rule(
        number=NUMBERS,
        photo=NUMBERS,
        how=st.sampled_from(["sign", "person", "alone"]),
        told=st.booleans(),
        action=st.sampled_from(ACTIONS),
    )
    def review(self, number: int, photo: int, how: str, told: bool, action: str) -> None:
        """Open a run, fill a photo and decide on it, without anything in between."""
        runs = self._runs()
        self._open(f"run {runs[number % len(runs)]}")
        if self.boards and (items := self.boards[-1].items()):
            fill(self.boards[-1], items[photo % len(items)], how)
            if self.boards[-1].filled:
                filled = [opened for opened in self.boards if opened.filled]
                self._act(len(filled) - 1, 0, told, action, None)

    def _act(
        self, board: int, photo: int, told: bool, action: str, disturbance: Disturbance | None
    ) -> None:
        filled = [opened for opened in self.boards if opened.filled]
        opened = filled[board % len(filled)]
        item = opened.item(photo)
        if item is None:
            return
        ending = act(self.world, opened, item, action, told, disturbance)
        self._end(action, ending)
        before, after = self.before, self.seen
        self.model.nothing_outside(opened.root, before, after)
        if ending.how == "refused":
            self.model.nothing_changed(opened.root, before, after)
        board_changed(self.model, opened, item, before, after, action=action, told=told)
        if action == "accept" and ending.how == "completed":
            accepted(self.model, opened.root, item)
        self.model.store_is_whole(after)
        if ending.how == "completed" and opened.mode == "run":
            reports.check_report(self.model, opened.root, after)
        if ending.how == "killed":
            self.model.save_was_killed = True
            self.boards.remove(opened)
            opened.board.close()

    # The user.

    @rule(data=st.data(), what=st.sampled_from(sorted(hands.AT_INPUTS)), number=NUMBERS)
    def change_inputs(self, data: st.DataObject, what: str, number: int) -> None:
        """The user changes inputs."""
        album = data.draw(st.sampled_from(sorted(ALBUMS)))
        folder = self.world.folders[album]
        hands.AT_INPUTS[what](self.world, album, number)
        self.model.album_moved(folder, self.world.folders[album])
        self.user_acted(what)

    @precondition(lambda self: self._standing())
    @rule(root=NUMBERS, what=st.sampled_from(sorted(hands.AT_OUTPUTS)), number=NUMBERS)
    def change_output(self, root: int, what: str, number: int) -> None:
        """The user changes an output folder."""
        folder = self._output(root)
        if hands.AT_OUTPUTS[what](self.world, folder, number):
            self.model.notes_changed(folder)
        self.user_acted(what)

    @precondition(lambda self: self._standing())
    @rule(root=NUMBERS, name=st.sampled_from(hands.LINKED), to=st.sampled_from(hands.LEADS))
    def link(self, root: int, name: str, to: str) -> None:
        """The user puts a link in place of one of the program's own files or folders."""
        folder = self._output(root)
        if hands.link(self.world, folder, name, to):
            self.model.notes_changed(folder)
        self.user_acted("link")

    @precondition(lambda self: any(state.is_link for state in self.seen.values()))
    @rule()
    def remove_links(self) -> None:
        """The user removes all links, as messages advise."""
        for root in self.world.outputs:
            hands.remove_links(root)
        self.user_acted("remove links")

    def _standing(self) -> list[Path]:
        return [root for root in self.world.outputs if root.is_dir()]

    def _output(self, number: int) -> Path:
        standing = self._standing()
        return standing[number % len(standing)]

    def _end(self, what: str, ending: Ending) -> None:
        """Count a step of the program and look at the disk; a crash is a finding."""
        self.before, self.seen = self.seen, self.world.look()
        type(self).steps += 1
        self.endings[f"{what}: {ending.how}"] += 1
        for entry in ending.entries:
            self.endings[f"photo: {entry['status']}"] += 1
        if ending.how == "killed":
            gc.collect()  # what a dead process held, its lock above all
        if ending.how == "crashed":
            self.model.found("crash", ending.message)

    def user_acted(self, what: str) -> None:
        """Count a step of the user, and note what changed."""
        before, self.seen = self.seen, self.world.look()
        type(self).steps += 1
        self.endings[f"user: {what}"] += 1
        self.model.user_changed(before, self.seen)

    before: dict[str, State]
