"""Worst disagreement of the library with each formula of the derivations, told after a run.

Workers of pytest-xdist send theirs to the process that tells; it collects no tests itself, so the
hooks are in the outermost conftest.
"""

from __future__ import annotations

import math
import re
import textwrap

import pytest

__all__ = [
    "agreement",
    "pytest_configure",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
]

WORST = pytest.StashKey[dict[str, float]]()
TITLE = "library against derivations, 50 digits or more: worst relative disagreement"


def pytest_configure(config):
    config.stash[WORST] = {}


@pytest.fixture(scope="session")
def agreement(pytestconfig):
    """(formula, error) -> error, noted for the summary: `agreement("T3 first", error) < 1e-14`."""
    worst = pytestconfig.stash[WORST]

    def note(formula, error):
        assert re.match(r"T\d+ \w", formula), formula
        seen = float(error) if error == error else math.inf  # NaN is no agreement at all
        _keep(worst, {formula: seen})
        return error

    return note


def _keep(worst, seen):
    for formula, error in seen.items():
        worst[formula] = max(error, worst.get(formula, 0.0))


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[TITLE] = session.config.stash[WORST]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    # a worker that died has sent nothing
    _keep(node.config.stash[WORST], getattr(node, "workeroutput", {}).get(TITLE, {}))


def pytest_terminal_summary(terminalreporter, config):
    worst = config.stash[WORST]
    if not worst:
        return
    terminalreporter.section(TITLE)
    formulas = {}
    for formula in sorted(worst, key=worst.get, reverse=True):
        id_, name = formula.split(" ", 1)
        formulas.setdefault(id_, []).append(f"{worst[formula]:.1e}\N{NO-BREAK SPACE}{name}")
    for id_ in sorted(formulas, key=lambda i: int(i[1:])):
        text = textwrap.fill(
            ", ".join(formulas[id_]),
            width=terminalreporter._tw.fullwidth,
            initial_indent=f"{id_:<5}",
            subsequent_indent=5 * " ",
        )
        terminalreporter.write_line(text)
