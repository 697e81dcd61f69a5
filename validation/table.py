"""Rows of a study's table, chosen and read column by column for figures and findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["columns", "where"]

R = TypeVar("R", bound=Mapping[str, Any])


def where(rows: Iterable[R], **wanted: Any) -> list[R]:
    """The rows that have all these values."""
    return [row for row in rows if wanted.items() <= row.items()]


def columns(rows: Iterable[Mapping[str, Any]], *names: str) -> list[NDArray[Any]]:
    """One array for every name."""
    return [np.array([row[name] for row in rows]) for name in names]
