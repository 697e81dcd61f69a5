"""Links inside the built site lead somewhere: a Sphinx extension that fails the build otherwise.

The file must be there, and in a page the place that the link names after its `#`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["dead_links", "setup"]


class _Page(NamedTuple):
    """What a page links to, and its own places."""

    links: list[str]
    places: set[str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = _Page([], set())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("a", "area") and "href" in given:
            self.page.links.append(given["href"])
        if "id" in given:
            self.page.places.add(given["id"])
        if tag == "a" and "name" in given:
            self.page.places.add(given["name"])


@cache
def _read(path: Path) -> _Page:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def dead_links(site: Path) -> Iterator[tuple[Path, str]]:
    """Yield every page with each link to a file or place that the site does not have."""
    _read.cache_clear()  # of an earlier build
    for path in sorted(site.rglob("*.html")):
        for address in _read(path).links:
            scheme, host, file, _, place = urlsplit(address)
            if not (scheme or host) and not _there(path, unquote(file), unquote(place)):
                yield path.relative_to(site), address


def _there(page: Path, file: str, place: str) -> bool:
    target = (page.parent / file).resolve() if file else page
    if not target.is_file():
        return False
    return not place or target.suffix != ".html" or place in _read(target).places


def _refuse(app: Any, failure: Exception | None) -> None:
    from sphinx.errors import ExtensionError

    site = Path(app.outdir).resolve()
    if failure is None and app.builder.format == "html" and (found := list(dead_links(site))):
        lines = (f"{path} links to {address}" for path, address in found)
        raise ExtensionError("links to what is not in the site:\n" + "\n".join(lines))


def setup(app: Any) -> dict[str, bool]:
    """Look at the site when it is built and complete."""
    app.connect("build-finished", _refuse, priority=901)  # after what pages load
    return {"parallel_read_safe": True, "parallel_write_safe": True}
