"""Give damaged files to the real readers: each must return a result or one clear error.

    python -m tools.fuzz.main --count 5000    # 7 in 10 are photos; masks, reports, journals,
    weights python -m tools.fuzz.main --count 2000 --target weights --seed 1 --keep findings/ python
    -m tools.fuzz.main --count 0 --command 400    # through the whole command instead

Whole files of every readable format are made from a sample picture (and taken from
$REMOVE_OBJECTS_DATA/torture if it exists), mutated (``files.py``) and given to the program's
functions in a child process (``targets.py``), whose crashes are counted. One case in ten goes
through ``remove-objects`` too. The same seed gives the same files. The exit code is 1 if there is a
finding; its file is kept.
"""

from __future__ import annotations

import argparse
import json
import selectors
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tools.fuzz import files as fuzz_files
from tools.fuzz import targets as fuzz_targets
from tools.fuzz.command import run_command
from tools.fuzz.json_mutations import mutate_json
from tools.package_tree import ROOT

SHARES = {
    "photo": 0.7,
    "mask": 0.08,
    "baseline": 0.06,
    "journal": 0.05,
    "board": 0.03,
    "claim": 0.02,
    "weights": 0.06,
}
#: Targets whose crash is one photo's error, because the program decodes in a child process.
CONTAINED = {"photo", "mask"}
#: Seconds after which a case counts as hanging.
PATIENCE = 300.0


class Child:
    """A process of ``targets.py``, restarted after a crash."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def ask(self, target: str, path: Path) -> dict[str, Any]:
        """Give a file to a target, and return its outcome (see ``targets.py``)."""
        if self.process is None:
            command = [sys.executable, "-m", "tools.fuzz.targets"]
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=ROOT,
            )
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"target": target, "path": str(path)}) + "\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            if not waiting.select(PATIENCE):
                process.kill()
        line = process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.process = None
        code = process.wait()
        outcome = "contained" if target in CONTAINED and code != -9 else "finding"
        return {
            "outcome": outcome,
            "message": f"the process ended with {code}",
            "seconds": 0.0,
            "mb": 0,
        }


def case(
    seed: int, number: int, targets: list[str], seeds: dict[str, list[tuple[str, bytes]]]
) -> tuple[str, str, bytes]:
    """Make a case, the same one for the same numbers.

    Returns:
        (target, name of the undamaged file, content).
    """
    random = np.random.default_rng([seed, number])
    weights = np.array([SHARES[target] for target in targets])
    target = targets[int(random.choice(len(targets), p=weights / weights.sum()))]
    name, content = seeds[target][int(random.integers(len(seeds[target])))]
    if name.endswith((".json", ".jsonl")) and random.random() < 0.8:
        return target, name, mutate_json(random, content, lines=name.endswith("l"))
    others = [data for other, data in seeds[target] if Path(other).suffix == Path(name).suffix]
    return target, name, fuzz_files.mutate(random, name, content, others)


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--count", type=int, default=5000)
    p.add_argument(
        "--command",
        type=int,
        help="files that go through remove-objects (default: a tenth of --count)",
    )
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--target", action="append", choices=SHARES, help="only this target; repeat")
    p.add_argument(
        "--keep", type=Path, default=Path("fuzz-findings"), help="folder for the files of findings"
    )
    p.add_argument("--json", type=Path)
    return p.parse_args()


def main() -> int:
    """Run the command."""
    args = parse_arguments()
    targets = args.target or list(SHARES)
    whole = list(fuzz_files.pictures(ROOT).items())
    seeds = {**fuzz_targets.seed_files(), "photo": whole, "mask": whole}
    table: dict[str, Counter[str]] = {target: Counter() for target in targets}
    most: dict[str, dict[str, float]] = {target: {"seconds": 0.0, "mb": 0} for target in targets}
    findings: list[dict[str, Any]] = []
    # Separate processes: a decoder's limits would not do for code that loads networks.
    decoding, other = Child(), Child()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(args.count):
            target, name, content = case(args.seed, number, targets, seeds)
            path = Path(scratch) / f"{number}-{name}"
            path.write_bytes(content)
            answer = (decoding if target in CONTAINED else other).ask(target, path)
            table[target][answer["outcome"]] += 1
            for figure in ("seconds", "mb"):
                if answer[figure] > most[target][figure]:
                    most[target] |= {figure: answer[figure], f"{figure}_of": number}
            if answer["outcome"] in ("finding", "contained"):
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{args.seed}-{path.name}").write_bytes(content)
                findings.append({"case": number, "target": target, "file": name, **answer})
                message = answer["message"].strip().splitlines()[-1]
                print(
                    f"{answer['outcome']}: case {number}, {target} of {name}: {message}",
                    flush=True,
                )
            path.unlink(missing_ok=True)
    print_table(table, most)
    command = args.count // 10 if args.command is None else args.command
    whole_command = run_command(command, args.seed, whole, args.keep) if command else None
    if whole_command:
        print_command(whole_command)
    if args.json:
        report = {
            "count": args.count,
            "seed": args.seed,
            "table": table,
            "most": most,
            "findings": findings,
            "command": whole_command,
        }
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    failed = any(counts["finding"] for counts in table.values()) or bool(
        whole_command and whole_command["findings"]
    )
    return 1 if failed else 0


def print_table(table: dict[str, Counter[str]], most: dict[str, dict[str, float]]) -> None:
    """Print a row per target."""
    columns = ("result", "refused", "contained", "finding")
    print(f"{'target':10}" + "".join(f"{c:>11}" for c in columns) + "   most seconds   most MB")
    for target, counts in table.items():
        figures = most[target]
        print(
            f"{target:10}"
            + "".join(f"{counts[c]:11}" for c in columns)
            + f"   {figures['seconds']:12.2f}   {figures['mb']:7.0f}"
        )


def print_command(result: dict[str, Any]) -> None:
    """Print the verdicts and findings of the files that went through the command."""
    statuses = "; ".join(f"{n} {status}" for status, n in result["statuses"].items())
    print(
        f"remove-objects: {result['files']} files in {result['runs']} runs: {statuses}; "
        f"findings: {len(result['findings'])}"
    )
    for finding in result["findings"]:
        print(f"  {finding}")


if __name__ == "__main__":
    sys.exit(main())
