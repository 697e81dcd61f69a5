"""Edge lists: which columns hold the two neurons and the weight, and the matrix they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count

import numpy as np
from numpy.typing import NDArray

from richlazy.sources.content import Content, Entries, Options, ReadError, afford, short
from richlazy.sources.tables.columns import Table, check_names, is_id_name
from richlazy.sources.tables.numbers import all_whole, number

__all__ = ["matrix", "pair", "read"]

_SIDES = (
    ("presynaptic", "postsynaptic"),
    ("pre", "post"),
    ("source", "target"),
    ("from", "to"),
    ("src", "dst"),
    ("src", "tgt"),
)
#: What is left of a neuron's column when its side is taken away, the surest first.
_REST: tuple[str, ...] = (
    *("id", "bodyid", "rootid", "ptrootid", "nodeid", "neuronid", "cellid", "segid", "skid"),
    *("", "neuron", "cell", "node", "name", "label"),
)
_WEIGHTS: frozenset[str] = frozenset().union(
    ("weight", "weights", "w", "n", "count", "counts", "strength", "value", "connections"),
    ("contacts", "syncount", "synapses", "synapsecount", "nsyn", "nsyns", "nsynapses"),
    ("numsynapses",),
)


def pair(names: Sequence[str]) -> tuple[int, int] | None:
    """Return the places of the presynaptic and the postsynaptic column, if the header has them.

    >>> pair(["bodyId_pre", "bodyId_post", "weight"]), pair(["a", "b"])
    ((0, 1), None)
    """
    found: dict[int, tuple[int, int]] = {}
    lowered = [name.lower() for name in names]
    for place, name in enumerate(lowered):
        for mine, other in _SIDES:
            rest = _plain(name.replace(mine, "", 1))
            partner = name.replace(mine, other, 1)
            if mine not in name or rest not in _REST or lowered.count(partner) != 1:
                continue
            if lowered.count(name) > 1:
                raise ReadError(f"has two columns of the name {short(names[place])}")
            found.setdefault(_REST.index(rest), (place, lowered.index(partner)))
    return found[min(found)] if found else None


def read(table: Table, options: Options) -> Content:
    """Read the edges of a table: W1[post, pre] = weight."""
    columns, names = table.columns, table.names
    places = pair(names) if names is not None else None
    if len(columns) < 2 or (names is None and len(columns) > 3):
        raise ReadError(
            "an edge list without a header must have 2 or 3 columns, pre, post and weight; it "
            f"has {len(columns)}"
        )
    if names is not None and places is not None and options.format is None:
        _check_counts(names, places)
    if places is None:
        called = f" ({short(names[0])} and {short(names[1])})" if names else ""
        table.notes.append(f"columns 1 and 2{called} read as pre and post")
        places = (0, 1)
    third = _weight(table, places)
    pre, post = (columns[place].names() for place in places)
    for place, side in zip(places, (pre, post), strict=True):
        if not columns[place].whole:
            check_names(side, table.line)
    if third is None:
        table.notes.append("no column of weights: every edge weighs 1")
        weights = np.ones(len(pre))
    else:
        weights = table.known(columns[third], options)
    stored = table.stored([] if third is None else [columns[third]], weights)
    left = [short(name) for k, name in enumerate(names or []) if k not in (*places, third)]
    if left:
        table.notes.append(f"columns left out: {', '.join(left)}")
    content = matrix(pre, post, weights, options)
    content.stored = stored
    content.notes = [*table.remarks(), *content.notes]
    return content


def matrix(
    pre: Sequence[str], post: Sequence[str], weights: NDArray[np.float64], options: Options
) -> Content:
    """Return W1[post, pre] over the union of the neurons, in the order of their names as text."""
    afford(200 * len(weights), options.limit, f"a list of {len(weights)} edges")
    neurons, j, i = _numbered(pre, post)
    notes = []
    if own := np.count_nonzero(np.bincount(i[i == j], weights[i == j])):
        notes.append(f"self-edges kept on the diagonal: {own}")
    if silent := np.count_nonzero(weights == 0.0):
        notes.append(f"edges of weight zero, kept only as neurons: {silent}")
    entries = Entries(i, j, weights, (len(neurons), len(neurons)))
    return Content(entries, rows=neurons, columns=neurons, form="edges", notes=notes)


def _numbered(
    pre: Sequence[str], post: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.intp], NDArray[np.intp]]:
    """Return the sorted neurons and the places of `pre` and `post` among them."""
    longest = max(map(len, pre)), max(map(len, post))
    if max(longest) <= 18 and all_whole(pre) and all_whole(post):
        # Numbers instead of text, several times faster; 12 comes after 1 and 119, before 2.
        ids = np.fromiter(map(int, chain(pre, post)), dtype=np.int64, count=2 * len(pre))
        found, places = np.unique(ids, return_inverse=True)
        digits = np.searchsorted(10 ** np.arange(1, 19), found, side="right") + 1
        order = np.lexsort((digits, found * 10 ** (18 - digits)))
        neurons = tuple(map(str, found[order].tolist()))
    else:
        numbered: dict[str, int] = defaultdict(count().__next__)
        places = np.fromiter(
            map(numbered.__getitem__, chain(pre, post)), dtype=np.intp, count=2 * len(pre)
        )
        neurons = tuple(sorted(numbered))
        order = np.fromiter(map(numbered.__getitem__, neurons), dtype=np.intp, count=len(neurons))
    rank = np.empty(order.size, dtype=np.intp)
    rank[order] = np.arange(order.size)
    return neurons, rank[places[: len(pre)]], rank[places[len(pre) :]]


def _weight(table: Table, places: tuple[int, int]) -> int | None:
    """Return the place of the weights, None if there are none."""
    columns, names = table.columns, table.names
    others = [k for k in range(len(columns)) if k not in places]
    if names is None:
        return others[0] if others else None
    for k in others:
        if names[k] == "" or number(names[k]) is not None:
            raise ReadError(
                f"the header of an edge list must be pre,post,<weight>; it is {short(names)}",
                table.line(-1),
            )
        cells = columns[k].cells
        if _plain(names[k]) == "type" and "undirected" in {str(c).lower() for c in cells}:
            raise ReadError("has undirected edges; list each both ways, as Directed")
    known = [k for k in others if _plain(names[k]) in _WEIGHTS]
    known = [k for k in known if _plain(names[k]) == "weight"] or known
    if len(known) == 1:
        return known[0]
    numeric = [k for k in others if columns[k].values is not None and not _is_about(names[k])]
    if not known and len(others) == 1:
        return numeric[0] if numeric else None
    if known or numeric:
        named = ", ".join(short(names[k]) for k in known or numeric)
        raise ReadError(f"the weight may be {named}; name its column 'weight' and no other so")
    return None


def _check_counts(names: list[str], places: tuple[int, int]) -> None:
    """Refuse a table of neurons with their numbers of synapses, whose columns are called alike."""
    bare = [names[k].lower() for k in places] == ["pre", "post"]
    if bare and any(is_id_name(name) for name in names[: places[0]]):
        raise ReadError(
            f"pre and post beside {short(names[0])} may be numbers of synapses; say --format edges "
            "if they name neurons"
        )


def _is_about(name: str) -> bool:
    """Whether a numeric column is no weight: an id, a place, a time."""
    return is_id_name(name) or _plain(name) in ("x", "y", "z", "time", "timestamp", "type")


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
