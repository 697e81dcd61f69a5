"""Tables of text: .csv and .tsv, and .txt and .dat separated by spaces or tabs."""

from __future__ import annotations

from richlazy.sources.content import Content, Opened, Options, whole
from richlazy.sources.tables import cells
from richlazy.sources.tables import decide as tables

__all__ = ["read"]


def read(opened: Opened, options: Options) -> Content:
    """Split the text into cells and decide what they are; see `richlazy.sources.tables`."""
    whole(opened)
    rows, notes = cells.rows(opened.data, opened.suffix, options.limit)
    return tables.from_rows(rows, notes, options)
