"""The map of the code: the picture shows the imports, tables the files, walks real names."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import grimp
import pytest
from matplotlib.colors import same_color
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from derivations.frame.table import ROWS
from docs._ext import code_tables as tables
from docs._ext import rooms

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


LAYERS = rooms.layers(ROOT / "pyproject.toml")


def small(*imports):
    """A house of two files on the ground and one folder of two files above them."""
    graph = grimp.ImportGraph()
    for module in ("", ".ground", ".first", ".top", ".top.a", ".top.b"):
        graph.add_module(f"richlazy{module}")
    for importer, imported in imports:
        graph.add_import(importer=f"richlazy{importer}", imported=f"richlazy{imported}")
    return rooms.house(("ground", "first", "top"), graph)


DOWN = ((".top.a", ".first"), (".top.b", ".first"), (".top.b", ".ground"), (".first", ".ground"))
INSIDE = ((".top.a", ".top.b"), ("", ".top.a"), (".ground", ""))


def test_imports_between_rooms_are_counted_and_others_are_not():
    house = small(*DOWN, *INSIDE)
    assert {pair: len(found) for pair, found in house.imports.items()} == {
        ("top", "first"): 2,
        ("top", "ground"): 1,
        ("first", "ground"): 1,
    }
    assert house.files["top"] == ["richlazy.top.a", "richlazy.top.b"]
    assert house.is_folder("top")
    assert not house.is_folder("first")


def test_the_library_as_it_stands():
    house = rooms.house(LAYERS)
    house.check()
    assert house.rooms[0] == "errors"
    assert ("richlazy.start.network", "richlazy.errors") in house.imports["start", "errors"]
    files = {"richlazy"} | {module for modules in house.files.values() for module in modules}
    found = {
        ".".join(path.relative_to(ROOT / "theory").with_suffix("").parts)
        for path in (ROOT / "theory" / "richlazy").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert files == found | {"richlazy"}


def drawn(house):
    """Boxes by name from the bottom up, and arrows by the boxes where they start and end."""
    axes = rooms.draw(house).axes[0]
    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    boxes = dict(zip(house.rooms, boxes, strict=True))

    def at(height):
        (room,) = (
            room for room, box in boxes.items() if 0 < height - box.get_y() < box.get_height()
        )
        return room

    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    ends = [arrow.get_path().vertices[[0, 3], 1] for arrow in arrows]
    return boxes, {
        (at(start), at(end)): arrow for (start, end), arrow in zip(ends, arrows, strict=True)
    }


def is_wrong(arrow):
    return same_color(arrow.get_edgecolor(), "red")


def test_boxes_stand_in_the_order_of_the_contract_under_their_names():
    house = rooms.house(LAYERS)
    boxes, arrows = drawn(house)
    bottoms = [box.get_y() for box in boxes.values()]
    assert bottoms == sorted(set(bottoms))
    assert set(arrows) == set(house.imports)
    assert not any(map(is_wrong, arrows.values()))
    shown = {text.get_text(): text.get_position()[1] for text in boxes["start"].axes.texts}
    for room, box in boxes.items():
        name = f"{room}/" if house.is_folder(room) else f"{room}.py"
        assert shown[name] == pytest.approx(box.get_y() + box.get_height() / 2)


def test_arrows_are_thicker_for_more_imports():
    _, arrows = drawn(small(*DOWN))
    width = {pair: arrow.get_linewidth() for pair, arrow in arrows.items()}
    assert set(width) == {("top", "first"), ("top", "ground"), ("first", "ground")}
    assert width["top", "first"] > width["top", "ground"] == width["first", "ground"]


def test_short_arrows_run_inside_long_ones():
    _, arrows = drawn(small(*DOWN, (".top.a", ".ground")))
    height = {pair: arrow.get_path().vertices[3, 1] for pair, arrow in arrows.items()}
    assert height["first", "ground"] > height["top", "ground"]


def test_an_import_that_goes_up_is_drawn_red_and_stops_the_build(tmp_path):
    house = small(*DOWN, (".ground", ".top.b"))
    _, arrows = drawn(house)
    assert [pair for pair, arrow in arrows.items() if is_wrong(arrow)] == [("ground", "top")]
    with pytest.raises(
        rooms.UpwardImportError,
        match=r"^richlazy\.ground imports richlazy\.top\.b, which stands above it$",
    ):
        rooms.write(house, tmp_path)
    assert (tmp_path / "rooms.png").stat().st_size > 0


@pytest.mark.parametrize("listed", [("ground", "top"), ("ground", "first", "cellar", "top")])
def test_a_room_that_only_the_code_or_only_the_contract_has_is_refused(listed):
    graph = grimp.ImportGraph()
    for module in ("", ".ground", ".first", ".top"):
        graph.add_module(f"richlazy{module}")
    with pytest.raises(ValueError, match=r"; (first|cellar) is only in one of the two$"):
        rooms.house(listed, graph)


def test_every_room_has_its_words_and_files(tmp_path):
    house = rooms.house(LAYERS)
    lines = list(tables.of_rooms(house))[2:]
    assert [line.split("`")[1] for line in lines] == list(reversed(LAYERS))
    (start,) = (line for line in lines if line.startswith("| `start` |"))
    assert "| What learning starts from: spectra, weights, tasks, networks. " in start
    assert "{download}`network.py <../theory/richlazy/start/network.py>`" in start
    for line in lines:
        assert len(line.split(" | ")[1]) > 20, line


def test_every_formula_has_the_file_where_its_function_is_written():
    lines = list(tables.formulas(ROWS))[2:]
    assert len(lines) == len(ROWS)
    for row, line in zip(ROWS, lines, strict=True):
        start = f"| [{row.id}](derivations/{row.id}.md) | {{py:obj}}`richlazy.{row.function}` | "
        assert line.startswith(start)
        last = row.function.rpartition(".")[2]
        text = tables.source(row.function).read_text(encoding="utf-8")
        assert re.search(rf"^ *(def|class) {last}\b", text, re.MULTILINE), row


def test_tables_link_files_of_the_clone_and_are_written_when_they_change(tmp_path):
    house = rooms.house(LAYERS)
    tables.write(house, tmp_path)
    written = sorted(tmp_path.iterdir())
    for path in (tmp_path / "rooms.md", tmp_path / "formulas.md"):
        linked = re.findall(r"`[^`]* <([^>]*)>`", path.read_text(encoding="utf-8"))
        assert linked
        assert all((DOCS / name).is_file() for name in linked)
    times = [path.stat().st_mtime_ns for path in written]
    tables.write(house, tmp_path)
    assert times == [path.stat().st_mtime_ns for path in written]


NAME = re.compile(r"`([\w/]+): (\w+(?:\.\w+)?)`")
WALKS = ["How `richlazy report` reaches its numbers", "How `rl.solve` chooses", "How a study runs"]


def walks():
    """The words of every walk by its heading."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    section = text.split("\n## Three walks\n")[1].split("\n## ")[0]
    parts = (walk.partition("\n") for walk in section.split("\n### ")[1:])
    return {heading: body for heading, _, body in parts}


def module_of(place):
    dotted = place.replace("/", ".")
    return import_module(dotted if dotted.startswith("validation") else f"richlazy.{dotted}")


def words(module):
    """Every name that a file uses or imports."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.name)
    return found


def test_there_are_the_three_walks():
    assert list(walks()) == WALKS


@pytest.mark.parametrize(("heading", "body"), walks().items(), ids=walks())
def test_every_name_of_a_walk_is_written_where_the_walk_says(heading, body):
    named = NAME.findall(body)
    assert len(named) > 10
    assert len(named) == len(re.findall(r"`[^`]*: [^`]*`", body))  # none is written otherwise
    for place, name in named:
        thing = module = module_of(place)
        for part in name.split("."):
            thing = getattr(thing, part)
        thing = getattr(thing, "callback", thing)  # of a command
        assert inspect.getmodule(thing) is module, f"{place}: {name}"


@pytest.mark.parametrize(("heading", "body"), walks().items(), ids=walks())
def test_every_name_of_a_walk_is_used_by_what_comes_before_it(heading, body):
    (place, _), *rest = NAME.findall(body)
    known = words(module_of(place))
    for place, name in rest:
        assert name.rpartition(".")[2] in known, f"{place}: {name}"
        known |= words(module_of(place))
