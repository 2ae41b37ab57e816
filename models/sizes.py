"""Legal input sizes of the networks."""

from __future__ import annotations

from torch import Tensor


def require_multiple(image: Tensor, multiple: int, smallest: int = 1) -> None:
    """Check that a picture's height and width are multiples of a number.

    Args:
        image: N3HW.
        multiple: what height and width must be multiples of, in pixels.
        smallest: the smallest legal height and width; a multiple of ``multiple`` unless 1.

    Raises:
        ValueError: an illegal size; the message names the next legal one.
    """
    height, width = image.shape[-2:]
    legal = [max(smallest, -(-side // multiple) * multiple) for side in (height, width)]
    if legal != [height, width]:
        least = f", at least {smallest}," if smallest > 1 else ","
        raise ValueError(
            f"expected height and width in multiples of {multiple}{least} "
            f"got {height}x{width}; pad to {legal[0]}x{legal[1]}"
        )
