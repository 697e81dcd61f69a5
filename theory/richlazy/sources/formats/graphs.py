"""GraphML and GEXF, through NetworkX: an edge list by another name."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from richlazy.sources.content import Content, Opened, Options, ReadError, afford, quiet, whole
from richlazy.sources.formats import require
from richlazy.sources.tables import edges
from richlazy.sources.tables.columns import Column, Table

__all__ = ["read"]

_BYTE = 40  # bytes of memory that a byte of XML takes on its way


def read(opened: Opened, options: Options) -> Content:
    """Read a graph: source and target of each edge, and the weight that its attributes hold."""
    whole(opened)
    if options.format not in (None, "edges"):
        raise ReadError(f"holds a graph, which is no {options.format}; leave --format out")
    if any(word in opened.data.replace(b"\0", b"") for word in (b"<!DOCTYPE", b"<!ENTITY")):
        raise ReadError("has a document type or entities, which are not read; save it without")
    afford(_BYTE * len(opened.data), options.limit, "its graph")
    networkx = require("networkx", "graphs")
    load = networkx.read_graphml if opened.suffix == ".graphml" else networkx.read_gexf
    with quiet():
        graph = load(io.BytesIO(opened.data))
    found = [(str(a), str(b), data) for a, b, data in graph.edges(data=True)]
    if not found:
        raise ReadError("holds no edges")
    notes = []
    if not graph.is_directed():
        found += [(b, a, data) for a, b, data in found if a != b]
        notes.append("undirected edges read both ways")
    attributes = sorted({name for *_, data in found for name in data} - {"id"})
    table = Table(
        [
            Column([a for a, *_ in found]),
            Column([b for _, b, _ in found]),
            *(Column(_attribute([data.get(name) for *_, data in found])) for name in attributes),
        ],
        ["source", "target", *attributes],
        lambda row: None,
        notes=notes,
    )
    content = edges.read(table, options)
    lonely = len(graph) - len(content.rows or ())
    if lonely:
        content.notes.append(f"nodes without edges, left out: {lonely}")
    return content


def _attribute(values: list[Any]) -> Any:
    """An attribute of all edges as numbers if it is one, else as text; missing is missing."""
    if all(value is None or isinstance(value, int | float) for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return ["" if value is None else str(value).strip() for value in values]
