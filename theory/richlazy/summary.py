"""One style for what an object says of itself: its sizes, norms, method and main numbers."""

from __future__ import annotations

import re
from numbers import Integral
from typing import Any

import numpy as np

__all__ = ["number", "summary"]

_WIDTH = 100
_INDENT = " " * 4
_ROUNDING = 1e-12  # relative: what is so near a whole number is one
_PUNCTUATION = re.compile(r"[,()=\n]")  # what a summary is itself made of


def summary(thing: object, **fields: Any) -> str:
    """`Name(field=value, ...)` in lines of at most 100 characters.

    Numbers have four digits (1.000 is rounded, 1 is not), arrays their shape; a text is cut where
    it is long and quoted where its punctuation could be taken for that of the summary.

    Examples
    --------
    >>> summary(object(), method="krylov (T15), k=6", norm=2 / 3, readout="silent")
    "object(method='krylov (T15), k=6', norm=0.6667, readout=silent)"
    """
    room = _WIDTH - len(_INDENT) - 2  # without = and what follows
    parts = [f"{k}={_cut(_text(value), room - len(k))}" for k, value in fields.items()]
    lines = [f"{type(thing).__name__}("]
    for index, part in enumerate(parts):
        part += ")" if index == len(parts) - 1 else ","
        gap = " " if index else ""
        if len(lines[-1]) + len(gap) + len(part) <= _WIDTH:
            lines[-1] += gap + part
        else:
            lines.append(_INDENT + part)
    return "\n".join(lines)


def number(value: float) -> str:
    """Four digits of a number; what is rounded to a whole one keeps its zeros.

    An alignment of 0.99999 must not look like 1; a norm of 1 - 1e-16 may.

    Examples
    --------
    >>> number(0.99999), number(1.0), number(0.25), number(float("inf"))
    ('1.000', '1', '0.25', 'inf')
    """
    short = f"{value:.4g}"
    whole = float(short)
    rounded = whole.is_integer() and abs(whole - value) > _ROUNDING * abs(value)
    return f"{value:#.4g}" if rounded else short


def _text(value: Any) -> str:
    if value is None or isinstance(value, (bool, Integral)):
        return str(value)
    if isinstance(value, str):
        return repr(value) if _PUNCTUATION.search(value) else value
    shape = getattr(value, "shape", None)
    if shape:
        return " x ".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} values"
    if isinstance(value, (float, np.ndarray)):
        return number(float(value))
    return " ".join(repr(value).split())


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    end = text[0] if text[0] in "'\"" else ""
    return text[: room - 3 - len(end)] + "..." + end
