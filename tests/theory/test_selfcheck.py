"""The self-check passes, is quick, and notices a formula that is a little off."""

from __future__ import annotations

import importlib
import time
from dataclasses import replace

import pytest

from richlazy import Thin, selfcheck


def test_every_formula_agrees_with_the_flow_in_a_few_seconds():
    begun = time.process_time()
    checks = list(selfcheck.run())
    assert time.process_time() - begun < 5
    assert [check.id for check in checks] == ["T3", "T5", "T6", "T7", "T15", "T18"]
    assert all(check.passed for check in checks), checks


OFF = 1 + 1e-6


def scaled(position):
    """A function with one of its arguments a millionth larger."""

    def fault(right):
        def wrong(*arguments, **options):
            arguments = list(arguments)
            arguments[position] = arguments[position] * OFF
            return right(*arguments, **options)

        return wrong

    return fault


def thin(right):
    """A low-rank matrix a millionth larger."""
    return lambda net, task, trained, w: right(
        net, task, trained, Thin(w.left, w.values * OFF, w.right)
    )


def larger(right):
    """A reduced network with a first layer a millionth larger."""

    def wrong(self, *order):
        found = right(self, *order)
        problem = found.problem._replace(first=found.problem.first * OFF)
        return replace(found, problem=problem)

    return wrong


# What a formula rests on and the flow does not, by module and name, and how it is spoilt.
FAULTS = {
    "T3": ("formulas.modes", "state", scaled(2)),
    "T5": ("two_layer.riccati", "Balanced.__init__", scaled(1)),
    "T6": ("formulas.neuron", "trajectory", scaled(2)),
    "T7": ("formulas.low_rank", "expected", scaled(0)),
    "T15": ("two_layer.reduction.krylov", "Bidiagonal.reduced", larger),
    "T18": ("recurrent.choice", "exact", thin),
}


@pytest.mark.parametrize("id", FAULTS)
def test_a_formula_off_by_a_millionth_fails(id, monkeypatch):
    module, name, fault = FAULTS[id]
    owner = importlib.import_module(f"richlazy.{module}")
    *inside, name = name.split(".")
    for part in inside:
        owner = getattr(owner, part)
    monkeypatch.setattr(owner, name, fault(getattr(owner, name)))
    mine = [check for check in selfcheck._CHECKS if check[0] == id]
    monkeypatch.setattr(selfcheck, "_CHECKS", mine)
    (check,) = selfcheck.run()
    assert not check.passed
    assert check.error is None


def test_what_is_no_number_or_breaks_fails(monkeypatch):
    def breaks():
        raise OSError("no BLAS")

    checks = (("T1", "one", lambda: float("nan")), ("T2", "two", breaks), ("T3", "3", lambda: 0.0))
    monkeypatch.setattr(selfcheck, "_CHECKS", checks)
    first, second, third = selfcheck.run()
    assert (first.passed, first.deviation, first.error) == (False, None, None)
    assert (second.passed, second.error) == (False, "OSError: no BLAS")
    assert third.passed
