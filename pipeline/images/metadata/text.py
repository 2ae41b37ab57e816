"""Which texts of a photo's metadata stay: those that people write, and that can be no picture.

A picture as text (base64, hexadecimal digits, ascii85, escaped bytes, lists of numbers) mixes
letters, digits and signs within its words far more than any language does. So it is recognised by
that mixture, whatever its encoding is called and wherever its lines break.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from .hidden import may_hold_picture

#: Characters of the longest text that is kept: the IPTC standard's limit for a caption.
LONGEST_TEXT = 2000
#: Characters that all texts of one list (keywords) may have together.
LONGEST_LIST = 20_000

#: Characters of a text that counts as a piece of a picture: more than a date, a name or a number.
SHORTEST_PIECE = 24

#: Non-space characters that are judged together: 72 bytes in base64. Less shows no picture.
_WINDOW = 96
#: The share of letters beside digits, of capitals behind small letters, and of rare signs, from
#: which a window is no language. Base64 has 0.42, hexadecimal digits 0.47, a list of lenses 0.1.
_MOST_MIXED = 0.2
#: The share of digits from which two windows are a list of numbers.
_MOST_DIGITS = 0.6
#: ASCII words in a window from which it is single characters or pairs of digits.
_MOST_WORDS = 40
#: Characters of the longest word in ASCII; only addresses are longer than fifty.
_LONGEST_WORD = 160
_MIXED = re.compile(
    r"(?<=[a-z])[A-Z]|(?<=[0-9])[A-Za-z]|(?<=[A-Za-z])[0-9]|[#$%&*+<=>@\[\\\]^_`{|}~]"
)
_DATE = re.compile(r"\d{4}([-:])\d\d\1\d\d[T ]\d\d:\d\d[\d:.+-]{0,16}Z?$")
_ASCII_WORD = re.compile(r"[!-~]+")
_MARKUP = re.compile(r"data:[\w.+-]+/|<\s*(?:svg|img|\?xml)|\{\s*\\?\"[^\"]{1,80}\"\s*:", re.I)
#: Unicode's controls, surrogates, private and unassigned characters: bytes taken for text.
_NO_TEXT = frozenset(("Cc", "Cs", "Co", "Cn"))
#: Bytes of UTF-16 that are all ASCII. Only the letters of few scripts are, and never so many.
_ASCII_RUN = re.compile(rb"[\t\n\r -~]{96,}")
#: Marks and format characters: accents, zero-width spaces and joiners.
_NO_WIDTH = frozenset(("Mn", "Me", "Cf"))
#: Symbols such as emoji in one text, at most; each may be a byte of a picture.
_MOST_SYMBOLS = 96
_WHITE = frozenset("\t\n\r")


def is_known_text(text: str, longest: int = LONGEST_TEXT) -> bool:
    """Whether a text is short enough and, by its mixture of characters, no encoded picture.

    Args:
        text: the text.
        longest: the most characters.
    """
    if len(text) > longest or not _is_printable(text):
        return False
    if not text.isascii() and not all(map(is_known_text, _within_utf16(text))):
        return False
    if len(text) < _WINDOW:
        return True
    plain = _plain(text)
    encoded = text.encode()
    return not (
        _MARKUP.search(plain)
        or may_hold_picture(encoded)
        or _is_mixed(plain)
        or _has_many_symbols(plain)
    )


def _plain(text: str) -> str:
    """Return a text without what hides an encoding from the eye, and from ``_is_mixed``.

    Full-width letters become ASCII; accents and characters of no width, also between all others,
    go.
    """
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    return "".join(c for c in apart if unicodedata.category(c) not in _NO_WIDTH)


def _has_many_symbols(text: str) -> bool:
    """Whether a text has more symbols than any caption: emoji and Braille have 256 and more."""
    if text.isascii():
        return False
    return sum(unicodedata.category(c) == "So" for c in text) > _MOST_SYMBOLS


def _within_utf16(text: str) -> Iterator[str]:
    """Yield ASCII that was taken for UTF-16: pairs of its letters pass for Chinese."""
    for order in ("utf-16-le", "utf-16-be"):
        for run in _ASCII_RUN.findall(text.encode(order)):
            yield from (
                run[at : at + LONGEST_TEXT].decode() for at in range(0, len(run), LONGEST_TEXT)
            )


def are_known_texts(texts: Iterable[str], longest: int = LONGEST_TEXT) -> bool:
    """Whether each text is known, and all of them together are no picture in pieces."""
    texts = list(texts)
    return all(is_known_text(text, longest) for text in texts) and is_known_text(
        "\n".join(texts), LONGEST_LIST
    )


def are_no_pieces(texts: Iterable[str]) -> bool:
    """Whether texts of different fields, each of which is known, are no picture in pieces.

    Dates do not count: a photo has many, and they are mostly digits.
    """
    pieces = (text for text in texts if len(text) >= SHORTEST_PIECE and not _DATE.match(text))
    return is_known_text("\n".join(pieces), LONGEST_LIST)


def decoded(content: bytes) -> str | None:
    """Return the text of bytes in UTF-8 or Latin-1 up to the first NUL; None for other bytes."""
    content = content.partition(b"\0")[0]
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text if _is_printable(text) else None


def _is_printable(text: str) -> bool:
    if text.isascii() and text.isprintable():
        return True
    return all(c in _WHITE or unicodedata.category(c) not in _NO_TEXT for c in set(text))


def _is_mixed(text: str) -> bool:
    """Whether some window of the text mixes its characters as no language does."""
    # White space separates words and takes no place, so that line breaks hide nothing.
    places, mixed, digits, words = 0, [], [], []
    for word in text.split():
        mixed += [places + match.start() for match in _MIXED.finditer(word)]
        digits += [places + at for at, c in enumerate(word) if c.isdigit()]
        if ascii_words := _ASCII_WORD.findall(word):
            words.append(places)
            if max(map(len, ascii_words)) > _LONGEST_WORD:
                return True
        places += len(word)
    return (
        _is_dense(mixed, round(_MOST_MIXED * _WINDOW), _WINDOW)
        or _is_dense(digits, round(_MOST_DIGITS * 2 * _WINDOW), 2 * _WINDOW)
        or _is_dense(words, _MOST_WORDS, _WINDOW)
    )


def _is_dense(places: list[int], most: int, window: int) -> bool:
    """Whether more than ``most`` of the ascending places lie within ``window``."""
    return any(last - first < window for first, last in zip(places, places[most:], strict=False))
