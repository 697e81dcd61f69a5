"""The page as one HTML file: Bokeh's plots and widgets, the formulas and the glue between them."""

from __future__ import annotations

import json
from importlib import resources
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from richlazy.explore import table
from richlazy.explore.presets import Preset, circuits

__all__ = ["check", "html"]

_SCRIPTS = ("formulas.js", "state.js", "upload.js", "export.js", "page.js")


def html(own: Preset | None = None, own_table: dict[str, Any] | None = None) -> str:
    """The page; `own` is a further preset, selected at start, with its recurrent table."""
    check()
    from bokeh.embed import file_html
    from bokeh.resources import INLINE

    from richlazy.explore.models import models

    presets = ([] if own is None else [own]) + circuits()
    data = {
        "version": version("richlazy"),
        "presets": [preset.to_dict() for preset in presets],
        "recurrent": table.shipped(),
        "own": own_table,
    }
    made: str = file_html(
        models([(preset.name, preset.label) for preset in presets], _text("widgets.css")),
        INLINE,
        title="Rich or lazy: the explorer of richlazy",
        template=_text("page.html"),
        template_variables={
            "style": _text("page.css"),
            "data": json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
            "scripts": [_text(name) for name in _SCRIPTS],
        },
    )
    return made


def check() -> None:
    """Ask for Bokeh, before anything is computed.

    Raises
    ------
    ValueError
        Without it, naming the extra that brings it.
    """
    if find_spec("bokeh") is None:
        raise ValueError("the explorer needs Bokeh: pip install 'richlazy[explore]'")


def _text(name: str) -> str:
    return (resources.files("richlazy.explore") / name).read_text(encoding="utf-8")
