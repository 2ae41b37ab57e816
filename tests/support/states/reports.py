"""What must be true of a report, against the photos that were given and the results that stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.support.states.commands import Command, Ending
from tests.support.states.model import Look, Model, Record
from tests.support.states.pictures import Facts, object_at, place_of
from tests.support.states.world import Given, content_of

Entry = dict[str, Any]


def check_given(
    model: Model, root: Path, command: Command, given: list[Given], ending: Ending, after: Look
) -> None:
    """Check that every given photo has a result of its own, or is reported as failed."""
    left = list(ending.entries)
    without = []
    for photo in given:
        reasons = []
        for entry in _candidates(photo, left):
            if (why := _why_not(model, root, command, photo, entry, after)) is None:
                left.remove(entry)
                _note_made(model, root, command, photo, entry, after)
                # A dry run made nothing that tells photos of one name apart.
                alike = [each for each in given if _is_named(each, entry)]
                if not command.is_dry or len(alike) == 1:
                    _check_choice(model, root, command, photo, entry)
                break
            reasons.append(f"{entry['input']} ({entry['status']}): {why}")
        else:
            without.append((photo, reasons))
    for photo, reasons in without:
        failed = [e for e in left if e["status"] == "failed" and _is_named(photo, e)]
        if failed:
            left.remove(failed[0])
        else:
            kind = "wrong result" if reasons else "not reported"
            model.found(kind, f"{photo.path} has no result of its own; {'; '.join(reasons)}")


def _note_made(
    model: Model, root: Path, command: Command, photo: Given, entry: Entry, after: Look
) -> None:
    """Note that a run made a result, even if one of the same bytes stood there before."""
    seen = content_of(after.get(str(root / (entry["output"] or ""))))
    is_old = entry["status"] == "skipped" or entry.get("reviewed")
    if seen is None or command.is_dry or is_old:
        return
    removed = photo.facts.objects - seen.objects
    chained = command.has("add")
    path = str(root / entry["output"])
    mended = chained and path in model.records and model.records[path].mended
    made = Record("run", photo.path, photo.digest, removed, command, chained, mended=mended)
    model.records[path] = made


def _candidates(photo: Given, entries: list[Entry]) -> list[Entry]:
    """Return the entries that may say that a photo is done: first those of its name."""
    done = [entry for entry in entries if entry["status"] != "failed"]
    return sorted(done, key=lambda entry: not _is_named(photo, entry))


def _is_named(photo: Given, entry: Entry) -> bool:
    return f"/{entry['input']}".endswith(f"/{photo.name}")


def _why_not(
    model: Model, root: Path, command: Command, photo: Given, entry: Entry, after: Look
) -> str | None:
    """Return why an entry is not that of a photo done as the command says; None if it is."""
    if command.is_dry and _is_named(photo, entry):  # its output may be an earlier result
        return None
    if entry["output"] is None:
        return "no output"
    path = str(root / entry["output"])
    seen, record = content_of(after.get(path)), model.records.get(path)
    if seen is None or record is None:
        return "its output does not stand"
    if seen.shot != photo.facts.shot:
        return f"shows shot {seen.shot}, not {photo.facts.shot}"
    if entry["status"] == "skipped":
        return _why_not_skipped(command, photo, record, seen, entry)
    return _why_not_fresh(command, photo, record, seen, entry)


def _why_not_skipped(
    command: Command, photo: Given, record: Record, seen: Facts, entry: Entry
) -> str | None:
    """Return why an earlier result is not what the command makes; a person's may be anything."""
    if record.by_hand or record.chained or command.has("add") or command.is_dry:
        return None
    if not command.has("masks") and seen.objects != photo.facts.objects - _goes(command, entry):
        return f"skipped, but shows {sorted(seen.objects)}, made by {record.command}"
    if seen.stripped != command.has("strip"):
        return "skipped, but its metadata is not as the command says"
    if command.has("lossless") and record.removed and seen.kind != "PNG":
        return f"skipped, but not lossless: {seen.kind}"
    return None


def _why_not_fresh(
    command: Command, photo: Given, record: Record, seen: Facts, entry: Entry
) -> str | None:
    by_a_person = record.mended or record.by_hand  # which --add did not change
    if seen.objects & _goes(command, entry) and not command.has("masks") and not by_a_person:
        return f"still shows {sorted(seen.objects)}"
    if seen.stripped != command.has("strip") and not record.chained:
        return "its metadata is not as the command says"
    if command.has("lossless") and record.removed and seen.kind != "PNG":
        return f"not lossless: {seen.kind}"
    if not record.chained and _is_wrong(entry["status"], record.removed, command):
        return f"{entry['status']}, but {sorted(record.removed)} was removed"
    return None


def _is_wrong(status: str, removed: frozenset[str], command: Command) -> bool:
    """Whether a verdict cannot be; picks that fit nothing make a photo ``review``."""
    if command.picked and status == "review":
        return False
    return (status == "unchanged") == bool(removed)


def _goes(command: Command, entry: Entry) -> frozenset[str]:
    """The objects that go; whom a rule keeps, the entry says."""
    picked = command.picks_of(entry["input"])
    said = {object_at(one["box"]) for one in entry["objects"] if not one["removed"]}
    return command.targets - picked.stays - (said if command.has("keep") else set())


