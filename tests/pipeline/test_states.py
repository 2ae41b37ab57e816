"""Runs, the mask board, the user's hands and kills in any order: no result is lost or undone.

``tests/support/states`` is the machine; ``python -m tools.states.main`` drives it for longer.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from PIL import Image

from remove_objects.pipeline import remover
from remove_objects.pipeline.removal import keep
from remove_objects.pipeline.removal.picked import decide_picked
from remove_objects.pipeline.types import FoundObject, Layer, Outcome, Pick
from tests.support.states import hands
from tests.support.states.commands import Command, cheap_machine
from tests.support.states.disk import Disturbance
from tests.support.states.machine import StatesMachine
from tests.support.states.model import STORE, FoundError
from tests.support.states.pictures import HEIGHT, OBJECTS, TOP, WIDTH, photo_bytes


@pytest.fixture(autouse=True)
def _cheap() -> Iterator[None]:
    with cheap_machine():
        yield


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StatesMachine]:
    monkeypatch.setattr(StatesMachine, "place", str(tmp_path))
    machine = StatesMachine()
    yield machine
    machine.teardown()


ROME = Command(("rome",), "cleaned", ("person",))


def planted(machine: StatesMachine, act: Callable[[], None], command: Command = ROME) -> str:
    """Let a run do something besides, at its end; return the kind of what the model finds."""
    fault = Disturbance(0, act, r"os\.rename .*report\.html")
    with pytest.raises(FoundError) as found:
        machine.command(command, fault)
    assert fault.happened
    return found.value.kind


def test_the_model_finds_a_change_outside_the_output(machine: StatesMachine) -> None:
    photo = machine.world.photos("oslo")[0]
    assert planted(machine, lambda: machine.world.new_photo(photo)) == "changed outside"
    machine.seen = machine.world.look()
    assert planted(machine, lambda: photo.chmod(0o600)) == "changed outside"


def test_the_model_finds_every_kind_of_lost_result(machine: StatesMachine) -> None:
    machine.command(ROME)
    machine.command(Command(("far",), "cleaned", ("person",)))
    mine, world = machine.ground / "cleaned" / "IMG_1.jpg", machine.world
    foreign = machine.ground / "cleaned" / "foreign.png"
    world.new_photo(foreign)
    machine.user_acted("put a file")
    oslo = Command(("oslo",), "cleaned", ("person",))
    rome = world.photos("rome")[0]
    assert planted(machine, lambda: shutil.copy(rome, mine)) == "replaced unasked"
    machine.seen = world.look()
    assert planted(machine, lambda: world.new_photo(mine), oslo) == "wrong photo"
    machine.seen = world.look()
    assert planted(machine, lambda: world.new_photo(foreign)) == "a person's file"
    machine.seen = world.look()
    others = machine.ground / "cleaned" / "rome" / "IMG_1.jpg"
    again = Command(("rome",), "cleaned", ("person",), ("overwrite",))
    assert planted(machine, lambda: world.new_photo(others), again) == "another photo's"
    machine.seen = world.look()
    assert planted(machine, foreign.unlink) == "vanished"


def test_the_model_finds_a_result_that_was_not_kept(machine: StatesMachine) -> None:
    machine.command(ROME)
    machine.world.new_photo(machine.world.photos("rome")[0])
    machine.user_acted("replace a photo")
    store = machine.ground / "cleaned" / STORE
    assert planted(machine, lambda: shutil.rmtree(store)) == "not in the store"


def test_the_model_finds_a_report_that_tells_of_something_else(machine: StatesMachine) -> None:
    path = machine.ground / "cleaned" / "report.json"

    def edit(change: Callable[[list], None]) -> Callable[[], None]:
        def act() -> None:
            report = json.loads(path.read_text())
            change(report["photos"])
            path.write_text(json.dumps(report))

        return act

    assert planted(machine, edit(list.clear)) == "not in the report"
    for change, kind in (
        (lambda photos: photos.append({**photos[0], "output": "x.png"}), "reported, not there"),
        (lambda photos: photos.append(photos[0]), "reported twice"),
        (lambda photos: photos[0]["classes"].clear(), "wrong classes"),
        (lambda photos: photos[0].update(earlier_status="unchanged"), "wrong status"),
    ):
        machine.seen = machine.world.look()
        assert planted(machine, edit(change)) == kind


def test_the_model_finds_layers_of_another_mask(machine: StatesMachine) -> None:
    masks = machine.ground / "cleaned" / "masks"

    def swap() -> None:
        content = (masks / "IMG_1.layers.png").read_bytes()
        with Image.open(masks / "IMG_1.layers.png") as layers:
            picture = layers.copy()
        assert set(np.unique(np.asarray(picture))) == {Layer.NONE, Layer.OBJECT, Layer.SHADOW}
        picture.paste(Layer.OBJECT, (0, 0, 2, 2))
        picture.save(masks / "IMG_1.layers.png")
        assert (masks / "IMG_1.layers.png").read_bytes() != content

    command = Command(("rome",), "cleaned", ("person",), ("save-masks",))
    assert planted(machine, swap, command) == "layers of another mask"


def picked(machine: StatesMachine, decisions: int, *options: str) -> Command:
    """Look at Rome's photos of a person and a dog or a shade, and pick by the bits of a number."""
    both = replace(ROME, classes=("person", "dog"))
    machine.command(replace(both, output="out", options=("preview",)))
    machine.world.pick(machine.ground / "out" / "report.json", decisions)
    machine.user_acted("pick")
    return replace(both, options=("picks", *options))


