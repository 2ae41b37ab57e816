"""Damaged files against the real readers: does each give a result or one clear error with the file's name?

    python tools/fuzz/main.py --count 5000                       # 7 in 10 are photos, the others masks, reports, journals, weights
    python tools/fuzz/main.py --count 2000 --target weights --seed 1 --keep findings/
    python tools/fuzz/main.py --count 0 --command 400            # through the whole command instead

Whole files of every readable format are made from a sample picture ($REMOVE_OBJECTS_DATA/torture is added where it is at hand), mutated
(``fuzz_files.py``) and given to the program's own functions in a child process (``fuzz_targets.py``), whose death is counted. One case in
ten goes through ``remove-objects`` too. The same seed gives the same files. Exit code 1 when there is a finding; its file is kept.
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

ROOT = Path(__file__).resolve().parents[2]

from tools.fuzz import files as fuzz_files
from tools.fuzz import targets as fuzz_targets
from tools.fuzz.command import run_command
from tools.fuzz.json_mutations import mutate_json

SHARES = {
    "photo": 0.7,
    "mask": 0.08,
    "baseline": 0.06,
    "journal": 0.05,
    "board": 0.03,
    "claim": 0.02,
    "weights": 0.06,
}
#: Where a decoder that crashes or goes beyond its limits is one photo's error, because the program decodes apart.
CONTAINED = {"photo", "mask"}
#: Seconds by the clock after which a case has hung.
PATIENCE = 300.0


class Child:
    """The process of ``fuzz_targets.py``, started anew when it has died."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def ask(self, target: str, path: Path) -> dict[str, Any]:
        if self.process is None:
            command = [sys.executable, str(ROOT / "benchmarks" / "fuzz_targets.py")]
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
            found: dict[str, Any] = json.loads(line)
            return found
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
    """(target, name of the file it was made of, content) of a case: always the same for the same numbers."""
    random = np.random.default_rng([seed, number])
    weights = np.array([SHARES[target] for target in targets])
    target = targets[int(random.choice(len(targets), p=weights / weights.sum()))]
    name, content = seeds[target][int(random.integers(len(seeds[target])))]
    if name.endswith((".json", ".jsonl")) and random.random() < 0.8:
        return target, name, mutate_json(random, content, lines=name.endswith("l"))
    others = [data for other, data in seeds[target] if Path(other).suffix == Path(name).suffix]
    return target, name, fuzz_files.mutate(random, name, content, others)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--count", type=int, default=5000)
    p.add_argument(
        "--command",
        type=int,
        help="files that go through remove-objects (default: a tenth of --count)",
    )
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--target", action="append", choices=SHARES, help="only these; repeat")
    p.add_argument(
        "--keep", type=Path, default=Path("fuzz-findings"), help="where the files of findings go"
    )
    p.add_argument("--json", type=Path)
    args = p.parse_args()
    targets = args.target or list(SHARES)
    whole = list(fuzz_files.pictures(ROOT).items())
    seeds = {**fuzz_targets.seed_files(), "photo": whole, "mask": whole}
    table: dict[str, Counter[str]] = {target: Counter() for target in targets}
    most: dict[str, dict[str, float]] = {target: {"seconds": 0.0, "mb": 0} for target in targets}
    findings: list[dict[str, Any]] = []
    # Apart, because the limits of a decoder are none for what loads networks.
    decoding, other = Child(), Child()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(args.count):
            target, name, content = case(args.seed, number, targets, seeds)
            path = Path(scratch) / f"{number}-{name}"
            path.write_bytes(content)
            found = (decoding if target in CONTAINED else other).ask(target, path)
            table[target][found["outcome"]] += 1
            for figure in ("seconds", "mb"):
                if found[figure] > most[target][figure]:
                    most[target] |= {figure: found[figure], f"{figure}_of": number}
            if found["outcome"] in ("finding", "contained"):
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{args.seed}-{path.name}").write_bytes(content)
                findings.append({"case": number, "target": target, "file": name, **found})
                print(
                    f"{found['outcome']}: case {number}, {target} of {name}: {found['message'].strip().splitlines()[-1]}",
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
    """A row a target."""
    columns = ("result", "refused", "contained", "finding")
    print(f"{'target':10}" + "".join(f"{c:>11}" for c in columns) + "   most seconds   most MB")
    for target, counts in table.items():
        figures = most[target]
        print(
            f"{target:10}"
            + "".join(f"{counts[c]:11}" for c in columns)
            + f"   {figures['seconds']:12.2f}   {figures['mb']:7.0f}"
        )


def print_command(found: dict[str, Any]) -> None:
    """What came of the files that went through the command."""
    told = "; ".join(f"{n} {status}" for status, n in found["statuses"].items())
    print(
        f"remove-objects: {found['files']} files in {found['runs']} runs: {told}; findings: {len(found['findings'])}"
    )
    for finding in found["findings"]:
        print(f"  {finding}")


if __name__ == "__main__":
    sys.exit(main())
