"""The summary of agreement with the derivations lists what was noted, worst first."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

NOTED = """
    import pytest

    def test_some(agreement):
        assert agreement("T12 path", 2e-16) == 2e-16
        assert agreement("T3 first", 1e-16) < 1e-14
        assert agreement("T3 readout", 3e-15) < 1e-14
        assert agreement("T3 first", 5e-17) < 1e-14

    def test_others(agreement):
        with pytest.raises(AssertionError):
            assert agreement("T3 undefined", float("nan")) < 1e-14
        with pytest.raises(AssertionError, match="^first$"):
            agreement("first", 1e-16)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_summary_lists_the_worst_of_every_formula(pytester, workers):
    pytester.makeconftest("from tests.theory.against_derivations.agreement import *")
    pytester.makepyfile(NOTED)
    run = pytester.runpytest_inprocess("-p", "no:hypothesispytest", *workers)
    run.assert_outcomes(passed=2)
    run.stdout.fnmatch_lines(
        [
            "*library against derivations*",
            "T3   inf?undefined, 3.0e-15?readout, 1.0e-16?first",
            "T12  2.0e-16?path",
        ]
    )


def test_no_summary_of_nothing(pytester):
    pytester.makeconftest("from tests.theory.against_derivations.agreement import *")
    pytester.makepyfile("def test_nothing(): pass")
    run = pytester.runpytest_inprocess("-p", "no:hypothesispytest")
    run.stdout.no_fnmatch_line("*library against derivations*")
