"""The built site is whole and works offline: a Sphinx extension that fails the build otherwise.

Whatever a browser fetches by itself must be a file of the site. Links are for the reader to follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["missing_loads", "setup"]

_IN_STYLE = re.compile(r"""(?:url\(|@import\s)\s*["']?([^"')\s;]+)""", re.IGNORECASE)


class _Loads(HTMLParser):
    """Collects the addresses that a browser fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._style = tag == "style"
        if tag not in ("a", "area"):
            given = {name: value or "" for name, value in attrs}
            self.found += [given[name] for name in ("src", "href", "data") if name in given]
            self.found += _IN_STYLE.findall(given.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self._style:
            self.found += _IN_STYLE.findall(data)


def missing_loads(site: Path) -> Iterator[tuple[Path, str]]:
    """Yield every page or style sheet with each address that it loads and that is no file here."""
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".css":
            found = _IN_STYLE.findall(text)
        else:
            parser = _Loads()
            parser.feed(text)
            found = parser.found
        for address in found:
            scheme, host, file, _, _ = urlsplit(address)
            there = not (scheme or host) and (path.parent / unquote(file)).exists()
            if scheme != "data" and not there:
                yield path.relative_to(site), address


def _refuse(app: Any, failure: Exception | None) -> None:
    from sphinx.errors import ExtensionError

    if failure is None and (found := list(missing_loads(Path(app.outdir)))):
        lines = (f"{path} loads {address}" for path, address in found)
        raise ExtensionError("loaded, but no file of the site:\n" + "\n".join(lines))


def setup(app: Any) -> dict[str, bool]:
    """Look at the site when it is built and, as the last to be asked, complete."""
    app.connect("build-finished", _refuse, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
