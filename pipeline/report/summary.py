"""The line of ``--json``: how a call ended, for programs.

``summary.json`` is its schema; ``tests/pipeline/report/test_summary.py`` compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from ..types import Status
from .ranking import waits, worst_first

if TYPE_CHECKING:
    from .schema import Entry

SUMMARY_VERSION = 1


class FailedPhoto(TypedDict):
    """A photo without a result."""

    input: str
    error: str


class Compared(TypedDict):
    """How many metrics of all photos changed since the baseline, by more than their tolerance."""

    worse: int
    better: int


class Summary(TypedDict):
    """How a call ended; ``summary.json`` describes every key."""

    schema_version: int
    exit_code: int
    error: str | None
    output: str | None
    report: str | None
    page: str | None
    preview: str | None
    counts: dict[str, int]
    review: list[str]
    failed: list[FailedPhoto]
    stopped: str | None
    baseline: Compared | None
    seconds: float
    warnings: list[str]


def without_result(exit_code: int, error: str) -> Summary:
    """Return the summary of a call that ended before there was a report."""
    return {
        "schema_version": SUMMARY_VERSION,
        "exit_code": exit_code,
        "error": error,
        "output": None,
        "report": None,
        "page": None,
        "preview": None,
        "counts": _counts(()),
        "review": [],
        "failed": [],
        "stopped": None,
        "baseline": None,
        "seconds": 0.0,
        "warnings": [],
    }


def of_photos(photos: Sequence[Entry]) -> Summary:
    """Return a summary that says what became of the photos of a call, and nothing else yet."""
    failed: list[FailedPhoto] = [
        {"input": p["input"], "error": p["error"] or p["reason"]}
        for p in photos
        if p["status"] == Status.FAILED.value
    ]
    return {
        **without_result(0, ""),
        "error": None,
        "counts": _counts([p["status"] for p in photos]),
        "review": [p["input"] for p in to_review(photos)],
        "failed": sorted(failed, key=lambda p: p["input"]),
    }


def to_review(photos: Sequence[Entry]) -> list[Entry]:
    """Return the photos that a person has yet to look at, worst first."""
    return worst_first([photo for photo in photos if waits(photo)])


def _counts(statuses: Sequence[str]) -> dict[str, int]:
    return {status.value: statuses.count(status.value) for status in Status}
