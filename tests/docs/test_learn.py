"""Tutorial, gallery and regime page: what they are made of. The build of the site runs them."""

from __future__ import annotations

import ast
import csv
import inspect
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from docs._ext import gallery
from richlazy.cli import main

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCRIPTS = sorted([*DOCS.glob("tutorial/*.py"), *DOCS.glob("gallery/*/*.py")])
REFERENCE = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md"))
DOCUMENTED = set(re.findall(r"\.\. auto\w+:: (richlazy\S*)", REFERENCE))

scripts = pytest.mark.parametrize(
    "path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}"
)


def text(path):
    """Title and prose of a script, without its code."""
    source = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^# %%\n((?:#.*\n)*)", source, re.MULTILINE)
    return "\n".join([ast.get_docstring(ast.parse(source)), *blocks])


def imports(tree):
    """What a script imports, by the name it has there."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            before = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            found |= {alias.asname or alias.name: before + alias.name for alias in node.names}
    return found


def used(tree):
    """Every dotted name that starts at something imported from the library."""
    roots = {name: full for name, full in imports(tree).items() if full.startswith("richlazy")}
    for node in ast.walk(tree):
        names = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if names and isinstance(node, ast.Name) and node.id in roots:
            yield roots[node.id], names


def is_public(root, names):
    """Whether a dotted name is found, in `__all__` of each module and in the reference."""
    thing = import_module(root)
    for name in names:
        if inspect.ismodule(thing):
            if name not in thing.__all__:
                return False
            root = f"{root}.{name}"
        thing = getattr(thing, name)
    return any(root == known or root.startswith(f"{known}.") for known in DOCUMENTED)


def test_there_are_scripts():
    assert len(SCRIPTS) > 15
    assert len({path.stem for path in SCRIPTS if path.parent.name == "tutorial"}) == 3


@scripts
def test_a_script_uses_public_names_and_common_libraries(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = set(imports(tree).values())
    assert {name.partition(".")[0] for name in imported} <= {
        "matplotlib",
        "numpy",
        "richlazy",
        "scipy",
    }
    assert {name for name in imported if name.startswith("richlazy.")} <= DOCUMENTED
    names = list(used(tree))
    assert names
    assert [name for name in names if not is_public(*name)] == []


@scripts
def test_a_script_has_a_title_a_figure_and_a_last_word(path):
    source = path.read_text(encoding="utf-8")
    title, line = text(path).split("\n")[:2]
    assert line == "=" * len(title)
    assert re.search(r"^figure(?:, axe?s?)? = ", source, re.MULTILINE)
    last = source.rstrip().rpartition("# %%\n")[2]
    assert all(line.startswith("#") for line in last.splitlines())


@scripts
def test_a_number_with_decimals_in_the_prose_is_one_of_the_code(path):
    source = path.read_text(encoding="utf-8")
    code = "\n".join(line for line in source.splitlines() if not line.startswith("#"))
    code = code.replace(ast.get_docstring(ast.parse(source), clean=False), "")
    for number in re.findall(r"\d+\.\d+", re.sub(r"<http\S*>", "", text(path))):
        assert re.search(rf"(?<![\d.]){re.escape(number)}", code), number


@pytest.mark.parametrize("folder", sorted({path.parent for path in SCRIPTS}))
def test_every_folder_of_scripts_has_an_introduction(folder):
    assert (folder / "GALLERY_HEADER.rst").is_file()


@pytest.mark.parametrize("page", ["learn/tutorial/index", "regime", "learn/gallery/index"])
def test_the_index_leads_to_the_pages_that_teach(page):
    assert f"\n{page}\n" in (DOCS / "index.md").read_text(encoding="utf-8")


def commands():
    page = (DOCS / "regime.md").read_text(encoding="utf-8")
    block = page.split("<!-- regime: commands -->\n```sh\n")[1].split("```")[0]
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines()]


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_commands_of_the_regime_page_run(arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output


def test_the_numbers_of_a_figure_are_those_of_its_lines_and_dots(tmp_path):
    figure = Figure()
    above, below = figure.subplots(2)
    above.plot([1, 2], [3.0, 0.1], label="line")
    above.axhline(5.0)  # not in units of the data along x
    below.scatter([4], [5])
    said = gallery.numbers(figure, tmp_path / "picture.csv")
    assert ":download:`Numbers in this picture <images/picture.csv>`" in said
    with (tmp_path / "picture.csv").open(encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["panel", "label", "x", "y"],
            ["1", "line", "1.0", "3.0"],
            ["1", "line", "2.0", "0.1"],
            ["2", "", "4.0", "5.0"],
        ]


def test_a_figure_without_lines_has_no_numbers_to_download(tmp_path):
    figure = Figure()
    figure.subplots().imshow([[1.0]])
    assert gallery.numbers(figure, tmp_path / "picture.csv") == ""
    assert list(tmp_path.iterdir()) == []


def test_a_figure_is_described_by_its_axes():
    figure = Figure()
    for axes in figure.subplots(2):
        axes.set(xlabel="rank", ylabel=r"weight change $\|\Delta W\|$")
    assert gallery.described(figure) == r"weight change |\Delta W| against rank"
