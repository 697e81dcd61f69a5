"""Pictures of the tutorial and the gallery, and the numbers in them to download.

A picture is every Matplotlib figure that a script holds by name, whoever made it: pyplot, or the
library, whose figures pyplot does not know.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

__all__ = ["close", "described", "draw", "numbers", "points"]

_DRAWN: WeakSet[Figure] = WeakSet()


def draw(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figures that a block of a script has made; the text that shows them.

    An image scraper of sphinx-gallery.
    """
    from sphinx_gallery.scrapers import figure_rst

    shown = ""
    for figure in block_vars["example_globals"].values():
        if isinstance(figure, Figure) and figure not in _DRAWN:
            _DRAWN.add(figure)
            path = Path(next(block_vars["image_path_iterator"]))
            figure.savefig(path, dpi=130)
            shown += figure_rst([str(path)], gallery_conf["src_dir"], described(figure))
            shown += numbers(figure, path.with_suffix(".csv"))
    return shown


def close(gallery_conf: dict[str, Any], script: str) -> None:
    """Close what pyplot holds open: a module resetter of sphinx-gallery."""
    from matplotlib import pyplot

    pyplot.close("all")


def points(figure: Figure) -> Iterator[tuple[int, str, float, float]]:
    """Panel, label, x and y of every point of the lines and dots in a figure."""
    for panel, axes in enumerate(figure.axes, 1):
        drawn = [(line, line.get_xydata()) for line in axes.get_lines()]
        dots = (c for c in axes.collections if isinstance(c, PathCollection))
        drawn += [(dot, dot.get_offsets()) for dot in dots]
        for artist, places in drawn:
            if artist.get_transform() == axes.transData or isinstance(artist, PathCollection):
                label = str(artist.get_label())
                name = "" if label.startswith("_") else label
                yield from ((panel, name, float(x), float(y)) for x, y in np.asarray(places))


def described(figure: Figure) -> str:
    """What a reader who does not see the picture is told."""
    axes = (f"{a.get_ylabel()} against {a.get_xlabel()}" for a in figure.axes if a.get_ylabel())
    return "; ".join(dict.fromkeys(axes)).replace("\n", " ").replace("$", "").replace("\\|", "|")


def numbers(figure: Figure, path: Path) -> str:
    """Write the points of a figure, if it has any; the text that offers the file."""
    found = list(points(figure))
    if not found:
        return ""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["panel", "label", "x", "y"])
        writer.writerows(found)
    return f"\n:download:`Numbers in this picture <images/{path.name}>`\n\n"
