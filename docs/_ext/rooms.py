"""The rooms of the library and the imports between them, read from the code and drawn.

The order of the rooms is that of the contract `rooms` in pyproject.toml; an import that goes up in
it is drawn red and stops the build.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grimp

from richlazy.curves.figure import COLOURS, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["House", "UpwardImportError", "draw", "house", "layers", "write"]

_WRONG = "red"
_OWN = (*COLOURS[:1], *COLOURS[2:])  # vermilion is too close to what must not be
_WIDTH, _GAP = 2.1, 0.17  # of a box, and between two
_HEAD, _PORT = 0.22, 0.062  # height of a box without arrows, and what each adds


class UpwardImportError(Exception):
    """A file imports from a room that stands above its own."""


@dataclass(frozen=True)
class House:
    """Rooms from the ground floor up, the modules in each, and what imports what.

    `imports` has pairs of modules (importing, imported) by their rooms.
    """

    rooms: tuple[str, ...]
    files: dict[str, list[str]]
    imports: dict[tuple[str, str], list[tuple[str, str]]]

    def is_folder(self, room: str) -> bool:
        """Whether a room is more than one file."""
        return self.files[room] != [f"richlazy.{room}"]

    def goes_up(self, importer: str, imported: str) -> bool:
        """Whether the arrow from one room to another goes up."""
        return self.rooms.index(importer) < self.rooms.index(imported)

    def check(self) -> None:
        """Refuse imports that go up.

        Raises
        ------
        UpwardImportError
            Naming every such import.
        """
        wrong = [
            pair for rooms, pairs in self.imports.items() if self.goes_up(*rooms) for pair in pairs
        ]
        if wrong:
            lines = (
                f"{importer} imports {imported}, which stands above it"
                for importer, imported in sorted(wrong)
            )
            raise UpwardImportError("; ".join(lines))


def layers(pyproject: Path) -> tuple[str, ...]:
    """The rooms of the contract, ground floor first."""
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]
    (rooms,) = (c["layers"] for c in contracts["contracts"] if c["id"] == "rooms")
    return tuple(reversed(rooms))


def house(rooms: Sequence[str], graph: grimp.ImportGraph | None = None) -> House:
    """The library as its imports show it.

    Those of `richlazy/__init__.py`, the front door, are left out: it names what is public.
    """
    if graph is None:
        graph = grimp.build_graph("richlazy", cache_dir=None)
    files = defaultdict(list)
    imports = defaultdict(list)
    for module in sorted(graph.modules - {"richlazy"}):
        room = _room(module)
        if not graph.find_children(module):
            files[room].append(module)
        for imported in sorted(graph.find_modules_directly_imported_by(module) - {"richlazy"}):
            if _room(imported) != room:
                imports[room, _room(imported)].append((module, imported))
    if different := set(files) ^ set(rooms):
        raise ValueError(
            "the contract rooms in pyproject.toml must list every room of theory/richlazy and "
            f"nothing else; {', '.join(sorted(different))} is only in one of the two"
        )
    return House(tuple(rooms), dict(files), dict(imports))


def _room(module: str) -> str:
    return module.split(".")[1]


def draw(house: House) -> Figure:
    """Rooms as boxes, ground floor at the bottom; arrows point to what is imported.

    Those to a single file run on the left, those to a folder on the right.
    """
    sides = {pair: 1 if house.is_folder(pair[1]) else -1 for pair in house.imports}
    ends = {
        (room, side): _from_top(house.rooms, room, [p for p, s in sides.items() if s == side])
        for room in house.rooms
        for side in (-1, 1)
    }
    bottom, boxes = 0.0, {}
    for room in house.rooms:
        height = _HEAD + _PORT * max(len(ends[room, -1]), len(ends[room, 1]))
        boxes[room] = bottom, height
        bottom += height + _GAP
    colours = {room: _OWN[k % len(_OWN)] for k, room in enumerate(house.rooms)}
    with style():
        figure = new_figure(7.6, 8.4)
        axes = figure.subplots()
        axes.set_axis_off()
        for room in house.rooms:
            _box(axes, boxes[room], house, room, colours[room])
        for pair, side in sides.items():
            heights = []
            for room in pair:
                (low, height), at = boxes[room], ends[room, side]
                heights.append(low + height * (1 - (at.index(pair) + 0.5) / len(at)))
            thickness = _thickness(len(house.imports[pair]))
            if house.goes_up(*pair):
                _arrow(axes, side, heights, thickness + 2.0, _WRONG)
            else:
                _arrow(axes, side, heights, thickness, colours[pair[0]])
        _legend(axes)
        axes.set_aspect("equal")
        axes.autoscale_view()
    return figure


def _from_top(
    rooms: Sequence[str], room: str, pairs: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Arrows at one side of a room in an order in which they cross least."""
    here = rooms.index(room)

    def key(pair: tuple[str, str]) -> tuple[bool, int]:
        other = rooms.index(pair[0] if pair[1] == room else pair[1])
        return other < here, other  # from above: near ones first; to below: far ones first

    return sorted((pair for pair in pairs if room in pair), key=key)


def _box(axes: Axes, place: tuple[float, float], house: House, room: str, colour: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    low, height = place
    outline = FancyBboxPatch(
        (-_WIDTH / 2, low), _WIDTH, height, boxstyle="round,pad=0,rounding_size=0.06",
        facecolor="white", edgecolor=colour, lw=1.6, zorder=3,
    )  # fmt: skip
    axes.add_patch(outline)
    folder, count = house.is_folder(room), len(house.files[room])
    name = f"{room}/" if folder else f"{room}.py"
    middle, inset = low + height / 2, _WIDTH / 2 - 0.12
    axes.text(-inset, middle, name, va="center", weight="bold", fontsize=10, zorder=4)
    if folder:
        counted = "1 file" if count == 1 else f"{count} files"
        axes.text(inset, middle, counted, va="center", ha="right", fontsize=8, zorder=4)


def _arrow(axes: Axes, side: int, heights: Sequence[float], thickness: float, colour: str) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Line

    edge = side * _WIDTH / 2
    start, end = heights
    far = edge + side * (0.25 + 0.42 * abs(start - end))
    points = [(edge, start), (far, start), (far, end), (edge, end)]
    curve = Line(points, [Line.MOVETO, *[Line.CURVE4] * 3])
    axes.add_patch(
        FancyArrowPatch(
            path=curve, arrowstyle="-|>", mutation_scale=7, lw=thickness, color=colour,
            shrinkA=0, shrinkB=0, zorder=2,
        )
    )  # fmt: skip
    axes.update_datalim(curve.get_extents().corners())


def _thickness(count: int) -> float:
    return 0.8 * count**0.5


def _legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color="#555555", lw=_thickness(n)) for n in (1, 5, 25)]
    axes.legend(lines, ["1 import", "5", "25"], loc="lower right")


def write(house: House, folder: Path) -> None:
    """Draw the picture, wrong arrows and all, and refuse these."""
    draw(house).savefig(folder / "rooms.png", dpi=150, bbox_inches="tight")
    house.check()
