"""Messages that every round of a watch would say again."""

from __future__ import annotations

import logging
from collections import OrderedDict

#: So many of the latest messages are remembered.
_REMEMBERED = 200


class Once(logging.Filter):
    """Drops a message that was logged before."""

    def __init__(self) -> None:
        super().__init__()
        self._said: OrderedDict[str, None] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is new."""
        text = record.getMessage()
        is_new = text not in self._said
        self._said[text] = None
        self._said.move_to_end(text)
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        return is_new