def test_picks_are_followed_and_a_change_of_one_photo_is_of_it_alone(
    machine: StatesMachine,
) -> None:
    machine.command(picked(machine, 0b1010, "save-masks"), again=True)
    who = {each.photo: (each.stays, each.goes) for each in machine.world.picked()}
    assert all(stays and goes for stays, goes in who.values())
    machine.command(picked(machine, 0b1100, "save-masks"), again=True)
    now = {each.photo: (each.stays, each.goes) for each in machine.world.picked()}
    assert [name for name in now if now[name] != who[name]] == [next(iter(who))]
    assert machine.endings["photo: skipped"] >= 1


def test_the_model_finds_a_change_of_who_was_picked_to_stay(
    machine: StatesMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = picked(machine, 0b1010)

    def reversed_picks(picks: list[Pick], found: list[FoundObject]) -> object:
        return decide_picked([replace(pick, removed=not pick.removed) for pick in picks], found)

    monkeypatch.setattr(keep, "decide_picked", reversed_picks)
    with pytest.raises(FoundError, match=r"not removed|kept object changed"):
        machine.command(command)


def test_the_model_finds_a_pixel_of_who_was_picked_to_stay(machine: StatesMachine) -> None:
    command = picked(machine, 0b11111)
    result = machine.ground / "cleaned" / "IMG_2.png"

    def dot() -> None:
        with Image.open(result) as image:
            dotted, exif, status = image.convert("RGB"), image.getexif(), result.stat()
        dotted.putpixel((OBJECTS["person"][0], TOP), (254, 0, 0))
        dotted.save(result, exif=exif)
        os.utime(result, ns=(status.st_mtime_ns, status.st_mtime_ns))

    assert planted(machine, dot, command) == "kept object changed"


def test_the_model_finds_unfit_picks_that_nobody_told(
    machine: StatesMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = picked(machine, 0b11111)
    machine.world.put(machine.world.photos("rome")[1], photo_bytes(9, frozenset(), ".png"))
    machine.user_acted("replace a photo")
    machine.command(replace(command, output="out"))
    assert machine.endings["photo: review"] >= 1

    def without_unfit(outcome: Outcome, *_: object) -> Outcome:
        return outcome

    monkeypatch.setattr(remover, "_told_of_picks", without_unfit)
    with pytest.raises(FoundError) as found:
        machine.command(command)
    assert found.value.kind == "unfit picks"


def test_the_model_finds_a_mask_of_something_else(machine: StatesMachine) -> None:
    command = picked(machine, 0b1010, "save-masks")
    mask = machine.ground / "cleaned" / "masks" / "IMG_1.png"

    def whole() -> None:
        Image.new("1", (WIDTH, HEIGHT), 1).save(mask)

    assert planted(machine, whole, command) == "wrong mask"


def test_a_killed_process_changes_nothing_more(machine: StatesMachine) -> None:
    for moment in (0, 20, 40):
        machine.command(ROME, Disturbance(moment))
    assert machine.endings["run: killed"] >= 3
    machine.command(ROME, again=True)
    assert len(hands.shown(machine.ground / "cleaned")) == 2


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2))
def test_nothing_is_lost_in_any_order_of_steps(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StatesMachine, "place", str(tmp_path))
    run_state_machine_as_test(
        seed(number)(StatesMachine),
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            phases=[Phase.generate],  # shortening takes minutes: tools.states.main does it
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
