"""One headless Chromium for every test of a page, and what a visit of a page showed."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

#: Of what stays on this machine; any other request goes outside.
INSIDE = ("file:", "data:", "blob:", "about:", "chrome:")


@dataclass(frozen=True)
class Visit:
    """What a page did while it was open: errors in its console, and addresses it asked for."""

    errors: list[str]
    requests: list[str]

    @property
    def outside(self) -> list[str]:
        """Requests that left this machine."""
        return [address for address in self.requests if not address.startswith(INSIDE)]


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """The browser: Debian's Chromium, or the one that the environment variable CHROMIUM names."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    chromedriver = shutil.which("chromedriver")
    if not Path(chromium).is_file() or chromedriver is None:
        if "RICHLAZY_SITE" in os.environ:  # where a site is to be looked at, nothing is left out
            pytest.fail("needs chromium and chromium-driver")
        pytest.skip("needs chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-dev-shm-usage", "disable-background-networking", "disable-component-update",
        "disable-sync", f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=chromedriver)
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


@pytest.fixture
def seen(driver):
    """A function that says what happened on the page since it was last asked, as a `Visit`."""

    def since() -> Visit:
        events = [
            json.loads(entry["message"])["message"] for entry in driver.get_log("performance")
        ]
        requests = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        entries = driver.get_log("browser")
        return Visit([one["message"] for one in entries if one["level"] == "SEVERE"], requests)

    return since


@pytest.fixture
def visit(driver, seen):
    """A function that opens a file or address in a window of some width, and says what it saw."""

    def opened(page: Path | str, width: int = 1280, height: int = 800) -> Visit:
        driver.get("about:blank")
        seen()
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        driver.get(page.resolve().as_uri() if isinstance(page, Path) else page)
        return seen()

    return opened
