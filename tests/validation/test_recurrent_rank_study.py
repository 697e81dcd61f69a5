"""The study of rank in recurrent starts: what it measures, and what makes it fail."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from richlazy import recurrent_limits
from validation.recurrent import rank

TINY = replace(rank.QUICK, draws=20, tasks=4, order_steps=(2,))
CASES = rank.cases(TINY, 0)


@pytest.fixture(scope="module")
def found():
    return [rank.simulate(case) for case in CASES]


def failed(found):
    result = rank.STUDY.conclude(CASES, found)
    return {check.name for check in result.checks if not check.passed}


def damaged(found, kind, **wrong):
    return [
        part | {name: make(part[name]) for name, make in wrong.items()}
        if case["kind"] == kind else part
        for case, part in zip(CASES, found, strict=True)
    ]  # fmt: skip


def test_the_study_passes_and_nothing_is_vacuous(found):
    result = rank.STUDY.conclude(CASES, found)
    assert failed(found) == set()
    counts = {check.name: check.count for check in result.checks}
    assert counts["scatter"] == 4  # N/r of 10 to 60
    assert counts["coefficients"] == 4 * 2 * 3
    assert len({tuple(row) for row in result.rows}) == 1
    assert len(result.rows) == 4 + 2
    json.dumps([dict(result.settings), list(result.rows), CASES], allow_nan=False)
    assert "of 2 settings" in result.findings[-1]


def test_a_scatter_that_is_wrong_fails(found, monkeypatch):
    whole = recurrent_limits.scatter
    monkeypatch.setattr(
        recurrent_limits, "scatter", lambda *given, **asked: 1.6 * whole(*given, **asked)
    )
    assert failed(found) == {"scatter"}


def test_a_least_that_is_wrong_fails(found):
    def steep(change):
        return change * np.array([1.0, 2.0, 3.0, 4.0])[:, None]

    wrong = damaged(found, "curve", change=steep, least=lambda _: np.array(6))
    assert failed(wrong) == {"least"}


def test_a_negative_coefficient_fails(found):
    assert failed(damaged(found, "order", coefficients=lambda x: -x)) == {"coefficients"}


def test_the_full_study_is_larger():
    cases = rank.STUDY.cases(False, 0)
    kinds = [case["kind"] for case in cases]
    assert (kinds.count("curve"), kinds.count("order"), kinds.count("laziest")) == (3, 6, 12)
    full = rank.FULL
    assert len(full.order_steps) * len(full.order_gains) * len(full.order_ends) == 528
    json.dumps(cases)
