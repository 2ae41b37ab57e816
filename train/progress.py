"""How far a training run is: a bar in a terminal, and lines now and then elsewhere."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ..pipeline.report.progress import duration

log = logging.getLogger(__name__)

#: Seconds between two drawings of the bar, and between two lines where there is none.
DRAW, LINE = 1.0, 30.0
#: Losses that are shown; the log has all of them.
SHOWN = 2


class Progress:
    """Shows the step, the time that is left, and the two most telling losses.

    Args:
        steps: length of the whole run.
        done: steps that earlier sessions made.
        telling: names of losses, the most telling first.
        minutes: after which this session stops, though steps are left.
        shown: False shows nothing.
    """

    def __init__(
        self,
        steps: int,
        done: int,
        telling: Sequence[str],
        *,
        minutes: float = math.inf,
        shown: bool = True,
    ) -> None:
        self._steps, self._start, self._telling, self._shown = steps, done, telling, shown
        self._begun = self._last = time.monotonic()
        self._ends = self._begun + 60 * minutes
        has_bar = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._bar: Any = None
        self._open = ExitStack()
        if shown and has_bar:
            # Messages are printed above the bar.
            self._bar = self._open.enter_context(
                tqdm(
                    total=steps,
                    initial=done,
                    dynamic_ncols=True,
                    bar_format="{percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} steps{postfix}",
                )
            )
            self._open.enter_context(logging_redirect_tqdm(tqdm_class=tqdm))

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def is_due(self, step: int) -> bool:
        """Whether ``show`` would show anything: reading a loss costs a GPU's pause."""
        pause = LINE if self._bar is None else DRAW
        since = time.monotonic() - self._last
        return self._shown and (since >= pause or step == self._steps)

    def show(self, step: int, means: Mapping[str, float]) -> None:
        """Show the step and the mean losses since the last row of the log."""
        self._last = time.monotonic()
        words = f"{self._left(step)}{told_losses(means, self._telling)}"
        if self._bar is None:
            log.info("step %d of %d%s", step, self._steps, words)
            return
        self._bar.set_postfix_str(words.removeprefix(", "), refresh=False)
        self._bar.n = step
        self._bar.refresh()

    def _left(self, step: int) -> str:
        """The time until the last step or the session's end."""
        if step <= self._start or step >= self._steps:
            return ""
        now = time.monotonic()
        seconds = (now - self._begun) / (step - self._start) * (self._steps - step)
        return f", {duration(max(0.0, min(seconds, self._ends - now)))} left"


def told_losses(means: Mapping[str, float], telling: Sequence[str]) -> str:
    """The two most telling losses: ``, hole 0.0312, semantic 0.41``.

    Args:
        means: by name; gradients' norms are none.
        telling: names, the most telling first; without any of them the first losses are shown.
    """
    losses = [name for name in means if not name.endswith("_gradient")]
    chosen = [*(n for n in telling if n in losses), *(n for n in losses if n not in telling)]
    return "".join(f", {name} {means[name]:.3g}" for name in chosen[:SHOWN])
