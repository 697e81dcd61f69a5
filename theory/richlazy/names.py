"""Names that a user gave, made harmless for what they are shown in.

File names and what files hold may carry control characters, bytes that are no UTF-8 and marks that
a medium takes for its own. Each function here cleans a text for one medium, and leaves alone what
means nothing to it.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

__all__ = ["csv_cell", "drawn", "html", "markdown", "plain"]

# control characters, halves of pairs and bytes that are no text, ends of lines, nothing yet
_UNSEEN = ("Cc", "Cs", "Zl", "Zp", "Cn")
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
_MARKDOWN = re.compile(r"[\\`*_\[\]|~$]|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_FORMULA = ("=", "+", "-", "@")


def plain(text: str) -> str:
    r"""Text in one line that a terminal, or JSON, only shows: `\x1b` for an escape character.

    What steers a terminal, turns the direction of reading or is no character at all is written as
    Python writes it; a byte of a file name that is not UTF-8 as that byte.

    >>> print(plain("a\x1b[31mb\u202ec\udcffd\n"))
    a\x1b[31mb\u202ec\xffd\n
    """
    return "".join(map(_seen, text))


def _seen(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    if unicodedata.category(character) in _UNSEEN or character in _TURNING:
        return character.encode("unicode_escape").decode()
    return character


def markdown(text: str) -> str:
    r"""Text that Markdown shows as it is, in a cell of a table too.

    >>> print(markdown("a_b|<b> *c* 1 < 2"))
    a\_b\|\<b> \*c\* 1 < 2
    """
    return _MARKDOWN.sub(r"\\\g<0>", plain(text))


def html(text: str) -> str:
    """Text for HTML, attributes too.

    >>> html('<b> & "c"')
    '&lt;b&gt; &amp; &quot;c&quot;'
    """
    return escape(plain(text))


def drawn(text: str) -> str:
    r"""Text that Matplotlib draws as it is; dollars are mathematics to it.

    >>> print(drawn("$x$"))
    \$x\$
    """
    return plain(text).replace("$", r"\$")


def csv_cell(text: str) -> str:
    """A quoted cell of CSV that no spreadsheet takes for a formula.

    >>> print(csv_cell("=1+1"))
    "'=1+1"
    """
    text = plain(text)
    if text.lstrip().startswith(_FORMULA):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"'
