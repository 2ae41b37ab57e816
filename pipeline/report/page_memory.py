"""What a watch remembers of the report's page: each of its rounds writes a page of all photos."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from .schema import Entry

#: So many photos are remembered at most: some 50 MB. Of a longer page the others are drawn anew.
MOST = 5000


@dataclass
class PageMemory:
    """The cards of the last page by the photos' names, and what they were drawn from.

    A card is drawn anew if anything that it shows has changed, whoever changed it: the entry, or
    one of its previews, which are told apart by time, size and inode. So a decision at the mask
    board between two rounds shows in the next page.
    """

    _cards: dict[str, tuple[Hashable, Markup]] = field(default_factory=dict)

    def card(
        self,
        photo: Entry,
        files: Mapping[str, Path],
        others: Hashable,
        draw: Callable[[], Markup],
    ) -> Markup:
        """Return a photo's card, drawn anew only if it shows anything else than the last time.

        Args:
            photo: the report's entry.
            files: its previews by kind.
            others: all that the card shows besides.
            draw: draws it.
        """
        name = photo["input"]
        if name not in self._cards and len(self._cards) >= MOST:
            return draw()
        seen = tuple((kind, file, _seen(file)) for kind, file in files.items())
        key = json.dumps(photo, sort_keys=True), seen, others
        known = self._cards.get(name)
        if known is None or known[0] != key:
            known = self._cards[name] = key, draw()
        return known[1]

    def forget_others(self, names: Collection[str]) -> None:
        """Forget the photos that are not on the page."""
        for name in self._cards.keys() - set(names):
            del self._cards[name]


def _seen(file: Path) -> Hashable:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