def _check_choice(model: Model, root: Path, command: Command, photo: Given, entry: Entry) -> None:
    """Check that a new entry says who goes and who stays as it was asked, and is right."""
    fresh = entry["status"] not in ("skipped", "failed") and not entry.get("reviewed")
    if not fresh or command.has("add") or command.has("masks"):
        return
    name, picked = entry["input"], command.picks_of(entry["input"])
    found = command.targets & photo.facts.objects
    said = {object_at(one["box"]): one["removed"] for one in entry["objects"]}
    if set(said) != found:
        model.found("objects not listed", f"{name}: {sorted(said)} for {sorted(found)}")
        return
    stays = {each for each in found if not said[each]}
    if not picked.stays & found <= stays or picked.goes & stays:
        model.found("picks not followed", f"{name}: {picked}; it says that {sorted(stays)} stay")
    by_rule = stays - picked.stays
    expected = {0, 1} if picked.stays | picked.goes else {min(1, len(found))}
    if len(by_rule) not in (expected if command.has("keep") else {0}):
        model.found("kept unasked", f"{name}: {sorted(by_rule)}")
    unfit = (picked.stays | picked.goes) - found
    told = [text for text in entry["warnings"] if "picked objects were not found" in text]
    if bool(unfit) != bool(told) or (unfit and entry["status"] != "review"):
        model.found("unfit picks", f"{name} ({entry['status']}): {sorted(unfit)}, told: {told}")
    if entry["mask"] is None or command.is_dry:
        return
    with Image.open(root / entry["mask"]) as file:
        mask = np.asarray(file.convert("1"))
    for each in found:
        here = place_of(each, mask)
        if here.any() if each in stays else not here.all():
            model.found("wrong mask", f"{name}: {each} {'stays' if each in stays else 'goes'}")


def check_report(model: Model, root: Path, after: Look, command: Command | None = None) -> None:
    """Check that the report tells of exactly what stands there.

    A dry run's entries tell what it would do, and not what was done to the results that stand.

    Args:
        model: the model.
        root: the output folder.
        after: what lies on the disk.
        command: the command that wrote it; None if the board did, and kept the other entries.
    """
    if command is not None:
        (model.dry.add if command.is_dry else model.dry.discard)(str(root))
    try:
        entries: list[Entry] = json.loads((root / "report.json").read_bytes())["photos"]
    except (OSError, ValueError, KeyError) as error:
        model.found("no report", f"{root / 'report.json'}: {error}")
        return
    results = model.results(root)
    outputs = [entry["output"] for entry in entries if entry["output"] is not None]
    if len(outputs) != len(set(outputs)):
        model.found("reported twice", str(sorted(outputs)))
    for entry in entries:
        if entry["output"] is not None:
            record = results.get(entry["output"])
            if command is not None:  # the board keeps what a run said of the other photos
                _check_entry(model, root, entry, record, after)
            is_verdict = str(root) not in model.dry and entry["status"] != "failed"
            if record is not None and is_verdict:
                _check_verdict(model, str(root / entry["output"]), entry, record)
    for name, record in results.items():
        known = record.maker != "user" and record.sure and not record.superseded
        # A kill may leave an earlier result beside the lossless one, or the other way round.
        others = {name, f"{name}.png", name.removesuffix(".png")}
        if known and not others & set(outputs):
            model.found("not in the report", f"{root / name}, made by {record.command}")
    model.confirm(root, entries, command)
    model.layers_are_of_their_masks(root)


def _check_entry(
    model: Model, root: Path, entry: Entry, record: Record | None, after: Look
) -> None:
    path = str(root / entry["output"])
    if record is None or path not in after:
        model.found("reported, not there", path)
    elif record.maker == "user" and not entry.get("reviewed"):  # put back at the board
        model.found("reported, not ours", f"{path} is the user's")


def _check_verdict(model: Model, path: str, entry: Entry, record: Record) -> None:
    """Check that an entry says of a result what was done to it."""
    if record.maker == "board":
        if record.sure and not entry.get("reviewed"):
            model.found("review forgotten", path)
    elif (
        record.maker == "run" and record.sure and not record.chained and record.command is not None
    ):
        status = entry.get("earlier_status") or entry["status"]
        if _is_wrong(status, record.removed, record.command) and not entry.get("reviewed"):
            model.found("wrong status", f"{path}: {status}, removed: {sorted(record.removed)}")
        wanted = {{"shade": "person"}.get(name, name) for name in record.removed - {"sign"}}
        named = {name for name, share in entry["classes"].items() if share}
        as_asked = wanted <= named if record.command.chooses else named == wanted
        if not as_asked and not entry.get("reviewed"):
            model.found("wrong classes", f"{path}: {sorted(named)}, removed: {sorted(wanted)}")


def check_again(model: Model, first: Ending, second: Ending, before: Look, after: Look) -> None:
    """Check that the same command, given again, skips everything and changes nothing."""
    if second.how != "completed":
        model.found("not again", f"the same command again: {second.how}, {second.message}")
        return
    for path in model.changes(before, after):
        model.found("changed again", f"{path}, by the same command")
    failed = {entry["input"] for entry in first.entries if entry["status"] == "failed"}
    for entry in second.entries:
        if entry["input"] not in failed and entry["status"] != "skipped":
            model.found("not skipped", f"{entry['input']}: {entry['status']}, {entry['reason']}")
