"""``mask-board``: the web page to draw and mend masks. Not built yet; the command says so and what to use meanwhile."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Say what the board will be; exit code 2, because nothing was done."""
    parser = argparse.ArgumentParser(
        "mask-board",
        description="A local web page to draw a mask, see it filled, compare and save. NOT BUILT YET. Until it is, edit the masks that "
        "'remove-objects --save-masks' writes in any paint program (white = remove) and give them back with 'remove-objects --masks DIR'.",
    )
    parser.add_argument("path", nargs="?", help="a photo, a folder, or the output folder of a remove-objects run")
    parser.parse_args(argv)
    print("mask-board: not built yet; see 'mask-board --help' for what to use meanwhile", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
