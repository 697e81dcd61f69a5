"""Settings of the site. From a clone: `python -m sphinx -W docs docs/_build/html`."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import richlazy

DOCS = Path(__file__).resolve().parent

project = "richlazy"
author = "richlazy contributors"
copyright = author
release = importlib.metadata.version(project)

sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
    "sphinx_click",
    "offline",
    "links",
]
exclude_patterns = ["_build", "_ext", "map", "tutorial", "gallery"]
nitpicky = True
# Documented elsewhere, on the network.
nitpick_ignore_regex = [("py:class", r"ndarray|(numpy|scipy)\..*")]
default_role = "literal"
smartquotes = False  # W2' is a transpose

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3  # of the studies

autodoc_member_order = "bysource"
autodoc_mock_imports = ["jax", "torch"]  # extras that the site does without
autodoc_typehints = "none"  # shapes and meanings are in the words
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# Scripts are run by the build, and a page is made of each; the scripts are no pages themselves.
sphinx_gallery_conf = {
    "examples_dirs": ["tutorial", "gallery"],
    "gallery_dirs": ["learn/tutorial", "learn/gallery"],
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("gallery.draw",),
    "reset_modules": ("matplotlib", "gallery.close"),
    "capture_repr": (),  # what is printed is shown
    "abort_on_example_error": True,
    "run_stale_examples": True,  # the library may have changed where the script has not
    "min_reported_time": 3600,  # the same page at every build
    "write_computation_times": False,
    "show_signature": False,
}

# Modules are documented by the names that users know, wherever the file lives.
for package in (richlazy, richlazy.recurrent):
    sys.modules |= {
        f"{package.__name__}.{name}": thing
        for name in package.__all__
        if inspect.ismodule(thing := getattr(package, name))
    }

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]


def write_derivations(app: Any) -> None:
    """Write the pages that come from `derivations`, whose steps are checked on the way."""
    from derivations.frame.pages import write

    write(DOCS / "derivations", check=app.config.check_derivations)


def draw_pictures(app: Any) -> None:
    """Draw the pictures of the pages "Beyond the papers" and "Recurrent networks"."""
    import pictures
    import recurrent_pictures

    for module in (pictures, recurrent_pictures):
        module.write(DOCS / "pictures")


def write_explorer(app: Any, failure: Exception | None) -> None:
    """Write the page that docs/explore.md links to, beside the pages of the site."""
    from richlazy.explore.page import html

    if failure is None and app.builder.format == "html":
        (Path(app.outdir) / "explorer.html").write_text(html(), encoding="utf-8")


def map_code(app: Any) -> None:
    """Draw the rooms of the library and write the tables of the page "A map of the code"."""
    import code_tables
    import rooms
    from sphinx.errors import ExtensionError

    folder = DOCS / "map"
    folder.mkdir(exist_ok=True)
    house = rooms.house(rooms.layers(DOCS.parent / "pyproject.toml"))
    try:
        rooms.write(house, folder)
    except rooms.UpwardImportError as error:
        raise ExtensionError(f"{error}; see {folder / 'rooms.png'}") from None
    code_tables.write(house, folder)


def plain_formulas(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]):
    """Let formulas in docstrings be what they look like: |x| and W* are no markup."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            spans = re.split(r"(`[^`]*`)", line)
            spans[::2] = (re.sub(r"[|*]|_(?!\w)", r"\\\g<0>", words) for words in spans[::2])
            lines[number] = "".join(spans)
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]  # or napoleon takes the words before a colon for a type


def plain_options(app: Any, context: Any, lines: list[str]) -> None:
    """Let the help of commands be what it looks like: ||W||_F is no markup."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(".. "):
            spans = re.split(r"(`[^`]*`)", line)
            marks = r"[|*:]|_(?!\w)"  # of which FILE:NAME would be a link
            spans[::2] = (re.sub(marks, r"\\\g<0>", words) for words in spans[::2])
            lines[number] = "".join(spans)


def functions_and_classes(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any):
    """Leave constants and tables of a module out of the reference."""
    if what == "module" and not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return True
    return None


def by_public_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Find the class that a docstring calls Task, wherever it stands."""
    name = f"{project}.{node['reftarget']}"
    python = env.get_domain("py")
    return python.resolve_xref(env, node["refdoc"], app.builder, "class", name, node, content)


def setup(app: Any) -> None:
    # `-D check_derivations=0` where the tests have checked them
    app.add_config_value("check_derivations", True, "env")
    app.connect("builder-inited", write_derivations)
    app.connect("builder-inited", draw_pictures)
    app.connect("builder-inited", map_code)
    app.connect("build-finished", write_explorer)  # before it is looked at by `offline`
    app.connect("autodoc-process-docstring", plain_formulas, priority=100)  # before napoleon
    app.connect("autodoc-skip-member", functions_and_classes)
    for part in ("description", "options", "arguments", "epilog"):
        app.connect(f"sphinx-click-process-{part}", plain_options)
    app.connect("missing-reference", by_public_name)
