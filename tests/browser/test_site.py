"""The built site in a browser: it loads alone, fits a small screen, reads well, and search finds.

RICHLAZY_SITE is the folder of the site, as `python -m sphinx docs FOLDER` leaves it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("selenium")
if not os.environ.get("RICHLAZY_SITE"):
    pytest.skip("RICHLAZY_SITE names no built site", allow_module_level=True)

from derivations import MODULES

SITE = Path(os.environ["RICHLAZY_SITE"]).resolve()
PAGES = [path.relative_to(SITE).as_posix() for path in sorted(SITE.rglob("*.html"))]
#: Of body text on its ground: WCAG 2.1, level AA.
CONTRAST = 4.5

#: Smallest contrast of words in the body with what is behind them, and the words.
MEASURE_CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
function rgba(colour) {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}
function luminance(colour) {
  const [r, g, b] = colour.map(x => x / 255).map(
    x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function ground(element) {
  for (let e = element; e; e = e.parentElement) {
    const colour = rgba(getComputedStyle(e).backgroundColor);
    if (colour[3] > 0.99) return colour;
  }
  return [255, 255, 255, 1];
}
let least = [21, ""];
const body = document.querySelector("article") || document.body;
for (const e of body.querySelectorAll("p, li, td, th, h1, h2, h3, h4, dt, dd")) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || !e.getClientRects().length) continue;
  const [a, b] = [rgba(getComputedStyle(e).color), ground(e)].map(luminance);
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < least[0]) least = [contrast, e.textContent.trim().slice(0, 60)];
}
return least;
"""


#: Tables of which columns are out of sight, by how they begin.
CUT_TABLES = """
return [...document.querySelectorAll(".table-wrapper")]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.trim().slice(0, 60));
"""
#: Pages of code are all of one kind.
CODE = [page for page in PAGES if page.startswith("_modules/")]
LOOKED_AT = [page for page in PAGES if page not in CODE[1:]]


def narrowed(driver, width):
    """How wide the page open now is on a screen of this width."""
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    return driver.execute_script("return document.documentElement.scrollWidth")


@pytest.mark.parametrize("page", LOOKED_AT)
def test_a_page_loads_alone_fits_and_can_be_read(page, driver, visit):
    seen = visit(SITE / page)
    assert seen.errors == []
    assert seen.outside == []
    assert seen.requests[0].endswith(page)
    if page not in CODE:
        assert driver.execute_script(CUT_TABLES) == []
        wrong = "document.querySelectorAll('.system-message, .problematic, .contents').length"
        assert driver.execute_script(f"return {wrong}") == 0
        contrast, words = driver.execute_script(MEASURE_CONTRAST)
        assert contrast >= CONTRAST, words
    for width in (1280, 360):
        wide = narrowed(driver, width)
        assert wide <= width, f"{page} scrolls sideways at {width} pixels: {wide}"


@pytest.mark.parametrize("formula", MODULES)
def test_search_finds_the_derivation_and_the_functions_of_a_formula(formula, driver, visit):
    from selenium.webdriver.support.ui import WebDriverWait

    visit((SITE / "search.html").as_uri() + f"?q={formula}")

    def links(_):
        summary = driver.execute_script(
            "return (document.querySelector('#search-results .search-summary') || {}).textContent"
        )
        found = driver.execute_script(
            "return [...document.querySelectorAll('#search-results li a')].map(a => a.href)"
        )
        return found if summary and found else None

    found = WebDriverWait(driver, 20).until(links)
    assert any(f"derivations/{formula}.html" in link for link in found)
    assert any("/api/" in link for link in found)


def test_what_is_wrong_with_a_page_is_seen(tmp_path, driver, visit):
    (tmp_path / "page.html").write_text(
        "<title>a</title><img src='https://example.invalid/a.png'><p style='width: 2000px;"
        " color: #999'>words</p><script>console.error('broken')</script>"
    )
    seen = visit(tmp_path / "page.html", 360)
    assert any("broken" in line for line in seen.errors)
    assert seen.outside == ["https://example.invalid/a.png"]
    assert driver.execute_script("return document.documentElement.scrollWidth") > 360
    contrast, words = driver.execute_script(MEASURE_CONTRAST)
    assert contrast < CONTRAST
    assert words == "words"
