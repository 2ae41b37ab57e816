"""Drive the machine of the states (``tests/support/states``) for as many steps as wanted.

    python -m tools.states.main --steps 20000 --seed 0
    python -m tools.states.main --steps 500 --kinds        # go on after a finding, and count kinds

A step is a run, a killed run, an act at the mask board or an act of the user; after each of them
the whole disk is compared with the model. The same seed makes the same steps. A finding prints the
shortest steps that lead to it, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.states.commands import cheap_machine
from tests.support.states.machine import StatesMachine
from tests.support.states.model import FoundError

#: Steps of an example at most, and examples for one seed.
STEPS, EXAMPLES = 50, 20


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--steps", type=int, default=20000)
    p.add_argument("--seed", type=int, default=0, help="the first seed; each serves 20 examples")
    p.add_argument("--kinds", action="store_true", help="count the kinds of findings, shorten none")
    p.add_argument("--ignore", action="append", default=[], help="a kind to count only; repeat")
    p.add_argument("--length", type=int, default=STEPS, help="steps of an example at most")
    p.add_argument("--folder", help="where the machine works (default: the temporary folder)")
    return p.parse_args()


def examples(number: int, length: int, *, shorten: bool) -> BaseException | None:
    """Run one seed's examples; return the finding that ended them."""
    machine = seed(number)(StatesMachine)
    phases = [Phase.generate, *([Phase.shrink] if shorten else [])]
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=length,
        phases=phases,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.normal,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=chosen)
    except Exception as error:
        return error
    return None


def main() -> int:
    """Run the command."""
    args = parse_arguments()
    StatesMachine.ignored, StatesMachine.place = frozenset(args.ignore), args.folder
    begun, number, kinds = time.monotonic(), args.seed, Counter[str]()
    with cheap_machine():
        while StatesMachine.steps < args.steps:
            error = examples(number, args.length, shorten=not args.kinds)
            if error is not None:
                kind = error.kind if isinstance(error, FoundError) else type(error).__name__
                kinds[kind] += 1
                if not args.kinds or kinds[kind] == 1:
                    steps = "\n".join(getattr(error, "__notes__", []))
                    print(f"seed {number}: {error}\n{steps}\n", flush=True)
                if not args.kinds:
                    break
            number += 1
    seconds = time.monotonic() - begun
    print(f"{StatesMachine.steps} steps, seeds {args.seed} to {number}, {seconds:.0f} s")
    for what, count in sorted(StatesMachine.endings.items()):
        print(f"  {count:6} {what}")
    for kind, count in kinds.most_common():
        print(f"ended an example: {count:4} {kind}")
    for kind, count in (StatesMachine.findings - kinds).most_common():
        print(f"only counted: {count:4} {kind}")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
