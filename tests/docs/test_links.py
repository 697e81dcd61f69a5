"""What the check of the site calls a dead link: a file, or a place in a page, that is not there."""

from __future__ import annotations

import pytest

from docs._ext.links import dead_links


def dead(folder, html):
    (folder / "pages").mkdir(exist_ok=True)
    (folder / "table.csv").write_text("1\n")
    (folder / "other page.html").write_text("<h1 id='top-of-it'>a</h1><a name='old'></a>")
    (folder / "pages" / "a.html").write_text(f"<p id='own'></p>{html}", encoding="utf-8")
    return [address for _, address in dead_links(folder)]


@pytest.mark.parametrize(
    "address",
    [
        "../nowhere.html",
        "../other%20page.html#nowhere",
        "#nowhere",
        "a.html#nowhere",
        "../other%20page.html?highlight=a#nowhere",
        "../table.txt",
        "/table.csv",
        "..",
    ],
)
def test_a_link_to_nothing_is_found(tmp_path, address):
    assert dead(tmp_path, f"<a href='{address}'>x</a>") == [address]


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/nowhere#nowhere",
        "//example.org/nowhere",
        "mailto:a@example.org",
        "#",
        "#own",
        "a.html#own",
        "../other%20page.html",
        "../other%20page.html#top-of-it",
        "../other%20page.html#old",
        "../table.csv#line=1",
    ],
)
def test_a_link_that_leads_somewhere_or_outside_is_fine(tmp_path, address):
    assert dead(tmp_path, f"<a href='{address}'>x</a>") == []


def test_a_page_that_has_changed_is_read_again(tmp_path):
    assert dead(tmp_path, "<a href='#later'>x</a>") == ["#later"]
    assert dead(tmp_path, "<a href='#later'>x</a><p id='later'></p>") == []
