"""What the site's check calls missing: remote and absent files, wherever a browser loads them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
spec = importlib.util.spec_from_file_location("offline", DOCS / "_ext" / "offline.py")
offline = importlib.util.module_from_spec(spec)
spec.loader.exec_module(offline)


def missing(folder, html, css=""):
    (folder / "pages").mkdir()
    (folder / "here.js").write_text("", encoding="utf-8")
    (folder / "pages" / "a.html").write_text(html, encoding="utf-8")
    (folder / "style.css").write_text(css, encoding="utf-8")
    return [address for _, address in offline.missing_loads(folder)]


@pytest.mark.parametrize(
    "html",
    [
        "<script src='{}'></script>",
        "<link rel='stylesheet' href='{}'>",
        "<img src='{}'>",
        "<iframe src='{}'></iframe>",
        "<object data='{}'></object>",
        "<style>@import '{}';</style>",
        "<p style='background: url({})'>",
    ],
)
@pytest.mark.parametrize(
    "address", ["https://x.org/a.js", "//x.org/a.js", "HTTP://x.org/a", "b.js"]
)
def test_what_a_page_loads_must_be_a_file_of_the_site(tmp_path, html, address):
    assert missing(tmp_path, html.format(address)) == [address]


@pytest.mark.parametrize(
    "css", ['@font-face {{src: url("{}")}}', "@import '{}';", "p {{background: url({})}}"]
)
def test_style_sheets_too(tmp_path, css):
    assert missing(tmp_path, "", css.format("https://x.org/a.woff")) == ["https://x.org/a.woff"]


@pytest.mark.parametrize(
    "html",
    [
        "<script src='../here.js?v=1'></script>",
        "<script>fetch</script>",
        "<a href='https://x.org'>a link</a>",
        "<img src='data:image/png;base64,AA'>",
        "<code>url(https://x.org/a.png)</code>",
        "<link rel='next' href='a.html'>",
    ],
)
def test_files_of_the_site_and_links_are_fine(tmp_path, html):
    assert missing(tmp_path, html) == []
